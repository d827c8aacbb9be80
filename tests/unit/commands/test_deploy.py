"""What deploy and rollback refuse before any server is asked."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from orient_deploy.commands.deploying import _tested
from tests.machines.ssh_server import make_key
from tests.unit.commands.conftest import Finished, run_command

DIGEST = "sha256:" + "0" * 64
PLACE: dict[str, Any] = {
    "hosts": ["nobody@127.0.0.1:9"],  # nothing listens on the discard port
    "compose": ["compose.yml"],
    "sync": ["conf/**"],
}


class Repo:
    """A commit with a configuration, on a runner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_key(folder.parent / "key", "ed25519")
        self.key = (folder.parent / "key").read_text()
        self.write(PLACE)

    def write(self, place: Mapping[str, Any], files: Mapping[str, str] | None = None) -> None:
        document = {
            "version": 1,
            "baseline": "push",
            "images": {"app": {}},
            "environments": {"production": place},
        }
        texts = {
            ".github/orient-deploy.yml": yaml.safe_dump(document),
            "compose.yml": "services: {}\n",
            **(files or {}),
        }
        for path, text in texts.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        self.git("init", "-q")
        self.commit()

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.folder), "-c", "user.name=x", "-c", "user.email=x@x"]
        done = subprocess.run([*command, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "x", "--allow-empty")

    def run(self, command: str, **inputs: str) -> Finished:
        env = {
            "PATH": os.environ["PATH"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.folder),
            "GITHUB_SHA": self.git("rev-parse", "HEAD"),
            "RUNNER_TEMP": str(self.folder.parent),
            "INPUT_SSH_KEY": self.key,
            "INPUT_KNOWN_HOSTS": "[127.0.0.1]:9 ssh-ed25519 "
            "AAAAC3NzaC1lZDI1NTE5AAAAIJ7XT3Uj2nh3wMJlTrsVMZWzAZ2gmC0eJYLJuR3yXBUo",
            **{f"INPUT_{name.upper()}": text for name, text in inputs.items()},
        }
        return run_command((command,), env)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    folder = tmp_path / "repo"
    folder.mkdir()
    return Repo(folder)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"environment": "staging"}, "there is no environment 'staging'"),
        ({"references": "[]"}, "no JSON object"),
        ({"references": "{"}, "no JSON object"),
        ({"references": '{"web": "x"}'}, "no image 'web'"),
        ({"references": '{"app": "acme/app:latest"}'}, "no digest"),
        ({"references": '{"app": 7}'}, "no digest"),
        ({"variant": "legacy"}, "has no 'legacy'"),
        ({"lock_wait": "soon"}, "no number of seconds"),
        ({"lock_wait": "99999999"}, "no number of seconds"),
        ({"hook_timeout": "-1"}, "no number of seconds"),
        ({"env_content": "A=b\n"}, "no `env-file`"),
        ({"config": "nothing.yml"}, "nothing.yml"),
        ({"hosts": "none"}, "has no server"),
        ({"hosts": "not a host"}, "no host"),
    ],
)
def test_a_wrong_input_is_named_and_nothing_is_touched(
    repo: Repo, inputs: dict[str, str], says: str
) -> None:
    done = repo.run("deploy", **inputs)

    assert (done.code, says in "".join(done.errors)) == (2, True), done.stdout


def test_a_server_that_is_not_reached_is_an_error_of_the_network(repo: Repo) -> None:
    for command in ("deploy", "rollback", "releases"):
        done = repo.run(command)

        assert done.code == 4 and "127.0.0.1 port 9" in "".join(done.errors)


def test_a_compose_file_that_the_commit_lacks_is_named(repo: Repo) -> None:
    (repo.folder / "compose.yml").unlink()
    repo.commit()

    done = repo.run("deploy")

    assert done.code == 2 and "compose.yml is not in" in done.errors[0]


@pytest.mark.parametrize("name", ["conf/a\tb", "conf/a\nb", "conf/a\\b"])
def test_a_hostile_name_does_not_travel(repo: Repo, name: str) -> None:
    repo.write(PLACE, {name: "x"})

    done = repo.run("deploy")

    assert done.code == 2 and "cannot travel" in "".join(done.errors)


def test_a_link_does_not_travel(repo: Repo) -> None:
    (repo.folder / "conf").mkdir()
    (repo.folder / "conf/link").symlink_to("/etc/passwd")
    repo.commit()

    done = repo.run("deploy")

    assert done.code == 2 and "symbolic link" in done.errors[0]


def test_what_a_deploy_writes_down_is_not_overwritten(repo: Repo) -> None:
    repo.write({**PLACE, "sync": ["releases/**"]}, {"releases/lock": "x"})

    done = repo.run("deploy", references=json.dumps({"app": f"acme/app@{DIGEST}"}))

    assert done.code == 2 and "releases" in done.errors[0]


def test_values_of_variables_are_masked_one_by_one(repo: Repo) -> None:
    repo.write({**PLACE, "env-file": ".env"})

    done = repo.run("deploy", env_content="A='first-secret'\nB=second-secret # why\nC=abc\n")

    assert done.code == 4
    for value in ("first-secret", "second-secret"):
        assert f"::add-mask::{value}\n" in done.stdout
    assert "::add-mask::abc" not in done.stdout


@pytest.mark.parametrize(
    ("command", "tested"),
    [
        ("nginx -s reload", "nginx -t && nginx -s reload"),
        ("nginx -c '/a b' -s reload", "nginx -c '/a b' -t && nginx -c '/a b' -s reload"),
        ("nginx", "nginx"),
        ("kill -HUP 1", "kill -HUP 1"),
        ("caddy reload", "caddy reload"),
    ],
)
def test_nginx_is_asked_before_it_reads_its_files_again(command: str, tested: str) -> None:
    assert _tested(command) == tested
