"""Every entry of a commit, as rows that are ready to be hashed.

Holds what `git ls-tree -r -z` printed, and finds paths and folders in it. Never reads anything.
"""

from __future__ import annotations

from bisect import bisect_left

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SYMLINK = "120000"
SUBMODULE = "160000"


class Tree:
    """The files, symbolic links and submodules of a commit, in the byte order of their paths.

    An entry is named by its position. Paths are bytes decoded as UTF-8 with surrogateescape.

    >>> tree = Tree(b"100644 blob 1f2e\\tsrc/a\\x00120000 blob 3d4c\\tsrc/b\\x00")
    >>> tree.paths, tree.below("src"), tree.mode(1), tree.oid(0), tree.position("src/c")
    (('src/a', 'src/b'), range(0, 2), '120000', '1f2e', None)
    """

    __slots__ = ("_in_order", "_links", "_positions", "paths", "rows")

    def __init__(self, listing: bytes) -> None:
        """`listing` is the output of `git ls-tree -r -z`, or what would be."""
        self.rows: Sequence[bytes] = listing.split(b"\0")[:-1]  # b"100644 blob <id>\t<path>"
        try:
            text = listing.decode()
            self._in_order = True  # as texts, which is the order of their bytes
        except UnicodeDecodeError:
            text = listing.decode("utf-8", "surrogateescape")
            self._in_order = False
        self.paths: tuple[str, ...] = tuple(
            row[row.index("\t") + 1 :] for row in text.split("\0")[:-1]
        )
        self._positions: dict[str, int] | None = None
        self._links: tuple[int, ...] | None = None if b"120000 " in listing else ()

    @classmethod
    def of(cls, entries: Iterable[tuple[str, str, str, str]]) -> Tree:
        """A tree of (mode, type, id, path), in any order."""
        rows = [
            (path.encode("utf-8", "surrogateescape"), f"{mode} {kind} {oid}".encode())
            for mode, kind, oid, path in entries
        ]
        return cls(b"".join(b"%s\t%s\0" % (about, path) for path, about in sorted(rows)))

    def __contains__(self, path: str) -> bool:
        return self.position(path) is not None

    def position(self, path: str) -> int | None:
        """Where a file, symbolic link or submodule is; None: there is none, or it is a folder."""
        if self._positions is None:
            self._positions = {path: at for at, path in enumerate(self.paths)}
        return self._positions.get(path)

    def below(self, folder: str) -> range:
        """The positions of everything in a folder; of the whole tree for '' and '.'."""
        if folder in ("", "."):
            return range(len(self.paths))
        return range(self.before(f"{folder}/"), self.before(f"{folder}0"))  # '0' is behind '/'

    def before(self, path: str) -> int:
        """How many paths come before this one in byte order."""
        if self._in_order and (path.isascii() or _is_text(path)):
            return bisect_left(self.paths, path)
        return bisect_left(
            self.rows,
            path.encode("utf-8", "surrogateescape"),
            key=lambda row: row.partition(b"\t")[2],
        )

    @property
    def links(self) -> tuple[int, ...]:
        """The positions of all symbolic links."""
        if self._links is None:
            self._links = tuple(
                at for at, row in enumerate(self.rows) if row.startswith(b"120000 ")
            )
        return self._links

    def mode(self, at: int) -> str:
        """'100644', '100755', '120000' (a symbolic link) or '160000' (a submodule)."""
        return self.rows[at][:6].decode("ascii")

    def oid(self, at: int) -> str:
        """The id of the object: a blob's, or a submodule's commit."""
        return self.rows[at].partition(b"\t")[0].rpartition(b" ")[2].decode("ascii")


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:  # it stands for bytes that are no UTF-8
        return False
    return True
