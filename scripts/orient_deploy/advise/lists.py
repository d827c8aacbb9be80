"""Which files an image is built for today: the path filters and `on.push` of its workflows.

Decides which of the filters belongs to an image, in our dialect, and what a push would build by
them; never what an image is called or whether it should be built. Values in, values out.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orient_deploy.advise.builds import Build, Workflow, filter_files, is_workflow
from orient_deploy.advise.filters import Filter
from orient_deploy.config.globs import list_problem, problem
from orient_deploy.config.problem import shown
from orient_deploy.inputs.patterns import Selection, compile_patterns

if TYPE_CHECKING:
    from orient_deploy.config.model import Image


@dataclass(frozen=True, kw_only=True)
class WatchList:
    """What stands for an image's `watch` in its workflow."""

    patterns: tuple[str, ...]
    source: str  # a clause: 'filter web of .github/workflows/deploy.yml'
    remarks: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()  # their names; none for `on.push.paths`


def list_of(builds: Sequence[Build], workflows: Sequence[Workflow]) -> WatchList | None:
    """The list of the image that is built in these ways, the leading one first; None: it has none.

    The workflows that speak for the image come first among `workflows`.
    """
    by_path = {workflow.path: workflow for workflow in workflows}
    for build in builds:
        workflow = by_path.get(build.source)
        near = [workflow] if workflow else []
        names = _filter_names(build, [*near, *(one for one in workflows if one not in near)])
        found = [_filter_named(name, near, workflows) for name in names]
        lists = [one for one in found if one is not None and one.patterns]
        if lists:
            return _joined(lists, workflows)
    for build in builds:
        workflow = by_path.get(build.source)
        if workflow and workflow.paths and len({one.dockerfile for one in workflow.builds}) == 1:
            patterns, remarks = _usable(workflow.paths)
            if patterns:
                return WatchList(
                    patterns=tuple(patterns),
                    source=f"on.push.paths of {workflow.path}",
                    remarks=tuple(remarks),
                )
    return None


@dataclass(frozen=True, kw_only=True)
class OnPush:
    """How one image is built by pushes to a branch. Without a list every run builds it."""

    watch: WatchList | None
    workflow: str
    paths: Selection | None = None  # the run needs a change of one of them
    paths_ignore: Selection | None = None  # and one outside these
    ignored: tuple[str, ...] = ()  # the same as patterns

    def counted(self, changed: Sequence[str]) -> list[str]:
        """The changed paths for which a push builds the image; none: it does not."""
        if self.paths is not None and not any(map(self.paths.matches, changed)):
            return []
        if self.paths_ignore is not None and all(map(self.paths_ignore.matches, changed)):
            return []
        if self.watch is None:
            return list(changed)
        return list(filter(compile_patterns(self.watch.patterns).matches, changed))


Place = tuple[str, str, str]  # Dockerfile, context, target


def place_of(image: Image) -> Place:
    """What tells a configured image from others in a workflow."""
    return image.dockerfile, image.context, image.target


def workflow_files(listing: Sequence[str], read: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """The contents of a commit's workflows, and of the files that they keep filters in."""
    found = _contents([path for path in listing if is_workflow(path)], read)
    return found | _contents(filter_files(listing, found), read)


def _contents(paths: Sequence[str], read: Callable[[str], bytes | None]) -> dict[str, bytes]:
    found = {path: read(path) for path in paths}
    return {path: data for path, data in found.items() if data is not None}


def built_by_pushes(workflows: Sequence[Workflow], branch: str) -> dict[Place, OnPush]:
    """The images that pushes to a branch build; of several workflows the first one counts."""
    found: dict[Place, OnPush] = {}
    for workflow in workflows:
        if not _starts(workflow, branch):
            continue
        ways: dict[Place, list[Build]] = {}
        for build in workflow.builds:
            if not build.side:
                place = (build.dockerfile, build.context, build.target)
                ways.setdefault(place, []).append(build)
        nearest_first = [workflow, *(one for one in workflows if one is not workflow)]
        for place, builds in ways.items():
            if place not in found:
                found[place] = OnPush(
                    watch=list_of(builds, nearest_first),
                    workflow=workflow.path,
                    paths=_selection(workflow.paths),
                    paths_ignore=_selection(workflow.paths_ignore),
                    ignored=tuple(_usable(workflow.paths_ignore)[0]),
                )
    return found


def _starts(workflow: Workflow, branch: str) -> bool:
    """Whether a push to the branch may start the workflow."""
    branches, ignored = _selection(workflow.branches), _selection(workflow.branches_ignore)
    return (
        workflow.by_push
        and (branches is None or branches.matches(branch))
        and (ignored is None or not ignored.matches(branch))
    )


def _selection(texts: Sequence[str]) -> Selection | None:
    usable, _ = _usable(texts)
    return compile_patterns(usable) if usable else None


def _filter_names(build: Build, workflows: Sequence[Workflow]) -> list[str]:
    """The filters that this build goes by: those its `if` asks for, else those called like it."""
    known = {one.name for workflow in workflows for one in workflow.filters}
    asked = [name for name in build.asked if name in known]
    if asked:
        return asked
    called = {folded(name) for name in names_of(build)}
    same = sorted(name for name in known if folded(name) in called)
    if same:
        return same[:1]
    folder = posixpath.dirname(build.dockerfile)
    own = {
        one.name
        for workflow in workflows
        for one in workflow.filters
        if folder and any(text.startswith(f"{folder}/*") for text in one.patterns)
    }
    return sorted(own) if len(own) == 1 else []


def _filter_named(
    name: str, near: Sequence[Workflow], workflows: Sequence[Workflow]
) -> Filter | None:
    """The filter of that name in the workflow that builds, else in the first that has one."""
    for workflow in [*near, *workflows]:
        for one in workflow.filters:
            if one.name == name:
                return one
    return None


def _joined(lists: Sequence[Filter], workflows: Sequence[Workflow]) -> WatchList:
    first = lists[0]
    remarks = [remark for one in lists for remark in one.differences]
    patterns = list(dict.fromkeys(text for one in lists for text in one.patterns))
    if len(lists) > 1 and any(text.startswith("!") for text in patterns):
        patterns = [text for text in patterns if not text.startswith("!")]
        remarks.append("joined, the lists exclude nothing: what one leaves out another may want")
    for workflow in workflows:
        for other in workflow.filters:
            if other.name == first.name and other.source != first.source and len(lists) == 1:
                remarks += _compared(first, other)
    names = tuple(dict.fromkeys(one.name for one in lists))
    return WatchList(
        patterns=tuple(patterns),
        source=f"filter {' and '.join(names)} of {first.source}",
        remarks=tuple(dict.fromkeys(remarks)),
        filters=names,
    )


def _compared(one: Filter, other: Filter) -> Iterator[str]:
    lacking = [text for text in one.patterns if text not in other.patterns]
    besides = [text for text in other.patterns if text not in one.patterns]
    if lacking:
        yield f"{other.source} lacks {', '.join(lacking)}"
    if besides:
        yield f"{other.source} has besides {', '.join(besides)}"


def _usable(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """GitHub's own patterns, which mean the same here but for what this dialect refuses."""
    patterns: list[str] = []
    remarks: list[str] = []
    for text in texts:
        refused = problem(text)
        if refused is None:
            patterns.append(text)
        elif refused[1] and not text.startswith("!"):
            patterns.append(refused[1])
            remarks.append(f"{shown(text)} {refused[0]}")
        else:
            remarks.append(f"{shown(text)} {refused[0]}: left out")
    patterns = [text for text in dict.fromkeys(patterns) if text != "auto"]
    while patterns and list_problem(patterns):
        remarks.append(f"{patterns.pop(0)} excludes from nothing: left out")
    return patterns, remarks


def names_of(build: Build) -> list[str]:
    """What the image may be called, as its Dockerfile and its build have it; best first."""
    name = posixpath.basename(build.dockerfile)
    suffix = re.sub(r"(?i)\A(?:dockerfile|containerfile)\.?|\.dockerfile\Z", "", name)
    folders = [part for part in posixpath.dirname(build.dockerfile).split("/") if part]
    telling = [part for part in folders if part.lower() not in _DULL]
    return [one for one in (*build.names, suffix, *reversed(telling[-2:])) if one]


_DULL = frozenset({"docker", "build", "src", "packages", "apps", "services", "cmd", "images"})


def folded(name: str) -> str:
    """A name without what people spell differently: case, and kinds of dashes."""
    return re.sub(r"[._-]+", "-", name.lower()).strip("-")
