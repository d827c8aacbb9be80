"""The repositories that are measured: the same bytes on every machine, made once and kept.

Each is a server's repository with two commits, a checkout of the second one as actions/checkout
leaves it (`fetch-depth: 2`), and what a push from the first to the second must build. That is known
from how they are made, so it judges every program alike.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CONFIG = ".github/orient-deploy.yml"
WATCH_ALL = ("package.json", "pnpm-lock.yaml")
FIRST_DATE = 1_700_000_000

Change = tuple[str, "bytes | None"]  # a path and its content; None deletes
Files = Callable[[], Iterator[Change]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A repository before it is made."""

    name: str
    images: Mapping[str, tuple[str, ...]]  # name -> patterns, without those of WATCH_ALL
    dockerfile: Callable[[str], str]  # of an image
    files: Files  # the first commit, but for the configuration
    push: Files  # what the second one changes
    builds: frozenset[str]  # what that must build


@dataclass(frozen=True, kw_only=True)
class Made:
    """A repository on disk."""

    case: Case
    served: Path  # the folder to serve; holds acme/<name>
    checkout: Path
    event: Path  # the payload of the push
    base: str
    head: str
    files: int
    changed: int  # rows of a comparison without renames

    @property
    def full_name(self) -> str:
        return f"acme/{self.case.name}"

    @property
    def filters(self) -> str:
        """The lists as dorny/paths-filter takes them."""
        lines: list[str] = []
        for image, patterns in self.case.images.items():
            lines.append(f"{image}:")
            lines += [f"  - '{pattern}'" for pattern in (*patterns, *WATCH_ALL)]
        return "\n".join(lines) + "\n"


def make(case: Case, cache: Path) -> Made:
    """The repository of a case: from the cache, or made and put there."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    folder = cache / f"{case.name}-{key}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(f"{case.name}-*"):
            shutil.rmtree(old)
        with tempfile.TemporaryDirectory(prefix=f"new-{case.name}-", dir=cache) as new:
            _fill(case, Path(new))
            folder.mkdir()
            for made in Path(new).iterdir():
                made.rename(folder / made.name)
    known = json.loads((folder / "known.json").read_text())
    return Made(
        case=case,
        served=folder / "served",
        checkout=folder / "checkout",
        event=folder / "event.json",
        **known,
    )


def configuration(case: Case) -> str:
    """The lists as `.github/orient-deploy.yml`."""
    lines = ["version: 1", "branches: [main]", "baseline: push", "", "images:"]
    for image, patterns in case.images.items():
        lines += [
            f"  {image}:",
            f"    dockerfile: {case.dockerfile(image)}",
            f"    repository: ghcr.io/acme/{case.name}/{image}",
            "    watch:",
            *(f"      - {pattern}" for pattern in patterns),
        ]
    return "\n".join([*lines, "", f"watch-all: [{', '.join(WATCH_ALL)}]", ""])


def git(*arguments: str | Path, directory: Path | None = None) -> str:
    """Run git untouched by anybody's settings; what it prints, without the last newline."""
    done = subprocess.run(
        ["git", *map(str, arguments)],
        cwd=directory,
        env=_environment(),
        check=True,
        stdout=subprocess.PIPE,
        timeout=600,
    )
    return done.stdout.decode().rstrip("\n")


def _environment() -> dict[str, str]:
    ours = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return {**{k: v for k, v in os.environ.items() if not k.startswith("GIT_")}, **ours}


def _fill(case: Case, folder: Path) -> None:
    origin = folder / "served" / "acme" / case.name
    git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", origin)
    with subprocess.Popen(
        ["git", f"--git-dir={origin}", "fast-import", "--quiet"],
        stdin=subprocess.PIPE,
        env=_environment(),
    ) as child:
        assert child.stdin is not None

        def write(data: bytes) -> None:
            assert child.stdin is not None
            child.stdin.write(data)

        def first() -> Iterator[Change]:
            yield CONFIG, configuration(case).encode()
            yield from case.files()

        for number, changes in enumerate((first, case.push)):
            _commit(write, number, changes())
    if child.returncode:
        raise RuntimeError(f"git fast-import failed with exit code {child.returncode}")
    git(f"--git-dir={origin}", "repack", "-a", "-d", "--quiet")
    base, head = git(f"--git-dir={origin}", "rev-parse", "main~1", "main").split()

    checkout = folder / "checkout"
    git("init", "--quiet", "--template=", "--initial-branch=main", checkout)
    git("remote", "add", "origin", f"https://github.com/acme/{case.name}", directory=checkout)
    fetch = ["fetch", "--quiet", "--no-tags", "--depth=2", f"file://{origin}"]
    git(*fetch, "+refs/heads/main:refs/remotes/origin/main", directory=checkout)
    git("checkout", "--quiet", "-B", "main", "refs/remotes/origin/main", directory=checkout)

    listed = git("ls-tree", "-r", "-z", "--name-only", head, directory=checkout)
    changed = git("diff", "--no-renames", "--name-only", "-z", base, head, directory=checkout)
    known = {"base": base, "head": head}
    counts = {"files": listed.count("\0"), "changed": changed.count("\0")}
    (folder / "known.json").write_text(json.dumps(known | counts))
    event = {
        "before": base,
        "after": head,
        "ref": "refs/heads/main",
        "forced": False,
        "repository": {"full_name": f"acme/{case.name}", "default_branch": "main"},
    }
    (folder / "event.json").write_text(json.dumps(event))


def _commit(write: Callable[[bytes], None], number: int, changes: Iterator[Change]) -> None:
    message = b"Commit %d" % number
    write(b"commit refs/heads/main\n")
    write(b"committer Orient <orient@example.com> %d +0000\n" % (FIRST_DATE + number))
    write(b"data %d\n%s\n" % (len(message), message))
    for path, content in changes:
        if content is None:
            write(f"D {path}\n".encode())
        else:
            write(f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")


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


# --- small: a monorepo like the running example; a push of one file


def _small_files() -> Iterator[Change]:
    sizes = {"core": 70, "mcp-tools": 40, "bot-whatsapp": 60, "dashboard": 90}
    yield from ((path, _content(path)) for path in (*WATCH_ALL, "pnpm-workspace.yaml"))
    for path in ("tsconfig.base.json", ".npmrc", "docker/docker-compose.v2.yml"):
        yield path, _content(path)
    for image in _SMALL:
        yield _small_dockerfile(image), _content(image)
    for package, size in sizes.items():
        for name in ("package.json", "tsconfig.json", "README.md"):
            yield f"packages/{package}/{name}", _content(f"{package}{name}")
        for path in _folder(f"packages/{package}/src", size):
            yield path, _content(path)
    for top, size in (("src", 60), ("docs", 30), ("tools", 28)):
        for path in _folder(top, size):
            yield path, _content(path)


def _small_push() -> Iterator[Change]:
    path = "packages/dashboard/src/part4/module2.ts"
    yield path, _content(path, 1)


def _small_dockerfile(image: str) -> str:
    return f"docker/Dockerfile.{image}"


_CORE = (
    "packages/core/src/**",
    "packages/core/package.json",
    "packages/core/tsconfig.json",
    "tsconfig.base.json",
    "pnpm-workspace.yaml",
    ".npmrc",
)
_SMALL = {
    "opencode": ("src/**", *_CORE, "packages/mcp-tools/**", "docker/Dockerfile.opencode*"),
    "whatsapp": (
        *("packages/bot-whatsapp/src/**", "packages/bot-whatsapp/package.json", *_CORE),
        "docker/Dockerfile.whatsapp*",
    ),
    "dashboard": (
        *("packages/dashboard/src/**", "packages/dashboard/package.json", *_CORE),
        "docker/Dockerfile.dashboard*",
    ),
}

SMALL = Case(
    name="small",
    images=_SMALL,
    dockerfile=_small_dockerfile,
    files=_small_files,
    push=_small_push,
    builds=frozenset({"dashboard"}),
)


# --- large: 1,000 packages of 99 files, 60 images; a push of 5,000 files, 150 of them renamed

PACKAGES = 1000
_IMAGES = 60
_OWN = 6  # packages of an image's own; behind them come those that several images share
_SHARED = 2
_TOUCHED = range(100, 350)  # packages in which the push changes 20 files each
_RENAMED = 150


def _package(number: int) -> str:
    return f"packages/package-{number:04}"


def _package_files(number: int) -> Iterator[str]:
    folder = _package(number)
    yield from (f"{folder}/{name}" for name in ("package.json", "tsconfig.json", "README.md"))
    yield from _folder(f"{folder}/src", 76)
    yield from _folder(f"{folder}/test", 20)


def _large_files() -> Iterator[Change]:
    yield from ((path, _content(path)) for path in WATCH_ALL)
    for image in _LARGE:
        paths = [f"config/{stage}/{image}.yml" for stage in ("staging", "production")]
        for path in (_large_dockerfile(image), *paths):
            yield path, _content(path)
    for number in range(PACKAGES):
        for path in _package_files(number):
            yield path, _content(path)


def _large_push() -> Iterator[Change]:
    renamed = 0
    for number in _TOUCHED:
        for path in list(_package_files(number))[3:23]:
            if renamed < _RENAMED and path.endswith("module9.ts"):
                renamed += 1
                yield path, None
                yield path.replace("module9", "renamed"), _content(path)
            else:
                yield path, _content(path, 1)


def _large_dockerfile(image: str) -> str:
    return f"docker/Dockerfile.{image}"


def _own(image: int) -> range:
    return range(_OWN * image, _OWN * (image + 1))


def _shared(image: int) -> range:
    first = _OWN * _IMAGES + (7 * image) % 600
    return range(first, first + _SHARED)


_LARGE = {
    f"service-{image:02}": (
        *(f"{_package(number)}/**" for number in _own(image)),
        *(f"{_package(number)}/src/**" for number in _shared(image)),
        f"docker/Dockerfile.service-{image:02}*",
        f"config/*/service-{image:02}.yml",
    )
    for image in range(_IMAGES)
}

LARGE = Case(
    name="large",
    images=_LARGE,
    dockerfile=_large_dockerfile,
    files=_large_files,
    push=_large_push,
    builds=frozenset(
        f"service-{image:02}"
        for image in range(_IMAGES)
        if any(number in _TOUCHED for number in (*_own(image), *_shared(image)))
    ),
)
