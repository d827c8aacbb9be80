"""Looks for a secret in what was written, in each form that it may have there."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import shlex
import urllib.parse

SHORTEST = 4  # a shorter line is found anywhere


def leaks(canary: str, *texts: str | bytes) -> list[str]:
    """The forms in which the canary, or a line of it, stands in one of the texts."""
    raw = [one if isinstance(one, bytes) else one.encode("utf-8", "replace") for one in texts]
    return [name for name, form in _forms(canary) if any(form in text for text in raw)]


def _forms(canary: str) -> list[tuple[str, bytes]]:
    whole = canary.strip()
    if len(whole) < SHORTEST:
        raise ValueError("a canary of so few characters is found anywhere")
    pieces = [("whole", whole)]
    lines = [line.strip() for line in whole.splitlines()]
    if len(lines) > 1:
        numbered = enumerate(lines, 1)
        pieces += [(f"line {number}", line) for number, line in numbered if len(line) >= SHORTEST]
    return [(f"{name}{form}", data) for name, piece in pieces for form, data in _written(piece)]


def _written(piece: str) -> list[tuple[str, bytes]]:
    data = piece.encode()
    quoted = urllib.parse.quote(piece, safe="")
    texts = {
        "": piece,
        ", repr": repr(piece)[1:-1],
        ", repr of bytes": repr(data)[2:-1],
        ", JSON": json.dumps(piece)[1:-1],
        ", JSON in UTF-8": json.dumps(piece, ensure_ascii=False)[1:-1],
        ", URL": quoted,
        ", URL in lower case": _lower(quoted),
        ", URL path": urllib.parse.quote(piece),
        ", form": urllib.parse.quote_plus(piece),
        ", HTML": html.escape(piece),
        ", shell": shlex.quote(piece),
        ", workflow command": piece.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"),
        ", hex": data.hex(),
        ", HEX": data.hex().upper(),
    }
    # Whoever has one of these can try guesses.
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, data)
        texts[f", {name}"] = digest.hexdigest()
        texts[f", {name} in base64"] = base64.b64encode(digest.digest()).decode().rstrip("=")
    forms = [(name, text.encode()) for name, text in texts.items()]
    # Inside a longer text base64 has three shapes, by what stands before. The characters at both
    # ends that depend on what is around are left out.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data)
        inner = encoded[shift and shift + 1 : (shift + len(data)) * 8 // 6]
        forms.append((", base64", inner))
        forms.append((", base64 for URLs", inner.translate(_URL)))
    return forms


def _lower(quoted: str) -> str:
    first, *rest = quoted.split("%")
    return "%".join([first, *(one[:2].lower() + one[2:] for one in rest)])


_URL = bytes.maketrans(b"+/", b"-_")
