"""`orient-deploy audit`: do the lists watch what the images read?"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from orient_deploy.advise.audit import Audited, audit, corrections
from orient_deploy.advise.audit_text import audit_lines, audit_markdown, audit_values
from orient_deploy.advise.builds import gather
from orient_deploy.advise.lists import built_by_pushes, place_of, workflow_files
from orient_deploy.advise.patch import Edit, Keys, edited, patch
from orient_deploy.advise.replay import deploying_branch, reading_only
from orient_deploy.commands.clone import Clone, open_clone
from orient_deploy.commands.configuration import missing
from orient_deploy.commands.context import described
from orient_deploy.commands.init import proposed_configuration
from orient_deploy.commands.planning import split_names
from orient_deploy.commands.sources import Sources
from orient_deploy.config import DEFAULT_PATH, parse
from orient_deploy.config.model import Config, Location, Pattern
from orient_deploy.errors import EXIT_FOUND, EXIT_GOOD, InputError
from orient_deploy.plan.decide import check_request
from orient_deploy.plan.model import Request
from orient_deploy.plan.wording import listed_paths, plural
from orient_deploy.record import dataclass

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.inputs.tree import Tree
    from orient_deploy.plan.report import Line, Style

OUTPUTS = ("configuration", "images", "lists", "patch", "unwatched")

ANNOTATIONS_SHOWN = 3  # of one image


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs of `audit`."""

    path: str = described("Where the clone is. Empty means the current folder.", "")
    config: str = described(
        "Path of the configuration file, relative to the repository root. Empty means "
        f"{DEFAULT_PATH}, or if there is none what `init` proposes.",
        "",
    )
    workflow: bool = described(
        "Look at the path filters of the repository's workflows in place of the configuration's "
        "lists. 'true' or 'false'; empty means 'false', and 'true' where there is no "
        "configuration.",
        False,
    )
    images: str = described("Names of images, separated by commas. Empty means all of them.", "")
    fix: bool = described(
        "Print a patch instead, for `git apply`, that has the lists watch what is read and nothing "
        "that is not. 'true' or 'false'; empty means 'false'.",
        False,
    )


def run(inputs: Inputs, context: Context) -> int:
    """Compare, for the commit that is checked out; 1 when something read is not watched.

    The configuration is read as it stands in the folder. Nothing is written, also with `fix`.
    """
    with open_clone(inputs.path, context) as clone:
        asked = clone.configuration(inputs.config or DEFAULT_PATH)
        if asked is None and inputs.config:
            raise missing(inputs.config)
        config, origin = (asked, asked.source) if asked else proposed_configuration(clone)
        names = split_names(inputs.images)
        check_request(Request(images=names), config)
        by_workflow = inputs.workflow or asked is None
        reading = reading_only(config)
        sources = Sources(clone.repository, clone.head)
        tree = sources.trees[clone.head]
        if by_workflow:
            config = _by_workflows(config, tree, clone)
        found = sources.inputs(reading, clone.head, doubts=False)
        otherwise = sources.inputs(_otherwise(reading), clone.head, doubts=False)
        text = "" if by_workflow else _text(clone, config.source)
    shown = [image for image in config.images if not names or image.name in names]
    audited = audit(replace(config, images=tuple(shown)), tree, found, otherwise)
    edits = corrections(config, audited, found)
    told = _patch(config.source, text, edits, context) if inputs.fix and text else ""
    lines = audit_lines(audited)
    if inputs.fix:
        lines = _patch_lines(told) if text else _edit_lines(edits)
    if context.in_actions:
        _annotate(audited, context)
    context.show(
        {
            "configuration": origin,
            "images": audit_values(audited),
            "lists": {
                ".".join(keys): {"add": list(edit.add), "remove": list(edit.remove)}
                for keys, edit in edits.items()
            },
            "patch": told,
            "unwatched": sum(one.unwatched_files for one in audited),
        },
        lines=lines,
        markdown=audit_markdown(audited),
    )
    return EXIT_FOUND if any(one.unwatched for one in audited) else EXIT_GOOD


def _by_workflows(config: Config, tree: Tree, clone: Clone) -> Config:
    """The configuration with the lists by which pushes to the deploying branch build the images.

    Raises:
        InputError: no workflow has a list for any of them.
    """
    branch = deploying_branch(config, clone.event.branch, clone.event.default_branch)
    contents = workflow_files(tree.paths, lambda path: clone.repository.read(clone.head, path))
    workflows = gather(tree.paths, contents, repository=clone.name).workflows
    on_push = built_by_pushes(workflows, branch)
    images, ignored = [], {}
    for image in config.images:
        one = on_push.get(place_of(image))
        if one is not None and one.watch is not None:
            where = Location(file=one.workflow, line=0, column=0)
            watch = tuple(Pattern(text=text, where=where) for text in one.watch.patterns)
            images.append(replace(image, watch=watch))
            ignored.update(dict.fromkeys(one.ignored, where))
    if not images:
        raise InputError(
            f"no workflow that runs on pushes to {branch} has a list of files for an image",
            "looked for dorny/paths-filter and `on.push.paths`",
            f"Write {DEFAULT_PATH} (`orient-deploy init` proposes one), and audit its lists",
        )
    ignore = tuple(Pattern(text=text, where=where) for text, where in ignored.items())
    return replace(config, images=tuple(images), watch_all=(), ignore=ignore)


def _otherwise(config: Config) -> Config:
    """With the other of `inputs: dockerfile` and `inputs: workspace` for each image."""
    return replace(
        config,
        images=tuple(
            replace(image, inputs="dockerfile" if image.inputs == "workspace" else "workspace")
            for image in config.images
        ),
    )


def _text(clone: Clone, source: str) -> str:
    """The configuration's own text, from the folder, else from the commit."""
    if clone.root:
        with suppress(FileNotFoundError), open(os.path.join(clone.root, source), "rb") as file:
            return file.read().decode("utf-8")
    return (clone.repository.read(clone.head, source) or b"").decode("utf-8")


def _patch(source: str, text: str, edits: Mapping[Keys, Edit], context: Context) -> str:
    """The patch; a list that cannot be edited in its place is told of."""
    new, refused = edited(text, edits)
    for keys in refused:
        edit = edits[keys]
        context.log.notice(
            f"{'.'.join(keys)} is no list of its own, so it is not in the patch"
            + (f"; add {listed_paths(edit.add)}" if edit.add else "")
            + (f"; remove {listed_paths(edit.remove)}" if edit.remove else ""),
            file=source,
        )
    parse(new, source=source)  # what is proposed is valid, or it is a fault of ours
    return patch(source, text, new)


def _patch_lines(told: str) -> list[Line]:
    if not told:
        return [(("green", "Nothing to change: the lists watch what is read, and no more"),)]
    styles: dict[str, Style] = {"+": "green", "-": "red", "@": "blue"}
    lines: list[Line] = []
    for row in told.split("\n")[:-1]:
        style = styles.get(row[:1])
        lines.append(((style, row) if style else row,))
    return lines


def _edit_lines(edits: Mapping[Keys, Edit]) -> list[Line]:
    """For filters in workflows, whose dialect differs: what is lacking, in ours."""
    lines: list[Line] = []
    for keys, edit in edits.items():
        lines.append((("bold", f"filter of {keys[1]}" if len(keys) > 1 else keys[0]),))
        lines += [(("red", f"- {text}"),) for text in edit.remove]
        lines += [(("green", f"+ {text}"),) for text in edit.add]
    return lines or [(("green", "Nothing to change"),)]


def _annotate(audited: Sequence[Audited], context: Context) -> None:
    for one in audited:
        for reading in one.unwatched[:ANNOTATIONS_SHOWN]:
            context.log.warning(
                f"{one.image.name} reads {plural(len(reading.paths), 'file')} that no list "
                f"watches: {listed_paths(reading.paths)}",
                file=one.image.dockerfile,
                line=max(reading.line, 1),
            )
