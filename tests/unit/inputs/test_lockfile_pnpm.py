"""What is read in a pnpm-lock.yaml, against a YAML parser and against what pnpm itself writes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from orient_deploy.inputs.lockfile import read_lock
from orient_deploy.inputs.lockfile.lock import Lock, LockProblem, Unread
from tests.fakes.npm_registry import NpmRegistry
from tests.fakes.pnpm_lock import pnpm_lock
from tests.oracles import node_tools
from tests.oracles.yaml_locks import our_reading, yaml_reading

PATH = "pnpm-lock.yaml"


def lock_of(content: str) -> Lock:
    lock = read_lock(PATH, content.encode())
    assert isinstance(lock, Lock), lock
    return lock


def sections(content: str) -> set[str]:
    return {section for section, _ in lock_of(content).entries([])}


# --- the shape ----------------------------------------------------------------------------------

NINE = """\
lockfileVersion: '9.0'

settings:
  autoInstallPeers: true

catalogs:
  default:
    react:
      specifier: ^18.0.0
      version: 18.2.0
    vue:
      specifier: ^3.0.0
      version: 3.4.0
  old:
    react:
      specifier: ^17.0.0
      version: 17.0.2

overrides:
  tar: 7.1.0

patchedDependencies:
  is-odd@3.0.1:
    hash: 6e5a
    path: patches/is-odd@3.0.1.patch
  vue:
    hash: 77aa
    path: patches/vue.patch

importers:

  .: {}

  packages/core:
    dependencies:
      '@scope/thing':
        specifier: 1.0.0
        version: 1.0.0(react@18.2.0)
      react:
        specifier: 'catalog:'
        version: 18.2.0
    devDependencies:
      odd:
        specifier: npm:is-odd@3.0.1
        version: is-odd@3.0.1(patch_hash=6e5a)
    optionalDependencies:
      fast:
        specifier: ^2.0.0
        version: 2.0.0

  packages/site:
    dependencies:
      '@acme/core':
        specifier: workspace:*
        version: link:../core
      built:
        specifier: workspace:*
        version: link:../core/dist
      copied:
        specifier: workspace:*
        version: file:packages/kit(react@17.0.2)
      react:
        specifier: catalog:old
        version: 17.0.2

  packages/kit: {}

packages:

  '@scope/thing@1.0.0':
    resolution: {integrity: sha512-1111}
    peerDependencies:
      react: '*'

  copied@file:packages/kit:
    resolution: {directory: packages/kit, type: directory}

  fast@2.0.0:
    resolution: {integrity: sha512-2222}
    os: [linux]
    deprecated: |-
      Do not use it.

        dependencies:
          nothing: 1.0.0

  is-odd@3.0.1:
    resolution: {integrity: sha512-3333}

  react@17.0.2:
    resolution: {integrity: sha512-4444}

  react@18.2.0:
    resolution: {integrity: sha512-5555}

snapshots:

  '@scope/thing@1.0.0(react@18.2.0)':
    dependencies:
      react: 18.2.0

  copied@file:packages/kit(react@17.0.2):
    dependencies:
      '@acme/site': link:packages/site
      react: 17.0.2

  fast@2.0.0:
    optional: true

  is-odd@3.0.1(patch_hash=6e5a): {}

  react@17.0.2: {}

  react@18.2.0: {}
"""

# As pnpm 8 writes one package alone.
SIX = """\
lockfileVersion: '6.0'

settings:
  autoInstallPeers: true

dependencies:
  '@scope/thing':
    specifier: ^1.0.0
    version: 1.0.0(react@18.2.0)
  copy:
    specifier: npm:react@18.2.0
    version: /react@18.2.0

devDependencies:
  tool:
    specifier: github:acme/tool
    version: github.com/acme/tool/1f2e3d

packages:

  /@scope/thing@1.0.0(react@18.2.0):
    resolution: {integrity: sha512-1111}
    peerDependencies:
      react: '*'
    dependencies:
      react: 18.2.0
    dev: false

  /react@18.2.0:
    resolution: {integrity: sha512-5555}
    dev: false

  /unused@1.0.0:
    resolution: {integrity: sha512-6666}

  github.com/acme/tool/1f2e3d:
    resolution: {tarball: https://codeload.example.com/acme/tool/tar.gz/1f2e3d}
    name: tool
    version: 1.0.0
    dev: true
"""


@pytest.mark.parametrize("content", [NINE, SIX], ids=["nine", "six"])
def test_a_reading_is_that_of_a_yaml_parser(content: str) -> None:
    asked, needed, _ = yaml_reading(content)

    assert our_reading(lock_of(content)) == (asked, needed)
    assert sum(map(len, needed.values())) > 0


def test_a_lockfile_that_somebody_had_formatted_is_read_alike() -> None:
    """With other quotes, and blanks inside braces."""
    content = NINE.replace("'", '"').replace("{", "{ ").replace("}", " }").replace("{  }", "{}")
    asked, needed, _ = yaml_reading(content)
    lock = lock_of(content)

    assert our_reading(lock) == (asked, needed) == our_reading(lock_of(NINE))
    assert lock.entries(lock.importers) == lock_of(NINE).entries(lock.importers)


def test_each_kind_of_version_leads_where_it_belongs() -> None:
    lock = lock_of(NINE)

    assert {entry for entry in lock.entries(["packages/core"]) if entry[0] != "importers"} == {
        ("catalogs", "default react"),
        ("patchedDependencies", "is-odd@3.0.1"),
        ("snapshots", "@scope/thing@1.0.0(react@18.2.0)"),
        ("snapshots", "fast@2.0.0"),
        ("snapshots", "is-odd@3.0.1(patch_hash=6e5a)"),
        ("snapshots", "react@18.2.0"),
    }
    assert {entry for entry in lock.entries(["packages/site"]) if entry[0] != "importers"} == {
        ("catalogs", "old react"),
        ("snapshots", "copied@file:packages/kit(react@17.0.2)"),
        ("snapshots", "react@17.0.2"),
    }


def test_a_link_leads_to_a_package_however_it_is_spelt() -> None:
    """By its folder, by the folder that it publishes, copied in, and by what was copied in."""
    lock = lock_of(NINE)

    assert lock.workspace_links("packages/site") == ("packages/core", "packages/kit")
    assert lock.workspace_links("packages/core") == ()


def test_a_package_alone_is_the_root() -> None:
    lock = lock_of(SIX)

    assert lock.importers == {"."}
    assert {key for section, key in lock.entries([]) if section == "packages"} == {
        "/@scope/thing@1.0.0(react@18.2.0)",
        "/react@18.2.0",
        "github.com/acme/tool/1f2e3d",
    }


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        pytest.param("autoInstallPeers: true", "autoInstallPeers: false", "all", id="settings"),
        pytest.param("tar: 7.1.0", "tar: 7.1.1", "all", id="override"),
        pytest.param(
            "importers:", "pnpmfileChecksum: 1f2e\n\nimporters:", "all", id="pnpmfile-added"
        ),
        pytest.param("  .: {}", "  .:\n    publishDirectory: dist", "all", id="root"),
        pytest.param(
            "lockfileVersion: '9.0'\n",
            "---\nlockfileVersion: '9.0'\n\n---\nlockfileVersion: '9.0'\n",
            "all",
            id="document-of-pnpm-itself",
        ),
        pytest.param("specifier: ^18.0.0", "specifier: ^18.1.0", "core", id="catalog"),
        pytest.param("specifier: ^3.0.0", "specifier: ^3.1.0", "none", id="catalog-not-used"),
        pytest.param("specifier: ^17.0.0", "specifier: ^17.0.1", "site", id="named-catalog"),
        pytest.param("hash: 6e5a", "hash: 6e5b", "core", id="patch"),
        pytest.param("hash: 77aa", "hash: 77ab", "none", id="patch-of-nothing"),
        pytest.param("specifier: 1.0.0", "specifier: ~1.0.0", "core", id="specifier"),
        pytest.param("sha512-5555", "sha512-555a", "core", id="integrity"),
        pytest.param("sha512-4444", "sha512-444a", "site", id="integrity-of-the-other"),
        pytest.param("os: [linux]", "os: [darwin]", "core", id="platforms"),
        pytest.param("    optional: true\n", "", "core", id="optional"),
        pytest.param(
            "'@acme/site': link:packages/site", "'@acme/site': link:packages/kit", "site", id="link"
        ),
        pytest.param("Do not use it.", "Please do.", "none", id="deprecated"),
        pytest.param("{integrity: sha512-5555}", "{ integrity: sha512-5555 }", "none", id="blanks"),
        pytest.param("\nsnapshots:\n\n", "\nsnapshots:\n", "none", id="blank-line"),
        pytest.param("'catalog:'", '"catalog:"', "core", id="quotes"),
    ],
)
def test_what_a_change_counts_for(old: str, new: str, counts: str) -> None:
    assert NINE.count(old) >= 1
    before, after = lock_of(NINE), lock_of(NINE.replace(old, new, 1))
    folders = {"core": "packages/core", "site": "packages/site", "kit": "packages/kit"}

    changed = {
        name
        for name, folder in folders.items()
        if before.closure([folder]) != after.closure([folder])
    }

    assert changed == {"all": set(folders), "none": set()}.get(counts, {counts})


def test_the_time_of_a_package_counts_where_it_is_installed() -> None:
    """pnpm writes it down where the way of resolving goes by it."""
    content = f"{NINE}\ntime:\n  react@17.0.2: '2021-03-22T21:56:19.536Z'\n"
    before, after = lock_of(content), lock_of(content.replace("2021", "2022"))

    assert before.closure(["packages/site"]) != after.closure(["packages/site"])
    assert before.closure(["packages/core"]) == after.closure(["packages/core"])


@pytest.mark.parametrize("said", ["directory: &here packages/kit, ", ""])
def test_a_folder_that_is_not_said_as_pnpm_says_it_is_refused(said: str) -> None:
    content = NINE.replace("directory: packages/kit, ", said)

    assert isinstance(read_lock(PATH, content.encode()), LockProblem)


def test_a_catalog_counts_for_all_where_an_override_uses_it() -> None:
    content = NINE.replace("tar: 7.1.0", "tar: 'catalog:'")
    before = lock_of(content)
    after = lock_of(content.replace("specifier: ^3.0.0", "specifier: ^3.1.0"))

    assert before.closure([]) != after.closure([])


def test_an_edge_that_moves_counts_although_no_package_comes_or_goes() -> None:
    """Both versions are installed before and after; only who gets which differs."""
    importers = {".": [("a", "1", "1.0.0"), ("b", "1", "1.0.0")]}
    packages = {"a@1.0.0": [("c", "1.0.0")], "b@1.0.0": [("c", "2.0.0")], "c@1.0.0": []}
    before = pnpm_lock(importers, {**packages, "c@2.0.0": []})
    after = before.replace("c: 1.0.0", "c: 3").replace("c: 2.0.0", "c: 1.0.0")
    after = after.replace("c: 3", "c: 2.0.0")

    assert lock_of(before).entries([]) == lock_of(after).entries([])
    assert lock_of(before).closure([]) != lock_of(after).closure([])


def test_a_dangling_edge_counts_by_its_name() -> None:
    content = pnpm_lock({".": [("a", "1", "1.0.0")]}, {"a@1.0.0": [("gone", "1.0.0")]})
    lock = lock_of(content)

    assert ("snapshots", "gone@1.0.0") in lock.entries([])
    assert lock.closure([]) != lock_of(content.replace("gone: 1.0.0", "gone: 1.0.1")).closure([])


def test_a_snapshot_without_its_package_counts_too() -> None:
    content = NINE.replace("  react@18.2.0:\n    resolution: {integrity: sha512-5555}\n\n", "")

    assert ("packages", "react@18.2.0") in lock_of(content).entries(["packages/core"])


def test_a_long_key_is_read() -> None:
    """Beyond 1,024 characters YAML has another form of keys, and many peers make long ones."""
    peers = "".join(f"(peer-{number}@1.0.0)" for number in range(80))
    key = f"'@scope/wide@1.0.0{peers}'"
    content = (
        "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      '@scope/wide':\n"
        f"        specifier: 1.0.0\n        version: 1.0.0{peers}\n\nsnapshots:\n\n"
        f"  ? {key}\n  : dependencies:\n      a: 1.0.0\n\n  ? {key.replace('wide', 'wild')}\n"
        "  : {}\n\n  a@1.0.0: {}\n"
    )
    asked, needed, _ = yaml_reading(content)

    assert our_reading(lock_of(content)) == (asked, needed)
    assert ("snapshots", "a@1.0.0") in lock_of(content).entries([])


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        pytest.param("'9.0'", "5.4", "version '5.4'", id="older"),
        pytest.param("'9.0'", "'10.0'", "version '10.0'", id="newer"),
        pytest.param("lockfileVersion: '9.0'", "", "names no version", id="no-version"),
        pytest.param("settings:", "settings: &here", None, id="anchor-in-a-setting"),
        pytest.param("react@18.2.0: {}", "react@18.2.0: *here", "in one line", id="alias"),
        pytest.param("  .: {}", "  .: {dependencies: {}}", "names are expected", id="flow"),
        pytest.param(
            "    dependencies:\n      react: 18.2.0",
            "    dependencies: {react: 18.2.0}",
            "dependencies: {react: 18.2.0}",
            id="flow-of-dependencies",
        ),
        pytest.param(
            "    dependencies:\n      react: 18.2.0",
            "   dependencies:\n      react: 18.2.0",
            "'dependencies:'",
            id="three-blanks",
        ),
        pytest.param(
            "    dependencies:\n      react: 18.2.0",
            "    dependencies:\n        react: 18.2.0",
            "'react: 18.2.0'",
            id="eight-blanks",
        ),
        pytest.param("      react: 17.0.2", "\treact: 17.0.2", "react: 17.0.2'", id="tab"),
        pytest.param("react: 18.2.0", "react: 18.2.0 # pinned", "# pinned", id="comment"),
        pytest.param("react: 18.2.0", "react: >-\n        18.2.0", "'>-'", id="folded"),
        pytest.param(
            "  react@17.0.2: {}", "  &here react@17.0.2: {}", "where a name is", id="odd-name"
        ),
        pytest.param("react: 18.2.0", "react:", "where a version is expected", id="nothing"),
        pytest.param("react: 18.2.0", '"re\\x61ct": 18.2.0', "\\x61", id="escape"),
        pytest.param("  react@17.0.2: {}", "  react@18.2.0: {}", "twice", id="twice"),
        pytest.param("snapshots:", "packages:", "'packages:'", id="section-twice"),
        pytest.param("importers:", "- importers:", "'- importers:'", id="list"),
        pytest.param("        version: 1.0.0(react@18.2.0)\n", "", "it says specifier", id="half"),
    ],
)
def test_another_shape_is_refused(old: str, new: str, why: str | None) -> None:
    assert old in NINE
    found = read_lock(PATH, NINE.replace(old, new, 1).encode())

    if why is None:  # nothing that matters to us stands there
        assert isinstance(found, Lock)
    else:
        assert isinstance(found, LockProblem)
        assert why in found.why


_NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=6
) | st.sampled_from(["@a/b", "a: b", "a #b", "#a", "'a'", '"', "a:", "-", "- a", "~", "null", "{}"])
_VERSIONS = _NAMES | st.sampled_from(["1.0.0", "link:../b", "file:b.tgz", "1.0", "0x10", "yes"])


@given(
    st.dictionaries(_NAMES, st.dictionaries(_NAMES, _VERSIONS, max_size=3), max_size=4),
    st.dictionaries(_NAMES, st.dictionaries(_NAMES, _VERSIONS, max_size=3), max_size=4),
)
@example({}, {"0": {"-;": "0"}})
def test_what_another_writer_of_yaml_writes_is_read_as_yaml_or_refused(
    importers: Mapping[str, Mapping[str, str]], packages: Mapping[str, Mapping[str, str]]
) -> None:
    """PyYAML has habits of its own about quotes, and these names need them."""
    said = {
        "lockfileVersion": "9.0",
        "importers": {
            folder: {
                "dependencies": {
                    name: {"specifier": version, "version": version}
                    for name, version in asked.items()
                }
            }
            for folder, asked in importers.items()
        },
        "snapshots": {
            key: {"dependencies": dict(needed)} if needed else {}
            for key, needed in packages.items()
        },
    }
    content = yaml.safe_dump(said, sort_keys=False, width=100_000, allow_unicode=True)
    found = read_lock(PATH, content.encode())

    if isinstance(found, Lock):
        asked, needed, _ = yaml_reading(content)
        with suppress(Unread):  # a package that no importer reaches is read only here
            assert our_reading(found) == (asked, needed)


# --- what pnpm writes ---------------------------------------------------------------------------


def registry_of(chance: random.Random) -> dict[str, dict[str, dict[str, Any]]]:
    """Packages that need each other in circles, have peers, and are deprecated in many lines."""
    names = [f"lib-{number}" for number in range(6)] + ["@scope/kit", "@scope/tool"]
    packages: dict[str, dict[str, dict[str, Any]]] = {}
    for name in names:
        packages[name] = {}
        for version in ("1.0.0", "1.2.0", "2.0.0-beta.1"):
            about: dict[str, Any] = {}
            for group in ("dependencies", "optionalDependencies", "peerDependencies"):
                others = chance.sample(names, chance.choice([0, 0, 1, 2]))
                about[group] = {other: chance.choice(["*", "^1.0.0"]) for other in others}
            if chance.random() < 0.3:
                about["deprecated"] = "Look: 'elsewhere'.\n\n    dependencies:\n      a: b # c"
            if chance.random() < 0.3:
                about["engines"] = {"node": ">=0.10"}
            packages[name][version] = about
    return packages


def workspace_of(chance: random.Random, folder: Path, names: list[str]) -> None:
    """Packages that link to each other in each of the ways of pnpm."""
    folder.mkdir()
    count = 5
    (folder / "pnpm-workspace.yaml").write_text(
        "packages: ['packages/*']\ncatalog: {lib-0: ^1.0.0}\ncatalogs: {old: {lib-1: 1.0.0}}\n"
        "overrides: {lib-5: 1.0.0}\n"
    )
    for number in range(-1, count):
        asked: dict[str, dict[str, str]] = {}
        for group in ("dependencies", "devDependencies", "optionalDependencies"):
            asked[group] = {
                name: chance.choice(["*", "^1.0.0", "1.0.0"])
                for name in chance.sample(names, chance.choice([0, 1, 2]))
            }
        own = {} if number < 0 else {"name": f"@acme/p{number}", "version": "1.0.0"}
        if number >= 0:
            asked["dependencies"]["alias"] = "npm:lib-2@1.0.0"
            asked["dependencies"].pop("lib-0", None)
            asked["devDependencies"] |= {"lib-0": "catalog:", "lib-1": "catalog:old"}
            for other in chance.sample(range(count), 2):
                if other != number:
                    link = chance.choice(
                        ["workspace:*", "workspace:^", f"link:../p{other}", f"file:../p{other}"]
                    )
                    asked["dependencies"][f"@acme/p{other}"] = link
        path = folder if number < 0 else folder / "packages" / f"p{number}"
        path.mkdir(parents=True, exist_ok=True)
        (path / "package.json").write_text(json.dumps({**own, **asked, "private": True}))


@pytest.fixture(params=[(8, 1), (10, 2), (10, 3)], ids=lambda one: f"pnpm-{one[0]}-seed-{one[1]}")
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    major: Literal[8, 10]
    major, seed = request.param
    chance = random.Random(seed)
    packages = registry_of(chance)
    folder = tmp_path / "workspace"
    workspace_of(chance, folder, sorted(packages))
    if major == 8:  # knows no catalogs yet
        for path in folder.glob("packages/*/package.json"):
            path.write_text(path.read_text().replace('"catalog:', '"*').replace("*old", "*"))
    with NpmRegistry(packages) as registry:
        node_tools.run_pnpm(
            folder, "install", "--lockfile-only", major=major, registry=registry.url
        )
    yield (folder / PATH).read_text()


def test_what_pnpm_writes_is_read_as_yaml(written: str) -> None:
    asked, needed, names = yaml_reading(written)
    lock = lock_of(written)

    assert our_reading(lock) == (asked, needed)
    assert len(asked) == 6 and len(needed) > 8
    assert ("snapshots" in names) is ("'9.0'" in written)


def test_of_what_pnpm_writes_nothing_is_missing(written: str) -> None:
    lock = lock_of(written)

    found = [entry for entry in lock.entries(lock.importers) if entry not in lock.texts]
    assert found == []
    linked = {folder for one in lock.importers for folder in lock.workspace_links(one)}
    # Of a package that was copied it is not told from where its links lead: both count.
    assert {folder for folder in linked if not folder.startswith("..")} <= lock.importers
    assert linked & lock.importers
