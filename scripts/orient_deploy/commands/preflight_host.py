"""Gathers what servers have, and hands it to the checks of hosts.

Decides what is asked of which server; never what is wrong with it.
"""

from __future__ import annotations

import os
import posixpath
import shlex
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orient_deploy.commands.servers import logged_in
from orient_deploy.errors import OrientError, RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.preflight.finding import Finding
from orient_deploy.preflight.host import Expected, check_host
from orient_deploy.secrets.lint import is_shown
from orient_deploy.server.host import docker_command
from orient_deploy.server.host_facts import TIMEOUT_S, command, parse_facts
from orient_deploy.stack.compose import FILE_MAX_BYTES

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.commands.servers import ServerInputs
    from orient_deploy.config.model import Environment
    from orient_deploy.preflight.nginx import HostPath
    from orient_deploy.server.host import Host
    from orient_deploy.server.host_facts import HostFacts
    from orient_deploy.server.ssh import Server
    from orient_deploy.stack.project import Project

READ_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """An environment on a server."""

    environment: Environment
    project: Project
    needs: Mapping[str, Project] = field(default_factory=dict)  # its peers
    certificates: Sequence[HostPath] = ()


def look(
    host: Host,
    places: Sequence[Place],
    root: str,
    inputs: ServerInputs,
    context: Context,
    *,
    compose: str = "",
    references: Mapping[str, str],
    built: Collection[str] = (),
    clock: Callable[[], float] = time.time,
) -> list[Finding]:
    """One server, for the environments that it carries; that it cannot be reached is a finding.

    `compose` is the version that judged their projects here, `references` what is about to be
    deployed, by repository, and `built` the repositories that the pipeline pushes to.
    """
    first = places[0].environment
    docker = docker_command(first.docker)
    paths = {
        _on_server(one.path, root, place.environment): one
        for place in places
        for one in place.certificates
    }
    wanted = [_images(one, references) for one in places]
    images = list(dict.fromkeys(image for one in wanted for image in one.values()))
    # The script begins in the first one's folder.
    folders = dict.fromkeys(_from_home(one.environment.directory) for one in places[1:])
    looked_for = list(dict.fromkeys((*paths, *folders)))
    names = list(dict.fromkeys(one.project.name for one in places if one.project.name))
    try:
        with logged_in(host, docker, inputs, context) as server:
            asked = command(
                first.directory, docker, projects=names, images=images, paths=looked_for
            )
            before = clock()
            done = server.run(asked, timeout_s=TIMEOUT_S, repeat=True)
            after = clock()
        facts = _shown(parse_facts(done.out, images=images, paths=looked_for))
    except ValueError:
        error: OrientError = RemoteError(
            f"{host} did not say what it has",
            "its shell ended before the script did",
            "Look whether `sh` runs scripts there",
        )
        return [_unreachable(host, error, places)]
    except OrientError as refused:
        return [_unreachable(host, refused, places)]
    skew_s = None if facts.clock_s is None else _skew(facts.clock_s, (before, after))
    expected = [
        Expected(
            environment=one.environment.name,
            project=one.project,
            directory=one.environment.directory,
            has_directory=facts.has_directory
            if one.environment.directory == first.directory
            else facts.paths.get(_from_home(one.environment.directory)) is not False,
            images=images_of_one,
            unbuilt=_unbuilt(one, images_of_one, built, references),
            is_named=bool(one.environment.project),
            peers=one.needs,
            certificates=[
                (path, told.file, told.line)
                for path, told in paths.items()
                if told in one.certificates
            ],
            compose=compose,
        )
        for one, images_of_one in zip(places, wanted, strict=True)
    ]
    return check_host(str(host), facts, expected, skew_s=skew_s)


def _skew(theirs: tuple[float, float], ours: tuple[float, float]) -> float:
    """How far a clock is ahead at least: it was read after our first time, and before our second.

    >>> _skew((100, 101), (60, 101)), _skew((140, 141), (60, 101)), _skew((40, 42), (60, 101))
    (0.0, 40.0, -20.0)
    """
    most, least = theirs[0] - ours[0], theirs[1] - ours[1]
    return min(max(0.0, least), most) if most >= 0 else most


def read_variables(server: Server, place: Environment) -> Hidden | None:
    """The server's own file of variables, into memory; None where it is not there, or is too large.

    Raises:
        RemoteError: the server does not answer.
    """
    path = place.env_file if place.env_file.startswith("/") else f"./{place.env_file}"
    folder = place.directory
    where = '"$HOME"' + shlex.quote(folder[1:]) if folder[:1] == "~" else shlex.quote(folder)
    most = FILE_MAX_BYTES + 1
    script = f"cd {where} 2>/dev/null && head -c {most} {shlex.quote(path)} 2>/dev/null"
    done = server.run(script, timeout_s=READ_TIMEOUT_S, repeat=True)
    if done.code or len(done.out) >= most:
        return None  # a piece of a file would lack what the whole has
    return Hidden(done.out.decode("utf-8", "surrogateescape"))


def _unreachable(host: Host, error: OrientError, places: Sequence[Place]) -> Finding:
    return Finding(
        check="host/unreachable",
        subject=str(host),
        message=f"{error.what}: {error.why}",
        fix=error.next_step,
        environment=places[0].environment.name if len(places) == 1 else "",
    )


def _on_server(path: str, root: str, place: Environment) -> str:
    """A path of the checkout as one of the server: the deployment's folder stands for its root."""
    inside = os.path.relpath(path, os.path.realpath(root))
    if inside.startswith(".."):
        return path
    return posixpath.join(_from_home(place.directory), inside.replace(os.sep, "/"))


def _from_home(folder: str) -> str:
    """A folder of the configuration, whatever folder one stands in there.

    >>> _from_home("."), _from_home("orienter"), _from_home("~/orienter"), _from_home("/srv")
    ('~', '~/orienter', '~/orienter', '/srv')
    """
    return folder if folder[:1] in ("/", "~") else posixpath.normpath(f"~/{folder}")


def _shown(facts: HostFacts) -> HostFacts:
    """The same without names of variables that may be pieces of values."""
    return replace(
        facts,
        containers=facts.containers
        and tuple(
            replace(one, changed=tuple(name if is_shown(name) else "" for name in one.changed))
            if one.changed
            else one
            for one in facts.containers
        ),
    )


def _images(place: Place, references: Mapping[str, str]) -> dict[str, str]:
    """By service: the image that must be there or come from a registry, as it is to be deployed."""
    found = {}
    for name, service in place.project.services.items():
        image = str(service.get("image") or "")
        wanted = references.get(_repository(image), image)
        if service.get("build") and wanted == image:
            continue  # built there, or by the pipeline that has not run yet
        if wanted and not place.project.is_made_up(wanted):
            found[name] = wanted
    return found


def _unbuilt(
    place: Place,
    images: Mapping[str, str],
    built: Collection[str],
    references: Mapping[str, str],
) -> frozenset[str]:
    """Services whose image the pipeline may yet push: nobody said what it deploys."""
    services = place.project.services
    mine = {name: _repository(str(services[name].get("image") or "")) for name in images}
    return frozenset(name for name, one in mine.items() if one in built and one not in references)


def _repository(image: str) -> str:
    """A reference without its tag and digest.

    >>> _repository("ghcr.io:443/acme/a:1@sha256:0"), _repository("nginx")
    ('ghcr.io:443/acme/a', 'nginx')
    """
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return f"{image.partition('@')[0].rpartition('/')[0]}/{last}".lstrip("/")
