"""What a build reads as far as the text of its Dockerfile tells, and whether lists watch all of it.

Of most hand-written lists their own text tells that there is no blind spot, and then the tree of
the commit, which may be large, is not read for that. Never guesses: what text cannot tell is left
to `reads`.
"""

from __future__ import annotations

from posixpath import join, normpath

from orient_deploy.inputs.dockerfile import parse
from orient_deploy.inputs.filematch import has_wildcard
from orient_deploy.inputs.patterns import compile_patterns
from orient_deploy.inputs.stages import demand
from orient_deploy.inputs.tree import FILE, FOLDER
from orient_deploy.inputs.variables import has_mark

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orient_deploy.config.model import Config, Image


def named_sources(image: Image, dockerfile: bytes) -> tuple[str, ...] | None:
    """The files and folders of the repository that a build reads; None where the Dockerfile's text
    does not tell.

    Of the folders all counts here, whatever an ignore file leaves out.
    """
    taken = demand(
        parse(dockerfile),
        target=image.target,
        build_args=image.build_args,
        platforms=image.platforms,
        contexts=image.contexts,
    )
    if taken.refused or taken.doubts:
        return None
    found = {image.dockerfile: None}
    for take in taken.takes:
        if take.context or take.parents or has_mark(take.source) or has_wildcard(take.source):
            return None
        found[normpath(join(image.context, normpath(f"/{take.source}").lstrip("/")))] = None
    return tuple(found)


def are_watched(
    paths: Sequence[str], image: Image, config: Config, known: Mapping[str, str]
) -> bool:
    """Whether a hand-written list and `watch-all` are seen to select all that such paths stand for:
    then there is no blind spot. `known` is what git says of them (`Repository.compare_part`)."""
    texts = ([one.text for one in patterns] for patterns in (image.watch, config.watch_all))
    lists = [compile_patterns(one) for one in texts if one]
    for path in paths:
        about = known.get(path, "")
        if about.startswith(FOLDER):
            if not any(one.covers(path) for one in lists):
                return False
        elif not about.startswith(FILE) or not any(one.matches(path) for one in lists):
            return False  # a symbolic link, a submodule, or something behind one
    return True
