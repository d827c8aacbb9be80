"""Inputs: empty is unset, booleans are strict, every wrong one is named at once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from orient_deploy.errors import InputError
from orient_deploy.runner import read_inputs


@dataclass(frozen=True, kw_only=True)
class Sample:
    config: str = ".github/orient-deploy.yml"
    tag_pattern: str = ""
    force: bool = False
    quiet: bool = True


@dataclass(frozen=True, kw_only=True)
class Demanding:
    needs: str
    force: bool = False


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        pytest.param({}, Sample(), id="nothing-set"),
        pytest.param({"INPUT_CONFIG": "", "INPUT_QUIET": ""}, Sample(), id="empty-is-unset"),
        pytest.param({"INPUT_CONFIG": " \n", "INPUT_QUIET": " "}, Sample(), id="blank-is-unset"),
        pytest.param({"INPUT_CONFIG": " a\n"}, Sample(config=" a\n"), id="text-kept-as-it-is"),
        pytest.param({"INPUT_TAG_PATTERN": "v*"}, Sample(tag_pattern="v*"), id="underscore"),
        pytest.param({"INPUT_TAG-PATTERN": "v*"}, Sample(tag_pattern="v*"), id="hyphen"),
        pytest.param(
            {"INPUT_TAG_PATTERN": "", "INPUT_TAG-PATTERN": "v*"},
            Sample(tag_pattern="v*"),
            id="empty-underscore-does-not-hide-hyphen",
        ),
        pytest.param({"INPUT_QUIET": "false"}, Sample(quiet=False), id="false-beats-default"),
        pytest.param({"INPUT_FORCE": " true\n"}, Sample(force=True), id="boolean-trimmed"),
        pytest.param({"FORCE": "true", "INPUT_OTHER": "x"}, Sample(), id="others-ignored"),
    ],
)
def test_inputs_become_fields(env: dict[str, str], expected: Sample) -> None:
    assert read_inputs(Sample, env) == expected


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("false", False),
        ("False", False),
        ("FALSE", False),
    ],
)
def test_yaml_core_booleans_are_taken(word: str, value: bool) -> None:
    assert read_inputs(Sample, {"INPUT_FORCE": word}).force is value


@pytest.mark.parametrize("word", ["yes", "1", "on", "tRUE", "y", "truee", "'true'", "null", "0"])
def test_other_booleans_are_refused_with_name_value_and_choices(word: str) -> None:
    with pytest.raises(InputError) as caught:
        read_inputs(Sample, {"INPUT_FORCE": word})

    assert caught.value.exit_code == 2
    assert caught.value.what == f"input 'force' is {word!r}"
    assert "true, True, TRUE, false, False, FALSE" in caught.value.why


def test_every_wrong_input_is_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read_inputs(Sample, {"INPUT_FORCE": "yes", "INPUT_QUIET": "no"})

    assert "input 'force' is 'yes'" in str(caught.value)
    assert "input 'quiet' is 'no'" in str(caught.value)


def test_a_required_input_is_missed() -> None:
    with pytest.raises(InputError, match=r"(?s)input 'needs' is not set.*input 'force' is 'x'"):
        read_inputs(Demanding, {"INPUT_FORCE": "x"})


def test_a_long_or_binary_value_is_quoted_short_and_printable() -> None:
    with pytest.raises(InputError) as caught:
        read_inputs(Sample, {"INPUT_FORCE": "\x1b[31m" + "x" * 10_000})

    assert len(str(caught.value)) < 300
    assert "\x1b" not in str(caught.value)


def test_a_field_of_another_type_is_our_fault() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Wrong:
        count: int = 0

    with pytest.raises(TypeError, match=r"Wrong\.count"):
        read_inputs(Wrong, {"INPUT_COUNT": "1"})
