"""Logs docker in to one registry, for one build, and leaves nothing behind.

The login goes to a copy of docker's configuration, in a folder that only this user can read and
that is removed afterwards: what was logged in before stays as it was, other registries, builders
and plugins still work, and no credential store is written to. The password travels on standard
input.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from orient_deploy.buildx.docker import Docker
from orient_deploy.errors import InputError, RemoteError

TRIES = 3
_FILE = "config.json"
_HUB_NAMES = ("docker.io", "index.docker.io", "https://index.docker.io/v1/")
_REFUSED = re.compile(
    r"\b40[13]\b|unauthorized|denied|incorrect username|forbidden|bad credentials", re.IGNORECASE
)


@contextmanager
def logged_in(
    environment: Mapping[str, str],
    registry: str,
    user: str,
    password: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Mapping[str, str]]:
    """The environment in which docker is logged in to the registry.

    Raises:
        InputError: the password is no password.
        EnvironmentLacks: there is no docker, or no engine.
        RemoteError: the registry refuses the login, or cannot be reached in three tries.
    """
    if not password.strip() or "\n" in password.strip("\r\n"):
        raise InputError(
            "input 'password' holds no password",
            "it is blank or has several lines",
            "Pass the secret as it is",
        )
    temporary = environment.get("RUNNER_TEMP") or None
    folder = tempfile.mkdtemp(prefix="orient-deploy-docker-", dir=temporary)  # mode 0700
    try:
        _copy_configuration(_source(environment), folder, registry)
        inside = {**environment, "DOCKER_CONFIG": folder}
        _log_in(Docker(inside), registry, user, password.strip("\r\n"), sleep)
        yield inside
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # links in it are removed, not followed


def _source(environment: Mapping[str, str]) -> str:
    """Docker's own folder, as docker finds it; '' where there can be none."""
    home = environment.get("HOME") or environment.get("USERPROFILE", "")
    return environment.get("DOCKER_CONFIG") or (os.path.join(home, ".docker") if home else "")


def _copy_configuration(source: str, folder: str, registry: str) -> None:
    content: object = {}
    try:
        if source:
            with open(os.path.join(source, _FILE), encoding="utf-8") as file:
                content = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InputError(
            f"docker's configuration {os.path.join(source, _FILE)!r} cannot be read",
            "it is no JSON object",
            "Mend or remove it",
        )
    helpers = content.get("credHelpers")
    # An empty name is no helper: the login stays in this folder, in no store of the machine.
    names = _HUB_NAMES if registry in _HUB_NAMES else (registry,)
    content["credHelpers"] = {
        **(helpers if isinstance(helpers, dict) else {}),
        **dict.fromkeys(names, ""),
    }
    with open(os.path.join(folder, _FILE), "w", encoding="utf-8") as file:
        json.dump(content, file)
    # Builders, contexts and plugins are used where they are.
    with suppress(OSError):
        for name in os.listdir(source) if source else ():
            if name != _FILE:
                os.symlink(os.path.abspath(os.path.join(source, name)), os.path.join(folder, name))


def _log_in(
    docker: Docker, registry: str, user: str, password: str, sleep: Callable[[float], None]
) -> None:
    arguments = ["login", f"--username={user}", "--password-stdin", "--", registry]
    for attempt in range(1, TRIES + 1):
        answer = docker.ask(arguments, stdin=password)
        if answer.code == 0:
            return
        why = answer.complaint.replace(password, "***") or f"exit code {answer.code}"
        if _REFUSED.search(why):
            raise RemoteError(
                f"{registry} refused the login of {user!r}",
                why,
                "Give 'username' and 'password' of somebody who may push there; for ghcr.io the "
                "job's token will do: `permissions: packages: write`",
            )
        if attempt == TRIES:
            break
        sleep(2.0**attempt * random.uniform(0.5, 1.0))
    raise RemoteError(
        f"the login to {registry} failed {TRIES} times",
        why,
        "Look whether the registry can be reached from this machine, and re-run this job",
    )
