"""Reading a consumer's YAML: plain values, within bounds, whatever the text is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.advise.documents import (
    MAX_BYTES,
    MAX_ITEMS,
    flat,
    get,
    has_expression,
    items,
    pairs,
    put_in,
    read_yaml,
    text,
)


def test_scalars_stay_text() -> None:
    assert read_yaml(b"on: {push: yes}\nversion: 1.10\nday: 2026-01-05\n") == {
        "on": {"push": "yes"},
        "version": "1.10",
        "day": "2026-01-05",
    }


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"a: [", id="not-yaml"),
        pytest.param(b"\xff\xfe\x00", id="not-utf-8"),
        pytest.param(b"a: 1\n---\nb: 2\n", id="two-documents"),
        pytest.param(b"[" * 5_000, id="deep"),
        pytest.param(b'"\\UFFFFFFFF"', id="no-character"),
        pytest.param(b"? [a]\n: 1\n", id="a-list-as-key"),
        pytest.param(b"a: *nowhere\n", id="no-anchor"),
        pytest.param(b"#" * (MAX_BYTES + 1), id="long"),
    ],
)
def test_what_is_no_document_is_none(data: bytes) -> None:
    assert read_yaml(data) is None


def test_tags_mean_nothing() -> None:
    assert read_yaml(b"a: !!python/object/apply:os.system [exit]\nb: !reset null\n") == {
        "a": ["exit"],
        "b": "null",
    }


def test_merge_keys_are_followed_and_own_keys_win() -> None:
    document = read_yaml(
        b"base: &base {build: {context: .}, image: a}\n"
        b"other: &other {profiles: [x]}\n"
        b"service: {<<: [*base, *other], image: b}\n"
    )

    service = get(document, "service")
    assert text(service, "build", "context") == "."
    assert text(service, "image") == "b"
    assert items(service, "profiles") == ["x"]
    assert [key for key, _ in pairs(document, "service")] == ["image"]


def test_merge_keys_that_refer_to_each_other_end() -> None:
    bomb = "a0: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 40)
    )
    document = read_yaml(bomb.encode())

    assert get(document, "a39", "x") == "1"
    assert get(document, "a39", "absent") is None


def test_values_that_hold_themselves_are_read_to_an_end() -> None:
    mapping: dict[str, object] = {"x": "1"}
    mapping["<<"] = mapping
    several: list[object] = ["1"]
    several.append(several)

    assert get(mapping, "absent") is None
    assert set(flat(several)) == {"1"}
    assert read_yaml(b"a: &a [1, *a]\n") is None


def test_lists_in_lists_are_opened_within_bounds() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    empty = bomb.replace("[x, x]", "[]")

    assert flat(["a", ["b", ["c"]]]) == ["a", "b", "c"]
    assert len(flat(get(read_yaml(bomb.encode()), "a7"))) <= MAX_ITEMS
    assert flat(get(read_yaml(empty.encode()), "a7")) == []


def test_values_of_another_kind_are_absent() -> None:
    assert get("text", "a") is None
    assert text({"a": ["b"]}, "a") == ""
    assert items({"a": {"b": "c"}}, "a") == []
    assert items({"a": "b"}, "a") == ["b"]
    assert pairs(["a"]) == []


def test_expressions_are_put_in_where_they_are_known() -> None:
    known = {"env.A": "${{ env.B }}/x", "env.B": "b", "env.loop": "${{ env.loop }}${{ env.loop }}"}

    assert put_in("${{env.A}}:${{ github.sha }}", known) == "b/x:${{ github.sha }}"
    assert has_expression(put_in("${{ env.loop }}", known))
    assert len(put_in("${{ env.loop }}" * 600, known)) <= 100_000
    assert put_in("${{ " * 20_000, known) == "${{ " * 20_000


@given(st.binary(max_size=300) | st.text("{}[]:*&<-!|>'\"# \nab", max_size=200).map(str.encode))
def test_no_text_makes_it_fail(data: bytes) -> None:
    value = read_yaml(data)

    flat(value)
    pairs(value, "a")
    text(value, "a", "b")
