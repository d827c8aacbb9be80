"""The bar of a long run: on a terminal only, not too often, and gone in the end."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from orient_deploy.commands.progress import with_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def clock(step: float) -> Iterator[float]:
    """A clock that goes on by this much each time it is asked."""
    now = 0.0
    while True:
        yield now
        now += step


def run(stream: io.StringIO, step: float, count: int = 40) -> list[int]:
    ticks = clock(step)
    return list(with_progress(range(count), count, "commits", stream, lambda: next(ticks)))


def test_a_long_run_shows_how_far_it_is_and_wipes_it_out() -> None:
    stream = Terminal()

    assert run(stream, 0.06) == list(range(40))
    pictures = stream.getvalue().split("\r\x1b[K")
    assert pictures[0] == "" and pictures[-1] == ""
    assert "[######..................] 10 of 40 commits" in pictures
    assert 5 < len(pictures) < 30


@pytest.mark.parametrize(
    ("stream", "step"),
    [
        pytest.param(io.StringIO(), 1.0, id="no-terminal"),
        pytest.param(Terminal(), 0.001, id="a-short-run"),
    ],
)
def test_nothing_is_shown(stream: io.StringIO, step: float) -> None:
    assert run(stream, step) == list(range(40))
    assert stream.getvalue() == ""


def test_it_is_wiped_out_after_an_error() -> None:
    stream = Terminal()

    def items() -> Iterator[int]:
        yield from range(3)
        raise KeyboardInterrupt

    ticks = clock(1.0)
    with pytest.raises(KeyboardInterrupt):
        list(with_progress(items(), 9, "commits", stream, lambda: next(ticks)))
    assert stream.getvalue().endswith("\r\x1b[K")


def test_no_items_are_no_division_by_nothing() -> None:
    assert run(Terminal(), 1.0, 0) == []
