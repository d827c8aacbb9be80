"""The last good deployment of an environment, whatever GitHub and others did around it.

A small model of GitHub plays histories of deployments; what really ran last is known, and both our
reading and that of another client are compared with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import github
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orient_deploy.errors import RemoteError
from orient_deploy.github import deployments as module
from orient_deploy.github.deployments import (
    Attempt,
    Deployment,
    Payload,
    last_deployment,
    parse_payload,
    payload_text,
)
from tests.fakes.github_server import (
    DEPLOYMENTS,
    STATUSES,
    Answer,
    GitHubServer,
    Request,
    answer_to,
    github_server,
)

TOKEN = "ghs_d0NotTellAnybody"
DIGEST = "sha256:" + 64 * "a"
IMAGES = {"dashboard": f"ghcr.io/acme/orient/dashboard@{DIGEST}"}
FILES = 64 * "f"
OURS = payload_text(IMAGES, files=FILES)


def commit(number: int) -> str:
    return f"{number:040x}"


@dataclass
class Made:
    """A deployment, and what was said of it, the first word first."""

    number: int
    commit: str
    payload: object
    states: list[str] = field(default_factory=list)


@dataclass
class GitHub:
    """Deployments to one environment, and what GitHub does to others when one succeeds."""

    production: bool = False  # others stay as they are
    only_older: bool = True  # else newer ones become inactive, too
    made: list[Made] = field(default_factory=list)

    def create(self, commit: str, payload: object) -> Made:
        self.made.append(Made(100 + len(self.made), commit, payload))
        return self.made[-1]

    def say(self, one: Made, state: str) -> None:
        one.states.append(state)
        if state != "success" or self.production:
            return
        for other in self.made:
            hit = other.number < one.number if self.only_older else other is not one
            if hit and other.states[-1:] == ["success"]:
                other.states.append("inactive")

    def serve(self, server: GitHubServer) -> None:
        def answer(request: Request) -> Answer:
            if request.path.endswith("/deployments"):
                assert request.query["environment"] == "production"
                size, page = int(request.query["per_page"]), int(request.query.get("page", 1))
                newest = self.made[::-1][size * (page - 1) : size * page]
                return answer_to(DEPLOYMENTS, [described(one, server.url) for one in newest])
            number = int(request.path.split("/")[-2])
            [one] = [one for one in self.made if one.number == number]
            said = [status(one, at, server.url) for at in range(len(one.states))]
            return answer_to(STATUSES, said[::-1])

        server.answer = answer


def described(one: Made, url: str) -> dict[str, Any]:
    """A deployment as GitHub describes it."""
    own = f"{url}/repos/acme/orient/deployments/{one.number}"
    return {
        "url": own,
        "id": one.number,
        "node_id": f"node{one.number}",
        "sha": one.commit,
        "ref": "main",
        "task": "deploy",
        "payload": one.payload,
        "environment": "production",
        "description": None,
        "creator": None,
        "created_at": "2026-01-05T09:00:00Z",
        "updated_at": "2026-01-05T09:00:00Z",
        "statuses_url": f"{own}/statuses",
        "repository_url": f"{url}/repos/acme/orient",
    }


def status(one: Made, at: int, url: str) -> dict[str, Any]:
    """What was said of a deployment, as GitHub describes it."""
    own = f"{url}/repos/acme/orient/deployments/{one.number}"
    return {
        "url": f"{own}/statuses/{at}",
        "id": 1000 * one.number + at,
        "node_id": f"node{one.number}-{at}",
        "state": one.states[at],
        "creator": None,
        "description": "",
        "target_url": "",
        "deployment_url": own,
        "repository_url": f"{url}/repos/acme/orient",
        "created_at": "2026-01-05T09:00:00Z",
        "updated_at": "2026-01-05T09:00:00Z",
    }


@pytest.fixture(scope="module")
def _server() -> Iterator[GitHubServer]:
    with github_server(TOKEN) as running:
        yield running


@pytest.fixture
def server(_server: GitHubServer) -> GitHubServer:
    _server.requests.clear()
    return _server


def ask(server: GitHubServer, waits: list[float] | None = None) -> Deployment | None:
    waited = [] if waits is None else waits
    return last_deployment(server.url, "acme/orient", "production", TOKEN, sleep=waited.append)


def played(server: GitHubServer, *history: tuple[int, object, Sequence[str]]) -> Deployment | None:
    """The answer after (commit, payload, states) of each, the oldest first."""
    there = GitHub()
    for number, payload, states in history:
        there.create(commit(number), payload).states += states
    there.serve(server)
    return ask(server)


def test_no_deployment_is_none(server: GitHubServer) -> None:
    assert played(server) is None
    assert len(server.requests) == 1


def test_the_last_good_one_is_told_with_its_images(server: GitHubServer) -> None:
    found = played(server, (1, "", ["success"]), (2, OURS, ["in_progress", "success"]))

    assert found == Deployment(commit=commit(2), payload=Payload(images=IMAGES, files=FILES))
    assert found.references == IMAGES
    assert len(server.requests) == 2


def test_what_went_wrong_since_is_told(server: GitHubServer) -> None:
    found = played(
        server,
        (1, OURS, ["success"]),
        (2, OURS, ["in_progress", "failure"]),
        (3, OURS, ["in_progress", "error"]),
        (4, OURS, ["success", "failure"]),
        (5, OURS, ["in_progress"]),
        (6, OURS, ["queued"]),
        (7, OURS, ["waiting"][:0]),
    )

    assert found is not None
    assert found.commit == commit(1)
    assert found.attempts == (
        Attempt(commit=commit(5), state="in_progress"),
        Attempt(commit=commit(4), state="failure"),
        Attempt(commit=commit(3), state="error"),
        Attempt(commit=commit(2), state="failure"),
    )


def test_ours_counts_within_the_jobs_own(server: GitHubServer) -> None:
    """The job's deployment succeeds when the job ends, after ours, and takes ours for replaced."""
    found = played(server, (1, "", ["in_progress", "success"]), (1, OURS, ["success", "inactive"]))

    assert found is not None
    assert (found.commit, found.references) == (commit(1), IMAGES)


def test_an_older_one_that_ended_last_runs(server: GitHubServer) -> None:
    found = played(server, (1, OURS, ["success"]), (2, "", ["success", "inactive"]))

    assert found is not None
    assert (found.commit, found.references) == (commit(1), IMAGES)


def test_ours_counts_though_a_newer_one_was_replaced_as_well(server: GitHubServer) -> None:
    found = played(
        server,
        (1, "", ["success"]),
        (1, OURS, ["success", "inactive"]),
        (2, "", ["failure"]),
        (3, OURS, ["success", "inactive"]),
    )

    assert found is not None
    assert (found.commit, found.references) == (commit(1), IMAGES)
    assert found.attempts == (Attempt(commit=commit(2), state="failure"),)


def test_of_what_was_taken_down_nothing_is_known(server: GitHubServer) -> None:
    assert played(server, (1, OURS, ["success", "inactive"])) is None


def test_what_runs_since_long_is_not_looked_for_without_end(
    server: GitHubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ASKED", 3)

    assert played(server, (1, OURS, ["success"]), *[(2, OURS, ["failure"])] * 3) is None
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("", id="nothing"),
        pytest.param({}, id="empty"),
        pytest.param("{", id="no-json"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param({"deploy": "tool"}, id="foreign"),
        pytest.param({"orient-deploy": 2, "images": {}, "files": ""}, id="of-tomorrow"),
        pytest.param({"orient-deploy": 1, "images": {}}, id="without-files"),
        pytest.param({"orient-deploy": 1, "files": ""}, id="without-images"),
        pytest.param({"orient-deploy": 1, "images": [], "files": ""}, id="list"),
        pytest.param({"orient-deploy": 1, "images": {}, "files": "x"}, id="files"),
        pytest.param(
            {"orient-deploy": 1, "images": {"a": "ghcr.io/a:latest"}, "files": ""}, id="tag"
        ),
        pytest.param(
            {"orient-deploy": 1, "images": {"a": f"x@{DIGEST}\n"}, "files": ""}, id="line"
        ),
        pytest.param({"orient-deploy": 1, "images": {"A": f"x@{DIGEST}"}, "files": ""}, id="name"),
        pytest.param({"orient-deploy": 1, "images": {"a": 3}, "files": ""}, id="number"),
    ],
)
def test_of_another_payload_the_commit_counts(server: GitHubServer, payload: object) -> None:
    assert parse_payload(payload) is None
    if payload != "[" * 100_000:
        assert played(server, (1, payload, ["success"])) == Deployment(commit=commit(1))


@pytest.mark.parametrize("payload", [None, 3, True, [], b"{}", ["orient-deploy"]])
def test_what_is_no_payload_is_none(payload: object) -> None:
    assert parse_payload(payload) is None


_NAMES = st.from_regex(r"\A[a-z0-9][a-z0-9._-]{0,63}\Z")
_REFERENCES = st.from_regex(rf"\Aghcr\.io/[a-z0-9/._-]{{1,60}}@{DIGEST}\Z")


@given(st.dictionaries(_NAMES, _REFERENCES, max_size=5), st.sampled_from(["", FILES]))
def test_a_payload_is_read_back(images: Mapping[str, str], files: str) -> None:
    text = payload_text(images, files=files)

    assert text.isascii() and "\n" not in text
    # GitHub gives a payload back as text or decoded, as it was written.
    wanted = Payload(images=images, files=files)
    assert parse_payload(text) == parse_payload(json.loads(text)) == wanted


# What a run of a workflow does: which deployments it makes, and how it ends.
_RUNS = st.lists(
    st.tuples(
        st.sampled_from(["ours", "job", "job around ours"]),
        st.sampled_from(["success", "failure", "error", "in_progress", "waiting"]),
    ),
    max_size=4,
)


@settings(max_examples=25)
@given(runs=_RUNS, production=st.booleans(), only_older=st.booleans())
def test_what_ran_last_is_found(
    _server: GitHubServer,
    runs: Sequence[tuple[str, str]],
    production: bool,
    only_older: bool,
) -> None:
    """Runs one after the other, as a `concurrency` group lets them, in every kind of environment
    and by both readings of the documentation of what becomes inactive."""
    there = GitHub(production=production, only_older=only_older)
    wanted: Deployment | None = None
    attempts: list[Attempt] = []
    for number, (kind, end) in enumerate(runs):
        images = {"api": f"ghcr.io/acme/api@sha256:{number:064x}"}
        around = there.create(commit(number), {}) if "job" in kind else None
        payload = json.loads(payload_text(images, files=""))  # GitHub gives it back decoded
        ours = there.create(commit(number), payload) if "ours" in kind else None
        parts = [one for one in (ours, around) if one]
        if end != "waiting":
            for one in parts:
                there.say(one, "in_progress")
            for one in parts:
                if end != "in_progress":
                    there.say(one, end)
        if end == "success":
            wanted = Deployment(
                commit=commit(number), payload=Payload(images=images) if ours else None
            )
            attempts = []
        elif end != "waiting":
            attempts[:0] = [Attempt(commit=commit(number), state=end)] * len(parts)
    there.serve(_server)

    found = ask(_server)

    if wanted is None:
        assert found is None
    else:
        assert found is not None
        assert (found.commit, found.payload) == (wanted.commit, wanted.payload)
        assert found.attempts == tuple(attempts)
    assert read_by_another(_server) == [
        (one.commit, parse_payload(one.payload), one.states) for one in there.made
    ]


def read_by_another(server: GitHubServer) -> list[tuple[str, Payload | None, list[str]]]:
    """The same deployments through PyGithub, the oldest first."""
    auth = github.Auth.AppAuthToken(TOKEN)
    options: dict[str, Any] = {"per_page": 100, "retry": None, "lazy": True}
    with github.Github(auth=auth, base_url=server.url, **options) as client:
        repository = client.get_repo("acme/orient")
        return [
            (
                one.sha,
                parse_payload(one.payload),
                [said.state for said in one.get_statuses()][::-1],
            )
            for one in repository.get_deployments(environment="production")
        ][::-1]


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("path", ["/deployments", "/statuses"])
def test_a_refusal_names_the_permission(server: GitHubServer, status: int, path: str) -> None:
    there = GitHub()
    there.create(commit(1), OURS).states.append("success")
    there.serve(server)
    right = server.answer
    server.answer = lambda asked: (
        Answer(status=status) if asked.path.endswith(path) else right(asked)
    )

    with pytest.raises(RemoteError) as caught:
        ask(server)

    assert caught.value.what == "the deployments to 'production' could not be read"
    assert caught.value.why == f"GitHub answered {status}"
    assert "`permissions: deployments: read`" in caught.value.next_step
    assert TOKEN not in str(caught.value)


def test_a_failure_that_passes_is_waited_for(server: GitHubServer) -> None:
    answers = [Answer(status=502), Answer(drop=True), answer_to(DEPLOYMENTS, [])]
    server.answer = lambda request: answers.pop(0)
    waits: list[float] = []

    assert ask(server, waits) is None
    assert len(waits) == 2


@pytest.mark.parametrize("body", [b"{}", b"null", b'"x"', b"3", b"<html>"])
def test_what_is_no_list_is_an_error(server: GitHubServer, body: bytes) -> None:
    server.answer = lambda request: Answer(body=body)

    with pytest.raises(RemoteError):
        ask(server)


def test_odd_entries_are_passed_over(server: GitHubServer) -> None:
    odd = [None, 3, {}, {"id": "1", "sha": commit(1)}, {"id": 1, "sha": "main"}, {"id": 2}]
    right = {"id": 3, "sha": commit(3)}
    states = [None, {"id": 1}, {"id": "x", "state": "failure"}, {"id": 2, "state": "success"}]

    def answer(request: Request) -> Answer:
        return Answer(
            body=json.dumps(states if "statuses" in request.path else [*odd, right]).encode()
        )

    server.answer = answer

    assert ask(server) == Deployment(commit=commit(3))
