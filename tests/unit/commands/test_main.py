"""The way in: which command, how it prints, and what becomes of an error."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest

from orient_deploy import __version__
from orient_deploy.commands.main import COMMANDS, main, main_cli
from orient_deploy.plan.gate import MATRIX_JOBS

from .conftest import CONFIG, Consumer, run_command

if TYPE_CHECKING:
    from pathlib import Path

    from orient_deploy.commands.context import Context


class Terminal(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("is_terminal", "env", "argv", "coloured"),
    [
        pytest.param(True, {}, (), True, id="terminal"),
        pytest.param(False, {}, (), False, id="pipe"),
        pytest.param(True, {"NO_COLOR": "1"}, (), False, id="no-color"),
        pytest.param(True, {"NO_COLOR": ""}, (), False, id="no-color-empty"),
        pytest.param(True, {"GITHUB_ACTIONS": "false"}, (), True, id="no-runner"),
        pytest.param(True, {}, ("--json",), False, id="json-on-a-terminal"),
    ],
)
def test_colour_is_for_terminals_whose_owner_wants_it(
    consumer: Consumer,
    is_terminal: bool,
    env: dict[str, str],
    argv: tuple[str, ...],
    coloured: bool,
) -> None:
    stdout, stderr = Terminal(is_terminal), Terminal(False)
    given = {"PATH": os.environ["PATH"], "GITHUB_OUTPUT": str(consumer.temp / "output"), **env}

    main(
        ["plan", "--path", str(consumer.workspace), *argv], env=given, stdout=stdout, stderr=stderr
    )

    assert stdout.getvalue()
    assert ("\x1b[" in stdout.getvalue()) is coloured
    assert "\x1b[" not in stderr.getvalue()


def test_a_runners_log_has_no_colour_even_on_a_terminal(consumer: Consumer) -> None:
    (consumer.temp / "event.json").write_text("{}")
    stdout = Terminal(True)

    code = main(["detect"], env=consumer.env, stdout=stdout, stderr=Terminal(True))

    assert code == 0
    assert "Build 2 of 2 images" in stdout.getvalue()
    assert "\x1b[" not in stdout.getvalue()


def test_with_json_it_is_the_other_stream_that_has_colour(consumer: Consumer) -> None:
    stdout, stderr = Terminal(False), Terminal(True)

    code = main(
        ["plan", "--json", "--path", str(consumer.temp)],
        env={"PATH": os.environ["PATH"]},
        stdout=stdout,
        stderr=stderr,
    )

    assert (code, stdout.getvalue()) == (2, "")
    assert stderr.getvalue().startswith("\x1b[31merror\x1b[0m: ")


def many_problems(count: int) -> str:
    """A configuration with so many unknown keys."""
    return CONFIG + "".join(f"odd-{index}: <b>\n" for index in range(count))


def test_more_problems_than_annotations_are_in_the_summary(consumer: Consumer) -> None:
    (consumer.workspace / ".github/orient-deploy.yml").write_text(many_problems(15))

    finished = consumer.run("detect")

    assert finished.code == 2
    assert finished.errors[-1] == "and 6 more: see the summary"
    assert finished.summary.startswith("### Configuration cannot be used: 15 problems\n")
    items = [line for line in finished.summary.splitlines() if line.startswith("- ")]
    assert len(items) == 15
    assert all("<code>.github/orient-deploy.yml&#58;" in one for one in items)
    assert all(f"odd-{index}" in one for index, one in enumerate(items))
    assert finished.outputs == {}


def test_the_summary_of_an_error_stays_within_its_budget(consumer: Consumer) -> None:
    (consumer.workspace / ".github/orient-deploy.yml").write_text(many_problems(30))
    earlier = "x" * 919_000 + "\n"
    (consumer.temp / "summary").write_text(earlier)

    finished = consumer.run("detect")

    assert finished.code == 2
    assert "are left out" in finished.summary
    assert len(finished.summary.encode()) <= 900 * 1024


@pytest.mark.parametrize("summary", ["/nowhere/summary", "", None])
def test_a_summary_that_cannot_be_written_hides_no_error(
    consumer: Consumer, summary: str | None
) -> None:
    (consumer.workspace / ".github/orient-deploy.yml").write_text("version: 1\nimges: {}\n")

    finished = consumer.run("detect", GITHUB_STEP_SUMMARY=summary)

    assert finished.code == 2
    assert any("Did you mean 'images'?" in error for error in finished.errors), finished.errors
    assert not any("?." in error for error in finished.errors)
    assert ("GITHUB_STEP_SUMMARY" in finished.stdout) is bool(summary)


def test_an_error_about_the_summary_is_said_once(consumer: Consumer) -> None:
    finished = consumer.run("detect", GITHUB_STEP_SUMMARY="/nowhere/summary")

    assert finished.code == 3
    assert finished.stdout.count("cannot be written") == 1


def test_an_error_on_a_laptop_writes_no_summary(consumer: Consumer) -> None:
    env = {key: consumer.env[key] for key in ("PATH", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}

    finished = run_command(("plan", "--path", str(consumer.temp)), env)

    assert (finished.code, finished.summary) == (2, "")


def test_an_interrupted_run_ends_as_shells_expect(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orient_deploy.commands.detect.make_plan", interrupt)

    assert consumer.run("detect").code == 130


def test_a_reader_that_went_away_is_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def hang_up(inputs: object, context: Context) -> int:
        raise BrokenPipeError

    monkeypatch.setattr("orient_deploy.commands.detect.run", hang_up)
    with open(tmp_path / "out", "w", encoding="utf-8") as stdout:
        assert main(["detect"], env={}, stdout=stdout, stderr=io.StringIO()) == 0
        stdout.write("lost")
    assert (tmp_path / "out").read_text() == ""


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_names_every_command(flag: str) -> None:
    finished = run_command((flag,), {})

    assert finished.code == 0
    assert all(f"  {name} " in finished.stdout for name in COMMANDS)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(("--version",), {}).stdout == f"orient-deploy {__version__}\n"


def test_an_unknown_command_is_named_and_answered_with_the_usage() -> None:
    finished = run_command(("nope", "::error::x"), {})

    assert finished.code == 2
    assert "there is no command" in finished.stderr
    assert "usage: orient-deploy" in finished.stderr


def test_the_console_script_takes_the_process_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["orient-deploy", "--version"])

    assert main_cli() == 0
    assert capsys.readouterr().out.startswith("orient-deploy ")


def test_a_secret_is_no_flag_and_the_matrix_jobs_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        run_command(("gate", "--help"), {})

    text = capsys.readouterr().out
    assert end.value.code == 0
    assert "--token" not in text
    assert "--may-skip" in text
    assert all(f"'{job}'" in text for job in MATRIX_JOBS)
