r"""Match the catalogue against streams of bytes: linear in their length, in bounded memory.

Whole blocks are searched for what a line must hold, and only lines that hold it are looked at. A
line counts up to 64 KiB. Of a foreign line nothing is kept but the part that a signature describes,
without what looks like a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from orient_deploy.symptoms.catalogue import Catalogue, Entry, filled, filled_command
from orient_deploy.symptoms.signature import Found, Signature

LINE_MAX_BYTES = 64 * 1024
EXCERPT_MAX = 300
BLOCK_BYTES = 128 * 1024  # what is searched at once: it stays in the processor's cache
KEY_BYTES = 8  # what anchors share; a block without it is searched for none of them
# After so many lines a signature has said what it can say of a source.
LINES_MAX = 10_000
# Of one entry, so many are told apart; a log that names a million hosts has one cause.
APART_MAX = 20

OPAQUE_MIN = 12  # characters of a piece that nobody would call anything

_WINDOW = LINE_MAX_BYTES // 2
# Sequences that steer a terminal (ECMA-48, 5.4). No two can share a character, so it is linear.
_STEERING = re.compile(rb"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]")
# What a step is about to run, as the runner shows it (actions/runner, ScriptHandler.cs): it is no
# complaint, whatever it echoes or greps for. Compose's own cyan ends behind a container's name.
_SCRIPT = re.compile(
    rb"^(?:\xef\xbb\xbf)?(?:[0-9TZ:.+-]{20,40} )?\x1b\[36;1m[^\x1b\n]*\x1b\[0m$", re.MULTILINE
)
_SHOWN = ("##[group]", "##[command]")  # the same, of its first line and of what an action runs
# What stands in front of a program's own line: GitHub's or Docker's time, Compose's name of the
# container, a step of BuildKit, the runner's mark of an error.
_TIME = re.compile("\ufeff?[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,30}(?:Z|[+-][0-9:]{4,6}) ")
_CONTAINER = re.compile(r" {0,64}([A-Za-z0-9][A-Za-z0-9_.-]{0,100}) {1,64}\| ?")
_STEP = re.compile(r"#[0-9]{1,6} (?:[0-9]{1,9}\.[0-9]{1,9} )?|[0-9]{1,9}\.[0-9]{3} ")
_MARK = re.compile(r"##\[(?:error|warning)\]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")  # of a service or a container
_NUMBERED = re.compile(r"(.{1,100})[-_][0-9]{1,4}")

_CREDENTIALS = re.compile(r"(://)[^\s@]{1,200}@")
# The same without a scheme, in front of a host; `name:tag@sha256:…` is an image.
_LOGIN = re.compile(r"(?<![^\s\"'(\[=,])[^\s@/\"']{1,100}:[^\s@\"']{1,200}@(?!sha256:)")
_ASSIGNED = re.compile(r"([A-Za-z0-9_.-]{1,100}=)[^\s&]{1,300}")
# `password: x`, as YAML, JSON and sentences have it.
_TOLD = re.compile(
    r"((?:passw(?:or)?d|passphrase|pwd|secret|token|api[-_ ]?key|credentials?)[\"']?\s?:\s?[\"']?)"
    r"[^\s\"',;]{1,300}",
    re.IGNORECASE,
)
_OPAQUE = re.compile(r"(?<!sha256:)(?<![A-Za-z0-9_+=-])[A-Za-z0-9_+=-]{20,}(?![A-Za-z0-9_+=-])")
_TOKEN = re.compile(
    r"\b(?:gh[a-z]_|github_pat_|xox[a-z]-|xapp-|sk-|npm_|AKIA|eyJ)[A-Za-z0-9_.-]{4,300}"
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where lines come from. `kind` is job, jobs, container, state, health or log."""

    name: str  # for people
    kind: str = "log"
    service: str = ""  # whose lines they are, where it is known


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Something known that a source shows."""

    entry: Entry
    captures: tuple[tuple[str, str], ...]
    service: str  # '' where it is not known
    source: Source
    line: int  # the first that shows it, from 1
    count: int  # lines that show it
    excerpt: str  # the part of the line that tells; foreign text

    @property
    def _values(self) -> list[tuple[str, str]]:
        return [*self.captures, ("service", self.service)]

    @property
    def title(self) -> str:
        """What is wrong, as a heading."""
        return filled(self.entry.title, self._values)

    @property
    def cause(self) -> str:
        """Why."""
        return filled(self.entry.cause, self._values)

    @property
    def fix(self) -> str:
        """What to do."""
        return filled(self.entry.fix, self._values)

    @property
    def command(self) -> str:
        """What to copy and run."""
        return filled_command(self.entry.command, self._values)

    @property
    def because(self) -> str:
        """Why a rollback cures it, or does not."""
        return filled(self.entry.because, self._values)


@dataclass
class _Stream:
    """What is kept of a source between two pieces of it."""

    rest: bytes = b""  # the line that has not ended
    is_cut: bool = False  # its first 64 KiB are looked at: the rest of it is passed over
    held: bytes = b""  # a CR that may begin a CRLF
    lines: int = 0
    counts: dict[Signature, int] = field(default_factory=dict)


class Matcher:
    """Takes sources piece by piece, several at once; `diagnoses` says what they show."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._streams: dict[Source, _Stream] = {}
        self._found: dict[tuple[str, tuple[tuple[str, str], ...], str], Diagnosis] = {}
        self._apart: dict[str, int] = {}
        anchors: dict[bytes, list[tuple[Entry, Signature]]] = {}
        for entry in catalogue.entries:
            for signature in entry.signatures:
                anchors.setdefault(signature.anchor, []).append((entry, signature))
        self._keys = [
            (key, [(anchor, anchors[anchor]) for anchor in those])
            for key, those in _shared(tuple(anchors)).items()
        ]

    def feed(self, source: Source, data: bytes) -> None:
        """The next bytes of a source, cut anywhere."""
        stream = self._streams.setdefault(source, _Stream())
        for start in range(0, len(data), BLOCK_BYTES):
            self._take(source, stream, data[start : start + BLOCK_BYTES])

    def end(self, source: Source) -> None:
        """The source has no more: its last line counts, though nothing ends it."""
        stream = self._streams.get(source)
        if stream and (stream.rest or stream.held):
            self._take(source, stream, b"\n")

    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """What was found in all sources, which this ends: causes before consequences, and then in
        the order in which they were told."""
        for source in list(self._streams):
            self.end(source)
        order = list(self._found.values())
        named = {(one.entry.id, one.captures): one.service for one in order if one.service}
        merged: dict[tuple[str, tuple[tuple[str, str], ...], str], Diagnosis] = {}
        for one in order:
            service = one.service or named.get((one.entry.id, one.captures), "")
            key = (one.entry.id, one.captures, service)
            same = merged.get(key)
            if same:
                merged[key] = replace(same, count=same.count + one.count)
            else:
                merged[key] = replace(one, service=service)
        return tuple(sorted(merged.values(), key=lambda one: one.entry.stage != "cause"))

    def _take(self, source: Source, stream: _Stream, data: bytes) -> None:
        """Look at the lines that are whole now."""
        data = stream.held + data
        stream.held = b""
        if data.endswith(b"\r"):
            data, stream.held = data[:-1], b"\r"
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if stream.is_cut:
            end = data.find(b"\n")
            if end < 0:
                return
            stream.is_cut = False
            stream.lines += 1
            data = data[end + 1 :]
        data = stream.rest + data
        whole = data.rfind(b"\n") + 1
        stream.rest = data[whole:]
        if whole:
            self._look(source, stream, _cut(data[:whole]))
        if len(stream.rest) > LINE_MAX_BYTES:
            # Its end is counted when it comes.
            self._look(source, stream, stream.rest[:LINE_MAX_BYTES], ended=False)
            stream.rest, stream.is_cut = b"", True

    def _look(self, source: Source, stream: _Stream, block: bytes, *, ended: bool = True) -> None:
        """Search lines of a bearable length."""
        plain = block
        if b"\x1b" in block:
            plain = _STEERING.sub(b"", _SCRIPT.sub(b"", block))
        if b'\\"' in plain:  # a program that logs JSON
            plain = plain.replace(b'\\"', b'"')
        hits: list[tuple[int, Entry, Signature]] = []
        for anchor, wanted in self._present(plain):
            at = plain.find(anchor)
            if at < 0:
                continue
            for entry, signature in wanted:
                if entry.sources and source.kind not in (*entry.sources, "log"):
                    continue
                if stream.counts.get(signature, 0) < LINES_MAX:
                    hits += ((start, entry, signature) for start in _lines_with(plain, anchor, at))
        hits.sort(key=lambda hit: hit[0])
        counted = number = 0
        for start, entry, signature in hits:
            number += plain.count(b"\n", counted, start)
            counted = start
            end = plain.find(b"\n", start)
            line = plain[start : len(plain) if end < 0 else end].decode("utf-8", "surrogateescape")
            if stream.counts.get(signature, 0) < LINES_MAX:
                self._judge(source, stream, entry, signature, line, stream.lines + number + 1)
        stream.lines += block.count(b"\n") if ended else 0

    def _present(self, block: bytes) -> Iterator[tuple[bytes, list[tuple[Entry, Signature]]]]:
        """The anchors that the block may hold."""
        for key, those in self._keys:
            if key in block:
                yield from those

    def _judge(
        self,
        source: Source,
        stream: _Stream,
        entry: Entry,
        signature: Signature,
        line: str,
        number: int,
    ) -> None:
        # Most of what holds an anchor is not it, and is left as soon as that is known.
        if any(one in line for one in entry.unless):
            return
        if not signature.at_start and signature.find(line) is None:
            return
        container, text = _bare(line)
        found = signature.find(text)
        if found is None:
            return
        stream.counts[signature] = stream.counts.get(signature, 0) + 1
        taken = tuple((name, without_secrets(value)) for name, value in found.captures)
        service = _service(entry, taken, container, source)
        # What only one wording tells would make two diagnoses of one line.
        captures = tuple(one for one in taken if one[0] in entry.names)
        key = (entry.id, captures, service)
        known = self._found.get(key)
        if known is None and self._apart.get(entry.id, 0) >= APART_MAX:
            key = next(one for one in reversed(self._found) if one[0] == entry.id)
            known = self._found[key]
        if known is not None:
            # Two wordings of one thing in one line are one line.
            is_same = (known.source, known.line) == (source, number)
            self._found[key] = replace(known, count=known.count + (not is_same))
            return
        self._apart[entry.id] = self._apart.get(entry.id, 0) + 1
        self._found[key] = Diagnosis(
            entry=entry,
            captures=captures,
            service=service,
            source=source,
            line=number,
            count=1,
            excerpt=_excerpt(text, found),
        )


def rollback_cures(diagnoses: Sequence[Diagnosis]) -> bool | None:
    """Whether going back to the release before would cure what is wrong; None: nobody can tell.

    Consequences count only where no cause is known, since they end with their cause.
    """
    causes = [one for one in diagnoses if one.entry.stage == "cause"] or list(diagnoses)
    answers = {one.entry.rollback for one in causes}
    if "no" in answers:
        return False
    return True if answers == {"yes"} else None


def without_secrets(text: str) -> str:
    """A piece of a foreign line without what may be a secret.

    >>> without_secrets("postgres://bot:sesame@db/bot?key=x")
    'postgres://…@db/bot?key=…'
    """
    text = _CREDENTIALS.sub(r"\1…@", text)
    text = _LOGIN.sub("…@", text)
    text = _TOLD.sub(r"\1…", text)
    text = _ASSIGNED.sub(r"\1…", text)
    text = _TOKEN.sub("…", text)
    return _OPAQUE.sub(lambda run: "…" if _is_opaque(run[0]) else run[0], text)


def _is_opaque(run: str) -> bool:
    """Whether a long run of letters and digits is no name that people made: a long piece of it
    mixes both, or several pieces do."""
    pieces = [one for one in re.split(r"[-_+=]", run) if any(map(str.isdigit, one))]
    long = any(len(one) >= OPAQUE_MIN and any(map(str.isalpha, one)) for one in pieces)
    return long or len(pieces) >= 3


def _excerpt(text: str, found: Found) -> str:
    shown = without_secrets(text[found.start : min(found.end, found.start + 4 * EXCERPT_MAX)])
    return shown if len(shown) <= EXCERPT_MAX else shown[: EXCERPT_MAX - 1] + "…"


def _service(
    entry: Entry, captures: Sequence[tuple[str, str]], container: str, source: Source
) -> str:
    """Whose fault it is: what the line names, else whose line it is, else what the entry says."""
    if entry.service.startswith("{"):
        told = dict(captures).get(entry.service[1:-1], "")
        if _NAME.fullmatch(told):
            return told
    if _NAME.fullmatch(source.service):
        return source.service
    if container:
        numbered = _NUMBERED.fullmatch(container)
        return numbered[1] if numbered else container
    return "" if entry.service.startswith("{") else entry.service


def _bare(line: str) -> tuple[str, str]:
    """The container that Compose names in front of a line, or '', and the program's own words."""
    text = _without(_TIME, line)
    if text.startswith(_SHOWN):
        return "", ""
    text = _without(_MARK, text)
    named = _CONTAINER.match(text)
    container = ""
    # A table of docker's or of a database's has bars too, but not after the first word alone.
    if named and not named[1].isdigit():
        container = named[1]
        text = _without(_TIME, text[named.end() :])
    return container, _without(_STEP, text)


def _without(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return text[found.end() :] if found else text


@lru_cache(maxsize=4)
def _shared(anchors: tuple[bytes, ...]) -> Mapping[bytes, list[bytes]]:
    """Each anchor under a piece that it shares with as many others as can be, or under itself."""
    holders: dict[bytes, set[bytes]] = {}
    for anchor in anchors:
        for start in range(len(anchor) - KEY_BYTES + 1):
            holders.setdefault(anchor[start : start + KEY_BYTES], set()).add(anchor)
    keys: dict[bytes, list[bytes]] = {}
    left = set(anchors)
    while left:
        key = max(holders, key=lambda one: (len(holders[one]), one), default=b"")
        those = holders.pop(key, set())
        if len(those) < 2:
            break
        keys[key] = sorted(those)
        left -= those
        for others in holders.values():
            others -= those
    return {**keys, **{anchor: [anchor] for anchor in sorted(left)}}


def _lines_with(block: bytes, anchor: bytes, at: int) -> Iterator[int]:
    """Where the lines that hold an anchor begin, each once."""
    while at >= 0:
        yield block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        if end < 0:
            return
        at = block.find(anchor, end)


def _cut(block: bytes) -> bytes:
    """The lines, each with its first 64 KiB only."""
    starts = range(0, len(block) - _WINDOW + 1, _WINDOW)
    if all(block.find(b"\n", start, start + _WINDOW) >= 0 for start in starts):
        return block
    return b"\n".join(line[:LINE_MAX_BYTES] for line in block.split(b"\n"))
