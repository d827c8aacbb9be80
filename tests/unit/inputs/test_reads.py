"""What an image reads, beyond what a build can show: doubt, remarks, lines, and sharing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orient_deploy.config.model import Image, Location
from orient_deploy.inputs.reads import Missing, Reads, resolve_reads, wanted_for_reads
from orient_deploy.inputs.tree import Tree
from tests.fakes.repositories import Content, Gitlink, Symlink
from tests.unit.inputs.commit import inputs_of

Files = Mapping[str, bytes | str | Symlink | None]  # None: a submodule


class Commit:
    """Some files, as a tree and as contents."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.asked: list[str] = []
        self.tree = Tree.of(
            (self._mode(content), "commit" if content is None else "blob", "1" * 40, path)
            for path, content in files.items()
        )

    @staticmethod
    def _mode(content: bytes | str | Symlink | None) -> str:
        if content is None:
            return "160000"
        return "120000" if isinstance(content, Symlink) else "100644"

    def read(self, path: str) -> bytes | None:
        self.asked.append(path)
        content = self.files.get(path)
        if isinstance(content, Symlink):
            return content.target.encode()
        return content.encode() if isinstance(content, str) else content

    def paths(self, found: object) -> list[str]:
        return [self.tree.paths[at] for at in found]  # type: ignore[attr-defined]  # positions

    def resolve(self, **given: object) -> Reads:
        return resolve_reads(image_of(**given), self.tree, self.read)


def image_of(**given: object) -> Image:
    where = Location(file="", line=1, column=1)
    return Image(**{"name": "image", "dockerfile": "Dockerfile", "where": where, **given})  # type: ignore[arg-type]  # as given


def test_each_source_is_told_with_its_line() -> None:
    commit = Commit(
        {
            "Dockerfile": "FROM node\nCOPY package.json \\\n src ./\nCOPY lib/*.ts dist /\nRUN x",
            ".dockerignore": "src/b\ndist\n",
            **dict.fromkeys(
                ["package.json", "src/a", "src/b", "lib/a.ts", "lib/b.ts", "dist/x"], ""
            ),
        }
    )

    found = commit.resolve()

    assert [
        (one.line, one.text, commit.paths(one.positions), one.places, one.whole)
        for one in found.sources
    ] == [
        (0, "Dockerfile", ["Dockerfile"], ("Dockerfile",), False),
        (2, "COPY package.json src ./", ["package.json"], ("package.json",), False),
        (2, "COPY package.json src ./", ["src/a"], ("src",), True),
        (4, "COPY lib/*.ts dist /", ["lib/a.ts", "lib/b.ts"], ("lib/a.ts", "lib/b.ts"), False),
        (4, "COPY lib/*.ts dist /", [], ("dist",), True),
    ]
    assert commit.paths(found.ignored) == ["dist/x", "src/b"]
    assert found.missing == (Missing(line=4, source="dist", ignored=True, made=False),)
    assert found.dockerfile == commit.tree.position("Dockerfile")
    assert found.ignore_file == commit.tree.position(".dockerignore")
    assert found.bases == ("node",)
    assert found.runs == ((5, "x"),)
    assert found.widened == ()
    of_b = found.source_of(commit.tree.position("lib/b.ts") or 0)
    assert of_b is not None and of_b.line == 4
    assert found.source_of(commit.tree.position("src/b") or 0) is None


def test_the_first_source_explains_a_file() -> None:
    commit = Commit({"Dockerfile": "FROM a\nCOPY b /\nCOPY . /\n", "b": "", "c": ""})

    found = commit.resolve()

    lines = [found.source_of(at) for at in range(3)]
    assert [one.line if one else None for one in lines] == [0, 2, 3]


def test_a_file_that_is_made_later_is_missing_and_no_error() -> None:
    found = Commit({"Dockerfile": "FROM a\nCOPY dist/*.js made /\n"}).resolve()

    assert found.missing == (
        Missing(line=2, source="dist/*.js", ignored=False, made=True),
        Missing(line=2, source="made", ignored=False, made=True),
    )
    assert found.widened == ()


@pytest.mark.parametrize(
    ("line", "made"),
    [
        pytest.param("COPY yarn.lock* /x/", False, id="a-pattern"),
        pytest.param("COPY .npmr[c] /x/", False, id="a-name-that-may-be-there"),
        pytest.param("COPY lib/*.js /x/", False, id="a-pattern-in-a-folder-that-is-there"),
        pytest.param("COPY lib/dist/*.js /x/", True, id="a-pattern-in-a-folder-that-is-not"),
        pytest.param("COPY l*/dist /x/", True, id="a-name-in-folders-of-a-pattern"),
        pytest.param("COPY --parents l*/dist /x/", True, id="the-same-with-parents"),
        pytest.param("COPY lib/dist /x/", True, id="a-path"),
        pytest.param("COPY lib/a.ts/b /x/", True, id="below-a-file"),
        pytest.param("COPY link /x/", True, id="behind-a-link"),
        pytest.param("COPY --parents lib /x/", False, id="a-link-to-nothing-in-a-folder"),
        pytest.param("COPY lib /x/", False, id="the-same-without-parents"),
        pytest.param("COPY l* /x/", False, id="a-link-to-nothing-that-a-pattern-finds"),
        pytest.param("COPY hidden /x/", False, id="a-link-that-is-ignored"),
        pytest.param("COPY --exclude=*.ts lib/a.ts lib/src /x/", False, id="excluded"),
        pytest.param("COPY --exclude=*.ts dist /x/", True, id="not-there-and-excluded"),
        pytest.param("COPY kept /x/", True, id="an-exception-for-what-is-not-there"),
        pytest.param("COPY all /x/", False, id="all-is-ignored"),
        pytest.param("COPY --parents mod/src/*.c /x/", False, id="parents-in-a-submodule"),
        pytest.param("COPY --parents m*/**/a.c /x/", False, id="a-pattern-into-a-submodule"),
        pytest.param("COPY mod/src /x/", False, id="in-a-submodule"),
        pytest.param("ARG V\nCOPY mod/$V/*.c /x/", False, id="unknown-in-a-submodule"),
    ],
)
def test_what_something_has_to_make_before_the_build(line: str, made: bool) -> None:
    files: dict[str, Content] = {
        "lib/a.ts": "",
        "lib/src/b.ts": "",
        "lib/link": Symlink("dist"),
        "link": Symlink("dist"),
        "hidden": Symlink("dist"),
        "kept/a": "",
        "all/a": "",
        "mod": Gitlink("1" * 40),
        ".dockerignore": "hidden\nkept/*\n!kept/dist\nall\n",
    }
    text = "version: 1\nimages: {web: {dockerfile: Dockerfile}}\n"
    files["Dockerfile"] = f"FROM a\n{line}\n"

    found = inputs_of(text, files)["web"]

    assert (found.made is not None) == made
    if "mod" in line:
        assert found.why("mod")


def test_of_a_context_in_a_submodule_nothing_is_missed() -> None:
    files: dict[str, Content] = {"Dockerfile": "FROM a\nCOPY src /x/\n", "mod": Gitlink("1" * 40)}
    text = "version: 1\nimages: {web: {dockerfile: Dockerfile, context: mod/app}}\n"

    found = inputs_of(text, files)["web"]

    assert found.made is None
    assert found.why("mod")


WIDE = {
    "Dockerfile": "",
    ".dockerignore": "x\n",
    "a/b": "",
    "a/c": "",
    "d": "",
    "x": "",
    "web/y": "",
}


@pytest.mark.parametrize(
    ("text", "given", "read", "line", "why"),
    [
        pytest.param("KOPY a b", {}, "a/b a/c d web/y", 2, "KOPY is no instruction", id="unknown"),
        pytest.param("COPY <<E /", {}, "a/b a/c d web/y", 2, "does not end", id="heredoc"),
        pytest.param("COPY a /", {"target": "t"}, "a/b a/c d web/y", 0, "no stage t", id="target"),
        pytest.param("COPY a[ /", {}, "a/b a/c d web/y", 2, "class without end", id="pattern"),
        pytest.param("COPY --exclude=[ a /", {}, "a/b a/c", 2, "--exclude: [ has", id="exclude"),
        pytest.param("COPY --parents a[ /", {}, "a/b a/c d web/y", 2, "a[ has", id="parents"),
        pytest.param("COPY $q /", {}, "a/b a/c d web/y", 2, "begins with . counts", id="variable"),
        pytest.param("COPY a/$q /", {}, "a/b a/c", 2, "a/… stands for is not known", id="folder"),
        pytest.param("COPY ./a/../a/b$q /", {}, "a/b", 2, "begins with a/b", id="beginning"),
        pytest.param("COPY a/*/$q /", {}, "a/b a/c", 2, "a/*/…", id="behind-a-wildcard"),
        pytest.param("COPY a*/$q /", {}, "a/b a/c d web/y", 2, "a*/…", id="behind-another"),
        pytest.param("RUN --mount=source=a/$q,target=/x y", {}, "a/b a/c", 2, "a/…", id="mount"),
        pytest.param(
            "ARG TARGETARCH\nCOPY a/$TARGETARCH /", {}, "a/b a/c", 3, "platform", id="arch"
        ),
        pytest.param("ARG TARGETOS\nCOPY a/${TARGETOS}b /", {}, "a/b", 3, "platform", id="os"),
        pytest.param(
            "ARG TARGETARCH\nRUN --mount=source=a/$TARGETARCH,target=/x y",
            *({}, "a/b a/c", 3, "is not known"),
            id="arch-of-a-mount",
        ),
        pytest.param(
            "ARG TARGETPLATFORM\nCOPY a/$TARGETPLATFORM /", {}, "a/b a/c", 3, "not known", id="both"
        ),
    ],
)
def test_what_cannot_be_told_makes_more_count(
    text: str, given: Mapping[str, object], read: str, line: int, why: str
) -> None:
    commit = Commit({**WIDE, "Dockerfile": f"FROM a\n{text}\n"})

    found = commit.resolve(**given)

    paths = commit.paths(found.positions)
    assert [one for one in paths if one not in ("Dockerfile", ".dockerignore")] == read.split()
    (remark,) = found.widened
    assert remark.line == line
    assert why in remark.why


def test_platforms_that_are_known_widen_nothing() -> None:
    commit = Commit(
        {"Dockerfile": "FROM a\nARG TARGETARCH\nCOPY a/$TARGETARCH /", "a/arm64": "", "a/s390x": ""}
    )

    found = commit.resolve(platforms=("linux/arm64", "linux/amd64"))

    assert commit.paths(found.positions) == ["Dockerfile", "a/arm64"]
    assert found.widened == ()
    assert found.missing == (Missing(line=3, source="a/amd64", ignored=False, made=True),)


@pytest.mark.parametrize("text", ["[", "a\n!\n", "\\q"])
def test_an_ignore_file_that_cannot_be_read_takes_nothing_out(text: str) -> None:
    commit = Commit({"Dockerfile": "FROM a\nCOPY . .", ".dockerignore": text, "a": ""})

    found = commit.resolve()

    assert commit.paths(found.positions) == [".dockerignore", "Dockerfile", "a"]
    (remark,) = found.widened
    assert remark.why.startswith(".dockerignore cannot be read: ")


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ("Dockerfile", "its content was not read"),
        (".dockerignore", ".dockerignore was not read"),
        ("link", "the link link was not read"),
    ],
)
def test_what_was_not_fetched_makes_more_count(missing: str, why: str) -> None:
    commit = Commit(
        {
            "Dockerfile": "FROM a\nCOPY link/x b /",
            ".dockerignore": "c\n",
            "link": Symlink("d"),
            **dict.fromkeys(["b", "c", "d/x", "e"], ""),
        }
    )

    found = resolve_reads(
        image_of(), commit.tree, lambda path: None if path == missing else commit.read(path)
    )

    assert [one.why for one in found.widened] == [why]
    everything = commit.paths(found.positions)
    if missing == ".dockerignore":
        assert everything == ["Dockerfile", "b", "d/x", "link"]
    else:
        assert everything == [".dockerignore", "Dockerfile", "b", "d/x", "e", "link"]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"a": ""}, id="none"),
        pytest.param({"Dockerfile/a": ""}, id="a-folder"),
        pytest.param({"Dockerfile": Symlink("nowhere")}, id="link-to-nothing"),
        pytest.param({"Dockerfile": Symlink("Dockerfile")}, id="link-to-itself"),
    ],
)
def test_without_a_dockerfile_nothing_is_read(files: Files) -> None:
    found = Commit(files).resolve()

    assert found.dockerfile is None
    assert not found.positions
    assert [one.why for one in found.widened] == ["the commit has no file Dockerfile"]


def test_a_dockerfile_behind_links() -> None:
    commit = Commit(
        {
            "docker": Symlink("deploy/docker"),
            "deploy/docker/app": Symlink("../real/app.Dockerfile"),
            "deploy/real/app.Dockerfile": "FROM a\nCOPY b /",
            "deploy/docker/app.dockerignore": "c",
            "b": "",
        }
    )
    image = image_of(dockerfile="docker/app")

    found = resolve_reads(image, commit.tree, commit.read)

    assert commit.paths(found.positions) == [
        *("b", "deploy/docker/app", "deploy/real/app.Dockerfile", "docker"),
    ]
    assert found.ignore_file == commit.tree.position("deploy/docker/app.dockerignore")
    assert wanted_for_reads(image, commit.tree) == ("deploy/docker/app", "docker")
    assert set(wanted_for_reads(image, commit.tree, commit.read)) == {
        *("docker", "deploy/docker/app", "deploy/docker/app.dockerignore"),
        "deploy/real/app.Dockerfile",
    }


def test_a_context_behind_a_link() -> None:
    commit = Commit(
        {
            "Dockerfile": "FROM a\nCOPY src /",
            "web": Symlink("packages/web"),
            "packages/web/.dockerignore": "src/x",
            "packages/web/src/a": "",
            "packages/web/src/x": "",
        }
    )
    image = image_of(context="web")

    found = resolve_reads(image, commit.tree, commit.read)

    assert commit.paths(found.positions) == ["Dockerfile", "packages/web/src/a", "web"]
    assert set(wanted_for_reads(image, commit.tree, commit.read)) >= {
        *("Dockerfile", "web", "packages/web/.dockerignore"),
    }


def test_links_in_sources() -> None:
    commit = Commit(
        {
            "Dockerfile": "FROM a\nCOPY one two/x three out abs self/a whole four/*.c /",
            "four": Symlink("five"),
            "five/a.c": "",
            "five/b.d": "",
            "one": Symlink("real/a"),
            "two": Symlink("./real"),
            "real/a": "",
            "real/x": "",
            "three": Symlink("one"),
            "out": Symlink("../../real/b"),
            "real/b": "",
            "abs": Symlink("/real/c"),
            "real/c": "",
            "real/d": "",
            "self": Symlink("self"),
            "whole/link": Symlink("../real/d"),
        }
    )

    found = commit.resolve()

    assert commit.paths(found.positions) == [
        *("Dockerfile", "abs", "five/a.c", "four", "one", "out", "real/a", "real/b", "real/c"),
        *("real/x", "self", "three", "two", "whole/link"),
    ]


def test_flags_and_links() -> None:
    """Nothing is excluded behind a link; `--parents` takes where links lead as well."""
    commit = Commit(
        {
            "Dockerfile": "FROM a\nCOPY --exclude=*.md link lib /\n"
            "COPY --parents p*/./x/ q/./y /y/x r/./ Dockerfile/./x /\n",
            "link": Symlink("real"),
            **dict.fromkeys(["real/a", "real/b.md", "lib/a", "lib/b.md", "lib/c/b.md"], ""),
            **dict.fromkeys(["p1/x/a", "p1/y", "p2/x", "p3", "q/z", "r/a", "r/b/c", "y/z"], ""),
            "q/y": Symlink("z"),
        }
    )

    found = commit.resolve()

    assert commit.paths(found.positions) == [
        *("Dockerfile", "lib/a", "lib/c/b.md", "link", "p1/x/a", "p2/x", "q/y", "q/z"),
        *("r/a", "r/b/c", "real/a", "real/b.md"),
    ]
    assert [one.source for one in found.missing] == ["/y/x", "Dockerfile/./x"]


def test_a_path_below_a_file_leads_nowhere() -> None:
    commit = Commit({"Dockerfile": "FROM a\nCOPY b/c d/c /", "b": "", "d": Symlink("b")})

    found = commit.resolve()

    assert commit.paths(found.positions) == ["Dockerfile", "d"]


def test_a_context_behind_a_link_that_was_not_read() -> None:
    commit = Commit({"Dockerfile": "FROM a\nCOPY b /", "web": Symlink("packages/web")})

    found = resolve_reads(image_of(context="web"), commit.tree, {"Dockerfile": b"FROM a"}.get)

    assert [one.why for one in found.widened] == ["the link web was not read"]


def test_a_submodule_is_one_thing() -> None:
    commit = Commit(
        {
            "Dockerfile": "FROM a\nCOPY sub/a /\nCOPY other*/b /\nCOPY third/*.c /\nCOPY d/*/e /\n",
            "sub": None,
            "other": None,
            "third": None,
            "d/f": None,
            "d/g": "",
        }
    )

    found = commit.resolve()

    assert commit.paths(found.positions) == ["Dockerfile", "d/f", "other", "sub", "third"]
    assert [(one.line, one.whole) for one in found.sources[1:]] == [(2, False)] + [
        (line, False) for line in (3, 4, 5)
    ]


def test_a_context_in_a_submodule_is_that_submodule() -> None:
    commit = Commit({"Dockerfile": "FROM a\nCOPY b /", "sub": None, "c": ""})

    found = commit.resolve(context="sub/folder")

    assert commit.paths(found.positions) == ["Dockerfile", "sub"]


def test_an_ignore_file_behind_a_link() -> None:
    commit = Commit(
        {
            "Dockerfile": "FROM a\nCOPY b c /",
            "Dockerfile.dockerignore": Symlink("ignores/app"),
            "ignores/app": "b",
            **dict.fromkeys(["b", "c"], ""),
        }
    )

    found = commit.resolve()

    assert commit.paths(found.positions) == ["Dockerfile", "c"]
    assert found.ignore_file == commit.tree.position("ignores/app")
    unread = resolve_reads(image_of(), commit.tree, {"Dockerfile": b"FROM a\nCOPY b c /"}.get)
    assert commit.paths(unread.positions) == ["Dockerfile", "b", "c"]
    assert [one.why for one in unread.widened] == ["the link Dockerfile.dockerignore was not read"]


def test_a_folder_is_no_ignore_file() -> None:
    commit = Commit({"Dockerfile": "FROM a\nCOPY b /", ".dockerignore/x": "b", "b": ""})

    assert commit.resolve().ignore_file is None


def test_named_contexts_have_ignore_files_of_their_own() -> None:
    commit = Commit(
        {
            "Dockerfile": "FROM x\nCOPY --from=Assets a b /\nCOPY --from=other c /\nCOPY d /",
            ".dockerignore": "d",
            "assets/.dockerignore": "b",
            **dict.fromkeys(["assets/a", "assets/b", "a", "b", "d"], ""),
        }
    )
    image = image_of(contexts=(("Assets", "assets"), ("other", "docker-image://y")))

    found = resolve_reads(image, commit.tree, commit.read)

    assert commit.paths(found.positions) == ["Dockerfile", "assets/a"]
    assert commit.paths(found.ignored) == ["assets/b", "d"]
    assert found.bases == ("x", "y")
    assert set(wanted_for_reads(image, commit.tree)) == {
        *("Dockerfile", ".dockerignore", "assets/.dockerignore"),
    }


def test_a_file_that_cannot_be_followed_reads_every_context() -> None:
    commit = Commit({"web/Dockerfile": "FROM", "web/a": "", "assets/b": "", "c": ""})

    found = commit.resolve(
        dockerfile="web/Dockerfile", context="web", contexts=(("assets", "assets"),)
    )

    assert commit.paths(found.positions) == ["assets/b", "web/Dockerfile", "web/a"]


def test_images_share_what_they_have_in_common() -> None:
    commit = Commit(
        {
            "Dockerfile": "FROM a AS a\nCOPY . .\nFROM b\nCOPY src/* /",
            ".dockerignore": "**/*.md",
            **dict.fromkeys(["src/a", "src/b.md", "c.md"], ""),
        }
    )
    cache: dict[object, object] = {}

    found = [
        resolve_reads(image_of(target=target), commit.tree, commit.read, cache=cache)
        for target in ("a", "", "a")
    ]

    assert sorted(commit.asked) == [".dockerignore", "Dockerfile"]
    assert found[0] == found[2] == commit.resolve(target="a")
    assert commit.paths(found[1].positions) == ["Dockerfile", "src/a"]


def test_a_folder_that_is_taken_whole_is_one_range() -> None:
    commit = Commit({"Dockerfile": "FROM a\nCOPY src /", **{f"src/{n}": "" for n in range(500)}})

    assert len(commit.resolve().positions.ranges) == 1


NAMES = st.sampled_from(["a", "b", "a.md", "src", "Dockerfile", "x", ".dockerignore"])
SOME_PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=10)
LINES = st.sampled_from(
    [
        *("COPY a /", "COPY src/ /", "COPY src/*.md a* /", "COPY . .", "COPY --exclude=*.md src /"),
        *(
            "COPY --parents src/**/a /",
            "COPY ../b /",
            "COPY $x /",
            "RUN --mount=source=src,target=/x y",
        ),
        *("ARG x=src", "FROM scratch", "ADD x [ab] /", "COPY src/$x/a /", "ONBUILD COPY b /"),
    ]
)
IGNORES = st.lists(st.sampled_from(["a", "!a", "**/*.md", "src", "!src/a", "*", "x/**", "**/b"]))


def commit_of(paths: list[str], lines: list[str], ignores: list[str]) -> Commit:
    files: dict[str, str] = {}
    for path in ["Dockerfile", ".dockerignore", *paths]:
        if not any(f"{path}/".startswith(f"{one}/") or one.startswith(f"{path}/") for one in files):
            files[path] = ""
    files["Dockerfile"] = "\n".join(["FROM a", *lines])
    files[".dockerignore"] = "\n".join(ignores)
    return Commit(files)


@given(SOME_PATHS, st.lists(LINES, max_size=4), IGNORES, SOME_PATHS)
def test_a_file_outside_of_what_is_read_changes_nothing(
    paths: list[str], lines: list[str], ignores: list[str], more: list[str]
) -> None:
    before = commit_of(paths, lines, ignores)
    after = commit_of([*paths, *more], lines, ignores)
    found, again = before.resolve(), after.resolve()
    added = after.files.keys() - before.files.keys()
    assume(added)

    read = set(after.paths(again.positions))
    assert read - added == set(before.paths(found.positions))
    for path in added - read:
        fewer = Commit({one: text for one, text in after.files.items() if one != path})
        assert fewer.paths(fewer.resolve().positions) == after.paths(again.positions)


@given(st.binary(max_size=60), st.binary(max_size=30), st.lists(LINES, max_size=3))
def test_any_bytes_are_resolved(text: bytes, ignore: bytes, lines: list[str]) -> None:
    content = "\n".join(["FROM a", *lines]).encode() + b"\n" + text
    commit = Commit({"Dockerfile": content, ".dockerignore": ignore, "a": "", "src/b": ""})

    found = commit.resolve()

    assert "Dockerfile" in commit.paths(found.positions)
