"""init, replay and config check on real repositories, as the command line runs them."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dev import sample
from orient_deploy.commands.main import main
from orient_deploy.config import parse

CONFIG = ".github/orient-deploy.yml"


def _run(*argv: str, **more: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(argv, env=dict(os.environ) | more, stdout=out, stderr=err)
    return code, out.getvalue(), err.getvalue()


def _json(*argv: str) -> Any:
    code, out, err = _run(*argv, "--json")
    assert code == 0, err
    return json.loads(out)


def _git(path: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(path), *arguments], check=True, timeout=60)


def _commit(path: Path, files: dict[str, str], subject: str = "Change") -> None:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    _git(path, "add", "--all")
    _git(path, "commit", "--quiet", "--allow-empty", "--message", subject)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A repository with two Dockerfiles and no configuration."""
    path = tmp_path / "plain"
    path.mkdir()
    _git(path, "init", "--quiet", "--initial-branch=main")
    _commit(path, {"web/Dockerfile": "FROM scratch\nCOPY a /\n", "web/a": "", "api/Dockerfile": ""})
    return path


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with every push on top."""
    repository = sample.build(tmp_path_factory.mktemp("sample") / "orient")
    for push in sample.PUSHES:
        repository.push(push)
    return repository.path


# --- init


def test_init_prints_a_configuration_and_writes_nothing(plain: Path) -> None:
    code, out, _ = _run("init", "--path", str(plain))

    assert code == 0
    assert [one.name for one in parse(out, source="").images] == ["api", "web"]
    assert not (plain / ".github").exists()


def test_init_writes_where_there_is_none_and_never_again(plain: Path) -> None:
    code, out, _ = _run("init", "--path", str(plain / "web"), "--write", "true")
    written = (plain / CONFIG).read_bytes()
    again, _, _ = _run("init", "--path", str(plain), "--write", "true")

    assert (code, again) == (0, 2)
    assert "api, web" in out
    assert [one.name for one in parse((plain / CONFIG).read_bytes(), source=CONFIG).images] == [
        "api",
        "web",
    ]
    assert (plain / CONFIG).read_bytes() == written


def test_init_does_not_write_through_a_dangling_link(plain: Path) -> None:
    (plain / ".github").mkdir()
    (plain / CONFIG).symlink_to(plain / "elsewhere")
    code, out, _ = _run("init", "--path", str(plain), "--write", "true")

    assert code == 2
    assert "never overwritten" in out
    assert not (plain / "elsewhere").exists()


def test_init_reads_the_commit_and_not_the_files(plain: Path) -> None:
    (plain / "new").mkdir()
    (plain / "new/Dockerfile").write_text("")

    assert _json("init", "--path", str(plain))["images"] == ["api", "web"]


def test_init_finds_the_images_of_the_sample(pushed: Path) -> None:
    found = _json("init", "--path", str(pushed))

    dockerfiles = {one.dockerfile for one in parse(found["text"], source="").images}
    assert dockerfiles == {
        "docker/Dockerfile.opencode.legacy",
        "packages/bot-whatsapp/Dockerfile",
        "packages/dashboard/Dockerfile",
        "packages/bot-slack/Dockerfile",
    }


def test_init_knows_the_repository_from_its_remote(plain: Path) -> None:
    step = {
        "uses": "docker/build-push-action@v6",
        "with": {"context": "web", "push": True, "tags": "ghcr.io/${{ github.repository }}/web:x"},
    }
    workflow = json.dumps({"on": "push", "jobs": {"build": {"steps": [step]}}})
    _commit(plain, {".github/workflows/build.yml": workflow})
    _git(plain, "remote", "add", "origin", "git@github.com:Acme/Shop.git")

    text = _json("init", "--path", str(plain))["text"]
    assert parse(text, source="").image("web").repository == "ghcr.io/acme/shop/web"


def test_init_says_what_it_looked_for_when_there_is_nothing(tmp_path: Path) -> None:
    _git(tmp_path, "init", "--quiet")
    _commit(tmp_path, {"README.md": "x"})
    code, out, _ = _run("init", "--path", str(tmp_path))

    assert code == 2
    assert "looked for Dockerfile" in out


def test_init_cannot_write_into_a_bare_repository(plain: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    _git(plain, "clone", "--quiet", "--bare", ".", str(bare))
    code, out, _ = _run("init", "--path", str(bare), "--write", "true")

    assert (code, _run("init", "--path", str(bare))[0]) == (2, 0)
    assert "bare repository" in out


@pytest.mark.parametrize("command", [["init"], ["replay"], ["config", "check"]])
@pytest.mark.parametrize("kind", ["absent", "file", "folder", "empty"])
def test_what_is_no_repository_with_commits_is_refused(
    command: list[str], kind: str, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    if kind == "file":
        place.write_text("")
    elif kind != "absent":
        place.mkdir()
    if kind == "empty":
        _git(place, "init", "--quiet")
    code, out, _ = _run(*command, "--path", str(place), GIT_CEILING_DIRECTORIES=str(tmp_path))

    assert code == 2
    assert out.startswith("error: ")


# --- replay


def test_replay_decides_as_the_table_of_the_sample_says(pushed: Path) -> None:
    found = _json("replay", "--path", str(pushed), "--last", str(len(sample.PUSHES)))

    decided = [(row["subject"], set(row["built"]), row["deploy"]) for row in found["rows"][::-1]]
    # One configuration for all: today's has a fourth image, which core and lockfile build too.
    more = {"core": {"slack"}, "lockfile": {"slack"}}
    assert decided == [
        (one.subject, set(one.builds) | more.get(one.name, set()), one.deploy)
        for one in sample.PUSHES
    ]
    assert found["branch"] == "main"
    assert found["configuration"] == CONFIG
    assert found["totals"]["commits"] == len(sample.PUSHES)


def test_replay_of_the_whole_history_ends_at_the_first_commit(pushed: Path) -> None:
    rows = _json("replay", "--path", str(pushed), "--last", "1000")["rows"]

    assert len(rows) == len(sample.PUSHES) + 2
    assert rows[-1]["files"] is None
    assert len(rows[-1]["built"]) == 4


def test_replay_follows_first_parents_only(plain: Path) -> None:
    _git(plain, "switch", "--quiet", "--create", "side")
    _commit(plain, {"web/b": ""}, "On the side")
    _git(plain, "switch", "--quiet", "main")
    _commit(plain, {"api/c": ""}, "On main")
    _git(plain, "merge", "--quiet", "--no-ff", "--message", "Merge it", "side")

    rows = _json("replay", "--path", str(plain), "--last", "2")["rows"]
    assert [(row["subject"], row["built"]) for row in rows] == [
        ("Merge it", ["web"]),
        ("On main", ["api"]),
    ]


def test_replay_proposes_where_there_is_no_configuration(plain: Path) -> None:
    code, out, _ = _run("replay", "--path", str(plain))

    assert code == 0
    assert "`orient-deploy init` proposes (api, web)" in out


def test_replay_takes_the_file_as_it_stands_or_the_one_given(plain: Path, tmp_path: Path) -> None:
    text = "{version: 1, images: {NAME: {watch: [web/**]}}}"
    (plain / ".github").mkdir()
    (plain / CONFIG).write_text(text.replace("NAME", "own"))
    (plain / "other.yml").write_text(text.replace("NAME", "other"))
    outside = tmp_path / "outside.yml"
    outside.write_text(text.replace("NAME", "outside"))

    def built(*more: str) -> list[str]:
        rows: list[dict[str, list[str]]] = _json("replay", "--path", str(plain), *more)["rows"]
        return rows[0]["built"]

    assert built() == ["own"]
    assert built("--config", "other.yml") == ["other"]
    assert built("--config", str(outside)) == ["outside"]
    assert _run("replay", "--path", str(plain), "--config", "absent.yml")[0] == 2


def test_replay_reads_a_shallow_clone_to_its_end(pushed: Path, tmp_path: Path) -> None:
    clone = tmp_path / "shallow"
    _git(tmp_path, "clone", "--quiet", "--depth=2", pushed.as_uri(), str(clone))

    rows = _json("replay", "--path", str(clone))["rows"]
    assert [row["files"] is None for row in rows] == [False, True]
    assert "not in this clone" in rows[1]["reason"]


def test_replay_prints_foreign_subjects_harmlessly(plain: Path) -> None:
    _commit(plain, {"x": ""}, "::error::boo \x1b[31m##[group]")
    code, out, _ = _run("replay", "--path", str(plain))

    assert code == 0
    assert "\x1b" not in out and "##[group]" not in out
    assert not any(line.lstrip().startswith("::") for line in out.splitlines())


@pytest.mark.parametrize("last", ["0", "-1", "x", "1e3", "99999", "1.5"])
def test_replay_refuses_what_is_no_number_of_commits(plain: Path, last: str) -> None:
    code, out, _ = _run("replay", "--path", str(plain), f"--last={last}")

    assert code == 2
    assert "'last'" in out


# --- config check


def test_config_check_counts_what_the_sample_configures(pushed: Path) -> None:
    code, out, _ = _run("config", "check", "--path", str(pushed), "--strict")

    assert (code, out) == (0, "valid: 4 images, 1 environment\n")


def test_config_check_remarks_and_fails_only_when_strict(plain: Path) -> None:
    (plain / ".github").mkdir()
    (plain / CONFIG).write_text(
        "version: 1\nimages:\n  web:\n    dockerfile: web/Dockerfile\n    watch: [web/**, wbe/**]\n"
    )
    code, out, _ = _run("config", "check", "--path", str(plain))
    strict, _, _ = _run("config", "check", "--path", str(plain), "--strict", "true")
    found = _json("config", "check", "--path", str(plain))

    assert (code, strict) == (0, 1)
    assert out.startswith("valid: 1 image, 0 environments\n")
    assert f"warning: {CONFIG}:5:21: " in out and "wbe/**" in out
    assert found["valid"] is True and len(found["remarks"]) == 1


def test_config_check_shows_every_problem_at_its_place(plain: Path) -> None:
    (plain / ".github").mkdir()
    (plain / CONFIG).write_text("version: 2\nimages:\n  web: {wach: [a]}\n")
    code, out, _ = _run("config", "check", "--path", str(plain))

    assert code == 2
    assert f"{CONFIG}:1:10: " in out and f"{CONFIG}:3:9: " in out


def test_config_check_reads_the_commit_of_a_bare_repository(pushed: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    _git(pushed, "clone", "--quiet", "--bare", ".", str(bare))

    assert _run("config", "check", "--path", str(bare))[:2] == (
        0,
        "valid: 4 images, 1 environment\n",
    )


def test_config_check_says_how_to_get_a_configuration(plain: Path) -> None:
    code, out, _ = _run("config", "check", "--path", str(plain))

    assert code == 2
    assert "orient-deploy init" in out
