"""The action `build` with a real engine and real registries: what is pushed, recorded, and left."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.sample import REPOSITORY, Sample
from tests.e2e import act
from tests.fakes.repositories import run_git
from tests.machines.docker_engine import DockerEngine, docker_engine
from tests.machines.image_registry import PASSWORD, USER, ImageRegistry, image_registry
from tests.oracles.runner_files import issues, outputs

ROOT = Path(__file__).parents[2]
LAUNCHER = ("bash", str(ROOT / "scripts" / "run"))
TIMEOUT_S = 300
DIGEST = "9d" * 32
RECORD = f"inputs-{DIGEST[:40]}"
REVISION = "org.opencontainers.image.revision"
ACCEPT = ", ".join(
    f"application/vnd.{one}+json"
    for one in (
        *("oci.image.index.v1", "oci.image.manifest.v1"),
        *("docker.distribution.manifest.list.v2", "docker.distribution.manifest.v2"),
    )
)

DOCKERFILE = """\
FROM scratch AS base
COPY busybox /bin/busybox
SHELL ["/bin/busybox", "sh", "-c"]
ARG WHO=nobody
RUN /bin/busybox echo "made for $WHO" >/made
FROM base AS production
COPY app.txt /app.txt
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with docker_engine("28") as running:
        yield running


@pytest.fixture(scope="module")
def registry() -> Iterator[ImageRegistry]:
    with image_registry() as running:
        yield running


@pytest.fixture(scope="module")
def private() -> Iterator[ImageRegistry]:
    with image_registry(auth=True) as running:
        yield running


@dataclass(frozen=True)
class Finished:
    """What one run of the action left."""

    code: int
    log: str
    outputs: Mapping[str, str]
    summary: str

    @property
    def errors(self) -> list[str]:
        return [one.data for one in issues(self.log.encode()) if one.name == "error"]


class Workspace:
    """A consumer's checkout and the runner's files around it."""

    def __init__(self, folder: Path, engine: DockerEngine, registry: ImageRegistry) -> None:
        self.folder = folder
        self.engine = engine
        self.registry = registry
        self.auth = (USER, PASSWORD) if (registry.folder / "htpasswd").exists() else None
        # One engine serves all tests: a name of its own keeps them apart.
        self.path = f"acme/{folder.name.lower().replace('_', '-').rstrip('-')}"
        self.repository = f"{registry.host}/{self.path}"
        self.files = folder / "work"
        self.files.mkdir()
        self.temp = folder / "temp"
        self.temp.mkdir()
        (folder / "home").mkdir()
        run_git("init", "--quiet", "--initial-branch=main", directory=self.files)
        shutil.copy(engine.busybox, self.files / "busybox")
        (self.files / "app.txt").write_text("one\n")
        self.commit = self.change("Dockerfile", DOCKERFILE)

    def change(self, path: str, text: str) -> str:
        """Commit one file; the new commit, which is checked out."""
        (self.files / path).write_text(text)
        run_git("add", "--all", directory=self.files)
        run_git("commit", "--quiet", "--message", "Change", directory=self.files)
        self.commit = run_git("rev-parse", "HEAD", directory=self.files).decode().strip()
        return self.commit

    def entry(self, **changes: object) -> str:
        """The matrix entry of the image."""
        whole: dict[str, object] = {
            "name": "app",
            "dockerfile": "Dockerfile",
            "context": ".",
            "target": "production",
            "platforms": "",
            "runner": ["ubuntu-latest"],
            "tags": f"{self.repository}:sha-{self.commit}\n{self.repository}:main",
            "labels": f"{REVISION}={self.commit}",
            "build-args": "WHO=orient",
            "contexts": "",
            "cache-from": "type=gha,scope=app",
            "cache-to": "type=gha,scope=app,mode=max",
            "timeout": 10,
            "input-digest": DIGEST,
            "record": f"{self.repository}:{RECORD}\n{self.repository}:inputs-last-main",
        }
        return json.dumps({**whole, **{k.replace("_", "-"): v for k, v in changes.items()}})

    def environment(self, **inputs: str) -> dict[str, str]:
        """What the runner would set."""
        given = {
            "ENTRY": self.entry(),
            "CACHE": "none",
            **{k.upper(): v for k, v in inputs.items()},
        }
        return {
            **self.engine.env,
            "HOME": str(self.folder / "home"),
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_WORKSPACE": str(self.files),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "RUNNER_TEMP": str(self.temp),
            "ORIENT_DEPLOY_LIBRARIES": sysconfig.get_path("purelib"),
            "PATH": f"{Path(sys.executable).parent}:{self.engine.env['PATH']}",
            **{f"INPUT_{name}": value for name, value in given.items()},
        }

    def run(
        self, action: str = "build", *, environment: Mapping[str, str] | None = None, **inputs: str
    ) -> Finished:
        """Run the action to its end; `environment` is what the step has besides."""
        for name in ("output", "summary"):
            (self.temp / name).unlink(missing_ok=True)
        done = subprocess.run(
            [*LAUNCHER, action],
            env={**self.environment(**inputs), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            check=False,
        )
        return self.finished(done.returncode, done.stdout)

    def finished(self, code: int, log: str) -> Finished:
        output, summary = self.temp / "output", self.temp / "summary"
        return Finished(
            code=code,
            log=log,
            outputs=outputs(output.read_bytes()) if output.exists() else {},
            summary=summary.read_text() if summary.exists() else "",
        )

    def tags(self) -> dict[str, str]:
        """Every tag of the image in the registry, and the digest that it names."""
        listed = self._get("tags/list").json().get("tags") or []
        return {tag: self.manifest(tag).headers["Docker-Content-Digest"] for tag in listed}

    def manifest(self, name: str) -> requests.Response:
        return self._get(f"manifests/{name}")

    def config(self, name: str) -> dict[str, Any]:
        """What an image says of itself, through its index."""
        manifest = self.manifest(name).json()
        while "manifests" in manifest:
            manifest = self.manifest(manifest["manifests"][0]["digest"]).json()
        found: dict[str, Any] = self._get(f"blobs/{manifest['config']['digest']}").json()
        return found

    def _get(self, path: str) -> requests.Response:
        url = f"{self.registry.url}/v2/{self.path}/{path}"
        return requests.get(url, headers={"Accept": ACCEPT}, auth=self.auth, timeout=30)

    @property
    def leftovers(self) -> list[str]:
        return [one.name for one in self.temp.iterdir() if one.name.startswith("orient-deploy")]


@pytest.fixture
def workspace(tmp_path: Path, engine: DockerEngine, registry: ImageRegistry) -> Workspace:
    return Workspace(tmp_path, engine, registry)


def test_an_image_is_built_pushed_and_recorded(workspace: Workspace) -> None:
    finished = workspace.run(hold="v1")

    assert finished.code == 0, finished.log
    digest = finished.outputs["image-digest"]
    assert finished.outputs == {
        "image-digest": digest,
        "reference": f"{workspace.repository}@{digest}",
        "recorded": "true",
    }
    expected = [f"sha-{workspace.commit}", "main", "hold-v1", RECORD, "inputs-last-main"]
    assert workspace.tags() == dict.fromkeys(expected, digest)
    assert workspace.config("inputs-last-main")["config"]["Labels"][REVISION] == workspace.commit
    ran = workspace.engine.docker(
        *("run", "--rm", "--network=none", finished.outputs["reference"]),
        *("/bin/busybox", "cat", "/made", "/app.txt"),
    )
    assert ran.stdout == "made for orient\none\n"
    assert "### Built and pushed app, and recorded it" in finished.summary
    assert workspace.leftovers == []


def test_several_platforms_are_recorded_as_one_index(workspace: Workspace) -> None:
    workspace.change("Dockerfile", "FROM scratch AS production\nCOPY app.txt /\n")

    finished = workspace.run(
        entry=workspace.entry(platforms="linux/amd64,linux/arm64"), provenance="false"
    )

    assert finished.code == 0, finished.log
    assert set(workspace.tags().values()) == {finished.outputs["image-digest"]}
    index = workspace.manifest(RECORD).json()
    assert [one["platform"]["architecture"] for one in index["manifests"]] == ["amd64", "arm64"]
    assert "| platforms | linux/amd64, linux/arm64 |" in finished.summary


def test_a_forced_build_makes_every_layer_anew_and_moves_the_record(workspace: Workspace) -> None:
    first = workspace.run()

    same = workspace.run(provenance="false")
    forced = workspace.run(no_cache="true")

    assert (first.code, same.code, forced.code) == (0, 0, 0), forced.log
    assert "CACHED" in same.log
    assert "CACHED" not in forced.log
    assert workspace.tags()[RECORD] == forced.outputs["image-digest"]
    # An image of layers that were there is as old as they are, however often it is built.
    created = [workspace.config(one.outputs["image-digest"])["created"] for one in (first, same)]
    assert created[0] == created[1] < workspace.config(RECORD)["created"]
    assert forced.outputs["image-digest"] != first.outputs["image-digest"]


def test_a_failed_build_leaves_no_record_and_shows_its_line(workspace: Workspace) -> None:
    workspace.change("Dockerfile", DOCKERFILE + "RUN /bin/busybox echo on its way; exit 3\n")

    finished = workspace.run()

    assert finished.code == 5
    assert workspace.tags() == {}
    (error,) = [one for one in issues(finished.log.encode()) if one.name == "error"]
    assert (error.properties["file"], error.properties["line"]) == ("Dockerfile", "8")
    assert "did not complete successfully: exit code: 3" in error.data
    assert "on its way" in finished.summary
    assert ">>> RUN /bin/busybox echo on its way; exit 3" in finished.summary
    assert finished.outputs == {}
    assert workspace.leftovers == []


def test_a_push_that_nobody_allows_leaves_no_record(
    tmp_path: Path, engine: DockerEngine, private: ImageRegistry
) -> None:
    workspace = Workspace(tmp_path, engine, private)

    finished = workspace.run()

    assert finished.code == 4, finished.log
    assert "cannot be pushed to" in finished.errors[0]
    assert workspace.tags() == {}


def test_a_password_logs_in_for_one_build(
    tmp_path: Path, engine: DockerEngine, private: ImageRegistry
) -> None:
    workspace = Workspace(tmp_path, engine, private)
    before = Path(engine.env["DOCKER_CONFIG"], "config.json").read_text()

    finished = workspace.run(username=USER, password=PASSWORD)

    assert finished.code == 0, finished.log
    assert workspace.tags()[RECORD] == finished.outputs["image-digest"]
    assert PASSWORD not in finished.log.replace(f"::add-mask::{PASSWORD}", "")
    assert Path(engine.env["DOCKER_CONFIG"], "config.json").read_text() == before
    assert workspace.leftovers == []


def test_a_wrong_password_is_told(
    tmp_path: Path, engine: DockerEngine, private: ImageRegistry
) -> None:
    workspace = Workspace(tmp_path, engine, private)

    finished = workspace.run(username=USER, password="mistaken")

    assert finished.code == 4
    assert f"{private.host} refused the login of 'orient'" in finished.errors[0]
    assert workspace.leftovers == []


def test_a_registry_that_is_down_is_told(workspace: Workspace) -> None:
    with image_registry() as gone:
        host = gone.host
    entry = workspace.entry().replace(workspace.registry.host, host)

    finished = workspace.run(entry=entry)

    assert finished.code == 4, finished.log
    assert "cannot be pushed" in finished.errors[0]


def test_an_engine_that_is_down_is_told(workspace: Workspace) -> None:
    finished = workspace.run(environment={"DOCKER_HOST": "unix:///nonexistent.sock"})

    assert finished.code == 3
    assert "the Docker engine does not answer" in finished.errors[0]


def test_a_docker_without_buildx_is_told(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()

    finished = workspace.run(environment={"DOCKER_CONFIG": str(tmp_path / "bare")})

    assert finished.code == 3
    assert "there is no docker buildx" in finished.errors[0]


def test_without_a_push_nothing_leaves_the_builder(workspace: Workspace) -> None:
    def images() -> set[str]:
        return set(workspace.engine.docker("images", "--quiet").stdout.split())

    before = images()

    finished = workspace.run(push="false")

    assert finished.code == 0, finished.log
    assert finished.outputs == {"image-digest": "", "reference": "", "recorded": "false"}
    assert workspace.tags() == {}
    assert images() <= before


def test_secrets_and_named_contexts_reach_the_build(workspace: Workspace) -> None:
    (workspace.files / "shared").mkdir()
    (workspace.files / "shared" / "lib.txt").write_text("shared\n")
    workspace.change(
        "Dockerfile",
        DOCKERFILE
        + "COPY --from=shared lib.txt /lib.txt\n"
        + "RUN --mount=type=secret,id=npm /bin/busybox cat /run/secrets/npm; "
        + "/bin/busybox sha256sum /run/secrets/npm\n",
    )

    finished = workspace.run(
        entry=workspace.entry(contexts="shared=shared"),
        secrets="npm=NPM_TOKEN",
        environment={"NPM_TOKEN": "hunter22"},
    )

    assert finished.code == 0, finished.log
    # sha256 of the value: it did get there, though it is never shown.
    assert "20d2fe5e369db54ec7090639a9dc30ec4d608604936239d39e2de07fda09eb0b" in finished.log
    assert "hunter22" not in finished.log.replace("::add-mask::hunter22", "")


def test_layers_come_back_from_the_registry(workspace: Workspace) -> None:
    workspace.engine.docker("builder", "prune", "--all", "--force")
    first = workspace.run(cache="registry")
    workspace.engine.docker("builder", "prune", "--all", "--force")
    workspace.change("app.txt", "two\n")

    second = workspace.run(cache="registry")

    assert (first.code, second.code) == (0, 0), second.log
    assert "inputs-cache" in workspace.tags()
    assert "CACHED" not in first.log
    assert "RUN /bin/busybox echo" in second.log
    assert "CACHED" in second.log


def test_what_another_step_pushed_is_recorded(workspace: Workspace) -> None:
    image = f"{workspace.repository}:mine"
    label = f"--label={REVISION}={workspace.commit}"
    workspace.engine.docker("build", "--tag", image, label, workspace.files)
    workspace.engine.docker("push", image)
    digest = workspace.tags()["mine"]

    finished = workspace.run(digest=digest)

    assert finished.code == 0, finished.log
    assert workspace.tags() == dict.fromkeys(["mine", RECORD, "inputs-last-main"], digest)
    assert finished.outputs["reference"] == f"{workspace.repository}@{digest}"


# --- with the plan

CONFIG = """\
version: 1
branches: [main]
baseline: registry
images:
  app: {dockerfile: Dockerfile, repository: REPOSITORY, target: production}
"""


def planned(workspace: Workspace, before: str) -> dict[str, str]:
    """What the runner sets for a push from one commit to the one that is checked out."""
    event = workspace.temp / "event.json"
    facts = {"full_name": REPOSITORY, "default_branch": "main"}
    payload = {"ref": "refs/heads/main", "before": before, "after": workspace.commit}
    event.write_text(json.dumps({**payload, "repository": facts}))
    return {
        "GITHUB_SHA": workspace.commit,
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_SERVER_URL": "http://127.0.0.1:9",  # nothing listens there
        "INPUT_BUILDS": "",
    }


def test_what_was_built_is_not_to_be_built_again(workspace: Workspace) -> None:
    """A job names its image, and the next run's plan finds what it recorded."""
    (workspace.files / ".github").mkdir()
    config = CONFIG.replace("REPOSITORY", workspace.repository)
    first = workspace.commit
    workspace.change(".github/orient-deploy.yml", config)
    push = planned(workspace, first)

    def plan() -> Finished:
        return workspace.run("detect", environment=push, entry="")

    before = plan()
    built = workspace.run(environment=push, entry="", image="app")
    after = plan()

    assert json.loads(before.outputs["builds"]) == {"app": "true"}, before.log
    assert (built.code, built.outputs["recorded"]) == (0, "true"), built.log
    assert json.loads(after.outputs["builds"]) == {"app": "false"}, after.log
    tags = workspace.tags()
    (record,) = [tag for tag in tags if re.fullmatch("inputs-[0-9a-f]{40}", tag)]
    assert tags[record] == tags["inputs-last-main"] == built.outputs["image-digest"]

    workspace.change("app.txt", "two\n")
    push = planned(workspace, workspace.commit)
    changed = plan()

    assert json.loads(changed.outputs["builds"]) == {"app": "true"}, changed.log


# --- ended midway


def slow(workspace: Workspace) -> None:
    """A build that says when it is on its way, and then takes an hour."""
    text = DOCKERFILE + "RUN /bin/busybox echo on its way; /bin/busybox sleep 3600\n"
    workspace.change("Dockerfile", text)


def begin(workspace: Workspace) -> subprocess.Popen[str]:
    """The action, once the slow step of its build runs."""
    process = subprocess.Popen(
        [*LAUNCHER, "build"],
        env=workspace.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.rstrip().endswith("on its way") and " 0." in line:
            return process
    pytest.fail("the build ended before it was to be ended")


def builds_of(workspace: Workspace) -> list[str]:
    """The docker commands of this workspace that still run."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if workspace.repository in command:
                found.append(command)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_build_leaves_nothing(workspace: Workspace, number: signal.Signals) -> None:
    slow(workspace)
    with begin(workspace) as process:
        process.send_signal(number)
        log, _ = process.communicate(timeout=60)

    finished = workspace.finished(process.returncode, log)
    assert finished.code == (143 if number == signal.SIGTERM else 130), log
    assert workspace.tags() == {}
    assert builds_of(workspace) == []
    assert workspace.leftovers == []
    assert finished.outputs == {}
    assert "Traceback" not in log


def test_a_killed_build_leaves_no_record(workspace: Workspace) -> None:
    """Whatever docker still does by itself: the record is written by nobody else."""
    slow(workspace)
    with begin(workspace) as process:
        process.kill()
        process.wait(60)
        for one in Path("/proc").iterdir():
            if one.name.isdigit() and _is_of(one, workspace):
                os.kill(int(one.name), signal.SIGKILL)

    assert workspace.tags() == {}


def _is_of(process: Path, workspace: Workspace) -> bool:
    try:
        return workspace.repository in (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False


def test_a_build_out_of_time_is_ended(workspace: Workspace) -> None:
    slow(workspace)
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from orient_deploy.buildx import docker\n"
        "run = docker.Docker.build\n"
        "def build(self, *given, timeout_s, **named):\n"
        "    return run(self, *given, timeout_s=timeout_s / 200, **named)\n"
        "docker.Docker.build = build\n"
        "from orient_deploy.commands.main import main\n"
        "sys.exit(main(['build']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(ROOT / "scripts")],
        env=workspace.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )

    finished = workspace.finished(done.returncode, done.stdout)
    assert finished.code == 5
    assert "the build of app did not end in 10 minutes" in finished.errors[0]
    assert workspace.tags() == {}
    assert builds_of(workspace) == []


# --- as a consumer's workflow runs it

WORKFLOW = """\
name: Build
on: push
permissions: {}
jobs:
  build:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        include:
          - ENTRY
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
      - id: build
        uses: org/orient-deploy-actions/build@v1
        env:
          NPM_TOKEN: hunter22
        with:
          entry: ${{ toJSON(matrix) }}
          secrets: npm=NPM_TOKEN
          cache: none
"""


@pytest.mark.parametrize("layout", [act.main_layout, act.release_layout])
def test_a_workflow_builds_its_matrix(workspace: Workspace, layout: object, tmp_path: Path) -> None:
    dockerfile = DOCKERFILE + "RUN --mount=type=secret,id=npm,required /bin/busybox true\n"
    workspace.change("Dockerfile", dockerfile)
    assert callable(layout)
    library = layout(tmp_path / "library")
    run_git(
        *("remote", "add", "origin", f"https://github.com/{REPOSITORY}.git"),
        directory=workspace.files,
    )

    ran = act.run(
        Sample(path=workspace.files),
        act.push_event(act.NO_COMMIT, workspace.commit),
        library,
        tmp_path / "act",
        workflow=WORKFLOW.replace("ENTRY", workspace.entry()),
        environment=workspace.engine.env,
    )

    assert ran.results == {"build (app)": "success"}, ran.text
    job = ran.jobs["build (app)"]
    digest = workspace.tags()[RECORD]
    assert job.outputs["build"] == {
        "image-digest": digest,
        "reference": f"{workspace.repository}@{digest}",
        "recorded": "true",
    }
    assert "### Built and pushed app, and recorded it" in job.summary
    assert "hunter22" not in job.log
