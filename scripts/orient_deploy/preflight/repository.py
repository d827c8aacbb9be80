"""Whether the Dockerfiles that are named exist, are the same ones everywhere, and keep secrets out.

Judges the configuration, the resolved Compose projects and the workflows by what the commit holds.
What a workflow makes or fetches before it builds cannot be seen: then it is silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import basename, dirname, join, normpath
from typing import TYPE_CHECKING

from orient_deploy.inputs.dockerfile import Instruction, parse
from orient_deploy.inputs.stages import is_remote
from orient_deploy.inputs.variables import Unreadable, unquoted
from orient_deploy.preflight.files import COMPARED, Files, inside, nearest
from orient_deploy.preflight.finding import Check, Finding
from orient_deploy.preflight.pipeline import Job, Step, Workflow, filled

if TYPE_CHECKING:
    from orient_deploy.config.model import Config, Image
    from orient_deploy.inputs.reads import Reads

MISSING = Check(
    id="repository/dockerfile-missing",
    severity="error",
    title="A Dockerfile that is named does not exist",
    why="The build of the image fails as soon as it starts.",
    fix="Correct the path.",
)
DIFFERS = Check(
    id="repository/dockerfile-differs",
    severity="warning",
    title="One image is built from different Dockerfiles",
    why="What is tried on one machine is not what is deployed.",
    fix="Name one Dockerfile in the configuration, the workflow and the compose files.",
)
ENV_IN_IMAGE = Check(
    id="repository/env-in-image",
    severity="warning",
    title="A file of variables, or a secret, is built into an image",
    why="Whoever can pull the image can read it, in every layer, and a value changed on the server "
    "does not reach the container.",
    fix="Leave it out with .dockerignore and give it to the container when it starts; a build that "
    "needs a secret mounts it with `RUN --mount=type=secret`.",
)
CHECKS = (MISSING, DIFFERS, ENV_IN_IMAGE)

MOST_FINDINGS = 20
_BUILD_ACTION = re.compile(r"docker/build-push-action@")
_HARMLESS = frozenset({"docker", "echo", "test", "ls", "cd", "hadolint"})
_BUILDS = re.compile(r"docker/(?:build-push|bake)-action@|docker (?:buildx |compose )?build\b")
_ENV_FILE = re.compile(r"\.env(?:\..+)?")
_EXAMPLE = re.compile(
    r"example|sample|template|dist|default|schema|test|\.ts\Z|\.js\Z|\.md\Z|enc\Z|vault|sops|crypt",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(
    r"(?:\A|_)(?:PASSWORD|PASSWD|SECRET|SECRET_KEY|TOKEN|API_?KEY|PRIVATE_KEY|ACCESS_KEY|AUTH_KEY"
    r"|CREDENTIALS)(?:\Z|_(?:PROD|PRODUCTION|STAGING|BASE))\Z|(?:\A|_)JWT_SECRET\Z",
    re.IGNORECASE,
)
_PUBLIC_NAME = re.compile(
    r"(?:NEXT_PUBLIC|VITE|REACT_APP|EXPO_PUBLIC|NUXT_PUBLIC|PUBLIC|GATSBY)_", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"\$|<|\{\{|change|replace|example|placeholder|dummy|fake|todo|xxx|\.\.\.|your|insert|sample"
    r"|test|build|secret|password|token|default|dev|local|none|null|undefined|true|false|unused"
    r"|mock|temp|tmp|postgres|root|admin|user|not[-_ ]?set|empty|required|ignore|invalid|redacted",
    re.IGNORECASE,
)
_REAL_LOOKING = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\x21-\x7e]{12,}")


@dataclass(frozen=True, kw_only=True)
class Named:
    """A place that names a Dockerfile."""

    path: str  # from the repository's root
    by: str  # for people: 'job build-web', 'service web', 'image web'
    file: str
    line: int = 0
    repository: str = ""  # where the image is pushed, without a tag; '' where it is not known
    services: tuple[str, ...] = ()
    source: str = "workflow"  # or 'configuration', 'compose'
    environment: str = ""
    context: str = ""  # from the repository's root; '' where it is not known


def look(files: Files, named: Sequence[Named]) -> list[Finding]:
    """The findings about names of Dockerfiles."""
    missing = list(_missing(files, named))
    return [*missing[:MOST_FINDINGS], *list(_differing(files, named))[:MOST_FINDINGS]]


def by_configuration(config: Config) -> Iterator[Named]:
    """What the configuration names."""
    for image in config.images:
        yield Named(
            path=normpath(image.dockerfile),
            by=f"image {image.name}",
            file=image.where.file,
            line=image.where.line,
            repository=image.repository,
            services=image.services,
            source="configuration",
        )


def by_workflows(files: Files, workflows: Iterable[Workflow], repository: str) -> Iterator[Named]:
    """What the workflows build from, as far as that is written there and of this commit.

    `repository` is owner/name; '' where it is not known.
    """
    for workflow in workflows:
        known = dict(workflow.known)
        if repository:
            known["github.repository"] = repository
            known["github.repository_owner"] = repository.partition("/")[0]
        for job in workflow.jobs.values():
            if _fetches(job):
                continue
            found: dict[tuple[str, int], Named] = {}
            for leg in job.legs:
                for one in _built_by(files, workflow, job, {**known, **leg}):
                    found.setdefault((one.path, one.line), one)
            yield from found.values()


def _fetches(job: Job) -> bool:
    """Whether the job works on more than this commit."""
    return any(
        (step.uses.startswith("actions/checkout@") and any(map(step.says, ("repository", "path"))))
        or step.uses.startswith(("actions/download-artifact@", "actions/cache@"))
        for step in job.steps
    )


def _built_by(
    files: Files, workflow: Workflow, job: Job, known: Mapping[str, str]
) -> Iterator[Named]:
    for number, step in enumerate(job.steps):
        for path, line, repository, context in _dockerfiles_of(step, job, known):
            if _may_be_made(path, job.steps[:number], step, line):
                continue
            yield Named(
                path=path,
                by=f"job {job.id}",
                file=workflow.path,
                line=line,
                repository=repository,
                context=context,
            )


def _may_be_made(path: str, before: Sequence[Step], own: Step, line: int) -> bool:
    """Whether a step before may write the Dockerfile, or the folder it is in."""
    for step in before:
        if step.uses.startswith("./"):
            return True
    for step in (*before, own):
        for at, words in step.commands():
            if step is own and step.run and at >= line:
                break
            told = " ".join(words)
            if words[0] in _HARMLESS and ">" not in words:
                continue
            if basename(path) in told or (dirname(path) and dirname(path) in told):
                return True
            if words[0] in ("git", "curl", "wget", "tar", "unzip", "gh", "nx", "turbo"):
                return True
            if "prune" in words or "generate" in told or words[0].startswith("./"):
                return True
    return False


def _dockerfiles_of(
    step: Step, job: Job, known: Mapping[str, str]
) -> Iterator[tuple[str, int, str, str]]:
    if _BUILD_ACTION.match(step.uses):
        context = filled(step.says("context"), known)
        file = filled(step.says("file"), known)
        if not context:
            context = "."
        context = re.sub(r"\A\{\{\s*defaultContext\s*\}\}:?", "", context) or "."
        if context.startswith(("http", "git@")) or (not file and "$" in context):
            return
        path = inside("", file or join(context, "Dockerfile"))
        if path is None or "${{" in file:
            return
        line = step.given.get("file", step.given.get("context", ("", step.line)))[1]
        yield path, line, _repository(step, job, known), inside("", context) or ""
        return
    folder = normpath(step.folder) if step.folder else ""
    moved = False
    for line, words in step.commands():
        if words[0] in ("cd", "pushd", "popd"):
            moved = True
        if moved or words[0] != "docker":
            continue
        found = _docker_build(words)
        if found is None:
            continue
        file, context, tag = (filled(one, known) for one in found)
        if not file and (not context or "$" in context or "://" in context or context == "-"):
            continue
        path = inside(folder, file or join(context, "Dockerfile"))
        if path is not None and file != "-":
            yield path, line, _without_tag(tag), inside(folder, context) or ""


_VALUED = (
    *("-t", "--tag", "--build-arg", "--target", "--platform", "--cache-from", "--cache-to"),
    *("--label", "--output", "-o", "--progress", "--secret", "--ssh", "--network", "--iidfile"),
    *(
        "--builder",
        "--build-context",
        "--metadata-file",
        "-m",
        "--memory",
        "--add-host",
        "--shm-size",
    ),
    *("--attest", "--provenance", "--sbom", "--ulimit", "--annotation", "--allow", "--isolation"),
)


def _docker_build(words: Sequence[str]) -> tuple[str, str, str] | None:
    """Dockerfile, context and first tag of a `docker build`; None: it is none."""
    rest = list(words[1:])
    if rest[:2] in (["buildx", "build"], ["image", "build"], ["buildx", "b"]):
        rest = rest[2:]
    elif rest[:1] == ["build"]:
        rest = rest[1:]
    else:
        return None
    file = tag = ""
    context = ""
    at = 0
    while at < len(rest):
        one = rest[at]
        at += 1
        name, equals, value = one.partition("=")
        if name in ("-f", "--file", *_VALUED):
            if not equals:
                value, at = (rest[at] if at < len(rest) else ""), at + 1
            if name in ("-f", "--file"):
                file = value
            elif name in ("-t", "--tag"):
                tag = tag or value
        elif one.startswith("-"):
            if not equals and not re.fullmatch(
                r"--(?:push|load|no-cache|pull|quiet|rm|force-rm|squash|compress|debug)|-q", one
            ):
                return None  # it may take a value: what follows cannot be told
        elif one in (">", ">>", "<", "2>", "|"):
            break
        else:
            context = one
    return file, context, tag


def _repository(step: Step, job: Job, known: Mapping[str, str]) -> str:
    tags = filled(step.says("tags"), known)
    meta = re.match(r"\$\{\{\s*steps\.([\w-]+)\.outputs\.tags", tags)
    if meta:
        for one in job.steps:
            if one.id == meta[1]:
                tags = filled(one.says("images"), known)
    rows = [one.strip() for one in re.split(r"[\n,]", tags) if one.strip()]
    found = {_without_tag(one) for one in rows}
    return found.pop() if len(found) == 1 else ""


def _without_tag(image: str) -> str:
    head, slash, last = image.rpartition("/")
    found = f"{head}{slash}{last.partition('@')[0].partition(':')[0]}"
    return "" if "$" in found else found


def _missing(files: Files, named: Sequence[Named]) -> Iterator[Finding]:
    candidates = [one for one in files.names if "dockerfile" in basename(one).lower()]
    seen: set[tuple[str, str, int]] = set()
    for one in named:
        if one.path in files or (one.file, one.path, one.line) in seen:
            continue
        seen.add((one.file, one.path, one.line))
        near = nearest(one.path, candidates) if len(seen) <= COMPARED else []
        yield Finding(
            check=MISSING.id,
            subject=one.path,
            message=f"{one.by} is built from {one.path}, which is not in the commit",
            fix=f"The nearest is {near[0]}." if near else "",
            file=one.file,
            line=one.line,
            environment=one.environment,
        )


def _differing(files: Files, named: Sequence[Named]) -> Iterator[Finding]:
    """What surely is one image: the same repository, or a service that the image runs."""
    for own in (one for one in named if one.source == "configuration"):
        if own.path not in files:
            continue
        for other in named:
            if other.source == "configuration" or other.path == own.path:
                continue
            if other.path not in files:
                continue  # named above
            same = own.repository and other.repository == own.repository
            if other.source == "compose" and not other.repository:
                same = bool(set(other.services) & set(own.services))
            if same:
                yield Finding(
                    check=DIFFERS.id,
                    subject=own.by.removeprefix("image "),
                    message=f"{own.by} is built from {own.path}, and {other.by} builds it from "
                    f"{other.path}",
                    file=other.file,
                    line=other.line,
                    environment=other.environment,
                )


# --- what should not be in an image


def look_into(files: Files, images: Sequence[Image], reads: Mapping[str, Reads]) -> list[Finding]:
    """Files of variables and literal secrets that a Dockerfile builds in."""
    found: dict[tuple[str, str], Finding] = {}
    for image in images:
        content = files.read(image.dockerfile)
        if content is None:
            continue
        instructions = parse(content).instructions
        for one in _copied(files, image, instructions):
            found.setdefault((one.subject, one.file), one)
        taken = reads.get(image.name)
        if taken is not None and not taken.widened:
            for one in _tracked(files, image, taken):
                found.setdefault((one.subject, one.file), one)
        for one in _literal(image, instructions):
            found.setdefault((one.subject, one.file), one)
    return list(found.values())[:MOST_FINDINGS]


def _copied(files: Files, image: Image, instructions: Sequence[Instruction]) -> Iterator[Finding]:
    final = _final_stages(instructions, image.target)
    for at, one in enumerate(instructions):
        if one.keyword not in ("COPY", "ADD") or one.values("from"):
            continue
        for word in one.arguments[:-1]:
            try:
                source = unquoted(word)
            except Unreadable:
                continue
            name = basename(source.rstrip("*"))
            if is_remote(source) or not _ENV_FILE.fullmatch(name) or _EXAMPLE.search(name):
                continue
            if _is_made_of_an_example(files, name):
                continue
            yield Finding(
                check=ENV_IN_IMAGE.id,
                subject=f"{image.dockerfile}:{source}",
                message=f"{one.keyword} builds {source} into image {image.name}",
                file=image.dockerfile,
                line=one.line,
                severity=None if at in final else "hint",
            )


def _is_made_of_an_example(files: Files, name: str) -> bool:
    """Whether a workflow that builds images copies an example to a file of that name."""
    made = re.compile(
        rf"\b(?:cp|mv)\s+(?:-\w+\s+)*\S*(?:example|sample|template)\S*\s+\S*{re.escape(name)}(?!\S)"
    )
    texts = (files.text(path) for path in files.below(".github"))
    return any(made.search(text) and _BUILDS.search(text) for text in texts)


def _final_stages(instructions: Sequence[Instruction], target: str) -> set[int]:
    """The places of the instructions whose layers the image keeps."""
    stages: list[tuple[str, str, list[int]]] = []
    for at, one in enumerate(instructions):
        if one.keyword == "FROM":
            words = list(one.arguments)
            name = words[2].lower() if len(words) > 2 and words[1].lower() == "as" else ""
            stages.append((name, words[0].lower() if words else "", []))
        elif stages:
            stages[-1][2].append(at)
    found: set[int] = set()
    wanted = target.lower() or (stages[-1][0] if stages else "")
    for number in range(len(stages) - 1, -1, -1):
        name, base, places = stages[number]
        if name == wanted or (not target and number == len(stages) - 1):
            found.update(places)
            wanted, target = base, target or base
    return found


def _tracked(files: Files, image: Image, reads: Reads) -> Iterator[Finding]:
    """A file of variables that is in the commit and goes in with a folder."""
    for path in files.names:
        name = basename(path)
        if not _ENV_FILE.fullmatch(name) or _EXAMPLE.search(name):
            continue
        at = files.tree.position(path)
        if at is None or at not in reads.positions:
            continue
        source = reads.source_of(at)
        line = source.line if source else 0
        names = sorted(_secrets_in(files.text(path)))
        if names and line:
            yield Finding(
                check=ENV_IN_IMAGE.id,
                subject=f"{image.dockerfile}:{path}",
                message=f"{path}, which sets {', '.join(names[:3])}, is in the commit and goes "
                f"into the build of image {image.name}",
                fix=f"Write {name} into .dockerignore, and take it out of the repository.",
                file=image.dockerfile,
                line=line,
            )


def _secrets_in(text: str) -> Iterator[str]:
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and _is_secret(name.strip(), value.strip().strip("'\"")):
            yield name.strip()


def _is_secret(name: str, value: str) -> bool:
    """Whether a name says that its value is a secret, and the value is no placeholder."""
    return (
        _SECRET_NAME.search(name) is not None
        and not _PUBLIC_NAME.match(name)
        and not _PLACEHOLDER.search(value)
        and _REAL_LOOKING.fullmatch(value) is not None
    )


def _literal(image: Image, instructions: Sequence[Instruction]) -> Iterator[Finding]:
    for one in instructions:
        if one.keyword == "ENV":
            pairs = list(zip(one.arguments[::2], one.arguments[1::2], strict=False))
        elif one.keyword == "ARG":
            pairs = [(name, value) for name, _, value in (x.partition("=") for x in one.arguments)]
        else:
            continue
        for name, value in pairs:
            try:
                value = unquoted(value)
            except Unreadable:
                continue
            if _is_secret(name, value):
                yield Finding(
                    check=ENV_IN_IMAGE.id,
                    subject=f"{image.dockerfile}:{name}",
                    message=f"{one.keyword} gives {name} a value in image {image.name}",
                    file=image.dockerfile,
                    line=one.line,
                )
