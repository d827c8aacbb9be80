"""Lists changed in a YAML text: nothing else moves, and git applies the patch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.advise.patch import Edit, edited, patch

KEYS = ("images", "web", "watch")


def change(text: str, edit: Edit, keys: tuple[str, ...] = KEYS) -> str:
    new, refused = edited(text, {keys: edit})
    assert refused == ()
    return new


def watch(text: str) -> list[str]:
    found = yaml.load(text, yaml.BaseLoader)["images"]["web"]["watch"]
    assert isinstance(found, list)
    return found


BLOCK = """\
version: 1
images:
  web:
    # why these
    watch:
      - web/**   # its own
      - "lib/**"
      # before the last
      - src/**
    target: x
"""
FLOW = (
    "version: 1\nimages:\n  web:\n    watch: [web/**, 'lib/**', src/**]  # these\n    target: x\n"
)


@pytest.mark.parametrize(
    ("text", "edit", "expected"),
    [
        pytest.param(
            BLOCK,
            Edit(add=("a/**", "{b,c}")),
            BLOCK.replace("- src/**\n", "- src/**\n      - a/**\n      - '{b,c}'\n"),
            id="lines-add",
        ),
        pytest.param(
            BLOCK,
            Edit(remove=("lib/**",)),
            BLOCK.replace('      - "lib/**"\n', ""),
            id="lines-drop",
        ),
        pytest.param(
            BLOCK,
            Edit(remove=("src/**",), add=("a",)),
            BLOCK.replace("      - src/**\n", "      - a\n"),
            id="lines-replace-the-last",
        ),
        pytest.param(
            FLOW, Edit(add=("a/**", "*.md")), FLOW.replace("src/**]", "src/**, a/**, '*.md']"),
            id="brackets-add",
        ),
        pytest.param(
            FLOW, Edit(remove=("web/**",)), FLOW.replace("web/**, ", ""), id="brackets-drop-first"
        ),
        pytest.param(
            FLOW,
            Edit(remove=("lib/**",)),
            FLOW.replace("'lib/**', ", ""),
            id="brackets-drop-middle",
        ),
        pytest.param(
            FLOW, Edit(remove=("src/**",)), FLOW.replace(", src/**", ""), id="brackets-drop-last"
        ),
        pytest.param(
            FLOW,
            Edit(remove=("web/**", "lib/**", "src/**"), add=("a", "b")),
            FLOW.replace("[web/**, 'lib/**', src/**]", "[a, b]"),
            id="brackets-replace-all",
        ),
        pytest.param(
            FLOW,
            Edit(add=tuple(f"packages/number-{n}/**" for n in range(4))),
            FLOW.replace(
                "watch: [web/**, 'lib/**', src/**]  # these\n",
                "watch:  # these\n      - web/**\n      - 'lib/**'\n      - src/**\n"
                + "".join(f"      - packages/number-{n}/**\n" for n in range(4)),
            ),
            id="brackets-grow-into-lines",
        ),
        pytest.param(
            "images: {web: {watch: [web/**], target: x}}\n",
            Edit(add=tuple(f"packages/number-{n}/**" for n in range(5))),
            "images: {web: {watch: [web/**, "
            + ", ".join(f"packages/number-{n}/**" for n in range(5))
            + "], target: x}}\n",
            id="within-braces-it-stays-in-brackets",
        ),
        pytest.param(
            "images:\n  web:\n    watch: [\n      web/**,  # its own\n      src/**,\n    ]\n",
            Edit(add=("a",)),
            "images:\n  web:\n    watch: [\n      web/**,  # its own\n      src/**, a,\n    ]\n",
            id="brackets-over-lines",
        ),
        pytest.param(
            "images:\n  web:\n    watch:\n    - web/**", Edit(add=("a",)),
            "images:\n  web:\n    watch:\n    - web/**\n    - a", id="no-line-break-at-the-end",
        ),
        pytest.param(
            BLOCK.replace("\n", "\r\n"),
            Edit(remove=("lib/**",), add=("a",)),
            BLOCK.replace('      - "lib/**"\n', "")
            .replace("- src/**\n", "- src/**\n      - a\n")
            .replace("\n", "\r\n"),
            id="line-ends-of-windows",
        ),
        pytest.param(BLOCK, Edit(add=("src/**",)), BLOCK, id="it-stands-there-already"),
        pytest.param(BLOCK, Edit(), BLOCK, id="nothing"),
        pytest.param(
            "\ufeff" + FLOW, Edit(add=("a",)), "\ufeff" + FLOW.replace("src/**]", "src/**, a]"),
            id="byte-order-mark",
        ),
    ],
)  # fmt: skip
def test_only_the_list_changes(text: str, edit: Edit, expected: str) -> None:
    assert change(text, edit) == expected


def test_several_lists_change_at_once() -> None:
    text = "images:\n  a: {watch: [x]}\n  b:\n    watch:\n      - y\nwatch-all: [z]\n"
    new, refused = edited(
        text,
        {
            ("watch-all",): Edit(add=("w",)),
            ("images", "a", "watch"): Edit(remove=("x",), add=("u",)),
            ("images", "b", "watch"): Edit(add=("v",)),
        },
    )

    assert refused == ()
    assert new == (
        "images:\n  a: {watch: [u]}\n  b:\n    watch:\n      - y\n      - v\nwatch-all: [z, w]\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("images: {web: {target: x}}", id="absent"),
        pytest.param("images: {web: {watch: auto}}", id="text"),
        pytest.param("images: {web: {watch: []}}", id="empty"),
        pytest.param("images: [web]", id="no-mapping"),
        pytest.param("", id="nothing"),
        pytest.param(
            "images:\n  a: {watch: &all [x]}\n  web: {watch: *all}", id="shared-by-an-alias"
        ),
        pytest.param(
            "images:\n  a: &one {watch: [x]}\n  web: *one", id="in-what-an-alias-shares"
        ),
    ],
)  # fmt: skip
def test_a_list_that_is_none_of_its_own_is_left_alone(text: str) -> None:
    assert edited(text, {KEYS: Edit(add=("a",))}) == (text, (KEYS,))


ENTRIES = st.lists(
    st.text(st.sampled_from("ab/*#:{},[]'\"!& -\u00e9"), min_size=1, max_size=6).filter(
        lambda text: text == text.strip()
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


@given(entries=ENTRIES, more=ENTRIES, drop=st.sets(st.integers(0, 4)), in_lines=st.booleans())
def test_what_is_read_back_is_what_was_meant(
    entries: list[str], more: list[str], drop: set[int], in_lines: bool
) -> None:
    given_text = yaml.safe_dump(
        {"images": {"web": {"watch": entries, "target": "x"}}},
        default_flow_style=None if not in_lines else False,
        width=10_000,
        allow_unicode=True,
    )
    removed = tuple(one for index, one in enumerate(entries) if index in drop)
    added = tuple(one for one in more if one not in entries)
    if len(removed) == len(entries) and not added:
        return

    text = change(given_text, Edit(remove=removed, add=added))

    assert watch(text) == [*(one for one in entries if one not in removed), *added]
    assert yaml.load(text, yaml.BaseLoader)["images"]["web"]["target"] == "x"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(BLOCK, change(BLOCK, Edit(remove=("lib/**",), add=("a",))), id="lines"),
        pytest.param("a\nb", "a\nb\nc", id="no-line-break-at-the-end"),
        pytest.param("a\r\nb\r\n", "a\r\nc\r\nb\r\n", id="line-ends-of-windows"),
        pytest.param("a\x0b\x85\u2028b\nc\n", "a\x0b\x85\u2028b\nd\n", id="other-line-ends"),
    ],
)
def test_git_applies_the_patch(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / ".github" / "orient-deploy.yml"
    path.parent.mkdir()
    path.write_bytes(old.encode())
    told = patch(".github/orient-deploy.yml", old, new)

    subprocess.run(["git", "apply"], input=told.encode(), cwd=tmp_path, check=True, timeout=60)

    assert path.read_bytes() == new.encode()


def test_no_difference_is_no_patch() -> None:
    assert patch("a", BLOCK, BLOCK) == ""
