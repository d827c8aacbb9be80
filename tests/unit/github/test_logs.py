"""The log of a job, from a GitHub that is held to its description and from where it keeps logs."""

from __future__ import annotations

import gzip
import traceback
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from orient_deploy.errors import RemoteError
from orient_deploy.github import logs
from orient_deploy.github.logs import read_log
from tests.fakes.github_model import KeptLog
from tests.fakes.github_state import GitHubState, github_state
from tests.fakes.log_store import Kept, LogStore, log_store

TOKEN = "ghs_d0NotTellAnybody"
LINES = b"2026-11-24T02:15:55.3714027Z one\n2026-11-24T02:15:56.3714027Z two\n"


@pytest.fixture
def github() -> Iterator[GitHubState]:
    with github_state(TOKEN) as server:
        yield server


@pytest.fixture
def store() -> Iterator[LogStore]:
    with log_store() as server:
        yield server


def read(github: GitHubState, *, token: str = TOKEN) -> bytes:
    waits: list[float] = []
    return b"".join(read_log(github.url, "acme/orient", 7, token, sleep=waits.append))


def refusal(github: GitHubState, **given: str) -> str:
    """The message; neither token nor signature is in it, nor in what led to it."""
    with pytest.raises(RemoteError) as caught:
        read(github, **given)
    shown = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in shown
    assert "canary-of-the-signature" not in shown
    return str(caught.value)


def keep(github: GitHubState, store: LogStore, kept: Kept) -> None:
    github.repository.logs[7] = KeptLog(store.keep(kept))


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(Kept(body=LINES), id="plain"),
        pytest.param(
            Kept(body=gzip.compress(LINES), headers={"Content-Encoding": "gzip"}), id="gzip"
        ),
    ],
)
def test_it_is_fetched_from_where_it_is_kept_without_the_token(
    github: GitHubState, store: LogStore, kept: Kept
) -> None:
    keep(github, store, kept)

    assert read(github) == LINES
    assert [one.status for one in github.journal] == [302]
    assert store.requests == 1


def test_a_netrc_is_not_sent_either(
    github: GitHubState, store: LogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    keep(github, store, Kept(body=LINES))

    assert read(github) == LINES


def test_a_log_that_is_gone_is_told_from_one_that_is_not_there(github: GitHubState) -> None:
    assert "there is none yet" in refusal(github)

    github.repository.logs[7] = KeptLog("")

    assert "no longer keeps it" in refusal(github)


def test_a_token_that_may_not_is_told_what_it_needs(github: GitHubState, store: LogStore) -> None:
    keep(github, store, Kept(body=LINES))
    github.allow("ghs_another", issues="read")

    assert "`permissions: actions: read`" in refusal(github, token="ghs_another")
    assert store.requests == 0


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        pytest.param(Kept(status=403), "403 was answered", id="expired-signature"),
        pytest.param(
            Kept(status=302, headers={"Location": "http://127.0.0.1:9/"}),
            "302 was answered",
            id="a-second-redirect",
        ),
        pytest.param(Kept(body=LINES, cut=True), "the connection failed", id="cut-off"),
        pytest.param(
            Kept(body=gzip.compress(LINES)[:-9], headers={"Content-Encoding": "gzip"}),
            "the connection failed",
            id="cut-off-gzip",
        ),
        pytest.param(
            Kept(body=LINES, headers={"Content-Encoding": "br"}),
            "the connection failed",
            id="unknown-packing",
        ),
        pytest.param(
            Kept(body=LINES, headers={"Content-Encoding": "gzip"}),
            "the connection failed",
            id="not-gzip",
        ),
    ],
)
def test_what_is_no_whole_log_is_said(
    github: GitHubState, store: LogStore, kept: Kept, why: str
) -> None:
    keep(github, store, kept)

    assert why in refusal(github)
    assert store.requests == 1


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://example.com/x", "", "//x/y"])
def test_an_address_of_another_kind_is_not_asked(github: GitHubState, address: str) -> None:
    github.repository.logs[7] = KeptLog(address or "-")

    assert "no address" in refusal(github)


def test_what_came_before_the_end_of_a_connection_is_handed_over(
    github: GitHubState, store: LogStore
) -> None:
    keep(github, store, Kept(body=LINES, times=20_000, cut=True))
    pieces = read_log(github.url, "acme/orient", 7, TOKEN)

    assert next(pieces).startswith(LINES)
    with pytest.raises(RemoteError):
        list(pieces)


def test_a_log_without_end_is_left(
    github: GitHubState, store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOG_MAX_BYTES", 1 << 20)
    keep(github, store, Kept(body=LINES * 10_000, times=1000))

    assert "the rest is not looked at" in refusal(github)
    assert store.sent < 500 * len(LINES) * 10_000


def test_a_log_that_takes_too_long_is_left(github: GitHubState, store: LogStore) -> None:
    keep(github, store, Kept(body=LINES * 10_000, times=10))
    ticks = iter(range(0, 100_000, 200))

    with pytest.raises(RemoteError, match="longer than 300 seconds"):
        list(read_log(github.url, "acme/orient", 7, TOKEN, clock=lambda: float(next(ticks))))


def test_a_bomb_is_unpacked_in_small_pieces(
    github: GitHubState, store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOG_MAX_BYTES", 40 << 20)
    bomb = gzip.compress(b"\0" * (64 << 20))
    keep(github, store, Kept(body=bomb, headers={"Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        with pytest.raises(RemoteError, match="not looked at"):
            for piece in read_log(github.url, "acme/orient", 7, TOKEN):
                assert len(piece) <= logs.PIECE_BYTES
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 << 20
