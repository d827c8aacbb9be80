"""The oracles answer, and what they cannot answer is never taken for an answer."""

from __future__ import annotations

import pytest

from tests.oracles import node_tools


def test_picomatch_lets_the_last_match_decide() -> None:
    paths = ["src/a.ts", "src/gen/a.ts", "src/gen/keep.ts", "docs/a.md", "src/odd\udc80"]

    assert node_tools.picomatch_matches(["src/**", "!src/gen/**", "src/gen/keep.ts"], paths) == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_picomatch_takes_patterns_alone_as_paths_filter_does() -> None:
    assert node_tools.picomatch_matches(["src/**", "!src/**"], ["src/a", "b"], mode="some") == [
        True,
        True,
    ]
    assert node_tools.picomatch_matches(["src/**", "!**/x"], ["src/a", "src/x"], mode="every") == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        pytest.param("needs.detect.outputs.web != 'false'", True, id="plain"),
        pytest.param("${{ needs.detect.outputs.api != 'false' }}", False, id="in-braces"),
        pytest.param("needs.detect.outputs.gone != 'false'", True, id="dropped-output"),
        pytest.param("contains(needs.*.result, 'failure')", False, id="contains"),
        pytest.param("fromJSON('{\"a\": [1, true, null]}').a", [1, True, None], id="values"),
        pytest.param("!cancelled() && !success()", True, id="status-functions"),
    ],
)
def test_an_expression_has_the_value_github_gives_it(expression: str, value: object) -> None:
    needs = {"detect": {"result": "success", "outputs": {"web": "true", "api": "false"}}}

    assert node_tools.evaluate_expression(expression, {"needs": needs}, status="failure") == value


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("needs.", id="syntax"),
        pytest.param("secrets.TOKEN", id="context-not-given"),
        pytest.param("${{ true }}\n", id="newline-beside-it"),
    ],
)
def test_a_doubtful_expression_is_refused(expression: str) -> None:
    with pytest.raises(node_tools.OracleError):
        node_tools.evaluate_expression(expression, {"needs": {}})


def test_the_workflow_parser_finds_what_github_would_refuse() -> None:
    workflow = """\
on: push
jobs:
  lint:
    runs-on: ubuntu-latest
    steps: [{run: echo}]
  build:
    runs-on: ubuntu-latest
    needs: [detect]
    steps:
      - run: echo
"""

    errors = node_tools.parse_workflow(workflow)
    assert [error for error in errors if "Job 'build' depends on unknown job 'detect'" in error]
    assert node_tools.parse_workflow(workflow.replace("needs: [detect]", "name: x")) == []


def test_the_action_parser_knows_what_a_composite_lacks() -> None:
    action = """\
name: detect
description: Decide
runs:
  using: composite
  steps:
    - run: echo ${{ secrets.TOKEN }}
      shell: bash
"""

    (error,) = node_tools.parse_action(action)
    assert error == "action.yml (Line: 6, Col: 12): Unrecognized named-value: 'secrets'"
    assert node_tools.parse_action(action.replace("secrets.TOKEN", "github.sha")) == []


def test_missing_node_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="node is not on PATH"):
        node_tools._tool("node")


def test_missing_node_skips_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="node is not on PATH"):
        node_tools._tool("node")
