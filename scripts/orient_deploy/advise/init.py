"""Proposes `.github/orient-deploy.yml` from what a repository already says about its images.

Decides which images there are, what they are called and what they watch, and says on each line
where it comes from. Never reads or writes a file, and never proposes what nothing speaks for.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from orient_deploy.advise.builds import (
    Build,
    Evidence,
    Workflow,
    is_side,
    last_segment,
)
from orient_deploy.advise.dockerfile import copies_everything, places_of, sources, takes
from orient_deploy.advise.documents import has_expression
from orient_deploy.advise.lists import folded, list_of, names_of
from orient_deploy.config import parse
from orient_deploy.config.globs import list_problem, problem
from orient_deploy.config.load import DEFAULT_PATH

MOST_IMAGES = 256  # jobs of one matrix
LEFT_OUT_SHOWN = 20

_IMAGE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_REPOSITORY = re.compile(
    r"(?:[a-z0-9]+(?:[.-]+[a-z0-9]+)*(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_STAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./*@+-]*")  # needs no quotes, also inside [ ]
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A configuration that parses, and what was found on the way."""

    text: str
    images: tuple[str, ...]
    left_out: tuple[str, ...] = ()  # a clause for each thing that is no image here


@dataclass(frozen=True, kw_only=True)
class _Image:
    """One image to propose. Each `_from` says where the value beside it comes from."""

    build: Build
    builds: tuple[Build, ...]  # every way it is built, the leading one first
    name: str = ""
    name_from: str = ""
    watch: tuple[str, ...] = ()
    watch_from: str = ""
    remarks: tuple[str, ...] = ()  # about the list
    copies_workspace: bool = False  # its Dockerfile takes all packages of a workspace, it is one
    services: tuple[str, ...] = ()
    services_from: str = ""
    side_services: str = ""  # a clause about those that run it for development or tests
    build_args: tuple[tuple[str, str], ...] = ()
    open_args: tuple[tuple[str, str], ...] = ()  # each with why it is not proposed
    after: tuple[str, ...] = ()  # the images whose jobs its own waits for
    filter_names: tuple[str, ...] = field(default=())
    shared: str = ""  # the repository that it is pushed to together with others


def propose(
    evidence: Evidence,
    listing: Sequence[str],
    *,
    commit: str,
    repository: str = "",
    default_branch: str = "",
    dockerfiles: Mapping[str, bytes] | None = None,
) -> Proposal | None:
    """The configuration that the evidence speaks for; None when there is no image.

    `listing` is every path of the commit, `dockerfiles` the content of what `to_be_read` asks for;
    `repository` is owner/name where it is known.
    """
    workflows = sorted(evidence.workflows, key=lambda one: (_rank(one, default_branch), one.path))
    texts = dockerfiles or {}
    places = places_of(listing)
    images = _images(evidence, workflows) or _doubtful(evidence, places, texts)
    if not images:
        return None
    images = _without_shared_repositories(images[:MOST_IMAGES])
    images = [_with_watch(image, workflows) for image in images]
    images = [_with_workspace(image, texts, places) for image in images]
    images = [_with_build_args(image, texts) for image in images]
    images = [_with_services(image, evidence) for image in images]
    images = _with_order(_with_names(images, repository))
    left_out = _left_out(images, evidence)
    text = _render(images, _common(images), left_out, workflows, commit, default_branch)
    config = parse(text, source=DEFAULT_PATH)  # what is shown is valid, or it is a fault of ours
    return Proposal(
        text=text, images=tuple(image.name for image in config.images), left_out=tuple(left_out)
    )


def to_be_read(evidence: Evidence) -> tuple[str, ...]:
    """The Dockerfiles whose own text is needed: those of the images, or all where none is known."""
    images = _images(evidence, evidence.workflows)
    paths = dict.fromkeys(image.build.dockerfile for image in images)
    return tuple(paths) or evidence.dockerfiles


# --- which images ------------------------------------------------------------------------------


def _rank(workflow: Workflow, default_branch: str) -> int:
    """What runs on pushes to the default branch speaks first."""
    if default_branch and default_branch in workflow.branches:
        return 0
    return 1 if {"main", "master"} & set(workflow.branches) else 2


def _images(evidence: Evidence, workflows: Sequence[Workflow]) -> list[_Image]:
    """One image for each Dockerfile, context and stage that is built for production.

    What a workflow pushes is what a pipeline builds; a Compose file may besides build on the spot.
    """
    in_workflows = [build for one in workflows for build in one.builds]
    return (
        _grouped([build for build in in_workflows if not build.side])
        or _grouped([build for build in evidence.compose if not build.side])
        or _grouped(in_workflows)
    )


def _grouped(builds: Sequence[Build]) -> list[_Image]:
    groups: dict[tuple[str, str, str], list[Build]] = {}
    for build in builds:
        groups.setdefault((build.dockerfile, build.context, build.target), []).append(build)
    return [_Image(build=ways[0], builds=tuple(ways)) for ways in groups.values()]


def _doubtful(
    evidence: Evidence, places: Set[str], dockerfiles: Mapping[str, bytes]
) -> list[_Image]:
    """Images where nothing is known to be built for production: the Dockerfiles that may be."""
    plain = [path for path in evidence.dockerfiles if not is_side(path)]
    return (
        _lying_about(plain, evidence, places, dockerfiles)
        or _grouped(evidence.compose)
        or _lying_about(evidence.dockerfiles, evidence, places, dockerfiles)
    )


def _lying_about(
    paths: Sequence[str], evidence: Evidence, places: Set[str], dockerfiles: Mapping[str, bytes]
) -> list[_Image]:
    """An image for each Dockerfile, where nothing says which of them are built for production."""
    images = []
    for path in paths:
        ways = [build for build in evidence.compose if build.dockerfile == path]
        if ways:
            args = [name for name, _ in (*ways[0].build_args, *ways[0].open_args)]
            build = Build(
                source=ways[0].source,
                by=_only(ways) + (f", as stage {ways[0].target}" if ways[0].target else ""),
                dockerfile=path,
                context=ways[0].context,
                open_args=tuple((name, f"known from {ways[0].source} only") for name in args),
            )
        else:
            context = _guessed_context(path, dockerfiles.get(path, b""), places)
            by = "nothing that is read builds it"
            build = Build(source=path, by=by, dockerfile=path, context=context)
        images.append(_Image(build=build, builds=(build,)))
    return images


def _only(ways: Sequence[Build]) -> str:
    """A clause on what builds an image, where that is not for production."""
    first, *others = dict.fromkeys(build.by for build in ways)
    if not others:
        return f"only {first} builds it"
    return f"only {first} and {len(others)} more build it"


def _guessed_context(path: str, dockerfile: bytes, places: Set[str]) -> str:
    """The root when more of what the Dockerfile copies lies there than beside it."""
    folder = posixpath.dirname(path) or "."
    if folder == ".":
        return "."
    beside = at_root = 0
    for source in itertools.islice(sources(dockerfile), 200):
        name = posixpath.normpath(source.lstrip("/"))
        if not name.startswith(".."):
            at_root += name in places
            beside += posixpath.join(folder, name) in places
    return "." if at_root > beside else folder


def _without_shared_repositories(images: Sequence[_Image]) -> list[_Image]:
    """Images that are told apart by their tags only need repositories of their own here."""
    found = [image.build.repository.lower() for image in images]
    alone = []
    for image, repository in zip(images, found, strict=True):
        if found.count(repository) == 1 or not repository:
            alone.append(image)
            continue
        tags = [
            other.build.tag for other, same in zip(images, found, strict=True) if same == repository
        ]
        names = tuple(name for name in image.build.names if name != last_segment(repository))
        build = replace(
            image.build, repository="", names=(*_told_apart(image.build.tag, tags), *names)
        )
        alone.append(replace(image, shared=image.build.repository, build=build))
    return alone


def _told_apart(tag: str, tags: Sequence[str]) -> tuple[str, ...]:
    """What is left of a tag without what all of them begin and end with; none if that is no name.

    >>> _told_apart("1.2-web", ["1.2-web", "1.2-api"]), _told_apart("latest", ["latest", "edge"])
    (('web',), ())
    """
    if len(set(tags)) < len(tags):
        return ()
    start = re.sub(r"[^._-]*\Z", "", _common_start(tags))
    rest = [one.removeprefix(start) for one in tags]
    end = re.sub(r"\A[^._-]*", "", _common_start([one[::-1] for one in rest])[::-1])
    name = tag.removeprefix(start).removesuffix(end)
    is_name = (start or end) and re.fullmatch(r"(?!v\d)[A-Za-z][\w.-]*", name, re.ASCII)
    return (name,) if is_name else ()


def _common_start(texts: Sequence[str]) -> str:
    return posixpath.commonprefix(list(texts))  # by characters


# --- what they watch ---------------------------------------------------------------------------


def _with_watch(image: _Image, workflows: Sequence[Workflow]) -> _Image:
    found = list_of(image.builds, workflows)
    if found is None:
        return image
    return replace(
        image,
        watch=found.patterns,
        watch_from=found.source,
        remarks=found.remarks,
        filter_names=found.filters,
    )


def _with_workspace(image: _Image, dockerfiles: Mapping[str, bytes], places: Set[str]) -> _Image:
    """Whether `inputs: workspace` may narrow it: a package below the root that copies all of it."""
    build = image.build
    folder = posixpath.dirname(build.dockerfile)
    text = dockerfiles.get(build.dockerfile, b"")
    is_package = bool(folder) and f"{folder}/package.json" in places and "package.json" in places
    found = build.context == "." and is_package and copies_everything(text)
    return replace(image, copies_workspace=found)


def _common(images: Sequence[_Image]) -> tuple[str, ...]:
    """The patterns of every list, where moving them to `watch-all` changes no decision."""
    lists = [image.watch for image in images if image.watch]
    if len(lists) < 2 or any(text.startswith("!") for one in lists for text in one):
        return ()
    # An image without a list watches its context: all of the repository, or watch-all adds to it.
    if any(not image.watch and image.build.context != "." for image in images):
        return ()
    common = [text for text in lists[0] if all(text in one for one in lists)]
    return tuple(common) if all(len(one) > len(common) for one in lists) else ()


# --- arguments ---------------------------------------------------------------------------------


def _with_build_args(image: _Image, dockerfiles: Mapping[str, bytes]) -> _Image:
    """The arguments that each way of building it gives the same value; why the others are none."""
    ways = [one for one in image.builds if one.source == image.build.source]
    given: dict[str, set[str]] = {}
    why: dict[str, str] = {}
    for way in ways:
        why |= dict(way.open_args)
        for name, value in way.build_args:
            given.setdefault(name, set()).add(value)
    known: dict[str, str] = {}
    for name, values in given.items():
        if len(values) > 1:
            why.setdefault(name, f"it has {len(values)} values")
        elif not all(value.isprintable() for value in values):
            why.setdefault(name, "its value cannot be written here")
        elif name not in why:
            (known[name],) = values
    text = dockerfiles.get(image.build.dockerfile)
    return replace(
        image,
        build_args=tuple(sorted(known.items())),
        open_args=tuple(
            (name, reason)
            for name, reason in sorted(why.items())
            if text is None or "${{" in name or takes(text, name)
        ),
    )


# --- services and names ------------------------------------------------------------------------


def _with_services(image: _Image, evidence: Evidence) -> _Image:
    """The Compose services that run the image: built from the same file, or pulled by its name."""
    keys = {(one.dockerfile, one.context) for one in image.builds}
    found = {
        build.service: build.source
        for build in evidence.compose
        if (build.dockerfile, build.context) in keys and not build.side
    }
    side = [
        build
        for build in evidence.compose
        if (build.dockerfile, build.context) in keys and build.side
    ]
    last = last_segment(image.build.repository)
    for name, reference, path in evidence.services:
        pulled = reference.partition("@")[0]
        if "/" in pulled and last and last_segment(re.sub(r":[^/]*\Z", "", pulled)) == last:
            found.setdefault(name, path)
    usable = {name: path for name, path in found.items() if _SERVICE.fullmatch(name)}
    return replace(
        image,
        services=tuple(sorted(usable)),
        services_from=", ".join(dict.fromkeys(usable[name] for name in sorted(usable))),
        side_services=_only(side) if side else "",
    )


def _with_names(images: Sequence[_Image], repository: str) -> list[_Image]:
    """Each image with a name of its own."""
    taken: set[str] = set()
    named = []
    filters = [image.filter_names for image in images]
    for image in images:
        own = len(image.filter_names) == 1 and filters.count(image.filter_names) == 1
        name, origin = _name(image, own, taken, repository)
        taken.add(folded(name))
        named.append(replace(image, name=name, name_from=origin))
    return named


def _with_order(images: Sequence[_Image]) -> list[_Image]:
    """Each image with the names of those whose jobs come before its own."""
    return [
        replace(
            image,
            after=tuple(
                other.name
                for other in images
                if other is not image
                and other.build.source == image.build.source
                and other.build.job in image.build.needs
            ),
        )
        for image in images
    ]


def _name(image: _Image, own_filter: bool, taken: set[str], repository: str) -> tuple[str, str]:
    """A name that is not taken yet, and where it is from."""
    candidates: list[tuple[str, str]] = []
    if own_filter:
        candidates.append((image.filter_names[0], "the filter's name"))
    called = {folded(name) for name in names_of(replace(image.build, names=()))}
    services = [one for one in image.services if folded(one) in called] or image.services
    if len(services) == 1:
        candidates.append((services[0], "the Compose service's name"))
    candidates += [(name, f"as in {image.build.by}") for name in image.build.names]
    candidates += [(name, f"from {image.build.dockerfile}") for name in names_of(image.build)]
    if "/" not in image.build.dockerfile:
        candidates.append((repository.rpartition("/")[2], "the repository's name"))
    usable = [(_image_name(name), origin) for name, origin in candidates if _image_name(name)]
    for name, origin in usable:
        if folded(name) not in taken:
            return name, origin
    first = usable[0][0][:60] if usable else "image"
    number = next(number for number in range(1, 999) if folded(f"{first}-{number}") not in taken)
    return f"{first}-{number}", "no better name was found"


def _image_name(text: str) -> str:
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:64]
    return name if _IMAGE_NAME.fullmatch(name) else ""


# --- the text ----------------------------------------------------------------------------------


def _left_out(images: Sequence[_Image], evidence: Evidence) -> list[str]:
    used = {image.build.dockerfile for image in images}
    built: dict[str, list[Build]] = {}
    for build in (*evidence.compose, *(b for one in evidence.workflows for b in one.builds)):
        built.setdefault(build.dockerfile, []).append(build)
    left_out = []
    for path in evidence.dockerfiles:
        if path not in used:
            why = _only(built[path]) if path in built else "nothing that is read builds it"
            left_out.append(f"{path}: {why}")
    return [*left_out, *evidence.unusable]


def _render(
    images: Sequence[_Image],
    everywhere: Sequence[str],
    left_out: Sequence[str],
    workflows: Sequence[Workflow],
    commit: str,
    default_branch: str,
) -> str:
    lines = [
        f"# Proposed by `orient-deploy init` from commit {commit}; each line says why.",
        "# Not proposed: `environments`, which says where the images run.",
        "version: 1",
    ]
    lines += _branches(images, workflows, default_branch)
    if any(image.watch for image in images):
        lines.append("baseline: push  # the lists below decide, as they do in the workflows")
    lines += ["", "images:"]
    for image in images:
        lines += _image_lines(image, everywhere)
    if everywhere:
        lines += ["", "watch-all:  # in each of the lists"]
        lines += [f"  - {scalar(text)}" for text in everywhere]
    if left_out:
        lines += ["", "# Left out; read were workflows and Compose files, no scripts:"]
        lines += [f"#   {_comment(one)}" for one in left_out[:LEFT_OUT_SHOWN]]
        if len(left_out) > LEFT_OUT_SHOWN:
            lines.append(f"#   and {len(left_out) - LEFT_OUT_SHOWN} more")
    return "\n".join(lines) + "\n"


def _branches(
    images: Sequence[_Image], workflows: Sequence[Workflow], default_branch: str
) -> list[str]:
    """`branches`, where the workflow that builds says more than 'the default branch'."""
    leading = images[0].build.source
    for workflow in workflows:
        usable = [text for text in workflow.branches if problem(text) is None]
        if workflow.path != leading or not usable or list_problem(usable):
            continue
        if usable == [default_branch]:
            note = f"the default branch; {workflow.path} runs on pushes to it"
        else:
            note = f"{workflow.path} runs on pushes to them"
        texts = ", ".join(scalar(text) for text in dict.fromkeys(usable))
        return [f"branches: [{texts}]  # {_comment(note)}"]
    return []


def _image_lines(image: _Image, everywhere: Sequence[str]) -> Iterator[str]:
    build = image.build
    yield f"  {scalar(image.name)}:  # {_comment(image.name_from)}"
    yield f"    dockerfile: {scalar(build.dockerfile)}  # {_comment(build.by)}"
    if build.source == build.dockerfile:
        yield f"    context: {scalar(build.context)}  # a guess, from what the file copies"
    elif build.context != ".":
        yield f"    context: {scalar(build.context)}"
    if _STAGE.fullmatch(build.target):
        yield f"    target: {scalar(build.target)}"
    yield from _repository_lines(image)
    own = [text for text in image.watch if text not in everywhere]
    if own:
        yield f"    watch:  # {_comment(image.watch_from)}"
        yield from (f"      # {_comment(remark)}" for remark in image.remarks)
        yield from (f"      - {scalar(text)}" for text in own)
    else:
        yield "    # watch: [auto]  # the default: what its Dockerfile reads"
        if image.copies_workspace:
            note = "narrower: its Dockerfile copies everything; see `orient-deploy audit`"
            yield f"    # inputs: workspace  # {note}"
    if image.services and image.services != (image.name,):
        names = ", ".join(map(scalar, image.services))
        yield f"    services: [{names}]  # {_comment(image.services_from)}"
    elif not image.services:
        why = image.side_services or "no Compose file for production names it"
        yield f"    # services: [{image.name}]  # the default; {_comment(why)}"
    yield from _order_lines(image)
    yield from _machine_lines(image)


def _order_lines(image: _Image) -> Iterator[str]:
    """When its job runs, where a list of files does not say that already."""
    ways = [one for one in image.builds if one.source == image.build.source]
    by_filter = set(image.filter_names) & set(image.build.asked)
    if not by_filter and all(way.condition for way in ways):
        when = _comment(_cut(image.build.condition))
        yield f"    # conditional: job {_comment(image.build.job)} runs only if {when}"
    if image.after:
        yield f"    # job {_comment(image.build.job)} waits for those of {', '.join(image.after)}"


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:199] + "…"


def _repository_lines(image: _Image) -> Iterator[str]:
    repository = image.build.repository.lower()
    if image.shared:
        yield f"    # no repository: {_comment(image.shared)} has several images, apart by tag only"
    elif _REPOSITORY.fullmatch(repository) and len(repository) <= 255:
        yield f"    repository: {scalar(repository)}  # where it is pushed now"
    elif repository:
        where = _comment(image.build.repository)
        yield f"    # repository: to be filled in; it is pushed to {where}"


def _machine_lines(image: _Image) -> Iterator[str]:
    build = image.build
    ways = [one for one in image.builds if one.source == build.source]
    platforms = list(dict.fromkeys(one for way in ways for one in way.platforms))
    if platforms:
        yield f"    platforms: [{', '.join(map(scalar, platforms))}]"
    if image.build_args:
        rows = ", ".join(f"{name}: {scalar(value)}" for name, value in image.build_args)
        yield f"    build-args: {{{rows}}}"
    if image.open_args:
        names = ", ".join(f"{name} ({why})" for name, why in image.open_args)
        yield f"    # build-args not proposed: {_comment(names)}"
    runners = {way.runner for way in ways if way.runner}
    if len(runners) > 1:
        yield "    # runner: to be filled in; it is built on several"
    elif runners and runners != {("ubuntu-latest",)}:
        (labels,) = runners
        if any(has_expression(one) or not one.isprintable() for one in labels):
            yield f"    # runner: to be filled in; now {_comment(' '.join(labels))}"
        else:
            yield f"    runner: [{', '.join(map(scalar, labels))}]"


def scalar(text: str) -> str:
    """A text as YAML, in quotes where it needs them; it holds no control character."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not re.match(r"\.?[0-9]", text):
        return text
    return "'" + text.replace("'", "''") + "'"


def _comment(text: str) -> str:
    """A text for a comment: one line, whatever it holds."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
