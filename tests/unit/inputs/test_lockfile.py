"""The part of a lockfile that counts for some packages of a workspace, whatever its format."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.inputs.lockfile import read_lock
from orient_deploy.inputs.lockfile.lock import Lock, LockProblem
from tests.fakes.pnpm_lock import integrity, pnpm_lock

Graph = Mapping[str, list[tuple[str, str]]]  # by package: names and versions


def lock_of(content: str, path: str = "pnpm-lock.yaml") -> Lock:
    lock = read_lock(path, content.encode())
    assert isinstance(lock, Lock), lock
    return lock


SMALL = pnpm_lock(
    {
        ".": [("lint", "^1.0.0", "1.0.0")],
        "packages/core": [("yaml", "^2.0.0", "2.1.0")],
        "packages/web": [
            ("@acme/core", "workspace:*", "link:../core"),
            ("react", "^18.0.0", "18.2.0"),
        ],
    },
    {
        "lint@1.0.0": [],
        "loose@1.0.0": [],
        "react@18.2.0": [("loose", "1.0.0")],
        "yaml@2.1.0": [],
    },
)


def test_a_digest_is_what_its_description_says() -> None:
    """Computed a second time, from the docstring of `Lock.closure`."""

    def joined(*texts: str) -> bytes:
        return b"".join(text.encode() + b"\0" for text in texts)

    def entry(section: str, key: str, text: str) -> bytes:
        return joined(section, key, hashlib.sha256(text.encode()).hexdigest())

    def package(key: str, below: str) -> bytes:
        about = f"\n    resolution: {{integrity: sha512-{integrity(key)}}}"
        return entry("snapshots", key, f"{about}\n    engines: {{node: '>=18'}}{below}")

    def asked(name: str, specifier: str, version: str) -> str:
        return f"\n      {name}:\n        specifier: {specifier}\n        version: {version}"

    core = "\n    dependencies:" + asked("yaml", "^2.0.0", "2.1.0")
    root = "\n    dependencies:" + asked("lint", "^1.0.0", "1.0.0")
    told = (
        joined("orient-deploy-lock 1", "pnpm 9.0", "settings", "\n  autoInstallPeers: true")
        + entry("importers", ".", root)
        + entry("importers", "packages/core", core)
        + package("lint@1.0.0", " {}")
        + package("yaml@2.1.0", " {}")
    )

    assert lock_of(SMALL).closure(["packages/core"]) == hashlib.sha256(told).hexdigest()


def test_a_digest_is_the_same_everywhere() -> None:
    """On every Python that CI runs."""
    found = lock_of(SMALL).closure(["packages/core", "packages/web"])

    assert found == "d51ba9f4cd16daa5575d7c507f55ab1cdf904c618f3342dc10a767bf619aa523"


def test_the_root_counts_for_every_package() -> None:
    changed = SMALL.replace("specifier: ^1.0.0", "specifier: ^1.0.1")
    before, after = lock_of(SMALL), lock_of(changed)

    assert {one for one in before.importers if before.closure([one]) == after.closure([one])} == (
        set()
    )


def test_the_order_of_asking_does_not_count() -> None:
    one, other = lock_of(SMALL), lock_of(SMALL)
    one.closure(["packages/unknown"])

    assert one.closure(["packages/core", "packages/web"]) == other.closure(
        ["packages/web", "packages/core", "."]
    )


def test_links_are_told_and_not_followed() -> None:
    lock = lock_of(SMALL)

    assert lock.workspace_links("packages/web") == ("packages/core",)
    assert lock.workspace_links("packages/core") == ()
    assert ("snapshots", "yaml@2.1.0") not in lock.entries(["packages/web"])


def test_an_unknown_importer_counts_by_its_name() -> None:
    lock = lock_of(SMALL)

    assert ("importers", "packages/new") in lock.entries(["packages/new"])
    assert lock.closure(["packages/new"]) not in (lock.closure([]), lock.closure(["packages/old"]))


def test_a_long_chain_is_walked() -> None:
    """Deeper than Python's own stack."""
    names = [f"p{number}" for number in range(3000)]
    packages: Graph = {
        f"{name}@1.0.0": [(following, "1.0.0")]
        for name, following in zip(names, [*names[1:], "end"], strict=True)
    }
    lock = lock_of(pnpm_lock({".": [("p0", "1", "1.0.0")]}, packages))

    assert len(lock.entries([])) == 3002


_NUMBERS = st.integers(min_value=0, max_value=7)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What importers and packages need, by name; circles and gaps included."""
    some = st.lists(_NUMBERS.map("p{}".format), max_size=3, unique=True)
    packages = draw(st.dictionaries(_NUMBERS.map("p{}".format), some, max_size=8))
    importers = draw(
        st.dictionaries(st.sampled_from([".", "a", "b/c", "d"]), some, min_size=1, max_size=4)
    )
    return importers, packages


def written(importers: Mapping[str, list[str]], packages: Mapping[str, list[str]]) -> str:
    return pnpm_lock(
        {one: [(name, "*", "1.0.0") for name in names] for one, names in importers.items()},
        {f"{one}@1.0.0": [(name, "1.0.0") for name in names] for one, names in packages.items()},
    )


def reached(start: list[str], packages: Mapping[str, list[str]]) -> set[str]:
    found, pending = set(start), list(start)
    while pending:
        for name in packages.get(pending.pop(), []):
            if name not in found:
                found.add(name)
                pending.append(name)
    return found


@given(graphs())
def test_what_counts_is_what_a_walk_reaches(
    graph: tuple[dict[str, list[str]], dict[str, list[str]]],
) -> None:
    importers, packages = graph
    lock = lock_of(written(importers, packages))

    for importer in importers:
        start = [*importers[importer], *importers.get(".", [])]
        names = {
            key.partition("@")[0]
            for section, key in lock.entries([importer])
            if section == "snapshots"
        }
        assert names == reached(start, packages)


@given(graphs(), st.data())
def test_a_package_outside_never_counts_and_one_inside_always(
    graph: tuple[dict[str, list[str]], dict[str, list[str]]], data: st.DataObject
) -> None:
    importers, packages = graph
    if not packages:
        return
    content = written(importers, packages)
    name = data.draw(st.sampled_from(sorted(packages)))
    what = data.draw(st.sampled_from(["integrity", "edge", "removed", "engines"]))
    if what == "edge":
        changed = written(importers, {**packages, name: [*packages[name], "p9"]})
    elif what == "removed":
        changed = written(importers, {one: packages[one] for one in packages if one != name})
    else:
        start = content.index(f"\n  {name}@1.0.0:\n", content.index("packages:"))
        at = content.index("sha512-" if what == "integrity" else ">=18", start) + 3
        changed = f"{content[:at]}x{content[at + 1 :]}"
    before, after = lock_of(content), lock_of(changed)

    for importer in importers:
        start_names = [*importers[importer], *importers.get(".", [])]
        counts = name in reached(start_names, packages)
        assert (before.closure([importer]) != after.closure([importer])) is counts


@given(graphs(), st.data())
def test_every_byte_of_what_is_inside_counts(
    graph: tuple[dict[str, list[str]], dict[str, list[str]]], data: st.DataObject
) -> None:
    """Of names, versions, hashes and edges; what breaks the shape is a problem instead."""
    importers, packages = graph
    inside = sorted(reached(importers.get(".", []), packages) & packages.keys())
    if not inside:
        return
    content = written(importers, packages)
    name = data.draw(st.sampled_from(inside))
    section = content.index(data.draw(st.sampled_from(["\npackages:", "\nsnapshots:"])))
    start = content.index(f"\n  {name}@1.0.0:", section)
    end = (content + "\n\n").index("\n\n", start)
    places = [at for at in range(start, end) if content[at].isalnum()]
    at = data.draw(st.sampled_from(places))

    after = read_lock("pnpm-lock.yaml", f"{content[:at]}Z{content[at + 1 :]}".encode())

    assert isinstance(after, LockProblem) or after.closure([]) != lock_of(content).closure([])


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        pytest.param("bun.lock", b"{}", "unknown kind", id="bun"),
        pytest.param("pnpm-lock.yaml", b"\xff", "not UTF-8", id="bytes"),
        pytest.param("pnpm-lock.yaml", b"", "empty", id="empty"),
        pytest.param(
            "web/pnpm-lock.yaml",
            b"lockfileVersion: '9.0'\n\n<<<<<<< HEAD\nsettings: {}\n=======\n>>>>>>> main\n",
            "line 3 is a merge conflict",
            id="conflict",
        ),
        pytest.param("yarn.lock", b"<<<<<<< HEAD\n", "line 1 is a merge conflict", id="at-once"),
        pytest.param("package-lock.json", b"{", "not JSON", id="no-json"),
        pytest.param("package-lock.json", b"[" * 100_000, "not JSON", id="deep-json"),
    ],
)
def test_what_cannot_be_read_says_why(path: str, content: bytes, why: str) -> None:
    problem = read_lock(path, content)

    assert isinstance(problem, LockProblem)
    assert why in problem.why


def test_line_ends_and_a_mark_of_the_byte_order_do_not_count() -> None:
    windows = b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode()
    lock = read_lock("pnpm-lock.yaml", windows)

    assert isinstance(lock, Lock)
    assert lock.closure(["packages/web"]) == lock_of(SMALL).closure(["packages/web"])
