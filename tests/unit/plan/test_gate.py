"""The gate: open only when the plan wants a deploy and everything it needs has happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.errors import InputError
from orient_deploy.history.model import Base
from orient_deploy.plan.gate import MATRIX_JOBS, RESULTS, Gate, Result, parse_needs
from orient_deploy.plan.model import Plan, Request
from tests.unit.plan import orient
from tests.unit.plan.orient import IMAGES, event, gate, plan

EVERYTHING = plan("packages/core/src/index.ts")
DASHBOARD = plan("packages/dashboard/src/index.ts")
CONFIG_ONLY = plan("docker/nginx-ssl.conf")
NOTHING = plan("docs/index.md")
PULL_REQUEST = plan("packages/core/x.ts", at=event("pull_request", "refs/pull/7/merge"))
DELETED = plan(base=Base(commit=None, reason="branch x was deleted", nothing_to_do=True))

OWN = ("detect", "test", *(f"build-{image}" for image in IMAGES))
MATRIX = ("detect", "test", "build")


def results(jobs: tuple[str, ...] = OWN, /, **changed: Result) -> dict[str, Result]:
    """All jobs succeeded, but for those named; '_' stands for '-'."""
    well: dict[str, Result] = dict.fromkeys(jobs, "success")
    return well | {name.replace("_", "-"): result for name, result in changed.items()}


def skipped(*images: str) -> dict[str, Result]:
    """The builds of these images as `changed` for `results`."""
    return {f"build_{image}": "skipped" for image in images}


def outcomes(made: Gate) -> dict[str, str]:
    """What became of each image."""
    return {one.name: one.outcome for one in made.outcomes}


CASES = [
    # Jobs of one's own.
    pytest.param(EVERYTHING, results(), [], id="all-built"),
    pytest.param(
        DASHBOARD, results(**skipped("opencode", "whatsapp")), [], id="one-built-others-skipped"
    ),
    pytest.param(CONFIG_ONLY, results(**skipped(*IMAGES)), [], id="nothing-to-build"),
    pytest.param(CONFIG_ONLY, {}, [], id="nothing-needed"),
    pytest.param(
        EVERYTHING,
        results(build_dashboard="failure"),
        ["dashboard failed to build (build-dashboard)"],
        id="one-failed",
    ),
    pytest.param(
        EVERYTHING,
        results(build_dashboard="cancelled"),
        ["the build of dashboard was cancelled (build-dashboard)"],
        id="one-cancelled",
    ),
    pytest.param(
        EVERYTHING,
        results(build_dashboard="skipped"),
        ["dashboard was to be built, but build-dashboard was skipped"],
        id="one-skipped",
    ),
    pytest.param(
        EVERYTHING,
        results(test="failure", **skipped(*IMAGES)),
        [
            "test failed",
            "opencode was to be built, but build-opencode was skipped",
            "whatsapp was to be built, but build-whatsapp was skipped",
            "dashboard was to be built, but build-dashboard was skipped",
        ],
        id="the-cause-comes-first",
    ),
    pytest.param(
        EVERYTHING,
        results(build_opencode="skipped", build_whatsapp="failure", build_dashboard="cancelled"),
        [
            "whatsapp failed to build (build-whatsapp)",
            "the build of dashboard was cancelled (build-dashboard)",
            "opencode was to be built, but build-opencode was skipped",
        ],
        id="the-worst-comes-first",
    ),
    pytest.param(EVERYTHING, results(test="skipped"), ["test was skipped"], id="test-skipped"),
    pytest.param(
        EVERYTHING, results(detect="cancelled"), ["detect was cancelled"], id="detect-cancelled"
    ),
    pytest.param(
        CONFIG_ONLY,
        results(**{**skipped("opencode", "whatsapp"), "build_dashboard": "failure"}),
        ["build-dashboard failed"],
        id="a-build-that-nobody-wanted-failed",
    ),
    pytest.param(
        EVERYTHING,
        results(("detect", "build-opencode", "build-whatsapp")),
        ["no job of `needs` builds dashboard"],
        id="missing-job",
    ),
    pytest.param(
        EVERYTHING,
        {},
        ["no job of `needs` builds opencode, whatsapp, dashboard"],
        id="no-jobs",
    ),
    pytest.param(
        DASHBOARD,
        results(("dashboard", "build-dashboard")),
        ["build-dashboard and dashboard could both build dashboard: name the one in `build-jobs`"],
        id="two-jobs-for-one-image",
    ),
    # A matrix.
    pytest.param(EVERYTHING, results(MATRIX), [], id="matrix-built"),
    pytest.param(CONFIG_ONLY, results(MATRIX, build="skipped"), [], id="matrix-nothing-to-build"),
    pytest.param(
        EVERYTHING,
        results(MATRIX, build="failure"),
        [
            "whether opencode, whatsapp, dashboard were built is not known: no leg of "
            "build is known to have done it"
        ],
        id="matrix-failed",
    ),
    pytest.param(
        EVERYTHING,
        results(MATRIX, build="cancelled"),
        [
            "whether opencode, whatsapp, dashboard were built is not known: no leg of "
            "build is known to have done it"
        ],
        id="matrix-cancelled",
    ),
    pytest.param(
        EVERYTHING,
        results(MATRIX, build="skipped"),
        ["opencode, whatsapp, dashboard were to be built, but build was skipped"],
        id="matrix-skipped",
    ),
    pytest.param(
        DASHBOARD,
        results(MATRIX, build="failure"),
        ["dashboard failed to build (build)"],
        id="matrix-of-one-leg-failed",
    ),
    pytest.param(
        EVERYTHING,
        results((*MATRIX, "images")),
        [
            "build and images could both build opencode, whatsapp, dashboard: name the one in "
            "`build-jobs`"
        ],
        id="two-matrices",
    ),
    pytest.param(
        EVERYTHING,
        results((*MATRIX, "build-dashboard"), build_dashboard="failure"),
        ["dashboard failed to build (build-dashboard)"],
        id="matrix-and-a-job-of-its-own",
    ),
]


@pytest.mark.parametrize(("of", "needs", "blockers"), CASES)
def test_the_gate_opens_unless_something_blocks_it(
    of: Plan, needs: dict[str, Result], blockers: list[str]
) -> None:
    made = gate(of, needs)

    assert list(made.blockers) == blockers
    assert made.wanted
    assert made.open is not bool(blockers)
    assert made.reason == ("; ".join(blockers) or of.deploy.reason)
    assert set(made.succeeded + made.failed + made.skipped) == set(needs)


NOT_WANTED = [
    pytest.param(NOTHING, results(**skipped(*IMAGES)), [], id="docs"),
    pytest.param(PULL_REQUEST, results(), [], id="pull-request"),
    # Many pipelines build nothing for a pull request: nobody waits for these images.
    pytest.param(PULL_REQUEST, results(**skipped(*IMAGES)), [], id="pull-request-without-builds"),
    pytest.param(PULL_REQUEST, results(("test",)), [], id="pull-request-without-build-jobs"),
    pytest.param(PULL_REQUEST, results(test="failure"), ["test failed"], id="failed-test"),
    pytest.param(PULL_REQUEST, results(test="skipped"), ["test was skipped"], id="skipped-test"),
    pytest.param(
        PULL_REQUEST,
        results(build_dashboard="failure"),
        ["dashboard failed to build (build-dashboard)"],
        id="pull-request-failed-build",
    ),
    pytest.param(
        PULL_REQUEST,
        results(MATRIX, build="failure"),
        [
            "whether opencode, whatsapp, dashboard were built is not known: no leg of "
            "build is known to have done it"
        ],
        id="pull-request-failed-matrix",
    ),
    pytest.param(DELETED, results(test="skipped", **skipped(*IMAGES)), [], id="branch-deleted"),
    pytest.param(DELETED, results(test="failure"), ["test failed"], id="branch-deleted-failed"),
]


@pytest.mark.parametrize(("of", "needs", "blockers"), NOT_WANTED)
def test_nothing_to_deploy_is_no_failure_but_a_failure_is(
    of: Plan, needs: dict[str, Result], blockers: list[str]
) -> None:
    made = gate(of, needs)

    assert not made.open
    assert not made.wanted
    assert list(made.blockers) == blockers
    assert made.reason == ("; ".join(blockers) or of.deploy.reason)


def test_many_blockers_are_counted_in_the_reason() -> None:
    jobs = tuple(f"job{index}" for index in range(6))

    made = gate(CONFIG_ONLY, dict.fromkeys(jobs, "failure"))

    assert len(made.blockers) == 6
    assert made.reason == ("job0 failed; job1 failed; job2 failed; job3 failed; and 2 more")


# --- required, may-skip, build-jobs


def test_only_required_jobs_count_and_those_that_build() -> None:
    needs = results((*OWN, "lint"), lint="failure", build_dashboard="failure")

    made = gate(EVERYTHING, needs, required=["test"])

    assert made.blockers == ("dashboard failed to build (build-dashboard)",)
    well = results((*OWN, "lint"), lint="failure")
    assert gate(EVERYTHING, well, required=["test"]).open
    assert not gate(EVERYTHING, well).open


def test_a_matrix_that_failed_blocks_although_every_leg_of_an_image_is_well() -> None:
    """Another leg failed, or the legs were guessed wrong: a list does not open the gate."""
    legs = {f"build ({image})": "success" for image in IMAGES} | {"build (docs)": "failure"}

    made = gate(EVERYTHING, results(MATRIX, build="failure"), required=["test"], run_jobs=legs)

    assert set(outcomes(made).values()) == {"built"}
    assert made.blockers == ("build failed",)


def test_jobs_that_may_skip_may_only_skip() -> None:
    needs = results((*OWN, "scan"), scan="skipped")

    assert gate(EVERYTHING, needs).blockers == ("scan was skipped",)
    assert gate(EVERYTHING, needs, may_skip=["scan"]).open
    failed = results((*OWN, "scan"), scan="failure")
    assert gate(EVERYTHING, failed, may_skip=["scan"]).blockers == ("scan failed",)
    cancelled = results((*OWN, "scan"), scan="cancelled")
    assert not gate(EVERYTHING, cancelled, may_skip=["scan"]).open


def test_no_list_lets_an_unbuilt_image_through() -> None:
    needs = results(build_dashboard="skipped")

    made = gate(EVERYTHING, needs, required=["test"], may_skip=["build-dashboard"])

    assert made.blockers == ("dashboard was to be built, but build-dashboard was skipped",)


def test_build_jobs_names_the_job_where_its_id_does_not() -> None:
    needs = results(("docker", "web"), web="failure")
    build_jobs = {"opencode": "docker", "whatsapp": "docker", "dashboard": "web"}

    made = gate(EVERYTHING, needs, build_jobs=build_jobs)

    assert {one.name: one.job for one in made.outcomes} == build_jobs
    assert made.blockers == ("dashboard failed to build (web)",)


@pytest.mark.parametrize("job", [*MATRIX_JOBS, "dashboard", "build-dashboard", "build_dashboard"])
def test_a_job_is_known_by_its_id(job: str) -> None:
    assert gate(DASHBOARD, {job: "success"}).outcomes[0].job == job


@pytest.mark.parametrize("job", ["dash-board", "build", "build-my-app-v1-2", "build_my_app_v1_2"])
def test_an_image_with_dots_is_known_too(job: str) -> None:
    text = orient.CONFIG.replace("  dashboard:", "  my_app.v1.2:")
    made = gate(plan("packages/dashboard/x", config_text=text), {job: "success"})

    assert made.outcomes[0].job == ("" if job == "dash-board" else job)


WRONG: list[Any] = [
    pytest.param({"required": ["tset"]}, r"'required': 'tset' is no job .* detect, test", id="req"),
    pytest.param({"may_skip": ["scan"]}, r"'may-skip': 'scan' is no job", id="may-skip"),
    pytest.param({"build_jobs": {"dashboard": "x"}}, r"'build-jobs': 'x' is no job", id="job"),
    pytest.param(
        {"build_jobs": {"dashbord": "test"}},
        r"'build-jobs': no image is called 'dashbord'.*opencode, whatsapp, dashboard",
        id="image",
    ),
]


@pytest.mark.parametrize(("given_", "message"), WRONG)
def test_a_name_that_is_none_is_refused(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gate(CONFIG_ONLY, results(("detect", "test")), **given_)


def test_a_name_is_refused_where_there_are_no_jobs() -> None:
    with pytest.raises(InputError, match="`needs` has no jobs"):
        gate(CONFIG_ONLY, {}, required=["test"])


# --- the run's jobs

LEGS = [
    pytest.param(
        {
            "build (opencode)": "success",
            "build (whatsapp)": "success",
            "build (dashboard)": "failure",
        },
        ("built", "built", "failed"),
        id="by-value",
    ),
    pytest.param(
        {
            "build (opencode, linux/amd64)": "success",
            "build (opencode, linux/arm64)": "failure",
            "build (whatsapp, linux/amd64)": "success",
            "build (whatsapp, linux/arm64)": "cancelled",
            "build (dashboard, linux/amd64)": "success",
            "build (dashboard, linux/arm64)": "success",
        },
        ("failed", "cancelled", "built"),
        id="the-worst-of-several",
    ),
    pytest.param(
        {
            "Detect changes": "success",
            "Test dashboard": "success",
            "Build opencode": "success",
            "Build WhatsApp": "success",
            "Build dashboard": "success",
            "Build dashboard docs": "failure",
            "Deploy dashboard build": "",
        },
        ("built", "built", "built"),
        id="by-a-name-of-their-own",
    ),
    pytest.param(
        {
            "build (opencode) / docker": "success",
            "build (opencode) / sign": "skipped",
            "build (whatsapp) / docker": "timed_out",
            "build (dashboard) / docker": "startup_failure",
        },
        ("built", "failed", "failed"),
        id="a-called-workflow",
    ),
    pytest.param(
        {
            "build (, type=gha,scope=opencode, ., docker/Dockerfile.opencode.le...": "success",
            "build (, type=gha,scope=whatsapp, ., packages/bot-whatsapp/Docke...": "failure",
            "build (, type=gha,scope=dashboard, ., packages/dashboard/Docker...": "success",
        },
        ("built", "failed", "built"),
        id="a-default-name-that-was-cut",
    ),
    pytest.param(
        {
            "build (opencode, packages/dashboard)": "failure",
            "build (whatsapp, x)": "success",
            "build (dashboard, y)": "success",
        },
        ("failed", "built", "built"),
        id="a-value-beats-a-part-of-one",
    ),
    pytest.param(
        {"build (opencode)": "success"}, ("built", "unknown", "unknown"), id="legs-missing"
    ),
    pytest.param(
        {"build (opencode)": "neutral", "build (whatsapp)": "", "build (dashboard)": "skipped"},
        ("unknown", "unknown", "skipped"),
        id="legs-that-say-nothing",
    ),
    pytest.param(
        {"Docker dashboard": "failure"}, ("unknown", "unknown", "failed"), id="no-build-in-the-name"
    ),
    pytest.param({"rebuild (dashboard)": "failure"}, ("unknown", "unknown", "failed"), id="loose"),
    pytest.param({}, ("unknown",) * 3, id="none"),
]


@pytest.mark.parametrize(("legs", "expected"), LEGS)
def test_the_legs_of_a_failed_matrix_are_told_apart(
    legs: dict[str, str], expected: tuple[str, ...]
) -> None:
    made = gate(EVERYTHING, results(MATRIX, build="failure"), run_jobs=legs)

    assert tuple(outcomes(made).values()) == expected
    assert not made.open


def test_a_leg_that_may_fail_blocks_all_the_same() -> None:
    """`continue-on-error` makes the job a success; the image is not there."""
    legs = {"build (opencode)": "success", "build (whatsapp)": "success"}

    made = gate(EVERYTHING, results(MATRIX), run_jobs=legs | {"build (dashboard)": "failure"})

    assert made.blockers == ("dashboard failed to build (build)",)
    assert gate(EVERYTHING, results(MATRIX), run_jobs=legs | {"build (dashboard)": "success"}).open


def test_a_matrix_without_a_leg_for_an_image_did_not_build_it() -> None:
    """As when detect planned less than the gate: the matrix succeeded, the image is not there."""
    legs = {"build (opencode)": "success", "build (whatsapp)": "success"}

    for run_jobs in (legs, {"build (opencode)": "success"}):
        made = gate(EVERYTHING, results(MATRIX), run_jobs=run_jobs)
        assert "no leg of build is known" in made.blockers[0]
    alone = gate(DASHBOARD, results(MATRIX), run_jobs=legs)
    assert not alone.open
    assert gate(
        EVERYTHING, results(MATRIX), run_jobs={"Docker": "success"}
    ).open  # names of its own


def test_a_job_called_like_an_image_beside_a_matrix_is_ambiguous() -> None:
    told = {**results(MATRIX), "dashboard": "success"}

    (blocker,) = gate(DASHBOARD, told).blockers
    assert blocker.startswith("dashboard and build could both build dashboard")
    assert gate(DASHBOARD, told, build_jobs={"dashboard": "build"}).open


def test_an_own_job_that_may_fail_blocks_all_the_same() -> None:
    made = gate(EVERYTHING, results(), run_jobs={"Build dashboard": "failure"})

    assert made.blockers == ("dashboard failed to build (build-dashboard)",)
    made = gate(EVERYTHING, results(), run_jobs={"build-dashboard": "failure"})
    assert made.blockers == ("dashboard failed to build (build-dashboard)",)
    made = gate(EVERYTHING, results(), run_jobs={"build-dashboard (arm64)": "failure"})
    assert made.blockers == ("dashboard failed to build (build-dashboard)",)


def test_a_good_leg_makes_no_failed_job_of_its_own_good() -> None:
    made = gate(
        EVERYTHING, results(build_dashboard="failure"), run_jobs={"Build dashboard": "success"}
    )

    assert outcomes(made)["dashboard"] == "failed"


def test_the_log_of_a_leg_is_linked() -> None:
    made = gate(
        DASHBOARD, results(MATRIX), run_jobs={"detect": "success", "build (dashboard)": "success"}
    )

    assert made.outcomes[0].url == "https://github.com/acme/orient/job/1"


# --- needs


def test_needs_are_read() -> None:
    needs = {job: {"result": job, "outputs": {}} for job in RESULTS}

    assert parse_needs(needs) == {job: job for job in RESULTS}
    assert parse_needs({}) == {}


@pytest.mark.parametrize(
    "entry", [None, "success", {}, {"result": None}, {"result": "neutral"}, {"result": ["success"]}]
)
def test_a_job_without_a_result_is_refused(entry: object) -> None:
    with pytest.raises(InputError, match=r"'needs': job 'test' has no result.*toJSON\(needs\)"):
        parse_needs({"test": entry})


# --- properties

PLANS = st.sampled_from(
    [
        EVERYTHING,
        DASHBOARD,
        CONFIG_ONLY,
        NOTHING,
        PULL_REQUEST,
        DELETED,
        plan("packages/core/x", request=Request(environment="staging")),
        plan(base=orient.no_base()),
    ]
)
JOBS = (*OWN, "build", "lint", "scan")
NEEDS = st.dictionaries(st.sampled_from(JOBS), st.sampled_from(RESULTS))
CONCLUSIONS = ("success", "failure", "cancelled", "skipped", "neutral", "timed_out", "")
RUN_JOBS = st.none() | st.dictionaries(
    st.sampled_from(
        [
            f"{start}{image}{end}"
            for image in IMAGES
            for start, end in (("build (", ")"), ("Build ", ""), ("Test ", ""), ("build-", ""))
        ]
    ),
    st.sampled_from(CONCLUSIONS),
)


@given(PLANS, NEEDS, RUN_JOBS, st.data())
def test_the_gate_never_opens_on_doubt(
    of: Plan, needs: Mapping[str, Any], run_jobs: Mapping[str, str] | None, data: st.DataObject
) -> None:
    names = st.lists(st.sampled_from(sorted(needs)), unique=True) if needs else st.just([])
    required, may_skip = data.draw(names), data.draw(names)

    made = gate(of, needs, required=required, may_skip=may_skip, run_jobs=run_jobs)

    if made.open:
        assert of.deploy.deploy
        for job in required or needs:
            assert needs[job] == "success" or needs[job] == "skipped"
        for image in of.to_build:
            job = next(job for job in (f"build-{image}", "build") if job in needs)
            assert needs[job] == "success"
        assert set(outcomes(made)) == set(of.to_build)
        assert set(outcomes(made).values()) <= {"built"}
    assert made.open is (made.wanted and not made.blockers)
    assert made.reason
