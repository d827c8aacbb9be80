"""What a registry, or something in its place, may answer: when an image is absent, and when nobody
can know."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orient_deploy.registry import transport
from orient_deploy.registry.access import PULL, PUSH, advice
from orient_deploy.registry.client import Registry
from orient_deploy.registry.credentials import Credentials
from orient_deploy.registry.model import Absent, Answer, Found, Unknown
from tests.fakes.hostile_registry import MARK, HostileRegistry, hostile_registry
from tests.fakes.hostile_registry import Answer as Told
from tests.unit.registry.images import DOCKER_IMAGE, OCI_IMAGE, OCI_INDEX, digest

Client = Callable[..., Registry]

NAME = "acme/orient"
HEAD, GET = (f"{method} /v2/{NAME}/manifests/latest" for method in ("HEAD", "GET"))
PING = "GET /v2/"
MANIFEST = b'{"schemaVersion": 2}'
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
PAGE = b"<!doctype html><title>Sign in to the guest network</title>"
SECRET = "a-secret-that-goes-nowhere"


def manifest(**headers: str) -> Told:
    """The answer of a registry that has the image."""
    said = {"Content-Type": OCI_IMAGE, "Docker-Content-Digest": digest(MANIFEST)}
    kept = {**said, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Told(headers={n: v for n, v in kept.items() if v}, body=MANIFEST)


def list_of(*codes: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": "…"} for code in codes]}).encode()


FOUND = Found(digest(MANIFEST), OCI_IMAGE, len(MANIFEST))


def ask(client: Client, server: HostileRegistry, **given: float) -> Answer:
    known = Credentials([(server.host, "orient", SECRET)])
    answer = client(known, **given).look_up([(f"{server.host}/{NAME}", "latest")])[0]
    if isinstance(answer, Unknown):
        assert SECRET not in answer.why
    return answer


def why(client: Client, server: HostileRegistry, **given: float) -> str:
    answer = ask(client, server, **given)
    assert isinstance(answer, Unknown)
    return answer.why


ABSENCES = [
    pytest.param(Told(status=404, headers=MARK), None, id="mark"),
    pytest.param(Told(status=404, headers={**MARK, **HTML}), None, id="mark-on-a-page"),
    *(
        pytest.param(
            Told(status=404, headers=JSON), Told(status=404, headers=JSON, body=body), id=name
        )
        for name, body in {
            "ghcr": list_of("MANIFEST_UNKNOWN"),
            "ecr-repository": list_of("NAME_UNKNOWN"),
            "harbor": list_of("NOT_FOUND"),
            "code-of-tomorrow": list_of("TAG_GONE"),
        }.items()
    ),
    pytest.param(
        Told(status=404), Told(status=404, body=list_of("MANIFEST_UNKNOWN")), id="list-without-type"
    ),
    pytest.param(Told(status=404), Told(status=404), id="nothing"),
    pytest.param(
        Told(status=404, headers={"Content-Type": "text/plain"}),
        Told(status=404, headers={"Content-Type": "text/plain"}, body=b"404 page not found\n"),
        id="text",
    ),
    pytest.param(Told(status=405), Told(status=404, headers=MARK), id="no-head"),
]


@pytest.mark.parametrize(("head", "get"), ABSENCES)
def test_the_registrys_own_404_is_an_absence(
    client: Client, hostile: HostileRegistry, head: Told, get: Told | None
) -> None:
    hostile.on(HEAD, head)
    hostile.on(GET, get or Told(status=500))

    assert ask(client, hostile) == Absent()
    assert len(hostile.asked(GET)) == (get is not None)


DOUBTS = [
    pytest.param(Told(status=404, headers=HTML, body=PAGE), id="page"),
    pytest.param(Told(status=404, body=b"  \n<html>"), id="page-without-type"),
    pytest.param(Told(status=404, headers=HTML), id="empty-page"),
    pytest.param(
        Told(status=404, headers=JSON, body=b'{"message":"no Route matched"}'), id="gateway"
    ),
    pytest.param(Told(status=404, headers=JSON, body=list_of("DENIED")), id="denied"),
    pytest.param(Told(status=404, headers=JSON, body=list_of("UNAVAILABLE")), id="unavailable"),
    pytest.param(
        Told(status=404, headers=JSON, body=list_of("MANIFEST_UNKNOWN", "TOOMANYREQUESTS")),
        id="both",
    ),
    pytest.param(Told(status=404, headers=JSON, body=b'{"errors":[]}'), id="empty-list"),
    pytest.param(Told(status=404, headers=JSON, body=b'{"errors":["x"]}'), id="odd-list"),
    pytest.param(Told(status=404, headers=JSON, body=b"[" * 99_999), id="deep"),
]


@pytest.mark.parametrize("told", DOUBTS)
def test_somebody_elses_404_is_a_doubt(
    client: Client, hostile: HostileRegistry, told: Told
) -> None:
    hostile.on(HEAD, told)
    hostile.on(GET, told)

    assert "is not a registry's" in why(client, hostile)


def test_a_plain_404_counts_only_while_the_registry_is_there(
    client: Client, hostile: HostileRegistry
) -> None:
    """A balancer whose backends have just gone answers 404 to everything."""
    gone = Told(status=404, headers={"Content-Type": "text/plain"}, body=b"default backend - 404")
    hostile.on(PING, Told(headers=MARK), gone)
    hostile.on(HEAD, gone)
    hostile.on(GET, gone)

    assert "is not a registry's" in why(client, hostile)


def test_a_404_that_changes_its_mind_is_a_doubt(client: Client, hostile: HostileRegistry) -> None:
    hostile.on(HEAD, Told(status=404))
    hostile.on(GET, manifest())

    assert "answered 200" in why(client, hostile)


NO_REGISTRIES = [
    pytest.param(Told(headers=HTML, body=PAGE), "200 to /v2/", id="captive-portal"),
    pytest.param(Told(status=404), "404 to /v2/", id="404"),
    pytest.param(Told(status=204), "204 to /v2/", id="204"),
    pytest.param(Told(status=401), "answered 401", id="401-without-a-way"),
    pytest.param(
        Told(status=401, headers={"WWW-Authenticate": "Negotiate"}), "answered 401", id="negotiate"
    ),
    pytest.param(
        Told(status=401, headers={"WWW-Authenticate": 'Bearer realm="http://auth.example.com/"'}),
        "answered 401",
        id="realm-without-tls",
    ),
    pytest.param(
        Told(status=401, headers={"WWW-Authenticate": 'Bearer realm="https://a@b/"'}),
        "answered 401",
        id="realm-with-a-user",
    ),
    pytest.param(
        Told(status=401, headers={"WWW-Authenticate": 'Bearer realm="https://[/"'}),
        "answered 401",
        id="realm-that-is-none",
    ),
    pytest.param(
        Told(status=401, headers={"WWW-Authenticate": 'Bearer realm="file:///etc/passwd"'}),
        "answered 401",
        id="realm-of-a-file",
    ),
    pytest.param(Told(status=403), "answered 403", id="403"),
    pytest.param(Told(body=b"x" * (transport.CHUNK + 2)), "more than", id="huge"),
    pytest.param(
        Told(status=302, headers={"Location": "http://example.com/login"}), "not safe", id="login"
    ),
]


@pytest.mark.parametrize(("told", "words"), NO_REGISTRIES)
def test_what_is_no_registry_is_asked_for_nothing(
    client: Client, hostile: HostileRegistry, told: Told, words: str
) -> None:
    hostile.on(PING, told)
    hostile.on(HEAD, Told(status=404, headers=MARK))

    assert words in why(client, hostile)
    assert hostile.asked("HEAD") == []
    assert [one.authorization for one in hostile.requests] == [""] * len(hostile.requests)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_no_absence(client: Client, hostile: HostileRegistry, status: int) -> None:
    hostile.on(HEAD, Told(status=status))

    assert f"answered {status} for {NAME}: log in to {hostile.host}" in why(client, hostile)
    assert len(hostile.asked("HEAD")) == 1


@pytest.mark.parametrize("status", [204, 206, 304, 400, 410, 418, 501, 505])
def test_any_other_status_is_a_doubt(client: Client, hostile: HostileRegistry, status: int) -> None:
    hostile.on(HEAD, Told(status=status))
    hostile.on(GET, Told(status=status))

    assert f"answered {status}" in why(client, hostile)


FAILURES = [
    pytest.param(Told(status=500), "answered 500", id="500"),
    pytest.param(Told(status=502, headers=HTML, body=PAGE), "answered 502", id="502"),
    pytest.param(Told(status=503), "answered 503", id="503"),
    pytest.param(Told(status=504), "answered 504", id="504"),
    pytest.param(Told(status=429), "answered 429", id="429"),
    pytest.param(Told(drop=True), "connection", id="dropped"),
    pytest.param(Told(raw=b"\x16\x03\x01 what?"), "connection", id="no-http"),
    pytest.param(Told(raw=b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300), "connection", id="headers"),
    pytest.param(Told(raw=b"HTTP/1.1 200 OK\r\na: " + b"b" * 99_999), "connection", id="header"),
]


@pytest.mark.parametrize(("told", "words"), FAILURES)
@pytest.mark.parametrize("asked", [PING, HEAD])
def test_a_failure_that_stays_is_a_doubt(
    client: Client,
    hostile: HostileRegistry,
    waits: list[float],
    told: Told,
    words: str,
    asked: str,
) -> None:
    hostile.on(asked, told)

    assert words in why(client, hostile)
    assert len(hostile.asked(asked)) == 3
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1


@pytest.mark.parametrize(("told", "words"), FAILURES)
def test_a_failure_that_passes_is_waited_for(
    client: Client, hostile: HostileRegistry, waits: list[float], told: Told, words: str
) -> None:
    hostile.on(HEAD, told, told, manifest())

    assert ask(client, hostile) == FOUND
    assert len(waits) == 2


def test_a_registry_that_is_down_is_tried_once_for_all_images(
    client: Client, hostile: HostileRegistry
) -> None:
    hostile.on(PING, Told(status=503))
    wanted = [(f"{hostile.host}/{NAME}-{n}", "latest") for n in range(60)]

    answers = client().look_up(wanted)

    assert answers == [Unknown(f"{hostile.host} answered 503")] * 60
    assert len(hostile.requests) == 3


def test_a_registry_that_was_down_is_asked_again_in_the_next_call(
    client: Client, hostile: HostileRegistry
) -> None:
    hostile.on(PING, *[Told(status=503)] * 3, Told(headers=MARK))
    hostile.on(HEAD, manifest())
    registry = client()
    wanted = [(f"{hostile.host}/{NAME}", "latest")]

    assert isinstance(registry.look_up(wanted)[0], Unknown)
    assert registry.look_up(wanted) == [FOUND]


def test_nobody_there_is_said(client: Client) -> None:
    with hostile_registry() as gone:
        pass

    assert "refused or not found" in why(client, gone)


def test_retry_after_is_honoured(
    client: Client, hostile: HostileRegistry, waits: list[float]
) -> None:
    hostile.on(HEAD, Told(status=429, headers={"Retry-After": "17"}), manifest())

    assert ask(client, hostile) == FOUND
    assert waits == [17]


@pytest.mark.parametrize("told", ["soon", "-3", "1e9", "", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_without_seconds_is_no_news(
    client: Client, hostile: HostileRegistry, waits: list[float], told: str
) -> None:
    hostile.on(HEAD, Told(status=503, headers={"Retry-After": told}), manifest())

    assert ask(client, hostile) == FOUND
    assert waits[0] <= 0.5


@pytest.mark.parametrize(("told", "timeout_s"), [("31", 3600), ("17", 10)])
def test_a_long_retry_after_is_not_waited_for(
    client: Client, hostile: HostileRegistry, waits: list[float], told: str, timeout_s: float
) -> None:
    hostile.on(HEAD, Told(status=429, headers={"Retry-After": told}))

    assert "answered 429" in why(client, hostile, timeout_s=timeout_s)
    assert waits == []


SLOW = [
    pytest.param(Told(hang=True), id="silent"),
    pytest.param(Told(drip=b"HTTP/1.1 200 OK\r\nA: b\r\n"), id="headers-without-end"),
    pytest.param(
        Told(drip=b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"), id="body-without-end"
    ),
]


@pytest.mark.parametrize("told", SLOW)
@pytest.mark.parametrize("asked", [PING, HEAD, GET])
def test_a_slow_registry_holds_nobody(
    client: Client, hostile: HostileRegistry, told: Told, asked: str
) -> None:
    hostile.on(HEAD, Told(status=404))
    hostile.on(asked, told)

    assert "no answer within 0.4 seconds" in why(client, hostile, timeout_s=0.4)

    for thread in threading.enumerate():
        if thread.name == "registry":
            thread.join(30)
            assert not thread.is_alive()


def test_what_is_known_in_time_is_told(client: Client, hostile: HostileRegistry) -> None:
    hostile.on(HEAD, Told(drip=b"HTTP/1.1 200 OK\r\nA: b\r\n"))
    hostile.on(HEAD.replace("latest", "v1"), manifest())
    wanted = [(f"{hostile.host}/{NAME}", one) for one in ("v1", "latest", "v2")]

    found, unknown, absent = client(timeout_s=2).look_up(wanted)

    assert (found, absent) == (FOUND, Absent())
    assert isinstance(unknown, Unknown)


def test_a_client_that_was_cut_off_works_again(client: Client, hostile: HostileRegistry) -> None:
    hostile.on(HEAD, Told(hang=True), manifest())
    registry = client(timeout_s=0.4)
    wanted = [(f"{hostile.host}/{NAME}", "latest")]

    assert isinstance(registry.look_up(wanted)[0], Unknown)
    registry.timeout_s = 20
    assert registry.look_up(wanted) == [FOUND]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(manifest(), id="all"),
        pytest.param(manifest(Content_Type=f"{OCI_IMAGE}; charset=utf-8"), id="parameters"),
        pytest.param(manifest(Content_Type=OCI_IMAGE.upper()), id="upper-case"),
        pytest.param(manifest(Docker_Content_Digest=""), id="no-digest"),
        pytest.param(manifest(Docker_Content_Digest="sha256:no"), id="odd-digest"),
        pytest.param(Told(status=405), id="no-head"),
        pytest.param(Told(status=501), id="no-such-method"),
    ],
)
def test_what_the_headers_do_not_say_the_content_does(
    client: Client, hostile: HostileRegistry, told: Told
) -> None:
    hostile.on(HEAD, told)
    hostile.on(GET, manifest(Docker_Content_Digest=""))

    assert ask(client, hostile) == FOUND


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(manifest(Content_Type=""), id="none"),
        pytest.param(manifest(Content_Type="text/html"), id="page"),
        pytest.param(manifest(Content_Type="application/json"), id="json"),
        pytest.param(
            manifest(Content_Type="application/vnd.docker.distribution.manifest.v1+prettyjws"),
            id="of-old",
        ),
        pytest.param(manifest(Content_Type=f"{OCI_IMAGE}, {OCI_INDEX}"), id="two"),
    ],
)
@pytest.mark.parametrize("head", [True, False])
def test_another_content_type_is_a_doubt(
    client: Client, hostile: HostileRegistry, told: Told, head: bool
) -> None:
    hostile.on(HEAD, told if head else Told(status=405))
    hostile.on(GET, told)

    assert "no image manifest" in why(client, hostile)


def test_a_digest_is_compared_with_what_was_asked_for(
    client: Client, hostile: HostileRegistry
) -> None:
    wanted = f"sha256:{64 * '0'}"
    name = f"{hostile.host}/{NAME}"
    hostile.on(f"HEAD /v2/{NAME}/manifests/{wanted}", manifest())

    answer = client().look_up([(name, wanted)])[0]

    assert isinstance(answer, Unknown) and "another digest" in answer.why

    hostile.on(f"HEAD /v2/{NAME}/manifests/{wanted}", Told(status=405))
    hostile.on(f"GET /v2/{NAME}/manifests/{wanted}", manifest(Docker_Content_Digest=wanted))

    answer = client().look_up([(name, wanted)])[0]

    assert isinstance(answer, Unknown) and "another digest" in answer.why


def test_bytes_are_compared_with_the_digest_that_is_told(
    client: Client, hostile: HostileRegistry
) -> None:
    hostile.on(GET, manifest(Docker_Content_Digest=f"sha256:{64 * '0'}"))

    answer = client().describe(f"{hostile.host}/{NAME}", "latest")

    assert isinstance(answer, Unknown) and "another digest" in answer.why


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param(Told(headers=JSON, body=b" " * (4 << 20) + b" "), "more than", id="huge"),
        pytest.param(manifest(Content_Encoding="gzip"), "compressed", id="compressed"),
        pytest.param(manifest(Content_Length="99", Connection="close"), "connection", id="cut-off"),
        pytest.param(
            Told(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\nx"),
            "connection",
            id="cut-off-chunk",
        ),
    ],
)
def test_no_more_and_no_less_than_all_is_read(
    client: Client, hostile: HostileRegistry, told: Told, words: str
) -> None:
    hostile.on(GET, told)

    answer = client().describe(f"{hostile.host}/{NAME}", "latest")

    assert isinstance(answer, Unknown) and words in answer.why


def test_a_header_in_a_header_is_none(client: Client, hostile: HostileRegistry) -> None:
    """A token that would end its line is not sent, and not quoted by an error about it."""
    realm = f"{hostile.url}/token"
    hostile.on(PING, Told(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'}))
    token = json.dumps({"token": f"{SECRET}\r\nHost: evil"}).encode()
    hostile.on("GET /token", Told(headers=JSON, body=token))

    assert "gave no token" in why(client, hostile)
    assert hostile.asked("HEAD") == []


def tokens_of(server: HostileRegistry, realm: str) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="r",error="x"'}
    server.on(PING, Told(status=401, headers=challenge))
    server.on(HEAD, Told(status=401, headers=challenge))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param(Told(status=400), "token service answered 400", id="400"),
        pytest.param(Told(status=401), "token service answered 401", id="401"),
        pytest.param(Told(status=403), "token service answered 403", id="403"),
        pytest.param(Told(status=404), "token service answered 404", id="404"),
        pytest.param(Told(status=500), "answered 500", id="500"),
        pytest.param(Told(status=302, headers={"Location": "/x"}), "no token (302)", id="302"),
        pytest.param(Told(headers=HTML, body=PAGE), "no token", id="page"),
        pytest.param(Told(body=b'{"token": ""}'), "no token", id="empty"),
        pytest.param(Told(body=b'{"token": ["x"]}'), "no token", id="list"),
        pytest.param(Told(body=b"[]"), "no token", id="no-object"),
        pytest.param(Told(body=b" " * ((1 << 20) + 1)), "more than", id="huge"),
    ],
)
def test_without_a_token_nothing_is_known(
    client: Client, hostile: HostileRegistry, told: Told, words: str
) -> None:
    tokens_of(hostile, f"{hostile.url}/token")
    hostile.on("GET /token", told)

    assert words in why(client, hostile)


def test_a_token_that_is_refused_is_asked_for_once_more(
    client: Client, hostile: HostileRegistry
) -> None:
    tokens_of(hostile, f"{hostile.url}/token?x=y")
    hostile.on("GET /token", Told(body=b'{"token": "one"}'), Told(body=b'{"access_token": "two"}'))

    assert f"answered 401 for {NAME}" in why(client, hostile)
    assert [one.authorization for one in hostile.asked("HEAD")] == ["Bearer one", "Bearer two"]
    assert [one.path for one in hostile.asked("GET /token")] == [
        f"/token?x=y&scope=repository%3A{NAME.replace('/', '%2F')}%3Apull&service=r"
    ] * 2


def test_the_scope_that_the_registry_asks_for_is_asked_for(
    client: Client, hostile: HostileRegistry
) -> None:
    realm = f'Bearer realm="{hostile.url}/token"'
    hostile.on(HEAD, Told(status=401, headers={"WWW-Authenticate": f'{realm},scope="a:b:c"'}))
    hostile.on("GET /token", Told(body=b'{"token": "one"}'))

    ask(client, hostile)

    assert [one.path for one in hostile.asked("GET /token")] == ["/token?scope=a%3Ab%3Ac"]


def test_a_docker_image_is_as_good_as_any(client: Client, hostile: HostileRegistry) -> None:
    hostile.on(HEAD, manifest(Content_Type=DOCKER_IMAGE))

    assert ask(client, hostile) == Found(digest(MANIFEST), DOCKER_IMAGE, len(MANIFEST))
    [request] = hostile.asked("HEAD")
    assert request.headers["accept"].count("application/vnd.") == 4
    assert request.headers["accept-encoding"] == "identity"


def test_a_connection_serves_many_questions(client: Client, hostile: HostileRegistry) -> None:
    registry = client()

    for tag in "abc":
        registry.look_up([(f"{hostile.host}/{NAME}", tag)])
        registry.describe(f"{hostile.host}/{NAME}", tag)

    # The other one was to find out that it speaks no TLS.
    assert hostile.connections == 2


def config_of(server: HostileRegistry, content: bytes, told: Told | None = None) -> None:
    """Let a manifest name a configuration, of which `told` is said."""
    manifest = json.dumps({"config": {"digest": digest(content)}}).encode()
    server.on(GET, Told(headers={"Content-Type": OCI_IMAGE}, body=manifest))
    server.on(f"GET /v2/{NAME}/blobs/{digest(content)}", told or Told(body=content))


def test_an_image_without_its_configuration_is_none(
    client: Client, hostile: HostileRegistry
) -> None:
    config_of(hostile, b"{}", Told(status=404))

    assert client().describe(f"{hostile.host}/{NAME}", "latest") == Absent()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param(Told(status=500), "answered 500", id="500"),
        pytest.param(Told(status=403), "answered 403", id="403"),
        pytest.param(Told(status=204), "did not give", id="204"),
        pytest.param(Told(body=b"[]"), "did not give", id="another"),
    ],
)
def test_a_configuration_that_is_not_given_is_a_doubt(
    client: Client, hostile: HostileRegistry, told: Told, words: str
) -> None:
    config_of(hostile, b"{}", told)

    answer = client().describe(f"{hostile.host}/{NAME}", "latest")

    assert isinstance(answer, Unknown) and words in answer.why


def test_a_manifest_that_names_no_configuration_is_a_doubt(
    client: Client, hostile: HostileRegistry
) -> None:
    hostile.on(GET, Told(headers={"Content-Type": OCI_IMAGE}, body=b"{}"))

    answer = client().describe(f"{hostile.host}/{NAME}", "latest")

    assert isinstance(answer, Unknown) and "without a configuration" in answer.why


def index_of(server: HostileRegistry, reference: str, child: bytes | None) -> bytes:
    """Let a reference name an index of one child, or one that cannot be read."""
    entries = [] if child is None else [{"digest": digest(child), "mediaType": OCI_INDEX}]
    content = json.dumps({"manifests": entries} if child is not None else {}).encode()
    for method in ("HEAD", "GET"):
        headers = {"Content-Type": OCI_INDEX, "Docker-Content-Digest": digest(content)}
        told = Told(headers=headers, body=content)
        server.on(f"{method} /v2/{NAME}/manifests/{reference}", told)
        server.on(f"{method} /v2/{NAME}/manifests/{digest(content)}", told)
    return content


def test_an_index_that_cannot_be_read_is_a_doubt(client: Client, hostile: HostileRegistry) -> None:
    index_of(hostile, "latest", None)

    answer = client().is_complete(f"{hostile.host}/{NAME}", "latest")

    assert isinstance(answer, Unknown) and "cannot be read" in answer.why


def test_indexes_of_indexes_end(client: Client, hostile: HostileRegistry) -> None:
    content = index_of(hostile, "latest", b"")
    for _ in range(4):
        content = index_of(hostile, "latest", content)
    name = f"{hostile.host}/{NAME}"

    complete, described = client().is_complete(name, "latest"), client().describe(name, "latest")

    assert isinstance(complete, Unknown) and "cannot be read" in complete.why
    assert isinstance(described, Unknown) and "without an image" in described.why


def test_an_index_that_goes_while_it_is_read_is_gone(
    client: Client, hostile: HostileRegistry
) -> None:
    content = index_of(hostile, "latest", b"")
    hostile.on(f"GET /v2/{NAME}/manifests/{digest(content)}", Told(status=404, headers=MARK))

    assert client().is_complete(f"{hostile.host}/{NAME}", "latest") == Absent()


def test_a_helper_that_failed_is_named_when_the_login_is_missing(
    client: Client, hostile: HostileRegistry, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "gone"}')
    known = Credentials(environment={"DOCKER_CONFIG": str(tmp_path), "PATH": str(tmp_path)})
    hostile.on(HEAD, Told(status=401))

    answer = client(known).look_up([(f"{hostile.host}/{NAME}", "latest")])[0]

    assert answer == Unknown(
        f"{hostile.host} answered 401 for {NAME}: docker's configuration names "
        "docker-credential-gone, which is not there, so no login was tried"
    )


@pytest.mark.parametrize(("actions", "level"), [(PULL, "read"), (PUSH, "write")])
def test_githubs_registry_wants_a_permission(actions: str, level: str) -> None:
    assert f"`permissions: packages: {level}`" in advice("ghcr.io", actions)


def test_our_own_fault_is_raised(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("orient_deploy.registry.client.Asking", broken)

    with pytest.raises(KeyError, match="ours"):
        client().look_up([("127.0.0.1:1/acme/orient", "latest")])
