"""The input digest of an image, version 1: one sha256 over everything that is known to make it.

Two images with the same digest are built from the same. docs/digest.md says the same for those who
compute it elsewhere. Never decides what belongs to an image.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orient_deploy.config.model import Image
    from orient_deploy.inputs.positions import Positions
    from orient_deploy.inputs.tree import Tree

SCHEMA = "orient-deploy-inputs 1"
SHOWN = 12  # hex digits shown to people
IN_TAG = 40  # hex digits in a tag


def input_digest(
    image: Image,
    *,
    dockerfile: str,
    bases: Iterable[str],
    siblings: Mapping[str, str],
    salt: str,
    parts: Iterable[tuple[str, list[str]]],
) -> str:
    """Sixty-four hex digits.

    `dockerfile` is the id of the Dockerfile's content, `bases` the images it starts from or copies
    from, `siblings` the digests of those among them that the configuration has, `parts` the rows
    of what counts, each part below a name ('' for the first).
    """
    import hashlib

    records = [
        SCHEMA,
        *(f"platform {one}" for one in sorted(set(image.platforms))),
        f"target {image.target}",
        f"context {image.context}",
        *(f"build-context {name}={value}" for name, value in sorted(image.contexts)),
        *(f"build-arg {name}={value}" for name, value in sorted(image.build_args)),
        f"dockerfile {dockerfile}",
        *(f"base {one}" for one in sorted(set(bases))),
        *(f"image {name} {digest}" for name, digest in sorted(siblings.items())),
        *([f"salt {salt}"] if salt else []),
    ]
    for name, rows in parts:
        records += [name, *rows] if name else rows
    told = "\0".join([*records, ""])
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()


def counted_rows(tree: Tree, counted: Positions, closures: Mapping[int, str]) -> list[str]:
    """The rows of what counts; `closures` are the digests of what counts by what it says.

    Those stand for the ids, and the type tells them apart.
    """
    found: list[str] = []
    for some in counted.ranges:
        found += tree.rows[some.start : some.stop]
        for at, digest in closures.items():
            if at in some:
                found[at - some.stop] = f"{tree.mode(at)} closure {digest}\t{tree.paths[at]}"
    return found


def record_tag(digest: str) -> str:
    """The image tag that says: this image has these inputs.

    >>> record_tag("0123456789" * 6 + "0123")
    'inputs-0123456789012345678901234567890123456789'
    """
    return f"inputs-{digest[:IN_TAG]}"
