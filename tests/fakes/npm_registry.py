"""A package registry on loopback that knows what it was told, and has no tarballs.

Enough for package managers to write a lockfile: they ask only for what versions a package has and
what those depend on.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar
from urllib.parse import unquote

# By name and version: what its manifest says besides, dependencies for example.
Packages = Mapping[str, Mapping[str, Mapping[str, Any]]]


class NpmRegistry:
    """Serves while it is entered; `url` is what to configure."""

    def __init__(self, packages: Packages) -> None:
        handler = type("Handler", (_Handler,), {"packages": packages})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> NpmRegistry:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    packages: ClassVar[Packages]

    def do_GET(self) -> None:
        name = unquote(self.path.lstrip("/"))
        versions = self.packages.get(name)
        status, said = (200, self._document(name, versions)) if versions else (404, {})
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _document(self, name: str, versions: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        host = f"http://{self.headers['Host']}"
        return {
            "name": name,
            "dist-tags": {"latest": max(versions)},
            "versions": {
                version: {
                    "name": name,
                    "version": version,
                    **about,
                    "dist": {
                        "tarball": f"{host}/{name}/-/{version}.tgz",
                        "integrity": _integrity(f"{name}@{version}"),
                    },
                }
                for version, about in versions.items()
            },
        }

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests read what is printed."""


def _integrity(text: str) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(text.encode()).digest()).decode()
