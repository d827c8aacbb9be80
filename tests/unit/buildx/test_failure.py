"""Of a failed build people hear whose fault it is, where, and see the lines that show it.

The complaints are those that BuildKit 0.25, buildx 0.29, docker 28 and the registries write.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.buildx.docker import Finished
from orient_deploy.buildx.failure import EXCERPT_LINES, explain
from orient_deploy.errors import (
    BuildFailed,
    EnvironmentLacks,
    InputError,
    OrientError,
    RemoteError,
)
from tests.unit.buildx.entries import REPOSITORY, build

FAILED_STEP = """\
#5 [2/2] RUN pnpm run build
#5 0.154 one
#5 ERROR: process "/bin/sh -c pnpm run build" did not complete successfully: exit code: 3
------
 > importing cache manifest from ghcr.io/acme/orient/dashboard:inputs-cache:
------
------
 > [2/2] RUN pnpm run build:
0.154 one
0.154 two
------
Dockerfile:4
--------------------
   2 |     COPY . .
   3 |     # c
   4 | >>> RUN pnpm run build
   5 |     \n--------------------
ERROR: failed to build: failed to solve: process "/bin/sh -c pnpm run build" did not complete \
successfully: exit code: 3
"""


def failed(text: str, *, code: int = 1, timed_out: bool = False) -> Finished:
    return Finished(code=code, tail=tuple(text.split("\n")), timed_out=timed_out, duration_s=1.0)


def test_a_failed_step_is_shown_with_its_line() -> None:
    error = explain(failed(FAILED_STEP), build())

    assert isinstance(error, BuildFailed)
    assert str(error) == (
        'the build of dashboard failed: process "/bin/sh -c pnpm run build" did not complete '
        "successfully: exit code: 3. The end of the build's log shows where"
    )
    assert (error.file, error.line) == ("packages/dashboard/Dockerfile", 4)
    assert error.excerpt[:3] == (" > [2/2] RUN pnpm run build:", "0.154 one", "0.154 two")
    assert "   4 | >>> RUN pnpm run build" in error.excerpt
    assert error.excerpt[-1].startswith("ERROR: failed to build: ")


@pytest.mark.parametrize(
    ("complaint", "kind", "what", "next_step"),
    [
        pytest.param(
            "failed to solve: dockerfile parse error on line 2: unknown instruction: COYP",
            *(BuildFailed, "packages/dashboard/Dockerfile cannot be read as a Dockerfile", ""),
            id="syntax",
        ),
        pytest.param(
            "failed to solve: failed to compute cache key: failed to calculate checksum of ref "
            'wtqf::czl4: "/nothere": not found',
            *(BuildFailed, "the build of dashboard failed", ""),
            id="copies-what-is-not-there",
        ),
        pytest.param(
            "failed to solve: failed to read dockerfile: open nofile: no such file or directory",
            *(InputError, "packages/dashboard/Dockerfile cannot be read", "Check out"),
            id="no-dockerfile",
        ),
        pytest.param(
            'failed to solve: target stage "nope" could not be found',
            *(InputError, "packages/dashboard/Dockerfile has no stage nope", "`target`"),
            id="no-stage",
        ),
        pytest.param(
            'unable to prepare context: path "nodir" not found',
            *(InputError, "the build context of dashboard cannot be read", "`context`"),
            id="no-context",
        ),
        pytest.param(
            "failed to solve: node:99: failed to resolve source metadata for "
            "docker.io/library/node:99: docker.io/library/node:99: not found",
            *(BuildFailed, "that packages/dashboard/Dockerfile builds on cannot be had", "log in"),
            id="no-base",
        ),
        pytest.param(
            "failed to solve: acme/base: pull access denied, repository does not exist or may "
            "require authorization: server message: insufficient_scope: authorization failed",
            *(BuildFailed, "an image that", "log in to its registry"),
            id="private-base",
        ),
        pytest.param(
            f"failed to solve: failed to push {REPOSITORY}:main: unexpected status from HEAD "
            f"request to https://ghcr.io/v2/acme/orient/dashboard/blobs/sha256:f698: 403 Forbidden",
            *(RemoteError, f"cannot be pushed to {REPOSITORY}", "`permissions: packages: write`"),
            id="push-forbidden",
        ),
        pytest.param(
            "failed to solve: failed to push 127.0.0.1:5078/a:c: unexpected status from HEAD "
            "request to http://127.0.0.1:5078/v2/a/blobs/sha256:0e7c: 401 Unauthorized",
            *(RemoteError, "cannot be pushed", "Log in as somebody who may push"),
            id="push-unauthorized",
        ),
        pytest.param(
            f"failed to solve: failed to push {REPOSITORY}:main: denied: permission_denied: "
            "write_package",
            *(RemoteError, "cannot be pushed", "Manage Actions access"),
            id="package-of-another-repository",
        ),
        pytest.param(
            "denied: installation not allowed to Create organization package",
            *(RemoteError, "cannot be pushed", "packages: write"),
            id="no-permission",
        ),
        pytest.param(
            "no basic auth credentials",
            *(RemoteError, "cannot be pushed", "Log in"),
            id="nobody-logged-in",
        ),
        pytest.param(
            "failed to solve: failed to push 127.0.0.1:5999/a:c: failed to do request: Head "
            '"https://127.0.0.1:5999/v2/a": dial tcp 127.0.0.1:5999: connect: connection refused',
            *(RemoteError, "cannot be pushed", "Look at the registry"),
            id="registry-down",
        ),
        pytest.param(
            "failed to solve: failed to push x.dkr.ecr.eu-west-1.amazonaws.com/a:latest: tag "
            "invalid: The image tag 'latest' already exists in the 'a' repository and cannot be "
            "overwritten because the repository is immutable.",
            *(RemoteError, "cannot be pushed", "`immutable-tags: true`"),
            id="immutable",
        ),
        pytest.param(
            "failed to solve: failed to copy files: copy file range failed: no space left on "
            "device",
            *(EnvironmentLacks, "the disk is full", "Free some space"),
            id="disk-full",
        ),
        pytest.param(
            "Multi-platform build is not supported for the docker driver.\nSwitch to a different "
            "driver, or turn on the containerd image store, and try again.",
            *(EnvironmentLacks, "the builder cannot build", "docker/setup-buildx-action"),
            id="platforms",
        ),
        pytest.param(
            "Cannot connect to the Docker daemon at unix:///nope. Is the docker daemon running?",
            *(EnvironmentLacks, "the Docker engine does not answer", "Start it"),
            id="engine-down",
        ),
        pytest.param("what nobody knows", BuildFailed, "the build of", "log", id="unknown"),
    ],
)
def test_a_complaint_is_told_by_its_kind(
    complaint: str, kind: type[OrientError], what: str, next_step: str
) -> None:
    error = explain(failed(f"#1 text\nERROR: failed to build: {complaint}\n"), build(target="nope"))

    assert type(error) is kind
    assert what in error.what
    assert next_step in error.next_step
    assert complaint.splitlines()[0].removeprefix("failed to solve: ") in error.why


@pytest.mark.parametrize(
    ("printed", "what"),
    [
        pytest.param("0.9 ENOSPC: no space left on device, write", "the disk is full", id="disk"),
        pytest.param(
            "0.1 exec /bin/sh: exec format error",
            "this machine cannot run programs of linux/amd64, linux/arm64",
            id="foreign-program",
        ),
    ],
)
def test_the_step_itself_may_tell_what_the_machine_lacks(printed: str, what: str) -> None:
    text = FAILED_STEP.replace("0.154 two", printed)

    error = explain(failed(text), build(platforms="linux/amd64,linux/arm64"))

    assert isinstance(error, EnvironmentLacks)
    assert (error.what, error.why) == (what, printed)
    assert error.line == 4


def test_a_step_that_talks_of_pushing_is_no_push() -> None:
    text = FAILED_STEP.replace("0.154 two", "0.2 failed to push x: denied")

    assert isinstance(explain(failed(text), build()), BuildFailed)


def test_what_ran_out_of_time_is_told_with_its_last_lines() -> None:
    text = "\n".join(f"#5 {index}.0 waiting" for index in range(200))

    error = explain(failed(text, code=130, timed_out=True), build(timeout=7))

    assert isinstance(error, BuildFailed)
    assert error.what == "the build of dashboard did not end in 7 minutes"
    assert "`timeout-minutes`" in error.next_step
    assert len(error.excerpt) == EXCERPT_LINES
    assert error.excerpt[-1] == "#5 199.0 waiting"


def test_a_silent_end_is_told_by_its_code() -> None:
    assert explain(failed("", code=137), build()).why == "docker ended with exit code 137"


@given(st.lists(st.text(max_size=30) | st.sampled_from(FAILED_STEP.split("\n")), max_size=30))
def test_no_log_is_too_odd(lines: list[str]) -> None:
    error = explain(failed("\n".join(lines)), build())

    assert error.what and error.why and error.next_step
    assert len(error.excerpt) <= EXCERPT_LINES
