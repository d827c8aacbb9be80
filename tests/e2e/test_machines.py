"""The engines and the registry that other tests stand on: they work together and leave nothing."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import urllib.request
from collections.abc import Iterator

import pytest

from tests.machines.docker_engine import DockerEngine, docker_engine
from tests.machines.image_registry import PASSWORD, USER, ImageRegistry, image_registry

BUILT = "orient/said"


def build(engine: DockerEngine, tag: str) -> None:
    context = engine.folder / "context"
    context.mkdir(exist_ok=True)
    shutil.copy(engine.busybox, context)
    (context / "Dockerfile").write_text(
        'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
        "RUN echo built > /said\n",
        encoding="utf-8",
    )
    engine.docker("build", "--tag", tag, context)


@pytest.fixture(scope="module", params=["28", "20"])
def engine(request: pytest.FixtureRequest) -> Iterator[DockerEngine]:
    with docker_engine(request.param) as running:
        build(running, BUILT)
        yield running


@pytest.mark.parametrize("auth", [False, True], ids=["open", "login"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_an_image_goes_from_an_engine_to_a_registry(
    engine: DockerEngine, auth: bool, tls: bool
) -> None:
    with image_registry(auth=auth, tls=tls) as registry:
        image = f"{registry.host}/acme/orient/dashboard:said"
        engine.docker("tag", BUILT, image)
        if auth:
            refused = engine.docker("push", image, check=False)
            assert refused.returncode != 0
            login = ("login", "--username", USER, "--password-stdin", registry.host)
            engine.docker(*login, input=PASSWORD)
        engine.docker("push", image)
        engine.docker("rmi", image)

        said = engine.docker("run", "--rm", "--network", "none", image, "cat", "/said")

        assert said.stdout == "built\n"
        if not auth:
            assert tags(registry) == ["said"]


def test_two_engines_run_beside_each_other(engine: DockerEngine) -> None:
    with docker_engine(engine.version) as other:
        assert other.docker("images", "--quiet").stdout == ""
        assert engine.docker("images", "--quiet").stdout != ""
        folder = other.folder

    assert not folder.exists()
    assert engine.docker("images", "--quiet").stdout != ""


def test_a_published_port_answers_on_loopback(engine: DockerEngine) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    publish = f"127.0.0.1:{port}:80"
    command = ("run", "--detach", "--name", "web", "--publish", publish, BUILT, "sleep", "600")
    engine.docker(*command)
    engine.docker("exec", "web", "busybox", "httpd", "-p", "80", "-h", "/")  # it listens, then ends

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/said", timeout=10) as answer:
        said = answer.read()

    assert said == b"built\n"


def test_nothing_is_asked_of_a_registry_elsewhere(engine: DockerEngine) -> None:
    pulled = engine.docker("pull", "orient/nowhere", check=False)

    assert pulled.returncode != 0
    assert "127.0.0.1:9" in pulled.stderr


def tags(registry: ImageRegistry) -> list[str]:
    url = f"{registry.url}/v2/acme/orient/dashboard/tags/list"
    trust = ssl.create_default_context(cafile=registry.certificate)
    with urllib.request.urlopen(url, timeout=10, context=trust) as answer:
        found: list[str] = json.load(answer)["tags"]
    return found
