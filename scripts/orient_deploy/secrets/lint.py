r"""Which values of a file of variables other readers take differently than Docker Compose does.

Judges the writing alone and never says any of it: a reason is one of the fixed phrases below.
docs/dotenv.md names the reader behind each. Of the recorded files every one that Compose,
python-dotenv and bash take differently has a finding.

>>> [(one.name, one.line, one.reason) for one in lint(b"A=1\nB=x # c\n")]
[('B', 2, 'a comment behind the value')]
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from orient_deploy.secrets.envfile import SPACES, Entry, Statement, scan

BOM = "a byte order mark at the start of the file"
CR = "a carriage return (CRLF)"
BYTES = "bytes that are no UTF-8"
CONTROL = "a control character or a blank that is neither space nor tab"
BROKEN = "from here on the file cannot be read"
BARE = "a name without `=`"
FOLLOWS = "text behind a closing quote"
INDENTED = "blanks before the name"
EXPORT = "`export` before the name"
CASE = "a name with lower-case letters"
NAME = "a name that is not made of A-Z, 0-9 and _, or begins with a digit"
SHELL = "a name that the shell or the system sets itself"
DUPLICATE = "a name that stands twice"
COLON = "`:` instead of `=`"
AROUND = "blanks around `=`"
DOLLAR = "a `$` outside of single quotes that is no `${NAME}` of an earlier line"
REFERENCE = "a `${NAME}` of a name that is accepted although readers differ"
SINGLE_DOLLAR = "`${` in single quotes"
BACKSLASH = "a backslash"
BACKTICK = "a backtick outside of single quotes"
HASH = "a `#` in a value without quotes"
COMMENT = "a comment behind the value"
TAB_COMMENT = "a tab before `#`"
INNER_QUOTE = "a quote inside a value without quotes"
UNQUOTED = "a character that needs quotes (a blank, or one of ~ & | ; < > ( ))"
TRAILING = "blanks behind the value"
LINES = "a value of several lines"
OPTION = "a value that `echo` takes for an option"
DELETED = "a name alone at the end of the file"

_ODD = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]"
)
_FOREIGN = re.compile("[\udc80-\udcff]")  # as `surrogateescape` leaves them
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)
_SHOWN = re.compile(r"[A-Z_][A-Z0-9_]*|[a-z_][a-z0-9_]*", re.ASCII)
_REFERENCE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}", re.ASCII)
_OPTION = re.compile(r"-[neE]+")
# Assigning these does something else than assigning, or another value wins where they are read.
_TAKEN = re.compile(
    r"_|BASH.*|COMPOSE_.*|DOCKER_(?:HOST|CONFIG|CONTEXT|TLS.*|CERT_PATH|API_VERSION|BUILDKIT|CONTENT_TRUST.*)|DOCKER_DEFAULT_PLATFORM|LC_.*|LD_.*|LANG|DIRSTACK|EPOCH.*|EUID|FUNCNAME|GROUPS|HIST.*|HOME"
    r"|HOSTNAME|HOSTTYPE|IFS|LINENO|LOGNAME|MACHTYPE|OLDPWD|OPT(?:ARG|IND|ERR)|OSTYPE|PATH|PIPESTATUS"
    r"|POSIXLY_CORRECT|PPID|PS[0-4]|PWD|RANDOM|SECONDS|SHELL|SHELLOPTS|SHLVL|SRANDOM|TERM|UID|USER"
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A name that readers take differently. `name` is '' where it may be a piece of a value."""

    name: str
    line: int
    reason: str


def is_shown(name: str) -> bool:
    """Whether a name is surely one, and not a piece of a value that was read as a name.

    >>> is_shown("DATABASE_URL"), is_shown("dGhpcyBpcyBhIHBpZWNl")
    (True, False)
    """
    return bool(_SHOWN.fullmatch(name))


def is_sure(entry: Entry) -> bool:
    """Whether the name of an entry may be said: it is one, and no piece of the value before it."""
    return is_shown(entry.name) and not entry.follows


def lint(content: bytes, *, accept: Collection[str] = ()) -> tuple[Finding, ...]:
    """The findings in the order of the file, but for those of the names in `accept`."""
    text = content.decode("utf-8", "surrogateescape")
    found: list[Finding] = []
    if text.startswith("\ufeff"):
        found.append(Finding(name="", line=1, reason=BOM))
        text = text[1:]
    for line, written in enumerate(text.split("\n"), 1):
        if "\r" in written:
            found.append(Finding(name="", line=line, reason=CR))
        if _ODD.search(written):
            found.append(Finding(name="", line=line, reason=CONTROL))
        if _FOREIGN.search(written):
            found.append(Finding(name="", line=line, reason=BYTES))
    scanned = scan(text)
    earlier: set[str] = set()
    unsure: set[str] = set()
    for one in scanned.statements:
        shown = is_shown(one.name) and not one.bare and not one.follows
        name = one.name if shown else ""
        reasons = _reasons(one, earlier, unsure)
        if not (name and name in accept):
            found += [Finding(name=name, line=one.line, reason=reason) for reason in reasons]
        elif reasons:
            unsure.add(name)
        earlier.add(one.name)
    if scanned.fault_line:
        found.append(Finding(name="", line=scanned.fault_line, reason=BROKEN))
    return tuple(sorted(found, key=lambda one: one.line))


def _reasons(one: Statement, earlier: Collection[str], unsure: Collection[str]) -> list[str]:
    if one.bare:
        return [FOLLOWS if one.follows else BARE]
    if not one.head.rstrip(SPACES).endswith(("=", ":")):
        return [DELETED]
    return [*_reasons_of_name(one, earlier), *_reasons_of_value(one, earlier, unsure)]


def _reasons_of_name(one: Statement, earlier: Collection[str]) -> list[str]:
    checks = {
        FOLLOWS: one.follows,
        INDENTED: one.indented and not one.follows,
        EXPORT: one.export,
        NAME: not _NAME.fullmatch(one.name.upper()) or not one.name.isascii(),
        CASE: one.name != one.name.upper(),
        SHELL: bool(_TAKEN.fullmatch(one.name)),
        DUPLICATE: one.name in earlier,
        COLON: one.head.rstrip(SPACES).endswith(":"),
        AROUND: one.head not in (f"{one.name}=", f"{one.name}:"),
    }
    return [reason for reason, holds in checks.items() if holds]


def _reasons_of_value(
    one: Statement, earlier: Collection[str], unsure: Collection[str]
) -> list[str]:
    raw = one.raw
    tail = one.tail.strip(SPACES)
    checks = {
        LINES: "\n" in raw,
        OPTION: bool(_OPTION.fullmatch(raw.strip(SPACES))),
        COMMENT: tail.startswith("#"),
        TRAILING: one.tail.rstrip("\r") != "" and not tail,  # other text is what FOLLOWS
    }
    if one.quote == "'":
        checks[BACKSLASH] = bool(re.search(r"\\(?:[\\']|\Z)", raw))
        checks[SINGLE_DOLLAR] = "${" in raw
    else:
        references = _REFERENCE.findall(raw)
        known = all(name in earlier and not _TAKEN.fullmatch(name) for name in references)
        checks[DOLLAR] = not known or "$" in _REFERENCE.sub("", raw)
        checks[REFERENCE] = any(name in unsure for name in references)
        checks[BACKSLASH] = "\\" in raw
        checks[BACKTICK] = "`" in raw
    if not one.quote:
        value = re.split(" #|\t#", raw)[0].rstrip(SPACES)
        checks[COMMENT] = " #" in raw
        checks[TAB_COMMENT] = "\t#" in raw
        checks[HASH] = "#" in value
        checks[INNER_QUOTE] = "'" in value or '"' in value
        checks[UNQUOTED] = bool(re.search(r"[ \t~&|;<>()]", value))
        checks[TRAILING] = raw.rstrip("\r") != raw.rstrip(SPACES)
    return [reason for reason, holds in checks.items() if holds]
