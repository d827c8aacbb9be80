"""What docs say of false alarms is what was judged."""

from __future__ import annotations

import yaml

from dev import measure_preflight
from orient_deploy.preflight.checks import CHECKS


def test_the_page_shows_what_was_judged() -> None:
    assert measure_preflight.PAGE.read_text(encoding="utf-8") == measure_preflight.page()


def test_what_was_judged_holds_the_promise() -> None:
    """Enough projects that nobody here wrote, and at most one false alarm in twenty."""
    document = yaml.safe_load(measure_preflight.JUDGED.read_text(encoding="utf-8"))
    findings = document["findings"]

    assert document["projects"] >= 20 and document["configurations"] >= 10
    assert set(document["repositories"]) == set(measure_preflight.REPOSITORIES)
    assert {one["check"] for one in findings} <= CHECKS.keys()
    assert all(one["why"] for one in findings)
    assert sum(one["verdict"] for one in findings) >= 0.95 * len(findings)
