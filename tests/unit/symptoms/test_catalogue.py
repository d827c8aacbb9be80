"""Every entry of the catalogue is told by the words of real programs, and by nothing near."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orient_deploy.commands.catalogue import PATH, load_catalogue
from orient_deploy.symptoms import Diagnosis, Entry, Matcher, Source, parse_catalogue
from orient_deploy.symptoms.catalogue import holes

CATALOGUE = load_catalogue()
CASES: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("cases.yml").read_text(encoding="utf-8")
)

each_entry = pytest.mark.parametrize("entry", CATALOGUE.entries, ids=lambda entry: entry.id)


def diagnoses(line: str) -> tuple[Diagnosis, ...]:
    matcher = Matcher(CATALOGUE)
    matcher.feed(Source(name="log"), line.encode())
    return matcher.diagnoses()


def test_the_catalogue_keeps_to_its_schema() -> None:
    schema = json.loads(PATH.with_name("catalogue.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)

    found = jsonschema.Draft7Validator(schema).iter_errors(
        yaml.safe_load(PATH.read_text(encoding="utf-8"))
    )

    assert [f"{error.json_path}: {error.message}" for error in found] == []


def test_every_entry_has_its_cases_and_no_other_has() -> None:
    assert CASES.keys() == {entry.id for entry in CATALOGUE.entries}
    assert all(case["fires"] and case["near"] and case["from"] for case in CASES.values())


@each_entry
def test_its_words_tell_it_and_nothing_else(entry: Entry) -> None:
    """The cross matrix: a line tells its own entry and those that it is meant to tell as well."""
    case = CASES[entry.id]
    expected = {entry.id, *case.get("also", ())}

    assert {
        line: {one.entry.id for one in diagnoses(line)} for line in case["fires"]
    } == dict.fromkeys(case["fires"], expected)


@each_entry
def test_what_is_near_does_not_tell_it(entry: Entry) -> None:
    told = [line for line in CASES[entry.id]["near"] if entry.id in ids(line)]

    assert told == []


def ids(line: str) -> set[str]:
    return {one.entry.id for one in diagnoses(line)}


@each_entry
def test_every_line_is_told_once(entry: Entry) -> None:
    for line in CASES[entry.id]["fires"]:
        assert [one.count for one in diagnoses(line)] == [1], line


@each_entry
def test_its_texts_need_no_capture_that_a_wording_lacks(entry: Entry) -> None:
    texts = (entry.title, entry.cause, entry.fix, entry.command, entry.because)

    assert frozenset[str]().union(*map(holes, texts)) - entry.names <= {"service"}
    # A service may be named by some wordings only.
    named = {name for one in entry.signatures for name in one.names}
    assert holes(entry.service) <= named
    assert "service" not in holes(entry.title + entry.cause + entry.fix) or "service" in entry.names


@each_entry
def test_its_texts_for_people_have_no_open_hole(entry: Entry) -> None:
    for line in CASES[entry.id]["fires"]:
        for one in diagnoses(line):
            shown = one.title + one.cause + one.fix + one.because
            assert not re.search(r"<[a-z-]+>|\{[a-z-]+\}", shown), shown
            left = {name for name in holes(entry.command) if name not in dict(one.captures)}
            assert left <= {"service"} and not holes(one.command), one.command


@each_entry
def test_its_anchor_is_long_enough_to_skip_most_lines(entry: Entry) -> None:
    assert all(len(one.anchor) >= 6 for one in entry.signatures)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{a} {b}", "at least 4", id="no-anchor"),
        pytest.param("{a:number}{b:number} is wrong", "between two captures", id="two-captures"),
        pytest.param("{a:text} is wrong", "does not begin", id="a-run-of-anything-first"),
        pytest.param("wrong {a:color}", "no kind", id="unknown-kind"),
        pytest.param("wrong {a} and {a}", "same name", id="one-name-twice"),
        pytest.param("wrong {A}", "neither text nor a capture", id="brace"),
        pytest.param("wröng", "ASCII", id="not-ascii"),
    ],
)
def test_a_signature_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    entry = yaml.safe_load(PATH.read_text(encoding="utf-8"))["entries"][0]

    with pytest.raises(ValueError, match=f"^{entry['id']}: .*{message}"):
        parse_catalogue(yaml.safe_dump({"entries": [{**entry, "signatures": [text]}]}))


def test_two_entries_do_not_share_an_id() -> None:
    entry = yaml.safe_load(PATH.read_text(encoding="utf-8"))["entries"][0]

    with pytest.raises(ValueError, match="same id"):
        parse_catalogue(yaml.safe_dump({"entries": [entry, entry]}))
