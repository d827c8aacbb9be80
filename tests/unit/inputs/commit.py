"""Commits as mappings from path to content, and the inputs of images at them; no repository."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from orient_deploy.config import parse
from orient_deploy.inputs.images import ImageInputs, resolve_images, wanted
from orient_deploy.inputs.tree import Tree
from tests.fakes.repositories import Content, Executable, Files, Gitlink, Symlink


def blob_id(content: bytes) -> str:
    """The id that git gives a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def told(content: Content) -> bytes:
    """What is stored: of a symbolic link its target."""
    if isinstance(content, Symlink):
        content = content.target
    elif isinstance(content, Executable):
        content = content.content
    assert isinstance(content, str | bytes), content
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content


def tree_of(files: Files) -> Tree:
    """The commit as git lists it; a path whose content is None is not there."""
    return Tree.of(
        ("160000", "commit", content.commit, path)
        if isinstance(content, Gitlink)
        else (_mode(content), "blob", blob_id(told(content)), path)
        for path, content in files.items()
        if content is not None
    )


def _mode(content: Content) -> str:
    if isinstance(content, Symlink):
        return "120000"
    return "100755" if isinstance(content, Executable) else "100644"


def inputs_of(config: str, files: Files) -> dict[str, ImageInputs]:
    """What makes each image of a configuration at a commit.

    Only what was asked for beforehand is read, and what symbolic links lead to.
    """
    parsed = parse(config, source="orient-deploy.yml")
    tree = tree_of(files)
    asked = wanted(parsed, tree)

    def read(path: str) -> bytes | None:
        at = tree.position(path)
        if at is None or isinstance(files[path], Gitlink):
            return None
        assert path in asked or tree.links, f"{path} was not asked for"
        return told(files[path])

    return resolve_images(parsed, tree, read)


def digests_of(config: str, files: Files) -> dict[str, str]:
    """The input digest of each image."""
    return {name: one.digest for name, one in inputs_of(config, files).items()}


def changed(
    config: str,
    files: Files,
    *,
    edit: Mapping[str, Content] | None = None,
    text: str = "",
) -> set[str]:
    """The images whose digest another is after an edit, and under another configuration."""
    before = digests_of(config, files)
    after = digests_of(text or config, {**files, **(edit or {})})
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
