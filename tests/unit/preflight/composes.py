"""Both versions of Docker Compose that the checks are held to, and projects to ask them about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from orient_deploy.hidden import Hidden
from orient_deploy.stack.compose import Compose
from orient_deploy.stack.project import Project, Variables, resolve
from tests.machines.parts import part

VERSIONS = {"2.26": "compose-2.26", "2.40": "28"}


def compose_of(version: str, folder: Path) -> Compose:
    """The real Compose of that version; `folder` is for its settings."""
    settings = folder / f"docker-{version}"
    settings.mkdir(exist_ok=True)
    plugins = settings / "cli-plugins"
    if not plugins.exists():
        plugins.symlink_to(part(VERSIONS[version]) / "usr/libexec/docker/cli-plugins")
    found = Compose.found(
        {"PATH": str(part("28") / "usr/bin"), "DOCKER_CONFIG": str(settings)},
    )
    assert found.version.startswith(version)
    return found


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def project_of(
    compose: Compose,
    folder: Path,
    files: Mapping[str, str],
    env: str | None = None,
    *,
    name: str = "",
    profiles: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
) -> Project:
    """The project of the compose files among `files` (of `only` these), with variables."""
    write(folder, files)
    chosen = only or tuple(one for one in files if one.endswith((".yml", ".yaml")))
    return resolve(
        compose,
        {one: os.path.join(folder, one) for one in chosen},
        variables=None if env is None else Variables(title=".env", content=Hidden(env)),
        name=name,
        profiles=profiles,
    )
