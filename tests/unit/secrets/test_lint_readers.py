"""Of what lint finds nothing in, four readers make the same: a property of generated files.

Every file of a run is read by one call of the real Compose, one of bash, and python-dotenv; the
fourth is written here: it goes line by line, as `docker run --env-file` does.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import dotenv
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dev.record_dotenv import fetched_compose
from orient_deploy.secrets import lint as rules
from orient_deploy.secrets.envfile import scan
from orient_deploy.secrets.lint import lint
from orient_deploy.stack import compose as stack
from tests.machines.parts import part

EXAMPLES = 1500
Answer = dict[str, "str | None"] | None

# Pieces that matter to some reader, among others that matter to none. Bash runs what it reads: no
# piece leads out of its folder.
PLAIN = [*"xy1.,:@%+-_=^{}[]!?*é中", "\U0001f600", "word", "a/b"]
SPECIAL = [
    *("'", '"', "$", "$$", "${", "${A}", "${B}", "$A", "${A:-x}", "$(x)", "`", "\\", "\\n", "\\\\"),
    *("#", " #", "\t#", " ", "  ", "\t", "\r", "\n", "\r\n", "~", "&", "|", ";", "<", ">"),
    *("(", ")"),
    *("\xa0", "\u3000", "\u200b", "\u2028", "\ufeff", "\x85", "\x0b", "\x01", "-n", "A=1", "\nB=2"),
]
NAMES = [*("A", "B", "C_1", "_D"), *("a", "E.F", "1G", "H-I", "É", "PATH", "UID", "IFS", "export")]
COMMENTS = ["", "#", "# A=1", "  # x", "#'", '# "', "# ${", "#\\", "A", "\t", "lone word"]


def rarely(often: st.SearchStrategy[str], seldom: Sequence[str]) -> st.SearchStrategy[str]:
    """One of the first sort, but for about one in twenty-five."""
    odd = st.sampled_from(seldom)
    return st.integers(0, 24).flatmap(lambda draw: odd if draw == 7 else often)


def values(*harmless: str) -> st.SearchStrategy[str]:
    pieces = rarely(st.sampled_from([*PLAIN, *harmless]), SPECIAL)
    return st.lists(pieces, max_size=5).map("".join)


ASSIGNMENTS = st.tuples(
    rarely(st.just(""), [" ", "export ", "\t"]),
    rarely(st.sampled_from(NAMES[:4]), NAMES),
    rarely(st.just("="), [" = ", "= ", " =", ":", ": ", "=="]),
    st.one_of(
        values("${A}", "${B}"),
        st.sampled_from(["${A}", '"${B}"', "x${A}y", '"${A} ${B}"', "a/${A}:${A}"]),
        values(" ", "#", "$", "\t", ";", '"', "\\").map(lambda inner: f"'{inner}'"),
        values(" ", "#", "'", ";", "${A}").map(lambda inner: f'"{inner}"'),
    ),
    rarely(st.just(""), [" ", "\t", " # c", "\t# c", "#c", "x", "'"]),
).map("".join)
FILES = st.builds(
    lambda mark, lines, end, last: mark + end.join(lines) + (end if last else ""),
    rarely(st.sampled_from(["", "A=1\n", "B='x y'\n"]), ["\ufeff"]),
    st.lists(rarely(ASSIGNMENTS, COMMENTS), min_size=1, max_size=4),
    rarely(st.sampled_from(["\n", "\n\n"]), ["\r\n"]),
    st.booleans(),
)


@pytest.fixture(scope="module")
def files() -> tuple[list[str], list[str]]:
    """Files that lint says nothing of, and others; the shortest first."""
    texts: dict[str, bool] = {}

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
    @given(FILES)
    def collect(text: str) -> None:
        texts[text] = bool(lint(text.encode()))

    collect()
    shortest = sorted(texts, key=len)
    return [one for one in shortest if not texts[one]], [one for one in shortest if texts[one]]


def by_compose(paths: Sequence[Path], folder: Path) -> list[Answer]:
    """One project, with a service for each file; halves of it where Compose refuses a file."""
    compose = fetched_compose(folder)

    def ask(some: Sequence[Path]) -> list[Answer]:
        services = {str(at): {"image": "x", "env_file": [str(one)]} for at, one in enumerate(some)}
        code, out, _ = stack._run(
            [
                *compose._command,
                *("compose", "--env-file", os.devnull, "-f", "-", "config", "--format", "json"),
            ],
            compose._environment,
            json.dumps({"name": "x", "services": services}).encode(),
        )
        if code and len(some) == 1:
            return [None]
        if code:
            return ask(some[: len(some) // 2]) + ask(some[len(some) // 2 :])
        answers = json.loads(out)["services"]
        found = [answers[str(at)].get("environment") or {} for at in range(len(some))]
        return [
            {name: one.replace("$$", "$") for name, one in each.items() if one is not None}
            for each in found
        ]

    return ask(paths)


SOURCE = """\
PATH=/nowhere
for file; do
  (set -a; . "$file" && exec /usr/bin/env -0) > "$file.out" 2> "$file.err" < /dev/null
  echo $? >> "$file.err"
done
"""


def by_bash(paths: Sequence[Path]) -> list[Answer]:
    """What a child of a shell gets that has read the file with `set -a`."""
    empty = paths[0].with_name("empty")
    empty.touch()
    subprocess.run(
        ["/bin/bash", "--norc", "-c", SOURCE, "bash", *map(str, [empty, *paths])],
        env={},
        cwd=empty.parent,
        check=True,
        timeout=120,
    )

    def answer(path: Path) -> Answer:
        if path.with_name(f"{path.name}.err").read_bytes() != b"0\n":
            return None
        text = path.with_name(f"{path.name}.out").read_bytes().decode()
        pairs = (pair.partition("=") for pair in text.split("\0")[:-1])
        return {name: one for name, _, one in pairs}

    before = answer(empty) or {}
    return [
        {name: one for name, one in found.items() if before.get(name) != one}
        if found is not None
        else None
        for found in map(answer, paths)
    ]


def by_python(path: Path) -> Answer:
    with patch.dict(os.environ, {}, clear=True):
        return dict(dotenv.dotenv_values(path, encoding="utf-8"))


def by_line(text: str) -> Answer:
    """Blank lines and comments left out, cut at the first `=`, one pair of quotes taken off."""
    found: dict[str, str | None] = {}
    for line in text.split("\n"):
        name, equals, value = line.lstrip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals:
            return None
        if value[:1] in ("'", '"') and value[:1] == value[-1:] and len(value) > 1:
            value = value[1:-1]
        found[name] = value
    return found


def disagreements(texts: Sequence[str], folder: Path) -> list[tuple[str, list[Answer]]]:
    """The files that are read in more than one way, with the answers."""
    (folder / "docker").mkdir()
    paths = [folder / f"{number}.env" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    logging.getLogger("dotenv.main").setLevel(logging.CRITICAL)
    columns = by_compose(paths, folder / "docker"), by_bash(paths), map(by_python, paths)
    wrong = []
    for text, *row in zip(texts, *columns, strict=True):
        answers: list[Answer] = [*row, by_line(text)]
        if "${" in text and answers[0] and answers[3]:
            # The last one resolves nothing: its names count.
            answers[3] = {name: answers[0].get(name) for name in answers[3]}
        if any(one is None or one != answers[0] for one in answers):
            wrong.append((text, answers))
    return wrong


def test_readers_agree_on_what_lint_finds_nothing_in(
    files: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    part("28")
    texts, _ = files

    # Some of each sort, or the property would say nothing.
    for piece in ("='", '="', "${A}", "\n\n", "#", "é", "\U0001f600", "\t"):
        assert any(piece in text for text in texts), piece
    assert len(texts) > 100
    assert disagreements(texts, tmp_path) == []


def test_what_lint_finds_is_often_read_differently(
    files: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    """The readers are really compared."""
    part("28")
    _, texts = files

    assert len(disagreements(texts[-60:], tmp_path)) > 5


def test_the_names_that_are_told_a_line_are_those_of_compose(
    files: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    part("28")
    texts = files[0][-100:] + files[1][::5]
    paths = [tmp_path / str(number) for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    (tmp_path / "docker").mkdir()
    wrong = []
    for text, answer in zip(texts, by_compose(paths, tmp_path / "docker"), strict=True):
        found = scan(text)
        names = {one.name for one in found.statements if not one.bare}
        if answer is None:
            agree = bool(found.fault_line) or "$" in text
        else:
            agree = not found.fault_line and names == answer.keys()
        wrong += [] if agree else [(text, answer)]

    assert wrong == []


# Of each reason a file that has no other.
ALONE = {
    rules.BOM: "\ufeffA=1\n",
    rules.CR: "A=1\r\n",
    rules.CONTROL: "A=\u3000x\n",
    rules.BROKEN: "A=1\nA B=2\n",
    rules.BARE: "A\nB=1\n",
    rules.FOLLOWS: "A='x'B=1\n",
    rules.INDENTED: " A=1\n",
    rules.EXPORT: "export A=1\n",
    rules.CASE: "a=1\n",
    rules.NAME: "A.B=1\n",
    rules.SHELL: "UID=7\n",
    rules.DUPLICATE: "A=1\nA=2\n",
    rules.COLON: "A:1\n",
    rules.AROUND: "A = 1\n",
    rules.DOLLAR: "A=pa$word\n",
    rules.SINGLE_DOLLAR: "A='${B}'\n",
    rules.BACKSLASH: "A=a\\b\n",
    rules.BACKTICK: "A=`x`\n",
    rules.HASH: "A=x#y\n",
    rules.COMMENT: "A=x # c\n",
    rules.TAB_COMMENT: "A=x\t#c\n",
    rules.INNER_QUOTE: "A=it's\n",
    rules.UNQUOTED: "A=x;y\n",
    rules.TRAILING: "A=x \n",
    rules.LINES: "A='x\ny'\n",
    rules.OPTION: "A=-n\n",
    rules.DELETED: "A=1\nB",
}
# What differs at others: a loop of `grep ^[A-Z]` and `read`, GitHub, dotenv of Node, `echo`.
ELSEWHERE = {rules.INDENTED, rules.CASE, rules.DUPLICATE, rules.HASH, rules.OPTION}


def test_every_reason_has_a_reader_behind_it(tmp_path: Path) -> None:
    part("28")
    reasons = {text: {one.reason for one in lint(text.encode())} for text in ALONE.values()}
    assert reasons == {text: {reason} for reason, text in ALONE.items()}

    differing = dict(disagreements(list(ALONE.values()), tmp_path))
    assert {reason for reason, text in ALONE.items() if text not in differing} == ELSEWHERE
