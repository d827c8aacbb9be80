"""How findings read, in a summary and in a terminal."""

from __future__ import annotations

import dataclasses
import html
import re

import cmarkgfm  # type: ignore[import-untyped]  # it ships no types
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.preflight.checks import CHECKS
from orient_deploy.preflight.finding import Finding
from orient_deploy.preflight.judge import Accepted, Judged
from orient_deploy.preflight.report import (
    ROWS_SHOWN,
    Looked,
    headline,
    preflight_lines,
    preflight_markdown,
)

LATEST = Finding(
    check="compose/image-latest",
    subject="minio",
    message="minio runs minio/minio:latest",
    file="docker/v2.yml",
    line=57,
    environment="production",
    severity="warning",
)
PORT = Finding(
    check="host/port-taken",
    subject="80/tcp",
    message="0.0.0.0:80 is held by a process",
    fix="Stop it.",
    command="ss -ltnp 'sport = :80'",
    severity="error",
)
HINT = Finding(
    check="compose/version-obsolete", subject="version", message="it says nothing", severity="hint"
)
BOTH = Looked(environments=("production", "staging"), groups=("compose",))
ONE = Looked(environments=("production",), groups=("compose", "host"))


def judged(*findings: Finding, accepted: tuple[Accepted, ...] = ()) -> Judged:
    return Judged(findings=findings, accepted=accepted)


def plain(lines: list[object]) -> str:
    """The lines of a terminal without their styles."""
    return "\n".join(
        "".join(part if isinstance(part, str) else part[1] for part in line)  # type: ignore[attr-defined]  # a line is a tuple
        for line in lines
    )


def test_the_verdict_comes_first() -> None:
    accepted = (Accepted(finding=LATEST, reason="x", until="2030-12-31"),)

    assert headline(judged(), ONE) == "Preflight of production: nothing found"
    assert headline(judged(PORT, LATEST, HINT), BOTH) == (
        "Preflight of production, staging: 1 error, 1 warning, 1 hint"
    )
    assert headline(judged(accepted=accepted), Looked(environments=("",), groups=())) == (
        "Preflight: 1 accepted"
    )


def test_a_summary_has_what_where_and_what_to_do() -> None:
    text = preflight_markdown(judged(PORT, LATEST, HINT), BOTH, CHECKS)

    assert text.startswith("### Preflight of production, staging: 1 error")
    assert "Something else holds the port" in text and "ss -ltnp" in text
    assert "production: minio runs" in html.unescape(text)
    assert "docker/v2.yml:57" in html.unescape(text)
    assert text.index("1 error") < text.index("1 warning") < text.index("<summary>1 hint")


def test_one_environment_needs_no_name_at_each_finding() -> None:
    assert "production: minio" not in preflight_markdown(judged(LATEST), ONE, CHECKS)


def test_what_could_not_be_looked_at_is_told() -> None:
    looked = dataclasses.replace(ONE, remarks=("no nginx is on PATH",))

    assert "no nginx is on PATH." in preflight_markdown(judged(), looked, CHECKS)
    assert "no nginx is on PATH." in plain(list(preflight_lines(judged(), looked, CHECKS)))


def test_a_terminal_has_the_same() -> None:
    accepted = (Accepted(finding=LATEST, reason="no versions", until="2030-12-31"),)

    text = plain(list(preflight_lines(judged(PORT, accepted=accepted), ONE, CHECKS)))

    assert "error   host/port-taken" in text and "fix: Stop it." in text
    assert "ss -ltnp" in text and "until 2030-12-31: no versions" in text


def test_many_findings_are_counted() -> None:
    many = [dataclasses.replace(PORT, subject=str(number)) for number in range(ROWS_SHOWN + 5)]

    assert "and 5 more" in preflight_markdown(judged(*many), ONE, CHECKS)


@given(st.text(max_size=40))
def test_foreign_text_is_no_markup(text: str) -> None:
    """GitHub's own parser finds the same elements, whatever names say."""
    hostile = dataclasses.replace(PORT, message=text, file=text, fix=f"{text} x", command=text)

    def elements(finding: Finding) -> list[str]:
        markdown = preflight_markdown(judged(finding), ONE, CHECKS)
        page: str = cmarkgfm.github_flavored_markdown_to_html(markdown)
        return re.findall(r"<(/?\w+)", page)

    shown = elements(hostile)
    expected = elements(dataclasses.replace(PORT, message="a", file="b", fix="c x", command="d"))
    # A pair of backticks of our own is code: foreign ones make code at most.
    assert [one for one in shown if "code" not in one] == [
        one for one in expected if "code" not in one
    ]
