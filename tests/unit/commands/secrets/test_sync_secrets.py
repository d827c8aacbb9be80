"""From .env.production to GitHub, by the commands that people and workflows start."""

from __future__ import annotations

import html
import json
import random
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.github_state import GitHubState
from tests.unit.commands.secrets.conftest import CANARY, KEY, TOKEN, Project

DATABASE_URL = f"postgres://bot:{CANARY}@db/bot".encode()
STATE = "ORIENT_DEPLOY_SECRETS"
SECRETS = "/repos/acme/orient/actions/secrets"


def test_what_arrives_is_what_the_file_says(project: Project, github: GitHubState) -> None:
    done = project.apply()

    assert done.code == 0, done.stdout
    assert github.secrets() == {
        "DATABASE_URL": DATABASE_URL,
        "JWT": b"0123456789abcdef0123456789abcdef",
    }
    assert github.variables()["NODE_ENV"] == "production"
    assert json.loads(github.variables()[STATE])["written"].keys() == {"DATABASE_URL", "JWT"}


def test_a_laptop_writes_only_when_told_to(project: Project, github: GitHubState) -> None:
    done = project.run("secrets", "apply")

    assert done.code == 0
    assert "3 to create" in done.stdout and "dry run" in done.stdout
    assert github.writes == []


def test_a_workflow_writes_unless_told_not_to(project: Project, github: GitHubState) -> None:
    dry = project.act("sync-secrets", INPUT_DRY_RUN="true")

    assert (dry.code, github.writes) == (0, [])
    assert dry.outputs["changed"] == "true"
    assert json.loads(dry.outputs["plan"]) == {
        "secrets": {"DATABASE_URL": "create", "JWT": "create"},
        "variables": {"NODE_ENV": "create"},
    }
    assert "This was a dry run" in dry.summary

    done = project.act("sync-secrets")

    assert json.loads(done.outputs["written"]) == ["DATABASE_URL", "JWT", "NODE_ENV"]
    assert (done.code, done.outputs["failed"]) == (0, "[]")
    assert "3 of 3 written" in done.summary
    assert "2 of 3: create JWT" in done.stdout


def test_an_unchanged_plan_of_100_names_asks_three_times(
    project: Project, github: GitHubState
) -> None:
    names = [f"NAME_{number}" for number in range(100)]
    project.write(".env.preview", "".join(f"{name}=value-of-{name}\n" for name in names))
    first = project.run("secrets", "apply", "--environment=preview", "--dry-run=false")
    assert first.code == 0, first.stdout
    before = len(github.journal)

    again = project.run("secrets", "apply", "--environment=preview", "--dry-run=false")

    assert again.code == 0
    assert "nothing to write" in again.stdout and "100 unchanged" in again.stdout
    asked = github.journal[before:]
    assert len(asked) <= 3 and not any(one.writes for one in asked)


def test_a_changed_value_is_one_write_and_its_note(project: Project, github: GitHubState) -> None:
    project.apply()
    before = len(github.writes)
    project.write(".env.production", f"DATABASE_URL='{CANARY}'\nJWT=fedcba9876543210\n")

    done = project.run("secrets", "apply", "--dry-run=false")

    assert done.code == 0
    written = [one.path for one in github.writes[before:]]
    assert written == [
        f"{SECRETS}/DATABASE_URL",
        f"{SECRETS}/JWT",
        f"/repos/acme/orient/actions/variables/{STATE}",
    ]
    assert github.secret(None, "JWT") == b"fedcba9876543210"


def test_a_secret_changed_in_the_web_page_is_seen(project: Project, github: GitHubState) -> None:
    project.apply()
    github.put_secret(None, "JWT", b"somebody-else-s")

    done = project.run("secrets", "plan")

    assert "update" in done.stdout and "changed at GitHub since we wrote it" in done.stdout


@pytest.mark.parametrize(
    ("env", "code", "said"),
    [
        pytest.param({"GH_TOKEN": None}, 2, "there is no token for GitHub's secrets", id="token"),
        pytest.param({"GH_TOKEN": "github_pat_wrong"}, 4, "GitHub answered 401", id="wrong-token"),
        pytest.param({"ORIENT_DEPLOY_KEY": "abcd"}, 2, "it is not 64 hex digits", id="key"),
        pytest.param({"PATH": "/nonexistent"}, 3, "Install git", id="nothing-installed"),
        pytest.param({"HOME": "/nonexistent"}, 3, "there is no docker compose", id="no-compose"),
        pytest.param(
            {"GITHUB_API_URL": "http://127.0.0.1:9"}, 4, "the connection failed", id="no-network"
        ),
    ],
)
def test_what_is_lacking_is_named_and_nothing_is_written(
    project: Project,
    github: GitHubState,
    monkeypatch: pytest.MonkeyPatch,
    env: dict[str, str | None],
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: 0.0)

    done = project.apply(**env)

    assert (done.code, github.writes) == (code, [])
    assert said in done.stdout
    if env.get("GH_TOKEN"):
        github.excuse()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("A=pa$$word\n", "outside of single quotes", id="dollar"),
        pytest.param("A='one\ntwo'\n", "a value of several lines", id="lines"),
        pytest.param("A=long-enough\nA=long-enough\n", "a name that stands twice", id="twice"),
        pytest.param("A=long-enough\r\n", "a carriage return", id="CRLF"),
        pytest.param("\ufeffA=long-enough\n", "a byte order mark", id="BOM"),
        pytest.param("GITHUB_A=long-enough\n", "begin with GITHUB_", id="GITHUB"),
        pytest.param("A=\n", "it is empty", id="empty"),
        pytest.param("A=abc\n", "it cannot be masked in a log", id="short"),
        pytest.param("A=true\n", "it cannot be masked in a log", id="true"),
        pytest.param(f"A={'x' * 50_000}\n", "larger than the 48 KB", id="large"),
        pytest.param("JWT=too-short\n", "shorter than the 16 characters", id="min-length"),
        pytest.param("B=long-enough\n", "it is required", id="required"),
    ],
)
def test_what_must_not_be_written_stops_everything(
    project: Project, github: GitHubState, text: str, said: str
) -> None:
    required = "" if "required" in said else "DATABASE_URL=x-y-z\n"
    project.write(".env.production", f"{text}{required}")

    done = project.act("sync-secrets")

    assert (done.code, github.writes) == (2, [])
    assert "nothing is written" in done.errors[0]
    assert said in html.unescape(done.summary)
    assert done.outputs["changed"] == "false"


def test_accepted_by_name_a_pem_arrives_whole(project: Project, github: GitHubState) -> None:
    pem = "-----BEGIN KEY-----\nMIIE+/abc\n-----END KEY-----\n"
    project.write(".env.production", f'DATABASE_URL=long-enough\nTLS="{pem}"\n')

    refused = project.apply()
    done = project.run("secrets", "apply", "--dry-run=false", "--accept=TLS")

    assert (refused.code, done.code) == (2, 0)
    assert github.secret(None, "TLS") == pem.encode()


def test_the_file_may_come_from_one_secret(project: Project, github: GitHubState) -> None:
    (project.folder / ".env.production").unlink()

    done = project.act("sync-secrets", INPUT_CONTENT=f"DATABASE_URL='{CANARY}'\n")

    assert done.code == 0, done.stdout
    assert github.secret(None, "DATABASE_URL") == CANARY.encode()
    assert sorted(path.name for path in project.temp.iterdir()) == ["output", "summary"]


def test_an_error_of_the_content_names_no_file_of_ours(project: Project) -> None:
    done = project.act("sync-secrets", INPUT_CONTENT=f"DATABASE_URL='{CANARY}\n")

    assert done.code == 2
    assert "the input 'content', line 1" in done.errors[0]
    assert str(project.temp) not in done.stdout


def test_without_a_configuration_the_inputs_say_everything(
    project: Project, github: GitHubState
) -> None:
    project.write("any.env", "API_KEY=long-enough\nPORT=80\nLOCAL=long-enough\n")

    done = project.act(
        "sync-secrets",
        INPUT_ENVIRONMENT=None,
        INPUT_PATH="docker",
        INPUT_FILE="../any.env",
        INPUT_VARIABLES="port",
        INPUT_SKIP="LOCAL",
        INPUT_SUFFIX="_TEST",
    )

    assert done.code == 0, done.stdout
    assert github.secrets() == {"API_KEY_TEST": b"long-enough"}
    assert github.variables()["PORT_TEST"] == "80"


def test_an_environment_of_github_gets_its_own(project: Project, github: GitHubState) -> None:
    project.write(".env.preview", "API_KEY=long-enough\n")

    done = project.run("secrets", "apply", "--environment=preview", "--dry-run=false")

    assert done.code == 0, done.stdout
    assert github.secrets("preview") == {"API_KEY": b"long-enough"}
    assert github.secrets() == {}


def test_suffixes_are_complete_both_ways_or_it_is_said(project: Project) -> None:
    project.apply()
    project.write(".env.staging", "DATABASE_URL=long-enough\nONLY_THERE=long-enough\n")
    project.run("secrets", "apply", "--environment=staging", "--dry-run=false")

    done = project.run("secrets", "plan")

    assert "staging has no counterpart of JWT." in done.stdout
    assert "production has no counterpart of ONLY_THERE." in done.stdout


def test_another_commit_s_configuration_does_not_say_what_is_a_secret(
    project: Project, github: GitHubState
) -> None:
    """A privileged run that checks out a fork: its `variables` would publish a secret."""
    done = project.act("sync-secrets", GITHUB_SHA="0" * 40)

    assert (done.code, github.journal) == (2, [])
    assert "what is checked out is not the commit of this run" in done.errors[0]


@pytest.mark.parametrize(
    ("prepare", "left"),
    [
        pytest.param(lambda: ["--prune"], {"DATABASE_URL", "JWT"}, id="max-prune-is-none"),
        pytest.param(lambda: ["--max-prune=9"], {"DATABASE_URL", "JWT"}, id="no-prune"),
        pytest.param(lambda: ["--prune", "--max-prune=1"], {"DATABASE_URL"}, id="pruned"),
    ],
)
def test_only_what_we_wrote_is_pruned_and_only_so_many(
    project: Project, github: GitHubState, prepare: Callable[[], list[str]], left: set[str]
) -> None:
    project.apply()
    github.put_secret(None, "SOMEBODYS", b"not-ours")
    project.write(".env.production", f"DATABASE_URL='postgres://bot:{CANARY}@db/bot'\n")

    done = project.run("secrets", "apply", "--dry-run=false", *prepare())

    assert done.code == 0
    assert github.secrets().keys() == {*left, "SOMEBODYS"}


def test_what_another_writes_during_the_run_is_not_taken_for_ours(
    project: Project, github: GitHubState
) -> None:
    github.fail(
        "PUT", "*/JWT", call=lambda: github.put_secret(None, "DATABASE_URL", b"of somebody else")
    )

    done = project.apply()

    assert done.code == 0
    plan = project.run("secrets", "plan").stdout
    assert "update  DATABASE_URL  changed at GitHub since we wrote it" in plan


def test_two_environments_do_not_overwrite_each_other(
    project: Project, github: GitHubState
) -> None:
    project.write(
        ".env.production", "DATABASE_URL=of-production\nDATABASE_URL_STAGING=of-production\n"
    )
    project.write(".env.staging", "DATABASE_URL=of-staging\n")
    project.apply()

    done = project.run("secrets", "apply", "--environment=staging", "--dry-run=false")

    assert done.code == 2
    assert "it is a secret of production: each would overwrite the other's" in done.stdout
    assert github.secret(None, "DATABASE_URL_STAGING") == b"of-production"


@pytest.mark.parametrize("text", ["", "[]", '{"orient-deploy-secrets":2}', "no JSON"])
def test_a_note_that_is_not_understood_is_not_overwritten(
    project: Project, github: GitHubState, text: str
) -> None:
    github.put_variable(None, STATE, text)

    done = project.apply()

    assert (done.code, github.writes) == (2, [])
    assert f"the variable {STATE} is not understood" in done.stdout


def test_a_token_for_secrets_alone_is_found_out_before_the_first(
    project: Project, github: GitHubState
) -> None:
    github.allow("github_pat_secrets-alone", secrets="write", variables="read")

    done = project.apply(GH_TOKEN="github_pat_secrets-alone")

    assert done.code == 4
    assert f"of the variable {STATE}, GitHub answered 403" in done.stdout
    assert github.secrets() == {}


def test_a_long_wait_is_told(
    project: Project, github: GitHubState, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    github.fail("PUT", "*/JWT", status=429, retry_after=77)

    done = project.apply()

    assert (done.code, max(waits)) == (0, 77.0)
    assert "GitHub asks to wait for 77 seconds" in done.stdout


def test_files_that_are_not_the_commit_s_do_not_say_what_is_a_secret(
    project: Project, github: GitHubState
) -> None:
    path = project.folder / ".github" / "orient-deploy.yml"
    path.write_text(path.read_text().replace("[NODE_ENV]", "[NODE_ENV, JWT]"))

    edited = project.act("sync-secrets")

    assert edited.code == 0
    assert "JWT" not in github.variables()

    (project.folder / ".git").rename(project.folder / "no.git")
    unknown = project.act("sync-secrets")

    assert unknown.code == 2
    assert "the workspace is no checkout of git" in unknown.errors[0]


def test_an_empty_file_prunes_nothing(project: Project, github: GitHubState) -> None:
    project.write(".env.preview", "A=long-enough\n")
    asked = ("secrets", "apply", "--environment=preview", "--dry-run=false")
    project.run(*asked)
    project.write(".env.preview", "# nothing yet\n")

    done = project.run(*asked, "--prune", "--max-prune=9")

    assert done.code == 0
    assert "more likely a mistake" in done.stdout
    assert github.secrets("preview").keys() == {"A"}


def test_without_an_environment_nothing_is_pruned(project: Project, github: GitHubState) -> None:
    """Two files without a configuration would take each other's secrets for their own."""
    project.write("any.env", "API_KEY=long-enough\n")
    inputs = {"INPUT_ENVIRONMENT": None, "INPUT_PATH": "docker", "INPUT_FILE": "../any.env"}

    done = project.act("sync-secrets", INPUT_PRUNE="true", INPUT_MAX_PRUNE="9", **inputs)

    assert (done.code, github.journal) == (2, [])
    assert "input 'prune' needs an environment" in done.errors[0]


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        pytest.param({"status": 403}, 4, "GitHub answered 403", id="403"),
        pytest.param({"status": 404}, 4, "GitHub answered 404", id="404"),
        pytest.param({"status": 500, "times": 9}, 4, "GitHub answered 500", id="500"),
        pytest.param({"drop": True, "times": 9}, 4, "the connection failed", id="dropped"),
        pytest.param({"status": 422, "times": 9}, 4, "GitHub refused", id="422"),
    ],
)
def test_a_partial_failure_leaves_a_true_note(
    project: Project,
    github: GitHubState,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: 0.0)
    github.fail("PUT", "*/secrets/JWT", **fault)

    done = project.act("sync-secrets")

    assert done.code == code
    assert any(said in one for one in (*done.errors, done.summary))
    assert json.loads(done.outputs["failed"])[0] == "JWT"
    assert json.loads(github.variables()[STATE])["written"].keys() == {"DATABASE_URL"}
    github._faults.clear()

    again = project.act("sync-secrets")

    assert again.code == 0
    assert "DATABASE_URL" not in json.loads(again.outputs["written"])
    assert github.secret(None, "JWT") == b"0123456789abcdef0123456789abcdef"


def test_gh_finds_the_same_secrets_and_variables(project: Project, github: GitHubState) -> None:
    project.apply()
    host, _, port = github.url.removeprefix("http://").partition(":")
    environment = {
        **project.laptop,
        "GH_HOST": "github.localhost",
        "GH_TOKEN": TOKEN,
        "HTTP_PROXY": f"http://{host}:{port}",
    }
    listed = subprocess.run(
        ["gh", "secret", "list", "-R", "acme/orient", "--json", "name"],
        env=environment,
        capture_output=True,
        check=True,
        timeout=30,
    )

    assert {one["name"] for one in json.loads(listed.stdout)} == {"DATABASE_URL", "JWT"}


def test_without_the_key_names_and_times_are_compared_and_it_is_said(project: Project) -> None:
    project.apply()

    done = project.run("secrets", "plan", ORIENT_DEPLOY_KEY=None)

    assert "No key for fingerprints was given" in done.stdout
    assert "2 not comparable" in done.stdout


def test_another_key_writes_everything_once(project: Project, github: GitHubState) -> None:
    project.apply()
    other = KEY[::-1]

    turned = project.apply(ORIENT_DEPLOY_KEY=other)
    again = project.apply(ORIENT_DEPLOY_KEY=other)

    assert "written with another key" in project.run("secrets", "plan").stdout
    assert "2 of 2 written" in turned.stdout
    assert "nothing to write" in again.stdout
