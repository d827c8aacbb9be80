"""What an image reads and its list does not watch: at which line, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from orient_deploy.config import parse
from orient_deploy.inputs.images import resolve_images
from orient_deploy.inputs.tree import Tree
from orient_deploy.plan.blind_spots import blind_spot_remarks, dockerfile_remarks

FILES = {
    "Dockerfile": "FROM scratch\nCOPY web web\nCOPY lib a.txt lib/\nCOPY extra /\n",
    "web/a.ts": "1",
    "lib/b.ts": "1",
    "lib/c.ts": "1",
    "lib/notes.md": "1",
    "a.txt": "1",
    "extra": "1",
    "other/x": "1",
}


def said(
    watch: str,
    *,
    files: Mapping[str, str] = FILES,
    changed: Sequence[str] | None = None,
    more: str = "",
) -> list[str]:
    """The remarks about an image with this list, each with its place."""
    config = parse(f"version: 1\nimages: {{a: {{watch: {watch}}}}}\n{more}", source="x")
    tree = Tree.of(("100644", "blob", f"{at:040x}", path) for at, path in enumerate(sorted(files)))
    contents = {path: text.encode() for path, text in files.items()}
    inputs = resolve_images(config, tree, contents.get)
    reads = {name: one.reads for name, one in inputs.items()}
    remarks = blind_spot_remarks(config, reads, tree, changed=changed)
    return [f"{one.where}: {one.message}" for one in (*dockerfile_remarks(config, reads), *remarks)]


def test_each_line_is_named_with_what_it_reads_unwatched() -> None:
    assert said("['web/**', Dockerfile, extra]") == [
        "Dockerfile:3:1: a reads 4 files (lib/, a.txt), which its list does not watch: its input "
        "digest counts that"
    ]


@pytest.mark.parametrize(
    ("watch", "more"),
    [
        pytest.param("['**']", "", id="everything"),
        pytest.param("[auto]", "", id="auto"),
        pytest.param("['web/**', auto]", "", id="auto-among-others"),
        pytest.param("['web/**', 'lib/**', extra]", "watch-all: [a.txt, Dockerfile]", id="all"),
        pytest.param("['web/**', Dockerfile]", "ignore: ['lib/**', a.txt, extra]", id="ignored"),
    ],
)
def test_nothing_is_said_of_what_is_watched_or_left_out_on_purpose(watch: str, more: str) -> None:
    assert said(watch, more=more) == []


def test_with_lists_alone_such_a_change_builds_nothing() -> None:
    assert said("['web/**', 'lib/**', a.txt, Dockerfile]", changed=["web/a.ts"]) == [
        "Dockerfile:4:1: a reads extra, which its list does not watch: a change there builds "
        "nothing"
    ]


def test_what_this_push_changes_comes_first() -> None:
    found = said("['other/**']", changed=["extra", "web/a.ts"])

    assert found[0] == (
        "Dockerfile:2:1: this push changes web/a.ts, which a reads and its list does not watch: "
        "that builds nothing"
    )
    assert found[1].startswith("Dockerfile:4:1: this push changes extra, ")
    assert "; 1 more line: see `orient-deploy audit`" in found[2]


def test_what_cannot_be_told_is_said_instead() -> None:
    files = FILES | {"Dockerfile": "FROM scratch\nARG WHAT\nCOPY $WHAT /\n"}

    (only,) = said("['web/**']", files=files)

    assert only.startswith("Dockerfile:3:1: a: what …")
    assert only.endswith("so more may count for it than is read")


@pytest.mark.parametrize(
    ("source", "watch", "expected"),
    [
        pytest.param("pkg", "[auto]", True, id="made-before-the-build"),
        pytest.param("pkg*", "[auto]", False, id="a-pattern-may-find-nothing"),
        pytest.param("pkg", "[auto, 'lib/**']", False, id="who-watches-knows"),
    ],
)
def test_a_source_that_the_commit_lacks_is_told(source: str, watch: str, expected: bool) -> None:
    found = said(watch, files=FILES | {"Dockerfile": f"FROM scratch\nCOPY {source} /\n"})

    assert found == (
        [
            "Dockerfile:2:1: a: the commit does not have pkg, so something makes it before the "
            "build, and every file may count for it: name what it is made from in `watch`, beside "
            "auto"
        ]
        if expected
        else []
    )


def test_a_dockerfile_of_any_depth_is_a_doubt_and_no_fault() -> None:
    stages = "".join(f"FROM s{at} AS s{at + 1}\nCOPY --from=s{at} / /\n" for at in range(4000))
    files = FILES | {"Dockerfile": f"FROM scratch AS s0\n{stages}"}

    assert all("more may count" in one for one in said("[auto]", files=files))
