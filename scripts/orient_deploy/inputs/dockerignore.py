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
from functools import lru_cache
from posixpath import normpath

from orient_deploy.inputs.filematch import BadPattern, expression, segment
from orient_deploy.inputs.positions import NOWHERE, Positions
from orient_deploy.inputs.variables import BLANKS

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from orient_deploy.inputs.scope import Scope

    # What a pattern matches: where it begins, where it ends (negative, so that nodes in order are
    # folders before what is in them), and how deep it is. A folder is less deep than what is in
    # it; an odd depth is that of everything that begins with one text.
    Node = tuple[int, int, int]

_SPECIAL = frozenset("*?[]\\")
_CLASS_OR_ESCAPE = r"(?s)\[[^\]]*\]|\\."
WILDCARDS_MOST = 3  # of a pattern that is matched by one expression
_EVERYTHING = ("**", "**/*", "**/**")
_TOKEN = (
    r"(?s)(\*\*/?)|(\*)|(\?)|(\[\^?[A-Za-z0-9_.]+(?:-[A-Za-z0-9])?\])|\\([^A-Za-z0-9])|([^*?\[\\]+)"
)
_PLAIN_CLASS = r"(?s)\[[A-Za-z0-9_.]+(?:-[A-Za-z0-9])?\]|\\[^A-Za-z0-9]"


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

    __slots__ = ("_deep", "_negations", "_negative", "_patterns", "_states")

    def __init__(self, patterns: Sequence[_Pattern], negative: Sequence[bool]) -> None:
        self._patterns = tuple(patterns)
        self._negative = tuple(negative)
        self._deep = sum(1 << n for n, one in enumerate(patterns) if one.is_deep)
        self._negations = sum(1 << n for n, negates in enumerate(negative) if negates)
        self._states: dict[str, tuple[int, bool]] = {"": (0, False)}  # the root is never asked

    def __bool__(self) -> bool:
        return bool(self._patterns)

    @property
    def exceptions(self) -> tuple[str, ...]:
        """The patterns that let something in again, without their '!'."""
        rows = zip(self._patterns, self._negative, strict=True)
        return tuple(pattern.text for pattern, negates in rows if negates)

    def matches(self, path: str) -> bool:
        """Whether a path is ignored, asked as a builder does: each folder above it first."""
        return self._state(path)[1]

    def ignored(self, scope: Scope, path: str, place: range) -> Positions:
        """What is left out of a file or folder of a scope, and of all that is in it."""
        state, is_ignored = self._state(path)
        if scope.is_entry(path, place):
            return Positions((place,)) if is_ignored else NOWHERE
        deep = 0
        negating: list[tuple[int, Sequence[Node]]] = []
        others: list[tuple[int, Sequence[Node]]] = []
        for number, pattern in enumerate(self._patterns):
            if path and pattern.is_deep and pattern.matches(path):
                deep |= 1 << number
            elif nodes := pattern.nodes(scope, path, place):
                (negating if self._negative[number] else others).append((1 << number, nodes))
        # Where no negation reaches, whatever matches is ignored; the rest is walked.
        fast: list[tuple[int, int]] = []
        slow: dict[Node, int] = {}
        reach = Positions.between(
            [(start, -stop) for _, nodes in negating for start, stop, _ in nodes]
        )
        if (state | deep) & self._negations:
            reach = Positions((place,)) if place else NOWHERE
        for bit, nodes in others:
            for node in nodes:
                if reach and reach.meets(node[0], -node[1]):
                    slow[node] = slow.get(node, 0) | bit
                else:
                    fast.append((node[0], -node[1]))
        for bit, nodes in negating:
            for node in nodes:
                slow[node] = slow.get(node, 0) | bit
        if slow or is_ignored:
            fast += self._walk(slow, place, state, deep, is_ignored)
        return Positions.between(fast)

    def _walk(
        self, nodes: dict[Node, int], place: range, state: int, deep: int, is_ignored: bool
    ) -> Iterator[tuple[int, int]]:
        """The ignored stretches, from folder to folder: where nothing matches, nothing changes."""
        around = [(place.stop + 1, state, deep, False), (place.stop, state, deep, is_ignored)]
        at = place.start
        # At the end a node behind everything closes what is still open.
        for node in (*sorted(nodes), (place.stop, -place.stop, 0)):
            start, stop, _ = node
            while around[-1][0] <= start:
                end, _, _, ignored = around.pop()
                if ignored and end > at:
                    yield at, end
                at = max(at, end)
            _, state, deep, ignored = around[-1]
            if ignored and start > at:
                yield at, start
            at = max(at, start)
            own = nodes.get(node, 0)
            after, is_ignored = self._step(state, own | deep)
            around.append((-stop, after, deep | (own & self._deep), is_ignored))

    def _step(self, state: int, own: int) -> tuple[int, bool]:
        """Which patterns have matched here or above, and whether the last of them ignores.

        A pattern that would change nothing is not asked, and then what is deeper does not
        inherit it either.
        """
        is_matched = False
        after = 0
        asked = state | own
        while asked:
            bit = asked & -asked
            asked ^= bit
            negates = bool(self._negations & bit)
            if state & bit or negates == is_matched:
                after |= bit
                is_matched = not negates
        return after, is_matched

    def _state(self, path: str) -> tuple[int, bool]:
        found = self._states.get(path)
        if found is None:
            above = self._state(path.rpartition("/")[0])[0]
            own = 0
            for number, pattern in enumerate(self._patterns):
                if pattern.matches(path):
                    own |= 1 << number
            found = self._states[path] = self._step(above, own)
        return found


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
        find: Callable[[Scope, str, range], Iterable[Node]],
        is_deep: bool = False,
    ) -> None:
        self.text = text
        self.matches = matches
        self.is_deep = is_deep
        self._find = find

    def nodes(self, scope: Scope, path: str, place: range) -> Sequence[Node]:
        """What it matches in a folder; of what is deep only where it begins."""
        key = (self.text, path)
        found = scope.found.get(key)
        if found is None:
            least = 2 * len(path) if path else -2
            found = [one for one in self._find(scope, path, place) if one[2] > least]
            scope.found[key] = found
        return found  # type: ignore[return-value]  # the scope does not know what it keeps


@lru_cache(maxsize=4096)
def _pattern(text: str) -> _Pattern:
    expression(text)  # raises where the builder refuses the pattern
    if text in _EVERYTHING:
        return _beginning(text, "")
    wildcards = text.strip("*")
    if _SPECIAL.isdisjoint(wildcards):
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
        if folders.startswith("**") and folders[2:3] != "/":
            folders = f"**/{folders[2:]}"
        # '**name' alone matches any end of a name, but '**name/**' whole names.
        return _inside(text, _pattern(folders))
    return _by_parts(text) or _by_expression(text)


def _node(path: str, place: range) -> Node:
    return place.start, -place.stop, 2 * len(path)


def _exact(text: str) -> _Pattern:
    def find(scope: Scope, path: str, place: range) -> Iterator[Node]:
        if (not path or text.startswith(f"{path}/")) and (found := scope.place(text)):
            yield _node(text, found)

    return _Pattern(text, text.__eq__, find)


def _beginning(text: str, prefix: str) -> _Pattern:
    """`folder/**`, and 'folder**' as well."""

    def matches(path: str) -> bool:
        return path.startswith(prefix)

    def find(scope: Scope, path: str, place: range) -> Iterator[Node]:
        if (not path or prefix.startswith(f"{path}/")) and (found := scope.beginning(prefix)):
            yield found.start, -found.stop, 2 * len(prefix) - 1

    return _Pattern(text, matches, find, is_deep=True)


def _ending(text: str, suffix: str) -> _Pattern:
    """`**/name`, and '**.md' as well."""

    def matches(path: str) -> bool:
        return path.endswith(suffix) or (suffix[:1] == "/" and path == suffix[1:])

    def find(scope: Scope, path: str, place: range) -> Iterator[Node]:
        for found in scope.named(place, suffix.removeprefix("/"), True, matches):
            yield _node(*found)

    return _Pattern(text, matches, find)


def _inside(text: str, folders: _Pattern) -> _Pattern:
    """`<pattern>/**`: all that is in folders that match another pattern."""

    def matches(path: str) -> bool:
        while "/" in path:
            path = path.rpartition("/")[0]
            if folders.matches(path):
                return True
        return False

    def find(scope: Scope, path: str, place: range) -> Iterator[Node]:
        if path and folders.matches(path):
            yield place.start, -place.stop, 2 * len(path) + 1
        for start, stop, depth in folders.nodes(scope, path, place):
            if not scope.is_entry(scope.path(start)[: depth // 2], range(start, -stop)):
                yield start, stop, depth + 1

    return _Pattern(text, matches, find, is_deep=True)


def _by_parts(text: str) -> _Pattern | None:
    """A pattern whose parts, between the '/', can be looked at alone; None: another."""
    parts: list[str] = []
    for part in text.split("/"):
        # '**name' is '**/name'.
        parts += ["**", part[2:]] if part.startswith("**") and part != "**" else [part]
    if any("**" in part and part != "**" for part in parts) or not _is_plain(text):
        return None
    checks = [None if part == "**" else segment(part) for part in parts]

    def matches(path: str) -> bool:
        names = path.split("/")
        # How many names the parts so far can stand for.
        counts = {0}
        for number, check in enumerate(checks):
            if check is not None:
                counts = {n + 1 for n in counts if n < len(names) and check(names[n])}
            elif number == len(checks) - 1:
                return bool(counts) and min(counts) < len(names)
            elif counts:
                counts = set(range(min(counts), len(names)))
        return len(names) in counts

    if "**" not in parts:
        return _Pattern(text, matches, _by_level(parts, checks))
    is_last = parts.index("**") == 0 and "**" not in parts[1:]
    literal = _literal(parts[-1] if is_last else text)

    def find(scope: Scope, path: str, place: range) -> Iterator[Node]:
        at_end = parts[-1].endswith(literal)
        look = scope.named if is_last else scope.holding
        for found in look(place, literal, is_last and at_end, matches):
            yield _node(*found)

    return _Pattern(text, matches, find)


def _is_plain(text: str) -> bool:
    """Whether moby and Go read all of its classes and escapes alike, and no class matches '/'."""
    return "^" not in text and all(
        re.fullmatch(_PLAIN_CLASS, found) for found in re.findall(_CLASS_OR_ESCAPE, text)
    )


def _literal(text: str) -> str:
    """The longest text that is in each path which matches."""
    return max(re.split(rf"{_CLASS_OR_ESCAPE}|[*?/^]", text), key=len)


def _by_level(
    parts: list[str], checks: Sequence[Callable[[str], bool] | None]
) -> Callable[[Scope, str, range], Iterator[Node]]:
    """Finds what matches folder by folder, where no part crosses a '/'."""

    def find(scope: Scope, path: str, place: range) -> Iterator[Node]:
        names = path.split("/") if path else []
        if len(names) < len(parts) and all(
            check is not None and check(name) for check, name in zip(checks, names, strict=False)
        ):
            yield from below(scope, path, len(names))

    def below(scope: Scope, folder: str, at: int) -> Iterator[Node]:
        before = f"{folder}/" if folder else ""
        check = checks[at]
        places: Iterable[tuple[str, range]]
        if check is not None and not _SPECIAL.isdisjoint(parts[at]):
            places = (one for one in scope.children(folder) if check(one[0]))
        else:
            found = scope.place(before + parts[at])
            places = [(parts[at], found)] if found else []
        for name, place in places:
            if at == len(parts) - 1:
                yield _node(before + name, place)
            elif not scope.is_entry(before + name, place):
                yield from below(scope, before + name, at + 1)

    return find


def _by_expression(text: str) -> _Pattern:
    """Any other pattern, as the expression that moby makes of it."""
    parts: list[str] = []
    wildcards = 0
    at = 0
    for token in re.finditer(_TOKEN, text):
        if token.start() > at:
            break  # a class or an escape that Go and moby may read differently
        at = token.end()
        if token[1]:
            parts.append(".*" if at == len(text) else "(?:.*/)?")
        elif token[2]:
            parts.append("[^/]*")
        elif token[3]:
            parts.append("[^/]")
        elif token[4]:
            parts.append(token[4])
        else:
            # A '^' begins a text to moby wherever it stands, so nothing matches behind it.
            other = token[5] or token[6]
            parts.append("^".join(map(re.escape, other.split("^"))))
        wildcards += parts[-1].endswith(("*", "?"))
    # Each more multiplies the time that a hostile path can cost.
    if at < len(text) or wildcards > WILDCARDS_MOST:
        raise BadPattern(f"what {text} means could not be told")
    match = re.compile("".join(parts)).fullmatch
    literal = _literal(text)

    def matches(path: str) -> bool:
        return match(path) is not None

    def find(scope: Scope, path: str, place: range) -> Iterator[Node]:
        for found in scope.holding(place, literal, False, matches):
            yield _node(*found)

    return _Pattern(text, matches, find)
