"""Sets of positions behave as sets of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.inputs.positions import NOWHERE, Positions

SOME = st.lists(
    st.builds(
        lambda start, length: range(start, start + length), st.integers(0, 20), st.integers(0, 5)
    ),
    max_size=5,
)


@given(SOME, SOME, st.integers(0, 30), st.integers(1, 5))
def test_they_are_sets_of_numbers(one: list[range], two: list[range], at: int, length: int) -> None:
    first, second = Positions.of(one), Positions.of(two)
    numbers = {number for some in one for number in some}
    others = {number for some in two for number in some}

    assert list(first) == sorted(numbers)
    assert len(first) == len(numbers)
    assert bool(first) == bool(numbers)
    assert list(first & second) == sorted(numbers & others)
    assert list(first | second) == sorted(numbers | others)
    assert list(first - second) == sorted(numbers - others)
    assert (at in first) == (at in numbers)
    assert first.meets(at, at + length) == (not numbers.isdisjoint(range(at, at + length)))
    assert first.within(range(at, at + length)) == first & Positions((range(at, at + length),))


@given(SOME, SOME)
def test_equal_sets_have_equal_ranges(one: list[range], two: list[range]) -> None:
    first, second = Positions.of(one), Positions.of(two)

    for some in (first, first & second, first | second, first - second):
        alone = Positions.of(range(number, number + 1) for number in some)
        assert (some, hash(some), repr(some)) == (alone, hash(alone), repr(alone))
    assert (first == second) == (list(first) == list(second))


def test_nowhere_is_empty_and_no_other_thing() -> None:
    assert Positions.of([]) == NOWHERE
    assert NOWHERE != ()
    assert not NOWHERE
