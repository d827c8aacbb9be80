"""The arguments of `docker buildx build`, and where its layers are cached. Values in, values out.

Nothing in them is secret: a build secret is named by the variable that holds it. Every value stands
behind its option and an equals sign, so that none can be taken for an option.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orient_deploy.buildx.model import Build
from orient_deploy.errors import InputError

# A tag that no branch can have: the matrix keeps names that begin so for records.
CACHE_TAG = "inputs-cache"
CACHE_MODES = ("auto", "gha", "registry", "none")
_RUNTIME = "crazy-max/ghaction-github-runtime"
_SECRET_ID = re.compile(r"[A-Za-z0-9._-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Caches:
    """What `--cache-from` and `--cache-to` are given, and what there is to say about it."""

    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    notice: str = ""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How an image is built, besides what its entry says."""

    push: bool
    caches: Caches = Caches()
    fresh: bool = False  # no layer is reused, and base images are looked up
    provenance: str = ""  # as buildx takes it; empty: buildx's own default
    sbom: str = ""
    secrets: tuple[tuple[str, str], ...] = ()  # id and the variable that holds the value


def arguments(build: Build, options: Options, metadata_file: str) -> list[str]:
    """The arguments after `docker`, to be run in the root of the checkout.

    Without `push` the result is thrown away: nothing is loaded, nothing leaves the builder.
    """
    lists: list[tuple[str, Sequence[str]]] = [
        ("file", [_here(build.dockerfile)]),
        ("target", [build.target] if build.target else []),
        ("platform", [",".join(build.platforms)] if build.platforms else []),
        ("tag", [build.reference(tag) for tag in build.tags]),
        ("label", build.labels),
        ("build-arg", build.build_args),
        ("build-context", [_context(one) for one in build.contexts]),
        ("secret", [f"id={name},env={variable}" for name, variable in options.secrets]),
        ("cache-from", options.caches.sources),
        ("cache-to", options.caches.targets),
        ("provenance", [options.provenance] if options.provenance else []),
        ("sbom", [options.sbom] if options.sbom else []),
    ]
    return [
        *("buildx", "build", "--progress=plain", f"--metadata-file={metadata_file}"),
        *(f"--{name}={value}" for name, values in lists for value in values),
        *(("--no-cache", "--pull") if options.fresh else ()),
        "--push" if options.push else "--output=type=cacheonly",
        "--",
        _here(build.context),
    ]


def _here(path: str) -> str:
    """A path that nothing takes for a URL, an option or standard input."""
    return f"./{path}"


def _context(text: str) -> str:
    name, _, source = text.partition("=")
    return text if "://" in source else f"{name}={_here(source)}"


def parse_secrets(text: str, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The input `secrets`: lines of `id=VARIABLE`, or of a name that is both.

    The values stay in the environment: they are in no input, no argument and no message.

    >>> parse_secrets("npm=NPM_TOKEN", {"NPM_TOKEN": "…"})
    (('npm', 'NPM_TOKEN'),)

    Raises:
        InputError: a line is none of these, or its variable is not set.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, equals, variable = (part.strip() for part in line.partition("="))
        variable = variable if equals else name
        if not _SECRET_ID.fullmatch(name) or not _VARIABLE.fullmatch(variable):
            # The line is not shown: it may well hold the value itself.
            raise InputError(
                f"input 'secrets': line {number} does not name a secret and a variable",
                "values never stand in an input: a line is id=VARIABLE",
                "Set the variable in the `env` of the step, and write its name here",
            )
        if not environment.get(variable):
            raise InputError(
                f"input 'secrets': the variable {variable} of secret {name} is empty",
                "it is not set in the environment of this step, or the secret does not exist "
                "(a pull request from a fork gets none)",
                f"Set it: `env: {{{variable}: ${{{{ secrets.… }}}}}}`",
            )
        if found.setdefault(name, variable) != variable:
            raise InputError(
                f"input 'secrets': {name} is given twice",
                f"once as {found[name]} and once as {variable}",
                "Leave one of them out",
            )
    return tuple(found.items())


def choose_caches(
    build: Build, mode: str, *, push: bool, exports: bool, environment: Mapping[str, str]
) -> Caches:
    """Where layers come from and go to.

    `exports`: the builder can write caches. buildx silently leaves out a cache of GitHub's without
    the runtime's token, which a runner gives to JavaScript actions and not to a composite one: with
    `auto` the registry then takes its place.

    Raises:
        InputError: there is no such mode.
    """
    if mode not in CACHE_MODES:
        raise InputError(
            f"input 'cache' is {mode!r}",
            f"there are {', '.join(CACHE_MODES)}",
            "Write one of them, or leave it empty for 'auto'",
        )
    sources, targets = list(build.cache_from), list(build.cache_to)
    asked = [one for one in (*sources, *targets) if _is_gha(one)]
    reachable = _reaches_gha(environment)
    notice = ""
    if mode == "none":
        return Caches()
    if mode == "registry" or (mode == "auto" and asked and not reachable):
        where = f"type=registry,ref={build.reference(CACHE_TAG)}"
        sources = [*(one for one in sources if not _is_gha(one)), where]
        targets = [*(one for one in targets if not _is_gha(one)), f"{where},mode=max"]
        if mode == "auto":
            notice = (
                f"GitHub's cache cannot be reached from this step, so layers are cached in "
                f"{build.reference(CACHE_TAG)}. To use GitHub's, run {_RUNTIME} before this step; "
                "or write `cache: registry` (or `none`) to say what you want"
            )
    elif asked and not reachable:
        notice = (
            "GitHub's cache cannot be reached from this step, so no layer is cached: "
            f"run {_RUNTIME} before it, or write `cache: registry`"
        )
        sources = [one for one in sources if not _is_gha(one)]
        targets = [one for one in targets if not _is_gha(one)]
    if not push:  # nothing may be written to the registry
        targets = [one for one in targets if _is_gha(one)]
        notice = ""
    if targets and not exports:
        targets = []
        notice = (
            "no layer is cached: the builder (docker without its containerd image store) cannot "
            "write a cache. Run docker/setup-buildx-action before this step, or write "
            "`cache: none` to say that none is wanted"
        )
    return Caches(sources=tuple(sources), targets=tuple(map(_forgiving, targets)), notice=notice)


def _is_gha(cache: str) -> bool:
    return "type=gha" in cache.split(",")


def _reaches_gha(environment: Mapping[str, str]) -> bool:
    """As buildx decides (build/opt.go, isActive): a token, and an address, the old or new one."""
    address = environment.get("ACTIONS_RESULTS_URL") or environment.get("ACTIONS_CACHE_URL")
    return bool(environment.get("ACTIONS_RUNTIME_TOKEN") and address)


def _forgiving(cache: str) -> str:
    """A cache that cannot be written fails no build: the image is there without it."""
    known = _is_gha(cache) or "type=registry" in cache.split(",")
    return f"{cache},ignore-error=true" if known and "ignore-error=" not in cache else cache
