"""What was last deployed, as GitHub tells it, in the decision of a whole run."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from orient_deploy.errors import RemoteError
from orient_deploy.github.deployments import Attempt, Deployment
from tests.fakes.repositories import check_out

from .conftest import CONFIG, Consumer, Finished

CONFIG_PATH = ".github/orient-deploy.yml"
DEPLOYMENTS = CONFIG.replace("baseline: push", "baseline: deployments")


@dataclass
class Asked:
    """GitHub, as far as it is asked."""

    answer: Deployment | RemoteError | None = None
    environments: list[str] = field(default_factory=list)

    def __call__(
        self, api_url: str, repository: str, environment: str, token: str
    ) -> Deployment | None:
        assert (api_url, repository, token) == ("http://127.0.0.1:9", "acme/app", "t0ken")
        self.environments.append(environment)
        if isinstance(self.answer, RemoteError):
            raise self.answer
        return self.answer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    monkeypatch.setattr("orient_deploy.github.deployments.last_deployment", made)
    return made


@pytest.fixture
def third(consumer: Consumer) -> str:
    """On top of the change to web: documents alone, and the records of GitHub in use."""
    second = consumer.builder.commit({CONFIG_PATH: DEPLOYMENTS}, parents=[consumer.second])
    third = consumer.builder.commit({"docs/guide.md": "more\n"}, parents=[second])
    consumer.event = {**consumer.event, "before": second, "after": third}
    workspace = consumer.temp / "there"
    check_out(consumer.builder.directory, workspace, third, "refs/heads/main")
    consumer.env |= {
        "GITHUB_SHA": third,
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_API_URL": "http://127.0.0.1:9",
    }
    return third


def detect(consumer: Consumer) -> Finished:
    finished = consumer.run("detect", INPUT_TOKEN="t0ken")
    assert finished.code == 0, finished.stdout
    return finished


def test_what_was_deployed_still_holds(consumer: Consumer, asked: Asked, third: str) -> None:
    asked.answer = Deployment(commit=consumer.second)

    finished = detect(consumer)

    assert finished.outputs["images"] == "[]"
    assert finished.outputs["deploy"] == "false"
    assert f"what {consumer.second[:7]} deployed still holds" in finished.summary
    assert set(asked.environments) == {"production"}


def test_an_image_that_was_never_deployed_is_built_and_deployed(
    consumer: Consumer, asked: Asked, third: str
) -> None:
    """The run for the change to web failed, and this push changes documents only."""
    asked.answer = Deployment(commit=consumer.first)

    finished = detect(consumer)

    assert finished.outputs["images"] == '["web"]'
    assert finished.outputs["base"] == consumer.first
    assert finished.outputs["deploy"] == "true"


def test_a_deployment_that_failed_is_owed(consumer: Consumer, asked: Asked, third: str) -> None:
    asked.answer = Deployment(
        commit=consumer.second, attempts=(Attempt(commit="8" * 40, state="failure"),)
    )

    finished = detect(consumer)

    assert finished.outputs["images"] == "[]"
    assert finished.outputs["deploy"] == "true"
    assert "the deployment of 8888888 did not succeed" in finished.summary


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="never-deployed"),
        pytest.param(RemoteError("refused", "403", "Ask for deployments: read"), id="refused"),
        pytest.param(Deployment(commit="9" * 40), id="a-commit-that-is-gone"),
    ],
)
def test_without_a_deployment_the_push_is_what_counts(
    consumer: Consumer, asked: Asked, third: str, answer: Deployment | RemoteError | None
) -> None:
    asked.answer = answer

    finished = detect(consumer)

    assert finished.outputs["images"] == "[]"
    assert finished.outputs["deploy"] == "false"


def test_nobody_is_asked_without_a_token(consumer: Consumer, asked: Asked, third: str) -> None:
    finished = consumer.run("detect", INPUT_TOKEN="")

    assert finished.code == 0
    assert asked.environments == []
