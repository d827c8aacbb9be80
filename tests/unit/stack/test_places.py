"""Lines of compose files, told by the path of keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.stack.places import Places

A = b"""\
x-common: &common
  restart: always
services:
  web:
    <<: *common
    image: a
    ports:
      - 80:80
      - 81:81
"""
B = b"""\
services:
  web:
    ports: !override
      - 82:82
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        pytest.param(("services", "web", "image"), ("a.yml", 6), id="in-one"),
        pytest.param(("services", "web", "ports"), ("b.yml", 3), id="the-last-that-says-it"),
        pytest.param(("services", "web", "ports", 0), ("b.yml", 4), id="an-item"),
        pytest.param(("services", "web", "ports", 1), ("a.yml", 9), id="an-item-of-the-first"),
        pytest.param(("services", "web", "restart"), ("a.yml", 2), id="merged"),
        pytest.param(("services", "web", "build"), ("b.yml", 2), id="what-holds-it"),
        pytest.param(("volumes", "x"), ("", 0), id="nowhere"),
    ],
)
def test_a_thing_has_its_line(path: tuple[str | int, ...], place: tuple[str, int]) -> None:
    assert Places({"a.yml": A, "b.yml": B}).of(*path) == place


def test_the_files_that_say_it_are_told() -> None:
    places = Places({"a.yml": A, "b.yml": B})

    assert places.files_with("services", "web") == ("a.yml", "b.yml")
    assert places.files_with("services", "web", "image") == ("a.yml",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(b"a: [", 1, id="open"),
        pytest.param(b"a: 1\nb: 'open\nc: 1\nd: 2\n", 2, id="an-open-quote"),
        pytest.param(b"a: 1\nb: *gone\n", 2, id="an-unknown-alias"),
        pytest.param(b"\xff\xfe\x00", 1, id="no-text"),
        pytest.param(b"", 0, id="empty"),
        pytest.param(b"a: &a [*a]\n", 1, id="itself"),
    ],
)
def test_a_text_that_is_none_has_a_line_at_fault(text: bytes, line: int) -> None:
    places = Places({"a.yml": text})

    assert places.of("a") in (("", 0), ("a.yml", 1))
    assert places.broken in (("a.yml", line), ("", 0))


@given(st.binary(max_size=60), st.lists(st.text(max_size=3) | st.integers(0, 3), max_size=4))
def test_any_bytes_have_places(text: bytes, path: list[str | int]) -> None:
    file, line = Places({"a": text}).of(*path)

    assert line <= text.count(b"\n") + text.count(b"\r") + 3 and bool(file) == bool(line)


def test_a_later_document_has_places_too() -> None:
    places = Places({"a.yml": A + b"---\n" + B})

    assert places.of("services", "web", "ports") == ("a.yml", 13)
    assert places.files_with("services", "web") == ("a.yml",)
    assert places.keys("a.yml", "services", "web") == ("<<", "image", "ports", "ports")
