"""`orient-deploy secrets diff`: which names are lacking, and where? Shows no value, and asks GitHub
only when told to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orient_deploy.commands.context import described
from orient_deploy.commands.secrets_file import SecretsInputs, choose
from orient_deploy.commands.sync_secrets import GITHUB_API, TOKEN_VARIABLES
from orient_deploy.errors import EXIT_FOUND, EXIT_GOOD, InputError
from orient_deploy.record import dataclass
from orient_deploy.secrets.envfile import read_env_file
from orient_deploy.secrets.keys import Said, Source, compare_names
from orient_deploy.secrets.lint import is_shown
from orient_deploy.secrets.report import names_lines, names_markdown
from orient_deploy.secrets.state import VARIABLE
from orient_deploy.stack.compose import Compose
from orient_deploy.stack.references import references

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.commands.secrets_file import Chosen
    from orient_deploy.config.model import Environment

OUTPUTS = ("problems", "names")
# What is compared when the configuration does not say it, as far as it is there.
USUAL = (".env", ".env.example")


@dataclass(frozen=True, kw_only=True)
class Inputs(SecretsInputs):
    """The inputs of `secrets diff`."""

    compare: str = described(
        "Other files that should have the same names, separated by commas, blanks or lines. Empty "
        "means `secrets.compare` of the environment, else .env and .env.example where they are.",
        "",
    )
    github: bool = described(
        "Ask GitHub too which names it has; GH_TOKEN must hold a token that may. 'true' or "
        "'false'; empty means 'false'.",
        False,
    )


def run(inputs: Inputs, context: Context) -> int:
    """Compare the names of the environment's file with everything that should have them.

    Raises:
        InputError: a file cannot be read.
        EnvironmentLacks: there is no docker compose.
        RemoteError: GitHub was to be asked, and refused.
    """
    chosen = choose(inputs, context, {"compare": inputs.compare})
    if not chosen.file:
        raise InputError(
            "there is no file of secrets",
            "neither the input 'file' nor the configuration names one",
            "Give 'file', or `secrets: {file: .env.production}` below the environment",
        )
    compose = Compose.found(context.env)
    sources = [_file(chosen, chosen.file, compose)]
    sources += [_file(chosen, path, compose) for path in _compared(chosen)]
    sources += _counterparts(chosen, compose)
    if chosen.environment and chosen.environment.compose:
        sources.append(_compose_files(chosen, chosen.environment, compose))
    if inputs.github:
        sources += _github(chosen, context)
    found = compare_names(sources, required=chosen.secrets.required, optional=chosen.secrets.skip)
    problems = {row.name: row.problem for row in found.problems}
    names = {row.name: dict(zip(found.titles, row.said, strict=True)) for row in found.rows}
    context.show(
        {"problems": problems, "names": names},
        lines=names_lines(found, chosen.name),
        markdown=names_markdown(found, chosen.name),
    )
    return EXIT_FOUND if problems else EXIT_GOOD


def _compared(chosen: Chosen) -> Sequence[str]:
    if chosen.secrets.compare:
        return chosen.secrets.compare
    return [one for one in USUAL if one != chosen.file and os.path.isfile(chosen.located(one))]


def _file(chosen: Chosen, path: str, compose: Compose) -> Source:
    entries = read_env_file(chosen.located(path), compose).entries
    said: dict[str, Said] = {
        one.name: "there" if one.value else "empty" for one in entries if is_shown(one.name)
    }
    example = path.endswith((".example", ".sample", ".template", ".dist"))
    return Source(title=path, said=said, example=example)


def _counterparts(chosen: Chosen, compose: Compose) -> Iterator[Source]:
    """The files of the other environments, as far as they are on this machine."""
    for one in chosen.config.environments if chosen.config else ():
        path = one.secrets.file
        if one.name != chosen.name and path and os.path.isfile(chosen.located(path)):
            yield _file(chosen, path, compose)


def _compose_files(chosen: Chosen, environment: Environment, compose: Compose) -> Source:
    files = [chosen.located(path) for path in environment.compose]
    needs = references(compose.model(files, os.path.dirname(files[0]) or "."))
    title = "compose files" if len(files) > 1 else environment.compose[0]
    return Source(title=title, said=dict(needs), lacks=False)


def _github(chosen: Chosen, context: Context) -> Iterator[Source]:
    """What GitHub has, by the names of the file."""
    from orient_deploy.github.secrets import secrets_store

    token = next(filter(None, map(context.env.get, TOKEN_VARIABLES)), None)
    if not token or not chosen.repository:
        raise InputError(
            "GitHub cannot be asked",
            "GH_TOKEN is not set" if not token else "`origin` is no repository at GitHub",
            "Set it, such as `GH_TOKEN=$(gh auth token)`, in a clone of the repository",
        )
    api_url = context.env.get("GITHUB_API_URL") or GITHUB_API
    secrets = chosen.secrets
    environment = chosen.name if secrets.target == "environment" else ""
    with secrets_store(api_url, chosen.repository, environment, token) as store:
        there = {*store.secrets(), *store.variables()} - {VARIABLE}
    suffixes = [
        one.secrets.suffix.upper()
        for one in (chosen.config.environments if chosen.config else ())
        if one.secrets.suffix and one.name != chosen.name
    ]
    suffix = secrets.suffix.upper()
    said: dict[str, Said] = {
        name.removesuffix(suffix): "there"
        for name in there
        if name.endswith(suffix)
        # Another environment's: it is compared when that one's names are.
        and not (not suffix and any(map(name.endswith, suffixes)))
    }
    yield Source(title="GitHub", said=said, keeps_empty=False)
