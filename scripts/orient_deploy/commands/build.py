"""The action `build`: build one image, push it, and record which inputs it was built from.

The record comes last: whatever fails or is ended before leaves none, and the next run builds again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from orient_deploy.buildx.arguments import Options, arguments, choose_caches, parse_secrets
from orient_deploy.buildx.docker import Docker
from orient_deploy.buildx.failure import explain
from orient_deploy.buildx.login import logged_in
from orient_deploy.buildx.metadata import read_digest
from orient_deploy.buildx.model import parse_entry, read_entry
from orient_deploy.buildx.report import Outcome, build_lines, build_markdown
from orient_deploy.commands.clone import find_files
from orient_deploy.commands.context import described
from orient_deploy.commands.matrix import entries_of
from orient_deploy.commands.planning import PlanInputs, make_plan, split_names
from orient_deploy.config import DEFAULT_PATH
from orient_deploy.errors import EXIT_GOOD, InputError, RemoteError
from orient_deploy.history import Git
from orient_deploy.plan.refs import PULL_REQUESTS
from orient_deploy.plan.wording import listed_paths, plural
from orient_deploy.record import dataclass
from orient_deploy.registry.credentials import Credentials
from orient_deploy.registry.model import Absent, Found
from orient_deploy.registry.reference import check_tag
from orient_deploy.runner import read_flag

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.buildx.model import Build
    from orient_deploy.commands.context import Context
    from orient_deploy.history import Checkout
    from orient_deploy.registry.client import Registry

OUTPUTS = ("image-digest", "reference", "recorded")
JOBS_OWN = "ghcr.io"  # the registry that takes the job's token


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs of `build`."""

    entry: str = described(
        "One entry of the matrix: pass toJSON(matrix). Empty means that 'image' is given.", ""
    )
    image: str = described(
        "Name of the image to build, for a job that has no matrix: its entry is computed from the "
        "commit and the configuration. Empty means that 'entry' is given.",
        "",
    )
    push: str = described(
        "Push the image. 'true' or 'false'; empty means 'true', but for pull requests and on a "
        "laptop 'false': then it is built and thrown away, and nothing is recorded.",
        "",
    )
    digest: str = described(
        "Digest or tag of an image that an earlier step pushed: nothing is built, it is only "
        "recorded. Empty means that the image is built here.",
        "",
    )
    username: str = described(
        "Who logs in to the image's registry.", "", action_default="${{ github.actor }}"
    )
    password: str = described(
        "Password or token for the image's registry. Empty means an earlier login or, for ghcr.io, "
        "'token'.",
        "",
        secret=True,
    )
    secrets: str = described(
        "Build secrets, one 'id=VARIABLE' a line: the values stand in the variables of the "
        "step's 'env', never here. Empty means none.",
        "",
    )
    no_cache: bool = described(
        "Build every layer anew and look for newer base images, as for a forced build. 'true' or "
        "'false'; empty means 'false', but where the entry asks for it.",
        False,
    )
    cache: str = described(
        "Where layers are kept between runs: 'gha' (GitHub's cache), 'registry' (a tag beside the "
        "image), 'none', or 'auto': GitHub's where this step can reach it, else the registry.",
        "auto",
    )
    provenance: str = described(
        "Provenance attestation, as docker buildx takes it: 'false', 'mode=max', … Empty means "
        "buildx's own default.",
        "",
    )
    sbom: str = described(
        "Bill of materials, as docker buildx takes it: 'true', or its generator. Empty means none.",
        "",
    )
    hold: str = described(
        "Names of what needs this image for longer, separated by commas, blanks or lines: each "
        "becomes a tag 'hold-<name>', so that a clean-up of the registry leaves the image. Empty "
        "means none.",
        "",
    )
    config: str = described(
        "Path of the configuration file, relative to the repository root. Used with 'image'.",
        DEFAULT_PATH,
    )
    images: str = described(
        "Instead of a configuration file, the mapping that would stand under 'images' in it. Used "
        "with 'image'.",
        "",
    )
    commit: str = described(
        "Branch, tag or commit to build. Empty means the commit of the event. Used with 'image'.",
        "",
    )
    path: str = described(
        "Where the repository is checked out, relative to the workspace. Empty means the workspace "
        "itself.",
        "",
    )
    token: str = described(
        "Token that may read the repository and, where the images are on ghcr.io, write packages.",
        "",
        action_default="${{ github.token }}",
        secret=True,
    )


def run(inputs: Inputs, context: Context) -> int:
    """Build, push and record; or only the last."""
    build = _build(inputs, context)
    holds = tuple(check_tag(f"hold-{name}") for name in split_names(inputs.hold))
    pushes = _pushes(inputs, context)
    git = Git(context.env)
    try:
        checkout, root = find_files(inputs.path, git, context)
        if inputs.digest:
            outcome = _record_only(build, holds, checkout, git, inputs, context)
        else:
            if pushes:
                _check_commit(build, checkout, git)
            if pushes and build.record:
                _warn_of_changes(checkout, root, git, context)
            outcome = _build_and_push(build, holds, root, pushes, inputs, context)
    finally:
        git.close()
    context.publish(
        {
            "image-digest": outcome.digest,
            "reference": outcome.reference,
            "recorded": bool(outcome.recorded),
        },
        lines=build_lines(outcome),
        markdown=build_markdown(outcome),
    )
    return EXIT_GOOD


def _build(inputs: Inputs, context: Context) -> Build:
    """What to build: the entry that was handed over, or the one computed for the named image."""
    if bool(inputs.entry) == bool(inputs.image):
        both = bool(inputs.entry)
        raise InputError(
            "inputs 'entry' and 'image' are both given" if both else "no image is named",
            "one of them says what to build" if both else "inputs 'entry' and 'image' are empty",
            "In a matrix job pass `entry: ${{ toJSON(matrix) }}`, in any other `image: <name>`",
        )
    if inputs.entry:
        return parse_entry(inputs.entry)
    if inputs.images and ":" not in inputs.images:
        raise InputError(
            "input 'images' holds no mapping",
            "here it stands for a configuration file",
            "Name the one image to build in 'image'",
        )
    planned = make_plan(
        PlanInputs(
            config=inputs.config,
            images=inputs.images,
            commit=inputs.commit,
            path=inputs.path,
            token=inputs.token,
        ),
        context,
    )
    known = [image.name for image in planned.config.images]
    if inputs.image not in known:
        raise InputError(
            f"input 'image': there is no image {inputs.image!r}",
            f"the configuration has {', '.join(known)}",
            "Give one of these names",
        )
    (entry,) = entries_of(planned, (inputs.image,), context)
    return read_entry(entry.as_json())


def _pushes(inputs: Inputs, context: Context) -> bool:
    if inputs.push:
        return read_flag("push", inputs.push)
    return context.in_actions and context.env.get("GITHUB_EVENT_NAME") not in PULL_REQUESTS


def _check_commit(build: Build, checkout: Checkout | None, git: Git) -> None:
    """The image says of itself what it was built from, and so does its record."""
    head = checkout.tip(git, "HEAD") if checkout else ""
    if head != build.commit:
        raise InputError(
            f"{build.name} was to be built from {build.commit}",
            f"the commit that is checked out is {head}" if head else "nothing is checked out here",
            "Check out that commit in an earlier step (`ref`), or give this one to matrix and "
            "detect in 'commit'",
        )


def _warn_of_changes(checkout: Checkout | None, root: str, git: Git, context: Context) -> None:
    """An earlier step may make files on purpose; that it changed some of the commit's is odd."""
    assert checkout is not None, "its commit was compared"
    where = [f"--git-dir={checkout.git_dir}", f"--work-tree={root}"]
    command = ["status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=dirty"]
    # In the consumer's own configuration, which may have filters: git-lfs, line ends.
    done = git.run([*where, *command, "--no-renames"], environment=git.networking)
    changed = [os.fsdecode(row[3:]) for row in done.out.split(b"\0") if row]
    if changed and done.code == 0:
        context.log.warning(
            f"an earlier step changed {plural(len(changed), 'file')} of the commit "
            f"({listed_paths(changed)}): the record names the commit's inputs, and the image may "
            "be built from others.",
            title="Changed files",
        )


def _build_and_push(
    build: Build,
    holds: tuple[str, ...],
    root: str,
    pushes: bool,
    inputs: Inputs,
    context: Context,
) -> Outcome:
    if not os.path.isfile(os.path.join(root, build.dockerfile)):
        raise InputError(
            f"{build.dockerfile} is not in {root or 'the checkout'}",
            f"it is the Dockerfile of {build.name}",
            "Check out the commit that is built, and correct `dockerfile`",
        )
    secrets = parse_secrets(inputs.secrets, context.env)
    hidden = [
        line
        for value in (*(context.env[variable] for _, variable in secrets), *_passwords(inputs))
        for line in context.log.mask(value)
    ]
    with ExitStack() as stack:
        environment = context.env
        login = _login(build, pushes, inputs, context)
        if login:
            environment = stack.enter_context(logged_in(environment, build.registry, *login))
        docker = Docker(environment)
        builder = docker.builder()
        caches = choose_caches(
            build, inputs.cache, push=pushes, exports=builder.full, environment=environment
        )
        if caches.notice:
            context.log.notice(f"{caches.notice}.", title="Cache")
        options = Options(
            push=pushes,
            caches=caches,
            fresh=inputs.no_cache or build.fresh,
            provenance=inputs.provenance,
            sbom=inputs.sbom,
            secrets=secrets,
        )
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(
                prefix="orient-deploy-build-", dir=context.env.get("RUNNER_TEMP") or None
            )
        )
        metadata = os.path.join(folder, "metadata.json")
        with context.log.group(f"docker buildx build {build.name}"):
            finished = docker.build(
                arguments(build, options, metadata),
                folder=root,
                timeout_s=build.timeout_minutes * 60.0,
                show=context.log.relay,
                hidden=hidden,
            )
        if finished.code or finished.timed_out:
            raise explain(finished, build)
        if not pushes:
            return Outcome(
                build=build, duration_s=finished.duration_s, unrecorded="nothing was pushed"
            )
        digest = read_digest(metadata)
        registry = _registry(build, inputs, context, environment)
        _check_pushed(registry, build, digest)
        recorded = _tag(registry, build, digest, holds)
        size = registry.size_bytes(build.repository, digest)
    return Outcome(
        build=build,
        digest=digest,
        duration_s=finished.duration_s,
        size_bytes=size if isinstance(size, int) else None,
        holds=holds,
        recorded=recorded,
        unrecorded=_why_unrecorded(build),
    )


def _passwords(inputs: Inputs) -> tuple[str, ...]:
    return tuple(value for value in (inputs.password, inputs.token) if value)


def _login(build: Build, pushes: bool, inputs: Inputs, context: Context) -> tuple[str, str] | None:
    """User and password for docker, or None: it is logged in, or nothing is to be pushed."""
    if inputs.password:
        return _user(inputs, context), inputs.password
    if not pushes or build.registry != JOBS_OWN or not inputs.token:
        return None
    if Credentials(environment=context.env).of(build.registry):
        return None
    return _user(inputs, context), inputs.token


def _user(inputs: Inputs, context: Context) -> str:
    return inputs.username or context.env.get("GITHUB_ACTOR") or "token"


def _registry(
    build: Build, inputs: Inputs, context: Context, environment: Mapping[str, str]
) -> Registry:
    """Reads the same configuration as docker did: it holds the login."""
    from orient_deploy.registry.client import Registry

    given = [(build.registry, _user(inputs, context), inputs.password)]
    return Registry(
        Credentials(
            given if inputs.password else (),
            environment=environment,
            github_token=inputs.token,
        )
    )


def _check_pushed(registry: Registry, build: Build, digest: str) -> None:
    """That the registry holds what docker says it pushed, and so nothing is recorded in vain."""
    (answer,) = registry.look_up([(build.repository, digest)])
    if not isinstance(answer, Found):
        why = "it has no such image" if isinstance(answer, Absent) else answer.why
        raise RemoteError(
            f"{build.registry} does not show {build.reference(digest)}, which was pushed",
            why,
            "Re-run this job; nothing was recorded, so the next run builds the image again",
        )


def _tag(registry: Registry, build: Build, digest: str, holds: Sequence[str]) -> tuple[str, ...]:
    """Write the tags that come last, the record's at the very end."""
    if holds or build.record:
        registry.tag(build.repository, digest, [*holds, *build.record])
    return build.record


def _why_unrecorded(build: Build) -> str:
    if build.record:
        return ""
    if not build.input_digest:
        return "its inputs are not known"
    return "only deploying branches and version tags record"


def _record_only(
    build: Build,
    holds: tuple[str, ...],
    checkout: Checkout | None,
    git: Git,
    inputs: Inputs,
    context: Context,
) -> Outcome:
    """Record what an earlier step pushed, once it is known to be this image."""
    if checkout and build.record:
        _check_commit(build, checkout, git)
    for value in _passwords(inputs):
        context.log.mask(value)
    registry = _registry(build, inputs, context, context.env)
    given = inputs.digest.strip()
    answer = registry.is_complete(build.repository, given)
    if isinstance(answer, Absent):
        raise InputError(
            f"input 'digest': there is no {build.reference(given)}",
            f"{build.registry} has no such image, or lacks a part of it",
            "Give the digest that the step before put out, and let that step push the image",
        )
    if not isinstance(answer, Found):
        raise RemoteError(f"{build.reference(given)} cannot be recorded", answer.why, _AGAIN)
    if build.record:
        _check_revision(registry, build, answer.digest, context)
    return Outcome(
        build=build,
        digest=answer.digest,
        built=False,
        holds=holds,
        recorded=_tag(registry, build, answer.digest, holds),
        unrecorded=_why_unrecorded(build),
    )


_AGAIN = "Re-run this job in a while; nothing was recorded"


def _check_revision(registry: Registry, build: Build, digest: str, context: Context) -> None:
    """The commit that the image itself names, where it names one."""
    from orient_deploy.registry.model import Described

    found = registry.describe(build.repository, digest)
    if not isinstance(found, Described):
        why = "a part of it is gone" if isinstance(found, Absent) else found.why
        raise RemoteError(f"{build.reference(digest)} cannot be recorded", why, _AGAIN)
    if found.revision and found.revision != build.commit:
        raise InputError(
            f"input 'digest': {build.reference(digest)} was built from another commit",
            f"its label says {found.revision}, and the record is about {build.commit}",
            "Give the digest that this run's build put out",
        )
    if not found.revision:
        context.log.notice(
            f"{build.name} carries no label org.opencontainers.image.revision, so later runs "
            "cannot say which commit it was built from. Give your build step the entry's `labels`.",
            title="No revision",
        )
