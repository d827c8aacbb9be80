"""A folder of a tree as builders see it: a root of its own, whose paths are relative to it.

Finds entries by path, by the beginning of a path, by a text in their names; never reads anything.
"""

from __future__ import annotations

from bisect import bisect_left

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orient_deploy.inputs.tree import Tree

# More places than this are found faster by looking at every path.
_FEW = 1000


class Scope:
    """What is below one folder. Paths given and returned are relative to it; '' is the folder."""

    __slots__ = ("_folders", "_prefix", "_texts", "everything", "folder", "found", "tree")

    def __init__(self, tree: Tree, folder: str) -> None:
        self.tree = tree
        self.folder = "" if folder == "." else folder
        self._prefix = f"{self.folder}/" if self.folder else ""
        self.everything = tree.below(self.folder)
        self.found: dict[object, object] = {}  # for those who ask the same again
        self._folders: dict[range, list[str]] = {}
        self._texts: dict[range, str] = {}

    def path(self, at: int) -> str:
        """The path of an entry that is below the folder."""
        return self.tree.paths[at][len(self._prefix) :]

    def whole(self, path: str) -> str:
        """A path of the scope as one of the tree."""
        return self._prefix + path if path else self.folder

    def place(self, path: str) -> range:
        """A file's position, or those of all that is in a folder; empty: there is no such thing."""
        if not path:
            return self.everything
        whole = self._prefix + path
        at = self.tree.before(whole)
        if at < len(self.tree.paths) and self.tree.paths[at] == whole:
            return range(at, at + 1)
        return self.tree.below(whole) if path != "." else range(0)

    def is_entry(self, path: str, place: range) -> bool:
        """Whether what has this place is a file, a symbolic link or a submodule: no folder."""
        return len(place) == 1 and self.tree.paths[place.start] == self._prefix + path

    def beginning(self, text: str) -> range:
        """The positions of every path that begins with the text."""
        if not text:
            return self.everything
        paths, start = self.tree.paths, self._prefix + text
        low = self.tree.before(start)
        high = bisect_left(paths, True, low, key=lambda path: not path.startswith(start))
        return range(low, high)

    def children(self, path: str) -> Iterator[tuple[str, range]]:
        """What is directly in a folder: the names, each with its place."""
        paths = self.tree.paths
        whole = f"{self._prefix}{path}/" if path else self._prefix
        inside = self.tree.below(whole[:-1])
        at = inside.start
        while at < inside.stop:
            name, is_folder, _ = paths[at][len(whole) :].partition("/")
            end = self.tree.before(f"{whole}{name}0") if is_folder else at + 1
            yield name, range(at, end)
            at = end

    def named(
        self, place: range, literal: str, at_end: bool, matches: Callable[[str], bool]
    ) -> Iterator[tuple[str, range]]:
        """The files and folders of a place that match, given a text that is in each one's name.

        `at_end`: their paths end with it. An empty text says nothing. Folders above the place may
        come as well.
        """
        text = self._texts.get(place)
        if text is None:
            text = "\n".join(["", *self.tree.paths[place.start : place.stop], ""])
            self._texts[place] = text
        few: list[int] = []
        at = text.find(literal) if literal else -1
        while at >= 0 and len(few) <= _FEW:
            few.append(at)
            at = text.find(literal, at + 1)
        if not literal or len(few) > _FEW:
            yield from self.holding(place, literal, at_end, matches)
            return
        skip = len(self._prefix)
        seen = ""
        for at in few:
            end = at + len(literal)
            if at_end:
                if text[end] not in "/\n":
                    continue
            else:
                end = min(one for one in (text.find("/", end), text.find("\n", end)) if one >= 0)
            path = text[text.rfind("\n", 0, at) + 1 + skip : end]
            if path and path != seen and matches(path):
                yield path, self.place(path)
            seen = path

    def holding(
        self, place: range, literal: str, at_end: bool, matches: Callable[[str], bool]
    ) -> Iterator[tuple[str, range]]:
        """As `named`, where the text may be anywhere in the path."""
        skip = len(self._prefix)
        for at, path in enumerate(self.tree.paths[place.start : place.stop], place.start):
            if (path.endswith(literal) if at_end else literal in path) and matches(path[skip:]):
                yield path[skip:], range(at, at + 1)
        for path in self._folders_of(place):
            if (path.endswith(literal) if at_end else literal in path) and matches(path):
                yield path, self.place(path)

    def _folders_of(self, place: range) -> list[str]:
        found = self._folders.get(place)
        if found is None:
            seen: dict[str, None] = {}
            skip = len(self._prefix)
            last = ""
            for path in self.tree.paths[place.start : place.stop]:
                folder = path[skip:].rpartition("/")[0]
                if folder == last:
                    continue
                last = folder
                while folder and folder not in seen:
                    seen[folder] = None
                    folder = folder.rpartition("/")[0]
            found = self._folders[place] = list(seen)
        return found
