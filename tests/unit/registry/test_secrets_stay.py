"""Credentials go to the registry that they are for, and to nobody that it points to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orient_deploy.registry.access import _same_site
from orient_deploy.registry.client import Registry
from orient_deploy.registry.credentials import Credentials
from orient_deploy.registry.model import Answer, Described, Found, Unknown
from orient_deploy.registry.transport import Doubt, _next
from tests.fakes.hostile_registry import MARK, HostileRegistry, hostile_registry
from tests.fakes.hostile_registry import Answer as Told
from tests.machines.image_registry import ImageRegistry
from tests.unit.registry.images import OCI_IMAGE, digest

Client = Callable[..., Registry]

NAME = "acme/orient"
HEAD, GET = (f"{method} /v2/{NAME}/manifests/latest" for method in ("HEAD", "GET"))
BASIC = {"WWW-Authenticate": 'Basic realm="orient"'}
SECRET = "a-secret-that-goes-nowhere"


def ask(client: Client, server: HostileRegistry) -> Answer:
    known = Credentials([(server.host, "orient", SECRET)])
    return client(known).look_up([(f"{server.host}/{NAME}", "latest")])[0]


def sent_on(server: HostileRegistry, other: HostileRegistry, path: str = "/elsewhere") -> None:
    """Let one server ask for a password, and then send everybody to another."""
    server.on("GET /v2/", Told(status=401, headers=BASIC))
    for line in (HEAD, GET):
        server.on(line, Told(status=307, headers={"Location": f"{other.url}{path}"}))


@pytest.mark.parametrize(
    "there",
    [
        pytest.param(Told(status=404, headers=MARK), id="404"),
        pytest.param(Told(status=401, headers=BASIC), id="401"),
        pytest.param(Told(status=200), id="200"),
    ],
)
def test_a_redirect_takes_no_password_along(
    client: Client, hostile: HostileRegistry, elsewhere: HostileRegistry, there: Told
) -> None:
    sent_on(hostile, elsewhere)
    elsewhere.on("HEAD /elsewhere", there)
    elsewhere.on("GET /elsewhere", there)

    answer = ask(client, hostile)

    assert isinstance(answer, Unknown)
    assert hostile.asked("HEAD")[0].authorization.startswith("Basic ")
    assert elsewhere.requests
    assert [one.authorization for one in elsewhere.requests] == [""] * len(elsewhere.requests)


def test_a_redirect_back_takes_none_along_either(
    client: Client, hostile: HostileRegistry, elsewhere: HostileRegistry
) -> None:
    """The other host would choose what we do in our name."""
    sent_on(hostile, elsewhere)
    back = {"Location": f"{hostile.url}/v2/acme/other/manifests/x"}
    elsewhere.on("HEAD /elsewhere", Told(status=302, headers=back))

    ask(client, hostile)

    [returned] = hostile.asked("HEAD /v2/acme/other")
    assert returned.authorization == ""


def test_a_redirect_within_the_registry_keeps_it(client: Client, hostile: HostileRegistry) -> None:
    sent_on(hostile, hostile, "/v2/moved")
    headers = {"Content-Type": OCI_IMAGE, "Docker-Content-Digest": digest(b"{}")}
    hostile.on("HEAD /v2/moved", Told(headers=headers, body=b"{}"))

    assert ask(client, hostile) == Found(digest(b"{}"), OCI_IMAGE, 2)
    assert hostile.asked("HEAD /v2/moved")[0].authorization.startswith("Basic ")


def test_redirects_end(client: Client, hostile: HostileRegistry) -> None:
    sent_on(hostile, hostile, f"/v2/{NAME}/manifests/latest")

    answer = ask(client, hostile)

    assert isinstance(answer, Unknown) and "without end" in answer.why
    assert len(hostile.asked("HEAD")) == 5


def test_a_blob_is_read_where_it_is_stored(
    client: Client, hostile: HostileRegistry, elsewhere: HostileRegistry
) -> None:
    """Registries hand blobs out from a storage with a signed address, which takes no other."""
    config = b'{"config": {"Labels": {"org.opencontainers.image.revision": "4f2c1ab7"}}}'
    manifest = f'{{"config": {{"digest": "{digest(config)}"}}}}'.encode()
    hostile.on("GET /v2/", Told(status=401, headers=BASIC))
    hostile.on(GET, Told(headers={"Content-Type": OCI_IMAGE}, body=manifest))
    location = {"Location": f"{elsewhere.url}/storage?signature=x%2Fy"}
    hostile.on(f"GET /v2/{NAME}/blobs/{digest(config)}", Told(status=307, headers=location))
    elsewhere.on("GET /storage?signature=x%2Fy", Told(body=config))

    known = Credentials([(hostile.host, "orient", SECRET)])
    described = client(known).describe(f"{hostile.host}/{NAME}", "latest")

    assert isinstance(described, Described) and described.revision == "4f2c1ab7"
    assert [one.authorization for one in elsewhere.requests] == [""]

    elsewhere.on("GET /storage", Told(body=b"another"))
    elsewhere.on("GET /storage?signature=x%2Fy", Told(body=b"another"))
    changed = client(known).describe(f"{hostile.host}/{NAME}", "latest")

    assert isinstance(changed, Unknown) and "did not give" in changed.why


def test_a_challenge_from_elsewhere_is_not_answered(
    client: Client, hostile: HostileRegistry, elsewhere: HostileRegistry
) -> None:
    hostile.on("GET /v2/", Told(status=307, headers={"Location": f"{elsewhere.url}/v2/"}))
    elsewhere.on("GET /v2/", Told(status=401, headers=BASIC))

    assert isinstance(ask(client, hostile), Unknown)
    assert [one.authorization for one in elsewhere.requests] == [""]


def test_a_token_does_not_follow_a_redirect(
    client: Client, hostile: HostileRegistry, elsewhere: HostileRegistry
) -> None:
    sent_on(hostile, elsewhere)
    challenge = {"WWW-Authenticate": f'Bearer realm="{hostile.url}/token"'}
    hostile.on("GET /v2/", Told(status=401, headers=challenge))
    hostile.on("GET /token", Told(body=b'{"token": "the-token"}'))
    elsewhere.on("HEAD /elsewhere", Told(status=404, headers=MARK))

    ask(client, hostile)

    assert hostile.asked("HEAD")[0].authorization == "Bearer the-token"
    assert elsewhere.asked("HEAD")[0].authorization == ""


def test_a_token_service_does_not_send_the_password_on(
    client: Client, hostile: HostileRegistry, elsewhere: HostileRegistry
) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="{hostile.url}/token"'}
    hostile.on("GET /v2/", Told(status=401, headers=challenge))
    hostile.on("GET /token", Told(status=307, headers={"Location": f"{elsewhere.url}/token"}))

    assert isinstance(ask(client, hostile), Unknown)
    assert elsewhere.requests == []


@pytest.fixture
def other_site(monkeypatch: pytest.MonkeyPatch, hostile: HostileRegistry) -> Iterator[str]:
    """Take the port of the token service for another site: this machine has no two names."""

    def same(one: str, other: str) -> bool:
        return False

    monkeypatch.setattr("orient_deploy.registry.access._same_site", same)
    yield hostile.host


def test_a_token_service_of_another_site_gets_no_password(
    client: Client, hostile: HostileRegistry, elsewhere: HostileRegistry, other_site: str
) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="{elsewhere.url}/token",service="r"'}
    hostile.on("GET /v2/", Told(status=401, headers=challenge))
    hostile.on(HEAD, Told(status=401))
    elsewhere.on("GET /token", Told(body=b'{"token": "for-anybody"}'))

    answer = ask(client, hostile)

    assert isinstance(answer, Unknown)
    assert f"tokens come from another site, {elsewhere.host}" in answer.why
    assert [one.authorization for one in elsewhere.requests] == [""]
    assert hostile.asked("HEAD")[0].authorization == "Bearer for-anybody"


def test_a_token_is_for_the_registry_that_it_was_asked_for(
    client: Client, hostile: HostileRegistry, elsewhere: HostileRegistry
) -> None:
    """Another registry with a repository of the same name might name the same token service."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{elsewhere.url}/token",service="r"'}
    for server in (elsewhere, hostile):
        server.on("GET /v2/", Told(status=401, headers=challenge))
    tokens = [Told(body=f'{{"token": "{one}"}}'.encode()) for one in ("for-us", "for-anybody")]
    elsewhere.on("GET /token", *tokens)
    registry = client(Credentials([(elsewhere.host, "orient", SECRET)]))

    registry.look_up([(f"{elsewhere.host}/{NAME}", "latest")])
    registry.look_up([(f"{hostile.host}/{NAME}", "latest")])

    assert elsewhere.asked("HEAD")[0].authorization == "Bearer for-us"
    assert hostile.asked("HEAD")[0].authorization == "Bearer for-anybody"
    authorizations = [one.authorization for one in elsewhere.asked("GET /token")]
    assert authorizations[0].startswith("Basic ") and authorizations[1] == ""


@pytest.mark.parametrize(
    ("registry", "service", "same"),
    [
        ("ghcr.io", "ghcr.io", True),
        ("registry-1.docker.io", "auth.docker.io", True),
        ("registry.gitlab.com", "gitlab.com", True),
        ("registry.git.acme.co.uk", "git.acme.co.uk", True),
        ("registry.acme.co.uk", "evil.co.uk", False),
        ("registry.acme.com.au", "login.com.au", False),
        ("rg.fr-par.scw.cloud", "api.scaleway.com", True),
        ("registry.scaleway.com", "api.scw.cloud", False),
        ("ghcr.io", "evil.io", False),
        ("ghcr.io", "notghcr.io", False),
        ("ghcr.io", "ghcr.io.evil.example", False),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "127.9.9.9", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "11.1.2.3", False),
        ("fd00::1", "fe00::1", False),
        ("io", "io", True),
        ("registry", "auth", False),
        ("", "", True),
    ],
)
def test_a_site_is_a_domain(registry: str, service: str, same: bool) -> None:
    assert _same_site(registry, service) is same


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("https://ghcr.io/v2/a", "/v2/b", "https://ghcr.io/v2/b"),
        ("https://ghcr.io/v2/a", "https://x.example.com/b?c=d", "https://x.example.com/b?c=d"),
        ("https://ghcr.io/v2/a", "//x.example.com/b", "https://x.example.com/b"),
        ("http://localhost:1/v2/a", "http://127.0.0.1:2/b", "http://127.0.0.1:2/b"),
        ("http://localhost:1/v2/a", "https://x.example.com/b", "https://x.example.com/b"),
    ],
)
def test_a_redirect_leads_on(url: str, location: str, target: str) -> None:
    assert _next(url, location) == target


@pytest.mark.parametrize(
    ("url", "location"),
    [
        *(
            ("https://ghcr.io/v2/a", location)
            for location in (
                *("", "http://ghcr.io/v2/a", "http://127.0.0.1/", "ftp://ghcr.io/", "file:///etc"),
                *("https://a:b@x.example.com/", "https:///x", "https://[/", "https://x:y/", "a b"),
                *("https://x.example.com:99999/", "javascript:1", "https://x.example.com/\xe4"),
            )
        ),
        ("http://localhost:1/v2/a", "http://x.example.com/b"),
        ("http://localhost:1/v2/a", "http://169.254.169.254/latest"),
    ],
)
def test_a_redirect_to_what_is_not_safe_is_not_followed(url: str, location: str) -> None:
    with pytest.raises(Doubt):
        _next(url, location)


def test_from_tls_there_is_no_way_back(
    client: Client, secure: ImageRegistry, trusted: Path, elsewhere: HostileRegistry
) -> None:
    with hostile_registry((trusted, secure.folder / "key.pem")) as server:
        sent_on(server, elsewhere)

        answer = ask(client, server)

        assert isinstance(answer, Unknown) and "not safe to follow" in answer.why
        assert server.asked("HEAD")[0].authorization.startswith("Basic ")
    assert elsewhere.requests == []


def test_a_list_of_tags_does_not_go_on_elsewhere(
    client: Client, hostile: HostileRegistry, elsewhere: HostileRegistry
) -> None:
    link = {"Link": f'<{elsewhere.url}/v2/{NAME}/tags/list?last=a>; rel="next"'}
    page = Told(headers=link, body=b'{"tags": ["a"]}')
    hostile.on("GET /v2/", Told(status=401, headers=BASIC))
    hostile.on(f"GET /v2/{NAME}/tags/list", page)
    known = Credentials([(hostile.host, "orient", SECRET)])

    answer = client(known).tags(f"{hostile.host}/{NAME}")

    assert isinstance(answer, Unknown) and "at another place" in answer.why
    assert elsewhere.requests == []


@pytest.mark.parametrize("shown", [repr, str])
def test_no_secret_is_shown(shown: Callable[[object], str]) -> None:
    known = Credentials([("ghcr.io", "orient", SECRET)], github_token=SECRET)

    assert SECRET not in shown(known)
    assert SECRET not in shown(known.of("ghcr.io"))
    assert SECRET not in shown(Registry(known))
