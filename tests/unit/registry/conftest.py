"""Real registries and a hostile one; nothing of the machine's own settings reaches a test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orient_deploy.registry.client import Registry
from orient_deploy.registry.credentials import Credentials
from tests.fakes.hostile_registry import HostileRegistry, hostile_registry
from tests.fakes.token_service import TokenService, token_service
from tests.machines.image_registry import ImageRegistry, image_registry
from tests.unit.registry.images import Pusher

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def own_settings_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in (
            *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
            "DOCKER_CONFIG",
        ):
            monkeypatch.delenv(name)


@pytest.fixture
def waits() -> list[float]:
    """How long a client would have waited before it asked again."""
    return []


@pytest.fixture
def client(waits: list[float]) -> Callable[..., Registry]:
    """Make a client that waits for nothing."""

    def make(credentials: Credentials | None = None, timeout_s: float = 20) -> Registry:
        return Registry(credentials or Credentials(), timeout_s=timeout_s, sleep=waits.append)

    return make


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The setting that lets several registries hold the same images."""
    folder = tmp_path_factory.mktemp("images")
    return {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(folder)}


@pytest.fixture(scope="session")
def plain(storage: dict[str, str]) -> Iterator[ImageRegistry]:
    """A registry that asks nobody anything; what it holds is in the next ones as well."""
    with image_registry(settings=storage) as running:
        yield running


@pytest.fixture
def pusher(plain: ImageRegistry) -> Pusher:
    """To a repository of the test's own."""
    return Pusher(url=plain.url, path=f"acme/image-{next(_numbers)}")


@pytest.fixture(scope="session")
def basic(storage: dict[str, str]) -> Iterator[ImageRegistry]:
    """One that asks for a user and a password."""
    with image_registry(auth=True, settings=storage) as running:
        yield running


@pytest.fixture(scope="session")
def secure(storage: dict[str, str]) -> Iterator[ImageRegistry]:
    """One that speaks TLS."""
    with image_registry(tls=True, settings=storage) as running:
        yield running


@pytest.fixture(scope="session")
def _tokens() -> Iterator[TokenService]:
    with token_service({"": "pull", "reader": "pull", "writer": "pull,push"}) as running:
        yield running


@pytest.fixture
def tokens(_tokens: TokenService) -> TokenService:
    """The token service of the registry `bearer`."""
    _tokens.requests.clear()
    _tokens.life_s = 300
    return _tokens


@pytest.fixture(scope="session")
def bearer(storage: dict[str, str], _tokens: TokenService) -> Iterator[ImageRegistry]:
    """One that takes tokens only."""
    with image_registry(settings={**storage, **_tokens.settings}) as running:
        yield running


@pytest.fixture
def hostile() -> Iterator[HostileRegistry]:
    with hostile_registry() as running:
        yield running


@pytest.fixture
def elsewhere() -> Iterator[HostileRegistry]:
    """Another one, which nobody should tell anything."""
    with hostile_registry() as running:
        yield running


@pytest.fixture
def trusted(secure: ImageRegistry, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trust the certificate of `secure`."""
    assert secure.certificate
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.certificate))
    return secure.certificate
