"""Sets of a tree's entries, held as ranges: a folder of 100,000 files is two numbers.

Never knows what the entries are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Positions:
    """A set of positions in ascending order.

    >>> some = Positions.of([range(4, 6), range(0, 3), range(5, 9)])
    >>> some.ranges, len(some), 3 in some, list(some & Positions.of([range(2, 5)]))
    ((range(0, 3), range(4, 9)), 8, False, [2, 4])
    """

    __slots__ = ("ranges",)

    def __init__(self, ranges: tuple[range, ...] = ()) -> None:
        """`ranges` ascend, do not touch each other and hold something; `of` takes any."""
        self.ranges = ranges

    @classmethod
    def of(cls, ranges: Iterable[range]) -> Positions:
        """What is in any of the ranges."""
        return cls.between([(one.start, one.stop) for one in ranges])

    @classmethod
    def between(cls, pairs: list[tuple[int, int]]) -> Positions:
        """The same of pairs of a first position and the one behind the last."""
        pairs.sort()
        joined: list[range] = []
        low = high = 0
        for start, stop in pairs:
            if start > high:
                if high > low:
                    joined.append(range(low, high))
                low, high = start, stop
            elif stop > high:
                if high == low:
                    low = start
                high = stop
        if high > low:
            joined.append(range(low, high))
        return cls(tuple(joined))

    def __iter__(self) -> Iterator[int]:
        for one in self.ranges:
            yield from one

    def __len__(self) -> int:
        return sum(map(len, self.ranges))

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __contains__(self, position: int) -> bool:
        return self.meets(position, position + 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Positions) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash(self.ranges)

    def __repr__(self) -> str:
        return f"Positions({self.ranges!r})"

    def meets(self, start: int, stop: int) -> bool:
        """Whether any position from `start` to before `stop` is in it."""
        at = bisect_right(self.ranges, stop - 1, key=_start) - 1
        return at >= 0 and self.ranges[at].stop > start

    def within(self, place: range) -> Positions:
        """What of it is in one range."""
        low = bisect_right(self.ranges, place.start, key=_stop)
        high = bisect_left(self.ranges, place.stop, low, key=_start)
        if low == high or not place:
            return NOWHERE
        found = list(self.ranges[low:high])
        found[0] = range(max(found[0].start, place.start), found[0].stop)
        found[-1] = range(found[-1].start, min(found[-1].stop, place.stop))
        return Positions(tuple(found))

    def __or__(self, other: Positions) -> Positions:
        return Positions.of([*self.ranges, *other.ranges])

    def __and__(self, other: Positions) -> Positions:
        found: list[range] = []
        theirs = other.ranges
        at = 0
        for one in self.ranges:
            while at < len(theirs) and theirs[at].stop <= one.start:
                at += 1
            ahead = at
            while ahead < len(theirs) and theirs[ahead].start < one.stop:
                low = max(one.start, theirs[ahead].start)
                found.append(range(low, min(one.stop, theirs[ahead].stop)))
                ahead += 1
        return Positions(tuple(found))

    def __sub__(self, other: Positions) -> Positions:
        found: list[range] = []
        theirs = other.ranges
        at = 0
        for one in self.ranges:
            low = one.start
            while at < len(theirs) and theirs[at].stop <= low:
                at += 1
            ahead = at
            while ahead < len(theirs) and theirs[ahead].start < one.stop:
                if theirs[ahead].start > low:
                    found.append(range(low, theirs[ahead].start))
                low = theirs[ahead].stop
                ahead += 1
            if low < one.stop:
                found.append(range(low, one.stop))
        return Positions(tuple(found))


def _start(one: range) -> int:
    return one.start


def _stop(one: range) -> int:
    return one.stop


NOWHERE = Positions()
