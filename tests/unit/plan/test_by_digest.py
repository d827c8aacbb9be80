"""What is built and deployed when input digests decide, and the sentence that says why."""

from __future__ import annotations

import pytest

from orient_deploy.history.model import Base
from orient_deploy.inputs.images import Difference
from orient_deploy.plan.gate import Gate, Result
from orient_deploy.plan.model import (
    UNUSED,
    Deployed,
    ImageDecision,
    ImageFacts,
    Plan,
    Record,
    Request,
)
from tests.unit.plan import orient
from tests.unit.plan.orient import BASE, HEAD, changes, no_base, push
from tests.unit.plan.recorded import (
    ABSENT,
    CORE,
    DAY_S,
    LOCK,
    NOTES,
    NOW_S,
    OLDER,
    PRESENT,
    RECORDS,
    REFUSED,
    facts,
    plan,
)


def dashboard(made: Plan) -> ImageDecision:
    """The decision about the one image that the cases are about."""
    (found,) = [one for one in made.images if one.name == "dashboard"]
    return found


# --- images

DECIDED = [
    pytest.param(
        facts(), False, "its image exists: inputs 111111111111", id="an-image-with-its-inputs"
    ),
    pytest.param(
        facts(record=Record(state="present", commit=OLDER)),
        False,
        "its image exists: built from 7777777",
        id="a-revert-uses-the-old-image",
    ),
    pytest.param(
        facts(record=ABSENT, base_digest="2" * 64, differences=(CORE,)),
        True,
        "changed: packages/core/src/index.ts, read by packages/dashboard/Dockerfile line 48",
        id="a-changed-file",
    ),
    pytest.param(
        facts(record=ABSENT, base_digest="2" * 64, differences=(NOTES, CORE, LOCK)),
        True,
        "changed: packages/core/src/index.ts, read by packages/dashboard/Dockerfile line 48 "
        "(and 2 more files)",
        id="an-ignored-file-is-not-named-first",
    ),
    pytest.param(
        facts(record=ABSENT, base_digest="2" * 64, differences=(NOTES,)),
        True,
        "changed: packages/core/NOTES.md, read by packages/dashboard/Dockerfile line 48",
        id="ignored-files-alone-still-build",
    ),
    pytest.param(
        facts(record=ABSENT),
        True,
        "no image has its inputs, though nothing changed since 0d9e8f7: a build was not finished, "
        "or not recorded",
        id="a-failed-build-is-healed",
    ),
    pytest.param(
        facts(record=ABSENT, base=no_base(), base_digest="", run_digest=""),
        True,
        "no image has its inputs (inputs 111111111111)",
        id="absent-without-a-base",
    ),
    pytest.param(
        facts(record=ABSENT, base_digest="2" * 64),
        True,
        "what it is built on changed",
        id="a-sibling-changed",
    ),
    pytest.param(
        facts(record=ABSENT, base_digest=""),
        True,
        "what it was made of at 0d9e8f7 is not known",
        id="a-base-that-cannot-be-read",
    ),
    pytest.param(
        facts(record=REFUSED),
        False,
        "unchanged since 0d9e8f7; the registry was no help: ghcr.io answered 403",
        id="refused-and-unchanged",
    ),
    pytest.param(
        facts(record=REFUSED, base_digest="2" * 64, differences=(CORE,)),
        True,
        "changed: packages/core/src/index.ts, read by packages/dashboard/Dockerfile line 48; "
        "the registry was no help: ghcr.io answered 403",
        id="refused-and-changed",
    ),
    pytest.param(
        facts(record=REFUSED, base=no_base(), base_digest="", run_digest=""),
        True,
        "nothing to compare with: this is the first push of the branch; the registry was no help: "
        "ghcr.io answered 403",
        id="refused-without-a-base",
    ),
    pytest.param(facts(record=UNUSED), False, "unchanged since 0d9e8f7", id="no-records-unchanged"),
    pytest.param(
        facts(record=UNUSED, base_digest="2" * 64, differences=(LOCK,)),
        True,
        "changed: pnpm-lock.yaml, watched by pnpm-lock.yaml",
        id="no-records-changed",
    ),
    pytest.param(
        facts(record=ABSENT, base=Base(commit=OLDER, reason="its last recorded build")),
        True,
        "no image has its inputs, though nothing changed since 7777777: a build was not finished, "
        "or not recorded",
        id="its-own-base",
    ),
]


@pytest.mark.parametrize(("known", "build", "reason"), DECIDED)
def test_an_image_is_built_when_none_has_its_inputs(
    known: ImageFacts, build: bool, reason: str
) -> None:
    found = dashboard(plan(dashboard=known))

    assert (found.build, found.reason) == (build, reason)
    assert found.digest == "1" * 64
    assert found.record == known.record
    assert found.files == tuple(one.path for one in known.differences)


@pytest.mark.parametrize(
    ("created_s", "build", "reason"),
    [
        pytest.param(NOW_S - 30 * DAY_S, False, "its image exists", id="just-young-enough"),
        pytest.param(
            NOW_S - 31 * DAY_S,
            True,
            "its image is 31 days old, and max-age is 30 days",
            id="too-old",
        ),
        pytest.param(
            None, True, "max-age is set, and its image does not say when it was built", id="unknown"
        ),
    ],
)
def test_an_image_is_rebuilt_for_its_age(created_s: float | None, build: bool, reason: str) -> None:
    record = Record(state="present", reference="x@sha256:1", created_s=created_s)
    text = RECORDS.replace("typical-minutes: 2", "max-age: 30d")

    found = dashboard(plan(text=text, dashboard=facts(record=record)))

    assert found.build == build
    assert found.reason.startswith(reason)


def test_a_new_definition_is_the_reason_where_no_file_changed() -> None:
    before = RECORDS.replace("repository: ghcr.io/acme/orient/dashboard", "target: old")

    found = dashboard(plan(base_text=before, dashboard=facts(record=ABSENT, base_digest="2" * 64)))

    assert found.reason == "its configuration changed: target, repository"


@pytest.mark.parametrize("record", [UNUSED, REFUSED], ids=["no-records", "refused"])
def test_an_image_that_goes_elsewhere_is_built(record: Record) -> None:
    """Its inputs are the same, and where it is to be nobody has it."""
    before = RECORDS.replace("orient/dashboard", "elsewhere/dashboard")

    found = dashboard(plan(base_text=before, dashboard=facts(record=record)))

    assert found.build
    assert found.reason.startswith("its configuration changed: repository")


def test_a_narrow_list_never_keeps_an_image_that_reads_more() -> None:
    outside = Difference(path="AGENTS.md", why="read by packages/dashboard/Dockerfile line 9")

    found = dashboard(
        plan(
            changed=("AGENTS.md",),
            dashboard=facts(record=UNUSED, base_digest="2" * 64, differences=(outside,)),
        )
    )

    assert found.build
    assert found.reason == "changed: AGENTS.md, read by packages/dashboard/Dockerfile line 9"


def test_wishes_come_before_records() -> None:
    forced = plan(request=Request(force=True))
    named = plan(
        request=Request(images=("whatsapp",)),
        dashboard=facts(record=ABSENT, base_digest="2" * 64, differences=(CORE,)),
    )

    assert forced.to_build == ("opencode", "whatsapp", "dashboard")
    assert named.to_build == ("whatsapp",)
    assert dashboard(named).reason == (
        "not among the images asked for, although changed: packages/core/src/index.ts, read by "
        "packages/dashboard/Dockerfile line 48"
    )


def test_what_exists_is_built_of_no_cached_layer() -> None:
    """Built of cached ones it would be the image that there is, as old as it is."""
    old = Record(state="present", reference="x@sha256:1", created_s=0.0)
    aged = plan(
        text=RECORDS.replace("typical-minutes: 2", "max-age: 30d"), dashboard=facts(record=old)
    )
    missing = plan(dashboard=facts(record=ABSENT))

    assert dashboard(aged).anew
    assert not dashboard(missing).anew
    assert dashboard(plan(request=Request(force=True), dashboard=facts(record=ABSENT))).anew
    assert dashboard(plan(request=Request(images=("dashboard",)))).anew


# --- environments


def production(made: Plan) -> tuple[bool, str]:
    (found,) = [one for one in made.environments if one.name == "production"]
    return found.deploy, found.reason


def test_a_push_of_documents_builds_and_deploys_nothing() -> None:
    made = plan(changed=("docs/a.txt",))

    assert made.to_build == ()
    assert production(made) == (False, "nothing that runs there changed since 0d9e8f7")


def test_a_revert_deploys_though_it_builds_nothing() -> None:
    made = plan(dashboard=facts(base_digest="2" * 64, run_digest="2" * 64, differences=(CORE,)))

    assert made.to_build == ()
    assert production(made) == (True, "other images than at 0d9e8f7: dashboard")


def test_without_a_base_images_that_exist_are_deployed() -> None:
    nothing = facts(base=no_base(), base_digest="", run_digest="")
    made = plan(base=no_base(), opencode=nothing, whatsapp=nothing, dashboard=nothing)

    assert made.to_build == ()
    assert production(made)[0]


def test_what_this_run_built_is_new_once_it_has_finished() -> None:
    built = facts(record=Record(state="present", reference="x@sha256:1", commit=HEAD))

    assert production(plan(finished=True, dashboard=built)) == (
        True,
        "built from this commit: dashboard",
    )
    assert not production(plan(finished=False, dashboard=built))[0]


OWED = [
    pytest.param(
        Deployed(
            commit=OLDER, references={}, digests=dict.fromkeys(orient.IMAGES, "1" * 64), changes=()
        ),
        False,
        "what 7777777 deployed still holds",
        id="the-same",
    ),
    pytest.param(
        Deployed(
            commit=OLDER,
            references={},
            digests={"opencode": "1" * 64, "whatsapp": "1" * 64, "dashboard": "2" * 64},
            changes=(),
        ),
        True,
        "other images than 7777777 deployed: dashboard",
        id="a-failed-deploy-is-owed",
    ),
    pytest.param(
        Deployed(
            commit=OLDER,
            references=dict.fromkeys(orient.IMAGES, PRESENT.reference),
            digests={},
            changes=(),
        ),
        False,
        "what 7777777 deployed still holds",
        id="the-same-references",
    ),
    pytest.param(
        Deployed(
            commit=OLDER,
            references=dict.fromkeys(orient.IMAGES, PRESENT.reference)
            | {"dashboard": "x@sha256:0"},
            digests=dict.fromkeys(orient.IMAGES, "1" * 64),
            changes=(),
        ),
        True,
        "other images than 7777777 deployed: dashboard",
        id="a-forced-build-has-another-reference",
    ),
    pytest.param(
        Deployed(
            commit=OLDER,
            references={},
            digests=dict.fromkeys(orient.IMAGES, "1" * 64),
            changes=None,
        ),
        True,
        "what changed since 7777777 was deployed is not known",
        id="changes-not-known",
    ),
    pytest.param(
        Deployed(
            commit=OLDER,
            references={},
            digests=dict.fromkeys(orient.IMAGES, "1" * 64),
            changes=changes(["docker/nginx-ssl.conf", "docs/x"]),
        ),
        True,
        "changed since 7777777 was deployed: docker/nginx-ssl.conf",
        id="a-synced-file",
    ),
    pytest.param(
        Deployed(
            commit=OLDER,
            references={},
            digests=dict.fromkeys(orient.IMAGES, "1" * 64),
            changes=(),
            tried="8" * 40,
        ),
        True,
        "the deployment of 8888888 did not succeed, and may have begun",
        id="a-later-deployment-went-wrong",
    ),
    pytest.param(
        Deployed(commit=OLDER, references={}, digests={}, changes=()),
        True,
        "other images than 7777777 deployed: opencode, whatsapp, dashboard",
        id="nothing-known-of-its-images",
    ),
]


@pytest.mark.parametrize(("deployed", "deploy", "reason"), OWED)
def test_the_last_good_deployment_decides(deployed: Deployed, deploy: bool, reason: str) -> None:
    assert production(plan(deployments={"production": deployed})) == (deploy, reason)


def test_a_new_image_deploys_whatever_was_deployed() -> None:
    same = Deployed(
        commit=OLDER, references={}, digests=dict.fromkeys(orient.IMAGES, "1" * 64), changes=()
    )
    made = plan(deployments={"production": same}, dashboard=facts(record=ABSENT))

    assert production(made) == (True, "new images: dashboard")


def test_an_event_that_may_not_deploy_is_told_apart() -> None:
    made = plan(at=push("refs/heads/feature"))

    assert [one.allowed for one in made.environments] == [False, False]


# --- the gate, when the builds are done

RESULTS: dict[str, Result] = {"build-dashboard": "success", "test": "success"}


def gate(known: ImageFacts, **results: Result) -> Gate:
    made = plan(dashboard=known, finished=True)
    return orient.gate(
        made, RESULTS | {name.replace("_", "-"): one for name, one in results.items()}
    )


def test_the_gate_opens_for_an_image_that_exists() -> None:
    found = gate(facts(record=Record(state="present", reference="x@sha256:1", commit=HEAD)))

    assert found.open
    assert found.reason == "built from this commit: dashboard"


def test_the_gate_stays_shut_where_a_build_left_no_record() -> None:
    found = gate(facts(record=Record(state="absent", expected=True)))

    assert not found.open
    assert found.blockers == (
        "build-dashboard succeeded, but no image with the inputs of dashboard is in the registry",
    )


def test_the_gate_trusts_the_job_where_records_are_not_written() -> None:
    found = gate(facts(record=Record(state="absent"), base_digest="2" * 64))

    assert found.open


def test_a_forced_build_counts_once_its_own_record_is_there() -> None:
    request = Request(force=True)
    old = facts(record=Record(state="present", reference="x@sha256:1", commit=OLDER))
    new = facts(record=Record(state="present", reference="x@sha256:1", commit=HEAD))
    results: dict[str, Result] = {"build": "failure"}

    before = plan(request=request, finished=True, opencode=old, whatsapp=old, dashboard=old)
    after = plan(request=request, finished=True, opencode=new, whatsapp=new, dashboard=new)

    assert {one.outcome for one in orient.gate(before, results).outcomes} == {"unknown"}
    assert {one.outcome for one in orient.gate(after, results).outcomes} == {"built"}
    assert BASE != OLDER
