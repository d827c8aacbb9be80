"""The whole loop on real parts: plan, build with buildx, record in a registry, gate, and again.

A row of pushes to one repository, each run under act as a team's workflow would, against a Docker
engine and a registry of the test's own. What one push leaves in the registry is what the next one
finds, so the steps are one test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.sample import Sample
from tests.e2e import act
from tests.machines.docker_engine import DockerEngine, docker_engine
from tests.machines.image_registry import ImageRegistry, image_registry

WORKFLOW = """\
name: loop
on: {push: {branches: [main]}, workflow_dispatch: {inputs: {force: {type: boolean}}}}
permissions: {}
jobs:
  plan:
    runs-on: ubuntu-latest
    permissions: {contents: read, packages: read}
    outputs:
      any: ${{ steps.plan.outputs.any }}
      matrix: ${{ steps.plan.outputs.matrix }}
      images: ${{ steps.plan.outputs.images }}
    steps:
      - uses: actions/checkout@8e8c483db84b4bee98b60c0593521ed34d9990e8 # v6.0.1
      - id: plan
        uses: org/orient-deploy-actions@v1
        with: {force: "${{ inputs.force }}"}
  build:
    needs: plan
    if: ${{ needs.plan.outputs.any != 'false' }}
    strategy: {fail-fast: false, matrix: "${{ fromJSON(needs.plan.outputs.matrix) }}"}
    runs-on: ubuntu-latest
    permissions: {contents: read, packages: write}
    steps:
      - uses: actions/checkout@8e8c483db84b4bee98b60c0593521ed34d9990e8 # v6.0.1
      - id: build
        uses: org/orient-deploy-actions/build@v1
        with: {entry: "${{ toJSON(matrix) }}"}
  gate:
    needs: [plan, build]
    if: ${{ !cancelled() }}
    runs-on: ubuntu-latest
    permissions: {contents: read, packages: read}
    steps:
      - uses: actions/checkout@8e8c483db84b4bee98b60c0593521ed34d9990e8 # v6.0.1
      - id: gate
        uses: org/orient-deploy-actions/gate@v1
        with: {needs: "${{ toJSON(needs) }}", force: "${{ inputs.force }}"}
"""

FILES = {
    "web/Dockerfile": "FROM scratch\nCOPY web/page.html /page.html\nCOPY shared /shared\n",
    "web/page.html": "<p>1</p>\n",
    "api/Dockerfile": "FROM scratch\nCOPY api/answer.json /answer.json\nCOPY shared /shared\n",
    "api/answer.json": "1\n",
    "shared/names.txt": "a\n",
    "docs/read.txt": "1\n",
}

CONFIG = """\
version: 1
branches: [main]
images:
  web: {{repository: {host}/acme/orient/web, dockerfile: web/Dockerfile, watch: [web/**]}}
  api: {{repository: {host}/acme/orient/api, dockerfile: api/Dockerfile}}
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with docker_engine("28") as started:
        yield started


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> act.Library:
    return act.release_layout(tmp_path_factory.mktemp("library") / "release")


class Loop:
    """One repository with its workflow, engine and registry."""

    def __init__(
        self, folder: Path, engine: DockerEngine, registry: ImageRegistry, library: act.Library
    ) -> None:
        self._folder = folder
        self._library = library
        self._runs = 0
        self._environment = {
            **{k: v for k, v in engine.env.items() if k != "PATH"},
            "NO_PROXY": "127.0.0.1",
        }
        self.sample = Sample(path=folder / "repository")
        self.sample.path.mkdir()
        self.sample.git("init", "--quiet", "--initial-branch=main")
        self.sample.git("remote", "add", "origin", "https://github.com/acme/orient.git")
        self.before = act.NO_COMMIT
        self.write(FILES)
        self.write({".github/orient-deploy.yml": CONFIG.format(host=registry.host)})

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            self.sample.write(path, text)

    def push(self, files: Mapping[str, str], *, forced: bool = False) -> Seen:
        """Commit the files, and run what a push of that commit starts."""
        self.write(files)
        head = self.sample.commit("Change " + ", ".join(files))
        return self.pushed(head, forced=forced)

    def pushed(self, head: str, *, forced: bool = False) -> Seen:
        event = (act.forced_push_event if forced else act.push_event)(self.before, head)
        self.before = head
        return self.run(event)

    def run(self, event: act.Event) -> Seen:
        self._runs += 1
        return Seen(
            act.run(
                self.sample,
                event,
                self._library,
                self._folder / f"run-{self._runs}",
                workflow=WORKFLOW,
                environment=self._environment,
            )
        )


class Seen:
    """What one run decided and did."""

    def __init__(self, run: act.Run) -> None:
        assert "plan" in run.jobs, run.text
        outputs = run.jobs["plan"].outputs.get("plan", {})
        assert outputs, run.text
        self.run = run
        self.images: list[str] = json.loads(outputs["images"])
        self.references: dict[str, str] = json.loads(outputs["references"])
        self.summary = run.jobs["plan"].summary
        # Without a leg there is no job of a matrix: act runs one for an empty one.
        legs = {name: job for name, job in run.jobs.items() if name.startswith("build (")}
        self.legs = {name[7:-1]: job for name, job in legs.items() if name[7:-1]}
        gate = run.jobs["gate"].outputs.get("gate", {})
        self.deploy = gate.get("deploy", "")
        self.gate_reason = gate.get("reason", "")

    def built(self) -> dict[str, str]:
        """The digest of each image that was built."""
        return {
            name: job.outputs["build"]["image-digest"]
            for name, job in self.legs.items()
            if job.result == "success"
        }


def test_an_image_is_built_when_none_has_its_inputs(
    engine: DockerEngine, library: act.Library, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        registry = stack.enter_context(image_registry())
        loop = Loop(tmp_path, engine, registry, library)

        first = loop.push({})
        assert first.images == ["api", "web"]
        assert sorted(first.built()) == ["api", "web"], first.run.text
        assert first.deploy == "true", first.gate_reason

        documents = loop.push({"docs/read.txt": "2\n"})
        assert documents.images == []
        assert {name: one.partition("@")[2] for name, one in documents.references.items()} == (
            first.built()
        )
        assert documents.deploy == "false"

        one_changed = loop.push({"web/page.html": "<p>2</p>\n"})
        assert one_changed.images == ["web"]
        assert "web/page.html, read by web/Dockerfile line 2" in one_changed.summary
        assert one_changed.deploy == "true"

        unwatched = loop.push({"shared/names.txt": "b\n"})
        assert unwatched.images == ["api", "web"]  # web's own list does not have it
        assert any(
            "web reads shared/names.txt, which its list does not watch" in one.message
            for one in unwatched.run.jobs["plan"].annotations
        ), unwatched.run.jobs["plan"].annotations

        broken = loop.push({"api/Dockerfile": FILES["api/Dockerfile"] + "COPY missing /missing\n"})
        assert broken.images == ["api"]
        assert broken.built() == {}
        assert broken.deploy == "false"

        still_owed = loop.push({"docs/read.txt": "3\n"})
        assert still_owed.images == ["api"]
        assert "though nothing changed since" in still_owed.summary or "changed:" in (
            still_owed.summary
        )

        mended = loop.push({"missing": "here\n"})
        assert mended.images == ["api"]
        assert sorted(mended.built()) == ["api"]
        assert mended.deploy == "true"

        reverted = loop.push({"api/Dockerfile": FILES["api/Dockerfile"], "shared/names.txt": "a\n"})
        assert reverted.images == []
        assert reverted.references["api"].partition("@")[2] == first.built()["api"]
        assert reverted.references["web"].partition("@")[2] == one_changed.built()["web"]
        assert reverted.deploy == "true"  # other images than before, though none was built

        loop.before = "f" * 40  # replaced, and no longer anywhere
        forced = loop.push({"docs/read.txt": "4\n"}, forced=True)
        assert forced.images == []
        assert forced.references == reverted.references

        by_hand = loop.run(act.dispatch_event(force="true"))
        assert by_hand.images == ["api", "web"]
        assert sorted(by_hand.built()) == ["api", "web"]
        assert by_hand.deploy == "true", by_hand.gate_reason

        stack.close()  # the registry is down
        quiet = loop.push({"docs/read.txt": "5\n"})
        assert quiet.images == []
        assert "the registry was no help" in quiet.summary
        changed = loop.push({"web/page.html": "<p>5</p>\n"})
        assert changed.images == ["web"]
        assert changed.built() == {}
        assert changed.deploy == "false"


def test_a_registry_that_refuses_is_told(
    engine: DockerEngine, library: act.Library, tmp_path: Path
) -> None:
    with image_registry(auth=True) as registry:
        loop = Loop(tmp_path, engine, registry, library)
        loop.push({})
        unchanged = loop.push({"docs/read.txt": "2\n"})

    assert unchanged.images == []
    assert "the registry was no help" in unchanged.summary
    assert "asks for a login" in unchanged.summary
    (warning,) = [
        one.message
        for one in unchanged.run.jobs["plan"].annotations
        if "The registry" in one.message
    ]
    assert warning.startswith("The registry was no help for web, api: 127.0.0.1:")
    assert warning.endswith("; what the base was made of decides instead")
