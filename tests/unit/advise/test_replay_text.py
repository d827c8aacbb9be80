"""A replay for a terminal and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orient_deploy.advise.replay_text import pushes_said, replay_lines, replay_values
from orient_deploy.advise.stale import Judged, Push, Standing, judge
from orient_deploy.inputs.images import Difference
from tests.unit.advise.pushes import about, invented

if TYPE_CHECKING:
    from orient_deploy.plan.report import Line


def _text(line: Line) -> str:
    return "".join(part if isinstance(part, str) else part[1] for part in line)


def _texts(judged: Judged, by: str = "current") -> list[str]:
    return [_text(line) for line in replay_lines(judged, about(by=by))]  # type: ignore[arg-type]  # of the two


def _judged(*decisions: str, digests: str, minor: bool = False) -> Judged:
    """One image that is built (B) or left (-) at each push."""
    pushes = []
    before = "0"
    for number, (decided, digest) in enumerate(zip(decisions, digests, strict=True)):
        path = "web/README.md" if minor else "web/index.ts"
        why = (Difference(path=path, why="read by web/Dockerfile line 3"),)
        pushes.append(
            Push(
                id=f"{number:040x}",
                parent="",
                subject="Do it",
                time_s=number * 86_400,
                files=2,
                standings=(
                    Standing(
                        name="opencode",
                        digest=digest,
                        before=before,
                        decided="build" if decided == "B" else "leave",
                        differences=why if digest != before else (),
                    ),
                ),
                reason="changed: web/**",
            )
        )
        before = digest
    return judge(pushes)


def test_rows_are_newest_first_and_a_miss_stands_below_its_push() -> None:
    texts = _texts(_judged("B", "-", "B", digests="122"))

    assert texts[0] == "3 commits of main, each as a push, compared with its parent"
    assert texts[1] == "decided by the watch lists of orient-deploy.yml"
    assert [text.split()[:2] for text in texts[2:6]] == [
        *(["0000000", "opencode"], ["0000000", "nothing"]),
        *(["missed", "opencode:"], ["0000000", "opencode"]),
    ]
    assert texts[4].strip() == ("missed opencode: web/index.ts, read by web/Dockerfile line 3")


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        pytest.param(
            _judged("B", "-", "B", digests="122"),
            [
                "2 builds of 3: 1 avoided (33 %), about 5 build minutes; 0 deploys",
                "1 of 3 needed builds missed; 1 of 3 pushes left an image stale",
                "  opencode was stale for 1 push (24 hours): from 0000000 until 0000000 built it",
            ],
            id="missed",
        ),
        pytest.param(
            _judged("-", digests="1", minor=True),
            [
                "0 builds of 1: 1 avoided (100 %), about 5 build minutes; 0 deploys",
                "1 of 1 needed build missed (1 for documents or tests only); "
                "1 of 1 push left an image stale",
                "  opencode was stale for 1 push (less than an hour): from 0000000 and still is",
            ],
            id="documents",
        ),
        pytest.param(
            _judged("B", "B", digests="11"),
            [
                "2 builds of 2: 0 avoided (0 %); 0 deploys",
                "no build was missed",
                "1 of 2 builds needless, about 5 build minutes",
            ],
            id="needless",
        ),
        pytest.param(
            judge([]), ["0 builds of 0: 0 avoided; 0 deploys", "no build was missed"], id="nothing"
        ),
    ],
)
def test_the_sums_say_what_matters(judged: Judged, said: list[str]) -> None:
    assert _texts(judged)[-len(said) :] == said


def test_by_digests_nothing_can_be_missed() -> None:
    judged = judge(invented(60, by="auto"))
    texts = _texts(judged, "auto")

    assert len(texts) == 63
    assert f"{judged.sums.reused} images used again" in texts[-1]


def test_many_stretches_are_counted() -> None:
    judged = judge(invented(200))
    texts = _texts(judged)

    assert len(judged.stretches) > 6
    assert f"  and {len(judged.stretches) - 5} more times" in texts


def test_lines_hold_no_foreign_line_break_and_no_long_text() -> None:
    lines = replay_lines(judge(invented(5, hostile=True)), about())

    assert all(_text(line).isprintable() for line in lines)
    assert max(len(_text(line)) for line in lines) < 500


def test_values_are_plain_and_add_up() -> None:
    judged = judge(invented(80))
    values = json.loads(json.dumps(replay_values(judged, about(), by_digest=7)))
    rows, totals = values["rows"], values["totals"]

    assert [row["commit"] for row in rows] == [row.push.id for row in judged.rows[::-1]]
    assert totals["builds"] == sum(len(row["built"]) for row in rows)
    assert totals["avoided"] == sum(len(row["kept"]) for row in rows)
    assert totals["missed"] == sum(len(row["missed"]) for row in rows)
    assert totals["needless"] == sum(len(row["needless"]) for row in rows)
    assert totals["minutes-saved"] == sum(row["minutes-saved"] for row in rows)
    assert totals["pushes-that-missed"] == sum(bool(row["missed"]) for row in rows)
    assert totals["pushes-while-stale"] == sum(bool(row["stale"]) for row in rows)
    assert sum(len(one["missed"]) for one in values["stale"]) == totals["missed"]
    assert sum(one["pushes"] for one in values["stale"]) == sum(len(row["stale"]) for row in rows)
    assert sum(one["missed"] for one in values["images"].values()) == totals["missed"]
    assert totals["builds-by-digest"] == 7


def test_numbers_of_pushes() -> None:
    assert [pushes_said(count) for count in (0, 1, 1200)] == ["0 pushes", "1 push", "1,200 pushes"]
