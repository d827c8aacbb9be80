"""Names of repositories, tags and digests, checked before any of them is sent anywhere.

What is not one of these names never gets into a request: no line end, no '..', no query.

Source: the grammar of distribution's package `reference`, and what the docker client makes of a
name without a registry.
"""

from __future__ import annotations

import re

from orient_deploy.errors import InputError
from orient_deploy.record import dataclass

NAME_MAX = 255  # characters, with the registry; distribution, reference.NameTotalLengthMax

_HUB = "docker.io"
_HUB_NAMES = (_HUB, "index.docker.io", "registry-1.docker.io")
_HUB_API = "registry-1.docker.io"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
_SEGMENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]|::1)(?::[0-9]+)?")


@dataclass(frozen=True, kw_only=True)
class Repository:
    """Where images of one name are."""

    registry: str  # as people and credentials call it: 'ghcr.io', 'docker.io', 'localhost:5000'
    host: str  # whom to ask, with the port where one is given
    path: str  # 'acme/orient/dashboard'

    @property
    def name(self) -> str:
        """The whole name, for people."""
        return f"{self.registry}/{self.path}"


def parse_repository(text: str) -> Repository:
    """The repository that a name without a tag means.

    >>> parse_repository("ghcr.io/acme/orient")
    Repository(registry='ghcr.io', host='ghcr.io', path='acme/orient')
    >>> parse_repository("nginx")
    Repository(registry='docker.io', host='registry-1.docker.io', path='library/nginx')

    Raises:
        InputError: it is no name of a repository.
    """
    first, slash, rest = text.partition("/")
    registry, path = _HUB, text
    if slash and (re.search(r"[.:A-Z]", first) or first == "localhost"):
        registry, path = first.lower(), rest
    port = registry.rpartition(":")[2] if re.search(r":[0-9]+\Z", registry) else ""
    right = (
        _HOST.fullmatch(registry) and _PATH.fullmatch(path) and int(port or 1) in range(1, 1 << 16)
    )
    if not right or len(text) > NAME_MAX:
        raise InputError(
            f"{text!a} is no name of an image repository",
            f"it has the form registry/owner/name in lower case, without a tag, in at most "
            f"{NAME_MAX} characters",
            "Correct `repository` in the configuration, like ghcr.io/acme/orient/dashboard",
        )
    if registry in _HUB_NAMES:
        path = path if "/" in path else f"library/{path}"
        return Repository(registry=_HUB, host=_HUB_API, path=path)
    return Repository(registry=registry, host=registry, path=path)


def check_reference(text: str) -> str:
    """The same tag or digest.

    Raises:
        InputError: it is neither.
    """
    if not _DIGEST.fullmatch(text):
        check_tag(text)
    return text


def check_tag(text: str) -> str:
    """The same tag.

    Raises:
        InputError: it is none.
    """
    if not _TAG.fullmatch(text):
        raise InputError(
            f"{text!a} is no tag of an image",
            "a tag has letters, digits, '_', '.' and '-', at most 128, and begins with none of "
            "the last two",
            "Give another tag, or a digest: sha256: and 64 lower-case hexadecimal digits",
        )
    return text


def is_digest(text: str) -> bool:
    """Whether the text is a digest that can be checked here.

    >>> is_digest("sha256:" + 64 * "0"), is_digest("latest"), is_digest("sha256:0")
    (True, False, False)
    """
    return bool(_DIGEST.fullmatch(text))


def is_loopback(host: str) -> bool:
    """Whether a host, with or without its port, is this machine, which may be asked without TLS.

    >>> [is_loopback(host) for host in ("localhost:5000", "127.0.0.2", "[::1]:80", "127.0.0.1.de")]
    [True, True, True, False]

    Source: the docker engine takes 127.0.0.0/8, ::1 and localhost for insecure registries unasked.
    """
    return bool(_LOOPBACK.fullmatch(host))
