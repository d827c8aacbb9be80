"""The rooms of the library know of each other what docs/architecture.md says, and no more.

Every import counts, also one inside a function.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "orient_deploy"
LIBRARY = ROOT / "scripts" / PACKAGE
# These stand beside the rooms, for all of them.
BESIDE = {"errors", "hidden", "record", "text"}
ROOMS = {path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file()}

# What a room may import of others at run time. `commands` wires all and is imported by none.
EDGES = {
    "advise": {
        *("config", "config.globs", "config.load", "config.model", "config.problem"),
        *("history.model", "inputs.dockerfile", "inputs.images", "inputs.patterns"),
        *("inputs.stages", "inputs.variables", "plan.decide", "plan.facts", "plan.model"),
        *("plan.refs", "plan.report", "plan.wording", "runner"),
    },
    "buildx": {"plan.report", "registry.manifest", "registry.reference"},
    "config": set(),
    "engine": {"health.observation"},
    "github": set(),
    "health": {"plan.report", "plan.wording"},
    "history": {"runner.event"},
    "inputs": {"config.model"},
    "plan": {
        *("config", "config.model", "history.model"),
        *("inputs.digest", "inputs.patterns", "inputs.positions"),
    },
    "preflight": {
        *("config.nodes", "config.problem", "inputs.dockerfile", "inputs.lockfile"),
        *("inputs.stages", "inputs.tree", "inputs.variables", "inputs.workspace"),
        *("plan.report", "plan.wording"),
        *("stack.project", "stack.references", "stack.resources"),
    },
    "probe": {"health.observation"},
    "registry": set(),
    "release": {"plan.report", "plan.wording"},
    "runner": set(),
    "server": set(),
    "secrets": {"plan.report", "plan.wording", "stack.compose"},
    "stack": set(),
    "symptoms": {"plan.report", "plan.wording"},
}
# What it may name besides, for type checkers only.
TYPES = {
    **dict.fromkeys(EDGES, frozenset[str]()),
    "advise": {"inputs.tree"},
    "engine": {"server.ssh"},
    "secrets": {"config.model"},
    "preflight": {"config.model", "inputs.reads", "server.host_facts", "stack.nginx"},
    "plan": {"github.model", "inputs.images", "inputs.reads", "inputs.tree", "runner"},
}
PURE = ("health", "inputs", "plan", "preflight", "release", "symptoms")
# All that the pure rooms import besides: nothing that touches files, processes or networks.
HARMLESS = {
    *("__future__", "bisect", "collections", "collections.abc", "dataclasses", "difflib"),
    *(
        "functools",
        "hashlib",
        "itertools",
        "json",
        "os.path.commonprefix",
        "re",
        "shlex",
        "types",
        "typing",
    ),
    "urllib.parse",
    *("pathspec.pattern", "pathspec.util", "yaml"),
    *("posixpath.basename", "posixpath.dirname", "posixpath.join", "posixpath.normpath"),
}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a module imports, and whether only for type checkers."""
    yield from _imports(ast.parse(path.read_text(encoding="utf-8")), types=False)


def _imports(node: ast.AST, *, types: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Import):
        for one in node.names:
            yield one.name, types
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0 and node.module, "imports name the whole path"
        for one in node.names:
            inner = f"{node.module}.{one.name}"
            # `from package import module` names a module; anything else a thing in one.
            named = node.module == PACKAGE or _is_module(inner)
            paths = node.module in ("os.path", "posixpath")  # some of these read folders
            yield (inner if named or paths else node.module), types
    elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        for statement in node.body:
            yield from _imports(statement, types=True)
        for statement in node.orelse:
            yield from _imports(statement, types=types)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, types=types)


def _is_module(name: str) -> bool:
    path = ROOT.joinpath("scripts", *name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def modules(room: str) -> list[Path]:
    """The modules of a room, or of what stands beside the rooms."""
    found = sorted((LIBRARY / room).rglob("*.py")) or [LIBRARY / f"{room}.py"]
    assert found[0].is_file()
    return found


def edges(room: str, *, types: bool) -> set[str]:
    """The modules of other rooms that a room imports, without the name of the library."""
    found = set()
    for path in modules(room):
        for name, for_types in imports(path):
            head, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if head == PACKAGE and other != room and other not in BESIDE and for_types is types:
                found.add(rest)
    return found


def test_every_room_is_in_the_table() -> None:
    assert {"commands", *EDGES} == ROOMS
    assert {path.stem for path in LIBRARY.glob("*.py")} == {"__init__", "start", *BESIDE}


@pytest.mark.parametrize("room", sorted(EDGES))
def test_a_room_imports_what_the_table_says(room: str) -> None:
    assert edges(room, types=False) - EDGES[room] == set()
    assert edges(room, types=True) - EDGES[room] - TYPES[room] == set()


@pytest.mark.parametrize("name", sorted(BESIDE))
def test_what_stands_beside_the_rooms_imports_none(name: str) -> None:
    found = {one for one, _ in imports(LIBRARY / f"{name}.py") if one.startswith(PACKAGE)}

    assert found == set()


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_imports_nothing_that_acts(room: str) -> None:
    found = {name for path in modules(room) for name, _ in imports(path)}

    assert {name for name in found if not name.startswith(f"{PACKAGE}.")} <= HARMLESS


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_opens_nothing(room: str) -> None:
    """What needs no import."""
    acting = {"open", "print", "input", "exec", "eval", "__import__"}
    found = {
        f"{path.name}:{node.lineno}"
        for path in modules(room)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in acting
    }

    assert found == set()


def test_the_page_shows_the_table() -> None:
    """docs/architecture.md says of each room which others it imports."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", page, re.MULTILINE))

    assert rows.keys() == ROOMS
    for room, named in EDGES.items():
        others = {name.partition(".")[0] for name in (*named, *TYPES[room])}
        assert set(re.findall(r"`(\w+)`", rows[room])) == others, room


def test_an_import_is_seen_wherever_it_stands(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import os, orient_deploy.plan.gate\n"
        "from orient_deploy.config import load, ConfigError\n"
        "if TYPE_CHECKING:\n    from orient_deploy.runner import Event\n"
        "def f():\n    from orient_deploy import history\n"
    )

    assert set(imports(module)) == {
        ("os", False),
        ("orient_deploy.plan.gate", False),
        ("orient_deploy.config.load", False),
        ("orient_deploy.config", False),
        ("orient_deploy.runner", True),
        ("orient_deploy.history", False),
    }
