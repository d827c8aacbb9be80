"""What a Dockerfile names of its build context and its arguments, for a proposal.

Decides which files it names as written, in any stage; never what a variable stands for. Whoever
reads the answer is told when something could not be read, so nothing is left out in silence.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from orient_deploy.advise.documents import MAX_BYTES
from orient_deploy.inputs.dockerfile import heredoc_of, parse
from orient_deploy.inputs.stages import is_remote
from orient_deploy.inputs.variables import Unreadable, unquoted

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


def copies_everything(dockerfile: bytes) -> bool:
    """Whether it takes the whole of its context, as far as it is written there."""
    names = (posixpath.normpath("/" + source).strip("/") for source in sources(dockerfile))
    return any(name in ("", "*") for name in names)


def places_of(listing: Sequence[str]) -> frozenset[str]:
    """Every file and folder; a folder also with '/' behind it."""
    folders: set[str] = set()
    for path in listing:
        folder = posixpath.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    return frozenset(listing) | folders | {f"{folder}/" for folder in folders}


def sources(dockerfile: bytes) -> Iterator[str]:
    """What is taken from the build context, as written; never from the network or other stages."""
    for one in parse(dockerfile).instructions:
        if one.keyword == "RUN":
            for mount in one.values("mount"):
                yield from _mounted(mount)
        elif one.keyword in ("COPY", "ADD") and not one.values("from"):
            for word in one.arguments[:-1]:
                source = _unquoted(word)
                if heredoc_of(word) is None and not (one.keyword == "ADD" and is_remote(source)):
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
