"""Makes the repositories that are measured: the same bytes on every machine, made once and kept.

Each is a server's repository with two commits, a checkout of the second one as actions/checkout
leaves it (`fetch-depth: 2`), and what a push from the first to the second must build. That is known
from how they are made, so it judges every program alike. Which there are is in `cases`.
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
WATCH_ALL = ("package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml")
FIRST_DATE = 1_700_000_000
_MAKING = ("cases.py", "pnpm.py", "repositories.py")  # what decides how repositories look

Change = tuple[str, "bytes | None"]  # a path and its content; None deletes
Files = Callable[[], Iterator[Change]]


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image of the configuration."""

    dockerfile: str
    watch: tuple[str, ...] = ()  # patterns, without those of WATCH_ALL; none: what it reads
    narrowed: bool = False  # `inputs: workspace`


@dataclass(frozen=True, kw_only=True)
class Case:
    """A repository before it is made."""

    name: str
    images: Mapping[str, Image]
    baseline: str
    files: Files  # the first commit, but for the configuration
    push: Files  # what the second one changes
    builds: frozenset[str]  # what that must build
    sparse: bool = False  # only the configuration is checked out, and nothing is served


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

    def builds(self, event: str) -> frozenset[str]:
        """What an event must build: everything where there is nothing to compare with."""
        return self.case.builds if event == "push" else frozenset(self.case.images)

    @property
    def full_name(self) -> str:
        return f"acme/{self.case.name}"

    @property
    def filters(self) -> str:
        """The lists as dorny/paths-filter takes them."""
        lines: list[str] = []
        for name, image in self.case.images.items():
            lines.append(f"{name}:")
            lines += [f"  - '{pattern}'" for pattern in (*image.watch, *WATCH_ALL)]
        return "\n".join(lines) + "\n"


def make(case: Case, cache: Path) -> Made:
    """The repository of a case: from the cache, or made and put there."""
    ours = sorted(Path(__file__).parent.glob("*.py"))
    about = b"".join(one.read_bytes() for one in ours if one.name in _MAKING)
    key = hashlib.sha256(about).hexdigest()[:12]
    folder = cache / f"{case.name}-{key}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(f"{case.name}-{'[0-9a-f]' * len(key)}"):
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
    lines = ["version: 1", "branches: [main]", f"baseline: {case.baseline}", "", "images:"]
    for name, image in case.images.items():
        lines += [
            f"  {name}:",
            f"    dockerfile: {image.dockerfile}",
            f"    repository: ghcr.io/acme/{case.name}/{name}",
            *(["    inputs: workspace"] if image.narrowed else []),
            *(["    watch:"] if image.watch else []),
            *(f"      - {pattern}" for pattern in image.watch),
        ]
    if any(image.watch for image in case.images.values()):
        lines += ["", f"watch-all: [{', '.join(WATCH_ALL)}]"]
    return "\n".join([*lines, ""])


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
    if not case.sparse:
        git(f"--git-dir={origin}", "repack", "-a", "-d", "--quiet")
    base, head = git(f"--git-dir={origin}", "rev-parse", "main~1", "main").split()

    checkout = folder / "checkout"
    git("init", "--quiet", "--template=", "--initial-branch=main", checkout)
    git("remote", "add", "origin", f"https://github.com/acme/{case.name}", directory=checkout)
    fetch = ["fetch", "--quiet", "--no-tags", "--depth=2", f"file://{origin}"]
    git(*fetch, "+refs/heads/main:refs/remotes/origin/main", directory=checkout)
    if case.sparse:
        git("update-ref", "refs/heads/main", "refs/remotes/origin/main", directory=checkout)
        git("checkout", "--quiet", "main", "--", CONFIG, directory=checkout)
        shutil.rmtree(origin)
    else:
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
