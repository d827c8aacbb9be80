"""The build matrix: what a build step is told about each image."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.config import ConfigError
from orient_deploy.errors import InputError
from orient_deploy.plan.matrix import COMPARED, MOST_JOBS, build_matrix
from orient_deploy.plan.tags import TAG_MAX, default_repository
from orient_deploy.runner import Event, PullRequest
from tests.unit.plan import orient
from tests.unit.plan.orient import CONFIG, HEAD, config, event, push

REQUEST = PullRequest(number=7, head_sha="a" * 40, base_sha="b" * 40, base_ref="main")


def entry(
    name: str = "dashboard",
    *,
    text: str = CONFIG,
    at: Event | None = None,
    head: str = HEAD,
    deploying: bool = True,
) -> dict[str, Any]:
    """The JSON of one image's entry."""
    (found,) = build_matrix(
        [name],
        config(text),
        event=at or push(),
        head=head,
        deploying=deploying,
        listing=orient.LISTING,
    )
    return found.as_json()


def tags(**given: Any) -> list[str]:
    """The names behind the colon, without the first: `sha-<commit>` comes always."""
    repository = "ghcr.io/acme/orient/dashboard:"
    found = [tag.removeprefix(repository) for tag in entry(**given)["tags"].split("\n")]
    assert found[0] == f"sha-{given.get('head', HEAD)}"
    return found[1:]


def test_an_entry_holds_all_that_a_build_needs() -> None:
    text = CONFIG.replace(
        "  dashboard:\n",
        "  dashboard:\n"
        "    context: packages\n"
        "    target: production\n"
        "    platforms: [linux/amd64, linux/arm64]\n"
        "    build-args: {DEPLOY_ENV: prod, B: '1 2'}\n"
        "    runner: [self-hosted, linux, arm64]\n"
        "    timeout-minutes: 20\n",
    )

    assert entry(text=text) == {
        "name": "dashboard",
        "dockerfile": "packages/dashboard/Dockerfile",
        "context": "packages",
        "target": "production",
        "platforms": "linux/amd64,linux/arm64",
        "runner": ["self-hosted", "linux", "arm64"],
        "tags": f"ghcr.io/acme/orient/dashboard:sha-{HEAD}\n"
        "ghcr.io/acme/orient/dashboard:main\n"
        "ghcr.io/acme/orient/dashboard:latest",
        "labels": f"org.opencontainers.image.revision={HEAD}\n"
        "org.opencontainers.image.source=https://github.com/acme/orient",
        "build-args": "B=1 2\nDEPLOY_ENV=prod",
        "cache-from": "type=gha,scope=dashboard",
        "cache-to": "type=gha,scope=dashboard,mode=max",
        "no-cache": False,
        "timeout": 20,
        "contexts": "",
        "input-digest": "",
        "record": "",
    }


def test_what_is_not_configured_has_a_default() -> None:
    found = entry()

    assert (found["context"], found["target"], found["platforms"]) == (".", "", "")
    assert (found["runner"], found["build-args"], found["timeout"]) == (["ubuntu-latest"], "", 60)


def test_an_image_without_a_repository_goes_beside_the_code() -> None:
    text = CONFIG.replace("    repository: ghcr.io/acme/orient/dashboard\n", "")

    found = entry(text=text, at=push(repository="Acme/Orient"))
    assert found["tags"].startswith("ghcr.io/acme/orient/dashboard:sha-")
    assert default_repository("", "dashboard") == "ghcr.io/local/dashboard"


@pytest.mark.parametrize("facts", [{"repository": ""}, {"server_url": ""}])
def test_an_unknown_source_is_no_label(facts: dict[str, str]) -> None:
    assert entry(at=push(**facts))["labels"] == f"org.opencontainers.image.revision={HEAD}"


OTHER = "e" * 40
TAGS = [
    pytest.param({}, ["main", "latest"], id="default-branch"),
    pytest.param({"deploying": False}, ["main"], id="default-branch-that-does-not-deploy"),
    pytest.param({"at": push("refs/heads/release")}, ["release"], id="deploying-branch"),
    pytest.param({"at": push("refs/heads/feat/a b")}, ["feat-a-b"], id="slash"),
    pytest.param({"at": push("refs/heads/.-x")}, ["x"], id="sign-in-front"),
    pytest.param({"at": push("refs/heads/ümläut")}, ["-ml-ut".lstrip("-")], id="umlaut"),
    pytest.param({"at": push("refs/heads/äöü")}, ["ref-"], id="nothing-left"),
    pytest.param({"at": push("refs/heads/latest"), "deploying": False}, ["ref-latest"], id="taken"),
    pytest.param({"at": push("refs/heads/sha-1")}, ["ref-sha-1"], id="taken-sha"),
    pytest.param({"at": push("refs/heads/inputs-1")}, ["ref-inputs-1"], id="taken-inputs"),
    pytest.param({"at": push("refs/heads/pr-1")}, ["ref-pr-1"], id="taken-pr"),
    pytest.param({"at": push("refs/heads/latest-fix")}, ["latest-fix"], id="not-taken"),
    pytest.param({"at": push("refs/tags/v1.2.3")}, ["v1.2.3"], id="version"),
    pytest.param({"at": push("refs/tags/v1+x")}, ["v1-x"], id="version-with-a-sign"),
    pytest.param({"at": push("refs/tags/latest")}, ["ref-latest"], id="taken-by-a-tag"),
    pytest.param({"at": event("workflow_dispatch")}, ["main", "latest"], id="by-hand"),
    pytest.param({"head": OTHER}, [], id="another-commit-by-hand"),
    pytest.param({"head": OTHER, "at": push("refs/tags/v1")}, ["v1"], id="annotated-tag"),
    pytest.param({"at": push("")}, [], id="no-ref"),
    pytest.param(
        {"at": event("pull_request", "refs/pull/7/merge", pull_request=REQUEST)},
        ["pr-7"],
        id="pull-request",
    ),
    # Its ref is that of the branch it goes to: a stranger's commit must not become `latest`.
    pytest.param(
        {"at": event("pull_request_target", pull_request=REQUEST), "head": HEAD},
        ["pr-7"],
        id="pull-request-target",
    ),
]


@pytest.mark.parametrize(("given_", "expected"), TAGS)
def test_the_tags_follow_the_ref(given_: dict[str, Any], expected: list[str]) -> None:
    assert tags(**given_) == expected


# Docker's reference grammar.
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@given(st.text(min_size=1).filter(str.strip), st.sampled_from(["heads", "tags"]))
def test_every_ref_gives_a_valid_tag(name: str, kind: str) -> None:
    (tag, *latest) = tags(at=push(f"refs/{kind}/{name}"))

    assert TAG.fullmatch(tag)
    assert latest == (["latest"] if (kind, name) == ("heads", "main") else [])


def test_a_long_branch_is_cut() -> None:
    (tag,) = tags(at=push(f"refs/heads/{'x' * 300}"))

    assert len(tag) == TAG_MAX


def many(count: int) -> tuple[str, list[str]]:
    """A configuration of so many images, and their Dockerfiles."""
    names = [f"s{index}" for index in range(count)]
    lines = "".join(f"  {name}: {{context: {name}, watch: ['{name}/**']}}\n" for name in names)
    return f"version: 1\nimages:\n{lines}", [f"{name}/Dockerfile" for name in names]


@pytest.mark.parametrize("count", [0, 1, MOST_JOBS])
def test_a_run_holds_256_images(count: int) -> None:
    text, listing = many(MOST_JOBS)

    names = [f"s{index}" for index in range(count)]
    found = build_matrix(
        names, config(text), event=push(), head=HEAD, deploying=True, listing=listing
    )
    assert [one.name for one in found] == names


def test_one_more_is_refused_with_advice() -> None:
    text, listing = many(MOST_JOBS + 1)
    whole = config(text)

    with pytest.raises(InputError, match=r"257 images .* at most 256 .* Split them"):
        build_matrix(
            [image.name for image in whole.images],
            whole,
            event=push(),
            head=HEAD,
            deploying=True,
            listing=listing,
        )


def missing(names: list[str], listing: list[str]) -> list[str]:
    """The problems of Dockerfiles that are not there."""
    with pytest.raises(ConfigError) as caught:
        build_matrix(names, config(), event=push(), head=HEAD, deploying=True, listing=listing)
    return [str(problem) for problem in caught.value.problems]


def test_a_missing_dockerfile_is_refused_at_its_place_with_the_nearest() -> None:
    listing = ["a/Dockerfile", "packages/dashbord/Dockerfile", "packages/dashboard/index.ts"]

    assert missing(["dashboard"], listing) == [
        f"{orient.SOURCE}:17:3: image dashboard: packages/dashboard/Dockerfile is not in the "
        "commit. The nearest is packages/dashbord/Dockerfile. Correct `dockerfile`, or add the file"
    ]


def test_every_missing_dockerfile_is_a_problem_of_its_own() -> None:
    problems = missing(["opencode", "whatsapp", "dashboard"], ["README.md"])

    assert [problem.split(": ")[1] for problem in problems] == [
        f"image {name}" for name in orient.IMAGES
    ]
    assert all("The commit has no Dockerfile at all. Correct" in one for one in problems)


def test_of_many_missing_dockerfiles_the_first_are_told_the_nearest() -> None:
    text, _ = many(COMPARED + 1)
    whole = config(text)

    with pytest.raises(ConfigError) as caught:
        build_matrix(
            [image.name for image in whole.images],
            whole,
            event=push(),
            head=HEAD,
            deploying=True,
            listing=["Dockerfile"],
        )
    told = ["nearest" in problem.fix for problem in caught.value.problems]
    assert told == [True] * COMPARED + [False]


def test_a_missing_dockerfile_of_an_image_that_is_kept_is_no_matter() -> None:
    listing = ["packages/dashboard/Dockerfile"]

    found = build_matrix(
        ["dashboard"], config(), event=push(), head=HEAD, deploying=True, listing=listing
    )
    assert len(found) == 1


def test_the_entries_keep_the_order_of_the_configuration() -> None:
    found = build_matrix(
        ["dashboard", "opencode"],
        config(),
        event=push(),
        head=HEAD,
        deploying=True,
        listing=orient.LISTING,
    )

    assert [one.name for one in found] == ["opencode", "dashboard"]
    assert {field.name for field in dataclasses.fields(found[0])} == {
        key.replace("-", "_") for key in found[0].as_json()
    }


RECORDED = CONFIG.replace("baseline: push", "baseline: auto")
DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("at", "deploying", "head", "expected"),
    [
        pytest.param(
            push(), True, HEAD, ["inputs-last-main", f"inputs-{DIGEST[:40]}"], id="deploying-branch"
        ),
        pytest.param(push("refs/heads/topic"), False, HEAD, [], id="another-branch"),
        pytest.param(
            push("refs/tags/v1.2.0"), False, HEAD, [f"inputs-{DIGEST[:40]}"], id="version"
        ),
        pytest.param(push("refs/tags/nightly"), False, HEAD, [], id="another-tag"),
        pytest.param(
            event("pull_request", "refs/pull/7/merge", pull_request=REQUEST),
            False,
            HEAD,
            [],
            id="pull-request",
        ),
        pytest.param(
            event("pull_request_target", pull_request=REQUEST), True, HEAD, [], id="of-a-stranger"
        ),
        pytest.param(event("local"), True, HEAD, [], id="laptop"),
        pytest.param(
            event("workflow_dispatch"),
            True,
            "5" * 40,
            [f"inputs-{DIGEST[:40]}"],
            id="a-commit-chosen-by-hand-is-no-last-build",
        ),
    ],
)
def test_a_build_is_recorded_where_it_counts(
    at: Event, deploying: bool, head: str, expected: list[str]
) -> None:
    (found,) = build_matrix(
        ["dashboard"],
        config(RECORDED),
        event=at,
        head=head,
        deploying=deploying,
        listing=orient.LISTING,
        digests={"dashboard": DIGEST},
        run="77",
    )

    assert found.input_digest == DIGEST
    assert found.record.split("\n") == (
        [f"ghcr.io/acme/orient/dashboard:{tag}" for tag in expected] or [""]
    )


def test_a_tag_that_never_moves_gets_the_number_of_the_run() -> None:
    (found,) = build_matrix(
        ["dashboard"],
        config(RECORDED.replace("baseline: auto", "immutable-tags: true")),
        event=push(),
        head=HEAD,
        deploying=True,
        listing=orient.LISTING,
        digests={"dashboard": DIGEST},
        run="77",
    )

    repository = "ghcr.io/acme/orient/dashboard"
    assert found.record.split("\n") == [
        f"{repository}:inputs-last-main-77",
        f"{repository}:inputs-{DIGEST[:40]}-77",
    ]


def test_without_a_digest_nothing_is_recorded() -> None:
    assert entry()["record"] == ""
