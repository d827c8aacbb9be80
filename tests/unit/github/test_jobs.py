"""The jobs of a run, asked of a server that checks each request against GitHub's description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.errors import RemoteError
from orient_deploy.github import api, jobs
from orient_deploy.github.jobs import list_jobs
from orient_deploy.github.model import Job
from tests.fakes.github_server import Answer, GitHubServer, Request, github_server, jobs_answer

TOKEN = "ghs_d0NotTellAnybody"


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    with github_server(TOKEN) as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


def ask(server: GitHubServer, waits: list[float], *, token: str = TOKEN) -> tuple[Job, ...]:
    return list_jobs(server.url, "acme/orient", "4711", token, sleep=waits.append)


def refusal(server: GitHubServer, waits: list[float], **given: str) -> str:
    """The message of the refusal; never with the token in it, nor in what led to it."""
    with pytest.raises(RemoteError) as caught:
        ask(server, waits, **given)
    error: BaseException | None = caught.value
    while error is not None:
        assert TOKEN not in str(error) + repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return str(caught.value)


def job(number: int, **facts: Any) -> dict[str, Any]:
    """A job as GitHub describes it."""
    given = {
        "id": number,
        "run_id": 4711,
        "run_url": "https://api.github.com/repos/acme/orient/actions/runs/4711",
        "node_id": f"node{number}",
        "head_sha": "4f2c1ab7" + 32 * "0",
        "url": f"https://api.github.com/repos/acme/orient/actions/jobs/{number}",
        "html_url": f"https://github.com/acme/orient/actions/runs/4711/job/{number}",
        "status": "completed",
        "conclusion": "success",
        "created_at": "2026-01-05T09:00:00Z",
        "started_at": "2026-01-05T09:00:00Z",
        "completed_at": "2026-01-05T09:01:00Z",
        "name": f"build (image-{number})",
        "check_run_url": f"https://api.github.com/repos/acme/orient/check-runs/{number}",
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "runner",
        "runner_group_id": 1,
        "runner_group_name": "group",
        "workflow_name": "Deploy",
        "head_branch": "main",
    }
    return given | facts


def pages(server: GitHubServer, jobs: list[dict[str, Any]]) -> None:
    """Answer with these jobs, as many a page as asked for."""

    def answer(request: Request) -> Answer:
        size, page = int(request.query["per_page"]), int(request.query["page"])
        return jobs_answer(jobs[size * (page - 1) : size * page], len(jobs))

    server.answer = answer


def in_turn(server: GitHubServer, *answers: Answer) -> None:
    """One answer after the other; the last one stays."""
    waiting = list(answers)
    server.answer = lambda request: waiting.pop(0) if len(waiting) > 1 else waiting[0]


@pytest.mark.parametrize(
    ("count", "requests"),
    [(0, 1), (1, 1), (99, 1), (100, 2), (150, 2), (200, 3)],
)
def test_every_page_is_read(
    server: GitHubServer, waits: list[float], count: int, requests: int
) -> None:
    pages(server, [job(number) for number in range(count)])

    found = ask(server, waits)

    assert [one.name for one in found] == [f"build (image-{number})" for number in range(count)]
    assert [request.query["filter"] for request in server.requests] == ["latest"] * requests
    assert waits == []


def test_a_job_that_runs_has_no_conclusion(server: GitHubServer, waits: list[float]) -> None:
    running = job(7, status="in_progress", conclusion=None, completed_at=None, html_url=None)
    pages(server, [running, job(8, conclusion="failure")])

    assert ask(server, waits) == (
        Job(name="build (image-7)", conclusion="", url="", id=7),
        Job(
            name="build (image-8)",
            conclusion="failure",
            url="https://github.com/acme/orient/actions/runs/4711/job/8",
            id=8,
        ),
    )


REFUSED = [
    pytest.param(Answer(status=401), "GitHub answered 401", "actions: read", id="401"),
    pytest.param(Answer(status=403), "GitHub answered 403", "actions: read", id="403"),
    pytest.param(Answer(status=404), "GitHub answered 404", "actions: read", id="404"),
    pytest.param(Answer(status=422), "GitHub answered 422", "Re-run", id="422"),
    pytest.param(
        Answer(body=b"<html>Unicorn!</html>", headers={"Content-Type": "text/html"}),
        "not JSON",
        "Re-run",
        id="html",
    ),
    pytest.param(Answer(body=b"\xff\xfe"), "not JSON", "Re-run", id="bytes"),
    pytest.param(Answer(body=b"[" * 100_000), "not JSON", "Re-run", id="deep"),
    pytest.param(Answer(body=b"[]"), "no list of jobs", "Re-run", id="list"),
    pytest.param(Answer(body=b'{"jobs": 3}'), "no list of jobs", "Re-run", id="number"),
]


@pytest.mark.parametrize(("answer", "why", "next_step"), REFUSED)
def test_a_refusal_is_final(
    server: GitHubServer, waits: list[float], answer: Answer, why: str, next_step: str
) -> None:
    in_turn(server, answer)

    message = refusal(server, waits)

    assert why in message
    assert next_step in message
    assert (len(server.requests), waits) == (1, [])


PASSING = [
    pytest.param(Answer(status=500), id="500"),
    pytest.param(Answer(status=502, body=b"<html>"), id="502"),
    pytest.param(Answer(status=429), id="429"),
    pytest.param(Answer(drop=True), id="dropped"),
]


@pytest.mark.parametrize("answer", PASSING)
def test_a_failure_that_passes_is_waited_for(
    server: GitHubServer, waits: list[float], answer: Answer
) -> None:
    in_turn(server, answer, answer, jobs_answer([job(1)], 1))

    assert len(ask(server, waits)) == 1
    assert len(server.requests) == 3
    assert 1 <= waits[0] <= 2 <= waits[1] <= 4


@pytest.mark.parametrize("answer", PASSING)
def test_a_failure_that_stays_is_given_up(
    server: GitHubServer, waits: list[float], answer: Answer
) -> None:
    in_turn(server, answer)

    assert "Re-run this job" in refusal(server, waits)
    assert (len(server.requests), len(waits)) == (3, 2)


def test_retry_after_is_honoured(server: GitHubServer, waits: list[float]) -> None:
    in_turn(server, Answer(status=429, headers={"Retry-After": "17"}), jobs_answer([], 0))

    ask(server, waits)

    assert waits == [17]


@pytest.mark.parametrize("told", ["soon", "-3", "1e9", "", "Wed, 21 Oct 2026 07:28:00 GMT", "²"])
def test_a_retry_after_without_seconds_is_no_news(
    server: GitHubServer, waits: list[float], told: str
) -> None:
    header = told.encode().decode("latin-1")
    in_turn(server, Answer(status=503, headers={"Retry-After": header}), jobs_answer([], 0))

    ask(server, waits)

    assert 1 <= waits[0] <= 2


def test_a_long_retry_after_is_not_waited_for(server: GitHubServer, waits: list[float]) -> None:
    in_turn(server, Answer(status=429, headers={"Retry-After": "3600"}))

    assert "429" in refusal(server, waits)
    assert (len(server.requests), waits) == (1, [])


def test_silence_ends(
    server: GitHubServer, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "TIMEOUT_S", 0.05)
    in_turn(server, Answer(hang=True))

    assert "ReadTimeout" in refusal(server, waits)
    assert len(server.requests) == 3


def test_nobody_there_is_said(waits: list[float]) -> None:
    with github_server(TOKEN) as gone:
        pass

    assert "ConnectionError" in refusal(gone, waits)


def test_a_redirect_does_not_carry_the_token_away(server: GitHubServer, waits: list[float]) -> None:
    with github_server("none") as elsewhere:
        in_turn(server, Answer(status=301, headers={"Location": f"{elsewhere.url}/x"}))

        assert "GitHub answered 301" in refusal(server, waits)
        assert elsewhere.requests == []


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN} x", "", f"{TOKEN}ä", f"\r{TOKEN}"])
def test_a_token_that_is_none_is_sent_to_nobody(
    server: GitHubServer, waits: list[float], token: str
) -> None:
    assert "no token has" in refusal(server, waits, token=token)
    assert server.requests == []


def test_a_netrc_does_not_replace_the_token(
    server: GitHubServer, waits: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    pages(server, [job(1)])

    assert len(ask(server, waits)) == 1  # the server has checked the header


def test_a_run_without_end_ends(
    server: GitHubServer, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST_PAGES", 2)
    server.answer = lambda request: jobs_answer([job(1)] * 100, 10**9)

    assert "more than 200 jobs" in refusal(server, waits)
    assert len(server.requests) == 2


def test_odd_entries_are_passed_over(server: GitHubServer, waits: list[float]) -> None:
    entries = [None, 3, "x", {"name": 5, "conclusion": ["x"], "html_url": {}}]
    in_turn(server, Answer(body=json.dumps({"jobs": entries}).encode()))

    assert ask(server, waits) == (Job(name="5", conclusion="['x']", url=""),)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"path": "/repos/acme/orient/actions/runs"}, "GitHub has no", id="path"),
        pytest.param({"method": "POST"}, "GitHub has no", id="method"),
        pytest.param({"query": {"filter": "newest"}}, "filter", id="value"),
        pytest.param({"query": {"page": "first"}}, "page", id="type"),
        pytest.param({"query": {"per_page": "101"}}, "per_page", id="size"),
        pytest.param({"query": {"attempt": "1"}}, "attempt", id="unknown"),
        pytest.param({"headers": {}}, "header", id="headers"),
    ],
)
def test_the_server_notices_a_wrong_request(change: dict[str, Any], problem: str) -> None:
    right: dict[str, Any] = {
        "method": "GET",
        "path": "/repos/acme/orient/actions/runs/4711/jobs",
        "query": {"filter": "latest", "per_page": "100", "page": "1"},
        "headers": {
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {TOKEN}",
            "x-github-api-version": "2022-11-28",
            "user-agent": "test",
        },
    }
    server = GitHubServer("", TOKEN)
    server.handle(Request(**right))
    assert server.problems == []

    server.handle(Request(**(right | change)))

    assert problem in server.problems[0]
