"""Tiny images, pushed through the plain API by another client than ours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
REVISION = "org.opencontainers.image.revision"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A manifest, as it lies in the registry."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return digest(self.content)

    def as_child(self, **platform: str) -> dict[str, Any]:
        """How an index names it."""
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.content),
            "platform": platform or {"os": "linux", "architecture": "amd64"},
        }


@dataclass(frozen=True, kw_only=True)
class Pusher:
    """Pushes to one repository of a registry, called by its URL."""

    url: str
    path: str
    options: Mapping[str, Any] = field(default_factory=dict)  # for requests: auth, verify

    def image(
        self,
        *tags: str,
        labels: Mapping[str, str] | None = None,
        media_type: str = OCI_IMAGE,
        created: str = "2026-01-05T09:00:00.123456789Z",
    ) -> Pushed:
        """An image of one layer; without tags it is known by its digest alone."""
        parts = media_type.startswith("application/vnd.oci")
        config = {
            "architecture": "amd64",
            "os": "linux",
            "created": created,
            "config": {"Labels": labels} if labels else {},
            "rootfs": {"type": "layers", "diff_ids": []},
        }
        kind = "application/vnd.oci.image" if parts else "application/vnd.docker.container.image"
        layer = "oci.image.layer.v1.tar" if parts else "docker.image.rootfs.diff.tar.gzip"
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": self.blob(
                json.dumps(config).encode(), f"{kind}.{'config.v1' if parts else 'v1'}+json"
            ),
            "layers": [self.blob(b"a layer", f"application/vnd.{layer}")],
        }
        return self.put(manifest, media_type, tags)

    def index(
        self, children: Sequence[dict[str, Any]], *tags: str, media_type: str = OCI_INDEX
    ) -> Pushed:
        """An index of what was pushed before."""
        content = {"schemaVersion": 2, "mediaType": media_type, "manifests": list(children)}
        return self.put(content, media_type, tags)

    def blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Push a blob; how a manifest names it."""
        begun = requests.post(f"{self._base}/blobs/uploads/", timeout=30, **self.options)
        begun.raise_for_status()
        done = requests.put(
            begun.headers["Location"],
            params={"digest": digest(content)},
            data=content,
            headers={"Content-Type": "application/octet-stream"},
            timeout=30,
            **self.options,
        )
        done.raise_for_status()
        return {"mediaType": media_type, "digest": digest(content), "size": len(content)}

    def put(self, content: object, media_type: str, tags: Sequence[str]) -> Pushed:
        # Two blanks: nobody who writes it anew would come to the same bytes.
        text = json.dumps(content, indent=2).encode()
        for name in tags or [digest(text)]:
            done = requests.put(
                f"{self._base}/manifests/{name}",
                data=text,
                headers={"Content-Type": media_type},
                timeout=30,
                **self.options,
            )
            done.raise_for_status()
        return Pushed(content=text, media_type=media_type)

    def delete(self, name: str) -> None:
        """Take a manifest away, by its digest."""
        url = f"{self._base}/manifests/{name}"
        requests.delete(url, timeout=30, **self.options).raise_for_status()

    def get(self, name: str) -> requests.Response:
        """A manifest as the registry gives it."""
        accept = ", ".join((OCI_INDEX, OCI_IMAGE, DOCKER_LIST, DOCKER_IMAGE))
        headers = {"Accept": accept}
        url = f"{self._base}/manifests/{name}"
        return requests.get(url, headers=headers, timeout=30, **self.options)

    @property
    def _base(self) -> str:
        return f"{self.url}/v2/{self.path}"
