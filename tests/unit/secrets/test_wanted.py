"""What an environment wants at GitHub."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orient_deploy.config.model import Secrets
from orient_deploy.hidden import Hidden
from orient_deploy.secrets.envfile import Entry, EnvFile
from orient_deploy.secrets.lint import BOM, COMMENT, DOLLAR, Finding
from orient_deploy.secrets.wanted import Wanted, at_github, faults, wanted_secrets
from tests.fakes.canary import leaks

VALUE = "Kq7-canary of a value"


def file(*names: str, **values: str) -> EnvFile:
    given = {**dict.fromkeys(names, VALUE), **values}
    entries = (
        Entry(name=name, line=line, value=Hidden(value))
        for line, (name, value) in enumerate(given.items(), 1)
    )
    return EnvFile(path=".env.production", entries=tuple(entries))


def wanted(read: EnvFile, *findings: Finding, **rules: object) -> dict[str, Wanted]:
    secrets = replace(Secrets(), **rules)  # type: ignore[arg-type]  # as the cases give them
    found = wanted_secrets(read, findings, secrets)
    assert len({one.given for one in found}) == len(found)
    return {one.given: one for one in found}


def test_every_name_of_the_file_is_wanted_in_its_order() -> None:
    found = wanted(file("B", "A", "C"))

    assert [(one.name, one.line, one.kind) for one in found.values()] == [
        ("B", 1, "secret"),
        ("A", 2, "secret"),
        ("C", 3, "secret"),
    ]
    assert {one.value.reveal() for one in found.values()} == {VALUE}
    assert {one.problems for one in found.values()} == {()}


@pytest.mark.parametrize(
    ("name", "suffix", "there"),
    [
        pytest.param("A", "", "A", id="as-it-is"),
        pytest.param("api_key", "", "API_KEY", id="upper-case"),
        pytest.param("A", "_staging", "A_STAGING", id="suffix"),
        pytest.param("A_STAGING", "_STAGING", "A_STAGING_STAGING", id="suffix-of-its-own"),
    ],
)
def test_a_name_has_its_form_at_github(name: str, suffix: str, there: str) -> None:
    found = wanted(file(name), suffix=suffix)

    assert at_github(name, suffix) == there == found[name].name


@pytest.mark.parametrize("given", ["API_KEY", "api_key", "Api_Key"])
def test_the_rules_know_no_case(given: str) -> None:
    read = file("api_key", "B")

    assert wanted(read, variables=(given,))["api_key"].kind == "variable"
    assert wanted(read, skip=(given,)).keys() == {"B"}
    assert wanted(read, min_length=((given, 99),))["api_key"].problems
    assert faults(read, (), Secrets(required=(given,))) == ()


def test_rules_name_what_the_file_calls_it_and_not_what_github_does() -> None:
    found = wanted(file("A", "B"), suffix="_STAGING", skip=("A_STAGING",), variables=("B",))

    assert {one.name: one.kind for one in found.values()} == {
        "A_STAGING": "secret",
        "B_STAGING": "variable",
    }


def test_a_finding_belongs_to_its_name() -> None:
    findings = [
        Finding(name="A", line=1, reason=DOLLAR),
        Finding(name="A", line=1, reason=COMMENT),
        Finding(name="", line=1, reason=BOM),
    ]
    found = wanted(file("A", "B"), *findings)

    assert found["A"].problems == (f"{DOLLAR}: readers differ", f"{COMMENT}: readers differ")
    assert found["B"].problems == ()


@pytest.mark.parametrize(
    ("value", "least", "fits"),
    [
        pytest.param("12345678", 8, True, id="just-enough"),
        pytest.param("1234567", 8, False, id="one-too-few"),
        pytest.param("ä" * 8, 8, True, id="characters-and-not-bytes"),
        pytest.param("", 8, True, id="empty-is-refused-as-that"),
        pytest.param("x", 0, True, id="any"),
    ],
)
def test_a_minimum_length_is_held_without_saying_the_length(
    value: str, least: int, fits: bool
) -> None:
    problems = wanted(file(A=value), min_length=(("A", least),))["A"].problems

    said = f"it is shorter than the {least} characters that `min-length` asks for"
    assert problems == (() if fits else (said,))


def test_what_belongs_to_no_name_is_a_fault() -> None:
    findings = [Finding(name="", line=3, reason=BOM), Finding(name="A", line=1, reason=DOLLAR)]
    rules = Secrets(required=("B", "A", "D", "C"))

    assert faults(file("A", C=""), findings, rules) == (
        ("line 3", 3, BOM),
        ("B", 0, "it is required, and the file does not have it"),
        ("D", 0, "it is required, and the file does not have it"),
    )


def test_nothing_shows_a_value() -> None:
    read = file("A", "B")
    finding = Finding(name="A", line=1, reason=DOLLAR)
    found = wanted(read, finding, min_length=(("B", 99),), variables=("B",))

    shown = [repr(found), *(text for one in found.values() for text in one.problems)]
    assert leaks(VALUE, *shown, repr(faults(read, [finding], Secrets(required=("C",))))) == []
