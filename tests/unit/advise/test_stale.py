"""What became of each image at each push: built, needlessly built, missed, stale, used again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.advise.stale import Judged, Push, Standing, blind_spots, judge
from orient_deploy.inputs.images import Difference

DAY_S = 86_400
LETTERS = {"b": "built", "n": "needless", "m": "missed", "s": "stale", "k": "kept", "r": "reused"}


def push(number: int, *standings: Standing) -> Push:
    return Push(
        id=f"{number:040x}",
        parent="",
        subject=f"Push {number}",
        time_s=number * DAY_S,
        files=1,
        standings=standings,
    )


def pushes(digests: str, decisions: str, *, name: str = "web", before: str = "0") -> list[Push]:
    """One image over some pushes: its digest after each ('.': it is not there), and what was
    decided: built (B), used again (R) or left (-)."""
    words: dict[str, Literal["build", "reuse", "leave"]]
    words = {"B": "build", "R": "reuse", "-": "leave"}
    found = []
    for number, (digest, decided) in enumerate(zip(digests, decisions, strict=True)):
        standing = Standing(
            name=name,
            digest=digest,
            before=before,
            decided=words[decided],
            differences=(
                Difference(path=f"{name}/{digest}.c", why="read by web/Dockerfile line 2"),
            )
            if digest != before
            else (),
        )
        found.append(push(number, *([] if digest == "." else [standing])))
        before = "" if digest == "." else digest
    return found


def outcomes(judged: Judged, name: str = "web") -> str:
    """One letter for each push."""
    letters = {outcome: letter for letter, outcome in LETTERS.items()}
    return "".join(
        next((letters[cell.outcome] for cell in row.cells if cell.name == name), ".")
        for row in judged.rows
    )


@pytest.mark.parametrize(
    ("digests", "decisions", "expected"),
    [
        pytest.param("0011", "--B-", "kkbk", id="as-it-should-be"),
        pytest.param("000", "-B-", "knk", id="needless"),
        pytest.param("01112", "----B", "kmssb", id="missed-and-stale-until-built"),
        pytest.param("012", "---", "kmm", id="missed-twice"),
        pytest.param("0111", "--B-", "kmbk", id="healed-by-a-build-for-other-reasons"),
        pytest.param("010", "---", "kmk", id="its-inputs-came-back"),
        pytest.param("0110", "-B--", "kbkm", id="a-revert-is-a-change-too"),
        pytest.param("0110", "-B-R", "kbkr", id="a-revert-uses-the-old-image"),
        pytest.param("1.1", "B-B", "b.b", id="removed-and-new-again"),
        pytest.param("1.1", "--B", "m.b", id="stale-until-it-was-removed"),
        pytest.param("1", "B", "b", id="one-push"),
    ],
)
def test_an_image_is_judged_by_its_digests(digests: str, decisions: str, expected: str) -> None:
    assert outcomes(judge(pushes(digests, decisions))) == expected


def test_a_new_image_has_to_be_built() -> None:
    assert outcomes(judge(pushes("11", "B-", before=""))) == "bk"
    assert outcomes(judge(pushes("11", "--", before=""))) == "ms"


@pytest.mark.parametrize(
    ("digests", "decisions", "stretches"),
    [
        pytest.param("0011", "--B-", [], id="none"),
        pytest.param("01122", "----B", [(1, 4, (1, 3), "built", 3)], id="until-built"),
        pytest.param("0112", "----", [(1, 4, (1, 3), "open", 2)], id="still"),
        pytest.param("0100", "----", [(1, 2, (1,), "returned", 1)], id="came-back"),
        pytest.param("01.", "---", [(1, 2, (1,), "removed", 1)], id="removed"),
        pytest.param(
            "01123",
            "--B--",
            [(3, 5, (3, 4), "open", 1), (1, 2, (1,), "built", 1)],
            id="two-of-them",
        ),
    ],
)
def test_a_stale_stretch_tells_from_when_to_when(
    digests: str, decisions: str, stretches: list[tuple[int, int, tuple[int, ...], str, int]]
) -> None:
    judged = judge(pushes(digests, decisions))

    assert [
        (one.first, one.end, one.missed, one.ending, one.seconds // DAY_S)
        for one in judged.stretches
    ] == stretches


def test_the_worst_stretch_comes_first_and_what_matters_little_last() -> None:
    both = []
    for one, other, doc in zip(
        pushes("0111", "---B", name="api"),
        pushes("0111", "--B-", name="web"),
        pushes("0111", "----", name="docs"),
        strict=True,
    ):
        standings = [*one.standings, *other.standings, *doc.standings]
        only = (Difference(path="docs/README.md", why=""),)
        standings[2] = Standing(
            **{**vars(standings[2]), "differences": only if standings[2].differences else ()}
        )
        both.append(Push(**{**vars(one), "standings": tuple(standings)}))
    judged = judge(both)

    assert [one.name for one in judged.stretches] == ["api", "web", "docs"]
    assert [one.is_minor for one in judged.stretches] == [False, False, True]
    assert (judged.sums.missed, judged.sums.missed_minor) == (3, 1)
    assert judged.sums.longest is not None and judged.sums.longest.name == "docs"
    assert (judged.missing_pushes, judged.stale_pushes) == (1, 3)


@pytest.mark.parametrize(
    ("path", "is_minor_file"),
    [
        pytest.param("docs/guide.md", True, id="markdown"),
        pytest.param("a/README.rst", True, id="restructured"),
        pytest.param("LICENSE", True, id="licence"),
        pytest.param("a/LICENSE-MIT", True, id="another-licence"),
        pytest.param("src/license.ts", False, id="code"),
        pytest.param("requirements.txt", False, id="requirements"),
        pytest.param("robots.txt", False, id="text-that-is-served"),
        pytest.param("a.mdc", False, id="other-ending"),
        pytest.param("docs/index.html", False, id="page"),
        pytest.param("a/__tests__/b.ts", True, id="test-folder"),
        pytest.param("tests/a.py", True, id="test-folder-at-the-root"),
        pytest.param("a/b.test.ts", True, id="test-file"),
        pytest.param("a/b_test.go", True, id="test-of-go"),
        pytest.param("latest/a.ts", False, id="no-test-folder"),
        pytest.param("a/contest.ts", False, id="no-test-file"),
    ],
)
def test_documents_and_tests_are_told_by_their_names(path: str, is_minor_file: bool) -> None:
    (first,) = pushes("1", "-")
    standing = Standing(
        **{**vars(first.standings[0]), "differences": (Difference(path=path, why=""),)}
    )
    (row,) = judge([push(0, standing)]).rows

    assert row.cells[0].is_minor is is_minor_file


def test_an_unexplained_change_is_no_small_one() -> None:
    (first,) = pushes("1", "-")
    standing = Standing(**{**vars(first.standings[0]), "differences": ()})

    assert not judge([push(0, standing)]).rows[0].cells[0].is_minor


def test_blind_spots_are_the_places_of_missed_files() -> None:
    def missing(number: int, *paths: str) -> Push:
        return push(
            number,
            Standing(
                name="web",
                digest=str(number + 1),
                before=str(number),
                decided="leave",
                differences=tuple(
                    Difference(path=path, why=f"read by line {number}") for path in paths
                ),
            ),
        )

    found = blind_spots(
        judge(
            [missing(0, "a/lib/x", "a/lib/y", "b.ts"), missing(1, "a/lib/src/y"), missing(2, "c/d")]
        )
    )

    assert [(one.place, one.paths, one.pushes, one.why) for one in found] == [
        ("a/lib/", ("a/lib/x", "a/lib/y", "a/lib/src/y"), 2, "read by line 1"),
        ("b.ts", ("b.ts",), 1, "read by line 0"),
        ("c/d", ("c/d",), 1, "read by line 2"),
    ]


def test_nothing_is_nothing() -> None:
    judged = judge([])

    assert (judged.names, judged.stretches, judged.sums.there) == ((), (), 0)
    assert judged.sums.longest is None


DIGESTS = st.lists(st.sampled_from("012."), min_size=1, max_size=12)


@given(digests=DIGESTS, data=st.data())
def test_every_push_is_accounted_for(digests: Sequence[str], data: st.DataObject) -> None:
    decisions = [data.draw(st.sampled_from("B-")) for _ in digests]
    judged = judge(pushes("".join(digests), "".join(decisions)))
    letters = outcomes(judged)
    sums = judged.sums

    assert [letter == "." for letter in letters] == [digest == "." for digest in digests]
    built = sum(d == "B" and digest != "." for d, digest in zip(decisions, digests, strict=True))
    assert sums.builds == built
    assert sums.there == sums.builds + sums.stale + letters.count("k")
    covered = {at for one in judged.stretches for at in range(one.first, one.end)}
    assert covered == {at for at, letter in enumerate(letters) if letter in "ms"}
    for one in judged.stretches:
        assert letters[one.first] == "m"
        assert one.missed == tuple(at for at in range(one.first, one.end) if letters[at] == "m")


@given(digests=DIGESTS)
def test_building_each_change_misses_nothing_and_needs_every_build(digests: Sequence[str]) -> None:
    before = "0"
    decisions = ""
    for digest in digests:
        decisions += "-" if digest in (before, ".") else "B"
        before = "" if digest == "." else digest

    assert set(outcomes(judge(pushes("".join(digests), decisions)))) <= set("bk.")
