"""What is in GitHub in the end is what the real Compose reads, byte for byte; gh is asked too."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from orient_deploy.github.secrets import secrets_store
from orient_deploy.hidden import Hidden
from orient_deploy.secrets.lint import lint
from orient_deploy.secrets.names import value_problem
from tests.fakes.github_state import GitHubState
from tests.unit.commands.secrets.conftest import TOKEN, Project

CORPUS = Path(__file__).parents[3] / "corpus" / "dotenv" / "answers.json"
CASES = json.loads(CORPUS.read_text("utf-8"))
VALUES = sorted({value for case in CASES for value in (case["compose"] or {}).values() if value})


def test_each_value_of_the_corpus_arrives(github: GitHubState) -> None:
    assert len(CASES) >= 120
    with secrets_store(github.url, "acme/orient", "", TOKEN) as store:
        key = store.public_key()
        for value in VALUES:
            assert store.put_secret("A", Hidden(value), key) == "written"
            assert github.secret(None, "A") == value.encode()


@pytest.fixture
def agreed() -> dict[str, str]:
    """Assignments of the corpus that have no finding, each under a name of its own."""
    rows = [
        found[1]
        for case in CASES
        if not lint(case["text"].encode())
        and (found := re.fullmatch(r"A=(.*)\n?", case["text"]))
        and not value_problem(Hidden(case["compose"]["A"]), "secret")
    ]
    return {f"NAME_{number}": row for number, row in enumerate(rows)}


def test_gh_writes_the_same_of_what_has_no_finding(
    project: Project, github: GitHubState, agreed: dict[str, str]
) -> None:
    """gh has a reader of its own. Where it reads something else, there must be a finding."""
    assert len(agreed) >= 10
    text = "DATABASE_URL='needed by this configuration'\n"
    text += "".join(f"{name}={row}\n" for name, row in agreed.items())
    project.write(".env.production", text)
    ours = project.apply()
    assert ours.code == 0, ours.stdout
    written = github.secrets()
    assert written.keys() == {"DATABASE_URL", *agreed}
    address = github.url.removeprefix("http://")

    subprocess.run(
        ["gh", "secret", "set", "-R", "acme/orient", "-f", str(project.folder / ".env.production")],
        env={
            **project.laptop,
            "GH_HOST": "github.localhost",
            "HTTP_PROXY": f"http://{address}",
        },
        check=True,
        capture_output=True,
        timeout=60,
    )

    assert github.secrets() == written
