"""What is wrong with a file of variables, for the project that is to run with it.

Judges values and says nothing of them: a finding has names, and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from orient_deploy.preflight.finding import Check, Finding
from orient_deploy.stack.references import defaults, references

if TYPE_CHECKING:
    from orient_deploy.config.model import Secrets
    from orient_deploy.hidden import Hidden
    from orient_deploy.stack.project import Project

CHECKS = (
    Check(
        id="environment/unreadable",
        severity="error",
        title="Docker Compose does not read the file of variables",
        why="Every command of Compose ends with this error.",
        fix="Correct the line; `orient-deploy secrets lint` knows what readers object to.",
    ),
    Check(
        id="environment/required-missing",
        severity="error",
        title="A required variable is missing",
        why="The service that needs it starts, finds nothing, and ends: it restarts in a loop.",
        fix="Add it to the file of variables.",
    ),
    Check(
        id="environment/required-empty",
        severity="error",
        title="A required variable is empty",
        why="To most programs that is the same as missing, and to some a valid password.",
        fix="Give it its value in the file of variables.",
    ),
    Check(
        id="environment/too-short",
        severity="error",
        title="A secret is too short",
        why="It can be guessed, and libraries refuse it when the service starts.",
        fix="Make a new one: `openssl rand -base64 48`.",
    ),
    Check(
        id="environment/placeholder",
        severity="error",
        title="A variable still has the value of a template",
        why="Whoever knows the template knows the secret, or the service fails at its first call.",
        fix="Put in the real value.",
    ),
    Check(
        id="environment/database-mismatch",
        severity="error",
        title="A database URL does not fit the database of the project",
        why="The service is refused: another user, password or database than the database has.",
        fix="Let both say the same.",
    ),
    Check(
        id="environment/callback-url",
        severity="error",
        title="A callback URL leads elsewhere",
        why="The provider compares it with the one that is registered, and refuses the login.",
        fix="Use the address that is registered, of the host that this environment answers at.",
    ),
    Check(
        id="environment/token-kind",
        severity="error",
        title="A token is of another kind than its name says",
        why="The service that uses it is refused at its first call.",
        fix="Look whether two values have changed places.",
    ),
    Check(
        id="environment/incomplete-group",
        severity="warning",
        title="Of variables that belong together one is missing",
        why="Half of a pair of credentials opens nothing.",
        fix="Set both, or neither.",
    ),
    Check(
        id="environment/suffix-missing",
        severity="error",
        title="The compose files read a suffixed variable, and only the plain one is set",
        why="The service gets an empty value and restarts in a loop, though the variable that "
        "another environment uses is there.",
        fix="Set it under the suffixed name too.",
    ),
    Check(
        id="environment/misspelt",
        severity="warning",
        title="A variable looks like a misspelt one",
        why="Nothing reads it, and the one that is read has no value.",
        fix="Correct the name.",
    ),
    Check(
        id="environment/unknown",
        severity="hint",
        title="Variables that nothing in the compose files reads",
        why="They may be left over, and hide what is needed.",
        fix="Remove them, or pass the file to the services that read them by `env_file`.",
    ),
    Check(
        id="environment/template-missing",
        severity="warning",
        title="A template names a variable that is not there",
        why="Whoever wrote the template knew a service that reads it.",
        fix="Add it to the file of variables, or take it out of the template.",
    ),
    Check(
        id="environment/github-name",
        severity="hint",
        title="GitHub takes no secret of this name",
        why="Names that begin with `GITHUB_` are its own; in a workflow `secrets.GITHUB_TOKEN` is "
        "there already.",
        fix="Name it in `secrets.skip`, or call it otherwise.",
    ),
)

# What follows the name is whose secret it is; `_FILE` or `_EXPIRES_IN` makes another thing of it.
_JWT = re.compile(
    r"(?:.*_)?JWT_?(?:SECRET|KEY)"
    r"(?:_(?:STAGING|STAGE|PRODUCTION|PROD|DEVELOPMENT|DEV|TEST|OLD|NEW|PREVIOUS|\d{1,3}))?"
)
_PLACEHOLDER_MAX = 100  # no template has more
_JWT_MIN = 32  # RFC 7518, 3.2: a key of HMAC-SHA256 has at least 256 bits
_PLACEHOLDER = re.compile(
    r"(?:change[-_ ]?me.*|replace[-_ ]?(?:me|this|with).*"
    r"|your[-_ ].*(?:here|key|token|secret|password)"
    r"|<[^<>]*>|x{6,}|todo|placeholder|.*[-_]?your[-_].*[-_](?:here|key|token)"
    r"|(?:sk|pk|xox[bp]|xapp|ghp)[-_](?:your|xxx|\.\.\.).*|\.\.\.)",
    re.IGNORECASE | re.DOTALL,
)
# How tokens of these begin, as their makers document it. A value of none of these forms may be one
# all the same, behind a proxy: only another's form is surely wrong.
_KINDS: Mapping[str, tuple[str, ...]] = {
    "SLACK_BOT_TOKEN": ("xoxb-",),
    "SLACK_APP_TOKEN": ("xapp-",),
    "SLACK_USER_TOKEN": ("xoxp-",),
    "ANTHROPIC_API_KEY": ("sk-ant-",),
    "XAI_API_KEY": ("xai-",),
    "STRIPE_SECRET_KEY": ("sk_live_", "sk_test_", "rk_live_", "rk_test_"),
    "STRIPE_PUBLISHABLE_KEY": ("pk_live_", "pk_test_"),
    "STRIPE_WEBHOOK_SECRET": ("whsec_",),
}
_PAIRS = (
    (r"(.*?)_?ACCESS_KEY_ID", "{0}SECRET_ACCESS_KEY"),
    (r"(.*?)_?SECRET_ACCESS_KEY", "{0}ACCESS_KEY_ID"),
    (r"(.*?)_?CLIENT_SECRET", "{0}CLIENT_ID"),
    (r"R2()_SECRET_ACCESS_KEY", "R2_ACCOUNT_ID"),
    (r"SLACK()_BOT_TOKEN", "SLACK_SIGNING_SECRET"),
)
_DATABASE_URL = re.compile(r"(?:.*_)?(?:DATABASE|POSTGRES|POSTGRESQL|PG|DB)_UR[LI](?:_[A-Z0-9]+)?")
_CALLBACK = re.compile(r"(?:.*_)?(?:CALLBACK|REDIRECT)_UR[LI](?:_[A-Z0-9]+)?")
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)
_MOST_NAMES = 12


@dataclass(frozen=True, kw_only=True)
class Given:
    """A file of variables as Compose reads it. Its values are only looked at here."""

    title: str  # how people know the file
    values: Mapping[str, Hidden]
    lines: Mapping[str, int]
    in_repository: bool  # then a finding points at the file


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the file is to satisfy."""

    secrets: Secrets
    project: Project | None
    hosts: frozenset[str] = frozenset()  # of the addresses at which the environment answers
    templates: Mapping[str, frozenset[str]] | None = None  # names in each file of `compare`
    passed_whole: bool = False  # a service gets the file by `env_file`
    suffixes: tuple[str, ...] = ("_STAGING",)


def unreadable(title: str, line: int, reason: str, *, in_repository: bool) -> Finding:
    """The finding where Compose refuses the file."""
    at = f", line {line}" if line else ""
    return Finding(
        check="environment/unreadable",
        subject=title,
        message=f"Docker Compose does not read {title}{at}: {reason}",
        file=title if in_repository else "",
        line=line if in_repository else 0,
    )


def check_environment(given: Given, wanted: Wanted) -> list[Finding]:
    """What the file lacks, and what cannot be right in it."""
    found = list(_suffixes(given, wanted))
    told = {one.subject for one in found}
    found += [one for one in _required(given, wanted) if one.subject not in told]
    found += _lengths(given, wanted)
    found += _placeholders(given)
    found += _databases(given, wanted)
    found += _callbacks(given, wanted)
    found += _kinds(given)
    found += _pairs(given, wanted)
    found += _unread(given, wanted)
    found += _templates(given, wanted, {one.subject for one in found})
    found += _github_names(given, wanted)
    return found


def _finding(given: Given, check: str, name: str, message: str, fix: str = "") -> Finding:
    """A finding about a name that is no piece of a value."""
    return Finding(
        check=check,
        subject=name,
        message=message,
        fix=fix,
        file=given.title if given.in_repository else "",
        line=given.lines.get(name, 0) if given.in_repository else 0,
    )


def _has(given: Given, name: str) -> bool:
    return bool(given.values.get(name))


def _required(given: Given, wanted: Wanted) -> Iterator[Finding]:
    for name in wanted.secrets.required:
        if name not in given.values:
            near = get_close_matches(name, filter(_NAME.fullmatch, given.values), n=1, cutoff=0.85)
            yield _finding(
                given,
                "environment/required-missing",
                name,
                f"{name} is not in {given.title}",
                f"Did you mean {near[0]}, which is there?" if near else "",
            )
        elif not given.values[name]:
            yield _finding(
                given, "environment/required-empty", name, f"{name} is empty in {given.title}"
            )


def _lengths(given: Given, wanted: Wanted) -> Iterator[Finding]:
    suffixes = {*wanted.suffixes, wanted.secrets.suffix}
    plain = {name: {name, *map(name.removesuffix, suffixes)} for name in given.values}
    least = {name: _JWT_MIN for name in plain if any(map(_JWT.fullmatch, plain[name]))}
    least.update(wanted.secrets.min_length)
    for name, length in sorted(least.items()):
        value = given.values.get(name)
        if value and len(value.reveal()) < length:
            yield _finding(
                given,
                "environment/too-short",
                name,
                f"{name} in {given.title} has fewer than {length} characters",
            )


def _placeholders(given: Given) -> Iterator[Finding]:
    for name, value in given.values.items():
        text = value.reveal().strip()
        if len(text) <= _PLACEHOLDER_MAX and _PLACEHOLDER.fullmatch(text) and _NAME.fullmatch(name):
            yield _finding(
                given,
                "environment/placeholder",
                name,
                f"{name} in {given.title} has a placeholder for its value",
            )


def _split(value: Hidden) -> SplitResult | None:
    try:
        parts = urlsplit(value.reveal().strip())
        parts.port  # noqa: B018  # raises where it is no number
    except ValueError:
        return None
    return parts


def _databases(given: Given, wanted: Wanted) -> Iterator[Finding]:
    """A PostgreSQL URL that leads to a service of this project must be what that was made with."""
    services = wanted.project.services if wanted.project else {}
    for name in sorted(given.values):
        value = given.values[name]
        if not value or not _DATABASE_URL.fullmatch(name):
            continue
        parts = _split(value)
        if parts is None or not parts.scheme.startswith("postgres"):
            continue
        host = parts.hostname or ""
        service = services.get(host) or next(
            (one for one in services.values() if one.get("container_name") == host), None
        )
        if service is None or "postgres" not in str(service.get("image") or ""):
            continue
        made = service.get("environment") or {}
        pairs = (
            ("user", "POSTGRES_USER", unquote(parts.username or ""), ""),
            ("password", "POSTGRES_PASSWORD", unquote(parts.password or ""), ""),
            ("database", "POSTGRES_DB", parts.path.strip("/"), str(made.get("POSTGRES_USER", ""))),
        )
        wrong = []
        for word, variable, text, default in pairs:
            expected = str(made.get(variable) or default).replace("$$", "$")
            if expected and text and text != expected:
                wrong.append((word, variable))
        # Another role, with a password of its own, is one that was made later.
        if {"user", "password"} <= {word for word, _ in wrong}:
            continue
        for word, variable in wrong:
            yield _finding(
                given,
                "environment/database-mismatch",
                name,
                f"{name} in {given.title} names another {word} than {variable} of the service "
                f"{host}",
            )


def _callbacks(given: Given, wanted: Wanted) -> Iterator[Finding]:
    for name in sorted(given.values):
        value = given.values[name]
        if not value or not _CALLBACK.fullmatch(name):
            continue
        parts = _split(value)
        wrong = ""
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            # An app's own scheme (`myapp://…`) is a redirect too.
            wrong = "is no absolute URL" if parts is None or not parts.scheme else ""
        elif wanted.hosts and parts.hostname not in wanted.hosts:
            wrong = f"does not lead to {' or '.join(sorted(wanted.hosts))}"
        elif wanted.hosts and parts.scheme == "http":
            wrong = "is no https address"
        if wrong:
            yield _finding(
                given, "environment/callback-url", name, f"{name} in {given.title} {wrong}"
            )


def _kinds(given: Given) -> Iterator[Finding]:
    starts = [(name, start) for name, those in _KINDS.items() for start in those]
    for name, value in sorted(given.values.items()):
        own = next((those for one, those in _KINDS.items() if re.match(rf"{one}(_|$)", name)), None)
        text = value.reveal()
        if own is None or text.startswith(own):
            continue
        other = next((one for one, start in starts if text.startswith(start)), "")
        if other:
            yield _finding(
                given,
                "environment/token-kind",
                name,
                f"{name} in {given.title} begins as {other} does",
            )


def _pairs(given: Given, wanted: Wanted) -> Iterator[Finding]:
    read = _read_by(wanted)
    for name in sorted(given.values):
        for pattern, partner in _PAIRS:
            found = re.fullmatch(pattern, name)
            if not found or not _has(given, name):
                continue
            other = partner.format(found[1] + ("_" if found[1] else ""))
            # Only where something reads it: another program may know the other half by itself.
            if not _has(given, other) and (other in read or other in given.values):
                yield _finding(
                    given,
                    "environment/incomplete-group",
                    other,
                    f"{name} is set in {given.title}, and {other} is not",
                )


def _read_by(wanted: Wanted) -> Mapping[str, str]:
    return references(wanted.project.raw) if wanted.project and wanted.project.raw else {}


def _suffixes(given: Given, wanted: Wanted) -> Iterator[Finding]:
    suffixes = {*wanted.suffixes, wanted.secrets.suffix} - {""}
    blank = {name for name, those in defaults(_raw(wanted)).items() if "" in those}
    for name, need in _read_by(wanted).items():
        suffix = next((one for one in suffixes if name.endswith(one)), "")
        plain = name.removesuffix(suffix)
        if not suffix or not plain or _has(given, name) or not _has(given, plain):
            continue
        if need != "default" or name in blank:
            yield _finding(
                given,
                "environment/suffix-missing",
                name,
                f"the compose files read {name}; {given.title} sets {plain} only",
            )


def _raw(wanted: Wanted) -> object:
    return wanted.project.raw if wanted.project else None


def _unread(given: Given, wanted: Wanted) -> Iterator[Finding]:
    read = _read_by(wanted)
    if not read:
        return
    lacking = [name for name in read if name not in given.values]
    unread = []
    for name in given.values:
        known = name in read or name in wanted.secrets.required or not _NAME.fullmatch(name)
        if known or name.startswith(("COMPOSE_", "DOCKER_")):
            continue
        near = get_close_matches(name, lacking, n=1, cutoff=0.88)
        if near and not _differs_on_purpose(name, near[0]):
            yield _finding(
                given,
                "environment/misspelt",
                name,
                f"nothing reads {name} of {given.title}; the compose files read {near[0]}, which "
                "is not there",
                f"Did you mean {near[0]}?",
            )
        else:
            unread.append(name)
    if unread and not wanted.passed_whole:
        shown = ", ".join(unread[:_MOST_NAMES])
        more = f" and {len(unread) - _MOST_NAMES} more" if len(unread) > _MOST_NAMES else ""
        yield _finding(
            given,
            "environment/unknown",
            given.title,
            f"the compose files read nothing of {shown}{more}",
        )


def _differs_on_purpose(one: str, other: str) -> bool:
    """Whether two names differ by a number or a whole word, as names of a series do.

    >>> _differs_on_purpose("PORT_1", "PORT_2"), _differs_on_purpose("POSTGRES_DBB", "POSTGRES_DB")
    (True, False)
    """
    if re.sub(r"\d+", "0", one) == re.sub(r"\d+", "0", other):
        return True
    words, others = one.split("_"), other.split("_")
    return len(words) != len(others) and "".join(words) != "".join(others)


def _templates(given: Given, wanted: Wanted, told: Collection[str]) -> Iterator[Finding]:
    skipped = {*wanted.secrets.skip, *told}
    for title, names in sorted((wanted.templates or {}).items()):
        lacking = [
            name
            for name in sorted(names)
            if name not in given.values and name not in skipped and _NAME.fullmatch(name)
        ]
        for name in lacking:
            yield _finding(
                given,
                "environment/template-missing",
                name,
                f"{title} names {name}; it is not in {given.title}",
            )


def _github_names(given: Given, wanted: Wanted) -> Iterator[Finding]:
    if not wanted.secrets.file:
        return
    for name in sorted(given.values):
        if name.startswith("GITHUB_") and name not in wanted.secrets.skip:
            yield _finding(
                given,
                "environment/github-name",
                name,
                f"{name} of {given.title} cannot be a secret at GitHub",
            )
