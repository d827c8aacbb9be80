"""The action `build`: what is pushed and recorded, when, and what is refused before anything is.

Docker is a stand-in here, the registry a real one that holds what docker would have pushed;
tests/e2e/test_build_action.py has both real.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.fakes.docker_command import FakeDocker
from tests.fakes.repositories import run_git
from tests.machines.image_registry import PASSWORD, USER, ImageRegistry, image_registry
from tests.oracles.runner_files import issues, masks
from tests.unit.buildx.entries import DIGEST, as_input
from tests.unit.commands.conftest import Consumer, Finished
from tests.unit.registry.images import REVISION, Pushed, Pusher

RECORD = f"inputs-{DIGEST[:40]}"
TOKEN = "ghs_not-a-secret-token"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def registry() -> Iterator[ImageRegistry]:
    with image_registry() as running:
        yield running


@pytest.fixture(scope="module")
def private() -> Iterator[ImageRegistry]:
    with image_registry(auth=True) as running:
        yield running


@dataclass
class Job:
    """A job of the consumer with a docker and a repository of images of its own."""

    consumer: Consumer
    docker: FakeDocker
    pusher: Pusher
    repository: str

    @property
    def commit(self) -> str:
        return self.consumer.second

    def pushed(self, *tags: str, revision: str | None = "") -> Pushed:
        """An image in the registry, as a build of this job would push it."""
        labels = {} if revision is None else {REVISION: revision or self.commit}
        return self.pusher.image(*tags, labels={**labels, "n": str(next(_numbers))})

    def entry(self, **changes: object) -> str:
        """The matrix entry of the image, for the commit that is checked out."""
        given: dict[str, object] = {
            "name": "web",
            "dockerfile": "web/Dockerfile",
            "tags": f"{self.repository}:sha-{self.commit}\n{self.repository}:main",
            "labels": f"{REVISION}={self.commit}",
            "record": f"{self.repository}:{RECORD}\n{self.repository}:inputs-last-main",
        }
        return as_input(self.repository, **{**given, **changes})

    def builds(self, image: Pushed | None) -> None:
        """Let docker's build end well, having pushed the image."""
        digest = json.dumps({"containerimage.digest": image.digest} if image else {})
        self.docker.runs(
            "buildx build",
            f"""echo "#1 building"
            for one in "$@"; do case $one in
                --metadata-file=*) printf %s '{digest}' >"${{one#*=}}";;
            esac; done""",
        )

    def run(self, **inputs: str | None) -> Finished:
        """Run the action."""
        given: dict[str, str | None] = {"INPUT_ENTRY": self.entry(), "INPUT_TOKEN": TOKEN}
        given.update({f"INPUT_{name.upper()}": value for name, value in inputs.items()})
        return self.consumer.run("build", PATH=self.docker.path, **given)

    def tags(self) -> dict[str, str]:
        """Every tag of the repository and what it names."""
        listed = requests.get(f"{self.pusher.url}/v2/{self.pusher.path}/tags/list", timeout=30)
        return {
            tag: self.pusher.get(tag).headers["Docker-Content-Digest"]
            for tag in listed.json().get("tags") or ()
        }

    @property
    def arguments(self) -> list[str]:
        """Of the one build that was started."""
        (call,) = [one for one in self.docker.calls if one.arguments[1:2] == ["build"]]
        return call.arguments


@pytest.fixture
def job(consumer: Consumer, registry: ImageRegistry, tmp_path: Path) -> Job:
    docker = FakeDocker(tmp_path)
    docker.answers("buildx inspect", stdout="Name: x\nDriver: docker-container\n")
    path = f"acme/app/web-{next(_numbers)}"
    pusher = Pusher(url=registry.url, path=path)
    consumer.env["HOME"] = str(tmp_path)
    return Job(consumer, docker, pusher, f"{registry.host}/{path}")


def test_an_image_is_pushed_and_then_recorded(job: Job) -> None:
    image = job.pushed("main")
    job.builds(image)

    finished = job.run()

    assert finished.code == 0, finished.stdout
    assert finished.outputs == {
        "image-digest": image.digest,
        "reference": f"{job.repository}@{image.digest}",
        "recorded": "true",
    }
    assert job.tags() == dict.fromkeys(["main", RECORD, "inputs-last-main"], image.digest)
    assert finished.summary.startswith("### Built and pushed web, and recorded it\n")
    assert "| size | 7 B |" in finished.summary.replace("&#55;", "7")
    assert "--push" in job.arguments
    assert f"--label={REVISION}={job.commit}" in job.arguments


def test_the_log_of_a_build_is_folded_and_no_command(job: Job) -> None:
    job.docker.runs("buildx build", "echo '#1 ok'; echo '::error::evil'; exit 1")

    finished = job.run()

    assert (
        "::group::docker buildx build web\n#1 ok\n\\::error::evil\n::endgroup::" in finished.stdout
    )
    assert [one for one in finished.errors if "evil" in one and "failed" not in one] == []


def test_a_failed_build_records_nothing(job: Job) -> None:
    """Although its image was pushed in part, or by another run."""
    job.pushed("main")
    job.docker.runs(
        "buildx build",
        "printf '%s\\n' web/Dockerfile:1 -------------------- '   1 | >>> FROM scratch' "
        "-------------------- 'ERROR: failed to build: failed to solve: it is broken'; exit 1",
    )

    finished = job.run()

    assert finished.code == 5
    assert list(job.tags()) == ["main"]
    assert finished.outputs == {}
    assert finished.errors == [
        "the build of web failed: it is broken. The end of the build's log shows where."
    ]
    (error,) = [one for one in issues(finished.stdout.encode()) if one.name == "error"]
    assert (error.properties["file"], error.properties["line"]) == ("web/Dockerfile", "1")
    assert finished.summary.startswith("### the build of web failed\n")
    assert "   1 | >>> FROM scratch" in finished.summary


def test_what_the_registry_does_not_show_is_not_recorded(job: Job) -> None:
    job.pushed("main")
    elsewhere = Pusher(url=job.pusher.url, path=f"{job.pusher.path}-other").image(labels={"n": "x"})
    job.builds(elsewhere)

    finished = job.run()

    assert finished.code == 4
    assert "which was pushed: it has no such image." in finished.errors[0]
    assert list(job.tags()) == ["main"]


def test_a_push_without_a_digest_is_not_recorded(job: Job) -> None:
    job.pushed("main")
    job.builds(None)

    finished = job.run()

    assert finished.code == 3
    assert "buildx did not say which digest it pushed" in finished.errors[0]
    assert list(job.tags()) == ["main"]


def test_a_forced_build_replaces_the_record(job: Job) -> None:
    old, new = job.pushed(RECORD, "inputs-last-main"), job.pushed()
    job.builds(new)

    finished = job.run(no_cache="true")

    assert finished.code == 0, finished.stdout
    assert job.tags() == dict.fromkeys([RECORD, "inputs-last-main"], new.digest)
    assert old.digest != new.digest
    assert {"--no-cache", "--pull"} <= set(job.arguments)


def test_an_entry_may_ask_for_layers_made_anew(job: Job) -> None:
    """What is rebuilt for its age: made of the same layers it would be as old as before."""
    job.builds(job.pushed())

    job.run(entry=job.entry(no_cache=True))

    assert {"--no-cache", "--pull"} <= set(job.arguments)


def test_an_event_that_records_nothing_pushes(job: Job) -> None:
    image = job.pushed("topic")
    job.builds(image)

    finished = job.run(entry=job.entry(record=""))

    assert (finished.code, finished.outputs["recorded"]) == (0, "false")
    assert finished.outputs["image-digest"] == image.digest
    assert list(job.tags()) == ["topic"]
    assert "only deploying branches and version tags record" in finished.summary


@pytest.mark.parametrize(
    ("changes", "given", "pushes"),
    [
        pytest.param({"GITHUB_EVENT_NAME": "push"}, "", True, id="push"),
        pytest.param({"GITHUB_EVENT_NAME": "pull_request"}, "", False, id="pull-request"),
        pytest.param({"GITHUB_EVENT_NAME": "pull_request_target"}, "", False, id="its-target"),
        pytest.param({"GITHUB_EVENT_NAME": "pull_request"}, "true", True, id="asked-for"),
        pytest.param({"GITHUB_EVENT_NAME": "push"}, "false", False, id="not-asked-for"),
    ],
)
def test_pull_requests_push_only_when_asked(
    job: Job, changes: dict[str, str], given: str, pushes: bool
) -> None:
    job.consumer.env.update(changes)
    image = job.pushed()
    job.builds(image)

    finished = job.run(push=given)

    assert finished.code == 0, finished.stdout
    assert ("--push" in job.arguments) is pushes
    assert finished.outputs["image-digest"] == (image.digest if pushes else "")
    assert finished.outputs["recorded"] == ("true" if pushes else "false")
    assert bool(job.tags()) is pushes


def test_a_flag_is_read_strictly(job: Job) -> None:
    assert "input 'push' is 'yes': only true, True" in job.run(push="yes").errors[0]


def test_an_image_is_held_for_what_needs_it(job: Job) -> None:
    image = job.pushed()
    job.builds(image)

    finished = job.run(hold="v1.4.0, production")

    assert finished.code == 0, finished.stdout
    assert set(job.tags()) == {"hold-v1.4.0", "hold-production", RECORD, "inputs-last-main"}
    assert "<code>hold-v1.4.0</code><br><code>hold-production</code>" in finished.summary


def test_a_name_that_no_tag_has_is_refused_before_anything_is_built(job: Job) -> None:
    finished = job.run(hold="a/b")

    assert (finished.code, job.docker.calls) == (2, [])
    assert "'hold-a/b' is no tag" in finished.errors[0]


# --- what is built from


def test_another_commit_than_the_entrys_is_refused(job: Job) -> None:
    run_git("checkout", "--quiet", job.consumer.first, directory=job.consumer.workspace)

    finished = job.run()

    assert (finished.code, job.docker.calls) == (2, [])
    assert (
        f"web was to be built from {job.commit}: the commit that is checked out is "
        in (finished.errors[0])
    )


def test_another_commit_may_be_built_where_nothing_is_pushed(job: Job) -> None:
    run_git("checkout", "--quiet", job.consumer.first, directory=job.consumer.workspace)
    job.builds(None)

    assert job.run(push="false").code == 0


def test_without_a_checkout_nothing_is_pushed(job: Job, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    job.consumer.env["GITHUB_WORKSPACE"] = str(empty)

    finished = job.run()

    assert (finished.code, job.docker.calls) == (2, [])
    assert "nothing is checked out here. Check out that commit" in finished.errors[0]


def test_changed_files_are_told(job: Job) -> None:
    """New ones are not: an earlier step may make them on purpose."""
    (job.consumer.workspace / "web/index.ts").write_text("changed\n")
    (job.consumer.workspace / "web/generated.ts").write_text("new\n")
    job.builds(job.pushed())

    finished = job.run()

    assert finished.code == 0, finished.stdout
    (warning,) = finished.warnings
    assert warning.startswith("an earlier step changed 1 file of the commit (web/index.ts): ")


def test_a_dockerfile_that_is_not_there_is_told(job: Job) -> None:
    finished = job.run(entry=job.entry(dockerfile="web/Dockerfile.gone"), push="false")

    assert (finished.code, job.docker.calls) == (2, [])
    assert "web/Dockerfile.gone is not in" in finished.errors[0]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        pytest.param({"entry": "", "image": ""}, "no image is named", id="neither"),
        pytest.param({"image": "web"}, "inputs 'entry' and 'image' are both given", id="both"),
        pytest.param(
            {"entry": "", "image": "web", "images": "web"}, "input 'images' holds no", id="names"
        ),
        pytest.param({"entry": "null"}, "it is null: the job has no `strategy.matrix`", id="null"),
        pytest.param({"cache": "s3"}, "input 'cache' is 's3'", id="cache"),
        pytest.param({"secrets": "npm=GONE"}, "the variable GONE of secret npm", id="secret"),
        pytest.param({"path": "gone"}, "there is no folder 'gone' in the workspace", id="path"),
    ],
)
def test_wrong_inputs_build_nothing(job: Job, given: dict[str, str], what: str) -> None:
    finished = job.run(**given)

    assert finished.code == 2
    assert what in finished.errors[0]
    assert not [one for one in job.docker.calls if one.arguments[:2] == ["buildx", "build"]]


def test_an_image_is_named_where_there_is_no_matrix(job: Job) -> None:
    images = f"web: {{dockerfile: web/Dockerfile, repository: {job.repository}, watch: [web/**]}}"
    job.builds(job.pushed())

    finished = job.run(entry="", image="web", images=images)

    assert finished.code == 0, finished.stdout
    assert f"--tag={job.repository}:sha-{job.commit}" in job.arguments
    assert f"--label={REVISION}={job.commit}" in job.arguments


def test_an_image_that_is_not_configured_is_told(job: Job) -> None:
    finished = job.run(entry="", image="wep")

    assert (finished.code, job.docker.calls) == (2, [])
    assert "there is no image 'wep': the configuration has api, web." in finished.errors[0]


# --- who pushes


def test_secrets_are_hidden_and_named_by_variable(job: Job) -> None:
    job.docker.answers("login")
    job.docker.runs("buildx build", 'echo "the token is $NPM_TOKEN"')

    finished = job.consumer.run(
        "build",
        PATH=job.docker.path,
        NPM_TOKEN="hunter22",
        INPUT_ENTRY=job.entry(),
        INPUT_PUSH="false",
        INPUT_PASSWORD="hunter23",
        INPUT_SECRETS="npm=NPM_TOKEN",
    )

    assert "the token is ***\n" in finished.stdout
    assert masks(finished.stdout.encode()) == {"hunter22", "hunter23"}
    assert "--secret=id=npm,env=NPM_TOKEN" in job.arguments
    for call in job.docker.calls:
        assert not any("hunter" in one for one in call.arguments)
        assert "INPUT_PASSWORD" not in call.environment


def private_job(job: Job, private: ImageRegistry) -> Job:
    """The same with a registry that asks for a login."""
    options = {"auth": (USER, PASSWORD)}
    pusher = Pusher(url=private.url, path=job.pusher.path, options=options)
    return Job(job.consumer, job.docker, pusher, f"{private.host}/{job.pusher.path}")


def test_a_password_is_for_the_images_registry(job: Job, private: ImageRegistry) -> None:
    job = private_job(job, private)
    image = job.pushed()
    job.docker.answers("login")
    job.builds(image)

    finished = job.run(username=USER, password=PASSWORD)

    assert finished.code == 0, finished.stdout
    assert job.pusher.get(RECORD).headers["Docker-Content-Digest"] == image.digest
    (login,) = [one for one in job.docker.calls if one.arguments[0] == "login"]
    assert login.arguments[1:] == [f"--username={USER}", "--password-stdin", "--", private.host]
    assert login.stdin == PASSWORD
    assert [one.name for one in job.consumer.temp.iterdir() if "orient" in one.name] == []


def test_an_earlier_login_is_used(job: Job, private: ImageRegistry, tmp_path: Path) -> None:
    job = private_job(job, private)
    image = job.pushed()
    job.builds(image)
    (tmp_path / ".docker").mkdir()
    auth = {"username": USER, "password": PASSWORD}
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {private.host: auth}}))

    finished = job.run()

    assert finished.code == 0, finished.stdout
    assert job.pusher.get(RECORD).headers["Docker-Content-Digest"] == image.digest
    assert not [one for one in job.docker.calls if one.arguments[0] == "login"]


def test_nobody_who_may_write_is_told_so(job: Job, private: ImageRegistry) -> None:
    job = private_job(job, private)
    job.builds(job.pushed())

    finished = job.run()

    assert finished.code == 4
    assert job.pusher.get(RECORD).status_code == 404


@pytest.mark.parametrize(
    ("host", "token", "push", "logged_in", "logs_in"),
    [
        pytest.param("ghcr.io", TOKEN, "true", False, True, id="the-jobs-token"),
        pytest.param("ghcr.io", TOKEN, "true", True, False, id="earlier-login-first"),
        pytest.param("ghcr.io", TOKEN, "false", False, False, id="nothing-to-push"),
        pytest.param("ghcr.io", None, "true", False, False, id="no-token"),
        pytest.param("registry.example.com", TOKEN, "true", False, False, id="another-registry"),
    ],
)
def test_the_jobs_token_is_for_githubs_registry_alone(
    job: Job,
    host: str,
    token: str | None,
    push: str,
    logged_in: bool,
    logs_in: bool,
    tmp_path: Path,
) -> None:
    job.docker.answers("login")
    job.docker.runs("buildx build", "exit 1")
    if logged_in:
        (tmp_path / ".docker").mkdir()
        text = '{"auths": {"ghcr.io": {"auth": "eDp5"}}}'
        (tmp_path / ".docker" / "config.json").write_text(text)
    entry = job.entry(tags=f"{host}/acme/web:main", record="")
    job.consumer.env["GITHUB_ACTOR"] = "octocat"

    job.run(entry=entry, token=token, push=push)

    logins = [one for one in job.docker.calls if one.arguments[0] == "login"]
    assert bool(logins) is logs_in
    for login in logins:
        assert (login.arguments[1], login.stdin) == ("--username=octocat", TOKEN)


# --- what another step pushed


@pytest.mark.parametrize("by", ["digest", "tag"])
def test_what_another_step_pushed_is_recorded(job: Job, by: str) -> None:
    image = job.pushed("main")

    finished = job.run(digest=image.digest if by == "digest" else "main")

    assert finished.code == 0, finished.stdout
    assert job.docker.calls == []
    assert finished.outputs == {
        "image-digest": image.digest,
        "reference": f"{job.repository}@{image.digest}",
        "recorded": "true",
    }
    assert job.tags() == dict.fromkeys(["main", RECORD, "inputs-last-main"], image.digest)
    assert finished.summary.startswith("### Recorded web\n")


def test_an_index_is_recorded_where_there_is_no_checkout(job: Job, tmp_path: Path) -> None:
    """The platforms were built by jobs of their own, and this one merged them."""
    (tmp_path / "empty").mkdir()
    job.consumer.env["GITHUB_WORKSPACE"] = str(tmp_path / "empty")
    index = job.pusher.index([job.pushed().as_child(), job.pushed().as_child()], "merged")

    finished = job.run(digest="merged")

    assert finished.code == 0, finished.stdout
    assert job.tags()[RECORD] == index.digest


@pytest.mark.parametrize(
    ("change", "code", "what"),
    [
        pytest.param("gone", 2, "input 'digest': there is no", id="nothing-there"),
        pytest.param("half", 2, "has no such image, or lacks a part of it", id="half-there"),
        pytest.param("other", 2, "was built from another commit", id="of-another-commit"),
        pytest.param("odd", 2, "is no tag of an image", id="no-name"),
    ],
)
def test_what_is_not_this_image_is_not_recorded(
    job: Job, change: str, code: int, what: str
) -> None:
    image = job.pushed(revision="ab" * 20 if change == "other" else "")
    given = {"gone": "gone", "odd": "a/b"}.get(change, image.digest)
    if change == "half":
        given = job.pusher.index([image.as_child()], "half").digest
        job.pusher.delete(image.digest)

    finished = job.run(digest=given)

    assert finished.code == code
    assert what in finished.errors[0]
    assert RECORD not in job.tags()


def test_what_is_no_image_is_not_recorded(job: Job) -> None:
    child = job.pushed().as_child()
    attestation = {**child, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    index = job.pusher.index([attestation], "odd")

    finished = job.run(digest=index.digest)

    assert finished.code == 4
    assert "cannot be recorded: " in finished.errors[0]
    assert "nothing was recorded." in finished.errors[0]
    assert list(job.tags()) == ["odd"]


def test_a_registry_that_does_not_answer_records_nothing(job: Job) -> None:
    entry = job.entry().replace(job.repository, "127.0.0.1:9/acme/web")  # nothing listens there

    finished = job.run(entry=entry, digest="main")

    assert finished.code == 4
    assert "127.0.0.1:9/acme/web:main cannot be recorded: " in finished.errors[0]
    assert finished.outputs == {}


def test_an_image_that_does_not_name_its_commit_is_recorded_with_a_word(job: Job) -> None:
    image = job.pushed(revision=None)

    finished = job.run(digest=image.digest)

    assert finished.outputs["recorded"] == "true"
    (notice,) = [one for one in issues(finished.stdout.encode()) if one.name == "notice"]
    assert "carries no label org.opencontainers.image.revision" in notice.data


def test_where_nothing_is_recorded_the_image_is_only_told(job: Job) -> None:
    image = job.pushed("topic")

    finished = job.run(entry=job.entry(record=""), digest="topic")

    assert (finished.code, finished.outputs["recorded"]) == (0, "false")
    assert finished.outputs["image-digest"] == image.digest
    assert finished.summary.startswith("### Recorded nothing of web\n")


# --- caches


def test_a_cache_elsewhere_is_told(job: Job) -> None:
    job.builds(job.pushed())

    finished = job.run()

    (notice,) = [one for one in issues(finished.stdout.encode()) if one.name == "notice"]
    assert f"layers are cached in {job.repository}:inputs-cache" in notice.data
    assert f"--cache-from=type=registry,ref={job.repository}:inputs-cache" in job.arguments
