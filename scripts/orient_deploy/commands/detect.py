"""The action `detect`: which images must be built, and is there something to deploy?"""

from __future__ import annotations

import os

from orient_deploy.commands.context import as_output, closed_alphabet, flag, warn
from orient_deploy.commands.planning import PlanInputs, make_plan
from orient_deploy.errors import EXIT_GOOD, EnvironmentLacks
from orient_deploy.plan.report import compared, headline, plan_lines, plan_markdown
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.commands.planning import Planned

# Outputs of composite actions are static: these three are the images of the running example, and
# any other image is read from `builds`.
DECLARED_IMAGES = ("opencode", "whatsapp", "dashboard")

OUTPUTS = (
    "images",
    "builds",
    *DECLARED_IMAGES,
    "any",
    "deploy",
    "deploys",
    "reason",
    "base",
    "head",
    "references",
    "changes",
    "files",
    "plan-digest",
)


@dataclass(frozen=True, kw_only=True)
class Inputs(PlanInputs):
    """The inputs of `detect`."""


def run(inputs: Inputs, context: Context) -> int:
    """Decide, and say it."""
    planned = make_plan(inputs, context)
    report_remarks(planned, context)
    context.publish(
        detect_outputs(planned, context),
        lines=plan_lines(planned.plan, planned.config),
        markdown=plan_markdown(planned.plan, planned.config),
    )
    return EXIT_GOOD


def detect_outputs(planned: Planned, context: Context) -> dict[str, object]:
    """Every declared output; `builds` holds strings, as `if:` compares them."""
    plan = planned.plan
    builds = {one.name: flag(one.build) for one in plan.images}
    deploys = {one.name: flag(one.deploy) for one in plan.environments}
    counts = {one.name: len(one.files) for one in plan.images}
    return {
        "images": sorted(plan.to_build),
        "builds": builds,
        **{name: name in plan.to_build for name in DECLARED_IMAGES},
        "any": bool(plan.to_build),
        "deploy": plan.deploy.deploy,
        "deploys": deploys,
        "reason": closed_alphabet(f"{headline(plan)}. {compared(plan)}"),
        "base": plan.base.commit or "",
        "head": plan.head,
        "references": {
            one.name: one.record.reference
            for one in plan.images
            if one.record.reference and not one.build
        },
        "changes": counts,
        "files": _write_files(plan.changed, context),
        "plan-digest": plan_digest(builds, deploys, plan.head, plan.base.commit or ""),
    }


def plan_digest(builds: dict[str, str], deploys: dict[str, str], head: str, base: str) -> str:
    """Sixty-four hex digits that two plans share exactly when they decide the same."""
    import hashlib

    decided = as_output(
        {"version": 1, "head": head, "base": base, "builds": builds, "deploys": deploys}
    )
    return hashlib.sha256(decided.encode()).hexdigest()


def report_remarks(planned: Planned, context: Context) -> None:
    """What the plan remarked, and a missing base, as annotations."""
    plan = planned.plan
    if plan.base.commit is None and not plan.base.nothing_to_do and plan.base.missed:
        then = "Everything is built" if len(plan.to_build) == len(plan.images) else "No base"
        context.log.warning(
            f"{then}: {plan.base.reason}. Tried first: {'; '.join(plan.base.missed)}.",
            title="Nothing to compare with",
        )
    warn(plan.remarks, context.log)


def _write_files(changed: tuple[str, ...] | None, context: Context) -> str:
    """Every changed path, each ended by NUL, in a file: its path, '' without base or runner."""
    directory = context.env.get("RUNNER_TEMP")
    if changed is None or not context.in_actions or not directory:
        return ""
    path = os.path.join(directory, f"orient-deploy-files-{os.urandom(8).hex()}")
    try:
        with open(path, "xb") as file:
            file.write(b"".join(one.encode("utf-8", "surrogateescape") + b"\0" for one in changed))
    except OSError as error:
        raise EnvironmentLacks(
            f"the list of changed files cannot be written to {path}",
            error.strerror or str(error),
            "Leave RUNNER_TEMP as the runner set it",
        ) from error
    return path
