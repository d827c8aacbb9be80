"""What real registries hold, asked in every way that they want to be asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orient_deploy.errors import InputError
from orient_deploy.registry.client import Registry
from orient_deploy.registry.credentials import Credentials
from orient_deploy.registry.model import Absent, Described, Found, Unknown
from tests.fakes.token_service import TokenService, password_of, refresh_token_of
from tests.machines.image_registry import PASSWORD, USER, ImageRegistry
from tests.unit.registry.images import (
    DOCKER_IMAGE,
    DOCKER_LIST,
    OCI_IMAGE,
    OCI_INDEX,
    REVISION,
    Pusher,
)

Client = Callable[..., Registry]
COMMIT = "4f2c1ab7" + 32 * "0"


@pytest.mark.parametrize("media_type", [OCI_IMAGE, DOCKER_IMAGE])
def test_an_image_is_found(
    client: Client, plain: ImageRegistry, pusher: Pusher, media_type: str
) -> None:
    pushed = pusher.image("inputs-1", media_type=media_type)
    name = f"{plain.host}/{pusher.path}"
    found = Found(pushed.digest, media_type, len(pushed.content))

    assert client().look_up([(name, "inputs-1"), (name, pushed.digest), (name, "inputs-2")]) == [
        found,
        found,
        Absent(),
    ]


@pytest.mark.parametrize(
    ("index_type", "image_type"), [(OCI_INDEX, OCI_IMAGE), (DOCKER_LIST, DOCKER_IMAGE)]
)
def test_an_index_is_found(
    client: Client, plain: ImageRegistry, pusher: Pusher, index_type: str, image_type: str
) -> None:
    image = pusher.image(media_type=image_type)
    pushed = pusher.index([image.as_child()], "inputs-1", media_type=index_type)

    assert client().look_up([(f"{plain.host}/{pusher.path}", "inputs-1")]) == [
        Found(pushed.digest, index_type, len(pushed.content))
    ]


def test_a_repository_that_does_not_exist_holds_nothing(
    client: Client, plain: ImageRegistry
) -> None:
    name = f"{plain.host}/acme/nothing"

    assert client().look_up([(name, "latest")]) == [Absent()]
    assert client().describe(name, "latest") == Absent()
    assert client().is_complete(name, "latest") == Absent()
    assert client().tags(name) == []


def test_many_are_answered_in_their_order(
    client: Client, plain: ImageRegistry, pusher: Pusher
) -> None:
    pushed = [pusher.image(f"inputs-{n}", labels={"n": str(n)}) for n in range(12)]
    name = f"{plain.host}/{pusher.path}"
    wanted = [(name, f"inputs-{n}") for n in range(60)]

    answers = client().look_up(wanted)

    assert [one.digest for one in answers if isinstance(one, Found)] == [p.digest for p in pushed]
    assert answers[12:] == [Absent()] * 48


def test_nothing_is_asked_about_nothing(client: Client) -> None:
    assert client().look_up([]) == []


def test_no_name_is_asked_when_one_is_wrong(client: Client) -> None:
    with pytest.raises(InputError):
        client().look_up([("127.0.0.1:1/acme/orient", "latest"), ("127.0.0.1:1/A", "latest")])
    with pytest.raises(InputError):
        client().look_up([("127.0.0.1:1/acme/orient", "a b")])
    with pytest.raises(InputError):
        client().tag("127.0.0.1:1/acme/orient", "latest", ["right", "not right"])


def test_a_user_and_a_password_open(client: Client, basic: ImageRegistry, pusher: Pusher) -> None:
    pushed = pusher.image("inputs-1")
    wanted = [(f"{basic.host}/{pusher.path}", one) for one in ("inputs-1", "inputs-2")]
    known = Credentials([(basic.host, USER, PASSWORD)])

    found, absent = client(known).look_up(wanted)

    assert isinstance(found, Found) and found.digest == pushed.digest
    assert absent == Absent()


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(lambda host: Credentials(), id="none"),
        pytest.param(lambda host: Credentials([(host, USER, "wrong")]), id="wrong"),
        pytest.param(lambda host: Credentials([("ghcr.io", USER, PASSWORD)]), id="of-another"),
    ],
)
def test_without_the_right_ones_nothing_is_known(
    client: Client, basic: ImageRegistry, pusher: Pusher, credentials: Callable[[str], Credentials]
) -> None:
    pusher.image("inputs-1")
    name = f"{basic.host}/{pusher.path}"

    answers = client(credentials(basic.host)).look_up([(name, "inputs-1"), (name, "inputs-2")])

    for one in answers:
        assert isinstance(one, Unknown)
        assert f"log in to {basic.host}" in one.why
        assert PASSWORD not in one.why and "wrong" not in one.why


@pytest.mark.parametrize("user", ["", "reader", "writer"])
def test_a_token_opens(
    client: Client, bearer: ImageRegistry, tokens: TokenService, pusher: Pusher, user: str
) -> None:
    pushed = pusher.image("inputs-1")
    known = Credentials([(bearer.host, user, password_of(user))] if user else [])
    name = f"{bearer.host}/{pusher.path}"
    wanted = [(name, "inputs-1"), *[(name, "inputs-2")] * 30]

    found, *absent = client(known).look_up(wanted)

    assert isinstance(found, Found) and found.digest == pushed.digest
    assert absent == [Absent()] * 30
    # One for all the threads: they share its scope.
    scope = f"repository:{pusher.path}:pull"
    assert tokens.requests == [("GET", {"scope": scope, "service": "the registry"}, user)]


def test_a_refresh_token_opens(
    client: Client,
    bearer: ImageRegistry,
    tokens: TokenService,
    pusher: Pusher,
    tmp_path: Path,
) -> None:
    pusher.image("inputs-1")
    (tmp_path / "config.json").write_text(
        f'{{"auths": {{"{bearer.host}": {{"identitytoken": "{refresh_token_of("reader")}"}}}}}}'
    )
    known = Credentials(environment={"DOCKER_CONFIG": str(tmp_path)})

    found = client(known).look_up([(f"{bearer.host}/{pusher.path}", "inputs-1")])[0]

    assert isinstance(found, Found)
    [(method, form, user)] = tokens.requests
    assert (method, form["grant_type"], user) == ("POST", "refresh_token", "reader")


def test_a_token_is_kept_while_it_is_good(
    client: Client, bearer: ImageRegistry, tokens: TokenService, pusher: Pusher
) -> None:
    wanted = [(f"{bearer.host}/{pusher.path}", "inputs-1")]
    registry = client()

    registry.look_up(wanted)
    registry.look_up(wanted)

    assert len(tokens.requests) == 1


@pytest.mark.parametrize(("life_s", "asked"), [(1, 2), (None, 1), (0, 1), (-5, 1)])
def test_a_token_is_not_used_after_its_end(
    client: Client,
    bearer: ImageRegistry,
    tokens: TokenService,
    pusher: Pusher,
    life_s: int | None,
    asked: int,
) -> None:
    tokens.life_s = life_s
    wanted = [(f"{bearer.host}/{pusher.path}", "inputs-1")]
    registry = client()

    registry.look_up(wanted)
    registry.look_up(wanted)

    assert len(tokens.requests) == asked


def test_a_wrong_password_is_not_tried_without(
    client: Client, bearer: ImageRegistry, tokens: TokenService, pusher: Pusher
) -> None:
    """Whoever has no login may pull here; whoever has a wrong one should hear of it."""
    pusher.image("inputs-1")
    known = Credentials([(bearer.host, "reader", "wrong")])

    answer = client(known).look_up([(f"{bearer.host}/{pusher.path}", "inputs-1")])[0]

    assert isinstance(answer, Unknown)
    assert "token service answered 401" in answer.why
    assert [user for _, _, user in tokens.requests] == ["?"]


def test_tls_is_spoken_where_it_is(
    client: Client, secure: ImageRegistry, trusted: Path, pusher: Pusher
) -> None:
    pushed = pusher.image("inputs-1")

    found, absent = client().look_up(
        [(f"{secure.host}/{pusher.path}", one) for one in ("inputs-1", "inputs-2")]
    )

    assert isinstance(found, Found) and found.digest == pushed.digest
    assert absent == Absent()


def test_the_machines_own_certificates_count(
    client: Client, secure: ImageRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.certificate))

    assert client().look_up([(f"{secure.host}/acme/nothing", "latest")]) == [Absent()]


def test_a_certificate_that_nobody_vouches_for_is_not_believed(
    client: Client, secure: ImageRegistry, waits: list[float]
) -> None:
    """On this machine neither: there is no way from TLS back to none."""
    answer = client().look_up([(f"{secure.host}/acme/nothing", "latest")])[0]

    assert isinstance(answer, Unknown)
    assert "is not trusted" in answer.why and "REQUESTS_CA_BUNDLE" in answer.why
    assert waits == []


def test_without_any_of_its_own_those_of_requests_count(
    client: Client, secure: ImageRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nothing/here")
    monkeypatch.setenv("SSL_CERT_DIR", "/nothing/here")
    monkeypatch.setattr("certifi.where", lambda: str(secure.certificate))

    assert client().look_up([(f"{secure.host}/acme/nothing", "latest")]) == [Absent()]


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bundle_that_cannot_be_read_is_said(
    client: Client,
    secure: ImageRegistry,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: str | None,
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content:
        bundle.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    answer = client().look_up([(f"{secure.host}/acme/nothing", "latest")])[0]

    assert isinstance(answer, Unknown)
    assert f"{bundle} could not be read" in answer.why


def test_an_image_says_what_it_was_built_of(
    client: Client, plain: ImageRegistry, pusher: Pusher
) -> None:
    pushed = pusher.image("inputs-1", labels={REVISION: COMMIT, "other": "label"})

    assert client().describe(f"{plain.host}/{pusher.path}", "inputs-1") == Described(
        digest=pushed.digest,
        revision=COMMIT,
        created=1767603600.0,
        labels={REVISION: COMMIT, "other": "label"},
    )


def test_an_index_says_what_its_first_image_says(
    client: Client, plain: ImageRegistry, pusher: Pusher
) -> None:
    attestation = pusher.image(labels={REVISION: "wrong"})
    image = pusher.image(labels={REVISION: COMMIT})
    other = pusher.image(labels={REVISION: "later"})
    inner = pusher.index(
        [
            attestation.as_child(os="unknown", architecture="unknown"),
            image.as_child(),
            other.as_child(),
        ]
    )
    pushed = pusher.index([{**inner.as_child(), "platform": None}], "inputs-1")

    described = client().describe(f"{plain.host}/{pusher.path}", "inputs-1")

    assert isinstance(described, Described)
    assert (described.digest, described.revision) == (pushed.digest, COMMIT)


def test_an_image_without_labels_says_nothing(
    client: Client, plain: ImageRegistry, pusher: Pusher
) -> None:
    pusher.image("inputs-1", created="yesterday")

    described = client().describe(f"{plain.host}/{pusher.path}", "inputs-1")

    assert isinstance(described, Described)
    assert (described.revision, described.created, described.labels) == ("", None, {})


def test_an_index_of_attestations_only_is_no_image(
    client: Client, plain: ImageRegistry, pusher: Pusher
) -> None:
    child = pusher.image().as_child()
    pusher.index(
        [{**child, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}],
        "inputs-1",
    )

    answer = client().describe(f"{plain.host}/{pusher.path}", "inputs-1")

    assert isinstance(answer, Unknown) and "without an image" in answer.why


def test_an_index_lacks_a_child_that_a_clean_up_took(
    client: Client, plain: ImageRegistry, pusher: Pusher
) -> None:
    kept, taken = pusher.image(labels={"n": "1"}), pusher.image(labels={"n": "2"})
    pushed = pusher.index([kept.as_child(), taken.as_child()], "inputs-1")
    name = f"{plain.host}/{pusher.path}"
    found = Found(pushed.digest, OCI_INDEX, len(pushed.content))
    assert client().is_complete(name, "inputs-1") == found

    pusher.delete(taken.digest)

    assert client().look_up([(name, "inputs-1")]) == [found]
    assert client().is_complete(name, "inputs-1") == Absent()


def test_what_is_no_index_is_complete(client: Client, plain: ImageRegistry, pusher: Pusher) -> None:
    pushed = pusher.image("inputs-1")

    answer = client().is_complete(f"{plain.host}/{pusher.path}", "inputs-1")

    assert isinstance(answer, Found) and answer.digest == pushed.digest


@pytest.mark.parametrize("media_type", [OCI_IMAGE, DOCKER_IMAGE])
def test_an_image_takes_what_its_layers_take(
    client: Client, plain: ImageRegistry, pusher: Pusher, media_type: str
) -> None:
    pusher.image("inputs-1", media_type=media_type)

    size = client().size_bytes(f"{plain.host}/{pusher.path}", "inputs-1")

    assert size == len(b"a layer")


def test_the_platforms_of_an_index_share_layers(
    client: Client, plain: ImageRegistry, pusher: Pusher
) -> None:
    """Of attestations nobody pulls a layer."""
    one, two = pusher.image(labels={"n": "1"}), pusher.image(labels={"n": "2"})
    attestation = pusher.image(labels={"n": "3"}).as_child(os="unknown", architecture="unknown")
    pusher.index([one.as_child(), two.as_child(), attestation], "inputs-1")
    name = f"{plain.host}/{pusher.path}"

    assert client().size_bytes(name, "inputs-1") == len(b"a layer")
    assert client().size_bytes(name, "inputs-2") == Absent()

    pusher.delete(two.digest)

    assert client().size_bytes(name, "inputs-1") == Absent()


def test_all_tags_are_listed(client: Client, plain: ImageRegistry, pusher: Pusher) -> None:
    names = ["b", "a", "inputs-1", "inputs-2", "c"]
    pusher.image(*names)

    assert client().tags(f"{plain.host}/{pusher.path}") == sorted(names)
