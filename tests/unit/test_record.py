"""The values' own decorator does what the standard library's does, but for compiling code."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy import record

SHAPES: dict[str, Callable[[Any, Any], type]] = {}


def shape(make: Callable[[Any, Any], type]) -> Callable[[Any, Any], type]:
    SHAPES[make.__name__] = make
    return make


@shape
def keywords(dataclass: Any, field: Any) -> type:
    @dataclass(frozen=True, kw_only=True)
    class Value:
        a: int
        b: str = "x"
        c: object = field(default=None, repr=False)
        d: int = field(default=3, compare=False, metadata={"help": "text"})

    return Value


@shape
def positions(dataclass: Any, field: Any) -> type:
    @dataclass(frozen=True)
    class Value:
        a: int
        b: str = "x"
        c: object = None
        d: int = field(default=3)

    return Value


@shape
def inherited(dataclass: Any, field: Any) -> type:
    @dataclass(frozen=True, kw_only=True)
    class Base:
        a: int
        b: str = "x"

    @dataclass(frozen=True, kw_only=True)
    class Value(Base):
        c: object = field(default=None)
        d: int = 3

    return Value


@shape
def checked(dataclass: Any, field: Any) -> type:
    @dataclass(frozen=True, kw_only=True)
    class Value:
        a: int
        b: str = "x"
        c: object = None
        d: int = field(default=3, repr=False)

        def __post_init__(self) -> None:
            if self.a == 1:
                raise ValueError("one")

    return Value


def outcome(make: Callable[[], object]) -> object:
    """What came of it: a value's text, or the kind of error."""
    try:
        return repr(make()).replace("<locals>.", "").rpartition(".")[2]
    except Exception as error:
        return type(error)


CALLS = st.tuples(
    st.lists(st.integers(0, 2), max_size=5),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e"]), st.integers(0, 2), max_size=5),
)


@pytest.mark.parametrize("name", SHAPES)
@given(one=CALLS, other=CALLS)
def test_values_behave_as_the_standard_ones(
    name: str, one: tuple[list[int], dict[str, int]], other: tuple[list[int], dict[str, int]]
) -> None:
    ours = SHAPES[name](record.dataclass, record.field)
    standard = SHAPES[name](dataclasses.dataclass, dataclasses.field)

    def made(cls: type) -> list[Callable[[], Any]]:
        return [partial(cls, *given, **named) for given, named in (one, other)]

    calls = [made(ours), made(standard)]

    assert [outcome(call) for call in calls[0]] == [outcome(call) for call in calls[1]]
    if not any(isinstance(outcome(call), type) for call in calls[0]):
        mine, theirs = ([call() for call in of] for of in calls)
        assert (mine[0] == mine[1]) == (theirs[0] == theirs[1])
        assert (hash(mine[0]) == hash(mine[1])) or mine[0] != mine[1]
        assert dataclasses.asdict(mine[0]) == dataclasses.asdict(theirs[0])
        assert dataclasses.replace(mine[0], b="y") == ours(
            **{**dataclasses.asdict(mine[0]), "b": "y"}
        )


@pytest.mark.parametrize("name", SHAPES)
def test_fields_are_those_of_a_standard_one(name: str) -> None:
    found = [
        [
            (one.name, one.default, one.repr, one.compare, one.metadata)
            for one in dataclasses.fields(cls)
        ]
        for cls in (
            SHAPES[name](record.dataclass, record.field),
            SHAPES[name](dataclasses.dataclass, dataclasses.field),
        )
    ]

    assert found[0] == found[1]


@pytest.mark.parametrize("change", [lambda v: setattr(v, "a", 2), lambda v: delattr(v, "a")])
def test_a_value_cannot_be_changed(change: Callable[[object], None]) -> None:
    value = SHAPES["keywords"](record.dataclass, record.field)(a=0)

    with pytest.raises(dataclasses.FrozenInstanceError):
        change(value)


def test_values_of_two_classes_differ() -> None:
    first, second = (SHAPES["keywords"](record.dataclass, record.field) for _ in range(2))

    assert first(a=0) != second(a=0)
    assert first(a=0) != 0


def test_only_frozen_classes_are_made() -> None:
    with pytest.raises(TypeError, match="only frozen"):
        record.dataclass(frozen=False)


def test_a_detection_imports_neither_dataclasses_nor_typing() -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import orient_deploy.commands.detect, orient_deploy.commands.main\n"
        "print(sorted({'dataclasses', 'inspect', 'typing'} & set(sys.modules)))"
    )
    paths = [path for path in sys.path if path.endswith(("scripts", "site-packages"))]

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, *paths],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout == "[]\n"
