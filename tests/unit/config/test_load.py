"""What a right configuration means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orient_deploy.config import DEFAULT_PATH, ConfigError, parse, parse_inline
from orient_deploy.config.model import (
    Check,
    Config,
    DeployEvents,
    Environment,
    Hooks,
    Image,
    Location,
    Pattern,
    Secrets,
    Service,
)

SAMPLE = Path(__file__).parent / "data" / "orient-deploy.yml"
SOURCE = ".github/orient-deploy.yml"
ANYWHERE = Location(file="", line=1, column=1)


def pattern(text: str) -> Pattern:
    return Pattern(text=text, where=ANYWHERE)


def patterns(*texts: str) -> tuple[Pattern, ...]:
    return tuple(pattern(text) for text in texts)


def one_image(body: str) -> Image:
    """The only image of a configuration, its keys given as a flow mapping."""
    return parse(f"version: 1\nimages:\n  dashboard: {body}\n", source="x").images[0]


def one_environment(body: str) -> Environment:
    text = f"version: 1\nimages: {{dashboard: {{}}}}\nenvironments:\n  production: {body}\n"
    return parse(text, source="x").environments[0]


def test_the_sample_loads_into_every_field() -> None:
    expected = Config(
        source=SOURCE,
        branches=patterns("main"),
        tag_pattern=pattern("v*"),
        images=(
            Image(
                name="opencode",
                dockerfile="docker/Dockerfile.opencode.legacy",
                repository="ghcr.io/acme/orient/opencode",
                watch=patterns(
                    "src/**",
                    "packages/core/**",
                    "packages/mcp-tools/**",
                    "docker/Dockerfile.opencode*",
                ),
                services=("opencode",),
                platforms=("linux/arm64",),
                build_args=(("DEPLOY_ENV", "prod"),),
                target="production",
                runner=("self-hosted", "linux", "arm64"),
                timeout_minutes=45,
                typical_minutes=5.0,
                max_age_s=30 * 86400,
                where=ANYWHERE,
            ),
            Image(
                name="whatsapp",
                dockerfile="packages/bot-whatsapp/Dockerfile",
                repository="ghcr.io/acme/orient/whatsapp",
                watch=patterns("packages/bot-whatsapp/**", "packages/core/**"),
                services=("bot-whatsapp",),
                where=ANYWHERE,
            ),
            Image(
                name="dashboard",
                dockerfile="packages/dashboard/Dockerfile",
                repository="ghcr.io/acme/orient/dashboard",
                watch=patterns("auto"),
                services=("dashboard",),
                where=ANYWHERE,
            ),
        ),
        watch_all=patterns("package.json", "pnpm-lock.yaml"),
        ignore=patterns("docs/**"),
        environments=(
            Environment(
                name="production",
                on=DeployEvents(branches=patterns("main"), dispatch=True),
                hosts=("opc@203.0.113.7",),
                directory="~/orienter",
                workdir="docker",
                project="docker",
                compose=(
                    "docker/docker-compose.v2.yml",
                    "docker/docker-compose.prod.yml",
                    "docker/docker-compose.r2.yml",
                ),
                variants=(("legacy", ("docker/docker-compose.yml",)),),
                sync=patterns("docker/nginx-ssl.conf"),
                env_file=".env",
                docker="sudo docker",
                services=(
                    Service(name="nginx", reload="nginx -s reload", budget_s=60.0),
                    Service(name="opencode", budget_s=90.0, stable_s=10.0),
                ),
                checks=(
                    Check(name="nginx", url="https://ai.example.com/health", service="nginx"),
                    Check(
                        name="opencode",
                        url="https://ai.example.com/opencode/global/health",
                        service="opencode",
                    ),
                    Check(
                        name="dashboard",
                        url="https://ai.example.com/dashboard/api/health",
                        service="dashboard",
                    ),
                    Check(
                        name="assets",
                        url="https://ai.example.com/dashboard/",
                        follow=r'src="([^"]+\.js)"',
                        content_type="text/javascript",
                        service="nginx",
                    ),
                    Check(
                        name="database",
                        exec="pg_isready -U aibot -d whatsapp_bot",
                        service="postgres",
                    ),
                ),
                hooks=Hooks(before_apply="./backup-database.sh"),
                secrets=Secrets(
                    file=".env.production",
                    required=("DATABASE_URL", "DASHBOARD_JWT_SECRET"),
                    min_length=(("DASHBOARD_JWT_SECRET", 32),),
                ),
                peers=("staging",),
                where=ANYWHERE,
            ),
            Environment(
                name="staging",
                on=DeployEvents(branches=patterns("staging"), tags=patterns("v*")),
                compose=("docker/docker-compose.v2.yml", "docker/docker-compose.staging.yml"),
                peers=("production",),
                where=ANYWHERE,
            ),
        ),
    )

    assert parse(SAMPLE.read_bytes(), source=DEFAULT_PATH) == expected


def test_values_know_their_line_and_column() -> None:
    config = parse(SAMPLE.read_bytes(), source=SOURCE)

    assert str(config.images[1].where) == f"{SOURCE}:20:3"
    assert str(config.images[0].watch[1].where) == f"{SOURCE}:11:21"
    assert str(config.environments[0].where) == f"{SOURCE}:33:3"


def test_an_empty_image_has_every_default() -> None:
    assert one_image("{}") == Image(
        name="dashboard",
        dockerfile="Dockerfile",
        context=".",
        watch=patterns("auto"),
        services=("dashboard",),
        runner=("ubuntu-latest",),
        timeout_minutes=60,
        where=ANYWHERE,
    )


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        pytest.param("{context: web}", "dockerfile", "web/Dockerfile", id="in-its-context"),
        pytest.param("{context: .}", "dockerfile", "Dockerfile", id="in-the-root"),
        pytest.param("{context: ./}", "context", ".", id="context-here-with-a-slash"),
        pytest.param("{context: web/app/}", "context", "web/app", id="context-with-a-slash"),
        pytest.param("{context: web/}", "dockerfile", "web/Dockerfile", id="slash-not-doubled"),
        pytest.param("{target: 1.10}", "target", "1.10", id="target-by-its-text"),
        pytest.param("{target: on}", "target", "on", id="target-called-on"),
        pytest.param("{target: ''}", "target", "", id="no-target"),
        pytest.param("{dockerfile: 'null'}", "dockerfile", "null", id="quoted-null-is-a-text"),
        pytest.param("{runner: ubuntu-22.04}", "runner", ("ubuntu-22.04",), id="one-runner"),
        pytest.param(
            "{build-args: {B: 010, A: yes, C: 1.50, D: ''}}",
            "build_args",
            (("A", "yes"), ("B", "010"), ("C", "1.50"), ("D", "")),
            id="build-args-by-their-text",
        ),
        pytest.param("{typical-minutes: 0.5}", "typical_minutes", 0.5, id="half-a-minute"),
        pytest.param("{max-age: 12h}", "max_age_s", 12 * 3600, id="hours"),
        pytest.param("{max-age: 2w}", "max_age_s", 14 * 86400, id="weeks"),
        pytest.param("{timeout-minutes: 360}", "timeout_minutes", 360, id="longest-timeout"),
        pytest.param("{platforms: []}", "platforms", (), id="no-platforms"),
        pytest.param(
            "{repository: 'localhost:5000/a__b/c-d.e'}",
            "repository",
            "localhost:5000/a__b/c-d.e",
            id="registry-with-a-port",
        ),
        pytest.param("{watch: [auto, x]}", "watch", patterns("auto", "x"), id="auto-and-more"),
        pytest.param("{watch: ['[a]uto']}", "watch", patterns("[a]uto"), id="a-file-called-auto"),
        pytest.param(
            "{watch: [src/**, '!src/**/*.md', src/KEEP.md, src/**]}",
            "watch",
            patterns("src/**", "!src/**/*.md", "src/KEEP.md", "src/**"),
            id="order-and-repetition-are-kept",
        ),
    ],
)
def test_a_key_of_an_image(body: str, field: str, value: object) -> None:
    assert getattr(one_image(body), field) == value


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        # YAML 1.1 reads the key `on` as the boolean true.
        pytest.param("{on: {dispatch: true}}", "on", DeployEvents(dispatch=True), id="on-is-a-key"),
        pytest.param("{'on': {}}", "on", DeployEvents(), id="on-that-names-nothing"),
        pytest.param("{}", "on", None, id="on-not-said"),
        pytest.param(
            "{on: {workflow-run: true, repository-dispatch: true, schedule: true}}",
            "on",
            DeployEvents(workflow_run=True, repository_dispatch=True, schedule=True),
            id="every-event",
        ),
        pytest.param(
            "{hosts: ['a@h.example:22', 'b@[2001:db8::1]:2222', 'c_1@box']}",
            "hosts",
            ("a@h.example:22", "b@[2001:db8::1]:2222", "c_1@box"),
            id="hosts",
        ),
        pytest.param(
            "{checks: {a: {url: 'http://h', follow: '[[]a'}}}",
            "checks",
            (Check(name="a", url="http://h", follow="[[]a"),),
            id="expression-that-python-warns-of",
        ),
        pytest.param("{directory: /srv/my app}", "directory", "/srv/my app", id="any-directory"),
        pytest.param(
            '{hooks: {after-good: "a\\nb"}}', "hooks", Hooks(after_good="a\nb"), id="long-hook"
        ),
    ],
)
def test_a_key_of_an_environment(body: str, field: str, value: object) -> None:
    assert getattr(one_environment(body), field) == value


def test_images_keep_the_order_of_the_file() -> None:
    config = parse("version: 1\nimages: {whatsapp: {}, dashboard: {}, opencode: {}}", source="x")

    assert [image.name for image in config.images] == ["whatsapp", "dashboard", "opencode"]
    assert config.image("opencode").name == "opencode"
    with pytest.raises(KeyError):
        config.image("slack")


def test_an_anchor_may_be_used_again() -> None:
    text = """
version: 1
images:
  whatsapp: {watch: &both [packages/core/**, package.json]}
  dashboard: {watch: *both}
"""
    whatsapp, dashboard = parse(text, source="x").images

    assert whatsapp.watch == dashboard.watch == patterns("packages/core/**", "package.json")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeffversion: 1\nimages: {a: {}}", id="byte-order-mark"),
        pytest.param("version: 1\r\nimages:\r\n  a: {}\r\n", id="windows-line-ends"),
        pytest.param("%YAML 1.2\n---\nversion: 1\nimages: {a: {}}\n...\n", id="markers"),
        pytest.param('{"version": 1, "images": {"a": {}}}', id="json"),
    ],
)
def test_forms_of_yaml_that_mean_the_same(text: str) -> None:
    expected = parse("version: 1\nimages: {a: {}}", source="x")

    assert parse(text, source="x") == expected
    assert parse(text.encode(), source="x") == expected


def test_inline_images_are_what_stands_under_images() -> None:
    config = parse_inline("dashboard:\n  watch: [packages/dashboard/**]\n")

    assert config == Config(
        source="",
        images=(
            Image(
                name="dashboard",
                dockerfile="Dockerfile",
                watch=patterns("packages/dashboard/**"),
                services=("dashboard",),
                where=ANYWHERE,
            ),
        ),
    )
    assert str(config.images[0].where) == "input images:1:1"


def test_an_inline_document_is_understood_as_a_whole() -> None:
    config = parse_inline("version: 1\nwatch-all: [package.json]\nimages: {dashboard: {}}")

    assert [image.name for image in config.images] == ["dashboard"]
    assert config.watch_all == patterns("package.json")


def test_an_inline_image_may_be_called_images() -> None:
    config = parse_inline("images: {context: web}\nversion: {context: api}")

    assert [image.name for image in config.images] == ["images", "version"]


def test_an_inline_document_without_a_version_is_pointed_out() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_inline("watch-all: [package.json]\nimages: {dashboard: {}}")

    assert "a whole configuration without its version" in str(caught.value)


def test_yaml_is_imported_only_to_read_something() -> None:
    code = (
        "import sys, orient_deploy.config, orient_deploy.config.model; print('yaml' in sys.modules)"
    )
    scripts = Path(__file__).parents[3] / "scripts"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(scripts)!r}); {code}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.stdout == "False\n"
