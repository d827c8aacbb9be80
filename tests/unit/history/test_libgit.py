"""Many commits read with libgit2: the same as git says of each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orient_deploy.errors import EnvironmentLacks
from orient_deploy.history import Git, Repository, discover, libgit
from orient_deploy.history.git import GitFailed
from orient_deploy.history.libgit import Commits
from tests.fakes.repositories import (
    Content,
    Executable,
    Gitlink,
    RepositoryBuilder,
    Symlink,
    clone,
    run_git,
)

OTHER = "5" * 40

CONTENTS: st.SearchStrategy[Content] = st.sampled_from(
    ["", "one", "two", Executable("one"), Symlink("one"), Symlink("two"), Gitlink(OTHER), None]
)
# Few names in few folders, so that edits meet; those beside 'a' sort between 'a' and what is in it.
NAMES = ["a", "a-b", "a.b", "a0", "ä", "\udcff", "new\nline", ' "quoted" ', "-x", ":(top)"]
PATHS = st.builds("/".join, st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))


def without_clashes(files: dict[str, Content]) -> dict[str, Content]:
    """Of a file and a folder with one name, the file."""
    return {
        path: content
        for path, content in files.items()
        if not any(path.startswith(f"{other}/") for other in files if files[other] is not None)
    }


@contextmanager
def readers(directory: Path, temporary: Path) -> Iterator[tuple[Repository, Commits]]:
    """The repository as git reads it, and as libgit2 does."""
    git = Git({})
    with Repository(git, discover(git, str(directory)), temporary=str(temporary)) as repository:
        yield repository, Commits(repository.directory)


@settings(max_examples=20)
@given(edits=st.lists(st.dictionaries(PATHS, CONTENTS, max_size=8), min_size=2, max_size=5))
def test_every_commit_is_as_git_lists_it(
    edits: list[dict[str, Content]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("history")
    builder = RepositoryBuilder(folder / "origin.git")
    made = [builder.commit(without_clashes(files)) for files in edits]

    with readers(builder.directory, folder) as (repository, commits):
        read = commits.first_parents(made[-1], 99)
        assert [one.id for one in read] == made[::-1]
        for commit in made:
            assert commits.entries(commit) == repository.compare("", commit)[1]
        for base, head in [*pairwise(made), (made[-1], made[0])]:
            assert commits.changes(base, head) == repository.changes(base, head)


def test_modes_of_early_tools_are_taken_as_git_takes_them(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin.git")
    first = builder.commit({"a": "content"})
    blob = bytes.fromhex(builder.git("rev-parse", f"{first}:a"))
    folder = bytes.fromhex(builder.git("rev-parse", f"{first}^{{tree}}"))

    def commit(*entries: tuple[str, bytes]) -> str:
        tree = b"".join(
            f"{mode} {number}".encode() + b"\0" + oid for number, (mode, oid) in enumerate(entries)
        )
        oid = builder.git(
            *("hash-object", "-t", "tree", "-w", "--stdin", "--literally"), stdin=tree
        )
        header = f"tree {oid}\nauthor A <a@b.c> 1 +0000\ncommitter A <a@b.c> 1 +0000\n\n"
        return builder.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=header.encode())

    early = ("100664", "100600", "100775", "100700", "120777", "160777")
    old = commit(*[(mode, blob) for mode in early], ("40755", folder), ("040000", folder))
    usual = ("100644", "100644", "100755", "100755", "120000", "160000")
    new = commit(*[(mode, blob) for mode in usual], ("40000", folder), ("40000", folder))

    with readers(builder.directory, tmp_path) as (repository, commits):
        for one in (old, new):
            assert commits.entries(one) == repository.compare("", one)[1]
        assert commits.changes(old, new) == repository.changes(old, new) == ()


def test_a_long_history_forgets_and_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = RepositoryBuilder(tmp_path / "origin.git")
    made = [builder.commit({f"{number % 3}/{number}": str(number)}) for number in range(12)]
    monkeypatch.setattr(libgit, "MOST_HELD_BYTES", 300)

    with readers(builder.directory, tmp_path) as (repository, commits):
        for commit in made:
            assert commits.entries(commit) == repository.compare("", commit)[1]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("Subject", id="one-line"),
        pytest.param("Subject\n\nBody", id="with-a-body"),
        pytest.param("Two\nlines\n\nBody", id="first-paragraph"),
        pytest.param("\n\n  Late  \n \nBody\n", id="blank-lines"),
        pytest.param("Ünïcödé \N{SNOWMAN}", id="unicode"),
        pytest.param("a\tb", id="tab"),
    ],
)
def test_a_commit_says_what_git_log_says(message: str, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin.git")
    first = builder.commit({"a": "1"})
    side = builder.commit({"b": "1"}, parents=[first], ref="refs/heads/side")
    builder.ref("refs/heads/main", first)
    merge = builder.commit({"c": "1"}, parents=[first, side], message=message)
    said = builder.git("log", "-1", "--format=%H%x00%T%x00%P%x00%ct%x00%s", merge).split("\0")

    with readers(builder.directory, tmp_path) as (_, commits):
        found = commits.commit(merge)

    assert [found.id, found.tree, " ".join(found.parents), str(found.time_s)] == said[:4]
    assert found.subject == said[4].strip()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        pytest.param("ISO-8859-1", "Gr\xfc\xdfe", id="latin"),
        pytest.param("KOI8-R", "П", id="another"),
        pytest.param("no-such", "Gr\N{REPLACEMENT CHARACTER}", id="unknown"),
        pytest.param("", "\N{REPLACEMENT CHARACTER}", id="no-text"),
    ],
)
def test_a_message_is_read_by_its_encoding(encoding: str, text: str, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin.git")
    data = run_git(f"--git-dir={builder.directory}", "cat-file", "commit", builder.commit({}))
    header = data.partition(b"\n\n")[0]
    if encoding:
        header += f"\nencoding {encoding}".encode()
    words = {"ISO-8859-1": b"Gr\xfc\xdfe", "KOI8-R": b"\xf0", "no-such": b"Gr\xff", "": b"\xff"}
    commit = builder.git(
        *("hash-object", "-t", "commit", "-w", "--stdin", "--literally"),
        stdin=header + b"\n\n" + words[encoding] + b"\n",
    )

    with readers(builder.directory, tmp_path) as (_, commits):
        assert commits.commit(commit).subject.startswith(text)


def test_a_shallow_clone_ends_where_it_ends(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin.git")
    made = [builder.commit({"a": str(number)}) for number in range(3)]
    shallow = clone(builder.directory, tmp_path / "shallow", "--depth=2")

    with readers(shallow, tmp_path) as (_, commits):
        read = commits.first_parents(made[2], 99)
        assert [one.id for one in read] == made[:0:-1]
        assert read[-1].parents == (made[0],)
        assert not commits.has(made[0])
        with pytest.raises(GitFailed, match=f"commit {made[0][:7]} cannot be read"):
            commits.commit(made[0])


def test_no_more_commits_than_asked_for(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin.git")
    made = [builder.commit({"a": str(number)}) for number in range(3)]

    with readers(builder.directory, tmp_path) as (_, commits):
        assert [one.id for one in commits.first_parents(made[2], 2)] == made[:0:-1]


def test_a_blobless_clone_has_entries_and_no_contents(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin.git")
    commit = builder.commit({"a": "content"})
    oid = builder.git("rev-parse", f"{commit}:a")
    blobless = clone(builder.directory, tmp_path / "blobless", "--bare", "--filter=blob:none")

    with readers(blobless, tmp_path) as (repository, commits):
        assert commits.entries(commit) == repository.compare("", commit)[1]
        assert commits.content(oid) is None
    with readers(builder.directory, tmp_path) as (_, commits):
        assert commits.content(oid) == b"content"


def test_a_missing_tree_is_said(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin.git")
    commit = builder.commit({"a": "content"})
    treeless = clone(builder.directory, tmp_path / "treeless", "--bare", "--filter=tree:0")

    with (
        readers(treeless, tmp_path) as (_, commits),
        pytest.raises(GitFailed, match=r"tree [0-9a-f]{7} cannot be read"),
    ):
        commits.entries(commit)


def test_a_broken_object_is_no_fault_of_ours(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin.git")
    oid = builder.git("hash-object", "-w", "--stdin", stdin=b"content")
    loose = builder.directory / "objects" / oid[:2] / oid[2:]
    loose.chmod(0o600)
    loose.write_bytes(b"not zlib")

    with (
        readers(builder.directory, tmp_path) as (_, commits),
        pytest.raises(GitFailed, match=f"object {oid[:7]} cannot be read"),
    ):
        commits.content(oid)


def test_a_repository_with_other_ids_is_refused(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "origin.git", "sha256")

    with pytest.raises(EnvironmentLacks, match="SHA-1 ids") as caught:
        Commits(str(builder.directory))
    assert caught.value.exit_code == 3


def test_without_pygit2_the_way_to_get_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygit2", None)

    with pytest.raises(EnvironmentLacks, match="pygit2 is not installed") as caught:
        Commits(str(tmp_path))
    assert caught.value.exit_code == 3
    assert "pipx install ." in str(caught.value)
