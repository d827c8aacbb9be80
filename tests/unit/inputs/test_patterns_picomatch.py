"""Our patterns against picomatch's: every difference is of a kind that docs/patterns.md explains.

The lists are generated, with a fixed seed, from whatever the configuration accepts; most paths are
made from the patterns themselves, so that they match or nearly do.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from itertools import chain, combinations
from pathlib import Path

from orient_deploy.config import globs
from orient_deploy.inputs.patterns import compile_patterns, expand_braces
from tests.oracles.node_tools import picomatch_many

SEED = 20_260_801
LISTS = 2_000
PATHS_EACH = 6

_NAMES = [
    "src", "docs", "packages", "core", "a", "b", "ab", "app", "(shop)", "[id]", ".github", ".env",
    "x.ts", "x.test.ts", "index.js", "README.md", "Dockerfile", "Dockerfile.dev", "a.", "é", "日本",
    "a b", "a+b", "a@b", "$a", "a^", 'q"q', "it's", "a|b", "#a", "~", "a,b", "l\nb", "l\u2028b",
    "odd\udcff", "i", "d", "😀",
]  # fmt: skip
_WILD = [
    "*", "**", "*.ts", "*.{js,ts}", "**.md", "a**", "a*b", "*a*", ".*", "[ab]", "[id]", "x.[jt]s",
    "[0-9]*", "{a,b}", "{src,docs}", "{core,packages/**}", "{**,x}", "{,a}b", "[(]shop)", "*.*",
    "**.test.ts", "[[]id]", "Dockerfile*", "[a-]", "*.", "{a,{b,c}d}", "**{a,b}", "[.]env", "a]",
    "[!a]", "[^ab]*", "[!a-m]x.ts",
]  # fmt: skip


def _pattern(rng: random.Random) -> str:
    while True:
        parts = [
            rng.choice(_WILD if rng.random() < 0.45 else _NAMES) for _ in range(rng.randint(1, 4))
        ]
        if rng.random() < 0.3:
            parts.append("**")
        text = "/".join(parts)
        if globs.problem(text) is None:
            return text


def _list(rng: random.Random) -> list[str]:
    patterns = [_pattern(rng)]
    for _ in range(rng.choice([0, 0, 1, 2, 4])):
        # An exclusion that has something to do with what was included before it.
        related = rng.choice(patterns).removeprefix("!").rsplit("/", 1)[0] + "/" + _pattern(rng)
        text = related if globs.problem(related) is None and rng.random() < 0.6 else _pattern(rng)
        patterns.append(("!" if rng.random() < 0.5 else "") + text)
    return patterns


def _some(rng: random.Random) -> str:
    return "/".join(rng.choices(_NAMES, k=rng.randint(1, 3)))


def _path(rng: random.Random, patterns: list[str]) -> str:
    """A path that one of the patterns matches, or nearly; a legal one in any case."""
    text = rng.choice(expand_braces(rng.choice(patterns).removeprefix("!")))
    path = re.sub(r"\*\*+", lambda _: rng.choice(["", _some(rng), _some(rng)]), text)
    path = re.sub(r"\*", lambda _: rng.choice(["", "a", ".", rng.choice(_NAMES)]), path)
    path = re.sub(r"\[(\]?[^\]/]+)\]", lambda found: rng.choice([found[0], found[1][0]]), path)
    near = rng.random()
    if near < 0.15:
        path += rng.choice(["/" + _some(rng), "x", ".", "\n", "/a"])
    elif near < 0.3:
        path = rng.choice([_some(rng) + "/", "x", "."]) + path
    elif near < 0.4:
        path = path[: rng.randrange(len(path) + 1)] + path[rng.randrange(len(path) + 1) :]
    segments = [segment for segment in path.split("/") if segment not in ("", ".", "..")]
    return "/".join(segments) or _some(rng)


Question = tuple[list[str], str]


def _double_star_as_one(text: str) -> str:
    if re.fullmatch(r"!?\*\*(\.\w+)+", text):  # which picomatch treats as GitHub does
        return text
    return re.sub(r"(?<!\*)(?:(?<![!/{,*])\*\*+|\*\*+(?![*/},]|\Z))", "*", text)


def _without(characters: str) -> Callable[[Question], Question]:
    """Replaces characters in the patterns and in the path."""

    def change(question: Question) -> Question:
        patterns, path = question
        return [re.sub(characters, "_", text) for text in patterns], re.sub(characters, "_", path)

    return change


def _expanded(question: Question) -> Question:
    patterns, path = question
    signed = [(text[:1] if text[0] == "!" else "", text.removeprefix("!")) for text in patterns]
    return [sign + one for sign, text in signed for one in expand_braces(text)], path


# Each kind of difference: how to change the question so that this kind is out of it.
KINDS: dict[str, Callable[[Question], Question]] = {
    "line breaks": _without("[\n\r\u2028\u2029]"),
    "punctuation": _without(r"""[()|"]"""),
    "a class as its own text": lambda question: (question[0], re.sub(r"[][]", "", question[1])),
    "a negated class": lambda question: (
        [text.replace("[!", "[^") for text in question[0]],
        question[1],
    ),
    "characters beyond U+FFFF": _without("[\U00010000-\U0010ffff]"),
    "a name that ends in a dot": lambda question: (question[0], re.sub(r"\.\Z", ".z", question[1])),
    "double star in braces": _expanded,
    "double star beside text": lambda question: (
        [_double_star_as_one(text) for text in question[0]],
        question[1],
    ),
}


def _neutral(question: Question, kinds: Iterable[str]) -> Question:
    for kind in kinds:
        question = KINDS[kind](question)
    return question


def test_every_difference_to_picomatch_is_deliberate() -> None:
    """Taken out of the question, its kind (or several) makes both answers the same."""
    rng = random.Random(SEED)
    questions: list[Question] = []
    for _ in range(LISTS):
        patterns = _list(rng)
        questions += [(patterns, _path(rng, patterns)) for _ in range(PATHS_EACH)]

    selected = sum(compile_patterns(patterns).matches(path) for patterns, path in questions)
    assert LISTS < selected < len(questions) - LISTS, (
        "the paths should match about half of the time"
    )
    unexplained = _differences(questions)
    seen: set[str] = set()
    for kinds in chain.from_iterable(combinations(KINDS, size) for size in range(1, 4)):
        pairs = [(question, _neutral(question, kinds)) for question in unexplained]
        left = {repr(question) for question in _differences([neutral for _, neutral in pairs])}
        unexplained = [
            question for question, neutral in pairs if neutral == question or repr(neutral) in left
        ]
        seen |= set(kinds) if len(unexplained) < len(pairs) else set()
    message = f"{len(unexplained)} differences of no known kind, such as {unexplained[:5]}"
    assert not unexplained, message
    assert seen == set(KINDS)


def test_the_docs_name_each_kind_of_difference() -> None:
    docs = (Path(__file__).parents[3] / "docs" / "patterns.md").read_text(encoding="utf-8")
    section = docs.split("## Differences to picomatch\n")[1].split("\n## ")[0]

    assert re.findall(r"^\| \*\*(.+?)\*\* \|", section, re.MULTILINE) == list(KINDS)


def _differences(questions: list[Question]) -> list[Question]:
    theirs = picomatch_many([(patterns, [path]) for patterns, path in questions])
    return [
        (patterns, path)
        for (patterns, path), [selected] in zip(questions, theirs, strict=True)
        if compile_patterns(patterns).matches(path) != selected
    ]
