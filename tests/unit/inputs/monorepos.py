"""Small monorepos with their configurations: what each image of them is made of is known."""

from __future__ import annotations

from tests.fakes.pnpm_lock import pnpm_lock
from tests.fakes.repositories import Executable, Files, Gitlink, Symlink

COMMIT = "c0ffee" + "0" * 34  # of another repository, for submodules
NEXT_COMMIT = "c0ffee" + "1" * 34

# --- two stages of one Dockerfile, and every kind of entry

LARGE_FILE = """version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 12345
"""

DOCKERFILE = """FROM node:22 AS base
ARG VERSION=1
COPY shared/ /shared/

FROM base AS web
COPY web/ /web/
COPY models/large.bin vendor/lib/lib.c current /
RUN --mount=type=secret,id=token make

FROM alpine:3 AS worker
COPY worker/ /worker/
"""

FILES: Files = {
    "docker/Dockerfile": DOCKERFILE,
    ".dockerignore": "# none\nweb/*.log\nsecret\n",
    "shared/a.ts": "a",
    "web/index.ts": "index",
    "web/Index.ts": "Index",
    "web/link": Symlink("../worker/run"),
    "web/debug.log": "log",
    "worker/run": Executable("#!/bin/sh\n"),
    "models/large.bin": LARGE_FILE,
    "vendor/lib": Gitlink(COMMIT),
    "vendor/other": Gitlink(COMMIT),
    "current": Symlink("releases/1"),
    "releases/1": "one",
    "releases/2": "two",
    "docs/a.md": "text",
}

CONFIG = """
version: 1
images:
  web: {dockerfile: docker/Dockerfile, context: ., target: web}
  worker: {dockerfile: docker/Dockerfile, context: ., target: worker}
"""

# --- named contexts

CONTEXTS = """
version: 1
images:
  web:
    context: web
    watch: [auto, web/**]
    contexts: {root: ., assets: assets, node: "docker-image://node:22"}
"""
CONTEXT_FILES: Files = {
    "web/Dockerfile": """FROM node
COPY . .
COPY --from=root web/a lib ./
COPY --from=assets / /
""",
    "web/a": "a",
    "web/b": "b",
    "lib/c": "c",
    "assets/logo.svg": "logo",
    "assets/.dockerignore": "*.psd\n",
    "assets/logo.psd": "source",
}

# --- images that are built on images

CHAIN = """
version: 1
images:
  base: {context: base, repository: ghcr.io/acme/base}
  tools: {context: tools, repository: acme/tools}
  web: {context: web}
  app: {context: app}
  alone: {context: alone}
"""
CHAIN_FILES: Files = {
    "base/Dockerfile": "FROM debian:13\nCOPY a /\n",
    "base/a": "a",
    "tools/Dockerfile": "FROM ghcr.io/acme/base\n",
    "web/Dockerfile": "ARG BASE=ghcr.io/acme/base:v1\nFROM alpine:3 AS unused\nFROM ${BASE}\n",
    "app/Dockerfile": "FROM node:22\nCOPY --from=docker.io/acme/tools:latest /x /\n",
    "alone/Dockerfile": "FROM ghcr.io/acme/bases\n",
}

CIRCLE = """
version: 1
images:
  a: {context: a, repository: x.io/a}
  b: {context: b, repository: x.io/b}
  c: {context: c, repository: x.io/c}
  below: {context: below, repository: x.io/below}
  above: {context: above, repository: x.io/above}
"""
CIRCLE_FILES: Files = {
    "a/Dockerfile": "FROM x.io/b\nCOPY --from=x.io/a / /\nCOPY f /\n",
    "b/Dockerfile": "FROM x.io/c\nCOPY f /\n",
    "c/Dockerfile": "FROM x.io/a\nCOPY --from=x.io/below / /\nCOPY f /\n",
    "below/Dockerfile": "FROM x.io/below\nCOPY f /\n",
    "above/Dockerfile": "FROM x.io/b\nCOPY f /\n",
    **{f"{name}/f": name for name in ("a", "b", "c", "below", "above")},
}

# --- a workspace


def lock(*, react: str = "18.2.0", yaml: str = "2.1.0", lint: str = "1.0.0", head: str = "") -> str:
    return head + pnpm_lock(
        {
            ".": [("lint", "^1.0.0", lint)],
            "packages/core": [("yaml", "^2.0.0", yaml)],
            "packages/web": [
                ("@acme/core", "workspace:*", "link:../core"),
                ("react", "^18.0.0", react),
            ],
            "packages/bot": [("yaml", "^2.0.0", yaml)],
        },
        {f"lint@{lint}": [], f"react@{react}": [], f"yaml@{yaml}": []},
    )


ROOT_MANIFEST = '{"name": "root", "private": true, "scripts": {"build": "tsc"}}'
WORKSPACE_FILES: Files = {
    "package.json": ROOT_MANIFEST,
    "pnpm-lock.yaml": lock(),
    "pnpm-workspace.yaml": "packages: [packages/*]\n",
    "packages/core/package.json": '{"name": "@acme/core"}',
    "packages/web/package.json": (
        '{"name": "@acme/web", "dependencies": {"@acme/core": "workspace:*"}}'
    ),
    "packages/bot/package.json": '{"name": "@acme/bot"}',
    "packages/web/index.ts": "web",
    "packages/core/index.ts": "core",
    "packages/bot/index.ts": "bot",
    "Dockerfile": "FROM node:22\nCOPY . .\nRUN pnpm install\n",
    "packages/web/Dockerfile": """FROM node:22
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages/core packages/core
COPY packages/web packages/web
RUN pnpm install --frozen-lockfile
""",
    "packages/bot/Dockerfile": """FROM node:22
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages/bot packages/bot
RUN pnpm install --frozen-lockfile
""",
    "fetch/Dockerfile": """FROM node:22
COPY pnpm-lock.yaml ./
RUN pnpm fetch
COPY packages/bot packages/bot
""",
    "plain/Dockerfile": "FROM a\nCOPY packages/bot/index.ts /\n",
}
WORKSPACE = """
version: 1
images:
  all: {}
  web: {dockerfile: packages/web/Dockerfile}
  bot: {dockerfile: packages/bot/Dockerfile}
  fetch: {dockerfile: fetch/Dockerfile}
  plain: {dockerfile: plain/Dockerfile}
  small: {dockerfile: packages/bot/Dockerfile, inputs: workspace}
"""
