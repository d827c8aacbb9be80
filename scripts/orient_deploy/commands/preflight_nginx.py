"""Gathers the nginx configurations of a project, and hands them to their checks.

Decides which files are meant and which nginx judges them; never what is wrong with them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orient_deploy.preflight.nginx import (
    HostPath,
    judge_certificates,
    judge_prefixes,
    judge_refusals,
    judge_upstreams,
    paths_on_host,
)
from orient_deploy.stack.nginx import nginx_services, read_file, read_service
from orient_deploy.stack.nginx_verdict import Nginx

if TYPE_CHECKING:
    from orient_deploy.preflight.finding import Finding

Model = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class NginxLook:
    """What was found, and what only a look at the server can tell."""

    findings: tuple[Finding, ...]
    host_paths: tuple[HostPath, ...] = ()
    services: tuple[str, ...] = ()  # whose configuration was judged
    judge: str = ""  # `nginx 1.22.1`; '' where only the parser judged


def look(
    model: Model,
    root: str,
    *,
    peers: Mapping[str, Model],
    ignored: Callable[[str], bool] = lambda _: False,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = ("nginx",),
    stand_ins: Collection[str] = (),
    dormant: Collection[str] = (),
    bases: Mapping[str, str] | None = None,
) -> NginxLook:
    """What is wrong with each nginx of a resolved Compose model.

    `peers` are the models of the other environments on the server; `ignored` tells of a path from
    `root` whether git ignores it; `stand_ins` are values in the model that were made up; `dormant`
    names the services that the chosen profiles leave out; `bases` the path that the pages of a host
    load their assets from.
    """
    nginx = Nginx.found(os.environ if env is None else env, command)
    found = [
        one
        for name in nginx_services(model)
        if (
            one := read_service(
                name, model, root, nginx=nginx, ignored=ignored, stand_ins=stand_ins
            )
        )
    ]
    findings: list[Finding] = []
    for one in found:
        findings += judge_refusals(one)
        findings += judge_upstreams(one, model, peers, dormant=dormant)
        findings += judge_prefixes(one, bases)
        findings += judge_certificates(one)
    return NginxLook(
        findings=tuple(dict.fromkeys(findings)),
        host_paths=paths_on_host(found),
        services=tuple(one.service for one in found),
        judge=f"nginx {nginx.version}" if nginx else "",
    )


def look_at_files(
    paths: Sequence[str],
    root: str,
    *,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = ("nginx",),
) -> NginxLook:
    """What is wrong with configuration files that no Compose project mounts.

    Which hosts there are is not known then, nor what lies outside of each file's own folder.
    """
    nginx = Nginx.found(os.environ if env is None else env, command)
    findings: list[Finding] = []
    for path in paths:
        one = read_file(path, nginx=nginx)
        folder = os.path.relpath(os.path.dirname(os.path.abspath(path)), os.path.abspath(root))
        for each in (*judge_refusals(one), *judge_prefixes(one)):
            file = os.path.normpath(os.path.join(folder, each.file)) if each.file else ""
            shown = file.replace(os.sep, "/")
            subject = shown if each.subject == each.file else each.subject
            findings.append(replace(each, file=shown, subject=subject))
    return NginxLook(
        findings=tuple(dict.fromkeys(findings)), judge=f"nginx {nginx.version}" if nginx else ""
    )
