"""The search for a secret finds it in every form, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import shlex
import traceback
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.fakes.canary import SHORTEST, leaks

ROOT = Path(__file__).parents[3]
CANARY = "Zx9+ca/n\"a'ry<é>%&\\$word?"
LINES = '-----BEGIN KEY-----\nfirst+li/ne==\n\n  sec"ond\r\nab\nlast-(line)\n'
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=SHORTEST, max_size=20)

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "repr": repr,
    "repr-of-bytes": lambda text: repr(text.encode()),
    "json": json.dumps,
    "json-utf-8": lambda text: json.dumps(text, ensure_ascii=False),
    "url": urllib.parse.quote,
    "url-all": lambda text: urllib.parse.quote(text, safe=""),
    "form": lambda text: urllib.parse.urlencode({"a": text}),
    "html": html.escape,
    "shell": shlex.quote,
    "command": lambda text: text.replace("%", "%25").replace("\n", "%0A"),
    "hex": lambda text: text.encode().hex(),
    "hex-upper": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "exception": lambda text: "".join(traceback.format_exception(ValueError(text))),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_found(form: str) -> None:
    assert leaks(CANARY, f"x {FORMS[form](CANARY)} y")
    assert leaks("simple-canary", "nothing", f"x{FORMS[form]('simple-canary')}y".encode())


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("canary", [CANARY, "abcd", "abcde", "abcdef", "12 characters"])
def test_base64_is_found_wherever_it_stands(
    canary: str, encode: Callable[[bytes], bytes], before: int, after: int
) -> None:
    content = b"\xff\x01" * 3
    written = encode(content[:before] + canary.encode() + content[:after])

    assert leaks(canary, written) != []


@given(TEXTS, st.binary(max_size=5), st.binary(max_size=5))
def test_base64_of_any_text_is_found(canary: str, before: bytes, after: bytes) -> None:
    assume(len(canary.strip()) >= SHORTEST)

    assert leaks(canary, base64.b64encode(before + canary.encode() + after)) != []


@pytest.mark.parametrize("form", [one for one in FORMS if one not in ("url", "form")])
@pytest.mark.parametrize("line", ["first+li/ne==", 'sec"ond', "last-(line)", "-----BEGIN KEY-----"])
def test_each_line_is_found(line: str, form: str) -> None:
    assert [one for one in leaks(LINES, FORMS[form](line)) if not one.startswith("line")] == []
    assert leaks(LINES, FORMS[form](line)) != []


def test_the_form_is_named() -> None:
    assert leaks(CANARY, CANARY)[0] == "whole"
    assert leaks(LINES, "last-(line)")[0] == "line 6"
    assert leaks(CANARY, base64.b64encode(CANARY.encode()))[0] == "whole, base64"


def test_lines_too_short_to_look_for_are_left_out() -> None:
    assert leaks(LINES, "ab", " ab\n") == []
    for short in ("", "abc", " abc \n", "\n"):
        with pytest.raises(ValueError, match="found anywhere"):
            leaks(short, "")


def test_innocent_texts_are_innocent() -> None:
    texts = [path.read_bytes() for path in sorted(ROOT.glob("docs/*.md"))]
    texts += [base64.b64encode(one) for one in texts] + [b"", bytes(range(256))]

    assert len(texts) > 10
    assert leaks(CANARY, *texts) == []
    assert leaks(LINES, *texts) == []
    assert leaks("swordfish", *texts, CANARY, LINES) == []


@given(TEXTS)
def test_what_does_not_hold_it_is_innocent(text: str) -> None:
    assume("swordfish" not in text)

    for form in FORMS.values():
        assert leaks("swordfish", form(text)) == []
