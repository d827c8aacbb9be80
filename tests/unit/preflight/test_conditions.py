"""Conditions with unknown parts, held to GitHub's own evaluator."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orient_deploy.preflight.conditions import (
    UNKNOWN,
    NotUnderstood,
    Partial,
    evaluate,
    parse,
    truth,
)
from tests.oracles.node_tools import OracleError, evaluate_expression

CONTEXTS: dict[str, Any] = {
    "needs": {
        "detect": {"result": "success", "outputs": {"any": "true", "Builds": '{"web":"false"}'}},
        "build-web": {"result": "skipped", "outputs": {}},
    },
    "github": {"event_name": "push", "ref": "refs/heads/main", "run_attempt": 2, "event": {}},
}
STATUSES = ("success", "failure", "cancelled")


def status_of(state: str) -> dict[str, bool]:
    return {
        "always": True,
        "success": state == "success",
        "failure": state == "failure",
        "cancelled": state == "cancelled",
    }


EXPRESSIONS = [
    "needs.detect.outputs.any == 'true'",
    "needs.detect.outputs.any != 'false' && !cancelled()",
    "always() && needs.build-web.result == 'success'",
    "!cancelled() && (needs.build-web.result == 'success' || needs.build-web.result == 'skipped')",
    "fromJSON(needs.detect.outputs.builds || '{}')['web'] != 'false'",
    "fromJSON(needs.detect.outputs.lost || '{}')['web'] != 'false'",
    "contains(needs.detect.outputs.builds, 'WEB')",
    "contains(fromJSON('[\"a\", \"b\"]'), 'B')",
    "startsWith(github.ref, 'refs/heads/') && endsWith(github.ref, 'MAIN')",
    "github.run_attempt > 1 && github.run_attempt <= 2.0",
    "github.event.inputs.force == 'true' || github['event_name'] == 'PUSH'",
    "needs.nobody.outputs.x == ''",
    "null == 0 && '' == false && 'a' != 'b'",
    "!'0' == false",
    "'it''s' == 'IT''S'",
    "0x1f == 31 && -1.5e1 < 0",
    "true == 1 && 'true' == true",
    "success() || failure()",
    "${{ github.ref == 'refs/heads/main' }}",
    "needs.*.result",
    "'' == ' '",
    "'1e3' == 1000",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("state", STATUSES)
def test_a_value_is_that_of_github(expression: str, state: Any) -> None:
    ours = truth(evaluate(parse(expression), CONTEXTS, status_of(state)))
    theirs = evaluate_expression(f"!!({_bare(expression)})", CONTEXTS, status=state)

    assert ours is theirs or (ours is None and "*" in expression)


def _bare(expression: str) -> str:
    return expression.removeprefix("${{").removesuffix("}}")


ATOMS = st.sampled_from(
    [
        *("'true'", "'false'", "''", "'0'", "0", "1", "true", "false", "null", "'A'", "'a'"),
        *("needs.detect.result", "needs.detect.outputs.any", "needs.detect.outputs.none"),
        *("needs.build-web.result", "github.ref", "github.event", "always()", "success()"),
        *("failure()", "cancelled()", "contains(github.ref, 'main')", "needs['detect']"),
    ]
)
TREES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda one: f"!{one}"),
        inner.map(lambda one: f"({one})"),
        st.tuples(inner, st.sampled_from(["&&", "||", "==", "!=", "<", ">="]), inner).map(" ".join),
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(TREES, st.sampled_from(STATUSES))
def test_any_value_is_that_of_github_or_unknown(expression: str, state: Any) -> None:
    theirs = evaluate_expression(f"!!({expression})", CONTEXTS, status=state)
    ours = truth(evaluate(parse(expression), CONTEXTS, status_of(state)))

    assert ours in (theirs, None)


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_what_is_known_of_a_part_holds_whatever_the_rest_is(expression: str) -> None:
    """A value that is not UNKNOWN although outputs are, is the value for all of them."""
    partly = {"needs": {"detect": Partial(outputs=Partial()), "build-web": Partial()}}
    ours = truth(evaluate(parse(expression), partly, {"always": True}))
    if ours is None:
        return
    for result, output in itertools.product(("success", "failure"), ("true", "false", "")):
        needs = {
            "detect": {"result": result, "outputs": {"any": output}},
            "build-web": {"result": result},
        }
        for state in ("success", "failure"):
            contexts = {**CONTEXTS, "needs": needs}
            theirs = evaluate_expression(f"!!({expression})", contexts, status=state)

            assert ours is theirs


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("a ==", id="half"),
        pytest.param("(a", id="open"),
        pytest.param("a b", id="two"),
        pytest.param('"a"', id="double-quotes"),
        pytest.param("${{ a }} && ${{ b }}", id="two-expressions"),
        pytest.param("x" * 6000, id="long"),
        pytest.param("(" * 300 + "a" + ")" * 300, id="deep"),
        pytest.param("!" * 300 + "a", id="many-nots"),
    ],
)
def test_what_is_no_expression_is_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstood):
        parse(text)
    if len(text) < 100 and "${{" not in text:
        with pytest.raises(OracleError):
            evaluate_expression(text, {"a": 1, "b": 2})


def test_only_status_functions_count_as_such() -> None:
    assert parse("a && !cancelled()").asks_status
    assert not parse("contains(a, 'always()')").asks_status


def test_the_paths_are_those_that_are_read() -> None:
    found = set(parse("needs.A.outputs['b'] == x[needs.c.result]").paths())

    assert ("needs", "a", "outputs", "b") in found
    assert ("needs", "c", "result") in found


def test_a_context_that_is_not_given_is_unknown() -> None:
    assert evaluate(parse("vars.X"), {}, {}) is UNKNOWN
    assert truth(evaluate(parse("vars.X == 'a' && false"), {}, {})) is False
