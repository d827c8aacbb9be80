"""Asking the server: how much, how often, with whose token, and what when it does not answer."""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orient_deploy.errors import InputError, RemoteError
from orient_deploy.history import Git, Remote, Repository, find_checkout, repository, resolve
from orient_deploy.history.remote import ATTEMPTS, quoted_settings
from orient_deploy.history.repository import Want
from orient_deploy.runner.event import Event
from tests.fakes.git_server import GitServer, GitServerOptions, refusing_server
from tests.fakes.repositories import Files, RepositoryBuilder, check_out, run_git
from tests.unit.history.conftest import GONE, History, Opening, git_on_path, remote_of

TOKEN = "ghs_secret'token!x"  # with what needs care in quotes
BASIC = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
FILES = ["package.json", "packages/core/index.ts", "nowhere"]


def shallow_checkout(history: History, directory: Path, commit: str, ref: str) -> object:
    return find_checkout(str(check_out(history.directory, directory, commit, ref, "--depth=1")))


@pytest.fixture
def running(history: History) -> Iterator[GitServer]:
    """A server of this test's own, so that its requests can be counted."""
    with GitServer(history.root) as server:
        yield server


def blobs_in(repository: Repository) -> int:
    listed = run_git(
        *(f"--git-dir={repository.directory}", "cat-file", "--batch-all-objects"),
        "--batch-check=%(objecttype)",
    )
    return listed.split().count(b"blob")


# --- how much and how often


def test_a_push_without_a_checkout_takes_two_requests_and_no_blob(
    history: History, running: GitServer, opening: Opening
) -> None:
    there = opening(remote=remote_of(running.url))
    event = history.event(before=history.second)

    resolution = resolve(event, there, deploying=True)

    there.compare(history.second, resolution.head)
    assert [request.method for request in running.requests] == ["GET", "POST"]
    assert blobs_in(there) == 0


def test_files_are_fetched_together_and_alone(
    history: History, running: GitServer, opening: Opening
) -> None:
    there = opening(remote=remote_of(running.url))
    there.obtain(Want(history.third), Want(history.second))
    running.requests.clear()

    first = there.read_many(history.third, FILES)
    again = there.read_many(history.third, FILES)

    assert first == again
    assert first == {"package.json": b"{}", "packages/core/index.ts": b"core 2", "nowhere": None}
    assert [request.method for request in running.requests] == ["GET", "POST"]
    assert blobs_in(there) == 2


def test_a_pull_request_without_a_checkout_takes_one_fetch(
    history: History, running: GitServer, opening: Opening
) -> None:
    event = history.event(
        "pull_request",
        sha=history.merge,
        ref="refs/pull/7/merge",
        pull_request=history.pull_request(),
    )
    resolution = resolve(event, opening(remote=remote_of(running.url)), deploying=False)

    assert resolution.base.commit == history.third
    assert len(running.requests) == 2


def test_a_checkout_that_has_both_commits_asks_nobody(
    history: History, running: GitServer, opening: Opening
) -> None:
    there = opening(find_checkout(str(history.directory)), remote_of(running.url))

    resolve(history.event(before=history.second), there, deploying=True)

    assert running.requests == []


def test_only_the_difference_to_the_checkout_is_fetched(git: Git, tmp_path: Path) -> None:
    """The trees of the commit at hand are offered to the server, so it sends few."""
    builder = RepositoryBuilder(tmp_path / "acme" / "app")
    files: Files = {f"d{number}/f": str(number) for number in range(300)}
    first = builder.commit(files)
    second = builder.commit({"d7/f": "x"})
    checkout = find_checkout(
        str(check_out(builder.directory, tmp_path / "c", second, "refs/heads/main", "--depth=1"))
    )
    with GitServer(tmp_path) as server:
        with Repository(git, checkout, remote_of(server.url), temporary=str(tmp_path)) as there:
            there.has(second)
            there.obtain(Want(first))
            assert [change.path for change in there.changes(first, second)] == ["d7/f"]
        with Repository(git, None, remote_of(server.url), temporary=str(tmp_path)) as without:
            without.obtain(Want(first))

    with_checkout, without_checkout = (
        sum(request.sent for request in server.requests[at : at + 2]) for at in (0, 2)
    )
    assert with_checkout < without_checkout / 2


def test_a_server_without_filters_needs_no_second_fetch(history: History, opening: Opening) -> None:
    with GitServer(history.root, GitServerOptions(allow_filter=False)) as server:
        there = opening(remote=remote_of(server.url))
        resolve(history.event(before=history.second), there, deploying=True)
        assert there.read(history.third, "package.json") == b"{}"

    assert len(server.requests) == 2


def test_a_server_that_refuses_filters(history: History, opening: Opening) -> None:
    """It knows them and answers with an error, unlike one that does not."""
    options = GitServerOptions(settings=(("uploadpackfilter.allow", "false"),))
    with GitServer(history.root, options) as server:
        there = opening(remote=remote_of(server.url))
        base = resolve(history.event(before=history.second), there, deploying=True).base
        assert base.commit == history.second
        assert there.read(history.third, "package.json") == b"{}"

    assert len(server.requests) == 4


def test_a_strict_server_without_the_branch(history: History, opening: Opening) -> None:
    event = history.event(sha=history.work, ref="refs/heads/deleted")
    with GitServer(history.root, GitServerOptions(any_id=False)) as server:
        there = opening(remote=remote_of(server.url))
        with pytest.raises(RemoteError, match="no commits by their id"):
            resolve(event, there, deploying=True)
    assert "couldn't find remote ref" in there.lost["refs/heads/deleted"]


def test_a_sha256_repository_without_a_checkout(opening: Opening, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "acme" / "app", "sha256")
    first = builder.commit({"a": "1"})
    second = builder.commit({"a": "2"})
    with GitServer(tmp_path) as server:
        there = opening(remote=remote_of(server.url), object_format="sha256")
        there.obtain(Want(first), Want(second))
        assert [change.path for change in there.changes(first, second)] == ["a"]
        assert there.read(second, "a") == b"2"


def test_the_checkout_is_never_written(
    history: History, running: GitServer, opening: Opening, tmp_path: Path
) -> None:
    path = check_out(
        history.directory, tmp_path / "c", history.tip, "refs/heads/feature", "--depth=1"
    )
    before = snapshot(path)
    there = opening(find_checkout(str(path)), remote_of(running.url))

    resolution = resolve(
        history.event(sha=history.tip, ref="refs/heads/feature"), there, deploying=False
    )

    assert resolution.base.commit == history.first
    assert there.read(history.first, "docs/a.md") == b"a"
    assert snapshot(path) == before


def snapshot(path: Path) -> list[tuple[str, int, int]]:
    stats = ((str(file), file.lstat()) for file in sorted(path.rglob("*")))
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


# --- history


@pytest.fixture(scope="module")
def long_history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str, str]:
    """Root, and three commits: where a branch left main, main's tip, the branch's tip."""
    root = tmp_path_factory.mktemp("long")
    builder = RepositoryBuilder(root / "acme" / "app")
    fork = [builder.commit({"a": str(number)}) for number in range(2)][-1]
    main = [builder.commit({"a": f"main {number}"}) for number in range(9)][-1]
    builder.commit({"b": "0"}, parents=[fork], ref="refs/heads/feature")
    tip = [builder.commit({"b": str(n)}, ref="refs/heads/feature") for n in range(1, 5)][-1]
    return root, fork, main, tip


@pytest.mark.parametrize("has_checkout", [True, False])
def test_history_is_deepened_until_the_fork_point(
    has_checkout: bool,
    long_history: tuple[Path, str, str, str],
    opening: Opening,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    root, fork, _, tip = long_history
    monkeypatch.setattr(repository, "FIRST_DEPTH", 2)
    source, ref = root / "acme" / "app", "refs/heads/feature"
    path = check_out(source, tmp_path / "c", tip, ref, "--depth=1")
    with GitServer(root) as server:
        there = opening(find_checkout(str(path)) if has_checkout else None, remote_of(server.url))
        there.obtain(Want(tip))
        taken = len(server.requests)

        assert there.fork_point(Want(ref="refs/heads/main"), Want(tip)) == (fork, "")

    assert len(server.requests) - taken <= 4 * 3  # depths 2, 4, 8 and 16
    assert there.changes(fork, tip)


def test_a_head_that_was_rebased_away_is_found_by_its_name(
    history: History, remote: Remote, opening: Opening
) -> None:
    there = opening(remote=remote)
    head = Want(GONE, "refs/pull/7/head")
    assert there.fork_point(Want(history.third), head) == (history.first, "")


def test_a_fork_point_with_a_commit_that_is_gone(
    history: History, remote: Remote, opening: Opening
) -> None:
    there = opening(remote=remote)
    found, why = there.fork_point(Want(history.third), Want(GONE))
    assert (found, why) == (None, 'the server answered "not our ref 1234567"')
    nowhere = Want(ref="refs/heads/nowhere")
    assert there.fork_point(Want(history.third), nowhere)[0] is None


def test_history_is_not_deepened_without_end(
    long_history: tuple[Path, str, str, str], opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _, main, tip = long_history
    monkeypatch.setattr(repository, "FIRST_DEPTH", 2)
    monkeypatch.setattr(repository, "LAST_DEPTH", 4)
    with GitServer(root) as server:
        found = opening(remote=remote_of(server.url)).fork_point(Want(main), Want(tip))

    assert found == (None, "no common commit within 4 commits of history")


def test_histories_that_never_met(opening: Opening, tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "acme" / "app")
    one = builder.commit({"a": "1"})
    other = builder.commit({"b": "1"}, parents=[], ref="refs/heads/other")
    with GitServer(tmp_path) as server:
        there = opening(remote=remote_of(server.url))
        assert there.fork_point(Want(one), Want(other)) == (None, "the two have no common history")


def test_a_complete_clone_of_one_branch_fetches_only_the_other(
    long_history: tuple[Path, str, str, str], opening: Opening, tmp_path: Path
) -> None:
    root, fork, _, tip = long_history
    path = tmp_path / "c"
    run_git("clone", "-q", "--single-branch", "-b", "feature", f"file://{root}/acme/app", path)
    with GitServer(root) as server:
        there = opening(find_checkout(str(path)), remote_of(server.url))
        assert there.fork_point(Want(ref="refs/heads/main"), Want(tip)) == (fork, "")

    assert len(server.requests) <= 4


# --- the token


def test_the_token_reaches_the_server_and_nothing_else(history: History, tmp_path: Path) -> None:
    """Looked for while git runs, in every command line and every file it could read or leave."""
    log = tmp_path / "log"
    env = git_on_path(tmp_path / "bin", f'echo "$@" >> {log}; exec "$GIT" "$@"')
    seen: list[bytes] = []

    def look() -> None:
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(process.read_bytes())
            except OSError:  # it has just ended
                continue
        for file in (tmp_path / "temporary").rglob("*"):
            try:
                seen.append(file.read_bytes() if file.is_file() else b"")
            except FileNotFoundError:  # git's own temporary files come and go
                continue

    (tmp_path / "temporary").mkdir()
    options = GitServerOptions(token=TOKEN, on_request=look)
    with GitServer(history.root, options) as server:
        remote = remote_of(server.url, token=TOKEN)
        with Repository(Git(env), None, remote, temporary=str(tmp_path / "temporary")) as there:
            resolve(history.event(before=history.second), there, deploying=True)
            assert there.read(history.third, "package.json") == b"{}"
            look()

    assert {request.authorization for request in server.requests} == {f"basic {BASIC}"}
    seen.append(log.read_bytes())
    assert any(b"git-remote-http" in text or b"remote-http" in text for text in seen)
    assert not [text for text in seen if TOKEN.encode() in text or BASIC.encode() in text]
    assert TOKEN not in repr(remote)


@pytest.mark.parametrize("version", [(2, 30), (2, 31)])
def test_the_token_is_handed_over_as_the_version_of_git_understands(
    version: tuple[int, int], history: History, git: Git, opening: Opening
) -> None:
    git._version = version
    with GitServer(history.root, GitServerOptions(token=TOKEN)) as server:
        there = opening(remote=remote_of(server.url, token=TOKEN))
        there.obtain(Want(history.third))
        assert there.has(history.third)

    variable = "GIT_CONFIG_PARAMETERS" if version < (2, 31) else "GIT_CONFIG_COUNT"
    assert variable in remote_of("https://example.com", token="x").environment(git)


def test_the_machines_own_configuration_does_not_divert_the_token(
    history: History, tmp_path: Path
) -> None:
    with GitServer(history.root, GitServerOptions(token=TOKEN)) as server:
        config = tmp_path / "gitconfig"
        config.write_text(
            f'[http]\n\textraheader = "AUTHORIZATION: basic d3Jvbmc="\n'
            f'[http "{server.url}/"]\n\textraheader = "AUTHORIZATION: basic d3Jvbmc="\n'
            f'[url "http://127.0.0.1:9/"]\n\tinsteadOf = {server.url}/\n'
            f"[credential]\n\thelper = !touch {tmp_path}/asked\n"
        )
        git = Git({**os.environ, "GIT_CONFIG_GLOBAL": str(config)})
        with Repository(
            git, None, remote_of(server.url, token=TOKEN), temporary=str(tmp_path)
        ) as there:
            there.obtain(Want(history.third))
            assert there.has(history.third)

    assert not (tmp_path / "asked").exists()


def test_the_token_does_not_follow_to_another_server(history: History, opening: Opening) -> None:
    with (
        GitServer(history.root) as other,
        GitServer(history.root, GitServerOptions(redirect_to=other.url)) as server,
    ):
        there = opening(remote=remote_of(server.url, token=TOKEN))
        there.obtain(Want(history.third))

    assert not there.has(history.third)
    assert other.requests == []


def test_hooks_of_the_machine_do_not_run(history: History, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
        (hooks / name).chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f"[core]\n\thooksPath = {hooks}\n")
    git = Git({**os.environ, "GIT_CONFIG_GLOBAL": str(config)})
    with (
        GitServer(history.root) as server,
        Repository(git, None, remote_of(server.url), temporary=str(tmp_path)) as there,
    ):
        there.obtain(Want(history.third))
        assert there.has(history.third)

    assert not (tmp_path / "ran").exists()


def test_a_wrong_token_is_told_once_and_not_shown(history: History, opening: Opening) -> None:
    with GitServer(history.root, GitServerOptions(token="right")) as server:
        there = opening(remote=remote_of(server.url, token=TOKEN))
        with pytest.raises(RemoteError, match="the server refused") as caught:
            resolve(history.event(before=history.second), there, deploying=True)

    assert caught.value.exit_code == 4
    assert TOKEN not in str(caught.value)
    assert BASIC not in str(caught.value)
    assert len(server.requests) <= 2  # git itself asks once more, with no better answer


def test_error_texts_are_scrubbed() -> None:
    remote = remote_of("https://example.com", token=TOKEN)
    text = f"fatal: unable to access 'https://user:{TOKEN}@example.com/': {TOKEN} {BASIC}"
    assert remote.scrub(text) == "fatal: unable to access 'https://example.com/': *** ***"


def test_settings_are_quoted_as_git_reads_them(git: Git) -> None:
    settings = [("orient.a", "it's !b \\c"), ("orient.d", "")]
    env = {**git.reading, "GIT_CONFIG_PARAMETERS": quoted_settings(settings)}
    out = git.run(["config", "--get-regexp", "-z", "^orient"], environment=env).out
    assert out == b"orient.a\nit's !b \\c\0orient.d\n\0"


# --- a server that does not answer


def test_a_silent_server_is_left_after_the_time_out(
    history: History, opening: Opening, tmp_path: Path
) -> None:
    checkout = shallow_checkout(history, tmp_path / "c", history.third, "refs/heads/main")
    with GitServer(history.root, GitServerOptions(hang=True)) as server:
        there = opening(checkout, remote_of(server.url, timeout_s=0.5))
        resolution = resolve(history.event(before=history.second), there, deploying=True)

        running = [
            path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if readable(path)
        ]
        assert not [text for text in running if server.url.encode() in text]

    assert resolution.base.commit is None
    assert resolution.base.reason == (
        f"the commit before this push, {history.second[:7]}, could not be fetched"
    )
    assert resolution.base.missed == (
        f"{resolution.base.reason}: the server did not answer within 0.5 seconds",
    )
    assert server.arrived == 1


def readable(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except OSError:
        return False


def test_a_server_that_falls_silent_midway(history: History, opening: Opening) -> None:
    with GitServer(history.root, GitServerOptions(hang_after=1)) as server:
        there = opening(remote=remote_of(server.url, timeout_s=0.5))
        with pytest.raises(RemoteError, match=r"did not answer within 0.5 seconds"):
            resolve(history.event(before=history.second), there, deploying=True)


def test_refused_connections_are_tried_again_within_bounds(
    history: History, opening: Opening, tmp_path: Path
) -> None:
    checkout = shallow_checkout(history, tmp_path / "c", history.third, "refs/heads/main")
    pauses: list[float] = []
    with refusing_server() as url:
        there = opening(checkout, remote_of(url, pause=pauses.append))
        resolution = resolve(history.event(before=history.second), there, deploying=True)
        there.obtain(Want(history.first))  # it is not asked a second time

    assert resolution.base.commit is None
    assert "the server could not be reached" in resolution.base.missed[0]
    assert len(pauses) == ATTEMPTS - 1
    assert all(0.5 <= pause / 2**number < 1.5 for number, pause in enumerate(pauses))
    assert history.first in there.lost


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_passing_failure_is_tried_again(status: int, history: History, opening: Opening) -> None:
    options = GitServerOptions(failures=ATTEMPTS - 1, failure_status=status)
    with GitServer(history.root, options) as server:
        there = opening(remote=remote_of(server.url))
        assert resolve(history.event(before=history.second), there, deploying=True).base.commit

    assert [request.status for request in server.requests] == [status, status, 200, 200]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_lasting_refusal_is_not_tried_again(
    status: int, history: History, opening: Opening
) -> None:
    options = GitServerOptions(failures=9, failure_status=status)
    with GitServer(history.root, options) as server:
        there = opening(remote=remote_of(server.url))
        with pytest.raises(RemoteError, match="the server refused"):
            resolve(history.event(), there, deploying=True)

    assert len(server.requests) == 1


def test_an_unreachable_server_leaves_a_tag_without_a_base(
    history: History, opening: Opening, tmp_path: Path
) -> None:
    checkout = shallow_checkout(history, tmp_path / "c", history.third, "refs/tags/v1.1.0")
    with refusing_server() as url:
        resolution = resolve(
            history.event(ref="refs/tags/v1.1.0"),
            opening(checkout, remote_of(url)),
            deploying=True,
            is_version=lambda tag: True,
        )
    assert resolution.base.commit is None
    assert resolution.base.reason == "the previous version's tag is not known"


def test_content_that_cannot_be_had_is_an_error_not_an_absent_file(
    history: History, opening: Opening
) -> None:
    with GitServer(history.root) as server:
        there = opening(remote=remote_of(server.url))
        there.obtain(Want(history.third))
    with pytest.raises(RemoteError, match=r"the content of 'package.json'"):
        there.read(history.third, "package.json")


def test_without_checkout_and_server_there_is_nothing_to_read(
    history: History, opening: Opening
) -> None:
    with pytest.raises(RemoteError, match="no server is known") as caught:
        resolve(history.event(), opening(), deploying=True)
    assert "Check out the repository" in caught.value.next_step


@pytest.mark.parametrize(
    ("server_url", "name"),
    [
        pytest.param("--upload-pack=touch x", "acme/app", id="option"),
        pytest.param("ext::sh -c x", "acme/app", id="helper"),
        pytest.param("file:///", "acme/app", id="local"),
        pytest.param("https://", "acme/app", id="no-host"),
        pytest.param("https://example.com", "", id="no-repository"),
        pytest.param("https://example.com", "acme", id="no-owner"),
        pytest.param("https://example.com", "acme/app?x", id="query"),
    ],
)
def test_an_address_that_is_none_is_refused(server_url: str, name: str) -> None:
    with pytest.raises(InputError):
        Remote(server_url=server_url, repository=name)


# --- names that hold what Python, but not git, takes for the end of a line

LINES_WITHIN = [
    pytest.param(f"v1.5{sign}v9", id=f"u{ord(sign):04x}") for sign in "\u0085\u2028\u2029"
]


@pytest.mark.parametrize("name", LINES_WITHIN)
@pytest.mark.parametrize("has_checkout", [True, False])
def test_a_tag_may_hold_a_line_separator(
    name: str, has_checkout: bool, opening: Opening, tmp_path: Path
) -> None:
    builder = RepositoryBuilder(tmp_path / "acme" / "app")
    first = builder.commit({"a": "1"})
    second = builder.commit({"a": "2"})
    builder.tag("v1.4", first)
    builder.tag(name, second)
    event = Event(name="push", sha=second, ref=f"refs/tags/{name}", repository="acme/app")
    with GitServer(tmp_path) as server:
        checkout = find_checkout(str(builder.directory)) if has_checkout else None
        there = opening(checkout, remote_of(server.url))

        base = resolve(event, there, deploying=True, is_version=lambda tag: True).base
        named = resolve(event, there, deploying=True, explicit_base=name).base

        assert list(there.server_tags()[0]) == [name, "v1.4"]
        ref = f"refs/tags/{name}"
        assert there.server_refs(ref, "refs/tags/v1.5") == ({ref: second}, "")
    assert (base.commit, base.reason) == (first, "the previous version, v1.4")
    assert named.commit == second


# --- the inputs base and commit


@pytest.mark.parametrize("has_checkout", [True, False])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("feature", "tip", id="branch"),
        pytest.param("refs/heads/feature", "tip", id="full-ref"),
        pytest.param("v1.0.0", "first", id="annotated-tag"),
        pytest.param("{first}", "first", id="full-id"),
        pytest.param("{tip}", "tip", id="id-of-a-fork"),
    ],
)
def test_explicit_base(
    name: str,
    expected: str,
    has_checkout: bool,
    history: History,
    remote: Remote,
    opening: Opening,
    tmp_path: Path,
) -> None:
    checkout = shallow_checkout(history, tmp_path / "c", history.third, "refs/heads/main")
    there = opening(checkout if has_checkout else None, remote)
    name = name.format(**dataclasses.asdict(history))

    resolution = resolve(
        history.event(before=history.second), there, deploying=True, explicit_base=name
    )

    assert resolution.base.commit == getattr(history, expected)
    assert resolution.base.reason.startswith("the input 'base'")
    assert resolution.base.commit is not None
    there.compare(resolution.base.commit, resolution.head)


@pytest.mark.parametrize("label", ["base", "commit"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nope", id="no-such-branch"),
        pytest.param(GONE, id="no-such-id"),
        pytest.param("abc123", id="no-such-short-id"),
        pytest.param("HEAD~99", id="expression"),
        pytest.param("--upload-pack=touch x", id="option"),
        pytest.param("-x", id="short-option"),
        pytest.param("main:package.json", id="file"),
        pytest.param("a\nb", id="newline"),
        pytest.param("main..feature", id="range"),
        pytest.param(" ", id="blank"),
        pytest.param("refs/heads/*", id="pattern"),
        pytest.param("x@{upstream}", id="no-upstream"),
        pytest.param("\ud800", id="half-a-character"),
    ],
)
def test_an_input_that_names_nothing(
    label: str, name: str, history: History, remote: Remote, opening: Opening
) -> None:
    there = opening(find_checkout(str(history.directory)), remote)
    base, commit = (name, "") if label == "base" else ("", name)

    with pytest.raises(InputError) as caught:
        resolve(
            history.event(before=history.second),
            there,
            deploying=True,
            explicit_base=base,
            commit=commit,
        )

    assert caught.value.what == f"input '{label}': {name!r} names no commit of acme/app"
    assert "leave" in caught.value.next_step


@pytest.mark.parametrize("name", ["{first}", "feature", "HEAD~1"])
def test_explicit_base_that_nobody_could_be_asked_for(
    name: str, history: History, opening: Opening, tmp_path: Path
) -> None:
    """Not wrong input: the server may well have it. Everything is built."""
    checkout = shallow_checkout(history, tmp_path / "c", history.third, "refs/heads/main")
    with refusing_server() as url:
        there = opening(checkout, remote_of(url))
        name_of_base = name.format(**dataclasses.asdict(history))
        resolution = resolve(history.event(), there, deploying=True, explicit_base=name_of_base)
    assert resolution.base.commit is None
    shown = name.format(first=history.first[:7])
    assert resolution.base.reason == f"the input 'base', {shown}, could not be fetched"
    assert "the server could not be reached" in resolution.base.missed[0]


def test_a_commit_that_nobody_could_be_asked_for(history: History, opening: Opening) -> None:
    with refusing_server() as url, pytest.raises(RemoteError, match="could not be reached"):
        resolve(history.event(), opening(None, remote_of(url)), deploying=True, commit="feature")


def test_a_branch_may_look_like_an_id(
    history: History, opening: Opening, git: Git, tmp_path: Path
) -> None:
    """As in git, the branch wins; a short id alone is found where the commit is at hand."""
    bare = tmp_path / "bare"
    run_git("clone", "-q", "--bare", f"file://{history.directory}", bare)
    run_git("-C", bare, "branch", history.first[:5], history.tip)
    there = opening(find_checkout(str(bare)))

    def base(name: str) -> str | None:
        return resolve(history.event(), there, deploying=True, explicit_base=name).base.commit

    assert base(history.first[:5]) == history.tip
    assert base(history.first[:6]) == history.first


def test_short_id_without_a_checkout(history: History, remote: Remote, opening: Opening) -> None:
    there = opening(remote=remote)
    event = history.event(before=history.second)

    found = resolve(event, there, deploying=True, explicit_base=history.second[:8])

    assert found.base.commit == history.second  # it came with the event's own commits


def test_a_blobless_checkout_is_not_made_to_fetch(
    history: History, opening: Opening, tmp_path: Path
) -> None:
    path = tmp_path / "c"
    run_git("clone", "-q", "--filter=blob:none", f"file://{history.directory}", path)
    before = snapshot(path)
    with pytest.raises(InputError):
        resolve(
            *(history.event(), opening(find_checkout(str(path)))),
            deploying=True,
            explicit_base=GONE,
        )
    assert snapshot(path) == before


def test_relative_base_in_a_shallow_clone(
    history: History, remote: Remote, opening: Opening, tmp_path: Path
) -> None:
    """HEAD~1 is what people write; the parent is fetched."""
    checkout = shallow_checkout(history, tmp_path / "c", history.third, "refs/heads/main")
    there = opening(checkout, remote)

    resolution = resolve(history.event(), there, deploying=True, explicit_base="HEAD~1")

    assert resolution.base.commit == history.second
    assert len(there.changes(history.second, history.third)) == 2


def test_another_commit_can_be_decided_about(
    history: History, remote: Remote, opening: Opening
) -> None:
    there = opening(remote=remote)

    resolution = resolve(
        history.event(before=history.second), there, deploying=True, commit="feature"
    )

    assert resolution.head == history.tip
    assert there.listing(history.tip)


@pytest.mark.parametrize(
    ("name", "ref", "reason"),
    [
        pytest.param("push", "refs/heads/x", "the branch x was deleted", id="branch"),
        pytest.param("push", "refs/tags/v1", "the tag v1 was deleted", id="tag"),
        pytest.param("delete", "refs/heads/main", "a branch or tag was deleted", id="delete-event"),
    ],
)
def test_a_deleted_ref_leaves_nothing_to_do(
    name: str, ref: str, reason: str, history: History, opening: Opening
) -> None:
    event = history.event(name, ref=ref, before=history.second, deleted=True)
    resolution = resolve(event, opening(), deploying=True)
    assert resolution.base.nothing_to_do
    assert resolution.base.reason == reason
