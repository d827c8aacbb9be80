"""The action `matrix`: one entry per image to build, for `strategy.matrix`."""

from __future__ import annotations

from orient_deploy.commands.context import described
from orient_deploy.commands.planning import PlanInputs, make_plan
from orient_deploy.errors import EXIT_GOOD, InputError
from orient_deploy.plan.matrix import build_matrix
from orient_deploy.plan.report import code
from orient_deploy.plan.wording import plural
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from orient_deploy.commands.context import Context
    from orient_deploy.commands.planning import Planned
    from orient_deploy.plan.matrix import Entry
    from orient_deploy.plan.report import Line

OUTPUTS = ("matrix", "any", "count")


@dataclass(frozen=True, kw_only=True)
class Inputs(PlanInputs):
    """The inputs of `matrix`."""

    builds: str = described(
        "The output 'builds' of detect: the images to build. Empty means that it is decided again.",
        "",
    )


def run(inputs: Inputs, context: Context) -> int:
    """Build the matrix, and say it."""
    planned = make_plan(inputs, context)
    names = _parse_builds(inputs.builds, planned) if inputs.builds else planned.plan.to_build
    if planned.plan.base.nothing_to_do:  # a branch that is gone: there is no commit to build
        names = ()
    entries = entries_of(planned, names, context)
    context.publish(
        matrix_outputs(entries), lines=matrix_lines(entries), markdown=_markdown(entries)
    )
    return EXIT_GOOD


def entries_of(planned: Planned, names: Sequence[str], context: Context) -> tuple[Entry, ...]:
    """The matrix entries of the named images."""
    return build_matrix(
        names,
        planned.config,
        event=planned.event,
        head=planned.plan.head,
        deploying=planned.deploying,
        listing=planned.listing,
        digests={one.name: one.digest for one in planned.plan.images},
        anew=[one.name for one in planned.plan.images if one.anew],
        run=_run(context),
    )


def _run(context: Context) -> str:
    """The run's number, and that of its attempt when it is not the first."""
    run, attempt = (context.env.get(f"GITHUB_RUN_{name}", "") for name in ("ID", "ATTEMPT"))
    return f"{run}-{attempt}" if attempt not in ("", "1") else run


def matrix_outputs(entries: Sequence[Entry]) -> dict[str, object]:
    """`any` guards the job: an empty matrix is an error on GitHub, not a job that is skipped
    (actions/runner v2.336.0, WorkflowTemplateConverter.cs:947)."""
    return {
        "matrix": {"include": [entry.as_json() for entry in entries]},
        "any": bool(entries),
        "count": len(entries),
    }


def matrix_lines(entries: Sequence[Entry]) -> list[Line]:
    """The matrix for a terminal."""
    lines: list[Line] = [(("bold", f"Matrix of {plural(len(entries), 'image')}"),)]
    lines += [(f"  {one.name}  {one.dockerfile}  {one.tags.splitlines()[0]}",) for one in entries]
    return lines


def _markdown(entries: Sequence[Entry]) -> str:
    lines = [f"### Matrix of {plural(len(entries), 'image')}", ""]
    if entries:
        lines += ["| image | Dockerfile | tags |", "| --- | --- | --- |"]
    for one in entries:
        tags = "<br>".join(code(tag) for tag in one.tags.splitlines())
        lines.append(f"| {code(one.name)} | {code(one.dockerfile)} | {tags} |")
    return "\n".join(lines) + "\n"


def _parse_builds(text: str, planned: Planned) -> tuple[str, ...]:
    import json

    try:
        builds: Any = json.loads(text)
    except (ValueError, RecursionError):
        builds = None
    known = [image.name for image in planned.config.images]
    if (
        not isinstance(builds, dict)
        or not set(builds) <= set(known)
        or not set(map(str, builds.values())) <= {"true", "false"}
    ):
        raise InputError(
            "input 'builds' is not what detect puts out",
            f'it must be a JSON object of {", ".join(known)} with the values "true" or "false"',
            "Pass ${{ steps.<id>.outputs.builds }} as it is, or leave it out",
        )
    # An image that is not named was lost on the way: doubt builds.
    return tuple(name for name in known if str(builds.get(name, "true")) == "true")
