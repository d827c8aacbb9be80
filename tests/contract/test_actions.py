"""Every action.yml keeps the form that consumers rely on, and says what the code does."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import generate_docs

ROOT = Path(__file__).parents[2]
ENTRYPOINTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
COMMAND_LINE = "orient-deploy"  # the launcher that belongs to no action
NAMES = [name for name in ENTRYPOINTS if name != COMMAND_LINE]
USES = re.compile(r"^\s*(?:- )?uses:\s*(?P<reference>\S+)(?:\s+(?P<comment>#.*))?$", re.MULTILINE)

every_action = pytest.mark.parametrize("name", NAMES)


def action_path(name: str) -> Path:
    """The root action is the whole plan; every other one has its folder."""
    return ROOT / "action.yml" if name == "plan" else ROOT / "actions" / name / "action.yml"


def read_action(name: str) -> dict[str, Any]:
    """The action as the runner reads it."""
    action: dict[str, Any] = yaml.safe_load(action_path(name).read_text(encoding="utf-8"))
    return action


def command(name: str) -> Any:
    """The module behind an entrypoint."""
    return importlib.import_module(f"orient_deploy.commands.{name.replace('-', '_')}")


def step_of(name: str) -> dict[str, Any]:
    """The one step that does the work."""
    (step,) = read_action(name)["runs"]["steps"]
    assert isinstance(step, dict)
    return step


def plain(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def test_each_action_has_its_entrypoint() -> None:
    folders = {path.parent.name for path in ROOT.glob("actions/*/action.yml")}

    assert folders | {"plan"} == set(NAMES)
    assert COMMAND_LINE in ENTRYPOINTS


def test_launchers_differ_by_their_name_only() -> None:
    texts = {name: (ROOT / "scripts" / f"{name}.py").read_text(encoding="utf-8") for name in NAMES}
    shapes = {
        text.replace(f"action `{name}`", "action").replace(f'start("{name}")', "start()")
        for name, text in texts.items()
    }

    assert len(texts) > 1
    assert len(shapes) == 1


@every_action
def test_keys_stand_in_the_agreed_order(name: str) -> None:
    action = read_action(name)

    assert list(action) == [
        *("name", "description", "author", "branding", "inputs", "outputs", "runs")
    ]
    for given in action["inputs"].values():
        expected = ["description", "required"] + ([] if given["required"] else ["default"])
        assert [key for key in given if key != "deprecationMessage"] == expected
    for given in action["outputs"].values():
        assert list(given) == ["description", "value"]


@every_action
def test_defaults_are_quoted_strings(name: str) -> None:
    """A bare `false` is a boolean in YAML and a string on the runner: quotes leave no doubt."""
    root = yaml.compose(action_path(name).read_text(encoding="utf-8"))
    assert isinstance(root, yaml.MappingNode)
    inputs = next(value for key, value in root.value if key.value == "inputs")
    styles = {
        key.value: field.style
        for key, given in inputs.value
        for entry, field in given.value
        if entry.value == "default"
    }

    assert styles
    assert {one for one, style in styles.items() if style not in ('"', "'")} == set()


@every_action
def test_inputs_are_the_fields_of_the_command(name: str) -> None:
    """What must be given has no default in YAML and an empty one, if any, in the code."""
    inputs = read_action(name)["inputs"]
    declared = {
        one: (plain(given["description"]), "" if given["required"] else given["default"])
        for one, given in inputs.items()
    }
    expected = {}
    for field in fields(command(name).Inputs):
        default = "" if field.default is MISSING else field.default
        if isinstance(default, bool):
            default = "true" if default else "false"
        text = plain(field.metadata["help"])
        expected[field.name.replace("_", "-")] = (text, field.metadata["action_default"] or default)

    assert declared == expected


@every_action
def test_outputs_are_those_that_the_command_writes(name: str) -> None:
    outputs = read_action(name)["outputs"]
    values = {one: given["value"] for one, given in outputs.items()}

    assert tuple(outputs) == command(name).OUTPUTS
    assert values == {
        one: "${{ steps.%s.outputs.%s }}" % (step_of(name)["id"], one)  # noqa: UP031 - braces
        for one in outputs
    }
    assert all(plain(given["description"]) for given in outputs.values())


@every_action
def test_names_of_inputs_and_outputs_are_kebab_case(name: str) -> None:
    action = read_action(name)
    names = [*action["inputs"], *action["outputs"]]

    assert [one for one in names if not re.fullmatch(r"[a-z]+(-[a-z]+)*", one)] == []


@every_action
def test_every_input_reaches_the_program_through_its_environment(name: str) -> None:
    action = read_action(name)
    expected = {
        "INPUT_" + one.upper().replace("-", "_"): "${{ inputs.%s }}" % one  # noqa: UP031 - braces
        for one in action["inputs"]
    }

    assert step_of(name)["env"] == expected


@every_action
def test_one_composite_step_in_bash_without_expressions(name: str) -> None:
    action = read_action(name)
    run = step_of(name)["run"]

    assert action["runs"]["using"] == "composite"
    assert step_of(name)["shell"] == "bash"
    assert "${{" not in run
    assert len(run.strip().splitlines()) <= 10


@pytest.mark.parametrize("folder", [".", "detect", "actions/detect"])
@every_action
def test_the_step_finds_the_launcher_at_every_depth(name: str, folder: str, tmp_path: Path) -> None:
    """The same text runs at the root, at a short path and under actions/."""
    tree = tmp_path / "a b"
    (tree / "scripts").mkdir(parents=True)
    (tree / "scripts" / "run").write_text('#!/usr/bin/env bash\nprintf "<%s>" "$@"\nexit 5\n')
    (tree / "scripts" / "run").chmod(0o755)
    (tree / folder).mkdir(parents=True, exist_ok=True)
    bash = shutil.which("bash")
    assert bash is not None

    # The shell as the runner calls it for `shell: bash`.
    result = subprocess.run(
        [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", step_of(name)["run"]],
        cwd=tmp_path,
        env={"GITHUB_ACTION_PATH": str(tree / folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (result.returncode, result.stdout) == (5, f"<{name}>"), result.stderr


@every_action
def test_the_readme_shows_the_generated_tables(name: str) -> None:
    path = action_path(name)
    readme = (path.parent / "README.md").read_text(encoding="utf-8")
    source = path.relative_to(ROOT).as_posix()

    assert f"<!-- generated: inputs of {source} -->" in readme
    assert f"<!-- generated: outputs of {source} -->" in readme


def test_generated_parts_are_up_to_date() -> None:
    stale = [path.name for path in generate_docs.outdated(ROOT, write=False)]

    assert stale == [], "run `python scripts/dev/generate_docs.py`"


def test_a_stale_part_is_made_anew_and_the_rest_is_left(tmp_path: Path) -> None:
    (tmp_path / "action.yml").write_text(
        'inputs:\n  force:\n    description: a | b\n    default: "false"\n'
        "outputs:\n  any:\n    description: c\n"
    )
    before = (
        "Above.\n<!-- generated: inputs of action.yml -->\nstale\n<!-- end of generated part -->\n"
        "Between.\n<!-- generated: outputs of action.yml -->\n<!-- end of generated part -->\n"
    )

    after = generate_docs.regenerate(before, tmp_path)

    assert "stale" not in after
    assert "| `force` | `false` | a \\| b |" in after
    assert "| `any` | c |" in after
    assert after.startswith("Above.\n<!-- generated: inputs")
    assert "\nBetween.\n" in after
    assert generate_docs.regenerate(after, tmp_path) == after


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("a.yml", "```yml\nkey: value\n```", id="code"),
        pytest.param("a.md", "\nkey: value\n", id="markdown"),
    ],
)
def test_a_file_is_shown_whole(name: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("key: value\n")
    marker = f"<!-- generated: text of {name} -->"

    after = generate_docs.regenerate(f"{marker}\n{generate_docs.END}\n", tmp_path)

    assert after == f"{marker}\n{shown}\n{generate_docs.END}\n"


def test_the_flags_of_a_command_are_those_of_its_inputs() -> None:
    marker = "<!-- generated: flags of scripts/orient_deploy/commands/replay.py -->"

    after = generate_docs.regenerate(f"{marker}\n{generate_docs.END}\n", ROOT)

    assert "\n| `--last` | How many commits, at most. Empty means 20. |\n" in after


@pytest.mark.parametrize(
    "markdown",
    [
        pytest.param("<!-- generated: inputs of action.yml -->\n", id="no-end"),
        pytest.param("a\n<!-- end of generated part -->\n", id="no-beginning"),
        pytest.param(
            "a\n<!-- generated: input of action.yml -->\n<!-- end of generated part -->\n",
            id="misspelt-kind",
        ),
    ],
)
def test_a_broken_marker_is_an_error(markdown: str) -> None:
    with pytest.raises(ValueError, match="misspelt"):
        generate_docs.regenerate(markdown, ROOT)


def test_every_uses_is_pinned() -> None:
    """Others' actions to a commit with its version beside it; our own, in examples, to v1."""
    files = [*map(action_path, NAMES), *sorted(ROOT.glob(".github/workflows/*.yml"))]
    files += sorted(ROOT.glob("workflows-templates/*.yml"))
    files += sorted(ROOT.glob("examples/**/.github/workflows/*.yml"))
    seen, loose = 0, []
    for path in files:
        for one in USES.finditer(path.read_text(encoding="utf-8")):
            seen += 1
            reference, comment = one["reference"], one["comment"] or ""
            ours = re.fullmatch(r"org/orient-deploy-actions(/[a-z-]+)?@v1", reference)
            pinned = re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", reference)
            if not ours and not (pinned and re.fullmatch(r"# v\d+\.\d+\.\d+", comment)):
                loose.append(f"{path.relative_to(ROOT)}: {one[0].strip()}")

    assert seen
    assert loose == []


def test_one_commit_per_version_of_an_action() -> None:
    """The same action is pinned to the same commit everywhere, or one place was forgotten."""
    pins: dict[str, set[str]] = {}
    for path in [*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("workflows-templates/*.yml")]:
        for one in USES.finditer(path.read_text(encoding="utf-8")):
            action, _, commit = one["reference"].partition("@")
            pins.setdefault(action, set()).add(commit)

    assert {action: commits for action, commits in pins.items() if len(commits) > 1} == {}
