"""What has to be done, from what the file, GitHub and our own notes say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.hidden import Hidden
from orient_deploy.secrets.fingerprint import Key
from orient_deploy.secrets.names import SECRETS_MAX
from orient_deploy.secrets.plan import (
    Remote,
    Rules,
    Scope,
    SecretsPlan,
    plan_secrets,
)
from orient_deploy.secrets.state import State, Written
from orient_deploy.secrets.wanted import Wanted

KEY = Key(Hidden("4f" * 32))
OTHER_KEY = Key(Hidden("2c" * 32))
SCOPE = Scope(environment="production")
THEN, LATER = "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"
VALUE = "postgres://somewhere"


def wanted(name: str = "DATABASE_URL", value: str = VALUE, **more: Any) -> Wanted:
    given: dict[str, Any] = {"given": name, "line": 3, "kind": "secret"} | more
    return Wanted(name=name, value=Hidden(value), **given)


def written(
    name: str = "DATABASE_URL", value: str = VALUE, *, key: Key = KEY, at: str = THEN, **more: str
) -> State:
    fingerprint = key.fingerprint(SCOPE.text, name, Hidden(value))
    row = Written(
        fingerprint=more.get("fingerprint", fingerprint),
        updated_at=at,
        owner=more.get("owner", "production"),
    )
    return State(key_id=key.id, written={name: row})


def planned(
    *names: Wanted,
    there: dict[str, str] | None = None,
    variables: dict[str, str] | None = None,
    state: State | None = None,
    key: Key | None = KEY,
    **rules: Any,
) -> SecretsPlan:
    remote = Remote(
        secrets=there or {}, variables={n: Hidden(v) for n, v in (variables or {}).items()}
    )
    rule = Rules(owner="production", **rules)
    return plan_secrets(names, remote, state, key, scope=SCOPE, rules=rule)


AT = {"DATABASE_URL": THEN}


@pytest.mark.parametrize(
    ("there", "state", "key", "action", "reason"),
    [
        pytest.param({}, None, KEY, "create", "does not have it", id="new"),
        pytest.param({}, written(), KEY, "create", "any more", id="deleted-at-github"),
        pytest.param(AT, written(), KEY, "skip", "the same", id="unchanged"),
        pytest.param(AT, written(value="old"), KEY, "update", "another value", id="changed-here"),
        pytest.param(AT, written(at=LATER), KEY, "update", "changed at GitHub", id="changed-there"),
        pytest.param(AT, State(), KEY, "update", "we noted no write of it", id="written-by-others"),
        pytest.param(AT, None, KEY, "update", "we noted no write of it", id="no-notes"),
        pytest.param(AT, written(), OTHER_KEY, "update", "another key", id="key-rotated"),
        pytest.param(
            AT, written(fingerprint=""), KEY, "update", "without one", id="written-without-a-key"
        ),
        pytest.param(AT, written(), None, "unknown", "without the key", id="no-key"),
        pytest.param(
            AT, written(at=LATER), None, "unknown", "changed at GitHub", id="no-key-changed-there"
        ),
        pytest.param({}, None, None, "create", "does not have it", id="no-key-new"),
    ],
)
def test_a_secret_is_written_unless_it_is_known_to_be_the_same(
    there: dict[str, str], state: State | None, key: Key | None, action: str, reason: str
) -> None:
    (step,) = planned(wanted(), there=there, state=state, key=key).steps

    assert step.action == action
    assert reason in step.reason
    assert (step.value is not None) == (action in ("create", "update"))


def test_rewrite_writes_what_is_there_whatever_is_known() -> None:
    (step,) = planned(wanted(), there=AT, state=written(), key=None, rewrite=True).steps

    assert step.action == "update"


@pytest.mark.parametrize(
    ("there", "action"),
    [
        pytest.param({}, "create", id="new"),
        pytest.param({"LEVEL": "info"}, "skip", id="same"),
        pytest.param({"LEVEL": "debug"}, "update", id="another"),
    ],
)
def test_a_variable_is_compared_by_its_value(there: dict[str, str], action: str) -> None:
    one = wanted("LEVEL", "info", kind="variable")

    (step,) = planned(one, variables=there, key=None).steps

    assert (step.action, step.kind) == (action, "variable")


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        pytest.param(wanted("GITHUB_TOKEN"), "GITHUB_", id="githubs-own-name"),
        pytest.param(wanted("1A"), "digit", id="leading-digit"),
        pytest.param(wanted("A-B"), "letters, digits and _", id="dash"),
        pytest.param(wanted(value=""), "empty", id="empty"),
        pytest.param(wanted(value="on"), "variables", id="too-short-to-mask"),
        pytest.param(wanted(value="é" * 25_000), "48 KB", id="too-large"),
        pytest.param(wanted(problems=("a `$` is read differently",)), "`$`", id="not-portable"),
        pytest.param(wanted("ORIENT_DEPLOY_SECRETS"), "what we wrote", id="our-own-variable"),
    ],
)
def test_what_github_or_a_reader_would_take_wrongly_is_refused(one: Wanted, reason: str) -> None:
    plan = planned(one, there={one.name: THEN})

    assert [step.action for step in plan.steps] == ["refuse"]
    assert reason in plan.steps[0].reason
    assert plan.is_refused


def test_two_names_that_github_takes_for_one_are_refused() -> None:
    plan = planned(wanted("A", given="a", line=1), wanted("A", given="A", line=2))

    assert [(step.action, step.line) for step in plan.steps] == [("refuse", 2)]
    assert "a of line 1" in plan.steps[0].reason


@pytest.mark.parametrize(
    ("state", "rules", "action", "reason"),
    [
        pytest.param(written("OLD"), {}, "orphan", "`prune` would", id="not-asked"),
        pytest.param(written("OLD"), {"prune": True}, "orphan", "max-prune: 0", id="guarded"),
        pytest.param(
            written("OLD"),
            {"prune": True, "max_prune": 1},
            "delete",
            "no secret of the file any more",
            id="pruned",
        ),
        pytest.param(
            written("OLD", at=LATER),
            {"prune": True, "max_prune": 1},
            "orphan",
            "by hand",
            id="changed-by-others",
        ),
    ],
)
def test_what_the_file_has_no_more_is_deleted_only_within_the_guards(
    state: State, rules: dict[str, Any], action: str, reason: str
) -> None:
    plan = planned(wanted("KEPT"), there={"OLD": THEN}, state=state, **rules)
    (step,) = (step for step in plan.steps if step.name != "KEPT")

    assert (step.name, step.action) == ("OLD", action)
    assert reason in step.reason


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(State(), id="never-ours"),
        pytest.param(written("OLD", owner="staging"), id="another-environments"),
    ],
)
def test_what_is_not_ours_is_never_touched(state: State) -> None:
    assert planned(there={"OLD": THEN}, state=state, prune=True, max_prune=100).steps == ()


def test_no_write_is_begun_that_github_has_no_room_for() -> None:
    there = {f"NAME_{number}": THEN for number in range(SECRETS_MAX - 1)}

    assert not planned(wanted("A"), there=there).is_refused
    plan = planned(wanted("A"), wanted("B"), there=there)

    assert plan.is_refused
    assert "GitHub takes 100" in plan.of("refuse")[0].reason


@pytest.mark.parametrize(
    ("key", "state", "remark"),
    [
        pytest.param(None, written(), "No key", id="no-key"),
        pytest.param(KEY, None, "is not there", id="no-notes"),
        pytest.param(OTHER_KEY, written(), "another key", id="rotated"),
    ],
)
def test_what_cannot_be_known_is_said(key: Key | None, state: State | None, remark: str) -> None:
    (said,) = planned(wanted(), there=AT, state=state, key=key).remarks

    assert remark in said


@given(st.text(min_size=4, max_size=20), st.sampled_from([None, KEY, OTHER_KEY]))
def test_no_step_shows_a_value(value: str, key: Key | None) -> None:
    value = f"canary-{value}"
    plan = planned(wanted(value=value), there=AT, state=written(value=value), key=key, prune=True)

    assert value not in repr(plan)


@given(st.text(min_size=4), st.text(min_size=4))
def test_fingerprints_differ_as_values_names_scopes_and_keys_do(one: str, other: str) -> None:
    first = KEY.fingerprint("repository", "A", Hidden(one))

    assert (first == KEY.fingerprint("repository", "A", Hidden(other))) == (one == other)
    assert first != KEY.fingerprint("repository", "B", Hidden(one))
    assert first != KEY.fingerprint("environment a", "A", Hidden(one))
    assert first != OTHER_KEY.fingerprint("repository", "A", Hidden(one))
