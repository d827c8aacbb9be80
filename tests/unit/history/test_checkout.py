"""Finding the checkout in all its shapes, and asking it for names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orient_deploy.errors import InputError
from orient_deploy.history import Git, Repository, discover, find_checkout, local_event, resolve
from tests.fakes.repositories import Gitlink, RepositoryBuilder, check_out, clone, run_git
from tests.unit.history.conftest import FOREIGN, History, git_on_path


@pytest.fixture
def full(history: History, tmp_path: Path) -> Path:
    return clone(history.directory, tmp_path / "full")


def test_a_clone_is_found_at_its_top_only(full: Path) -> None:
    found = find_checkout(str(full))

    assert found is not None
    assert (found.git_dir, found.object_format) == (str(full / ".git"), "sha1")
    assert find_checkout(str(full / "packages")) is None


def test_a_bare_repository_is_found(history: History) -> None:
    found = find_checkout(str(history.directory))
    assert found is not None
    assert found.git_dir == str(history.directory)


def test_a_worktree_shares_the_objects_and_has_its_own_head(
    full: Path, history: History, git: Git, tmp_path: Path
) -> None:
    run_git("-C", full, "worktree", "add", "-q", "--detach", tmp_path / "tree", history.first)

    found = find_checkout(str(tmp_path / "tree"))

    assert found is not None
    assert found.objects == str(full / ".git" / "objects")
    assert found.tip(git, "HEAD") == history.first
    with Repository(git, found, temporary=str(tmp_path)) as repository:
        assert repository.has(history.third)


def test_a_submodule_is_a_repository_of_its_own(history: History, git: Git, tmp_path: Path) -> None:
    outer = RepositoryBuilder(tmp_path / "outer.git")
    modules = f'[submodule "sub"]\n\tpath = sub\n\turl = file://{history.directory}\n'
    outer.commit({".gitmodules": modules, "sub": Gitlink(history.third)})
    directory = clone(outer.directory, tmp_path / "outer")
    allow = ("-c", "protocol.file.allow=always")
    run_git("-C", directory, *allow, "submodule", "--quiet", "update", "--init")

    found = find_checkout(str(directory / "sub"))

    assert found is not None
    assert found.tip(git, "HEAD") == history.third


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="empty-directory"),
        pytest.param("gitdir: ../nowhere\n", id="points-nowhere"),
        pytest.param("hello\n", id="no-pointer"),
        pytest.param("", id="empty-file"),
    ],
)
def test_what_is_no_checkout_is_none(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / ".git").write_text(content)
    assert find_checkout(str(tmp_path)) is None
    assert find_checkout(str(tmp_path / "missing")) is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param("[extensions]\n\tobjectformat = sha256\n", "sha256", id="as-git-writes-it"),
        pytest.param('[extensions]\n objectFormat="sha256"\n', "sha256", id="quoted"),
        pytest.param("[core]\n\tx = objectformat = sha256\n", "sha1", id="value-of-another-key"),
        pytest.param("", "sha1", id="absent"),
    ],
)
def test_object_format(config: str, expected: str, tmp_path: Path) -> None:
    run_git("init", "-q", tmp_path)
    (tmp_path / ".git" / "config").write_text(config)
    found = find_checkout(str(tmp_path))
    assert found is not None
    assert found.object_format == expected


def test_a_sha256_repository(git: Git, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin", "sha256")
    first = builder.commit({"a": "1", "b/c": "1"})
    second = builder.commit({"b/c": "2"})
    directory = check_out(builder.directory, tmp_path / "clone", second, "refs/heads/main")
    found = find_checkout(str(directory))
    assert found is not None

    with Repository(git, found, temporary=str(tmp_path)) as repository:
        assert repository.parents(second) == (first,)
        assert [change.path for change in repository.changes(first, second)] == ["b/c"]
        assert repository.read(second, "b/c") == b"2"


def test_the_owner_of_a_checkout_does_not_matter(
    full: Path, history: History, tmp_path: Path
) -> None:
    env = git_on_path(tmp_path / "bin", FOREIGN)
    git, found = Git(env), find_checkout(str(full))
    assert found is not None

    with Repository(git, found, temporary=str(tmp_path)) as repository:
        assert found.tip(git, "HEAD") == history.third
        assert repository.changes(history.second, history.third)

    refused = git.run(["-C", str(full), "rev-parse", "HEAD"])
    assert b"dubious ownership" in refused.err  # or this test would show nothing


def test_on_a_laptop_git_decides_whom_to_trust(full: Path, tmp_path: Path) -> None:
    git = Git(git_on_path(tmp_path / "bin", FOREIGN))

    with pytest.raises(InputError, match="does not trust") as caught:
        discover(git, str(full))

    assert f"--add safe.directory {full}" in caught.value.next_step


def test_on_a_laptop_a_repository_is_found_from_below(full: Path, git: Git) -> None:
    assert discover(git, str(full / "packages")).git_dir == str(full / ".git")


def test_outside_a_repository_is_wrong_input(git: Git, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not in a git repository") as caught:
        discover(git, str(tmp_path))
    assert caught.value.exit_code == 2


def test_an_empty_repository_is_wrong_input(git: Git, tmp_path: Path) -> None:
    run_git("init", "-q", tmp_path)
    with pytest.raises(InputError, match="has no commit"):
        local_event(git, discover(git, str(tmp_path)))


def test_names_are_answered_one_by_one(full: Path, history: History, git: Git) -> None:
    found = find_checkout(str(full))
    assert found is not None
    names = ("HEAD", "nope", "HEAD~1", "v1.0.0", history.first[:9], "origin/feature", "HEAD~99")

    assert found.tips(git, *names) == (
        *(history.third, "", history.second, history.first, history.first, history.tip, ""),
    )
    assert found.tips(git, "v1.0.0@{upstream}", "HEAD", "main@{upstream}") == (
        *("", history.third, history.third),
    )


LAPTOP = [
    pytest.param("main", (), "second", "the commit before this one", id="all-pushed"),
    pytest.param("main", ("x",), "third", "what has been pushed", id="one-unpushed"),
    pytest.param("feature", (), "first", "where the branch left main", id="feature"),
    pytest.param("new", ("x", "y"), "third", "where the branch left main", id="new-branch"),
    pytest.param("new", (), "third", "where the branch left main", id="branch-without-commits"),
    pytest.param("--detach", (), "second", "the commit before this one", id="detached-on-main"),
    pytest.param("--detach", ("x",), "third", "where the branch left main", id="detached"),
]


@pytest.mark.parametrize(("branch", "commits", "base", "reason"), LAPTOP)
@pytest.mark.parametrize("has_remote_head", [True, False])
def test_base_on_a_laptop(
    branch: str,
    commits: tuple[str, ...],
    base: str,
    reason: str,
    has_remote_head: bool,
    full: Path,
    history: History,
    tmp_path: Path,
) -> None:
    git = Git(os.environ)
    create = ["-c"] if branch == "new" else []
    run_git("-C", full, "switch", "-q", *create, branch)
    for message in commits:
        run_git("-C", full, "commit", "-q", "--allow-empty", "-m", message)
    if not has_remote_head:
        run_git("-C", full, "remote", "set-head", "origin", "--delete")
    checkout = discover(git, str(full))

    with Repository(git, checkout, temporary=str(tmp_path)) as repository:
        resolution = resolve(local_event(git, checkout), repository, deploying=True)

    assert resolution.head == run_git("-C", full, "rev-parse", "HEAD").decode().strip()
    assert (resolution.base.commit, resolution.base.reason) == (getattr(history, base), reason)


def test_base_on_a_laptop_without_a_server(git: Git, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "bare")
    first = builder.commit({"a": "1"})
    checkout = find_checkout(str(builder.directory))
    assert checkout is not None

    with Repository(git, checkout, temporary=str(tmp_path)) as repository:
        alone = resolve(local_event(git, checkout), repository, deploying=True)
        builder.commit({"a": "2"})
        two = resolve(local_event(git, checkout), repository, deploying=True)

    assert (alone.base.commit, alone.base.reason) == (None, "this is the first commit")
    assert (two.base.commit, two.base.reason) == (first, "the commit before this one")
