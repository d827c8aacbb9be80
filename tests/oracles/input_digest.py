"""The input digest a second time: from docs/digest.md alone, with git's own commands.

Knows small Dockerfiles only (FROM, ARG and COPY of plain paths, without links), ignore files of
plain paths, `*.x` and `**/*.x`, and of the lockfiles pnpm's of version 9. Slow and plain.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Row = tuple[str, str, str, str]  # mode, type, id, path
Rows = dict[str, Row]  # by path
Closure = Callable[[Row], str | None]  # the digest of what a row says; None: it counts as a file


class Commit:
    """A commit of a repository, and the configuration that holds there."""

    def __init__(self, directory: Path, commit: str, config: Mapping[str, Any]) -> None:
        self._directory = directory
        self._commit = commit
        self._config = config
        self._images: Mapping[str, Mapping[str, Any]] = config["images"]
        listing = self._git("ls-tree", "-r", "-z", "--full-tree", commit)
        self._rows: Rows = {}
        for line in listing.decode("utf-8", "surrogateescape").split("\0")[:-1]:
            about, _, path = line.partition("\t")
            mode, kind, oid = about.split(" ")
            self._rows[path] = (mode, kind, oid, path)

    def digest(self, name: str) -> str:
        """The input digest of an image."""
        circle = {one for one in self._below(name) if name in self._below(one)} - {name}
        held = {one: self._digest(one, self._outside(one, circle | {name})) for one in circle}
        return self._digest(name, held | self._outside(name, circle))

    def _outside(self, name: str, circle: set[str]) -> dict[str, str]:
        return {one: self.digest(one) for one in self._built_on(name) - circle}

    def _digest(self, name: str, images: Mapping[str, str]) -> str:
        path = self._dockerfile(name)
        if path not in self._rows:
            return ""
        image = self._images[name]
        args, contexts = image.get("build-args", {}), image.get("contexts", {})
        records = ["orient-deploy-inputs 1"]
        records += [f"platform {one}" for one in sorted(image.get("platforms", []))]
        records += [f"target {image.get('target', '')}"]
        records += [f"context {image.get('context', '.')}"]
        records += [f"build-context {key}={contexts[key]}" for key in sorted(contexts)]
        records += [f"build-arg {key}={args[key]}" for key in sorted(args)]
        records += [f"dockerfile {self._rows[path][2]}"]
        records += [f"base {one}" for one in sorted(self._bases(name))]
        records += [f"image {key} {images[key]}" for key in sorted(images)]
        records += [f"salt {self._config['salt']}"] if self._config.get("salt") else []

        read = {key: self._read(name, key) for key in ("", *contexts)}
        is_made = self._is_made(name)
        closure = self._closures({path for rows in read.values() for path in rows})
        if is_made:
            closure = _no_closure
        for key in sorted(read):
            if read[key]:
                records += [*([f"from {key}"] if key else []), *_told(read[key], closure)]
        lists = (image.get("watch", []), self._config.get("watch-all", []))
        watched = {
            path: row
            for path, row in self._rows.items()
            if not any(path in rows for rows in read.values())
            and (is_made or any(_selects(patterns, path) for patterns in lists))
        }
        records += ["watched", *_told(watched, closure)] if watched else []
        return _sha256("".join(f"{one}\0" for one in records))

    # --- images that are built on images

    def _below(self, name: str) -> set[str]:
        found: set[str] = set()
        while True:
            more = {above for one in {name, *found} for above in self._built_on(one)} - found
            if not more:
                return found
            found |= more

    def _built_on(self, name: str) -> set[str]:
        found = set()
        for reference in self._bases(name):
            repository = re.sub(r":[^:/]*$", "", reference)
            for other, image in self._images.items():
                own = image.get("repository") or f"ghcr.io/*/*/{other}"
                expression = re.escape(own).replace(r"\*", "[^/]+")
                if other != name and "@" not in reference and re.fullmatch(expression, repository):
                    found.add(other)
        return found

    # --- the Dockerfile

    def _dockerfile(self, name: str) -> str:
        image = self._images[name]
        return str(
            image.get("dockerfile") or posixpath.normpath(image.get("context", ".") + "/Dockerfile")
        )

    def _instructions(self, name: str) -> Iterator[tuple[str, list[str]]]:
        """The instructions of the stages that are needed, the words of each."""
        if self._dockerfile(name) not in self._rows:
            return
        image = self._images[name]
        args: dict[str, str] = {}
        stages: list[tuple[str, list[tuple[str, list[str]]]]] = []
        for line in self._content(self._dockerfile(name)).splitlines():
            keyword, *words = line.split(" ")
            if keyword == "ARG":
                key, _, default = words[0].partition("=")
                args[key] = str(image.get("build-args", {}).get(key, default))
            elif keyword == "FROM":
                words[0] = re.sub(r"\$\{(\w+)\}", lambda found: args[found[1]], words[0])
                stages.append((words[2] if len(words) > 1 else "", [(keyword, words)]))
            elif keyword == "COPY":
                stages[-1][1].append((keyword, words))
        names = [stage for stage, _ in stages]
        needed, pending = set(), [names.index(image["target"]) if "target" in image else -1]
        while pending:
            at = pending.pop() % len(stages)
            needed.add(at)
            for keyword, words in stages[at][1]:
                other = words[0].removeprefix("--from=")
                if (keyword == "FROM" or other != words[0]) and other in names[:at]:
                    pending.append(names.index(other))
        for at in sorted(needed):
            for keyword, words in stages[at][1]:
                other = words[0].removeprefix("--from=")
                if (keyword == "COPY" and other == words[0]) or other not in names[:at]:
                    yield keyword, words

    def _bases(self, name: str) -> set[str]:
        contexts = self._images[name].get("contexts", {})
        prefix = "docker-image://"
        found = {one.removeprefix(prefix) for one in contexts.values() if one.startswith(prefix)}
        for keyword, words in self._instructions(name):
            other = words[0].removeprefix("--from=")
            if (keyword == "FROM" or other != words[0]) and other not in contexts:
                found.add(other)
        return found - {"scratch"}

    def _is_made(self, name: str) -> bool:
        """Whether a source is not there at all, and nobody says what it is made from."""
        watch = self._images[name].get("watch", [])
        if any(text != "auto" and not text.startswith("!") for text in watch):
            return False
        contexts = self._images[name].get("contexts", {})
        folders = [key for key in contexts if not contexts[key].startswith("docker-image://")]
        return any(
            not any(_is_inside(path, place) for path in self._rows)
            for context in ("", *folders)
            for place in self._places(name, context)
        )

    def _folder(self, name: str, context: str) -> str:
        image = self._images[name]
        return str(image.get("contexts", {})[context] if context else image.get("context", "."))

    def _places(self, name: str, context: str) -> Iterator[str]:
        """The files and folders that are taken of a named context, or for '' of the main one."""
        for keyword, words in self._instructions(name):
            if keyword == "FROM":
                sources = ["."] if words[0] == context else []
            elif words[0].startswith("--from="):
                sources = words[1:-1] if words[0] == f"--from={context}" else []
            else:
                sources = [] if context else words[:-1]
            for source in sources:
                yield posixpath.normpath(posixpath.join(self._folder(name, context), source))

    def _read(self, name: str, context: str) -> Rows:
        """What is read of a named context, or for '' of the main one, with the Dockerfile."""
        found: Rows = {}
        folder = self._folder(name, context)
        for place in self._places(name, context):
            for path, row in self._rows.items():
                if _is_inside(path, place) and not self._is_ignored(name, context, folder, path):
                    found[path] = row
        if not context:
            found[self._dockerfile(name)] = self._rows[self._dockerfile(name)]
        return found

    def _is_ignored(self, name: str, context: str, folder: str, path: str) -> bool:
        at = posixpath.normpath(f"{folder}/.dockerignore")
        own = f"{self._dockerfile(name)}.dockerignore"
        if not context and own in self._rows:
            at = own
        parts = posixpath.relpath(path, folder).split("/")
        ignored = False
        for line in self._content(at).splitlines() if at in self._rows else ():
            pattern = re.escape(line.lstrip("!"))
            pattern = pattern.replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            prefixes = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
            if any(re.fullmatch(pattern, one, re.DOTALL) for one in prefixes):
                ignored = not line.startswith("!")
        return ignored

    # --- what counts by what it says

    def _closures(self, read: set[str]) -> Closure:
        members = {
            posixpath.dirname(path): json.loads(self._content(path))
            for path in self._rows
            if re.fullmatch(r"(?:packages/[^/]+/)?package\.json", path)
        }

        def closure(row: Row) -> str | None:
            if row[3] == "package.json":
                return _sha256(json.dumps(members[""], separators=(",", ":")))
            if row[3] != "pnpm-lock.yaml":
                return None
            installed = {
                folder for folder in members if f"{folder}/package.json".lstrip("/") in read
            }
            if not installed:
                return None
            names = {said.get("name"): folder for folder, said in members.items()}
            pending = [folder for folder in installed if folder]
            while pending:
                for other, text in members[pending.pop()].get("dependencies", {}).items():
                    folder = names.get(other)
                    if text.startswith("workspace:") and folder and folder not in installed:
                        installed.add(folder)
                        pending.append(folder)
            return _lock_part(self._content("pnpm-lock.yaml"), {one or "." for one in installed})

        return closure

    # --- git

    def _content(self, path: str) -> str:
        return self._git("cat-file", "blob", self._rows[path][2]).decode("utf-8")

    def _git(self, *arguments: str) -> bytes:
        command = ["git", "-C", str(self._directory), *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def _is_inside(path: str, place: str) -> bool:
    return place == "." or path == place or path.startswith(f"{place}/")


def _no_closure(row: Row) -> None:
    return None


def _told(rows: Rows, closure: Closure) -> Iterator[str]:
    for path in sorted(rows, key=lambda path: path.encode("utf-8", "surrogateescape")):
        mode, kind, oid, _ = rows[path]
        said = closure(rows[path])
        yield f"{mode} {kind} {oid}\t{path}" if said is None else f"{mode} closure {said}\t{path}"


def _selects(patterns: list[str], path: str) -> bool:
    selected = False
    for text in patterns:
        parts = re.split(r"(\*\*/|\*\*|\*)", text.lstrip("!"))
        wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
        expression = "".join(wild.get(part, re.escape(part)) for part in parts)
        if text != "auto" and re.fullmatch(expression, path, re.DOTALL):
            selected = not text.startswith("!")
    return selected


def _lock_part(content: str, importers: set[str]) -> str:
    """The digest of the part of a pnpm-lock.yaml of version 9."""
    sections = _below(content, 0)
    rows = {
        name: _below(sections.pop(name, ""), 2) for name in ("importers", "packages", "snapshots")
    }
    version = sections.pop("lockfileVersion").strip(" '")
    reached: set[tuple[str, str]] = set()
    pending = [("importers", one) for one in {".", *importers}]
    while pending:
        section, key = entry = pending.pop()
        if entry in reached:
            continue
        reached.add(entry)
        for name, said in _below(
            _below(rows[section].get(key, ""), 4).get("dependencies", ""), 6
        ).items():
            answer = _below(said, 8).get("version", said).strip()
            if not answer.startswith("link:"):
                pending.append(("snapshots", f"{name}@{answer}"))
    records = ["orient-deploy-lock 1", f"pnpm {version}"]
    for name in sorted(sections):
        records += [name, sections[name]]
    for section, key in sorted(reached):
        if key in rows[section]:
            text = rows[section][key]
            text = rows["packages"][key] + text if section == "snapshots" else text
            records += [section, key, _sha256(text)]
    for section, key in sorted(reached):
        records += ["missing", section, key] if key not in rows[section] else []
    return _sha256("".join(f"{one}\0" for one in records))


def _below(text: str, depth: int) -> dict[str, str]:
    """The keys at a depth, each with what stands behind it and below it."""
    found: dict[str, str] = {}
    key = ""
    for line in text.split("\n"):
        if re.match(rf" {{{depth}}}[^ ]", line):
            key, _, rest = line[depth:].partition(":")
            key = key.strip("'")
            found[key] = rest
        elif key:
            found[key] += f"\n{line}"
    return {key: value.rstrip("\n") for key, value in found.items()}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
