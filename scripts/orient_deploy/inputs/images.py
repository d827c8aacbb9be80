"""What each image of a configuration is made of at one commit, and its input digest.

Joins what the Dockerfile reads, what the lists watch, what the lockfile resolves to and the images
it is built on. Pure: whoever asks hands over the tree, and the contents of the files that `wanted`
names. Never decides what is built.
"""

from __future__ import annotations

from orient_deploy.config.model import AUTO, DOCKER_IMAGE
from orient_deploy.inputs.digest import input_digest
from orient_deploy.inputs.patterns import compile_patterns
from orient_deploy.inputs.positions import Positions
from orient_deploy.inputs.reads import resolve_reads, wanted_for_reads
from orient_deploy.inputs.workspace import read_workspaces, wanted_for_workspaces
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orient_deploy.config.model import Config, Image, Pattern
    from orient_deploy.inputs.reads import Reads
    from orient_deploy.inputs.tree import Tree
    from orient_deploy.inputs.workspace import Workspace

    Read = Callable[[str], bytes | None]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A file that makes an image another one, and how it comes to count."""

    path: str
    why: str  # 'read by packages/dashboard/Dockerfile line 48', or 'watched by packages/**'


class ImageInputs:
    """Everything that makes one image at one commit.

    `counted` are the entries of the tree that count by their ids, `closures` the files that count
    by what they resolve to, as hex digests by path. `read` is what the Dockerfile reads of all
    that, or with `inputs: workspace` what is left of it. `digest` is '' when the commit has no
    such Dockerfile: then there is nothing to build it with.
    """

    __slots__ = (
        "_watched_by",
        "closures",
        "counted",
        "digest",
        "image",
        "read",
        "reads",
        "remarks",
        "tree",
    )

    def __init__(
        self,
        image: Image,
        tree: Tree,
        reads: Reads,
        *,
        read: Positions,
        counted: Positions,
        closures: Mapping[str, str],
        watched_by: Callable[[str], str],
        remarks: tuple[str, ...],
        digest: str,
    ) -> None:
        self.image = image
        self.tree = tree
        self.reads = reads
        self.read = read
        self.counted = counted
        self.closures = closures
        self.remarks = remarks
        self.digest = digest
        self._watched_by = watched_by

    def why(self, path: str) -> str:
        """How a file of the commit comes to count, or '' when it does not."""
        at = self.tree.position(path)
        if at is None or not (at in self.counted or path in self.closures):
            return ""
        return self.why_read(at) or f"watched by {self._watched_by(path)}"

    def why_read(self, position: int) -> str:
        """How the Dockerfile comes to read an entry, or '' when that does not count."""
        source = self.reads.source_of(position) if position in self.read else None
        if source is None:
            return ""
        if source.line == 0:
            return "the Dockerfile itself"
        return f"read by {self.image.dockerfile} line {source.line}"

    def rows(self) -> frozenset[bytes]:
        """What counts by its id, as rows of the tree."""
        rows = self.tree.rows
        return frozenset(
            row for some in self.counted.ranges for row in rows[some.start : some.stop]
        )


def differences(now: ImageInputs, before: ImageInputs) -> tuple[Difference, ...]:
    """The files that differ between what makes an image now and what made it before, by path.

    A file that only came to count, or no longer does, differs as well.
    """
    paths = {_path(row) for row in now.rows() ^ before.rows()}
    for path in now.closures.keys() | before.closures.keys():
        same = now.closures.get(path) == before.closures.get(path)
        (paths.discard if same else paths.add)(path)
    return tuple(
        Difference(path=path, why=now.why(path) or before.why(path))
        for path in sorted(paths, key=lambda path: path.encode("utf-8", "surrogateescape"))
    )


def _path(row: bytes) -> str:
    return row.partition(b"\t")[2].decode("utf-8", "surrogateescape")


def wanted(config: Config, tree: Tree) -> frozenset[str]:
    """The files of a commit whose contents `resolve_images` may ask for."""
    return wanted_by_dockerfiles(config, tree).union(wanted_for_workspaces(tree))


def wanted_by_dockerfiles(config: Config, tree: Tree) -> frozenset[str]:
    """The files of a commit whose contents `read_images` may ask for."""
    return frozenset(path for image in config.images for path in wanted_for_reads(image, tree))


def read_images(config: Config, tree: Tree, read: Read) -> dict[str, Reads]:
    """What the Dockerfile of each image reads, by name."""
    cache: dict[object, object] = {}
    return {image.name: resolve_reads(image, tree, read, cache=cache) for image in config.images}


def resolve_images(config: Config, tree: Tree, read: Read) -> dict[str, ImageInputs]:
    """What makes each image, by name.

    `read` gives the bytes of a file that `wanted` names, None when the commit has no such file.
    """
    joining = _Joining(config, tree, read)
    found: dict[str, ImageInputs] = {}
    for image in config.images:
        joining.resolve(image, found, ())
    return {image.name: found[image.name] for image in config.images}


class _Joining:
    """The facts that all images of one commit share."""

    def __init__(self, config: Config, tree: Tree, read: Read) -> None:
        self._config = config
        self._tree = tree
        self._reads = read_images(config, tree, read)
        self._everywhere = _selected(config.watch_all, tree)
        self._workspaces = read_workspaces(tree, read)
        self._read = read
        self._repositories = {one.repository: one for one in config.images if one.repository}

    def resolve(self, image: Image, found: dict[str, ImageInputs], above: tuple[str, ...]) -> None:
        """Puts the image into `found`, after those it is built on; `above` are built on it."""
        if image.name in found:
            return
        reads = self._reads[image.name]
        bases = (*reads.bases, *_images_among_contexts(image))
        siblings: dict[str, str] = {}
        for reference in bases:
            sibling = self._repositories.get(repository_of(reference))
            # No digest can hold itself: of two that are built on each other one goes without.
            if sibling and sibling.name not in (image.name, *above):
                self.resolve(sibling, found, (*above, image.name))
                siblings[sibling.name] = found[sibling.name].digest
        found[image.name] = self._join(image, reads, bases, siblings)

    def _join(
        self, image: Image, reads: Reads, bases: Sequence[str], siblings: Mapping[str, str]
    ) -> ImageInputs:
        tree, config = self._tree, self._config
        read = reads.positions
        remarks: tuple[str, ...] = ()
        if image.inputs == "workspace":
            read, remarks = self._narrowed(image, reads)
        counted = read | self._everywhere | _selected(image.watch, tree)
        closures = {} if reads.widened else self._closures(read, counted, reads)
        by_id = counted - Positions.of(
            range(at, at + 1) for path in closures if (at := tree.position(path)) is not None
        )
        digest = ""
        if reads.dockerfile is not None:
            digest = input_digest(
                image,
                dockerfile=tree.oid(reads.dockerfile),
                bases=bases,
                siblings=siblings,
                closures=closures,
                salt=config.salt,
                tree=tree,
                counted=by_id,
            )
        lists = (image.watch, config.watch_all)
        return ImageInputs(
            image,
            tree,
            reads,
            read=read,
            counted=by_id,
            closures=closures,
            watched_by=lambda path: _watched_by(path, lists),
            remarks=remarks,
            digest=digest,
        )

    def _narrowed(self, image: Image, reads: Reads) -> tuple[Positions, tuple[str, ...]]:
        """What `inputs: workspace` leaves of what is read, and a remark where that is all."""
        workspace = self._workspace_of(image.dockerfile)
        if workspace is None:
            why = "no workspace holds its Dockerfile"
        else:
            kept = workspace.narrowed(image, reads)
            if not isinstance(kept, str):
                return reads.positions & kept, ()
            why = kept
        return reads.positions, (f"`inputs: workspace` has no effect: {why}",)

    def _workspace_of(self, path: str) -> Workspace | None:
        above = [one for one in self._workspaces if not one.root or path.startswith(f"{one.root}/")]
        return max(above, key=lambda one: len(one.root), default=None)

    def _closures(self, read: Positions, counted: Positions, reads: Reads) -> dict[str, str]:
        """The files that count by what they resolve to: lockfiles and root manifests, if known."""
        found: dict[str, str] = {}
        for workspace in self._workspaces:
            found.update(workspace.closures(read, counted, reads))
        return found


def repository_of(reference: str) -> str:
    """An image reference without its tag and digest.

    >>> repository_of("localhost:5000/acme/base:v1@sha256:00"), repository_of("node:22")
    ('localhost:5000/acme/base', 'node')
    """
    name = reference.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]


def _images_among_contexts(image: Image) -> list[str]:
    return [
        value[len(DOCKER_IMAGE) :] for _, value in image.contexts if value.startswith(DOCKER_IMAGE)
    ]


def _selected(patterns: Sequence[Pattern], tree: Tree) -> Positions:
    texts = [pattern.text for pattern in patterns if pattern.text != AUTO]
    # A list that began with 'auto' may go on with what it excludes, and nothing makes a digest
    # narrower.
    while texts and texts[0].startswith("!"):
        del texts[0]
    return compile_patterns(texts).positions(tree.paths) if texts else Positions()


def _watched_by(path: str, lists: Sequence[Sequence[Pattern]]) -> str:
    for patterns in lists:
        texts = [pattern.text for pattern in patterns if pattern.text != AUTO]
        found = compile_patterns(texts).first_match(path)
        if found is not None:
            return found
    return ""
