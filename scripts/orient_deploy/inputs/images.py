"""What each image of a configuration is made of at one commit, and its input digest.

Joins what the Dockerfile reads, what the lists watch, what the lockfile resolves to and the images
it is built on. Pure: whoever asks hands over the tree, and the contents of the files that `wanted`
names. Never decides what is built.
"""

from __future__ import annotations

from orient_deploy.config.model import AUTO, DOCKER_IMAGE
from orient_deploy.inputs.digest import counted_rows, input_digest
from orient_deploy.inputs.patterns import compile_patterns
from orient_deploy.inputs.positions import Positions
from orient_deploy.inputs.reads import resolve_reads, wanted_for_reads
from orient_deploy.inputs.siblings import Siblings
from orient_deploy.inputs.stages import MAIN
from orient_deploy.inputs.workspace import read_workspaces, wanted_for_workspaces

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from orient_deploy.config.model import Config, Image, Pattern
    from orient_deploy.inputs.reads import Missing, Reads
    from orient_deploy.inputs.tree import Tree
    from orient_deploy.inputs.workspace import Workspace

    Read = Callable[[str], bytes | None]


class Difference:
    """A file that makes an image another one, and how it comes to count.

    Of a file that itself is the same `why` says 'newly read by …' or 'no longer watched by …'. A
    push may touch thousands of files, of which a few are shown: `why` may be what tells it when
    it is asked.
    """

    __slots__ = ("_why", "path")

    def __init__(self, *, path: str, why: str | Callable[[str], str]) -> None:
        self.path = path
        self._why = why

    @property
    def why(self) -> str:
        """'read by packages/dashboard/Dockerfile line 48', or 'watched by packages/**'."""
        if not isinstance(self._why, str):
            self._why = self._why(self.path)
        return self._why

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Difference) and (self.path, self.why) == (other.path, other.why)

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return f"Difference(path={self.path!r}, why={self.why!r})"


class ImageInputs:
    """Everything that makes one image at one commit.

    `counted` are the entries of the tree that count, `closures` those of them that count by what
    they resolve to: hex digests by path. `read` is what the Dockerfile reads, or with
    `inputs: workspace` what is left of it. `made` is what the Dockerfile takes and the commit
    lacks, where nobody says what that is made from: then everything counts. `digest` is '' when the
    commit has no such Dockerfile: then there is nothing to build it with.
    """

    __slots__ = (
        "_parts",
        "_watched_by",
        "closures",
        "counted",
        "digest",
        "image",
        "made",
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
        made: Missing | None,
        closures: Mapping[str, str],
        watched_by: Callable[[str], str],
        remarks: tuple[str, ...],
    ) -> None:
        self.image = image
        self.tree = tree
        self.reads = reads
        self.read = read
        self.counted = counted
        self.made = made
        self.closures = closures
        self.remarks = remarks
        self.digest = ""
        self._watched_by = watched_by
        self._parts = tuple(_parts(read, counted, reads))

    def why(self, path: str) -> str:
        """How a file of the commit comes to count, or '' when it does not."""
        at = self.tree.position(path)
        if at is None or at not in self.counted:
            return ""
        return self.why_read(at) or f"watched by {self._watched_by(path)}"

    def why_read(self, position: int) -> str:
        """How the Dockerfile comes to read an entry, or may come to; '' when that does not count.

        What may be made into something that it reads is told only where no list watches it.
        """
        source = self.reads.source_of(position) if position in self.read else None
        if source is None:
            return self._why_made(position)
        if source is self.reads.sources[0]:
            return "the Dockerfile itself"
        line = f" line {source.line}" if source.line else ""
        return f"read by {self.image.dockerfile}{line}"

    def _why_made(self, position: int) -> str:
        if self.made is None or self._watched_by(self.tree.paths[position]):
            return ""
        where = f"{self.image.dockerfile} line {self.made.line}"
        return f"of which {self.made.source} may be made ({where})"

    def rows(self) -> Iterator[tuple[str, list[str]]]:
        """What counts, as rows of the tree: those of each context, and those only watched."""
        closures = {
            at: digest
            for path, digest in self.closures.items()
            if (at := self.tree.position(path)) is not None
        }
        for name, some in self._parts:
            yield name, counted_rows(self.tree, some, closures)


def _parts(read: Positions, counted: Positions, reads: Reads) -> Iterator[tuple[str, Positions]]:
    """What is read of the main context, of each named one, and what is only watched.

    They are told apart because an ignore file counts by what it leaves out of its own context.
    """
    names = sorted({source.context for source in reads.sources}) or [MAIN]
    for name in names:
        some = read
        if len(names) > 1:
            sources = [source.positions for source in reads.sources if source.context == name]
            some &= Positions.of(one for positions in sources for one in positions.ranges)
        if some:
            yield f"from {name}" if name else "", some
    watched = counted - read
    if watched:
        yield "watched", watched


def differences(now: ImageInputs, before: ImageInputs) -> tuple[Difference, ...]:
    """The files that differ between what makes an image now and what made it before, by path.

    A file that only came to count, or no longer does, differs as well.
    """
    here, there = dict(now.rows()), dict(before.rows())
    paths = {
        _path(row)
        for name in here.keys() | there.keys()
        for row in {*here.get(name, ())} ^ {*there.get(name, ())}
    }

    def why(path: str) -> str:
        return _why_different(path, now, before)

    in_order = sorted(paths, key=lambda path: path.encode("utf-8", "surrogateescape"))
    return tuple([Difference(path=path, why=why) for path in in_order])


def _why_different(path: str, now: ImageInputs, before: ImageInputs) -> str:
    here, there = now.why(path), before.why(path)
    at, then = now.tree.position(path), before.tree.position(path)
    if at is not None and then is not None and now.tree.rows[at] == before.tree.rows[then]:
        was_read, is_read = then in before.read, at in now.read
        if there and (not here or (was_read and not is_read)):
            return f"no longer {there}"
        if here and (not there or (is_read and not was_read)):
            return f"newly {here}"
    return here or there


def _path(row: str) -> str:
    return row.partition("\t")[2]


def wanted(config: Config, tree: Tree) -> frozenset[str]:
    """The files of a commit whose contents `resolve_images` may ask for."""
    return wanted_by_dockerfiles(config.images, tree).union(wanted_for_workspaces(tree))


def wanted_by_dockerfiles(images: Iterable[Image], tree: Tree) -> frozenset[str]:
    """The files of a commit whose contents `read_images` may ask for."""
    return frozenset(path for image in images for path in wanted_for_reads(image, tree))


def read_images(images: Iterable[Image], tree: Tree, read: Read) -> dict[str, Reads]:
    """What the Dockerfile of each image reads, by name."""
    cache: dict[object, object] = {}
    return {image.name: resolve_reads(image, tree, read, cache=cache) for image in images}


def resolve_images(
    config: Config, tree: Tree, read: Read, *, doubts: bool = True
) -> dict[str, ImageInputs]:
    """What makes each image, by name.

    `read` gives the bytes of a file that `wanted` names, None when the commit has no such file.
    Without `doubts` nothing counts for what is made before the build: not to decide, but to judge
    what somebody else decided.
    """
    return _Joining(config, tree, read, doubts).resolve()


class _Joining:
    """The facts that all images of one commit share."""

    def __init__(self, config: Config, tree: Tree, read: Read, doubts: bool) -> None:
        self._config = config
        self._doubts = doubts
        self._tree = tree
        self._reads = read_images(config.images, tree, read)
        self._everywhere = _selected(config.watch_all, tree)
        self._workspaces = read_workspaces(tree, read)
        self._read = read

    def resolve(self) -> dict[str, ImageInputs]:
        found = {image.name: self._join(image) for image in self._config.images}
        bases = {
            name: (*one.reads.bases, *_images_among_contexts(one.image))
            for name, one in found.items()
        }

        def own_digest(name: str, siblings: Mapping[str, str]) -> str:
            one = found[name]
            if one.reads.dockerfile is None:
                return ""
            return input_digest(
                one.image,
                dockerfile=self._tree.oid(one.reads.dockerfile),
                bases=bases[name],
                siblings=siblings,
                salt=self._config.salt,
                parts=one.rows(),
            )

        digests = Siblings(self._config.images, bases).digests(own_digest)
        for name, one in found.items():
            one.digest = digests[name]
        return found

    def _join(self, image: Image) -> ImageInputs:
        reads = self._reads[image.name]
        read = reads.positions
        remarks: tuple[str, ...] = ()
        if image.inputs == "workspace":
            read, remarks = self._narrowed(image, reads)
        counted = read | self._everywhere | _selected(image.watch, self._tree)
        made = reads.untold(image) if self._doubts else None
        if made:
            counted = Positions.of([self._tree.below("")])
        lists = (image.watch, self._config.watch_all)
        return ImageInputs(
            image,
            self._tree,
            reads,
            read=read,
            counted=counted,
            made=made,
            closures={} if reads.widened or made else self._closures(read, counted, reads),
            watched_by=lambda path: _watched_by(path, lists),
            remarks=remarks,
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
