"""Where in the compose files of a project a thing is said.

Reads the texts as YAML nodes and constructs nothing; never says what they mean, which is Compose's
business: a place is for people to look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml


class Places:
    """Finds a line by the path of keys that leads there."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        """`texts` are the files by their names, in the order in which Compose merges them.

        A text that is no YAML has no places.
        """
        self.files = tuple(texts)
        self.broken = ("", 0)  # the first text that is no YAML, and its line
        self._roots: list[tuple[str, yaml.Node | None]] = []
        for name, text in texts.items():
            roots, line = _roots(text)
            self._roots += [(name, root) for root in roots]
            if line and not self.broken[0]:
                self.broken = (name, line)

    def of(self, *path: str | int) -> tuple[str, int]:
        """File and line of the last file that says it, or of what holds it; ('', 0) for none.

        >>> places = Places({"a.yml": b"services:\\n  a:\\n    image: x\\n", "b.yml": b"x-b: 1"})
        >>> places.of("services", "a", "ports"), places.of("volumes")
        (('a.yml', 2), ('', 0))
        """
        best = ("", 0, 0)
        for name, root in self._roots:
            depth, line = _walk(root, path)
            if depth and depth >= best[2]:
                best = (name, line, depth)
        return best[0], best[1]

    def files_with(self, *path: str | int) -> tuple[str, ...]:
        """The files that say it themselves."""
        found = [name for name, root in self._roots if _walk(root, path)[0] == len(path)]
        return tuple(dict.fromkeys(found))

    def text_of(self, *path: str | int) -> str:
        """The last scalar that is written there, references and all; '' for none."""
        for _, root in reversed(self._roots):
            node = _node(root, path)
            if isinstance(node, yaml.ScalarNode):
                return str(node.value)
        return ""

    def keys(self, name: str, *path: str | int) -> tuple[str, ...]:
        """The keys of a mapping in the file `name`."""
        nodes = [_node(root, path) for one, root in self._roots if one == name]
        pairs = [pair for one in nodes if isinstance(one, yaml.MappingNode) for pair in one.value]
        return tuple(key.value for key, _ in pairs if isinstance(key, yaml.ScalarNode))


def _roots(text: bytes) -> tuple[list[yaml.Node], int]:
    """The documents of a text, which Compose merges in their order, or the line at fault."""
    try:
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader)), 0
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if error.context_mark and "quoted scalar" in (error.context or ""):
            mark = error.context_mark  # the quote that nothing closes
        return [], mark.line + 1 if mark else 1
    except (yaml.YAMLError, ValueError, RecursionError):
        return [], 1


def _walk(root: yaml.Node | None, path: Sequence[str | int]) -> tuple[int, int]:
    """How many steps of the path there are, and the line of the last."""
    node, depth, line = root, 0, 0
    for step in path:
        found = _step(node, step)
        if found is None:
            break
        line, node = found
        depth += 1
    return depth, line


def _node(root: yaml.Node | None, path: Sequence[str | int]) -> yaml.Node | None:
    node = root
    for step in path:
        found = _step(node, step)
        if found is None:
            return None
        node = found[1]
    return node


def _step(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == step:
                return key.start_mark.line + 1, value
        for key, value in node.value:  # what an anchor is merged from
            if isinstance(key, yaml.ScalarNode) and key.value == "<<":
                merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for one in merged:
                    if isinstance(one, yaml.MappingNode) and (found := _step(one, step)):
                        return found
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None
