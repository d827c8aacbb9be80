"""Which paths a list of patterns selects, in the dialect of GitHub's own `paths:` filters.

Anchored at the repository root; `*` stops at '/', `**` does not; names that begin with a dot
match; `[a-z]` is a class; `{a,b}` is expanded; `!` excludes, and the last pattern that matches
decides. The names of branches and tags are matched in the same way.

Never reads a tree and never refuses a pattern: the configuration refused what has no place here.
Paths are text decoded with surrogateescape and may hold any character.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from itertools import pairwise
from os.path import commonprefix

from orient_deploy.inputs.positions import Positions

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

# Where a text could be read otherwise than as itself; a ',', '}' or ']' alone means nothing.
_SPECIAL = re.compile(r"\A!|[*\[{]")

# A pattern that needs no expression: fixed text, and at most one wildcard at its end.
_PLAIN = re.compile(r"(?s)([^*\[{]*?)(/\*\*|\*\*|\*|)\Z")

_FIXED_START = re.compile(r"[^*\[{]*")
_FIXED_END = re.compile(r"[^*\]}]*\Z")

# Compared with text like this, any other has the same place by code points as by bytes.
_ASCII = re.compile(r"[\x00-\x7e]*")

# '!' or '^' before other members means none of them; '[!]' is an exclamation mark.
CLASS = r"\[(?P<negation>[!^](?=[^\]/]))?(?P<members>[^\]/]+)\]"

_BRACE_OR_CLASS = re.compile(rf"{CLASS}|[{{}},]")


def compile_patterns(texts: Sequence[str]) -> Selection:
    """What a list of patterns selects, in the order given.

    >>> selection = compile_patterns(["src/**", "!src/**/*.md", "src/**/CHANGES.md"])
    >>> [selection.matches(path) for path in ("src/a.ts", "src/docs/a.md", "src/CHANGES.md")]
    [True, False, True]
    """
    return Selection([_pattern(text) for text in texts])


def escape(text: str) -> str:
    """The pattern that matches this text and nothing else.

    >>> escape("app/[id]/{page}*.tsx")
    'app/[[]id]/[{]page}[*].tsx'
    """
    return _SPECIAL.sub(lambda special: f"[{special[0]}]", text)


class Selection:
    """A compiled list of patterns."""

    __slots__ = ("_patterns",)

    def __init__(self, patterns: Sequence[_Pattern]) -> None:
        self._patterns = tuple(patterns)

    def matches(self, path: str) -> bool:
        """Whether the list selects the path."""
        return self.first_match(path) is not None

    def first_match(self, path: str) -> str | None:
        """The pattern that selects the path: seen from the end, the first that matches it.

        None when no pattern matches, or when the one that decides excludes.
        """
        for pattern in reversed(self._patterns):
            if pattern.matches(path):
                return pattern.text if pattern.include else None
        return None

    def covers(self, folder: str) -> bool:
        """Whether the list selects whatever is in a folder, as far as its text alone tells."""
        return all(pattern.include for pattern in self._patterns) and any(
            finder.covers(folder) for pattern in self._patterns for finder in pattern.finders
        )

    def select(self, sorted_paths: Sequence[str]) -> list[int]:
        """The positions of the selected paths, ascending.

        The paths must be in the order of their bytes, as git lists them (Python's own order of
        the texts will do too).
        """
        selected: set[int] = set()
        for pattern in self._patterns:
            change = selected.update if pattern.include else selected.difference_update
            change(*pattern.positions(sorted_paths))
        return sorted(selected)

    def positions(self, sorted_paths: Sequence[str]) -> Positions:
        """The same as `select`, as ranges."""
        found = Positions()
        for pattern in self._patterns:
            ranges: list[range] = []
            for some in pattern.positions(sorted_paths):
                ranges += [some] if isinstance(some, range) else map(_alone, some)
            matched = Positions.of(ranges)
            found = found | matched if pattern.include else found - matched
        return found

    def deciding(self, sorted_paths: Sequence[str]) -> dict[int, str]:
        """The position of each selected path with the pattern that selects it, as `first_match`.

        Much faster than asking path by path: most patterns are two searches in the sorted list.
        """
        found: dict[int, str] = {}
        for pattern in self._patterns:
            for positions in pattern.positions(sorted_paths):
                if pattern.include:
                    found.update(dict.fromkeys(positions, pattern.text))
                else:
                    for position in positions:
                        found.pop(position, None)
        return found

    def dead(self, sorted_paths: Sequence[str], folders: Collection[str] = ()) -> list[str]:
        """The patterns, as written, that match no path at all, whatever the others do.

        The paths may be those alone that `questions` asks for, with the `folders` among them.
        """
        return [
            pattern.text
            for pattern in self._patterns
            if not any(one.is_alive(sorted_paths, folders) for one in pattern.finders)
        ]

    def questions(self) -> tuple[set[str], set[str]]:
        """What has to be known of a tree to tell which patterns are dead: the paths that may be a
        file or a folder, and the folders whose every path counts ('' is the root)."""
        paths: set[str] = set()
        below: set[str] = set()
        for pattern in self._patterns:
            for finder in pattern.finders:
                path, folder = finder.question()
                if path:
                    paths.add(path)
                if folder is not None:
                    below.add(folder)
        return paths, below


def _alone(position: int) -> range:
    return range(position, position + 1)


class _Pattern:
    """One entry of a list: what it looks for, and whether it includes or excludes."""

    __slots__ = ("finders", "include", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.include = not text.startswith("!")
        wanted = text if self.include else text[1:]
        alternatives = expand_braces(wanted)
        plain = [found for one in alternatives if (found := _PLAIN.match(one))]
        self.finders: tuple[_Plain | _Expression, ...]
        if len(plain) == len(alternatives):
            self.finders = tuple(_Plain(found[1], found[2]) for found in plain)
        else:
            self.finders = (_Expression(wanted, alternatives),)

    def matches(self, path: str) -> bool:
        return any(finder.matches(path) for finder in self.finders)

    def positions(self, paths: Sequence[str]) -> Iterator[range | list[int]]:
        """Where the matching paths are; a position may come twice."""
        for finder in self.finders:
            yield from finder.positions(paths)


# Lists of many images share patterns, and a shared pattern shares what it found.
_pattern = lru_cache(maxsize=4096)(_Pattern)


class _Plain:
    """Fixed text with '', '*', '**' or '/**' behind it."""

    __slots__ = ("_fixed", "_tail")

    def __init__(self, fixed: str, tail: str) -> None:
        self._fixed = fixed
        self._tail = tail

    def matches(self, path: str) -> bool:
        fixed = self._fixed
        if not path.startswith(fixed):
            return False
        if self._tail == "":
            return len(path) == len(fixed)
        if self._tail == "*":
            return "/" not in path[len(fixed) :]
        # 'dir/**' also matches what is itself called dir: a submodule or a symbolic link there.
        return self._tail == "**" or path[len(fixed) : len(fixed) + 1] in ("", "/")

    def positions(self, paths: Sequence[str]) -> Iterator[range | list[int]]:
        fixed = self._fixed
        if self._tail == "*" or not _ASCII.fullmatch(fixed):
            yield [at for at in _beginning_with(fixed, paths) if self.matches(paths[at])]
        elif self._tail == "**":
            yield _beginning_with(fixed, paths)
        else:
            at = bisect_left(paths, fixed)
            if at < len(paths) and paths[at] == fixed:
                yield range(at, at + 1)
            if self._tail == "/**":
                yield _beginning_with(fixed + "/", paths)

    def covers(self, folder: str) -> bool:
        """Whether all that is in a folder matches."""
        start = f"{self._fixed}/" if self._tail == "/**" else self._fixed
        return self._tail.endswith("**") and f"{folder}/".startswith(start)

    def is_alive(self, paths: Sequence[str], folders: Collection[str]) -> bool:
        """Whether any path matches, or there is a folder that '/**' speaks of."""
        if self._tail == "/**" and self._fixed in folders:
            return True
        return self._matches_all() or any(self.positions(paths))

    def question(self) -> tuple[str, str | None]:
        """The path to look up or '', and the folder to list or None."""
        if self._matches_all():
            return "", None
        if self._tail in ("", "/**"):
            return self._fixed, None
        return "", self._fixed.rpartition("/")[0]

    def _matches_all(self) -> bool:
        return self._fixed == "" and self._tail == "**"  # every commit worth asking has a file


class _Expression:
    """Anything else: an expression, asked only about paths that begin and end as its text does."""

    __slots__ = ("_ends", "_folder", "_last", "_match", "_start", "_text")

    def __init__(self, text: str, alternatives: Sequence[str]) -> None:
        self._text = text
        self._match: Callable[[str], object] | None = None
        self._last: tuple[Sequence[str] | None, list[int]] = (None, [])
        # A '/' beside a wildcard may be absent from the path: '**/x' matches x, '*a/**' matches a.
        starts = [_FIXED_START.findall(one)[0] for one in alternatives]
        self._folder = commonprefix(starts).rpartition("/")[0]  # noqa: RUF071  # by characters
        starts = [one.removesuffix("/") for one in starts]
        self._start = commonprefix(starts)  # noqa: RUF071  # by characters is what is meant
        self._ends = tuple(_FIXED_END.findall(one)[0].removeprefix("/") for one in alternatives)

    def matches(self, path: str) -> bool:
        if self._match is None:
            self._match = self._compiled()
        return self._match(path) is not None

    def positions(self, paths: Sequence[str]) -> Iterator[list[int]]:
        asked, found = self._last
        if asked is not paths:
            ends = self._ends
            likely = [at for at in _beginning_with(self._start, paths) if paths[at].endswith(ends)]
            found = [at for at in likely if self.matches(paths[at])]
            if isinstance(paths, tuple):  # a list may hold something else the next time
                self._last = (paths, found)
        yield found

    def covers(self, folder: str) -> bool:
        """Nothing of the kind can be told."""
        return False

    def is_alive(self, paths: Sequence[str], folders: Collection[str]) -> bool:
        """Whether any path matches."""
        return any(self.positions(paths))

    def question(self) -> tuple[str, str | None]:
        """As for fixed text: the folder, which may itself be what matches."""
        return self._folder, self._folder

    def _compiled(self) -> Callable[[str], object]:
        # Here and not above: most configurations need no expression, and pathspec costs a tenth of
        # a small detection.
        from orient_deploy.inputs.dialect import GitHubPathsPattern

        regex = GitHubPathsPattern(self._text).regex
        assert regex is not None  # only pathspec's own null patterns have none
        return regex.match


def _beginning_with(prefix: str, paths: Sequence[str]) -> range:
    """Where paths that begin so can be; exactly those when the prefix is ASCII."""
    found = _ASCII.match(prefix)
    ascii_prefix = found[0] if found else ""
    if not ascii_prefix:
        return range(len(paths))
    low = bisect_left(paths, ascii_prefix)
    return range(low, bisect_left(paths, ascii_prefix[:-1] + chr(ord(ascii_prefix[-1]) + 1), low))


def expand_braces(text: str) -> list[str]:
    """The texts that `{a,b}` stands for, in order; braces without a comma or a partner stay.

    >>> expand_braces("a{b,c{d,}}e{f}")
    ['abe{f}', 'acde{f}', 'ace{f}']
    """
    pending, done = [text], []
    while pending:
        one = pending.pop()
        group = _first_group(one)
        if group is None:
            done.append(one)
            continue
        parts = [one[low + 1 : high] for low, high in pairwise(group)]
        pending += [one[: group[0]] + part + one[group[-1] + 1 :] for part in reversed(parts)]
    return done


def _first_group(text: str) -> list[int] | None:
    """The first outermost group that holds a comma: where its brace, commas and brace are."""
    if "{" not in text:
        return None
    first: list[int] | None = None
    opened: list[list[int]] = []
    for token in _BRACE_OR_CLASS.finditer(text):
        if token[0] == "{":
            opened.append([token.start()])
        elif opened and token[0] in ",}":
            opened[-1].append(token.start())
            if token[0] == "}":
                group = opened.pop()
                if len(group) > 2 and (first is None or group[0] < first[0]):
                    first = group
    return first
