"""The action at the root: detect and matrix in one step, from one plan."""

from __future__ import annotations

from orient_deploy.commands import detect, matrix
from orient_deploy.commands.planning import PlanInputs, make_plan
from orient_deploy.errors import EXIT_GOOD
from orient_deploy.plan.report import plan_lines, plan_markdown
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.commands.context import Context

OUTPUTS = (*detect.OUTPUTS, *(name for name in matrix.OUTPUTS if name not in detect.OUTPUTS))


@dataclass(frozen=True, kw_only=True)
class Inputs(PlanInputs):
    """The inputs of the root action."""


def run(inputs: Inputs, context: Context) -> int:
    """Decide, build the matrix, and say both."""
    planned = make_plan(inputs, context)
    detect.report_remarks(planned, context)
    entries = matrix.entries_of(planned, planned.plan.to_build, context)
    context.publish(
        {**detect.detect_outputs(planned, context), **matrix.matrix_outputs(entries)},
        lines=plan_lines(planned.plan, planned.config),
        markdown=plan_markdown(planned.plan, planned.config),
    )
    return EXIT_GOOD
