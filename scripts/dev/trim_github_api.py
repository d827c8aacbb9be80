"""Write tests/fakes/github_api.json: GitHub's description of the operations that tests are told of.

The description is the one that GitHub publishes, as packed in npm's `@octokit/openapi`. What only a
person reads is left out; no schema is changed. Never run by a test: the result is kept in git.

    python3 scripts/dev/trim_github_api.py           # npm packs the version below
    python3 scripts/dev/trim_github_api.py FILE      # an api.github.com.json that is there already
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PACKAGE = "@octokit/openapi"
VERSION = "23.0.2"
MEMBER = "package/generated/api.github.com.json"
TARGET = Path(__file__).resolve().parents[2] / "tests" / "fakes" / "github_api.json"
NPM_TIMEOUT_S = 300

_REPO = "/repos/{owner}/{repo}"
_ENVIRONMENT = _REPO + "/environments/{environment_name}"
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    _REPO: ("get",),
    _REPO + "/actions/jobs/{job_id}/logs": ("get",),
    _REPO + "/actions/runs/{run_id}/attempts/{attempt_number}/jobs": ("get",),
    _REPO + "/actions/runs/{run_id}/jobs": ("get",),
    _REPO + "/actions/secrets": ("get",),
    _REPO + "/actions/secrets/public-key": ("get",),
    _REPO + "/actions/secrets/{secret_name}": ("get", "put", "delete"),
    _REPO + "/actions/variables": ("get", "post"),
    _REPO + "/actions/variables/{name}": ("get", "patch", "delete"),
    _REPO + "/deployments": ("get",),
    _REPO + "/deployments/{deployment_id}/statuses": ("get",),
    _REPO + "/environments": ("get",),
    _ENVIRONMENT: ("get", "put"),
    _ENVIRONMENT + "/secrets": ("get",),
    _ENVIRONMENT + "/secrets/public-key": ("get",),
    _ENVIRONMENT + "/secrets/{secret_name}": ("get", "put", "delete"),
    _ENVIRONMENT + "/variables": ("get", "post"),
    _ENVIRONMENT + "/variables/{name}": ("get", "patch", "delete"),
    _REPO + "/issues": ("get", "post"),
    _REPO + "/issues/{issue_number}": ("get", "patch"),
    _REPO + "/issues/{issue_number}/comments": ("get", "post"),
    _REPO + "/labels": ("get", "post"),
    _REPO + "/labels/{name}": ("get",),
}
# What a person reads, or what only a generator of clients does.
_PROSE = frozenset({"description", "example", "examples", "externalDocs", "tags", "title"})
_OPERATION = ("summary", "operationId", "parameters", "requestBody", "responses")


def trimmed(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The operations of the table with every component that they refer to, and nothing else."""
    paths = {
        path: {
            method: {
                key: _plain(whole["paths"][path][method][key])
                for key in _OPERATION
                if key in whole["paths"][path][method]
            }
            for method in methods
        }
        for path, methods in OPERATIONS.items()
    }
    kept: dict[str, dict[str, Any]] = {}
    open_ends = list(_references(paths))
    while open_ends:
        kind, name = open_ends.pop().removeprefix("#/components/").split("/")
        if name in kept.setdefault(kind, {}):
            continue
        kept[kind][name] = _plain(whole["components"][kind][name])
        open_ends += _references(kept[kind][name])
    return {
        "info": {
            "title": "GitHub's REST API, the operations that are used here",
            "version": f"{PACKAGE} {VERSION}",
            "license": "MIT, Copyright (c) 2020 Octokit contributors; the text is in "
            "github_api.LICENSE",
        },
        "paths": paths,
        "components": {kind: dict(sorted(kept[kind].items())) for kind in sorted(kept)},
    }


def _plain(part: Any, *, names: bool = False) -> Any:
    """A part without its prose; `names` says that its keys are names and not words of OpenAPI."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _plain(value, names=not names and key == "properties")
        for key, value in part.items()
        if names or not (key in _PROSE or key.startswith("x-"))
    }


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for one in part:
            yield from _references(one)
    elif isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from _references(value)


def _packed() -> dict[str, Any]:
    """What npm has."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, timeout=NPM_TIMEOUT_S)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as members:
            member = members.extractfile(MEMBER)
            assert member is not None
            whole: dict[str, Any] = json.load(member)
    return whole


def main(arguments: list[str]) -> None:
    """Write the file."""
    given = Path(arguments[0]).read_bytes() if arguments else None
    whole = _packed() if given is None else json.loads(given)
    text = json.dumps(trimmed(whole), indent=1, ensure_ascii=False) + "\n"
    TARGET.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
