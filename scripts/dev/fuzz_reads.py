"""Make Dockerfiles and ignore files at random, and hold what we say they read to a real engine.

Prints each disagreement as a case for tests/corpus/dockerfile. The same seed makes the same cases.

    python scripts/dev/fuzz_reads.py [--seed 1] [--count 200] [--kind ignore|copy|variables|stages]
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from tests.corpus.dockerfile_cases import Case  # noqa: E402  # needs the path above
from tests.fakes.repositories import Symlink  # noqa: E402  # likewise needs it
from tests.machines.docker_engine import docker_engine  # noqa: E402  # likewise needs it
from tests.oracles.docker_build import (  # noqa: E402  # likewise needs it
    Build,
    Builder,
    differences,
    make_base,
    measure,
)
from tests.unit.inputs.test_reads_corpus import resolve  # noqa: E402  # likewise needs it

FOLDERS = ("a", "b", "src", "a/b", "src/a", ".h", "a.b", "[a]")
NAMES = ("a", "b", "a.ts", "b.ts", "a.md", ".env", "ab.ts", "a b", "!a", "#a", "é.ts", "[a]")
SEGMENTS = ("*", "*.ts", "a*", "?", "?.ts", "[ab]", "[^a].ts", "[a-c]*", "*.*", ".*", "a.?s")


def tree(draw: random.Random) -> dict[str, bytes | Symlink]:
    """Some files, and now and then a link."""
    found: dict[str, bytes | Symlink] = {}
    for _ in range(draw.randint(3, 9)):
        folder = draw.choice(("", "", *FOLDERS))
        _put(found, f"{folder}/{draw.choice(NAMES)}".strip("/"), None)
    for _ in range(draw.choice((0, 0, 0, 1, 2))):
        path = f"{draw.choice(('', *FOLDERS))}/{draw.choice(('l', 'l.ts'))}".strip("/")
        target = draw.choice(sorted(found) + list(FOLDERS))
        up = "../" * path.count("/")
        _put(found, path, Symlink(draw.choice((f"{up}{target}", f"/{target}", target))))
    return found


def _put(found: dict[str, bytes | Symlink], path: str, content: Symlink | None) -> None:
    """Add a path, unless a file stands where it needs a folder or the other way round."""
    parents = {path[:at] for at, character in enumerate(path) if character == "/"}
    if not (parents & set(found) or any(other.startswith(f"{path}/") for other in found)):
        found.setdefault(path, content or f"{path}\n".encode())


def paths_of(files: Mapping[str, object]) -> list[str]:
    """The paths, and the folders above them."""
    found = set(files)
    for path in files:
        found |= {path[:at] for at, character in enumerate(path) if character == "/"}
    return sorted(found)


def pattern(draw: random.Random, files: Mapping[str, object], wild: Sequence[str]) -> str:
    """A path of the tree, some of its parts made wild."""
    parts = draw.choice(paths_of(files)).split("/")
    for at in range(len(parts)):
        if draw.random() < 0.3:
            parts[at] = draw.choice(wild)
    if draw.random() < 0.2:
        parts.insert(draw.randint(0, len(parts)), draw.choice(("**", ".", "..", "x/..", "")))
    return "/".join(parts)


def ignore_file(draw: random.Random, files: Mapping[str, object]) -> str:
    """A few lines in the ignore file's dialect: often much is ignored, and some of it kept."""
    wild = (*SEGMENTS, "**", "**.ts", "a**", "**a", "***", "a**b")
    broad = ("*", "**", "*/*", "**/*.ts", "*/**", *{path.split("/")[0] for path in files})
    lines = [draw.choice(sorted(broad))] if draw.random() < 0.6 else []
    for _ in range(draw.randint(1, 5)):
        line = draw.choice((*[pattern(draw, files, wild)] * 3, draw.choice(wild)))
        line = draw.choice(("", "", "", "/", "./", "**/", "*/")) + line
        if line[0] in "!#[*" and draw.random() < 0.3:
            line = f"\\{line}"
        line += draw.choice(("", "", "", "", "/", "/**", "/*"))
        line = draw.choice(("", "!", "!", "!", "! ", " ", "#")) + line
        lines.append(line + draw.choice(("", "", "", " ", "\r")))
    return "\n".join(lines) + draw.choice(("", "\n", "\n\n"))


def source(draw: random.Random, files: Mapping[str, object]) -> str:
    """One source of a COPY, as a word."""
    word = pattern(draw, files, SEGMENTS) if draw.random() < 0.8 else draw.choice((".", "*", "/"))
    word = draw.choice(("", "", "", "/", "./", "../", "//")) + word
    word += draw.choice(("", "", "", "/", "/.", "/*"))
    return word.replace(" ", "\\ ") if draw.random() < 0.7 else word


def copy(draw: random.Random, files: Mapping[str, object]) -> str:
    """A COPY or ADD of the context."""
    words = [source(draw, files) for _ in range(draw.choice((1, 1, 2, 3)))]
    flags = draw.choice(("", "", "", "", "--link ", "--chmod=644 "))
    if draw.random() < 0.25:
        wild = (*SEGMENTS, "**", "**/*.ts", "**/a")
        excluded = pattern(draw, files, wild).replace(" ", "\\ ")
        flags += f"--exclude={excluded} "
    keyword = draw.choice(("COPY", "COPY", "ADD", "copy"))
    if draw.random() < 0.2:
        quoted = ", ".join('"' + w.replace("\\", "\\\\") + '"' for w in [*words, "/d/"])
        return f"{keyword} {flags}[{quoted}]"
    space = draw.choice((" ", " ", " ", "  ", " \\\n  ", " \\\n# note\n"))
    return f"{keyword} {flags}{space.join(words)}{space}/d/"


def mount(draw: random.Random, files: Mapping[str, object]) -> str:
    """A RUN that mounts a part of the context."""
    path = draw.choice((*paths_of(files), ".", "/"))
    path = draw.choice(("", "", "/", "./", "../")) + path
    word = draw.choice(("source", "src"))
    given = f"{word}={path}," if draw.random() < 0.8 and " " not in path else ""
    kind = draw.choice(("type=bind,", ""))
    return f"RUN --mount={kind}{given}target=/m true"


def variables(draw: random.Random, files: Mapping[str, object]) -> Iterator[str]:
    """Some ARG and ENV, and a COPY that uses them."""
    paths = [path for path in paths_of(files) if not set(path) & set(" !#[\\")]
    names = ("x", "y", "z")
    for _ in range(draw.randint(1, 4)):
        name, value = draw.choice(names), draw.choice((*paths, "", "a", "src", "$x", "${y:-a}"))
        value = draw.choice(("{}", "{}", '"{}"', "'{}'")).format(value)
        form = ("ARG {n}={v}", "ARG {n}", "ENV {n}={v}", "ENV {n} {v}", "ARG {n}={v} q=1")
        yield draw.choice(form).format(n=name, v=value)
    for _ in range(draw.randint(1, 2)):
        name, path = draw.choice(names), draw.choice(paths)
        forms = ["$N", "${N}", "${N:-P}", "${N:+P}", "${N-P}", "${N+P}", "./$N", "P$N", "${N#a}"]
        forms += ["${N%.ts}", "${N##*/}", "${N/a/b}", "${N//a/b}", "\\$N", '"$N"', "'$N'", "$N/*"]
        word = draw.choice(forms).replace("N", name).replace("P", path)
        yield f"COPY {path} {word} /d/"


def stages(draw: random.Random, files: Mapping[str, object]) -> Iterator[str]:
    """Several stages that build on each other or not."""
    names = ["one", "Two", "three"][: draw.randint(1, 3)]
    bases = ["scratch", "orient/base"]
    earlier: list[str] = []
    for name in names:
        yield f"FROM {draw.choice((*bases, *earlier))} AS {name}"
        yield from body(draw, files, earlier)
        earlier.append(name.lower())
    if draw.random() < 0.7:
        yield f"FROM {draw.choice((*bases, *earlier))}"
        yield from body(draw, files, earlier)


def body(draw: random.Random, files: Mapping[str, object], earlier: Sequence[str]) -> Iterator[str]:
    """Instructions of one stage."""
    for _ in range(draw.randint(0, 3)):
        prefix = "ONBUILD " if draw.random() < 0.15 else ""
        if earlier and draw.random() < 0.5:
            which = draw.choice((*earlier, str(draw.randrange(len(earlier)))))
            yield f"{prefix}COPY --from={which} / /s/"
        else:
            path = draw.choice(
                [p for p in paths_of(files) if " " not in p and "[" not in p] or ["."]
            )
            yield f"{prefix}COPY {path} /d/"


def make_case(draw: random.Random, name: str, kind: str) -> Case:
    """One case; what it reads is still to be said."""
    files = tree(draw)
    context = draw.choice(("", "", "", "a", "src")) if kind != "variables" else ""
    if not any(path.startswith(f"{context}/") for path in files):
        context = ""
    own = {
        path[len(context) + 1 :] if context else path: content
        for path, content in files.items()
        if not context or path.startswith(f"{context}/")
    }
    lines: Sequence[str] = ("FROM scratch", "COPY . /d/")
    ignored = kind == "ignore" or draw.random() < 0.3
    if kind == "copy":
        lines = ("FROM orient/base", *(copy(draw, own) for _ in range(draw.randint(1, 2))))
        if draw.random() < 0.3:
            lines = (*lines, mount(draw, own))
    elif kind == "variables":
        lines = ("FROM scratch", *variables(draw, own))
    elif kind == "stages":
        lines = tuple(stages(draw, own))
    elif draw.random() < 0.3:
        lines = ("FROM scratch", copy(draw, own))
    files["Dockerfile"] = ("\n".join(lines) + "\n").encode()
    if ignored:
        path = draw.choice(("Dockerfile", f"{context}/" if context else ""))
        files[f"{path}.dockerignore"] = ignore_file(draw, own).encode()
    added: dict[str, bytes | Symlink] = {}
    for _ in range(3):
        _put(
            added,
            f"{draw.choice(('', *FOLDERS))}/{draw.choice(('n.ts', 'a.ts', '.n'))}".strip("/"),
            None,
        )
    kept = dict(files)
    for path in added:
        _put(kept, path, None)
    args = {"x": draw.choice(("a", "src", ""))} if draw.random() < 0.4 else {}
    return Case(
        name=name,
        where="random",
        about="",
        tree=files,
        add=tuple(sorted(set(kept) - set(files))),
        dockerfile="Dockerfile",
        context=context or ".",
        target=draw.choice(("", "", "one")) if kind == "stages" else "",
        args=args,
        contexts={},
        needs=(),
        unverified="",
        reads=(),
        bases=(),
        fails=False,
    )


def with_our_answer(case: Case) -> tuple[Case, bool]:
    """The case with what we say its steps read, and whether we said so without doubt."""
    found, made = resolve(case)
    read = {made.paths[at] for source in found.sources if source.line for at in source.positions}
    return dataclasses.replace(case, reads=tuple(sorted(read))), not found.widened


def as_yaml(case: Case) -> str:
    """The case in the corpus's own form."""
    texts = (
        case.dockerfile,
        "Dockerfile.dockerignore",
        ".dockerignore",
        "a/.dockerignore",
        "src/.dockerignore",
    )
    shown: dict[str, object] = {"about": "…"}
    if case.context != ".":
        shown["context"] = case.context
    if case.target:
        shown["target"] = case.target
    if case.args:
        shown["args"] = dict(case.args)
    plain = [p for p, c in case.tree.items() if isinstance(c, bytes) and p not in texts]
    links = {p: c.target for p, c in case.tree.items() if isinstance(c, Symlink)}
    shown |= {"files": plain, "links": links, "add": list(case.add)}
    shown["text"] = {
        p: c.decode() for p, c in case.tree.items() if isinstance(c, bytes) and p in texts[1:]
    }
    shown["dockerfile"] = case.tree[case.dockerfile].decode()  # type: ignore[union-attr]  # a file
    shown["reads"] = list(case.reads)
    given = {key: value for key, value in shown.items() if value}
    return yaml.safe_dump({case.name: given}, sort_keys=False, allow_unicode=True, width=120)


def disagreements(builder: Builder, cases: Sequence[Case]) -> Iterator[str]:
    """The cases that build and where an engine answers otherwise, with its answer."""
    first = builder.build([Build(case, may_fail=True) for case in cases])
    works = [case for case, built in zip(cases, first, strict=True) if not built.failed]
    print(f"{len(works)} of {len(cases)} build", file=sys.stderr)
    sure: dict[str, bool] = {}
    ours = []
    for case in works:
        answered, sure[case.name] = with_our_answer(case)
        ours.append(answered)
    doubted = {text.partition(":")[0] for text in differences(builder, ours)}
    suspects = [case for case in ours if case.name in doubted]
    for case, measured in zip(suspects, measure(builder, suspects), strict=True):
        less = sorted(set(measured.reads) - set(case.reads))
        more = sorted(set(case.reads) - set(measured.reads)) if sure[case.name] else []
        if less or more:
            answer = dataclasses.replace(case, reads=tuple(sorted(measured.reads)))
            yield f"{as_yaml(answer)}  # we miss {less}, and add {more}\n"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    kinds = ("ignore", "copy", "variables", "stages")
    parser.add_argument("--kind", choices=kinds)
    options = parser.parse_args(arguments)
    draw = random.Random(f"{options.seed} {options.kind}")
    cases = [
        make_case(draw, f"random-{options.seed}-{number}", options.kind or kinds[number % 4])
        for number in range(options.count)
    ]
    told = 0
    with docker_engine("28") as engine:
        make_base(engine)
        for text in disagreements(Builder(engine, engine.folder / "builds"), cases):
            told += 1
            print(text, flush=True)
    print(f"{told} disagreements", file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
