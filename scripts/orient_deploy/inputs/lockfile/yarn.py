"""yarn.lock, of Yarn 1 and of later ones ("berry").

Both list blocks under the descriptors (a name and a range) that they answer; a package is found by
the descriptor that a dependency spells. Only later ones list the packages of the workspace: of
Yarn 1 these come from their manifests.
"""

from __future__ import annotations

import re
from posixpath import normpath

from orient_deploy.inputs.lockfile.lock import IMPORTERS, ROOT, Lock, Unread

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from orient_deploy.inputs.lockfile.lock import Entry

    # By folder: the names and ranges that a package asks for.
    Asked = Mapping[str, Iterable[tuple[str, str]]]

PACKAGES = "packages"
FIRST = "# yarn lockfile v1"
METADATA = "__metadata"

_BLOCK = re.compile(r"\n(?=[^ \n])")
_LONG_KEY = re.compile(r"^\? (.*)\n:$", re.MULTILINE)
# A text in quotes without an escape, or a bare one.
_WORD = re.compile(r'"([^"\\]*)"|([^\s"\',:#\[\]{}&*!|>%@`][^\s",]*?)(?=:?(?:[ ,]|\Z))')
_NEEDED = ("  dependencies:", "  optionalDependencies:")
_FORMATS = ("4", "5", "6", "7", "8", "9")


def read(content: str, asked: Asked | None) -> Lock:
    """The lockfile as entries; `asked` tells of each package of the workspace what it asks for.

    Without `asked`, all of a lockfile of Yarn 1 counts for the root.

    Raises:
        Unread: another version, or a shape that Yarn does not write.
    """
    blocks: dict[str, str] = {}
    for descriptors, text in _blocks(content):
        for one in descriptors:
            if one in blocks:
                raise Unread(f"it says {one[:60]!r} twice")
            blocks[one] = text
    if METADATA in blocks:
        return _berry(blocks)
    if FIRST not in content[:200]:
        raise Unread("it does not say that it is of version 1, nor of a later one")
    found = _Blocks(blocks)
    for folder, wanted in sorted((asked or {}).items()):
        found.add_importer(folder, wanted)
    if asked is None:
        found.add_importer(ROOT, [_split(one) for one in blocks])
    return Lock(
        kind="yarn 1", settings=[], texts=found.texts, follow=found.follow, lists_links=False
    )


def _berry(blocks: dict[str, str]) -> Lock:
    metadata = blocks.pop(METADATA)
    version = re.search(r"^  version: (\d+)", metadata, re.MULTILINE)
    if version is None or version[1] not in _FORMATS:
        raise Unread(f"it is of format {version[1]}" if version else "it names no format")
    found = _Blocks(blocks)
    for text in dict.fromkeys(blocks.values()):
        folder = _workspace(text)
        if folder is not None:
            found.add_importer(folder, needed_by(text), text)
    kind = f"yarn berry {version[1]}"
    return Lock(kind=kind, settings=[(METADATA, metadata)], texts=found.texts, follow=found.follow)


class _Blocks:
    """The blocks of a lockfile by descriptor, and the importers."""

    def __init__(self, blocks: dict[str, str]) -> None:
        self._blocks = blocks
        self.texts: dict[Entry, str] = {(PACKAGES, one): text for one, text in blocks.items()}
        self._named: dict[str, list[str]] = {}
        for one in blocks:
            self._named.setdefault(_split(one)[0], []).append(one)
        self._asked: dict[str, list[tuple[str, str]]] = {}

    def add_importer(
        self, folder: str, asked: Iterable[tuple[str, str]], text: str | None = None
    ) -> None:
        wanted = self._asked[folder] = sorted(set(asked))
        if text is None:
            text = "".join([f"\n{name} {range_}" for name, range_ in wanted])
        self.texts[IMPORTERS, folder] = text

    def follow(self, entry: Entry) -> tuple[Collection[Entry], Collection[str]]:
        section, key = entry
        wanted = self._asked[key] if section == IMPORTERS else needed_by(self._blocks[key])
        needed: list[Entry] = []
        links: list[str] = []
        for name, range_ in wanted:
            for one in self._answers(name, range_):
                folder = _workspace(self._blocks.get(one, ""))
                if folder is None:
                    needed.append((PACKAGES, one))
                else:
                    links.append(folder)
        return needed, links

    def _answers(self, name: str, range_: str) -> list[str]:
        """The descriptors that may answer a dependency; never none."""
        usual = f"{name}@{range_}"
        named = self._named.get(name, [])
        # Yarn patches some packages by itself, and a resolution can replace any range: those that
        # have the name may then be meant.
        patched = [one for one in named if one.startswith(f"{name}@patch:")]
        for one in (usual, f"{name}@npm:{range_}"):
            if one in self._blocks:
                return [one, *patched]
        return [usual, *named]


def needed_by(block: str) -> Iterator[tuple[str, str]]:
    """What a block depends on: names and ranges."""
    within = False
    for line in block.split("\n"):
        if line[2:3] != " ":
            within = line in _NEEDED
        elif within:
            name = _WORD.match(line, 4)
            if name is None or line[:4] != "    ":
                raise Unread(f"a dependency reads {line.strip()[:60]!r}")
            range_ = line[name.end() :].removeprefix(":").strip(" ")
            if "\\" in range_:
                raise Unread(f"a dependency reads {line.strip()[:60]!r}")
            if range_.startswith('"') and range_.endswith('"'):
                range_ = range_[1:-1]
            yield name[1] or name[2], range_


def _blocks(content: str) -> Iterator[tuple[list[str], str]]:
    """The descriptors of each block, and what stands below them."""
    if "\n? " in content:
        content = _LONG_KEY.sub(r"\1:", content)
    for part in _BLOCK.split("\n" + content):
        head, _, body = part.partition("\n")
        if head.startswith("#") or not part.strip():
            if body.strip():
                raise Unread(f"below {head[:60]!r} stands {body.strip()[:60]!r}")
            continue
        if not head.endswith(":") or "\\" in head:
            raise Unread(f"at its top level stands {head[:60]!r}")
        yield _descriptors(head[:-1]), body.rstrip("\n")


def _descriptors(head: str) -> list[str]:
    """What a block answers. Yarn 1 quotes each descriptor alone, later ones the whole list."""
    if head.startswith('"') and head.endswith('"') and '", "' not in head:
        return head[1:-1].split(", ")
    return [one.strip('"') for one in head.split(", ")]


def _split(descriptor: str) -> tuple[str, str]:
    """The name and the range of `name@range`; a name may begin with '@'."""
    at = descriptor.find("@", 1)
    return (descriptor, "") if at < 0 else (descriptor[:at], descriptor[at + 1 :])


def _workspace(block: str) -> str | None:
    """The folder of the package of the workspace that a block is, if it is one."""
    found = re.search(r'^  resolution: "?(?:.+?)@workspace:([^"\n]*)"?$', block, re.MULTILINE)
    return normpath(found[1]) if found else None
