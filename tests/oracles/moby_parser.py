"""What moby's own Dockerfile parser makes of a file: the PyPI package `dockerfile` wraps it."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

dockerfile: Any = import_module("dockerfile")  # compiled, and without types


class Seen(NamedTuple):
    """One instruction, as far as the package tells."""

    keyword: str
    trigger: str  # of ONBUILD
    lines: tuple[int, int]
    is_json: bool
    flags: tuple[str, ...]
    arguments: tuple[str, ...]  # none for an instruction that the builder refuses later
    heredocs: tuple[tuple[str, str, int], ...]
    # The package loses the flags and heredocs of ONBUILD: none are shown.


def instructions(text: str) -> list[Seen] | None:
    """The instructions; None: moby refuses the file."""
    try:
        found: Any = dockerfile.parse_string(text)
    except dockerfile.GoParseError:
        return None
    return [
        Seen(
            keyword=_capitals(one.cmd or ""),
            trigger=_capitals(one.sub_cmd or ""),
            lines=(one.start_line, one.end_line),
            is_json=one.json,
            flags=() if one.sub_cmd else one.flags,
            arguments=one.value if _is_known(one.sub_cmd or one.cmd) else (),
            heredocs=()
            if one.sub_cmd
            else tuple((doc.name, doc.content, doc.file_descriptor) for doc in one.heredocs),
        )
        for one in found
    ]


def _capitals(keyword: str) -> str:
    return keyword.upper() if keyword.isascii() else keyword


def _is_known(keyword: str | None) -> bool:
    name = (keyword or "").lower()
    return name in dockerfile.all_cmds() and name != "onbuild"  # in itself
