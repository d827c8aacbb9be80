"""Where the configuration is read from, and by which path git knows it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orient_deploy.commands.configuration import inside, read_config
from orient_deploy.config import DEFAULT_PATH, ConfigError
from orient_deploy.errors import InputError
from tests.fakes.repositories import Symlink, check_out
from tests.unit.commands.conftest import CONFIG, Consumer

SMALL = b"version: 1\nimages: {api: {}}\n"


def nothing(source: str) -> bytes | None:
    return None


@pytest.mark.parametrize(
    "spelt",
    [
        pytest.param(DEFAULT_PATH, id="plain"),
        pytest.param(f"./{DEFAULT_PATH}", id="dot"),
        pytest.param(f"docs/../{DEFAULT_PATH}", id="detour"),
        pytest.param("{root}/.github/orient-deploy.yml", id="absolute"),
        pytest.param("link.yml", id="link"),
    ],
)
def test_a_file_is_known_by_the_path_that_git_knows(tmp_path: Path, spelt: str) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / DEFAULT_PATH).write_bytes(SMALL)
    (tmp_path / "link.yml").symlink_to(DEFAULT_PATH)

    config = read_config(spelt.format(root=tmp_path), str(tmp_path), nothing)

    assert config is not None
    assert config.source == DEFAULT_PATH


def test_a_file_outside_keeps_its_whole_path(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "other.yml").write_bytes(SMALL)

    config = read_config("../other.yml", str(tmp_path / "root"), nothing)

    assert config is not None
    assert config.source == os.path.realpath(tmp_path / "other.yml")


def test_without_files_a_path_is_only_tidied() -> None:
    assert inside("./a/../b.yml", "") == "b.yml"


def test_what_the_files_lack_is_read_from_the_commit(tmp_path: Path) -> None:
    asked: list[str] = []

    def read(source: str) -> bytes:
        asked.append(source)
        return SMALL

    assert read_config("./x.yml", str(tmp_path), read) is not None
    assert asked == ["x.yml"]
    assert read_config("./x.yml", str(tmp_path), nothing) is None


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        read_config("", str(tmp_path), nothing)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.yml").open("wb") as file:
        file.truncate(5_000_000_000)  # sparse: it takes no room, and reading it all would not fit

    with pytest.raises(ConfigError, match="longer than the 1,048,576 bytes"):
        read_config("huge.yml", str(tmp_path), nothing)


@pytest.mark.parametrize(
    "spelt", [DEFAULT_PATH, f"./{DEFAULT_PATH}", "{workspace}/.github/orient-deploy.yml"]
)
def test_a_changed_definition_builds_however_the_path_is_spelt(
    consumer: Consumer, spelt: str
) -> None:
    changed = CONFIG.replace("watch: [api/**],", "watch: [api/**], target: production,")
    third = consumer.builder.commit({DEFAULT_PATH: changed}, parents=[consumer.second])
    consumer.event = {**consumer.event, "before": consumer.second, "after": third}
    objects = consumer.workspace / ".git/objects/info/alternates"
    objects.write_text(f"{consumer.builder.directory}/objects\n")
    (consumer.workspace / DEFAULT_PATH).write_text(changed)

    finished = consumer.run(
        "detect", GITHUB_SHA=third, INPUT_CONFIG=spelt.format(workspace=consumer.workspace)
    )

    assert finished.code == 0, finished.stdout
    assert finished.outputs["builds"] == '{"api":"true","web":"false"}'
    assert "its configuration changed: target" in finished.summary


def test_a_link_that_leads_elsewhere_now_builds_everything(consumer: Consumer) -> None:
    """Neither file changed, but the one that counts is another."""
    other = CONFIG.replace("watch: [api/**],", "watch: [api/**], target: production,")
    builder, main = consumer.builder, [consumer.second]
    second = builder.commit(
        {DEFAULT_PATH: Symlink("../one.yml"), "one.yml": CONFIG, "two.yml": other}, parents=main
    )
    third = builder.commit({DEFAULT_PATH: Symlink("../two.yml")}, parents=[second])
    consumer.event = {**consumer.event, "before": second, "after": third}
    workspace = check_out(builder.directory, consumer.temp / "there", third, "refs/heads/main")

    finished = consumer.run("detect", GITHUB_SHA=third, GITHUB_WORKSPACE=str(workspace))

    assert finished.code == 0, finished.stdout
    assert finished.outputs["builds"] == '{"api":"true","web":"true"}'


def test_a_strangers_checkout_does_not_decide(consumer: Consumer) -> None:
    """The files are those of another commit than the one whose workflow runs."""
    evil = CONFIG.replace("watch: [api/**]", "watch: ['**']").replace("production:", "stolen:")
    objects = consumer.workspace / ".git/objects/info/alternates"
    objects.write_text(f"{consumer.builder.directory}/objects\n")
    third = consumer.builder.commit({"web/index.ts": "three\n"}, parents=[consumer.second])
    (consumer.workspace / DEFAULT_PATH).write_text(evil)
    consumer.event = {**consumer.event, "before": consumer.second, "after": third}

    finished = consumer.run("detect", GITHUB_SHA=third)

    assert finished.code == 0, finished.stdout
    assert finished.outputs["builds"] == '{"api":"false","web":"true"}'
    assert finished.outputs["deploys"] == '{"production":"true"}'


def test_a_link_that_leads_out_is_not_followed(consumer: Consumer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("user: ghp_secret")
    (consumer.workspace / DEFAULT_PATH).unlink()
    (consumer.workspace / DEFAULT_PATH).symlink_to(tmp_path / "secret")

    finished = consumer.run("detect")

    assert finished.code == 2
    assert "leads out of the repository" in finished.errors[0]
    assert "ghp_secret" not in finished.stdout


@pytest.mark.parametrize(
    "text",
    ['version: 1\nimages: {a: {target: "\\UFFFFFFFF"}}', "%YAML 1." + "9" * 5000 + "\n---\n"],
)
def test_numbers_beyond_measure_are_no_crash(consumer: Consumer, text: str) -> None:
    (consumer.workspace / DEFAULT_PATH).write_text(text)

    assert consumer.run("detect").code == 2
