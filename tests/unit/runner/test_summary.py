"""The job summary: within its budget, cut at a line, with everything closed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.errors import EnvironmentLacks
from orient_deploy.runner import write_summary
from orient_deploy.runner.summary import BUDGET_BYTES, fit
from tests.oracles import runner_files

NOTE = re.compile(r"\*([\d,]+) more lines \(([\d,]+) KiB\) are left out: .*\*\n\Z")


def test_a_summary_within_the_budget_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_bytes(b"### before")

    write_summary("### ✅ nothing to build\nbytes: a\udcff", str(path))

    assert path.read_text(encoding="utf-8") == (
        "### before\n### ✅ nothing to build\nbytes: a\ufffd\n"
    )


# A summary above 1 MiB is dropped whole (Runner.Worker/FileCommandManager.cs:247 at v2.336.0); act
# has no limit.
@pytest.mark.parametrize("before", [0, 1, 500_000, BUDGET_BYTES - 400, BUDGET_BYTES, 1_040_000])
def test_a_long_summary_stays_within_the_budget(tmp_path: Path, before: int) -> None:
    path = tmp_path / "summary"
    path.write_bytes(b"x" * before)

    write_summary("| ünïcödé 😀 |\n" * 200_000, str(path))

    data = path.read_bytes()
    assert len(data) <= max(BUDGET_BYTES, before) < runner_files.SUMMARY_SIZE
    added = data[before:].decode()
    if added:
        note = NOTE.search(added)
        assert note
        rows = added.count("| ünïcödé 😀 |\n")
        assert int(note[1].replace(",", "")) == 200_000 - rows
        assert added.count("|") == 2 * rows


def test_no_more_is_cut_than_needed() -> None:
    data = fit("x" * 9 + "\n", 10)
    assert data == b"x" * 9 + b"\n"

    cut = fit("x" * 9 + "\n" * 1 + ("y" * 9 + "\n") * 999, 5000)
    assert 4700 < len(cut) <= 5000


@pytest.mark.parametrize(
    ("start", "ending"),
    [
        pytest.param("```mermaid\n", "```\n", id="fence"),
        pytest.param("~~~~\n```\n~~~\n", "~~~~\n", id="longer-fence-of-tildes"),
        pytest.param("  ```\n", "```\n", id="indented-fence"),
        pytest.param("    ```\n", "", id="indented-code-is-no-fence"),
        pytest.param("```\n```\n", "", id="closed-fence"),
        pytest.param("``` not `a` fence\n", "", id="inline-code"),
        pytest.param("<details><summary>x</summary>\n", "\n</details>\n", id="details"),
        pytest.param("<details>\n<DETAILS open>\n", "\n</details>\n" * 2, id="nested-details"),
        pytest.param("<details>\n</details>\n", "", id="closed-details"),
        pytest.param("</details>\n<details>\n", "\n</details>\n", id="stray-end"),
        pytest.param("```\n<details>\n```\n", "", id="details-in-code"),
        pytest.param("<details>\n\n```\n", "```\n\n</details>\n", id="fence-in-details"),
    ],
)
def test_what_the_cut_leaves_open_is_closed(start: str, ending: str) -> None:
    cut = fit(start + "row\n" * 5000, 2000).decode()

    body, _, _ = cut.partition(f"{ending}\n*")
    assert NOTE.search(cut)
    assert body == start + "row\n" * body.count("row\n")


@given(
    lines=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"))
        | st.sampled_from(["```", "~~~", "<details>", "</details>", "x" * 100]),
        min_size=1,
    ),
    budget=st.integers(min_value=-5, max_value=3000),
)
def test_a_cut_is_always_whole_lines_within_the_budget(lines: list[str], budget: int) -> None:
    text = "".join(line + "\n" for line in lines)

    cut = fit(text, budget).decode()

    assert len(cut.encode()) <= max(0, budget)
    note = NOTE.search(cut)
    if cut != text and cut:
        assert note
        kept = len(lines) - int(note[1].replace(",", ""))
        assert cut.startswith("".join(line + "\n" for line in lines[:kept]))


@pytest.mark.parametrize("path", [None, ""])
def test_without_a_runner_nothing_is_written(path: str | None) -> None:
    write_summary("x", path)


@pytest.mark.parametrize("path", ["/nowhere/summary", "/", "a\0b"])
def test_a_file_that_cannot_be_written_is_a_lack(path: str) -> None:
    with pytest.raises(EnvironmentLacks, match="GITHUB_STEP_SUMMARY"):
        write_summary("x", path)
