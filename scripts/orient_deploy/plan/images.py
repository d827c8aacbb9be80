"""Decides whether one image is built, and says why in one sentence.

By its input digest where that is known, else by the files that its watch list counts. Doubt builds.
"""

from __future__ import annotations

from orient_deploy.history.model import SHORT
from orient_deploy.inputs.digest import SHOWN
from orient_deploy.inputs.patterns import escape
from orient_deploy.plan.model import ImageDecision
from orient_deploy.plan.redefined import image_redefined
from orient_deploy.plan.wording import listed_paths, plural, shortened

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.config.model import Image
    from orient_deploy.inputs.images import Difference
    from orient_deploy.plan.facts import Facts, Recorded
    from orient_deploy.plan.model import ImageFacts
    from orient_deploy.runner import Event

PATTERNS_SHOWN = 3  # in a reason; the rest is counted
DAY_S = 86_400


def decide_image(image: Image, facts: Facts) -> ImageDecision:
    """Whether the image is built, and why."""
    known = facts.recorded.images[image.name] if facts.recorded else None
    matched = facts.watched.matched(image.name, facts.counted) if known is None else {}
    files = tuple(matched) if known is None else tuple(one.path for one in known.differences)

    def decision(build: bool, reason: str, *, forced: bool = False) -> ImageDecision:
        if known is None:
            return ImageDecision(
                name=image.name, build=build, reason=reason, files=files, anew=forced
            )
        return ImageDecision(
            name=image.name,
            build=build,
            reason=reason,
            files=files,
            digest=known.digest,
            record=known.record,
            anew=forced or (build and known.record.state == "present"),
        )

    base, request = facts.base, facts.request
    if base.nothing_to_do:
        return decision(False, base.reason)
    if request.images:
        if image.name in request.images:
            return decision(True, f"asked for{_by(facts.event)}")
        changed = _changed_patterns(matched) if matched else ""
        if known is not None and known.differences:
            changed = _changed_files(known.differences, facts)
        although = f", although {changed}" if changed else ""
        return decision(False, f"not among the images asked for{although}")
    if request.force:
        return decision(True, f"forced{_by(facts.event)}", forced=True)
    if known is not None:
        assert facts.recorded is not None
        return decision(*_by_digest(image, known, facts, facts.recorded))
    return decision(*_by_watch_list(image, matched, facts))


def _by(event: Event) -> str:
    return "" if event.name == "local" else f" by {event.name}"


# --- by its input digest


def _by_digest(
    image: Image, known: ImageFacts, facts: Facts, recorded: Recorded
) -> tuple[bool, str]:
    record = known.record
    if record.state == "present":
        old = _too_old(image, known, recorded.now_s)
        if old:
            return True, old
        made = f"built from {record.commit[:SHORT]}" if record.commit else _name(known)
        return False, f"its image exists: {made}"
    if record.state == "absent":
        return True, _why_absent(image, known, facts)
    doubt = f"; the registry was no help: {record.why}" if record.why else ""
    if known.base.commit is None:
        return True, f"nothing to compare with: {known.base.reason}{doubt}"
    if not known.base_digest or known.base_digest != known.digest:
        return True, _why_different(image, known, facts) + doubt
    redefined = image_redefined(image, facts)
    if redefined:  # its repository, say: that is no part of the digest
        return True, redefined + doubt
    return False, f"unchanged since {known.base.commit[:SHORT]}{doubt}"


def _name(known: ImageFacts) -> str:
    return f"inputs {known.digest[:SHOWN]}"


def _too_old(image: Image, known: ImageFacts, now_s: float) -> str:
    """Why `max-age` wants a build, or ''. An age that is not known is doubt."""
    if image.max_age_s is None:
        return ""
    if known.record.created_s is None:
        return "max-age is set, and its image does not say when it was built"
    days = (now_s - known.record.created_s) / DAY_S
    if now_s - known.record.created_s <= image.max_age_s:
        return ""
    return f"its image is {days:.0f} days old, and max-age is {image.max_age_s / DAY_S:g} days"


def _why_absent(image: Image, known: ImageFacts, facts: Facts) -> str:
    if known.base.commit is None:
        return f"no image has its inputs ({_name(known)})"
    if known.base_digest and known.base_digest == known.digest:
        return (
            f"no image has its inputs, though nothing changed since {known.base.commit[:SHORT]}: "
            "a build was not finished, or not recorded"
        )
    return _why_different(image, known, facts)


def _why_different(image: Image, known: ImageFacts, facts: Facts) -> str:
    redefined = image_redefined(image, facts)
    if redefined:
        return redefined
    if known.differences:
        return _changed_files(known.differences, facts)
    if not known.base_digest:
        return f"what it was made of at {(known.base.commit or '')[:SHORT]} is not known"
    return "what it is built on changed"


def _changed_files(differences: tuple[Difference, ...], facts: Facts) -> str:
    """'changed: packages/core/a.ts, read by packages/dashboard/Dockerfile line 48 (and 2 more)'."""
    ignored = facts.watched.ignored([one.path for one in differences])
    first = next((one for one in differences if one.path not in ignored), differences[0])
    why = f", {first.why}" if first.why else ""
    rest = len(differences) - 1
    more = f" (and {plural(rest, 'more file')})" if rest else ""
    return f"changed: {shortened(first.path)}{why}{more}"


# --- by its watch list


def _by_watch_list(image: Image, matched: dict[str, str], facts: Facts) -> tuple[bool, str]:
    if facts.changed is None:
        return True, f"nothing to compare with: {facts.base.reason}"
    redefined = image_redefined(image, facts)
    if redefined:
        return True, redefined
    if matched:
        return True, _changed(image, matched, facts)
    ignored = facts.watched.matched(image.name, facts.ignored)
    if ignored:
        return False, (
            f"unchanged since {facts.since}, but for ignored files: {listed_paths([*ignored])}"
        )
    return False, f"unchanged since {facts.since}"


def _changed(image: Image, matched: dict[str, str], facts: Facts) -> str:
    """What decided: the first file that `auto` stands for, or else the patterns."""
    read = facts.read.get(image.name, {})
    first = next((path for path, pattern in matched.items() if pattern == escape(path)), "")
    if first not in read:
        return _changed_patterns(matched)
    rest = len(matched) - 1
    more = f" (and {plural(rest, 'more file')})" if rest else ""
    return f"changed: {shortened(first)}, {read[first]}{more}"


def _changed_patterns(matched: dict[str, str]) -> str:
    """'changed: packages/core/** (2 files), package.json': what decided, commonest first."""
    counts: dict[str, int] = {}
    for pattern in matched.values():
        counts[pattern] = counts.get(pattern, 0) + 1
    ranked = sorted(counts, key=lambda pattern: (-counts[pattern], pattern))
    parts = []
    for pattern in ranked[:PATTERNS_SHOWN]:
        name = "the whole repository" if pattern == "**" else shortened(pattern)
        count = "" if pattern in matched else f" ({plural(counts[pattern], 'file')})"
        parts.append(name + count)
    rest = len(ranked) - PATTERNS_SHOWN
    return f"changed: {', '.join(parts)}" + (
        f" and {plural(rest, 'more pattern')}" if rest > 0 else ""
    )
