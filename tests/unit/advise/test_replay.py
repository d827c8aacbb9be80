"""Past commits as pushes: the same decisions as detect's, and their sums."""

from __future__ import annotations

import pytest

from orient_deploy.advise.replay import (
    Commit,
    Row,
    deploying_branch,
    replay,
    replay_lines,
    totals,
)
from orient_deploy.config import parse
from orient_deploy.history.model import Change

CONFIG = parse(
    """
version: 1
branches: [main, release/*]
images:
  api: {dockerfile: api/Dockerfile, watch: [api/**], typical-minutes: 4}
  web: {dockerfile: web/Dockerfile, watch: [web/**], typical-minutes: 1.5}
watch-all: [lock]
ignore: ["**/*.md"]
environments:
  production: {compose: [compose.yml], on: {branches: [main]}}
""",
    source="c.yml",
)


def _commit(*paths: str, subject: str = "Do it", parent: str = "b" * 40) -> Commit:
    changes = tuple(Change(path, "M") for path in sorted(paths))
    return Commit(id="a" * 40, subject=subject, parent=parent, changes=changes)


def _row(commit: Commit, branch: str = "main") -> Row:
    (row,) = replay([commit], CONFIG, branch)
    return row


@pytest.mark.parametrize(
    ("paths", "built", "deploy", "saved"),
    [
        pytest.param(["api/a.c"], ("api",), True, 1.5, id="one-image"),
        pytest.param(["lock"], ("api", "web"), True, 0, id="all"),
        pytest.param(["compose.yml"], (), True, 5.5, id="configuration-only"),
        pytest.param(["api/README.md", "x"], (), False, 5.5, id="nothing"),
        pytest.param([], (), False, 5.5, id="empty-commit"),
    ],
)
def test_each_commit_is_a_push_with_its_parent_as_base(
    paths: list[str], built: tuple[str, ...], deploy: bool, saved: float
) -> None:
    row = _row(_commit(*paths))

    assert (row.built, row.deploy, row.minutes_saved) == (built, deploy, saved)
    assert set(row.kept) == {"api", "web"} - set(built)
    assert row.files == len(paths)
    assert row.reason


def test_an_environment_deploys_only_from_its_branches() -> None:
    assert not _row(_commit("api/a.c"), "release/1").deploy


def test_the_first_commit_builds_everything() -> None:
    row = _row(Commit(id="a" * 40, subject="", parent="", changes=None))

    assert (row.built, row.files) == (("api", "web"), None)
    assert "this is the first commit" in row.reason


def test_a_parent_that_a_shallow_clone_lacks_builds_everything() -> None:
    row = _row(Commit(id="a" * 40, subject="", parent="b" * 40, changes=None))

    assert row.built == ("api", "web")
    assert "its first parent is not in this clone" in row.reason


@pytest.mark.parametrize(
    ("current", "default", "expected"),
    [
        pytest.param("main", "", "main", id="deploys-itself"),
        pytest.param("release/2", "main", "release/2", id="by-pattern"),
        pytest.param("feature", "main", "main", id="a-feature-branch"),
        pytest.param("", "", "main", id="detached"),
    ],
)
def test_the_branch_is_one_that_deploys(current: str, default: str, expected: str) -> None:
    assert deploying_branch(CONFIG, current, default) == expected


def test_without_branches_the_default_or_the_current_one_deploys() -> None:
    plain = parse("{version: 1, images: {a: {watch: [a]}}}", source="")

    assert deploying_branch(plain, "trunk", "") == "trunk"
    assert deploying_branch(plain, "feature", "trunk") == "feature"
    (row,) = replay([_commit("a")], plain, "feature")
    assert row.deploy


def test_the_sums_are_measured_against_building_everything() -> None:
    sums = totals([_row(_commit("api/a")), _row(_commit("lock")), _row(_commit("x"))])

    assert (sums.commits, sums.builds, sums.avoided, sums.deploys) == (3, 3, 3, 2)
    assert sums.minutes_saved == 7


def test_lines_hold_one_row_each_and_no_foreign_line_break() -> None:
    rows = [_row(_commit("lock", subject="::error::x\r\n\x1b[31m" + "long " * 40))]
    lines = replay_lines(rows, branch="main", config_from="c.yml")
    texts = ["".join(p if isinstance(p, str) else p[1] for p in line) for line in lines]

    assert len(texts) == 4
    assert "all 2" in texts[2] and "deploy" in texts[2] and "changed: lock" in texts[2]
    assert texts[2].isprintable() and len(texts[2]) < 180
    assert texts[3] == "2 builds of 2: 0 avoided (0 %); 1 deploy"


def test_no_commits_are_no_division_by_nothing() -> None:
    lines = replay_lines([], branch="main", config_from="c.yml")

    assert "0 builds of 0: 0 avoided" in str(lines[-1])
