"""Which files of a commit a build of an image reads: what `auto` stands for.

Exactly what the builder takes from its contexts for the stages that the target needs, after the
ignore file that applies; and the Dockerfile itself. Where something cannot be told, more counts,
and a remark says why. Never reads a file itself: whoever asks hands over the contents of the few
that matter, and never decides what is built.

A source that the commit does not have is no error: a workflow may make it before the build, of
files that are not seen here. Whoever counts inputs has to take that for a doubt.

Source: https://docs.docker.com/build/concepts/context/, and BuildKit's cache/contenthash, which
decides what a COPY depends on.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from posixpath import normpath

from orient_deploy.config.model import AUTO, DOCKER_IMAGE
from orient_deploy.inputs.dockerfile import parse
from orient_deploy.inputs.dockerignore import Ignore, compile_ignore, read_ignore
from orient_deploy.inputs.filematch import BadPattern, expression, has_wildcard, segment
from orient_deploy.inputs.positions import NOWHERE, Positions
from orient_deploy.inputs.scope import Scope
from orient_deploy.inputs.stages import MAIN, Demand, Take, Widened, context_name, demand
from orient_deploy.inputs.tree import SUBMODULE, SYMLINK
from orient_deploy.inputs.variables import ANY_NAME, ANYTHING, has_mark
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orient_deploy.config.model import Image
    from orient_deploy.inputs.dockerfile import Dockerfile
    from orient_deploy.inputs.tree import Tree

    # The bytes of a file of the commit, of a symbolic link its target; None: there is no such
    # file, or it was not fetched.
    Read = Callable[[str], bytes | None]

    # A path of a context, its place, and what of that a source takes.
    _Found = tuple[str, range, Positions]

IGNORE_FILE = ".dockerignore"
LINKS_MAX = 40  # on the way to one file; the kernel's own limit, and BuildKit's is larger
MANY = 50  # from so many folders on it is quicker to look at the whole context once
LINKS_MOST = 1000  # of one context whose targets are asked for beforehand
_WILDCARD = re.compile(r"[*?\[\\]")  # where the plain beginning of a pattern ends
_CLASS = r"(?s)(?<!\\)\[(?:\\.|[^\]\\])+\]"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One path or pattern of one instruction, and what it finds."""

    line: int  # 0: the Dockerfile itself
    text: str  # the instruction in one line
    positions: Positions
    places: tuple[str, ...]  # the files and folders it names, as paths of the repository
    whole: bool  # it takes folders, with all that is in them
    explicit: bool  # it names every file by its own path, none by a folder above it
    context: str = MAIN  # or the name of a named one


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A source that finds nothing in the commit."""

    line: int
    source: str
    ignored: bool  # it finds something, and the ignore file leaves all of it out
    # Something has to make it before the build. A pattern that finds nothing in a folder that is
    # there is common, and takes nothing: 'yarn.lock*'.
    made: bool


@dataclass(frozen=True, kw_only=True)
class Reads:
    """What a build reads. Positions are those of the tree."""

    dockerfile: int | None  # None: the commit has no such file, and everything else is empty
    ignore_file: int | None = None  # that of the main context; it counts by what it leaves out
    sources: tuple[Source, ...] = ()  # in the order of the Dockerfile, itself first
    positions: Positions = NOWHERE
    ignored: Positions = NOWHERE  # what sources name and the ignore file leaves out
    missing: tuple[Missing, ...] = ()
    bases: tuple[str, ...] = ()  # images of elsewhere, variables replaced
    runs: tuple[tuple[int, str], ...] = ()  # commands with their lines
    secrets: tuple[str, ...] = ()  # names
    widened: tuple[Widened, ...] = ()

    def source_of(self, position: int) -> Source | None:
        """What reads an entry: the first source that names it or a folder around it."""
        for source in self.sources:
            if position in source.positions:
                return source
        return None

    def untold(self, image: Image) -> Missing | None:
        """The first source that something has to make before the build, of nobody knows what.

        Whoever gives the image a list has said it.
        """
        if any(text != AUTO and text[0] != "!" for text in (one.text for one in image.watch)):
            return None
        return next((one for one in self.missing if one.made), None)


def wanted_for_reads(image: Image, tree: Tree, read: Read | None = None) -> tuple[str, ...]:
    """The files whose contents `resolve_reads` may ask for.

    With `read` also those that symbolic links lead to, as far as it can read them.
    """
    shared = _Shared(tree, read or _nothing)
    found: list[int] = []
    for folder in (image.context, *(value for _, value in image.contexts)):
        if not folder.startswith(DOCKER_IMAGE):
            found += shared.root.entries(f"{folder}/{IGNORE_FILE}")
            found += _links_in(tree, shared.root.follow(folder).found)[:LINKS_MOST]
    for path in (image.dockerfile, f"{image.dockerfile}{IGNORE_FILE}"):
        found += shared.root.entries(path)
    return tuple(dict.fromkeys(tree.paths[at] for at in found))


def resolve_reads(
    image: Image, tree: Tree, read: Read, *, cache: dict[object, object] | None = None
) -> Reads:
    """What a build of the image reads.

    `cache` belongs to one tree, and saves what its images share.
    """
    shared = None if cache is None else cache.get(_Shared)
    if not isinstance(shared, _Shared):
        shared = _Shared(tree, read)
        if cache is not None:
            cache[_Shared] = shared
    return _Resolving(image, shared).resolve()


def _links_in(tree: Tree, place: range) -> tuple[int, ...]:
    low = bisect_left(tree.links, place.start)
    return tree.links[low : bisect_left(tree.links, place.stop, low)]


def _nothing(path: str) -> None:
    return None


class _Place:
    """Where a path leads: what is there, and the links on the way."""

    __slots__ = ("found", "is_link", "links", "path", "problem")

    def __init__(
        self,
        path: str,
        found: range,
        links: list[int],
        problem: str = "",
        *,
        is_link: bool = False,
    ) -> None:
        self.path = path  # relative to the context, without links
        self.found = found  # empty: nothing
        self.links = links
        self.problem = problem
        self.is_link = is_link  # a link at the end, not followed


class _Context(Scope):
    """A build context: a root that no link leads out of."""

    __slots__ = ("_asked", "_ignored", "_kept", "_matched", "_read")

    def __init__(self, tree: Tree, folder: str, read: Read) -> None:
        super().__init__(tree, folder)
        self._read = read
        self._matched: dict[str, tuple[_Place, list[tuple[str, range]]]] = {}
        self._kept: dict[tuple[Ignore, str], tuple[Positions, Positions]] = {}
        self._asked = 0  # files and folders of which was asked what is left of them
        self._ignored: dict[Ignore, Positions] = {}  # of all that is here

    def parted(self, ignore: Ignore, path: str, place: range) -> tuple[Positions, Positions]:
        """What an ignore file leaves of a file or folder, and what it takes out."""
        found = self._kept.get((ignore, path))
        if found is None:
            self._asked += 1
            if (path and self._asked < MANY) or not place:
                ignored = ignore.ignored(self, path, place)
            else:
                if ignore not in self._ignored:
                    self._ignored[ignore] = ignore.ignored(self, "", self.everything)
                ignored = self._ignored[ignore].within(place)
            whole = Positions((place,))
            found = self._kept[ignore, path] = (
                (whole - ignored, ignored)
                if ignored
                else (
                    whole,
                    ignored,
                )
            )
        return found

    def follow(self, path: str, *, last: bool = True) -> _Place:
        """Where a path leads; `last`: a link at its end is followed as well."""
        whole = normpath(f"/{path}").lstrip("/")
        place = self.place(whole)
        if place and not self.is_link(whole, place):
            return _Place(whole, place, [])
        return self._walk(whole, last)

    def _walk(self, path: str, last: bool) -> _Place:
        links: list[int] = []
        now = ""
        left = path.split("/")
        while left:
            name = left.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                now = now.rpartition("/")[0]
                continue
            step = f"{now}/{name}" if now else name
            place = self.place(step)
            if not place:
                return _Place(step, range(0), links)
            if self.is_entry(step, place):
                if self.is_link(step, place):
                    if not left and not last:
                        return _Place(step, place, links, is_link=True)
                    links.append(place.start)
                    target = self._read(self.tree.paths[place.start])
                    if target is None:
                        return _Place(step, range(0), links, f"the link {step} was not read")
                    if len(links) > LINKS_MAX:
                        return _Place(step, range(0), links)
                    to = target.decode("utf-8", "surrogateescape")
                    if to.startswith("/"):
                        now = ""
                    left[:0] = to.split("/")
                    continue
                if left and self.tree.mode(place.start) != SUBMODULE:
                    return _Place(step, range(0), links)
                return _Place(step, place, links)  # also for what is in a submodule
            now = step
        return _Place(now, self.place(now), links)

    def entry(self, place: _Place) -> int | None:
        """The file that a place is, or the submodule that it is in; None: a folder or nothing."""
        is_entry = self.is_entry(place.path, place.found)
        return place.found.start if is_entry else None

    def entries(self, path: str) -> list[int]:
        """The links on a path, and the file that it leads to."""
        place = self.follow(path)
        at = self.entry(place)
        return place.links if at is None else [*place.links, at]

    def is_link(self, path: str, place: range) -> bool:
        """Whether what has this place is a symbolic link."""
        return (
            bool(self.tree.links)
            and self.is_entry(path, place)
            and self.tree.mode(place.start) == SYMLINK
        )

    def matching(self, pattern: str) -> tuple[_Place, list[tuple[str, range]]]:
        """The files and folders that a pattern of COPY finds; before them where the part before
        its first wildcard leads. Raises BadPattern."""
        found = self._matched.get(pattern)
        if found is None:
            expression(pattern)
            names = normpath(f"/{pattern}").lstrip("/").split("/")
            if any(re.fullmatch(expression(one), "/") for one in re.findall(_CLASS, pattern)):
                match = re.compile(expression("/".join(names))).fullmatch
                every = self.holding(self.everything, "", False, lambda one: match(one) is not None)
                found = self.follow(""), list(every)
            else:
                found = self._by_level(names)
            self._matched[pattern] = found
        return found

    def _by_level(self, names: list[str]) -> tuple[_Place, list[tuple[str, range]]]:
        fixed = 0
        while fixed < len(names) and not has_wildcard(names[fixed]):
            fixed += 1
        start = self.follow("/".join(names[:fixed]))
        level = [(start.path, start.found)] if start.found else []
        found: list[tuple[str, range]] = []
        for name in names[fixed:]:
            check = segment(name)
            after: list[tuple[str, range]] = []
            for folder, place in level:
                if folder and self.is_entry(folder, place):
                    if self.tree.mode(place.start) == SUBMODULE:
                        found.append((folder, place))  # for what is in it
                    continue
                before = f"{folder}/" if folder else ""
                if has_wildcard(name):
                    after += [
                        (before + one, inside)
                        for one, inside in self.children(folder)
                        if check(one)
                    ]
                elif inside := self.place(before + name):
                    after.append((before + name, inside))
            level = after
        return start, found + level


class _Shared:
    """What the images of one tree share."""

    def __init__(self, tree: Tree, read: Read) -> None:
        self.tree = tree
        self.read = read
        self.root = _Context(tree, "", read)
        self._contexts: dict[str, _Context] = {"": self.root}
        self._dockerfiles: dict[int, Dockerfile | None] = {}
        self._ignores: dict[int, tuple[str, ...] | None] = {}

    def context(self, folder: str) -> _Context:
        found = self._contexts.get(folder)
        if found is None:
            found = self._contexts[folder] = _Context(self.tree, folder, self.read)
        return found

    def dockerfile(self, at: int) -> Dockerfile | None:
        """None: it was not fetched."""
        if at not in self._dockerfiles:
            content = self.read(self.tree.paths[at])
            self._dockerfiles[at] = None if content is None else parse(content)
        return self._dockerfiles[at]

    def ignore(self, at: int) -> tuple[str, ...] | None:
        """The patterns of an ignore file; None: it was not fetched."""
        if at not in self._ignores:
            content = self.read(self.tree.paths[at])
            self._ignores[at] = None if content is None else read_ignore(content)
        return self._ignores[at]


class _Resolving:
    """One image."""

    def __init__(self, image: Image, shared: _Shared) -> None:
        self._image = image
        self._shared = shared
        self._tree = shared.tree
        self._widened: list[Widened] = []
        self._ignored: list[range] = []
        self._missing: list[Missing] = []
        self._on_the_way: list[int] = []
        self._opaque: list[_Context] = []  # in submodules: what they hold is not known

    def resolve(self) -> Reads:
        image, shared = self._image, self._shared
        place = shared.root.follow(image.dockerfile)
        at = shared.root.entry(place)
        if at is None:
            why = place.problem or f"the commit has no file {image.dockerfile}"
            return Reads(dockerfile=None, widened=(Widened(line=0, why=why),))
        parsed = shared.dockerfile(at)
        if parsed is None:
            taken = Demand(refused=(Widened(line=0, why="its content was not read"),))
        else:
            try:
                taken = demand(
                    parsed,
                    target=image.target,
                    build_args=image.build_args,
                    platforms=image.platforms,
                    contexts=image.contexts,
                )
            except RecursionError:
                taken = Demand(refused=(Widened(line=0, why="it is nested too deeply"),))
        beside = f"{image.dockerfile}{IGNORE_FILE}"
        main = self._context(image.context)
        ignore_file = self._ignore_file(beside, shared.root) or self._ignore_file(IGNORE_FILE, main)
        ignores = {MAIN: (main, self._ignore(ignore_file))}
        for name, folder in image.contexts:
            if not folder.startswith(DOCKER_IMAGE):
                context = self._context(folder)
                ignore = self._ignore(self._ignore_file(IGNORE_FILE, context))
                ignores[context_name(name)] = (context, ignore)
        own = Positions.of(range(one, one + 1) for one in (*place.links, *self._on_the_way, at))
        sources = [
            Source(
                line=0,
                text=image.dockerfile,
                positions=own,
                places=tuple(self._tree.paths[one] for one in own),
                whole=False,
                explicit=True,
            )
        ]
        self._widened += (*taken.refused, *taken.doubts)
        takes = taken.takes
        if taken.refused:
            first = taken.refused[0]
            takes = tuple(
                Take(line=first.line, text="everything", source="/", context=name)
                for name in ignores
            )
        for take in takes:
            sources.append(self._source(take, *ignores[take.context]))
        return Reads(
            dockerfile=at,
            ignore_file=ignore_file.found.start if ignore_file and ignore_file.found else None,
            sources=tuple(sources),
            positions=Positions.of(one for source in sources for one in source.positions.ranges),
            ignored=Positions.of(self._ignored),
            missing=tuple(self._missing),
            bases=taken.bases,
            runs=taken.runs,
            secrets=taken.secrets,
            widened=tuple(dict.fromkeys(self._widened)),
        )

    # --- contexts and ignore files -------------------------------------------------------------

    def _context(self, folder: str) -> _Context:
        """A build context; the links that lead to it count, or the submodule that it is in."""
        root = self._shared.root
        place = root.follow(folder)
        self._on_the_way += place.links
        submodule = root.entry(place)
        if submodule is not None:
            self._on_the_way.append(submodule)
        if place.problem:
            self._widened.append(Widened(line=0, why=place.problem))
        context = self._shared.context(place.path)
        if submodule is not None:
            self._opaque.append(context)
        return context

    def _ignore_file(self, path: str, context: _Context) -> _Place | None:
        """Where an ignore file is; None: there is none."""
        place = context.follow(path)
        return place if place.problem or context.entry(place) is not None else None

    def _ignore(self, place: _Place | None) -> Ignore:
        if place is None:
            return compile_ignore(())
        why = place.problem
        if not why:
            patterns = self._shared.ignore(place.found.start)
            why = f"{self._tree.paths[place.found.start]} was not read"
            if patterns is not None:
                try:
                    return compile_ignore(patterns)
                except BadPattern as error:
                    why = f"{self._tree.paths[place.found.start]} cannot be read: {error}"
        self._widened.append(Widened(line=0, why=why))
        return compile_ignore(())

    # --- sources -------------------------------------------------------------------------------

    def _source(self, take: Take, context: _Context, ignore: Ignore) -> Source:
        places: list[str] = []
        positions: list[range] = []
        taken_out: list[range] = []
        whole = is_there = False
        for path, place, found in self._found(take, context):
            kept, ignored = found, NOWHERE
            if ignore:
                kept, ignored = context.parted(ignore, path, place)
                if len(found.ranges) != 1 or found.ranges[0] != place:
                    kept, ignored = found - ignored, found & ignored
            places.append(context.whole(path))
            positions += kept.ranges
            taken_out += ignored.ranges
            whole = whole or not context.is_entry(path, place)
            is_there = is_there or bool(place)
        if context not in self._opaque and (not positions or self._leads_nowhere(take, context)):
            if taken_out:
                made = self._is_excepted_later(take, context, ignore)
            elif take.excludes and not take.parents:
                made = not is_there
            else:
                made = not self._may_find_nothing(take, context)
            source, is_ignored = _shown(take.source), bool(taken_out)
            self._missing.append(
                Missing(line=take.line, source=source, ignored=is_ignored, made=made)
            )
        self._ignored += taken_out
        return Source(
            line=take.line,
            text=take.text,
            positions=Positions.of(positions),
            places=tuple(dict.fromkeys(places)),
            whole=whole,
            explicit=not whole,
            context=take.context,
        )

    def _may_find_nothing(self, take: Take, context: _Context) -> bool:
        """Whether nothing is missed: a pattern of names, in a folder that is there."""
        folder, _, name = take.source.rpartition("/")
        if not take.is_pattern or not has_wildcard(name) or has_wildcard(folder):
            return False
        return bool(context.follow(folder).found)

    def _leads_nowhere(self, take: Take, context: _Context) -> bool:
        """Whether a source is a symbolic link to what is not there."""
        if has_mark(take.source) or take.parents or (take.is_pattern and has_wildcard(take.source)):
            return False
        place = context.follow(take.source)
        return bool(place.links) and not place.found and not place.problem

    def _is_excepted_later(self, take: Take, context: _Context, ignore: Ignore) -> bool:
        """Whether the ignore file, which leaves out all that is there of a source, would let in
        something in it that is not there."""
        inside = normpath(f"/{take.source}").lstrip("/")
        for text in ignore.exceptions:
            path = _WILDCARD.split(text)[0]
            path = path.rpartition("/")[0] if path != text else path
            is_inside = f"{path}/".startswith(f"{inside}/" if inside else "")
            if path and is_inside and not context.place(path):
                return True
        return False

    def _found(self, take: Take, context: _Context) -> Iterator[_Found]:
        """What a source finds: paths, their places, and what of each is taken."""
        source = take.source
        if ANY_NAME in source and ANYTHING not in source and take.is_pattern:
            self._widen(take, f"{_shown(source)} depends on the platform")
            source = source.replace(ANY_NAME, "*")
        try:
            if has_mark(source):
                yield from self._unknown(take, context)
            elif take.parents:
                yield from self._with_parents(take, source, context)
            elif take.is_pattern and has_wildcard(source):
                start, matches = context.matching(source)
                yield from self._way(take, start, context)
                for path, place in matches:
                    yield path, place, self._without(take, path, place, context)
                    if context.is_link(path, place):
                        yield from self._literal(take, path, context)
            else:
                yield from self._literal(take, source, context)
        except BadPattern as error:
            self._widen(take, str(error))
            yield "", context.everything, Positions.of([context.everything])

    def _widen(self, take: Take, why: str) -> None:
        self._widened.append(Widened(line=take.line, why=why))

    def _literal(self, take: Take, source: str, context: _Context) -> Iterator[_Found]:
        place = context.follow(source)
        yield from self._way(take, place, context)
        if place.found:
            # The builder excludes nothing behind a link.
            if place.links and take.excludes and context.follow(source, last=False).is_link:
                taken = Positions((place.found,))
            else:
                taken = self._without(take, place.path, place.found, context)
            yield place.path, place.found, taken

    def _way(self, take: Take, place: _Place, context: _Context) -> Iterator[_Found]:
        """The links on the way to a place; everything, where one of them could not be read."""
        for at in place.links:
            yield context.path(at), range(at, at + 1), Positions((range(at, at + 1),))
        if place.problem:
            self._widen(take, place.problem)
            yield "", context.everything, Positions.of([context.everything])

    def _without(self, take: Take, path: str, place: range, context: _Context) -> Positions:
        """A file, or a folder without what `--exclude` leaves out of it."""
        whole = Positions((place,)) if place else NOWHERE
        if not take.excludes or context.is_entry(path, place):
            return whole
        try:
            excluded = compile_ignore(take.excludes)
        except BadPattern as error:
            self._widen(take, f"--exclude: {error}")
            return whole
        scope = self._shared.context(context.whole(path))
        return whole - excluded.ignored(scope, "", scope.everything)

    def _with_parents(self, take: Take, source: str, context: _Context) -> Iterator[_Found]:
        """`--parents`: a pattern of the other dialect, below what stands before '/./'."""
        before, pivot, pattern = source.partition("/./")
        if not pivot:
            before, pattern = "", source
        if has_wildcard(before):
            base, bases = context.matching(before)
        else:
            base = context.follow(before)
            bases = [(base.path, base.found)]
        yield from self._way(take, base, context)
        pattern = normpath(f"/{pattern}").lstrip("/")
        for path, place in bases:
            if not place or context.is_entry(path, place):
                continue
            found = self._without(take, path, place, context)
            if pattern:
                scope = self._shared.context(context.whole(path))
                matched = compile_ignore((pattern,)).ignored(scope, "", scope.everything)
                found &= matched | self._submodules(pattern, scope)
            yield path, place, found
            yield from self._targets(take, found, context)

    def _submodules(self, pattern: str, scope: _Context) -> Positions:
        """The submodules in which a pattern may find something."""
        parts = pattern.split("/")
        known = next((n for n, part in enumerate(parts) if "**" in part), len(parts))
        found = []
        for at in self._tree.submodules:
            if at in scope.everything:
                names = scope.path(at).split("/")
                is_above = len(names) < len(parts) or known < len(names)
                pairs = [*zip(parts, names, strict=False)][:known]
                if is_above and all(segment(part)(name) for part, name in pairs):
                    found.append(range(at, at + 1))
        return Positions.of(found)

    def _targets(self, take: Take, found: Positions, context: _Context) -> Iterator[_Found]:
        """Where the links among entries lead."""
        for one in found.ranges:
            for at in _links_in(self._tree, one):
                yield from self._literal(take, context.path(at), context)

    def _unknown(self, take: Take, context: _Context) -> Iterator[_Found]:
        """A path of which only the beginning is known: all that begins so."""
        known = re.split(f"[{ANYTHING}{ANY_NAME}]", take.source)[0]
        wildcard = _WILDCARD.search(known) if take.is_pattern else None
        if wildcard:
            known = known[: wildcard.start()].rpartition("/")[0] + "/"
        folder, _, name = known.rpartition("/")
        base = context.follow(folder)
        yield from self._way(take, base, context)
        start = f"{base.path}/{name}" if base.path else name
        inside = context.beginning(start)
        self._widen(
            take,
            f"what {_shown(take.source)} stands for is not known here, so all that begins with "
            f"{start or '.'} counts",
        )
        found = Positions.of([inside])
        submodule = context.entry(base)
        if submodule is not None:  # what begins so is in it
            found = Positions((base.found,))
        yield base.path, base.found, found
        yield from self._targets(take, found, context)


def _shown(source: str) -> str:
    """A source for people: what is not known as '…'."""
    return source.replace(ANYTHING, "…").replace(ANY_NAME, "…")
