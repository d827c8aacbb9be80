"""What people read: the job summary of a plan and of a gate, and the same for a terminal.

Text in, text out. Names of files, branches and patterns are foreign text: in Markdown every
character that could be markup is written as an entity.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Union

from orient_deploy.plan.decide import SHORT, plural

if TYPE_CHECKING:
    from orient_deploy.config.model import Config, Environment
    from orient_deploy.plan.gate import Gate
    from orient_deploy.plan.model import Plan, Remark

Style = Literal["bold", "dim", "red", "green", "blue"]
Styled = tuple[Style, str]
Line = tuple[Union[str, Styled], ...]  # one line for a terminal

FILES_SHOWN = 20  # per image, in the folded part; the whole list is the output `files`
NODES_SHOWN = 12  # images drawn in the picture; a larger one is no longer read

_MARKUP = re.compile(r"[^\w ./,;:()'=-]|(?<![^\W_])_|_(?![^\W_])", re.ASCII)


def escape(text: str) -> str:
    """Foreign text for a Markdown cell or line: no markup, no line break, nothing invisible.

    >>> escape("a|b\\n<img>*")
    'a&#124;b&#9226;&#60;img&#62;&#42;'
    """
    return _MARKUP.sub(lambda match: _entity(match.group()), text)


def _entity(character: str) -> str:
    code = ord(character)
    if code == 0x0A:
        return "&#9226;"  # the sign for a line feed
    if code < 0x20 or 0x7F <= code < 0xA0 or 0x2000 <= code <= 0x206F or 0xD800 <= code <= 0xDFFF:
        return "&#65533;"
    return f"&#{code};"


def code(text: str) -> str:
    """Foreign text in a monospaced face."""
    return f"<code>{escape(text)}</code>"


def headline(plan: Plan) -> str:
    """The verdict in one line, without markup."""
    if plan.base.nothing_to_do:
        return f"Nothing to do: {plan.base.reason}"
    building = len(plan.to_build)
    total = len(plan.images)
    images = f"Build {building} of {plural(total, 'image')}" if building else "Build nothing"
    deploying = [one.name for one in plan.environments if one.deploy]
    if deploying:
        return f"{images}, deploy to {', '.join(deploying)}"
    return f"{images}, deploy" if plan.deploy.deploy else f"{images}, deploy nothing"


def compared(plan: Plan) -> str:
    """The sentence that says what the head was compared with, without markup."""
    if plan.base.commit is None:
        return f"{plan.head[:SHORT]} was compared with nothing: {plan.base.reason}"
    count = len(plan.changed or ())
    return (
        f"{plan.head[:SHORT]} compared with {plan.base.commit[:SHORT]} ({plan.base.reason}): "
        f"{plural(count, 'changed file')}"
    )


def minutes_saved(plan: Plan, config: Config) -> float:
    """Build minutes that the images left alone would have taken; only those with `typical-minutes`."""
    building = set(plan.to_build)
    return sum(
        image.typical_minutes or 0 for image in config.images if image.name not in building
    )


def plan_markdown(plan: Plan, config: Config) -> str:
    """The job summary of a plan: verdict, table, picture, and the rest folded."""
    lines = [f"### {escape(headline(plan))}", "", f"{escape(compared(plan))}.", ""]
    if not plan.base.nothing_to_do:
        saved = minutes_saved(plan, config)
        if saved:
            lines += [f"About {saved:g} build minutes saved.", ""]
        lines += ["| image | decision | reason | files |", "| --- | --- | --- | ---: |"]
        lines += [
            f"| {code(one.name)} | {'**build**' if one.build else 'keep'} | {escape(one.reason)} "
            f"| {len(one.files) if plan.changed is not None else ''} |"
            for one in plan.images
        ]
        lines += ["", *_environment_table(plan), *_picture(plan), *_files(plan)]
    lines += _missed(plan)
    lines += _remarks(plan.remarks)
    return "\n".join(lines).rstrip("\n") + "\n"


def _environment_table(plan: Plan) -> list[str]:
    rows = plan.environments or (plan.deploy,)
    lines = ["| environment | decision | reason |", "| --- | --- | --- |"]
    for one in rows:
        decision = "**deploy**" if one.deploy else "leave"
        lines.append(f"| {code(one.name or 'any')} | {decision} | {escape(one.reason)} |")
    return [*lines, ""]


def _picture(plan: Plan) -> list[str]:
    """A small Mermaid flowchart. Its labels hold names of the closed alphabet only."""
    shown = [one for one in plan.images if one.build][:NODES_SHOWN]
    left_out = len(plan.to_build) - len(shown)
    kept = len(plan.images) - len(plan.to_build)
    lines = ["```mermaid", "flowchart LR", '  plan(["plan"])']
    targets = []
    for index, one in enumerate(shown):
        lines.append(f'  plan --> i{index}["build {one.name}"]:::build')
        targets.append(f"i{index}")
    if left_out > 0:
        lines.append(f'  plan --> more["build {left_out} more"]:::build')
        targets.append("more")
    if kept:
        lines.append(f'  plan -.-> kept["keep {plural(kept, "image")}"]:::idle')
    deploying = [one.name for one in plan.environments if one.deploy]
    if plan.deploy.deploy or deploying:
        lines.append(f'  gate{{"gate"}} --> deploy["deploy {", ".join(deploying)}"]:::deploy')
        lines += [f"  {target} --> gate" for target in targets] or ["  plan --> gate"]
    lines += [
        "  classDef build fill:#0969da,stroke:#0969da,color:#ffffff",
        "  classDef deploy fill:#1a7f37,stroke:#1a7f37,color:#ffffff",
        "  classDef idle fill:#8c959f,stroke:#8c959f,color:#ffffff",
        "```",
        "",
    ]
    return lines


def _files(plan: Plan) -> list[str]:
    lines: list[str] = []
    for one in plan.images:
        if one.files:
            lines += _folded(
                f"{code(one.name)}: {plural(len(one.files), 'changed file')}", one.files
            )
    if plan.changed is not None:
        counted = {path for one in plan.images for path in one.files}
        rest = [path for path in plan.changed if path not in counted]
        if rest:
            lines += _folded(f"{plural(len(rest), 'changed file')} that no image counts", rest)
    return lines


def _folded(title: str, paths: Sequence[str]) -> list[str]:
    lines = [f"<details><summary>{title}</summary>", ""]
    lines += [f"- {code(path)}" for path in paths[:FILES_SHOWN]]
    if len(paths) > FILES_SHOWN:
        lines.append(f"- and {len(paths) - FILES_SHOWN} more")
    return [*lines, "", "</details>", ""]


def _missed(plan: Plan) -> list[str]:
    if not plan.base.missed:
        return []
    return [
        "<details><summary>Bases that could not be had</summary>",
        "",
        *(f"- {escape(one)}" for one in plan.base.missed),
        "",
        "</details>",
        "",
    ]


def _remarks(remarks: Sequence[Remark]) -> list[str]:
    if not remarks:
        return []
    lines = [f"<details><summary>{plural(len(remarks), 'remark')}</summary>", ""]
    for one in remarks:
        where = f"{code(str(one.where))} " if one.where else ""
        lines.append(f"- {where}{escape(one.message)}")
    return [*lines, "", "</details>", ""]


def plan_lines(plan: Plan, config: Config) -> list[Line]:
    """The plan for a terminal."""
    rows: list[tuple[str, Styled, str]] = [
        (one.name, ("blue", "build ") if one.build else ("dim", "keep  "), one.reason)
        for one in plan.images
    ]
    rows += [
        (one.name, ("green", "deploy") if one.deploy else ("dim", "leave "), one.reason)
        for one in plan.environments
    ]
    width = max((len(name) for name, _, _ in rows), default=0)
    lines: list[Line] = [(("bold", headline(plan)),), (compared(plan),)]
    lines += [(f"  {name:<{width}}  ", decision, f"  {reason}") for name, decision, reason in rows]
    if not plan.environments:
        lines.append((f"deploy: {'yes' if plan.deploy.deploy else 'no'}, {plan.deploy.reason}",))
    saved = minutes_saved(plan, config)
    if saved and not plan.base.nothing_to_do:
        lines.append((f"about {saved:g} build minutes saved",))
    lines += [(f"not to be had: {one}",) for one in plan.base.missed]
    return lines


def gate_headline(gate: Gate) -> str:
    """The gate's verdict in one line, without markup."""
    if gate.open:
        return "The gate is open: deploy"
    if gate.blockers:
        return "The gate is shut: production keeps the release it runs"
    return f"Nothing to deploy: {gate.reason}"


def gate_markdown(gate: Gate, config: Config) -> str:
    """The job summary of a gate: verdict first, then what happened, then what can be done by hand."""
    lines = [f"### {escape(gate_headline(gate))}", ""]
    if gate.open or gate.blockers:
        lines += [f"{escape(gate.reason)}.", ""]
    if gate.outcomes:
        lines += ["| image | result | job |", "| --- | --- | --- |"]
        for one in gate.outcomes:
            job = code(one.job) if one.job else "none"
            lines.append(f"| {code(one.name)} | {_OUTCOME_TEXT[one.outcome]} | {job} |")
        lines.append("")
    for title, jobs in (
        ("Succeeded", gate.succeeded),
        ("Failed", gate.failed),
        ("Skipped", gate.skipped),
    ):
        if jobs:
            lines.append(f"- {title}: {', '.join(code(job) for job in jobs)}")
    lines.append("")
    if gate.blockers:
        lines += _by_hand(gate, config)
    return "\n".join(lines).rstrip("\n") + "\n"


_OUTCOME_TEXT = {
    "built": "built",
    "failed": "**failed**",
    "cancelled": "**cancelled**",
    "skipped": "**skipped**",
    "unknown": "**unknown**",
}


def _by_hand(gate: Gate, config: Config) -> list[str]:
    built = [one.name for one in gate.outcomes if one.outcome == "built"]
    lines = [
        "Nothing was deployed: production still runs the old release. "
        "Mend what failed and push, or re-run the failed jobs.",
        "",
    ]
    wanted = {one.name for one in gate.environments if one.deploy}
    places = [one for one in config.environments if one.name in wanted and one.hosts]
    if not built or not places:
        return lines
    services = [service for name in built for service in config.image(name).services]
    lines += [
        f"<details><summary>Deploy {', '.join(code(name) for name in built)} by hand</summary>",
        "",
        "Only if the new images can run beside the old ones:",
        "",
    ]
    for place in places:
        lines += ["```bash", *hand_commands(place, services), "```", ""]
    return [*lines, "</details>", ""]


def hand_commands(place: Environment, services: Sequence[str]) -> list[str]:
    """The shell commands that deploy some services of an environment by hand, host by host."""
    compose = [*shlex.split(place.docker), "compose"]
    if place.project:
        compose += ["-p", place.project]
    if place.workdir != ".":
        compose += ["--project-directory", place.workdir]
    if place.env_file:
        compose += ["--env-file", place.env_file]
    for profile in place.profiles:
        compose += ["--profile", profile]
    for path in place.compose:
        compose += ["-f", path]
    # The directory may begin with '~', which only an unquoted word keeps.
    directory = re.sub(r"^'?~/(.*?)'?$", r"~/\1", shlex.quote(place.directory))
    lines: list[str] = []
    for host in place.hosts:
        login, _, port = host.partition(":") if host.count(":") == 1 else (host, "", "")
        lines += [
            f"ssh {f'-p {port} ' if port else ''}{shlex.quote(login)}",
            f"cd {directory}",
            f"{shlex.join(compose)} pull {shlex.join(services)}",
            f"{shlex.join(compose)} up -d --no-deps {shlex.join(services)}",
            f"{shlex.join([*shlex.split(place.docker), 'ps'])} "
            "--format 'table {{.Names}}\\t{{.Status}}\\t{{.Image}}'",
        ]
    return lines


def gate_lines(gate: Gate) -> list[Line]:
    """The gate for a terminal."""
    lines: list[Line] = [(("bold", gate_headline(gate)),), (gate.reason,)]
    width = max((len(one.name) for one in gate.outcomes), default=0)
    for one in gate.outcomes:
        style: Style = "green" if one.outcome == "built" else "red"
        lines.append((f"  {one.name:<{width}}  ", (style, f"{one.outcome:<9}"), f"  {one.job}"))
    lines += [(f"  blocked: {one}",) for one in gate.blockers]
    return lines
