"""Dockerfiles that are named, and what they build in: cases that fire and near misses."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orient_deploy.config import parse
from orient_deploy.config.model import Image, Location
from orient_deploy.inputs.images import read_images
from orient_deploy.preflight import repository
from orient_deploy.preflight.files import Files
from orient_deploy.preflight.finding import Finding
from orient_deploy.preflight.pipeline import read_workflow
from orient_deploy.preflight.repository import Named, by_configuration, by_workflows
from tests.oracles.node_tools import parse_workflow

PATH = ".github/workflows/deploy.yml"
HEAD = """\
on: push
env: {REGISTRY: ghcr.io, FOLDER: packages}
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
"""
FILES = {
    "packages/web/Dockerfile": "FROM scratch\n",
    "docker/Dockerfile.api.legacy": "FROM scratch\n",
    "Dockerfile": "FROM scratch\n",
}


def files_of(texts: Mapping[str, str]) -> Files:
    return Files(texts, lambda path: texts[path].encode())


def named_by(text: str, texts: Mapping[str, str] = FILES, name: str = "acme/app") -> list[Named]:
    assert parse_workflow(text) == []
    found = read_workflow(PATH, text.encode())
    assert found is not None
    return list(by_workflows(files_of(texts), [found], name))


def missing_in(text: str, texts: Mapping[str, str] = FILES) -> list[Finding]:
    return repository.look(files_of(texts), named_by(text, texts))


def build(given: str, before: str = "") -> str:
    return f"{HEAD}{before}      - uses: docker/build-push-action@v6\n        with: {given}\n"


def command(run: str, before: str = "") -> str:
    return f"{HEAD}{before}      - run: {run}\n"


# --- missing


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param(build("{file: docker/Dockerfile.api}"), "docker/Dockerfile.api", id="file"),
        pytest.param(build("{context: packages/api}"), "packages/api/Dockerfile", id="context"),
        pytest.param(
            build("{file: '${{ env.FOLDER }}/api/Dockerfile'}"), "packages/api/Dockerfile", id="env"
        ),
        pytest.param(
            command("docker build -t x -f docker/Dockerfile.api ."),
            "docker/Dockerfile.api",
            id="docker-build",
        ),
        pytest.param(
            command("docker buildx build --push --file=docker/Dockerfile.api ."),
            "docker/Dockerfile.api",
            id="buildx-build",
        ),
        pytest.param(command("docker build packages/api"), "packages/api/Dockerfile", id="folder"),
        pytest.param(build("{file: ./packages/web/Dockerfile}"), "", id="it-is-there"),
        pytest.param(build("{context: packages/web}"), "", id="its-context-has-one"),
        pytest.param(build("{push: true}"), "", id="the-commit-itself"),
        pytest.param(build("{file: '${{ inputs.file }}'}"), "", id="not-known"),
        pytest.param(build("{context: 'https://example.com/x.git'}"), "", id="elsewhere"),
        pytest.param(command("docker build -f - ."), "", id="from-stdin"),
        pytest.param(command("docker build -f $FILE ."), "", id="a-variable"),
        pytest.param(command("docker build --unheard-of a b c"), "", id="a-flag-of-tomorrow"),
        pytest.param(command("cd x && docker build ."), "", id="in-another-folder"),
        pytest.param(command("echo docker build -f no/Dockerfile ."), "", id="only-named"),
        pytest.param(command("ssh a@b 'docker build -f no/Dockerfile .'"), "", id="elsewhere-run"),
        pytest.param(
            build("{file: gen/Dockerfile}", "      - run: node make.js > gen/Dockerfile\n"),
            "",
            id="it-is-made-before",
        ),
        pytest.param(
            build("{file: out/Dockerfile}", "      - run: npx turbo prune web --out-dir=out\n"),
            "",
            id="it-is-pruned-before",
        ),
        pytest.param(
            build("{file: no/Dockerfile}", "      - uses: ./.github/actions/make\n"),
            "",
            id="an-action-may-make-it",
        ),
        pytest.param(
            build(
                "{file: other/Dockerfile}",
                "      - uses: actions/checkout@v4\n        with: {repository: a/b, path: other}\n",
            ),
            "",
            id="another-repository",
        ),
        pytest.param(
            build("{file: no/Dockerfile}", "      - uses: actions/download-artifact@v4\n"),
            "",
            id="an-artifact",
        ),
    ],
)
def test_a_dockerfile_that_is_not_there(text: str, path: str) -> None:
    assert [one.subject for one in missing_in(text)] == ([path] if path else [])


def test_the_nearest_and_the_place_are_told() -> None:
    (found,) = missing_in(build("{file: docker/Dockerfile.api}"))

    assert (
        found.message == "job build is built from docker/Dockerfile.api, which is not in the commit"
    )
    assert found.fix == "The nearest is docker/Dockerfile.api.legacy."
    assert (found.file, found.line) == (PATH, 9)


def test_each_leg_of_a_matrix_is_looked_at() -> None:
    text = build("{file: '${{ matrix.dockerfile }}'}").replace(
        "    steps:",
        "    strategy:\n      matrix:\n        include:\n"
        "          - {name: web, dockerfile: packages/web/Dockerfile}\n"
        "          - {name: bot, dockerfile: packages/bot/Dockerfile}\n    steps:",
    )

    assert [one.subject for one in missing_in(text)] == ["packages/bot/Dockerfile"]


def test_a_configuration_is_looked_at_too() -> None:
    config = parse(
        "version: 1\nimages:\n  bot: {dockerfile: packages/bot/Dockerfile}\n", source="c.yml"
    )

    (found,) = repository.look(files_of(FILES), list(by_configuration(config)))

    assert (found.file, found.line) == ("c.yml", 3)
    assert found.fix == "The nearest is packages/web/Dockerfile."


# --- different

CONFIG = """\
version: 1
images:
  api:
    dockerfile: docker/Dockerfile.api.legacy
    repository: ghcr.io/acme/app/api
    services: [api]
"""
TAGS = "push: true, tags: '${{ env.REGISTRY }}/${{ github.repository }}/api:1'"


@pytest.mark.parametrize(
    ("given", "fires"),
    [
        pytest.param(f"{{file: Dockerfile, {TAGS}}}", True, id="another"),
        pytest.param(f"{{file: docker/Dockerfile.api.legacy, {TAGS}}}", False, id="the-same"),
        pytest.param("{file: Dockerfile, tags: 'ghcr.io/acme/app/web:1'}", False, id="of-another"),
        pytest.param("{file: Dockerfile, tags: '${{ steps.x.outputs.y }}'}", False, id="unknown"),
        pytest.param("{file: Dockerfile}", False, id="no-tag"),
    ],
)
def test_one_image_from_two_dockerfiles(given: str, fires: bool) -> None:
    named = [*by_configuration(parse(CONFIG, source="c.yml")), *named_by(build(given))]
    found = repository.look(files_of(FILES), named)

    assert [one.check for one in found] == (["repository/dockerfile-differs"] if fires else [])


def test_the_tags_of_a_metadata_step_count() -> None:
    before = (
        "      - {id: meta, uses: docker/metadata-action@v5, "
        "with: {images: ghcr.io/acme/app/api}}\n"
    )
    (named,) = named_by(build("{file: Dockerfile, tags: '${{ steps.meta.outputs.tags }}'}", before))

    assert named.repository == "ghcr.io/acme/app/api"


@pytest.mark.parametrize(
    ("service", "image", "fires"),
    [
        pytest.param("api", "", True, id="its-service"),
        pytest.param("web", "", False, id="another-service"),
        pytest.param("api", "ghcr.io/acme/app/api", True, id="its-repository"),
        pytest.param("api", "local/api", False, id="another-repository"),
    ],
)
def test_a_service_built_from_another_dockerfile(service: str, image: str, fires: bool) -> None:
    other = Named(
        path="Dockerfile",
        by=f"service {service}",
        file="compose.yml",
        repository=image,
        services=(service,),
        source="compose",
    )
    found = repository.look(
        files_of(FILES), [*by_configuration(parse(CONFIG, source="c.yml")), other]
    )

    assert bool(found) is fires


# --- what is built in

REAL = "q7Wm2Xv9Lp4Rt8Zk"


def built_in(
    dockerfile: str, texts: Mapping[str, str] | None = None, target: str = ""
) -> list[Finding]:
    image = Image(
        name="web",
        dockerfile="Dockerfile",
        target=target,
        where=Location(file="c", line=1, column=1),
    )
    files = files_of({"Dockerfile": dockerfile, **(texts or {})})
    return repository.look_into(files, [image], read_images([image], files.tree, files.read))


@pytest.mark.parametrize(
    ("lines", "severity"),
    [
        pytest.param("COPY .env ./", "warning", id="copied"),
        pytest.param("ADD .env.production .env", "warning", id="added"),
        pytest.param('COPY ["config/.env", "/app/"]', "warning", id="in-a-list"),
        pytest.param("COPY .env* ./", "warning", id="by-a-pattern"),
        pytest.param("COPY .env.example .env", "", id="an-example"),
        pytest.param("COPY .env.vault ./", "", id="encrypted"),
        pytest.param("COPY --from=base .env ./", "", id="of-another-stage"),
        pytest.param("COPY src/env.ts ./", "", id="code"),
        pytest.param("RUN cat .env", "", id="not-copied"),
        pytest.param(f"ENV API_TOKEN={REAL}", "warning", id="env"),
        pytest.param(f"ENV A=b DB_PASSWORD='{REAL}'", "warning", id="env-second"),
        pytest.param(f"ARG JWT_SECRET={REAL}", "warning", id="arg"),
        pytest.param("ENV API_TOKEN=", "", id="empty"),
        pytest.param("ARG API_TOKEN", "", id="no-value"),
        pytest.param("ENV API_TOKEN=$API_TOKEN", "", id="a-variable"),
        pytest.param("ENV API_TOKEN=changeme-12345678", "", id="a-placeholder"),
        pytest.param("ENV JWT_SECRET=build-time-only-1234", "", id="for-the-build"),
        pytest.param(f"ENV NEXT_PUBLIC_API_KEY={REAL}", "", id="public"),
        pytest.param(f"ENV TOKEN_URL={REAL}", "", id="another-name"),
        pytest.param("ENV SECRET_FILE=/run/secrets/abc123", "", id="a-path"),
        pytest.param("ENV PASSWORD=short1", "", id="too-short-to-be-real"),
    ],
)
def test_variables_and_secrets_in_an_image(lines: str, severity: str) -> None:
    found = built_in(f"FROM scratch AS base\nFROM scratch\n{lines}\n")

    assert [one.severity or "warning" for one in found] == ([severity] if severity else [])
    assert all(one.line == 3 and REAL not in repr(one) for one in found)


def test_a_file_that_is_made_of_an_example_holds_no_secret() -> None:
    made = {
        ".github/workflows/a.yml": "- uses: docker/build-push-action@v6\n"
        "- run: cp web/.env.production.example web/.env.production\n"
    }
    dockerfile = "FROM scratch\nCOPY .env.production .env\n"

    assert built_in(dockerfile, made) == []
    assert built_in(dockerfile, {path: text[:-5] for path, text in made.items()}) != []
    assert built_in(dockerfile, {path: text[40:] for path, text in made.items()}) != []


@pytest.mark.parametrize(
    ("dockerfile", "severity"),
    [
        pytest.param("FROM a AS b\nCOPY .env .\nFROM a\nCOPY --from=b x x\n", "hint", id="left"),
        pytest.param("FROM a AS b\nCOPY .env .\nFROM b\nRUN x\n", None, id="built-upon"),
    ],
)
def test_a_stage_that_the_image_leaves_behind_is_a_thought(
    dockerfile: str, severity: str | None
) -> None:
    (found,) = built_in(dockerfile)

    assert found.severity == severity


@pytest.mark.parametrize(
    ("texts", "fires"),
    [
        pytest.param({".env": f"A=1\nAPI_KEY={REAL}\n"}, True, id="tracked"),
        pytest.param({"web/.env.production": f"export DB_PASSWORD='{REAL}'\n"}, True, id="deeper"),
        pytest.param({".env": "API_KEY=\nPORT=3000\n"}, False, id="no-secret"),
        pytest.param({".env": "API_KEY=your-api-key-here\n"}, False, id="a-placeholder"),
        pytest.param({".env.example": f"API_KEY={REAL}\n"}, False, id="an-example"),
        pytest.param(
            {".env": f"API_KEY={REAL}\n", ".dockerignore": "**/.env*\n"}, False, id="ignored"
        ),
    ],
)
def test_a_tracked_file_of_variables_that_goes_in_with_a_folder(
    texts: Mapping[str, str], fires: bool
) -> None:
    found = built_in("FROM scratch\nCOPY . .\n", texts)

    assert bool(found) is fires
    assert all(REAL not in repr(one) and one.line == 2 for one in found)
