"""An entry of the matrix is taken for what it is, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.buildx.model import Build, parse_entry, read_entry
from orient_deploy.config import parse
from orient_deploy.errors import InputError
from orient_deploy.plan.matrix import build_matrix
from orient_deploy.runner import Event
from tests.unit.buildx.entries import COMMIT, DIGEST, REPOSITORY, as_input, build, entry


def test_an_entry_becomes_a_build() -> None:
    assert parse_entry(as_input(platforms="linux/amd64, linux/arm64", target="production")) == (
        Build(
            name="dashboard",
            dockerfile="packages/dashboard/Dockerfile",
            context=".",
            target="production",
            platforms=("linux/amd64", "linux/arm64"),
            repository=REPOSITORY,
            tags=(f"sha-{COMMIT}", "main", "latest"),
            labels=(f"org.opencontainers.image.revision={COMMIT}",),
            cache_from=("type=gha,scope=dashboard",),
            cache_to=("type=gha,scope=dashboard,mode=max",),
            timeout_minutes=60,
            commit=COMMIT,
            input_digest=DIGEST,
            record=(f"inputs-{DIGEST[:40]}", "inputs-last-main"),
        )
    )


def test_every_entry_of_the_matrix_is_one() -> None:
    """What one side writes the other reads, whatever the configuration says."""
    config = parse(
        b"""version: 1
images:
  api:
    dockerfile: "services/a b/Dockerfile"
    context: "services/a b"
    target: run
    platforms: [linux/amd64, linux/arm64]
    build-args: {A: "1=2, 3", B: ""}
    contexts: {shared: shared, base: "docker-image://ghcr.io/acme/base:1"}
    runner: [self-hosted, linux]
    timeout-minutes: 5
  web: {dockerfile: web/Dockerfile, repository: "127.0.0.1:5000/web"}
""",
        source="x.yml",
    )
    event = Event(
        name="push",
        sha=COMMIT,
        ref="refs/heads/main",
        repository="acme/orient",
        server_url="https://github.com",
        default_branch="main",
    )
    listing = ["services/a b/Dockerfile", "web/Dockerfile"]
    entries = build_matrix(
        ["api", "web"], config, event=event, head=COMMIT, deploying=True, listing=listing
    )

    api, web = (read_entry(json.loads(json.dumps(one.as_json()))) for one in entries)

    assert (api.dockerfile, api.context) == ("services/a b/Dockerfile", "services/a b")
    assert api.build_args == ("A=1=2, 3", "B=")
    assert api.contexts == ("base=docker-image://ghcr.io/acme/base:1", "shared=shared")
    assert (api.registry, api.timeout_minutes, api.commit) == ("ghcr.io", 5, COMMIT)
    assert (web.registry, web.repository) == ("127.0.0.1:5000", "127.0.0.1:5000/web")
    assert web.tags == (f"sha-{COMMIT}", "main", "latest")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("null", "it is null: the job has no `strategy.matrix`", id="no-matrix"),
        pytest.param("[]", "it is a list, not an object", id="list"),
        pytest.param("{", "it is no JSON (", id="no-json"),
        pytest.param("[" * 100_000, "it is no JSON (", id="too-deep"),
        pytest.param("{}", "'tags' is empty", id="empty"),
        pytest.param(as_input(name=None), "'name' is missing", id="no-name"),
        pytest.param(as_input(name="--x"), "'name' is '--x'", id="odd-name"),
        pytest.param(as_input(tags=["a"]), "'tags' is a list, not a text", id="tags-as-a-list"),
        pytest.param(as_input(tags="latest"), "in 'tags', '' is no name", id="no-repository"),
        pytest.param(as_input(tags="ghcr.io/a/b"), "in 'tags', '' is no name", id="no-tag"),
        pytest.param(as_input(tags="ghcr.io/a/b:.x"), "'.x' is no tag", id="bad-tag"),
        pytest.param(as_input(tags="--push:x"), "'--push' is no name", id="option"),
        pytest.param(
            as_input(record="ghcr.io/acme/other:inputs-1"),
            f"its tags are in several repositories: {REPOSITORY}, ghcr.io/acme/other",
            id="recorded-elsewhere",
        ),
        pytest.param(as_input(labels=""), "'labels' does not name its commit", id="no-commit"),
        pytest.param(
            as_input(labels="org.opencontainers.image.revision=main"),
            "'labels' does not name its commit",
            id="a-branch-for-a-commit",
        ),
        pytest.param(as_input(timeout="5"), "'timeout' is '5', not a number", id="text-timeout"),
        pytest.param(as_input(timeout=0), "'timeout' is 0, not a number", id="no-time"),
        pytest.param(as_input(timeout=True), "'timeout' is True, not a number", id="flag-timeout"),
        pytest.param(as_input(no_cache="true"), "'no-cache' is 'true', neither true", id="no-flag"),
        pytest.param(as_input(dockerfile="../D"), "'dockerfile' is '../D'", id="outside"),
        pytest.param(as_input(dockerfile=""), "'dockerfile' is ''", id="no-dockerfile"),
        pytest.param(as_input(context="/etc"), "'context' is '/etc'", id="absolute"),
        pytest.param(as_input(contexts="a"), "'contexts' has 'a', which is not", id="no-source"),
        pytest.param(as_input(contexts="a=../b"), "'contexts' is '../b'", id="context-outside"),
        pytest.param(as_input(target="a\0b"), "'target' holds a character", id="nul"),
        pytest.param(
            as_input(target="\ud800"), "'target' holds a character", id="half-a-character"
        ),
        pytest.param(as_input(input_digest="9d"), "'input-digest' is '9d'", id="short-digest"),
    ],
)
def test_what_is_no_entry_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_entry(text)

    assert caught.value.what == "input 'entry' is not an entry of the matrix"
    assert why in caught.value.why


def test_a_matrix_may_hold_more_than_ours() -> None:
    """A consumer combines it with variables of its own."""
    assert read_entry({**entry(), "node": 22, "os": None}) == build()


def test_an_entry_may_record_nothing() -> None:
    quiet = build(record="", input_digest="")

    assert (quiet.record, quiet.input_digest) == ((), "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from(sorted(entry())), JSON, max_size=3))
def test_odd_values_are_refused_and_never_crash(changes: dict[str, object]) -> None:
    try:
        read = read_entry({**entry(), **changes})
    except InputError as error:
        assert error.why
    else:
        assert all(isinstance(value, str) for value in (read.name, *read.tags, *read.labels))
