"""Every case of the corpus: the resolver reads exactly what real builders were seen to read."""

from __future__ import annotations

import hashlib

import pytest

from orient_deploy.config.model import Image, Location
from orient_deploy.inputs.reads import Reads, resolve_reads, wanted_for_reads
from orient_deploy.inputs.tree import Tree
from tests.corpus.dockerfile_cases import Case, load_cases
from tests.fakes.repositories import Symlink

CASES = load_cases()


def entry(path: str, content: bytes | Symlink) -> tuple[str, str, str, str]:
    told = content.target.encode() if isinstance(content, Symlink) else content
    mode = "120000" if isinstance(content, Symlink) else "100644"
    return mode, "blob", hashlib.sha1(told).hexdigest(), path


def image_of(case: Case) -> Image:
    return Image(
        name="image",
        dockerfile=case.dockerfile,
        context=case.context,
        target=case.target,
        build_args=tuple(sorted(case.args.items())),
        contexts=tuple(sorted(case.contexts.items())),
        where=Location(file="", line=1, column=1),
    )


def resolve(case: Case) -> tuple[Reads, Tree]:
    contents: dict[str, bytes | Symlink] = dict(case.tree)
    # A file that is added counts when it is one of those read.
    contents.update(dict.fromkeys(case.add, b"added"))
    tree = Tree.of(entry(path, content) for path, content in contents.items())

    def read(path: str) -> bytes | None:
        content = contents.get(path)
        return content.target.encode() if isinstance(content, Symlink) else content

    image = image_of(case)
    wanted = set(wanted_for_reads(image, tree, read))

    def read_wanted(path: str) -> bytes | None:
        assert path in wanted, f"{path} was not asked for"
        return read(path)

    return resolve_reads(image, tree, read_wanted), tree


# What only the one who builds knows: values that nobody gave, variables of a base image, and the
# platform. There more counts than was read, and a remark says so.
DOUBTFUL = {
    *("arg-several", "env-of-an-image"),
    *("from-default-modifier", "predefined-in-from", "predefined-platform"),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_what_builders_read_is_read(case: Case) -> None:
    found, tree = resolve(case)

    read = {tree.paths[at] for at in found.positions}
    assert set(case.reads) - read == set(), "read by a builder, and not counted"
    assert case.dockerfile in read
    assert set(case.bases) <= {base.removesuffix(":latest") for base in found.bases}
    if not case.fails:  # a build that fails reads nothing, and we need not know that it will
        assert bool(found.widened) == (case.name in DOUBTFUL), found.widened
    if not (case.fails or found.widened):
        assert read - set(case.reads) - {case.dockerfile} == set(), "counted, and not read"


def test_each_doubt_is_one() -> None:
    assert {case.name for case in CASES} >= DOUBTFUL
