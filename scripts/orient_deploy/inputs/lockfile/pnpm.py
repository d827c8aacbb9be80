"""pnpm-lock.yaml of the versions 6 and 9, as pnpm 8 to 12 write it.

A splitter by lines, many times as fast as a YAML parser: pnpm writes one narrow shape, in which
entries, keys and dependencies can be told apart without reading any other value. Whatever has
another shape is refused, never read half.
"""

from __future__ import annotations

import re
from posixpath import join, normpath

from orient_deploy.inputs.lockfile.lock import IMPORTERS, ROOT, Lock, Unread

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from orient_deploy.inputs.lockfile.lock import Entry

SNAPSHOTS, PACKAGES, CATALOGS = "snapshots", "packages", "catalogs"
PATCHES, TIMES = "patchedDependencies", "time"
# Sections of which a row counts where it is needed; any other counts for every importer.
_BY_ROW = (IMPORTERS, PACKAGES, SNAPSHOTS, CATALOGS, PATCHES, TIMES)
_GROUPS = ("dependencies", "devDependencies", "optionalDependencies")
# What a lockfile of version 6 without a workspace says of its only package, at its top level.
_ALONE = (*_GROUPS, "dependenciesMeta")

_DOCUMENT = re.compile(r"\n---(?:[ \t].*)?(?=\n)")
_SECTION = re.compile(r"([A-Za-z]+):(?: (.*))?")
# Where a line begins that is indented by so much and no more. (A '\n+' here would be slow.)
_SPLIT = {depth: re.compile(rf"\n(?={' ' * depth}[^ \n])") for depth in (0, 2, 4, 6, 8)}
# A key of any depth. Plain text ends at the first ': ', or at a ':' before the end of the line.
_KEY = re.compile(
    r"""[ ]*(?:'((?:[^'\n]|'')*)'|"([^"\\\n]*)"|([^\s'"?#&*!|>%@`\[\]{},:-][^\n]*?)):(?=[ \n]|\Z)"""
)
# Keys of over 1,024 characters look like this; dependencies on many peers make such.
_LONG_KEY = re.compile(r"^  \? (.*)\n  : (.*)", re.MULTILINE)
_BLANK_IN_BRACES = re.compile(r"(?<=\{) (?=\S)|(?<=\S) (?=\})")
# A remark of the registry: it comes and goes, and what is installed stays the same.
_DEPRECATED = re.compile(r"\n    deprecated:.*(?:\n(?:      .*|(?=\n)))*")
# What an importer nearly always says of a dependency: three lines with nothing special in them.
_VALUE = r"([\w^~](?:[^\n'\"#]*[^\n'\"# ])?|'[^'\n]*')"
_USUAL = re.compile(
    r"\n      (\w[\w./-]*|'@[\w./-]+'):"
    rf"\n        specifier: {_VALUE}\n        version: {_VALUE}(?![^\n])"
)
_ALL_USUAL = re.compile(f"(?:{_USUAL.pattern})+")
_DIRECTORY = re.compile(r"(?<![\w-])directory: ('[^'\n]*'|\"[^\"\n]*\"|[^'\",}\n]+)")
# What begins or follows a value that is more than the plain text it looks like.
_NEEDED = ("    dependencies:", "    optionalDependencies:")
_NEEDED_NAMES = ("dependencies", "optionalDependencies")
_SPECIAL = ("'", '"', "|", ">", "&", "*", "{", "[", "!", "%", "@", "`", "#", "- ", "? ")
_MARKS = frozenset([*"'\"|>&*{[!%@`#-? ", ""])  # also before what only looks like it


def read(content: str) -> Lock:
    """The lockfile as entries.

    Raises:
        Unread: another version, or a shape that pnpm does not write.
    """
    # Both forms of braces say the same, and some people have their lockfile formatted.
    if "{ " in content:
        content = _BLANK_IN_BRACES.sub("", content)
    content = _DEPRECATED.sub("", content)
    documents = [one for one in _DOCUMENT.split("\n" + content) if one.strip()]
    if not documents:
        raise Unread("it is empty")
    *before, main = documents
    sections = _sections(main)
    if "lockfileVersion" not in sections:
        raise Unread("it names no version")
    version = _scalar(sections.pop("lockfileVersion"))
    if version.partition(".")[0] not in ("6", "9"):
        raise Unread(f"it is of version {version!r}")
    # From pnpm 11 on, a document before the main one holds what pnpm itself is made of.
    settings = [(f"document {number}", one.strip("\n")) for number, one in enumerate(before)]
    return _Reader(version, sections, settings).lock()


class _Reader:
    """The rows of one lockfile, and what leads from one to another."""

    def __init__(
        self, version: str, sections: dict[str, str], settings: list[tuple[str, str]]
    ) -> None:
        self._version = version
        self._texts: dict[Entry, str] = {}
        texts = self._texts
        if IMPORTERS not in sections:
            alone = [(name, sections.pop(name)) for name in _ALONE if name in sections]
            # Four blanks more put it at the depth that it has below the name of an importer.
            texts[IMPORTERS, ROOT] = "".join(
                [f"\n    {name}:" + text.replace("\n", "\n    ") for name, text in alone]
            )
        if "catalog:" in sections.get("overrides", ""):
            settings.append((CATALOGS, sections.get(CATALOGS, "")))
        rows = {section: dict(_rows(sections.pop(section, ""), 2)) for section in _BY_ROW}
        for catalog, text in rows.pop(CATALOGS).items():
            for name, row in _rows(text, 4):
                texts[CATALOGS, f"{catalog} {name}"] = row
        self._packages = rows[PACKAGES]
        # Where the dependencies of a package stand.
        self._edges = PACKAGES
        self._resolved = self._packages
        if version.startswith("9"):
            # From this version on a package has a row of its own for each choice of its peers.
            self._edges = SNAPSHOTS
            self._resolved = rows[SNAPSHOTS]
            rows[SNAPSHOTS] = {
                key: self._packages.get(self._package(key), "") + text
                for key, text in self._resolved.items()
            }
            del rows[PACKAGES]
        for section, found in rows.items():
            for key, text in found.items():
                texts[section, key] = text
        self._settings = [*settings, *sections.items()]
        self._importers = {key for section, key in texts if section == IMPORTERS}
        self._patches: dict[str, list[Entry]] = {}
        for key in rows[PATCHES]:
            self._patches.setdefault(_name(key), []).append((PATCHES, key))

    def lock(self) -> Lock:
        return Lock(
            kind=f"pnpm {self._version}",
            settings=self._settings,
            texts=self._texts,
            follow=self._follow,
        )

    def _follow(self, entry: Entry) -> tuple[Collection[Entry], Collection[str]]:
        section, key = entry
        if section == IMPORTERS:
            return self._of_importer(key)
        return self._of_package(key) if section == self._edges else ((), ())

    def _of_importer(self, folder: str) -> tuple[list[Entry], list[str]]:
        needed: list[Entry] = []
        links: list[str] = []
        for name, specifier, version in asked_by(self._texts[IMPORTERS, folder]):
            if specifier.startswith("catalog:"):
                catalog = specifier.partition(":")[2].strip() or "default"
                needed.append((CATALOGS, f"{catalog} {name}"))
            if version.startswith("link:"):
                links.append(self._folder(folder, version[5:]))
            else:
                needed.append(self._answer(name, version))
        return needed, links

    def _of_package(self, key: str) -> tuple[list[Entry], list[str]]:
        needed: list[Entry] = []
        links: list[str] = []
        package = self._package(key)
        about = self._packages.get(package)
        bases = [ROOT]
        if about is None:
            needed.append((PACKAGES, package))
        elif "type: directory" in about:  # a package of the workspace, copied instead of linked
            found = _DIRECTORY.search(about)
            if found is None:
                raise Unread(f"it does not say which folder {package[:60]!r} is")
            bases.append(_scalar(found[1]))
            links.append(self._folder(ROOT, bases[1]))
        for name, version in needed_by(self._resolved[key]):
            if version.startswith("link:"):
                # Of a package that was copied it may be said as its own manifest says it.
                links += [self._folder(base, version[5:]) for base in bases]
            else:
                needed.append(self._answer(name, version))
        if self._patches:
            needed += self._patches.get(_name(package.removeprefix("/")), ())
        if (TIMES, package) in self._texts:
            needed.append((TIMES, package))
        return needed, links

    def _answer(self, name: str, version: str) -> Entry:
        """The package that a dependency called `name` was resolved to."""
        key = f"{name}@{version}" if self._edges == SNAPSHOTS else f"/{name}@{version}"
        # An alias, a tarball or a folder is named by the whole key.
        if key not in self._resolved and version in self._resolved:
            key = version
        return self._edges, key

    def _folder(self, importer: str, path: str) -> str:
        """The importer that a link leads to: it may lead to a folder that is published from it."""
        folder = found = normpath(join(importer, path))
        while found not in self._importers and "/" in found:
            found = found.rpartition("/")[0]
        return found if found in self._importers else folder

    def _package(self, key: str) -> str:
        """The key of the package that is installed with certain peers, say."""
        return key if key in self._packages else key.partition("(")[0]


def asked_by(importer: str) -> Iterator[tuple[str, str, str]]:
    """What an importer asks for, from its text: name, specifier, and the version it got."""
    for group, body in _rows(importer, 4):
        if group in _GROUPS:
            quickly = _USUAL.findall(body) if _ALL_USUAL.fullmatch(body) else ()
            if quickly and len({name for name, _, _ in quickly}) == len(quickly):
                for name, specifier, version in quickly:
                    yield name.strip("'"), specifier.strip("'"), version.strip("'")
                continue
            for name, fields in _rows(body, 6):
                said = {field: _scalar(value.strip(" ")) for field, value in _rows(fields, 8)}
                if said.keys() != {"specifier", "version"}:
                    raise Unread(f"of {name} it says {', '.join(said) or 'nothing'}")
                yield name, said["specifier"], said["version"]


def needed_by(package: str) -> Iterator[tuple[str, str]]:
    """What a resolved package depends on, from its text: names and versions."""
    first, *lines = package.split("\n")
    if first.strip() not in ("", "{}"):
        raise Unread(f"of a package it says {first.strip()[:60]!r} in one line")
    if "ependencies" not in package:
        return
    within = False
    for line in lines:
        if line[4:5] != " ":
            within = line in _NEEDED
            # A blank line is one of a text of several lines.
            if line and (line[:4] != "    " or (not within and line[4:].startswith(_NEEDED_NAMES))):
                raise Unread(f"of a package it says {line.strip()[:60]!r}")
        elif within:
            name, separator, value = line[6:].partition(": ")
            if name[:1] in _MARKS or value[:1] in _MARKS or not separator or line[5] != " ":
                found = _KEY.match(line)
                if found is None or line[5:6] != " " or line[6:7] == " ":
                    raise Unread(f"a dependency reads {line.strip()[:60]!r}")
                name, value = _key(found), _scalar(line[found.end() :].strip(" "))
            elif " #" in value:
                raise Unread(f"a dependency reads {line.strip()[:60]!r}")
            yield name, value


def _sections(document: str) -> dict[str, str]:
    """The top level of a document: what stands behind each name, and below it."""
    found: dict[str, str] = {}
    if "\n  ? " in document:
        document = _LONG_KEY.sub(_short, document)
    for part in _SPLIT[0].split(document):
        head, _, body = part.partition("\n")
        section = _SECTION.fullmatch(head)
        if section and section[1] not in found:
            found[section[1]] = (section[2] or "") + ("\n" + body if body else "").rstrip("\n")
        elif part.strip() and not (head.startswith("#") and not body.strip()):
            raise Unread(f"at its top level stands {head[:60]!r}")
    return found


def _rows(text: str, depth: int) -> Iterator[tuple[str, str]]:
    """The keys at a depth, each with what stands behind it and below it."""
    first, *parts = _SPLIT[depth].split(text)
    if first.strip() not in ("", "{}"):
        raise Unread(f"there is {first.strip()[:60]!r} where names are expected")
    seen = set[str]()
    for part in parts:
        found = _KEY.match(part)
        if found is None:
            raise Unread(f"there is {part.strip()[:60]!r} where a name is expected")
        key = _key(found)
        if key in seen:
            raise Unread(f"it says {key[:60]!r} twice")
        seen.add(key)
        yield key, part[found.end() :].rstrip("\n")


def _key(found: re.Match[str]) -> str:
    quoted, double, plain = found.groups()
    return quoted.replace("''", "'") if quoted is not None else double or plain or ""


def _scalar(text: str) -> str:
    """The value of a text on one line."""
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text.startswith('"') and text.endswith('"') and len(text) > 1 and "\\" not in text:
        return text[1:-1]
    if text.startswith(_SPECIAL) or " #" in text or "\n" in text or not text:
        raise Unread(f"there is {text.strip()[:60]!r} where a version is expected")
    return text


def _short(found: re.Match[str]) -> str:
    key, value = found.groups()
    return f"  {key}: {value}" if value.startswith("{") else f"  {key}:\n    {value}"


def _name(key: str) -> str:
    """The name of the package in `name@version(peers)`.

    >>> _name("@acme/core@1.0.0(react@18.0.0)"), _name("left-pad")
    ('@acme/core', 'left-pad')
    """
    at = key.find("@", 1)
    return key if at < 0 else key[:at]
