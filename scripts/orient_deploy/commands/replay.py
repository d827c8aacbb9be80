"""`orient-deploy replay`: what would the last pushes have built, and what have missed?"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from orient_deploy.advise.lists import place_of
from orient_deploy.advise.replay import (
    By,
    Commit,
    Made,
    builds_by_digest,
    deploying_branch,
    reading_only,
    replay,
)
from orient_deploy.advise.replay_page import replay_page
from orient_deploy.advise.replay_text import About, replay_lines, replay_values
from orient_deploy.advise.stale import judge
from orient_deploy.commands.clone import Clone, open_clone
from orient_deploy.commands.configuration import missing
from orient_deploy.commands.context import described
from orient_deploy.commands.init import proposed_configuration
from orient_deploy.commands.past import Past
from orient_deploy.commands.progress import with_progress
from orient_deploy.config import DEFAULT_PATH
from orient_deploy.config.model import AUTO, Config, Image
from orient_deploy.errors import EXIT_GOOD, InputError
from orient_deploy.history.model import SHORT
from orient_deploy.inputs.images import differences
from orient_deploy.plan.wording import listed, listed_paths
from orient_deploy.record import dataclass

if TYPE_CHECKING:
    from orient_deploy.advise.lists import OnPush, Place
    from orient_deploy.commands.context import Context
    from orient_deploy.history import libgit
    from orient_deploy.history.model import Change
    from orient_deploy.inputs.images import ImageInputs

OUTPUTS = (
    *("branch", "by", "configuration", "html", "images", "remarks", "rows", "stale", "totals"),
)

MOST_COMMITS = 10_000
NO_CONFIG = Config(source="", images=())  # of a commit that has none, or a wrong one
LISTS = ("now", "then", "workflow")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs of `replay`."""

    path: str = described("Where the clone is. Empty means the current folder.", "")
    last: str = described("How many commits, at most. Empty means 20.", "20")
    filters: str = described(
        "What decides: `current`, the hand-written lists, or `auto`, the input digests. Empty "
        "means `current` where there are such lists.",
        "",
    )
    lists: str = described(
        "Which lists are the current ones: those of the configuration as it is `now`, or as it was "
        "`then`, at each commit; or those of the path filters in the `workflow` of each commit. "
        "Empty means `now`, or `workflow` where there is no configuration.",
        "",
    )
    config: str = described(
        "Path of the configuration file, relative to the repository root. Empty means "
        f"{DEFAULT_PATH}, or if there is none what `init` proposes.",
        "",
    )
    html: str = described("A file to write as well: the same as a page to look at.", "")


def run(inputs: Inputs, context: Context) -> int:
    """Replay the last first-parent commits of the branch that is checked out."""
    import gc

    gc.enable()  # switched off at the start of every short run; this one is long
    count = _count(inputs.last)
    by = _one_of("filters", inputs.filters, get_args(By))
    lists = _one_of("lists", inputs.lists, LISTS)
    with open_clone(inputs.path, context) as clone:
        past = Past(clone)
        replayed = _Replayed(clone, past, inputs.config, lists)
        decider = replayed.decider(by)
        log = past.commits.first_parents(clone.head, count)[::-1]
        shown = with_progress(log, len(log), "commits", context.stderr)
        pushes = replay([replayed.commit(one, decider) for one in shown], replayed.branch, decider)
        folder = os.path.basename(os.path.abspath(clone.root or inputs.path or "."))
        about = About(
            repository=clone.name or folder,
            branch=clone.event.branch or f"HEAD ({clone.head[:SHORT]})",
            by=decider,
            source=replayed.source(decider),
            web=clone.web,
            minutes=replayed.minutes,
            remarks=replayed.remarks(decider),
        )
    judged = judge(pushes)
    lines = replay_lines(judged, about)
    if inputs.html:
        with open(inputs.html, "w", encoding="utf-8", newline="\n") as file:
            file.write(replay_page(judged, about))
        lines.append((f"Wrote {inputs.html}",))
    context.show(
        {
            "branch": replayed.branch,
            "by": decider,
            "configuration": replayed.origin,
            "html": inputs.html,
            "remarks": list(about.remarks),
            **replay_values(judged, about, by_digest=builds_by_digest(pushes)),
        },
        lines=lines,
    )
    return EXIT_GOOD


def _count(text: str) -> int:
    if re.fullmatch(r"[1-9][0-9]{0,4}", text.strip()) and int(text) <= MOST_COMMITS:
        return int(text)
    raise InputError(
        f"input 'last' is {text[:80]!r}",
        "it is no number of commits",
        f"Give a number from 1 to {MOST_COMMITS:,}",
    )


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    text = text.strip()
    if text in ("", *known):
        return text
    raise InputError(
        f"input '{name}' is {text[:80]!r}",
        f"it is one of {', '.join(known)}",
        f"Give one of them, or leave '{name}' out",
    )


class _Replayed:
    """What is replayed: the images, and the lists that decide about them at each commit."""

    def __init__(self, clone: Clone, past: Past, path: str, lists: str) -> None:
        self._past = past
        self._path = path or DEFAULT_PATH
        config = clone.configuration(self._path)
        if config is None and path:
            raise missing(path, images=True)
        if config is None and lists in ("now", "then"):
            raise InputError(
                f"input 'lists' is {lists!r}",
                f"there is no configuration: {self._path} does not exist",
                "Leave 'lists' out, or name a configuration in 'config'",
            )
        self._lists = lists or ("workflow" if config is None else "now")
        self._config, self.origin = (
            (config, config.source) if config else proposed_configuration(clone)
        )
        self.branch = deploying_branch(self._config, clone.event.branch, clone.event.default_branch)
        self._reading: list[tuple[Config, Config]] = []
        on_push = past.on_push(clone.head, self.branch) if self._lists == "workflow" else {}
        self._without = [
            image.name
            for image in self._config.images
            if not _has_list(image, on_push if self._lists == "workflow" else None)
        ]

    @property
    def minutes(self) -> dict[str, float]:
        """How long a build takes, of the images whose configuration says so."""
        return {one.name: one.typical_minutes for one in self._config.images if one.typical_minutes}

    def decider(self, wanted: str) -> By:
        """The lists or the input digests: what is wanted, or else the lists where there are any."""
        has_lists = len(self._without) < len(self._config.images)
        if wanted == "auto" or not (wanted or has_lists):
            return "auto"
        if not has_lists:
            where = "the workflows have" if self._lists == "workflow" else "the configuration has"
            raise InputError(
                "input 'filters' is 'current'",
                f"{where} no list of files for any image",
                "Leave 'filters' out, or give 'auto'",
            )
        return "current"

    def source(self, decider: By) -> str:
        """What decides, a clause for people."""
        if decider == "auto":
            return "the input digests"
        return {
            "now": f"the watch lists of {self.origin} as they are now",
            "then": f"the watch lists of {self.origin} as they were at each commit",
            "workflow": "the path filters of the workflows as they were at each commit",
        }[self._lists]

    def remarks(self, decider: By) -> tuple[str, ...]:
        """What a reader should know besides."""
        found = []
        if decider == "current" and self._lists == "workflow" and self._without:
            found.append(
                f"Left out, because no filter of a workflow that runs on {self.branch} was found "
                f"for them: {listed(self._without)}."
            )
        if self._config.source != self.origin:
            found.append(f"What the images are: {self.origin}.")
        return tuple(found)

    def commit(self, one: libgit.Commit, decider: By) -> Commit:
        """A commit with all that is known of it."""
        changes = self._past.changes(one.id)
        config = self._config_at(one.id)
        parent = next(iter(one.parents), "")
        before: Mapping[str, ImageInputs] = {}
        if changes is not None:
            before = self._past.inputs(self._only_reading(self._config_at(parent)), parent)
        now = self._past.inputs(self._only_reading(config), one.id)
        listed_there = None
        if decider == "current" and self._lists == "workflow":
            config, listed_there = self._by_filters(config, one.id, changes)
        return Commit(
            id=one.id,
            subject=one.subject,
            parent=parent,
            time_s=one.time_s,
            changes=changes,
            config=config,
            made=tuple(
                _made(now[image.name], before.get(image.name))
                for image in config.images
                if now[image.name].digest
            ),
            listed=listed_there,
        )

    def _config_at(self, commit: str) -> Config:
        if self._lists != "then":
            return self._config
        return self._past.config(self._config.source, commit) or NO_CONFIG

    def _only_reading(self, config: Config) -> Config:
        for known, reading in self._reading:
            if known is config:
                return reading
        self._reading.append((config, reading_only(config)))
        return self._reading[-1][1]

    def _by_filters(
        self, config: Config, commit: str, changes: tuple[Change, ...] | None
    ) -> tuple[Config, dict[str, str]]:
        """The images that a workflow of the commit has a filter for, and those that are built."""
        on_push = self._past.on_push(commit, self.branch)
        paths = [change.path for change in changes or ()]
        images = tuple(image for image in config.images if _has_list(image, on_push))
        building = {}
        for image in images:
            one = on_push[place_of(image)]
            counted = one.counted(paths)
            if changes is None:
                building[image.name] = "nothing to compare with"
            elif counted and one.watch is not None:
                building[image.name] = f"{one.watch.source}: {listed_paths(counted)}"
        return replace(config, images=images), building


def _made(now: ImageInputs, before: ImageInputs | None) -> Made:
    digest = before.digest if before else ""
    changed = differences(now, before) if before and digest and digest != now.digest else ()
    return Made(name=now.image.name, digest=now.digest, before=digest, differences=changed)


def _has_list(image: Image, on_push: Mapping[Place, OnPush] | None) -> bool:
    """Whether somebody wrote a list for the image: in its workflow, or else in its `watch`."""
    if on_push is None:
        return any(pattern.text != AUTO for pattern in image.watch)
    one = on_push.get(place_of(image))
    return one is not None and one.watch is not None
