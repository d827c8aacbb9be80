"""Who we are to a registry, wherever docker and the job keep it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.registry import credentials as module
from orient_deploy.registry.credentials import Credentials, Login

HUB = "https://index.docker.io/v1/"


def encoded(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def configured(folder: Path, content: Any, **environment: str) -> Credentials:
    """Credentials from a docker configuration; `content` is JSON, or text as it is."""
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "config.json").write_text(text, encoding="utf-8")
    return Credentials(environment={"DOCKER_CONFIG": str(folder), **environment})


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("http://localhost:5000", "localhost:5000"),
        ("GHCR.io", "ghcr.io"),
        (HUB, "docker.io"),
        ("index.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
    ],
)
def test_a_registry_is_known_by_any_of_its_names(tmp_path: Path, key: str, registry: str) -> None:
    auths = {"auths": {key: {"auth": encoded("orient", "pass:word")}}}
    login = Login(user="orient", password="pass:word")

    assert configured(tmp_path, auths).of(registry) == login
    assert Credentials([(key, "orient", "pass:word")]).of(registry) == login
    assert configured(tmp_path, auths).of("quay.io") is None


@pytest.mark.parametrize(
    ("entry", "login"),
    [
        ({"auth": encoded("a", "b")}, Login(user="a", password="b")),
        ({"auth": encoded("a", "ü")}, Login(user="a", password="ü")),
        ({"auth": encoded("a", "b\0\0")}, Login(user="a", password="b")),
        ({"username": "a", "password": "b"}, Login(user="a", password="b")),
        ({"identitytoken": "t", "auth": encoded("a", "")}, Login(identity="t")),
        ({"identitytoken": "", "auth": encoded("a", "b")}, Login(user="a", password="b")),
        ({"auth": "not base64!"}, None),
        ({"auth": base64.b64encode(b"\xff:\xff").decode()}, None),
        ({"auth": base64.b64encode(b"nobody").decode()}, None),
        ({"auth": encoded("", "b")}, None),
        ({"auth": encoded("a", "")}, None),
        ({"auth": 3}, None),
        ({"username": "a", "password": None}, None),
        ({}, None),
        ("x", None),
        (None, None),
    ],
)
def test_an_entry_is_a_login_or_none(tmp_path: Path, entry: Any, login: Login | None) -> None:
    known = configured(tmp_path, {"auths": {"ghcr.io": entry}})

    assert known.of("ghcr.io") == login
    assert known.problem("ghcr.io") == ""


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", '{"auths": "secret-text', "[" * 100_000],
)
def test_a_configuration_that_cannot_be_read_is_a_problem(tmp_path: Path, content: str) -> None:
    known = configured(tmp_path, content)

    assert known.of("ghcr.io") is None
    assert known.problem("ghcr.io") == f"docker's configuration in {tmp_path} could not be read"


@pytest.mark.parametrize("content", [{}, {"auths": []}, {"auths": None, "credHelpers": 3}])
def test_an_empty_configuration_is_none(tmp_path: Path, content: Any) -> None:
    known = configured(tmp_path, content)

    assert (known.of("ghcr.io"), known.problem("ghcr.io")) == (None, "")


def test_no_configuration_is_no_problem(tmp_path: Path) -> None:
    for environment in ({"DOCKER_CONFIG": str(tmp_path)}, {"HOME": str(tmp_path)}, {}, None):
        known = Credentials(environment=environment)

        assert (known.of("ghcr.io"), known.problem("ghcr.io")) == (None, "")


def test_a_folder_in_its_place_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    known = Credentials(environment={"DOCKER_CONFIG": str(tmp_path)})

    assert known.of("ghcr.io") is None
    assert "could not be read" in known.problem("ghcr.io")


def test_the_home_directory_is_looked_in(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    content = json.dumps({"auths": {"ghcr.io": {"auth": encoded("a", "b")}}})
    (tmp_path / ".docker" / "config.json").write_text(content)
    login = Login(user="a", password="b")

    assert Credentials(environment={"HOME": str(tmp_path)}).of("ghcr.io") == login
    assert Credentials(environment={"USERPROFILE": str(tmp_path)}).of("ghcr.io") == login
    elsewhere = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
    assert Credentials(environment=elsewhere).of("ghcr.io") is None


def test_what_is_given_comes_first_and_the_jobs_token_last(tmp_path: Path) -> None:
    content = json.dumps({"auths": {"ghcr.io": {"auth": encoded("docker", "b")}}})
    (tmp_path / "config.json").write_text(content)
    job = {"GITHUB_ACTOR": "octocat"}
    docker = {**job, "DOCKER_CONFIG": str(tmp_path)}
    given = [("ghcr.io", "given", "a")]

    def user(known: Credentials) -> str:
        login = known.of("ghcr.io")
        return login.user if login else ""

    assert user(Credentials(given, environment=docker, github_token="t")) == "given"
    assert user(Credentials([("ghcr.io", "", "")], environment=docker)) == "docker"
    assert user(Credentials(environment=docker, github_token="t")) == "docker"
    assert user(Credentials(environment=job, github_token="t")) == "octocat"
    assert user(Credentials(github_token="t")) == "x-access-token"
    assert user(Credentials(environment=job)) == ""


def test_the_jobs_token_is_for_githubs_registry_only() -> None:
    known = Credentials(environment={"GITHUB_ACTOR": "octocat"}, github_token="t")

    assert known.of("ghcr.io") == Login(user="octocat", password="t")
    assert known.of("docker.io") is None
    assert known.of("ghcr.io.example.com") is None


@pytest.fixture
def helper(tmp_path: Path) -> Path:
    """A helper that tells what it was asked, and answers what the file `answer` says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker-credential-orient"
    program.write_text(
        "#!/bin/sh\n"
        f'{{ echo "$@"; cat; }} >"{folder}/asked"\n'
        f'cat "{folder}/answer"; exit "$(cat "{folder}/code" 2>/dev/null || echo 0)"\n'
    )
    program.chmod(0o755)
    (folder / "answer").write_text('{"ServerURL": "x", "Username": "orient", "Secret": "s3cret"}')
    return folder


@pytest.mark.parametrize(
    "content",
    [
        {"credsStore": "orient"},
        {"credHelpers": {"ghcr.io": "orient"}},
        {"credHelpers": {"ghcr.io": "orient"}, "credsStore": "none"},
        {"credsStore": "orient", "auths": {"ghcr.io": {}}},
        {"credsStore": "orient", "auths": {"ghcr.io": {"auth": encoded("a", "b")}}},
    ],
)
def test_a_helper_is_asked(tmp_path: Path, helper: Path, content: Any) -> None:
    known = configured(tmp_path, content, PATH=f"{helper}:{os.environ['PATH']}")

    assert known.of("ghcr.io") == Login(user="orient", password="s3cret")
    assert known.problem("ghcr.io") == ""
    assert (helper / "asked").read_text() == "get\nghcr.io"


def test_a_helper_is_asked_once(tmp_path: Path, helper: Path) -> None:
    path = f"{helper}:{os.environ['PATH']}"
    known = configured(tmp_path, {"credsStore": "orient"}, PATH=path)

    known.of("ghcr.io")
    (helper / "asked").unlink()
    known.of("ghcr.io")

    assert not (helper / "asked").exists()


def test_a_helper_knows_the_hub_by_its_old_name(tmp_path: Path, helper: Path) -> None:
    path = f"{helper}:{os.environ['PATH']}"
    known = configured(tmp_path, {"credHelpers": {HUB: "orient"}}, PATH=path)

    assert known.of("docker.io")
    assert (helper / "asked").read_text() == f"get\n{HUB}"


@pytest.mark.parametrize(
    ("answer", "code", "login", "problem"),
    [
        ('{"Username": "<token>", "Secret": "t"}', 0, Login(identity="t"), ""),
        ('{"Username": "", "Secret": ""}', 0, None, ""),
        ("credentials not found in native keychain\n", 1, None, ""),
        ("no such luck: s3cret", 1, None, "docker-credential-orient ended with exit code 1"),
        *(
            (answer, 0, None, "docker-credential-orient gave no usable answer")
            for answer in ("", "[]", "{}", '{"Username": 3, "Secret": "t"}')
        ),
    ],
)
def test_a_helper_may_have_none(
    tmp_path: Path, helper: Path, answer: str, code: int, login: Login | None, problem: str
) -> None:
    (helper / "answer").write_text(answer)
    (helper / "code").write_text(str(code))
    path = f"{helper}:{os.environ['PATH']}"
    known = configured(tmp_path, {"credsStore": "orient"}, PATH=path)

    assert known.of("ghcr.io") == login
    assert known.problem("ghcr.io") == problem


def test_what_a_helper_does_not_have_the_file_may(tmp_path: Path, helper: Path) -> None:
    (helper / "answer").write_text("credentials not found in native keychain")
    (helper / "code").write_text("1")
    path = f"{helper}:{os.environ['PATH']}"
    auths = {"ghcr.io": {"auth": encoded("a", "b")}}
    known = configured(tmp_path, {"credsStore": "orient", "auths": auths}, PATH=path)

    assert known.of("ghcr.io") == Login(user="a", password="b")


def test_a_helper_that_is_not_there_is_a_problem(tmp_path: Path, helper: Path) -> None:
    known = configured(tmp_path, {"credsStore": "gone"}, PATH=str(helper))

    assert known.of("ghcr.io") is None
    assert known.problem("ghcr.io") == (
        "docker's configuration names docker-credential-gone, which is not there"
    )


def test_a_helper_that_stays_silent_is_a_problem(
    tmp_path: Path, helper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELPER_TIMEOUT_S", 0.2)
    (helper / "answer").unlink()
    subprocess.run(["mkfifo", str(helper / "answer")], check=True, timeout=10)
    path = f"{helper}:{os.environ['PATH']}"
    known = configured(tmp_path, {"credsStore": "orient"}, PATH=path)

    assert known.of("ghcr.io") is None
    assert "did not answer in 0.2 seconds" in known.problem("ghcr.io")
    # Whoever waits to read the pipe is ended by its end.
    (helper / "answer").open("wb", buffering=0).close()


@pytest.mark.parametrize("name", ["../../bin/sh", "a/b", "", "a b", "a\0b", 3, None, ["orient"]])
def test_what_is_no_name_of_a_helper_is_not_started(
    tmp_path: Path, helper: Path, name: object
) -> None:
    path = f"{helper}:{os.environ['PATH']}"
    content = {"credsStore": name, "credHelpers": {"ghcr.io": name}}
    known = configured(tmp_path, content, PATH=path)

    assert (known.of("ghcr.io"), known.problem("ghcr.io")) == (None, "")


def test_basic_authentication_is_written_as_it_should_be() -> None:
    assert Login(user="Aladdin", password="open sesame").basic() == (
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617
    )
