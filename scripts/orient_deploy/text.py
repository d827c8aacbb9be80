r"""Foreign text for people: a character that shows nothing, or steers a terminal, is spelt out.

The one spelling that logs, summaries and terminals share. Never decides what else a place forbids:
workflow commands are `runner.log`'s business, Markdown is `plan.report`'s.
"""

from __future__ import annotations

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, keep: str = "") -> str:
    r"""The text with every character that cannot be seen spelt out, but for those in `keep`.

    Only a byte that is no text becomes \xff above ASCII: U+00FF itself would be \u00ff.

    >>> printable("a\nb\u202e\udcff\x85"), printable("a\nb", keep="\n")
    ('a\\nb\\u202e\\xff\\u0085', 'a\nb')
    """
    bare = text
    for kept in keep:  # not each character by itself: a build's log has millions
        bare = bare.replace(kept, "")
    if bare.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else _spelt(one) for one in text)


def _spelt(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode's stand-in for a byte that is no text
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return _NAMED.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def sentence(text: str) -> str:
    """The text with an end: a full stop, unless it has an end already.

    >>> sentence("Did you mean 'branches'?"), sentence("Add the file")
    ("Did you mean 'branches'?", 'Add the file.')
    """
    text = text.rstrip()
    return text if text.endswith((".", "?", "!")) else f"{text}."
