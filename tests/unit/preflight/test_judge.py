"""Which findings count: what is accepted, until when, and what an acceptance is told of itself."""

from __future__ import annotations

import dataclasses

import pytest

from orient_deploy.config import parse
from orient_deploy.config.model import Acceptance, Location
from orient_deploy.preflight.checks import CHECKS, GROUPS, group_of
from orient_deploy.preflight.finding import SEVERITIES, Finding
from orient_deploy.preflight.judge import Judged, judge

LATEST = Finding(check="compose/image-latest", subject="minio", message="minio runs minio:latest")
OF_PRODUCTION = dataclasses.replace(LATEST, environment="production")
PORT = Finding(check="compose/port-twice", subject="80/tcp", message="a and b publish 80")
HINT = Finding(check="compose/version-obsolete", subject="version", message="it says nothing")
WHERE = Location(file=".github/orient-deploy.yml", line=9, column=5)


def acceptance(
    check: str = "compose/image-latest", until: str = "2030-12-31", **more: str
) -> Acceptance:
    return Acceptance(
        check=check, reason="the vendor has no versions", until=until, where=WHERE, **more
    )


def judged(
    *acceptances: Acceptance,
    findings: tuple[Finding, ...] = (LATEST,),
    today: str = "2030-12-31",
    looked: tuple[str, ...] = GROUPS,
) -> Judged:
    return judge(
        findings,
        acceptances,
        checks=CHECKS,
        today=today,
        looked=lambda one: group_of(one.check) in looked,
    )


def ids(found: Judged) -> list[tuple[str, str]]:
    return [(one.check, one.subject) for one in found.findings]


def test_the_worst_comes_first_and_the_order_stays_else() -> None:
    other = dataclasses.replace(PORT, subject="81/tcp")

    found = judged(findings=(HINT, PORT, LATEST, other))

    assert [one.severity for one in found.findings] == ["error", "error", "warning", "hint"]
    assert [one.subject for one in found.findings][:2] == ["80/tcp", "81/tcp"]
    assert [found.count(one) for one in SEVERITIES] == [2, 1, 1]


def test_a_finding_may_weigh_less_than_its_check() -> None:
    lighter = dataclasses.replace(PORT, severity="hint")

    assert judged(findings=(lighter,)).findings[0].severity == "hint"


def test_the_same_finding_counts_once() -> None:
    assert len(judged(findings=(LATEST, LATEST)).findings) == 1


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(acceptance(), id="by-its-check"),
        pytest.param(acceptance(subject="minio"), id="by-its-subject"),
        pytest.param(acceptance(environment="production"), id="by-its-environment"),
    ],
)
def test_an_accepted_finding_does_not_count(entry: Acceptance) -> None:
    found = judged(entry, findings=(OF_PRODUCTION,))

    assert found.findings == ()
    assert [(one.finding, one.reason, one.until) for one in found.accepted] == [
        (OF_PRODUCTION, entry.reason, entry.until)
    ]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(acceptance(check="compose/image-untagged"), id="another-check"),
        pytest.param(acceptance(subject="min"), id="another-subject"),
        pytest.param(acceptance(environment="staging"), id="another-environment"),
    ],
)
def test_what_is_accepted_elsewhere_counts(entry: Acceptance) -> None:
    found = judged(entry, findings=(OF_PRODUCTION,))

    assert ids(found)[0] == ("compose/image-latest", "minio")
    assert ids(found)[1][0] == "accept/unused"
    assert (found.findings[1].file, found.findings[1].line) == (WHERE.file, 9)


def test_after_its_day_a_finding_counts_again() -> None:
    found = judged(acceptance(until="2030-12-30"))

    assert ids(found) == [
        ("compose/image-latest", "minio"),
        ("accept/expired", "compose/image-latest"),
    ]


def test_of_two_acceptances_one_may_have_expired() -> None:
    found = judged(acceptance(until="2030-12-30"), acceptance())

    assert [one.until for one in found.accepted] == ["2030-12-31"]
    assert ids(found) == [("accept/expired", "compose/image-latest")]


def test_an_acceptance_of_what_was_not_looked_at_is_not_unused() -> None:
    assert (
        judged(acceptance(check="host/disk-low"), findings=(), looked=("compose",)).findings == ()
    )


def test_the_configuration_says_what_is_accepted() -> None:
    text = """\
version: 1
images: {a: {}}
accept:
  - {check: compose/image-latest, subject: minio, reason: no versions, until: 2030-12-31}
"""
    config = parse(text, source="x.yml")

    assert (
        judge(
            [LATEST], config.accept, checks=CHECKS, today="2030-01-01", looked=lambda _: True
        ).findings
        == ()
    )


def test_every_check_has_an_id_of_its_group_and_says_what_to_do() -> None:
    for id_, check in CHECKS.items():
        assert id_ == check.id and id_.partition("/")[0] and id_.partition("/")[2]
        assert check.severity in SEVERITIES
        assert not check.title.endswith(".") and check.why.endswith(".") and check.fix.endswith(".")
