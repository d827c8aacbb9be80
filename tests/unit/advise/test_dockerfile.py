"""What a Dockerfile names of its context, and that nothing it names is dropped in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.advise.dockerfile import narrower, places_of, sources, takes
from orient_deploy.config.globs import problem

PLACES = places_of(
    [
        *("package.json", "pb/demo.proto", "Dockerfile", "lib/[id]/x", "a b/x", "src/lib/a.ts"),
        *("src/ad/Dockerfile", "src/ad/build.gradle", "src/ad/gradlew", "src/ad/x/y.java"),
    ]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("COPY a b /", ["a", "b"], id="several"),
        pytest.param('copy ["a b", "c", "/"]', ["a b", "c"], id="json"),
        pytest.param("COPY 'a' \"b\" /", ["a", "b"], id="quotes"),
        pytest.param("COPY --chown=a:b --chmod=755 x /", ["x"], id="flags"),
        pytest.param("COPY --chown=a:b --from=build x /", [], id="stage"),
        pytest.param("COPY a \\\n  # why\n\n  b \\\n  /\nCOPY c /", ["a", "b", "c"], id="lines"),
        pytest.param("# escape=`\nCOPY a `\n b /", ["a", "b"], id="escape"),
        pytest.param(
            "COPY <<EOF <<'TWO' /x\nCOPY a /\nEOF\nCOPY b /\nTWO\nCOPY c /", ["c"], id="doc"
        ),
        pytest.param("RUN cat <<EOF\nCOPY a /\nEOF\nCOPY c /", ["c"], id="run-doc"),
        pytest.param("ADD https://a/$B git@c:d.git e.tar /", ["e.tar"], id="remote"),
        pytest.param(
            "RUN --mount=type=cache,target=/c --mount=type=bind,source=a,target=a \\\n"
            " --mount=target=. --mount=from=x,source=y x",
            ["a", "."],
            id="mounts",
        ),
        pytest.param("RUN echo COPY a /\nONBUILD COPY a /\n#COPY a /", [], id="none"),
        pytest.param("COPY a /\\", ["a"], id="last-line-goes-on"),
        pytest.param("COPY [a, b", ["[a,"], id="no-json"),
    ],
)
def test_what_is_copied(text: str, expected: list[str]) -> None:
    assert list(sources(text.encode())) == expected
    assert list(sources(text.replace("\n", "\r\n").encode())) == expected


@pytest.mark.parametrize(
    ("path", "context", "text", "expected"),
    [
        pytest.param(
            "src/ad/Dockerfile",
            ".",
            "COPY ./src/ad/gradlew* ./src/ad/build.gradle ./\nCOPY ./src/ad/ ./\nCOPY /pb/ ./p",
            ["src/ad/**", "pb/**"],
            id="folder-and-another",
        ),
        pytest.param("src/ad/Dockerfile", ".", "FROM x", ["src/ad/**"], id="nothing-copied"),
        pytest.param(
            "Dockerfile",
            ".",
            "COPY package*.json lib ./",
            ["Dockerfile", "package*.json{,/**}"],
            id="at-the-root",
        ),
        pytest.param(
            "src/ad/Dockerfile", "src", "COPY lib /", ["src/ad/**", "src/lib/**"], id="in"
        ),
        pytest.param(
            "src/ad/Dockerfile",
            "src/ad",
            "COPY ../x /",
            ["src/ad/Dockerfile", "src/ad/x/**"],
            id="own-folder",
        ),
        pytest.param("Dockerfile", ".", 'COPY ["a b/x", "/"]', ["Dockerfile", "a b/x"], id="blank"),
    ],
)
def test_the_list_is_what_the_dockerfile_names(
    path: str, context: str, text: str, expected: list[str]
) -> None:
    patterns, why_not = narrower(path, context, text.encode(), PLACES)

    assert (list(patterns)[: len(expected)], why_not) == (expected, "")
    assert [problem(one) for one in patterns if problem(one)] == []


def test_what_is_not_copied_is_named_by_its_dockerignore() -> None:
    places = places_of([".dockerignore", "a/Dockerfile", "docker/b.Dockerfile.dockerignore"])

    assert narrower("a/Dockerfile", ".", b"FROM x", places) == (("a/**", ".dockerignore"), "")
    assert narrower("docker/b.Dockerfile", "a", b"FROM x", places) == (("docker/**",), "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("COPY . .", "copies the whole context", id="everything"),
        pytest.param("COPY * /", "copies the whole context", id="star"),
        pytest.param("RUN --mount=type=bind,target=. x", "copies the whole context", id="mount"),
        pytest.param("COPY pb ${SRC} /", "${SRC} could not be read", id="variable"),
        pytest.param("COPY a?b /", "a?b could not be read", id="question-mark"),
        pytest.param("COPY a[bc] /", "a[bc] could not be read", id="class"),
        pytest.param("COPY **/x /", "**/x could not be read", id="stars"),
        pytest.param('COPY "a b" /', '"a could not be read', id="quotes"),
        pytest.param("COPY dist/x /", "dist/x is copied, and no file of this commit", id="made"),
        pytest.param("#" * 300_000, "too long", id="long"),
        pytest.param(
            "COPY pb /\nRUN a <<B\nCOPY c /", "line 2: the heredoc B", id="doc-without-end"
        ),
    ],
)
def test_a_list_that_would_lack_something_is_not_given(text: str, said: str) -> None:
    patterns, why_not = narrower("src/ad/Dockerfile", ".", text.encode(), PLACES)

    assert patterns == ()
    assert said in why_not


def test_an_argument_counts_where_it_is_declared() -> None:
    text = b"ARG A=1 B\nFROM x\narg \\\n C=$A\nRUN echo ARG D\n"

    assert [one for one in "ABCD" if takes(text, one)] == ["A", "B", "C"]
    assert takes(b"FROM x", "HTTP_PROXY")
    assert takes(b"FROM x\nENV y", "A")  # what follows could declare it


@given(
    st.binary(max_size=200) | st.text('COPYADRUN <\\[]{}*!$./ab\n-=,"', max_size=80).map(str.encode)
)
def test_whatever_a_dockerfile_holds_the_list_can_be_used(data: bytes) -> None:
    patterns, why_not = narrower("src/ad/Dockerfile", ".", data, PLACES)

    assert bool(patterns) != bool(why_not)
    assert [one for one in patterns if problem(one)] == []
