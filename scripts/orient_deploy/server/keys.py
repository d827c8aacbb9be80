"""Keys: the private one that logs in, and those that a host must show.

Mends what pasting does to a key and says what else is wrong with it, without a piece of it. Decides
which host keys count; what counts was given by a person, and never learnt from the host alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orient_deploy.errors import EnvironmentLacks, InputError, OrientError, RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.server.host import Host

PROGRAM_TIMEOUT_S = 30.0
_PUBLIC = re.compile(r"(?:ssh-|ecdsa-|sk-ssh-|sk-ecdsa-)\S+ AAAA|---- BEGIN SSH2 PUBLIC KEY")
_PRIVATE = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\n")
_PRIVATE_END = re.compile(r"\n-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----\n\Z")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")
_BOM = "\ufeff"
_PASTE = "Paste the whole file, from its BEGIN line to its END line"


@dataclass(frozen=True, kw_only=True)
class Pins:
    """The host keys that are accepted: lines of a known_hosts file, or SHA256 fingerprints."""

    known_hosts: str = ""
    fingerprints: tuple[str, ...] = ()

    @classmethod
    def parse(cls, known_hosts: str = "", fingerprints: Sequence[str] = ()) -> Pins:
        """What a person gave, with line ends mended.

        Raises:
            InputError: a fingerprint has another form, or both or neither were given.
        """
        text = mended(known_hosts)
        found = tuple(one.strip() for one in fingerprints if one.strip())
        for one in found:
            if not _FINGERPRINT.fullmatch(one):
                raise InputError(
                    f"{one!r} is no fingerprint of a host key",
                    "it is not SHA256: and 43 characters",
                    "Take what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` shows there",
                )
        if bool(text.strip()) == bool(found):
            raise InputError(
                "which host key is accepted is not clear",
                "known_hosts and fingerprint are both given"
                if found
                else "neither known_hosts"
                " nor a fingerprint is given, and no host key is ever accepted unseen",
                "Give one of the two",
            )
        return cls(known_hosts=text, fingerprints=tuple(one.rstrip("=") for one in found))


def mended(text: str) -> str:
    r"""The text as a file has it: LF, no byte order mark, no outer blanks, an end to its last line.

    >>> mended("\ufeffone\r\ntwo  "), mended("one\\ntwo"), mended(" \n")
    ('one\ntwo\n', 'one\ntwo\n', '')
    """
    text = text.lstrip(_BOM).replace("\r\n", "\n").replace("\r", "\n").strip()
    if "\n" not in text and "\\n" in text:  # of a JSON string, or of a shell's echo
        text = text.replace("\\r", "").replace("\\n", "\n").strip()
    lines = [line.strip() for line in text.split("\n")]
    return "\n".join(lines) + "\n" if text else ""


def write_private_key(key: Hidden, path: Path, environment: Mapping[str, str]) -> str:
    """Write the key where only this user reads it; its public fingerprint, for a person.

    Raises:
        InputError: it is a public key, has a passphrase, or is no key that OpenSSH reads.
    """
    text = mended(key.reveal())
    if not text:
        raise InputError("the private key is empty", "nothing was given", _PASTE)
    if _PUBLIC.match(text):
        raise InputError(
            "the private key is a public key",
            "it has the form of a .pub file",
            "Give the file beside it, without .pub, and make a new pair if that one was shown",
        )
    if text.startswith("PuTTY-User-Key-File"):
        raise InputError(
            "the private key cannot be read",
            "it is PuTTY's form",
            "Export it as an OpenSSH key, with PuTTYgen or `puttygen -O private-openssh`",
        )
    if not _PRIVATE.match(text) or not _PRIVATE_END.search(text):
        raise InputError(
            "the private key cannot be read", "its BEGIN or its END line is missing", _PASTE
        )
    write_private(path, text.encode("utf-8", "surrogateescape"))
    # An empty passphrase opens what has none, and nothing is asked for.
    code, out, err = program(["ssh-keygen", "-y", "-P", "", "-f", str(path)], environment)
    if code == 0:
        return fingerprint(out.split()[1])
    if "passphrase" in err:
        raise InputError(
            "the private key has a passphrase",
            "nobody is here to type it",
            "Make a key for this purpose alone, without one (`ssh-keygen -t ed25519 -N ''`), or"
            " load this one into an agent beforehand",
        )
    raise InputError("the private key cannot be read", "OpenSSH finds it damaged", _PASTE)


def write_private(path: Path, content: bytes) -> None:
    """A new file that only this user reads, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)


def require_pinned(
    path: Path, hosts: Sequence[Host], environment: Mapping[str, str]
) -> dict[Host, tuple[str, ...]]:
    """The fingerprints that the known_hosts file has for each host, hashed names or not.

    Raises:
        InputError: it has none for one of them.
    """
    found = {}
    for host in hosts:
        _, out, _ = program(["ssh-keygen", "-F", host.known_as, "-f", str(path)], environment)
        keys = [line for line in out.splitlines() if line and not line.startswith("#")]
        if not keys:
            raise InputError(
                f"the known_hosts given do not know {host.known_as}",
                "no line is for this name and port",
                f"Add the line that a machine which knows it has (`ssh-keygen -F"
                f" '{host.known_as}'`), or compare what `ssh-keyscan -p {host.port} {host.name}`"
                " answers with the server's own console",
            )
        blobs = [re.search(r" (AAAA[A-Za-z0-9+/=]+)", line) for line in keys]
        found[host] = tuple(fingerprint(blob[1]) for blob in blobs if blob)
    return found


def scanned(
    host: Host, fingerprints: Sequence[str], timeout_s: int, environment: Mapping[str, str]
) -> str:
    """The known_hosts lines of those keys of the host that have one of the fingerprints.

    Raises:
        RemoteError: it shows no such key, or none at all.
    """
    command = ["ssh-keyscan", "-T", str(timeout_s), "-p", str(host.port), host.name]
    # One connection for each kind of key, one after another at worst.
    limit = timeout_s * 6 + PROGRAM_TIMEOUT_S
    _, out, err = program(command, environment, timeout_s=limit)
    shown: dict[str, str] = {}
    for line in out.splitlines():
        words = line.split()
        if not line.startswith("#") and len(words) == 3:
            shown[fingerprint(words[2])] = f"{host.known_as} {words[1]} {words[2]}\n"
    if not shown:
        from orient_deploy.server.failure import no_connection

        raise no_connection(host, err + _why_not(host, timeout_s), timeout_s)
    lines = "".join(shown[one] for one in shown if one in fingerprints)
    if not lines:
        raise changed(host, fingerprints, tuple(sorted(shown)))
    return lines


def _why_not(host: Host, timeout_s: int) -> str:
    """What the network says of the host: ssh-keyscan says it in no version alike."""
    try:
        with socket.create_connection((host.name, host.port), timeout=timeout_s):
            return ""
    except socket.gaierror:
        return "getaddrinfo"
    except OSError as error:
        return error.strerror or ""


def changed(host: Host, expected: Sequence[str], shown: Sequence[str]) -> OrientError:
    """The host shows other keys than it should."""
    seen = f"it shows {', '.join(shown)}" if shown else "it shows another one"
    wanted = ", ".join(expected) or "another one"
    return RemoteError(
        f"{host.known_as} does not show the host key that was given",
        f"{wanted} is expected, and {seen}",
        "Nothing was sent to it. Ask whoever runs the server whether it was set up anew, and then"
        " give the key that its own console shows; if it was not, somebody stands in between",
    )


def fingerprint(blob: str) -> str:
    """`SHA256:…` of a public key, as OpenSSH writes it."""
    try:
        digest = hashlib.sha256(base64.b64decode(blob)).digest()
    except binascii.Error:
        return "an unreadable key"
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def program(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    timeout_s: float = PROGRAM_TIMEOUT_S,
) -> tuple[int, str, str]:
    """Run one of OpenSSH's small programs to its end: exit code, output, complaints."""
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise no_openssh(command[0]) from None
    except subprocess.TimeoutExpired:
        raise RemoteError(
            f"{command[0]} does not end",
            f"{timeout_s:g} seconds have passed",
            "Try again; look at the network between here and the server",
        ) from None
    return (
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        done.stderr.decode("utf-8", "replace"),
    )


def no_openssh(name: str) -> EnvironmentLacks:
    return EnvironmentLacks(
        f"there is no {name}",
        "no program of this name is on PATH",
        "Install the OpenSSH client, or choose a runner that has it",
    )
