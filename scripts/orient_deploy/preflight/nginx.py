"""What is wrong with the nginx configurations of a project.

Judges `stack.nginx.Configuration` values: what nginx itself refuses, hosts that nobody on its
networks is called, prefixes that one location strips and the other keeps, certificates that are
nowhere. Silent where a part of the configuration is out of sight and could say otherwise. Shows no
word of a line that a variable's value was put in, but the line as it is committed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from posixpath import basename, dirname, join, normpath
from typing import TYPE_CHECKING, Any

from orient_deploy.preflight.finding import Check, Finding

if TYPE_CHECKING:
    from orient_deploy.stack.nginx import Configuration, Directive

CHECKS = (
    Check(
        id="nginx/invalid",
        severity="error",
        title="nginx does not accept its configuration",
        why="It ends at its start with this error, and again at each restart. A running one keeps "
        "its old configuration, and ends when it is recreated.",
        fix="Correct the line; `nginx -t` shows nginx's own words.",
    ),
    Check(
        id="nginx/include-missing",
        severity="error",
        title="An nginx configuration includes a file that is not there",
        why="`open() … failed (2: No such file or directory)`: nginx does not start.",
        fix="Mount the file, or take the `include` out.",
    ),
    Check(
        id="nginx/proxy-prefix",
        severity="warning",
        title="A location keeps a prefix that the rest of the same application strips",
        why="The application gets a path that it does not serve, and answers with its page: the "
        "browser says `Expected a JavaScript module script but the server responded with a MIME "
        "type of text/html`.",
        fix="Strip the prefix in both, as in `proxy_pass http://app/assets/;`.",
    ),
    Check(
        id="nginx/upstream-unknown",
        severity="error",
        title="nginx passes requests to a host that there is not",
        why="`host not found in upstream`: nginx does not start, and nothing behind it is reached.",
        fix="Name a service of the stack, or give the service that is meant this network alias.",
    ),
    Check(
        id="nginx/upstream-unreachable",
        severity="error",
        title="nginx passes requests to a service that is on none of its networks",
        why="`host not found in upstream`: names are known on common networks only, so nginx does "
        "not start.",
        fix="Put both services on one network.",
    ),
    Check(
        id="nginx/upstream-elsewhere",
        severity="warning",
        title="nginx does not start unless another environment runs",
        why="Names of upstreams are looked up once, when nginx starts. While the other stack is "
        "down, nginx ends with `host not found in upstream`, and this environment with it.",
        fix="Have the other stack up first, or let the name be looked up at each request: "
        "`resolver 127.0.0.11; set $upstream http://host:port; proxy_pass $upstream;`.",
    ),
    Check(
        id="nginx/certificate-missing",
        severity="error",
        title="A certificate or key of nginx is nowhere",
        why="`cannot load certificate`: nginx does not start.",
        fix="Mount the folder that holds it, or correct the path.",
    ),
)

_SHOWN_MAX = 200

Model = Mapping[str, Any]


# ---- what nginx itself says -------------------------------------------------------------------


def judge_refusals(found: Configuration) -> Iterator[Finding]:
    """What nginx refuses, and files that it would not find."""
    for one in found.refusals:
        near = f"; `{one.near}` is probably meant" if one.near else ""
        yield Finding(
            check="nginx/invalid",
            subject=one.file or found.service or "nginx",
            message=f"{one.by} says: {_short(one.message)}{near}",
            file=one.file,
            line=one.line,
        )
    for one in found.missing:
        yield Finding(
            check="nginx/include-missing",
            subject=one.message,
            message=f"{one.message} is included, and nothing puts it into the container"
            + (f" of {found.service}" if found.service else ""),
            file=one.file,
            line=one.line,
        )


# ---- certificates -----------------------------------------------------------------------------

# Files that the images of nginx hold.
_OF_THE_IMAGE = re.compile(r"/etc/ssl/(?:certs/ca-[\w.-]+|cert\.pem|certs/[0-9a-f]{8}\.0)")


@dataclass(frozen=True, kw_only=True)
class HostPath:
    """A file that a configuration needs, and that only the server can have."""

    service: str
    path: str  # of this machine's view: absolute, also where it is in the checkout
    container_path: str
    file: str
    line: int


def judge_certificates(found: Configuration) -> Iterator[Finding]:
    """Keys and certificates that nothing brings into the container, by their folders."""
    groups: dict[tuple[str, str], list[tuple[Directive, str]]] = {}
    for one, path, kind in _certificates(found):
        unmounted = kind == "unmounted" and found.known_image and not _OF_THE_IMAGE.match(path)
        if unmounted or kind == "absent":
            groups.setdefault((kind, dirname(path)), []).append((one, path))
    for (kind, folder), those in groups.items():
        one, path = those[0]
        names = ", ".join(sorted(basename(each) for _, each in those))
        if kind == "unmounted":
            message = f"{found.service} reads {names} of {folder}, where nothing is mounted"
            fix = ""
        else:
            message = (
                f"{found.service} reads {names} of {folder}, and the folder of the repository "
                "that it has there holds no such file"
            )
            fix = (
                "Commit it if it is no secret, have git ignore it if it is the server's own, or "
                "correct the path."
            )
        yield Finding(
            check="nginx/certificate-missing",
            subject=folder if len(those) > 1 else path,
            message=message,
            fix=fix,
            severity=None if kind == "unmounted" else "warning",
            file=one.file,
            line=one.line,
        )


def paths_on_host(found: Iterable[Configuration]) -> tuple[HostPath, ...]:
    """The files that have to be looked for on the server."""
    paths = {
        (one.service, path): HostPath(
            service=one.service,
            path=one.places[_named(directive)].path,
            container_path=path,
            file=directive.file,
            line=directive.line,
        )
        for one in found
        for directive, path, kind in _certificates(one)
        if kind == "server"
    }
    return tuple(paths[key] for key in sorted(paths))


def _certificates(found: Configuration) -> Iterator[tuple[Directive, str, str]]:
    """Each directive that names one, the path in the container, and what is known of that."""
    seen = set()
    for one in found.walk():
        place = found.places.get(_named(one)) if "ssl" in one.name and not one.opaque else None
        if place is None:
            continue
        path = normpath(join(found.prefix, _named(one)))
        if path not in seen:
            seen.add(path)
            yield one, path, place.kind


def _named(one: Directive) -> str:
    return one.arguments[0] if len(one.arguments) == 1 else ""


# ---- hosts ------------------------------------------------------------------------------------

_PASSES = {
    *("proxy_pass", "fastcgi_pass", "grpc_pass", "uwsgi_pass", "scgi_pass", "memcached_pass"),
}
_TARGET = re.compile(r"(?:([a-z]+)://)?(\[[^\]]*\]|[^/:?#\[]+)(:\d+)?(?=[/?#]|$)(.*)", re.DOTALL)
_NUMBERED = re.compile(r"(?:.*[-_])?([\w.-]+?)[-_]\d+")
_OTHERS = {"localhost", "unix", "host.docker.internal", "gateway.docker.internal"}


@dataclass(frozen=True, kw_only=True)
class _Use:
    """A host that requests are passed to."""

    host: str
    directive: Directive
    at_start: bool  # it is looked up when nginx starts


@dataclass(frozen=True, kw_only=True)
class _Names:
    """What the services of a stack are called."""

    reachable: frozenset[str]  # on a network of nginx
    others: Mapping[str, str]  # every other name of theirs, and whose it is


def judge_upstreams(
    found: Configuration,
    model: Model,
    peers: Mapping[str, Model],
    *,
    dormant: Collection[str] = (),
) -> Iterator[Finding]:
    """Hosts that no one on the networks of this nginx is called.

    `peers` are the other environments on the server, by name; `dormant` the services that the
    chosen profiles leave out.
    """
    services = model.get("services") or {}
    own = services.get(found.service) or {}
    networks = _networks(own, model)
    if networks is None:
        return  # another's network, whose names are not known
    here = _names(model, set(networks.values()))
    here_known = here.reachable | _local_names(own)
    elsewhere = {name: _names(peer, _joined(networks, peer)) for name, peer in peers.items()}
    strangers = _strangers(networks, model, peers)
    needs: dict[str, list[_Use]] = {}
    seen: set[tuple[str, bool]] = set()
    for use in _uses(found):
        host = use.host.lower()
        numbered = _NUMBERED.fullmatch(host)
        if host in here_known or (numbered and numbered[1] in here_known):
            continue
        if (host, use.at_start) in seen or host in dormant:
            continue
        seen.add((host, use.at_start))
        if host in here.others:
            yield _unreachable(found, use, here.others[host])
            continue
        peer = next((name for name, one in elsewhere.items() if host in one.reachable), None)
        if peer is not None:
            if use.at_start:
                needs.setdefault(peer, []).append(use)
            continue
        peer = next((name for name, one in elsewhere.items() if host in one.others), None)
        if peer is not None:
            yield _unreachable(found, use, elsewhere[peer].others[host], peer)
        elif not strangers and "." not in host:
            known = {*here_known, *(one for other in elsewhere.values() for one in other.reachable)}
            yield _unknown(found, use, known)
    for peer, uses in needs.items():
        yield _elsewhere(found, peer, uses)


def _unknown(found: Configuration, use: _Use, known: Collection[str]) -> Finding:
    near = get_close_matches(use.host.lower(), sorted(known), 1, 0.6)
    meant = f" {near[0]} is near." if near and not use.directive.opaque else ""
    consequence = "" if use.at_start else "; requests to it fail with 502"
    return Finding(
        check="nginx/upstream-unknown",
        subject=_shown(use),
        # What is looked up with each request may be meant to be down, or joined by hand.
        severity=None if use.at_start else "hint",
        message=f"{use.directive.name} of {found.service} names {_shown(use)}, which no service, "
        f"container or alias on its networks is called{consequence}",
        fix=f"Name a service of the stack, or give the one that is meant this alias.{meant}",
        file=use.directive.file,
        line=use.directive.line,
    )


def _unreachable(found: Configuration, use: _Use, service: str, peer: str = "") -> Finding:
    of_peer = f" of {peer}" if peer else ""
    return Finding(
        check="nginx/upstream-unreachable",
        subject=_shown(use),
        severity=None if use.at_start else "warning",
        message=f"{use.directive.name} of {found.service} names {_shown(use)}, which is the "
        f"service {service}{of_peer}, and the two have no network in common",
        file=use.directive.file,
        line=use.directive.line,
    )


def _elsewhere(found: Configuration, peer: str, uses: list[_Use]) -> Finding:
    hosts = sorted({_shown(one) for one in uses})
    listed = ", ".join(hosts[:5]) + (f" and {len(hosts) - 5} more" if len(hosts) > 5 else "")
    return Finding(
        check="nginx/upstream-elsewhere",
        subject=peer,
        message=f"{found.service} passes requests to {listed}, which only {peer} provides: nginx "
        f"does not start unless {peer} runs",
        file=uses[0].directive.file,
        line=uses[0].directive.line,
    )


def _shown(use: _Use) -> str:
    """The host, or what is committed in its place where a variable's value is in it."""
    if use.directive.opaque:
        written = re.findall(r"\$\{?\w+\}?", use.directive.written)
        return " ".join(written) or "a host that a variable gives"
    return use.host


def _uses(found: Configuration) -> Iterator[_Use]:
    """Each host that requests are passed to, in order; groups of upstream servers are none."""
    everything = list(found.walk())
    groups = {one.arguments[0].lower() for one in everything if _is_group(one)}
    settings: dict[str, list[Directive]] = {}
    for one in everything:
        if one.name == "set" and len(one.arguments) == 2:
            settings.setdefault(one.arguments[0].removeprefix("$"), []).append(one)
        elif one.name in ("map", "geo", "split_clients", "perl_set", "js_set", "auth_request_set"):
            settings.setdefault(one.arguments[-1].removeprefix("$"), []).append(one)
    for one in everything:
        if one.name in _PASSES and len(one.arguments) == 1:
            target = one.arguments[0]
            host = _host(target)
            if host and host not in groups and found.complete:
                yield _Use(host=host, directive=one, at_start="$" not in target)
            elif not host and found.complete:
                yield from _set_hosts(one, settings, groups)
        elif _is_group(one):
            for server in one.block or ():
                if server.name == "server" and server.arguments:
                    host = _host(server.arguments[0])
                    if host:
                        late = "resolve" in server.arguments
                        yield _Use(host=host, directive=server, at_start=not late)


def _set_hosts(
    one: Directive, settings: Mapping[str, list[Directive]], groups: Collection[str]
) -> Iterator[_Use]:
    """Hosts that a variable holds wherever it is set, looked up with each request."""
    begin = re.match(r"(?:[a-z]+://)?\$\{?(\w+)\}?(?=[:/?#]|$)", one.arguments[0])
    made = settings.get(begin[1], []) if begin else []
    if all(each.name == "set" for each in made):
        for each in made:
            host = _host(each.arguments[1])
            if host and host not in groups and "$" not in each.arguments[1]:
                yield _Use(host=host, directive=each, at_start=False)


def _is_group(one: Directive) -> bool:
    return one.name == "upstream" and len(one.arguments) == 1 and one.block is not None


def _host(target: str) -> str:
    """The host in small letters; '' where it is an address, this machine, or not known."""
    found = _TARGET.match(target)
    if not found or "$" in found[2] or "$" in (found[3] or ""):
        # A variable in the path alone leaves the host where it is.
        return ""
    host = found[2].lower()
    if re.fullmatch(r"[\d.]+|\[.*\]|\*", host) or host in _OTHERS:
        return ""
    return host


def _networks(service: Model, model: Model) -> dict[str, str] | None:
    """The networks of a service, by their keys: their real names. None where it has another's."""
    mode = str(service.get("network_mode") or "")
    if mode.startswith("service:"):
        other = (model.get("services") or {}).get(mode.partition(":")[2]) or {}
        return _networks(other, model) if not other.get("network_mode") else None
    if mode:
        return None
    keys = list(service.get("networks") or {"default": None})
    declared = model.get("networks") or {}
    return {key: _real_name(key, declared.get(key) or {}, model) for key in keys}


def _real_name(key: str, network: Model, model: Model) -> str:
    return str(network.get("name") or f"{model.get('name') or ''}_{key}")


def _joined(networks: Mapping[str, str], peer: Model) -> set[str]:
    """The real names that our networks may have in another stack.

    Such as `docker_front` for our network `front`: our project may be called otherwise there.
    """
    theirs = [
        _real_name(key, one or {}, peer)
        for key, one in (peer.get("networks") or {}).items()
        if (one or {}).get("external")
    ]
    same = {one for one in theirs if any(one.endswith(f"_{key}") for key in networks)}
    return {*networks.values(), *same}


def _names(model: Model, real: Collection[str]) -> _Names:
    """What the services of a stack are called on networks with these real names."""
    reachable: set[str] = set()
    others: dict[str, str] = {}
    for name, service in (model.get("services") or {}).items():
        networks = _networks(service, model) or {}
        names = {name, str(service.get("container_name") or name)}
        names.add(str(service.get("hostname") or name))
        common = False
        for key, one in networks.items():
            aliases = ((service.get("networks") or {}).get(key) or {}).get("aliases") or ()
            if one in real:
                common = True
                reachable |= {str(alias).lower() for alias in aliases}
            others.update({str(alias).lower(): name for alias in aliases})
        small = {one.lower() for one in names}
        if common:
            reachable |= small | {f"tasks.{one}" for one in small}
        others.update(dict.fromkeys(small, name))
    return _Names(
        reachable=frozenset(reachable),
        others={key: one for key, one in others.items() if key not in reachable},
    )


def _local_names(service: Model) -> set[str]:
    """What is known in the container alone: links, and lines of its hosts file."""
    found: set[str] = set()
    for one in (*(service.get("links") or ()), *(service.get("external_links") or ())):
        found |= set(str(one).lower().split(":"))
    hosts = service.get("extra_hosts") or ()
    for one in hosts:
        found.add(re.split(r"[:=]", str(one))[0].lower())
    own = (service.get("hostname"), service.get("container_name"))
    return found | {str(one).lower() for one in own if one}


def _strangers(networks: Mapping[str, str], model: Model, peers: Mapping[str, Model]) -> bool:
    """Whether containers that no one told us of may be on these networks."""
    declared = model.get("networks") or {}
    made_by_peers = {
        _real_name(key, one or {}, peer)
        for peer in peers.values()
        for key, one in (peer.get("networks") or {}).items()
        if not (one or {}).get("external")
    }
    return any(
        (declared.get(key) or {}).get("external") and name not in made_by_peers
        for key, name in networks.items()
    )


# ---- prefixes ---------------------------------------------------------------------------------

# What pages load by paths that the application serves from its own root.
_ASSETS = {
    *("assets", "static", "_next", "js", "css", "img", "images", "fonts", "media", "chunks"),
    *("build", "dist", "_nuxt", "_app"),
}
_ASSET_PATTERN = re.compile(r"assets|static|\\\.\(?\??:?\(?[\w|?]*(?:js|css|png|woff)")


@dataclass(frozen=True, kw_only=True)
class _Location:
    """A location that passes requests on."""

    directive: Directive
    proxy: Directive
    modifier: str
    path: str
    target: str  # scheme, host and port
    uri: str | None  # what takes the place of the location's path; None: nothing does
    rewrites: tuple[tuple[str, ...], ...]

    @property
    def strips(self) -> bool:
        """Whether what begins with its path reaches the application without that."""
        if self.modifier not in ("", "^~") or not self.path.endswith("/") or self.path == "/":
            return False
        if self.uri == "/" and not self.rewrites:
            return True
        begin = re.escape(self.path)
        return self.uri is None and any(
            len(one) >= 2
            and one[1] == "/$1"
            and re.match(rf"\^{begin}\(|\^{begin.rstrip('/')}/?\(", one[0]) is not None
            for one in self.rewrites
        )


def judge_prefixes(found: Configuration, bases: Mapping[str, str] | None = None) -> list[Finding]:
    """Locations of an application's assets that keep the prefix which the application's own
    location strips.

    `bases` tells of hosts the path that their pages load assets from, where that is known.
    """
    findings = []
    for server in (one for one in found.walk() if one.name == "server" and one.block is not None):
        if any(one.name == "rewrite" for one in server.block or ()):
            continue
        locations = list(_locations(server.block or ()))
        for one in locations:
            for other in locations:
                if _keeps_what_strips(one, other, bases or {}):
                    findings.append(_prefix(found, one, other))
                    break
    return findings


def _keeps_what_strips(one: _Location, other: _Location, bases: Mapping[str, str]) -> bool:
    if one.target != other.target or not other.strips or one.rewrites:
        return False
    if bases.get(_host(one.target), "/") != "/":
        return False  # its pages ask for the prefix
    if one.modifier in ("~", "~*"):
        return (
            one.uri is None
            and one.path.lstrip("^").startswith(other.path)
            and one.path.startswith("^")
            and _ASSET_PATTERN.search(one.path[len(other.path) :]) is not None
        )
    if one.modifier not in ("", "^~") or not one.path.startswith(other.path):
        return False
    rest = one.path[len(other.path) :].strip("/")
    return rest in _ASSETS and (one.uri is None or one.uri.rstrip("/") == one.path.rstrip("/"))


def _prefix(found: Configuration, one: _Location, other: _Location) -> Finding:
    opaque = (
        one.proxy.opaque or other.proxy.opaque or one.directive.opaque or other.directive.opaque
    )
    rest = one.path[len(other.path) :] if one.modifier in ("", "^~") else ""
    fix = "" if opaque or not rest else f"Write `proxy_pass {one.target}/{rest};` there."
    said = (
        "a location passes its whole path on, while a shorter one strips it"
        if opaque
        else f"the location {one.path} passes its whole path to {one.target}, while {other.path} "
        f"(line {other.directive.line}) strips {other.path}: the same application gets "
        f"{one.path} where it serves {'/' + rest if rest else 'the path without it'}"
    )
    return Finding(
        check="nginx/proxy-prefix",
        subject=one.directive.file if opaque else one.path,
        message=said,
        fix=fix,
        file=one.proxy.file,
        line=one.proxy.line,
    )


def _locations(block: Iterable[Directive]) -> Iterator[_Location]:
    for one in block:
        if one.name != "location" or not one.arguments or one.block is None:
            continue
        yield from _locations(one.block)
        modifier = one.arguments[0] if len(one.arguments) == 2 else ""
        path = one.arguments[-1]
        proxies = [inner for inner in one.block if inner.name == "proxy_pass" and inner.arguments]
        if len(proxies) != 1:
            continue
        split = _TARGET.match(proxies[0].arguments[0])
        if split is None or not split[1] or "$" in proxies[0].arguments[0]:
            continue
        inside = [each for inner in one.block for each in inner.walk()]
        yield _Location(
            directive=one,
            proxy=proxies[0],
            modifier=modifier,
            path=path,
            target=f"{split[1]}://{split[2].lower()}{split[3] or ''}",
            uri=split[4] or None,
            rewrites=tuple(each.arguments for each in inside if each.name in ("rewrite", "if")),
        )


def _short(message: str) -> str:
    return message if len(message) <= _SHOWN_MAX else message[: _SHOWN_MAX - 1] + "…"
