"""What images read compared with what their lists watch, and the lists that would watch it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orient_deploy.advise.audit import Audited, audit, corrections, pattern_for
from orient_deploy.advise.audit_text import audit_lines, audit_markdown, audit_values, headline
from orient_deploy.advise.patch import edited
from orient_deploy.advise.replay import reading_only
from orient_deploy.config import parse
from orient_deploy.config.globs import problem
from orient_deploy.config.model import Config
from orient_deploy.inputs.images import ImageInputs, resolve_images
from orient_deploy.inputs.patterns import compile_patterns
from orient_deploy.inputs.tree import Tree

DOCKERFILE = """\
FROM scratch
COPY package.json tsconfig.json ./
COPY packages/core packages/core
COPY packages/web packages/web
COPY docker/run.sh /run.sh
"""
FILES = {
    ".dockerignore": "**/*.log\n",
    "docker/run.sh": "",
    "docker/other.sh": "",
    "docs/a.md": "",
    "package.json": "{}",
    "packages/core/package.json": "{}",
    "packages/core/src/a.ts": "",
    "packages/core/trace.log": "",
    "packages/other/a.ts": "",
    "packages/web/Dockerfile": DOCKERFILE,
    "packages/web/src/b.ts": "",
    "tsconfig.json": "{}",
}


def _tree(files: Mapping[str, str]) -> Tree:
    return Tree.of(
        ("100644", "blob", hashlib.sha1(text.encode()).hexdigest(), path)
        for path, text in files.items()
    )


def _read(files: Mapping[str, str], config: Config) -> dict[str, ImageInputs]:
    def read(path: str) -> bytes | None:
        return files[path].encode() if path in files else None

    return resolve_images(config, _tree(files), read, doubts=False)


def _config(text: str) -> Config:
    return parse(text, source="c.yml")


def _audit(text: str, files: Mapping[str, str] = FILES) -> tuple[Audited, ...]:
    config = _config(text)
    reading = reading_only(config)
    other = replace(
        reading,
        images=tuple(
            replace(one, inputs="dockerfile" if one.inputs == "workspace" else "workspace")
            for one in reading.images
        ),
    )
    return audit(config, _tree(files), _read(files, reading), _read(files, other))


def _one(watch: str, files: Mapping[str, str] = FILES, more: str = "") -> Audited:
    image = f"dockerfile: packages/web/Dockerfile, watch: {watch}"
    (found,) = _audit(f"{{version: 1, images: {{web: {{{image}}}}}{more}}}", files)
    return found


WHOLE = "[package.json, tsconfig.json, packages/core/**, packages/web/**, docker/run.sh]"


def test_a_list_that_watches_all_is_found_good() -> None:
    one = _one(WHOLE)

    assert (one.unwatched, one.ignored, one.read, one.watched) == ((), (), 7, 7)
    assert headline([one]) == "Everything that the images read is watched"


def test_auto_watches_what_is_read() -> None:
    one = _one("[auto, docs/**]")

    assert (one.automatic, one.unwatched, one.watched) == (True, (), one.read)
    assert [(each.pattern, each.paths) for each in one.unread] == [("docs/**", ("docs/a.md",))]


def test_what_is_not_watched_comes_with_its_line() -> None:
    one = _one("[package.json, packages/web/**]")

    assert [(each.line, each.paths, each.of) for each in one.unwatched] == [
        (2, ("tsconfig.json",), 2),
        (3, ("packages/core/package.json", "packages/core/src/a.ts"), 2),
        (5, ("docker/run.sh",), 1),
    ]
    assert one.unwatched[1].text == "COPY packages/core packages/core"
    assert (one.unwatched_files, one.watched) == (4, 3)


def test_the_dockerfile_itself_is_read() -> None:
    (first, *_) = _one("[docs/**]").unwatched

    assert (first.line, first.paths) == (0, ("packages/web/Dockerfile",))


def test_a_file_is_told_of_at_the_line_that_takes_its_folder() -> None:
    files = dict(FILES)
    files["packages/web/Dockerfile"] = (
        "FROM scratch\nCOPY packages/core/package.json a/\nCOPY packages/core packages/core\n"
    )
    one = _one("[packages/web/**]", files)

    assert [(each.line, len(each.paths)) for each in one.unwatched] == [(3, 2)]


def test_an_exclusion_makes_a_blind_spot() -> None:
    one = _one(f"{WHOLE[:-1]}, '!packages/core/src/**']")

    assert [each.paths for each in one.unwatched] == [("packages/core/src/a.ts",)]


def test_what_ignore_takes_out_is_told_apart() -> None:
    one = _one("[package.json, packages/**, docker/**]", more=", ignore: [packages/core/src/**]")

    assert [(each.line, each.paths) for each in one.ignored] == [(3, ("packages/core/src/a.ts",))]
    assert [each.paths for each in one.unwatched] == [("tsconfig.json",)]


def test_what_is_watched_for_nothing_comes_by_pattern() -> None:
    one = _one(
        f"{WHOLE[:-1]}, docs/**, packages/*/*.log, .dockerignore, none/**]",
        more=", watch-all: [docker/other.sh]",
    )

    assert [
        (each.pattern, each.everywhere, each.paths, each.of, each.kept_out) for each in one.unread
    ] == [
        ("docker/other.sh", True, ("docker/other.sh",), 1, 0),
        ("docs/**", False, ("docs/a.md",), 1, 0),
        ("packages/*/*.log", False, ("packages/core/trace.log",), 1, 1),
    ]


def test_watch_all_watches_for_every_image() -> None:
    one = _one("[packages/**, docker/**]", more=", watch-all: ['*.json']")

    assert one.unwatched == ()


def test_a_dockerfile_that_is_not_there_is_said() -> None:
    one = _one("[a]", {"a": ""})

    assert (one.is_there, one.read) == (False, 0)
    assert "the commit has no packages/web/Dockerfile" in str(audit_lines([one]))


def test_a_source_that_is_not_there_is_said() -> None:
    files = FILES | {"packages/web/Dockerfile": "FROM scratch\nCOPY made-before ./\n"}

    assert _one("[packages/web/**]", files).missing == ((2, "made-before"),)


def test_what_cannot_be_told_is_said() -> None:
    files = FILES | {"packages/web/Dockerfile": "FROM scratch\nARG X\nCOPY packages/$X ./\n"}
    (wide,) = _one("[packages/web/**]", files).widened

    assert wide[0] == 3 and "not known" in wide[1]


MONOREPO = {
    "package.json": '{"name": "root", "private": true, "workspaces": ["packages/*"]}',
    "package-lock.json": "{}",
    "packages/core/package.json": '{"name": "core"}',
    "packages/core/a.ts": "",
    "packages/other/package.json": '{"name": "other"}',
    "packages/other/a.ts": "",
    "packages/web/package.json": '{"name": "web", "dependencies": {"core": "*"}}',
    "packages/web/a.ts": "",
    "packages/web/Dockerfile": "FROM scratch\nCOPY . .\n",
}


def test_a_narrower_reading_is_proposed() -> None:
    narrowing = _one("[auto]", MONOREPO).narrowing

    assert narrowing is not None and not narrowing.configured
    assert narrowing.paths == ("packages/other/a.ts", "packages/other/package.json")
    assert narrowing.of == len(MONOREPO)


def test_what_a_narrower_reading_leaves_out_is_told() -> None:
    one = _one("[auto], inputs: workspace", MONOREPO)

    assert one.narrowing is not None and one.narrowing.configured
    assert one.narrowing.paths == ("packages/other/a.ts", "packages/other/package.json")
    assert one.read == len(MONOREPO) - 2


def test_a_narrower_reading_without_effect_is_told() -> None:
    files = {"a.py": "", "packages/web/Dockerfile": "FROM scratch\nCOPY . .\n"}
    narrowing = _one("[auto], inputs: workspace", files).narrowing

    assert narrowing is not None and "has no effect" in narrowing.why_not


# --- corrected lists


def _corrected(text: str, files: Mapping[str, str] = FILES) -> tuple[str, dict[str, list[str]]]:
    """The configuration with its lists corrected, and the lists by image."""
    config = _config(text)
    edits = corrections(config, _audit(text, files), _read(files, reading_only(config)))
    new, refused = edited(text, edits)
    assert refused == ()
    lists = {one.name: [each.text for each in one.watch] for one in _config(new).images}
    return new, lists


def _corrected_one(watch: str, files: Mapping[str, str] = FILES, more: str = "") -> list[str]:
    image = f"dockerfile: packages/web/Dockerfile, watch: {watch}"
    return _corrected(f"{{version: 1, images: {{web: {{{image}}}}}{more}}}", files)[1]["web"]


@pytest.mark.parametrize(
    ("watch", "corrected"),
    [
        pytest.param(WHOLE, WHOLE[1:-1].split(", "), id="nothing-to-do"),
        pytest.param(
            "[packages/web/**]",
            [
                *("packages/web/**", "package.json", "tsconfig.json", "packages/core/**"),
                "docker/run.sh",
            ],
            id="as-the-dockerfile-names-them",
        ),
        pytest.param(
            "[packages/**, '*.json', docker/run.sh, docs/**]",
            ["packages/**", "*.json", "docker/run.sh"],
            id="what-is-watched-for-nothing-goes",
        ),
        pytest.param(
            "[packages/**, '*.json', docker/**]",
            ["packages/**", "*.json", "docker/**"],
            id="what-is-watched-for-something-stays",
        ),
        pytest.param(
            "[packages/**, '!packages/core/**', '*.json', docker/**]",
            ["packages/**", "*.json", "docker/**"],
            id="an-exclusion-of-what-is-read-goes",
        ),
        pytest.param(
            "[packages/**, '!packages/other/**', '*.json', docker/**]",
            ["packages/**", "!packages/other/**", "*.json", "docker/**"],
            id="another-exclusion-stays",
        ),
        pytest.param(
            "[docs/**, '!docs/b/**', packages/**, '*.json', docker/**]",
            ["packages/**", "*.json", "docker/**"],
            id="nothing-left-to-exclude-from",
        ),
        pytest.param(
            "[none/**, packages/**, '*.json', docker/**]",
            ["none/**", "packages/**", "*.json", "docker/**"],
            id="what-matches-nothing-yet-stays",
        ),
        pytest.param("[auto, docs/**]", ["auto", "docs/**"], id="auto-needs-none"),
    ],
)
def test_a_list_is_corrected_as_somebody_would_write_it(watch: str, corrected: list[str]) -> None:
    assert _corrected_one(watch) == corrected


def test_a_wider_folder_says_it_for_those_in_it() -> None:
    files = FILES | {
        "packages/web/Dockerfile": "FROM scratch\nCOPY packages/core /a\nCOPY packages /b\n"
    }

    assert _corrected_one("[packages/web/**]", files) == ["packages/web/**", "packages/**"]


def test_a_narrowed_reading_is_described_by_its_packages() -> None:
    corrected = _corrected_one("[packages/web/**], inputs: workspace", MONOREPO)

    assert corrected == ["packages/web/**", "package-lock.json", "package.json", "packages/core/**"]


def test_the_whole_context_is_everything() -> None:
    files = {"a": "", "b/c": "", "packages/web/Dockerfile": "FROM scratch\nCOPY . .\n"}

    assert _corrected_one("[packages/web/**]", files) == ["packages/web/**", "**"]


def test_names_that_look_like_patterns_are_escaped() -> None:
    files = FILES | {
        "packages/web/Dockerfile": "FROM scratch\nCOPY app/[[]id] {x}.ts ./\n",
        "app/[id]/page.ts": "",
        "app/i/page.ts": "",
        "{x}.ts": "",
    }
    corrected = _corrected_one("[packages/web/**]", files)

    assert corrected == ["packages/web/**", "app/[[]id]/**", "[{]x[}].ts"]


@pytest.mark.parametrize("name", ["a\nb", "\udcff", "a\\b", " a ", "+(x)", "a?"])
def test_names_that_no_list_may_hold_are_watched_all_the_same(name: str) -> None:
    files = FILES | {"packages/web/Dockerfile": "FROM scratch\nCOPY web /\n", f"web/{name}": ""}
    for source in ("web", "web/*"):
        files["packages/web/Dockerfile"] = f"FROM scratch\nCOPY {source} /\n"
        corrected = _corrected_one("[packages/web/Dockerfile]", files)

        assert _one(str(corrected), files).unwatched == ()


@given(
    st.text(st.sampled_from("ab.*?+[]{}!@(),|\\ -~'\"#&:^$%\u00e9\n\t\udcff/"), min_size=1).filter(
        lambda path: not {"", ".", ".."} & set(path.split("/"))
    )
)
def test_every_path_has_a_pattern_that_a_list_may_hold(path: str) -> None:
    pattern = pattern_for(path)

    assert problem(pattern) is None
    assert compile_patterns([pattern]).matches(path)


def test_files_behind_a_link_are_watched_by_their_own_names() -> None:
    files = {"lib/a": "", "lib/b": "", "other/c": ""}
    files["packages/web/Dockerfile"] = "FROM scratch\nCOPY packages/web/link /\n"
    tree = Tree.of(
        [
            *(("100644", "blob", "1" * 40, path) for path in files),
            ("120000", "blob", "2" * 40, "packages/web/link"),
        ]
    )
    contents = {path: text.encode() for path, text in files.items()}
    contents["packages/web/link"] = b"../../lib"
    text = "{version: 1, images: {web: {dockerfile: packages/web/Dockerfile, watch: [other/**]}}}"
    config = _config(text)
    inputs = resolve_images(reading_only(config), tree, contents.get, doubts=False)
    edits = corrections(config, audit(config, tree, inputs, inputs), inputs)

    assert edits["images", "web", "watch"].add == (
        *("packages/web/Dockerfile", "packages/web/link", "lib/**"),
    )


def test_a_folder_that_takes_many_patterns_is_watched_as_a_whole() -> None:
    kept = {f"packages/p{number}/package.json": "{}" for number in range(14)}
    wide = MONOREPO | {
        "packages/web/Dockerfile": "FROM scratch\nCOPY packages packages\n",
        "packages/web/package.json": json.dumps(
            {"name": "web", "dependencies": dict.fromkeys((f"p{n}" for n in range(14)), "*")}
        ),
        **{path: json.dumps({"name": path.split("/")[1]}) for path in kept},
    }

    assert _corrected_one("[packages/web/**], inputs: workspace", wide)[-1] == "packages/**"


def test_what_every_image_lacks_goes_into_watch_all() -> None:
    files = FILES | {"api/Dockerfile": DOCKERFILE}
    new, lists = _corrected(
        "{version: 1, watch-all: [package.json], images: {"
        "web: {dockerfile: packages/web/Dockerfile, watch: [packages/web/**, packages/core/**]}, "
        "api: {dockerfile: api/Dockerfile, watch: [api/**, packages/core/**]}}}",
        files,
    )

    assert [each.text for each in _config(new).watch_all] == [
        *("package.json", "tsconfig.json", "docker/run.sh"),
    ]
    assert lists == {
        "web": ["packages/web/**", "packages/core/**"],
        "api": ["api/**", "packages/core/**", "packages/web/**"],
    }


def test_what_is_ignored_on_purpose_is_not_added() -> None:
    corrected = _corrected_one(
        "[packages/web/**, '*.json', docker/**]", more=", ignore: ['packages/core/**']"
    )

    assert corrected == ["packages/web/**", "*.json", "docker/**"]


FOLDERS = ["a", "b", "b/c", "d"]
PATHS = st.builds(
    lambda folder, name: f"{folder}/{name}",
    st.sampled_from(FOLDERS),
    st.sampled_from(["x", "y.log", "[z]"]),
)
SOURCES = st.sampled_from([*FOLDERS, ".", "a/x", "b/*", "d/y.log"])
PATTERNS = st.sampled_from(
    ["a/**", "b/**", "b/c/**", "d/*", "**", "*/x", "!a/**", "!b/c/x", "e/**", "Dockerfile", "!d/*"]
)


@settings(max_examples=40)
@given(
    paths=st.sets(PATHS, min_size=1),
    sources=st.lists(SOURCES, min_size=1, max_size=3),
    watch=st.lists(PATTERNS, min_size=1, max_size=4, unique=True),
    ignored=st.sampled_from(["", "**/*.log\n", "b\n!b/c\n"]),
)
def test_a_corrected_list_watches_all_that_is_read(
    paths: set[str], sources: list[str], watch: list[str], ignored: str
) -> None:
    files = dict.fromkeys(paths, "") | {
        "Dockerfile": "FROM scratch\n" + "".join(f"COPY {one} /\n" for one in sources),
        ".dockerignore": ignored,
    }
    if watch[0].startswith("!"):
        watch = ["**", *(one for one in watch if one != "**")]
    quoted = ", ".join(f"'{one}'" for one in watch)
    text = f"{{version: 1, images: {{web: {{watch: [{quoted}]}}}}}}"

    new, _ = _corrected(text, files)

    (before,), (after,) = _audit(text, files), _audit(new, files)
    assert after.unwatched == ()
    if new == text:
        assert before.unwatched == ()
    inputs = _read(files, reading_only(_config(text)))["web"]
    read = {inputs.tree.paths[at] for at in inputs.counted}
    for pattern in _config(new).images[0].watch:
        selection = compile_patterns([pattern.text.removeprefix("!")])
        found = {path for path in files if selection.matches(path)}
        assert pattern.text.startswith("!") or not found or found & {*read, ".dockerignore"}


# --- for people


def _hostile() -> Audited:
    name = "packages/core/::error::\n<b>|`\x1b[31m\udcff.ts"
    return _one("[packages/web/**]", FILES | {name: ""}, more=", ignore: [docker/**]")


def test_lines_name_the_line_the_files_and_the_verdict() -> None:
    lines = [
        "".join(part if isinstance(part, str) else part[1] for part in line)
        for line in audit_lines([_one("[package.json, packages/web/**, docs/**]")])
    ]

    assert lines[0] == "web  packages/web/Dockerfile: 7 files read, 3 of them watched"
    assert lines[1] == "  read, but not watched"
    assert lines[2] == ("    line 2  COPY package.json tsconfig.json ./  1 of 2: tsconfig.json")
    assert lines[3].endswith("all 2: packages/core/package.json, packages/core/src/a.ts")
    assert lines[-4:] == [
        "  watched, but not read",
        "    docs/**  1 of 1: docs/a.md",
        "1 of 1 image reads 4 files that no list watches",
        "`--fix` prints lists that watch it; `watch: [auto]` watches it without a list",
    ]


def _lines(one: Audited) -> list[str]:
    return [
        "".join(part if isinstance(part, str) else part[1] for part in line)
        for line in audit_lines([one])
    ]


def test_everything_that_differs_is_told_on_the_terminal_and_in_the_summary() -> None:
    files = dict(FILES)
    files["packages/web/Dockerfile"] += "ARG X\nCOPY packages/$X lib.* /\nCOPY made-before /\n"
    files |= {f"packages/core/{number}.log": "" for number in range(4)}
    one = _one(
        "[packages/web/**, packages/core/**, '*.json']",
        files,
        more=", ignore: [docker/**], watch-all: [docs/**]",
    )
    lines, markdown = _lines(one), audit_markdown([one])

    assert "  read, but ignored" in lines
    assert "    docs/** (watch-all)  1 of 1: docs/a.md" in lines
    kept_out = "packages/core/**  5 of 7: packages/core (5) (the ignore file keeps them out)"
    assert f"    {kept_out}" in lines
    assert any(line.startswith("    line 7  what packages/… stands for") for line in lines)
    assert "    line 7  lib.*" in lines and "    line 8  made-before" in lines
    for said in ("ignored, but read by line 5", "watched for nothing", "read as a whole: line 7"):
        assert said in markdown
    assert "not in the commit: line 8: made-before" in markdown


def test_a_part_that_the_ignore_file_keeps_out_is_counted() -> None:
    files = FILES | {"packages/core/notes.txt": "", ".dockerignore": "**/*.log\n**/notes*\n"}
    one = _one("[packages/web/**, '**', '!docs/**', '!packages/other/**']", files)
    (line,) = [line for line in _lines(one) if "**  " in line]

    assert "(the ignore file keeps out 2)" in line


@pytest.mark.parametrize(
    ("image", "said"),
    [
        pytest.param("[auto]", "`inputs: workspace` would leave out 2 of 9 files: ", id="proposed"),
        pytest.param(
            "[auto], inputs: workspace", "`inputs: workspace` leaves out 2 of 9 files: ", id="done"
        ),
    ],
)
def test_a_narrower_reading_is_told(image: str, said: str) -> None:
    one = _one(image, MONOREPO)

    assert any(line.startswith(f"  {said}packages/other/a.ts") for line in _lines(one))
    assert said.replace("`", "&#96;") in audit_markdown([one]) or said in audit_markdown([one])
    assert audit_values([one])["web"]["workspace"]["of"] == 9


def test_many_lines_are_counted() -> None:
    dockerfile = "FROM scratch\n" + "".join(f"COPY docs/{n} /\n" for n in range(120))
    files = {"packages/web/Dockerfile": dockerfile} | {f"docs/{n}": "" for n in range(120)}
    ignored = _one("[packages/web/**]", files, more=", ignore: [docs/**]")
    unwatched = _one("[packages/web/**]", files)

    assert "    and 116 more lines with 116 files" in _lines(ignored)
    assert len(_lines(unwatched)) == 124
    assert "- and 20 more" in audit_markdown([unwatched])


def test_many_files_are_told_by_their_folders() -> None:
    files = FILES | {f"packages/core/src/{number}.ts": "" for number in range(9)}
    (_, core, _) = _one("[package.json, packages/web/**]", files).unwatched
    lines = str(audit_lines([_one("[package.json, packages/web/**]", files)]))

    assert len(core.paths) == 11
    assert "all 11: packages/core (11)" in lines


def test_foreign_names_stay_in_their_line() -> None:
    one = _hostile()

    for line in audit_lines([one]):
        assert all((part if isinstance(part, str) else part[1]).isprintable() for part in line)
    markdown = audit_markdown([one])
    assert "<b>" not in markdown and "\x1b" not in markdown and "\udcff" not in markdown
    assert markdown.count("\n### ") == 0 and markdown.startswith("### 1 of 1 image reads")
    assert markdown.count("<details>") == markdown.count("</details>") == 1


def test_the_summary_has_a_row_for_each_image() -> None:
    text = (
        "{version: 1, images: {web: {dockerfile: packages/web/Dockerfile, watch: [docs/**]}, "
        "auto: {dockerfile: packages/web/Dockerfile}}}"
    )
    markdown = audit_markdown(_audit(text))

    assert "| <code>web</code> | 7 | 0 | **7** | 1 | 0 |" in markdown
    assert "| <code>auto</code> | 7 | 7 | 0 | 0 | 0 |" in markdown
    assert "<code>packages/web/Dockerfile&#58;3</code>" in markdown or "Dockerfile:3" in markdown


def test_values_hold_every_file() -> None:
    values = audit_values([_one("[package.json, packages/web/**, docs/**]")])["web"]

    assert values["read-not-watched"][1]["files"] == [
        *("packages/core/package.json", "packages/core/src/a.ts"),
    ]
    assert values["watched-not-read"][0]["where"].startswith("c.yml:1:")
    assert (values["exists"], values["auto"], values["workspace"]) == (True, False, None)
