"""`dataclass` and `field` for the values on the hot path, without generating code.

The standard library's decorator imports `inspect` and compiles up to six functions for each class:
22 of the 80 ms that a small detection takes. This one does what we use of it with closures, and
type checkers see the original. What comes out is a dataclass to `dataclasses` as well: `fields`,
`replace` and `asdict` work.

Only frozen classes; no `__post_init__` but one that checks, no `slots`, no `order`, no factories.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from typing import Any

_MISSING = object()


class _Field:
    """What `field` says of one name."""

    __slots__ = ("compare", "default", "metadata", "repr")

    def __init__(self, default: object, repr: bool, compare: bool, metadata: object) -> None:
        self.default = default
        self.repr = repr
        self.compare = compare
        self.metadata = metadata


def _field(
    *,
    default: object = _MISSING,
    repr: bool = True,
    compare: bool = True,
    metadata: object = None,
) -> _Field:
    return _Field(default, repr, compare, metadata)


def _dataclass(*, frozen: bool, kw_only: bool = False) -> object:
    if not frozen:
        raise TypeError("only frozen classes")
    return _keyword_only if kw_only else _positional


def _keyword_only(cls: type) -> type:
    return _record(cls, kw_only=True)


def _positional(cls: type) -> type:
    return _record(cls, kw_only=False)


def _record(cls: type, *, kw_only: bool) -> type:
    described: dict[str, _Field] = {}
    for base in reversed(cls.__mro__[1:]):
        described.update(base.__dict__.get("__record__", {}))
    for name in cls.__annotations__:
        default = cls.__dict__.get(name, _MISSING)
        described[name] = (
            default if isinstance(default, _Field) else _Field(default, True, True, None)
        )
        if described[name].default is not _MISSING:
            setattr(cls, name, described[name].default)
        elif isinstance(default, _Field):
            delattr(cls, name)

    names = tuple(described)
    known = frozenset(names)
    defaults = {n: one.default for n, one in described.items() if one.default is not _MISSING}
    shown = tuple(name for name in names if described[name].repr)
    compared = tuple(name for name in names if described[name].compare)
    check = getattr(cls, "__post_init__", None)
    most = 0 if kw_only else len(names)

    def __init__(self: object, /, *given: object, **named: object) -> None:
        values = self.__dict__  # frozen: not by attribute
        values.update(defaults)
        if given:
            if len(given) > most or not named.keys().isdisjoint(names[: len(given)]):
                raise TypeError(f"{cls.__name__}: too many positional arguments")
            values.update(zip(names, given, strict=False))
        values.update(named)
        if len(values) != len(names) or not known.issuperset(named):
            wrong = sorted(known ^ values.keys())
            raise TypeError(f"{cls.__name__}: missing or unexpected: {', '.join(wrong)}")
        if check is not None:
            check(self)

    def __eq__(self: object, other: object) -> bool:
        if self.__class__ is not other.__class__:
            return NotImplemented
        mine, theirs = self.__dict__, other.__dict__
        return all(mine[name] == theirs[name] for name in compared)

    def __hash__(self: object) -> int:
        return hash(tuple([self.__dict__[name] for name in compared]))

    def __repr__(self: object) -> str:
        said = ", ".join(f"{name}={self.__dict__[name]!r}" for name in shown)
        return f"{cls.__qualname__}({said})"

    methods = {
        "__init__": __init__,
        "__eq__": __eq__,
        "__hash__": __hash__,
        "__repr__": __repr__,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__record__": described,
        "__dataclass_fields__": _StandardFields(),
    }
    for name, method in methods.items():
        setattr(cls, name, method)
    return cls


def _refuse(self: object, name: str, value: object = None) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to or delete field {name!r}")


class _StandardFields:
    """`__dataclass_fields__`, made when `dataclasses` asks for it."""

    def __get__(self, instance: object, cls: type) -> dict[str, object]:
        from dataclasses import field as standard_field
        from dataclasses import make_dataclass

        described: dict[str, _Field] = cls.__dict__["__record__"]
        annotations: dict[str, object] = {}
        for base in reversed(cls.__mro__):
            annotations.update(base.__annotations__ if base is not object else {})
        specification = []
        for name, one in described.items():
            facts: dict[str, Any] = {} if one.default is _MISSING else {"default": one.default}
            facts |= {"repr": one.repr, "compare": one.compare, "metadata": one.metadata}
            specification.append((name, annotations[name], standard_field(kw_only=True, **facts)))
        standard = make_dataclass(cls.__name__, specification, frozen=True)
        found: dict[str, object] = standard.__dict__["__dataclass_fields__"]
        return found


if not TYPE_CHECKING:
    dataclass, field = _dataclass, _field
