"""A commit's entries are found by their paths, whatever the paths are."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orient_deploy.inputs.tree import Tree

NAMES = st.text("ab-/0.é\ue000\U0001f600\udc80\udcff", min_size=1, max_size=6)


def tree_of(*paths: str, mode: str = "100644") -> Tree:
    return Tree.of((mode, "blob", "1" * 40, path) for path in paths)


@given(st.sets(NAMES, max_size=8), NAMES)
def test_everything_in_a_folder_is_found(paths: set[str], folder: str) -> None:
    assume(folder != ".")  # that is the root
    tree = tree_of(*paths)

    inside = [tree.paths[at] for at in tree.below(folder)]
    assert sorted(inside) == sorted(path for path in paths if path.startswith(f"{folder}/"))
    assert tree.before(folder) == sum(
        path.encode("utf-8", "surrogateescape") < folder.encode("utf-8", "surrogateescape")
        for path in paths
    )
    for path in (*paths, folder):
        at = tree.position(path)
        assert (at is not None) == (path in tree) == (path in paths)
        assert at is None or tree.paths[at] == path


@pytest.mark.parametrize("folder", ["", "."])
def test_everything_is_in_the_root(folder: str) -> None:
    assert tree_of("a", "b/c").below(folder) == range(2)


def test_what_an_entry_is() -> None:
    tree = Tree.of(
        [
            ("120000", "blob", "2" * 40, "b"),
            ("160000", "commit", "3" * 40, "c"),
            ("100755", "blob", "4" * 40, "a"),
        ]
    )

    assert [tree.mode(at) for at in range(3)] == ["100755", "120000", "160000"]
    assert [tree.oid(at)[0] for at in range(3)] == ["4", "2", "3"]
    assert tree.links == (1,)
    assert tree_of("120000 a").links == ()
    assert tree_of().paths == ()
