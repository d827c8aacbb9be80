"""Which packages of a JavaScript workspace need each other, and what an image takes of them.

Reads the manifests, settings and lockfile of pnpm, npm and yarn workspaces. A package of the
workspace that could be meant is taken to be meant, unless the lockfile says otherwise. Never runs
a package manager, and never leaves out what it cannot tell: then it says why.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from functools import cached_property, lru_cache
from posixpath import join, normpath

from orient_deploy.inputs.lockfile import LOCKFILES, PNPM, ROOT, YARN, read_lock
from orient_deploy.inputs.lockfile.lock import LockProblem
from orient_deploy.inputs.patterns import Selection, compile_patterns
from orient_deploy.inputs.positions import Positions
from orient_deploy.inputs.scope import Scope
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from orient_deploy.config.model import Image
    from orient_deploy.inputs.lockfile.lock import Lock
    from orient_deploy.inputs.reads import Reads
    from orient_deploy.inputs.tree import Tree

    Read = Callable[[str], bytes | None]

MANIFEST = "package.json"
PNPM_SETTINGS = "pnpm-workspace.yaml"
# Lockfiles of managers whose workspaces are not told from them; they make a root all the same.
_OTHER_LOCKFILES = ("bun.lock", "bun.lockb")
TOLD_FROM = (PNPM_SETTINGS, *LOCKFILES)  # what a workspace is told from, beside its manifests
_MARKS = (*TOLD_FROM, *_OTHER_LOCKFILES)  # what makes a folder the root of one
MOST_MANIFESTS = 5000  # of one commit; each is fetched and read

_GROUPS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
# At the root of a workspace: what package managers, builds and compilers take their settings from.
_ROOT_FILE = re.compile(
    r".*\.(?:json|jsonc|json5|[cm]?[jt]s|toml)|\.[\w.-]*rc(?:\..*)?|\.env.*|\.yarnrc\.yml"
    r"|\.node-version|\.tool-versions|\.pnpmfile\..*|pnpm-workspace\.yaml|pnpm-lock\.yaml|yarn\.lock"
    r"|bun\.lockb?"
)
_ROOT_FOLDERS = ("patches", ".yarn/patches", ".yarn/plugins", ".yarn/releases")

_PATH = re.compile(r"(?:\.{1,2}(?:/|\Z)|~/|/)")
_FOLDER_PROTOCOLS = ("link", "file", "portal")
_ELSEWHERE = re.compile(
    r"(?:git|https?|ssh|github|gitlab|bitbucket|gist|jsr)[:+]|[\w.-]+/[\w.-]+\Z"
)
_ABOVE = re.compile(r"(?<=[^ |@])>")  # pnpm's `a>b`; in `a@>1` and `a@1 || >2` it compares
_OVERRIDDEN = re.compile(r"(?:\A|/)((?:@[^/@]+/)?[^/@]+)(?:@[^/]*)?\Z")
_EXACT = re.compile(r"[=v ]*(\d+\.\d+\.\d+(?:[-+][\w.+-]+)?)\Z")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package of a workspace, or a folder that one is linked to."""

    folder: str  # from the root of the repository; '' is that
    name: str = ""  # '' when its manifest has none
    version: str = ""
    asks: tuple[tuple[str, str], ...] = ()  # names and what is said of them, peers apart
    peers: tuple[tuple[str, str], ...] = ()
    problem: str = ""  # why the manifest could not be read


@lru_cache(maxsize=8)  # commits that are compared mostly have the same one
def _lock(
    path: str, content: bytes, asked: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] | None
) -> Lock | LockProblem:
    return read_lock(path, content, None if asked is None else dict(asked))


_NO_JSON = object()


@lru_cache(maxsize=2 * MOST_MANIFESTS)  # most are the same in commits that are compared
def _json(content: bytes) -> object:
    """What a JSON file says; nobody changes it."""
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return _NO_JSON


def wanted_for_workspaces(tree: Tree) -> tuple[str, ...]:
    """The files whose contents `read_workspaces` and what it returns may ask for."""
    manifests = _manifests(tree)
    folders = {_parent(path) for path in manifests}
    others = [
        path
        for path in tree.named(*_MARKS)
        if _parent(path) in folders and _last(path) not in _OTHER_LOCKFILES
    ]
    return (*manifests[:MOST_MANIFESTS], *others)


def read_workspaces(tree: Tree, read: Read) -> tuple[Workspace, ...]:
    """The workspaces of a commit, those further up first; a package alone is one as well.

    A root has settings or a lockfile of its own, and is no package of a workspace above it.
    """
    manifests = _manifests(tree)
    marked = {"", *map(_parent, tree.named(*_MARKS))}
    roots = marked.intersection(map(_parent, manifests))
    found: list[Workspace] = []
    for folder in sorted(roots, key=lambda one: (one.count("/") if one else -1, one)):
        one = Workspace(folder, tree, read, manifests)
        if one.globs is None and any(above.has_member(folder) for above in found):
            continue  # a lockfile that somebody left there
        found.append(one)
    return tuple(found)


class Workspace:
    """The packages below one root. All folders are from the root of the repository."""

    def __init__(self, root: str, tree: Tree, read: Read, manifests: Sequence[str]) -> None:
        self.root = root
        self._tree = tree
        self._read = read
        self._manifests = manifests
        self._problems: list[str] = []
        if len(manifests) > MOST_MANIFESTS:
            self._problems.append(f"the commit has over {MOST_MANIFESTS:,} {MANIFEST} files")
        self._settings = self._pnpm_settings()
        self._root_manifest = self._manifest(root)
        self.globs = self._members_globs()

    @cached_property
    def lock_path(self) -> str:
        """The lockfile at the root, '' when it has none."""
        own = (PNPM,) if self._settings is not None else LOCKFILES
        return next((path for name in own if (path := join(self.root, name)) in self._tree), "")

    @cached_property
    def lock(self) -> Lock | LockProblem | None:
        """What the lockfile says; None when there is none."""
        content = self._read(self.lock_path) if self.lock_path else None
        if content is None:
            return None
        asked = None
        if self.lock_path.endswith(YARN):
            asked = {
                self._importer(folder): (*one.asks, *one.peers)
                for folder, one in self.packages.items()
            }
        return _lock(self.lock_path, content, None if asked is None else tuple(asked.items()))

    @cached_property
    def packages(self) -> Mapping[str, Package]:
        """The packages by folder, that of the root among them."""
        known = {self.root}
        if self.lock_path.endswith(PNPM) and self.lock and not isinstance(self.lock, LockProblem):
            known.update(_from_root(normpath(join(self.root, one))) for one in self.lock.importers)
        return {
            folder: _package(folder, self._manifest(folder))
            for folder in map(_parent, self._manifests[:MOST_MANIFESTS])
            if folder in known or self.has_member(folder)
        }

    @cached_property
    def _manifest_places(self) -> tuple[list[int], list[str]]:
        """Where the manifests of the packages are, ascending, and the folders of those."""
        found = [(self._tree.position(join(one, MANIFEST)), one) for one in self.packages]
        placed = sorted((at, one) for at, one in found if at is not None)
        return [at for at, _ in placed], [one for _, one in placed]

    def has_member(self, folder: str) -> bool:
        """Whether a folder is a package of this workspace, other than the root, if it is one."""
        if self.globs is None or not _is_below(folder, self.root):
            return False
        return self.globs.matches(folder[len(self.root) :].lstrip("/"))

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """Why it cannot be told which packages need each other; empty when it can."""
        unread = [one.problem for one in self.packages.values() if one.problem]
        return (*self._problems, *unread)

    def closure(self, folders: Iterable[str]) -> frozenset[str]:
        """These packages and all that they need, also by others; folders that are no packages of
        the workspace too, and files, where one is linked to such."""
        found = set(folders)
        pending = list(found)
        while pending:
            for other in self._needs(pending.pop()):
                if other not in found:
                    found.add(other)
                    pending.append(other)
        return frozenset(found)

    def package_of(self, path: str) -> str | None:
        """The folder of the innermost package that holds a path; None: not even the root does."""
        folder = _parent(path)
        while folder not in self.packages:
            if not folder:
                return None
            folder = _parent(folder)
        return folder

    def closures(self, read: Positions, counted: Positions, reads: Reads) -> dict[str, str]:
        """Of the root's files that count, those that count by what they say: hex digests by path.

        The lockfile, by what the packages resolve to whose manifests the image reads, with those
        that they need (but not those that only the root needs, unless their manifests are read);
        the manifest, as JSON without white space between the tokens. Neither where it cannot be
        told: then it is not among them.
        """
        found: dict[str, str] = {}
        manifest = join(self.root, MANIFEST)
        if self._counts(manifest, counted) and isinstance(self._root_manifest, dict):
            found[manifest] = _digest(self._root_manifest)
        if not self._counts(self.lock_path, counted) or self.problems:
            return found
        lock = self.lock
        inside: set[str] = set()
        places, folders = self._manifest_places
        for some in read.ranges:
            inside.update(folders[bisect_left(places, some.start) : bisect_left(places, some.stop)])
        if lock is None or isinstance(lock, LockProblem) or not inside:
            return found
        if any(_FETCHES.search(text) for _, text in reads.runs):
            return found
        installed = inside | self.closure(inside - {self.root})
        found[self.lock_path] = lock.closure(
            [self._importer(one) for one in installed if one in self.packages]
        )
        return found

    def narrowed(self, image: Image, reads: Reads) -> Positions | str:
        """What an image with `inputs: workspace` keeps of what it reads, or why all of it.

        Kept are the closure of its own package, the settings at the root and what its scripts
        start, and what the Dockerfile names by its own path: of a folder so named everything but
        the packages in it that are not needed.
        """
        if reads.widened:
            first = reads.widened[0]
            return f"line {first.line} of the Dockerfile: {first.why}" if first.line else first.why
        if self.problems:
            return self.problems[0]
        own = self._own(image, reads)
        if isinstance(own, str):
            return own
        installed = {self.root} if _installs_root(reads) else set()
        needed = self.closure(own | installed) - (installed - own)
        kept = self._root_files | self._started(needed, reads)
        for folder in needed:
            kept = kept | self._files_of(folder)
        given = (image.context, *(folder for _, folder in image.contexts))
        contexts = {_from_root(normpath(folder)) for folder in given}
        for source in reads.sources:
            if not source.whole:
                kept = kept | source.positions
                continue
            for place in source.places:
                within = self._packages_in(place)
                if not within or place not in contexts:
                    taken = source.positions & Positions.of([self._place(place)])
                    kept = kept | (taken - Positions.of(map(self._below, within)))
        return kept

    def _own(self, image: Image, reads: Reads) -> set[str] | str:
        """The packages an image is built from, or why that is not known."""
        if len(self.packages) == 1:
            return {self.root}
        holder = self.package_of(image.dockerfile)
        found = {holder} if holder is not None and holder != self.root else set()
        for _, text in reads.runs:
            for path in _paths_of(text):
                folder = join(self.root, path)
                if folder in self.packages and folder != self.root:
                    found.add(folder)
            for name in _filters_of(text):
                found.update(self._chosen(name))
        if not found:
            called = set(self._called.get(image.name, ()))
            called.update(one for one in self._sorted if _last(one) == image.name)
            if len(called) != 1:
                return (
                    "no package holds its Dockerfile, none is named by a RUN line, and "
                    f"{'several are' if called else 'none is'} called {image.name!r}"
                )
            found = called
        return found

    def _chosen(self, text: str) -> Iterable[str]:
        """The packages that a filter of pnpm or turbo chooses, without those they need."""
        text = text.removeprefix("...").strip("^").removesuffix("...").strip("^")
        text = text.partition("[")[0].strip("{}")
        if text.startswith("./"):
            path = normpath(join(self.root, text))
            return _matching(path, {one: [one] for one in self._sorted})
        return _matching(text, self._called)

    @cached_property
    def _called(self) -> Mapping[str, Sequence[str]]:
        """The packages by their names, with and without the scope; without the root."""
        found: dict[str, list[str]] = {}
        for folder in self._sorted:
            name = self.packages[folder].name
            for one in {name, _last(name)} - {""}:
                found.setdefault(one, []).append(folder)
        return found

    @cached_property
    def _sorted(self) -> list[str]:
        """The folders of the packages, without the root."""
        return sorted(folder for folder in self.packages if folder != self.root)

    def _packages_in(self, folder: str) -> list[str]:
        if not folder:
            return self._sorted
        low = bisect_left(self._sorted, f"{folder}/")
        return self._sorted[low : bisect_left(self._sorted, f"{folder}0")]  # '0' is behind '/'

    def _files_of(self, folder: str) -> Positions:
        """What a package holds without the packages in it; what another folder or a file holds."""
        within = map(self._below, self._packages_in(folder))
        return Positions.of([self._place(folder)]) - Positions.of(within)

    def _place(self, path: str) -> range:
        """A file's position, or those of all that is in a folder."""
        at = self._tree.position(path)
        return self._below(path) if at is None else range(at, at + 1)

    def _started(self, needed: Iterable[str], reads: Reads) -> Positions:
        """What lies beside the packages and is named by their scripts, or by those of the root
        that an installation or a RUN line starts.

        With a file its folder counts: one script takes another from there.
        """
        run = {word for _, text in reads.runs for word in _WORDS.split(text)}
        scripts = [(self.root, text) for text in _run_by(run, _scripts(self._root_manifest))]
        scripts += [
            (folder, text)
            for folder in needed
            for text in _scripts(self._manifest(folder)).values()
        ]
        found = Positions()
        for folder, text in scripts:
            for word in _WORDS.split(text):
                if "/" in word or "." in word:
                    found = found | self._beside(_from_root(normpath(join(folder, word))))
        return found

    def _beside(self, path: str) -> Positions:
        """A file with its folder, a folder, or the package around them; not what holds packages."""
        holder = path if path in self.packages else self.package_of(path)
        if not self._is_here(path) or holder is None:
            return Positions()
        if holder != self.root:
            return self._files_of(holder)
        around = _parent(path) if path in self._tree else path
        if around == self.root or self._packages_in(around):
            around = path if path in self._tree else ""
        return Positions.of([self._place(around)] if around else [])

    @cached_property
    def _root_files(self) -> Positions:
        """The root's settings, and the patches it applies."""
        scope = Scope(self._tree, self.root)
        found = [
            place
            for name, place in scope.children("")
            if _ROOT_FILE.fullmatch(name) and scope.is_entry(name, place)
        ]
        found += [self._below(join(self.root, folder)) for folder in _ROOT_FOLDERS]
        found += [self._place(normpath(join(self.root, path))) for path in self._patches()]
        return Positions.of(found)

    def _patches(self) -> Iterator[str]:
        for table in self._tables("patchedDependencies"):
            for value in table.values():
                path = value.get("path") if isinstance(value, dict) else value
                if isinstance(path, str):
                    yield path

    def _needs(self, folder: str) -> frozenset[str]:
        """What one package or folder needs itself."""
        found = self._needed.get(folder)
        if found is None:
            one = self.packages.get(folder)
            needed: set[str] = set()
            if one is None:
                holder = self.package_of(folder)
                needed.update({holder} if holder is not None and holder != self.root else ())
                one = _package(folder, self._manifest(folder))
            needed.update(self._asked_by(one), self._everyones)
            found = self._needed[folder] = frozenset(needed - {folder})
        return found

    @cached_property
    def _needed(self) -> dict[str, frozenset[str]]:
        return {}

    def _asked_by(self, package: Package) -> Iterator[str]:
        lock = None if isinstance(self.lock, LockProblem) else self.lock
        importer = self._importer(package.folder)
        decided = False
        if lock is not None and package.folder in self.packages and importer in lock.importers:
            decided = lock.lists_links
            for folder in lock.workspace_links(importer):
                yield _from_root(normpath(join(self.root, folder)))
        for name, text in package.asks:
            yield from self._meant(name, text, package.folder, decided)
        for name, text in package.peers:
            yield from self._meant(name, text, package.folder, False)

    @cached_property
    def _everyones(self) -> frozenset[str]:
        """What every package may be given in place of what it asks for."""
        lock = self.lock
        decided = lock is not None and not isinstance(lock, LockProblem) and lock.lists_links
        found: set[str] = set()
        for key in ("overrides", "resolutions"):
            for table in self._tables(key):
                for name, text in _flat(table):
                    found.update(self._meant(name, text, self.root, decided))
        return frozenset(found)

    def _meant(self, name: str, text: str, folder: str, decided: bool) -> Iterator[str]:
        """The folders of this repository that a dependency may mean.

        `decided`: the lockfile has told already for what could also be meant of a registry.
        """
        if text.startswith("catalog:"):
            text = self._catalog(text.partition(":")[2].strip() or "default", name)
        if text.startswith("$"):  # npm: as the root asks for it
            root = self.packages.get(self.root)
            text = dict(root.asks).get(text[1:], "") if root else ""
        protocol, _, rest = text.partition(":")
        if protocol == "workspace":
            paths = [_from_root(normpath(join(base, rest))) for base in (folder, self.root)]
            here = [path for path in paths if self._is_here(path)]
            # Else a range, with or without the name of the package in front of it.
            yield from here[:1] or self._named.get(rest.rpartition("@")[0] or name, ())
        elif protocol in _FOLDER_PROTOCOLS or _PATH.match(text):
            path = _from_root(
                normpath(join(folder, rest if protocol in _FOLDER_PROTOCOLS else text))
            )
            if self._is_here(path):
                yield path
        elif not decided and not _ELSEWHERE.match(text):
            if protocol == "npm":  # an alias, or as Yarn spells any range
                at = rest.find("@", 1)
                if at > 0:
                    name, text = rest[:at], rest[at + 1 :]
                else:
                    name, text = (rest, "") if rest in self._named else (name, rest)
            exact = _EXACT.match(text)
            for other in self._named.get(name, ()):
                if exact is None or self.packages[other].version == exact[1]:
                    yield other

    @cached_property
    def _named(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for folder, one in self.packages.items():
            if one.name:
                found.setdefault(one.name, []).append(folder)
        return found

    def _catalog(self, catalog: str, name: str) -> str:
        settings = self._settings or {}
        named = settings.get("catalogs")
        found = named.get(catalog) if isinstance(named, dict) else None
        if catalog == "default" and not isinstance(found, dict):
            found = settings.get("catalog")
        text = found.get(name) if isinstance(found, dict) else None
        return text if isinstance(text, str) else ""

    def _tables(self, key: str) -> Iterator[dict[str, object]]:
        """The settings of that name, from each place where they may stand."""
        manifest = self._root_manifest if isinstance(self._root_manifest, dict) else {}
        for place in (manifest, manifest.get("pnpm"), self._settings):
            table = place.get(key) if isinstance(place, dict) else None
            if isinstance(table, dict):
                yield table

    def _importer(self, folder: str) -> str:
        """A package as the lockfile names it."""
        if folder == self.root:
            return ROOT
        return folder[len(self.root) + 1 :] if self.root else folder

    def _is_here(self, path: str) -> bool:
        """Whether there is such a file or folder; the root of the repository is not meant."""
        return bool(path) and (path in self._tree or len(self._below(path)) > 0)

    def _below(self, folder: str) -> range:
        return self._tree.below(folder)

    def _counts(self, path: str, positions: Positions) -> bool:
        at = self._tree.position(path) if path else None
        return at is not None and at in positions

    def _manifest(self, folder: str) -> object:
        """What a package.json says; a text: why it says nothing. None: there is none."""
        path = join(folder, MANIFEST)
        content = self._read(path)
        if content is None:
            return f"{path} was not read" if path in self._tree else None
        said = _json(content)
        if said is _NO_JSON:
            return f"{path} is not JSON"
        return said if isinstance(said, dict) else f"{path} is not an object"

    def _pnpm_settings(self) -> dict[str, object] | None:
        """What pnpm-workspace.yaml says; None when there is none."""
        path = join(self.root, PNPM_SETTINGS)
        if path not in self._tree:
            return None
        content = self._read(path)
        if content is None:
            self._problems.append(f"{path} was not read")
            return {}
        import yaml  # costs 20 ms: only once there is something to read

        try:
            said = yaml.safe_load(content)
        except (yaml.YAMLError, ValueError, RecursionError):
            said = ""
        if said is None:
            return {}
        if not isinstance(said, dict):
            self._problems.append(f"{path} cannot be read")
            return {}
        return said

    def _members_globs(self) -> Selection | None:
        """Which folders are packages, from the root; None: no others than the root."""
        if self._settings is not None:
            given = self._settings.get("packages", [])
            ordered = False
        else:
            manifest = self._root_manifest if isinstance(self._root_manifest, dict) else {}
            given = manifest.get("workspaces")
            if isinstance(given, dict):
                given = given.get("packages", [])
            if given is None:
                return None
            ordered = f"{self.root}/{YARN}".lstrip("/") not in self._tree
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            self._problems.append(f"it is not told which packages {self.root or 'the root'} has")
            return compile_patterns([])
        texts = [text for one in given for text in _pattern(one)]
        if not ordered:  # npm alone takes in again what it left out before
            texts.sort(key=lambda text: text.startswith("!"))
        return compile_patterns(texts)


_FETCHES = re.compile(r"\bpnpm\b[^&|;\n]*\sfetch\b")
_LIFECYCLE = ("preinstall", "install", "postinstall", "prepare")
_WORDS = re.compile(r"[\s'\"=;&|()]+")
_PATHS = re.compile(r"[\w@.+-]+(?:/[\w@.+-]+)*")
_DEEPEST = 30  # folders in each other that are looked for in a RUN line
_COMMAND = re.compile(r"&&|\|\||[;\n|]")
_INSTALLS = re.compile(
    r"""\b(?:pnpm|npm|yarn|bun)(?:\s+-\S+(?:[= ]\S+)?)*\s+(?:install|ci|i|add)\b
      | \byarn\s*(?:--\S+\s*)*\Z""",
    re.VERBOSE,
)
# (pnpm's own -w is the root.)
_FILTERED = re.compile(r"\s(?:--filter(?:-prod)?|-F)\b|\bnpm\s.*\s(?:-w|--workspace)\b")
_NAMED = re.compile(
    r"\s(?:--filter(?:-prod)?|-F|--workspace|-w|--scope|--include)(?:=|\s+)"
    r"(?P<option>'[^']+'|\"[^\"]+\"|[^\s'\"&|;]+)"
    r"|\byarn\s+workspace\s+(?P<yarn>[^\s&|;]+)"
    r"|\bfocus\s+(?P<focus>[^\s&|;]+)"
    r"|\bturbo(?:@\S+)?\s+prune\s+(?P<prune>(?:[^\s&|;]+\s*)+)"
)


def _filters_of(command: str) -> Iterator[str]:
    """The packages that a RUN line names, as filters."""
    for found in _NAMED.finditer(f" {command}"):
        for text in (found["option"] or found["yarn"] or found["focus"] or found["prune"]).split():
            one = text.strip("'\"")
            if one and not one.startswith(("-", "!", "$")):
                yield one


def _paths_of(command: str) -> Iterator[str]:
    """The folders that a RUN line may speak of, as `cd apps/web` or `--dir=/app/apps/web`."""
    for path in _PATHS.findall(command):
        names = path.split("/", _DEEPEST)
        for start in range(len(names)):
            for end in range(start, len(names)):
                yield "/".join(names[start : end + 1])


def _matching(pattern: str, among: Mapping[str, Iterable[str]]) -> set[str]:
    if "*" not in pattern:
        return set(among.get(pattern, ()))
    selection = compile_patterns([pattern])
    return {one for name, found in among.items() if selection.matches(name) for one in found}


def _scripts(said: object) -> dict[str, str]:
    """The scripts of a manifest by name."""
    scripts = said.get("scripts") if isinstance(said, dict) else None
    if not isinstance(scripts, dict):
        return {}
    return {name: text for name, text in scripts.items() if isinstance(text, str)}


def _run_by(words: Iterable[str], scripts: Mapping[str, str]) -> Iterator[str]:
    """The scripts that an installation runs, or that one of the words names; with theirs."""
    pending = [*_LIFECYCLE, *words]
    seen: set[str] = set()
    while pending:
        word = pending.pop()
        for name in (word, f"pre{word}", f"post{word}"):
            if name in scripts and name not in seen:
                seen.add(name)
                yield scripts[name]
                pending += _WORDS.split(scripts[name])


def _installs_root(reads: Reads) -> bool:
    """Whether the packages of the root are installed; also when it cannot be seen."""
    installs = [
        command
        for _, text in reads.runs
        for command in _COMMAND.split(text)
        if _INSTALLS.search(command.strip())
    ]
    return not installs or any(
        not _FILTERED.search(one) or "include-workspace-root" in one for one in installs
    )


def _package(folder: str, said: object) -> Package:
    if not isinstance(said, dict):
        return Package(folder=folder, problem=said if isinstance(said, str) else "")
    name, version = said.get("name"), said.get("version")
    asks: list[tuple[str, str]] = []
    peers: list[tuple[str, str]] = []
    for group in _GROUPS:
        table = said.get(group)
        if isinstance(table, dict):
            pairs = [(key, text) for key, text in table.items() if isinstance(text, str)]
            (peers if group == "peerDependencies" else asks).extend(pairs)
    return Package(
        folder=folder,
        name=name if isinstance(name, str) else "",
        version=version if isinstance(version, str) else "",
        asks=tuple(asks),
        peers=tuple(peers),
    )


def _flat(table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The names and texts of overrides: `a>b@1`, `a/**/b` and tables in tables speak of `b`."""
    for key, value in table.items():
        found = _OVERRIDDEN.search(_ABOVE.split(key)[-1].strip())
        name = found[1] if found else key
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, dict):
            for inner, text in _flat(value):
                yield (name if inner == "." else inner), text


def _pattern(text: str) -> Iterator[str]:
    """A glob of a workspace in the dialect of `patterns`, which is wider where they differ."""
    sign = "!" if text.startswith("!") else ""
    text = text[len(sign) :].strip()
    text = normpath(text.removeprefix("/")) if text.strip("/") else ""
    if text in ("", ROOT):
        return
    loose = re.sub(r"[@!+*?]\([^)]*\)|\?", "*", text)
    if sign and loose != text:
        return
    yield sign + loose


def _manifests(tree: Tree) -> list[str]:
    return [path for path in tree.named(MANIFEST) if "/node_modules/" not in f"/{path}"]


def _digest(value: object) -> str:
    from hashlib import sha256

    return sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _from_root(path: str) -> str:
    """A cleaned path; '' for the root."""
    return "" if path == ROOT else path


def _is_below(folder: str, root: str) -> bool:
    return folder != root and (not root or folder.startswith(f"{root}/"))
