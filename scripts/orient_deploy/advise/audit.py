"""Compares what images read with what their lists watch, and proposes lists that watch it.

What is read is what `auto` would count: the Dockerfile's sources after the ignore file, narrowed by
`inputs: workspace` where that is configured. Values in, values out: nothing is changed or written.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orient_deploy.advise.patch import Edit, Keys
from orient_deploy.config.model import AUTO, Location, Pattern
from orient_deploy.inputs.patterns import compile_patterns

if TYPE_CHECKING:
    from orient_deploy.config.model import Config, Image
    from orient_deploy.inputs.images import ImageInputs
    from orient_deploy.inputs.tree import Tree

# A folder that would need more patterns than these to be described is watched as a whole.
MOST_PATTERNS = 12


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Files that one line of a Dockerfile reads."""

    line: int  # 0: the Dockerfile itself
    text: str  # 'COPY packages/core packages/core'
    paths: tuple[str, ...]  # those that are spoken of
    of: int  # all that it reads and that no other line is told to read


@dataclass(frozen=True, kw_only=True)
class Watching:
    """Files that one pattern watches and the image does not read."""

    pattern: str
    where: Location
    everywhere: bool  # it stands in `watch-all`
    paths: tuple[str, ...]
    of: int  # files that it decides about
    kept_out: int  # of `paths`, those that the ignore file leaves out


@dataclass(frozen=True, kw_only=True)
class Narrowing:
    """What `inputs: workspace` leaves out, or would."""

    configured: bool
    paths: tuple[str, ...]
    of: int  # files read without it
    why_not: str = ""  # why it has no effect


@dataclass(frozen=True, kw_only=True)
class Audited:
    """One image, compared."""

    image: Image
    is_there: bool  # the commit has its Dockerfile
    automatic: bool  # `auto` is in its list: whatever is read is watched
    read: int
    watched: int  # of the files read
    unwatched: tuple[Reading, ...]
    ignored: tuple[Reading, ...]  # read, and taken out by `ignore`
    unread: tuple[Watching, ...]
    missing: tuple[tuple[int, str], ...]  # line and source that finds nothing in the commit
    widened: tuple[tuple[int, str], ...]  # line, and why more than needed is taken to be read
    narrowing: Narrowing | None  # None: it makes no difference

    @property
    def unwatched_files(self) -> int:
        return sum(len(one.paths) for one in self.unwatched)


def audit(
    config: Config,
    tree: Tree,
    inputs: Mapping[str, ImageInputs],
    otherwise: Mapping[str, ImageInputs],
) -> tuple[Audited, ...]:
    """Each image of the configuration.

    `inputs` are of what the Dockerfiles read, no list counted; `otherwise` the same where `inputs`
    is the other of `dockerfile` and `workspace`.
    """
    everywhere = _deciding(config.watch_all, tree)
    left_out = frozenset(_deciding(config.ignore, tree))
    return tuple(
        _audited(image, inputs[image.name], otherwise[image.name], everywhere, left_out)
        for image in config.images
    )


def _audited(
    image: Image,
    inputs: ImageInputs,
    otherwise: ImageInputs,
    everywhere: Mapping[int, Pattern],
    left_out: Set[int],
) -> Audited:
    tree, reads = inputs.tree, inputs.reads
    read = _read(inputs)
    automatic = any(pattern.text == AUTO for pattern in image.watch)
    watched = {**everywhere, **_deciding(image.watch, tree)}
    counted = read if automatic else read & watched.keys()
    return Audited(
        image=image,
        is_there=reads.dockerfile is not None,
        automatic=automatic,
        read=len(read),
        watched=len(counted - left_out),
        unwatched=_by_line(inputs, read, read - counted - left_out),
        ignored=_by_line(inputs, read, read & left_out),
        unread=_by_pattern(inputs, watched, read, everywhere),
        missing=tuple((one.line, one.source) for one in reads.missing if not one.ignored),
        widened=tuple((one.line, one.why) for one in reads.widened),
        narrowing=_narrowing(inputs, otherwise),
    )


def _read(inputs: ImageInputs) -> frozenset[int]:
    """What makes the image, as positions."""
    closures = (inputs.tree.position(path) for path in inputs.closures)
    return frozenset([*inputs.counted, *(at for at in closures if at is not None)])


def _deciding(patterns: Sequence[Pattern], tree: Tree) -> dict[int, Pattern]:
    """The entries that a list selects, each with the pattern that decides."""
    by_text = {pattern.text: pattern for pattern in patterns if pattern.text != AUTO}
    found = compile_patterns(tuple(by_text)).deciding(tree.paths)
    return {at: by_text[text] for at, text in found.items()}


def _by_line(inputs: ImageInputs, read: Set[int], some: Set[int]) -> tuple[Reading, ...]:
    """Files by the line that reads them: of several the first that takes a whole folder, for that
    is what a list should say; else the first."""
    lines: dict[int, tuple[str, set[int]]] = {}
    left = set(read)
    for source in sorted(inputs.reads.sources, key=lambda one: one.line > 0 and not one.whole):
        own = left.intersection(source.positions)
        left -= own
        lines.setdefault(source.line, (source.text, set()))[1].update(own)
    found = []
    for line, (text, own) in sorted(lines.items()):
        paths = tuple(inputs.tree.paths[at] for at in sorted(own & some))
        if paths:
            found.append(Reading(line=line, text=text, paths=paths, of=len(own)))
    return tuple(found)


def _by_pattern(
    inputs: ImageInputs,
    watched: Mapping[int, Pattern],
    read: Set[int],
    everywhere: Mapping[int, Pattern],
) -> tuple[Watching, ...]:
    """Files by the pattern that watches them for nothing. The ignore file is no such file: what it
    says makes a difference."""
    groups: dict[Pattern, list[int]] = {}
    counts: Counter[Pattern] = Counter()
    for at in sorted(watched):
        counts[watched[at]] += 1
        if at not in read and at != inputs.reads.ignore_file:
            groups.setdefault(watched[at], []).append(at)
    return tuple(
        Watching(
            pattern=pattern.text,
            where=pattern.where,
            everywhere=any(everywhere.get(at) is pattern for at in some),
            paths=tuple(inputs.tree.paths[at] for at in some),
            of=counts[pattern],
            kept_out=sum(at in inputs.reads.ignored for at in some),
        )
        for pattern, some in groups.items()
    )


def _narrowing(inputs: ImageInputs, otherwise: ImageInputs) -> Narrowing | None:
    configured = inputs.image.inputs == "workspace"
    narrow, wide = (inputs, otherwise) if configured else (otherwise, inputs)
    all_of_it = _read(wide)
    left_out = all_of_it - _read(narrow)
    if not left_out and not (configured and narrow.remarks):
        return None
    return Narrowing(
        configured=configured,
        paths=tuple(wide.tree.paths[at] for at in sorted(left_out)),
        of=len(all_of_it),
        why_not="; ".join(narrow.remarks) if configured else "",
    )


def folder_of(path: str) -> str:
    """What a file is part of, for people: two folders deep, as packages lie."""
    return "/".join(posixpath.dirname(path).split("/")[:2]) or "."


# --- what the lists should be ------------------------------------------------------------------


def corrections(
    config: Config, audited: Sequence[Audited], inputs: Mapping[str, ImageInputs]
) -> dict[Keys, Edit]:
    """How the lists of these images change so that they watch what is read, and little else."""
    found: dict[str, Edit] = {}
    for one in audited:
        if one.is_there and not one.automatic:
            edit = _correction(config, one, inputs[one.image.name])
            if edit.add or edit.remove:
                found[one.image.name] = edit
    return _shared(config, found)


def _correction(config: Config, one: Audited, inputs: ImageInputs) -> Edit:
    tree = inputs.tree
    read = _read(inputs)
    kept = [pattern for pattern in one.image.watch if not _is_useless(pattern.text, inputs, read)]
    missing = _unwatched(kept, config, tree, read)
    # An exclusion of what is read goes, and one that has nothing left to exclude from.
    kept = [
        pattern
        for pattern in kept
        if not (pattern.text.startswith("!") and _hits(pattern.text[1:], tree, missing))
    ]
    while kept and kept[0].text.startswith("!"):
        del kept[0]
    missing = _unwatched(kept, config, tree, read)
    add = _describing(inputs, missing, read)
    texts = {pattern.text for pattern in kept}
    remove = [one.text for one in one.image.watch if one.text not in texts]
    return Edit(
        remove=tuple(text for text in remove if text not in add),
        add=tuple(text for text in add if text not in remove),
    )


def _unwatched(
    patterns: Sequence[Pattern], config: Config, tree: Tree, read: Set[int]
) -> frozenset[int]:
    left = read
    for some in (patterns, config.watch_all, config.ignore):
        left = left - _deciding(some, tree).keys()
    return frozenset(left)


def _is_useless(text: str, inputs: ImageInputs, read: Set[int]) -> bool:
    """Whether it watches files, and none of them is read."""
    if text.startswith("!"):
        return False
    found = set(compile_patterns([text]).select(inputs.tree.paths))
    return bool(found) and found.isdisjoint(read) and inputs.reads.ignore_file not in found


def _hits(text: str, tree: Tree, some: Set[int]) -> bool:
    return not some.isdisjoint(compile_patterns([text]).select(tree.paths))


def _describing(inputs: ImageInputs, some: Set[int], read: Set[int]) -> list[str]:
    """Patterns for files that are read, as somebody would write them who knows the Dockerfile: the
    folders and files that its lines name, in their order; what a wider folder covers is left out.
    """
    tree, reads = inputs.tree, inputs.reads
    harmless = read | set(reads.ignored)
    left = set(some)
    found: list[tuple[int, str]] = []
    widest_first = sorted(
        enumerate(reads.sources), key=lambda one: (not one[1].whole, -len(one[1].positions))
    )
    for order, source in widest_first:
        for place in source.places:
            at = tree.position(place)
            if at is not None and at in left:
                found.append((order, pattern_for(place)))
                left.discard(at)
            elif at is None and (below := left.intersection(tree.below(place))):
                patterns = list(_covering(place, tree, below, harmless))
                if len(patterns) > MOST_PATTERNS:
                    patterns = [_all_of(place)]
                found += [(order, pattern) for pattern in patterns]
                left -= below
        for at in sorted(left.intersection(source.positions)):
            found.append((order, pattern_for(tree.paths[at])))
            left.discard(at)
    found.sort(key=lambda one: one[0])
    return list(dict.fromkeys(pattern for _, pattern in found))


def _covering(folder: str, tree: Tree, some: Set[int], harmless: Set[int]) -> Iterator[str]:
    """The folder, if all in it may be watched, else what is in it one by one."""
    below = tree.below(folder)
    if all(at in harmless for at in below):
        yield _all_of(folder)
        return
    prefix = "" if folder in ("", ".") else f"{folder}/"
    names = dict.fromkeys(
        tree.paths[at][len(prefix) :].partition("/")[0] for at in below if at in some
    )
    for name in names:
        at = tree.position(prefix + name)
        if at is None:
            yield from _covering(prefix + name, tree, some, harmless)
        else:
            yield pattern_for(prefix + name)


def _all_of(folder: str) -> str:
    return "**" if folder in ("", ".") else f"{pattern_for(folder)}/**"


def pattern_for(path: str) -> str:
    """A path as a pattern; what no configuration may hold is a '*'.

    >>> pattern_for("app/[id]/+(x)?.ts"), pattern_for("a/b "), pattern_for("auto")
    ('app/[[]id]/[+](x)[?].ts', 'a/b*', '[a]uto')
    """
    text = _SPECIAL.sub(lambda found: "*" if found[1] else f"[{found[0]}]", path)
    text = re.sub(r"\*+\(*", "*", text)  # what stood for itself is in brackets by now
    return "[a]uto" if text == AUTO else text


# In a path: what no pattern may hold, and what would be read otherwise than as itself.
_SPECIAL = re.compile(
    r"([\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\]|\A +| +\Z)|[*?+\[{}]|[!@](?=\()|\A!"
)


def _shared(config: Config, found: Mapping[str, Edit]) -> dict[Keys, Edit]:
    """The edits by place in the file; what every image needs goes into `watch-all`, if there is
    one."""
    common: list[str] = []
    if config.watch_all and len(config.images) > 1 and len(found) == len(config.images):
        first, *others = found.values()
        common = [text for text in first.add if all(text in one.add for one in others)]
    edits: dict[Keys, Edit] = {}
    for name, edit in found.items():
        add = tuple(text for text in edit.add if text not in common)
        if add or edit.remove:
            edits["images", name, "watch"] = Edit(remove=edit.remove, add=add)
    if common:
        edits["watch-all",] = Edit(add=tuple(common))
    return edits
