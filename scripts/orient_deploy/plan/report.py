"""What people read: the job summary of a plan and of a gate, and the same for a terminal.

Text in, text out. Names of files, branches and patterns are foreign text: every character that
shows nothing or steers a terminal is spelt out, and in Markdown every one that could be markup is
an entity.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from orient_deploy.history.model import SHORT
from orient_deploy.plan.wording import listed, plural, shortened
from orient_deploy.text import printable, sentence

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import Literal

    from orient_deploy.config import Problem
    from orient_deploy.config.model import Config, Environment
    from orient_deploy.errors import OrientError
    from orient_deploy.plan.gate import Gate, ImageOutcome
    from orient_deploy.plan.model import EnvironmentDecision, ImageDecision, Plan, Remark

    Style = Literal["bold", "dim", "red", "green", "yellow", "blue"]
    Styled = tuple[Style, str]
    Line = tuple[str | Styled, ...]  # one line for a terminal

FILES_SHOWN = 100  # in the folded part; the whole list is the output `files`
NODES_SHOWN = 8  # images drawn in the picture; a larger one is no longer read
KEPT_SHOWN = 12  # images left alone that share the table with those to build
TEXT_SHOWN = 1000  # characters of one foreign text; a summary has no room for a novel
PATH_SHOWN = 200  # characters of one path in a list

# White on each of them is legible, and each stands out on GitHub's light and dark ground.
_CLASSES = (
    "  classDef build fill:#0969da,stroke:#0969da,color:#ffffff",
    "  classDef good fill:#1a7f37,stroke:#1a7f37,color:#ffffff",
    "  classDef bad fill:#cf222e,stroke:#cf222e,color:#ffffff",
    "  classDef idle fill:#59636e,stroke:#59636e,color:#ffffff",
)


# --- foreign text


def visible(text: str) -> str:
    r"""Foreign text on one line: a line break becomes \n, a byte that is no text \xff, and so on.

    >>> visible("a\nb\u202e\udcff")
    'a\\nb\\u202e\\xff'
    """
    if len(text) > TEXT_SHOWN:
        text = shortened(text, TEXT_SHOWN)
    return printable(text)


_MARKUP = re.compile(
    r"""
      [^\w\ ./,;:()'=-] | :(?!\ ) | w(?=ww)
    | (?<![^\W_])_ | _(?![^\W_])           # within a word it marks nothing
    | \A(?:[-=\ ] | [0-9](?=[0-9]*[.)]))  # begins a list, or what is indented
    """,
    re.IGNORECASE | re.VERBOSE,
)
_END_OF_TEXT = "<!-- -->"


def escape(text: str) -> str:
    """Foreign text for a Markdown cell or line: no markup, no link, no line break.

    >>> escape("a|b<img>*")
    'a&#124;b&#60;img&#62;&#42;'
    """
    return _MARKUP.sub(_entity, visible(text))


def _entity(found: re.Match[str]) -> str:
    # GitHub's parser looks for e-mail addresses once it has read the entities, to link them; it
    # does not look across a comment.
    return f"&#{ord(found[0])};" + (_END_OF_TEXT if found[0] == "@" else "")


def code(text: str) -> str:
    """Foreign text in a monospaced face, for Markdown."""
    return f"<code>{escape(text)}</code>"


def prose(text: str) -> str:
    """Our own words, in which backticks mark code; whatever else is in them is foreign text.

    >>> prose("give `key`, or <b>")
    'give <code>key</code>, or &#60;b&#62;'
    """
    pieces = visible(text).split("`")
    if len(pieces) % 2 == 0:  # one that has no counterpart is none of ours
        return escape(text)
    return "".join(
        code(piece) if index % 2 else escape(piece) for index, piece in enumerate(pieces)
    )


# --- a plan


def headline(plan: Plan) -> str:
    """The verdict in one line, without markup."""
    if plan.base.nothing_to_do:
        return f"Nothing to do: {plan.base.reason}"
    building = len(plan.to_build)
    images = f"Build {building} of {plural(len(plan.images), 'image')}"
    if plan.deploy.deploy:
        return f"{images if building else 'Build nothing'}, deploy{_to(plan.destinations)}"
    return f"{images}, deploy nothing" if building else "Nothing to build, nothing to deploy"


def _to(destinations: Sequence[str]) -> str:
    return f" to {listed(destinations)}" if destinations else ""


def compared(plan: Plan) -> str:
    """The sentence that says what the head was compared with, without markup."""
    head = plan.head[:SHORT] or "this commit"
    if plan.base.commit is None:
        return f"{head} was compared with nothing: {plan.base.reason}"
    count = len(plan.changed or ())
    return (
        f"{head} compared with {plan.base.commit[:SHORT]} ({plan.base.reason}): "
        f"{plural(count, 'changed file')}"
    )


def minutes_saved(plan: Plan, config: Config) -> float:
    """Build minutes that the images left alone would have taken, where `typical-minutes` says."""
    building = set(plan.to_build)
    return sum(image.typical_minutes or 0 for image in config.images if image.name not in building)


def _saved(plan: Plan, config: Config) -> str:
    minutes = round(minutes_saved(plan, config), 1)
    if not minutes or plan.base.nothing_to_do:
        return ""
    return f"About {f'{minutes:,}'.removesuffix('.0')} build minutes saved."


def plan_markdown(plan: Plan, config: Config) -> str:
    """The job summary of a plan: verdict, table, picture, and the rest folded."""
    lines = [f"### {escape(headline(plan))}", ""]
    if not plan.base.nothing_to_do:
        lines += [f"{escape(compared(plan))}. {_saved(plan, config)}".rstrip(), ""]
        lines += [*_image_tables(plan), *_environment_table(plan)]
        lines += [*_plan_picture(plan), *_changed_files(plan)]
    lines += _folded("Bases that could not be had", [escape(one) for one in plan.base.missed])
    count = len(plan.remarks)
    lines += _folded(plural(count, "remark"), [_remark(one) for one in plan.remarks])
    return "\n".join(lines).rstrip("\n") + "\n"


def _image_tables(plan: Plan) -> list[str]:
    """Images to build first; those left alone are folded where they are many."""
    building = [one for one in plan.images if one.build]
    kept = [one for one in plan.images if not one.build]
    if len(kept) <= KEPT_SHOWN:
        return _image_table([*building, *kept], plan)
    summary = f"<details><summary>{len(kept)} images are kept</summary>"
    folded = [summary, "", *_image_table(kept, plan), "</details>", ""]
    return [*(_image_table(building, plan) if building else ()), *folded]


def _image_table(images: Sequence[ImageDecision], plan: Plan) -> list[str]:
    lines = ["| image | decision | reason | files |", "| --- | --- | --- | ---: |"]
    for one in images:
        decision = "**build**" if one.build else "keep"
        files = len(one.files) if plan.changed is not None else "–"
        lines.append(f"| {code(one.name)} | {decision} | {escape(one.reason)} | {files} |")
    return [*lines, ""]


def _environment_table(plan: Plan) -> list[str]:
    rows: Sequence[EnvironmentDecision] = plan.environments
    if not rows:
        verdict = "Deploy" if plan.deploy.deploy else "Nothing to deploy"
        return [f"{verdict}: {escape(plan.deploy.reason)}.", ""]
    lines = ["| environment | decision | reason |", "| --- | --- | --- |"]
    for one in rows:
        decision = "**deploy**" if one.deploy else "leave"
        if one.deploy and one.name not in plan.destinations:
            decision = "not asked for"
        lines.append(f"| {code(one.name)} | {decision} | {escape(one.reason)} |")
    return [*lines, ""]


def _plan_picture(plan: Plan) -> list[str]:
    building = plan.to_build
    nodes = [(f"build {name}", "build") for name in building]
    kept = len(plan.images) - len(building)
    if not plan.deploy.deploy:
        return _picture(nodes, kept, "", ()) if building else []
    return _picture(nodes, kept, "gate", [(name, "good") for name in plan.destinations or ("",)])


def _picture(
    nodes: Sequence[tuple[str, str]],
    kept: int,
    gate: str,
    targets: Sequence[tuple[str, str]],
) -> list[str]:
    """A small Mermaid flowchart: the plan, a node for each image, the gate, where it leads."""
    lines = ["```mermaid", "flowchart LR", '  plan(["plan"])']
    if gate:
        lines.append(f'  gate{{"{_label(gate)}"}}')
    shown = [(f"i{index}", *node) for index, node in enumerate(nodes[:NODES_SHOWN])]
    rest = nodes[NODES_SHOWN:]
    if rest:
        styles = {style for _, style in rest}
        worst = next(style for style in ("bad", "idle", "good", "build") if style in styles)
        shown.append(("more", f"{len(rest)} more", worst))
    for node, text, style in shown:
        lines.append(f'  plan --> {node}["{_label(text)}"]:::{style}')
        if gate:
            lines.append(f"  {node} --> gate")
    if kept:
        lines.append(f'  plan -.-> kept["keep {plural(kept, "image")}"]:::idle')
    if gate and not shown:
        lines.append("  plan --> gate")
    for index, (name, style) in enumerate(targets):
        arrow = "-->" if style == "good" else "-.->"
        lines.append(f'  gate {arrow} d{index}["{_label(f"deploy {name}".strip())}"]:::{style}')
    return [*lines, *_CLASSES, "```", ""]


def _label(text: str) -> str:
    """Text in a node: names of images, environments and jobs; anything odd becomes '?'."""
    return re.sub(r"[^A-Za-z0-9 ._-]", "?", text[:80])


def _changed_files(plan: Plan) -> list[str]:
    """Every changed file with the images that count it, those that count first."""
    if not plan.changed:
        return []
    counting = [(one.name, set(one.files)) for one in plan.images if one.files]
    counted = set().union(*(files for _, files in counting))
    ordered = [path for path in plan.changed if path in counted]
    ordered += [path for path in plan.changed if path not in counted]
    items = []
    for path in ordered[:FILES_SHOWN]:
        names = [name for name, files in counting if path in files]
        whose = "every image" if len(names) == len(plan.images) > 1 else listed(names)
        items.append(
            f"{code(shortened(path, PATH_SHOWN))}: {escape(whose) if names else 'no image'}"
        )
    if len(ordered) > FILES_SHOWN:
        items.append(f"and {len(ordered) - FILES_SHOWN:,} more")
    return _folded(plural(len(ordered), "changed file"), items)


def _remark(remark: Remark) -> str:
    where = f"{code(str(remark.where))}: " if remark.where else ""
    return where + escape(remark.message)


def _folded(title: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    listing = [f"- {item}" for item in items]
    return [f"<details><summary>{title}</summary>", "", *listing, "", "</details>", ""]


def plan_lines(plan: Plan, config: Config) -> list[Line]:
    """The plan for a terminal."""
    lines: list[Line] = [(("bold", visible(headline(plan))),)]
    if plan.base.nothing_to_do:
        return lines
    lines.append((visible(compared(plan)),))
    rows: list[tuple[str, Styled, str]] = [
        (one.name, ("blue", "build ") if one.build else ("dim", "keep  "), one.reason)
        for one in plan.images
    ]
    rows += [
        (one.name, ("green", "deploy") if one.deploy else ("dim", "leave "), one.reason)
        for one in plan.environments
    ]
    width = max((len(name) for name, _, _ in rows), default=0)
    lines += [
        (f"  {name:<{width}}  ", decision, f"  {visible(reason)}")
        for name, decision, reason in rows
    ]
    if not plan.environments:
        verdict = "yes" if plan.deploy.deploy else "no"
        lines.append((f"deploy: {verdict}, {visible(plan.deploy.reason)}",))
    saved = _saved(plan, config)
    if saved:
        lines.append((saved,))
    lines += [(f"not to be had: {visible(one)}",) for one in plan.base.missed]
    return lines


# --- a gate


def gate_headline(gate: Gate) -> str:
    """The gate's verdict in one line, without markup."""
    if gate.open:
        return f"The gate is open: deploy{_to(gate.destinations)}"
    if gate.blockers and gate.wanted:
        return f"The gate is shut: {_keeps(gate.destinations)}"
    if gate.blockers:
        return "Nothing to deploy, but not everything succeeded"
    return f"Nothing to deploy: {gate.reason}"


def _keeps(destinations: Sequence[str]) -> str:
    if not destinations:
        return "what is deployed stays as it is"
    verb = "keeps" if len(destinations) == 1 else "keep"
    return f"{listed(destinations)} {verb} the old release"


def gate_markdown(gate: Gate, config: Config) -> str:
    """The job summary of a gate: verdict first, then what happened, then what to do by hand."""
    lines = [f"### {escape(gate_headline(gate))}", ""]
    if gate.open:
        lines += [f"{escape(gate.reason)}.", ""]
    if gate.blockers:
        shown = gate.blockers[:FILES_SHOWN]
        lines += [f"- {escape(one)}" for one in shown]
        if len(gate.blockers) > len(shown):
            lines.append(f"- and {len(gate.blockers) - len(shown)} more")
        lines += ["", _what_now(gate), ""]
    if gate.outcomes:
        lines += ["| image | result | job |", "| --- | --- | --- |"]
        lines += [
            f"| {code(one.name)} | {_OUTCOME_TEXT[one.outcome]} | {_job(one)} |"
            for one in gate.outcomes
        ]
        lines.append("")
    lines += [
        f"- {title}: {', '.join(code(job) for job in jobs)}" for title, jobs in _other_jobs(gate)
    ]
    lines += ["", *_gate_picture(gate)]
    names, blocks = _by_hand(gate, config)
    if blocks:
        lines += [f"<details><summary>Deploy {escape(names)} by hand</summary>", "", _BY_HAND, ""]
        for block in blocks:
            lines += ["```bash", *block, "```", ""]
        lines += ["</details>", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


_OUTCOME_TEXT = {
    "built": "built",
    "failed": "**failed**",
    "cancelled": "**cancelled**",
    "skipped": "skipped",
    "unrecorded": "**not recorded**",
    "unknown": "**not known**",
}
_OUTCOME_STYLE = {
    "built": "good",
    "failed": "bad",
    "cancelled": "bad",
    "unrecorded": "bad",
    "unknown": "bad",
}

_URL = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._-]+)*\Z")


def _job(one: ImageOutcome) -> str:
    if not one.job:
        return "none"
    return f'<a href="{one.url}">{code(one.job)}</a>' if _URL.match(one.url) else code(one.job)


def _what_now(gate: Gate) -> str:
    if not gate.wanted:
        return f"Nothing was to be deployed: {escape(gate.reason_of_plan)}."
    places = listed(gate.destinations)
    runs = "run" if len(gate.destinations) > 1 else "runs"
    old = (
        f"{escape(places)} still {runs} the old release" if places else "the old release still runs"
    )
    if gate.recorded:
        return (
            f"Nothing was deployed: **{old}**. Re-run the failed jobs, or mend what failed and "
            "push: the next run builds whatever has no image."
        )
    waiting = [one.name for one in gate.outcomes]
    forced = f", then dispatch the workflow for {escape(listed(waiting))}" if waiting else ""
    return (
        f"Nothing was deployed: **{old}**. Re-run the failed jobs; or mend what failed and push"
        f"{forced}: a push plans only what it changes itself."
    )


def _gate_picture(gate: Gate) -> list[str]:
    if not gate.wanted:
        return []
    told = {one.job for one in gate.outcomes}
    nodes = [(job, "bad") for job in gate.failed if job not in told]
    nodes += [
        (f"{one.name} {one.outcome}", _OUTCOME_STYLE.get(one.outcome, "idle"))
        for one in sorted(gate.outcomes, key=lambda one: one.outcome == "built")
    ]
    style = "good" if gate.open else "idle"
    targets = [(name, style) for name in gate.destinations or ("",)]
    return _picture(nodes, 0, "gate open" if gate.open else "gate shut", targets)


def _other_jobs(gate: Gate) -> list[tuple[str, list[str]]]:
    """The jobs that no image's outcome tells of, by what became of them."""
    told = {one.job for one in gate.outcomes}
    groups = (
        ("Succeeded", gate.succeeded),
        ("Did not succeed", gate.failed),
        ("Skipped", gate.skipped),
    )
    others = [(title, [job for job in jobs if job not in told]) for title, jobs in groups]
    return [(title, jobs) for title, jobs in others if jobs]


_BY_HAND = (
    "Only if the new images can run beside the old ones. This pulls the tags that the compose "
    "files on the server name, and carries no file there."
)


def _by_hand(gate: Gate, config: Config) -> tuple[str, list[list[str]]]:
    """The images that were built though the gate is shut, and the commands that deploy them, for
    each environment with hosts."""
    built = [one.name for one in gate.outcomes if one.outcome == "built"]
    if not (gate.wanted and gate.blockers and built):
        return "", []
    services = list(
        dict.fromkeys(service for name in built for service in config.image(name).services)
    )
    blocks = [
        hand_commands(place, services)
        for place in config.environments
        if place.name in gate.destinations
    ]
    # Nothing can be spelt out here, and this is to be copied into a shell.
    return listed(built), [
        block for block in blocks if block and all(line.isprintable() for line in block)
    ]


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
    script = [
        f"cd {_directory(place.directory)} &&",
        f"  {shlex.join([*compose, 'pull', *services])} &&",
        f"  {shlex.join([*compose, 'up', '-d', '--no-deps', *services])} &&",
        f"  {shlex.join([*compose, 'ps', *services])}",
    ]
    lines: list[str] = []
    for host in place.hosts:
        login = re.fullmatch(r"(.*?@)?(?:\[(.*)\]|(.*?))(?::(\d+))?", host)
        assert login is not None, "anything matches"
        user, six, name, port = login.groups("")
        address = f"{f'-p {port} ' if port else ''}{shlex.quote(user + (six or name))}"
        lines += f"ssh {address} {shlex.quote(chr(10).join(script))}".split("\n")
    return lines


def _directory(path: str) -> str:
    """A directory as a shell's word; only an unquoted '~' is the home directory."""
    if path == "~":
        return path
    return f"~/{shlex.quote(path[2:])}" if path.startswith("~/") else shlex.quote(path)


def gate_lines(gate: Gate, config: Config) -> list[Line]:
    """The gate for a terminal, with the commands that deploy by hand what was built."""
    lines: list[Line] = [(("bold", visible(gate_headline(gate))),)]
    if gate.open:
        lines.append((visible(gate.reason),))
    lines += [(("red", "  blocked"), f"  {visible(one)}") for one in gate.blockers]
    width = max((len(one.name) for one in gate.outcomes), default=0)
    for one in gate.outcomes:
        style: Style = "green" if one.outcome == "built" else "red"
        lines.append(
            (f"  {one.name:<{width}}  ", (style, f"{one.outcome:<9}"), f"  {visible(one.job)}")
        )
    lines += [(f"{title}: {visible(', '.join(jobs))}",) for title, jobs in _other_jobs(gate)]
    names, blocks = _by_hand(gate, config)
    if blocks:
        lines += [("",), (("bold", f"Deploy {names} by hand"),), (_BY_HAND,)]
    for block in blocks:
        lines += [("",), *((line,) for line in block)]
    return lines


# --- an error


def error_markdown(error: OrientError) -> str:
    """The job summary of a run that ended in an error: verdict first, then every problem."""
    problems: Sequence[Problem] = getattr(error, "problems", ())
    if not problems:
        *more, what = error.what.splitlines()  # several wrong inputs are told at once
        parts = [sentence(error.why), sentence(error.next_step)]
        lines = [f"### {escape(what)}", "", " ".join(map(escape, parts)), ""]
        lines += [*(f"- {escape(one)}" for one in more), *([""] if more else [])]
        lines += _log_lines(error.excerpt)
        return "\n".join(lines).rstrip("\n") + "\n"
    lines = [f"### Configuration cannot be used: {plural(len(problems), 'problem')}", ""]
    lines += [
        f"- {code(str(one.where))}: {escape(one.message)}. {escape(sentence(one.fix))}"
        for one in problems
    ]
    return "\n".join(lines) + "\n"


def _log_lines(excerpt: Sequence[str]) -> list[str]:
    """Lines of a log as a block that none of them can end."""
    if not excerpt:
        return []
    longest = max((len(run) for line in excerpt for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    shown = [printable(shortened(line, TEXT_SHOWN), keep="\t") for line in excerpt]
    return [f"{fence}text", *shown, fence]
