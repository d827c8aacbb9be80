"""What a build of a Dockerfile takes from its contexts: by which instruction, and from where.

Follows the stages that the target needs, and knows the variables as far as the configuration
tells them. Decides nothing about files: what a path or a pattern finds is up to `reads`. Where
the builder would refuse the Dockerfile, or another language is spoken, it says so instead of
guessing.

Source: https://docs.docker.com/reference/dockerfile/, and the order in which BuildKit's
frontend/dockerfile/dockerfile2llb resolves stages, arguments and triggers.
"""

from __future__ import annotations

import re
from posixpath import basename

from orient_deploy.config.model import DOCKER_IMAGE
from orient_deploy.inputs.dockerfile import heredoc_of
from orient_deploy.inputs.variables import (
    ANY_NAME,
    ANYTHING,
    Unreadable,
    expanded,
    has_mark,
)
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from orient_deploy.inputs.dockerfile import Dockerfile, Instruction

SCRATCH = "scratch"
MAIN = ""  # the name of the build context that every build has

_KEYWORDS = {
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
    *("MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
}
_FLAGS = {
    "ADD": frozenset(["chown", "chmod", "link", "keep-git-dir", "checksum", "unpack", "exclude"]),
    "COPY": frozenset(["chown", "chmod", "link", "from", "exclude", "parents"]),
    "FROM": frozenset(["platform"]),
    "RUN": frozenset(["mount", "network", "security", "device"]),
}
_REPEATED = ("exclude", "mount", "device")
_STAGE = r"[a-z][a-z0-9\-_.]*"
_SCHEMES = ("http://", "https://", "git://", "ssh://")
_SHORT_SSH = r"[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:"
# A frontend that speaks this language: docker/dockerfile of any registry and version.
_FRONTEND = r"(?:\S*/)?docker/dockerfile(?:-upstream)?(?:[:@]\S*)?(?:\s.*)?"
_WITHOUT_VALUE = ("ro", "readonly", "rw", "readwrite", "required")
_MOUNT_KEYS = {
    *("type", "from", "source", "src", "target", "dst", "destination", "required", "size", "id"),
    *("ro", "readonly", "rw", "readwrite", "sharing", "mode", "uid", "gid", "env"),
}
_SPELLINGS = {"src": "source", "dst": "target", "destination": "target"}
_SCRATCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, kw_only=True)
class Take:
    """One path or pattern that an instruction takes from a context."""

    line: int
    text: str  # the instruction in one line
    source: str  # relative to the context or with a '/'; may hold marks of `variables`
    context: str = MAIN  # or the name of a named context
    is_pattern: bool = True  # a bind mount names a path
    excludes: tuple[str, ...] = ()
    parents: bool = False


@dataclass(frozen=True, kw_only=True)
class Widened:
    """What could not be followed, and in which line: so more counts than may be read."""

    line: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a build takes from outside of its Dockerfile."""

    takes: tuple[Take, ...] = ()
    bases: tuple[str, ...] = ()  # images, in the order of their first mention
    runs: tuple[tuple[int, str], ...] = ()  # the commands, with their lines
    secrets: tuple[str, ...] = ()  # names
    doubts: tuple[Widened, ...] = ()  # why there may be more takes than are needed
    refused: tuple[Widened, ...] = ()  # not empty: anything may be taken


def demand(
    dockerfile: Dockerfile,
    *,
    target: str = "",
    build_args: Iterable[tuple[str, str]] = (),
    platforms: Sequence[str] = (),
    contexts: Iterable[tuple[str, str]] = (),
) -> Demand:
    """What a build for these platforms takes; without any, for one that is not known.

    `contexts` are the named ones; one that stands for an image is 'docker-image://…'.
    """
    problem = _problem(dockerfile, dict(build_args))
    if problem is not None:
        return Demand(refused=(problem,))
    args = dict(build_args)
    named = {context_name(name): value for name, value in contexts}
    tells_platform = any(
        "TARGET" in one.text or "BUILD" in one.text for one in dockerfile.instructions
    )
    found = []
    for platform in (platforms if tells_platform else platforms[:1]) or ("",):
        build = _Build(dockerfile, args, named, target, platform)
        try:
            build.follow()
        except _Refused as error:
            return Demand(
                refused=(Widened(line=error.line, why=error.why),), bases=tuple(build.bases)
            )
        found.append(build)
    return Demand(
        takes=_merged(build.takes for build in found),
        bases=_merged(build.bases for build in found),
        runs=_merged(build.runs for build in found),
        secrets=_merged(build.secrets for build in found),
        doubts=_merged(build.doubts for build in found),
    )


def _merged(lists: Iterable[Iterable[object]]) -> tuple:  # type: ignore[type-arg]  # of any kind
    return tuple(dict.fromkeys(one for some in lists for one in some))


def _problem(dockerfile: Dockerfile, args: dict[str, str]) -> Widened | None:
    if dockerfile.problem is not None:
        return Widened(line=dockerfile.problem.line, why=dockerfile.problem.why)
    syntax = args.get("BUILDKIT_SYNTAX") or dockerfile.syntax
    if syntax and not re.fullmatch(_FRONTEND, syntax):
        return Widened(line=1, why=f"{syntax} reads it, and that may be another language")
    for one in dockerfile.instructions:
        if has_mark(one.text):
            return Widened(line=one.line, why="it holds a control character")
    return None


def context_name(name: str) -> str:
    """The name by which a context replaces an image of that name."""
    name = name.lower().removeprefix("index.").removeprefix("docker.io/").removeprefix("library/")
    return name.removesuffix(":latest")


class _Refused(Exception):
    """The builder would refuse the Dockerfile here."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line
        self.why = why


class _Stage:
    """A stage, before it is followed."""

    __slots__ = (
        "bases",
        "env",
        "image",
        "instructions",
        "is_open",
        "line",
        "name",
        "number",
        "triggers",
    )

    def __init__(self, number: int, line: int, name: str) -> None:
        self.number = number
        self.line = line
        self.name = name
        self.bases: list[_Stage] = []  # the one it begins from, or all that it may begin from
        self.image = ""  # the image it begins from
        self.instructions: list[Instruction] = []
        self.triggers: list[Instruction] = []
        self.env: dict[str, str] = {}
        self.is_open = False  # the base image may have set more variables


class _Build:
    """One build for one platform."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        args: dict[str, str],
        contexts: dict[str, str],
        target: str,
        platform: str,
    ) -> None:
        self._dockerfile = dockerfile
        self._args = args
        self._contexts = contexts
        self._target = target
        self._globals = _platform_args(platform, args)
        self._stages: list[_Stage] = []
        self._by_name: dict[str, _Stage] = {}
        self.takes: list[Take] = []
        self.bases: list[str] = []
        self.runs: list[tuple[int, str]] = []
        self.secrets: list[str] = []
        self.doubts: list[Widened] = []

    def follow(self) -> None:
        """Fills the five lists."""
        self._part()
        if not self._stages:
            raise _Refused(1, "it has no stage")
        target = self._stages[-1]
        if self._target:
            found = self._by_name.get(self._target.lower())
            if found is None:
                raise _Refused(0, f"it has no stage {self._target}")
            target = found
        needed: set[int] = set()
        self._need(target, needed)
        if self._is_context(target):
            self._begin_from_context(target.name, target)
        for stage in self._stages:
            if stage.number in needed:
                self._follow_stage(stage)

    # --- the stages ----------------------------------------------------------------------------

    def _part(self) -> None:
        last = _last_name(self._dockerfile.instructions)
        self._globals["TARGETSTAGE"] = self._args.get("TARGETSTAGE", self._target or last)
        for one in self._dockerfile.instructions:
            self._check(one)
            if one.keyword == "FROM":
                self._begin(one)
            elif self._stages:
                self._put(one)
            elif one.keyword == "ARG":
                self._declare(one, self._globals, self._global)
            else:
                raise _Refused(one.line, f"{one.keyword} stands before the first FROM")

    def _check(self, one: Instruction) -> None:
        if one.keyword not in _KEYWORDS:
            raise _Refused(one.line, f"{one.keyword or 'nothing'} is no instruction")
        known = _FLAGS.get(one.keyword)
        if known is None:
            return
        names = [flag[2:].partition("=")[0] for flag in one.flags]
        for name in names:
            if name not in known:
                raise _Refused(one.line, f"{one.keyword} has no flag --{name}")
            if name not in _REPEATED and names.count(name) > 1:
                raise _Refused(one.line, f"--{name} comes twice")

    def _put(self, one: Instruction) -> None:
        stage = self._stages[-1]
        if one.keyword != "ONBUILD":
            stage.instructions.append(one)
        elif one.trigger is None or one.trigger.keyword in ("ONBUILD", "FROM", "MAINTAINER"):
            raise _Refused(one.line, "ONBUILD holds nothing that it can do")
        else:
            self._check(one.trigger)
            stage.triggers.append(one.trigger)

    def _begin(self, one: Instruction) -> None:
        words = one.arguments
        if len(words) not in (1, 3) or (len(words) == 3 and words[1].lower() != "as"):
            raise _Refused(one.line, "FROM takes an image, and AS with a name")
        name = words[2].lower() if len(words) == 3 else ""
        if name and not re.fullmatch(_STAGE, name):
            raise _Refused(one.line, f"{words[2]} cannot be the name of a stage")
        base = self._expanded(one, words[0], self._global)
        if not base:
            raise _Refused(one.line, f"FROM {words[0]} names no image")
        stage = _Stage(len(self._stages), one.line, name)
        if name and name in self._contexts:
            stage.image = name  # the context replaces the stage
        elif has_mark(base):
            fits = _fitting(base)
            stage.bases = [found for key, found in self._by_name.items() if fits(key)]
            stage.image = words[0]
        elif base in self._by_name:
            stage.bases = [self._by_name[base]]
        else:
            stage.image = base
        self._stages.append(stage)
        if name:
            self._by_name[name] = stage

    def _is_context(self, stage: _Stage) -> bool:
        return bool(stage.name) and stage.name in self._contexts

    def _need(self, stage: _Stage, needed: set[int]) -> None:
        if stage.number in needed:
            return
        needed.add(stage.number)
        if self._is_context(stage):
            return
        if len(stage.bases) > 1 or (stage.bases and stage.image):
            names = ", ".join(sorted(base.name for base in stage.bases))
            why = f"{stage.image} is not known here and may be {names}"
            self.doubts.append(Widened(line=stage.line, why=why))
        for base in stage.bases:
            self._need(base, needed)
        for one in self._whole(stage):
            for name in _origins(one):
                other = self._origin(one, name, stage)
                if other is not None:
                    self._need(other, needed)

    def _whole(self, stage: _Stage) -> Iterator[Instruction]:
        """What runs in a stage: the triggers of its base, and its own instructions."""
        for base in stage.bases:
            yield from base.triggers
        yield from stage.instructions

    def _origin(self, one: Instruction, name: str, stage: _Stage) -> _Stage | None:
        """The stage that `--from` or a mount's `from` names; None: it names an image or context."""
        if "$" in name.rstrip("$"):
            raise _Refused(one.line, f"{name} cannot hold a variable")
        found: _Stage | None
        if one.keyword == "COPY" and name[name[0] in "+-" :].isdecimal():
            number = int(name)
            if not 0 <= number < len(self._stages):
                raise _Refused(one.line, f"there is no stage {name}")
            found = self._stages[number]
        else:
            found = self._by_name.get(name.lower())
        if found is not None and found.number >= stage.number and not self._is_context(found):
            raise _Refused(one.line, f"stage {name} is not built yet")
        return found

    # --- one stage -----------------------------------------------------------------------------

    def _follow_stage(self, stage: _Stage) -> None:
        if self._is_context(stage):
            stage.is_open = True
            return
        for base in stage.bases:
            if self._is_context(base):
                self._begin_from_context(base.name, stage)
        if stage.image and stage.image.lower() != SCRATCH:
            name = context_name(stage.image)
            if name in self._contexts:
                self._begin_from_context(name, stage)
            else:
                self.bases.append(stage.image)
        if len(stage.bases) == 1 and not stage.image:
            stage.env = dict(stage.bases[0].env)
            stage.is_open = stage.bases[0].is_open
        elif stage.image.lower() == SCRATCH:
            stage.env["PATH"] = _SCRATCH_PATH
        else:
            stage.is_open = True

        def lookup(name: str) -> str | None:
            return stage.env.get(name, ANYTHING if stage.is_open else None)

        for one in self._whole(stage):
            self._follow_instruction(one, stage, lookup)

    def _begin_from_context(self, name: str, stage: _Stage) -> None:
        """A named context instead of an image: all of it counts."""
        if self._note_if_image(name):
            return
        text = f"FROM {stage.image or name}"
        self.takes.append(Take(line=stage.line, text=text, source="/", context=name))

    def _note_if_image(self, name: str) -> bool:
        """Whether a named context is an image; then it is noted."""
        value = self._contexts[name]
        if not value.startswith(DOCKER_IMAGE):
            return False
        self.bases.append(value.removeprefix(DOCKER_IMAGE))
        return True

    def _follow_instruction(
        self,
        one: Instruction,
        stage: _Stage,
        lookup: Callable[[str], str | None],
    ) -> None:
        if one.keyword == "ARG":
            self._declare(one, stage.env, lookup)
        elif one.keyword == "ENV":
            pairs = [
                (self._expanded(one, name, lookup), self._expanded(one, value, lookup))
                for name, value in zip(one.arguments[::2], one.arguments[1::2], strict=True)
            ]
            stage.env.update(pairs)
        elif one.keyword in ("COPY", "ADD"):
            self.takes += self._copied(one, stage, lookup)
        elif one.keyword == "RUN":
            self.takes += self._mounted(one, stage, lookup)
            heredocs = "".join(f"\n{doc.content}" for doc in one.heredocs)
            self.runs.append((one.line, " ".join(one.arguments) + heredocs))

    def _declare(
        self, one: Instruction, env: dict[str, str], lookup: Callable[[str], str | None]
    ) -> None:
        """ARG: given, else its default, else what stands before the first FROM."""
        for word in one.arguments:
            name, has_default, default = word.partition("=")
            if not name:
                raise _Refused(one.line, "ARG has no name")
            if name in self._args:
                env[name] = self._args[name]
            elif has_default:
                env[name] = self._expanded(one, default, lookup)
            elif env is not self._globals and name in self._globals:
                env[name] = self._globals[name]
            else:
                # Whoever builds may give it all the same.
                env.setdefault(name, ANYTHING)

    def _global(self, name: str) -> str | None:
        return self._globals.get(name)

    def _expanded(self, one: Instruction, word: str, lookup: Callable[[str], str | None]) -> str:
        try:
            return expanded(word, lookup, self._dockerfile.escape)
        except Unreadable as error:
            raise _Refused(one.line, f"{word}: {error}") from None

    def _copied(
        self,
        one: Instruction,
        stage: _Stage,
        lookup: Callable[[str], str | None],
    ) -> Iterator[Take]:
        if len(one.arguments) < 2:
            raise _Refused(one.line, f"{one.keyword} names no source or no destination")
        context = self._context(one, _value(one, "from"), stage)
        parents = _value(one, "parents", "false").lower() or "true"
        if parents not in ("true", "false"):
            raise _Refused(one.line, f"--parents is {parents}")
        excludes = tuple(one.values("exclude"))
        for word in one.arguments[:-1]:
            if heredoc_of(word) is not None:
                continue
            source = self._expanded(one, word, lookup)
            if is_remote(source):
                if one.keyword == "COPY" and source.startswith(("http://", "https://")):
                    raise _Refused(one.line, "COPY takes no address")
                if one.keyword == "ADD":
                    continue
            if context is not None:
                yield Take(
                    line=one.line,
                    text=one.summary,
                    source=source,
                    context=context,
                    excludes=excludes,
                    parents=parents == "true",
                )

    def _context(self, one: Instruction, name: str, stage: _Stage) -> str | None:
        """The context that `from` stands for; None: another stage or an image.

        An image is noted.
        """
        if not name:
            return MAIN
        found = self._origin(one, name, stage)
        key = found.name if found is not None else context_name(name)
        if key in self._contexts and (found is None or self._is_context(found)):
            return None if self._note_if_image(key) else key
        if found is None and name.lower() != SCRATCH:
            self.bases.append(name)
        return None

    def _mounted(
        self,
        one: Instruction,
        stage: _Stage,
        lookup: Callable[[str], str | None],
    ) -> Iterator[Take]:
        for given in _mounts(one):
            options = {
                key: value if key == "from" else self._expanded(one, value, lookup)
                for key, value in given.items()
            }
            kind = options.get("type", "bind").lower()
            source = options.get("source", "")
            if kind == "secret":
                name = options.get("id") or source or basename(options.get("target", ""))
                self.secrets.append(name)
            elif kind in ("bind", "cache", ANYTHING):
                context = self._context(one, options.get("from", ""), stage)
                # A cache that names nothing is empty at first.
                if context is not None and (kind != "cache" or context):
                    yield Take(
                        line=one.line,
                        text=one.summary,
                        source=source,
                        context=context,
                        is_pattern=False,
                    )
            elif kind not in ("tmpfs", "ssh"):
                raise _Refused(one.line, f"there are no mounts of type {kind}")


def is_remote(source: str) -> bool:
    """Whether ADD fetches it from a server."""
    return source.startswith(_SCHEMES) or re.match(_SHORT_SSH, source) is not None


def _last_name(instructions: Sequence[Instruction]) -> str:
    for one in reversed(instructions):
        if one.keyword == "FROM":
            return one.arguments[2].lower() if len(one.arguments) == 3 else "default"
    return "default"


def _value(one: Instruction, flag: str, default: str = "") -> str:
    found = one.values(flag)
    return found[0] if found else default


def _origins(one: Instruction) -> Iterator[str]:
    """What an instruction copies or mounts from, besides the context."""
    if one.keyword == "COPY" and (name := _value(one, "from")):
        yield name
    elif one.keyword == "RUN":
        for options in _mounts(one):
            if options.get("from"):
                yield options["from"]


def _mounts(one: Instruction) -> Iterator[dict[str, str]]:
    """The options of each `--mount`."""
    for text in one.values("mount"):
        if '"' in text:
            raise _Refused(one.line, f"{text} holds a quote")
        options: dict[str, str] = {}
        for field in text.split(","):
            key, equals, value = field.partition("=")
            key = key.lower()
            if key not in _MOUNT_KEYS or not (equals or key in _WITHOUT_VALUE):
                raise _Refused(one.line, f"{field} is no option of a mount")
            options[_SPELLINGS.get(key, key)] = value
        yield options


def _fitting(text: str) -> Callable[[str], bool]:
    """Whether a name may be what a text with marks stands for."""
    parts = re.split(f"([{ANYTHING}{ANY_NAME}])", text)
    expression = "".join(".*" if has_mark(part) else re.escape(part) for part in parts)
    match = re.compile(expression).fullmatch
    return lambda name: match(name) is not None


# --- platforms ---------------------------------------------------------------------------------

_ARCHITECTURES = {
    "aarch64": ("arm64", ""),
    "armel": ("arm", "v6"),
    "armhf": ("arm", "v7"),
    "i386": ("386", ""),
    "x86-64": ("amd64", ""),
    "x86_64": ("amd64", ""),
}
_USUAL_VARIANTS = {("arm64", "8"), ("arm64", "v8"), ("amd64", "v1")}


def _platform_args(platform: str, args: dict[str, str]) -> dict[str, str]:
    """The arguments that every build has. What builds is not known, only what it builds for."""
    found = {
        "BUILDPLATFORM": ANYTHING,
        "BUILDOS": ANY_NAME,
        "BUILDOSVERSION": ANY_NAME,
        "BUILDARCH": ANY_NAME,
        "BUILDVARIANT": ANY_NAME,
        "TARGETPLATFORM": ANYTHING,
        "TARGETOS": ANY_NAME,
        "TARGETOSVERSION": ANY_NAME,
        "TARGETARCH": ANY_NAME,
        "TARGETVARIANT": ANY_NAME,
    }
    parts = platform.lower().split("/")
    if len(parts) in (2, 3) and all(parts):
        system, architecture, *rest = parts
        variant = rest[0] if rest else ""
        if architecture in _ARCHITECTURES:
            architecture, usual = _ARCHITECTURES[architecture]
            variant = variant or usual
        if architecture == "arm":
            variant = f"v{variant}" if variant.isdecimal() else variant or "v7"
        if (architecture, variant) in _USUAL_VARIANTS:
            variant = ""
        system = "darwin" if system == "macos" else system
        whole = f"{system}/{architecture}" + (f"/{variant}" if variant else "")
        found |= {
            "TARGETPLATFORM": whole,
            "TARGETOS": system,
            "TARGETOSVERSION": "",
            "TARGETARCH": architecture,
            "TARGETVARIANT": variant,
        }
    return {name: args.get(name, value) for name, value in found.items()}
