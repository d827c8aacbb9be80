"""Reading commits: against git itself, against an independent implementation, against bad names."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orient_deploy.errors import EnvironmentLacks
from orient_deploy.history import Change, Git, Part, Repository, find_checkout
from orient_deploy.history.repository import alternates_line
from orient_deploy.inputs.tree import FOLDER, Tree
from tests.fakes.repositories import (
    Content,
    Executable,
    Gitlink,
    RepositoryBuilder,
    Symlink,
    check_out,
    run_git,
)
from tests.unit.history.conftest import History, git_on_path

OTHER = "5" * 40  # a commit of another repository

HOSTILE = (
    "a\nb",
    "a\r::error::x",
    "::error::x",
    '"quoted"',
    "it's",
    "$(touch x)",
    "`x`",
    "-rf",
    "--output=x",
    " blank ",
    "tab\there",
    "\udcff\udcfe",  # not UTF-8
    "é",
    "\U0001f600",
    "\ue000",  # in UTF-8 behind the raw bytes above, as a character before them
    "HEAD",
    ":colon",
    "back\\slash",
    "/".join(["long" * 15] * 68)[:4095],
)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> tuple[RepositoryBuilder, str, str]:
    builder = RepositoryBuilder(tmp_path_factory.mktemp("names") / "repository")
    first = builder.commit({"plain": "1"})
    return builder, first, builder.commit({name: f"content of {name!r}" for name in HOSTILE})


def encoded(paths: Sequence[str]) -> list[bytes]:
    return [path.encode("utf-8", "surrogateescape") for path in paths]


def opened(git: Git, directory: Path, temporary: Path) -> Repository:
    checkout = find_checkout(str(directory))
    assert checkout is not None
    return Repository(git, checkout, temporary=str(temporary))


def test_hostile_names_survive(
    names: tuple[RepositoryBuilder, str, str], git: Git, tmp_path: Path
) -> None:
    builder, first, second = names
    with opened(git, builder.directory, tmp_path) as repository:
        changes, entries = repository.compare(first, second)
        contents = repository.read_many(second, HOSTILE)

    assert len(HOSTILE[-1]) == 4095
    assert encoded([change.path for change in changes]) == sorted(encoded(HOSTILE))
    assert encoded(Tree(entries).paths) == sorted(encoded([*HOSTILE, "plain"]))
    assert contents == {name: f"content of {name!r}".encode() for name in HOSTILE}


def test_every_kind_of_change(git: Git, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "r")
    before: dict[str, Content] = {
        "deleted": "x",
        "link": "file",
        "mode": "same",
        "module": Gitlink(OTHER),
        "name/old": "renamed",
        "touched": "1",
        "turned/into/file": "x",
    }
    first = builder.commit(before)
    after: dict[str, Content] = {
        "added": "x",
        "deleted": None,
        "link": Symlink("file"),
        "mode": Executable("same"),
        "module": Gitlink("6" * 40),
        "name/old": None,
        "name/new": "renamed",
        "touched": "2",
        "turned/into/file": None,
        "turned": "x",
    }
    second = builder.commit(after)

    with opened(git, builder.directory, tmp_path) as repository:
        assert repository.changes(first, second) == (
            Change("added", "A"),
            Change("deleted", "D"),
            Change("link", "T"),
            Change("mode", "M"),
            Change("module", "M"),
            Change("name/new", "A"),
            Change("name/old", "D"),
            Change("touched", "M"),
            Change("turned", "A"),
            Change("turned/into/file", "D"),
        )
        assert repository.changes(second, second) == ()


def test_reading_files(git: Git, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "r")
    files: dict[str, Content] = {
        "a": b"\0\xff\n",
        "dir/b": "",
        "link": Symlink("dir/b"),
        "module": Gitlink(OTHER),
    }
    commit = builder.commit(files)
    asked = [
        "a",
        "dir/b",
        "link",
        "dir",
        "module",
        "no",
        "a/b",
        "dir/no/b",
        "",
        "dir/",
        "/a",
        "../a",
    ]

    with opened(git, builder.directory, tmp_path) as repository:
        found = repository.read_many(commit, asked)

    assert {path: content for path, content in found.items() if content is not None} == {
        "a": b"\0\xff\n",
        "dir/b": b"",
        "link": b"dir/b",
    }


def test_parents_are_told_where_a_shallow_clone_ends(
    history: History, git: Git, tmp_path: Path
) -> None:
    shallow = check_out(
        history.directory, tmp_path / "s", history.merge, "refs/pull/7/merge", "--depth=1"
    )
    with opened(git, shallow, tmp_path) as repository:
        assert repository.parents(history.merge) == (history.third, history.tip)
        assert not repository.has(history.third)
        with pytest.raises(KeyError):
            repository.parents(history.third)


def test_merge_base(history: History, git: Git, tmp_path: Path) -> None:
    with opened(git, history.directory, tmp_path) as repository:
        assert repository.merge_base(history.third, history.tip) == history.first
        assert repository.merge_base(history.third, OTHER) is None


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("new\nline", id="newline"),
        pytest.param('"quoted', id="quote-first"),
        pytest.param("#comment", id="hash-first"),
        pytest.param(":colon;semi", id="list-separators"),
        pytest.param("back\\slash\x01\x7f", id="backslash-and-control"),
        pytest.param(os.fsdecode(b"\xff"), id="not-utf-8"),
        pytest.param("  blanks  ", id="blanks"),
        pytest.param("--git-dir=x", id="option"),
    ],
)
def test_a_checkout_may_have_any_name(
    name: str, history: History, git: Git, tmp_path: Path
) -> None:
    directory = tmp_path / name
    run_git("clone", "-q", "--bare", f"file://{history.directory}", directory)
    with opened(git, directory, tmp_path) as repository:
        assert repository.changes(history.second, history.third)
        assert repository.merge_base(history.third, history.tip) == history.first
    assert alternates_line("#objects").startswith(b'"')  # git takes it for a comment


def test_a_hostile_environment_and_configuration_do_not_matter(
    history: History, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[diff]\n\tignoreSubmodules = all\n\torderFile = /no\n[oops\n")
    env = {
        **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
        "HOME": str(home),
        "GIT_DIR": "/nowhere",
        "GIT_TRACE": "1",
        "GIT_CONFIG_PARAMETERS": "'core.quotePath",
        "GIT_OBJECT_DIRECTORY": "/nowhere",
    }
    with opened(Git(env), history.directory, tmp_path) as repository:
        assert len(repository.compare(history.second, history.third)[0]) == 2


def test_grafts_and_replacements_do_not_matter(history: History, git: Git, tmp_path: Path) -> None:
    directory = tmp_path / "clone"
    run_git("clone", "-q", "--bare", f"file://{history.directory}", directory)
    run_git("-C", directory, "replace", history.third, history.first)

    with opened(git, directory, tmp_path) as repository:
        assert repository.parents(history.third) == (history.second,)
        assert len(repository.changes(history.second, history.third)) == 2


def test_a_broken_checkout_is_told_of(history: History, git: Git, tmp_path: Path) -> None:
    directory = tmp_path / "clone"
    run_git("clone", "-q", "--bare", "--filter=tree:0", f"file://{history.directory}", directory)

    with opened(git, directory, tmp_path) as repository:
        assert repository.has(history.third)
        with pytest.raises(EnvironmentLacks, match="git diff-tree failed"):
            repository.changes(history.second, history.third)
        with pytest.raises(EnvironmentLacks, match=r"a tree of .* is missing"):
            repository.read(history.third, "package.json")


def test_a_push_costs_four_processes(history: History, tmp_path: Path) -> None:
    log = tmp_path / "log"
    env = git_on_path(tmp_path / "bin", f'echo "$@" >> {log}; exec "$GIT" "$@"')
    with opened(Git(env), history.directory, tmp_path) as repository:
        assert repository.has(history.third)
        repository.read(history.third, ".github/orient-deploy.yml")
        assert repository.has(history.second)
        repository.compare(history.second, history.third)

    assert len(log.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("missing", "No such file or directory", id="missing"),
        pytest.param("file", "Not a directory", id="file"),
        pytest.param("read-only", "Read-only file system", id="read-only"),
    ],
)
def test_a_temporary_directory_that_cannot_be_used(
    name: str,
    why: str,
    history: History,
    git: Git,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "read-only").mkdir()
    if name == "read-only":  # permissions would not stop root

        def mkdir(path: str, mode: int) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

        monkeypatch.setattr(os, "mkdir", mkdir)

    with pytest.raises(EnvironmentLacks) as caught:
        opened(git, history.directory, tmp_path / name)

    assert caught.value.what == f"the temporary directory {tmp_path / name} cannot be used"
    assert caught.value.why == why
    assert "RUNNER_TEMP" in caught.value.next_step
    assert caught.value.exit_code == 3


def test_a_machine_without_any_temporary_directory(
    git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)
    with pytest.raises(EnvironmentLacks, match="No usable temporary directory") as caught:
        Repository(git)
    assert "RUNNER_TEMP" in caught.value.next_step


def test_the_private_repository_is_removed_when_reading_fails(
    history: History, git: Git, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentLacks), opened(git, history.directory, tmp_path) as repository:
        repository.listing("7" * 40)
    assert list(tmp_path.iterdir()) == []


# --- against git's porcelain and an independent implementation

NAME_BYTES = b"ab \n\t'\"$;:*?[]!#-~%\\\x01\x7f\xc3\xa9\xff\xf0"
components = st.lists(st.sampled_from(list(NAME_BYTES)), min_size=1, max_size=3).map(bytes)
paths = st.lists(components, min_size=1, max_size=3).map(
    lambda parts: b"/".join(parts).decode("utf-8", "surrogateescape")
)
contents = st.one_of(
    st.sampled_from(["", "1", "2"]),
    st.sampled_from([Symlink("1"), Executable("1"), Gitlink(OTHER), Gitlink("6" * 40)]),
)
trees = st.dictionaries(paths, contents, max_size=8)


@pytest.fixture(scope="module")
def playground(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RepositoryBuilder, Path]]:
    directory = tmp_path_factory.mktemp("property")
    yield RepositoryBuilder(directory / "repository"), directory


@settings(max_examples=40)
@given(before=trees, after=trees)
def test_changes_and_listing_agree_with_git_and_libgit2(
    before: dict[str, Content],
    after: dict[str, Content],
    playground: tuple[RepositoryBuilder, Path],
) -> None:
    builder, temporary = playground
    first = builder.commit(before, parents=[])
    second = builder.commit(after, parents=[])

    with opened(Git(os.environ), builder.directory, temporary) as repository:
        changes, entries = repository.compare(first, second)

    ours = {(path, change.status) for path, change in _by_bytes(changes)}
    options = ("--name-status", "-z", "--no-renames", "--ignore-submodules=none")
    words = run_git(f"--git-dir={builder.directory}", "diff", *options, first, second).split(b"\0")
    assert ours == set(zip(words[1::2], (w.decode() for w in words[:-1:2]), strict=True))
    assert ours == _libgit2_changes(builder.directory, first, second)
    assert entries == run_git(f"--git-dir={builder.directory}", "ls-tree", "-rz", second)
    ordered = [path for path, _ in _by_bytes(changes)]
    assert ordered == sorted(ordered)


@settings(max_examples=40)
@given(before=trees, after=trees)
def test_changes_tell_what_was_there_before(
    before: dict[str, Content],
    after: dict[str, Content],
    playground: tuple[RepositoryBuilder, Path],
) -> None:
    builder, temporary = playground
    first = builder.commit(before, parents=[])
    second = builder.commit(after, parents=[])
    with opened(Git(os.environ), builder.directory, temporary) as repository:
        changes, entries = repository.compare(first, second)
        _, expected = repository.compare("", first)

    found = Tree(entries).patched([(change.path, change.before) for change in changes])

    wanted = Tree(expected)
    assert (found.rows, found.paths) == (wanted.rows, wanted.paths)
    assert found.links == wanted.links
    for path in [*wanted.paths, *Tree(entries).paths, "absent", "\udcff"]:
        assert found.position(path) == wanted.position(path)
        assert found.below(path) == wanted.below(path)


@settings(max_examples=25)
@given(tree=trees, data=st.data())
def test_a_part_is_what_was_asked_of_the_whole(
    tree: dict[str, Content], data: st.DataObject, playground: tuple[RepositoryBuilder, Path]
) -> None:
    builder, temporary = playground
    commit = builder.commit({**tree, ":(top)/*": "x"}, parents=[])
    with opened(Git(os.environ), builder.directory, temporary) as repository:
        whole = repository.listing(commit)
        above = {path[:at] for path in whole for at, sign in enumerate(path) if sign == "/"}
        some = st.lists(st.sampled_from([*whole, *above, "absent", "absent/too"]), max_size=4)
        part = Part(paths=tuple(data.draw(some)), below=tuple(data.draw(some)))
        _, found = repository.compare_part("", commit, part)

    folders = {path for path, about in found.items() if about.startswith(FOLDER)}
    inside = {
        p for p in whole if p in part.paths or p.startswith(tuple(f"{f}/" for f in part.below))
    }
    # A file asked for as a folder is listed too; a folder on the way to a path is named.
    assert inside <= found.keys() - folders <= inside | set(part.below)
    assert above.intersection(part.paths) <= folders <= above


def _by_bytes(changes: Sequence[Change]) -> list[tuple[bytes, Change]]:
    return [(change.path.encode("utf-8", "surrogateescape"), change) for change in changes]


def _libgit2_changes(directory: Path, first: str, second: str) -> set[tuple[bytes, str]]:
    repository = pygit2.Repository(str(directory))
    one, other = repository.get(first), repository.get(second)
    assert isinstance(one, pygit2.Commit) and isinstance(other, pygit2.Commit)
    flags = pygit2.enums.DiffOption.INCLUDE_TYPECHANGE
    diff = one.tree.diff_to_tree(other.tree, flags=flags)
    return {(delta.new_file.raw_path, delta.status_char()) for delta in diff.deltas}


def test_entries_are_those_of_an_independent_reader(
    names: tuple[RepositoryBuilder, str, str], git: Git, tmp_path: Path
) -> None:
    builder, first, second = names
    third = builder.commit(
        {
            "bin/run": Executable("x"),
            "link": Symlink("plain"),
            "module": Gitlink(OTHER),
            "module.txt": "sorted between",
            "module-a/b": "and beside",
        }
    )
    with opened(git, builder.directory, tmp_path) as repository:
        listings = {one: repository.compare("", one)[1] for one in (first, second, third)}

    for commit, listing in listings.items():
        assert listing == pygit2_listing(builder.directory, commit)


def pygit2_listing(directory: Path, commit: str) -> bytes:
    repository = pygit2.Repository(str(directory))
    found: dict[bytes, bytes] = {}

    def walk(tree: pygit2.Tree, above: bytes) -> None:
        for entry in tree:
            path = above + (entry.raw_name or b"")
            if isinstance(entry, pygit2.Tree):
                walk(entry, path + b"/")
            else:
                kind = "commit" if entry.filemode == 0o160000 else "blob"
                found[path] = f"{entry.filemode:06o} {kind} {entry.id}\t".encode() + path + b"\0"

    walk(repository[commit].peel(pygit2.Tree), b"")
    return b"".join(found[path] for path in sorted(found))


def test_contents_by_id_leave_out_what_cannot_be_had(
    names: tuple[RepositoryBuilder, str, str], git: Git, tmp_path: Path
) -> None:
    builder, first, _ = names
    oid = run_git("rev-parse", f"{first}:plain", directory=builder.directory).decode().strip()

    with opened(git, builder.directory, tmp_path) as repository:
        assert repository.contents([oid, OTHER]) == {oid: b"1"}
        assert repository.offline
