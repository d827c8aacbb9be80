"""What a configuration is proposed from, and that every proposal can be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orient_deploy.advise.builds import filter_files, gather, sources
from orient_deploy.advise.init import Proposal, propose, to_be_read
from orient_deploy.config import parse
from orient_deploy.config.model import Config, Image

DETECT = """
name: Deploy
on:
  push:
    branches: [main]
env:
  REGISTRY: ghcr.io
  PREFIX: ${{ env.REGISTRY }}/${{ github.repository }}
jobs:
  changes:
    runs-on: ubuntu-latest
    outputs:
      api: ${{ steps.filter.outputs.api }}
      web_changed: ${{ steps.filter.outputs.web }}
    steps:
      - uses: dorny/paths-filter@v3
        id: filter
        with:
          filters: |
            api: [services/api/**, libs/**, package.json]
            web: [services/web/**, libs/**, package.json]
            docs: [docs/**]
  build-api:
    needs: changes
    if: needs.changes.outputs.api == 'true'
    runs-on: [self-hosted, linux, arm64]
    steps:
      - uses: docker/metadata-action@v5
        id: meta
        with:
          images: ${{ env.PREFIX }}/the-api
      - uses: docker/build-push-action@v5
        with:
          context: .
          file: services/api/Dockerfile
          push: true
          tags: ${{ steps.meta.outputs.tags }}
          platforms: linux/arm64
          target: production
          build-args: |
            DEPLOY_ENV=prod
            COMMIT=${{ github.sha }}
  frontend:
    needs: changes
    if: ${{ needs.changes.outputs.web_changed == 'true' && needs.changes.outputs.docs != 'true' }}
    runs-on: ubuntu-latest
    steps:
      - uses: docker/build-push-action@v5
        with:
          context: services/web
          push: ${{ github.event_name != 'pull_request' }}
          tags: ghcr.io/acme/web:latest
"""

TREE = {
    ".github/workflows/deploy.yml": DETECT,
    "services/api/Dockerfile": "FROM scratch\n",
    "services/web/Dockerfile": "FROM scratch\n",
    "docker/Dockerfile.dev": "FROM scratch\n",
    "compose.yml": """
services:
  backend: {build: {context: ., dockerfile: services/api/Dockerfile, target: production}}
  worker: {image: "ghcr.io/other/the-api:v1"}
  web: {build: services/web}
  db: {image: postgres:16}
""",
    "docker-compose.dev.yml": """
services: {dev: {build: {context: docker, dockerfile: Dockerfile.dev}}}
""",
}


def _propose(tree: Mapping[str, str], **more: Any) -> Proposal | None:
    files = {path: text.encode("utf-8", "surrogateescape") for path, text in tree.items()}
    listing = tuple(sorted(files))
    contents = {path: files[path] for path in sources(listing)}
    contents |= {path: files[path] for path in filter_files(listing, contents)}
    evidence = gather(listing, contents, repository=more.get("repository", ""))
    dockerfiles = {path: files[path] for path in to_be_read(evidence)}
    return propose(evidence, listing, commit="0123456", dockerfiles=dockerfiles, **more)


def _text(tree: Mapping[str, str], **more: Any) -> str:
    proposal = _propose(tree, **more)
    assert proposal is not None
    return proposal.text


def _config(tree: Mapping[str, str], **more: Any) -> Config:
    proposal = _propose(tree, **more)
    assert proposal is not None
    return parse(proposal.text, source="proposed")


def _watch(image: Image) -> list[str]:
    return [pattern.text for pattern in image.watch]


def _workflow(jobs: Mapping[str, Any], **more: Any) -> dict[str, str]:
    text = yaml.safe_dump({"on": {"push": {"branches": ["main"]}}, "jobs": jobs} | more)
    return {".github/workflows/build.yml": text}


def _build(**given: Any) -> dict[str, Any]:
    uses = "docker/build-push-action@v6"
    return {"runs-on": "ubuntu-latest", "steps": [{"uses": uses, "with": {"push": True} | given}]}


def test_a_pipeline_with_filters_is_taken_over() -> None:
    config = _config(TREE, repository="Acme/Shop", default_branch="main")

    api, web = config.images
    assert (api.name, api.dockerfile, api.context) == ("api", "services/api/Dockerfile", ".")
    assert (api.target, api.platforms) == ("production", ("linux/arm64",))
    assert api.repository == "ghcr.io/acme/shop/the-api"
    assert api.build_args == (("DEPLOY_ENV", "prod"),)
    assert api.runner == ("self-hosted", "linux", "arm64")
    assert api.services == ("backend", "worker")
    assert _watch(api) == ["services/api/**"]
    assert (web.name, web.dockerfile, web.context) == (
        "web",
        "services/web/Dockerfile",
        "services/web",
    )
    assert web.repository == "ghcr.io/acme/web"
    assert _watch(web) == ["services/web/**"]
    assert [one.text for one in config.watch_all] == ["libs/**", "package.json"]
    assert [one.text for one in config.branches] == ["main"]
    assert config.baseline == "push"


def test_every_choice_says_where_it_is_from() -> None:
    proposal = _propose(TREE, repository="acme/shop", default_branch="main")
    assert proposal is not None

    assert "  api:  # the filter's name" in proposal.text
    assert "# job build-api of .github/workflows/deploy.yml" in proposal.text
    assert "watch:  # filter api of .github/workflows/deploy.yml" in proposal.text
    assert "services: [backend, worker]  # compose.yml" in proposal.text
    assert (
        "docker/Dockerfile.dev: only service dev of docker-compose.dev.yml builds it"
        in proposal.left_out
    )


def test_a_repository_that_is_not_known_is_left_to_be_filled_in() -> None:
    proposal = _propose(TREE)
    assert proposal is not None

    assert parse(proposal.text, source="").image("api").repository == ""
    assert "pushed to ghcr.io/${{ github.repository }}/the-api" in proposal.text


def test_nothing_is_proposed_from_nothing() -> None:
    assert _propose({"README.md": "", "src/Dockerfile.md/x": ""}) is None
    assert _propose({"node_modules/x/Dockerfile": "FROM scratch"}) is None
    assert _propose({"vendor/x/Dockerfile": "", "compose.yml": "services: {a: {build: x}}"}) is None


def test_dockerfiles_alone_are_images_with_their_likely_context() -> None:
    config = _config(
        {
            "apps/web/Dockerfile": "FROM a\nCOPY package.json apps/web ./\n",
            "apps/web/package.json": "",
            "apps/api/Dockerfile": "FROM a\nCOPY --from=x /y /z\nCOPY package.json src/ ./\n",
            "apps/api/package.json": "",
            "apps/api/src/main.c": "",
            "docker/worker.Dockerfile": "FROM a\nCOPY . .\n",
            "package.json": "",
            "tests/fixtures/Dockerfile": "FROM a\n",
        }
    )

    assert [(one.name, one.dockerfile, one.context) for one in config.images] == [
        ("api", "apps/api/Dockerfile", "apps/api"),
        ("web", "apps/web/Dockerfile", "."),
        ("worker", "docker/worker.Dockerfile", "docker"),
    ]
    assert _watch(config.images[0]) == ["auto"]


def test_files_for_development_count_only_when_there_is_nothing_else() -> None:
    tree = {
        ".devcontainer/docker-compose.yml": "services: {app: {build: .}}",
        ".devcontainer/Dockerfile": "",
    }

    assert [one.name for one in _config(tree).images] == ["app"]
    assert [one.name for one in _config(tree | {"api/Dockerfile": ""}).images] == ["api"]
    assert [one.name for one in _config({"tests/Dockerfile": ""}).images] == ["tests"]


def test_a_lone_dockerfile_is_called_as_the_repository() -> None:
    assert [one.name for one in _config({"Dockerfile": ""}, repository="acme/Shop").images] == [
        "shop"
    ]


def test_of_several_services_the_one_called_like_its_folder_names_the_image() -> None:
    compose = "services: {server: {build: apps/web}, web: {build: apps/web}}"
    config = _config({"compose.yml": compose, "apps/web/Dockerfile": ""})

    assert [(one.name, one.services) for one in config.images] == [("web", ("server", "web"))]


def test_compose_alone_is_enough() -> None:
    config = _config(
        {
            "deploy/docker-compose.yml": """
x-base: &base {context: .., dockerfile: "${WEB_FILE}"}
services:
  web: {build: *base}
  web-two: {build: {<<: *base}}
  tool: {build: {context: "../tool", dockerfile: "${TOOL_FILE:-Dockerfile.tool}"}}
  gone: {build: nowhere}
  far: {build: "https://github.com/acme/far.git"}
  out: {build: ../..}
""",
            "deploy/.env": "WEB_FILE=web/Dockerfile\nSECRET=x y\n",
            "web/Dockerfile": "",
            "tool/Dockerfile.tool": "",
        }
    )

    assert [(one.name, one.dockerfile, one.context, one.services) for one in config.images] == [
        ("web", "web/Dockerfile", ".", ("web", "web-two")),
        ("tool", "tool/Dockerfile.tool", "tool", ("tool",)),
    ]


def test_what_a_workflow_pushes_leaves_out_what_only_compose_builds() -> None:
    tree = _workflow({"build-web": _build(context="web", tags="acme/web")}) | {
        "compose.yml": "services: {web: {build: {context: web, target: dev}}, seed: {build: seed}}",
        "web/Dockerfile": "",
        "seed/Dockerfile": "",
    }
    proposal = _propose(tree)
    assert proposal is not None

    assert proposal.images == ("web",)
    assert proposal.left_out == ("seed/Dockerfile: only service seed of compose.yml builds it",)
    assert parse(proposal.text, source="").image("web").target == ""


def test_a_build_that_is_never_pushed_counts_only_when_there_is_no_other() -> None:
    tested = _build(context="web") | {"if": "always()"}
    tested["steps"][0]["with"]["push"] = False
    tree = _workflow({"test": tested}) | {"web/Dockerfile": "", "api/Dockerfile": ""}
    with_compose = tree | {"compose.yml": "services: {api: {build: api}}"}

    assert [one.name for one in _config(tree).images] == ["web"]
    assert [one.name for one in _config(with_compose).images] == ["api"]


def test_a_matrix_is_one_image_for_each_leg() -> None:
    job = _build(
        context="./",
        file="${{ matrix.it.file }}",
        tags="docker.io/acme/${{ matrix.it.name }}:${{ github.sha }}",
    )
    legs = [{"file": "./a/Dockerfile", "name": "alpha"}, {"file": "b/Dockerfile", "name": "beta"}]
    job["strategy"] = {"matrix": {"it": legs, "arch": ["x", "y"], "exclude": [{"arch": "y"}]}}
    config = _config(_workflow({"build": job}) | {"a/Dockerfile": "", "b/Dockerfile": ""})

    assert [(one.name, one.repository) for one in config.images] == [
        ("alpha", "docker.io/acme/alpha"),
        ("beta", "docker.io/acme/beta"),
    ]


def test_includes_add_to_legs_and_make_their_own() -> None:
    job = _build(context="${{ matrix.dir }}", tags="acme/${{ matrix.name }}")
    job["strategy"] = {
        "matrix": {
            "dir": ["a", "b"],
            "include": [{"dir": "a", "name": "alpha"}, {"dir": "c", "name": "gamma"}],
        }
    }
    tree = _workflow({"build": job}) | {f"{one}/Dockerfile": "" for one in "abc"}

    assert [one.name for one in _config(tree).images] == ["alpha", "b", "gamma"]


def test_arguments_that_only_a_run_knows_are_named() -> None:
    given = "A=1\nB=${{ secrets.B }}\nC\nD=${{ env.D }}\n${{ vars.MORE }}\nE=${{ vars.UNUSED }}"
    tree = _workflow({"build": _build(context="web", **{"build-args": given})}, env={"D": "4"})
    text = _text(tree | {"web/Dockerfile": "ARG A B C D\nFROM scratch\n"})

    assert parse(text, source="").images[0].build_args == (("A", "1"), ("D", "4"))
    assert (
        "# build-args not proposed: ${{ vars.MORE }} (only a run knows it), "
        "B (its value is an expression), C (its value is the runner's)\n"
    ) in text


def test_an_argument_that_differs_between_legs_is_named() -> None:
    job = _build(context="web", **{"build-args": "V=${{ matrix.v }}"})
    job["strategy"] = {"matrix": {"v": ["3.12", "3.13"]}}
    text = _text(_workflow({"build": job}) | {"web/Dockerfile": "ARG V\nFROM scratch\n"})

    assert parse(text, source="").images[0].build_args == ()
    assert "# build-args not proposed: V (it has 2 values)" in text


@pytest.mark.parametrize("args", ["{A: 1, B: '$X', C: }", "[A=1, 'B=${X:-2}', C]"])
def test_arguments_of_a_compose_file_are_taken_over(args: str) -> None:
    compose = f"services: {{web: {{build: {{context: web, args: {args}}}}}}}"
    text = _text({"compose.yml": compose, "web/Dockerfile": "ARG A\nARG B\nARG C\n"})

    assert parse(text, source="").images[0].build_args == (("A", "1"),)
    assert "not proposed: B (its value is a variable), C (it has no value there)" in text


def test_a_job_that_is_conditional_or_waits_for_other_images_says_so() -> None:
    jobs = {one: _build(context=one) | {"if": "${{ !cancelled() }}"} for one in ("api", "web")}
    jobs["all"] = _build(context="all") | {
        "needs": ["setup", "api", "web"],
        "if": "${{ needs.setup.outputs.all == 'true' }}",
    }
    text = _text(_workflow(jobs) | {f"{one}/Dockerfile": "" for one in jobs})

    assert text.count("# conditional:") == 1
    assert "# conditional: job all runs only if needs.setup.outputs.all == 'true'\n" in text
    assert "# job all waits for those of api, web\n" in text


def test_a_filter_that_a_job_asks_for_is_no_condition_besides() -> None:
    text = _text(TREE, default_branch="main")

    assert "# conditional" not in text


def test_images_that_are_told_apart_by_tags_are_called_by_them() -> None:
    legs = [{"file": "a/Dockerfile", "tag": "web"}, {"file": "a/Dockerfile.x", "tag": "web-tests"}]
    job = _build(
        file="${{ matrix.it.file }}", tags="acme/demo:${{ github.sha }}-${{ matrix.it.tag }}"
    )
    job["strategy"] = {"matrix": {"it": legs}}
    tree = _workflow({"build": job}) | {"a/Dockerfile": "", "a/Dockerfile.x": ""}

    assert [one.name for one in _config(tree).images] == ["web", "web-tests"]


def test_versions_are_no_names() -> None:
    jobs = {f"build-{one}": _build(context=one, tags=f"acme/demo:v{one}.0") for one in "12"}
    config = _config(_workflow(jobs) | {f"{one}/Dockerfile": "" for one in "12"})

    assert [one.name for one in config.images] == ["1", "2"]


def test_a_service_for_tests_is_no_service_but_named() -> None:
    tree = _workflow({"build": _build(context="web")}) | {
        "web/Dockerfile": "",
        "compose.tests.yaml": "services: {sut: {build: web}, again: {build: web}}",
    }
    text = _text(tree)

    assert parse(text, source="").images[0].services == ("web",)
    assert "the default; only service sut of compose.tests.yaml and 1 more build it" in text


def test_a_compose_file_for_tests_tells_the_context() -> None:
    build = "{context: ./, dockerfile: a/Dockerfile, target: test, args: {A: 1}}"
    tree = {"compose.tests.yaml": f"services: {{sut: {{build: {build}}}}}"}
    text = _text(tree | {"a/Dockerfile": "ARG A\nFROM scratch AS test\n"})

    (image,) = parse(text, source="").images
    assert (image.name, image.context, image.target, image.services) == ("a", ".", "", ("a",))
    assert "# only service sut of compose.tests.yaml builds it, as stage test\n" in text
    assert "# build-args not proposed: A (known from compose.tests.yaml only)\n" in text
    assert "guess" not in text


def test_what_is_not_read_is_not_denied() -> None:
    text = _text({"Makefile": "x:\n\tdocker build a", "a/Dockerfile": ""})

    assert "dockerfile: a/Dockerfile  # nothing that is read builds it\n" in text


def test_without_a_list_what_the_dockerfile_reads_counts() -> None:
    text = _text(_workflow({"build": _build(context="a")}) | {"a/Dockerfile": "COPY x /\n"})

    assert "    # watch: [auto]  # the default: what its Dockerfile reads\n" in text
    assert "inputs: workspace" not in text
    assert _watch(parse(text, source="").images[0]) == ["auto"]


def test_a_package_that_copies_its_workspace_may_be_narrowed() -> None:
    tree = _workflow({"build": _build(context=".", file="packages/a/Dockerfile")})
    package = {"package.json": "{}", "packages/a/package.json": "{}"}
    everything = {"packages/a/Dockerfile": "COPY . .\n"}

    line = (
        "    # inputs: workspace  # narrower: its Dockerfile copies everything; see `orient-deploy "
        "audit`\n"
    )
    assert line in _text(tree | package | everything)
    assert line not in _text(tree | everything)
    assert line not in _text(tree | package | {"packages/a/Dockerfile": "COPY packages/a .\n"})


def test_a_matrix_that_a_runner_computes_means_the_dockerfiles_that_fit() -> None:
    job = _build(
        context="services/${{ matrix.service }}", tags="ghcr.io/acme/${{ matrix.service }}"
    )
    job["strategy"] = {"matrix": {"service": "${{ fromJSON(needs.changes.outputs.changes) }}"}}
    tree = _workflow({"build": job}) | {
        "services/api/Dockerfile": "",
        "services/web/Dockerfile": "",
        "tools/Dockerfile": "",
    }
    config = _config(tree)

    assert [(one.name, one.context, one.repository) for one in config.images] == [
        ("api", "services/api", "ghcr.io/acme/api"),
        ("web", "services/web", "ghcr.io/acme/web"),
    ]


def test_images_that_share_a_repository_get_their_own() -> None:
    jobs = {f"build-{one}": _build(context=one, tags=f"acme/demo:latest-{one}") for one in "ab"}
    proposal = _propose(_workflow(jobs) | {"a/Dockerfile": "", "b/Dockerfile": ""})
    assert proposal is not None

    assert proposal.images == ("a", "b")
    assert "acme/demo has several images, apart by tag only" in proposal.text


def test_a_workflow_for_one_image_watches_its_own_paths() -> None:
    tree = {
        f".github/workflows/{one}.yml": yaml.safe_dump(
            {
                "on": {"push": {"paths": [f"{one}/**", f"!{one}/*.md", "./x"]}},
                "jobs": {"build": _build(context=one, tags=f"acme/{one}")},
            }
        )
        for one in ("api", "web")
    } | {"api/Dockerfile": "", "web/Dockerfile": ""}
    config = _config(tree)

    assert _watch(config.image("api")) == ["api/**", "!api/*.md", "x"]
    assert config.watch_all == ()


def test_filters_in_a_file_are_read() -> None:
    detect = {
        "steps": [{"uses": "dorny/paths-filter@v3", "with": {"filters": "./.github/filters.yml"}}]
    }
    tree = _workflow({"changes": detect, "build-web": _build(context="web")}) | {
        ".github/filters.yml": "web: ['web/**', '!web/**/*.md']\n",
        "web/Dockerfile": "",
    }
    proposal = _propose(tree)
    assert proposal is not None

    assert _watch(parse(proposal.text, source="").image("web")) == [
        "**",
        "!web/**/*.md",
        "web/**",
    ]
    assert "watch:  # filter web of .github/filters.yml" in proposal.text
    assert "probably meant: [web/**, !web/**/*.md]" in proposal.text


def test_an_image_that_several_filters_start_watches_all_of_their_files() -> None:
    detect = _detecting("web: ['web/**']\nlibs:\n  - 'libs/**'\n")
    job = _build(context=".", file="web/Dockerfile")
    job["if"] = "needs.d.outputs.web == 'true' || needs.d.outputs.libs == 'true'"
    config = _config(_workflow({"d": detect, "build": job}) | {"web/Dockerfile": ""})

    assert _watch(config.images[0]) == ["web/**", "libs/**"]


def _detecting(filters: str, **more: Any) -> dict[str, Any]:
    return {"steps": [{"uses": "dorny/paths-filter@v3", "with": {"filters": filters} | more}]}


def test_joined_lists_exclude_nothing() -> None:
    filters = "web: ['web/**', '!web/*.md']\nlibs: ['libs/**', '!libs/*.md']\n"
    job = _build(context="web")
    job["if"] = "needs.d.outputs['web'] == 'true' || needs.d.outputs.libs == 'true'"
    detect = _detecting(filters, **{"predicate-quantifier": "every"})
    proposal = _propose(_workflow({"d": detect, "build": job}) | {"web/Dockerfile": ""})
    assert proposal is not None

    assert _watch(parse(proposal.text, source="").images[0]) == ["web/**", "libs/**"]
    assert "joined, the lists exclude nothing" in proposal.text


def test_a_filter_over_the_folder_of_the_dockerfile_is_its_filter() -> None:
    filters = "backend: ['services/api/**', 'libs/**']\nfrontend: ['services/web/**']\n"
    jobs = {"d": _detecting(filters), "one": _build(context="services/api")}
    config = _config(_workflow(jobs) | {"services/api/Dockerfile": ""})

    assert config.images[0].name == "backend"
    assert _watch(config.images[0]) == ["services/api/**", "libs/**"]


def test_images_that_share_a_filter_have_their_own_names() -> None:
    jobs = {"d": _detecting("backend: ['src/**']\nlint: ['x']")}
    for name in ("api", "worker"):
        jobs[f"build-{name}"] = _build(context=".", file=f"{name}/Dockerfile")
        jobs[f"build-{name}"]["if"] = "needs.d.outputs.backend == 'true'"
    config = _config(_workflow(jobs) | {"api/Dockerfile": "", "worker/Dockerfile": ""})

    assert [(one.name, _watch(one)) for one in config.images] == [
        ("api", ["src/**"]),
        ("worker", ["src/**"]),
    ]
    assert config.watch_all == ()  # nothing would be left of either list


def test_common_patterns_stay_where_an_image_watches_its_own_folder_only() -> None:
    filters = "a: ['a/**', 'lock']\nb: ['b/**', 'lock']\n"
    jobs = {"d": _detecting(filters)} | {f"build-{one}": _build(context=one) for one in "abc"}
    config = _config(_workflow(jobs) | {f"{one}/Dockerfile": "" for one in "abc"})

    assert config.watch_all == ()
    assert _watch(config.image("a")) == ["a/**", "lock"]
    assert _watch(config.image("c")) == ["auto"]


def test_an_image_that_is_built_on_several_runners_leaves_the_runner_open() -> None:
    job = _build(context="web", platforms="${{ matrix.it.platform }}")
    job["runs-on"] = "${{ matrix.it.runner }}"
    legs = [{"platform": f"linux/{one}", "runner": f"ubuntu-{one}"} for one in ("amd64", "arm64")]
    job["strategy"] = {"matrix": {"it": legs}}
    proposal = _propose(_workflow({"build": job}) | {"web/Dockerfile": ""})
    assert proposal is not None

    (image,) = parse(proposal.text, source="").images
    assert image.platforms == ("linux/amd64", "linux/arm64")
    assert "# runner: to be filled in; it is built on several" in proposal.text


def test_a_runner_that_only_a_run_knows_is_left_open() -> None:
    job = _build(context="web") | {"runs-on": "${{ vars.RUNNER }}"}
    proposal = _propose(_workflow({"build": job}) | {"web/Dockerfile": ""})
    assert proposal is not None

    assert "# runner: to be filled in; now ${{ vars.RUNNER }}" in proposal.text


def test_what_is_left_out_is_counted_when_there_is_much() -> None:
    tree = _workflow({"build": _build(context="web")}) | {"web/Dockerfile": ""}
    proposal = _propose(tree | {f"x{one}/Dockerfile": "" for one in range(30)})
    assert proposal is not None

    assert len(proposal.left_out) == 30
    assert "#   and 10 more" in proposal.text


def test_images_without_any_name_are_numbered() -> None:
    jobs = {f"build-{'release-' * one}x": _build(target=f"t{one}") for one in range(1, 4)}
    config = _config(_workflow(jobs) | {"Dockerfile": ""})

    assert [one.name for one in config.images] == ["x", "x-1", "x-2"]


def test_lists_with_exclusions_are_not_taken_apart() -> None:
    filters = "a: ['a/**', 'libs/**', '!libs/x']\nb: ['b/**', 'libs/**', '!libs/x']\n"
    uses = "dorny/paths-filter@v3"
    detect = {"steps": [{"uses": uses, "with": {"filters": filters, "predicate-quantifier": "x"}}]}
    jobs = {"d": detect} | {f"build-{one}": _build(context=one) for one in "ab"}
    config = _config(_workflow(jobs) | {"a/Dockerfile": "", "b/Dockerfile": ""})

    assert config.watch_all == ()


def test_another_workflow_with_another_list_is_pointed_out() -> None:
    staging = DETECT.replace("[main]", "[staging]").replace(
        "libs/**, package.json]", "package.json]"
    )
    proposal = _propose(TREE | {".github/workflows/a-staging.yml": staging}, default_branch="main")
    assert proposal is not None

    assert "# .github/workflows/a-staging.yml lacks libs/**" in proposal.text
    assert "# job build-api of .github/workflows/deploy.yml" in proposal.text


def test_names_are_valid_and_differ() -> None:
    jobs = {
        "build-My_App": _build(context="a"),
        "build-my-app": _build(context="b"),
        "build": _build(context="Ünïcode"),
    }
    tree = _workflow(jobs) | {f"{one}/Dockerfile": "" for one in ("a", "b", "Ünïcode")}

    assert [one.name for one in _config(tree).images] == ["n-code", "my-app", "b"]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("a\\b/Dockerfile", id="backslash"),
        pytest.param("a\nb/Dockerfile", id="newline"),
        pytest.param("\udcff/Dockerfile", id="not-utf-8"),
        pytest.param(" a/Dockerfile ", id="blanks"),
    ],
)
def test_a_path_that_cannot_be_configured_is_no_image(path: str) -> None:
    assert _propose({path: "FROM scratch\n"}) is None


def test_a_path_is_quoted_where_yaml_needs_it() -> None:
    path = "a 'b' # {c}: [d]/Dockerfile"

    assert _config({path: "FROM scratch\n"}).images[0].dockerfile == path


def test_foreign_text_cannot_leave_its_comment() -> None:
    evil = "x\n  evil: {}\n#"
    jobs = {evil: _build(context="web", tags="${{ " + evil + " }}/web")}
    proposal = _propose(_workflow(jobs) | {"web/Dockerfile": ""})
    assert proposal is not None

    assert proposal.images == ("x-evil",)  # the job's name, made a name
    assert "\n  evil" not in proposal.text


def test_a_workflow_full_of_references_costs_no_time() -> None:
    bomb = "x0: &x0 {a: b, c: d}\n" + "".join(
        f"x{n}: &x{n} {{{', '.join(f'k{i}: *x{n - 1}' for i in range(9))}}}\n" for n in range(1, 30)
    )
    workflow = f"""{bomb}
on: push
env: *x29
jobs:
  build:
    env: *x29
    strategy: {{matrix: {{include: [*x29], a: [*x29, *x28], exclude: [{{a: *x28}}]}}}}
    steps:
    - {{uses: docker/build-push-action@v6, with: {{context: web, push: 'true', file: *x29}}}}
"""
    tree = {".github/workflows/x.yml": workflow, "web/Dockerfile": ""}

    assert [one.name for one in _config(tree).images] == ["web"]


def test_many_steps_in_a_large_matrix_are_read_up_to_a_bound() -> None:
    job = _build(context="${{ matrix.a }}")
    job["steps"] *= 200
    job["strategy"] = {"matrix": {one: [str(n) for n in range(40)] for one in "abc"}}
    evidence = gather(
        ("web/Dockerfile",),
        {path: text.encode() for path, text in _workflow({"build": job}).items()},
    )

    assert evidence.workflows[0].builds == ()


_TEXTS = st.sampled_from(
    [
        *("web", "api", "web/Dockerfile", "api/Dockerfile", ".", "..", "", "true", "false", "*"),
        *("${{ matrix.a }}", "${{ matrix.a", "${{ env.a }}", "${WEB:-web}", "$", "\n", "x: y", "'"),
        *("docker/build-push-action@v6", "dorny/paths-filter@v3", "web: ['!x']", "linux/arm64"),
        *("needs.d.outputs.web == 'true'", "ghcr.io/acme/web:latest", "[", "!x", "\ud800"[:0], "é"),
    ]
)
_KEYS = st.sampled_from(
    [
        *("on", "push", "paths", "branches", "jobs", "steps", "uses", "with", "context", "file"),
        *(
            "filters",
            "predicate-quantifier",
            "strategy",
            "matrix",
            "include",
            "exclude",
            "a",
            "env",
        ),
        *("if", "runs-on", "tags", "images", "target", "platforms", "build-args", "services"),
        *("build", "dockerfile", "image", "web", "<<", "outputs", "id", "name"),
    ]
)
_VALUES = st.recursive(
    _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def _workflows(draw: st.DrawFn) -> dict[str, Any]:
    step = st.fixed_dictionaries(
        {"uses": _TEXTS, "with": st.dictionaries(_KEYS, _VALUES, max_size=5)},
        optional={"if": _VALUES, "id": _VALUES},
    )
    job = st.fixed_dictionaries(
        {"steps": st.lists(step, max_size=3)},
        optional={"if": _VALUES, "strategy": st.dictionaries(_KEYS, _VALUES), "env": _VALUES},
    )
    jobs = draw(st.dictionaries(_TEXTS, job | _VALUES, min_size=1, max_size=3))
    return {"on": draw(_VALUES), "env": draw(_VALUES), "jobs": jobs}


@given(
    _workflows(),
    st.dictionaries(_TEXTS, st.fixed_dictionaries({"build": _VALUES}, optional={"image": _VALUES})),
    st.sampled_from(["", "acme/shop"]),
    st.text("\n\\ABCDGOPRY ${}*.[]'\"", max_size=60),
)
@settings(max_examples=150)
def test_whatever_the_files_hold_the_proposal_can_be_used(
    workflow: dict[str, Any], services: dict[str, Any], repository: str, dockerfile: str
) -> None:
    tree = {
        ".github/workflows/w.yml": yaml.safe_dump(workflow),
        "compose.yml": yaml.safe_dump({"services": services}),
        "web/Dockerfile": dockerfile,
        "api/Dockerfile": "",
    }

    assert _config(tree, repository=repository).images  # parsed, or it would have raised


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=100))
def test_files_that_are_no_text_are_passed_over(one: bytes, two: bytes, three: bytes) -> None:
    contents = {".github/workflows/w.yml": one, "compose.yml": two, ".env": three}
    listing = (*sorted(contents), "web/Dockerfile")
    evidence = gather(listing, contents)
    proposal = propose(evidence, listing, commit="0", dockerfiles={"web/Dockerfile": three})

    assert proposal is not None and proposal.images == ("web",)
