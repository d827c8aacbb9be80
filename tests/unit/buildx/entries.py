"""An entry of the matrix, as a job gets it, and as a build."""

from __future__ import annotations

import json

from orient_deploy.buildx.model import Build, read_entry

COMMIT = "4f2c1ab9" * 5
DIGEST = "9d" * 32
IMAGE_DIGEST = f"sha256:{'ab' * 32}"
REPOSITORY = "ghcr.io/acme/orient/dashboard"


def entry(repository: str = REPOSITORY, **changes: object) -> dict[str, object]:
    """The entry of the dashboard; `changes` replace values, None takes a key away."""
    whole: dict[str, object] = {
        "name": "dashboard",
        "dockerfile": "packages/dashboard/Dockerfile",
        "context": ".",
        "target": "",
        "platforms": "",
        "runner": ["ubuntu-latest"],
        "tags": f"{repository}:sha-{COMMIT}\n{repository}:main\n{repository}:latest",
        "labels": f"org.opencontainers.image.revision={COMMIT}",
        "build-args": "",
        "contexts": "",
        "cache-from": "type=gha,scope=dashboard",
        "cache-to": "type=gha,scope=dashboard,mode=max",
        "timeout": 60,
        "input-digest": DIGEST,
        "record": f"{repository}:inputs-{DIGEST[:40]}\n{repository}:inputs-last-main",
    }
    whole |= {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in whole.items() if value is not None}


def as_input(repository: str = REPOSITORY, **changes: object) -> str:
    """The same as the input `entry`."""
    return json.dumps(entry(repository, **changes))


def build(repository: str = REPOSITORY, **changes: object) -> Build:
    """The same as a build."""
    return read_entry(entry(repository, **changes))
