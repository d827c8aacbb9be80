"""Secrets and variables at a GitHub with a memory, and what arrives there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from orient_deploy.errors import RemoteError
from orient_deploy.github import api
from orient_deploy.github.secrets import Store, secrets_store
from orient_deploy.hidden import Hidden
from orient_deploy.secrets.apply import Outcome, apply_plan
from orient_deploy.secrets.fingerprint import Key
from orient_deploy.secrets.names import BYTES_MAX
from orient_deploy.secrets.plan import Remote, Rules, Scope, plan_secrets
from orient_deploy.secrets.state import VARIABLE, parse_state
from orient_deploy.secrets.wanted import Wanted
from tests.fakes.github_state import github_state

TOKEN = "token-of-a-test"
KEY = Key(Hidden("4f" * 32))
SCOPES = [pytest.param("", id="repository"), pytest.param("production", id="environment")]


@pytest.fixture
def server() -> Iterator[Any]:
    with github_state(TOKEN, repository="acme/orient") as found:
        found.repository.add_environment("production")
        yield found


def run(
    server: Any, environment: str, values: dict[str, str], waits: list[float] | None = None
) -> Outcome:
    """Plan and apply, as the command does."""
    slept = [] if waits is None else waits
    with secrets_store(server.url, "acme/orient", environment, TOKEN, sleep=slept.append) as store:
        noted = store.variable(VARIABLE)
        state = parse_state(noted.reveal()) if noted else None
        plan = plan_secrets(
            [
                Wanted(name=name, given=name, line=1, kind="secret", value=Hidden(value))
                for name, value in values.items()
            ],
            Remote(secrets=store.secrets()),
            state,
            KEY,
            scope=Scope(environment=environment),
            rules=Rules(owner="production"),
        )
        return apply_plan(plan, store, state, KEY, owner="production")


def arrived(server: Any, environment: str) -> dict[str, bytes]:
    found: dict[str, bytes] = server.secrets(environment or None)
    return found


@pytest.mark.parametrize("environment", SCOPES)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("-----BEGIN-----\nabc=\n-----END-----\n", id="several-lines"),
        pytest.param('{"a": "b # c"}', id="json"),
        pytest.param("$2a$08$qFFabc", id="bcrypt"),
        pytest.param("é☃ \t'\"\\ ", id="odd-characters"),
        pytest.param("x" * BYTES_MAX, id="as-large-as-it-may-be"),
    ],
)
def test_what_arrives_is_what_was_sent(server: Any, environment: str, value: str) -> None:
    assert run(server, environment, {"A": value}).is_good

    assert arrived(server, environment) == {"A": value.encode()}


@pytest.mark.parametrize("environment", SCOPES)
def test_a_hundred_names_that_did_not_change_take_two_requests(
    server: Any, environment: str
) -> None:
    values = {f"NAME_{number}": f"value {number}" for number in range(100)}
    assert run(server, environment, values).is_good
    before = len(server.journal)

    assert run(server, environment, values) == Outcome(done=())
    assert len(server.journal) - before <= 3
    assert run(server, environment, {**values, "NAME_7": "another"}).is_good
    puts = [one for one in server.writes if one.path.endswith("/NAME_7")]
    assert len(puts) == 2


def test_writes_are_a_second_apart(server: Any) -> None:
    waits: list[float] = []

    run(server, "", {"A": "aaaa", "B": "bbbb"}, waits)

    assert waits == [1.0] * 4  # two tries to begin the note, two secrets, the note


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status": 500}, id="server-error"),
        pytest.param({"status": 429, "retry_after": 7}, id="too-many"),
        pytest.param({"status": 403, "secondary": True}, id="secondary-limit"),
        pytest.param({"drop": True, "effect": False}, id="dropped-before"),
        pytest.param({"drop": True, "effect": True}, id="dropped-after"),
    ],
)
@pytest.mark.parametrize("path", ["*/secrets/B", "*/variables*", "*/public-key", "*/secrets"])
def test_one_fault_is_waited_out(server: Any, path: str, fault: dict[str, Any]) -> None:
    method = "*" if path != "*/variables*" else "P*"
    server.fail(method, path, **fault)
    waits: list[float] = []

    try:
        outcome = run(server, "", {"A": "aaaa", "B": "bbbb"}, waits)
    except RemoteError:
        outcome = run(server, "", {"A": "aaaa", "B": "bbbb"}, waits)
    if not outcome.is_good:
        outcome = run(server, "", {"A": "aaaa", "B": "bbbb"}, waits)

    assert outcome.is_good or outcome == Outcome(done=())
    assert arrived(server, "") == {"A": b"aaaa", "B": b"bbbb"}
    assert run(server, "", {"A": "aaaa", "B": "bbbb"}) == Outcome(done=())


@pytest.mark.parametrize("skew_s", [-7200, 0, 7200], ids=["behind", "right", "ahead"])
def test_a_used_up_hour_is_measured_by_github_s_clock(
    monkeypatch: pytest.MonkeyPatch, skew_s: int
) -> None:
    now = 1_800_000_000.0 - 1_800_000_000 % 3600 + 3600 - 100  # of GitHub: the hour's last 100 s
    clock = [now]
    with github_state(TOKEN, clock=lambda: clock[0]) as server:
        monkeypatch.setattr(time, "time", lambda: now + skew_s)
        server.exhaust(TOKEN)
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            clock[0] += seconds
            server.exhaust(TOKEN, remaining=100)

        with secrets_store(server.url, "acme/orient", "", TOKEN, sleep=sleep) as store:
            store.delete_secret("A")

    assert 100 <= waits[0] <= 102


def test_an_hour_that_is_used_up_for_long_is_told(server: Any) -> None:
    server.exhaust(TOKEN)

    with (
        secrets_store(server.url, "acme/orient", "", TOKEN, sleep=lambda s: None) as store,
        pytest.raises(RemoteError, match="it takes no more requests for"),
    ):
        store.secrets()


def test_an_answer_without_an_end_is_given_up(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ANSWER_MAX_BYTES", 10)

    with (
        secrets_store(server.url, "acme/orient", "", TOKEN, sleep=lambda s: None) as store,
        pytest.raises(RemoteError, match="the connection failed"),
    ):
        store.secrets()


def test_a_key_that_github_replaced_is_fetched_again(server: Any) -> None:
    server.fail("PUT", "*/B", call=server.rotate_key)

    assert run(server, "", {"A": "aaaa", "B": "bbbb"}).is_good
    assert arrived(server, "") == {"A": b"aaaa", "B": b"bbbb"}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_names_the_token_that_is_needed(server: Any, status: int) -> None:
    server.fail("GET", "*/secrets", status=status)

    with pytest.raises(RemoteError) as caught:
        run(server, "", {"A": "aaaa"})

    assert "GITHUB_TOKEN cannot" in str(caught.value)


def test_a_variable_is_made_and_replaced(server: Any) -> None:
    with secrets_store(server.url, "acme/orient", "", TOKEN, sleep=lambda s: None) as store:
        assert store.put_variable("LEVEL", Hidden("info")) == "written"
        assert store.put_variable("LEVEL", Hidden("debug")) == "written"

        assert {name: one.reveal() for name, one in store.variables().items()} == {"LEVEL": "debug"}
        assert isinstance(store, Store)
