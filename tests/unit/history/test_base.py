"""Every row of the event table, in every kind of clone and without one."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from orient_deploy.errors import InputError
from orient_deploy.history import Change, Git, Remote, find_checkout, obtain_head, resolve
from orient_deploy.history.base import Known, Nothing, candidates
from orient_deploy.runner.event import Event, PullRequest
from tests.fakes.git_server import GitServer, GitServerOptions
from tests.fakes.repositories import RepositoryBuilder, check_out, run_git
from tests.unit.history.conftest import (
    FOREIGN,
    GONE,
    History,
    Opening,
    git_on_path,
    remote_of,
)

ZERO = "0" * 40
SRC = (Change("src/a.ts", "A"), Change("src/b.ts", "A"))


def is_version(tag: str) -> bool:
    return tag.startswith("v")


@dataclass(frozen=True, kw_only=True)
class Row:
    event: Callable[[History], Event]
    head: str = "third"
    base: str = ""  # '': everything
    reason: str
    changes: tuple[Change, ...] = ()
    deploying: bool = True


ROWS = {
    "push": Row(
        event=lambda h: h.event(before=h.second),
        base="second",
        reason="the tip before this push",
        changes=(Change("docs/a.md", "D"), Change("packages/dashboard/run", "A")),
    ),
    "first-push": Row(
        event=lambda h: h.event(before=ZERO), reason="this is the first push of the branch"
    ),
    "forced-push": Row(
        event=lambda h: h.event(before=h.tip, forced=True),
        base="tip",
        reason="the tip before this push",
        changes=(
            Change("docs/a.md", "D"),
            Change("packages/core/index.ts", "M"),
            Change("packages/dashboard/run", "A"),
            Change("src/a.ts", "D"),
            Change("src/b.ts", "D"),
        ),
    ),
    "forced-push-before-gone": Row(
        event=lambda h: h.event(before=h.gone, forced=True),
        reason="the commit before this push, 1234567, is no longer on the server (forced push)",
    ),
    "push-of-nothing-new": Row(
        event=lambda h: h.event(before=h.third),
        base="third",
        reason="the tip before this push, which is this very commit",
    ),
    "push-elsewhere": Row(
        event=lambda h: h.event(sha=h.tip, ref="refs/heads/feature", before=h.work),
        head="tip",
        base="first",
        reason="where the branch left main",
        changes=SRC,
        deploying=False,
    ),
    "default-branch-that-does-not-deploy": Row(
        event=lambda h: h.event(before=h.first),
        base="first",
        reason="the tip before this push",
        changes=(
            Change("docs/a.md", "D"),
            Change("packages/core/index.ts", "M"),
            Change("packages/dashboard/run", "A"),
        ),
        deploying=False,
    ),
    "pull-request": Row(
        event=lambda h: h.event(
            "pull_request", sha=h.merge, ref="refs/pull/7/merge", pull_request=h.pull_request()
        ),
        head="merge",
        base="third",
        reason="main, which the pull request goes to",
        changes=SRC,
    ),
    "pull-request-without-merge-commit": Row(
        event=lambda h: h.event(
            "pull_request", sha=h.tip, ref="refs/pull/7/head", pull_request=h.pull_request()
        ),
        head="tip",
        base="first",
        reason="where the pull request left main",
        changes=SRC,
    ),
    "pull-request-target": Row(
        event=lambda h: h.event("pull_request_target", pull_request=h.pull_request()),
        head="tip",
        base="first",
        reason="where the pull request left main",
        changes=SRC,
    ),
    "merge-group": Row(
        event=lambda h: h.event(
            "merge_group",
            sha=h.merge,
            ref="refs/heads/gh-readonly-queue/main/pr-7",
            merge_group_base_sha=h.third,
        ),
        head="merge",
        base="third",
        reason="what the merge queue adds this group to",
        changes=SRC,
    ),
    "tag": Row(
        event=lambda h: h.event(ref="refs/tags/v1.1.0"),
        base="second",
        reason="the previous version, v1.1.0-rc.1",
        changes=(Change("docs/a.md", "D"), Change("packages/dashboard/run", "A")),
    ),
    "tag-by-version-order": Row(
        event=lambda h: h.event(sha=h.second, ref="refs/tags/v1.0.10"),
        head="second",
        base="first",
        reason="the previous version, v1.0.0",
        changes=(Change("packages/core/index.ts", "M"),),
    ),
    "first-tag": Row(
        event=lambda h: h.event(sha=h.first, ref="refs/tags/v1.0.0"),
        head="first",
        reason="no older tag than v1.0.0 matches tag-pattern",
    ),
    "other-tag": Row(
        event=lambda h: h.event(sha=h.second, ref="refs/tags/nightly"),
        head="second",
        reason="the tag nightly does not match tag-pattern",
    ),
    "release": Row(
        event=lambda h: h.event("release", ref="refs/tags/v1.1.0"),
        base="second",
        reason="the previous version, v1.1.0-rc.1",
        changes=(Change("docs/a.md", "D"), Change("packages/dashboard/run", "A")),
    ),
    **{
        name: Row(
            event=operator.methodcaller("event", name),
            reason=f"{name} has no recorded build to be compared with",
        )
        for name in ("schedule", "workflow_run", "repository_dispatch", "workflow_dispatch")
    },
    "unknown-event": Row(
        event=lambda h: h.event("watch"),
        reason="the event 'watch' says nothing about what came before",
    ),
}

# The rows that ask for a commit; for the others one kind of clone is enough.
ASKING = [name for name, row in ROWS.items() if row.base or "gone" in name or "tag" in name]


@pytest.mark.parametrize(
    ("name", "facts", "reason"),
    [
        pytest.param(
            *("merge_group", {}, "the merge group's event names no base commit"), id="merge-group"
        ),
        pytest.param(
            *(
                "pull_request",
                {},
                "the pull_request event does not name the pull request's commits",
            ),
            id="pull-request",
        ),
        pytest.param(*("release", {}, "the release event names no tag"), id="release"),
        pytest.param(*("push", {}, "the push event does not name the commit before it"), id="push"),
        pytest.param(
            *("push", {"ref": "refs/heads/x", "default_branch": ""}),
            "the event does not name the default branch to compare with",
            id="push-elsewhere",
        ),
        pytest.param(
            *("push", {"ref": "refs/heads/x", "default_branch": "a..b"}),
            "the event does not name the default branch to compare with",
            id="default-branch-that-is-no-name",
        ),
    ],
)
def test_an_event_that_says_too_little_builds_everything(
    name: str, facts: dict[str, object], reason: str, history: History
) -> None:
    event = history.event(name, **facts)
    deploying = event.branch == "main"
    assert candidates(event, history.third, deploying=deploying, is_version=is_version) == (
        Nothing(reason=reason),
    )


def test_a_tag_without_tag_pattern_builds_everything(history: History) -> None:
    event = history.event(ref="refs/tags/v1.1.0")
    (only,) = candidates(event, history.third, deploying=False, is_version=None)
    assert only == Nothing(reason="there is no tag-pattern to find the previous version with")


@pytest.mark.parametrize("annotated", [False, True])
@pytest.mark.parametrize("has_checkout", [True, False])
@pytest.mark.parametrize(
    ("tags", "tag", "previous"),
    [
        pytest.param({"v1": 0, "v1.0.0": 0}, "v1.0.0", "", id="floating-tag-on-the-first-version"),
        pytest.param({"v1": 0, "v1.0.0": 0}, "v1", "", id="floating-tag-itself"),
        pytest.param(
            {"v1": 1, "v1.0.0": 0, "v1.1.0": 1}, "v1.1.0", "v1.0.0", id="floating-tag-moved-first"
        ),
        pytest.param(
            {"v1": 0, "v1.0.0": 0, "v1.1.0": 1}, "v1.1.0", "v1.0.0", id="floating-tag-not-yet-moved"
        ),
        pytest.param({"v1": 1, "v1.0.0": 0, "v1.1.0": 1}, "v1", "v1.0.0", id="floating-tag-moved"),
        pytest.param(
            {"v0.9": 0, "v2": 2, "v2.0.0": 1, "v2.1.0": 2},
            *("v2.0.0", "v0.9"),
            id="floating-tag-on-a-later-version",
        ),
        pytest.param(
            {"v1.0.0": 0, "v1.1.0-rc.1": 1, "v1.1.0-rc.2": 2, "v1.1.0": 2},
            *("v1.1.0", "v1.1.0-rc.1"),
            id="candidate-made-the-release",
        ),
        pytest.param({"v1": 1}, "v1", "", id="no-tag-but-the-floating-one"),
    ],
)
def test_a_version_is_compared_with_another_commit(
    tags: dict[str, int],
    tag: str,
    previous: str,
    has_checkout: bool,
    annotated: bool,
    opening: Opening,
    tmp_path: Path,
) -> None:
    """Floating tags like v1 come after all others in the order of versions, wherever they stand."""
    builder = RepositoryBuilder(tmp_path / "acme" / "app")
    commits = [builder.commit({"a": str(number)}) for number in range(3)]
    for name, number in tags.items():
        builder.tag(name, commits[number], annotated=annotated)
    head = commits[tags[tag]]
    event = Event(name="push", sha=head, ref=f"refs/tags/{tag}", repository="acme/app")
    with GitServer(tmp_path) as server:
        checkout = find_checkout(str(builder.directory)) if has_checkout else None
        there = opening(checkout, remote_of(server.url))
        base = resolve(event, there, deploying=True, is_version=is_version).base

    if previous:
        assert (base.commit, base.reason) == (
            commits[tags[previous]],
            f"the previous version, {previous}",
        )
    else:
        reason = f"no older tag than {tag} matches tag-pattern"
        assert (base.commit, base.reason, base.missed) == (None, reason, ())


def test_another_commit_than_the_tags_has_its_own_previous_version(
    opening: Opening, tmp_path: Path
) -> None:
    """The input commit, or a tag that was moved again while the run waited."""
    builder = RepositoryBuilder(tmp_path / "r")
    commits = [builder.commit({"a": str(number)}) for number in range(3)]
    for number, commit in enumerate(commits):
        builder.tag(f"v1.{number}.0", commit)
    event = Event(name="push", sha=commits[2], ref="refs/tags/v1.2.0", repository="acme/app")
    there = opening(find_checkout(str(builder.directory)))

    found = resolve(event, there, deploying=True, is_version=is_version, commit=commits[1])

    assert (found.head, found.base.commit) == (commits[1], commits[0])


def test_a_tag_of_a_tag_stands_for_its_commit(opening: Opening, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "r")
    first = builder.commit({"a": "1"})
    second = builder.commit({"a": "2"})
    builder.tag("v1", builder.tag("v1.0.0", first, annotated=True))
    text = f"object {builder.tag('x', second, annotated=True)}\ntype tag\ntag v2\n"
    text += "tagger Orient <orient@example.com> 1700000000 +0000\n\nv2\n"
    builder.ref("refs/tags/v2", builder.git("mktag", stdin=text.encode()))
    builder.tag("v1.5", builder.git("rev-parse", f"{first}^{{tree}}"))
    event = Event(name="push", sha=second, ref="refs/tags/v2", repository="acme/app")
    there = opening(find_checkout(str(builder.directory)))

    base = resolve(event, there, deploying=True, is_version=is_version).base

    assert (base.commit, base.reason) == (first, "the previous version, v1.0.0")


def test_a_recorded_commit_comes_first(history: History, remote: Remote, opening: Opening) -> None:
    record = Known(commit=history.first, reason="the last recorded build", what="the record")
    lost = Known(commit=GONE, reason="the last recorded build", what="the last recorded build")
    event = history.event(before=history.second)
    there = opening(remote=remote)

    first = resolve(event, there, deploying=True, recorded=(record,))
    second = resolve(event, there, deploying=True, recorded=(lost,))

    assert (first.base.commit, first.base.reason) == (history.first, "the last recorded build")
    assert (second.base.commit, second.base.reason) == (history.second, "the tip before this push")
    assert second.base.missed == (
        "the last recorded build, 1234567, is no longer on the server: "
        'the server answered "not our ref 1234567"',
    )


def test_an_event_without_a_commit_is_wrong_input(history: History, opening: Opening) -> None:
    with pytest.raises(InputError, match="there is no commit to decide about"):
        resolve(history.event(sha=""), opening(), deploying=True)


CLONES: dict[str, tuple[str, ...]] = {
    "full": (),
    "depth-1": ("--depth=1",),
    "depth-2": ("--depth=2",),
    "depth-3": ("--depth=3",),
    "blobless": ("--filter=blob:none",),
    "sparse": ("--filter=blob:none", "--depth=1"),
    "treeless": ("--filter=tree:0",),
    "worktree": (),
    "sha256": ("--depth=1",),
    "of-another-user": ("--depth=1",),
}

Checkouts = Callable[[str, History, Event], Path]


@pytest.fixture(scope="session")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Checkouts:
    """Checkouts of an event's commit, each made once."""
    made: dict[tuple[tuple[str, ...], bool, str], Path] = {}
    root = tmp_path_factory.mktemp("checkouts")

    def checkout(kind: str, history: History, event: Event) -> Path:
        sparse, options = kind == "sparse", CLONES[kind]
        key = (options, sparse, event.sha)
        if key not in made:
            made[key] = root / str(len(made))
            check_out(history.directory, made[key], event.sha, event.ref, *options, sparse=sparse)
        tree = root / f"tree-{event.sha}"
        if kind == "worktree" and not tree.exists():
            run_git("-C", made[key], "worktree", "add", "-q", "--detach", tree, event.sha)
        return tree if kind == "worktree" else made[key]

    return checkout


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a git to which every repository belongs to another user."""
    return git_on_path(tmp_path_factory.mktemp("foreign") / "bin", FOREIGN)


def check(row: Row, history: History, opening: Opening, **opened: object) -> None:
    event = row.event(history)
    repository = opening(**opened)

    resolution = resolve(event, repository, deploying=row.deploying, is_version=is_version)

    head = getattr(history, row.head)
    assert (resolution.head, resolution.base.commit, resolution.base.reason) == (
        head,
        getattr(history, row.base) if row.base else None,
        row.reason,
    )
    if row.base:
        changes, entries = repository.compare(getattr(history, row.base), head)
        assert changes == row.changes
        assert entries == run_git(f"--git-dir={history.directory}", "ls-tree", "-rz", head)
    assert repository.read(head, ".github/orient-deploy.yml") == b"version: 1\n"


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for kind in CLONES for name in ROWS if name in ASKING or kind == "depth-1"],
)
def test_event_in_a_clone(
    name: str, kind: str, checkouts: Checkouts, opening: Opening, request: pytest.FixtureRequest
) -> None:
    prefix = "sha256_" if kind == "sha256" else ""
    history: History = request.getfixturevalue(f"{prefix}history")
    server: GitServer = request.getfixturevalue(f"{prefix}server")
    row = ROWS[name]
    checkout = find_checkout(str(checkouts(kind, history, row.event(history))))
    assert checkout is not None
    user = {"git": Git(request.getfixturevalue("foreign"))} if kind == "of-another-user" else {}
    check(row, history, opening, checkout=checkout, remote=remote_of(server.url), **user)


@pytest.mark.parametrize("name", ROWS)
def test_event_without_a_checkout(
    name: str, history: History, remote: Remote, opening: Opening
) -> None:
    check(ROWS[name], history, opening, remote=remote)


@pytest.mark.parametrize("name", ASKING)
def test_event_with_a_server_that_knows_neither_filters_nor_ids(
    name: str, history: History, opening: Opening
) -> None:
    row = ROWS[name]
    if name == "forced-push-before-gone":  # this server cannot tell gone from not for you
        row = dataclasses.replace(
            row,
            reason="the commit before this push, 1234567, could not be fetched",
        )
    with GitServer(history.root, GitServerOptions(allow_filter=False, any_id=False)) as old:
        check(row, history, opening, remote=remote_of(old.url))


# --- a pull request from a fork, whose head the server knows as refs/pull/8/head alone


@dataclass(frozen=True)
class Forked:
    root: Path
    fork_point: str
    base: str  # on main, but no ref's tip any more
    head: str

    def event(self, name: str, head: str = "") -> Event:
        """Of a pull request that cannot be merged: there is no merge commit."""
        request = PullRequest(
            number=8, head_sha=head or self.head, base_sha=self.base, base_ref="main"
        )
        return Event(
            name=name,
            sha=self.head if name == "pull_request" else self.base,
            ref="refs/pull/8/head" if name == "pull_request" else "refs/heads/main",
            default_branch="main",
            repository="acme/app",
            pull_request=request,
        )


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Forked:
    root = tmp_path_factory.mktemp("forked")
    builder = RepositoryBuilder(root / "acme" / "app")
    builder.commit({"a": "0"})
    fork_point = builder.commit({"a": "1"})
    base = builder.commit({"a": "2"})
    builder.commit({"a": "3"})
    builder.commit({"b": "1"}, parents=[fork_point], ref="refs/pull/8/head")
    head = builder.commit({"b": "2"}, ref="refs/pull/8/head")
    return Forked(root, fork_point, base, head)


@pytest.mark.parametrize("name", ["pull_request", "pull_request_target"])
@pytest.mark.parametrize("any_id", [True, False])
@pytest.mark.parametrize("allow_filter", [True, False])
def test_a_head_that_no_branch_has(
    allow_filter: bool, any_id: bool, name: str, forked: Forked, opening: Opening
) -> None:
    """Where tips only are handed out, the base is found by the names of the two."""
    options = GitServerOptions(allow_filter=allow_filter, any_id=any_id)
    with GitServer(forked.root, options) as server:
        there = opening(remote=remote_of(server.url))
        resolution = resolve(forked.event(name), there, deploying=False)

        assert (resolution.head, resolution.base.commit) == (forked.head, forked.fork_point)
        assert there.changes(forked.fork_point, forked.head) == (Change("b", "A"),)
        assert there.read(forked.head, "b") == b"2"


@pytest.mark.parametrize("allow_filter", [True, False])
def test_a_tip_is_read_where_tips_only_are_handed_out(
    allow_filter: bool, forked: Forked, opening: Opening
) -> None:
    event = forked.event("pull_request")
    with GitServer(forked.root, GitServerOptions(allow_filter=allow_filter, any_id=False)) as old:
        there = opening(remote=remote_of(old.url))
        assert obtain_head(event, there) == forked.head
        assert there.read(forked.head, "b") == b"2"


def test_a_fork_that_was_pushed_to_anew_meanwhile(forked: Forked, opening: Opening) -> None:
    """The event's head is gone; its ref has what came instead."""
    with GitServer(forked.root) as server:
        there = opening(remote=remote_of(server.url))
        resolution = resolve(forked.event("pull_request", GONE), there, deploying=False)

        assert (resolution.head, resolution.base.commit) == (forked.head, forked.fork_point)
