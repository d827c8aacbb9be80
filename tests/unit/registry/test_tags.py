"""All tags of a repository, a page at a time; docker-registry 2.8 has pages of its own making
only, so they are told by hand here."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from orient_deploy.registry.client import Registry
from orient_deploy.registry.model import Unknown
from tests.fakes.hostile_registry import MARK, HostileRegistry
from tests.fakes.hostile_registry import Answer as Told

Client = Callable[..., Registry]

LIST = "GET /v2/acme/orient/tags/list"


def page(*tags: object, link: str = "") -> Told:
    headers = {"Link": link} if link else {}
    return Told(headers=headers, body=json.dumps({"name": "x", "tags": tags or None}).encode())


def tags(client: Client, server: HostileRegistry) -> list[str] | Unknown:
    return client().tags(f"{server.host}/acme/orient")


@pytest.mark.parametrize(
    "link",
    [
        '</v2/acme/orient/tags/list?last=b&n=2>; rel="next"',
        "</v2/acme/orient/tags/list?last=b&n=2>; rel=next",
        '<list?last=b&n=2>;rel="next"',
        '<?last=b&n=2>; rel="next"; title="more"',
        '</first>; rel="first", </v2/acme/orient/tags/list?last=b&n=2>; rel="next"',
    ],
)
def test_every_page_is_read(client: Client, hostile: HostileRegistry, link: str) -> None:
    hostile.on(f"{LIST}?n=1000", page("b", "a", link=link))
    hostile.on(f"{LIST}?last=b&n=2", page("c", 3, "a"))

    assert tags(client, hostile) == ["a", "b", "c"]


def test_a_whole_link_to_itself_is_followed(client: Client, hostile: HostileRegistry) -> None:
    link = f'<{hostile.url}/v2/acme/orient/tags/list?last=a>; rel="next"'
    hostile.on(f"{LIST}?n=1000", page("a", link=link))
    hostile.on(f"{LIST}?last=a", page("b"))

    assert tags(client, hostile) == ["a", "b"]


@pytest.mark.parametrize(
    "link",
    [
        "<https://example.com/v2/acme/orient/tags/list?last=b>; rel=next",
        "</v2/acme/other/tags/list?last=b>; rel=next",
        "</v2/acme/orient/tags/list/../../x?last=b>; rel=next",
        "</v2/acme/orient/manifests/x>; rel=next",
        "<>; rel=next",
    ],
)
def test_a_page_at_another_place_is_a_doubt(
    client: Client, hostile: HostileRegistry, link: str
) -> None:
    hostile.on(f"{LIST}?n=1000", page("a", link=link))

    answer = tags(client, hostile)

    assert isinstance(answer, Unknown) and "another place" in answer.why


def test_tags_without_end_end(
    client: Client, hostile: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orient_deploy.registry.client.MOST_PAGES", 3)
    hostile.on(LIST, page("a", link="<list?n=1000>; rel=next"))

    answer = tags(client, hostile)

    assert isinstance(answer, Unknown) and "more tags" in answer.why
    assert len(hostile.asked(LIST)) == 3


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Told(body=b"[]"), "no list"),
        (Told(body=b"{}"), "no list"),
        (page(), None),
        (Told(status=404, body=b'{"errors":[{"code":"NAME_UNKNOWN"}]}'), None),
        (Told(status=404, headers={**MARK, "Content-Type": "application/json"}), None),
        (Told(status=404, headers={"Content-Type": "application/json"}), "not a registry's"),
        (Told(status=404, headers={"Content-Type": "text/html"}), "not a registry's"),
        (Told(status=403), "answered 403"),
        (Told(status=500), "answered 500"),
        (Told(status=204), "no list"),
        (Told(body=b'{"tags": {"a": "b"}}'), "no list"),
    ],
)
def test_a_list_is_a_list_or_a_doubt(
    client: Client, hostile: HostileRegistry, told: Told, words: str | None
) -> None:
    hostile.on(LIST, told)

    answer = tags(client, hostile)

    if words is None:
        assert answer == []
    else:
        assert isinstance(answer, Unknown) and words in answer.why
