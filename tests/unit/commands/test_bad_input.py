"""What goes wrong around an action: each case has its exit code and says what to do next."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orient_deploy.commands import main
from orient_deploy.config import ConfigError
from orient_deploy.errors import OrientError
from orient_deploy.runner import Log
from orient_deploy.text import sentence
from tests.fakes.git_server import GitServer, GitServerOptions
from tests.fakes.repositories import RepositoryBuilder, check_out, clone

from .conftest import CONFIG, Consumer, run_command

Change = Callable[[Consumer], dict[str, str | None]]


def with_config(text: str | bytes) -> Change:
    def change(consumer: Consumer) -> dict[str, str | None]:
        path = consumer.workspace / ".github/orient-deploy.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return {}

    return change


def with_event(text: str) -> Change:
    def change(consumer: Consumer) -> dict[str, str | None]:
        consumer.event = text
        return {}

    return change


def with_env(**changes: str | None) -> Change:
    return lambda consumer: changes


def unreadable_config(consumer: Consumer) -> dict[str, str | None]:
    path = consumer.workspace / ".github/orient-deploy.yml"
    path.unlink()
    path.mkdir()
    return {}


def not_a_repository(consumer: Consumer) -> dict[str, str | None]:
    (consumer.temp / "empty").mkdir()
    return {"GITHUB_WORKSPACE": str(consumer.temp / "empty"), "GITHUB_SERVER_URL": None}


def fake_git(version: str) -> Change:
    def change(consumer: Consumer) -> dict[str, str | None]:
        folder = consumer.temp / "bin"
        folder.mkdir()
        (folder / "git").write_text(f"#!/bin/sh\necho 'git version {version}'\n")
        (folder / "git").chmod(0o755)
        return {"PATH": str(folder)}

    return change


def no_git(consumer: Consumer) -> dict[str, str | None]:
    (consumer.temp / "bin").mkdir()
    return {"PATH": str(consumer.temp / "bin")}


BOMB = "version: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def parts_of(error: OrientError) -> list[tuple[str, str, str]]:
    """What happened or where, why, and what to do: of each problem, or of the error itself."""
    if isinstance(error, ConfigError):
        return [(str(one.where), one.message, one.fix) for one in error.problems]
    return [(error.what, error.why, error.next_step)]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        pytest.param(with_env(INPUT_FORCE="yes"), 2, "input 'force' is 'yes'", id="boolean"),
        pytest.param(
            with_env(INPUT_FORCE="true", INPUT_IMAGES="api"),
            2,
            "inputs 'force' and 'images' contradict each other",
            id="force-and-names",
        ),
        pytest.param(
            with_env(INPUT_CONFIG="other.yml", INPUT_IMAGES="api: {watch: [a]}"),
            2,
            "inputs 'config' and 'images' contradict each other",
            id="file-and-inline",
        ),
        pytest.param(
            with_env(INPUT_IMAGES="apo"), 2, "no image is called 'apo'", id="unknown-image"
        ),
        pytest.param(
            with_env(INPUT_ENVIRONMENT="prod"),
            2,
            "no environment is called 'prod'",
            id="unknown-environment",
        ),
        pytest.param(
            with_env(INPUT_BASE="nope", GITHUB_SERVER_URL=""),
            2,
            "'nope' names no commit of acme/app",
            id="base-names-nothing",
        ),
        pytest.param(
            with_env(INPUT_BASE="--upload-pack=touch x"),
            2,
            "names no commit of acme/app",
            id="base-is-an-option",
        ),
        pytest.param(
            with_env(INPUT_COMMIT="nope", GITHUB_SERVER_URL=""),
            2,
            "'nope' names no commit",
            id="commit-names-nothing",
        ),
        pytest.param(
            with_env(INPUT_PATH="elsewhere"), 2, "there is no folder 'elsewhere'", id="path"
        ),
        pytest.param(with_config(""), 2, "there is nothing here", id="empty-config"),
        pytest.param(with_config("x" * 5_000_000), 2, "1,048,576 bytes", id="config-of-5-mb"),
        pytest.param(with_config(BOMB), 2, "alias", id="yaml-bomb"),
        pytest.param(with_config(b"\xff\xfe"), 2, "UTF-8", id="config-is-no-text"),
        pytest.param(with_config("version: [1"), 2, "not YAML", id="config-is-no-yaml"),
        pytest.param(
            with_config(CONFIG.replace("watch-all", "watchall")), 2, "watch-all", id="unknown-key"
        ),
        pytest.param(unreadable_config, 2, "cannot be read", id="config-is-a-folder"),
        pytest.param(
            with_env(INPUT_CONFIG="other.yml"), 2, "there is no configuration", id="no-config"
        ),
        pytest.param(with_env(INPUT_CONFIG="/nowhere.yml"), 2, "/nowhere.yml", id="config-path"),
        pytest.param(with_event("{"), 2, "JSON", id="malformed-event"),
        pytest.param(with_event("[]"), 2, "object", id="event-is-a-list"),
        pytest.param(
            with_env(GITHUB_EVENT_PATH="/nowhere/event.json"), 3, "event", id="missing-event-file"
        ),
        pytest.param(with_env(GITHUB_EVENT_PATH=None), 3, "GITHUB_EVENT_PATH", id="no-event-path"),
        pytest.param(
            with_env(GITHUB_OUTPUT="/nowhere/output"), 3, "GITHUB_OUTPUT", id="unwritable-output"
        ),
        pytest.param(
            with_env(GITHUB_STEP_SUMMARY="/nowhere/summary"),
            3,
            "GITHUB_STEP_SUMMARY",
            id="unwritable-summary",
        ),
        pytest.param(with_env(RUNNER_TEMP="/nowhere"), 3, "/nowhere", id="unwritable-temp"),
        pytest.param(no_git, 3, "git", id="no-git"),
        pytest.param(fake_git("2.29.3"), 3, "2.29", id="old-git"),
        pytest.param(fake_git("who knows"), 3, "git", id="git-without-a-version"),
        pytest.param(not_a_repository, 2, "repository", id="not-a-repository"),
        pytest.param(
            with_env(GITHUB_SERVER_URL="--upload-pack=x"), 2, "address", id="server-is-an-option"
        ),
    ],
)
def test_each_mistake_has_its_exit_code_and_says_what_to_do(
    consumer: Consumer,
    monkeypatch: pytest.MonkeyPatch,
    change: Change,
    code: int,
    said: str,
) -> None:
    met: list[OrientError] = []
    tell = main._report

    def listen(error: OrientError, log: Log) -> None:
        met.append(error)
        tell(error, log)

    monkeypatch.setattr(main, "_report", listen)

    finished = consumer.run("detect", **change(consumer))

    assert finished.code == code, finished.stdout
    assert any(said in error for error in finished.errors), finished.errors
    parts = [part for error in met for part in parts_of(error)]
    assert len(met) == 1 and len(parts) == len(finished.errors)
    for (what, why, next_step), error in zip(parts, finished.errors, strict=True):
        assert len(what.split()) > 1 or ":" in what, what  # a sentence, or a place in a file
        assert why.strip(" .") and why.strip(" .") in error
        assert re.match(r"[A-Z][a-z]+.*[ '`]", next_step), next_step
        assert error.endswith(sentence(next_step))
        assert len({what, why, next_step}) == 3
    assert finished.summary.startswith("### ") or "GITHUB_STEP_SUMMARY" in said
    assert "Traceback" not in finished.stdout
    assert os.listdir(consumer.temp) == [  # the private repository is gone
        name for name in os.listdir(consumer.temp) if not name.startswith("orient-history")
    ]


def test_config_errors_point_at_their_lines(consumer: Consumer) -> None:
    text = "version: 1\nimages:\n  api:\n    watsch: [api/**]\n    dockerfile: [x]\n"
    with_config(text)(consumer)

    finished = consumer.run("detect")

    assert finished.code == 2
    assert "file=.github/orient-deploy.yml,line=4,col=5" in finished.stdout
    assert "file=.github/orient-deploy.yml,line=5,col=17" in finished.stdout


@pytest.mark.parametrize("event", ["issue_comment", "something_new"])
def test_an_unknown_event_builds_everything_and_names_it(consumer: Consumer, event: str) -> None:
    finished = consumer.run("detect", GITHUB_EVENT_NAME=event)

    assert finished.code == 0
    assert finished.outputs["builds"] == '{"api":"true","web":"true"}'
    assert event in finished.outputs["reason"]
    assert finished.outputs["deploy"] == "false"


@pytest.mark.parametrize(
    ("before", "said"),
    [
        pytest.param("0" * 40, "this is the first push of the branch", id="first-push"),
        pytest.param("ab" * 20, "could not be fetched", id="no-network"),
    ],
)
def test_a_base_that_cannot_be_had_builds_everything_and_succeeds(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, before: str, said: str
) -> None:
    monkeypatch.setattr("orient_deploy.history.remote._sleep", lambda seconds: None)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    consumer.event["before"] = before

    finished = consumer.run("detect")

    assert finished.code == 0
    assert finished.outputs["images"] == '["api","web"]'
    assert said in finished.outputs["reason"]
    assert said in finished.summary


@pytest.mark.parametrize("reachable", [True, False])
def test_a_base_without_its_files_builds_everything(
    consumer: Consumer, tmp_path: Path, reachable: bool
) -> None:
    """A treeless clone has all commits, and the trees of the one that is checked out."""
    (tmp_path / "served" / "acme").mkdir(parents=True)
    served = consumer.builder.directory.rename(tmp_path / "served/acme/app")
    treeless = clone(served, tmp_path / "treeless", "--filter=tree:0")
    with GitServer(tmp_path / "served", GitServerOptions(token="right")) as server:
        finished = consumer.run(
            "detect",
            GITHUB_WORKSPACE=str(treeless),
            GITHUB_SERVER_URL=server.url if reachable else None,
            INPUT_TOKEN="wrong",
        )

    assert finished.code == 0, finished.stdout
    assert finished.outputs["builds"] == '{"api":"true","web":"true"}'
    assert f"the files of {consumer.first[:7]} cannot be had" in finished.outputs["reason"]


def test_a_server_without_filters_is_no_obstacle(consumer: Consumer, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "served" / "acme").mkdir(parents=True)
    consumer.builder.directory.rename(tmp_path / "served/acme/app")
    with GitServer(tmp_path / "served", GitServerOptions(allow_filter=False)) as server:
        finished = consumer.run(
            "detect", GITHUB_WORKSPACE=str(tmp_path / "none"), GITHUB_SERVER_URL=server.url
        )

    assert finished.code == 0, finished.stdout
    assert finished.outputs["builds"] == '{"api":"false","web":"true"}'


def test_a_repository_of_one_commit_builds_everything(consumer: Consumer, tmp_path: Path) -> None:
    workspace = check_out(
        consumer.builder.directory, tmp_path / "one", consumer.first, "refs/heads/main", "--depth=1"
    )
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run(["git", "-C", str(workspace), "checkout", "-qB", "main"], check=True)

    finished = run_command(("plan", "--path", str(workspace), "--json"), env)

    assert finished.code == 0, finished.stderr
    assert json.loads(finished.stdout)["images"] == ["api", "web"]


def test_an_empty_repository_is_a_clear_error(tmp_path: Path) -> None:
    builder = RepositoryBuilder(tmp_path / "empty")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    finished = run_command(("plan", "--path", str(builder.directory)), env)

    assert finished.code == 2
    assert "has no commit" in finished.stdout


def test_a_laptop_outside_a_repository_is_told_so(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    finished = run_command(("plan", "--path", str(tmp_path)), env)

    assert finished.code == 2
    assert "is not in a git repository" in finished.stdout


def test_a_fault_of_ours_is_reported_as_such(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("::error::injected\n::set-output name=x::y")

    monkeypatch.setattr("orient_deploy.commands.detect.make_plan", fail)

    finished = consumer.run("detect")

    assert finished.code == 70
    assert len(finished.errors) == 1 and "Please report it" in finished.errors[0]
    assert "RuntimeError" in finished.stdout


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        pytest.param("", "input 'needs' is not set", id="missing"),
        pytest.param("{", "it is no JSON", id="malformed"),
        pytest.param("[]", "it is a list", id="list"),
        pytest.param('{"build": {}}', "'build' has no result", id="no-result"),
        pytest.param('{"build": {"result": "odd"}}', "'build' has no result", id="odd-result"),
    ],
)
def test_needs_that_are_none_are_refused(consumer: Consumer, needs: str, said: str) -> None:
    finished = consumer.run("gate", INPUT_NEEDS=needs)

    assert finished.code == 2
    assert said in finished.errors[0]


@pytest.mark.parametrize(
    "builds", ["x", "[]", '{"other": "true"}', '{"api": "maybe"}'], ids=lambda text: text[:8]
)
def test_builds_that_detect_never_wrote_are_refused(consumer: Consumer, builds: str) -> None:
    finished = consumer.run("matrix", INPUT_BUILDS=builds)

    assert finished.code == 2
    assert "input 'builds' is not what detect puts out" in finished.errors[0]


def test_an_unwritable_output_is_found_before_anything_is_claimed(consumer: Consumer) -> None:
    finished = consumer.run("detect", GITHUB_OUTPUT="/nowhere/output")

    assert finished.code == 3
    assert "Build " not in finished.stdout + finished.summary
    assert finished.summary.startswith("### GITHUB_OUTPUT")


@pytest.mark.parametrize(
    "argv",
    [(), ("nope",), ("plan", "--nope"), ("config", "nope")],
    ids=lambda a: "-".join(a) or "none",
)
def test_a_wrong_command_line_ends_with_2(
    argv: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = run_command(argv, {"PATH": os.environ["PATH"]}).code
    except SystemExit as end:  # argparse's own way
        code = end.code

    assert code == 2


@pytest.mark.parametrize("given", [None, ""], ids=["unset", "empty"])
@pytest.mark.parametrize("command", ["detect", "matrix", "plan", "gate"])
def test_outputs_that_nobody_reads_are_no_success(
    consumer: Consumer, command: str, given: str | None
) -> None:
    finished = consumer.run(command, GITHUB_OUTPUT=given, INPUT_NEEDS="{}")

    assert finished.code == 3
    assert "GITHUB_OUTPUT is not set" in finished.errors[0]
    assert "Build " not in finished.stdout + finished.summary


def test_an_old_runner_without_summaries_is_no_obstacle(consumer: Consumer) -> None:
    finished = consumer.run("detect", GITHUB_STEP_SUMMARY=None)

    assert finished.code == 0, finished.stdout
    assert finished.outputs["any"] == "true"
