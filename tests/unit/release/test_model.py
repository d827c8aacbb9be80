"""What a server says of its releases, read as values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.release.model import Record, containers, digests, is_name, model, standing

TEXTS = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=4)


@given(references=TEXTS, sources=TEXTS, contents=TEXTS, files=TEXTS, irreversible=st.booleans())
def test_a_record_is_read_as_it_was_written(
    references: dict[str, str],
    sources: dict[str, str],
    contents: dict[str, str],
    files: dict[str, str],
    irreversible: bool,
) -> None:
    record = Record(
        id="a",
        references=references,
        sources=sources,
        contents=contents,
        files=files,
        irreversible=irreversible,
    )

    text = record.text()

    assert Record.parse(text) == record
    assert "\n" not in text


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "7", '{"version": 2, "id": "a"}', '{"version": 1}'),
        *('{"id": "a"}', '{"version": 1, "id": "a", "later": 1}'),
    ],
)
def test_what_is_no_record_of_this_version_is_none(text: str) -> None:
    assert Record.parse(text) is None


def test_the_folder_stands_as_the_agent_says() -> None:
    found = standing(
        [
            ("where", "/srv/app"),
            ("journal", "applying two rollback"),
            ("good", "one"),
            ("installed", "two"),
            ("ledger", "2026-01-01T00:00:00Z zero good"),
            ("ledger", "2026-01-02T00:00:00Z one good"),
            ("ledger", "2026-01-03T00:00:00Z - taken-over run 7"),
            ("ledger", "2026-01-03T00:00:00Z two failed"),
            ("ledger", "broken"),
        ]
    )

    assert (found.where, found.good, found.installed) == ("/srv/app", "one", "two")
    assert found.journal and found.journal.kind == "rollback"
    assert found.good_ones == ("one", "zero")
    assert found.ledger[2].rest == "run 7"


def test_nothing_under_way_is_no_journal() -> None:
    assert standing([("where", "/srv"), ("journal", "")]).journal is None


def test_a_release_that_became_bad_is_good_no_more() -> None:
    lines = [("ledger", f"t {text}") for text in ("one good", "two good", "one rolled-back")]

    assert standing(lines).good_ones == ("two",)


def test_containers_of_a_single_run_are_none_of_the_project() -> None:
    row = [
        "/app-1",
        "sha256:1",
        "app:1",
        "running",
        "app",
        "h",
        "False",
        "/srv",
        "/a,/b",
        ["/x", None],
    ]
    found = containers([json.dumps(row), json.dumps([*row[:6], "True", *row[7:]])])

    assert [one.name for one in found] == ["app-1"]
    assert found[0].files == ("/a", "/b") and found[0].mounts == ("/x",)


def test_images_and_services_of_a_release_are_told() -> None:
    found = model(
        [
            ("service", "app"),
            ("service", "built"),
            ("image", "app repo:1"),
            ("hash", "app abc"),
            ("warning", "something"),
            ("warning", " "),
        ]
    )

    assert (found.images, found.hashes) == ({"app": "repo:1", "built": ""}, {"app": "abc"})
    assert found.warnings == ("something",)
    assert digests(['["sha256:1",["a@sha256:2"]]', '["sha256:3",null]']) == {
        "sha256:1": frozenset({"a@sha256:2"}),
        "sha256:3": frozenset(),
    }


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("2026-11-24T131146Z-5ff2251", True),
        ("adopted-1", True),
        *((one, False) for one in ("a.tmp", "../a", "", ".a", "a b", "a/b")),
    ],
)
def test_a_name_of_a_release_is_no_way_out_of_its_folder(text: str, right: bool) -> None:
    assert is_name(text) is right
