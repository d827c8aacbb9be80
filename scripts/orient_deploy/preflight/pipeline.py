"""A workflow as jobs and steps with their lines, and what its commands are.

Reads what stands in the file; what only a runner knows stays as `${{ }}`. A workflow that cannot be
read is None: a check about it is silent. Never decides what is wrong.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orient_deploy.config.nodes import Items, Node, Pairs, Text, read_nodes
from orient_deploy.config.problem import ConfigError

MOST_LEGS = 64  # of a matrix
MOST_STEPS = 2_000
LONGEST_SCRIPT = 50_000  # characters
_EXPRESSION = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_BEFORE = frozenset(
    {
        *("sudo", "time", "exec", "command", "env", "xvfb-run", "nice", "corepack"),
        *("if", "then", "else", "elif", "do", "while", "until", "!", "{"),
    }
)
_RUNNERS = frozenset({"npx", "bunx", "pnpx", "dotenvx"})


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a job."""

    line: int
    name: str = ""
    id: str = ""
    uses: str = ""
    run: str = ""
    run_line: int = 0  # of the first line of the script
    condition: str = ""
    folder: str = ""  # `working-directory`, also of the job's or the workflow's defaults
    given: Mapping[str, tuple[str, int]] = field(default_factory=dict)  # `with`: text and line

    def says(self, name: str) -> str:
        """What `with` gives to an input; '' for nothing."""
        return self.given.get(name, ("", 0))[0]

    def commands(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The commands that its script starts on the runner, word by word, with their lines."""
        for at, words in commands_of(self.run):
            yield self.run_line + at, words


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job."""

    id: str
    line: int
    name: str = ""
    needs: tuple[str, ...] = ()
    condition: str = ""
    condition_line: int = 0
    outputs: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    legs: tuple[Mapping[str, str], ...] = ({},)  # of its matrix, as `matrix.…`
    calls: str = ""  # the workflow that it is
    environment: bool = False
    may_fail: bool = False  # `continue-on-error`


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """One workflow."""

    path: str
    jobs: Mapping[str, Job]
    on: frozenset[str]  # names of events
    pushes_branches: bool  # a push of a branch starts it
    branches: tuple[str, ...] = ()  # `on.push.branches`; empty: all
    has_branches: bool = False
    known: Mapping[str, str] = field(default_factory=dict)  # `env.…` and defaults of inputs


def read_workflow(path: str, content: bytes) -> Workflow | None:
    """The workflow; None where it cannot be read."""
    try:
        root = read_nodes(content, source=path)
    except ConfigError:
        return None
    jobs = _get(root, "jobs")
    if not isinstance(jobs, Pairs):
        return None
    on = _get(root, "on")
    push = _get(on, "push")
    branches = _get(push, "branches")
    known = {f"env.{name}": one.text for name, one in _texts(_get(root, "env"))}
    for trigger in ("workflow_dispatch", "workflow_call"):
        for name, one in _pairs(_get(on, trigger, "inputs")):
            default = _get(one, "default")
            if isinstance(default, Text) and not default.is_null:
                known[f"inputs.{name}"] = default.text
    events = frozenset(_names(on))
    only_tags = isinstance(push, Pairs) and {name for name, _ in _pairs(push)} & {
        "tags",
        "tags-ignore",
    }
    limits = {name for name, _ in _pairs(push)} & {"branches", "branches-ignore"}
    folder = _text(root, "defaults", "run", "working-directory")
    left = [MOST_STEPS]
    return Workflow(
        path=path,
        jobs={name: _job(name, one, folder, left) for name, one in _pairs(jobs)},
        on=events,
        pushes_branches="push" in events and not (only_tags and not limits),
        branches=tuple(_names(branches)),
        has_branches=branches is not None or "branches-ignore" in limits,
        known=known,
    )


def filled(text: str, known: Mapping[str, str]) -> str:
    """The text with those of its `${{ }}` filled in that are known."""
    for _ in range(3):
        found = _EXPRESSION.sub(lambda one: known.get(one[1], one[0]), text)
        if found == text or len(found) > 10_000:
            break
        text = found
    return text


def commands_of(script: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The commands of a shell script, word by word, and how many lines stand before each.

    Leaves out what stands in heredocs, which mostly another machine runs, and in comments. A
    quoted text is one word.
    """
    at = 0
    lines = script[:LONGEST_SCRIPT].split("\n")
    while at < len(lines):
        first, line = at, lines[at]
        while line.endswith("\\") and at + 1 < len(lines):
            at += 1
            line = line[:-1] + " " + lines[at].lstrip()
        # A quote that is still open goes on with the next lines.
        words = _split(line)
        while words is None and at + 1 < len(lines) and at - first < 200:
            at += 1
            line += "\n" + lines[at]
            words = _split(line)
        at += 1
        heredoc = _HEREDOC.search(line)
        if heredoc:
            while at < len(lines) and lines[at].strip() != heredoc[2]:
                at += 1
            at += 1
        for one in words or ():
            plain = _without_prefix(one)
            if plain:
                yield first, plain


def _split(line: str) -> list[tuple[str, ...]] | None:
    """The commands of one line; None where a quote stays open."""
    # `${{ a || b }}` is one text to the shell.
    line = re.sub(
        r"\$\{\{[^{}]{0,500}\}\}", lambda one: one[0].replace(" ", "").replace("|", "_"), line
    )
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&()<>\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[tuple[str, ...]] = []
    words: list[str] = []
    try:
        for word in lexer:
            if word.startswith("#") and not words:
                break
            if word and not word.strip(";|&()\n"):
                found.append(tuple(words))
                words = []
            else:
                words.append(word)
    except ValueError:
        return None
    return [*found, tuple(words)]


def _without_prefix(words: tuple[str, ...]) -> tuple[str, ...]:
    """The command itself, without variables and programs that start it."""
    at = 0
    while at < len(words):
        one = words[at]
        if one in _BEFORE or _ASSIGNMENT.match(one):
            at += 1
        elif one in _RUNNERS or words[at : at + 2] in (("pnpm", "exec"), ("pnpm", "dlx")):
            at += 1 if one in _RUNNERS else 2
            while at < len(words) and words[at].startswith("-"):
                at += 1
        else:
            break
    return words[at:]


def _job(name: str, node: Node, folder: str, left: list[int]) -> Job:
    condition = _get(node, "if")
    own = _text(node, "defaults", "run", "working-directory") or folder
    steps: list[Step] = []
    for one in _items(_get(node, "steps")):
        left[0] -= 1
        if left[0] < 0:
            break
        steps.append(_step(one, own))
    return Job(
        id=name,
        line=node.line,
        name=_text(node, "name"),
        needs=tuple(_names(_get(node, "needs"))),
        condition=condition.text if isinstance(condition, Text) else "",
        condition_line=condition.line if condition is not None else 0,
        outputs={key: one.text for key, one in _texts(_get(node, "outputs"))},
        steps=tuple(steps),
        legs=_legs(_get(node, "strategy", "matrix")),
        calls=_text(node, "uses"),
        environment=_get(node, "environment") is not None,
        may_fail=_text(node, "continue-on-error") not in ("", "false"),
    )


def _step(node: Node, folder: str) -> Step:
    run = _get(node, "run")
    script, first = "", 0
    if isinstance(run, Text):
        # A block begins in the line behind its `|`; a plain text where it stands.
        script, first = run.text, run.line + ("\n" in run.text and run.text[-1:] == "\n")
    return Step(
        line=node.line,
        name=_text(node, "name"),
        id=_text(node, "id"),
        uses=_text(node, "uses"),
        run=script,
        run_line=first,
        condition=_text(node, "if"),
        folder=_text(node, "working-directory") or folder,
        given={key: (one.text.strip(), one.line) for key, one in _texts(_get(node, "with"))},
    )


def _legs(matrix: Node | None) -> tuple[Mapping[str, str], ...]:
    """The combinations of a matrix; one empty one where a runner computes it."""
    axes: list[tuple[str, list[dict[str, str]]]] = []
    for name, value in _pairs(matrix):
        if name not in ("include", "exclude") and isinstance(value, Items):
            axes.append((name, [_flat(f"matrix.{name}", one) for one in value.items]))
    legs: list[dict[str, str]] = []
    if axes:
        for values in itertools.islice(itertools.product(*(some for _, some in axes)), MOST_LEGS):
            legs.append({key: text for one in values for key, text in one.items()})
    names = {f"matrix.{name}" for name, _ in axes}
    for entry in _items(_get(matrix, "include"))[:MOST_LEGS]:
        given = _flat("matrix", entry)
        own = {key: text for key, text in given.items() if key in names}
        fitting = [leg for leg in legs if own.items() <= leg.items()] if own or names else []
        for leg in fitting:
            leg.update(given)
        if not fitting:
            legs.append(given)
    excluded = [_flat("matrix", one) for one in _items(_get(matrix, "exclude"))]
    legs = [leg for leg in legs if not any(one and one.items() <= leg.items() for one in excluded)]
    return tuple(legs[:MOST_LEGS]) or ({},)


def _flat(prefix: str, node: Node) -> dict[str, str]:
    if isinstance(node, Text):
        return {prefix: node.text}
    return {
        key: text
        for name, one in _pairs(node)
        for key, text in _flat(f"{prefix}.{name}", one).items()
    }


def _get(node: Node | None, *keys: str) -> Node | None:
    for key in keys:
        node = next((one for name, one in _pairs(node) if name == key), None)
    return node


def _pairs(node: Node | None) -> list[tuple[str, Node]]:
    if not isinstance(node, Pairs):
        return []
    return [(key.text, value) for key, value in node.pairs if isinstance(key, Text)]


def _texts(node: Node | None) -> list[tuple[str, Text]]:
    return [(name, one) for name, one in _pairs(node) if isinstance(one, Text)]


def _items(node: Node | None) -> Sequence[Node]:
    return node.items if isinstance(node, Items) else ()


def _text(node: Node | None, *keys: str) -> str:
    found = _get(node, *keys)
    return found.text.strip() if isinstance(found, Text) and not found.is_null else ""


def _names(node: Node | None) -> Iterator[str]:
    """A text, the texts of a list, or the keys of a mapping."""
    if isinstance(node, Text) and not node.is_null:
        yield node.text
    elif isinstance(node, Items):
        yield from (one.text for one in node.items if isinstance(one, Text))
    else:
        yield from (name for name, _ in _pairs(node))
