"""What holds for every test: a clean environment, and no skip that could hide in CI."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest

_IN_CI = os.environ.get("CI") == "true"
_LINTERS = "tests/contract/test_tooling.py"

# A shared machine is slow at times, and a test never fails on time. CI tries the same examples
# each time.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if _IN_CI else "default")


def _clean_environment() -> None:
    """Nothing of the runner or of whoever runs the tests reaches them, or what they start."""
    for name in list(os.environ):
        if name.startswith(("GITHUB_", "RUNNER_", "ACTIONS_", "INPUT_", "GIT_", "ORIENT_DEPLOY_")):
            del os.environ[name]
    os.environ.update(
        {
            # A consumer's or a developer's git settings must not decide a test.
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Orient",
            "GIT_AUTHOR_EMAIL": "orient@example.com",
            "GIT_COMMITTER_NAME": "Orient",
            "GIT_COMMITTER_EMAIL": "orient@example.com",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            # scripts/run uses the packages that the tests use, instead of installing them.
            "ORIENT_DEPLOY_LIBRARIES": sysconfig.get_path("purelib"),
        }
    )
    os.environ.pop("NO_COLOR", None)
    os.environ.pop("FORCE_COLOR", None)


_clean_environment()


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if _IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}\nCI has all that the tests need: a skip is a failure."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under `CI=true` a skipped test fails."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself."""
    report = yield
    _refuse_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Before the count, one line per linter: they are tests, but people look for them by name."""
    rows = []
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            if report.nodeid.startswith(_LINTERS) and report.when != "teardown":
                name = report.nodeid.partition("::")[2]
                rows.append(f"{outcome:7} {report.duration:6.1f} s  {name}")
    if rows:
        terminalreporter.section("linters", sep="-")
        for row in sorted(rows, key=lambda row: row.partition(" s  ")[2]):
            terminalreporter.write_line(row)
