"""An action's inputs, read once into a dataclass of str and bool fields.

Decides what an input means as text (empty is unset, strict booleans); never what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping

from orient_deploy.errors import InputError

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")


# YAML 1.2 core schema, the spellings that getBooleanInput of @actions/core takes; nothing else.
_TRUE = ("true", "True", "TRUE")
_FALSE = ("false", "False", "FALSE")
_SHOWN = 80  # characters of a wrong value that a message quotes


def read_inputs(cls: type[T], env: Mapping[str, str]) -> T:
    """The inputs as a `cls`, a dataclass whose fields are str or bool.

    The field `tag_pattern` is the input `tag-pattern`, found in INPUT_TAG_PATTERN or, as the runner
    itself writes it for JavaScript actions, INPUT_TAG-PATTERN. Blank or missing means the field's
    default: a caller that passes an unset input on sends "", which must not beat the default.

    Raises:
        InputError: naming every wrong input at once.
    """
    values: dict[str, Any] = {}
    wrong: list[tuple[str, str, str]] = []
    for field, kind in _fields(cls).items():
        name = field.replace("_", "-")
        text = _text(name, env)
        if not text:
            if not hasattr(cls, field):  # a default stands on the class
                wrong.append((f"input '{name}' is not set", "it has no default", f"Set '{name}'"))
        elif kind in ("bool", bool):
            try:
                values[field] = read_flag(name, text)
            except InputError as error:
                wrong.append((error.what, error.why, error.next_step))
        elif kind in ("str", str):
            values[field] = text
        else:
            raise TypeError(f"{cls.__name__}.{field}: an input is str or bool")
    if wrong:
        *before, (what, why, next_step) = wrong
        said = "".join(f"{w}: {y}. {n}.\n" for w, y, n in before)
        raise InputError(said + what, why, f"{next_step}.")
    return cls(**values)


def read_flag(name: str, text: str) -> bool:
    """The input `name`, which is not empty, as a flag.

    Raises:
        InputError: it is no flag.
    """
    word = text.strip()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    quoted = repr(word if len(word) <= _SHOWN else word[:_SHOWN] + "…")
    raise InputError(
        f"input '{name}' is {quoted}",
        f"only {', '.join(_TRUE + _FALSE)} are allowed",
        f"Write 'true' or 'false', or leave '{name}' empty",
    )


def _fields(cls: type) -> dict[str, object]:
    """Names and types, those of a base first: `dataclasses.fields` without its 5 ms of imports."""
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__[:-1]):
        found.update(base.__annotations__)
    return found


def _text(name: str, env: Mapping[str, str]) -> str:
    upper = name.upper()
    for key in (f"INPUT_{upper.replace('-', '_')}", f"INPUT_{upper}"):
        value = env.get(key, "")
        if value.strip():
            return value
    return ""
