"""Defaults that decide and have changed, by the models that the real Compose gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from orient_deploy.preflight.defaults import check_defaults
from orient_deploy.stack.compose import Compose
from tests.unit.preflight.composes import VERSIONS, compose_of, project_of


def compose_file(database: str) -> str:
    return f"""\
services:
  postgres:
    image: postgres:16
    environment:
      OTHER: fixed
      POSTGRES_DB: {database}
"""


@pytest.fixture(scope="module", params=sorted(VERSIONS))
def compose(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compose:
    return compose_of(request.param, tmp_path_factory.mktemp("settings"))


@pytest.mark.parametrize(
    ("before", "after", "names", "message"),
    [
        pytest.param(
            "${POSTGRES_DB:-whatsapp_bot}",
            "${POSTGRES_DB:-whatsapp_bot_0}",
            set(),
            "from 'whatsapp_bot' to 'whatsapp_bot_0' since 4f2c1ab, and .env does not set it",
            id="another-default",
        ),
        pytest.param(
            "${POSTGRES_DB:-whatsapp_bot}",
            "${POSTGRES_DB:-whatsapp_bot_0}",
            None,
            "since 4f2c1ab, and nothing is known to set it",
            id="another-default-and-nobody-knows",
        ),
        pytest.param(
            "whatsapp_bot",
            "${POSTGRES_DB:-whatsapp_bot_0}",
            set(),
            "from 'whatsapp_bot' to 'whatsapp_bot_0'",
            id="a-default-instead-of-a-text",
        ),
        pytest.param(
            "${POSTGRES_DB:-a}",
            "${POSTGRES_DB:-${NAME:-b}}",
            set(),
            "from 'a' to '${NAME:-b}'",
            id="a-default-with-a-default",
        ),
        pytest.param("${POSTGRES_DB:-a}", "${POSTGRES_DB:-b}", {"POSTGRES_DB"}, "", id="set"),
        pytest.param("${POSTGRES_DB:-a}", "${POSTGRES_DB:-a}", set(), "", id="the-same"),
        pytest.param("a", "${POSTGRES_DB:-a}", set(), "", id="the-text-as-a-default"),
        pytest.param("x-a", "x-${POSTGRES_DB:-a}", set(), "", id="a-part-as-a-default"),
        pytest.param("$${A:-b}", "$${A:-c}", set(), "", id="a-dollar-and-no-reference"),
        pytest.param("${OLD:-a}", "${NEW:-a}", set(), "", id="another-name"),
    ],
)
def test_a_default_that_decides_must_stay(
    compose: Compose, tmp_path: Path, before: str, after: str, names: set[str] | None, message: str
) -> None:
    old = tmp_path / "old.yml"
    old.write_text(compose_file(before))
    project = project_of(compose, tmp_path, {"compose.yml": compose_file(after)}, "")

    found = check_defaults(project, compose.model([str(old)], str(tmp_path)), names, "4f2c1ab")

    assert [one.check for one in found] == ["compose/default-changed"] * bool(message)
    assert not message or message in found[0].message
    assert [(one.file, one.line) for one in found] == [("compose.yml", 6)] * bool(message)


def test_a_default_of_a_secret_is_not_shown(compose: Compose, tmp_path: Path) -> None:
    old = tmp_path / "old.yml"
    old.write_text(compose_file("${POSTGRES_PASSWORD:-swordfish}"))
    project = project_of(
        compose, tmp_path, {"compose.yml": compose_file("${POSTGRES_PASSWORD:-swordfish2}")}, ""
    )

    found = check_defaults(project, compose.model([str(old)], str(tmp_path)), set(), "4f2c1ab")

    assert [one.subject for one in found] == ["POSTGRES_PASSWORD"]
    assert "swordfish" not in repr(found)
