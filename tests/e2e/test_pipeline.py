"""The sample's pipeline, run for each kind of event: which jobs ran and what came of them.

Every run uses `org/orient-deploy-actions/…@v1` as a team would, from the tree of main and from the
tree of a release.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.sample import ALL_IMAGES, CONFIG, PUSHES, Edit, Push, Sample, build, push_named
from tests.e2e import act

SLACK = push_named("slack")
NONE: frozenset[str] = frozenset()
OUTPUTS_OF_DETECT = {
    "any",
    "base",
    "builds",
    "changes",
    "dashboard",
    "deploy",
    "deploys",
    "files",
    "head",
    "images",
    "opencode",
    "plan-digest",
    "reason",
    "references",
    "whatsapp",
}
OUTPUTS_OF_MATRIX = {"any", "count", "matrix"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A state of the repository with the event that led to it, and what must come of it."""

    arrange: Callable[[Sample], act.Event]
    builds: frozenset[str] = NONE
    deploy: bool = False


def pushed(push: Push) -> Callable[[Sample], act.Event]:
    """The push arrived on main."""

    def arrange(sample: Sample) -> act.Event:
        tips = sample.push(push)
        return act.push_event(tips.before, tips.after)

    return arrange


def first_push(sample: Sample) -> act.Event:
    return act.push_event(act.NO_COMMIT, sample.head())


def forced_push(sample: Sample) -> act.Event:
    """A commit on the dashboard is replaced by one on the tools: both have to be built again."""
    replaced = sample.push(push_named("dashboard"))
    sample.git("reset", "--quiet", "--hard", replaced.before)
    return act.forced_push_event(replaced.after, sample.push(push_named("mcp-tools")).after)


def forced_push_over_a_lost_commit(sample: Sample) -> act.Event:
    return act.forced_push_event("f" * 40, sample.push(push_named("dashboard")).after)


def first_push_of_a_topic(sample: Sample) -> act.Event:
    sample.git("checkout", "--quiet", "-b", "topic")
    tips = sample.push(push_named("dashboard"))
    return act.push_event(act.NO_COMMIT, tips.after, ref="refs/heads/topic")


def second_push_of_a_topic(sample: Sample) -> act.Event:
    """A topic answers for all that it changes, not for its last push alone."""
    first_push_of_a_topic(sample)
    tips = sample.push(push_named("mcp-tools"))
    return act.push_event(tips.before, tips.after, ref="refs/heads/topic")


def pull_request(sample: Sample) -> act.Event:
    """The topic changes the dashboard; main has moved on and changed core."""
    sample.git("checkout", "--quiet", "-b", "topic")
    head = sample.push(push_named("dashboard")).after
    sample.git("checkout", "--quiet", "main")
    base = sample.push(push_named("core")).after
    sample.git("checkout", "--quiet", "--detach")
    sample.git("merge", "--quiet", "--no-ff", "--message", "Merge topic", "topic")
    return act.pull_request_event(base=base, head=head)


def tag(sample: Sample) -> act.Event:
    """The tag before it, v1.4.0, is where the sample begins."""
    sample.push(push_named("nginx"))
    after = sample.push(push_named("dashboard")).after
    sample.git("tag", "v1.5.0")
    return act.push_event(act.NO_COMMIT, after, ref="refs/tags/v1.5.0")


def branch_deletion(sample: Sample) -> act.Event:
    return act.push_event(sample.head(), act.NO_COMMIT, ref="refs/heads/topic")


def dispatched(**inputs: str) -> Callable[[Sample], act.Event]:
    """Somebody pressed 'Run workflow' after a push that built nothing."""

    def arrange(sample: Sample) -> act.Event:
        sample.push(push_named("docs"))
        return act.dispatch_event(**inputs)

    return arrange


CASES = {
    **{
        f"push-{push.name}": Case(arrange=pushed(push), builds=push.builds, deploy=push.deploy)
        for push in PUSHES
        if push is not SLACK  # its job exists in the matrix only
    },
    "first-push": Case(arrange=first_push, builds=ALL_IMAGES, deploy=True),
    "forced-push": Case(
        arrange=forced_push, builds=frozenset({"dashboard", "opencode"}), deploy=True
    ),
    "forced-push-over-a-lost-commit": Case(
        arrange=forced_push_over_a_lost_commit, builds=ALL_IMAGES, deploy=True
    ),
    "first-push-of-a-topic": Case(arrange=first_push_of_a_topic, builds=frozenset({"dashboard"})),
    "second-push-of-a-topic": Case(
        arrange=second_push_of_a_topic, builds=frozenset({"dashboard", "opencode"})
    ),
    "pull-request": Case(arrange=pull_request, builds=frozenset({"dashboard"})),
    "tag": Case(arrange=tag, builds=frozenset({"dashboard"})),
    "branch-deletion": Case(arrange=branch_deletion),
    "dispatch-force": Case(
        arrange=dispatched(force_build_all="true"), builds=ALL_IMAGES, deploy=True
    ),
    "dispatch-one-image": Case(
        arrange=dispatched(images="whatsapp"), builds=frozenset({"whatsapp"}), deploy=True
    ),
    "dispatch-two-images": Case(
        arrange=dispatched(images="whatsapp, dashboard", force_build_all="false"),
        builds=frozenset({"whatsapp", "dashboard"}),
        deploy=True,
    ),
    # Nothing says since when: doubt builds.
    "dispatch-without-inputs": Case(arrange=dispatched(), builds=ALL_IMAGES, deploy=True),
}

# The layouts share their code, so that on main the kinds of decision are enough.
ON_MAIN_TOO = {
    "push-dashboard",
    "push-core",
    "push-lockfile",
    "push-nginx",
    "push-docs",
    "push-nothing",
    "first-push",
    "forced-push",
    "dispatch-force",
}
TABLE = [
    pytest.param(layout, case, id=f"{layout}-{name}")
    for layout in ("main", "release")
    for name, case in CASES.items()
    if layout == "release" or name in ON_MAIN_TOO
]
both_layouts = pytest.mark.parametrize("library", ["main", "release"], indirect=True)
released = pytest.mark.parametrize("library", ["release"], indirect=True)


@pytest.fixture(scope="session")
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> act.Library:
    """The toolkit as it is served to the consumer, in the layout that is asked for."""
    folder = tmp_path_factory.mktemp("library") / "tree"
    return act.main_layout(folder) if request.param == "main" else act.release_layout(folder)


def expected_results(builds: frozenset[str], deploy: bool, *, failing: str = "") -> dict[str, str]:
    """Job to result, of the jobs that have to run in deploy.yml."""
    gate = "failure" if failing else "success"
    results = {"detect": "success", "test": "success", "gate": gate}
    for image in builds:
        results[f"build-{image}"] = "failure" if image == failing else "success"
    return results | (dict.fromkeys(("deploy", "verify"), "success") if deploy else {})


def text_of(flag: bool) -> str:
    """The flag as an output says it."""
    return "true" if flag else "false"


@pytest.mark.parametrize(("library", "case"), TABLE, indirect=["library"])
def test_the_jobs_that_run_are_those_the_event_calls_for(
    case: Case, library: act.Library, tmp_path: Path
) -> None:
    sample = build(tmp_path / "app")
    event = case.arrange(sample)

    ran = act.run(sample, event, library, tmp_path / "act")

    assert ran.results == expected_results(case.builds, case.deploy), ran.text
    detect = ran.jobs["detect"].outputs["detect"]
    assert json.loads(detect["builds"]) == {
        image: text_of(image in case.builds) for image in ALL_IMAGES
    }
    assert json.loads(detect["images"]) == sorted(case.builds)
    assert detect["any"] == text_of(bool(case.builds))
    assert detect["deploy"] == text_of(case.deploy)
    assert json.loads(detect["deploys"]) == {"production": text_of(case.deploy)}
    assert ran.jobs["gate"].outputs["gate"]["deploy"] == text_of(case.deploy)
    assert set(detect) == OUTPUTS_OF_DETECT
    assert ran.jobs["detect"].summary.startswith("### ")


BROKEN_DASHBOARD = Push(
    name="broken-dashboard",
    subject="Change core, and break the dashboard",
    edits=(*push_named("core").edits, Edit(path="packages/dashboard/FAIL", new="on purpose\n")),
)


@both_layouts
def test_a_failed_build_keeps_the_deploy_shut_and_the_summary_says_what_to_do(
    library: act.Library, tmp_path: Path
) -> None:
    sample = build(tmp_path / "app")
    event = pushed(BROKEN_DASHBOARD)(sample)

    ran = act.run(sample, event, library, tmp_path / "act")

    assert ran.results == expected_results(ALL_IMAGES, deploy=False, failing="dashboard"), ran.text
    assert ran.jobs["detect"].outputs["detect"]["deploy"] == "true"
    gate = ran.jobs["gate"].outputs["gate"]
    assert gate["deploy"] == "false"
    assert json.loads(gate["failed"]) == ["build-dashboard"]
    assert "build-whatsapp" in json.loads(gate["succeeded"])
    summary = ran.jobs["gate"].summary
    assert "still runs" in summary
    # By hand: what was built, under the names of its Compose services, and not what failed.
    (commands,) = [part for part in summary.split("```") if "docker compose" in part]
    assert "ssh opc@203.0.113.7" in commands
    assert "opencode" in commands
    assert "bot-whatsapp" in commands
    assert "dashboard" not in commands


@released
def test_failed_tests_build_nothing_and_deploy_nothing(
    library: act.Library, tmp_path: Path
) -> None:
    sample = build(tmp_path / "app")
    failing_tests = Edit(path="FAIL", new="on purpose\n")
    dashboard = push_named("dashboard")
    tips = sample.push(
        Push(name="", subject="Break a test", edits=(*dashboard.edits, failing_tests))
    )

    ran = act.run(sample, act.push_event(tips.before, tips.after), library, tmp_path / "act")

    assert ran.results == {"detect": "success", "test": "failure", "gate": "failure"}, ran.text
    assert ran.jobs["gate"].outputs["gate"]["deploy"] == "false"
    assert json.loads(ran.jobs["gate"].outputs["gate"]["failed"]) == ["test"]


@released
def test_a_mistake_in_the_configuration_is_shown_at_its_line_and_stops_everything(
    library: act.Library, tmp_path: Path
) -> None:
    sample = build(tmp_path / "app")
    mistake = Edit(path=CONFIG, old="watch-all:", new="watch-al:")
    tips = sample.push(Push(name="", subject="Mistype a key", edits=(mistake,)))

    ran = act.run(sample, act.push_event(tips.before, tips.after), library, tmp_path / "act")

    assert ran.results == {"detect": "failure", "test": "success", "gate": "failure"}, ran.text
    errors = [one for one in ran.jobs["detect"].annotations if one.level == "error"]
    assert any("watch-al" in one.message for one in errors), ran.jobs["detect"].log


MATRIX_TABLE = [
    pytest.param("release", "dashboard", id="one-image"),
    pytest.param("release", "core", id="all-images"),
    pytest.param("release", "nginx", id="deploy-without-a-build"),
    pytest.param("release", "docs", id="nothing"),
    # The fourth image: no workflow and no action is touched.
    pytest.param("release", "slack", id="slack-by-configuration-only"),
    pytest.param("main", "slack", id="slack-from-main"),
]


@pytest.mark.parametrize(("library", "name"), MATRIX_TABLE, indirect=["library"])
def test_a_matrix_builds_what_the_configuration_names(
    name: str, library: act.Library, tmp_path: Path
) -> None:
    push = push_named(name)
    sample = build(tmp_path / "app", workflow="deploy-matrix.yml")
    event = pushed(push)(sample)

    ran = act.run(sample, event, library, tmp_path / "act")

    legs = {f"build ({image})" for image in push.builds}
    deploys = {"deploy", "verify"} if push.deploy else set()
    assert ran.results == dict.fromkeys({"detect", "test", "gate"} | legs | deploys, "success"), (
        ran.text
    )
    matrix = ran.jobs["detect"].outputs["matrix"]
    assert set(matrix) == OUTPUTS_OF_MATRIX
    assert matrix["any"] == text_of(bool(push.builds))
    assert matrix["count"] == str(len(push.builds))


@released
def test_a_failed_leg_of_the_matrix_keeps_the_deploy_shut(
    library: act.Library, tmp_path: Path
) -> None:
    sample = build(tmp_path / "app", workflow="deploy-matrix.yml")
    event = pushed(BROKEN_DASHBOARD)(sample)

    ran = act.run(sample, event, library, tmp_path / "act")

    assert ran.results == {
        "detect": "success",
        "test": "success",
        "build (opencode)": "success",
        "build (whatsapp)": "success",
        "build (dashboard)": "failure",
        "gate": "failure",
    }, ran.text
    assert ran.jobs["gate"].outputs["gate"]["deploy"] == "false"
    assert "still runs" in ran.jobs["gate"].summary


PLAN_IN_ONE_STEP = """\
name: Plan
on: push
permissions: {}
jobs:
  plan:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
      - id: plan
        uses: org/orient-deploy-actions@v1
"""


@both_layouts
def test_the_root_action_gives_the_whole_plan_in_one_step(
    library: act.Library, tmp_path: Path
) -> None:
    sample = build(tmp_path / "app")
    event = pushed(push_named("dashboard"))(sample)

    ran = act.run(sample, event, library, tmp_path / "act", workflow=PLAN_IN_ONE_STEP)

    assert ran.results == {"plan": "success"}, ran.text
    outputs = ran.jobs["plan"].outputs["plan"]
    assert set(outputs) == OUTPUTS_OF_DETECT | OUTPUTS_OF_MATRIX
    (leg,) = json.loads(outputs["matrix"])["include"]
    assert leg["name"] == "dashboard"
    assert leg["dockerfile"] == "packages/dashboard/Dockerfile"


@both_layouts
def test_no_file_of_the_consumer_is_run(library: act.Library, tmp_path: Path) -> None:
    """Modules in the workspace that are called like ours, or like those we import, stay files."""
    sample = build(tmp_path / "app")
    for name in ("json", "yaml", "pathspec", "orient_deploy", "sitecustomize", "subprocess"):
        sample.write(f"{name}.py", "raise SystemExit('the consumer was run')\n")
    event = pushed(push_named("dashboard"))(sample)

    ran = act.run(sample, event, library, tmp_path / "act", workflow=PLAN_IN_ONE_STEP)

    assert ran.results == {"plan": "success"}, ran.text
    assert json.loads(ran.jobs["plan"].outputs["plan"]["images"]) == ["dashboard"]


def test_from_main_the_launcher_installs_what_it_needs(tmp_path: Path) -> None:
    """Nothing is lent here: the packages come hash-locked, as they do for whoever uses main."""
    library = act.main_layout(tmp_path / "library", installed=False)
    sample = build(tmp_path / "app")
    event = pushed(push_named("dashboard"))(sample)

    ran = act.run(sample, event, library, tmp_path / "act", workflow=PLAN_IN_ONE_STEP, network=True)

    assert ran.results == {"plan": "success"}, ran.text
    assert json.loads(ran.jobs["plan"].outputs["plan"]["images"]) == ["dashboard"]
    tools = tmp_path / "act" / "home" / ".cache" / "act" / "tool_cache"
    assert len(list(tools.glob("orient-deploy-actions/*/.complete"))) == 1
