"""Breakages that have bitten, each sown into a project that is right: each is found, and alone.

The project has the shape of orient: two environments on one server, nginx in front, a pnpm
workspace, a deploy workflow. The command runs with the real Compose and the real nginx.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.machines.nginx_server import nginx_environment
from tests.machines.parts import part
from tests.unit.commands.conftest import run_command

CONFIG = """\
version: 1
branches: [main]
images:
  dashboard:
    dockerfile: packages/dashboard/Dockerfile
    context: .
    repository: ghcr.io/acme/orient/dashboard
    services: [dashboard]
  whatsapp:
    dockerfile: packages/bot-whatsapp/Dockerfile
    context: .
    repository: ghcr.io/acme/orient/whatsapp
    services: [bot-whatsapp]
environments:
  production:
    hosts: [opc@203.0.113.7]
    directory: ~/orienter
    workdir: docker
    project: docker
    compose: [docker/v2.yml, docker/prod.yml]
    env-file: .env
    services: {dashboard: {budget: 90}}
    checks: {dashboard: {url: 'https://ai.example.com/dashboard/api/health', service: dashboard}}
    secrets: {file: .env.production, required: [DATABASE_URL, DASHBOARD_JWT_SECRET]}
  staging:
    hosts: [opc@203.0.113.7]
    directory: ~/orienter
    workdir: docker
    project: staging
    compose: [docker/v2.yml, docker/staging.yml]
    env-file: .env
    secrets: {file: .env.staging, suffix: _STAGING}
"""
V2 = """\
services:
  dashboard:
    image: ghcr.io/acme/orient/dashboard:latest
    container_name: ${PREFIX:-orienter}-dashboard
    environment:
      DATABASE_URL: ${DATABASE_URL:?is needed}
      DASHBOARD_JWT_SECRET: ${DASHBOARD_JWT_SECRET:-}
    ports: ['127.0.0.1:4098:4098']
    restart: unless-stopped
    depends_on:
      postgres: {condition: service_healthy}
    healthcheck: {test: [CMD, wget, localhost], interval: 10s, retries: 3, start_period: 30s}
  bot-whatsapp:
    image: ghcr.io/acme/orient/whatsapp:latest
    container_name: ${PREFIX:-orienter}-bot-whatsapp
    restart: unless-stopped
  postgres:
    image: postgres:16-alpine
    container_name: ${PREFIX:-orienter}-postgres
    environment:
      POSTGRES_USER: aibot
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?is needed}
      POSTGRES_DB: ${POSTGRES_DB:-whatsapp_bot}
    ports: ['127.0.0.1:5432:5432']
    volumes: ['data:/var/lib/postgresql/data']
    healthcheck: {test: [CMD-SHELL, pg_isready], interval: 5s}
volumes: {data: {}}
"""
PROD = """\
services:
  bot-whatsapp:
    environment: {STAGE: production}
  nginx:
    image: nginx:1.27-alpine
    container_name: orienter-nginx
    ports: ['80:80', '443:443']
    volumes:
      - ./nginx.conf:/etc/nginx/conf.d/default.conf:ro
      - ../certbot:/etc/nginx/ssl:ro
    depends_on: [dashboard]
"""
STAGING = """\
services:
  dashboard:
    environment: {DASHBOARD_JWT_SECRET: '${DASHBOARD_JWT_SECRET_STAGING:-}'}
    ports: !override ['127.0.0.1:4198:4098']
  postgres:
    ports: !override ['127.0.0.1:5433:5432']
"""
NGINX = """\
server {
    listen 443 ssl;
    server_name ai.example.com;
    ssl_certificate     /etc/nginx/ssl/fullchain.pem;
    ssl_certificate_key /etc/nginx/ssl/privkey.pem;
    location /dashboard/assets/ {
        proxy_pass http://dashboard:4098/assets/;
    }
    location /dashboard/ {
        proxy_pass http://dashboard:4098/;
    }
}
"""
WORKFLOW = """\
name: Deploy
on: {push: {branches: [main]}}
permissions: {}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
      - run: pnpm install --frozen-lockfile
      - run: pnpm turbo build
      - run: pnpm run test:ci
  build:
    needs: test
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
      - uses: docker/build-push-action@ca052bb54ab0790a636c9b5f226502c73d547a25 # v5.4.0
        with:
          context: .
          file: packages/dashboard/Dockerfile
          tags: ghcr.io/acme/orient/dashboard:latest
          push: true
  deploy:
    needs: build
    runs-on: ubuntu-latest
    steps:
      - run: ssh opc@203.0.113.7 ./deploy.sh
"""
ROOT = """\
{"name": "orient", "private": true, "packageManager": "pnpm@9.15.9",
 "scripts": {"test": "vitest run", "test:ci": "vitest run --exclude evals", "build": "turbo build"}}
"""
CORE = """\
{"name": "@orient/core", "version": "0.0.0",
 "main": "./dist/index.js", "types": "./dist/index.d.ts",
 "exports": {".": {"types": "./dist/index.d.ts", "import": "./dist/index.js"}},
 "scripts": {"build": "tsc -b"}}
"""
DASHBOARD = """\
{"name": "@orient/dashboard", "version": "0.0.0", "private": true,
 "scripts": {"build": "tsc -b", "test": "vitest run"},
 "dependencies": {"@orient/core": "workspace:*", "express": "^5.1.0"}}
"""
LOCK = """\
lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .: {}

  packages/bot-whatsapp: {}

  packages/core: {}

  packages/dashboard:
    dependencies:
      '@orient/core':
        specifier: workspace:*
        version: link:../core
      express:
        specifier: ^5.1.0
        version: 5.1.0

packages:

  express@5.1.0:
    resolution: {integrity: sha512-AAAA}

snapshots:

  express@5.1.0: {}
"""
DOCKERFILE = """\
FROM node:22
WORKDIR /app
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages ./packages
RUN pnpm install --frozen-lockfile && pnpm turbo build
CMD ["node", "packages/dashboard/dist/server.js"]
"""
SERVER = """\
import express from "express";
import { health } from "@orient/core";

const app = express();
app.get("/api/health", (request, response) => response.json(health()));
app.get("/{*splat}", (request, response) => response.sendFile("index.html"));
app.listen(4098);
"""
JWT = "0123456789abcdef0123456789abcdef"
VARIABLES = f"""\
DATABASE_URL=postgresql://aibot:swordfish@postgres:5432/whatsapp_bot
POSTGRES_PASSWORD=swordfish
DASHBOARD_JWT_SECRET={JWT}
OAUTH_CALLBACK_URL=https://ai.example.com/oauth/callback
SLACK_BOT_TOKEN=xoxb-1
SLACK_APP_TOKEN=xapp-1
"""
STAGED = f"""\
PREFIX=staging
DATABASE_URL=postgresql://aibot:swordfish@postgres:5432/whatsapp_bot
POSTGRES_PASSWORD=swordfish
DASHBOARD_JWT_SECRET_STAGING={JWT}
"""
FILES: Mapping[str, str] = {
    ".github/orient-deploy.yml": CONFIG,
    ".github/workflows/deploy.yml": WORKFLOW,
    ".gitignore": ".env*\ndist/\ncertbot/\n",
    "docker/v2.yml": V2,
    "docker/prod.yml": PROD,
    "docker/staging.yml": STAGING,
    "docker/nginx.conf": NGINX,
    "package.json": ROOT,
    "pnpm-workspace.yaml": "packages: [packages/*]\n",
    "pnpm-lock.yaml": LOCK,
    "turbo.json": '{"tasks": {"build": {"dependsOn": ["^build"]}}}\n',
    "packages/core/package.json": CORE,
    "packages/core/src/index.ts": "export const health = () => ({ ok: true });\n",
    "packages/core/tsconfig.json": '{"compilerOptions": {"declaration": true}}\n',
    "packages/dashboard/package.json": DASHBOARD,
    "packages/dashboard/Dockerfile": DOCKERFILE,
    "packages/dashboard/src/server.ts": SERVER,
    "packages/dashboard/tsconfig.json": "{}\n",
    "packages/bot-whatsapp/Dockerfile": DOCKERFILE.replace("dashboard", "bot-whatsapp"),
    "packages/bot-whatsapp/package.json": '{"name": "@orient/bot-whatsapp", "private": true}\n',
    "packages/bot-whatsapp/src/index.ts": "export {};\n",
}


@dataclass(frozen=True, kw_only=True)
class Sown:
    """A breakage: what is replaced in which file, and what is to be found where."""

    file: str
    old: str
    new: str
    check: str
    subject: str
    place: str  # file:line, or a file
    also: str = ""  # another check that the same breakage concerns


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


BREAKAGES = {
    "the-default-of-the-database": Sown(
        file="docker/v2.yml",
        old=":-whatsapp_bot}",
        new=":-whatsapp_bot_0}",
        check="compose/default-changed",
        subject="POSTGRES_DB",
        place=f"docker/v2.yml:{line_of(V2, 'POSTGRES_DB:')}",
        also="environment/database-mismatch",  # DATABASE_URL still names the old one
    ),
    "a-name-of-the-older-files": Sown(
        file="docker/prod.yml",
        old="  bot-whatsapp:\n",
        new="  whatsapp-bot:\n    image: acme/x:1\n",
        check="compose/service-renamed",
        subject="whatsapp-bot",
        place="docker/prod.yml:2",
    ),
    "a-container-of-the-older-files": Sown(
        file="docker/v2.yml",
        old="-bot-whatsapp",
        new="-whatsapp-bot",
        check="compose/container-name-order",
        subject="bot-whatsapp",
        place=f"docker/v2.yml:{line_of(V2, 'container_name: ${PREFIX:-orienter}-bot')}",
    ),
    "one-container-name-twice": Sown(
        file="docker/prod.yml",
        old="container_name: orienter-nginx",
        new="container_name: orienter-postgres",
        check="compose/container-name-twice",
        subject="orienter-postgres",
        place="",
    ),
    "the-database-s-port-in-staging": Sown(
        file="docker/staging.yml",
        old="    ports: !override ['127.0.0.1:5433:5432']",
        new="    ports: ['127.0.0.1:5433:5432']",
        check="compose/stack-port",
        subject="5432/tcp",
        place=f"docker/staging.yml:{line_of(STAGING, '5433')}",
    ),
    "the-dashboard-s-port-in-staging": Sown(
        file="docker/staging.yml",
        old="4198",
        new="4098",
        check="compose/stack-port",
        subject="4098/tcp",
        place=f"docker/staging.yml:{line_of(STAGING, '4198')}",
    ),
    "a-variable-that-is-not-set": Sown(
        file="docker/prod.yml",
        old="{STAGE: production}",
        new="{STAGE: $STAGE_OF_ALL}",
        check="compose/variable-unset",
        subject="STAGE_OF_ALL",
        place="docker/prod.yml:3",
    ),
    "an-image-without-a-version": Sown(
        file="docker/prod.yml",
        old="nginx:1.27-alpine",
        new="nginx:latest",
        check="compose/image-latest",
        subject="nginx",
        place=f"docker/prod.yml:{line_of(PROD, 'nginx:1.27')}",
    ),
    "a-budget-that-is-too-short": Sown(
        file=".github/orient-deploy.yml",
        old="budget: 90",
        new="budget: 30",
        check="compose/budget-short",
        subject="dashboard",
        place=f"docker/v2.yml:{line_of(V2, 'healthcheck: {test: [CMD, wget')}",
    ),
    "health-that-nobody-tells": Sown(
        file="docker/v2.yml",
        old="    healthcheck: {test: [CMD-SHELL, pg_isready], interval: 5s}\n",
        new="",
        check="compose/healthcheck-missing",
        subject="postgres",
        place=f"docker/v2.yml:{line_of(V2, 'postgres: {condition')}",
    ),
    "a-required-variable": Sown(
        file=".env.production",
        old="DATABASE_URL=postgresql://aibot:swordfish@postgres:5432/whatsapp_bot\n",
        new="",
        check="environment/required-missing",
        subject="DATABASE_URL",
        place=".env.production",
    ),
    "a-secret-of-31-characters": Sown(
        file=".env.production",
        old=JWT,
        new=JWT[1:],
        check="environment/too-short",
        subject="DASHBOARD_JWT_SECRET",
        place=".env.production:3",
    ),
    "the-plain-name-in-staging": Sown(
        file=".env.staging",
        old="DASHBOARD_JWT_SECRET_STAGING",
        new="DASHBOARD_JWT_SECRET",
        check="environment/suffix-missing",
        subject="DASHBOARD_JWT_SECRET_STAGING",
        place=".env.staging",
    ),
    "a-callback-of-a-laptop": Sown(
        file=".env.production",
        old="https://ai.example.com/oauth",
        new="http://localhost:4098/oauth",
        check="environment/callback-url",
        subject="OAUTH_CALLBACK_URL",
        place=".env.production:4",
    ),
    "a-dockerfile-that-moved": Sown(
        file=".github/workflows/deploy.yml",
        old="file: packages/dashboard/Dockerfile",
        new="file: docker/Dockerfile.dashboard",
        check="repository/dockerfile-missing",
        subject="docker/Dockerfile.dashboard",
        place=f".github/workflows/deploy.yml:{line_of(WORKFLOW, 'file: packages')}",
    ),
    "tests-that-need-the-world": Sown(
        file=".github/workflows/deploy.yml",
        old="pnpm run test:ci",
        new="pnpm test",
        check="workflow/test-script",
        subject="",
        place=f".github/workflows/deploy.yml:{line_of(WORKFLOW, 'pnpm run test:ci')}",
    ),
    "tests-before-the-build": Sown(
        file=".github/workflows/deploy.yml",
        old="      - run: pnpm turbo build\n",
        new="",
        check="workflow/packages-not-built",
        subject="",
        place="",
    ),
    "a-package-without-exports": Sown(
        file="packages/core/package.json",
        old='"main": "./dist/index.js", "types": "./dist/index.d.ts",\n "exports": {".": {"types": '
        '"./dist/index.d.ts", "import": "./dist/index.js"}},',
        new='"types": "./dist/index.d.ts",',
        check="package/exports-missing",
        subject="",
        place="",
    ),
    "a-bare-wildcard": Sown(
        file="packages/dashboard/src/server.ts",
        old='"/{*splat}"',
        new='"*"',
        check="repository/express-wildcard",
        subject="",
        place=f"packages/dashboard/src/server.ts:{line_of(SERVER, '{*splat}')}",
    ),
    "a-manifest-without-its-lockfile": Sown(
        file="packages/dashboard/package.json",
        old='"express": "^5.1.0"',
        new='"express": "^5.1.0", "yaml": "^2.8.0"',
        check="repository/lockfile-stale",
        subject="packages/dashboard/package.json",
        place="",
    ),
    "assets-under-their-prefix": Sown(
        file="docker/nginx.conf",
        old="http://dashboard:4098/assets/;",
        new="http://dashboard:4098/dashboard/assets/;",
        check="nginx/proxy-prefix",
        subject="",
        place=f"docker/nginx.conf:{line_of(NGINX, '4098/assets/')}",
    ),
    "an-upstream-that-is-not-there": Sown(
        file="docker/nginx.conf",
        old="http://dashboard:4098/;",
        new="http://dashbord:4098/;",
        check="nginx/upstream-unknown",
        subject="",
        place=f"docker/nginx.conf:{line_of(NGINX, 'dashboard:4098/;')}",
    ),
    "a-statement-that-nginx-does-not-take": Sown(
        file="docker/nginx.conf",
        old="    location /dashboard/ {",
        new="    location /dashboard/ {{",
        check="nginx/invalid",
        subject="",
        place="",
    ),
}


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        for name, text in FILES.items():
            self.write(name, text)
        git = ["git", "-C", str(self.folder)]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
            subprocess.run([*git, *words], check=True, timeout=60)
        self.write(".env.production", VARIABLES)
        self.write(".env.staging", STAGED)
        engine = part("28") / "usr"
        home = folder / "home"
        (home / ".docker").mkdir(parents=True)
        (home / ".docker/cli-plugins").symlink_to(engine / "libexec/docker/cli-plugins")
        nginx = nginx_environment()
        self.env = {
            "PATH": f"{engine / 'bin'}:{nginx['PATH']}:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": nginx["LD_LIBRARY_PATH"],
            "HOME": str(home),
        }

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def findings(self) -> list[dict[str, Any]]:
        argv = ("preflight", f"--path={self.folder}", "--hosts=none", "--json")
        done = run_command((*argv, "--base=HEAD"), self.env)
        assert done.code in (0, 1), done.stderr
        told: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
        return told


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def heavy(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """But for hints."""
    return [one for one in findings if one["severity"] != "hint"]


def test_the_project_is_right_before(project: Project) -> None:
    assert heavy(project.findings()) == []


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_breakage_is_found_alone(name: str, project: Project) -> None:
    sown = BREAKAGES[name]
    before = (project.folder / sown.file).read_text(encoding="utf-8")
    assert before.count(sown.old) >= 1
    project.write(sown.file, before.replace(sown.old, sown.new))

    found = [one for one in heavy(project.findings()) if one["check"] != sown.also]

    assert {one["check"] for one in found} == {sown.check}
    one = found[0]
    assert sown.subject in ("", one["subject"])
    place = f"{one['file']}:{one['line']}" if one["line"] else one["file"]
    assert sown.place in ("", place)
