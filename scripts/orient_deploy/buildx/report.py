"""What people read of a build: the job summary, and the same for a terminal. Text in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orient_deploy.buildx.model import Build
from orient_deploy.plan.report import code, escape, visible

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.plan.report import Line

SHORT = 12  # characters of a digest in a headline


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an image."""

    build: Build
    digest: str = ""  # empty: nothing was pushed
    built: bool = True  # False: only recorded
    duration_s: float = 0.0
    size_bytes: int | None = None  # of the compressed layers of all platforms
    platforms: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()  # tags that keep it from a clean-up
    recorded: tuple[str, ...] = ()
    unrecorded: str = ""  # why not: a clause

    @property
    def reference(self) -> str:
        """What is deployed; '' when nothing was pushed."""
        return self.build.reference(self.digest) if self.digest else ""


def headline(outcome: Outcome) -> str:
    """The verdict in one line, without markup."""
    name = outcome.build.name
    if not outcome.built:
        return f"Recorded {name}" if outcome.recorded else f"Recorded nothing of {name}"
    if not outcome.digest:
        return f"Built {name} and pushed nothing"
    return f"Built and pushed {name}" + (", and recorded it" if outcome.recorded else "")


def _rows(outcome: Outcome) -> list[tuple[str, Sequence[str]]]:
    """What there is to say, each with its values; those that stand for nothing are left out."""
    build = outcome.build
    platforms = outcome.platforms or build.platforms
    about = [visible_size(outcome.size_bytes)] if outcome.size_bytes is not None else []
    rows: list[tuple[str, Sequence[str]]] = [
        ("reference", [outcome.reference] if outcome.digest else []),
        ("platforms", [", ".join(platforms)] if platforms else []),
        ("size", about),
        ("took", [lasted(outcome.duration_s)] if outcome.built else []),
        ("tags", build.tags if outcome.built and outcome.digest else []),
        ("held as", outcome.holds),
        ("recorded as", outcome.recorded),
        ("not recorded", [outcome.unrecorded] if outcome.unrecorded else []),
        ("inputs", [build.input_digest] if build.input_digest else []),
        ("commit", [build.commit]),
    ]
    return [(name, values) for name, values in rows if values]


_CODE = {"reference", "tags", "held as", "recorded as", "inputs", "commit"}


def build_markdown(outcome: Outcome) -> str:
    """The job summary of a build."""
    lines = [f"### {escape(headline(outcome))}", "", "| what | value |", "| --- | --- |"]
    for name, values in _rows(outcome):
        shown = "<br>".join(map(code if name in _CODE else escape, values))
        lines.append(f"| {name} | {shown} |")
    return "\n".join(lines) + "\n"


def build_lines(outcome: Outcome) -> list[Line]:
    """A build for a terminal."""
    lines: list[Line] = [(("bold", visible(headline(outcome))),)]
    rows = _rows(outcome)
    width = max(len(name) for name, _ in rows)
    for name, values in rows:
        labels = (name, *[""] * (len(values) - 1))
        lines += [
            (("dim", f"  {label:<{width}}  "), visible(value))
            for label, value in zip(labels, values, strict=True)
        ]
    return lines


def lasted(seconds: float) -> str:
    """A duration for people.

    >>> lasted(3.21), lasted(72), lasted(3725)
    ('3.2 s', '1 min 12 s', '1 h 2 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def visible_size(size_bytes: int) -> str:
    """A number of bytes for people, as docker counts: in powers of ten.

    >>> visible_size(999), visible_size(12_345_678)
    ('999 B', '12.3 MB')
    """
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
