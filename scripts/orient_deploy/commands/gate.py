"""The action `gate`: may the deploy start, after what the jobs before it did?"""

from __future__ import annotations

from orient_deploy.commands.context import closed_alphabet, described, flag
from orient_deploy.commands.planning import PlanInputs, make_plan, split_names
from orient_deploy.errors import EXIT_FOUND, EXIT_GOOD, InputError, RemoteError
from orient_deploy.plan.gate import decide_gate, parse_needs
from orient_deploy.plan.report import gate_headline, gate_lines, gate_markdown
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import Any

    from orient_deploy.commands.context import Context
    from orient_deploy.commands.planning import Planned
    from orient_deploy.github.model import Job

OUTPUTS = ("deploy", "deploys", "reason", "succeeded", "failed", "skipped")


@dataclass(frozen=True, kw_only=True)
class Inputs(PlanInputs):
    """The inputs of `gate`."""

    needs: str = described("The results of the jobs before this one: pass toJSON(needs).")
    required: str = described(
        "Ids of the jobs that must have succeeded, separated by commas, blanks or lines. "
        "Empty means every job of 'needs'.",
        "",
    )
    may_skip: str = described(
        "Ids of required jobs that may be skipped. The build job of an image that was not to be "
        "built always may.",
        "",
    )
    build_jobs: str = described(
        "JSON object from image to the id of the job that builds it. Empty means by name: "
        "'build-<image>', '<image>', or the one matrix job, which is called 'build', 'builds', "
        "'build-images' or 'images'.",
        "",
    )
    fail: bool = described(
        "Fail this step when something required did not succeed. 'true' or 'false'; "
        "empty means 'false'.",
        False,
    )


def run(inputs: Inputs, context: Context) -> int:
    """Decide, and say it."""
    results = parse_needs(_object("needs", inputs.needs))
    build_jobs = {k: str(v) for k, v in _object("build-jobs", inputs.build_jobs or "{}").items()}
    planned = make_plan(inputs, context, finished=True)
    gate = decide_gate(
        planned.plan,
        results,
        build_jobs=build_jobs,
        required=split_names(inputs.required),
        may_skip=split_names(inputs.may_skip),
        run_jobs=_run_jobs(planned, inputs, context),
    )
    if gate.blockers:
        annotate = context.log.error if inputs.fail else context.log.warning
        annotate(f"{gate_headline(gate)}: {gate.reason}.", title="Deploy blocked")
    context.publish(
        {
            "deploy": gate.open,
            "deploys": {
                one.name: flag(gate.open and one.name in gate.destinations)
                for one in gate.environments
            },
            "reason": closed_alphabet(gate.reason),
            "succeeded": gate.succeeded,
            "failed": gate.failed,
            "skipped": gate.skipped,
        },
        lines=gate_lines(gate, planned.config),
        markdown=gate_markdown(gate, planned.config),
    )
    return EXIT_FOUND if inputs.fail and gate.blockers else EXIT_GOOD


def _object(name: str, text: str) -> dict[str, Any]:
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        value, why = None, f"it is no JSON ({error})" if text else "it is empty"
    else:
        why = f"it is a {type(value).__name__}"
    if not isinstance(value, dict):
        raise InputError(
            f"input '{name}' is not a JSON object",
            why,
            "Pass ${{ toJSON(needs) }}" if name == "needs" else 'Write {"image": "job"}',
        )
    return value


def _run_jobs(planned: Planned, inputs: Inputs, context: Context) -> tuple[Job, ...] | None:
    """The jobs of this run, which tell the legs of a matrix apart and what `continue-on-error`
    hides; asked only when something was to be built."""
    env = context.env
    asked = planned.plan.to_build and context.in_actions
    if not asked or not inputs.token or not env.get("GITHUB_RUN_ID"):
        return None
    from orient_deploy.github.jobs import list_jobs

    try:
        return list_jobs(
            env.get("GITHUB_API_URL", ""),
            env.get("GITHUB_REPOSITORY", ""),
            env["GITHUB_RUN_ID"],
            inputs.token,
        )
    except RemoteError as error:
        context.log.notice(f"{error}. So a matrix build counts as a whole.")
        return None
