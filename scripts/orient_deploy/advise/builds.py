"""Which images a repository builds today, as its workflows and Compose files say it.

Reads their texts as values and gathers evidence; what to make of it is decided in `init`. Never
reads a file itself, and never runs anything.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orient_deploy.advise.documents import (
    EXPRESSION,
    Value,
    flat,
    get,
    has_expression,
    items,
    open_places,
    pairs,
    put_in,
    read_yaml,
    text,
)
from orient_deploy.advise.filters import Filter, read_filters

MAX_LEGS = 256  # of one matrix; GitHub's own limit
MAX_BUILDS = 1_000  # of one file
MAX_STEPS = 5_000  # of one workflow, each counted once for each leg of its matrix
MAX_NAMES = 500  # of one leg, or one `env`

# Words in a file's name that say: not for production.
_SIDE = re.compile(
    r"(?:\A|[._/-])(?:dev|devel|development|local|tests?|testing|e2e|ci|debug|demo|examples?|samples?"
    r"|fixtures?|testdata|bench|benchmarks?|devcontainer|gitpod)(?:\Z|[._/-])",
    re.IGNORECASE,
)
_FOREIGN = re.compile(r"(?:\A|/)(?:node_modules|vendor|third_party|\.git)/")
_DOCKERFILE = re.compile(
    r"(?:\A|/)(?:Dockerfile|Containerfile)(?:\.[^/]+)?\Z|/?[^/]+\.Dockerfile\Z", re.IGNORECASE
)
_COMPOSE = re.compile(
    r"(?:\A|/)(?:(?:docker-)?compose(?:[._-][^/]*)?|[^/]+[._-](?:docker-)?compose)\.ya?ml\Z",
    re.IGNORECASE,
)
_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml\Z")

_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Arguments = tuple[tuple[str, str], ...]

_FILE_KEYS = ("file", "dockerfile", "dockerfile-path", "dockerfile_path")
_CONTEXT_KEYS = ("context", "build-context", "docker-context", "build_context")


@dataclass(frozen=True, kw_only=True)
class Build:
    """One way in which an image is built: a step of a workflow, or a service of a Compose file."""

    source: str  # the file that says so
    by: str  # a clause for a reader: 'job build-web of .github/workflows/deploy.yml'
    dockerfile: str
    context: str
    side: bool = False  # for development or tests, or never pushed
    target: str = ""
    names: tuple[str, ...] = ()  # what it may be called, best first
    repository: str = ""  # where it is pushed; may hold `${{ }}`
    platforms: tuple[str, ...] = ()
    tag: str = ""  # the first that it is pushed with; may hold `${{ }}`
    build_args: tuple[tuple[str, str], ...] = ()
    open_args: tuple[tuple[str, str], ...] = ()  # each with why its value is not known
    runner: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()  # names of outputs that its `if` asks for
    job: str = ""
    needs: tuple[str, ...] = ()  # the jobs that its own waits for
    condition: str = ""  # of its job
    service: str = ""  # of Compose


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """What one workflow tells."""

    path: str
    builds: tuple[Build, ...] = ()
    filters: tuple[Filter, ...] = ()
    branches: tuple[str, ...] = ()  # `on.push.branches`
    branches_ignore: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()  # `on.push.paths`
    paths_ignore: tuple[str, ...] = ()
    by_push: bool = True  # whether a push to a branch may start it, by itself or through another


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that was found, and a clause for each thing that could not be used."""

    workflows: tuple[Workflow, ...] = ()
    compose: tuple[Build, ...] = ()
    services: tuple[tuple[str, str, str], ...] = ()  # service, its image, the Compose file
    dockerfiles: tuple[str, ...] = ()
    unusable: tuple[str, ...] = field(default=())


def is_workflow(path: str) -> bool:
    """Whether GitHub runs the file."""
    return _WORKFLOW.match(path) is not None


def is_dockerfile(path: str) -> bool:
    """Whether the file is called like a Dockerfile of the repository's own."""
    return _DOCKERFILE.search(path) is not None and not _FOREIGN.search(path)


def is_side(path: str) -> bool:
    """Whether the path says that it is for development or tests."""
    return _SIDE.search(path) is not None


def sources(listing: Sequence[str]) -> tuple[str, ...]:
    """The files to be read before anything can be gathered."""
    return tuple(path for path in listing if _is_source(path))


def _can_be_configured(path: str) -> bool:
    """Whether a configuration can name the path at all."""
    return path.isprintable() and "\\" not in path and "://" not in path and path == path.strip()


def _is_source(path: str) -> bool:
    if _WORKFLOW.match(path):
        return True
    if _FOREIGN.search(path):
        return False
    return bool(_COMPOSE.search(path)) or posixpath.basename(path) == ".env"


def filter_files(listing: Sequence[str], contents: Mapping[str, bytes]) -> tuple[str, ...]:
    """The files that workflows keep their filters in."""
    named = {
        posixpath.normpath(given)
        for path, data in contents.items()
        if _WORKFLOW.match(path) and b"/paths-filter" in data
        for step in _steps(read_yaml(data))
        if _is_paths_filter(step) and _is_file(given := text(step, "with", "filters"))
    }
    return tuple(sorted(named & set(listing)))


def gather(
    listing: Sequence[str], contents: Mapping[str, bytes], *, repository: str = ""
) -> Evidence:
    """What the files tell; `repository` is owner/name, '' where it is not known."""
    present = frozenset(path for path in listing if _can_be_configured(path))
    dockerfiles = tuple(path for path in listing if is_dockerfile(path) and path in present)
    unusable: list[str] = []
    workflows: list[Workflow] = []
    compose: list[Build] = []
    services: list[tuple[str, str, str]] = []
    for path in sorted(contents):
        if _WORKFLOW.match(path):
            document = read_yaml(contents[path])
            if not pairs(document, "jobs"):
                unusable.append(f"{path} cannot be read as a workflow")
                continue
            reading = _WorkflowReading(path, document, contents, repository, dockerfiles, present)
            workflows.append(reading.read())
            unusable += reading.unusable
        elif _COMPOSE.search(path):
            document = read_yaml(contents[path])
            folder = posixpath.dirname(path)
            known = _variables(contents.get(posixpath.join(folder, ".env"), b""))
            for name, service in pairs(document, "services"):
                image = _interpolate(text(service, "image"), known)
                if not is_side(path):
                    services.append((name, image, path))
                build = _compose_build(path, folder, name, service, image, known, present, unusable)
                if build:
                    compose.append(build)
    return Evidence(
        workflows=tuple(workflows),
        compose=tuple(compose[:MAX_BUILDS]),
        services=tuple(services),
        dockerfiles=dockerfiles,
        unusable=tuple(dict.fromkeys(unusable)),
    )


# --- Compose -----------------------------------------------------------------------------------


def _compose_build(
    path: str,
    folder: str,
    name: str,
    service: Value,
    image: str,
    known: Mapping[str, str],
    present: frozenset[str],
    unusable: list[str],
) -> Build | None:
    given = get(service, "build")
    if not isinstance(given, (str, dict)):
        return None
    if isinstance(given, str):
        given = {"context": given}
    context = _inside(folder, _interpolate(text(given, "context") or ".", known))
    named = _interpolate(text(given, "dockerfile") or "Dockerfile", known)
    dockerfile = _inside(context, named) if context else ""
    if dockerfile not in present:
        if not is_side(path):
            what = dockerfile or text(given, "context") or "a place of its own"
            unusable.append(f"service {name} of {path} is built from {what}, which is not here")
        return None
    target = _interpolate(text(given, "target"), known)
    known_args, open_args = _compose_args(get(given, "args"))
    return Build(
        source=path,
        by=f"service {name} of {path}",
        dockerfile=dockerfile,
        context=context,
        side=is_side(path),
        target="" if "$" in target else target,
        names=(name,),
        repository="" if "$" in image else _without_tag(image),
        build_args=known_args,
        open_args=open_args,
        service=name,
    )


def _compose_args(given: Value) -> tuple[Arguments, Arguments]:
    """Those whose value stands in the file, and the others with why theirs does not."""
    if isinstance(given, dict):
        rows = [(name, value) for name, value in pairs(given) if isinstance(value, str)]
    else:
        found = (one.partition("=") for one in items(given) if isinstance(one, str))
        rows = [(name, value) for name, _, value in found]
    rows = [(name, value) for name, value in rows[:MAX_NAMES] if _ARGUMENT.fullmatch(name)]
    return (
        tuple((name, value) for name, value in rows if value and "$" not in value),
        tuple(
            (name, "its value is a variable" if value else "it has no value there")
            for name, value in rows
            if not value or "$" in value
        ),
    )


_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(?::?-([^${}]*))?\}|\$([A-Za-z_]\w*)")


def _interpolate(value: str, known: Mapping[str, str]) -> str:
    """Compose's `${NAME}` and `${NAME:-default}` put in where they are known."""

    def one(found: re.Match[str]) -> str:
        return known.get(found[1] or found[3]) or (found[0] if found[2] is None else found[2])

    return _VARIABLE.sub(one, value)


def _variables(env_file: bytes) -> dict[str, str]:
    rows = re.findall(r"^([A-Za-z_]\w*)=([^\s#'\"$]*)$", env_file.decode("utf-8", "replace"), re.M)
    return dict(rows)


# --- workflows ---------------------------------------------------------------------------------


def _is_paths_filter(step: Value) -> bool:
    return bool(re.match(r"[^@]+/paths-filter(?:@|\Z)", text(step, "uses")))


def _is_by_push(on: Value) -> bool:
    """Whether `on` names pushes to branches, or another workflow that may be started by them."""
    named = set(_texts(on if isinstance(on, list) else [on, *(name for name, _ in pairs(on))]))
    if named & {"workflow_call", "workflow_run"}:
        return True
    limits = {name for name, _ in pairs(on, "push")}
    tags_only = limits & {"tags", "tags-ignore"} and not limits & {"branches", "branches-ignore"}
    return "push" in named and not tags_only


def _is_file(filters: str) -> bool:
    """As paths-filter tells a file's name from filters given in place."""
    return bool(filters) and "\n" not in filters and ":" not in filters


def _steps(document: Value) -> Iterator[Value]:
    for _, job in pairs(document, "jobs"):
        yield from items(job, "steps")


class _WorkflowReading:
    """One workflow being read."""

    def __init__(
        self,
        path: str,
        document: Value,
        contents: Mapping[str, bytes],
        repository: str,
        dockerfiles: Sequence[str],
        present: frozenset[str],
    ) -> None:
        self.path = path
        self.document = document
        self.contents = contents
        self.dockerfiles = dockerfiles
        self.present = present
        self.unusable: list[str] = []
        self.left = MAX_STEPS
        self.known = _named("env", get(document, "env"))
        if repository:
            self.known["github.repository"] = repository
            self.known["github.repository_owner"] = repository.partition("/")[0]
        for trigger in ("workflow_call", "workflow_dispatch"):
            for name, given in pairs(document, "on", trigger, "inputs"):
                if text(given, "default"):
                    self.known[f"inputs.{name}"] = text(given, "default")

    def read(self) -> Workflow:
        builds: list[Build] = []
        for job_id, job in pairs(self.document, "jobs"):
            builds += itertools.islice(self._job(job_id, job), MAX_BUILDS)
        push = get(self.document, "on", "push")
        return Workflow(
            path=self.path,
            builds=tuple(builds[:MAX_BUILDS]),
            filters=tuple(self._filters()),
            branches=_texts(items(push, "branches")),
            branches_ignore=_texts(items(push, "branches-ignore")),
            paths=_texts(items(push, "paths")),
            paths_ignore=_texts(items(push, "paths-ignore")),
            by_push=_is_by_push(get(self.document, "on")),
        )

    def _filters(self) -> Iterator[Filter]:
        for step in _steps(self.document):
            if not _is_paths_filter(step):
                continue
            value = get(step, "with", "filters")
            given = value if isinstance(value, str) else ""
            source, data = self.path, given.encode("utf-8", "replace")
            if _is_file(given):
                source = posixpath.normpath(given.strip())
                data = self.contents.get(source, b"")
            every = text(step, "with", "predicate-quantifier") == "every"
            found = read_filters(read_yaml(data), every=every, source=source)
            if not found:
                self.unusable.append(f"the filters in {source} cannot be read")
            yield from found

    def _job(self, job_id: str, job: Value) -> Iterator[Build]:
        for leg in _legs(get(job, "strategy", "matrix")):
            known = {**self.known, **leg}
            known |= _named("env", get(job, "env"))
            steps = items(job, "steps")
            for step in steps or [job]:  # a job that calls a workflow has `with` itself
                self.left -= 1
                if self.left < 0:
                    return
                if get(step, "with") is not None:
                    yield from self._step(job_id, job, step, steps, known)

    def _step(
        self, job_id: str, job: Value, step: Value, steps: Sequence[Value], known: Mapping[str, str]
    ) -> Iterator[Build]:
        given = get(step, "with")
        is_builder = re.match(r"docker/build-push-action(?:@|\Z)", text(step, "uses")) is not None
        file = next((found for key in _FILE_KEYS if (found := text(given, key))), "")
        context = next((found for key in _CONTEXT_KEYS if (found := text(given, key))), "")
        if not is_builder and not context:
            return
        places = list(self._places(put_in(context, known), put_in(file, known)))
        if not places and is_builder:
            what = shortened(file or context or "Dockerfile")
            self.unusable.append(
                f"job {job_id} of {self.path} builds from {what}, which is not here"
            )
        asked = _asked(put_in(text(step, "if"), known), self.document, job)
        asked += _asked(put_in(text(job, "if"), known), self.document, job)
        pushed = text(given, "push")
        known_args, open_args = _build_args(
            put_in(text(given, "build-args") or text(given, "build_args"), known)
        )
        is_pushed = pushed not in ("", "false") or "push" in text(given, "outputs")
        for dockerfile, directory, captured in places:
            repository, tag = self._repository(given, steps, known)
            last = last_segment(repository)
            yield Build(
                source=self.path,
                by=f"job {job_id} of {self.path}",
                dockerfile=dockerfile,
                context=directory,
                side=is_builder and not is_pushed,
                target=_known_only(put_in(text(given, "target"), known)),
                names=tuple(filter(None, (captured, last, _plain_job(job_id)))),
                repository=open_places(repository, captured) if captured else repository,
                platforms=tuple(
                    one
                    for one in re.split(r"[\s,]+", put_in(text(given, "platforms"), known))
                    if re.fullmatch(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?", one)
                ),
                tag=open_places(tag, captured) if captured else tag,
                build_args=known_args,
                open_args=open_args,
                runner=_texts([put_in(one, known) for one in _texts(items(job, "runs-on"))]),
                asked=tuple(dict.fromkeys(asked)),
                job=job_id,
                needs=_texts(items(job, "needs")),
                condition=_condition(text(job, "if")),
            )

    def _places(self, context: str, file: str) -> Iterator[tuple[str, str, str]]:
        """Dockerfile, context and what stood for the first `${{ }}`: several if one is open."""
        # Without a context the action builds from the commit itself; `:sub` is a folder in it.
        context = re.sub(r"\A\{\{\s*defaultContext\s*\}\}:?", "", context) or "."
        if not file:
            file = posixpath.join(context, "Dockerfile")
        if not has_expression(file + context):
            dockerfile, directory = _inside("", file), _inside("", context)
            if directory and dockerfile in self.present:
                yield dockerfile, directory, ""
            return
        pattern = _open_pattern(file)
        if pattern is None:
            return
        for dockerfile in self.dockerfiles:
            found = pattern.fullmatch(dockerfile)
            if not found or is_side(dockerfile):
                continue
            captured = found[1]
            directory = _inside("", open_places(context, captured))
            if context == file.removesuffix("/Dockerfile"):
                directory = posixpath.dirname(dockerfile) or "."
            name = posixpath.basename(captured) if captured != "." else ""
            if directory:
                yield dockerfile, directory, name

    def _repository(
        self, given: Value, steps: Sequence[Value], known: Mapping[str, str]
    ) -> tuple[str, str]:
        """The first place that the image is pushed to, and the tag there."""
        tags = put_in(text(given, "tags") or text(given, "image-names"), known)
        meta = re.match(r"\$\{\{\s*steps\.([\w-]+)\.outputs\.(?:tags|json)", tags)
        if meta:
            for step in steps:
                if text(step, "id") == meta[1]:
                    tags = put_in(text(step, "with", "images"), known)
        rows = [one.strip()[:500] for one in re.split(r"[\n,]", tags)]
        rows = [one for row in rows if (one := re.sub(r"\Aname=|\Atype=.*", "", row))]
        rows.sort(key=lambda one: not one.startswith("ghcr.io/"))
        if not rows:
            return "", ""
        repository = _without_tag(rows[0])
        return repository, rows[0].removeprefix(repository).removeprefix(":")


def shortened(value: str) -> str:
    """The text on one line, at most 60 characters of it."""
    return " ".join(value.split())[:60]


def _inside(folder: str, path: str) -> str:
    """The path from the root of the repository, '' when it leaves it or is none."""
    if "$" in path or path.startswith(("/", "~", "git@")):
        return ""
    joined = posixpath.normpath(posixpath.join(folder, path))
    leaves = joined == ".." or joined.startswith("../")
    return joined if _can_be_configured(joined) and not leaves else ""


def _open_pattern(file: str) -> re.Pattern[str] | None:
    """The Dockerfiles that the text may mean: an open place is a name's part, at first any path."""
    parts = re.split(r"\0+", open_places(posixpath.normpath(file), "\0"))
    if len(parts) < 2 or len(parts) > 4:
        return None
    first = r"([^\0]+?)" if not parts[0] else r"([^/]+)"
    body = re.escape(parts[0]) + first + "([^/]+)".join(map(re.escape, parts[1:]))
    return re.compile(body)


def _without_tag(image: str) -> str:
    """The image's repository: no tag, no digest; `${{ }}` may hold anything.

    >>> _without_tag("ghcr.io/acme/${{ matrix.a }}:latest"), _without_tag("localhost:5000/a")
    ('ghcr.io/acme/${{ matrix.a }}', 'localhost:5000/a')
    """
    held: list[str] = []

    def hold(found: re.Match[str]) -> str:
        held.append(found[0])
        return f"\0{len(held) - 1}\0"

    bare = EXPRESSION.sub(hold, image)
    bare = re.sub(r"@.*|:[^/]*\Z", "", bare)
    return re.sub(r"\0(\d+)\0", lambda found: held[int(found[1])], bare)


def last_segment(repository: str) -> str:
    """The last part of an image's repository, '' where only a runner knows it."""
    last = repository.rstrip("/").rsplit("/", 1)[-1]
    return "" if "$" in last or "}" in last else last


def _known_only(value: str) -> str:
    return "" if has_expression(value) else value


def _texts(values: Sequence[Value]) -> tuple[str, ...]:
    texts = (value.strip() for value in flat(list(values)) if isinstance(value, str))
    return tuple(dict.fromkeys(value for value in texts if value))


def _build_args(given: str) -> tuple[Arguments, Arguments]:
    """Those whose value stands in the file, and the others with why theirs does not."""
    known: dict[str, str] = {}
    others: dict[str, str] = {}
    for row in given.splitlines()[:MAX_NAMES]:
        name, equals, value = row.strip().partition("=")
        if not _ARGUMENT.fullmatch(name):
            if "${{" in row:
                others[shortened(row)] = "only a run knows it"
        elif not equals:
            others[name] = "its value is the runner's"
        elif "${{" in value:
            others[name] = "its value is an expression"
        else:
            known[name] = value
    return tuple(known.items()), tuple(others.items())


def _condition(given: str) -> str:
    """What a job is run for, '' where that is no more than that the jobs before went well."""
    bare = " ".join(re.sub(r"\A\$\{\{(.*)\}\}\Z", r"\1", given, flags=re.DOTALL).split())
    return "" if re.fullmatch(r"(?:always|success|!\s?cancelled|!\s?failure)\(\)", bare) else bare


def _plain_job(job_id: str) -> str:
    """What a job's id says of the image.

    >>> _plain_job("build-and-push-web-image"), _plain_job("docker_build")
    ('web', '')
    """
    words = re.split(r"[-_]+", job_id.lower())
    return "-".join(word for word in words if not _NOISE.fullmatch(word))


_NOISE = re.compile(
    "all|amd64|and|arch|arm64|branch|build|call|cd|ci|container|deploy|docker|images?|job|main"
    "|multi|multiarch|prod|production|publish|push|release|staging|tests?"
)


def _asked(condition: str, document: Value, job: Value) -> list[str]:
    """The outputs that a condition wants to be true, also as the jobs before hand them on."""
    found: list[str] = []
    for name, is_not in re.findall(
        r"outputs(?:\.|\[')([\w-]+)(?:'\])?(\s*(?:!=\s*'true'|==\s*'false'))?", condition
    ):
        if is_not:
            continue
        found.append(name)
        for _, other in pairs(document, "jobs"):
            handed = text(other, "outputs", name)
            found += re.findall(r"outputs(?:\.|\[')([\w-]+)", handed)
    return found


def _legs(matrix: Value) -> list[dict[str, str]]:
    """The combinations of a matrix as `matrix.…` values; one that a runner computes has none."""
    axes = [(name, found) for name, value in pairs(matrix) if (found := _axis(name, value))]
    legs = [
        {name: value for (name, _), value in zip(axes, values, strict=True)}
        for values in itertools.islice(itertools.product(*(found for _, found in axes)), MAX_LEGS)
    ]
    excluded = [dict(pairs(one)) for one in items(matrix, "exclude")[:MAX_LEGS]]
    legs = [leg for leg in legs if not any(_covers(one, leg) for one in excluded if one)]
    names = {name for name, _ in axes}
    added = []
    for one in items(matrix, "include")[:MAX_LEGS]:
        entry = dict(pairs(one))
        own = {name: value for name, value in entry.items() if name in names}
        matching = [leg for leg in legs if _covers(own, leg)] if names else []
        for leg in matching:
            leg.update({name: value for name, value in entry.items() if name not in names})
        if not matching:
            added.append(entry)
    if not names and added:
        legs = []
    return [_named("matrix", leg) for leg in [*legs, *added][:MAX_LEGS]]


def _axis(name: str, value: Value) -> list[Value]:
    return value if isinstance(value, list) and name not in ("include", "exclude") else []


def _covers(some: Mapping[str, Value], leg: Mapping[str, Value]) -> bool:
    # Texts only: two values full of references would take for ever to compare.
    return all(
        leg.get(name) is value or (isinstance(value, str) and leg.get(name) == value)
        for name, value in some.items()
    )


def _named(prefix: str, value: Value) -> dict[str, str]:
    """The texts of nested mappings by their dotted names."""
    return dict(itertools.islice(_names(prefix, value, 3), MAX_NAMES))


def _names(prefix: str, value: Value, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield prefix, value
    elif depth:
        for name, one in pairs(value)[:MAX_NAMES]:
            yield from _names(f"{prefix}.{name}", one, depth - 1)
