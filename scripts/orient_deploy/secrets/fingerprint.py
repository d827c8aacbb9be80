"""Fingerprints of secret values: who has the key can tell whether a value is still the same.

Keyed, so that a port or a yes cannot be found by trying; with scope and name inside, so that equal
values do not look equal. Never leads back to a value.
"""

from __future__ import annotations

import hmac
import re
import secrets

from orient_deploy.errors import InputError
from orient_deploy.hidden import Hidden

_LABEL = "orient-deploy-secret 1"
_DIGITS = 32  # hex, of a value: 128 bits
_KEY = re.compile(r"[0-9a-f]{64}")


class Key:
    """A key for fingerprints: 32 random bytes, written as 64 hex digits."""

    __slots__ = ("_bytes", "id")

    def __init__(self, text: Hidden) -> None:
        """Raises InputError for what is no such key."""
        given = text.reveal().strip().lower()
        if not _KEY.fullmatch(given):
            raise InputError(
                "the key for fingerprints is none",
                "it is not 64 hex digits",
                "Make one with `openssl rand -hex 32`, and keep it as a secret of its own",
            )
        self._bytes = bytes.fromhex(given)
        # Which key it was, without a word about what it is.
        self.id = self._hmac("key")[:8]

    def fingerprint(self, scope: str, name: str, value: Hidden) -> str:
        """32 hex digits of a value, which differ for each scope and name."""
        return self._hmac(scope, name, value.reveal())[:_DIGITS]

    def __repr__(self) -> str:
        return f"Key(id={self.id!r})"

    def _hmac(self, *texts: str) -> str:
        # NUL cannot be in a name, nor in what an environment holds.
        told = "\0".join([_LABEL, *texts]).encode("utf-8", "surrogateescape")
        return hmac.new(self._bytes, told, "sha256").hexdigest()


def new_key() -> Hidden:
    """A key that nobody has had."""
    return Hidden(secrets.token_hex(32))
