"""Who we are to a registry: what was given, docker's own configuration, the job's token.

In that order, the first that knows the registry. Read only once a registry asks for it. A secret is
never in a representation, an error, a log or the arguments of a process; a helper gets the name of
the registry on its standard input and nothing else.

Source: the docker client's configuration file and its protocol for credential helpers.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence

from orient_deploy.record import dataclass, field

HELPER_TIMEOUT_S = 10.0
FILE_MAX = 1 << 20  # bytes of config.json that are read; a real one has a few hundred

_HUB = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"  # what `docker login` without a name writes
_TOKEN_USER = "<token>"  # a helper's word for: the secret is an identity token


@dataclass(frozen=True, kw_only=True)
class Login:
    """One of the two: a user with a password, or an identity token."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)

    def basic(self) -> str:
        """The header of basic authentication."""
        pair = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


class Credentials:
    """The logins of all registries, found when they are asked for; threads may share it."""

    def __init__(
        self,
        explicit: Sequence[tuple[str, str, str]] = (),
        *,
        environment: Mapping[str, str] | None = None,
        github_token: str = "",
    ) -> None:
        """`explicit`: (registry, user, password). `github_token` is the job's, for ghcr.io.

        Docker's configuration is looked for as docker does, in `DOCKER_CONFIG` and in the home
        directory of `environment`; None means no look there at all.
        """
        self._explicit = {
            _key(registry): Login(user=user, password=password)
            for registry, user, password in explicit
            if password
        }
        self._environment = environment
        self._job: dict[str, Login] = {}
        if github_token:
            actor = (environment or {}).get("GITHUB_ACTOR") or "x-access-token"
            self._job["ghcr.io"] = Login(user=actor, password=github_token)
        self._lock = threading.Lock()
        self._found: dict[str, Login | None] = {}
        self._docker: _DockerConfig | None = None
        self._problems: dict[str, str] = {}

    def __repr__(self) -> str:
        return "Credentials(…)"

    def of(self, registry: str) -> Login | None:
        """The login for a registry ('ghcr.io', 'docker.io', 'localhost:5000'), if there is one."""
        key = _key(registry)
        with self._lock:
            if key not in self._found:
                self._found[key] = self._explicit.get(key) or self._of_docker(key)
                self._found[key] = self._found[key] or self._job.get(key)
            return self._found[key]

    def problem(self, registry: str) -> str:
        """Why a login that docker's configuration names could not be had: a clause, or ''."""
        with self._lock:
            return self._problems.get(_key(registry), "")

    def _of_docker(self, key: str) -> Login | None:
        if self._environment is None:
            return None
        if self._docker is None:
            self._docker = _read_config(self._environment)
        login, problem = self._docker.login(key, self._environment)
        if problem:
            self._problems[key] = problem
        return login


@dataclass(frozen=True, kw_only=True)
class _DockerConfig:
    auths: Mapping[str, Mapping[str, object]] = field(repr=False)
    helpers: Mapping[str, str]  # by registry
    store: str  # the helper of all others
    problem: str = ""

    def login(self, key: str, environment: Mapping[str, str]) -> tuple[Login | None, str]:
        """What is stored for a registry, and what kept us from reading it."""
        problem = self.problem
        if helper := self.helpers.get(key, self.store):
            login, problem = _ask_helper(helper, key, environment)
            if login:
                return login, ""
        entry = self.auths.get(key)
        return (_login_of(entry) if entry else None), problem


def _key(registry: str) -> str:
    """A registry's name without scheme and path, which docker's configuration has both of.

    >>> _key("https://index.docker.io/v1/"), _key("GHCR.io"), _key("http://localhost:5000/v2/")
    ('docker.io', 'ghcr.io', 'localhost:5000')
    """
    host = re.sub(r"\Ahttps?://", "", registry.strip().lower()).partition("/")[0]
    return _HUB if host in ("index.docker.io", "registry-1.docker.io") else host


def _read_config(environment: Mapping[str, str]) -> _DockerConfig:
    folder = environment.get("DOCKER_CONFIG")
    if not folder:
        # Not os.path.expanduser: it reads this process's environment.
        home = environment.get("HOME") or environment.get("USERPROFILE", "")
        folder = os.path.join(home, ".docker") if home else ""
    path = os.path.join(folder, "config.json")
    nothing: dict[str, Mapping[str, object]] = {}
    if not folder:
        return _DockerConfig(auths=nothing, helpers={}, store="")
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read(FILE_MAX))
        if not isinstance(content, dict):
            raise ValueError
    except FileNotFoundError:
        return _DockerConfig(auths=nothing, helpers={}, store="")
    except (OSError, ValueError, RecursionError):
        # Of the message nothing is kept: JSON's own quotes what it stumbled over.
        problem = f"docker's configuration in {folder} could not be read"
        return _DockerConfig(auths=nothing, helpers={}, store="", problem=problem)
    auths = {_key(n): entry for n, entry in _table(content, "auths") if isinstance(entry, dict)}
    helpers = {_key(n): _helper(name) for n, name in _table(content, "credHelpers")}
    return _DockerConfig(auths=auths, helpers=helpers, store=_helper(content.get("credsStore")))


def _table(content: Mapping[str, object], name: str) -> list[tuple[str, object]]:
    found = content.get(name)
    return list(found.items()) if isinstance(found, dict) else []


def _helper(name: object) -> str:
    """A helper's name; '' for what would be a path, or is no name at all."""
    return name if isinstance(name, str) and re.fullmatch(r"[\w.-]+", name, re.ASCII) else ""


def _login_of(entry: Mapping[str, object]) -> Login | None:
    identity, auth = entry.get("identitytoken"), entry.get("auth")
    if isinstance(identity, str) and identity:
        return Login(identity=identity)
    user, password = entry.get("username"), entry.get("password")
    if isinstance(auth, str) and auth:
        try:
            pair = base64.b64decode(auth, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            return None
        user, _, password = pair.rstrip("\0").partition(":")
    if isinstance(user, str) and isinstance(password, str) and user and password:
        return Login(user=user, password=password)
    return None


def _ask_helper(helper: str, key: str, environment: Mapping[str, str]) -> tuple[Login | None, str]:
    """`docker-credential-<helper> get`; a helper that has none says so, which is no problem."""
    import subprocess

    program = f"docker-credential-{helper}"
    asked = _HUB_KEY if key == _HUB else key
    try:
        done = subprocess.run(
            [program, "get"],
            input=asked.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=HELPER_TIMEOUT_S,
            env=dict(environment),
            check=False,
        )
    except FileNotFoundError:
        return None, f"docker's configuration names {program}, which is not there"
    except (OSError, subprocess.SubprocessError):
        return None, f"{program} failed, or did not answer in {HELPER_TIMEOUT_S:g} seconds"
    if done.returncode:
        missing = b"credentials not found" in done.stdout
        return None, "" if missing else f"{program} ended with exit code {done.returncode}"
    try:
        answer = json.loads(done.stdout)
    except (ValueError, RecursionError):
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    user, secret = answer.get("Username"), answer.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str):
        return None, f"{program} gave no usable answer"
    if not secret:
        return None, ""
    if user == _TOKEN_USER:
        return Login(identity=secret), ""
    return Login(user=user, password=secret), ""
