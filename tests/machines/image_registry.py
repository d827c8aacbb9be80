"""Debian's docker-registry on loopback: a real registry, empty at first, gone at the end.

    with image_registry() as registry:
        engine.docker("push", f"{registry.host}/acme/orient/dashboard:latest")

Docker takes any certificate on 127.0.0.1, and plain HTTP too.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.machines.parts import part

USER = "orient"
PASSWORD = "not-a-secret"
# `htpasswd -nbBC 5` of the two: bcrypt is all that the registry takes, and nothing in Python's own
# library makes it.
_HTPASSWD = "orient:$2y$05$OfxyKSORbEc8lMc5fFEOAea111TAIRRLEYv5AD7EtllVZ5IlDai0.\n"

_START_TIMEOUT_S = 30
_STOP_TIMEOUT_S = 10


@dataclass(frozen=True, kw_only=True)
class ImageRegistry:
    host: str  # 127.0.0.1:port
    url: str  # with http:// or https://
    certificate: Path | None  # what a client trusts for TLS
    log: Path
    folder: Path  # goes with the registry
    process_id: int


@contextmanager
def image_registry(
    *, auth: bool = False, tls: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[ImageRegistry]:
    """Start a registry; with `auth` it asks for USER and PASSWORD (basic).

    Manifests can be deleted. `settings` are more of its own variables, `REGISTRY_AUTH_TOKEN_REALM`
    say.
    """
    program = part("registry", root=False) / "usr/bin/docker-registry"
    with tempfile.TemporaryDirectory(prefix="image-registry-") as temporary:
        folder = Path(temporary)
        port = _free_port()
        # JSON is YAML too.
        configuration = {
            "version": 0.1,
            "log": {"formatter": "json"},
            "storage": {
                "filesystem": {"rootdirectory": str(folder / "data")},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{port}", "secret": "of one process"},
        }
        own: dict[str, str] = {}
        if auth:
            (folder / "htpasswd").write_text(_HTPASSWD, encoding="utf-8")
            own["REGISTRY_AUTH"] = "htpasswd"
            own["REGISTRY_AUTH_HTPASSWD_REALM"] = "orient"
            own["REGISTRY_AUTH_HTPASSWD_PATH"] = str(folder / "htpasswd")
        certificate = _certificate(folder) if tls else None
        if certificate:
            own["REGISTRY_HTTP_TLS_CERTIFICATE"] = str(certificate)
            own["REGISTRY_HTTP_TLS_KEY"] = str(folder / "key.pem")
        own.update(settings or {})
        (folder / "config.yml").write_text(json.dumps(configuration), encoding="utf-8")
        log = folder / "registry.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [program, "serve", folder / "config.yml"],
                env={"PATH": os.defpath, "HOME": temporary, "OTEL_TRACES_EXPORTER": "none", **own},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        registry = ImageRegistry(
            host=f"127.0.0.1:{port}",
            url=f"{'https' if tls else 'http'}://127.0.0.1:{port}",
            certificate=certificate,
            log=log,
            folder=folder,
            process_id=process.pid,
        )
        try:
            _wait_for(registry, process)
            yield registry
        finally:
            process.kill()
            process.wait(_STOP_TIMEOUT_S)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _certificate(folder: Path) -> Path:
    """A certificate for loopback, which signs itself; its key is key.pem beside it."""
    certificate = folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            *("-keyout", folder / "key.pem", "-out", certificate),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
    return certificate


def _wait_for(registry: ImageRegistry, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not _answers(registry):
        if process.poll() is not None or time.monotonic() > deadline:
            text = registry.log.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"the registry did not start:\n{text}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)


def _answers(registry: ImageRegistry) -> bool:
    connection: http.client.HTTPConnection
    if registry.certificate:
        context = ssl.create_default_context(cafile=str(registry.certificate))
        connection = http.client.HTTPSConnection(registry.host, timeout=5, context=context)
    else:
        connection = http.client.HTTPConnection(registry.host, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)
    except OSError:
        return False
    finally:
        connection.close()
