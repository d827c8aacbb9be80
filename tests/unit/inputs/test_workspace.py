"""Which packages of a workspace need each other, and what an image takes of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from orient_deploy.config.model import Image, Location
from orient_deploy.inputs.lockfile.lock import Lock, LockProblem
from orient_deploy.inputs.positions import Positions
from orient_deploy.inputs.reads import Reads, resolve_reads
from orient_deploy.inputs.tree import Tree
from orient_deploy.inputs.workspace import (
    MOST_MANIFESTS,
    Workspace,
    read_workspaces,
    wanted_for_workspaces,
)

Files = Mapping[str, Any]  # texts; a manifest may be given as what it says


class Commit:
    """Files as the commit has them; `asked` are those that were read."""

    def __init__(self, files: Files) -> None:
        self.contents = {
            path: (content if isinstance(content, str) else json.dumps(content)).encode()
            for path, content in files.items()
        }
        self.tree = Tree.of(
            ("100644", "blob", hashlib.sha1(content).hexdigest(), path)
            for path, content in self.contents.items()
        )
        self.asked: set[str] = set()

    def read(self, path: str) -> bytes | None:
        self.asked.add(path)
        return self.contents.get(path)

    def workspaces(self) -> tuple[Workspace, ...]:
        return read_workspaces(self.tree, self.read)

    def workspace(self) -> Workspace:
        (found,) = self.workspaces()
        return found

    def reads(self, image: Image) -> Reads:
        return resolve_reads(image, self.tree, self.read)

    def paths(self, positions: Positions) -> set[str]:
        return {self.tree.paths[at] for at in positions}


def package(name: str = "", /, **groups: Any) -> dict[str, Any]:
    """A manifest; what it needs by groups, `dev` and `peer` for short."""
    long = {"needs": "dependencies", "dev": "devDependencies", "peer": "peerDependencies"}
    about = {long.get(group, group): value for group, value in groups.items()}
    return {**({"name": name} if name else {}), **about}


PNPM: Files = {
    "package.json": package(),
    "pnpm-workspace.yaml": "packages: ['packages/*', apps/**]\n",
}
NPM: Files = {"package.json": package(workspaces=["packages/*", "apps/**"])}


def image_of(dockerfile: str, name: str = "image", context: str = ".") -> Image:
    where = Location(file="", line=1, column=1)
    return Image(name=name, dockerfile=dockerfile, context=context, inputs="workspace", where=where)


# --- roots and members --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "packages"),
    [
        pytest.param(
            {
                **PNPM,
                "packages/a/package.json": "{}",
                "packages/a/b/package.json": "{}",
                "apps/x/y/package.json": "{}",
                "apps/.hidden/package.json": "{}",
                "apps/node_modules/z/package.json": "{}",
                "other/package.json": "{}",
                "packages/a/not-package.json": "{}",
            },
            {"", "packages/a", "apps/x/y", "apps/.hidden"},
            id="pnpm",
        ),
        pytest.param(
            {
                "package.json": "{}",
                "pnpm-workspace.yaml": "packages:\n  - '!**/test/**'\n  - ./packages/**/\n  - .\n",
                "packages/a/package.json": "{}",
                "packages/a/test/b/package.json": "{}",
            },
            {"", "packages/a"},
            id="pnpm-leaves-out-in-any-order",
        ),
        pytest.param(
            {"package.json": "{}", "pnpm-workspace.yaml": "", "a/package.json": "{}"},
            {""},
            id="pnpm-settings-only",
        ),
        pytest.param(
            {
                "package.json": "{}",
                "pnpm-workspace.yaml": "catalog: {a: 1.0.0}",
                "pnpm-lock.yaml": "lockfileVersion: '9.0'\nimporters:\n  .: {}\n  a: {}\n  b: {}\n",
                "a/package.json": "{}",
            },
            {"", "a"},
            id="pnpm-by-its-lockfile",
        ),
        pytest.param(
            {**NPM, "packages/a/package.json": "{}", "other/package.json": "{}"},
            {"", "packages/a"},
            id="npm",
        ),
        pytest.param(
            {
                "package.json": package(
                    workspaces=["packages/*", "!packages/old*", "packages/old2"]
                ),
                "packages/a/package.json": "{}",
                "packages/old1/package.json": "{}",
                "packages/old2/package.json": "{}",
            },
            {"", "packages/a", "packages/old2"},
            id="npm-goes-by-order",
        ),
        pytest.param(
            {
                "package.json": package(workspaces={"packages": ["packages/@(a|b)", "c?"]}),
                "yarn.lock": "# yarn lockfile v1\n",
                "packages/a/package.json": "{}",
                "packages/d/package.json": "{}",
                "c1/package.json": "{}",
            },
            {"", "packages/a", "packages/d", "c1"},
            id="yarn-object-and-a-pattern-that-is-read-wider",
        ),
        pytest.param(
            {
                "package.json": package(workspaces=["packages/*", "!packages/?(a|b)"]),
                "packages/a/package.json": "{}",
            },
            {"", "packages/a"},
            id="left-out-by-more-than-we-read",
        ),
        pytest.param({"package.json": package(), "a/package.json": "{}"}, {""}, id="alone"),
    ],
)
def test_the_packages_of_a_workspace(files: Files, packages: set[str]) -> None:
    workspace = Commit(files).workspace()

    assert set(workspace.packages) == packages
    assert workspace.problems == ()


def test_a_repository_can_have_several_roots() -> None:
    commit = Commit(
        {
            **PNPM,
            "packages/a/package.json": "{}",
            "packages/a/package-lock.json": "{}",  # somebody ran npm there once
            "web/package.json": package(workspaces=["*"]),
            "web/yarn.lock": "# yarn lockfile v1\n",
            "web/ui/package.json": "{}",
            "tool/package.json": "{}",
            "tool/bun.lock": "{}",
            "loose/package.json": "{}",
        }
    )

    assert [(one.root, set(one.packages)) for one in commit.workspaces()] == [
        ("", {"", "packages/a"}),
        ("tool", {"tool"}),
        ("web", {"web", "web/ui"}),
    ]


def test_nothing_is_asked_for_that_was_not_announced() -> None:
    commit = Commit(
        {
            **PNPM,
            "packages/a/package.json": package("a", needs={"b": "workspace:*"}),
            "pnpm-lock.yaml": "lockfileVersion: '9.0'\nimporters:\n  .: {}\n",
            "docs/pnpm-lock.yaml": "without a manifest nobody reads it",
            "src/package.json.ts": "",
        }
    )
    wanted = wanted_for_workspaces(commit.tree)
    commit.workspace().closure(["packages/a"])

    assert {path for path in commit.asked if path in commit.contents} <= set(wanted)
    assert set(wanted) == {
        "package.json",
        "packages/a/package.json",
        "pnpm-lock.yaml",
        "pnpm-workspace.yaml",
    }


def test_too_many_manifests_are_a_problem() -> None:
    files = {f"packages/p{number}/package.json": "{}" for number in range(MOST_MANIFESTS + 1)}
    commit = Commit({**NPM, **files})

    assert len(wanted_for_workspaces(commit.tree)) == MOST_MANIFESTS
    assert "over 5,000 package.json files" in commit.workspace().problems[0]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param(
            {**PNPM, "packages/a/package.json": "{"},
            "packages/a/package.json is not JSON",
            id="json",
        ),
        pytest.param({**PNPM, "packages/a/package.json": "[]"}, "is not an object", id="list"),
        pytest.param(
            {**PNPM, "packages/a/package.json": "[" * 100_000}, "is not JSON", id="too-deep"
        ),
        pytest.param({**PNPM, "pnpm-workspace.yaml": "{"}, "cannot be read", id="yaml"),
        pytest.param({**PNPM, "pnpm-workspace.yaml": "- a"}, "cannot be read", id="yaml-list"),
        pytest.param(
            {**PNPM, "pnpm-workspace.yaml": "packages: 1"},
            "which packages the root has",
            id="number",
        ),
        pytest.param({"package.json": package(workspaces=[1])}, "which packages", id="numbers"),
        pytest.param({"package.json": "nonsense"}, "package.json is not JSON", id="root"),
    ],
)
def test_what_cannot_be_read_is_a_problem(files: Files, problem: str) -> None:
    assert problem in Commit(files).workspace().problems[0]


@pytest.mark.parametrize("path", ["packages/a/package.json", "pnpm-workspace.yaml"])
def test_what_was_not_read_is_a_problem(path: str) -> None:
    commit = Commit({**PNPM, "packages/a/package.json": "{}"})
    del commit.contents[path]

    assert commit.workspace().problems == (f"{path} was not read",)


# --- who needs whom -----------------------------------------------------------------------------


def needs(
    spelt: str, /, group: str = "needs", name: str = "core", files: Files | None = None
) -> Commit:
    """packages/web asks for `name`, spelt so; packages/core is called core."""
    return Commit(
        {
            **PNPM,
            "packages/core/package.json": package("core", version="1.2.3"),
            "packages/web/package.json": package("web", **{group: {name: spelt}}),
            "packages/web/local/a.ts": "",
            "packages/core/sub/b.ts": "",
            "libs/plain/index.js": "",
            "libs/tool.tgz": "",
            "libs/linked/package.json": package("linked", needs={"core": "*"}),
            **(files or {}),
        }
    )


@pytest.mark.parametrize(
    ("spelt", "needed"),
    [
        pytest.param("workspace:*", {"packages/core"}, id="workspace-any"),
        pytest.param("workspace:^", {"packages/core"}, id="workspace-caret"),
        pytest.param("workspace:~1.2.0", {"packages/core"}, id="workspace-range"),
        pytest.param("workspace:../core", {"packages/core"}, id="workspace-path"),
        pytest.param("workspace:packages/core", {"packages/core"}, id="workspace-path-of-yarn"),
        pytest.param("link:../core", {"packages/core"}, id="link"),
        pytest.param("file:../core", {"packages/core"}, id="file"),
        pytest.param("portal:../core", {"packages/core"}, id="portal"),
        pytest.param("../core", {"packages/core"}, id="path"),
        pytest.param("file:../core/sub", {"packages/core", "packages/core/sub"}, id="below"),
        pytest.param("file:../../libs/plain", {"libs/plain"}, id="folder"),
        pytest.param("file:../../libs/tool.tgz", {"libs/tool.tgz"}, id="tarball"),
        pytest.param("link:../../libs/linked", {"libs/linked", "packages/core"}, id="linked"),
        pytest.param("link:../../../outside", set(), id="outside"),
        pytest.param("link:../gone", set(), id="gone"),
        pytest.param("^1.0.0", {"packages/core"}, id="range"),
        pytest.param("*", {"packages/core"}, id="any"),
        pytest.param("latest", {"packages/core"}, id="tag"),
        pytest.param("1.2.3", {"packages/core"}, id="its-version"),
        pytest.param("1.2.4", set(), id="another-version"),
        pytest.param("npm:^1.0.0", {"packages/core"}, id="range-of-yarn"),
        pytest.param("npm:1.2.4", set(), id="another-version-of-yarn"),
        pytest.param("npm:other@^1.0.0", set(), id="another-package"),
        pytest.param("npm:vue@1.2.3", set(), id="another-package-of-that-version"),
        pytest.param("npm:core", {"packages/core"}, id="alias-without-a-range"),
        pytest.param("./local", {"packages/web/local"}, id="folder-of-its-own"),
        pytest.param("/packages/core", set(), id="absolute"),
        pytest.param("~/core", set(), id="home"),
        pytest.param("github:acme/core", set(), id="github"),
        pytest.param("acme/core", set(), id="github-for-short"),
        pytest.param("git+https://example.com/core.git", set(), id="git"),
        pytest.param("https://example.com/core.tgz", set(), id="url"),
    ],
)
def test_a_dependency_means(spelt: str, needed: set[str]) -> None:
    closure = needs(spelt).workspace().closure(["packages/web"])

    assert closure == {"packages/web", *needed}


@pytest.mark.parametrize(
    "spelt", ["workspace:core@*", "npm:core@^1.0.0", "workspace:core@^1.2.0", "workspace:../core"]
)
def test_an_alias_means_what_it_names(spelt: str) -> None:
    closure = needs(spelt, name="other").workspace().closure(["packages/web"])

    assert closure == {"packages/web", "packages/core"}


@pytest.mark.parametrize("group", ["needs", "dev", "peer", "optionalDependencies"])
def test_every_kind_of_dependency_counts(group: str) -> None:
    closure = needs("workspace:*", group).workspace().closure(["packages/web"])

    assert "packages/core" in closure


@pytest.mark.parametrize(
    ("spelt", "settings", "needed"),
    [
        pytest.param("catalog:", "catalog: {core: ^1.0.0}", True, id="default"),
        pytest.param("catalog:default", "catalogs: {default: {core: ^1.0.0}}", True, id="by-name"),
        pytest.param("catalog:old", "catalogs: {old: {core: 9.9.9}}", False, id="another-version"),
        pytest.param("catalog:", "catalog: {core: 'npm:other@1.0.0'}", False, id="alias"),
        pytest.param("catalog:", "", True, id="unknown"),
    ],
)
def test_a_catalog_says_what_is_meant(spelt: str, settings: str, needed: bool) -> None:
    text = f"packages: ['packages/*']\n{settings}\n"
    workspace = needs(spelt, files={"pnpm-workspace.yaml": text}).workspace()

    assert ("packages/core" in workspace.closure(["packages/web"])) is needed


@pytest.mark.parametrize(
    "root",
    [
        pytest.param({"pnpm": {"overrides": {"thing": "link:packages/core"}}}, id="pnpm"),
        pytest.param({"overrides": {"a": {"thing": "file:./packages/core"}}}, id="npm-nested"),
        pytest.param(
            {"overrides": {"thing@1": {".": "file:packages/core", "other": 1}}}, id="npm-dot"
        ),
        pytest.param(
            {"overrides": {"core": "$core"}, "dependencies": {"core": "^1.0.0"}}, id="npm-reference"
        ),
        pytest.param({"resolutions": {"**/core": "workspace:*"}}, id="yarn"),
        pytest.param({"resolutions": {"a/core": "*"}}, id="yarn-range"),
        pytest.param({"pnpm": {"overrides": {"a>core@^1": "*"}}}, id="pnpm-selector"),
    ],
)
def test_an_override_may_reach_any_package(root: dict[str, Any]) -> None:
    workspace = needs("1.0.0", name="thing", files={"package.json": package(**root)}).workspace()

    assert "packages/core" in workspace.closure(["packages/web"])


def test_a_catalog_that_is_told_elsewhere_may_mean_a_neighbour() -> None:
    commit = Commit(
        {
            **NPM,
            "packages/core/package.json": package("core"),
            "packages/web/package.json": package("web", needs={"core": "catalog:"}),
        }
    )

    assert "packages/core" in commit.workspace().closure(["packages/web"])


def test_an_override_that_refers_to_the_root_means_what_the_root_asks_for() -> None:
    root = package(overrides={"core": "$core"}, needs={"core": "9.9.9"})
    workspace = needs("1.0.0", name="thing", files={"package.json": root}).workspace()

    assert "packages/core" not in workspace.closure(["packages/web"])


def test_an_override_in_pnpms_settings_counts_too() -> None:
    text = "packages: ['packages/*']\noverrides: {thing: 'workspace:core@*'}\n"
    workspace = needs("1.0.0", name="thing", files={"pnpm-workspace.yaml": text}).workspace()

    assert "packages/core" in workspace.closure(["packages/web"])


LOCK = """\
lockfileVersion: '9.0'

importers:

  .: {}

  packages/core: {}

  packages/web:
    dependencies:
      core:
        specifier: ^1.0.0
        version: 1.0.0

snapshots:

  core@1.0.0: {}
"""


@pytest.mark.parametrize(
    ("spelt", "group", "lock", "needed"),
    [
        pytest.param("^1.0.0", "needs", LOCK, False, id="of-the-registry"),
        pytest.param(
            "^1.0.0",
            "needs",
            LOCK.replace("version: 1.0.0\n", "version: link:../core\n"),
            True,
            id="linked",
        ),
        pytest.param("workspace:*", "needs", LOCK, True, id="stale"),
        pytest.param("^1.0.0", "peer", LOCK, True, id="peer"),
        pytest.param("^1.0.0", "needs", LOCK.replace("9.0", "1.0"), True, id="unread"),
        pytest.param(
            "^1.0.0", "needs", LOCK.replace("packages/web", "packages/xyz"), True, id="not-in-it"
        ),
    ],
)
def test_a_lockfile_decides_what_a_range_means(
    spelt: str, group: str, lock: str, needed: bool
) -> None:
    workspace = needs(spelt, group, files={"pnpm-lock.yaml": lock}).workspace()

    assert ("packages/core" in workspace.closure(["packages/web"])) is needed


def test_a_lockfile_of_yarn_1_does_not_decide() -> None:
    commit = Commit(
        {
            **NPM,
            "yarn.lock": '# yarn lockfile v1\n\n\ncore@^1.0.0:\n  version "1.0.0"\n',
            "packages/core/package.json": package("core"),
            "packages/web/package.json": package("web", needs={"core": "^1.0.0"}),
        }
    )
    lock = commit.workspace().lock

    assert isinstance(lock, Lock)
    assert lock.importers == {".", "packages/core", "packages/web"}
    assert commit.workspace().closure(["packages/web"]) == {"packages/web", "packages/core"}


def test_circles_end() -> None:
    commit = Commit(
        {
            **PNPM,
            "packages/a/package.json": package("a", needs={"b": "workspace:*"}),
            "packages/b/package.json": package("b", dev={"a": "workspace:*", "b": "workspace:*"}),
        }
    )

    workspace = commit.workspace()

    assert workspace.closure(["packages/a"]) == {"packages/a", "packages/b"}
    assert workspace.closure(["packages/b"]) == {"packages/a", "packages/b"}


def test_names_in_a_lower_folder_are_from_the_root_of_the_repository() -> None:
    lock = LOCK.replace("version: 1.0.0\n", "version: link:../core\n")
    commit = Commit(
        {
            "web/package.json": package(),
            "web/pnpm-workspace.yaml": "packages: [packages/*]",
            "web/pnpm-lock.yaml": lock,
            "web/packages/core/package.json": package("core"),
            "web/packages/web/package.json": package("web", needs={"core": "^1.0.0"}),
        }
    )
    workspace = commit.workspace()

    assert workspace.root == "web"
    assert workspace.closure(["web/packages/web"]) == {"web/packages/web", "web/packages/core"}
    assert workspace.package_of("web/packages/core/src/a.ts") == "web/packages/core"
    assert workspace.package_of("web/README.md") == "web"
    assert workspace.package_of("README.md") is None


# --- what counts by what it says ----------------------------------------------------------------

APPS: dict[str, Any] = {
    **PNPM,
    "pnpm-lock.yaml": """\
lockfileVersion: '9.0'

importers:

  .:
    devDependencies:
      lint:
        specifier: 1.0.0
        version: 1.0.0
      other:
        specifier: workspace:*
        version: link:packages/other

  apps/web:
    dependencies:
      core:
        specifier: workspace:*
        version: link:../../packages/core

  packages/core:
    dependencies:
      yaml:
        specifier: 1.0.0
        version: 1.0.0

  packages/other:
    dependencies:
      vue:
        specifier: 1.0.0
        version: 1.0.0

snapshots:

  lint@1.0.0: {}

  vue@1.0.0: {}

  yaml@1.0.0: {}
""",
    "package.json": package(
        dev={"other": "workspace:*"},
        scripts={
            "postinstall": "pnpm run setup --all",
            "setup": "node tools/setup.js || pnpm run setup",
            "docs": "serve ./docs",
            "other": "node ./packages/other/index.ts",
            "postbuild:all": "cat ../x ./infra/notes.txt",
        },
    ),
    "tsconfig.base.json": "{}",
    "turbo.json": "{}",
    ".npmrc": "",
    "README.md": "",
    "docs/guide.md": "",
    "infra/notes.txt": "",
    "apps/shared.js": "",
    "patches/vue.patch": "",
    "tools/setup.js": "",
    "tools/lib.js": "",
    "apps/web/package.json": package(
        "@acme/web",
        needs={"core": "workspace:*"},
        scripts={"build": "node ../shared.js && tsc -p . --outDir .. && ls ../../.. ../gone.js"},
    ),
    "apps/web/src/a.ts": "",
    "apps/web/e2e/package.json": package("e2e"),
    "apps/web/e2e/a.test.ts": "",
    "apps/api/package.json": package("@acme/api"),
    "apps/api/a.ts": "",
    "packages/core/package.json": package("core"),
    "packages/core/index.ts": "",
    "packages/other/package.json": package("other"),
    "packages/other/index.ts": "",
    "packages/tsconfig.json": "{}",
    "docker/start.sh": "",
}

ALWAYS = {
    ".npmrc",
    "package.json",
    "patches/vue.patch",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "tools/lib.js",
    "tools/setup.js",
    "tsconfig.base.json",
    "turbo.json",
}
WEB = {"apps/shared.js", "apps/web/package.json", "apps/web/src/a.ts"}
CORE = {"packages/core/index.ts", "packages/core/package.json"}
OTHER = {"packages/other/index.ts", "packages/other/package.json"}
E2E = {"apps/web/e2e/a.test.ts", "apps/web/e2e/package.json"}
FILTERED = "RUN pnpm install --frozen-lockfile --filter @acme/web...\n"


def narrowed(
    dockerfile: str,
    path: str = "docker/Dockerfile",
    *,
    name: str = "image",
    more: Files | None = None,
) -> set[str] | str:
    """What of what it reads an image keeps that is built from APPS by this Dockerfile."""
    commit = Commit({**APPS, path: f"FROM scratch\n{dockerfile}", **(more or {})})
    image = image_of(path, name)
    reads = commit.reads(image)
    found = commit.workspace().narrowed(image, reads)
    return found if isinstance(found, str) else commit.paths(found & reads.positions) - {path}


@pytest.mark.parametrize(
    ("dockerfile", "kept"),
    [
        pytest.param(f"COPY . .\n{FILTERED}", ALWAYS | WEB | CORE, id="filter"),
        pytest.param(
            "COPY . .\nRUN pnpm install\nRUN pnpm --filter=@acme/web build",
            ALWAYS | WEB | CORE | OTHER,
            id="with-what-the-root-needs",
        ),
        pytest.param(
            f"COPY . .\n{FILTERED.strip()} --include-workspace-root\n",
            ALWAYS | WEB | CORE | OTHER,
            id="with-the-root-besides",
        ),
        pytest.param(
            "COPY . .\nRUN npx turbo prune @acme/web --docker\n",
            ALWAYS | WEB | CORE | OTHER,
            id="prune",
        ),
        pytest.param(
            f"COPY . .\nCOPY docs docs\nCOPY packages/other/index.ts ./\n{FILTERED}",
            ALWAYS | WEB | CORE | {"docs/guide.md", "packages/other/index.ts"},
            id="named-by-itself",
        ),
        pytest.param(
            f"COPY package.json ./\nCOPY packages packages\n{FILTERED}",
            {"package.json", "packages/tsconfig.json"} | CORE,
            id="folder-of-packages",
        ),
        pytest.param(
            f"COPY packages/other ./\nCOPY apps/web ./\n{FILTERED}",
            OTHER | WEB - {"apps/shared.js"},
            id="packages",
        ),
        pytest.param(
            f"COPY apps/web ./\n{FILTERED}RUN pnpm -C apps/web/e2e test\n",
            WEB - {"apps/shared.js"} | E2E,
            id="inner",
        ),
        pytest.param(
            f"COPY . .\n{FILTERED}RUN pnpm run build:all",
            ALWAYS | WEB | CORE | {"infra/notes.txt"},
            id="with-what-a-script-of-the-root-starts",
        ),
        pytest.param(
            f"COPY . .\n{FILTERED}RUN npm run other",
            ALWAYS | WEB | CORE | OTHER,
            id="with-the-package-of-what-a-script-starts",
        ),
        pytest.param(
            f"COPY . .\n{FILTERED}RUN cd apps/api && pnpm build\n",
            ALWAYS | WEB | CORE | {"apps/api/a.ts", "apps/api/package.json"},
            id="by-folder",
        ),
        pytest.param(
            "COPY . .\nRUN pnpm install --filter './apps/*' --filter '!e2e'\n",
            ALWAYS | WEB | CORE | {"apps/api/a.ts", "apps/api/package.json"},
            id="by-pattern-of-folders",
        ),
        pytest.param(
            'COPY . .\nRUN pnpm -F "@acme/*" install\n',
            ALWAYS | WEB | CORE | {"apps/api/a.ts", "apps/api/package.json"},
            id="by-pattern-of-names",
        ),
    ],
)
def test_an_image_keeps_the_closure_of_its_package(dockerfile: str, kept: set[str]) -> None:
    assert narrowed(dockerfile) == kept


def test_the_package_that_holds_the_dockerfile_is_its_own() -> None:
    assert narrowed(f"COPY . .\n{FILTERED}", "packages/core/Dockerfile") == ALWAYS | WEB | CORE
    assert (
        narrowed("COPY . .\nRUN pnpm i --filter other\n", "packages/core/Dockerfile")
        == ALWAYS | CORE | OTHER
    )


@pytest.mark.parametrize("name", ["web", "core"])
def test_a_package_of_the_images_name_is_its_own_where_nothing_else_tells(name: str) -> None:
    kept = narrowed("COPY . .\nRUN pnpm install --filter $APP\n", name=name)

    assert kept == ALWAYS | CORE | (WEB if name == "web" else set())


@pytest.mark.parametrize(
    ("dockerfile", "more", "why"),
    [
        pytest.param(
            "COPY . .\nRUN make\n", {}, "none is called 'image'", id="no-package-is-called-so"
        ),
        pytest.param(
            "COPY . .\nRUN make\n",
            {"apps/image/package.json": "{}", "packages/image/package.json": "{}"},
            "several are called 'image'",
            id="several-packages-are",
        ),
        pytest.param(
            f"COPY . .\n{FILTERED}",
            {"apps/api/package.json": "{"},
            "apps/api/package.json is not JSON",
            id="unread-manifest",
        ),
        pytest.param(
            f"FROM $BASE AS base\nFROM base\nCOPY . .\nONBUILD\n{FILTERED}",
            {},
            "line ",
            id="dockerfile-not-understood",
        ),
    ],
)
def test_nothing_is_left_out_where_it_cannot_be_told(
    dockerfile: str, more: dict[str, Any], why: str
) -> None:
    found = narrowed(dockerfile, more=more)

    assert isinstance(found, str)
    assert why in found


def test_a_root_in_a_folder_keeps_its_own_settings() -> None:
    files = {f"web/{path}": content for path, content in APPS.items()}
    dockerfile = f"FROM scratch\nCOPY . .\n{FILTERED}"
    commit = Commit({**files, "web/Dockerfile": dockerfile, "package.txt": "", "tsconfig.json": ""})
    image = image_of("web/Dockerfile", context="web")
    reads = commit.reads(image)
    found = commit.workspace().narrowed(image, reads)

    assert not isinstance(found, str)
    kept = commit.paths(found & reads.positions) - {"web/Dockerfile"}
    assert kept == {f"web/{path}" for path in ALWAYS | WEB | CORE}


def test_patches_are_kept_wherever_they_are() -> None:
    settings = (
        f"{APPS['pnpm-workspace.yaml']}patchedDependencies:\n  a@1.0.0: infra/a.patch\n"
        "  b: {path: ./infra/b.patch, hash: x}\n  c: 1\n"
    )
    files = {"infra/a.patch": "", "infra/b.patch": "", "pnpm-workspace.yaml": settings}
    kept = narrowed(f"COPY . .\n{FILTERED}", more=files)

    assert kept == ALWAYS | WEB | CORE | {"infra/a.patch", "infra/b.patch"}


def test_a_package_alone_keeps_everything() -> None:
    commit = Commit(
        {
            "package.json": package("app"),
            "package-lock.json": "{}",
            "src/a.js": "",
            "docs/a.md": "",
            "Dockerfile": "FROM scratch\nCOPY . .\n",
        }
    )
    image = image_of("Dockerfile")
    found = commit.workspace().narrowed(image, commit.reads(image))

    assert not isinstance(found, str)
    assert commit.paths(found) == set(commit.contents)


def closures_of(files: Mapping[str, Any], dockerfile: str) -> dict[str, str]:
    commit = Commit({**files, "Dockerfile": f"FROM scratch\n{dockerfile}"})
    reads = commit.reads(image_of("Dockerfile"))
    return commit.workspace().closures(reads.positions, reads.positions, reads)


WEB_ONLY = """\
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages/core/package.json packages/core/
COPY apps/web/package.json apps/web/
RUN pnpm install --frozen-lockfile
"""


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        pytest.param("  lint@1.0.0: {}", "  lint@1.0.0:\n    optional: true", True, id="root"),
        pytest.param("  yaml@1.0.0: {}", "  yaml@1.0.0:\n    optional: true", True, id="inside"),
        pytest.param("  vue@1.0.0: {}", "  vue@1.0.0:\n    optional: true", False, id="outside"),
    ],
)
def test_a_lockfile_counts_for_the_packages_whose_manifests_are_read(
    old: str, new: str, counts: bool
) -> None:
    files = {**APPS, "pnpm-lock.yaml": APPS["pnpm-lock.yaml"].replace(old, new)}
    before, after = closures_of(APPS, WEB_ONLY), closures_of(files, WEB_ONLY)

    assert before.keys() == {"package.json", "pnpm-lock.yaml"}
    assert (before != after) is counts


def test_a_manifest_counts_by_what_it_says() -> None:
    before = closures_of(APPS, WEB_ONLY)
    spaced = {**APPS, "package.json": json.dumps(APPS["package.json"], indent="\t")}
    turned = {**APPS, "package.json": dict(reversed(APPS["package.json"].items()))}

    compact = json.dumps(APPS["package.json"], separators=(",", ":"))
    assert before["package.json"] == hashlib.sha256(compact.encode()).hexdigest()
    assert closures_of(spaced, WEB_ONLY) == before
    assert closures_of(turned, WEB_ONLY) != before  # of `exports` the first that fits is taken


@pytest.mark.parametrize(
    ("files", "dockerfile", "counts"),
    [
        pytest.param({}, "COPY package.json ./\n", {"package.json"}, id="lockfile-not-read"),
        pytest.param({}, "COPY pnpm-lock.yaml ./\n", set(), id="no-manifest-read"),
        pytest.param({}, WEB_ONLY + "RUN pnpm fetch\n", {"package.json"}, id="fetched"),
        pytest.param(
            {"pnpm-lock.yaml": "lockfileVersion: 5.4\n"},
            WEB_ONLY,
            {"package.json"},
            id="unread-lock",
        ),
        pytest.param(
            {"apps/api/package.json": "{"}, WEB_ONLY, {"package.json"}, id="unread-manifest"
        ),
        pytest.param({"package.json": "[]"}, WEB_ONLY, set(), id="unread-root"),
    ],
)
def test_what_counts_as_ordinary_files(
    files: dict[str, Any], dockerfile: str, counts: set[str]
) -> None:
    assert closures_of({**APPS, **files}, dockerfile).keys() == counts


def test_without_a_lockfile_the_manifest_counts_by_what_it_says() -> None:
    files = {path: content for path, content in APPS.items() if path != "pnpm-lock.yaml"}

    assert closures_of(files, "COPY . .\n").keys() == {"package.json"}


def test_a_lockfile_that_cannot_be_read_says_why() -> None:
    workspace = Commit({**APPS, "pnpm-lock.yaml": "lockfileVersion: 5.4\n"}).workspace()

    assert workspace.lock == LockProblem("it is of version '5.4'")
