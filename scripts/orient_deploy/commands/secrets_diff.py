"""`orient-deploy secrets diff`: which names are lacking, and where? Shows no value, and asks GitHub
only when told to."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from orient_deploy.commands.context import described
from orient_deploy.commands.secrets_file import SecretsInputs, choose, named
from orient_deploy.commands.sync_secrets import GITHUB_API, KEY_VARIABLE, TOKEN_VARIABLES
from orient_deploy.errors import EXIT_FOUND, EXIT_GOOD, InputError
from orient_deploy.plan.wording import listed
from orient_deploy.record import dataclass
from orient_deploy.secrets.envfile import read_env_file
from orient_deploy.secrets.keys import Said, Source, compare_names
from orient_deploy.secrets.lint import is_sure
from orient_deploy.secrets.report import names_headline, names_lines, names_markdown
from orient_deploy.secrets.state import VARIABLE, State, parse_state
from orient_deploy.secrets.wanted import at_github
from orient_deploy.stack.compose import Compose
from orient_deploy.stack.references import references

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.commands.secrets_file import Chosen
    from orient_deploy.config.model import Environment

OUTPUTS = ("problems", "names")
# What is compared when the configuration does not say it, as far as it is there.
USUAL = (".env", ".env.example")
# What Compose knows of itself, a deploy or a shell sets: no file need have it.
_SET_ELSEWHERE = re.compile(r"COMPOSE_[A-Z0-9_]*|DOCKER_HOST|HOME|LOGNAME|PATH|PWD|SHELL|USER")


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
    compared = [_read(chosen, path, compose) for path in _paths(chosen)]
    own, *others = (one.source for one in compared)
    if chosen.environment and chosen.environment.compose:
        others.append(_compose_files(chosen, chosen.environment, compose))
    remarks = list(_not_shown(compared))
    if inputs.github:
        source, alone = _github(chosen, context, [own, *others])
        others.append(source)
        remarks += _only_there(alone, chosen.name)
    found = compare_names(
        [own, *others], required=chosen.secrets.required, optional=chosen.secrets.skip
    )
    problems = {row.name: row.problem for row in found.problems}
    names = {row.name: dict(zip(found.titles, row.said, strict=True)) for row in found.rows}
    if problems and context.in_actions:
        context.log.error(
            f"{names_headline(found, chosen.name)}: {listed(list(problems))}.", title="Secrets"
        )
    context.show(
        {"problems": problems, "names": names},
        lines=names_lines(found, chosen.name, remarks),
        markdown=names_markdown(found, chosen.name, remarks),
    )
    return EXIT_FOUND if problems else EXIT_GOOD


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A file's column, and how many of its names may be pieces of values."""

    source: Source
    not_shown: int


def _paths(chosen: Chosen) -> Sequence[str]:
    """The environment's own file, what it is compared with, and the files of the other environments
    that are on this machine; each once."""
    paths = [chosen.file, *chosen.secrets.compare]
    if not chosen.secrets.compare:
        paths += [one for one in USUAL if os.path.isfile(chosen.located(one))]
    for one in chosen.config.environments if chosen.config else ():
        path = one.secrets.file
        if one.name != chosen.name and path and os.path.isfile(chosen.located(path)):
            paths.append(path)
    found: dict[str, str] = {}
    for path in paths:
        found.setdefault(os.path.realpath(chosen.located(path)), path)
    return list(found.values())


def _read(chosen: Chosen, path: str, compose: Compose) -> Compared:
    try:
        entries = read_env_file(chosen.located(path), compose).entries
    except InputError as error:
        raise named(error, chosen.located(path), path) from None
    said: dict[str, Said] = {
        one.name: "there" if one.value else "empty" for one in entries if is_sure(one)
    }
    example = path.endswith((".example", ".sample", ".template", ".dist"))
    source = Source(title=path, said=said, example=example)
    return Compared(source=source, not_shown=len(entries) - len(said))


def _not_shown(compared: Sequence[Compared]) -> Iterator[str]:
    titles = [one.source.title for one in compared if one.not_shown]
    if titles:
        yield (
            f"Some names of {', '.join(titles)} are neither compared nor shown, because they may "
            "be pieces of values. `orient-deploy secrets lint` finds their lines"
        )


def _compose_files(chosen: Chosen, environment: Environment, compose: Compose) -> Source:
    """What the files ask for, together and each by itself: Compose reads the values of each before
    one overrides another."""
    files = [chosen.located(path) for path in environment.compose]
    folder = os.path.dirname(files[0]) or "."
    for path, file in zip(environment.compose, files, strict=True):
        if not os.path.isfile(file):
            raise InputError(
                f"the compose file {path} is not there",
                f"{environment.name} names it below `compose`",
                "Correct the configuration, or check the file out",
            )
    try:
        models = [compose.model(files, folder)]
        models += [compose.model([file], folder) for file in files if len(files) > 1]
    except InputError as error:
        for path, file in zip(environment.compose, files, strict=True):
            error = named(error, file, path)
        raise error from None
    said: dict[str, Said] = {
        name: "default" if _SET_ELSEWHERE.fullmatch(name) else need
        for name, need in references(*models).items()
    }
    title = "compose files" if len(files) > 1 else environment.compose[0]
    return Source(title=title, said=said, lacks=False)


# --- GitHub


def _github(
    chosen: Chosen, context: Context, others: Sequence[Source]
) -> tuple[Source, Sequence[str]]:
    """What GitHub has, by the names of the file; and names that may be anybody's."""
    there, state = _ask(chosen, context)
    suffix = chosen.secrets.suffix.upper()
    known = {name.upper() for source in others for name in source.said}
    skipped = {at_github(name, chosen.secrets.suffix) for name in chosen.secrets.skip}
    claimed = _claimed(chosen, {one.title: one for one in others})
    said: dict[str, Said] = {}
    alone = []
    for name in sorted(there):
        base = name.removesuffix(suffix)
        if not _is_ours(name, chosen, state, others[0], claimed):
            continue
        known_ours = name in state.written or suffix or chosen.secrets.target == "environment"
        if known_ours or base in known:
            said[base] = "there"
        elif name not in skipped:
            alone.append(name)
    return Source(title="GitHub", said=said, keeps_empty=False, any_case=True), alone


def _ask(chosen: Chosen, context: Context) -> tuple[Sequence[str], State]:
    """The names that GitHub has where this environment's are, and what is noted of them."""
    from orient_deploy.github.secrets import secrets_store

    token = next(filter(None, map(context.env.get, TOKEN_VARIABLES)), None)
    if not token or not chosen.repository:
        raise InputError(
            "GitHub cannot be asked",
            "GH_TOKEN is not set" if not token else "`origin` is no repository at GitHub",
            "Set it, such as `GH_TOKEN=$(gh auth token)`, in a clone of the repository",
        )
    api_url = context.env.get("GITHUB_API_URL") or GITHUB_API
    environment = chosen.name if chosen.secrets.target == "environment" else ""
    with secrets_store(api_url, chosen.repository, environment, token) as store:
        variables = store.variables()
        there = {*store.secrets(), *variables} - {VARIABLE, KEY_VARIABLE}
    noted = variables.get(VARIABLE)
    return sorted(there), (parse_state(noted.reveal()) if noted else None) or State()


def _neighbours(chosen: Chosen) -> Sequence[Environment]:
    """The other environments whose secrets are in the same place at GitHub."""
    if chosen.secrets.target == "environment" or not chosen.config:
        return ()
    return [
        one
        for one in chosen.config.environments
        if one.name != chosen.name and one.secrets.file and one.secrets.target == "repository"
    ]


def _claimed(chosen: Chosen, columns: Mapping[str, Source]) -> set[str]:
    """What the files of the neighbours make of their names."""
    return {
        at_github(name, one.secrets.suffix)
        for one in _neighbours(chosen)
        if one.secrets.file in columns
        for name in columns[one.secrets.file].said
    }


def _is_ours(
    name: str, chosen: Chosen, state: State, own: Source, claimed: Collection[str]
) -> bool:
    """Whether a name at GitHub is this environment's, and not that of one with another suffix."""
    if name in {at_github(one, chosen.secrets.suffix) for one in own.said}:
        return True
    if name in state.written:
        return state.written[name].owner == chosen.name
    if name in claimed:
        return False
    ours = chosen.secrets.suffix.upper()
    suffixes = [ours, *(one.secrets.suffix.upper() for one in _neighbours(chosen))]
    return max(filter(name.endswith, suffixes), key=len, default=None) == ours


def _only_there(names: Sequence[str], environment: str) -> Iterator[str]:
    if names:
        whose = f" for {environment}" if environment else ""
        yield (
            f"GitHub alone has {', '.join(names)}; no run of sync-secrets noted that it wrote them"
            f"{whose}. If they are secrets of a workflow, `skip` says so"
        )
