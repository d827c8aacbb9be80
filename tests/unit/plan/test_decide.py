"""What is built, what is deployed, and the sentence that says why."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.config.model import Config
from orient_deploy.errors import InputError
from orient_deploy.history.model import Base
from orient_deploy.plan.model import Plan, Request
from orient_deploy.plan.refs import is_deploying, is_version
from orient_deploy.runner import Event, PullRequest
from tests.unit.plan import orient
from tests.unit.plan.orient import CONFIG, HEAD, IMAGES, SLACK, config, event, no_base, plan, push

FORCE = Request(force=True)


def built(made: Plan) -> dict[str, str]:
    """The images to build, with their reasons."""
    return {one.name: one.reason for one in made.images if one.build}


def reasons(made: Plan) -> dict[str, str]:
    """Every image's reason."""
    return {one.name: one.reason for one in made.images}


def deployed(made: Plan) -> dict[str, str]:
    """The environments to deploy to, with their reasons."""
    return {one.name: one.reason for one in made.environments if one.deploy}


def refused(made: Plan) -> dict[str, str]:
    """The environments left alone, with their reasons."""
    return {one.name: one.reason for one in made.environments if not one.deploy}


# --- images

CHANGED = [
    pytest.param(["packages/dashboard/src/index.ts"], ["dashboard"], id="one-package"),
    pytest.param(["packages/core/src/index.ts"], IMAGES, id="shared-package"),
    pytest.param(["packages/mcp-tools/src/index.ts"], ["opencode"], id="tools"),
    pytest.param(["src/main.ts"], ["opencode"], id="legacy"),
    pytest.param(["docker/Dockerfile.opencode.legacy"], ["opencode"], id="dockerfile"),
    pytest.param(["docker/Dockerfile.opencode.next"], ["opencode"], id="another-dockerfile"),
    pytest.param(["pnpm-lock.yaml"], IMAGES, id="watch-all"),
    pytest.param(["packages/bot-slack/src/index.ts"], [], id="no-image"),
    pytest.param(["docker/nginx-ssl.conf"], [], id="config-only"),
    pytest.param(["packages/dashboard/README.md"], [], id="ignored"),
    pytest.param(["packages/dashboard/README.md", "src/a.ts"], ["opencode"], id="partly-ignored"),
    pytest.param(["Src/main.ts"], [], id="case-counts"),
    pytest.param(["packages/dashboard"], ["dashboard"], id="submodule-at-the-directory"),
    pytest.param(["src/\udcff\n$(x).ts"], ["opencode"], id="odd-name"),
    pytest.param([], [], id="nothing"),
]


@pytest.mark.parametrize(("paths", "images"), CHANGED)
def test_an_image_is_built_when_a_file_it_watches_changed(
    paths: list[str], images: list[str]
) -> None:
    assert list(built(plan(*paths))) == list(images)


SENTENCES = [
    pytest.param(
        ["packages/dashboard/a.ts", "packages/dashboard/b.ts"],
        "changed: packages/dashboard/** (2 files)",
        id="pattern-and-count",
    ),
    pytest.param(["package.json"], "changed: package.json", id="a-path-is-not-counted"),
    pytest.param(
        ["package.json", "packages/core/x", "packages/dashboard/a", "packages/dashboard/b"],
        "changed: packages/dashboard/** (2 files), package.json, packages/core/** (1 file)",
        id="commonest-first",
    ),
    pytest.param(
        ["package.json", "packages/core/x", "packages/dashboard/a", "pnpm-lock.yaml"],
        "changed: package.json, packages/core/** (1 file), packages/dashboard/** (1 file) "
        "and 1 more pattern",
        id="three-and-more",
    ),
    pytest.param(["src/main.ts"], "unchanged since 0d9e8f7", id="unchanged"),
    pytest.param(
        ["packages/dashboard/README.md", "README.md"],
        "unchanged since 0d9e8f7, but for ignored files: packages/dashboard/README.md",
        id="ignored",
    ),
]


@pytest.mark.parametrize(("paths", "sentence"), SENTENCES)
def test_a_reason_names_what_decided(paths: list[str], sentence: str) -> None:
    assert reasons(plan(*paths))["dashboard"] == sentence


AUTOMATIC = CONFIG.replace("watch: [packages/dashboard/**, packages/core/**]", "watch: [auto]")
READ = {
    "dashboard": {
        "packages/[core]/a.spec.ts": "read by packages/dashboard/Dockerfile line 4",
        "packages/[core]/a.ts": "read by packages/dashboard/Dockerfile line 4",
        "packages/dashboard/Dockerfile": "the Dockerfile itself",
    }
}


def test_auto_counts_what_the_dockerfile_reads() -> None:
    made = plan(*READ["dashboard"], "packages/c/a.ts", config_text=AUTOMATIC, read=READ)

    assert made.images[2].files == tuple(READ["dashboard"])
    assert reasons(made)["dashboard"] == (
        "changed: packages/[core]/a.spec.ts, read by packages/dashboard/Dockerfile line 4 "
        "(and 2 more files)"
    )


def test_auto_is_narrowed_by_what_stands_behind_it() -> None:
    text = AUTOMATIC.replace("[auto]", "[auto, '!**/*.spec.ts', 'packages/c/**']")

    made = plan(*READ["dashboard"], "packages/c/a.ts", config_text=text, read=READ)

    assert made.images[2].files == (
        "packages/[core]/a.ts",
        "packages/c/a.ts",
        "packages/dashboard/Dockerfile",
    )


def test_a_list_never_takes_away_what_watch_all_counts() -> None:
    text = CONFIG.replace("watch: [packages/d", "watch: ['**', '!package.json', packages/d")

    assert "dashboard" in built(plan("package.json", config_text=text))


def test_long_names_are_shortened_in_reasons() -> None:
    long = "/".join(["deep"] * 800)
    text = CONFIG.replace("nginx-ssl.conf]", f"nginx-ssl.conf, {long}]").replace(
        "watch-all: [", f"watch-all: [{long}, "
    )
    made = plan(long, config_text=text)

    assert all(len(reason) < 200 and "deep" in reason for reason in reasons(made).values())


def test_without_a_base_everything_is_built_and_deployed() -> None:
    made = plan(base=no_base())

    assert set(reasons(made).values()) == {
        "nothing to compare with: this is the first push of the branch"
    }
    assert list(built(made)) == list(IMAGES)
    assert set(deployed(made)) == {"production", "staging"}
    assert made.changed is None


@pytest.mark.parametrize("base", [orient.TO_PRODUCTION, no_base("no recorded build")])
def test_force_builds_everything(base: Base) -> None:
    made = plan("src/main.ts", base=base, request=FORCE, at=event("workflow_dispatch"))

    assert set(reasons(made).values()) == {"forced by workflow_dispatch"}
    assert len(built(made)) == 3


def test_a_list_of_images_builds_those_alone() -> None:
    made = plan(
        base=no_base("workflow_dispatch has no recorded build to be compared with"),
        at=event("workflow_dispatch"),
        request=Request(images=("dashboard", "whatsapp")),
    )

    assert built(made) == dict.fromkeys(("whatsapp", "dashboard"), "asked for by workflow_dispatch")
    assert reasons(made)["opencode"] == "not among the images asked for"
    assert deployed(made) == {"production": "new images: whatsapp, dashboard"}


def test_an_image_not_asked_for_says_that_it_changed() -> None:
    made = plan("src/main.ts", at=event("local"), request=Request(images=("dashboard",)))

    assert reasons(made) == {
        "opencode": "not among the images asked for, although changed: src/** (1 file)",
        "whatsapp": "not among the images asked for",
        "dashboard": "asked for",
    }


def test_a_deleted_branch_leaves_nothing_to_do() -> None:
    gone = Base(commit=None, reason="branch topic was deleted", nothing_to_do=True)

    made = plan(base=gone, request=FORCE, listing=())

    assert built(made) == {}
    assert deployed(made) == {}
    assert made.deploy.reason == "branch topic was deleted"
    assert made.remarks == ()


# --- an image or environment that is new or defined otherwise


def with_base(before: str, now: str = CONFIG, *changed: str, **given: Any) -> Plan:
    """A plan where the configuration changed from `before` to `now`, and these files besides."""
    return plan(*changed, orient.SOURCE, config_text=now, base_config=config(before), **given)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("    context: docker\n", "context"),
        ("    target: production\n", "target"),
        ("    build-args: {DEPLOY_ENV: prod}\n", "build-args"),
        ("    platforms: [linux/arm64]\n", "platforms"),
        ("    target: x\n    platforms: [linux/arm64]\n", "target, platforms"),
    ],
)
def test_an_image_defined_otherwise_is_built(line: str, field: str) -> None:
    now = CONFIG.replace("  dashboard:\n", f"  dashboard:\n{line}")

    assert built(with_base(CONFIG, now)) == {
        "dashboard": f"its configuration changed: {field}",
    }


@pytest.mark.parametrize(
    "line",
    ["    timeout-minutes: 5\n", "    runner: [self-hosted]\n", "    services: [web]\n"],
)
def test_what_makes_no_other_image_builds_nothing(line: str) -> None:
    now = CONFIG.replace("  dashboard:\n", f"  dashboard:\n{line}")

    assert built(with_base(CONFIG, now)) == {}


def test_a_configuration_that_only_moved_builds_and_deploys_nothing() -> None:
    made = with_base(CONFIG, CONFIG.replace("images:\n", "# what we build\n\nimages:\n"))

    assert (built(made), deployed(made)) == ({}, {})


def test_adding_slack_takes_configuration_only() -> None:
    now = CONFIG.replace("watch-all:", SLACK + "watch-all:")

    made = with_base(CONFIG, now)

    assert built(made) == {"slack": "new in the configuration"}
    later = plan("packages/bot-slack/src/index.ts", config_text=now)
    assert built(later) == {"slack": "changed: packages/bot-slack/** (1 file)"}
    assert list(built(plan("packages/core/x.ts", config_text=now))) == [*IMAGES, "slack"]


def test_a_removed_image_is_not_missed() -> None:
    before = CONFIG.replace("watch-all:", SLACK + "watch-all:")

    assert built(with_base(before, CONFIG)) == {}


def test_without_a_configuration_at_the_base_everything_is_built() -> None:
    none = Config(source="", images=())

    made = plan(orient.SOURCE, base_config=none)

    assert set(reasons(made).values()) == {"there was no valid configuration at 0d9e8f7"}
    assert deployed(made)["production"] == "new images: opencode, whatsapp, dashboard"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("hosts: [opc@203.0.113.7]", "hosts: [opc@203.0.113.8]", "hosts"),
        ("directory: ~/orienter", "directory: ~/orienter2", "directory"),
        ("    workdir: docker\n", "", "workdir"),
        (", docker/docker-compose.prod.yml]", "]", "compose"),
        ("variants: {legacy: [docker/", "variants: {v1: [docker/", "variants"),
        ("sync: [docker/nginx-ssl.conf]", "sync: [docker/*.conf]", "sync"),
        ("env-file: .env", "env-file: .env.production", "env-file"),
    ],
)
def test_an_environment_defined_otherwise_is_deployed_to(old: str, new: str, reason: str) -> None:
    assert old in CONFIG

    made = with_base(CONFIG, CONFIG.replace(old, new))

    assert built(made) == {}
    assert deployed(made) == {"production": f"its configuration changed: {reason}"}


def test_what_only_watches_an_environment_deploys_nothing() -> None:
    now = CONFIG.replace(
        "    env-file: .env\n",
        "    env-file: .env\n    checks: {nginx: {url: https://ai.example.com/}}\n",
    ).replace("dispatch: true}", "dispatch: true, schedule: true}")

    assert deployed(with_base(CONFIG, now)) == {}


def test_a_new_environment_is_deployed_to() -> None:
    before = CONFIG.partition("  staging:")[0]

    assert deployed(with_base(before, CONFIG)) == {"staging": "new in the configuration"}


def test_the_first_environment_of_all_is_new() -> None:
    made = with_base(CONFIG.partition("environments:")[0], CONFIG)

    assert set(deployed(made).values()) == {"new in the configuration"}


# --- environments

DEPLOYS = [
    pytest.param(["docker/nginx-ssl.conf"], ["production"], id="sync"),
    pytest.param(["docker/docker-compose.prod.yml"], ["production"], id="compose"),
    pytest.param(["docker/docker-compose.v2.yml"], ["production", "staging"], id="shared-compose"),
    pytest.param(["docker/docker-compose.staging.yml"], ["staging"], id="staging"),
    pytest.param(["docker/docker-compose.yml"], ["production"], id="variant"),
    pytest.param(["docker/docker-compose.r2.yml"], [], id="a-file-of-nobody"),
    pytest.param(["docs/index.md"], [], id="docs"),
    pytest.param([], [], id="nothing"),
]


@pytest.mark.parametrize(("paths", "environments"), DEPLOYS)
def test_files_that_travel_deploy_and_build_nothing(
    paths: list[str], environments: list[str]
) -> None:
    made = plan(*paths)

    assert built(made) == {}
    assert deployed(made) == dict.fromkeys(environments, f"changed: {', '.join(paths)}")
    nothing = "nothing that runs there changed since 0d9e8f7"
    assert set(refused(made).values()) <= {nothing}
    assert made.deploy.deploy is bool(environments)
    assert made.deploy.name == ""


def test_an_ignored_file_deploys_nothing() -> None:
    text = CONFIG.replace("ignore: [", "ignore: [docker/nginx-ssl.conf, ")

    assert deployed(plan("docker/nginx-ssl.conf", config_text=text)) == {}


def test_sync_cannot_take_out_a_compose_file() -> None:
    text = CONFIG.replace("sync: [docker/nginx-ssl.conf]", "sync: ['docker/**', '!docker/*.yml']")

    made = plan("docker/docker-compose.prod.yml", config_text=text)
    assert list(deployed(made)) == ["production"]
    assert deployed(plan("docker/other.yml", config_text=text)) == {}


def test_a_path_with_signs_is_itself_only() -> None:
    text = CONFIG.replace("docker/docker-compose.prod.yml", "'docker/[a]*.yml'")

    assert list(deployed(plan("docker/[a]*.yml", config_text=text))) == ["production"]
    assert deployed(plan("docker/ab.yml", config_text=text)) == {}


def environment(on: str, *, top: str = "branches: [main]") -> str:
    """The example with one environment, whose `on` is this ('' for none)."""
    head = CONFIG.partition("environments:")[0].replace("branches: [main]\n", f"{top}\n")
    line = f"    on: {on}\n" if on else ""
    return f"{head}environments:\n  production:\n{line}    compose: [docker/docker-compose.yml]\n"


REFS = {
    "main": "refs/heads/main",
    "topic": "refs/heads/topic",
    "tag": "refs/tags/v1.2.3",
    "odd-tag": "refs/tags/nightly",
}
ALL_EVENTS = (
    "{branches: [main], dispatch: true, schedule: true, workflow-run: true, "
    "repository-dispatch: true}"
)
EVENTS = [
    # Without `on`: `branches` and `tag-pattern`, by push or by hand.
    pytest.param("", "push", "main", "", id="push"),
    pytest.param("", "push", "topic", "branch topic does not deploy there", id="topic"),
    pytest.param("", "push", "tag", "", id="tag"),
    pytest.param("", "push", "odd-tag", "tag nightly does not deploy there", id="odd-tag"),
    pytest.param("", "release", "tag", "", id="release"),
    pytest.param("", "local", "main", "", id="laptop"),
    pytest.param("", "workflow_dispatch", "main", "", id="by-hand"),
    pytest.param("", "workflow_dispatch", "tag", "", id="by-hand-on-a-tag"),
    pytest.param("", "workflow_dispatch", "topic", "branch topic", id="by-hand-on-a-topic"),
    pytest.param("", "schedule", "main", "schedule events do not deploy there", id="schedule"),
    pytest.param("", "workflow_run", "main", "workflow_run events do not", id="workflow-run"),
    pytest.param("", "repository_dispatch", "main", "do not deploy there", id="repository"),
    pytest.param("", "pull_request", "main", "pull_request events never", id="pull-request"),
    pytest.param("", "pull_request_target", "main", "never deploy", id="pull-request-target"),
    pytest.param("", "merge_group", "main", "merge_group events never deploy", id="merge-group"),
    pytest.param("", "issue_comment", "main", "issue_comment events never", id="unknown"),
    pytest.param("", "push", "", "a commit on no branch does not deploy", id="no-ref"),
    # With `on`: what it names.
    pytest.param("{branches: [topic]}", "push", "topic", "", id="on-branch"),
    pytest.param("{branches: [topic]}", "push", "main", "branch main", id="on-other-branch"),
    pytest.param("{branches: [topic]}", "push", "tag", "tag v1.2.3 does not", id="on-no-tags"),
    pytest.param("{branches: [main]}", "workflow_dispatch", "main", "do not", id="on-no-hand"),
    pytest.param("{tags: [night*]}", "push", "odd-tag", "", id="on-tag"),
    pytest.param("{tags: [v*]}", "push", "main", "its `on` names no branches", id="on-tags-only"),
    pytest.param("{dispatch: true}", "push", "main", "names no branches", id="on-hand-only"),
    pytest.param("{dispatch: true}", "workflow_dispatch", "main", "", id="on-hand"),
    pytest.param("{dispatch: true}", "workflow_dispatch", "topic", "topic", id="on-hand-topic"),
    pytest.param("{}", "push", "main", "names no branches", id="on-nothing"),
    pytest.param(ALL_EVENTS, "schedule", "main", "", id="on-schedule"),
    pytest.param(ALL_EVENTS, "workflow_run", "main", "", id="on-workflow-run"),
    pytest.param(ALL_EVENTS, "repository_dispatch", "main", "", id="on-repository-dispatch"),
    pytest.param(ALL_EVENTS, "schedule", "topic", "branch topic", id="on-schedule-elsewhere"),
    pytest.param(ALL_EVENTS, "pull_request", "main", "never", id="on-all-pull-request"),
]


@pytest.mark.parametrize(("on", "name", "ref", "refusal"), EVENTS)
def test_an_environment_is_deployed_to_by_the_events_it_names(
    on: str, name: str, ref: str, refusal: str
) -> None:
    made = plan("src/main.ts", config_text=environment(on), at=event(name, REFS.get(ref, "")))

    decision = made.environments[0]
    assert decision.deploy is (refusal == "")
    assert refusal in decision.reason
    assert list(built(made)) == ["opencode"]  # whatever becomes of the deploy


def test_without_branches_the_default_branch_deploys() -> None:
    text = environment("", top="baseline: push").replace("baseline: push\n", "", 1)

    trunk = push("refs/heads/trunk", default_branch="trunk")
    assert list(deployed(plan("src/main.ts", config_text=text, at=trunk))) == ["production"]
    assert deployed(plan("src/main.ts", config_text=text, at=push(default_branch="trunk"))) == {}
    unknown = plan("src/main.ts", config_text=text, at=push(default_branch=""))
    assert refused(unknown) == {
        "production": "the default branch is not known here, and `branches` is not configured"
    }


def test_a_branch_name_with_signs_is_no_pattern() -> None:
    text = environment("", top="baseline: push").replace("baseline: push\n", "", 1)
    odd = push("refs/heads/ma", default_branch="m[a]")

    assert deployed(plan("src/main.ts", config_text=text, at=odd)) == {}


def test_without_a_tag_pattern_no_tag_deploys() -> None:
    text = environment("").replace("tag-pattern: v*\n", "")

    made = plan("src/main.ts", config_text=text, at=push(REFS["tag"]))

    assert refused(made) == {"production": "tag v1.2.3 does not deploy there"}


# --- the verdict over all


def test_the_verdict_is_that_of_the_environment_asked_for() -> None:
    made = plan("docker/nginx-ssl.conf", request=Request(environment="staging"))

    assert deployed(made) == {"production": "changed: docker/nginx-ssl.conf"}
    assert (made.deploy.name, made.deploy.deploy) == ("staging", False)
    assert made.destinations == ()
    other = plan("docker/docker-compose.v2.yml", request=Request(environment="staging"))
    assert other.destinations == ("staging",)


def test_the_verdict_over_all_names_those_that_deploy() -> None:
    assert plan("docker/nginx-ssl.conf").deploy.reason == "changed: docker/nginx-ssl.conf"
    assert plan("docker/nginx-ssl.conf").destinations == ("production",)
    assert plan("src/main.ts").destinations == ("production", "staging")
    made = plan("src/main.ts", at=event("workflow_dispatch"))
    assert made.destinations == ("production",)


def test_the_verdict_over_all_says_every_reason_against() -> None:
    made = plan("src/main.ts", at=push("refs/tags/v1"))

    assert made.deploy.reason == "new images: opencode"
    tag = plan("docs/x", at=push("refs/tags/v1"))
    assert tag.deploy.reason == (
        "production: nothing that runs there changed since 0d9e8f7; "
        "staging: tag v1 does not deploy there"
    )


@pytest.mark.parametrize(
    ("paths", "at", "deploy", "reason"),
    [
        (["src/main.ts"], push(), True, "new images: opencode"),
        (["docker/nginx-ssl.conf"], push(), False, "no image changed since 0d9e8f7"),
        (["src/main.ts"], push("refs/heads/x"), False, "branch x does not deploy there"),
        (["src/main.ts"], event("pull_request"), False, "pull_request events never deploy"),
    ],
)
def test_without_environments_a_deploying_event_that_builds_deploys(
    paths: list[str], at: Event, deploy: bool, reason: str
) -> None:
    made = plan(*paths, config_text=CONFIG.partition("environments:")[0], at=at)

    assert (made.deploy.deploy, made.deploy.reason) == (deploy, reason)
    assert made.destinations == ()


# --- wishes

WRONG = [
    pytest.param(
        Request(force=True, images=("dashboard",)),
        "inputs 'force' and 'images' contradict each other",
        "Give one of the two",
        id="force-and-images",
    ),
    pytest.param(
        Request(images=("dashbord",)), "no image is called 'dashbord'", "'dashboard'?", id="typo"
    ),
    pytest.param(
        Request(images=("dashboard", "zzz")), "called 'zzz'", "Name one of those", id="unknown"
    ),
    pytest.param(
        Request(environment="produktion"),
        "no environment is called 'produktion'",
        "'production'?",
        id="environment-typo",
    ),
]


@pytest.mark.parametrize(("request_", "what", "next_step"), WRONG)
def test_a_wrong_wish_is_refused(request_: Request, what: str, next_step: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(request=request_)

    assert what in caught.value.what
    assert next_step in caught.value.next_step


def test_a_wish_for_an_environment_where_none_is_configured_is_refused() -> None:
    with pytest.raises(InputError, match=r"has none\. Configure one"):
        plan(
            config_text=CONFIG.partition("environments:")[0],
            request=Request(environment="production"),
        )


# --- branches and versions


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (push(), True),
        (push("refs/heads/topic"), False),
        (push("refs/tags/main"), False),
        (event("schedule"), True),
        # Its ref is the branch that the pull request goes to; its commit is a stranger's.
        (event("pull_request_target"), False),
        (event("pull_request", "refs/pull/1/merge"), False),
    ],
)
def test_the_deploying_branches_are_those_configured(at: Event, expected: bool) -> None:
    assert is_deploying(at, config()) is expected


def test_versions_match_the_tag_pattern() -> None:
    assert is_version("v1.2", config())
    assert not is_version("nightly", config())
    assert not is_version("v1.2", config(CONFIG.replace("tag-pattern: v*\n", "")))
    assert not is_version("", config())


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        pytest.param(
            event("release", "refs/tags/v1.5.0", action="deleted"), "deleted", id="deleted-release"
        ),
        pytest.param(
            event("release", "refs/tags/v1.5.0", action="created"), "created", id="drafted-release"
        ),
        pytest.param(event("release", "refs/tags/v1.5.0", action="published"), "", id="published"),
        pytest.param(event("workflow_run", conclusion="failure"), "failure", id="failed-run"),
        pytest.param(event("workflow_run", conclusion="success"), "", id="successful-run"),
        pytest.param(
            event("workflow_run", conclusion="success", followed="push", followed_branch="main"),
            "",
            id="of-a-push",
        ),
        pytest.param(
            event(
                "workflow_run",
                conclusion="success",
                followed="pull_request",
                followed_branch="main",
            ),
            "pull_request",
            id="of-a-pull-request",
        ),
        pytest.param(
            event("workflow_run", conclusion="success", followed="push", followed_branch="topic"),
            "topic",
            id="of-another-branch",
        ),
        pytest.param(
            event("workflow_run", conclusion="success", followed="push", followed_sha="1c" * 20),
            "1c1c1c1",
            id="of-another-commit",
        ),
        pytest.param(
            event("workflow_run", conclusion="success", followed="push", followed_sha=HEAD),
            "",
            id="of-this-commit",
        ),
        pytest.param(
            event("workflow_run", conclusion="success", followed="pull_request_review"),
            "pull_request_review",
            id="of-a-review",
        ),
    ],
)
def test_what_was_taken_back_or_failed_deploys_nothing(at: Event, reason: str) -> None:
    text = re.sub(
        "(production:\n    on: ).*", r"\1{branches: [main], tags: [v*], workflow-run: true}", CONFIG
    )

    made = plan("src/main.ts", config_text=text, at=at)

    production = made.environments[0]
    assert production.deploy is (reason == "")
    assert reason in production.reason


def test_an_environments_own_branch_deploys_like_any_other() -> None:
    text = f"{CONFIG}  preview:\n    on: {{branches: [preview/**]}}\n"

    assert is_deploying(event("push", "refs/heads/preview/a"), config(text))
    assert not is_deploying(event("push", "refs/heads/topic"), config(text))


# --- remarks


def remarks(made: Plan) -> list[str]:
    """The remarks, with their places."""
    return [f"{one.where}: {one.message}" if one.where else one.message for one in made.remarks]


def test_the_example_gives_no_cause_for_remarks() -> None:
    assert remarks(plan("src/main.ts")) == []


def test_an_age_without_records_is_remarked_on() -> None:
    text = CONFIG.replace("typical-minutes: 2", "max-age: 30d")

    assert remarks(plan("src/main.ts", config_text=text)) == [
        f"{orient.SOURCE}:17:3: dashboard: max-age has no effect with `baseline: push`"
    ]


def test_a_dockerfile_that_is_not_there_is_remarked_on() -> None:
    listing = [path for path in orient.LISTING if path != "packages/dashboard/Dockerfile"]

    assert remarks(plan("src/main.ts", listing=listing)) == [
        f"{orient.SOURCE}:17:3: dashboard: its Dockerfile packages/dashboard/Dockerfile is not in "
        "the commit"
    ]


@pytest.mark.parametrize(
    ("old", "new", "remarked"),
    [
        ("ignore: [", "ignore: [packages/dashboard/Dockerfile, ", True),
        ("watch: [packages/dashboard/**", "watch: [packages/dashboard/src/**", True),
        ("watch-all: [", "watch-all: ['**/Dockerfile', ", False),
    ],
)
def test_a_dockerfile_that_builds_nothing_is_remarked_on(
    old: str, new: str, remarked: bool
) -> None:
    found = remarks(plan("src/main.ts", config_text=CONFIG.replace(old, new)))

    assert any("dashboard: its Dockerfile" in one for one in found) is remarked


def test_a_compose_file_that_is_not_there_is_remarked_on_once() -> None:
    text = CONFIG.replace("{legacy: [", "{legacy: [docker/docker-compose.prod.yml, ")
    listing = [path for path in orient.LISTING if "prod" not in path]

    assert remarks(plan("src/main.ts", config_text=text, listing=listing)) == [
        f"{orient.SOURCE}:25:3: production: its compose file docker/docker-compose.prod.yml is not "
        "in the commit"
    ]


def test_patterns_that_match_nothing_are_remarked_on_at_their_place() -> None:
    text = (
        CONFIG.replace("watch: [src/**,", "watch: [source/**, 'app/[id]/**',")
        .replace("watch-all: [", "watch-all: [yarn.lock, ")
        .replace('ignore: ["**/*.md"', 'ignore: ["**/*.md", "!x.md"')
        .replace("sync: [", "sync: [conf/*, ")
    )
    nothing = "matches no file of the commit"

    assert sorted(remarks(plan("src/main.ts", config_text=text))) == [
        f"{orient.SOURCE}:22:13: watch-all: yarn.lock {nothing}",
        f"{orient.SOURCE}:23:21: ignore: !x.md {nothing}",
        f"{orient.SOURCE}:32:12: environments.production.sync: conf/* {nothing}",
        f"{orient.SOURCE}:9:13: images.opencode.watch: source/** {nothing}",
        f"{orient.SOURCE}:9:24: images.opencode.watch: app/[id]/** {nothing} "
        "('[…]' is a character class: a '[' itself is written '[[]')",
    ]


# --- properties

PATHS = st.lists(
    st.one_of(
        st.sampled_from(orient.LISTING),
        st.builds(
            "{}/{}".format,
            st.sampled_from(["src", "packages/core", "packages/dashboard", "docs", "docker"]),
            st.text(min_size=1, max_size=8).filter(lambda name: "/" not in name),
        ),
    ),
    max_size=8,
)
WATCHED = {  # the table of the example, by hand
    "opencode": ("src/", "packages/core/", "packages/mcp-tools/", "docker/Dockerfile.opencode"),
    "whatsapp": ("packages/bot-whatsapp/", "packages/core/"),
    "dashboard": ("packages/dashboard/", "packages/core/"),
}


@given(PATHS)
def test_every_changed_file_that_an_image_watches_builds_it(paths: list[str]) -> None:
    counted = [path for path in paths if not path.endswith(".md")]
    expected = {
        image
        for image, starts in WATCHED.items()
        if any(
            path.startswith(starts) or path in ("package.json", "pnpm-lock.yaml")
            for path in counted
        )
    }

    made = plan(*paths)

    assert set(built(made)) == expected
    for image in made.images:
        assert set(image.files) <= set(counted)
        assert image.build is bool(image.files)


@given(PATHS, PATHS)
def test_more_changes_never_build_or_deploy_less(few: list[str], more: list[str]) -> None:
    small, large = plan(*few), plan(*few, *more)

    assert set(small.to_build) <= set(large.to_build)
    assert set(small.destinations) <= set(large.destinations)


@given(
    PATHS,
    st.sampled_from(["pull_request", "pull_request_target", "merge_group", "delete", "x"]),
    st.sampled_from([*REFS.values(), "refs/pull/7/merge", ""]),
    st.booleans(),
    st.booleans(),
)
def test_a_pull_request_never_deploys(
    paths: list[str], name: str, ref: str, force: bool, known: bool
) -> None:
    made = plan(
        *paths,
        at=event(
            name, ref, pull_request=PullRequest(number=7, head_sha="", base_sha="", base_ref="")
        ),
        request=Request(force=force),
        base=orient.TO_PRODUCTION if known else no_base(),
    )

    assert not made.deploy.deploy
    assert not deployed(made)


@given(PATHS, st.permutations(["opencode", "whatsapp", "dashboard"]))
def test_the_order_of_the_configuration_decides_nothing(paths: list[str], order: list[str]) -> None:
    whole = config()
    shuffled = dataclasses.replace(whole, images=tuple(whole.image(name) for name in order))

    made = plan(*paths, configured=shuffled)

    assert set(made.to_build) == set(plan(*paths).to_build)
    assert [image.name for image in made.images] == order
