"""What docker is told: every value behind its option, no secret, and caches that cannot fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.buildx.arguments import (
    Caches,
    Options,
    arguments,
    choose_caches,
    parse_secrets,
)
from orient_deploy.errors import InputError
from tests.unit.buildx.entries import COMMIT, REPOSITORY, build

RUNTIME = {"ACTIONS_RUNTIME_TOKEN": "x", "ACTIONS_RESULTS_URL": "https://results.example.com/"}
GHA = "type=gha,scope=dashboard"
IN_REGISTRY = f"type=registry,ref={REPOSITORY}:inputs-cache"


def test_a_whole_build_is_spelt_out() -> None:
    options = Options(
        push=True,
        caches=Caches(sources=(GHA,), targets=(f"{GHA},mode=max",)),
        fresh=True,
        provenance="mode=max",
        sbom="true",
        secrets=(("npm", "NPM_TOKEN"),),
    )
    whole = build(
        target="production",
        platforms="linux/amd64,linux/arm64",
        build_args="A=1\nB=x y",
        contexts="shared=packages/shared\nbase=docker-image://ghcr.io/acme/base:1",
    )

    assert arguments(whole, options, "/t/m.json") == [
        *("buildx", "build", "--progress=plain", "--metadata-file=/t/m.json"),
        "--file=./packages/dashboard/Dockerfile",
        "--target=production",
        "--platform=linux/amd64,linux/arm64",
        *(f"--tag={REPOSITORY}:{tag}" for tag in (f"sha-{COMMIT}", "main", "latest")),
        f"--label=org.opencontainers.image.revision={COMMIT}",
        *("--build-arg=A=1", "--build-arg=B=x y"),
        "--build-context=shared=./packages/shared",
        "--build-context=base=docker-image://ghcr.io/acme/base:1",
        "--secret=id=npm,env=NPM_TOKEN",
        f"--cache-from={GHA}",
        f"--cache-to={GHA},mode=max",
        *("--provenance=mode=max", "--sbom=true", "--no-cache", "--pull", "--push"),
        *("--", "./."),
    ]


def test_without_a_push_nothing_leaves_the_builder() -> None:
    made = arguments(build(), Options(push=False), "/t/m.json")

    assert "--push" not in made and "--load" not in made
    assert "--output=type=cacheonly" in made


@given(st.text(st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]), min_size=1))
def test_no_value_is_taken_for_an_option(text: str) -> None:
    hostile = build(target=text, build_args=f"A={text}", labels=f"{build().labels[0]}\nx={text}")

    made = arguments(hostile, Options(push=True), "/t/m.json")

    *options, separator, context = made[2:]
    assert (separator, context) == ("--", "./.")
    assert all(one.startswith("--") and "=" in one for one in options[:-1])
    assert options[-1] == "--push"


# --- secrets


def test_secrets_are_named_by_their_variables() -> None:
    environment = {"NPM_TOKEN": "hunter22", "SENTRY": "hunter23"}

    found = parse_secrets("npm=NPM_TOKEN\n\n  SENTRY  \n", environment)

    assert found == (("npm", "NPM_TOKEN"), ("SENTRY", "SENTRY"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param("npm=hunter22!", "line 1 does not name a secret and a variable", id="value"),
        pytest.param("A\nnpm=NPM TOKEN", "line 2 does not name a secret", id="blank-in-a-name"),
        pytest.param("npm=", "line 1 does not name", id="no-variable"),
        pytest.param("=A", "line 1 does not name", id="no-id"),
        pytest.param("id=npm,env=A", "line 1 does not name", id="as-buildx-writes-it"),
        pytest.param("npm=GONE", "the variable GONE of secret npm is empty", id="not-set"),
        pytest.param("npm=EMPTY", "the variable EMPTY of secret npm is empty", id="empty"),
        pytest.param("npm=A\nnpm=B", "npm is given twice", id="twice"),
    ],
)
def test_a_wrong_secret_is_refused_and_not_shown(text: str, what: str) -> None:
    environment = {"A": "hunter22", "B": "hunter23", "EMPTY": ""}

    with pytest.raises(InputError) as caught:
        parse_secrets(text, environment)

    assert what in caught.value.what
    assert "hunter" not in str(caught.value)


# --- caches


@pytest.mark.parametrize(
    ("mode", "push", "exports", "environment", "sources", "targets", "notice"),
    [
        pytest.param("auto", True, True, RUNTIME, [GHA], [f"{GHA},mode=max"], "", id="github"),
        pytest.param("gha", True, True, RUNTIME, [GHA], [f"{GHA},mode=max"], "", id="github-asked"),
        pytest.param(
            *("auto", True, True, {}, [IN_REGISTRY], [f"{IN_REGISTRY},mode=max"]),
            f"layers are cached in {REPOSITORY}:inputs-cache",
            id="no-token-of-the-runtime",
        ),
        pytest.param(
            *("auto", True, True, {"ACTIONS_RUNTIME_TOKEN": "x"}),
            *([IN_REGISTRY], [f"{IN_REGISTRY},mode=max"]),
            f"layers are cached in {REPOSITORY}:inputs-cache",
            id="no-address-of-the-runtime",
        ),
        pytest.param(
            *("registry", True, True, RUNTIME, [IN_REGISTRY], [f"{IN_REGISTRY},mode=max"], ""),
            id="registry",
        ),
        pytest.param(
            *("gha", True, True, {}, [], [], "so no layer is cached"), id="github-out-of-reach"
        ),
        pytest.param("none", True, True, RUNTIME, [], [], "", id="none"),
        pytest.param("auto", False, True, {}, [IN_REGISTRY], [], "", id="not-pushed-only-read"),
        pytest.param(
            *("auto", False, True, RUNTIME, [GHA], [f"{GHA},mode=max"], ""), id="not-pushed-github"
        ),
        pytest.param(
            *("auto", True, False, RUNTIME, [GHA], [], "the builder (docker without its"),
            id="builder-writes-none",
        ),
        pytest.param(
            *("auto", False, False, {}, [IN_REGISTRY], [], ""), id="builder-is-not-asked-to-write"
        ),
    ],
)
def test_layers_are_cached_where_they_can_be(
    mode: str,
    push: bool,
    exports: bool,
    environment: dict[str, str],
    sources: list[str],
    targets: list[str],
    notice: str,
) -> None:
    caches = choose_caches(build(), mode, push=push, exports=exports, environment=environment)

    assert list(caches.sources) == sources
    assert list(caches.targets) == [f"{one},ignore-error=true" for one in targets]
    assert notice in caches.notice
    assert bool(caches.notice) == bool(notice)


def test_a_cache_of_the_consumers_own_is_left_as_it_is() -> None:
    own = build(
        cache_from="type=s3,bucket=x",
        cache_to="type=s3,bucket=x\ntype=registry,ref=r/x:c,ignore-error=false",
    )

    caches = choose_caches(own, "auto", push=True, exports=True, environment={})

    assert caches.sources == ("type=s3,bucket=x",)
    assert caches.targets == ("type=s3,bucket=x", "type=registry,ref=r/x:c,ignore-error=false")
    assert caches.notice == ""


def test_an_unknown_cache_is_refused() -> None:
    with pytest.raises(InputError, match="there are auto, gha, registry, none"):
        choose_caches(build(), "local", push=True, exports=True, environment={})
