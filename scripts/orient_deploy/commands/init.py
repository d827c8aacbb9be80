"""`orient-deploy init`: a configuration proposed from what the repository holds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orient_deploy.advise.builds import filter_files, gather, sources
from orient_deploy.advise.init import Proposal, propose, to_be_read
from orient_deploy.commands.clone import Clone, open_clone
from orient_deploy.commands.context import described
from orient_deploy.config import DEFAULT_PATH, parse
from orient_deploy.errors import EXIT_GOOD, EnvironmentLacks, InputError, RemoteError
from orient_deploy.history.model import SHORT
from orient_deploy.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orient_deploy.commands.context import Context
    from orient_deploy.config.model import Config

OUTPUTS = ("images", "left-out", "text", "written")

MOST_FILES = 500  # that are read


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs of `init`."""

    path: str = described("Where the clone is. Empty means the current folder.", "")
    write: bool = described(
        f"Write {DEFAULT_PATH}, if there is none yet, instead of printing it. "
        "'true' or 'false'; empty means 'false'.",
        False,
    )


def run(inputs: Inputs, context: Context) -> int:
    """Propose, and print or write it.

    What is read is the commit that is checked out: what is not committed yet does not count.
    """
    with open_clone(inputs.path, context) as clone:
        target = _target(clone) if inputs.write else ""
        proposal = proposal_for(clone)
    if proposal is None:
        raise InputError(
            f"nothing to propose for commit {clone.head[:SHORT]}",
            "it has no Dockerfile (looked for Dockerfile, Containerfile, Dockerfile.* and "
            "*.Dockerfile outside node_modules and vendor), and no workflow or Compose file that "
            "builds from one",
            f"Commit a Dockerfile first, or write {DEFAULT_PATH} by hand",
        )
    if target:
        _write(target, proposal.text)
    if context.json:
        import json

        found = {
            "images": list(proposal.images),
            "left-out": list(proposal.left_out),
            "text": proposal.text,
            "written": target,
        }
        context.stdout.write(json.dumps(found, sort_keys=True) + "\n")
    elif target:
        context.log.say(f"Wrote {target} with {', '.join(proposal.images)}.")
        context.log.say(
            "Read it, then run `orient-deploy config check` and `orient-deploy replay`."
        )
    else:
        context.log.say(proposal.text.rstrip("\n"))
    return EXIT_GOOD


def proposal_for(clone: Clone) -> Proposal | None:
    """What the commit that is checked out speaks for; None when there is no image."""
    listing = clone.repository.listing(clone.head)
    contents = _read(clone, sources(listing))
    contents |= _read(clone, filter_files(listing, contents))
    name = clone.name
    evidence = gather(listing, contents, repository=name)
    return propose(
        evidence,
        listing,
        commit=clone.head[:SHORT],
        repository=name,
        default_branch=clone.event.default_branch or clone.event.branch,
        dockerfiles=_read(clone, to_be_read(evidence)),
    )


def proposed_configuration(clone: Clone) -> tuple[Config, str]:
    """The configuration that is proposed, where there is none, and what to say of it.

    Raises:
        InputError: nothing can be proposed.
    """
    proposal = proposal_for(clone)
    if proposal is None:
        raise InputError(
            f"there is no configuration: {DEFAULT_PATH} does not exist",
            "none can be proposed either, because the commit has no Dockerfile that says what the "
            "images are",
            "Write it, or name another file in 'config'",
        )
    named = ", ".join(proposal.images)
    return (
        parse(proposal.text, source=DEFAULT_PATH),
        f"none here, so the one that `orient-deploy init` proposes ({named})",
    )


def _read(clone: Clone, paths: Iterable[str]) -> dict[str, bytes]:
    try:
        found = clone.repository.read_many(clone.head, list(paths)[:MOST_FILES])
    except RemoteError as error:
        raise RemoteError(
            error.what, "this clone has no file contents", "Make one without --filter"
        ) from error
    return {path: data for path, data in found.items() if data is not None}


def _target(clone: Clone) -> str:
    """Where the configuration is to be written; there must be none yet."""
    if not clone.root:
        raise InputError(
            f"{clone.checkout.directory} is a bare repository",
            "it has no files that a configuration could stand beside",
            "Leave 'write' out, and keep what is printed",
        )
    target = os.path.join(clone.root, DEFAULT_PATH)
    if os.path.lexists(target):
        raise _exists(target)
    return target


def _exists(target: str) -> InputError:
    return InputError(
        f"{target} exists",
        "a configuration is never overwritten",
        "Leave 'write' out to see what would be proposed, or remove the file first",
    )


def _write(target: str, text: str) -> None:
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        raise EnvironmentLacks(
            f"{target} cannot be written", error.strerror or str(error), "Make it writable"
        ) from error
