"""What is wrong with the packages of a workspace, for the images that hold them.

Judges package.json, tsconfig.json and the imports that are written in the sources. A package that
others take as source on purpose, through a bundler or a loader, is none of its business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import basename, join, normpath
from typing import TYPE_CHECKING, Any

from orient_deploy.inputs.dockerfile import Dockerfile, Instruction, parse
from orient_deploy.inputs.workspace import MANIFEST, Workspace
from orient_deploy.preflight.files import Files, line_of
from orient_deploy.preflight.finding import Check, Finding
from orient_deploy.preflight.tsconfig import declares, mapped, of_build

if TYPE_CHECKING:
    from orient_deploy.config.model import Image
    from orient_deploy.inputs.reads import Reads

NO_EXPORT = Check(
    id="package/exports-missing",
    severity="error",
    title="A workspace package does not offer what another one imports",
    why="Node and bundlers refuse the import: `ERR_PACKAGE_PATH_NOT_EXPORTED`, "
    "`Failed to resolve entry for package`.",
    fix="Add the entry to `exports` of the package, with what it builds.",
)
NO_TYPES = Check(
    id="package/types-missing",
    severity="warning",
    title="A workspace package has no declarations for TypeScript",
    why="Whoever imports it gets `any`, or `TS7016: Could not find a declaration file`.",
    fix='Set `"declaration": true` in its tsconfig.json, and `types` in its package.json.',
)
IN_SOURCE = Check(
    id="package/main-in-source",
    severity="warning",
    title="A workspace package leads Node to TypeScript",
    why="The image runs built code with plain `node`, which follows `main` or `exports` of the "
    "package to a file that was never compiled.",
    fix="Let `main`, `exports` and `types` lead to what the build makes, `dist/` mostly.",
)
CHECKS = (NO_EXPORT, NO_TYPES, IN_SOURCE)

MOST_SOURCES = 4_000  # read for their imports
MOST_FINDINGS = 20

_MADE_IN = re.compile(r"(?:\A|/)(?:dist|build|lib|libs|out|output|esm|cjs|umd|types|\.\w+)/")
_TYPESCRIPT = re.compile(r"(?<!\.d)\.[cm]?tsx?\Z")
_SCRIPT = re.compile(r"\.(?:[cm]?[jt]sx?|vue|svelte|astro|mdx)\Z")
_IMPORT = re.compile(
    r"""\b(?:from|import|require)\s{0,9}\(?\s{0,9}(?P<quote>['"])"""
    r"""(?P<name>@?[\w.~-]{1,100}(?:/[\w.~@-]{1,100}){0,10})(?P=quote)"""
)
_BUNDLER = re.compile(
    r"\b(?:vite|esbuild|tsup|tsdown|webpack|rollup|ncc|next|nuxt|astro|parcel|rspack|rsbuild|bun"
    r"|swc|unbuild|nest|remix|react-router|react-scripts|expo|electron|nx|pkgroll|wrangler|tsx"
    r"|turbopack|microbundle|preconstruct|babel|vue-cli-service|ng|svelte-kit|storybook|zx)\b"
)
_LOADER = re.compile(
    r"tsx|ts-node|--loader|--import|--require|(?:\A|\s)-r\b|register|strip-types|swc|babel|jiti"
    r"|--conditions|(?:\A|\s)-C\b"
)
_NODE_CONDITIONS = ("node", "import", "require", "default", "module-sync", "node-addons")
_STARTERS = ("dumb-init", "tini", "/sbin/tini", "/usr/bin/tini", "/usr/bin/dumb-init", "--", "exec")
_MAPPING_FILES = re.compile(
    r"(?:[jt]sconfig[\w.-]*\.json|(?:vite|vitest|webpack|next|metro|babel|jest|rollup|esbuild|tsup"
    r"|tsdown|astro|nuxt|svelte|rspack|rsbuild|craco|config-overrides)[\w.-]*\.(?:[cm]?[jt]s|json)"
    r"|\.babelrc|\.swcrc|build\.[cm]?[jt]s)"
)


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import of a workspace package."""

    name: str  # of the package
    rest: str  # what stands behind it: '' or '/logger'
    path: str
    line: int
    is_type: bool


def look(files: Files, images: Sequence[Image], reads: Mapping[str, Reads]) -> list[Finding]:
    """The findings about packages that an image holds."""
    found: list[Finding] = []
    for workspace in files.workspaces:
        if workspace.globs is None or workspace.problems or len(workspace.packages) < 2:
            continue
        held = _held(files, workspace, reads)
        if not held:
            continue
        imports = _imports(files, workspace)
        for folder in sorted(held):
            name = workspace.packages[folder].name
            own = [
                one
                for one in imports
                if one.name == name and _holder(workspace, one.path) in held - {folder}
            ]
            if not own:
                continue
            found += _no_export(files, folder, name, own)
            found += _no_types(files, folder, name, own)
        for image in images:
            found += _in_source(files, workspace, image, reads.get(image.name), imports)
    unique = {(one.check, one.subject): one for one in reversed(found)}
    ordered = [one for one in found if unique[one.check, one.subject] is one]
    return [
        one
        for check in CHECKS
        for one in [x for x in ordered if x.check == check.id][:MOST_FINDINGS]
    ]


def _held(files: Files, workspace: Workspace, reads: Mapping[str, Reads]) -> set[str]:
    """The packages, other than the root, of which some image reads the manifest."""
    found = set()
    for folder in workspace.packages:
        at = files.tree.position(join(folder, MANIFEST))
        if folder == workspace.root or at is None:
            continue
        if any(at in one.positions for one in reads.values()):
            found.add(folder)
    return found


def _holder(workspace: Workspace, path: str) -> str | None:
    return workspace.package_of(path)


def _imports(files: Files, workspace: Workspace) -> list[Import]:
    """What the packages import of each other, tests and such apart."""
    names = {one.name for one in workspace.packages.values() if one.name}
    found: list[Import] = []
    left = MOST_SOURCES
    for folder in workspace.packages:
        if folder == workspace.root or not names & set(files.asks(folder)):
            continue
        for path in files.sources(folder):
            if re.search(r"\.config\.[cm]?[jt]s\Z|(?:\A|/)(?:scripts|\.)", path[len(folder) :]):
                continue
            left -= 1
            if left < 0:
                return found
            text = files.text(path)
            for one in _IMPORT.finditer(text):
                parts = one["name"].split("/")
                count = 2 if one["name"].startswith("@") else 1
                name, rest = "/".join(parts[:count]), "/".join(parts[count:])
                if name not in names or not _is_code(text, one.start()):
                    continue
                statement = _statement(text, one.start("quote"))
                found.append(
                    Import(
                        name=name,
                        rest=f"/{rest}" if rest else "",
                        path=path,
                        line=text.count("\n", 0, one.start("quote")) + 1,
                        is_type=_is_type(statement),
                    )
                )
    return found


def _is_code(text: str, at: int) -> bool:
    """Whether what stands before a place in its line begins no comment and no text."""
    line = text[max(text.rfind("\n", 0, at) + 1, at - 1_000) : at].strip()
    return not line.startswith(("*", "//", "/*", "#")) and not set(line) & set("'\"`")


def _statement(text: str, at: int) -> str:
    """What stands before a place, from the last `import` or `export` on."""
    least = max(at - 5_000, 0)
    start = max(text.rfind("import", least, at), text.rfind("export", least, at))
    return text[start:at] if start >= 0 else ""


def _is_type(statement: str) -> bool:
    """Whether an import may be of types only, which no compiler keeps.

    >>> _is_type("import { Log, type run } from "), _is_type("import { log } from ")
    (True, False)
    """
    if re.match(r"(?:im|ex)port\s+type\b", statement):
        return True
    named = re.match(r"import\s*\{([^}]*)\}\s*from", statement)
    if not named:
        return False
    names = [one.strip() for one in named[1].split(",") if one.strip()]
    return all(re.match(r"type\s|[A-Z][a-z0-9]", one) for one in names)


# --- what a package offers


def targets(exports: Any, key: str) -> list[str] | None:
    """The files that Node may be led to under a key of `exports`; None: there is no such key.

    >>> targets({"./a/*": {"types": "./x.d.ts", "import": "./dist/*.js"}}, "./a/b")
    ['./dist/b.js']
    """
    if isinstance(exports, (str, list)) or (
        isinstance(exports, dict) and not any(one.startswith(".") for one in exports)
    ):
        exports = {".": exports}
    if not isinstance(exports, dict):
        return None
    if key in exports and "*" not in key:
        return list(_files_of(exports[key], ""))
    patterns = sorted(
        (one for one in exports if one.count("*") == 1 or one.endswith("/")),
        key=lambda one: -len(one.partition("*")[0]),
    )
    for one in patterns:
        before, _, after = one.partition("*")
        if key.startswith(before) and key.endswith(after) and len(key) >= len(one) - 1:
            middle = key[len(before) : len(key) - len(after)]
            if exports[one] is None:
                return None
            return [text.replace("*", middle) for text in _files_of(exports[one], "")]
    return None


def _files_of(value: Any, condition: str) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value[:1]:
            yield from _files_of(one, condition)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name in _NODE_CONDITIONS:
                yield from _files_of(one, name)


def entries_of(files: Files, folder: str) -> list[str]:
    """The files, from the repository's root, that an import of a package by its name leads to."""
    manifest = files.manifest(folder)
    named: list[str] = []
    if "exports" in manifest:
        named = targets(manifest["exports"], ".") or []
    else:
        named = [one for key in ("main", "module") if isinstance(one := manifest.get(key), str)]
    return [
        found
        for one in dict.fromkeys(named)
        if (found := normpath(join(folder, one))).startswith(f"{folder}/")
    ]


def exists(files: Files, path: str) -> bool:
    """Whether Node finds a file there, as `main` is looked for."""
    endings = ("", ".js", ".json", ".cjs", ".mjs", ".ts", ".tsx", ".d.ts")
    return any(f"{path}{middle}{one}" in files for middle in ("", "/index") for one in endings)


def is_made_by_a_build(files: Files, path: str) -> bool:
    """Whether a file is not in the commit, and lies where builds put what they make."""
    return not exists(files, path) and _MADE_IN.search(path) is not None


def is_built(files: Files, folder: str) -> bool:
    """Whether a package has a script that builds it."""
    scripts = files.scripts(folder)
    return any(name in scripts for name in ("build", "compile", "prepare", "prepack", "bundle"))


def _no_export(
    files: Files, folder: str, name: str, imports: Sequence[Import]
) -> Iterator[Finding]:
    manifest = files.manifest(folder)
    path = join(folder, MANIFEST)
    values = [one for one in imports if not one.is_type]
    if "exports" in manifest:
        for rest in dict.fromkeys(one.rest for one in values):
            key = f".{rest}"
            if targets(manifest["exports"], key) is not None or key == "./package.json":
                continue
            by = _unmapped(files, [one for one in values if one.rest == rest])
            if by is None:
                continue
            yield Finding(
                check=NO_EXPORT.id,
                subject=f"{name}{rest}",
                message=f"{by.path} line {by.line} imports {name}{rest}, and `exports` of the "
                f"package has no {key!r}",
                fix=f"Add {key!r} to `exports` in {path}.",
                file=path,
                line=line_of(files.text(path), '"exports"'),
            )
        return
    bare = [one for one in values if not one.rest]
    if not bare or any(isinstance(manifest.get(key), dict) for key in ("main", "browser")):
        return
    mains = [one for key in ("main", "module") if isinstance(one := manifest.get(key), str)]
    places = [normpath(join(folder, one)) for one in mains] or [join(folder, "index")]
    if any(exists(files, one) for one in (*places, join(folder, "index"))):
        return
    own = [one for one in files.below(folder) if _SCRIPT.search(one)]
    if not any(re.search(r"(?<!\.d)\.[cm]?[jt]sx?\Z", one) for one in own):
        return  # declarations only, or code of another language: something makes the rest
    if not mains:
        what = "it has neither `exports` nor `main`, and no index.js"
    elif is_built(files, folder) or any("tsconfig" in one for one in files.below(folder)):
        return  # its build may make it
    else:
        what = f"its `main` is {mains[0]}, which is not in the commit, and nothing builds it"
    by = _unmapped(files, bare)
    if by is None:
        return
    yield Finding(
        check=NO_EXPORT.id,
        subject=name,
        message=f"{by.path} line {by.line} imports {name}, and {what}",
        fix=f"Add `exports` with '.' to {path}, or `main`.",
        file=path,
        line=line_of(files.text(path), '"main"') or line_of(files.text(path), '"name"'),
    )


def _unmapped(files: Files, imports: Sequence[Import]) -> Import | None:
    """The first of some imports of one thing that surely leads to the package itself."""
    folders: set[str | None] = set()
    for one in imports:
        folder = files.package_folder(one.path)
        if folder not in folders and not _is_mapped(files, one):
            return one
        folders.add(folder)
    return None


def _is_mapped(files: Files, one: Import) -> bool:
    """Whether settings of a compiler or a bundler may lead an import elsewhere.

    What `tsc` alone compiles is led by its own tsconfig.json, and by nothing else.
    """
    names = {one.name, f"{one.name}/*", f"{one.name}{one.rest}", "*"}
    names.add(f"{one.name.partition('/')[0]}/*" if one.name.startswith("@") else "")
    folder = files.package_folder(one.path) or ""
    build = files.scripts(folder).get("build", "")
    if re.search(r"\btsc\b", build) and not _BUNDLER.search(build) and "alias" not in build:
        known = mapped(files, of_build(files, folder, build))
        if known is not None:
            return bool(known & names)
    for path in _mapping_files(files):
        text = files.text(path)
        if any(name in text for name in names if len(name) > 1) and re.search(
            r"paths|alias|moduleNameMapper|resolve", text
        ):
            return True
    return False


def _mapping_files(files: Files) -> list[str]:
    return [
        path
        for path in files.names
        if _MAPPING_FILES.fullmatch(basename(path)) and "node_modules/" not in path
    ][:500]


# --- declarations


def _no_types(files: Files, folder: str, name: str, imports: Sequence[Import]) -> Iterator[Finding]:
    bare = [one for one in imports if _TYPESCRIPT.search(one.path) and not one.rest]
    manifest = files.manifest(folder)
    entries = entries_of(files, folder)
    if not bare or not entries or any(_TYPESCRIPT.search(one) for one in entries):
        return
    if any(exists(files, one) for one in entries):
        return  # written in JavaScript, by hand
    sources = [one for one in files.sources(folder) if _TYPESCRIPT.search(one)]
    if not sources:
        return
    types = next(
        (one for key in ("types", "typings") if isinstance(one := manifest.get(key), str)), ""
    )
    says = bool(types) or "typesVersions" in manifest or _has_types(manifest.get("exports"))
    if types and exists(files, normpath(join(folder, types))):
        return  # they are in the commit
    build = files.scripts(folder).get("build", "")
    path = join(folder, MANIFEST)
    if re.search(r"\btsc\b", build) and not _BUNDLER.search(build):
        if "--declaration" in build or " -d" in build:
            declared: bool | None = True
        else:
            declared = declares(files, of_build(files, folder, build))
        if declared is False:
            by = _unmapped(files, bare)
            if by is None:
                return
            yield Finding(
                check=NO_TYPES.id,
                subject=name,
                message=f"{name} is built with `{build}`, which makes no declarations, and "
                f"{by.path} line {by.line} imports it",
                file=path,
                line=line_of(files.text(path), '"types"') or line_of(files.text(path), '"name"'),
            )
            return
    by = None if says else _unmapped(files, bare)
    if by is not None:
        yield Finding(
            check=NO_TYPES.id,
            subject=name,
            message=f"{name} has no `types`, and {by.path} line {by.line} imports it: TypeScript "
            f"then only looks beside {entries[0]}",
            fix=f"Add `types` to {path}.",
            file=path,
            line=line_of(files.text(path), '"main"') or line_of(files.text(path), '"name"'),
            severity="hint",
        )


def _has_types(exports: Any) -> bool:
    if isinstance(exports, dict):
        return "types" in exports or any(_has_types(one) for one in exports.values())
    return isinstance(exports, list) and any(_has_types(one) for one in exports)


# --- what an image runs


def _in_source(
    files: Files,
    workspace: Workspace,
    image: Image,
    reads: Reads | None,
    imports: Sequence[Import],
) -> Iterator[Finding]:
    content = files.read(image.dockerfile)
    app = workspace.package_of(image.dockerfile)
    if content is None or reads is None or app is None or app == workspace.root:
        return
    if not runs_plain_node(files, parse(content), image.target, app):
        return
    pending, seen = [app], {app}
    by_name = {one.name: folder for folder, one in workspace.packages.items() if one.name}
    while pending:
        folder = pending.pop(0)
        build = files.scripts(folder).get("build", "")
        if _BUNDLER.search(build) or not re.search(r"\btsc\b", build):
            continue
        for name in files.asks(folder, "dependencies"):
            other = by_name.get(name)
            if other is None or other in seen:
                continue
            by = next(
                (
                    one
                    for one in imports
                    if one.name == name
                    and not one.is_type
                    and workspace.package_of(one.path) == folder
                ),
                None,
            )
            if by is None:
                continue
            seen.add(other)
            pending.append(other)
            found = _leads_to_source(files, other, by.rest)
            if found and not _is_mapped_at_run_time(files, other):
                path = join(other, MANIFEST)
                yield Finding(
                    check=IN_SOURCE.id,
                    subject=name,
                    message=f"image {image.name} runs built code with `node`, and {name}, which "
                    f"{by.path} line {by.line} imports, leads to {found}",
                    file=path,
                    line=line_of(files.text(path), found.removeprefix(f"{other}/")),
                )


def _leads_to_source(files: Files, folder: str, rest: str) -> str:
    manifest = files.manifest(folder)
    if "exports" in manifest:
        named = targets(manifest["exports"], f".{rest}") or []
    else:
        main = manifest.get("main")
        named = [main] if isinstance(main, str) and not rest else []
    for one in named:
        path = normpath(join(folder, one))
        if _TYPESCRIPT.search(path) and path in files:
            return path
    return ""


def _is_mapped_at_run_time(files: Files, folder: str) -> bool:
    """Whether what is published has other entries, which `pnpm deploy` puts into an image."""
    published = files.manifest(folder).get("publishConfig")
    return isinstance(published, dict) and bool({"main", "exports"} & published.keys())


def runs_plain_node(files: Files, dockerfile: Dockerfile, target: str, app: str) -> bool:
    """Whether an image surely starts a JavaScript file with `node` and nothing that compiles."""
    stages: dict[str, tuple[str, list[Instruction]]] = {}
    last = ""
    for one in dockerfile.instructions:
        if one.keyword == "FROM":
            words = [word for word in one.arguments if word]
            last = words[2].lower() if len(words) > 2 and words[1].lower() == "as" else ""
            last = last or str(len(stages))
            stages[last] = (words[0].lower() if words else "", [])
        elif last:
            stages[last][1].append(one)
    name = target.lower() or last
    command: Sequence[str] = ()
    environment = ""
    seen = set()
    while name in stages and name not in seen:
        seen.add(name)
        base, instructions = stages[name]
        starts = [one for one in instructions if one.keyword in ("CMD", "ENTRYPOINT")]
        environment += " ".join(one.text for one in instructions if one.keyword == "ENV")
        if starts and not command:
            entry = [one for one in starts if one.keyword == "ENTRYPOINT"][-1:]
            cmd = [one for one in starts if one.keyword == "CMD"][-1:]
            command = [word for one in (*entry, *cmd) for word in _started(one)]
        name = base
    while command and command[0] in _STARTERS:
        command = command[1:]
    if not command or "NODE_OPTIONS" in environment:
        return False
    if command[0] in ("pnpm", "npm", "yarn"):
        rest = [one for one in command[1:] if one not in ("run", "--silent", "-s")]
        if len(rest) != 1:
            return False
        text = files.scripts(app).get(rest[0], "")
    else:
        text = " ".join(command)
    found = re.fullmatch(r"(?:NODE_ENV=\S+\s+)?node\s+(.*)", text.strip())
    return found is not None and not _LOADER.search(found[1]) and ".ts" not in found[1]


def _started(one: Instruction) -> list[str]:
    if one.is_json:
        return list(one.arguments)
    return " ".join(one.text.split()[1:]).split()
