"""Another tag for an image that is there: the same bytes, in order, and what a refusal means."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from orient_deploy.errors import RemoteError
from orient_deploy.registry.client import Registry
from orient_deploy.registry.credentials import Credentials
from orient_deploy.registry.model import TagRefused
from tests.fakes.hostile_registry import UNKNOWN_MANIFEST, HostileRegistry
from tests.fakes.hostile_registry import Answer as Told
from tests.fakes.token_service import TokenService, password_of
from tests.machines.image_registry import PASSWORD, USER, ImageRegistry
from tests.unit.registry.images import (
    DOCKER_IMAGE,
    DOCKER_LIST,
    OCI_IMAGE,
    OCI_INDEX,
    Pusher,
    digest,
)

Client = Callable[..., Registry]

NAME = "acme/orient"
SOURCE = f"GET /v2/{NAME}/manifests/latest"
HEAD = f"HEAD /v2/{NAME}/manifests/record"
PUT = f"PUT /v2/{NAME}/manifests/record"
MANIFEST = b'{"schemaVersion": 2}'
HELD = {"Content-Type": OCI_IMAGE, "Docker-Content-Digest": digest(MANIFEST)}
OTHER = {**HELD, "Docker-Content-Digest": digest(b"other")}


@pytest.mark.parametrize("media_type", [OCI_IMAGE, DOCKER_IMAGE, OCI_INDEX, DOCKER_LIST])
def test_the_same_bytes_get_another_name(
    client: Client, plain: ImageRegistry, pusher: Pusher, media_type: str
) -> None:
    kind = DOCKER_IMAGE if media_type == DOCKER_LIST else OCI_IMAGE
    pushed = pusher.image("latest", media_type=media_type if "manifest.v" in media_type else kind)
    if media_type in (OCI_INDEX, DOCKER_LIST):
        pushed = pusher.index([pushed.as_child()], "latest", media_type=media_type)
    name = f"{plain.host}/{pusher.path}"

    assert client().tag(name, "latest", ["a", "b"]) == pushed.digest
    assert client().tag(name, pushed.digest, ["c"]) == pushed.digest

    for tag in "abc":
        held = pusher.get(tag)
        assert held.content == pushed.content
        assert held.headers["Content-Type"] == pushed.media_type
        assert held.headers["Docker-Content-Digest"] == pushed.digest


def test_a_tag_moves(client: Client, plain: ImageRegistry, pusher: Pusher) -> None:
    old, new = pusher.image("record", labels={"n": "1"}), pusher.image(labels={"n": "2"})

    client().tag(f"{plain.host}/{pusher.path}", new.digest, ["record"])

    assert old.digest != new.digest == pusher.get("record").headers["Docker-Content-Digest"]


def test_tags_are_written_in_their_order(client: Client, hostile: HostileRegistry) -> None:
    """The record comes last: whoever finds it may rely on the others."""
    hostile.on(SOURCE, Told(headers=HELD, body=MANIFEST))
    for tag in "cab":
        hostile.on(f"PUT /v2/{NAME}/manifests/{tag}", Told(status=201, headers=HELD))

    client().tag(f"{hostile.host}/{NAME}", "latest", ["c", "a", "b"])

    assert [one.path[-1] for one in hostile.asked("PUT")] == ["c", "a", "b"]
    assert {one.body for one in hostile.asked("PUT")} == {MANIFEST}
    assert {one.headers["content-type"] for one in hostile.asked("PUT")} == {OCI_IMAGE}


def test_nothing_after_a_tag_that_failed_is_written(
    client: Client, hostile: HostileRegistry
) -> None:
    hostile.on(SOURCE, Told(headers=HELD, body=MANIFEST))
    hostile.on(f"PUT /v2/{NAME}/manifests/a", Told(status=500))

    with pytest.raises(RemoteError, match="answered 500"):
        client().tag(f"{hostile.host}/{NAME}", "latest", ["a", "record"])

    assert hostile.asked(PUT) == []


def test_a_user_with_a_password_may_tag(
    client: Client, basic: ImageRegistry, pusher: Pusher
) -> None:
    pushed = pusher.image("latest")
    known = Credentials([(basic.host, USER, PASSWORD)])

    client(known).tag(f"{basic.host}/{pusher.path}", "latest", ["record"])

    assert pusher.get("record").content == pushed.content


def test_a_token_to_push_tags(
    client: Client, bearer: ImageRegistry, tokens: TokenService, pusher: Pusher
) -> None:
    pushed = pusher.image("latest")
    known = Credentials([(bearer.host, "writer", password_of("writer"))])

    client(known).tag(f"{bearer.host}/{pusher.path}", "latest", ["record", "more"])

    assert pusher.get("more").content == pushed.content
    assert [asked["scope"].rpartition(":")[2] for _, asked, _ in tokens.requests] == ["pull,push"]


@pytest.mark.parametrize("user", ["", "reader"])
def test_a_token_to_pull_does_not_tag(
    client: Client, bearer: ImageRegistry, tokens: TokenService, pusher: Pusher, user: str
) -> None:
    pusher.image("latest")
    known = Credentials([(bearer.host, user, password_of(user))] if user else [])

    with pytest.raises(RemoteError) as caught:
        client(known).tag(f"{bearer.host}/{pusher.path}", "latest", ["record"])

    assert not isinstance(caught.value, TagRefused)
    assert "answered 401 to the tag record" in caught.value.why
    assert caught.value.next_step == f"Log in to {bearer.host} before, as someone who may push"
    assert pusher.get("record").status_code == 404


def test_what_is_not_there_is_not_tagged(
    client: Client, plain: ImageRegistry, pusher: Pusher
) -> None:
    with pytest.raises(RemoteError, match="has nothing called latest"):
        client().tag(f"{plain.host}/{pusher.path}", "latest", ["record"])


def test_a_source_in_doubt_is_not_tagged(client: Client, hostile: HostileRegistry) -> None:
    hostile.on(SOURCE, Told(status=403))

    with pytest.raises(RemoteError) as caught:
        client().tag(f"{hostile.host}/{NAME}", "latest", ["record"])

    assert "answered 403" in caught.value.why
    assert caught.value.next_step.startswith("Log in to")


def test_an_index_without_its_children_is_not_tagged(
    client: Client, plain: ImageRegistry, pusher: Pusher
) -> None:
    kept, taken = pusher.image(labels={"n": "1"}), pusher.image(labels={"n": "2"})
    pusher.index([kept.as_child(), taken.as_child()], "latest")
    pusher.delete(taken.digest)

    with pytest.raises(RemoteError, match="lacks a part of the image"):
        client().tag(f"{plain.host}/{pusher.path}", "latest", ["record"])


def refusal(code: str, message: str, status: int) -> Told:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Told(status=status, headers={"Content-Type": "application/json"}, body=body)


FIXED = [
    pytest.param(
        refusal(
            "TAG_INVALID",
            "The image tag 'record' already exists in the 'orient' repository and cannot be "
            "overwritten because the repository is immutable.",
            400,
        ),
        id="ecr",
    ),
    pytest.param(
        refusal("PRECONDITION", "'orient:record' configured as immutable", 412), id="harbor"
    ),
    pytest.param(refusal("DENIED", "The tag is immutable", 403), id="words-of-a-refusal"),
    pytest.param(refusal("ImageTagAlreadyExistsException", "", 400), id="code-alone"),
    pytest.param(Told(status=409), id="conflict"),
    pytest.param(Told(status=412, body=b"<html>"), id="precondition"),
    pytest.param(Told(status=405), id="locked"),
]


@pytest.mark.parametrize("told", FIXED)
def test_a_registry_may_let_no_tag_move(
    client: Client, hostile: HostileRegistry, told: Told
) -> None:
    hostile.on(SOURCE, Told(headers=HELD, body=MANIFEST))
    hostile.on(PUT, told)
    hostile.on(HEAD, Told(headers=OTHER, body=MANIFEST))

    with pytest.raises(TagRefused) as caught:
        client().tag(f"{hostile.host}/{NAME}", "latest", ["record"])

    assert "immutable-tags: true" in caught.value.next_step
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("told", FIXED)
def test_a_tag_that_names_the_image_already_need_not_move(
    client: Client, hostile: HostileRegistry, told: Told
) -> None:
    hostile.on(SOURCE, Told(headers=HELD, body=MANIFEST))
    hostile.on(PUT, told)
    hostile.on(HEAD, Told(headers=HELD, body=MANIFEST))

    assert client().tag(f"{hostile.host}/{NAME}", "latest", ["record"]) == digest(MANIFEST)


@pytest.mark.parametrize(
    ("put", "head", "words"),
    [
        pytest.param(
            Told(status=403), Told(headers=OTHER, body=MANIFEST), "answered 403", id="403"
        ),
        pytest.param(refusal("MANIFEST_INVALID", "no", 400), None, "answered 400", id="400"),
        pytest.param(Told(status=409), None, "answered 409", id="conflict-with-nothing"),
        pytest.param(Told(status=404, body=UNKNOWN_MANIFEST), None, "lacks a part", id="part"),
        pytest.param(Told(status=307, headers={"Location": "/x"}), None, "answered 307", id="307"),
        pytest.param(Told(status=201, headers=OTHER), None, "answered 201", id="other-digest"),
        pytest.param(Told(status=201), None, "answered 201", id="written-but-not-there"),
        pytest.param(Told(status=201), Told(status=403), "answered 403", id="nobody-knows"),
        pytest.param(Told(drop=True), None, "connection", id="dropped"),
    ],
)
def test_a_tag_that_is_not_written_is_an_error(
    client: Client, hostile: HostileRegistry, put: Told, head: Told | None, words: str
) -> None:
    hostile.on(SOURCE, Told(headers=HELD, body=MANIFEST))
    hostile.on(PUT, put)
    if head:
        hostile.on(HEAD, head)

    with pytest.raises(RemoteError, match=words) as caught:
        client().tag(f"{hostile.host}/{NAME}", "latest", ["record"])

    assert not isinstance(caught.value, TagRefused)
    assert caught.value.what == f"{hostile.host}/{NAME} could not be tagged"
    assert caught.value.next_step


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_an_answer_without_a_digest_is_looked_after(
    client: Client, hostile: HostileRegistry, status: int
) -> None:
    hostile.on(SOURCE, Told(headers=HELD, body=MANIFEST))
    hostile.on(PUT, Told(status=status))
    hostile.on(HEAD, Told(headers=HELD, body=MANIFEST))

    client().tag(f"{hostile.host}/{NAME}", "latest", ["record"])

    assert len(hostile.asked(HEAD)) == 1


def test_a_registry_that_stays_silent_is_left(client: Client, hostile: HostileRegistry) -> None:
    hostile.on(SOURCE, Told(headers=HELD, body=MANIFEST))
    hostile.on(PUT, Told(hang=True))

    with pytest.raises(RemoteError, match=r"no answer within 0\.4 seconds"):
        client(timeout_s=0.4).tag(f"{hostile.host}/{NAME}", "latest", ["record"])
