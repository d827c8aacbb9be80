"""Generated monorepos: commits with Dockerfiles, ignore files, a workspace, and configurations.

The Dockerfiles and ignore files are such as tests/oracles/input_digest.py knows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.fakes.pnpm_lock import pnpm_lock
from tests.fakes.repositories import Content, Executable, Files, Gitlink, Symlink

COMMITS = ("5" * 40, "6" * 40)
FOLDERS = ("", "a/", "a/c/", "b/", "a-b/", "B/")
PLAIN = ("x", "y.md", "z.ts")  # named by Dockerfiles
ODD = ("ü", "\udcff", "new\nline", "tab\tbed", ' "q" ', "-x", "#", "a b")

_TEXTS = st.sampled_from(["", "one", "two", '{"version": "lfs"}'])
_FILES = st.one_of(_TEXTS, _TEXTS.map(Executable))
_ENTRIES: st.SearchStrategy[Content] = st.one_of(
    _FILES, st.sampled_from(["a", "gone"]).map(Symlink), st.sampled_from(COMMITS).map(Gitlink)
)
_SOURCES = st.sampled_from(
    [
        *(".", "a", "a/c", "b/", "a-b", "x", "a/x", "./b/y.md", "package.json", "pnpm-lock.yaml"),
        *("packages", "packages/core", "packages/web/package.json", "gone"),
    ]
)
_IGNORES = st.lists(
    st.sampled_from(
        [
            *("a/x", "b", "*.md", "**/*.md", "!a/x", "!b/y.md", "c", "**/z.ts", "x"),
            *("!packages/web/package.json", "packages/*", "pnpm-lock.yaml", "**/*.json"),
        ]
    ),
    max_size=4,
).map("\n".join)
_IMAGES = st.sampled_from(
    [
        *("node:22", "x.io/one", "x.io/one:v1", f"x.io/one@sha256:{'7' * 64}", "scratch", "ctx"),
        *("ghcr.io/acme/app/two", "ghcr.io/fork/app/two:v2", "${BASE}", "${BASE}:v3"),
    ]
)
_WATCHED = ("a/**", "!a/**", "**/*.md", "!b/*", "b/*", "x", "pnpm-lock.yaml")


def _patterns(*more: str) -> st.SearchStrategy[list[str]]:
    texts = st.lists(st.sampled_from([*more, *_WATCHED]), min_size=1, max_size=4)
    return texts.filter(lambda some: not some[0].startswith("!"))


@dataclass(frozen=True)
class Monorepo:
    files: Files
    config: dict[str, Any]


@st.composite
def generated(draw: st.DrawFn) -> Monorepo:
    plain = st.sampled_from([folder + one for folder in FOLDERS for one in PLAIN])
    odd = st.sampled_from([folder + one for folder in FOLDERS for one in ODD])
    files: dict[str, Content] = {
        **draw(st.dictionaries(plain, _FILES, max_size=8)),
        **draw(st.dictionaries(odd, _ENTRIES, max_size=4)),
    }
    if draw(st.booleans()):
        files.update(draw(workspaces()))
    stages: dict[str, list[str]] = {}
    for path in ("Dockerfile", "a/Dockerfile"):
        if draw(st.integers(0, 5)):
            files[path], stages[path] = draw(dockerfiles())
    for path in (".dockerignore", "a/.dockerignore", "b/.dockerignore", "Dockerfile.dockerignore"):
        if not draw(st.integers(0, 2)):
            files[path] = draw(_IGNORES)
    images = {name: draw(_images(stages)) for name in ("one", "two", "three")}
    images["one"]["repository"] = "x.io/one"
    images["three"]["repository"] = "x.io/three"
    config: dict[str, Any] = {"version": 1, "images": images}
    config.update(draw(st.fixed_dictionaries({}, optional={"watch-all": _patterns()})))
    config.update(draw(st.fixed_dictionaries({}, optional={"salt": st.just("again")})))
    return Monorepo(files, config)


@st.composite
def dockerfiles(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A Dockerfile and the names of its stages."""
    lines, names = ["ARG BASE=x.io/three"], list[str]()
    for number in range(draw(st.integers(1, 3))):
        origins = st.one_of(_IMAGES, *([st.sampled_from(names)] if names else []))
        lines.append(f"FROM {draw(origins)} AS s{number}")
        for _ in range(draw(st.integers(0, 2))):
            sources = " ".join(draw(st.lists(_SOURCES, min_size=1, max_size=2)))
            others = st.sampled_from(["ctx", "x.io/one", "ghcr.io/acme/app/two:v4", *names])
            flag = f"--from={draw(others)} " if not draw(st.integers(0, 2)) else ""
            lines.append(f"COPY {flag}{sources} /to/")
        names.append(f"s{number}")
    return "\n".join([*lines, ""]), names


@st.composite
def _images(draw: st.DrawFn, stages: dict[str, list[str]]) -> dict[str, Any]:
    dockerfile = draw(st.sampled_from(["Dockerfile", "a/Dockerfile"]))
    folders = st.sampled_from([".", "a", "b"])
    optional: dict[str, st.SearchStrategy[Any]] = {
        "context": folders,
        "watch": _patterns("auto"),
        "platforms": st.lists(st.sampled_from(["linux/amd64", "linux/arm64"]), unique=True),
        "build-args": st.dictionaries(
            st.sampled_from(["BASE", "OTHER"]), st.sampled_from(["x.io/one", "node:22=x"])
        ),
        "contexts": st.fixed_dictionaries(
            {}, optional={"ctx": folders | st.just("docker-image://x.io/one"), "unused": folders}
        ),
    }
    if dockerfile in stages:
        optional["target"] = st.sampled_from(stages[dockerfile])
    return {"dockerfile": dockerfile, **draw(st.fixed_dictionaries({}, optional=optional))}


@st.composite
def workspaces(draw: st.DrawFn) -> Files:
    """A workspace of pnpm with two packages besides its root."""
    versions = st.sampled_from(["1.0.0", "2.0.0"])
    react, yaml, lint = draw(versions), draw(versions), draw(versions)
    web = {"name": "web", "dependencies": {"core": "workspace:*"} if draw(st.booleans()) else {}}
    linked = [("core", "workspace:*", "link:../core")] if web["dependencies"] else []
    packages = {f"react@{react}": [("yaml", yaml)], f"yaml@{yaml}": []}
    if draw(st.booleans()):
        packages[f"lint@{lint}"] = []
    lock = pnpm_lock(
        {
            ".": [("lint", "*", lint)],
            "packages/core": [("yaml", "*", yaml)],
            "packages/web": [*linked, ("react", "*", react)],
        },
        packages,
    )
    said = {"name": "root", "description": draw(st.sampled_from(["", "ü", "\U0001f600"]))}
    manifest = json.dumps(said, indent=draw(st.integers(0, 2)), ensure_ascii=draw(st.booleans()))
    return {
        "package.json": manifest,
        "pnpm-lock.yaml": lock,
        "pnpm-workspace.yaml": "packages: [packages/*]\n",
        "packages/core/package.json": '{"name": "core"}',
        "packages/web/package.json": json.dumps(web),
        "packages/web/y.md": "read me",
    }
