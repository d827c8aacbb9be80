"""The engines and the registry that other tests stand on: they work together and leave nothing."""

from __future__ import annotations

import json
import shutil
import ssl
import urllib.request

import pytest

from tests.machines.docker_engine import DockerEngine, docker_engine
from tests.machines.image_registry import PASSWORD, USER, ImageRegistry, image_registry


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


@pytest.mark.parametrize("version", ["28", "20"])
@pytest.mark.parametrize("auth", [False, True], ids=["open", "login"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_an_image_goes_from_an_engine_to_a_registry(version: str, auth: bool, tls: bool) -> None:
    with docker_engine(version) as engine, image_registry(auth=auth, tls=tls) as registry:
        image = f"{registry.host}/acme/orient/dashboard:said"
        build(engine, image)
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


def tags(registry: ImageRegistry) -> list[str]:
    url = f"{registry.url}/v2/acme/orient/dashboard/tags/list"
    trust = ssl.create_default_context(cafile=registry.certificate)
    with urllib.request.urlopen(url, timeout=10, context=trust) as answer:
        found: list[str] = json.load(answer)["tags"]
    return found
