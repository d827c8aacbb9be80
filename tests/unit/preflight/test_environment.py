"""Each check of a file of variables: what fires, and what nearly does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.config.model import Secrets
from orient_deploy.hidden import Hidden
from orient_deploy.preflight.environment import CHECKS, Given, Wanted, check_environment
from orient_deploy.preflight.finding import Finding
from orient_deploy.stack.compose import Compose
from orient_deploy.stack.project import Project
from tests.unit.preflight.composes import compose_of, project_of

LONG = "0123456789abcdef0123456789abcdef"  # 32 characters
COMPOSE = """\
services:
  dashboard:
    image: acme/dashboard:1
    environment:
      DATABASE_URL: ${DATABASE_URL:-}
      JWT: ${DASHBOARD_JWT_SECRET_STAGING:-}
      PLAIN: ${POSTGRES_DB:-orient}
      R2: ${R2_ACCOUNT_ID:-}
  postgres:
    image: postgres:16
    container_name: orienter-postgres
    environment:
      POSTGRES_USER: aibot
      POSTGRES_PASSWORD: pa$$word
      POSTGRES_DB: whatsapp_bot
"""
URL = "postgresql://aibot:pa%24word@postgres:5432/whatsapp_bot"
STAGED = {"DASHBOARD_JWT_SECRET_STAGING": LONG}


@dataclass(frozen=True, kw_only=True)
class Case:
    values: Mapping[str, str]
    found: tuple[tuple[str, str], ...] = ()  # check and subject
    secrets: Secrets = field(default_factory=Secrets)
    hosts: tuple[str, ...] = ()
    templates: Mapping[str, frozenset[str]] | None = None
    whole: bool = True
    with_project: bool = False


CASES = {
    "nothing": Case(values={}),
    "near a secret of JWT": Case(
        values={
            "JWT_SECRET_FILE": "/run/secrets/jwt",
            "JWT_SECRET_ROTATION": "30d",
            "JWT_KEY_ID": "k1",
            "JWT_SECRET_EXPIRES_IN": "1h",
        },
    ),
    "another role": Case(
        values={"DATABASE_URL": "postgresql://reader:other@postgres:5432/reports"},
        with_project=True,
    ),
    # --- required
    "missing": Case(
        values={"B": "1"},
        secrets=Secrets(required=("A",)),
        found=(("environment/required-missing", "A"),),
    ),
    "empty": Case(
        values={"A": ""},
        secrets=Secrets(required=("A",)),
        found=(("environment/required-empty", "A"),),
    ),
    "there": Case(values={"A": "1"}, secrets=Secrets(required=("A",))),
    # --- length
    "a-jwt-secret-of-31": Case(
        values={"DASHBOARD_JWT_SECRET": LONG[1:]},
        found=(("environment/too-short", "DASHBOARD_JWT_SECRET"),),
    ),
    "a-staging-jwt-secret-of-31": Case(
        values={"JWT_SECRET_STAGING": LONG[1:]},
        found=(("environment/too-short", "JWT_SECRET_STAGING"),),
    ),
    "a-jwt-secret-of-32": Case(values={"DASHBOARD_JWT_SECRET": LONG}),
    "a-time-of-a-jwt": Case(values={"JWT_EXPIRES_IN": "1h", "JWT_ISSUER": "x"}),
    "an-own-length": Case(
        values={"PIN": "12345"},
        secrets=Secrets(min_length=(("PIN", 6),)),
        found=(("environment/too-short", "PIN"),),
    ),
    "a-longer-own-length": Case(
        values={"JWT_SECRET": "1234567890123456"}, secrets=Secrets(min_length=(("JWT_SECRET", 16),))
    ),
    # --- templates
    "changeme": Case(values={"A": "changeme"}, found=(("environment/placeholder", "A"),)),
    "your-key-here": Case(
        values={"A": "your-api-key-here"}, found=(("environment/placeholder", "A"),)
    ),
    "in-brackets": Case(values={"A": "<token>"}, found=(("environment/placeholder", "A"),)),
    "sk-your": Case(values={"A": "sk-your-key"}, found=(("environment/placeholder", "A"),)),
    "a-word-of-yours": Case(values={"A": "https://your.example.com/", "B": "yours", "C": "x"}),
    # --- database
    "another-database": Case(
        values={"DATABASE_URL": f"{URL}_0"},
        with_project=True,
        found=(("environment/database-mismatch", "DATABASE_URL"),),
    ),
    "another-user": Case(
        values={"DATABASE_URL": URL.replace("aibot", "bot")},
        with_project=True,
        found=(("environment/database-mismatch", "DATABASE_URL"),),
    ),
    "another-password": Case(
        values={"DATABASE_URL": URL.replace("%24", "")},
        with_project=True,
        found=(("environment/database-mismatch", "DATABASE_URL"),),
    ),
    "the-same-database": Case(values={"DATABASE_URL": URL}, with_project=True),
    "by-the-container-s-name": Case(
        values={"DATABASE_URL": URL.replace("@postgres", "@orienter-postgres")}, with_project=True
    ),
    "a-database-elsewhere": Case(
        values={"DATABASE_URL": "postgres://a:b@db.example.com/c"}, with_project=True
    ),
    "no-url-of-postgres": Case(values={"DATABASE_URL": "file:./x.db"}, with_project=True),
    "a-port-that-is-none": Case(
        values={"DATABASE_URL": URL.replace("5432", "x")}, with_project=True
    ),
    # --- callbacks
    "a-callback-elsewhere": Case(
        values={"OAUTH_CALLBACK_URL": "https://localhost:4098/oauth/callback"},
        hosts=("ai.example.com",),
        found=(("environment/callback-url", "OAUTH_CALLBACK_URL"),),
    ),
    "a-callback-in-the-clear": Case(
        values={"GOOGLE_OAUTH_CALLBACK_URL": "http://ai.example.com/oauth/google/callback"},
        hosts=("ai.example.com",),
        found=(("environment/callback-url", "GOOGLE_OAUTH_CALLBACK_URL"),),
    ),
    "a-callback-that-is-a-path": Case(
        values={"OAUTH_REDIRECT_URI": "/oauth/callback"},
        found=(("environment/callback-url", "OAUTH_REDIRECT_URI"),),
    ),
    "a-callback-here": Case(
        values={"OAUTH_CALLBACK_URL": "https://ai.example.com/oauth/callback"},
        hosts=("ai.example.com",),
    ),
    "a-callback-of-an-app": Case(
        values={"OAUTH_REDIRECT_URI": "acme://oauth/done"}, hosts=("ai.example.com",)
    ),
    "a-callback-where-no-address-is-known": Case(
        values={"OAUTH_CALLBACK_URL": "http://localhost/x"}
    ),
    # --- tokens
    "exchanged-tokens": Case(
        values={"SLACK_BOT_TOKEN": "xapp-1-a", "SLACK_APP_TOKEN": "xoxb-1-a"},
        found=(
            ("environment/token-kind", "SLACK_APP_TOKEN"),
            ("environment/token-kind", "SLACK_BOT_TOKEN"),
        ),
    ),
    "a-staging-token-of-another-kind": Case(
        values={"SLACK_BOT_TOKEN_STAGING": "xoxp-1"},
        found=(("environment/token-kind", "SLACK_BOT_TOKEN_STAGING"),),
    ),
    "tokens-of-their-kind": Case(
        values={"SLACK_BOT_TOKEN": "xoxb-1", "ANTHROPIC_API_KEY": "sk-ant-1"}
    ),
    "a-token-of-a-proxy": Case(values={"ANTHROPIC_API_KEY": "internal-1"}),
    # --- pairs
    "half-of-r2": Case(
        values={"R2_ACCESS_KEY_ID": "a", "R2_SECRET_ACCESS_KEY": ""},
        found=(("environment/incomplete-group", "R2_SECRET_ACCESS_KEY"),),
    ),
    "r2-without-its-account": Case(
        values={"R2_ACCESS_KEY_ID": "a", "R2_SECRET_ACCESS_KEY": "b"},
        with_project=True,
        found=(("environment/incomplete-group", "R2_ACCOUNT_ID"),),
    ),
    "all-of-r2": Case(
        values={"R2_ACCESS_KEY_ID": "a", "R2_SECRET_ACCESS_KEY": "b", "R2_ACCOUNT_ID": "c"},
        with_project=True,
    ),
    "half-that-nothing-else-reads": Case(values={"GOOGLE_CLIENT_SECRET": "a"}),
    # --- suffixes
    "the-plain-name-only": Case(
        values={"DASHBOARD_JWT_SECRET": LONG},
        with_project=True,
        found=(("environment/suffix-missing", "DASHBOARD_JWT_SECRET_STAGING"),),
    ),
    "both-names": Case(
        values={"DASHBOARD_JWT_SECRET": LONG, "DASHBOARD_JWT_SECRET_STAGING": LONG},
        with_project=True,
    ),
    "neither-name": Case(values={}, with_project=True),
    # --- names
    "misspelt": Case(
        values={"POSTGRES_DBB": "a", **STAGED},
        with_project=True,
        found=(("environment/misspelt", "POSTGRES_DBB"),),
    ),
    "alike-and-both-there": Case(
        values={"POSTGRES_DBB": "a", "POSTGRES_DB": "b", **STAGED}, with_project=True
    ),
    "read-by-nothing": Case(
        values={"LEFT_OVER": "a", "COMPOSE_PROJECT_NAME": "x", **STAGED},
        with_project=True,
        whole=False,
        found=(("environment/unknown", ".env"),),
    ),
    "read-by-whoever-gets-the-file": Case(values={"LEFT_OVER": "a", **STAGED}, with_project=True),
    "less-than-the-template": Case(
        values={"A": "1"},
        templates={".env.example": frozenset({"A", "B"})},
        found=(("environment/template-missing", "B"),),
    ),
    "less-than-the-template-on-purpose": Case(
        values={"A": "1"},
        templates={".env.example": frozenset({"A", "B"})},
        secrets=Secrets(skip=("B",)),
    ),
    "a-name-of-github": Case(
        values={"GITHUB_TOKEN": "a"},
        secrets=Secrets(file=".env.production"),
        found=(("environment/github-name", "GITHUB_TOKEN"),),
    ),
    "a-name-of-github-that-stays-here": Case(
        values={"GITHUB_TOKEN": "a"}, secrets=Secrets(file=".env", skip=("GITHUB_TOKEN",))
    ),
    "a-name-of-github-that-is-not-synced": Case(values={"GITHUB_TOKEN": "a"}),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("project")
    compose: Compose = compose_of("2.40", folder)
    return project_of(compose, folder, {"compose.yml": COMPOSE}, "")


def judged(case: Case, project: Project) -> list[Finding]:
    given = Given(
        title=".env",
        values={name: Hidden(text) for name, text in case.values.items()},
        lines={name: line for line, name in enumerate(case.values, 1)},
        in_repository=True,
    )
    wanted = Wanted(
        secrets=case.secrets,
        project=project if case.with_project else None,
        hosts=frozenset(case.hosts),
        templates=case.templates,
        passed_whole=case.whole,
    )
    return check_environment(given, wanted)


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_variables_has_these_findings(name: str, project: Project) -> None:
    found = judged(CASES[name], project)

    assert {(one.check, one.subject) for one in found} == set(CASES[name].found)


def test_every_check_has_a_case() -> None:
    """But for the file that cannot be read, which the command tells."""
    fired = {check for case in CASES.values() for check, _ in case.found}

    assert fired == {check.id for check in CHECKS} - {"environment/unreadable"}


def test_a_finding_points_at_its_line(project: Project) -> None:
    case = Case(values={"A": "1", "JWT_SECRET": "short"})

    assert [(one.file, one.line) for one in judged(case, project)] == [(".env", 2)]


@given(
    st.dictionaries(
        st.sampled_from(
            ["DATABASE_URL", "JWT_SECRET", "OAUTH_CALLBACK_URL", "SLACK_BOT_TOKEN", "A", "R2_X"]
        ),
        st.text(min_size=6, max_size=40)
        | st.text("abc", min_size=6).map(lambda one: f"postgres://u:{one}@postgres/{one}")
        | st.text("abc", min_size=6).map(lambda one: f"xoxb-{one}"),
    )
)
def test_no_value_gets_into_a_finding(project: Project, values: dict[str, str]) -> None:
    """Of each value no piece of six characters, but for those that our own words have."""
    case = Case(values=values, hosts=("ai.example.com",), with_project=True)

    told = repr(judged(case, project))

    ours = repr(judged(Case(values=dict.fromkeys(values, "\0")), project)) + repr(CHECKS)
    ours += " ".join(values) + "postgres://" + COMPOSE
    for text in values.values():
        for start in range(len(text) - 5):
            piece = text[start : start + 6]
            assert piece not in told or piece in ours


def test_a_long_value_is_judged_in_no_time(project: Project, tmp_path: Path) -> None:
    """No expression goes over a value more than once: a megabyte is nothing."""
    values = {"A": "your-" * 200_000, "JWT_SECRET": "x" * 1_000_000, "DATABASE_URL": "a" * 10**6}

    assert judged(Case(values=values, with_project=True), project) is not None
