"""The gate before a deploy: open only when the plan wants one and everything it needs has happened.

Values in, values out. Doubt keeps it shut: a job that is missing, skipped without leave or unknown
is a blocker, and production keeps what it runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from orient_deploy.errors import InputError

if TYPE_CHECKING:
    from orient_deploy.plan.model import EnvironmentDecision, Plan

Result = Literal["success", "failure", "cancelled", "skipped"]
RESULTS = ("success", "failure", "cancelled", "skipped")
MATRIX_JOBS = ("build", "builds", "build-images", "images")  # ids taken for the matrix build
Outcome = Literal["built", "failed", "cancelled", "skipped", "unknown"]

_OUTCOMES: dict[str, Outcome] = {
    "success": "built",
    "failure": "failed",
    "timed_out": "failed",
    "startup_failure": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
}


@dataclass(frozen=True, kw_only=True)
class RunJob:
    """One job of the workflow run as GitHub lists it; `name` is what people see."""

    name: str
    conclusion: str  # 'success', 'failure', …; '' while it runs
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class ImageOutcome:
    """What became of one image that the plan wanted built."""

    name: str
    outcome: Outcome
    job: str  # the job of `needs` that builds it; '' when none does
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The verdict. `blockers` are the reasons it is shut although the plan wanted a deploy."""

    open: bool
    reason: str
    environments: tuple[EnvironmentDecision, ...]
    outcomes: tuple[ImageOutcome, ...]
    succeeded: tuple[str, ...]  # job ids
    failed: tuple[str, ...]  # failed or cancelled
    skipped: tuple[str, ...]
    blockers: tuple[str, ...]


def parse_needs(needs: Mapping[str, object]) -> dict[str, Result]:
    """The results in `toJSON(needs)`: job id to result.

    Raises:
        InputError: an entry without one of GitHub's four results.
    """
    results: dict[str, Result] = {}
    for job, entry in needs.items():
        result = entry.get("result") if isinstance(entry, dict) else None
        if result not in RESULTS:
            raise InputError(
                f"input 'needs': job {job!r} has no result",
                f"each job needs a `result` that is one of {', '.join(RESULTS)}",
                "Pass ${{ toJSON(needs) }} as it is",
            )
        results[job] = cast("Result", result)
    return results


def decide_gate(
    plan: Plan,
    results: Mapping[str, Result],
    *,
    build_jobs: Mapping[str, str],
    required: Sequence[str],
    may_skip: Sequence[str],
    run_jobs: Sequence[RunJob] | None,
) -> Gate:
    """Whether the deploy may start.

    `build_jobs` names the job that builds an image where its id does not tell. `required` are the
    jobs that must have succeeded, by default all of `needs`; `may_skip` those of them that may be
    skipped. A build job may always be skipped when the plan builds nothing in it. `run_jobs` tells
    the legs of a matrix apart; None when GitHub could not be asked.

    Raises:
        InputError: a name in `required`, `may_skip` or `build_jobs` that is no job of `needs`.
    """
    _check_names(results, build_jobs, required, may_skip)
    wanted = plan.to_build
    job_of = {image.name: _job_of(image.name, results, build_jobs) for image in plan.images}
    outcomes = tuple(_outcome(name, job_of[name], results, run_jobs) for name in wanted)
    idle = {job for job in job_of.values() if job} - {job_of[name] for name in wanted}
    blockers = [_image_blocker(one) for one in outcomes if one.outcome != "built"]
    accounted = {one.job for one in outcomes if one.outcome != "built"}
    for job in required or sorted(results):
        result = results[job]
        excused = result == "skipped" and (job in may_skip or job in idle)
        if result != "success" and not excused and job not in accounted:
            blockers.append(f"{job} {_PAST[result]}")
    is_open = plan.deploy.deploy and not blockers
    return Gate(
        open=is_open,
        reason="; ".join(blockers) if plan.deploy.deploy and blockers else plan.deploy.reason,
        environments=plan.environments,
        outcomes=outcomes,
        succeeded=tuple(sorted(job for job in results if results[job] == "success")),
        failed=tuple(sorted(job for job in results if results[job] in ("failure", "cancelled"))),
        skipped=tuple(sorted(job for job in results if results[job] == "skipped")),
        blockers=tuple(blockers),
    )


_PAST = {"failure": "failed", "cancelled": "was cancelled", "skipped": "was skipped"}


def _check_names(
    results: Mapping[str, Result],
    build_jobs: Mapping[str, str],
    required: Sequence[str],
    may_skip: Sequence[str],
) -> None:
    for given_by, names in (
        ("required", required),
        ("may-skip", may_skip),
        ("build-jobs", tuple(build_jobs.values())),
    ):
        for name in names:
            if name not in results:
                raise InputError(
                    f"input '{given_by}': {name!r} is no job of `needs`",
                    f"`needs` has {', '.join(sorted(results)) or 'no jobs'}",
                    "Name a job that this one `needs`, by its id",
                )


def _job_of(image: str, results: Mapping[str, Result], build_jobs: Mapping[str, str]) -> str:
    """The id of the job that builds an image: as told, by its own id, else the one matrix job."""
    if image in build_jobs:
        return build_jobs[image]
    own = [job for job in sorted(results) if _is_own(job, image)]
    shared = [job for job in sorted(results) if job in MATRIX_JOBS]
    candidates = own or shared
    return candidates[0] if len(candidates) == 1 else ""


def _is_own(job: str, image: str) -> bool:
    """Whether a job's id says that it builds this image alone: `dashboard`, `build-dashboard`.

    Job ids are [A-Za-z_][A-Za-z0-9_-]*, an image's name may hold dots besides.
    """
    spelled = re.sub(r"[._]", "-", image)
    return re.sub(r"_", "-", job) in (spelled, f"build-{spelled}")


def _outcome(
    image: str, job: str, results: Mapping[str, Result], run_jobs: Sequence[RunJob] | None
) -> ImageOutcome:
    if not job:
        return ImageOutcome(name=image, outcome="unknown", job="")
    if _is_own(job, image):
        return ImageOutcome(name=image, outcome=_OUTCOMES[results[job]], job=job)
    leg = _leg(image, run_jobs or ())
    if leg is not None:
        outcome = _OUTCOMES.get(leg.conclusion, "unknown")
        return ImageOutcome(name=image, outcome=outcome, job=job, url=leg.url)
    # `needs` has one result for a whole matrix: of one that failed, it does not say which leg did.
    shared = _OUTCOMES[results[job]]
    return ImageOutcome(name=image, outcome="unknown" if shared == "failed" else shared, job=job)


def _leg(image: str, run_jobs: Sequence[RunJob]) -> RunJob | None:
    """The leg of a matrix that builds an image, by its name: 'build (dashboard, linux/arm64)', or
    'Build dashboard' where the job has a name of its own. None when that is not clear."""
    word = rf"(?<![A-Za-z0-9._-]){re.escape(image)}(?![A-Za-z0-9._-])"
    for form in (rf"\((?:[^()]*, )?{word}(?:, [^()]*)?\)$", word):
        legs = [one for one in run_jobs if re.search(form, one.name)]
        if legs:
            return legs[0] if len(legs) == 1 else None
    return None


def _image_blocker(one: ImageOutcome) -> str:
    if not one.job:
        return f"no job of `needs` builds {one.name}"
    if one.outcome == "skipped":
        return f"{one.name} was to be built, but {one.job} was skipped"
    if one.outcome == "unknown":
        return f"{one.job} failed, and whether {one.name} was built is not known"
    return f"{one.name} {_PAST['failure' if one.outcome == 'failed' else 'cancelled']} ({one.job})"
