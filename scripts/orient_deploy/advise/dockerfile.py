"""What a Dockerfile says of its build context and its arguments, as far as a scan of it can tell.

Decides which files it names; never what a variable stands for, and never runs a build. Whoever
reads the answer is told when something could not be read, so nothing is left out in silence.

Source: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Sequence, Set

from orient_deploy.advise.documents import MAX_BYTES
from orient_deploy.config.globs import problem
from orient_deploy.inputs.patterns import compile_patterns, escape

MOST_SOURCES = 100  # of one Dockerfile

_ESCAPE = re.compile(r"\A(?:#[^\n]*\n)*?#[ \t]*escape[ \t]*=[ \t]*([\\`])", re.IGNORECASE)
_FLAGS = re.compile(r"(?:--\S+\s+)*")
_HEREDOC = re.compile(r"(?<!\S)\d*<<-?(['\"]?)([A-Za-z_]\w*)\1(?!\S)")
_REMOTE = re.compile(r"\w+://|git@")
_UNREADABLE = re.compile(r"[$'\"\\?\[\]]|\*\*")
_GIVEN_ANYWAY = re.compile(r"(?:https?|ftp|no|all)_proxy|BUILDKIT_\w+|SOURCE_DATE_EPOCH", re.I)


def takes(dockerfile: bytes, argument: str) -> bool:
    """Whether the build argument can make a difference: one that is not declared has no effect."""
    if _GIVEN_ANYWAY.fullmatch(argument) or len(dockerfile) > MAX_BYTES:
        return True
    return any(
        word.partition("=")[0] == argument
        for name, rest in _instructions(dockerfile)
        if name == "ARG"
        for word in rest.split()
    )


def narrower(
    path: str, context: str, dockerfile: bytes, places: Set[str]
) -> tuple[tuple[str, ...], str]:
    """Patterns for what the Dockerfile names of its context, or why there are none.

    `places` are the files and folders of the repository.
    """
    if len(dockerfile) > MAX_BYTES:
        return (), "its Dockerfile is too long to be read"
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
    for name, rest in _instructions(dockerfile):
        found = _FLAGS.match(rest)
        assert found is not None  # it matches the empty text
        flags = found[0].split()
        if name == "RUN":
            for flag in flags:
                yield from _mounted(flag)
        elif name in ("COPY", "ADD") and not any(flag.startswith("--from=") for flag in flags):
            for word in _words(rest[found.end() :])[:-1]:
                if not word.startswith("<<") and not (name == "ADD" and _REMOTE.match(word)):
                    yield word


def _words(rest: str) -> list[str]:
    if rest.startswith("["):
        try:
            words = json.loads(rest)
        except (ValueError, RecursionError):
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
    return [_unquoted(word) for word in rest.split()]


def _unquoted(word: str) -> str:
    """The word without quotes around all of it; blanks part words in spite of quotes."""
    return re.sub(r"\A(['\"])([^'\"]*)\1\Z", r"\2", word)


def _mounted(flag: str) -> Iterator[str]:
    """What `--mount=` of a RUN binds from the context."""
    if not flag.startswith("--mount="):
        return
    options = (one.partition("=") for one in flag.removeprefix("--mount=").split(","))
    given = {key: value for key, _, value in options}
    if given.get("type", "bind") == "bind" and "from" not in given:
        yield _unquoted(given.get("source") or given.get("src") or ".")


def _instructions(dockerfile: bytes) -> Iterator[tuple[str, str]]:
    """Each instruction's name in capitals, and what follows it with its lines joined."""
    text = dockerfile.decode("utf-8", "replace")
    escaped = _ESCAPE.match(text)
    continues = escaped[1] if escaped else "\\"
    lines = text.split("\n")
    at = 0
    whole: list[str] = []
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if line and not line.startswith("#"):  # such lines may stand within an instruction
            whole.append(line.removesuffix(continues))
        if not whole or (at < len(lines) and not _ends(line, continues)):
            continue
        name, _, rest = " ".join(" ".join(whole).split()).partition(" ")
        whole = []
        if name.upper() in ("RUN", "COPY", "ADD"):
            at = _behind_heredocs(rest, lines, at)
        yield name.upper(), rest


def _ends(line: str, continues: str) -> bool:
    return bool(line) and not line.startswith("#") and not line.endswith(continues)


def _behind_heredocs(rest: str, lines: list[str], at: int) -> int:
    """Where the instructions go on; one that never ends holds nothing."""
    for _, end in _HEREDOC.findall(rest):
        closing = (n for n in range(at, len(lines)) if lines[n].strip("\t\r") == end)
        at = next(closing, at - 1) + 1
    return at
