"""What is said of a name by what each place has of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.secrets.drift import EMPTY, NOT_SHOWN, UNKNOWN, Place, compare

FILE, GITHUB, SERVER = ".env.production", "GitHub", "server"


def place(title: str, mark: str | None, *, asked: bool = True) -> Place:
    """A place that has `A` as this; `-` for None."""
    return Place(
        title=title,
        marks={} if mark is None else {"A": mark},
        asked=(frozenset({"A"}) if asked else frozenset()) if title == GITHUB else None,
        keeps_empty=title != GITHUB,
    )


@pytest.mark.parametrize(
    ("file", "github", "server", "cells", "drifted"),
    [
        pytest.param("x", "x", "x", "same same same", False, id="all-the-same"),
        pytest.param("x", "x", "y", "same same differs", True, id="the-server-differs"),
        pytest.param("x", "y", "y", "same differs differs", True, id="the-file-differs"),
        pytest.param("x", "y", "z", "same differs differs", True, id="all-differ"),
        pytest.param("x", None, "x", "same missing same", True, id="missing-at-github"),
        pytest.param(None, "x", "x", "missing same same", True, id="missing-in-the-file"),
        pytest.param("x", "x", EMPTY, "same same empty", True, id="empty-on-the-server"),
        pytest.param(EMPTY, None, EMPTY, "empty missing empty", False, id="empty-everywhere"),
        pytest.param(EMPTY, None, None, "empty missing missing", True, id="empty-or-missing"),
        pytest.param("x", UNKNOWN, "x", "same unknown same", False, id="unknown-at-github"),
        pytest.param(None, UNKNOWN, None, "missing unknown missing", True, id="only-at-github"),
        pytest.param("x", UNKNOWN, "y", "same unknown differs", True, id="unknown-and-differs"),
    ],
)
def test_cells(
    file: str | None, github: str | None, server: str | None, cells: str, drifted: bool
) -> None:
    found = compare([place(FILE, file), place(GITHUB, github), place(SERVER, server)])

    assert [(" ".join(row.cells), row.drifted) for row in found.rows] == [(cells, drifted)]


def test_what_was_not_asked_is_no_difference() -> None:
    found = compare([place(FILE, "x"), place(GITHUB, None, asked=False), place(SERVER, "x")])

    assert found.rows[0].cells == ("same", "not asked", "same")
    assert (found.drifted, len(found.agreeing)) == ((), 1)


def test_a_name_in_one_place_alone_is_not_compared() -> None:
    found = compare([place(FILE, "x"), place(GITHUB, None, asked=False)])

    assert [row.name for row in found.uncompared] == ["A"]


def test_drifted_names_stand_first_and_some_are_not_shown() -> None:
    one = Place(title=FILE, marks={"B": "x", "piece0F": "x", "A": "x"})
    two = Place(title=SERVER, marks={"B": "x", "piece0F": "y", "A": "y"})

    found = compare([one, two], hide={"piece0F"})

    assert [row.name for row in found.rows] == [NOT_SHOWN, "A", "B"]
    assert "piece0F" not in repr(found)


marks = st.none() | st.sampled_from([EMPTY, UNKNOWN, "x", "y"])


@given(marks, marks, marks)
def test_order_of_places_changes_no_verdict(
    file: str | None, github: str | None, server: str | None
) -> None:
    places = [place(FILE, file), place(GITHUB, github), place(SERVER, server)]

    assert bool(compare(places).drifted) == bool(compare(places[::-1]).drifted)


@given(marks, marks)
def test_two_known_values_drift_if_and_only_if_they_differ(
    one: str | None, other: str | None
) -> None:
    found = compare([place(FILE, one), place(SERVER, other)])

    if one != UNKNOWN and other != UNKNOWN:
        assert bool(found.drifted) == (one != other)
