"""Which repositories are measured: their files and images, what a push changes and must build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from benchmarks import pnpm
from benchmarks.repositories import WATCH_ALL, Case, Change, Image

_IGNORED = b"**/node_modules\n**/dist\n**/test\n*.md\n**/*.md\n.git*\ndocs\ndocker\n"


def _content(path: str, version: int = 0) -> bytes:
    """Some words on some lines, different for every path and version: 200 to 900 bytes."""
    random = hashlib.shake_128(f"{version}:{path}".encode()).digest(120)
    lines = [f"// {path}"]
    for start in range(0, 24 + random[0] % 96, 8):
        lines.append(" ".join(f"value{byte % 50}" for byte in random[start : start + 8]))
    return "\n".join([*lines, ""]).encode()


def _folder(path: str, count: int) -> Iterator[str]:
    """Source files below a folder, in subfolders of ten."""
    for number in range(count):
        yield f"{path}/part{number // 10}/module{number % 10}.ts"


def _dockerfile(package: str, manifests: Iterable[str], sources: Iterable[str]) -> bytes:
    """A build of one package in stages: first what its dependencies need, then its sources."""

    def copied(paths: Iterable[str]) -> list[str]:
        return [f"COPY {path} {path}" for path in paths]

    name = pnpm.name_of(package)
    lines = [
        "# syntax=docker/dockerfile:1",
        "ARG NODE=22",
        "FROM node:${NODE}-bookworm-slim AS base",
        "ENV PNPM_HOME=/pnpm PATH=/pnpm:$PATH",
        "RUN corepack enable",
        "WORKDIR /app",
        "",
        "FROM base AS build",
        f"COPY {' '.join(WATCH_ALL)} ./",
        *copied(manifests),
        "RUN --mount=type=cache,id=pnpm,target=/pnpm/store \\",
        f"    pnpm install --frozen-lockfile --filter '{name}...'",
        *copied(sources),
        f"RUN pnpm --filter '{name}...' run build \\",
        f"    && pnpm --filter '{name}' deploy --prod /out",
        "",
        "FROM base",
        "ENV NODE_ENV=production",
        "COPY --from=build /out ./",
        "USER node",
        "EXPOSE 3000",
        "HEALTHCHECK CMD node health.js",
        'CMD ["node", "server.js"]',
    ]
    return "\n".join([*lines, ""]).encode()


def _copying_all(package: str) -> bytes:
    """The same of a Dockerfile that copies its whole context."""
    name = pnpm.name_of(package)
    lines = [
        "FROM node:22-bookworm-slim AS build",
        "WORKDIR /app",
        "COPY . .",
        f"RUN corepack enable && pnpm install --frozen-lockfile --filter '{name}...'",
        f"RUN pnpm --filter '{name}...' run build && pnpm --filter '{name}' deploy /out",
        "FROM node:22-bookworm-slim",
        "COPY --from=build /out /app",
        'CMD ["node", "/app/server.js"]',
    ]
    return "\n".join([*lines, ""]).encode()


# --- small: a monorepo like the running example; a push of one file

_CORE = ("packages/core/package.json", "packages/core/tsconfig.json")
_SETTINGS = ("tsconfig.base.json", ".npmrc")
_CORE_WATCHED = ("packages/core/src/**", *_CORE, *_SETTINGS)
_SMALL_SIZES = {"core": 70, "mcp-tools": 40, "bot-whatsapp": 60, "dashboard": 90}
_SMALL_WORKSPACE = pnpm.Workspace(
    needs={
        f"packages/{name}": () if name == "core" else ("packages/core",) for name in _SMALL_SIZES
    },
    libraries=300,
)
_SMALL_WATCHED = {
    "opencode": ("src/**", *_CORE_WATCHED, "packages/mcp-tools/**", "docker/Dockerfile.opencode*"),
    "whatsapp": (
        *("packages/bot-whatsapp/src/**", "packages/bot-whatsapp/package.json", *_CORE_WATCHED),
        "docker/Dockerfile.whatsapp*",
    ),
    "dashboard": (
        *("packages/dashboard/src/**", "packages/dashboard/package.json", *_CORE_WATCHED),
        "docker/Dockerfile.dashboard*",
    ),
}


def _small_files() -> Iterator[Change]:
    yield "package.json", _SMALL_WORKSPACE.manifest(pnpm.ROOT)
    yield "pnpm-lock.yaml", _SMALL_WORKSPACE.lockfile()
    yield "pnpm-workspace.yaml", pnpm.SETTINGS
    for path in (*_SETTINGS, "docker/docker-compose.v2.yml"):
        yield path, _content(path)
    for image, package in (("whatsapp", "bot-whatsapp"), ("dashboard", "dashboard")):
        folder = f"packages/{package}"
        manifests = (*_SETTINGS, *_CORE, f"{folder}/package.json")
        sources = ("packages/core/src", f"{folder}/src")
        yield f"docker/Dockerfile.{image}", _dockerfile(folder, manifests, sources)
    mcp = "packages/mcp-tools"
    whole = ("packages/core/src", mcp, "src")
    yield "docker/Dockerfile.opencode", _dockerfile(mcp, (*_SETTINGS, *_CORE), whole)
    for package, size in _SMALL_SIZES.items():
        folder = f"packages/{package}"
        yield f"{folder}/package.json", _SMALL_WORKSPACE.manifest(folder)
        for name in ("tsconfig.json", "README.md"):
            yield f"{folder}/{name}", _content(f"{package}{name}")
        for path in _folder(f"{folder}/src", size):
            yield path, _content(path)
    for top, size in (("src", 60), ("docs", 30), ("tools", 28)):
        for path in _folder(top, size):
            yield path, _content(path)


def _small_push() -> Iterator[Change]:
    path = "packages/dashboard/src/part4/module2.ts"
    yield path, _content(path, 1)


SMALL = Case(
    name="small",
    baseline="push",
    images={
        name: Image(dockerfile=f"docker/Dockerfile.{name}", watch=watched)
        for name, watched in _SMALL_WATCHED.items()
    },
    files=_small_files,
    push=_small_push,
    builds=frozenset({"dashboard"}),
)


def _copying_files() -> Iterator[Change]:
    yield from (one for one in _small_files() if one[0] != "docker/Dockerfile.opencode")
    yield ".dockerignore", _IGNORED
    yield "docker/Dockerfile.opencode", _copying_all("packages/mcp-tools")


DIGESTS_SMALL = Case(
    name="digests-small",
    baseline="deployments",
    images={name: replace(image, watch=()) for name, image in SMALL.images.items()},
    files=_copying_files,
    push=_small_push,
    builds=frozenset({"dashboard", "opencode"}),
)


# --- large: many packages, sixty images; a push that changes 20 files in each of a quarter of the
# packages, renames some, and with `digests` updates one package of the registry

_IMAGES = 60
_OWN = 6  # packages of an image's own; behind them come those that several images share
_SHARED = 2
_CHANGED = 20
_RENAMED = 150


@dataclass(frozen=True)
class _Monorepo:
    """Packages of equal size. Each image has some of its own, each of which needs the next, and
    shares some that other images have as well."""

    packages: int
    files_each: int

    @cached_property
    def workspace(self) -> pnpm.Workspace:
        needs: dict[str, tuple[str, ...]] = dict.fromkeys(map(_package, range(self.packages)), ())
        for image in range(_IMAGES):
            needs.update((one, (other,)) for one, other in pairwise(self.own(image)))
        for image in range(_IMAGES):
            first = self.own(image)[0]
            needs[first] = tuple(dict.fromkeys([*needs[first], *self.shared(image)]))
        return pnpm.Workspace(needs=needs, libraries=6 * self.packages)

    def own(self, image: int) -> Sequence[str]:
        first = _OWN * image
        return [_package(number % self.packages) for number in range(first, first + _OWN)]

    def shared(self, image: int) -> Sequence[str]:
        first = _OWN * _IMAGES + (7 * image) % 600
        return [_package(number % self.packages) for number in range(first, first + _SHARED)]

    def read(self, image: int) -> Sequence[str]:
        return list(dict.fromkeys([*self.own(image), *self.shared(image)]))

    @property
    def touched(self) -> range:
        return range(self.packages // 10, 35 * self.packages // 100)

    def package_files(self, folder: str) -> Iterator[str]:
        yield from (f"{folder}/{name}" for name in ("package.json", "tsconfig.json", "README.md"))
        sources = 76 * self.files_each // 99
        yield from _folder(f"{folder}/src", sources)
        yield from _folder(f"{folder}/test", self.files_each - 3 - sources)

    def files(self) -> Iterator[Change]:
        yield "package.json", self.workspace.manifest(pnpm.ROOT)
        yield "pnpm-lock.yaml", self.workspace.lockfile()
        yield "pnpm-workspace.yaml", pnpm.SETTINGS
        yield ".dockerignore", _IGNORED
        for image in range(_IMAGES):
            yield from self.image_files(image)
        for number in range(self.packages):
            folder = _package(number)
            yield f"{folder}/package.json", self.workspace.manifest(folder)
            for path in list(self.package_files(folder))[1:]:
                yield path, _content(path)

    def image_files(self, image: int) -> Iterator[Change]:
        name = _service(image)
        config = [f"config/{stage}/{name}.yml" for stage in ("staging", "production")]
        own, shared = self.own(image), self.shared(image)
        manifests = [f"{folder}/package.json" for folder in self.read(image)]
        sources = [*own, *(f"{folder}/src" for folder in shared), *config]
        yield _image_dockerfile(image), _dockerfile(own[0], manifests, sources)
        for path in config:
            yield path, _content(path)

    def push(self) -> Iterator[Change]:
        renamed = 0
        for number in self.touched:
            for path in list(self.package_files(_package(number)))[3 : 3 + _CHANGED]:
                if renamed < _RENAMED and path.endswith("module9.ts"):
                    renamed += 1
                    yield path, None
                    yield path.replace("module9", "renamed"), _content(path)
                else:
                    yield path, _content(path, 1)

    def touches(self, folders: Iterable[str]) -> bool:
        touched = {_package(number) for number in self.touched}
        return not touched.isdisjoint(folders)


@dataclass(frozen=True)
class _MixedMonorepo(_Monorepo):
    """Of twelve images four copy their whole context: two of them are narrowed to their closure,
    one has an ignore file of its own that lets little in, and one does read everything."""

    updated: int  # the library that the push updates

    @staticmethod
    def is_narrowed(image: int) -> bool:
        return image % 6 == 4

    @staticmethod
    def has_own_ignore_file(image: int) -> bool:
        return image % 12 == 5

    @staticmethod
    def reads_all(image: int) -> bool:
        return image % 12 == 11

    def image_files(self, image: int) -> Iterator[Change]:
        dockerfile = _image_dockerfile(image)
        copies_all = image % 6 >= 4
        for path, content in super().image_files(image):
            if path == dockerfile and copies_all:
                content = _copying_all(self.own(image)[0])
            yield path, content
        if self.has_own_ignore_file(image):
            kept = (*WATCH_ALL, *self.read(image))
            lines = ["*", *(f"!{path}" for path in kept), "**/test", "**/*.md"]
            yield f"{dockerfile}.dockerignore", "\n".join([*lines, ""]).encode()

    def push(self) -> Iterator[Change]:
        yield "pnpm-lock.yaml", self.workspace.lockfile(updated=self.updated)
        yield from super().push()

    def is_built(self, image: int) -> bool:
        closure = self.workspace.closure
        if self.reads_all(image):
            return True
        if self.is_narrowed(image):
            made_of = closure(self.own(image)[:1])
            installed = made_of
        else:
            made_of = frozenset(self.read(image))
            installed = closure(made_of)
        return self.touches(made_of) or self.workspace.holds(installed, self.updated)


def _package(number: int) -> str:
    return f"packages/package-{number:04}"


def _service(image: int) -> str:
    return f"service-{image:02}"


def _image_dockerfile(image: int) -> str:
    return f"docker/Dockerfile.{_service(image)}"


_LARGE = _Monorepo(1000, 99)


def _large_watched(image: int) -> Iterator[str]:
    yield from (f"{folder}/**" for folder in _LARGE.own(image))
    for folder in _LARGE.shared(image):
        yield from (f"{folder}/src/**", f"{folder}/package.json")
    yield f"docker/Dockerfile.{_service(image)}*"
    yield f"config/*/{_service(image)}.yml"


LARGE = Case(
    name="large",
    baseline="push",
    images={
        _service(image): Image(
            dockerfile=_image_dockerfile(image), watch=tuple(_large_watched(image))
        )
        for image in range(_IMAGES)
    },
    files=_LARGE.files,
    push=_LARGE.push,
    builds=frozenset(
        _service(image) for image in range(_IMAGES) if _LARGE.touches(_LARGE.read(image))
    ),
)


def _mixed(name: str, packages: int, files_each: int, *, sparse: bool = False) -> Case:
    mixed = _MixedMonorepo(packages, files_each, updated=5 * packages)
    return Case(
        name=name,
        baseline="deployments",
        images={
            _service(image): Image(
                dockerfile=_image_dockerfile(image), narrowed=mixed.is_narrowed(image)
            )
            for image in range(_IMAGES)
        },
        files=mixed.files,
        push=mixed.push,
        builds=frozenset(_service(image) for image in range(_IMAGES) if mixed.is_built(image)),
        sparse=sparse,
    )


DIGESTS = _mixed("digests", 1000, 99)

# The same at other sizes.
GROWTH = (
    _mixed("growth-1k", 10, 99),
    _mixed("growth-10k", 100, 99),
    DIGESTS,
    _mixed("growth-1m", 1000, 999, sparse=True),
)
