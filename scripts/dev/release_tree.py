"""Build the release tree: what a version tag points to, made from the committed sources.

Usage: python scripts/dev/release_tree.py OUT. Each action is put also at its short path
(`detect/action.yml`, real files, byte-identical), the third-party packages go into `vendor/`, and
what no consumer needs stays out. With --bytecode PYTHON, once per interpreter of the runner images,
it also holds what those would compile at each start. The same commit makes the same bytes. Never
changes the checkout, never tags and never pushes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]

# What is shipped is listed, so that a new folder stays out until somebody decides otherwise.
SHIPPED = (
    ".gitattributes",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "action.yml",
    "actions",
    "pyproject.toml",
    "requirements",
    "scripts",
)
KEPT_BACK = ("requirements/dev.txt", "scripts/demo", "scripts/dev", "scripts/test")

# vendor/ serves every system, so only the Python sources of a wheel are taken. The wheels of one
# fixed system are asked for, or the machine that builds would decide the bytes.
VENDOR_LOCK = "requirements/preflight.txt"  # all of detect.txt, and what reads nginx's files
VENDOR_PLATFORM = ("--python-platform", "x86_64-manylinux_2_28", "--python-version", "3.10")
COMPILED = {".so", ".pyd", ".dylib", ".pyc"}
EXTENSIONS_ONLY = {"_yaml"}  # packages of a wheel that only load its compiled part
# A relative link in Markdown, and where it leads when its target is not shipped.
LINK = re.compile(r"\]\((?!https?:|#|/)(?P<path>[^)#]+)(?P<rest>#[^)]*)?\)")
ELSEWHERE = "https://github.com/org/orient-deploy-actions/blob/main"

# What a page says about files that are not shipped, with the blank line behind it.
LEFT_OUT = re.compile(
    r"^<!-- left out of a release -->\n.*?^<!-- end of what is left out -->\n\n?",
    re.MULTILINE | re.DOTALL,
)

# Only what every decision imports: each interpreter adds some 0.3 MB to the archive that every job
# downloads, and saves it some 60 ms of compiling.
COMPILED_AHEAD = ("scripts/orient_deploy", "vendor/yaml", "vendor/pathspec")
LICENCE_FILE = re.compile(r"(?i)(licen[cs]e|copying|notice|authors)")


class ReleaseError(Exception):
    """The release tree cannot be built; the message says why and what to do."""


def build(
    root: Path, out: Path, *, uncommitted: bool = False, interpreters: Sequence[str] = ()
) -> None:
    """Fill `out`, which must be empty or absent; `interpreters` are Pythons to compile for.

    Raises:
        ReleaseError: `out` is not empty, or the checkout differs from its commit and `uncommitted`
            does not allow that.
    """
    if out.exists() and any(out.iterdir()):
        raise ReleaseError(
            f"{out} is not empty: a release tree is all there is. Name a new folder."
        )
    changed = _git(root, "status", "--porcelain", "-z")
    if changed and not uncommitted:
        raise ReleaseError(
            f"{root} has changes that are not committed: a release is made from a commit. "
            "Commit them, or try with --uncommitted."
        )
    for path in _shipped_files(root):
        _copy(root / path, out / path)
        if path.parts[0] == "actions" and len(path.parts) > 2:
            _copy(root / path, out.joinpath(*path.parts[1:]))
    for page in out.rglob("*.md"):
        page.write_text(_as_released(page, out), encoding="utf-8", newline="\n")
    vendor(root / VENDOR_LOCK, out / "vendor")
    for interpreter in interpreters:
        compile_ahead(out, interpreter)


def compile_ahead(out: Path, interpreter: str) -> None:
    """Add the bytecode that `interpreter` would make of the hot path.

    Python itself checks at each import that it belongs to the source beside it: bytecode of another
    source, or of another Python, is passed over.
    """
    command = [interpreter, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash"]
    # Relative paths, so that the folder it was built in leaves no trace; a fixed seed, or sets of
    # constants would be written in another order each time.
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"}
    subprocess.run([*command, *COMPILED_AHEAD], check=True, timeout=120, cwd=out, env=environment)


def _as_released(path: Path, out: Path) -> str:
    """A Markdown file that speaks of what is shipped; links to the rest lead to the repository."""

    def whole(link: re.Match[str]) -> str:
        target = os.path.normpath(path.parent / link["path"])
        if os.path.exists(target):
            return link[0]
        return f"]({ELSEWHERE}/{Path(target).relative_to(out).as_posix()}{link['rest'] or ''})"

    return LINK.sub(whole, LEFT_OUT.sub("", path.read_text(encoding="utf-8")))


def vendor(lock: Path, out: Path) -> None:
    """Install the pure Python of every package of a lock, checked against its hashes."""
    with tempfile.TemporaryDirectory(prefix="vendor-") as folder:
        command = ["uv", "pip", "install", "--quiet", "--no-config", "--require-hashes"]
        command += ["--no-deps", "--only-binary", ":all:", *VENDOR_PLATFORM]
        command += ["--python", sys.executable, "--target", folder, "--requirement", str(lock)]
        try:
            subprocess.run(command, check=True, timeout=300)
        except FileNotFoundError:
            raise ReleaseError(
                "uv is not on PATH: it installs the packages for vendor/. Put .venv/bin, which "
                "scripts/test makes, first on PATH."
            ) from None
        installed = Path(folder)
        for source in sorted(path for path in installed.rglob("*") if path.is_file()):
            path = PurePosixPath(source.relative_to(installed).as_posix())
            top = path.parts[0]
            if top.endswith(".dist-info"):
                if LICENCE_FILE.match(path.name):
                    _copy(source, out / "licenses" / top.removesuffix(".dist-info") / path.name)
            elif _is_source(path):
                _copy(source, out / path)
        packages = sorted(
            path.name.removesuffix(".dist-info") for path in installed.glob("*.dist-info")
        )
    listing = "".join(f"- {name.replace('-', ' ')}\n" for name in packages)
    (out / "README.md").write_text(
        "# Third-party packages\n\n"
        "The Python sources of these packages, unchanged, checked against the hashes in "
        f"`{VENDOR_LOCK}`.\nTheir licences are in `licenses/`.\n\n" + listing,
        encoding="utf-8",
        newline="\n",
    )


def _is_source(path: PurePosixPath) -> bool:
    """Whether an installed file is Python source of its package: not compiled, no command."""
    if len(path.parts) == 1:
        return path.suffix == ".py"
    return path.parts[0] not in {"bin", *EXTENSIONS_ONLY} and path.suffix not in COMPILED


def size(tree: Path) -> tuple[int, int]:
    """Number of files and their bytes."""
    sizes = [path.stat().st_size for path in tree.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


def _shipped_files(root: Path) -> Iterator[PurePosixPath]:
    untracked_too = ("--cached", "--others", "--exclude-standard")
    listed = _git(root, "ls-files", "-z", *untracked_too, "--", *SHIPPED)
    for name in sorted(set(listed.decode().split("\0")) - {""}):
        path = PurePosixPath(name)
        kept_back = any(path.is_relative_to(other) for other in KEPT_BACK)
        if not kept_back and (root / path).is_file():
            yield path


def _copy(source: Path, target: Path) -> None:
    """Content and the executable bit; nothing else of a file survives a commit."""
    if source.is_symlink():
        raise ReleaseError(f"{source} is a link, which Windows unpacks as text. Make it a file.")
    if target.exists():
        raise ReleaseError(f"{target} is there already: an action has a folder's name. Rename it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def _git(root: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def main(argv: list[str]) -> int:
    """Build, and say how large it became."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="an empty or new folder")
    parser.add_argument(
        "--uncommitted", action="store_true", help="take the work tree as it is, to try it"
    )
    parser.add_argument(
        "--bytecode",
        action="append",
        default=[],
        metavar="PYTHON",
        help="compile the hot path for this interpreter too; may be repeated",
    )
    options = parser.parse_args(argv)
    try:
        build(
            ROOT,
            options.out,
            uncommitted=options.uncommitted,
            interpreters=options.bytecode,
        )
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 2
    for name in (".", "vendor"):
        files, bytes_ = size(options.out / name)
        print(f"{options.out / name}: {files} files, {bytes_ / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
