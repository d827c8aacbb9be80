"""What is found in a workflow: for every check a case that fires and one that nearly does."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest

from orient_deploy.preflight import workflow
from orient_deploy.preflight.files import Files
from orient_deploy.preflight.finding import Finding
from orient_deploy.preflight.pipeline import Workflow, commands_of, read_workflow
from tests.oracles.node_tools import evaluate_expression, parse_workflow

PATH = ".github/workflows/deploy.yml"
HEAD = """\
name: Deploy
on: {push: {branches: [main]}}
jobs:
"""
DEPLOY = """\
  deploy:
    runs-on: ubuntu-latest
    needs: [%s]
    if: %s
    steps:
      - run: ssh opc@203.0.113.7 ./deploy.sh
"""
BUILD = """\
  build-%s:
    needs: [detect, test]
    if: %s
    runs-on: ubuntu-latest
    steps:
      - uses: docker/build-push-action@v6
        with: {push: true, file: %s/Dockerfile}
"""
DETECT = """\
  detect:
    runs-on: ubuntu-latest
    outputs:
      web: ${{ steps.plan.outputs.web }}
      builds: ${{ steps.plan.outputs.builds }}
      deploy: ${{ steps.plan.outputs.deploy }}
    steps:
      - {id: plan, uses: acme/orient-deploy-actions/detect@v1}
  test:
    runs-on: ubuntu-latest
    steps: [{run: npm test}]
"""


def files_of(contents: Mapping[str, str | dict[str, Any]]) -> Files:
    texts = {
        path: one if isinstance(one, str) else json.dumps(one) for path, one in contents.items()
    }
    return Files(texts, lambda path: texts[path].encode() if path in texts else None)


def read(text: str) -> Workflow:
    assert parse_workflow(text) == []  # GitHub takes it
    found = read_workflow(PATH, text.encode())
    assert found is not None
    return found


def found_in(
    text: str, contents: Mapping[str, str | dict[str, Any]] | None = None
) -> list[Finding]:
    return workflow.look(files_of(contents or {}), [read(text)], [])


def ids(found: list[Finding]) -> list[str]:
    return [one.check.removeprefix("workflow/") for one in found]


# --- the script of the tests


def test_job(run: str, more: str = "") -> str:
    return f"""\
{HEAD}  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
{more}      - name: Tests
        run: {run}
{DEPLOY % ("test", "success()")}"""


test_job.__test__ = False  # type: ignore[attr-defined]  # no test, whatever it is called
ROOT = {"name": "root", "scripts": {"test": "vitest run", "test:ci": "vitest run --exclude e2e"}}


@pytest.mark.parametrize(
    "run", ["pnpm test", "pnpm run test", "npm test", "npm t", "yarn test", "npm run -s test"]
)
def test_a_deploy_that_does_not_use_test_ci_is_named(run: str) -> None:
    (found,) = found_in(test_job(run), {"package.json": ROOT})

    assert (found.check, found.file, found.line) == ("workflow/test-script", PATH, 9)
    assert found.fix == f"Run `{run.split()[0]} run test:ci` there."


def test_turbo_is_only_a_thought() -> None:
    (found,) = found_in(
        test_job("pnpm turbo test"),
        {"package.json": ROOT, "turbo.json": "{}", "pnpm-lock.yaml": ""},
    )

    assert (found.check, found.severity) == ("workflow/test-script", "hint")


@pytest.mark.parametrize(
    ("run", "scripts"),
    [
        pytest.param("pnpm test:ci", {}, id="it-is-used"),
        pytest.param("pnpm test", {"test:ci": ""}, id="there-is-none"),
        pytest.param("pnpm test", {"test": "npm run test:ci"}, id="test-runs-it"),
        pytest.param("pnpm test", {"test:ci": "vitest run"}, id="both-are-the-same"),
        pytest.param("pnpm --filter web test", {}, id="of-another-package"),
        pytest.param("pnpm -r test", {}, id="of-all-packages"),
        pytest.param("npm test -- --exclude e2e", {}, id="with-arguments-of-its-own"),
        pytest.param("pnpm run test:unit", {}, id="another-script"),
        pytest.param("echo pnpm test", {}, id="only-named"),
        pytest.param("ssh a@b 'pnpm test'", {}, id="on-another-machine"),
    ],
)
def test_other_tests_are_not_named(run: str, scripts: dict[str, str]) -> None:
    root = {**ROOT, "scripts": {**ROOT["scripts"], **scripts}}  # type: ignore[dict-item]  # JSON

    assert "test-script" not in ids(found_in(test_job(run), {"package.json": root}))


def test_a_workflow_that_runs_test_ci_somewhere_is_left_alone() -> None:
    more = "      - run: pnpm run test:ci\n"

    assert found_in(test_job("pnpm test", more), {"package.json": ROOT}) == []


def test_a_workflow_that_deploys_nothing_is_left_alone() -> None:
    text = test_job("pnpm test").replace("ssh opc@203.0.113.7 ./deploy.sh", "echo deploy")

    assert found_in(text, {"package.json": ROOT}) == []


def test_a_workflow_of_another_branch_is_left_alone() -> None:
    text = test_job("pnpm test").replace("[main]", "[gh-pages]")

    assert found_in(text, {"package.json": ROOT}) == []


# --- packages that are not built

WORKSPACE: dict[str, str | dict[str, Any]] = {
    "package.json": {"name": "root", "scripts": {"test": "vitest run"}},
    "pnpm-workspace.yaml": "packages: [packages/*]\n",
    "packages/core/package.json": {
        "name": "@orient/core",
        "exports": {".": {"types": "./dist/index.d.ts", "import": "./dist/index.js"}},
        "scripts": {"build": "tsc"},
    },
    "packages/core/src/index.ts": "export const a = 1;\n",
    "packages/web/package.json": {
        "name": "@orient/web",
        "dependencies": {"@orient/core": "workspace:*"},
        "scripts": {"test": "vitest run", "build": "tsc"},
    },
    "packages/web/src/main.ts": "import { a } from '@orient/core';\n",
}


@pytest.mark.parametrize("run", ["pnpm test", "pnpm -r test"])
def test_tests_before_a_build_are_named(run: str) -> None:
    (found,) = found_in(test_job(run, "      - run: pnpm install\n"), WORKSPACE)

    assert found.check == "workflow/packages-not-built"
    assert "@orient/core, which @orient/web imports from packages/core/dist/index.js" in (
        found.message
    )


def test_a_build_whose_filter_matches_nothing_builds_nothing() -> None:
    """The mistake of a scope that was renamed."""
    more = '      - run: pnpm turbo build --filter="@orientbot/*"\n'
    found = found_in(test_job("pnpm test", more), WORKSPACE)

    assert ids(found) == ["packages-not-built", "filter-matches-nothing"]


@pytest.mark.parametrize(
    ("more", "changed"),
    [
        pytest.param("      - run: pnpm -r build\n", {}, id="built"),
        pytest.param("      - run: pnpm turbo build --filter='@orient/*'\n", {}, id="by-turbo"),
        pytest.param("      - run: npx tsc -b\n", {}, id="by-the-compiler"),
        pytest.param("      - run: ./scripts/ready.sh\n", {}, id="by-a-script"),
        pytest.param("      - uses: ./.github/actions/ready\n", {}, id="by-an-action"),
        pytest.param(
            "", {"packages/core/dist/index.js": "export const a = 1;\n"}, id="in-the-commit"
        ),
        pytest.param(
            "", {"vitest.config.ts": "resolve: { alias: { '@orient/core': x } }\n"}, id="alias"
        ),
        pytest.param(
            "",
            {"package.json": {"name": "r", "scripts": {"test": "tsc -b && vitest run"}}},
            id="the-script-builds",
        ),
        pytest.param(
            "",
            {
                "package.json": {
                    "name": "r",
                    "scripts": {"test": "vitest run", "postinstall": "pnpm -r build"},
                }
            },
            id="the-installation-builds",
        ),
        pytest.param("", {"packages/web/src/main.ts": "export {};\n"}, id="never-imported"),
        pytest.param(
            "",
            {
                "packages/core/package.json": {
                    "name": "@orient/core",
                    "main": "src/index.ts",
                    "scripts": {"build": "tsc"},
                }
            },
            id="taken-as-source",
        ),
    ],
)
def test_tests_that_find_their_packages_are_not_named(
    more: str, changed: Mapping[str, str | dict[str, Any]]
) -> None:
    found = found_in(test_job("pnpm test", more), {**WORKSPACE, **changed})

    assert "packages-not-built" not in ids(found)


# --- filters


@pytest.mark.parametrize(
    ("run", "fires"),
    [
        pytest.param("pnpm --filter @orientbot/web build", True, id="pnpm-another-scope"),
        pytest.param("pnpm -F '@orientbot/*' run build", True, id="pnpm-another-glob"),
        pytest.param("pnpm --filter ./apps/web build", True, id="pnpm-no-such-folder"),
        pytest.param("pnpm turbo run build --filter='@orientbot/*'", True, id="turbo-glob"),
        pytest.param("pnpm --filter web... build", False, id="pnpm-name-without-scope"),
        pytest.param("pnpm --filter '@orient/*' build", False, id="pnpm-glob"),
        pytest.param("pnpm --filter './packages/**' build", False, id="pnpm-folder-glob"),
        pytest.param("pnpm --filter packages/web build", False, id="pnpm-bare-folder"),
        pytest.param("pnpm --filter '!@orientbot/web' build", False, id="pnpm-only-excluded"),
        pytest.param("pnpm --filter '...[origin/main]' build", False, id="pnpm-since"),
        pytest.param("pnpm --filter $NAME build", False, id="unknown"),
        pytest.param("pnpm -F @orientbot/web -F @orient/web build", False, id="one-of-two"),
        pytest.param("turbo build --filter=@orientbot/web", False, id="turbo-fails-by-itself"),
        pytest.param("npm run build --workspace=nobody", False, id="npm-fails-by-itself"),
    ],
)
def test_a_filter_that_names_no_package(run: str, fires: bool) -> None:
    found = found_in(test_job(run), WORKSPACE)

    assert ("filter-matches-nothing" in ids(found)) is fires


def test_a_filter_of_a_matrix_is_read_for_each_leg() -> None:
    text = test_job("pnpm --filter @orient/${{ matrix.package }} build").replace(
        "    steps:\n      - uses",
        "    strategy: {matrix: {package: [web, nobody]}}\n    steps:\n      - uses",
    )

    (found,) = found_in(text, WORKSPACE)
    assert "is for @orient/nobody, and" in found.message


# --- gates

PUSHED = "needs.detect.outputs.web == 'x' || true"


def pipeline(condition: str, *builds: str, needs: str = "", steps: str = "") -> str:
    jobs = "".join(
        BUILD % (name, f"needs.detect.outputs.{name} != 'false'", name) for name in builds
    )
    names = needs or ", ".join(["test", *(f"build-{one}" for one in builds)])
    outputs = "".join(
        f"      {one}: ${{{{ steps.plan.outputs.{one} }}}}\n" for one in builds if one != "web"
    )
    detect = DETECT.replace("    outputs:\n", f"    outputs:\n{outputs}")
    return HEAD + detect + jobs + DEPLOY % (names, condition) + steps


SAFE = (
    "${{ !cancelled() && needs.test.result == 'success' && needs.build-web.result != 'failure' "
    "&& needs.build-api.result != 'failure' }}"
)


def deploys_although(condition: str, names: list[str]) -> set[str]:
    """The jobs with whose failure alone GitHub runs a deploy, by its own evaluator."""
    found = set()
    for name in names:
        needs = {one: {"result": "failure" if one == name else "success"} for one in names}
        has_status = any(one in condition for one in ("always()", "cancelled()", "failure()"))
        asked = condition.removeprefix("${{").removesuffix("}}")
        asked = asked if has_status else f"success() && ({asked})"
        if evaluate_expression(asked, {"needs": needs}, status="failure") is True:
            found.add(name)
    return found


CONDITIONS = [
    "always()",
    "${{ !cancelled() }}",
    "success()",
    "needs.test.result == 'success'",
    "always() && needs.test.result == 'success'",
    "${{ !cancelled() && needs.test.result == 'success' && needs.build-web.result != 'failure' }}",
    "${{ always() && !failure() }}",
    "always() && !contains(fromJSON('[\"failure\"]'), needs.build-api.result)",
    SAFE,
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_deploy_after_a_failure_is_named_as_github_would_run_it(condition: str) -> None:
    names = ["test", "build-web", "build-api"]
    expected = deploys_although(condition, names)

    found = [one for one in found_in(pipeline(condition, "web", "api")) if "failure" in one.check]
    named = {
        name for name, one in itertools.product(names, found) if name in one.message.split(":")[0]
    }
    assert named == expected


@pytest.mark.parametrize(
    ("condition", "skipped"),
    [
        pytest.param("success()", False, id="it-says-so"),
        pytest.param("github.ref == 'refs/heads/main'", True, id="no-status-function"),
        pytest.param(SAFE, False, id="looks-at-results"),
        pytest.param("needs.build-web.result == 'success'", False, id="wants-only-one"),
    ],
)
def test_a_deploy_that_is_skipped_with_one_build(condition: str, skipped: bool) -> None:
    found = found_in(pipeline(condition, "web", "api"))

    assert ("gate-skips" in ids(found)) is skipped


def test_a_deploy_without_a_condition_is_skipped_as_well() -> None:
    text = pipeline("CONDITION", "web", "api").replace("    if: CONDITION\n", "")

    (found,) = found_in(text)
    assert found.check == "workflow/gate-skips"
    assert "build-api, build-web" in found.message


def test_a_deploy_of_the_only_image_may_be_skipped_with_it() -> None:
    text = pipeline("CONDITION", "web").replace("    if: CONDITION\n", "")

    assert found_in(text) == []


def test_a_deploy_that_looks_for_itself_is_left_alone() -> None:
    """Its first step ends the job when a build failed."""
    steps = '      - run: test "${{ needs.build-web.result }}" != failure\n'

    assert (
        found_in(pipeline("always() && needs.test.result == 'success'", "web", steps=steps)) == []
    )


def test_a_gate_job_that_hears_of_all_results_is_trusted() -> None:
    gate = """\
  gate:
    needs: [detect, test, build-web]
    if: ${{ !cancelled() }}
    runs-on: ubuntu-latest
    outputs: {deploy: "${{ steps.gate.outputs.deploy }}"}
    steps:
      - {id: gate, uses: acme/orient-deploy-actions/gate@v1}
"""
    condition = "${{ !cancelled() && needs.gate.outputs.deploy == 'true' }}"
    text = pipeline(condition, "web", needs="gate, test, build-web").replace(
        "  deploy:\n    runs", f"{gate}  deploy:\n    runs"
    )

    assert found_in(text) == []


def test_a_job_that_only_tells_may_always_run() -> None:
    text = pipeline("always()", "web").replace("ssh opc@203.0.113.7 ./deploy.sh", "echo done")

    assert found_in(text) == []


# --- outputs that were dropped


@pytest.mark.parametrize(
    ("condition", "fires"),
    [
        pytest.param("needs.detect.outputs.web == 'true'", True, id="only-true"),
        pytest.param("needs.detect.outputs.web != 'false'", False, id="unless-false"),
        pytest.param(
            "fromJSON(needs.detect.outputs.builds || '{}')['web'] == 'true'", True, id="of-json"
        ),
        pytest.param(
            "fromJSON(needs.detect.outputs.builds || '{}')['web'] != 'false'",
            False,
            id="of-json-no",
        ),
        pytest.param("contains(needs.detect.outputs.web, 'true')", True, id="contains"),
        pytest.param("github.event_name == 'push'", False, id="another-condition"),
    ],
)
def test_a_build_that_is_lost_with_its_output(condition: str, fires: bool) -> None:
    text = pipeline("success()", "web").replace("needs.detect.outputs.web != 'false'", condition)

    assert ("gate-dropped-output" in ids(found_in(text))) is fires


@pytest.mark.parametrize(
    ("condition", "fires"),
    [
        pytest.param("needs.detect.outputs.deploy != 'false'", True, id="unless-false"),
        pytest.param("needs.detect.outputs.deploy == 'true'", False, id="only-true"),
        pytest.param("needs.detect.outputs.deploy", False, id="any-text"),
    ],
)
def test_a_deploy_that_happens_when_its_output_is_lost(condition: str, fires: bool) -> None:
    text = pipeline(condition, "web", needs="detect")

    assert ("gate-dropped-output" in ids(found_in(text))) is fires


def test_an_output_of_another_action_is_not_judged() -> None:
    text = pipeline("success()", "web").replace(
        "needs.detect.outputs.web != 'false'", "needs.detect.outputs.web == 'true'"
    )
    text = text.replace("acme/orient-deploy-actions/detect@v1", "dorny/paths-filter@v3")

    assert found_in(text) == []


# --- reading


def test_commands_are_those_of_this_machine() -> None:
    script = """\
# pnpm test
set -e; cd web && A=1 sudo pnpm \\
  run build || exit 1
ssh a@b <<'EOF'
pnpm test
EOF
ssh a@b "
  npm test
"
if npm test; then echo "${{ a || b }}"; fi
"""
    found = [(at, " ".join(words[:3])) for at, words in commands_of(script)]

    assert (2 - 1, "cd web") in found and (1, "pnpm run build") in found
    assert [one for one in found if one[1].startswith(("npm", "pnpm t"))] == [(9, "npm test")]


def test_a_workflow_that_is_no_yaml_says_nothing() -> None:
    assert read_workflow(PATH, b"jobs: {a: [}") is None
    assert read_workflow(PATH, b"on: push") is None


def test_many_findings_are_cut() -> None:
    jobs = "".join(
        f"  j{number}:\n    runs-on: x\n    steps: [{{run: pnpm --filter @no/x build}}]\n"
        for number in range(40)
    )

    assert len(found_in(HEAD + jobs, WORKSPACE)) == workflow.MOST_FINDINGS
