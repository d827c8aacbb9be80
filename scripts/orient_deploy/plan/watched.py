"""The pattern lists of a configuration, compiled: which paths count for an image.

Values in, values out; decides nothing about builds.
"""

from __future__ import annotations

from orient_deploy.config.model import AUTO
from orient_deploy.inputs.patterns import compile_patterns, escape

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orient_deploy.config.model import Config, Environment, Pattern
    from orient_deploy.inputs.patterns import Selection

EMPTY: Mapping[str, Collection[str]] = {}


class Watched:
    """The pattern lists of a configuration, compiled once."""

    def __init__(self, config: Config, read: Mapping[str, Collection[str]] = EMPTY) -> None:
        """`read` are the changed files that `auto` stands for, by image."""
        self.ignore = compile_list(config.ignore)
        self.everywhere = compile_list(config.watch_all)
        self.by_image = {
            image.name: compile_patterns(watch_texts(image.watch, read.get(image.name, ())))
            for image in config.images
        }

    def split_ignored(self, paths: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """The paths that count, and those that `ignore` takes out."""
        ignored = set() if self.ignore is None else set(self.ignore.select(paths))
        if not ignored:
            return paths, ()
        return (
            [path for index, path in enumerate(paths) if index not in ignored],
            [path for index, path in enumerate(paths) if index in ignored],
        )

    def ignored(self, paths: Sequence[str]) -> frozenset[str]:
        """Those among the paths, in any order, that `ignore` takes out."""
        return frozenset(path for path in paths if self.ignore and self.ignore.matches(path))

    def matched(self, image: str, paths: Sequence[str]) -> dict[str, str]:
        """The paths that an image watches, in their order, each with the pattern that decided."""
        if not paths:
            return {}
        found = self.by_image[image].deciding(paths)
        if self.everywhere is not None:
            found = self.everywhere.deciding(paths) | found
        return {paths[index]: found[index] for index in sorted(found)}

    def watches(self, image: str, path: str) -> bool:
        """Whether a change to this path alone would count for the image."""
        return bool(self.matched(image, self.split_ignored([path])[0]))


def compile_list(patterns: Sequence[Pattern]) -> Selection | None:
    return compile_patterns([pattern.text for pattern in patterns]) if patterns else None


def watch_texts(patterns: Sequence[Pattern], read: Collection[str]) -> list[str]:
    """A pattern list with `auto` written out as the files that it stands for."""
    texts: list[str] = []
    for pattern in patterns:
        texts += [escape(path) for path in sorted(read)] if pattern.text == AUTO else [pattern.text]
    return texts


def compose_files(environment: Environment) -> list[str]:
    return [*environment.compose, *(path for _, files in environment.variants for path in files)]
