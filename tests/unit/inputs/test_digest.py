"""Input digests as docs/digest.md defines them, wherever and by whatever they are computed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from orient_deploy.commands.sources import Sources
from orient_deploy.config import parse
from orient_deploy.history import Git, Repository, discover
from orient_deploy.history.libgit import Commits
from orient_deploy.inputs.digest import SHOWN
from orient_deploy.inputs.images import ImageInputs, resolve_images
from orient_deploy.inputs.tree import SUBMODULE, Tree
from tests.fakes.repositories import Content, Executable, Files, Gitlink, RepositoryBuilder, Symlink
from tests.oracles import input_digest
from tests.unit.inputs import monorepos
from tests.unit.inputs.commit import digests_of, inputs_of, told
from tests.unit.inputs.generated import COMMITS, FOLDERS, ODD, PLAIN, Monorepo, generated

# A digest is a promise to those that are written down in registries: one that changes here takes
# another version in SCHEMA and docs/digest.md. On every Python that CI runs.
KNOWN = [
    pytest.param(
        monorepos.CONFIG + "salt: grün\nwatch-all: ['docs/**']\n",
        {**monorepos.FILES, "web/new\nline": "1", "web/\udcff": "2", "web/ü": "3", "web/-": "4"},
        {"web": "431676f710b2", "worker": "196017a018f2"},
        id="two-targets",
    ),
    pytest.param(
        monorepos.CONTEXTS, monorepos.CONTEXT_FILES, {"web": "dbcae4b2e776"}, id="contexts"
    ),
    pytest.param(
        monorepos.CHAIN,
        monorepos.CHAIN_FILES,
        {
            "base": "eafd58a57804",
            "tools": "4c908cf4ee49",
            "web": "641d8059f7c8",
            "app": "f6c77df61b38",
            "alone": "505f8c8fed93",
        },
        id="a-chain",
    ),
    pytest.param(
        monorepos.CIRCLE,
        monorepos.CIRCLE_FILES,
        {
            "a": "6650d8923435",
            "b": "dafb9cff1b35",
            "c": "979de4000dbb",
            "below": "9a738394925e",
            "above": "9e16c5fbe0bb",
        },
        id="a-circle",
    ),
    pytest.param(
        monorepos.WORKSPACE,
        monorepos.WORKSPACE_FILES,
        {
            "all": "ed474b5a5573",
            "web": "517d49c2f979",
            "bot": "33c43cffda9a",
            "fetch": "7ca6dfa0c33c",
            "plain": "7a96be81e1cf",
            "small": "33c43cffda9a",
        },
        id="a-workspace",
    ),
]


@pytest.mark.parametrize(("config", "files", "digests"), KNOWN)
def test_digests_are_the_same_everywhere(
    config: str, files: Files, digests: Mapping[str, str]
) -> None:
    found = digests_of(config, files)

    assert {name: digest[:SHOWN] for name, digest in found.items()} == digests


def text_of(config: object) -> str:
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


# --- the page, git and libgit2


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> RepositoryBuilder:
    return RepositoryBuilder(tmp_path_factory.mktemp("digests") / "origin.git")


def by_git(
    builder: RepositoryBuilder, commit: str, config: str, *, head: str = ""
) -> dict[str, ImageInputs]:
    """As a detection computes them, of the head or of the base that it is compared with."""
    git = Git({})
    with Repository(
        git, discover(git, str(builder.directory)), temporary=str(builder.directory.parent)
    ) as repository:
        parsed = parse(config, source="c.yml")
        sources = Sources(repository, head, commit) if head else Sources(repository, commit)
        return sources.inputs(parsed, commit)


def by_libgit(builder: RepositoryBuilder, commit: str, config: str) -> dict[str, ImageInputs]:
    """As those compute them that look back at many commits."""
    commits = Commits(str(builder.directory))
    tree = Tree(commits.entries(commit))

    def read(path: str) -> bytes | None:
        at = tree.position(path)
        if at is None or tree.mode(at) == SUBMODULE:
            return None
        return commits.content(tree.oid(at))

    return resolve_images(parse(config, source="c.yml"), tree, read)


@settings(max_examples=30)
@given(monorepo=generated())
def test_everyone_computes_the_same(monorepo: Monorepo, builder: RepositoryBuilder) -> None:
    """The page read by itself, git, libgit2, and what the tests of this room do without either."""
    text = text_of(monorepo.config)
    commit = builder.commit(monorepo.files, parents=[])
    found = {name: one.digest for name, one in by_git(builder, commit, text).items()}

    assert {name: one.digest for name, one in by_libgit(builder, commit, text).items()} == found
    assert digests_of(text, monorepo.files) == found
    page = input_digest.Commit(builder.directory, commit, monorepo.config)
    assert {name: page.digest(name) for name in found} == found


@settings(max_examples=15)
@given(base=generated(), head=generated())
def test_a_base_is_read_by_what_changed_since(
    base: Monorepo, head: Monorepo, builder: RepositoryBuilder
) -> None:
    text = text_of(base.config)
    before = builder.commit(base.files, parents=[])
    after = builder.commit(head.files, parents=[])
    found = by_git(builder, before, text, head=after)

    assert {name: one.digest for name, one in found.items()} == digests_of(text, base.files)


# --- properties

_PATHS = st.sampled_from([folder + name for folder in FOLDERS for name in (*PLAIN, *ODD)])


@given(monorepo=generated(), path=_PATHS | _PATHS.map("packages/web/".__add__), content=st.text())
def test_a_file_that_does_not_count_changes_nothing(
    monorepo: Monorepo, path: str, content: str
) -> None:
    assume(path not in monorepo.files)
    text = text_of(monorepo.config)
    before = inputs_of(text, monorepo.files)
    after = inputs_of(text, {**monorepo.files, path: content})

    above = {name for name, one in after.items() if one.why(path)}
    event(f"counts for {len(above)}")
    unaffected = {name for name in after if not above & built_on(name, after)}
    assert {name: after[name].digest for name in unaffected} == {
        name: before[name].digest for name in unaffected
    }


def built_on(name: str, inputs: Mapping[str, ImageInputs]) -> set[str]:
    """The image, and all that it may be built on."""
    repositories = {"x.io/one": "one", "ghcr.io/": "two", "x.io/three": "three"}
    found, pending = {name}, [name]
    while pending:
        one = inputs[pending.pop()]
        contexts = [value.partition("://")[2] for _, value in one.image.contexts]
        for base in (*one.reads.bases, *contexts):
            other = next((at for start, at in repositories.items() if base.startswith(start)), name)
            if other not in found:
                found.add(other)
                pending.append(other)
    return found


@given(monorepo=generated(), data=st.data())
def test_every_byte_and_mode_of_what_counts_counts(monorepo: Monorepo, data: st.DataObject) -> None:
    text = text_of(monorepo.config)
    before = inputs_of(text, monorepo.files)
    counted = {
        (name, one.tree.paths[at])
        for name, one in before.items()
        if one.digest
        for at in one.counted
        if one.tree.paths[at] not in one.closures
    }
    assume(counted)
    name, path = data.draw(st.sampled_from(sorted(counted)))
    content = data.draw(st.sampled_from(others(monorepo.files[path])))
    after = inputs_of(text, {**monorepo.files, path: content})

    assert after[name].digest != before[name].digest


def others(content: Content) -> list[Content]:
    """The same entry with another byte, mode or type."""
    if isinstance(content, Gitlink):
        return [Gitlink(one) for one in (*COMMITS, "8" * 40) if one != content.commit] + [""]
    bytes_ = told(content)
    target = bytes_.decode("utf-8", "surrogateescape") or "a"
    found: list[Content] = [bytes_ + b"\n", Gitlink(COMMITS[0])]
    found += [] if isinstance(content, Executable) else [Executable(bytes_)]
    found += [Symlink(target + "b"), bytes_] if isinstance(content, Symlink) else [Symlink(target)]
    return found


@given(monorepo=generated(), data=st.data())
def test_the_order_of_a_configuration_does_not_matter(
    monorepo: Monorepo, data: st.DataObject
) -> None:
    def shuffled(value: object) -> object:
        if isinstance(value, dict):
            keys = data.draw(st.permutations(list(value)))
            return {key: shuffled(value[key]) for key in keys}
        return value

    other = shuffled(monorepo.config)
    assert isinstance(other, dict)
    for image in other["images"].values():
        if "platforms" in image:
            image["platforms"] = data.draw(st.permutations(image["platforms"]))

    assert digests_of(text_of(other), monorepo.files) == digests_of(
        text_of(monorepo.config), monorepo.files
    )
