"""A text that shows itself to nobody who does not ask for it by name.

Knows nothing of what it holds, nor where it goes.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import NoReturn, SupportsIndex


class Hidden:
    """A secret value. `reveal` is the only way to its text, so that every use can be found.

    >>> value = Hidden("swordfish")
    >>> value, f"{value}", value == Hidden("swordfish"), value.reveal()
    (Hidden(…), 'Hidden(…)', True, 'swordfish')
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hidden):
            return NotImplemented
        return compare_digest(_bytes(self._text), _bytes(other._text))

    __hash__ = None  # type: ignore[assignment]  # a hash that is not keyed can be guessed at

    def __repr__(self) -> str:
        return "Hidden(…)"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a hidden value is neither copied into a file nor to another process")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
