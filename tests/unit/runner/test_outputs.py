"""GITHUB_OUTPUT: what is written is what a parser with the runner's rules reads back."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orient_deploy.errors import EnvironmentLacks, InputError
from orient_deploy.runner import Log, Outputs
from orient_deploy.runner.outputs import JOB_LIMIT_BYTES
from tests.oracles import runner_files

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]*", fullmatch=True)
ANY_TEXT = st.text(st.characters())  # with lone surrogates
FILE_NAMES = st.binary().map(os.fsdecode)


def written(values: dict[str, str], before: bytes = b"") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "output")
        path.write_bytes(before)
        out = Outputs(str(path))
        for name, value in values.items():
            out.set(name, value)
        out.write()
        return path.read_bytes()


def as_text(value: str) -> str:
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value)


@given(st.dictionaries(NAMES, ANY_TEXT | FILE_NAMES))
@example({"a": "", "b": "\n", "c": "\r", "d": "x\r", "e": "\r\n", "f": "a<<b\na\nb=c"})
@example({"a": "\u2028\x85\x0b\x0c\x00\ufeff", "b": "::set-output name=a::b", "c": "end-\nEOF"})
def test_every_value_is_read_back_by_the_runner(values: dict[str, str]) -> None:
    assert runner_files.outputs(written(values)) == {n: as_text(v) for n, v in values.items()}


@given(st.dictionaries(NAMES, ANY_TEXT | FILE_NAMES))
@example({"a": "x\r", "b": "\r\n", "c": "x\r\r"})
def test_on_windows_only_a_last_carriage_return_is_lost(values: dict[str, str]) -> None:
    read = runner_files.outputs(written(values), windows=True)

    assert read == {n: as_text(v).removesuffix("\r") for n, v in values.items()}


@given(value=FILE_NAMES, tail=st.sampled_from([b"old=1", b"old=1\n", b"old=1\n\n"]))
def test_an_open_line_of_the_same_step_is_ended_first(value: str, tail: bytes) -> None:
    read = runner_files.outputs(written({"new": value}, before=tail))

    assert read == {"old": "1", "new": as_text(value)}


def test_a_delimiter_that_occurs_in_the_value_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([b"\x00" * 16, b"\x01" * 16])
    monkeypatch.setattr(os, "urandom", lambda size: next(drawn))

    content = written({"a": "end-" + "00" * 16})

    assert content.startswith(b"a<<end-" + b"01" * 16 + b"\n")


def test_delimiters_differ_and_lines_end_in_lf() -> None:
    content = written({"a": "1", "b": "2"})

    first, second = (line for line in content.split(b"\n") if b"<<" in line)
    assert first.split(b"<<")[1] != second.split(b"<<")[1]
    assert b"\r" not in content


def test_the_file_is_appended_to_once(tmp_path: Path) -> None:
    path = tmp_path / "output"
    out = Outputs(str(path))
    out.set("a", "1")
    out.set("a", "2")
    assert not path.exists()

    out.write()
    out.write()

    assert path.read_bytes().count(b"a<<") == 1
    assert runner_files.outputs(path.read_bytes()) == {"a": "2"}


@pytest.mark.parametrize("name", ["", "1a", "-a", "a b", "a=b", "a<<b", "a\n", "ä", "a.b", "a:b"])
def test_a_name_that_would_break_the_file_is_our_fault(name: str) -> None:
    with pytest.raises(ValueError, match="no output can be called"):
        Outputs(None).set(name, "x")


def test_without_a_runner_nothing_is_written() -> None:
    out = Outputs(None)
    out.set("a", "1")

    out.write()


@pytest.mark.parametrize("path", ["", "/nowhere/output", "/", "a\0b"])
def test_a_file_that_cannot_be_written_is_a_lack(path: str) -> None:
    out = Outputs(path)
    out.set("a", "1")

    with pytest.raises(EnvironmentLacks, match="GITHUB_OUTPUT") as caught:
        out.write()
    assert caught.value.exit_code == 3


# The runner checks no size (FileCommandManager.cs:353-497 at v2.336.0), GitHub's server does, and
# act has no limit at all: docs, "Outputs can be a maximum of 1 MB per job", counted as UTF-16.
@pytest.mark.parametrize(
    ("value", "fits"),
    [
        pytest.param("x" * (JOB_LIMIT_BYTES // 2 - 3), True, id="below"),
        pytest.param("x" * (JOB_LIMIT_BYTES // 2 - 2), False, id="at-the-limit"),
        pytest.param("ü" * (JOB_LIMIT_BYTES // 2 - 3), True, id="two-bytes-in-utf-8-count-once"),
        pytest.param("\U0001f600" * (JOB_LIMIT_BYTES // 4 - 1), False, id="pairs-count-twice"),
    ],
)
def test_more_than_a_job_may_put_out_is_refused_before_writing(
    tmp_path: Path, value: str, fits: bool
) -> None:
    path = tmp_path / "output"
    out = Outputs(str(path))
    out.set("small", "xy")
    out.set("matrix", value)

    if fits:
        out.write()
        assert runner_files.outputs(path.read_bytes())["matrix"] == value
        return
    with pytest.raises(InputError, match="'matrix' alone has"):
        out.write()
    assert not path.exists()


def test_a_masked_or_empty_output_never_reaches_other_jobs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Runner.Worker/JobExtension.cs:803-818 at v2.336.0 drops them; act passes masked ones on.

    So builds are gated with `!= 'false'`: the dropped flag builds.
    """
    Log(sys.stdout, in_actions=True).mask("whatsapp")
    hidden = runner_files.masks(capsys.readouterr().out.encode())
    step = runner_files.outputs(written({"images": '["whatsapp"]', "any": "true", "base": ""}))

    assert runner_files.job_outputs(step, hidden) == {"any": "true"}
