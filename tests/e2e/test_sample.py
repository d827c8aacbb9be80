"""The sample repository is sound, and its pushes expect what its own configuration means."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.sample import CONFIG, EXAMPLE, PUSHES, Edit, Push, Sample, build
from tests.oracles.node_tools import picomatch_many


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return build(tmp_path / "app")


def configuration(sample: Sample) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((sample.path / CONFIG).read_text(encoding="utf-8"))
    return loaded


def test_its_commits_have_the_same_ids_everywhere(sample: Sample, tmp_path: Path) -> None:
    other = build(tmp_path / "other")
    for push in PUSHES:
        sample.push(push)
        other.push(push)

    assert sample.git("log", "--format=%H") == other.git("log", "--format=%H")
    assert sample.git("status", "--porcelain") == ""


def test_each_push_expects_what_the_watch_lists_mean(sample: Sample) -> None:
    """Computed from git's own diff and by picomatch, one push after the other as in the demo."""
    for push in PUSHES:
        tips = sample.push(push)
        changed = sample.git("diff", "--name-only", "-z", tips.before, tips.after).split("\0")[:-1]
        config = configuration(sample)
        images = config["images"]
        production = config["environments"]["production"]
        questions = [
            (image["watch"] + config["watch-all"], changed) for image in images.values()
        ] + [(production["compose"] + production["sync"], changed)]

        *watched, carried = (any(answer) for answer in picomatch_many(questions))

        builds = frozenset(name for name, hit in zip(images, watched, strict=True) if hit)
        assert (push.name, builds) == (push.name, push.builds)
        assert (push.name, bool(builds) or carried) == (push.name, push.deploy)


def test_what_the_configuration_names_is_there(sample: Sample) -> None:
    for push in PUSHES:
        sample.push(push)
    config = configuration(sample)
    production = config["environments"]["production"]
    files = [image["dockerfile"] for image in config["images"].values()]
    files += production["compose"] + production["sync"]
    services = {
        service
        for path in production["compose"]
        for service in yaml.safe_load((sample.path / path).read_text(encoding="utf-8"))["services"]
    }

    assert [path for path in files if not (sample.path / path).is_file()] == []
    for name, image in config["images"].items():
        assert set(image.get("services", [name])) <= services
        copied = re.findall(
            r"^COPY (.+) \S+$", (sample.path / image["dockerfile"]).read_text(), re.MULTILINE
        )
        sources = [source for line in copied for source in line.split()]
        assert sources
        assert [source for source in sources if not (sample.path / source).exists()] == []


def test_its_lockfile_agrees_with_its_manifests() -> None:
    lock = yaml.safe_load((EXAMPLE / "pnpm-lock.yaml").read_text(encoding="utf-8"))
    manifests = {
        path.parent.relative_to(EXAMPLE).as_posix(): json.loads(path.read_text(encoding="utf-8"))
        for path in EXAMPLE.rglob("package.json")
    }

    assert {
        folder: {name: one["specifier"] for name, one in importer["dependencies"].items()}
        for folder, importer in lock["importers"].items()
    } == {folder: manifest["dependencies"] for folder, manifest in manifests.items()}


def test_it_has_the_workflow_that_was_asked_for_alone(tmp_path: Path) -> None:
    sample = build(tmp_path / "app", workflow="deploy-matrix.yml")

    workflows = [path.name for path in (sample.path / ".github" / "workflows").iterdir()]
    assert workflows == ["deploy-matrix.yml"]


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()

    with pytest.raises(ValueError, match="not empty"):
        build(tmp_path)


def test_an_edit_that_finds_nothing_to_replace_is_refused(sample: Sample) -> None:
    stale = Push(name="", subject="", edits=(Edit(path="README.md", old="not there", new="x"),))

    with pytest.raises(ValueError, match=r"README\.md does not hold"):
        sample.push(stale)


def test_an_edit_can_delete_a_file(sample: Sample) -> None:
    tips = sample.push(Push(name="", subject="Drop", edits=(Edit(path="docs/operations.md"),)))

    assert sample.git("diff", "--name-status", tips.before, tips.after) == "D\tdocs/operations.md"
