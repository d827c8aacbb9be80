"""What a Dockerfile names of its context and its arguments, for a proposal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.advise.dockerfile import copies_everything, sources, takes


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
    ("text", "everything"),
    [
        pytest.param("COPY . .", True, id="everything"),
        pytest.param("COPY * /", True, id="star"),
        pytest.param("RUN --mount=type=bind,target=. x", True, id="mount"),
        pytest.param("COPY src/.. /", True, id="by-a-detour"),
        pytest.param("COPY --from=build . .", False, id="of-a-stage"),
        pytest.param("COPY src .", False, id="a-folder"),
    ],
)
def test_a_dockerfile_that_copies_everything_is_known(text: str, everything: bool) -> None:
    assert copies_everything(text.encode()) == everything


def test_an_argument_counts_where_it_is_declared() -> None:
    text = b"ARG A=1 B\nFROM x\narg \\\n C=$A\nRUN echo ARG D\n"

    assert [one for one in "ABCD" if takes(text, one)] == ["A", "B", "C"]
    assert takes(b"FROM x", "HTTP_PROXY")
    assert takes(b"FROM x\nENV y", "A")  # what follows could declare it


@given(
    st.binary(max_size=200) | st.text('COPYADRUN <\\[]{}*!$./ab\n-=,"', max_size=80).map(str.encode)
)
def test_any_dockerfile_can_be_asked(data: bytes) -> None:
    assert copies_everything(data) in (True, False)
