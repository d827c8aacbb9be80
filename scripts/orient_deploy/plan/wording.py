"""How counts, names and ids are put into a sentence."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES_SHOWN = 4
PATH_SHOWN = 120  # characters of a path in a reason; a path may have 4,096


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "file"), plural(3, "file")
    ('1 file', '3 files')
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


def listed(names: Sequence[str]) -> str:
    """Some names for a sentence; many are cut and counted.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c, d and 1 more'
    """
    shown = ", ".join(names[:NAMES_SHOWN])
    return shown + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")


def listed_paths(paths: Sequence[str]) -> str:
    """The same for paths, each of a bearable length."""
    return listed([shortened(path) for path in paths[:NAMES_SHOWN]] + list(paths[NAMES_SHOWN:]))


def shortened(text: str, length: int = PATH_SHOWN) -> str:
    """A text of a bearable length: a longer one loses its middle.

    >>> shortened("packages/dashboard/src/index.ts", 15)
    'package…ndex.ts'
    """
    if len(text) <= length:
        return text
    half = length // 2
    return f"{text[: length - 1 - half]}…{text[-half:]}"
