"""The pattern lists of a configuration, compiled: which paths count for an image.

Values in, values out; decides nothing about builds.
"""

from __future__ import annotations

from orient_deploy.config.model import AUTO
from orient_deploy.inputs.patterns import compile_patterns, escape

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orient_deploy.config.model import Config, Environment, Image, Pattern
    from orient_deploy.inputs.patterns import Selection


class Watched:
    """The pattern lists of a configuration, compiled once."""

    def __init__(self, config: Config) -> None:
        self.ignore = compile_list(config.ignore)
        self.everywhere = compile_list(config.watch_all)
        self.by_image = {
            image.name: compile_patterns(watch_texts(image)) for image in config.images
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


def watch_texts(image: Image) -> list[str]:
    """An image's pattern list with `auto` written out: the whole context and the Dockerfile.

    What is above the context counts by its own name: it may be a submodule or a link.
    """
    texts: list[str] = []
    for pattern in image.watch:
        if pattern.text != AUTO:
            texts.append(pattern.text)
        elif image.context == ".":
            texts.append("**")
        else:
            parts = image.context.split("/")
            texts += [escape("/".join(parts[:length])) for length in range(1, len(parts))]
            texts += [f"{escape(image.context)}/**", escape(image.dockerfile)]
    return texts


def compose_files(environment: Environment) -> list[str]:
    return [*environment.compose, *(path for _, files in environment.variants for path in files)]
