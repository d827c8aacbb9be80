"""Past commits as pushes: the same decisions as detect's, by the lists or by the input digests."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orient_deploy.advise.replay import (
    By,
    Commit,
    Made,
    builds_by_digest,
    deploying_branch,
    reading_only,
    replay,
)
from orient_deploy.advise.stale import Push
from orient_deploy.config import parse
from orient_deploy.history.model import Change
from orient_deploy.inputs.images import Difference

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


def _made(name: str, digest: str, before: str, *paths: str) -> Made:
    whys = tuple(Difference(path=path, why=f"read by {name}/Dockerfile line 2") for path in paths)
    return Made(name=name, digest=digest, before=before, differences=whys)


def _commit(
    *paths: str,
    made: tuple[Made, ...] = (_made("api", "a", "a"), _made("web", "w", "w")),
    config: str = "",
    listed: Mapping[str, str] | None = None,
) -> Commit:
    return Commit(
        id="a" * 40,
        subject="Do it",
        parent="b" * 40,
        time_s=0,
        changes=tuple(Change(path, "M") for path in sorted(paths)),
        config=parse(config, source="c.yml") if config else CONFIG,
        made=made,
        listed=listed,
    )


def _push(commit: Commit, branch: str = "main", by: By = "current") -> Push:
    (push,) = replay([commit], branch, by)
    return push


def _decided(push: Push) -> dict[str, str]:
    return {one.name: one.decided for one in push.standings}


@pytest.mark.parametrize(
    ("paths", "built", "deploy"),
    [
        pytest.param(["api/a.c"], {"api"}, True, id="one-image"),
        pytest.param(["lock"], {"api", "web"}, True, id="all"),
        pytest.param(["compose.yml"], set(), True, id="configuration-only"),
        pytest.param(["api/README.md", "x"], set(), False, id="nothing"),
        pytest.param([], set(), False, id="empty-commit"),
    ],
)
def test_by_lists_each_commit_is_a_push_with_its_parent_as_base(
    paths: list[str], built: set[str], deploy: bool
) -> None:
    push = _push(_commit(*paths))

    assert {name for name, one in _decided(push).items() if one == "build"} == built
    assert push.deploy is deploy
    assert push.files == len(paths)
    assert push.reason


def test_an_environment_deploys_only_from_its_branches() -> None:
    assert not _push(_commit("api/a.c"), "release/1").deploy


def test_an_image_that_was_not_there_is_not_decided_about() -> None:
    assert _decided(_push(_commit("lock", made=(_made("web", "w", "w"),)))) == {"web": "build"}


@pytest.mark.parametrize(
    ("parent", "reason"),
    [
        pytest.param("", "this is the first commit", id="first"),
        pytest.param("b" * 40, "its first parent is not in this clone", id="shallow"),
    ],
)
@pytest.mark.parametrize("by", ["current", "auto"])
def test_without_anything_to_compare_with_everything_is_built(
    parent: str, reason: str, by: By
) -> None:
    commit = Commit(
        id="a" * 40,
        subject="",
        parent=parent,
        time_s=0,
        changes=None,
        config=CONFIG,
        made=(_made("api", "a", ""), _made("web", "w", "")),
    )
    push = _push(commit, by=by)

    assert _decided(push) == {"api": "build", "web": "build"}
    assert push.files is None
    assert by == "auto" or reason in push.reason


def test_auto_in_a_list_stands_for_what_is_read() -> None:
    config = (
        "{version: 1, images: {api: {watch: [auto, extra]}, web: {watch: ['web/**']}, "
        "db: {watch: [auto]}}}"
    )
    made = (
        _made("api", "2", "1", "lib/a.c"),
        _made("web", "2", "1", "lib/a.c"),
        _made("db", "1", "1"),
    )
    push = _push(_commit("lib/a.c", "lock", made=made, config=config))

    assert _decided(push) == {"api": "build", "web": "leave", "db": "leave"}
    assert push.reason == "changed: lib/a.c, read by api/Dockerfile line 2"
    extra = _push(_commit("extra", made=made[2:] + made[1:2], config=config))
    assert _decided(extra) == {"db": "leave", "web": "leave"}


def test_path_filters_of_a_workflow_decide_instead_of_the_lists() -> None:
    commit = _commit("api/a.c", listed={"web": "filter web of ci.yml: api/a.c"})
    push = _push(commit)

    assert _decided(push) == {"api": "leave", "web": "build"}
    assert (push.deploy, push.reason) == (True, "filter web of ci.yml: api/a.c")
    assert not _push(_commit("api/a.c", listed={})).deploy
    assert _decided(_push(commit, by="auto")) == {"api": "leave", "web": "leave"}


def _history(*digests: str) -> list[Commit]:
    """One image whose digest is this after each commit."""
    commits = []
    for before, digest in zip(("0", *digests), digests, strict=False):
        changed = ("web/a.c",) if digest != before else ()
        commits.append(_commit(*changed, made=(_made("web", digest, before, *changed),)))
    return commits


def test_by_digests_an_image_is_built_once_for_each() -> None:
    pushes = replay(_history("1", "1", "2", "1", "3", "2", "0"), "main", "auto")

    assert [_decided(push)["web"] for push in pushes] == [
        *("build", "leave", "build", "reuse", "build", "reuse", "reuse"),
    ]
    assert builds_by_digest(pushes) == 3
    assert pushes[0].reason == "changed: web/a.c, read by web/Dockerfile line 2"
    assert builds_by_digest(replay(_history("1", "2", "1"), "main", "current")) == 2


def test_only_what_is_read_counts_in_the_digests_that_judge() -> None:
    config = parse(
        "{version: 1, salt: s, ignore: [x], images: {a: {watch: [b], target: t}}, watch-all: [c]}",
        source="",
    )
    reading = reading_only(config)

    assert [pattern.text for pattern in reading.images[0].watch] == ["auto"]
    assert (reading.watch_all, reading.images[0].target, reading.salt) == ((), "t", "s")


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
    text = "{version: 1, images: {web: {watch: [web/**]}}}"
    plain = parse(text, source="")

    assert deploying_branch(plain, "trunk", "") == "trunk"
    assert deploying_branch(plain, "feature", "trunk") == "feature"
    assert _push(_commit("web/a", made=(_made("web", "1", "0"),), config=text), "feature").deploy
