"""The past of a clone: what images were made of at its commits, and which lists held then.

Decides nothing: asks `history` for trees and contents, and hands them to `inputs` and `advise`.
What commits share is read and resolved once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orient_deploy.advise.builds import gather, is_dockerfile
from orient_deploy.advise.lists import OnPush, Place, built_by_pushes, workflow_files
from orient_deploy.config import ConfigError, parse
from orient_deploy.errors import RemoteError
from orient_deploy.history.libgit import Commits
from orient_deploy.history.model import SHORT
from orient_deploy.inputs.images import ImageInputs, resolve_images
from orient_deploy.inputs.tree import SUBMODULE, Tree

if TYPE_CHECKING:
    from orient_deploy.commands.clone import Clone
    from orient_deploy.config.model import Config
    from orient_deploy.history.model import Change


class Past:
    """The commits of a clone, read in any order; in their own order it is quickest."""

    def __init__(self, clone: Clone) -> None:
        """Raises EnvironmentLacks when there is no pygit2."""
        self.commits = Commits(clone.repository.directory)
        self._name = clone.name
        self._trees: dict[str, Tree] = {}
        self._inputs: list[tuple[str, Config, dict[str, ImageInputs]]] = []  # the last ones
        self._configs: dict[str, Config | None] = {}
        self._on_push: dict[object, dict[Place, OnPush]] = {}

    def tree(self, commit: str) -> Tree:
        """Every entry of the commit."""
        oid = self.commits.commit(commit).tree
        known = self._trees.get(oid)
        if known is None:
            known = Tree(self.commits.entries(commit))
            self._trees = {**dict([*self._trees.items()][-1:]), oid: known}  # it, and the last one
        return known

    def reader(self, commit: str) -> Callable[[str], bytes | None]:
        """Gives the bytes of a file of the commit (of a symlink: where it points), or None.

        It raises RemoteError where the clone has no file contents.
        """
        tree = self.tree(commit)

        def read(path: str) -> bytes | None:
            at = tree.position(path)
            if at is None or tree.mode(at) == SUBMODULE:
                return None
            content = self.commits.content(tree.oid(at))
            if content is None:
                raise RemoteError(
                    f"the content of {path!r} at {commit[:SHORT]} cannot be had",
                    "this clone has no file contents",
                    "Make one without --filter",
                )
            return content

        return read

    def inputs(self, config: Config, commit: str) -> dict[str, ImageInputs]:
        """What is known to make each image of a configuration at the commit, by name."""
        for at, of, known in self._inputs:
            if at == commit and of is config:
                return known
        found = resolve_images(config, self.tree(commit), self.reader(commit), doubts=False)
        self._inputs = [*self._inputs[-1:], (commit, config, found)]
        return found

    def changes(self, commit: str) -> tuple[Change, ...] | None:
        """What it changed of its first parent; None where there is none here."""
        parent = next(iter(self.commits.commit(commit).parents), "")
        if not parent or not self.commits.has(parent):
            return None
        return self.commits.changes(parent, commit)

    def config(self, path: str, commit: str) -> Config | None:
        """The configuration as the commit has it; None where it has none that is valid."""
        tree = self.tree(commit)
        at = tree.position(path)
        if at is None:
            return None
        oid = tree.oid(at)
        if oid not in self._configs:
            text = self.reader(commit)(path)
            try:
                self._configs[oid] = None if text is None else parse(text, source=path)
            except ConfigError:
                self._configs[oid] = None
        return self._configs[oid]

    def on_push(self, commit: str, branch: str) -> dict[Place, OnPush]:
        """The images that the workflows of the commit build when it is pushed to the branch."""
        tree = self.tree(commit)
        contents = workflow_files(tree.paths, self.reader(commit))
        dockerfiles = [path for path in tree.paths if is_dockerfile(path)]
        told = tuple((path, _oid(tree, path)) for path in contents)
        key = (branch, told, tuple(dockerfiles))
        known = self._on_push.get(key)
        if known is None:
            found = gather(tree.paths, contents, repository=self._name)
            known = self._on_push[key] = built_by_pushes(found.workflows, branch)
        return known


def _oid(tree: Tree, path: str) -> str:
    at = tree.position(path)
    return "" if at is None else tree.oid(at)
