"""Whose secrets are meant, and the file that holds them: shared by the commands for secrets.

Decides where configuration and file are taken from; never what becomes of a value.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orient_deploy.commands.clone import find_files, origin_name
from orient_deploy.commands.configuration import missing, read_config
from orient_deploy.commands.context import described
from orient_deploy.commands.planning import split_names
from orient_deploy.config import DEFAULT_PATH
from orient_deploy.config.model import Secrets
from orient_deploy.errors import InputError
from orient_deploy.history import Git, Repository
from orient_deploy.record import dataclass
from orient_deploy.secrets.envfile import EnvFile, read_env_file
from orient_deploy.secrets.lint import Finding, lint
from orient_deploy.stack.compose import Compose, content_of

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.config.model import Config, Environment

CONTENT = "the input 'content'"
# All that git is told: where it finds its settings and whose clones it trusts. The environment of
# these commands holds secrets, of the inputs and of the step's `env`, and a child's can be read.
FOR_GIT = re.compile(
    r"PATH|PATHEXT|HOME|USERPROFILE|XDG_CONFIG_HOME|SYSTEMROOT|TMPDIR|TEMP|TMP|LD_LIBRARY_PATH"
    r"|SUDO_UID|GIT_.*",
    re.IGNORECASE,
)
_OF_VARIABLES = re.compile(r"\.env(?:\..*)?|.*\.env", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class SecretsInputs:
    """What every command for secrets takes."""

    environment: str = described(
        "The environment of the configuration whose secrets are meant. Empty means the only one "
        "that names a file of secrets.",
        "",
    )
    file: str = described(
        "The file that holds them, relative to the repository's root or absolute. Empty means "
        "`secrets.file` of the environment.",
        "",
    )
    config: str = described(
        "Path of the configuration file, relative to the repository root. Without that file the "
        "inputs say everything.",
        DEFAULT_PATH,
    )
    path: str = described(
        "Where the repository is checked out, relative to the workspace. Empty means the workspace "
        "itself.",
        "",
    )


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Whose secrets, and by which rules."""

    root: str  # the folder that the repository's paths begin from
    repository: str  # owner/name at GitHub, or ''
    config: Config | None
    environment: Environment | None
    secrets: Secrets
    file: str  # as people gave it; '' when there is none

    @property
    def name(self) -> str:
        """The environment's name, or ''."""
        return self.environment.name if self.environment else ""

    def located(self, path: str) -> str:
        """A path of the configuration as one of this machine."""
        return os.path.join(self.root, os.path.expanduser(path))


def choose(inputs: SecretsInputs, context: Context, given: Mapping[str, str]) -> Chosen:
    """The environment, and its rules with those of the inputs in `given` that say something.

    Raises:
        InputError: there is no such environment, or it is not clear which one is meant.
    """
    if _OF_VARIABLES.fullmatch(os.path.basename(inputs.config)):
        raise InputError(  # what is wrong with a configuration is quoted
            f"the configuration {inputs.config!r} is not read",
            "it has the name of a file of variables",
            "Name the configuration in 'config', and such a file in 'file'",
        )
    root, repository, config = find_checked_out(inputs.path, inputs.config, context)
    if config is None and inputs.config != DEFAULT_PATH:
        raise missing(inputs.config)
    environment = _environment(inputs, config)
    secrets = environment.secrets if environment else Secrets()
    for name, text in given.items():
        if text:
            value: Any = split_names(text) if isinstance(getattr(secrets, name), tuple) else text
            secrets = replace(secrets, **{name: value})
    return Chosen(
        root=root,
        repository=repository,
        config=config,
        environment=environment,
        secrets=secrets,
        file=inputs.file or secrets.file,
    )


def find_checked_out(path: str, config: str, context: Context) -> tuple[str, str, Config | None]:
    """The folder of the checkout, the repository's name at GitHub, and the configuration.

    On a runner only the commit of the run says which names are secrets: a pull request from a fork,
    checked out by a privileged run, must not, nor may files that an earlier step put there.
    """
    git = Git({name: text for name, text in context.env.items() if FOR_GIT.fullmatch(name)})
    try:
        try:
            checkout, root = find_files(path, git, context)
        except InputError:
            if context.in_actions or not os.path.isdir(path or "."):
                raise
            root = path or "."  # a laptop's folder that is no clone
            return root, "", read_config(config, root, _nothing)
        head = checkout.tip(git, "HEAD") if checkout else ""
        wanted = context.env.get("GITHUB_SHA", "")
        if context.in_actions and checkout and head != wanted:
            raise InputError(
                "what is checked out is not the commit of this run",
                f"HEAD is {head or 'nothing'}, GITHUB_SHA is {wanted or 'not set'}: another "
                "commit's configuration must not say what is a secret",
                "Check out without `ref`",
            )
        repository = context.env.get("GITHUB_REPOSITORY", "") if context.in_actions else ""
        if not repository and checkout:
            repository = origin_name(git, checkout)
        root = root or "."
        if not context.in_actions:
            return root, repository, read_config(config, root, _nothing)
        if checkout:
            temporary = context.env.get("RUNNER_TEMP", "")
            with Repository(git, checkout, None, temporary=temporary) as opened:
                committed = read_config(
                    config, root, lambda one: opened.read(head, one), files=False
                )
            return root, repository, committed
        if os.path.lexists(os.path.join(root, config)):
            raise InputError(
                f"the configuration {config!r} is not read",
                "the workspace is no checkout of git, so nobody can tell whose it is",
                "Check the repository out with actions/checkout, on a runner that has git",
            )
        return root, repository, None
    finally:
        git.close()


def _nothing(path: str) -> bytes | None:
    """On a laptop the files count, and nothing else."""
    return None


def _environment(inputs: SecretsInputs, config: Config | None) -> Environment | None:
    if config is None:
        if inputs.environment:
            raise missing(inputs.config)
        return None
    names = ", ".join(one.name for one in config.environments) or "none"
    if inputs.environment:
        for one in config.environments:
            if one.name == inputs.environment:
                return one
        raise InputError(
            f"input 'environment': there is no {inputs.environment!r}",
            f"the configuration has {names}",
            "Name one of them, or add it below `environments`",
        )
    found = [one for one in config.environments if one.secrets.file]
    if len(found) > 1:
        raise InputError(
            "input 'environment' is not given",
            f"{', '.join(one.name for one in found)} have secrets",
            "Name the one that is meant",
        )
    return found[0] if found else None


@contextmanager
def secrets_path(chosen: Chosen, content: str, context: Context) -> Iterator[str]:
    """The path of the file; for a text given as an input, of a private one that is then removed.

    Raises:
        InputError: neither is given.
    """
    if content:
        with tempfile.TemporaryDirectory(
            prefix="orient-deploy-secrets-", dir=context.env.get("RUNNER_TEMP") or None
        ) as folder:
            path = os.path.join(folder, "content")
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(handle, "wb") as file:
                file.write(content.encode("utf-8", "surrogateescape"))
            yield path
        return
    if not chosen.file:
        raise InputError(
            "there is no file of secrets",
            "neither the input 'file' nor the configuration names one",
            "Give 'file', or `secrets: {file: .env.production}` below the environment",
        )
    yield chosen.located(chosen.file)


@dataclass(frozen=True, kw_only=True)
class Read:
    """A file of secrets, and what is to be said of how it is written."""

    file: EnvFile
    findings: tuple[Finding, ...]
    title: str  # how people know the file


def read_secrets(chosen: Chosen, content: str, context: Context) -> Read:
    """The file as Docker Compose reads it, and what other readers take differently.

    Raises:
        InputError: it cannot be read.
        EnvironmentLacks: there is no docker compose.
    """
    title = CONTENT if content else chosen.file
    with secrets_path(chosen, content, context) as path:
        try:
            found = read_env_file(path, Compose.found(context.env))
            findings = lint(content_of(path), accept=chosen.secrets.accept)
        except InputError as error:
            raise named(error, path, title) from None
    return Read(file=found, findings=findings, title=title)


def named(error: InputError, path: str, title: str) -> InputError:
    """The error with the file's name as people gave it."""
    told = InputError(
        error.what.replace(path, title), error.why.replace(path, title), error.next_step
    )
    told.line = error.line
    told.file = title if error.file and title != CONTENT else ""
    return told


def mask(read: Read, names: frozenset[str], context: Context) -> None:
    """Have the runner hide every value but those of `names`, which are no secrets."""
    for one in read.file.entries:
        if one.name.upper() in names:
            continue
        with suppress(InputError):  # too short to be masked: the plan refuses it
            context.log.mask(one.value.reveal())
