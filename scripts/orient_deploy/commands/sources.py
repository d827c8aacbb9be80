"""Reads of a repository what images are made of, and has it resolved.

Decides nothing: asks `history` for trees and contents, hands them to `inputs`.
"""

from __future__ import annotations

from orient_deploy.errors import RemoteError
from orient_deploy.history.model import SHORT
from orient_deploy.inputs.images import read_images, resolve_images, wanted, wanted_by_dockerfiles
from orient_deploy.inputs.reads import IGNORE_FILE
from orient_deploy.inputs.tree import SUBMODULE, Tree
from orient_deploy.inputs.workspace import MANIFEST, TOLD_FROM

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orient_deploy.config.model import Config, Image
    from orient_deploy.history import Change, Repository
    from orient_deploy.inputs.images import ImageInputs
    from orient_deploy.inputs.reads import Reads

MOST_LIKELY = 5000  # files that are fetched before it is known whether they are needed


def likely(entries: bytes) -> list[str]:
    """The ids of files that mostly say what images read, told by their names.

    For who has not read yet what the images are, and would ask the server twice. `entries` is what
    `git ls-tree -r -z` prints.
    """
    found = dict[str, None]()
    for name in (MANIFEST, *TOLD_FROM, IGNORE_FILE, "Dockerfile"):
        text = name.encode()
        at = entries.find(text)
        while at >= 0 and len(found) < MOST_LIKELY:
            end = entries.index(b"\0", at)
            row = entries[entries.rfind(b"\0", 0, at) + 1 : end]
            about, _, path = row.partition(b"\t")
            last = path.rpartition(b"/")[2]
            named = last == text or (text in last and name in (IGNORE_FILE, "Dockerfile"))
            if named and about.startswith(b"100") and b"/node_modules/" not in b"/" + path:
                found[about.rpartition(b" ")[2].decode()] = None
            at = entries.find(text, end)
    return list(found)


class Sources:
    """The tree of a head, those of commits that it is compared with, and the few files that say
    what images read.

    Only the head's tree is read whole; each other differs from it by what changed. What is in a
    submodule is never read: its id is that of a commit of another repository.
    """

    def __init__(self, repository: Repository, head: str, base: str = "") -> None:
        """Both are read at the same time.

        Raises:
            GitFailed: the trees of one of them are not to be had.
        """
        self._repository = repository
        self._head = head
        self._contents: dict[str, bytes] = {}
        self._fetched: set[str] = set()  # commits for which `fetch` was asked
        # From the base to the head, by path in byte order.
        self.changes, entries = repository.compare(base, head)
        self.trees = {head: Tree(entries)}
        if base:
            self._add(base, self.changes)

    def differ(self, commit: str) -> tuple[Change, ...]:
        """What changed from another commit to the head, by path in byte order; from now on its tree
        is known.

        Raises:
            GitFailed: its trees are not to be had.
        """
        changes = self._repository.changes(commit, self._head)
        self._add(commit, changes)
        return changes

    def _add(self, commit: str, changes: Sequence[Change]) -> None:
        before = [(change.path, change.before) for change in changes]
        self.trees[commit] = self.trees[self._head].patched(before)

    def fetch(self, *asked: tuple[Config, str]) -> None:
        """Have what `inputs` will ask for of several commits with these configurations: missing
        contents are fetched in one go."""
        self._fetch([(commit, wanted(config, self.trees[commit])) for config, commit in asked])
        self._fetched.update(commit for _, commit in asked)

    def _fetch(self, asked: Iterable[tuple[str, Iterable[str]]]) -> None:
        oids = {
            self.trees[commit].oid(at)
            for commit, paths in asked
            for path in paths
            if (at := self.trees[commit].position(path)) is not None
            and self.trees[commit].mode(at) != SUBMODULE
        }
        self._contents |= self._repository.contents(oids - self._contents.keys())

    def inputs(self, config: Config, commit: str, *, doubts: bool = True) -> dict[str, ImageInputs]:
        """What makes each image at one of the commits (`resolve_images`).

        Raises:
            RemoteError: a file exists, but its content cannot be had.
        """
        if commit not in self._fetched:
            self.fetch((config, commit))
        return resolve_images(config, self.trees[commit], self._reader(commit), doubts=doubts)

    def reads(self, images: Sequence[Image], commit: str) -> dict[str, Reads]:
        """What the Dockerfile of each of the images reads at one of the commits.

        Raises:
            RemoteError: a file exists, but its content cannot be had.
        """
        tree = self.trees[commit]
        self._fetch([(commit, wanted_by_dockerfiles(images, tree))])
        return read_images(images, tree, self._reader(commit))

    def _reader(self, commit: str) -> Callable[[str], bytes | None]:
        tree = self.trees[commit]

        def read(path: str) -> bytes | None:
            at = tree.position(path)
            if at is None or tree.mode(at) == SUBMODULE:
                return None
            oid = tree.oid(at)
            if oid not in self._contents:  # behind a symbolic link, say: nobody could know before
                self._contents |= self._repository.contents([oid])
            if oid in self._contents:
                return self._contents[oid]
            raise RemoteError(
                f"the content of {path!r} at {commit[:SHORT]} cannot be had",
                self._repository.offline or "it is neither in the checkout nor on the server",
                "Check out the repository in an earlier step, or give a token that can read it",
            )

        return read
