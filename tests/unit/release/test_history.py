"""Where a rollback goes, and which releases stay."""

from __future__ import annotations

import pytest

from orient_deploy.errors import InputError
from orient_deploy.release.history import GOOD_KEPT, kept, rollback_target
from orient_deploy.release.model import Standing, standing


def stands(*ledger: str, installed: str = "") -> Standing:
    lines = [("ledger", f"t {one}") for one in ledger]
    return standing([("where", "/srv"), ("installed", installed), *lines])


@pytest.mark.parametrize(
    ("ledger", "installed", "wanted", "target"),
    [
        pytest.param(["one good", "two good"], "two", "", "one", id="the-one-before"),
        pytest.param(["one good", "two failed"], "two", "", "one", id="behind-a-bad-one"),
        pytest.param(["one good", "two good", "three good"], "three", "one", "one", id="by-name"),
        pytest.param(
            ["one good", "two good", "three good", "three rolled-back", "two good"],
            "two",
            "",
            "one",
            id="further-back-each-time",
        ),
    ],
)
def test_a_rollback_goes_to_a_good_release(
    ledger: list[str], installed: str, wanted: str, target: str
) -> None:
    assert rollback_target(stands(*ledger, installed=installed), wanted) == target


@pytest.mark.parametrize(
    ("ledger", "installed", "wanted", "says"),
    [
        pytest.param([], "", "", "no good release", id="nothing-was-ever-good"),
        pytest.param(["one good"], "one", "", "but the one in place", id="only-the-one-in-place"),
        pytest.param(["one good"], "one", "two", "those are one", id="one-that-never-was"),
        pytest.param(["two failed"], "two", "two", "it has none", id="one-that-was-bad"),
    ],
)
def test_without_one_it_says_so(ledger: list[str], installed: str, wanted: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        rollback_target(stands(*ledger, installed=installed), wanted)


def test_the_last_good_ones_stay_and_what_is_in_place() -> None:
    ledger = [f"r{number} good" for number in range(9)] + ["bad failed"]

    names = kept(stands(*ledger, installed="bad"), "r0", "")

    assert names == ("r8", "r7", "r6", "r5", "r4", "bad", "r0")
    assert len(names) == GOOD_KEPT + 2
