"""A hidden value shows itself nowhere by accident."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable

import pytest

from orient_deploy.hidden import Hidden

CANARY = "canary-4f2c1ab7"


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param("{}".format, id="format"),
        pytest.param(lambda value: f"{value!r} {value!s} {value!a}", id="f-string"),
        pytest.param(lambda value: repr([{"a": value}]), id="inside-of-others"),
    ],
)
def test_no_text_is_made_of_it(shown: Callable[[Hidden], str]) -> None:
    assert CANARY not in shown(Hidden(CANARY))
    assert CANARY in shown(CANARY)  # type: ignore[arg-type]  # a text in its place does show


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, hash], ids=["pickle", "copy", "hash"])
def test_what_would_take_it_elsewhere_is_refused(leave: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as caught:
        leave(Hidden(CANARY))

    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_two_are_compared_with_each_other_only() -> None:
    assert Hidden("é\udcff") == Hidden("é\udcff")
    assert Hidden("a") != Hidden("b")
    assert Hidden("a") != "a"
    assert not Hidden("") and Hidden("0")
    assert Hidden(CANARY).reveal() == CANARY
