"""A bar for long runs, on a terminal only. Decides nothing, and leaves nothing behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from typing import TextIO

T = TypeVar("T")

WIDTH = 24  # of the bar, in characters
PATIENCE_S = 0.5  # before anything is shown
PAUSE_S = 0.1  # between two pictures


def with_progress(
    items: Iterable[T],
    total: int,
    noun: str,
    stream: TextIO,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """The items; while they are taken a bar on the stream tells how far that is, if it is a
    terminal. It is wiped out in the end, also after an error."""
    if not stream.isatty():
        yield from items
        return
    shown = clock() + PATIENCE_S - PAUSE_S
    drawn = False
    try:
        for done, item in enumerate(items):
            if clock() - shown >= PAUSE_S:
                stream.write(f"\r\x1b[K{picture(done, total)} {done:,} of {total:,} {noun}")
                stream.flush()
                shown, drawn = clock(), True
            yield item
    finally:
        if drawn:
            stream.write("\r\x1b[K")
            stream.flush()


def picture(done: int, total: int) -> str:
    """How far it is.

    >>> picture(6, 24), picture(0, 0)
    ('[######..................]', '[........................]')
    """
    full = WIDTH * done // total if total else 0
    return f"[{'#' * full}{'.' * (WIDTH - full)}]"
