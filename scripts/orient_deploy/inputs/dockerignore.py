"""What a .dockerignore leaves out, in moby's own dialect, which is not gitignore's.

`name` and `*.md` match at the root of the context only; `**/` is needed for more. The last
pattern that matches decides, and what is in a matched folder is matched with it; but `!folder`
does not reach what only a later or deeper pattern ignored. `#` begins a comment in the first
column alone, blanks around a pattern and a '/' at its ends do not count.

Decides which entries of a tree are ignored; never which file holds the patterns. The patterns of
`COPY --exclude` and `--parents` are of the same kind.

Source: https://docs.docker.com/build/concepts/context/#dockerignore-files, and how BuildKit asks
github.com/moby/patternmatcher: each folder before what is in it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from posixpath import normpath

from orient_deploy.inputs.filematch import BadPattern, expression
from orient_deploy.inputs.positions import Positions
from orient_deploy.inputs.variables import BLANKS

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from orient_deploy.inputs.scope import Scope

    # What a pattern matches: where it begins, where it ends, how deep it is. A folder is less deep
    # than what is in it, and an odd depth is that of everything that begins with one text.
    Node = tuple[int, int, int]

_SPECIAL = re.compile(r"[*?\[\]\\]")
_TOKEN = re.compile(r"(?s)(\*\*/?)|(\*)|(\?)|(\[[^\]]*\])|\\(.)|([^*?\[\\]+)")
_EVERYTHING = ("**", "**/*", "**/**")
_PLAIN_CLASS = re.compile(r"\[\^?[A-Za-z0-9_.]+(?:-[A-Za-z0-9])?\]")


def read_ignore(content: bytes) -> tuple[str, ...]:
    """The patterns of an ignore file, in its order."""
    found = []
    text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    for line in text.split("\n"):
        pattern = line.strip(BLANKS)
        if line.startswith("#") or not pattern:
            continue
        negation = "!" if pattern[0] == "!" else ""
        pattern = pattern[len(negation) :].strip(BLANKS)
        if pattern:
            pattern = _cleaned(pattern)
            if len(pattern) > 1:
                pattern = pattern.removeprefix("/")
        found.append(negation + pattern)
    return tuple(found)


def _cleaned(path: str) -> str:
    path = normpath(path)
    return path[1:] if path.startswith("//") else path  # POSIX alone keeps two of them


@lru_cache(maxsize=4096)
def compile_ignore(patterns: tuple[str, ...]) -> Ignore:
    """The patterns as one thing to ask.

    Raises:
        BadPattern: the builder would refuse one of them, or it cannot be told what one means.
    """
    found = []
    for pattern in patterns:
        text = pattern.strip(BLANKS)
        if not text:
            continue
        text = _cleaned(text)
        if text == "!":
            raise BadPattern("! alone excludes nothing")
        found.append((_pattern(text.removeprefix("!")), text[0] == "!"))
    return Ignore([one for one, _ in found], [negated for _, negated in found])


class Ignore:
    """A list of compiled patterns."""

    __slots__ = ("_matches", "_negated", "_patterns", "_states")

    def __init__(self, patterns: Sequence[_Pattern], negated: Sequence[bool]) -> None:
        self._patterns = tuple(patterns)
        self._negated = tuple(negated)
        self._matches = tuple(one.matches for one in patterns)
        self._states: dict[str, tuple[int, bool]] = {"": (0, False)}

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def ignored(self, scope: Scope, path: str, place: range) -> Positions:
        """What is left out of a file or folder of a scope, and of all that is in it."""
        state, is_ignored = self._state(path)
        depth = 2 * len(path) or -2  # the root itself is never asked
        nodes: dict[Node, int] = {}
        deep = 0
        for number, pattern in enumerate(self._patterns):
            bit = 1 << number
            if path and pattern.is_deep and pattern.matches(path):
                deep |= bit
                continue
            for node in _within(pattern.nodes(scope), place):
                if node[2] > depth:
                    nodes[node] = nodes.get(node, 0) | bit
        if not nodes:
            return Positions((place,)) if is_ignored and place else Positions()
        return Positions.of(self._walk(nodes, place, state, deep, is_ignored))

    def matches(self, path: str) -> bool:
        """Whether a path is ignored, asked as a builder does: each folder above it first."""
        return self._state(path)[1]

    def _walk(
        self, nodes: dict[Node, int], place: range, state: int, deep: int, is_ignored: bool
    ) -> Iterator[range]:
        """The ignored ranges, from folder to folder: where nothing matches, nothing changes."""
        around = [(place.stop, state, deep, is_ignored)]
        at = place.start
        deep_bits = sum(1 << n for n, pattern in enumerate(self._patterns) if pattern.is_deep)
        for node in sorted(nodes, key=_by_place):
            start, stop, _ = node
            while around[-1][0] <= start:
                end, _, _, ignored = around.pop()
                if ignored and end > at:
                    yield range(at, end)
                at = max(at, end)
            _, state, deep, ignored = around[-1]
            if ignored and start > at:
                yield range(at, start)
            at = max(at, start)
            own = nodes[node]
            state, is_ignored = self._step(state, own | deep)
            around.append((stop, state, deep | (own & deep_bits), is_ignored))
        while around:
            end, _, _, ignored = around.pop()
            if ignored and end > at:
                yield range(at, end)
            at = max(at, end)

    def _step(self, state: int, own: int) -> tuple[int, bool]:
        """Which patterns have matched here or above, and whether the last of them ignores.

        A pattern that would change nothing is not asked, and then what is deeper does not
        inherit it either.
        """
        is_matched = False
        after = 0
        asked = state | own
        number = 0
        while asked:
            bit = asked & -asked
            number = bit.bit_length() - 1
            asked ^= bit
            if state & bit or self._negated[number] == is_matched:
                after |= bit
                is_matched = not self._negated[number]
        return after, is_matched

    def _state(self, path: str) -> tuple[int, bool]:
        found = self._states.get(path)
        if found is None:
            above = self._state(path.rpartition("/")[0])[0]
            own = 0
            for number, matches in enumerate(self._matches):
                if matches(path):
                    own |= 1 << number
            found = self._states[path] = self._step(above, own)
        return found


def _by_place(node: Node) -> tuple[int, int, int]:
    return node[0], -node[1], node[2]


def _within(nodes: Sequence[Node], place: range) -> Sequence[Node]:
    """Those that begin in a range; they are in order."""
    if not nodes:
        return nodes
    low = bisect_left(nodes, (place.start,))
    return nodes[low : bisect_left(nodes, (place.stop,), low)]


# --- one pattern -------------------------------------------------------------------------------


class _Pattern:
    """What one pattern matches, whatever the others do.

    `is_deep`: whatever is in a folder that it matches, it matches as well.
    """

    __slots__ = ("_find", "is_deep", "matches", "text")

    def __init__(
        self,
        text: str,
        matches: Callable[[str], bool],
        find: Callable[[Scope], Iterable[Node]],
        is_deep: bool = False,
    ) -> None:
        self.text = text
        self.matches = matches
        self.is_deep = is_deep
        self._find = find

    def nodes(self, scope: Scope) -> Sequence[Node]:
        """The places of what it matches, in order; of what is deep only the beginnings."""
        found = scope.found.get(self.text)
        if found is None:
            found = scope.found[self.text] = sorted(self._find(scope))
        return found  # type: ignore[return-value]  # the scope does not know what it keeps


@lru_cache(maxsize=4096)
def _pattern(text: str) -> _Pattern:
    expression(text)  # raises where the builder refuses the pattern
    if text in _EVERYTHING:
        return _beginning(text, "")
    wildcards = text.strip("*")
    if not _SPECIAL.search(wildcards) and "*" not in wildcards:
        if wildcards == text:
            return _exact(text)
        if text.endswith("**") and text == f"{wildcards}**":
            return _beginning(text, wildcards)
        if text == f"**{wildcards}":
            return _ending(text, wildcards)
    folders = text
    while folders.endswith("/**"):
        folders = folders[:-3]
    is_plain = folders not in _EVERYTHING and not folders.endswith("**") and "^" not in text
    if folders != text and is_plain:
        # '**name' alone matches any end of a name, but '**name/**' whole names.
        return _inside(text, _pattern(re.sub(r"\A\*\*(?!/)", "**/", folders)))
    return _by_segments(text) or _by_expression(text)


def _place_of(path: str, place: range) -> Node:
    return place.start, place.stop, 2 * len(path)


def _exact(text: str) -> _Pattern:
    def find(scope: Scope) -> Iterator[Node]:
        place = scope.place(text)
        if place and text != ".":
            yield _place_of(text, place)

    return _Pattern(text, text.__eq__, find)


def _beginning(text: str, prefix: str) -> _Pattern:
    """`folder/**`, and 'folder**' as well."""

    def matches(path: str) -> bool:
        return path.startswith(prefix)

    def find(scope: Scope) -> Iterator[Node]:
        place = scope.beginning(prefix)
        if place:
            yield place.start, place.stop, 2 * len(prefix) - 1

    return _Pattern(text, matches, find, is_deep=True)


def _ending(text: str, suffix: str) -> _Pattern:
    """`**/name`, and '**.md' as well."""

    def matches(path: str) -> bool:
        return path.endswith(suffix) or (suffix[:1] == "/" and path == suffix[1:])

    def find(scope: Scope) -> Iterator[Node]:
        for path, place in scope.named(suffix.removeprefix("/"), True, matches):
            yield _place_of(path, place)

    return _Pattern(text, matches, find)


def _inside(text: str, folders: _Pattern) -> _Pattern:
    """`<pattern>/**`: all that is in folders that match another pattern."""

    def matches(path: str) -> bool:
        while "/" in path:
            path = path.rpartition("/")[0]
            if folders.matches(path):
                return True
        return False

    def find(scope: Scope) -> Iterator[Node]:
        for start, stop, depth in folders.nodes(scope):
            # A file begins and ends with itself; depth is that of the path, or odd.
            if depth % 2 or not scope.is_entry(scope.path(start)[: depth // 2], range(start, stop)):
                yield start, stop, depth + 1

    return _Pattern(text, matches, find, is_deep=True)


def _by_segments(text: str) -> _Pattern | None:
    """A pattern whose wildcards stop at '/', with '**/' at most before it; None: another."""
    is_anywhere = text.startswith("**")
    rest = re.sub(r"\A\*\*/?", "", text)
    if "**" in rest or any(one in rest for one in "[\\^"):
        return None
    checks = [_segment(one) for one in rest.split("/")]
    count = len(checks)

    def matches(path: str) -> bool:
        names = path.split("/")
        if is_anywhere:
            names = names[-count:]
        return len(names) == count and all(
            check(name) for check, name in zip(checks, names, strict=True)
        )

    def find(scope: Scope) -> Iterator[Node]:
        if is_anywhere:
            last = rest.rpartition("/")[2]
            literal = max(re.split(r"[*?]+", last), key=len)
            for path, place in scope.named(literal, last.endswith(literal), matches):
                yield _place_of(path, place)
        else:
            yield from _level(scope, "", rest.split("/"))

    def _level(scope: Scope, folder: str, segments: list[str]) -> Iterator[Node]:
        first, *others = segments
        before = f"{folder}/" if folder else ""
        places: Iterable[tuple[str, range]]
        if "*" in first or "?" in first:
            check = checks[count - len(segments)]
            places = (one for one in scope.children(folder) if check(one[0]))
        else:
            place = scope.place(before + first)
            places = [(first, place)] if place else []
        for name, place in places:
            if not others:
                yield _place_of(before + name, place)
            elif not scope.is_entry(before + name, place):
                yield from _level(scope, before + name, others)

    return _Pattern(text, matches, find)


def _segment(text: str) -> Callable[[str], bool]:
    """Whether a name matches a part of a pattern that has no '/'."""
    if "*" not in text and "?" not in text:
        return text.__eq__
    begin, star, end = text.partition("*")
    if star and not re.search(r"[*?]", begin + end):
        least = len(begin) + len(end)
        return lambda name: len(name) >= least and name.startswith(begin) and name.endswith(end)
    match = re.compile(expression(text)).fullmatch
    return lambda name: match(name) is not None


def _by_expression(text: str) -> _Pattern:
    """Any other pattern, as the expression that moby makes of it."""
    parts: list[str] = []
    at = 0
    literal = ""
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise BadPattern(f"what {text} means could not be told")
        at = token.end()
        if token[1]:
            parts.append(".*" if at == len(text) else "(?:.*/)?")
        elif token[2]:
            parts.append("[^/]*")
        elif token[3]:
            parts.append("[^/]")
        elif token[4]:
            if not _PLAIN_CLASS.fullmatch(token[4]):
                raise BadPattern(f"what {text} means could not be told")
            parts.append(token[4])
        elif token[5]:
            if token[5].isalnum():
                raise BadPattern(f"what {text} means could not be told")
            parts.append(re.escape(token[5]))
        else:
            # A '^' begins a text to moby wherever it stands, so nothing matches behind it.
            parts.append("^".join(map(re.escape, token[6].split("^"))))
            literal = max(literal, *re.split("[/^]", token[6]), key=len)
    match = re.compile("".join(parts)).fullmatch

    def matches(path: str) -> bool:
        return match(path) is not None

    def find(scope: Scope) -> Iterator[Node]:
        for path, place in scope.holding(literal, False, matches):
            yield _place_of(path, place)

    return _Pattern(text, matches, find)
