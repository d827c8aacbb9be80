"""The gate before a deploy: open only when the plan wants one and everything it needs has happened.

Values in, values out. Doubt keeps it shut: a job that is missing, skipped without leave or unknown
is a blocker, and production keeps what it runs. Where nothing is to be deployed, nothing needs to
have been built, and only what failed is a blocker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from orient_deploy.errors import InputError
from orient_deploy.plan.wording import listed

if TYPE_CHECKING:
    from orient_deploy.github.model import Job
    from orient_deploy.plan.model import EnvironmentDecision, ImageDecision, Plan

Result = Literal["success", "failure", "cancelled", "skipped"]
RESULTS = ("success", "failure", "cancelled", "skipped")
MATRIX_JOBS = ("build", "builds", "build-images", "images")  # ids taken for the matrix build
BLOCKERS_SHOWN = 4  # in the reason
Outcome = Literal["built", "failed", "cancelled", "skipped", "unrecorded", "unknown"]

# What a job of `needs` or of the run says about its image, the worst last. A conclusion that is not
# here ('neutral', 'stale', or none yet) says nothing.
_OUTCOMES: dict[str, Outcome] = {
    "skipped": "skipped",
    "success": "built",
    "cancelled": "cancelled",
    "failure": "failed",
    "timed_out": "failed",
    "startup_failure": "failed",
}
_SEVERITY = tuple(_OUTCOMES)


@dataclass(frozen=True, kw_only=True)
class ImageOutcome:
    """What became of one image that the plan wanted built."""

    name: str
    outcome: Outcome
    job: str  # the job of `needs` that builds it; '' when none does
    url: str = ""  # of the job or leg, when the run's jobs are known


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The verdict.

    `wanted` is whether the plan wanted a deploy. `blockers` say what did not succeed, one clause
    each: with any the gate is shut, and without one it is open exactly when a deploy was wanted.
    """

    wanted: bool
    reason: str
    reason_of_plan: str  # why the plan wanted a deploy, or did not
    environments: tuple[EnvironmentDecision, ...]
    destinations: tuple[str, ...]  # environments that the plan wanted to deploy to
    outcomes: tuple[ImageOutcome, ...]
    succeeded: tuple[str, ...]  # job ids
    failed: tuple[str, ...]  # failed or cancelled
    skipped: tuple[str, ...]
    blockers: tuple[str, ...]
    recorded: bool = False  # builds leave records, so that a later run knows what is missing

    @property
    def open(self) -> bool:
        """Whether the deploy may start."""
        return self.wanted and not self.blockers


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
    run_jobs: Sequence[Job] | None,
) -> Gate:
    """Whether the deploy may start.

    `build_jobs` names the job that builds an image where its id does not tell. `required` are the
    jobs that must have succeeded, by default all of `needs`, and always those that build an image
    of the plan; `may_skip` are those of them that may be skipped. A build job may always be skipped
    when the plan builds nothing in it, or when nothing is to be deployed. `run_jobs` tells the legs
    of a matrix apart, and a failure that `continue-on-error` hides; None when they are not known.

    Raises:
        InputError: a name in `required`, `may_skip` or `build_jobs` that is no job of `needs`, or
            an image in `build_jobs` that is not configured.
    """
    _check_names(plan, results, build_jobs, required, may_skip)
    wanted = plan.deploy.deploy
    jobs_of = {image.name: _jobs_of(image.name, results, build_jobs) for image in plan.images}
    job_of = {name: jobs[0] if len(jobs) == 1 else "" for name, jobs in jobs_of.items()}
    building = {name: job_of[name] for name in plan.to_build}
    outcomes = tuple(
        _with_record(image, _outcome(image.name, building, results, run_jobs or ()), plan.head)
        for image in plan.images
        if image.build
    )
    missing = [
        one
        for one in outcomes
        if one.outcome != "built" and (wanted or (one.job and one.outcome != "skipped"))
    ]
    told = {one.job for one in missing}
    build_ids = set(job_of.values())
    failures, skips = [], []
    for job in dict.fromkeys([*(required or sorted(results)), *filter(None, building.values())]):
        result = results[job]
        if result == "success" or job in told:
            continue
        if result != "skipped":
            failures.append(f"{job} {_PAST[result]}")
        elif job not in may_skip and job not in build_ids and not plan.base.nothing_to_do:
            skips.append(f"{job} was skipped")
    blockers = (*failures, *_image_blockers(missing, jobs_of), *skips)
    return Gate(
        wanted=wanted,
        reason=_joined(blockers) if blockers else plan.deploy.reason,
        reason_of_plan=plan.deploy.reason,
        environments=plan.environments,
        destinations=plan.destinations,
        outcomes=outcomes,
        succeeded=tuple(sorted(job for job in results if results[job] == "success")),
        failed=tuple(sorted(job for job in results if results[job] in ("failure", "cancelled"))),
        skipped=tuple(sorted(job for job in results if results[job] == "skipped")),
        blockers=blockers,
        recorded=any(one.record.state in ("present", "absent") for one in plan.images),
    )


_PAST = {"failure": "failed", "cancelled": "was cancelled"}


def _check_names(
    plan: Plan,
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
    known = [image.name for image in plan.images]
    for image in build_jobs:
        if image not in known:
            raise InputError(
                f"input 'build-jobs': no image is called {image!r}",
                f"the configuration has {', '.join(known)}",
                'Write {"image": "job"}',
            )


def _jobs_of(
    image: str, results: Mapping[str, Result], build_jobs: Mapping[str, str]
) -> tuple[str, ...]:
    """The id of the job that builds an image: as told, by its own id, else the one matrix job.

    Two mean that nobody knows which of them does.
    """
    if image in build_jobs:
        return (build_jobs[image],)
    own = tuple(job for job in sorted(results) if _is_own(job, image))
    shared = tuple(job for job in sorted(results) if job in MATRIX_JOBS)
    if any(job.startswith("build") for job in own):
        return own
    return own + shared  # a job `api` beside a matrix `build` may well be another thing


def _is_own(job: str, image: str) -> bool:
    """Whether a job's id says that it builds this image alone: `dashboard`, `build-dashboard`.

    Job ids are [A-Za-z_][A-Za-z0-9_-]*, an image's name may hold dots besides.
    """
    spelled = re.sub(r"[._]", "-", image)
    return re.sub(r"_", "-", job) in (spelled, f"build-{spelled}")


def _outcome(
    image: str,
    building: Mapping[str, str],
    results: Mapping[str, Result],
    run_jobs: Sequence[Job],
) -> ImageOutcome:
    """What became of an image, from its job's result and, where they are known, the job's legs.

    A job that succeeded may hide a leg that failed (`continue-on-error`); of a matrix that failed,
    `needs` does not say which leg did.
    """
    job = building[image]
    if not job:
        return ImageOutcome(name=image, outcome="unknown", job="")
    told = _OUTCOMES[results[job]]
    ended = [one for one in run_jobs if one.conclusion in _OUTCOMES]
    mine = [one for one in ended if re.match(rf"{re.escape(job)}(?:\Z| \(| / )", one.name)]
    matrix = any(one.name.startswith(f"{job} (") for one in mine)
    alone = list(building.values()).count(job) == 1 and not (matrix and job in MATRIX_JOBS)
    legs = [] if told == "skipped" else _legs(image, alone, mine, ended)
    worst = max(legs, key=lambda leg: _SEVERITY.index(leg.conclusion), default=None)
    outcome = told
    if told == "built" and worst:
        outcome = _OUTCOMES[worst.conclusion]
    elif told == "built" and matrix and not alone:
        outcome = "unknown"  # its legs are known, and none of them is this image's
    elif told in ("failed", "cancelled") and not alone:
        outcome = _OUTCOMES[worst.conclusion] if worst else "unknown"
    return ImageOutcome(name=image, outcome=outcome, job=job, url=worst.url if worst else "")


def _with_record(image: ImageDecision, told: ImageOutcome, head: str) -> ImageOutcome:
    """What became of an image, now that its record was looked for: that is the image itself."""
    outcome = told.outcome
    if image.record.state == "present" and image.record.commit == head:
        outcome = "built"
    elif outcome == "built" and image.record.expected:
        outcome = "unrecorded"
    return ImageOutcome(name=told.name, outcome=outcome, job=told.job, url=told.url)


def _legs(image: str, alone: bool, mine: list[Job], ended: list[Job]) -> list[Job]:
    """Of the jobs that have ended, those that build an image; empty when that is not clear.

    `mine` are those that bear the build job's own name.

    GitHub lists jobs by what people see: 'build (dashboard, linux/arm64)' for a leg of the matrix
    job `build`, 'build / …' for a called workflow, 'Build dashboard' where the job has a `name`.
    A default name that is long is cut, so the image need not be a value of its own in it. Of names
    that were given the plainest counts: 'Build dashboard', not 'Build dashboard docs'.
    """
    if mine and alone:
        return mine
    word = re.compile(rf"(?<![\w.-]){re.escape(image)}(?![\w.-])", re.IGNORECASE)
    named = [one for one in mine or ended if word.search(one.name)]
    if mine:
        exact = [one for one in named if image in re.split(r"[(), ]+", one.name)]
        return exact or named
    named = [one for one in named if "build" in one.name.lower()] or named
    plainest = min((len(_stem(one)) for one in named), default=0)
    return [one for one in named if len(_stem(one)) == plainest]


def _stem(job: Job) -> str:
    return job.name.partition(" (")[0]


def _image_blockers(
    missing: Sequence[ImageOutcome], jobs_of: Mapping[str, tuple[str, ...]]
) -> list[str]:
    """One clause for each outcome and the jobs it may come from, what failed first."""
    groups: dict[tuple[Outcome, tuple[str, ...]], list[str]] = {}
    for one in missing:
        groups.setdefault((one.outcome, jobs_of[one.name]), []).append(one.name)
    ranked = sorted(groups.items(), key=lambda group: _WORST_FIRST.index(group[0][0]))
    return [_image_blocker(outcome, jobs, names) for (outcome, jobs), names in ranked]


_WORST_FIRST = ("failed", "cancelled", "unrecorded", "unknown", "skipped")


def _image_blocker(outcome: Outcome, jobs: Sequence[str], names: Sequence[str]) -> str:
    images = listed(names)
    were = "was" if len(names) == 1 else "were"
    if not jobs:
        return f"no job of `needs` builds {images}"
    if len(jobs) > 1:
        return f"{' and '.join(jobs)} could both build {images}: name the one in `build-jobs`"
    (job,) = jobs
    if outcome == "failed":
        return f"{images} failed to build ({job})"
    if outcome == "cancelled":
        return f"the build of {images} was cancelled ({job})"
    if outcome == "unrecorded":
        return f"{job} succeeded, but no image with the inputs of {images} is in the registry"
    if outcome == "skipped":
        return f"{images} {were} to be built, but {job} was skipped"
    return f"whether {images} {were} built is not known: no leg of {job} is known to have done it"


def _joined(blockers: Sequence[str]) -> str:
    rest = len(blockers) - BLOCKERS_SHOWN
    return "; ".join(blockers[:BLOCKERS_SHOWN]) + (f"; and {rest} more" if rest > 0 else "")
