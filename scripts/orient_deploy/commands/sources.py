"""Reads of a repository what images are made of, and has it resolved.

Decides nothing: asks `history` for trees and contents, hands them to `inputs`.
"""

from __future__ import annotations

from orient_deploy.errors import RemoteError
from orient_deploy.history.model import SHORT
from orient_deploy.inputs.images import read_images, resolve_images, wanted, wanted_by_dockerfiles
from orient_deploy.inputs.tree import SUBMODULE, Tree

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable

    from orient_deploy.config.model import Config
    from orient_deploy.history import Repository
    from orient_deploy.inputs.images import ImageInputs
    from orient_deploy.inputs.reads import Reads


class Sources:
    """The trees of some commits, and the few files that say what images read.

    What is in a submodule is never read: its id is that of a commit of another repository.
    All trees are read at the same time, and what is missing of the contents is fetched in one go.
    """

    def __init__(
        self, repository: Repository, *asked: tuple[Config, str], whole: bool = True
    ) -> None:
        """`asked` are commits, each with the configuration that holds there. Without `whole` only
        what the Dockerfiles read will be asked for.

        Raises:
            GitFailed: a commit's trees are not to be had.
        """
        self._repository = repository
        commits = list(dict.fromkeys(commit for _, commit in asked))
        listings = repository.entries(*commits)
        self.trees = {
            commit: Tree(listing) for commit, listing in zip(commits, listings, strict=True)
        }
        names = wanted if whole else wanted_by_dockerfiles
        oids = {
            tree.oid(at)
            for config, commit in asked
            for tree in (self.trees[commit],)
            for path in names(config, tree)
            if (at := tree.position(path)) is not None and tree.mode(at) != SUBMODULE
        }
        self._contents = repository.contents(oids)

    def inputs(self, config: Config, commit: str) -> dict[str, ImageInputs]:
        """What makes each image at one of the commits.

        Raises:
            RemoteError: a file exists, but its content cannot be had.
        """
        return resolve_images(config, self.trees[commit], self._reader(commit))

    def reads(self, config: Config, commit: str) -> dict[str, Reads]:
        """What the Dockerfile of each image reads at one of the commits.

        Raises:
            RemoteError: a file exists, but its content cannot be had.
        """
        return read_images(config, self.trees[commit], self._reader(commit))

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
