"""What a Dockerfile names of its build context and its arguments, for a proposal.

Decides which files it names as written, in any stage; never what a variable stands for. Whoever
reads the answer is told when something could not be read, so nothing is left out in silence.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence, Set

from orient_deploy.advise.documents import MAX_BYTES
from orient_deploy.config.globs import problem
from orient_deploy.inputs.dockerfile import is_heredoc, parse
from orient_deploy.inputs.patterns import compile_patterns, escape
from orient_deploy.inputs.stages import is_remote
from orient_deploy.inputs.variables import Unreadable, unquoted

MOST_SOURCES = 100  # of one Dockerfile

_UNREADABLE = re.compile(r"[$'\"\\?\[\]]|\*\*")
_GIVEN_ANYWAY = re.compile(r"(?:https?|ftp|no|all)_proxy|BUILDKIT_\w+|SOURCE_DATE_EPOCH", re.I)


def takes(dockerfile: bytes, argument: str) -> bool:
    """Whether the build argument can make a difference: one that is not declared has no effect."""
    if _GIVEN_ANYWAY.fullmatch(argument) or len(dockerfile) > MAX_BYTES:
        return True
    found = parse(dockerfile)
    return found.problem is not None or any(
        word.partition("=")[0] == argument
        for one in found.instructions
        if one.keyword == "ARG"
        for word in one.arguments
    )


def narrower(
    path: str, context: str, dockerfile: bytes, places: Set[str]
) -> tuple[tuple[str, ...], str]:
    """Patterns for what the Dockerfile names of its context, or why there are none.

    `places` are the files and folders of the repository.
    """
    if len(dockerfile) > MAX_BYTES:
        return (), "its Dockerfile is too long to be read"
    wrong = parse(dockerfile).problem
    if wrong is not None:
        return (), f"its Dockerfile could not be read: line {wrong.line}: {wrong.why}"
    found = [_own(path, context)]
    for source in sources(dockerfile):
        if _UNREADABLE.search(source):
            return (), f"{source} could not be read"
        # A path that begins with '/', or leaves the context, is taken from its root.
        name = posixpath.normpath("/" + source).strip("/")
        if name in ("", "*"):
            return (), "its Dockerfile copies the whole context"
        name = posixpath.normpath(posixpath.join(context, name))
        if "*" in name:  # what fits may be a folder
            found.append("*".join(map(escape, name.split("*"))) + "{,/**}")
        elif name not in places:
            return (), f"{name} is copied, and no file of this commit"
        else:
            is_folder = f"{name}/" in places
            found.append(escape(name) + ("/**" if is_folder else ""))
    for extra in (posixpath.join(context, ".dockerignore"), f"{path}.dockerignore"):
        if posixpath.normpath(extra) in places:
            found.append(escape(posixpath.normpath(extra)))
    found = list(dict.fromkeys(found))
    if len(found) > MOST_SOURCES or any(problem(one) for one in found):
        return (), "its Dockerfile could not be read"
    return tuple(one for one in found if not _is_covered(one, found)), ""


def places_of(listing: Sequence[str]) -> frozenset[str]:
    """Every file and folder; a folder also with '/' behind it."""
    folders: set[str] = set()
    for path in listing:
        folder = posixpath.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    return frozenset(listing) | folders | {f"{folder}/" for folder in folders}


def _own(path: str, context: str) -> str:
    """The Dockerfile's folder, or the file alone where its folder holds the whole context."""
    folder = posixpath.dirname(path)
    if not folder or context == folder or context.startswith(f"{folder}/"):
        return escape(path)
    return f"{escape(folder)}/**"


def _is_covered(pattern: str, others: Sequence[str]) -> bool:
    fixed = re.sub(r"(?:\{,/\*\*\}|/\*\*)\Z", "", pattern)
    return any(
        other != pattern and other.endswith("/**") and compile_patterns([other]).matches(fixed)
        for other in others
    )


def sources(dockerfile: bytes) -> Iterator[str]:
    """What is taken from the build context, as written; never from the network or other stages."""
    for one in parse(dockerfile).instructions:
        if one.keyword == "RUN":
            for mount in one.values("mount"):
                yield from _mounted(mount)
        elif one.keyword in ("COPY", "ADD") and not one.values("from"):
            for word in one.arguments[:-1]:
                source = _unquoted(word)
                if not is_heredoc(word) and not (one.keyword == "ADD" and is_remote(source)):
                    yield source


def _unquoted(word: str) -> str:
    try:
        return unquoted(word)
    except Unreadable:
        return word  # with its quote, which nobody takes for a path


def _mounted(mount: str) -> Iterator[str]:
    """What `--mount=` of a RUN binds from the context."""
    given = {key: value for key, _, value in (one.partition("=") for one in mount.split(","))}
    if given.get("type", "bind") == "bind" and "from" not in given:
        yield given.get("source") or given.get("src") or "."
