"""What we note at GitHub of the secrets that we wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.errors import InputError
from orient_deploy.hidden import Hidden
from orient_deploy.secrets.fingerprint import Key, new_key
from orient_deploy.secrets.names import BYTES_MAX
from orient_deploy.secrets.state import State, Written, parse_state, state_text

ROWS = st.builds(
    Written,
    fingerprint=st.from_regex(r"\A[0-9a-f]{32}\Z") | st.just(""),
    updated_at=st.just("2026-01-02T03:04:05Z"),
    owner=st.sampled_from(["production", "staging"]),
)
STATES = st.builds(
    State,
    key_id=st.from_regex(r"\A[0-9a-f]{8}\Z"),
    written=st.dictionaries(st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,40}\Z"), ROWS, max_size=8),
)


@given(STATES)
def test_what_is_noted_is_read_again(state: State) -> None:
    assert parse_state(state_text(state)) == state


def test_a_hundred_names_fit_into_a_variable() -> None:
    row = Written(
        fingerprint="f" * 32, updated_at="2026-01-02T03:04:05.000+00:00", owner="production"
    )
    state = State(key_id="0123abcd", written={f"N{n:0>100}": row for n in range(100)})

    assert len(state_text(state)) < BYTES_MAX


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"orient-deploy-secrets":2,"key":"","written":{}}', id="another-version"),
        pytest.param('{"orient-deploy-secrets":1,"key":"","written":{"A":["x","",""]}}', id="rows"),
        pytest.param('{"orient-deploy-secrets":1,"key":1,"written":{}}', id="types"),
    ],
)
def test_what_others_wrote_there_is_not_believed(text: str) -> None:
    assert parse_state(text) is None


@pytest.mark.parametrize("text", ["", "4f", "g" * 64, "4f" * 33])
def test_a_key_is_whole_or_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Key(Hidden(text))

    assert not text or text not in str(caught.value)


def test_a_new_key_is_one_that_is_taken() -> None:
    assert Key(new_key()).id != Key(new_key()).id
