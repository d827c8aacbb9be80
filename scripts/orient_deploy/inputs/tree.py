"""Every entry of a commit, as rows that are ready to be hashed.

Holds what `git ls-tree -r -z` printed, and finds paths and folders in it. Never reads anything.
"""

from __future__ import annotations

from bisect import bisect_left

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = "100"  # its mode begins so: 100644, 100755
FOLDER = "040000"
SYMLINK = "120000"
SUBMODULE = "160000"


class Tree:
    """The files, symbolic links and submodules of a commit, in the byte order of their paths.

    An entry is named by its position. Paths are bytes decoded as UTF-8 with surrogateescape.

    >>> tree = Tree(b"100644 blob 1f2e\\tsrc/a\\x00120000 blob 3d4c\\tsrc/b\\x00")
    >>> tree.paths, tree.below("src"), tree.mode(1), tree.oid(0), tree.position("src/c")
    (('src/a', 'src/b'), range(0, 2), '120000', '1f2e', None)
    """

    __slots__ = ("_in_order", "_links", "_named", "_submodules", "paths", "rows")

    def __init__(self, listing: bytes) -> None:
        """`listing` is the output of `git ls-tree -r -z`, or what would be."""
        try:
            text = listing.decode()
            self._in_order = True  # as texts, which is the order of their bytes
        except UnicodeDecodeError:
            text = listing.decode("utf-8", "surrogateescape")
            self._in_order = False
        self.rows = text.split("\0")[:-1]  # '100644 blob <id>' TAB '<path>'
        self.paths = tuple([row[row.index("\t") + 1 :] for row in self.rows])
        self._links: tuple[int, ...] | None = None if "120000 " in text else ()
        self._submodules: tuple[int, ...] | None = None if "160000 " in text else ()
        self._named: dict[tuple[str, ...], tuple[str, ...]] = {}

    def patched(self, rows: Iterable[tuple[str, str]]) -> Tree:
        """The tree in which paths, in byte order, have other rows; '' for none at all.

        >>> tree = Tree(b"100644 blob 1f2e\\tsrc/a\\x00100644 blob 3d4c\\tsrc/b\\x00")
        >>> tree.patched([("src/b", ""), ("src/c", "100644 blob 5b6a\\tsrc/c")]).paths
        ('src/a', 'src/c')
        """
        found = Tree(b"")
        found._in_order = self._in_order
        found._links = found._submodules = None
        then: list[str] = []
        names: list[str] = []
        done = 0
        for path, row in rows:
            at = self.before(path)
            then += self.rows[done:at]
            names += self.paths[done:at]
            done = at + (at < len(self.paths) and self.paths[at] == path)
            if row:
                then.append(row)
                names.append(path)
                found._in_order = found._in_order and _is_utf8(path)
        found.rows = then + self.rows[done:]
        found.paths = (*names, *self.paths[done:])
        return found

    @classmethod
    def of(cls, entries: Iterable[tuple[str, str, str, str]]) -> Tree:
        """A tree of (mode, type, id, path), in any order."""
        rows = [
            (_as_bytes(path), f"{mode} {kind} {oid}".encode()) for mode, kind, oid, path in entries
        ]
        return cls(b"".join(b"%s\t%s\0" % (about, path) for path, about in sorted(rows)))

    def __contains__(self, path: str) -> bool:
        return self.position(path) is not None

    def position(self, path: str) -> int | None:
        """Where a file, symbolic link or submodule is; None: there is none, or it is a folder."""
        at = self.before(path)
        return at if at < len(self.paths) and self.paths[at] == path else None

    def below(self, folder: str) -> range:
        """The positions of everything in a folder; of the whole tree for '' and '.'."""
        if folder in ("", "."):
            return range(len(self.paths))
        return range(self.before(f"{folder}/"), self.before(f"{folder}0"))  # '0' is behind '/'

    def before(self, path: str) -> int:
        """How many paths come before this one in byte order."""
        if self._in_order and _is_utf8(path):
            return bisect_left(self.paths, path)
        return bisect_left(self.paths, _as_bytes(path), key=_as_bytes)

    def named(self, *names: str) -> tuple[str, ...]:
        """The paths of all files with one of these names: those at the root, then those below.

        >>> Tree(b"100644 blob 1f2e\\ta\\x00100644 blob 3d4c\\tb/a\\x00").named("a")
        ('a', 'b/a')
        """
        found = self._named.get(names)
        if found is None:
            ends = tuple([f"/{name}" for name in names])
            at_root = [name for name in names if name in self]
            below = [path for path in self.paths if path.endswith(ends)]
            found = self._named[names] = (*at_root, *below)
        return found

    @property
    def links(self) -> tuple[int, ...]:
        """The positions of all symbolic links."""
        if self._links is None:
            self._links = tuple(at for at, row in enumerate(self.rows) if row.startswith("120000 "))
        return self._links

    @property
    def submodules(self) -> tuple[int, ...]:
        """The positions of all submodules."""
        if self._submodules is None:
            found = [at for at, row in enumerate(self.rows) if row.startswith("160000 ")]
            self._submodules = tuple(found)
        return self._submodules

    def mode(self, at: int) -> str:
        """'100644', '100755', '120000' (a symbolic link) or '160000' (a submodule)."""
        return self.rows[at][:6]

    def oid(self, at: int) -> str:
        """The id of the object: a blob's, or a submodule's commit."""
        return self.rows[at].partition("\t")[0].rpartition(" ")[2]


def _as_bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # it stands for bytes that are none
        return False
    return True
