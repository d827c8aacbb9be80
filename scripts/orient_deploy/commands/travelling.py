"""The files of a commit that travel to a server with a release, packed for the way.

Decides which they are; never what becomes of them there.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orient_deploy.errors import InputError
from orient_deploy.hidden import Hidden
from orient_deploy.inputs.patterns import compile_patterns
from orient_deploy.inputs.tree import FILE, Tree

if TYPE_CHECKING:
    from orient_deploy.commands.clone import Clone
    from orient_deploy.config.model import Environment

TOTAL_MAX_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of a release."""

    content: bytes = field(repr=False)
    is_program: bool = False

    @property
    def digest(self) -> str:
        """Its sha256, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def compose_files(environment: Environment, variant: str) -> tuple[str, ...]:
    """The compose files of an environment, or of one of its variants.

    Raises:
        InputError: there is no such variant, or no compose file.
    """
    files = environment.compose
    if variant:
        variants = dict(environment.variants)
        if variant not in variants:
            raise InputError(
                f"input 'variant': {environment.name} has no {variant!r}",
                f"it has {', '.join(sorted(variants)) or 'none'}",
                "Name one of `variants`, or leave it empty",
            )
        files = variants[variant]
    if not files:
        raise InputError(
            f"the environment {environment.name} has no compose file",
            "`compose` names none, so there is nothing to deploy",
            "Add `compose` below the environment",
        )
    return files


def travelling_files(
    clone: Clone, environment: Environment, compose: tuple[str, ...]
) -> Mapping[str, File]:
    """The compose files and what `sync` selects, as the commit has them.

    Raises:
        InputError: a compose file is not in the commit, or one of them cannot travel.
    """
    _, entries = clone.repository.compare("", clone.head)
    tree = Tree(entries)
    texts = [one.text for one in environment.sync]
    chosen = set(compile_patterns(texts).select(tree.paths)) if texts else set()
    for path in compose:
        at = tree.position(path)
        if at is None:
            raise InputError(
                f"the compose file {path} is not in {clone.head[:7]}",
                "the commit that is deployed has no such file",
                "Commit it, or correct `compose` of the environment",
            )
        chosen.add(at)
    positions = sorted(chosen)
    for at in positions:
        _require_plain(tree.paths[at], tree.mode(at))
    contents = clone.repository.contents(tree.oid(at) for at in positions)
    found = {
        tree.paths[at]: File(
            content=contents[tree.oid(at)], is_program=tree.mode(at).endswith("755")
        )
        for at in positions
    }
    if sum(len(one.content) for one in found.values()) > TOTAL_MAX_BYTES:
        raise InputError(
            "too much travels with this release",
            f"`sync` selects more than {TOTAL_MAX_BYTES >> 20} MiB",
            "Select less, or put what is large into an image",
        )
    return found


def _require_plain(path: str, mode: str) -> None:
    why = ""
    if not mode.startswith(FILE):
        why = "it is a symbolic link or a submodule, and would mean something else there"
    elif not path.isprintable() or "\\" in path:
        why = "its name holds characters that no compose file and no shell takes"
    elif path.split("/")[0] == "releases":
        why = "the folder `releases` of a server holds what a deploy writes down"
    if why:
        raise InputError(f"{path!r} cannot travel", why, "Leave it out of `sync`, or rename it")


def pack(files: Mapping[str, bytes], programs: frozenset[str] = frozenset()) -> Hidden:
    """A tar archive; who unpacks it owns what is in it. `programs` may be run."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(files):
            one = tarfile.TarInfo(path)
            one.size = len(files[path])
            one.mode = 0o755 if path in programs else 0o644
            if not path.startswith("files/"):
                one.mode = 0o600
            archive.addfile(one, io.BytesIO(files[path]))
    return Hidden(buffer.getvalue().decode("utf-8", "surrogateescape"))
