"""Names of repositories, tags and digests: what is one, and what is sent to nobody."""

from __future__ import annotations

import pytest

from orient_deploy.errors import InputError
from orient_deploy.registry.reference import (
    check_reference,
    check_tag,
    is_digest,
    is_loopback,
    parse_repository,
)

NAMES = [
    ("ghcr.io/acme/orient/dashboard", "ghcr.io", "ghcr.io", "acme/orient/dashboard"),
    ("nginx", "docker.io", "registry-1.docker.io", "library/nginx"),
    ("acme/orient", "docker.io", "registry-1.docker.io", "acme/orient"),
    ("docker.io/nginx", "docker.io", "registry-1.docker.io", "library/nginx"),
    ("index.docker.io/acme/orient", "docker.io", "registry-1.docker.io", "acme/orient"),
    ("registry-1.docker.io/library/x", "docker.io", "registry-1.docker.io", "library/x"),
    ("localhost/orient", "localhost", "localhost", "orient"),
    ("localhost:5000/orient", "localhost:5000", "localhost:5000", "orient"),
    ("127.0.0.1:5000/a/b", "127.0.0.1:5000", "127.0.0.1:5000", "a/b"),
    ("[::1]:5000/a/b", "[::1]:5000", "[::1]:5000", "a/b"),
    ("GHCR.io/acme/x", "ghcr.io", "ghcr.io", "acme/x"),
    (
        "registry.example.com:8443/a__b/c---d.e_f",
        *["registry.example.com:8443"] * 2,
        "a__b/c---d.e_f",
    ),
]


@pytest.mark.parametrize(("text", "registry", "host", "path"), NAMES)
def test_a_name_says_whom_to_ask(text: str, registry: str, host: str, path: str) -> None:
    found = parse_repository(text)

    assert (found.registry, found.host, found.path) == (registry, host, path)
    assert found.name == f"{registry}/{path}"


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "ghcr.io/", "ghcr.io/Acme/x", "ghcr.io/acme/x:latest", "ghcr.io/x@sha256:0"),
        *("https://ghcr.io/acme/x", "ghcr.io//x", "ghcr.io/../x", "ghcr.io/a/./x", "ghcr.io/a/"),
        *("ghcr.io/a\r\nHost: evil/x", "ghcr.io/a\nb", "ghcr.io/a b", "ghcr.io/a?n=1", "x.io/a#b"),
        *("ghcr.io/a%2fb", "user@ghcr.io/a", "ghcr.io:99999/a", "x.io:/a", "-x.io/a", "x.io/-a"),
        *("ghcr.io/a_", "ghcr.io/a..b", "ghcr.io/\u212aa", "x.io:0/a", "ghcr.io/" + 250 * "a"),
        *("ghcr.io/acme/x\n", "\nghcr.io/acme/x"),
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_repository(text)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tag", ["latest", "inputs-0a", "_x", "v1.2.3-rc.1", "A" * 128, "0"])
def test_a_tag_stays(tag: str) -> None:
    assert check_tag(tag) == check_reference(tag) == tag


@pytest.mark.parametrize("tag", ["", ".x", "-x", "a/b", "a b", "a\n", "a?", "ä", "A" * 129, "a:b"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(InputError):
        check_tag(tag)
    with pytest.raises(InputError):
        check_reference(tag)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("sha256:" + 64 * "a", True),
        ("sha512:" + 128 * "0", True),
        ("sha256:" + 63 * "a", False),
        ("sha256:" + 64 * "A", False),
        ("sha256:" + 64 * "a" + "\n", False),
        ("md5:" + 32 * "a", False),
    ],
)
def test_a_digest_can_be_checked(text: str, right: bool) -> None:
    assert is_digest(text) is right


@pytest.mark.parametrize(
    ("host", "right"),
    [
        *((one, True) for one in ("localhost", "localhost:5000", "127.0.0.1", "127.255.0.1:80")),
        *((one, True) for one in ("[::1]", "[::1]:5000", "::1")),
        *((one, False) for one in ("localhost.example.com", "127.0.0.1.example.com", "10.0.0.1")),
        *((one, False) for one in ("ghcr.io", "xlocalhost", "128.0.0.1", "")),
    ],
)
def test_this_machine_is_told_from_others(host: str, right: bool) -> None:
    assert is_loopback(host) is right
