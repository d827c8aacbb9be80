"""Looks for a secret in what was written, in each form that it may have there."""

from __future__ import annotations

import base64
import json
import urllib.parse

SHORTEST = 4  # a shorter line is found anywhere


def leaks(canary: str, *texts: str | bytes) -> list[str]:
    """The forms in which the canary, or a line of it, stands in one of the texts."""
    raw = [one if isinstance(one, bytes) else one.encode("utf-8", "replace") for one in texts]
    return [name for name, form in _forms(canary) if any(form in text for text in raw)]


def _forms(canary: str) -> list[tuple[str, bytes]]:
    lines = [line for line in canary.splitlines() if len(line) >= SHORTEST]
    pieces = [("whole", canary)]
    if lines != [canary]:
        pieces += [(f"line {number}", line) for number, line in enumerate(lines, 1)]
    forms = []
    for name, piece in pieces:
        data = piece.encode()
        forms += [
            (name, data),
            (f"{name}, repr", repr(piece)[1:-1].encode()),
            (f"{name}, JSON", json.dumps(piece)[1:-1].encode()),
            (f"{name}, URL", urllib.parse.quote(piece, safe="").encode()),
            (f"{name}, form", urllib.parse.quote_plus(piece).encode()),
            (f"{name}, hex", data.hex().encode()),
        ]
        # Inside a longer text base64 has three shapes, by what stands before.
        for shift in range(3):
            inner = base64.b64encode(b"\0" * shift + data)[shift and shift + 1 :]
            inner = inner[: len(inner) - 4] if len(data) > 12 else inner
            forms.append((f"{name}, base64", inner))
            forms.append((f"{name}, base64 for URLs", inner.translate(_URL)))
    return forms


_URL = bytes.maketrans(b"+/", b"-_")
