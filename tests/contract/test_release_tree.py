"""The release tree: complete, pure Python, the same bytes every time, and enough to run from."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev import lock_requirements, release_tree

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120


def contents(tree: Path) -> dict[str, tuple[str, bool]]:
    """Every file with the hash of its bytes and whether it can be executed."""
    return {
        path.relative_to(tree).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            os.access(path, os.X_OK),
        )
        for path in sorted(tree.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release tree of the work tree."""
    out = tmp_path_factory.mktemp("release") / "tree"
    release_tree.build(ROOT, out, uncommitted=True)
    return out


def test_building_twice_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    release_tree.build(ROOT, tmp_path / "again", uncommitted=True)

    assert contents(tmp_path / "again") == contents(tree)


def test_each_action_stands_also_at_its_short_path(tree: Path) -> None:
    long = contents(tree / "actions")

    assert {"detect/action.yml", "detect/README.md", "matrix/action.yml", "gate/action.yml"} <= set(
        long
    )
    assert {name: one for name, one in contents(tree).items() if name in long} == long


def test_what_a_consumer_does_not_need_stays_out(tree: Path) -> None:
    actions = {path.name for path in (ROOT / "actions").iterdir() if path.is_dir()}
    top = {path.name for path in tree.iterdir()}

    assert top - actions == {
        *(".gitattributes", "CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "action.yml"),
        *("actions", "pyproject.toml", "requirements", "scripts", "vendor"),
    }
    locks = {path.name for path in (tree / "requirements").iterdir()}
    assert locks == {"command-line.txt", "detect.txt", "preflight.txt", "sync-secrets.txt"}
    assert not {"dev", "test", "demo"} & {path.name for path in (tree / "scripts").iterdir()}


def test_links_lead_somewhere(tree: Path) -> None:
    dead = [
        f"{path.relative_to(tree)}: {link['path']}"
        for path in tree.rglob("*.md")
        if "vendor" not in path.parts
        for link in release_tree.LINK.finditer(path.read_text(encoding="utf-8"))
        if not (path.parent / link["path"]).exists()
    ]

    assert dead == []
    assert f"]({release_tree.ELSEWHERE}/docs/how-it-decides.md)" in (tree / "README.md").read_text()


def test_the_readme_speaks_of_what_is_there(tree: Path) -> None:
    here, there = ((root / "README.md").read_text(encoding="utf-8") for root in (ROOT, tree))
    program = re.compile(r"scripts/(?:demo|test)\b")

    assert program.search(here)
    assert not program.search(there)
    assert "left out" not in there
    assert "\n\n\n" not in there


def test_vendor_holds_python_and_licences_only(tree: Path) -> None:
    vendor = tree / "vendor"
    packages = {path.name for path in vendor.iterdir()}
    pins = lock_requirements.read_lock((ROOT / release_tree.VENDOR_LOCK).read_text())
    licences = {path.name for path in (vendor / "licenses").iterdir()}
    suffixes = {path.suffix for path in vendor.rglob("*") if path.is_file()}

    assert {"crossplane", "yaml", "pathspec", "requests", "urllib3", "idna", "certifi"} <= packages
    assert not packages & {"_yaml", "bin", "__pycache__"}
    assert not suffixes & {".so", ".pyd", ".dylib", ".pyc", ".exe"}
    assert licences == {f"{pin.name.replace('-', '_')}-{pin.version}" for pin in pins}
    assert all(any(folder.iterdir()) for folder in (vendor / "licenses").iterdir())


def test_vendored_packages_work_without_anything_installed(tree: Path) -> None:
    program = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "import charset_normalizer, pathspec, requests, yaml\n"
        "assert not yaml.__with_libyaml__\n"
        "assert yaml.safe_load('a: [1]') == {'a': [1]}\n"
        "assert charset_normalizer.from_bytes('é'.encode()).best()\n"
        "print(*sorted({m.__file__.startswith(sys.argv[1]) for m in (yaml, requests, pathspec)}))\n"
    )

    result = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program, str(tree / "vendor")],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert result.stdout == "True\n", result.stderr


def test_bytecode_is_the_same_every_time_and_belongs_to_its_source(
    tree: Path, tmp_path: Path
) -> None:
    trees = [tmp_path / "one", tmp_path / "two"]
    for each in trees:
        shutil.copytree(tree, each)
        release_tree.compile_ahead(each, sys.executable)
    compiled = list(trees[0].rglob("*.pyc"))

    assert contents(trees[0]) == contents(trees[1])
    assert {path.parents[1].relative_to(trees[0]).parts[0] for path in compiled} == {
        "scripts",
        "vendor",
    }
    # PEP 552: bit 0 says that a hash stands for the time, bit 1 that Python is to check it.
    assert {path.read_bytes()[4] for path in compiled} == {3}
    assert not any(str(tmp_path).encode() in path.read_bytes() for path in compiled)


def test_a_released_entrypoint_installs_and_writes_nothing(tree: Path, tmp_path: Path) -> None:
    bash, python = shutil.which("bash"), tmp_path / "bin" / "python3"
    assert bash is not None
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (python.parent / "bash").symlink_to(bash)
    before = contents(tree)

    result = subprocess.run(
        [str(tree / "scripts" / "run"), "--version"],
        env={"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert (result.returncode, result.stdout[:14]) == (0, "orient-deploy "), result.stderr
    assert not (tmp_path / "home").exists()
    assert contents(tree) == before


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small committed checkout with an action."""
    root = tmp_path / "checkout"
    for name in ("actions/detect/action.yml", "action.yml", "scripts/run", "scripts/dev/x.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name}\n")
    (root / "scripts" / "run").chmod(0o755)
    (root / "requirements").mkdir()
    shutil.copy(ROOT / release_tree.VENDOR_LOCK, root / "requirements")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "One")
    return root


def test_a_committed_checkout_is_taken(checkout: Path, tmp_path: Path) -> None:
    release_tree.build(checkout, tmp_path / "out")

    assert (tmp_path / "out" / "detect" / "action.yml").read_text() == "actions/detect/action.yml\n"
    assert contents(tmp_path / "out")["scripts/run"][1]
    assert not contents(tmp_path / "out")["action.yml"][1]
    assert not (tmp_path / "out" / "scripts" / "dev").exists()


def test_changes_that_are_not_committed_are_refused(checkout: Path, tmp_path: Path) -> None:
    (checkout / "action.yml").write_text("changed\n")

    with pytest.raises(release_tree.ReleaseError, match="has changes that are not committed"):
        release_tree.build(checkout, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_refused(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine\n")

    with pytest.raises(release_tree.ReleaseError, match="is not empty"):
        release_tree.build(checkout, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_an_action_that_would_hide_a_folder_is_refused(checkout: Path, tmp_path: Path) -> None:
    (checkout / "actions" / "scripts").mkdir()
    (checkout / "actions" / "scripts" / "run").write_text("not the launcher\n")

    with pytest.raises(release_tree.ReleaseError, match="is there already"):
        release_tree.build(checkout, tmp_path / "out", uncommitted=True)


def test_a_link_is_refused(checkout: Path, tmp_path: Path) -> None:
    (checkout / "actions" / "detect" / "README.md").symlink_to("action.yml")

    with pytest.raises(release_tree.ReleaseError, match="is a link"):
        release_tree.build(checkout, tmp_path / "out", uncommitted=True)
