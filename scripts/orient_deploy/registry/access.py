"""How each registry wants to be asked: over TLS or not, as whom, with which token.

A host is asked for `/v2/` first, once, however many images it holds: that tells whether it is a
registry at all, and where it hands out tokens. Each token is fetched once for all threads.

Where credentials go: to the registry that they are for, and to the token service which that
registry names, when it belongs to the same site (`auth.docker.io` for `registry-1.docker.io`).
Another site's is asked without any: no registry makes us hand a login to whomever it likes. A token
is kept for the registry that it was asked for, although another may name the same service, and
nothing goes without TLS but to this machine.

Sources: the token authentication of distribution ("Token Authentication Specification" and its
OAuth2 variant), and the docker client, which asks for `/v2/` first as well.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from orient_deploy.registry.challenge import Challenge, parse_challenges
from orient_deploy.registry.credentials import Credentials
from orient_deploy.registry.reference import Repository, is_loopback
from orient_deploy.registry.transport import (
    TRIES,
    Call,
    Doubt,
    Response,
    Transport,
    Unreachable,
)

PING_MAX = 1 << 16  # bytes; a real one has two
TOKEN_MAX = 1 << 20  # bytes of a token service's answer
TOKEN_LIFE_S = 60.0  # of a token that does not say; the specification's default
TOKEN_MARGIN_S = 5.0  # before its end a token is not used any more
CLIENT_ID = "orient-deploy-actions"

# Token services at another domain of the same company.
_TOKEN_SERVICES = {"scw.cloud": "scaleway.com"}
# With a country's two letters behind them they are nobody's domain: co.uk, com.au.
_SECOND_LEVELS = frozenset(("ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"))

PULL, PUSH = "pull", "pull,push"


class Host:
    """What is known of one registry."""

    def __init__(self, name: str, base: str, challenge: Challenge | None) -> None:
        self.name = name
        self.base = base  # 'https://ghcr.io'
        self.challenge = challenge


class Access:
    """The registries that were asked, and the tokens that they take; threads share it."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._credentials = credentials
        self._lock = threading.Lock()
        self._host_locks: dict[str, threading.Lock] = {}
        self._hosts: dict[str, Host] = {}
        # By registry, realm, service and scope.
        self._token_locks: dict[tuple[str, ...], threading.Lock] = {}
        self._tokens: dict[tuple[str, ...], tuple[str, float]] = {}

    def host(self, repository: Repository, call: Call) -> Host:
        """The registry of a repository, which has answered as one.

        Raises:
            Doubt: it has not.
        """
        name = repository.host
        with self._lock:
            lock = self._host_locks.setdefault(name, threading.Lock())
        with lock:
            if name in call.failed:
                raise call.failed[name]
            if name not in self._hosts:
                try:
                    self._hosts[name] = self._ping(name, call)
                except Doubt as doubt:
                    call.failed[name] = doubt
                    raise
            return self._hosts[name]

    def still_registry(self, host: Host, call: Call) -> bool:
        """Whether the host answers as a registry now."""
        try:
            self._asked(host.name, host.base, call)
        except Doubt:
            return False
        return True

    def authorization(
        self,
        host: Host,
        repository: Repository,
        actions: str,
        call: Call,
        *,
        refused: str = "",
        asked: tuple[Challenge, ...] = (),
    ) -> str:
        """The header's value; '' for none.

        `refused`: the value that was not enough, and `asked` how the registry then wanted it.

        Raises:
            Doubt: there is none to be had.
        """
        challenge = _preferred(asked) or host.challenge
        if challenge is None:
            return ""
        if challenge.scheme == "basic":
            login = self._credentials.of(repository.registry)
            if login is None or not login.password:
                raise self.refusal(host, repository, "asks for a login", actions)
            return login.basic()
        scope = f"repository:{repository.path}:{actions}"
        if asked and challenge.scope:
            scope = challenge.scope
        key = (host.name, challenge.realm, challenge.service, scope)
        with self._lock:
            lock = self._token_locks.setdefault(key, threading.Lock())
        with lock:
            token, end = self._tokens.get(key, ("", 0.0))
            # Another thread may have fetched another one since ours was refused.
            if not token or time.monotonic() >= end or f"Bearer {token}" == refused:
                began = time.monotonic()
                response = self._ask_token(host, repository, challenge, scope, call)
                token, life_s = self._read_token(host, repository, response, actions)
                self._tokens[key] = token, began + life_s - TOKEN_MARGIN_S
        return f"Bearer {token}"

    def _ping(self, name: str, call: Call) -> Host:
        if not is_loopback(name):
            return self._asked(name, f"https://{name}", call)
        try:
            return self._asked(name, f"https://{name}", call, tries=1)
        except Unreachable as unreachable:
            if unreachable.untrusted:
                raise
            return self._asked(name, f"http://{name}", call)

    def _asked(self, name: str, base: str, call: Call, tries: int = TRIES) -> Host:
        response = self._transport.fetch(
            "GET", f"{base}/v2/", call, headers={}, limit=PING_MAX, follow=True, tries=tries
        )
        if response.status == 200 and not response.elsewhere:
            if is_marked(response) or response.media_type not in (
                "text/html",
                "application/xhtml+xml",
            ):
                return Host(name, base, None)
        elif response.status == 401:
            challenge = _preferred(challenges(response))
            if challenge:
                return Host(name, base, challenge)
        if response.status in (401, 403):
            raise Doubt(f"{name} answered {response.status}", advice(name, PULL))
        raise Doubt(f"{name} did not answer as a registry does ({response.status} to /v2/)")

    def _ask_token(
        self, host: Host, repository: Repository, challenge: Challenge, scope: str, call: Call
    ) -> Response:
        realm = challenge.realm
        login = self._credentials.of(repository.registry) if _is_own(host, realm) else None
        query = {"scope": scope}
        if challenge.service:
            query["service"] = challenge.service
        if login and login.identity:
            form = query | {
                "grant_type": "refresh_token",
                "client_id": CLIENT_ID,
                "refresh_token": login.identity,
            }
            return self._transport.fetch(
                "POST",
                realm,
                call,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode(form).encode(),
                limit=TOKEN_MAX,
            )
        return self._transport.fetch(
            "GET",
            f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}",
            call,
            headers={"Accept": "application/json"},
            authorization=login.basic() if login else "",
            limit=TOKEN_MAX,
        )

    def _read_token(
        self, host: Host, repository: Repository, response: Response, actions: str
    ) -> tuple[str, float]:
        """The token and how long it is good for."""
        if response.status in (400, 401, 403, 404):
            said = f"gives no token for it (its token service answered {response.status})"
            raise self.refusal(host, repository, said, actions)
        answer = json_object(response.body) if response.status == 200 else {}
        token = answer.get("token") or answer.get("access_token")
        # What a header cannot hold would otherwise be quoted by the error about it.
        if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
            raise Doubt(f"the token service of {host.name} gave no token ({response.status})")
        life_s = answer.get("expires_in")
        if not isinstance(life_s, (int, float)) or life_s <= 0:
            life_s = TOKEN_LIFE_S
        return token, float(life_s)

    def refusal(self, host: Host, repository: Repository, said: str, actions: str) -> Doubt:
        """What the registry said, and what to do about it."""
        registry = repository.registry
        told = f"{registry} {said}"
        login, problem = self._credentials.of(registry), self._credentials.problem(registry)
        if problem and login is None:
            return Doubt(told, f"{problem}, so no login was tried")
        tokens = host.challenge if host.challenge and host.challenge.scheme == "bearer" else None
        if login and tokens and not _is_own(host, tokens.realm):
            service = urlsplit(tokens.realm).netloc
            return Doubt(told, f"its tokens come from another site, {service}, which gets no login")
        return Doubt(told, advice(registry, actions))


def advice(registry: str, actions: str) -> str:
    """What to do about a refusal."""
    if registry == "ghcr.io":
        level = "write" if actions == PUSH else "read"
        return (
            f"give the job `permissions: packages: {level}`, and the repository access to the "
            "package in the package's settings"
        )
    return (
        f"log in to {registry} before, as someone who may {'push' if actions == PUSH else 'pull'}"
    )


def is_marked(response: Response) -> bool:
    """Whether an answer says that it is a registry's."""
    return response.headers.get("Docker-Distribution-Api-Version", "").startswith("registry/2")


def challenges(response: Response) -> tuple[Challenge, ...]:
    """What a registry asks for; nothing of what another host says after a redirect."""
    if response.elsewhere:
        return ()
    return parse_challenges(response.headers.get("WWW-Authenticate", ""))


def json_object(body: bytes) -> Mapping[str, object]:
    """The decoded object; an empty one for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _preferred(found: tuple[Challenge, ...]) -> Challenge | None:
    """A bearer token before a password; only from a realm that may be asked."""
    usable = [one for one in found if one.scheme == "basic" or _may_ask(one.realm)]
    return min(usable, key=lambda one: one.scheme == "basic", default=None)


def _may_ask(realm: str) -> bool:
    if not re.fullmatch(r"https?://[!-~]+", realm):
        return False
    try:
        parts = urlsplit(realm)
        _ = parts.port
    except ValueError:
        return False
    inside = parts.scheme == "http" and is_loopback(parts.netloc)
    right = "@" not in parts.netloc and not parts.fragment and bool(parts.hostname)
    return right and (parts.scheme == "https" or inside)


def _is_own(host: Host, realm: str) -> bool:
    """Whether a token service belongs to the registry that names it."""
    return _same_site(urlsplit(host.base).hostname or "", urlsplit(realm).hostname or "")


def _same_site(one: str, other: str) -> bool:
    """Whether two hosts belong together: the same, or with one domain above both.

    >>> _same_site("registry-1.docker.io", "auth.docker.io"), _same_site("ghcr.io", "evil.io")
    (True, False)
    >>> _same_site("registry.acme.co.uk", "evil.co.uk"), _same_site("127.0.0.1", "localhost")
    (False, True)
    """
    if one == other or (is_loopback(one) and is_loopback(other)):
        return True
    if re.fullmatch(r"[0-9.]+|.*:.*", one):
        return False  # an address has no domain
    mine, theirs = one.split("."), other.split(".")
    shared = len(mine[-1]) == 2 and len(mine) > 1 and mine[-2] in _SECOND_LEVELS
    labels = 3 if shared else 2
    domain = ".".join(mine[-labels:])
    other_domain = ".".join(theirs[-labels:])
    own = domain == other_domain or _TOKEN_SERVICES.get(domain) == other_domain
    return own and len(mine) >= labels
