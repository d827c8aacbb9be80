"""What makes an image another one, and what does not: its input digest tells."""

from __future__ import annotations

import pytest

from orient_deploy.config import parse
from orient_deploy.inputs.images import differences, wanted
from tests.fakes.pnpm_lock import pnpm_lock
from tests.fakes.repositories import Content, Executable, Files, Gitlink, Symlink
from tests.unit.inputs.commit import changed, digests_of, inputs_of, tree_of
from tests.unit.inputs.monorepos import (
    CHAIN,
    CHAIN_FILES,
    CIRCLE,
    CIRCLE_FILES,
    COMMIT,
    CONFIG,
    CONTEXT_FILES,
    CONTEXTS,
    DOCKERFILE,
    FILES,
    LARGE_FILE,
    NEXT_COMMIT,
    ROOT_MANIFEST,
    WORKSPACE,
    WORKSPACE_FILES,
    lock,
)

# --- what a commit holds

EDITS = [
    pytest.param({"web/index.ts": "other"}, {"web"}, id="a-file-that-one-reads"),
    pytest.param({"shared/a.ts": "other"}, {"web"}, id="a-file-that-only-its-base-stage-reads"),
    pytest.param({"web/new.ts": "new"}, {"web"}, id="a-file-is-added-to-a-folder-that-is-copied"),
    pytest.param({"web/index.ts": None}, {"web"}, id="a-file-is-removed"),
    pytest.param({"web/index.ts": None, "web/b.ts": "index"}, {"web"}, id="a-file-is-renamed"),
    pytest.param({"docs/a.md": "other"}, set(), id="a-file-that-none-reads"),
    pytest.param({"docs/b.md": "text"}, set(), id="a-file-that-none-reads-is-added"),
    pytest.param({"webs/index.ts": "x", "web.ts": "x"}, set(), id="names-that-begin-like-a-folder"),
    pytest.param(
        {"docker/Dockerfile": f"# a remark\n{DOCKERFILE}"},
        {"web", "worker"},
        id="any-edit-of-the-dockerfile",
    ),
    pytest.param(
        {"docker/Dockerfile": DOCKERFILE.replace("id=token", "id=key")},
        {"web", "worker"},
        id="a-secret-by-its-name",
    ),
    # Modes and types.
    pytest.param({"web/index.ts": Executable("index")}, {"web"}, id="executable"),
    pytest.param({"worker/run": "#!/bin/sh\n"}, {"worker"}, id="no-longer-executable"),
    pytest.param({"docker/Dockerfile": Executable(DOCKERFILE)}, {"web", "worker"}, id="its-mode"),
    pytest.param({"web/index.ts": Symlink("index")}, {"web"}, id="a-link-with-the-same-bytes"),
    pytest.param(
        {"web/index.ts": None, "web/index.ts/a": "index"}, {"web"}, id="a-folder-in-its-place"
    ),
    # Symbolic links.
    pytest.param(
        {"web/link": Symlink("../worker/go")}, {"web"}, id="a-copied-link-leads-elsewhere"
    ),
    pytest.param({"worker/run": Executable("other")}, {"worker"}, id="what-a-copied-link-leads-to"),
    pytest.param({"current": Symlink("releases/2")}, {"web"}, id="a-followed-link-leads-elsewhere"),
    pytest.param({"releases/1": "other"}, {"web"}, id="what-a-followed-link-leads-to"),
    pytest.param({"releases/2": "other"}, set(), id="what-it-does-not-lead-to"),
    # Submodules and large files.
    pytest.param({"vendor/lib": Gitlink(NEXT_COMMIT)}, {"web"}, id="a-source-in-a-submodule"),
    pytest.param({"vendor/other": Gitlink(NEXT_COMMIT)}, set(), id="a-submodule-that-none-reads"),
    pytest.param(
        {"web/sub": Gitlink(COMMIT)}, {"web"}, id="a-submodule-in-a-folder-that-is-copied"
    ),
    pytest.param(
        {"models/large.bin": LARGE_FILE.replace("4d7a", "4d7b")}, {"web"}, id="an-lfs-pointer"
    ),
    # Names.
    pytest.param({"web/Index.ts": "other"}, {"web"}, id="names-that-differ-in-case-only"),
    pytest.param({"Web/index.ts": "other"}, set(), id="a-folder-that-differs-in-case-only"),
    pytest.param({"web/a\nb": "x"}, {"web"}, id="a-line-break-in-a-name"),
    pytest.param({"web/\udcff": "x"}, {"web"}, id="a-name-that-is-no-utf-8"),
    pytest.param({"a\nweb/b": "x", "\udcffweb/b": "x"}, set(), id="odd-names-elsewhere"),
    # The ignore file.
    pytest.param(
        {".dockerignore": "web/*.log\nsecret\n"}, set(), id="an-ignore-file-says-the-same"
    ),
    pytest.param({".dockerignore": "web/*.log\ndocs\n"}, set(), id="ignored-that-none-reads"),
    pytest.param(
        {".dockerignore": "**/*.log\nweb/index.ts\n"}, {"web"}, id="ignored-that-one-reads"
    ),
    pytest.param({".dockerignore": None}, {"web"}, id="no-longer-ignored"),
    pytest.param({"web/debug.log": "other", "web/b.log": ""}, set(), id="files-that-are-ignored"),
    pytest.param(
        {"docker/Dockerfile.dockerignore": "web/*.log\n"}, set(), id="another-ignore-file-alike"
    ),
    pytest.param(
        {"docker/Dockerfile.dockerignore": "worker/run"},
        {"web", "worker"},
        id="another-ignore-file-that-differs",
    ),
    pytest.param(
        {"web/.dockerignore": "index.ts"}, {"web"}, id="an-ignore-file-that-is-only-copied"
    ),
    pytest.param({"docker/.dockerignore": "web"}, set(), id="an-ignore-file-beside-the-dockerfile"),
]


@pytest.mark.parametrize(("edit", "images"), EDITS)
def test_a_digest_follows_what_is_read(edit: dict[str, Content], images: set[str]) -> None:
    assert changed(CONFIG, FILES, edit=edit) == images


def settings(web: str, *, top: str = "") -> str:
    """The configuration with more said of `web`, and more at its top level."""
    return CONFIG.replace("target: web}", f"target: web, {web}}}" if web else "target: web}") + top


SETTINGS = [
    pytest.param("build-args: {VERSION: 2}", {"web"}, id="a-build-argument"),
    pytest.param("build-args: {UNUSED: 1}", {"web"}, id="one-that-the-dockerfile-does-not-name"),
    pytest.param("platforms: [linux/amd64]", {"web"}, id="a-platform"),
    pytest.param("contexts: {node: docs}", {"web"}, id="a-context-that-nothing-is-read-from"),
    pytest.param("watch: [auto, docs/**]", {"web"}, id="a-list-that-adds"),
    pytest.param("watch: [docs/**]", {"web"}, id="a-list-without-auto-adds-as-well"),
    pytest.param("watch: [auto, '!web/**']", set(), id="a-list-that-takes-away"),
    pytest.param("watch: [web/**, '!web/**', auto]", set(), id="a-list-that-selects-nothing"),
    pytest.param("watch: [web/index.ts]", set(), id="a-narrow-list"),
    pytest.param("inputs: workspace", set(), id="no-workspace"),
    pytest.param("repository: ghcr.io/acme/elsewhere", set(), id="where-it-is-pushed"),
    pytest.param("services: [a], runner: big, timeout-minutes: 5", set(), id="how-it-is-run"),
    pytest.param("max-age: 3d, typical-minutes: 9", set(), id="its-age"),
]


@pytest.mark.parametrize(("web", "images"), SETTINGS)
def test_a_digest_follows_what_decides_the_build(web: str, images: set[str]) -> None:
    assert changed(CONFIG, FILES, text=settings(web)) == images


TOP = [
    pytest.param("salt: again", {"web", "worker"}, id="salt"),
    pytest.param("salt: ''", set(), id="no-salt"),
    pytest.param("watch-all: [docs/**]", {"web", "worker"}, id="watched-by-all"),
    pytest.param("watch-all: ['web/**', '!web/**']", set(), id="watch-all-takes-nothing-away"),
    pytest.param("watch-all: [worker/**]", {"web"}, id="what-one-reads-already"),
    pytest.param("ignore: ['**']", set(), id="ignore"),
    pytest.param("baseline: push", set(), id="baseline"),
    pytest.param("environments: {production: {compose: [docs/a.md]}}", set(), id="environments"),
]


@pytest.mark.parametrize(("top", "images"), TOP)
def test_a_digest_follows_what_holds_for_all(top: str, images: set[str]) -> None:
    assert changed(CONFIG, FILES, text=f"{CONFIG}{top}\n") == images


SAME = [
    pytest.param(
        "platforms: [linux/arm64, linux/amd64]",
        "platforms: [linux/amd64, linux/arm64]",
        id="platforms",
    ),
    pytest.param("build-args: {A: 1, B: 2}", "build-args: {B: 2, A: 1}", id="build-arguments"),
    pytest.param("contexts: {a: web, b: docs}", "contexts: {b: docs/, a: web}", id="contexts"),
    pytest.param(
        "watch: [docs/**, releases/**]", "watch: [releases/**, auto, docs/a.md]", id="patterns"
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_order_and_spelling_do_not_matter(one: str, other: str) -> None:
    assert changed(settings(one), FILES, text=settings(other)) == set()


def test_other_values_are_other_digests() -> None:
    """What one record says never reads as another's."""
    alike = [
        "",
        "build-args: {A: ''}",
        "build-args: {A: '='}",
        "build-args: {A: 'B=C'}",
        "build-args: {AB: C}",
        "build-args: {A: B, C: ''}",
        "build-args: {A: 'B build-arg C='}",
        "contexts: {a: b}",
        "platforms: [linux/a]",
        "platforms: [linux/a, linux/b]",
    ]

    assert len({digests_of(settings(one), FILES)["web"] for one in alike}) == len(alike)


def test_two_targets_of_one_dockerfile_differ() -> None:
    """Also where they read the same: here nothing."""
    dockerfile = "FROM node:22 AS web\nFROM node:22 AS worker\n"
    found = digests_of(CONFIG, {"docker/Dockerfile": dockerfile})

    assert found["web"] != found["worker"]


def test_the_last_stage_is_named_or_not() -> None:
    config = "version: 1\nimages: {a: {target: last}, b: {}}\n"
    found = digests_of(config, {"Dockerfile": "FROM node:22 AS last\n"})

    assert found["a"] != found["b"]


# --- contexts


def test_another_context_with_the_same_files_is_another_image() -> None:
    files: Files = {"Dockerfile": "FROM scratch\nCOPY a/b/c /\n", "a/b/c": "c"}
    whole = "version: 1\nimages: {a: {dockerfile: Dockerfile, watch: [auto, a/b/c]}}\n"

    assert changed(whole, files, text=whole.replace("{dockerfile", "{context: a, dockerfile")) == {
        "a"
    }


CONTEXT_EDITS = [
    pytest.param({"assets/logo.svg": "new"}, {"web"}, id="read-of-a-named-context"),
    pytest.param({"assets/logo.psd": "new"}, set(), id="ignored-by-its-own-ignore-file"),
    pytest.param({"lib/c": "new"}, {"web"}, id="read-of-one-around-the-main-one"),
    pytest.param({"README": "new"}, set(), id="not-read"),
    pytest.param({"web/.dockerignore": "b\n.dockerignore"}, {"web"}, id="ignored-though-watched"),
    pytest.param(
        {"web/.dockerignore": "a\n.dockerignore"},
        {"web"},
        id="ignored-here-though-another-context-has-it",
    ),
    pytest.param(
        {".dockerignore": "web/a"}, {"web"}, id="ignored-there-though-the-main-one-has-it"
    ),
    pytest.param({".dockerignore": "lib/d"}, set(), id="ignored-that-is-not-there"),
]


@pytest.mark.parametrize(("edit", "images"), CONTEXT_EDITS)
def test_each_context_has_an_ignore_file(edit: dict[str, Content], images: set[str]) -> None:
    assert changed(
        CONTEXTS, {**CONTEXT_FILES, "web/.dockerignore": ".dockerignore"}, edit=edit
    ) == (images)


# --- what is only watched

WATCHED = """
version: 1
images: {web: {watch: [auto, "web/**", package.json, pnpm-lock.yaml]}}
"""


@pytest.mark.parametrize("path", ["web/a.ts", "package.json", "pnpm-lock.yaml"])
def test_a_watched_file_that_is_no_longer_copied_makes_another_image(path: str) -> None:
    files: Files = {
        "Dockerfile": "FROM node:22\nCOPY . .\n",
        ".dockerignore": ".dockerignore",
        "web/a.ts": "a",
        "web/b.ts": "b",
        "package.json": "{}",
        "pnpm-lock.yaml": pnpm_lock({".": []}, {}),
    }

    assert changed(WATCHED, files, edit={".dockerignore": f".dockerignore\n{path}"}) == {"web"}


def test_watched_files_count_by_content() -> None:
    config = "version: 1\nimages: {web: {watch: [docs/**]}}\nwatch-all: [Makefile]\n"
    files: Files = {"Dockerfile": "FROM a\n", "docs/a": "a", "Makefile": "all:", "other": "o"}

    assert changed(config, files, edit={"docs/a": Executable("a")}) == {"web"}
    assert changed(config, files, edit={"Makefile": "none:"}) == {"web"}
    assert changed(config, files, edit={"other": "p", "docks/a": "a"}) == set()


def test_a_file_called_auto_is_not_meant() -> None:
    files: Files = {"Dockerfile": "FROM a\n", "auto": "a"}

    assert changed("version: 1\nimages: {web: {}}\n", files, edit={"auto": "b"}) == set()


# --- images that are built on images

SIBLINGS = [
    pytest.param({"base/a": "b"}, {"base", "tools", "web", "app"}, id="all-above-it"),
    pytest.param({"tools/Dockerfile": "FROM a:1\n"}, {"tools", "app"}, id="in-the-middle"),
    pytest.param({"app/Dockerfile": "FROM a:1\n"}, {"app"}, id="none-below-it"),
    pytest.param({"base/Dockerfile": None}, {"base", "tools", "web", "app"}, id="no-longer-there"),
    pytest.param({"base/b": "b"}, set(), id="what-the-base-does-not-read"),
]


@pytest.mark.parametrize(("edit", "images"), SIBLINGS)
def test_an_image_is_another_when_its_base_is(edit: dict[str, Content], images: set[str]) -> None:
    assert changed(CHAIN, CHAIN_FILES, edit=edit) == images


DIGEST = "sha256:" + "5" * 64

BASES = [
    pytest.param("FROM ghcr.io/acme/base", True, id="without-a-tag"),
    pytest.param("FROM ghcr.io/acme/base:v1 AS x", True, id="with-a-tag"),
    pytest.param(f"FROM ghcr.io/acme/base@{DIGEST}", False, id="by-its-digest"),
    pytest.param(f"FROM ghcr.io/acme/base:v1@{DIGEST}", False, id="with-both"),
    pytest.param("FROM ghcr.io/acme/base AS b\nFROM scratch", False, id="of-a-stage-not-needed"),
    pytest.param("FROM a\nCOPY --from=ghcr.io/acme/base /a /", True, id="copied-from"),
    pytest.param(
        "FROM a\nRUN --mount=from=ghcr.io/acme/base,target=/b true", True, id="mounted-from"
    ),
    pytest.param("FROM base", False, id="the-name-alone-is-of-docker-hub"),
    pytest.param("FROM ghcr.io/acme/base/more", False, id="longer"),
    pytest.param("FROM ghcr.io/acme/hub:5000/base", False, id="a-port-is-no-tag"),
    pytest.param("FROM acme/hub", True, id="docker-hub"),
    pytest.param("FROM index.docker.io/acme/hub:1", True, id="docker-hub-by-its-old-name"),
    pytest.param("FROM official:3", True, id="docker-hub-without-an-owner"),
    pytest.param("FROM localhost:5000/local:1", True, id="a-registry-with-a-port"),
    pytest.param("FROM ghcr.io/acme/monorepo/unnamed", True, id="without-a-repository-of-its-own"),
    pytest.param("FROM ghcr.io/fork/monorepo/unnamed:v1", True, id="the-same-in-a-fork"),
    pytest.param("FROM quay.io/acme/monorepo/unnamed", False, id="not-of-another-registry"),
    pytest.param("FROM ghcr.io/acme/unnamed", False, id="not-by-a-shorter-name"),
    pytest.param("FROM node:22", False, id="none"),
    pytest.param("FROM ${UNKNOWN}/base", False, id="a-variable-that-nobody-tells"),
]


@pytest.mark.parametrize(("dockerfile", "is_base"), BASES)
def test_bases_of_the_configuration_are_found(dockerfile: str, is_base: bool) -> None:
    config = """
version: 1
images:
  one: {context: base, repository: ghcr.io/acme/base}
  two: {context: base, repository: docker.io/acme/hub}
  three: {context: base, repository: "localhost:5000/local"}
  four: {context: base, repository: docker.io/library/official}
  unnamed: {context: base}
  top: {context: top}
"""
    files: Files = {
        "base/Dockerfile": "FROM a\nCOPY a /\n",
        "base/a": "a",
        "top/Dockerfile": f"{dockerfile}\n",
    }
    lower = {"one", "two", "three", "four", "unnamed"}

    assert changed(config, files, edit={"base/a": "b"}) == lower | ({"top"} if is_base else set())


def test_a_context_that_is_an_image_is_a_base() -> None:
    config = CHAIN.replace(
        "context: alone", 'context: alone, contexts: {x: "docker-image://acme/tools:1"}'
    )

    assert changed(config, CHAIN_FILES, edit={"base/a": "b"}) == {
        *("base", "tools", "web", "app", "alone")
    }


@pytest.mark.parametrize(
    ("name", "images"),
    [
        *(pytest.param(name, {"a", "b", "c", "above"}, id=f"{name}-within") for name in "abc"),
        pytest.param("below", {"a", "b", "c", "above", "below"}, id="below"),
        pytest.param("above", {"above"}, id="above"),
    ],
)
def test_images_in_a_circle_count_each_other(name: str, images: set[str]) -> None:
    assert changed(CIRCLE, CIRCLE_FILES, edit={f"{name}/f": "other"}) == images


def test_a_circle_is_the_same_from_wherever_it_is_entered() -> None:
    first, *images = [line for line in CIRCLE.splitlines() if "context" in line]
    others = CIRCLE.replace(first + "\n", "") + first + "\n"
    backwards = "version: 1\nimages:\n" + "\n".join([*images[::-1], first]) + "\n"

    assert changed(CIRCLE, CIRCLE_FILES, text=others) == set()
    assert changed(CIRCLE, CIRCLE_FILES, text=backwards) == set()


# --- the Dockerfile

DOCKERFILES = [
    pytest.param({"Dockerfile": None}, id="missing"),
    pytest.param({"Dockerfile": None, "Dockerfile/x": "FROM a"}, id="a-folder"),
    pytest.param({"Dockerfile": Symlink("gone")}, id="a-link-to-nothing"),
    pytest.param({"Dockerfile": Symlink("Dockerfile")}, id="a-link-to-itself"),
]


@pytest.mark.parametrize("edit", DOCKERFILES)
def test_without_a_dockerfile_there_is_no_digest(edit: dict[str, Content]) -> None:
    files = {"Dockerfile": "FROM a\nCOPY a /\n", "a": "a", **edit}
    found = inputs_of("version: 1\nimages: {web: {watch: [auto, a]}}\n", files)["web"]

    assert found.digest == ""
    assert found.why("a") == "watched by a"


def test_a_dockerfile_behind_a_link_counts_with_the_link() -> None:
    config = "version: 1\nimages: {web: {}}\n"
    files: Files = {
        "Dockerfile": Symlink("docker/web"),
        "docker/web": "FROM a\nCOPY a /\n",
        "docker/copy": "FROM a\nCOPY a /\n",
        "a": "a",
    }

    assert changed(config, files, edit={"docker/web": "FROM b\nCOPY a /\n"}) == {"web"}
    assert changed(config, files, edit={"Dockerfile": Symlink("docker/copy")}) == {"web"}
    assert changed(config, files, edit={"docker/copy": "FROM b\n"}) == set()


def test_of_a_dockerfile_in_a_submodule_everything_counts() -> None:
    config = "version: 1\nimages: {web: {dockerfile: lib/Dockerfile}}\n"
    files: Files = {"lib": Gitlink(COMMIT), "a": "a"}

    assert changed(config, files, edit={"lib": Gitlink(NEXT_COMMIT)}) == {"web"}
    assert changed(config, files, edit={"a": "b"}) == {"web"}


@pytest.mark.parametrize(
    "dockerfile",
    [
        pytest.param("FROM a\nCOPPY a /\n", id="not-understood"),
        pytest.param("# syntax=acme/language\nCOPY a /\n", id="another-language"),
        pytest.param("FROM a AS other\n", id="without-the-stage"),
    ],
)
def test_of_a_dockerfile_that_is_not_understood_everything_counts(dockerfile: str) -> None:
    config = "version: 1\nimages: {web: {target: web}}\n"
    files: Files = {"Dockerfile": dockerfile, "a": "a", ".dockerignore": "c", "package.json": "{}"}

    assert changed(config, files, edit={"b": "b"}) == {"web"}
    assert changed(config, files, edit={"c": "c"}) == set()
    assert changed(config, files, edit={"package.json": "{ }"}) == {"web"}


# --- closures


READERS = {"all", "web", "bot", "fetch", "small"}  # of the lockfile

CLOSURES = [
    pytest.param({"pnpm-lock.yaml": lock(react="18.3.0")}, {"all", "web", "fetch"}, id="of-one"),
    pytest.param({"pnpm-lock.yaml": lock(yaml="2.2.0")}, READERS, id="of-two"),
    pytest.param({"pnpm-lock.yaml": lock(lint="1.1.0")}, READERS, id="of-the-root"),
    pytest.param({"pnpm-lock.yaml": lock() + "\n"}, {"fetch"}, id="nothing-of-the-lockfile"),
    pytest.param({"pnpm-lock.yaml": Executable(lock())}, READERS, id="the-mode-of-the-lockfile"),
    pytest.param({"pnpm-lock.yaml": None}, READERS, id="no-lockfile"),
    pytest.param(
        {"pnpm-lock.yaml": lock().replace("9.0", "99.0")}, READERS, id="of-an-unknown-version"
    ),
    pytest.param(
        {"package.json": ROOT_MANIFEST.replace(", ", ",\n\t").replace("build", "\\u0062uild")},
        set(),
        id="the-manifest-is-formatted",
    ),
    pytest.param(
        {"package.json": ROOT_MANIFEST.replace("tsc", "tsc -b")},
        {"all", "web", "bot", "small"},
        id="the-manifest-says-something-else",
    ),
    pytest.param(
        {"package.json": '{"private": true, "name": "root", "scripts": {"build": "tsc"}}'},
        {"all", "web", "bot", "small"},
        id="the-manifest-in-another-order",
    ),
    pytest.param(
        {"package.json": Executable(ROOT_MANIFEST)},
        {"all", "web", "bot", "small"},
        id="the-mode-of-the-manifest",
    ),
    pytest.param(
        {"packages/bot/package.json": '{ "name": "@acme/bot" }'},
        {"all", "bot", "small", "fetch"},
        id="the-manifest-of-a-package-counts-by-its-bytes",
    ),
    pytest.param(
        {"packages/new/package.json": '{"name": "@acme/new"}'}, {"all"}, id="another-package"
    ),
    pytest.param(
        {"packages/new/package.json": "{"},
        {"all", "web", "bot", "small"},
        id="another-package-that-cannot-be-read",
    ),
    pytest.param({"packages/bot/index.ts": "new"}, {*READERS, "plain"} - {"web"}, id="a-file"),
]


@pytest.mark.parametrize(("edit", "images"), CLOSURES)
def test_lockfiles_and_root_manifests_count_by_what_they_say(
    edit: dict[str, Content], images: set[str]
) -> None:
    assert changed(WORKSPACE, WORKSPACE_FILES, edit=edit) == images


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("<<<<<<< ours\n", id="a-conflict"),
        pytest.param("lockfileVersion: '3'\n", id="not-what-pnpm-writes"),
    ],
)
def test_of_a_lockfile_that_cannot_be_read_every_byte_counts(head: str) -> None:
    before = {**WORKSPACE_FILES, "pnpm-lock.yaml": lock(head=head)}

    assert changed(WORKSPACE, before, edit={"pnpm-lock.yaml": lock(head=head) + "\n"}) == READERS


def test_of_a_manifest_that_cannot_be_read_every_byte_counts() -> None:
    before = {**WORKSPACE_FILES, "package.json": "{"}

    assert changed(WORKSPACE, before, edit={"package.json": "{ "}) == {"all", "web", "bot", "small"}


def test_a_lockfile_that_is_a_link_counts_as_a_link() -> None:
    before = {**WORKSPACE_FILES, "pnpm-lock.yaml": Symlink("a"), "a": lock(), "b": lock()}

    assert changed(WORKSPACE, before, edit={"pnpm-lock.yaml": Symlink("b")}) >= READERS
    assert changed(WORKSPACE, before, edit={"a": lock() + "\n"}) >= READERS


def test_a_lockfile_that_is_only_watched_counts_for_no_package() -> None:
    """None of them is known to be installed, so all of it counts."""
    config = (
        "version: 1\nimages: {plain: {dockerfile: plain/Dockerfile, watch: [pnpm-lock.yaml]}}\n"
    )

    assert changed(config, WORKSPACE_FILES, edit={"pnpm-lock.yaml": lock(react="18.3.0")}) == {
        "plain"
    }


# --- `inputs: workspace`

NARROW = """
version: 1
images:
  web: {dockerfile: packages/web/Dockerfile, inputs: workspace}
  bot: {dockerfile: packages/bot/Dockerfile}
"""
NARROW_FILES: Files = {
    **WORKSPACE_FILES,
    "packages/web/Dockerfile": "FROM node:22\nCOPY . .\nCOPY tools/sign.sh /\nRUN pnpm install\n",
    "tools/sign.sh": "sign",
    "tools/other.sh": "other",
    "README.md": "read me",
}

NARROW_EDITS = [
    pytest.param({"packages/web/index.ts": "new"}, {"web"}, id="its-own-package"),
    pytest.param({"packages/core/index.ts": "new"}, {"web"}, id="what-that-needs"),
    pytest.param({"packages/bot/index.ts": "new"}, {"bot"}, id="what-that-does-not-need"),
    pytest.param({"tools/sign.sh": "new"}, {"web"}, id="named-by-its-own-path"),
    pytest.param({"tools/other.sh": "new"}, set(), id="copied-with-everything"),
    pytest.param({"README.md": "new"}, set(), id="no-setting"),
    pytest.param({"tsconfig.json": "{}"}, {"web"}, id="a-setting-at-the-root"),
]


@pytest.mark.parametrize(("edit", "images"), NARROW_EDITS)
def test_a_workspace_narrows_what_is_copied_whole(
    edit: dict[str, Content], images: set[str]
) -> None:
    assert changed(NARROW, NARROW_FILES, edit=edit) == images


def test_a_list_adds_to_a_workspace() -> None:
    config = NARROW.replace("inputs: workspace", "inputs: workspace, watch: [README.md]")

    assert changed(config, NARROW_FILES, edit={"README.md": "new"}) == {"web"}
    assert inputs_of(config, NARROW_FILES)["web"].why("README.md") == "watched by README.md"


def test_the_innermost_workspace_narrows() -> None:
    config = "version: 1\nimages: {web: {dockerfile: site/Dockerfile, inputs: workspace}}\n"
    inner = {f"site/{path}": content for path, content in WORKSPACE_FILES.items()}
    inner["site/Dockerfile"] = "FROM node:22\nCOPY . .\nRUN pnpm --filter @acme/web install\n"
    files: Files = {**WORKSPACE_FILES, **inner}

    assert changed(config, files, edit={"site/packages/core/index.ts": "new"}) == {"web"}
    assert changed(config, files, edit={"site/packages/bot/index.ts": "new"}) == set()


def test_where_no_workspace_is_everything_read_counts_and_it_is_said() -> None:
    config = "version: 1\nimages: {web: {inputs: workspace}}\n"
    files: Files = {"Dockerfile": "FROM a\nCOPY . .\n", "a": "a"}
    found = inputs_of(config, files)["web"]

    assert found.remarks == (
        "`inputs: workspace` has no effect: no workspace holds its Dockerfile",
    )
    assert changed(config, files, edit={"b": "b"}) == {"web"}


# --- why

WHY = [
    pytest.param("docker/Dockerfile", "the Dockerfile itself", id="itself"),
    pytest.param("shared/a.ts", "read by docker/Dockerfile line 3", id="by-its-base-stage"),
    pytest.param("web/index.ts", "read by docker/Dockerfile line 6", id="by-a-folder"),
    pytest.param("vendor/lib", "read by docker/Dockerfile line 7", id="a-submodule"),
    pytest.param("releases/1", "read by docker/Dockerfile line 7", id="behind-a-link"),
    pytest.param("docs/a.md", "watched by docs/**", id="watched"),
    pytest.param("worker/run", "watched by worker/*", id="watched-by-all"),
    pytest.param("web/debug.log", "", id="ignored"),
    pytest.param("releases/2", "", id="not-counted"),
    pytest.param("web", "", id="a-folder-is-nothing"),
    pytest.param("gone", "", id="not-there"),
]


@pytest.mark.parametrize(("path", "why"), WHY)
def test_a_file_counts_for_a_reason(path: str, why: str) -> None:
    config = settings(
        "watch: [auto, docs/**, '!docs/b', web/index.ts]", top="watch-all: [worker/*]"
    )

    assert inputs_of(config, FILES)["web"].why(path) == why


def test_reasons_name_a_closure() -> None:
    found = inputs_of(WORKSPACE, WORKSPACE_FILES)["web"]

    assert found.why("pnpm-lock.yaml") == "read by packages/web/Dockerfile line 2"


def test_of_a_dockerfile_that_is_not_understood_the_line_is_named() -> None:
    config = "version: 1\nimages: {web: {target: web}}\n"
    files: Files = {"Dockerfile": "FROM a\nCOPPY a /\n", "a": "a"}

    assert inputs_of(config, files)["web"].why("a") == "read by Dockerfile line 2"
    without_stage = {**files, "Dockerfile": "FROM a\nCOPY a /\n"}
    assert inputs_of(config, without_stage)["web"].why("a") == "read by Dockerfile"


def test_what_a_workspace_leaves_out_counts_for_no_reason() -> None:
    found = inputs_of(NARROW, NARROW_FILES)["web"]

    assert found.why("tools/other.sh") == ""
    assert found.why("tools/sign.sh") == "read by packages/web/Dockerfile line 2"


# --- what is made before the build


MADE = """
version: 1
watch-all: [docs/**]
images: {web: {dockerfile: Dockerfile, watch: WATCH}}
"""
MADE_FILES: Files = {
    "Dockerfile": "FROM node\nCOPY package.json web/dist /app/\n",
    "package.json": "{}",
    "web/src/a.ts": "a",
    "docs/a.md": "a",
}


@pytest.mark.parametrize("watch", ["[auto]", "[auto, '!lib/**']"])
def test_of_what_a_missing_source_is_made_nobody_knows_so_everything_counts(watch: str) -> None:
    found = inputs_of(MADE.replace("WATCH", watch), MADE_FILES)["web"]

    assert len(found.counted) == len(MADE_FILES)
    assert found.closures == {}
    assert found.why("package.json") == "read by Dockerfile line 2"
    assert found.why("web/src/a.ts") == "of which web/dist may be made (Dockerfile line 2)"
    assert found.why("docs/a.md") == "watched by docs/**"


@pytest.mark.parametrize(
    ("watch", "files"),
    [
        pytest.param("[auto, web/src/**]", MADE_FILES, id="told-by-a-list"),
        pytest.param("[auto]", {**MADE_FILES, "web/dist": "there"}, id="there"),
        pytest.param(
            "[auto]",
            {**MADE_FILES, "web/dist/a.js": "", ".dockerignore": "web/dist"},
            id="there-and-ignored",
        ),
    ],
)
def test_what_is_told_or_there_is_no_doubt(watch: str, files: Files) -> None:
    found = inputs_of(MADE.replace("WATCH", watch), {**files, "other": ""})["web"]

    assert found.made is None
    assert found.why("other") == ""


# --- differences


def told_differences(
    config: str, files: Files, edit: dict[str, Content], *, text: str = "", name: str = "web"
) -> dict[str, str]:
    before = inputs_of(config, files)[name]
    after = inputs_of(text or config, {**files, **edit})[name]
    found = differences(after, before)
    assert [one.path.encode("utf-8", "surrogateescape") for one in found] == sorted(
        one.path.encode("utf-8", "surrogateescape") for one in found
    )
    assert bool(found) <= (after.digest != before.digest)
    return {one.path: one.why for one in found}


DIFFERENCES = [
    pytest.param({}, {}, id="nothing"),
    pytest.param({"docs/a.md": "new"}, {}, id="nothing-that-counts"),
    pytest.param(
        {"shared/a.ts": "new", "web/Index.ts": None, "web/z\n": "z", "web/\udcff": "y"},
        {
            "shared/a.ts": "read by docker/Dockerfile line 3",
            "web/Index.ts": "read by docker/Dockerfile line 6",
            "web/z\n": "read by docker/Dockerfile line 6",
            "web/\udcff": "read by docker/Dockerfile line 6",
        },
        id="changed-removed-and-added",
    ),
    pytest.param(
        {"web/index.ts": Executable("index")},
        {"web/index.ts": "read by docker/Dockerfile line 6"},
        id="a-mode",
    ),
    pytest.param(
        {"vendor/lib": Gitlink(NEXT_COMMIT)},
        {"vendor/lib": "read by docker/Dockerfile line 7"},
        id="a-submodule",
    ),
    pytest.param(
        {".dockerignore": "web/*.log\nshared\n"},
        {"shared/a.ts": "no longer read by docker/Dockerfile line 3"},
        id="newly-ignored",
    ),
    pytest.param(
        {".dockerignore": ""},
        {"web/debug.log": "newly read by docker/Dockerfile line 6"},
        id="no-longer-ignored",
    ),
    pytest.param(
        {"docker/Dockerfile": DOCKERFILE.replace("COPY web/", "COPY docs/ web/")},
        {
            "docker/Dockerfile": "the Dockerfile itself",
            "docs/a.md": "newly read by docker/Dockerfile line 6",
        },
        id="newly-copied",
    ),
    pytest.param(
        {"current": Symlink("releases/2")},
        {
            "current": "read by docker/Dockerfile line 7",
            "releases/1": "no longer read by docker/Dockerfile line 7",
            "releases/2": "newly read by docker/Dockerfile line 7",
        },
        id="a-link-leads-elsewhere",
    ),
]


@pytest.mark.parametrize(("edit", "found"), DIFFERENCES)
def test_what_differs_is_told(edit: dict[str, Content], found: dict[str, str]) -> None:
    assert told_differences(CONFIG, FILES, edit) == found


def test_what_is_watched_instead_of_read_is_told() -> None:
    config = settings("watch: [auto, shared/**]")
    edit: dict[str, Content] = {".dockerignore": "web/*.log\nshared\n"}

    assert told_differences(config, FILES, edit) == {
        "shared/a.ts": "no longer read by docker/Dockerfile line 3"
    }
    after = {**FILES, **edit}
    assert told_differences(config, after, {".dockerignore": FILES[".dockerignore"]}) == {
        "shared/a.ts": "newly read by docker/Dockerfile line 3"
    }


def test_what_is_newly_watched_is_told() -> None:
    more, less = settings("watch: [auto, docs/**]"), CONFIG

    assert told_differences(less, FILES, {}, text=more) == {"docs/a.md": "newly watched by docs/**"}
    assert told_differences(more, FILES, {}, text=less) == {
        "docs/a.md": "no longer watched by docs/**"
    }


def test_a_lockfile_differs_for_those_whose_closure_does() -> None:
    edit: dict[str, Content] = {"pnpm-lock.yaml": lock(react="18.3.0")}

    assert told_differences(WORKSPACE, WORKSPACE_FILES, edit) == {
        "pnpm-lock.yaml": "read by packages/web/Dockerfile line 2"
    }
    assert told_differences(WORKSPACE, WORKSPACE_FILES, edit, name="bot") == {}


def test_a_lockfile_that_no_longer_can_be_read_differs() -> None:
    edit: dict[str, Content] = {"pnpm-lock.yaml": f"<<<<<<< ours\n{lock()}"}

    assert list(told_differences(WORKSPACE, WORKSPACE_FILES, edit)) == ["pnpm-lock.yaml"]


def test_what_an_image_is_built_on_is_no_file() -> None:
    assert told_differences(CHAIN, CHAIN_FILES, {"base/a": "b"}) == {}


# --- what is asked for


def test_only_files_that_decide_are_asked_for() -> None:
    found = wanted(
        parse(WORKSPACE, source="c.yml"), tree_of({**WORKSPACE_FILES, ".dockerignore": ""})
    )

    assert found == {
        *("Dockerfile", "packages/web/Dockerfile", "packages/bot/Dockerfile"),
        *("fetch/Dockerfile", "plain/Dockerfile", ".dockerignore"),
        *("package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", "packages/core/package.json"),
        *("packages/web/package.json", "packages/bot/package.json"),
    }
