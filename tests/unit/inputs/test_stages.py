"""What a build takes from outside, stage by stage, and where nobody could say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.inputs.dockerfile import parse
from orient_deploy.inputs.stages import Demand, demand, is_remote
from orient_deploy.inputs.variables import ANY_NAME, ANYTHING


def asked(
    text: str,
    *,
    target: str = "",
    args: dict[str, str] | None = None,
    platforms: tuple[str, ...] = (),
    contexts: dict[str, str] | None = None,
) -> Demand:
    return demand(
        parse(text.encode()),
        target=target,
        build_args=sorted((args or {}).items()),
        platforms=platforms,
        contexts=sorted((contexts or {}).items()),
    )


def taken(text: str, **given: object) -> list[str]:
    found = asked(text, **given)  # type: ignore[arg-type]  # the same names
    assert found.refused == ()
    return [one.source for one in found.takes]


THREE = """\
FROM node AS base
COPY base /
FROM base AS build
COPY build /
FROM scratch AS other
COPY other /
FROM scratch
COPY --from=build /x /
COPY last /
"""


@pytest.mark.parametrize(
    ("target", "sources", "bases"),
    [
        ("", ["base", "build", "last"], ("node",)),
        ("base", ["base"], ("node",)),
        ("BUILD", ["base", "build"], ("node",)),
        ("other", ["other"], ()),
    ],
)
def test_only_the_stages_that_the_target_needs_count(
    target: str, sources: list[str], bases: tuple[str, ...]
) -> None:
    found = asked(THREE, target=target)

    assert [one.source for one in found.takes] == sources
    assert found.bases == bases


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        pytest.param("COPY a b /c", ["a", "b"], id="several"),
        pytest.param('COPY ["a b", "/"]', ["a b"], id="json"),
        pytest.param("COPY --link --chown=1:1 --chmod=755 a /", ["a"], id="flags"),
        pytest.param("ADD --checksum=sha256:00 --keep-git-dir=true --unpack a /", ["a"], id="add"),
        pytest.param("ADD https://x/y git://x ssh://x git@x.y:z.git a@b /", ["a@b"], id="remote"),
        pytest.param("COPY git@x.y:z a /", ["git@x.y:z", "a"], id="no-address-to-copy"),
        pytest.param("COPY <<E <<-'F' a /\nE\nF", ["a"], id="heredocs"),
        pytest.param("COPY 'a'\"b\"\\c /", ["abc"], id="quotes"),
        pytest.param("COPY --from=node a /", [], id="image"),
        pytest.param("RUN --mount=type=bind,source=a,target=/b x", ["a"], id="mount"),
        pytest.param(
            "RUN --mount=target=/b,src=a,ro --mount=dst=/c x", ["a", ""], id="mount-short"
        ),
        pytest.param(
            "RUN --mount=type=bind,from=node,source=a,target=b x", [], id="mount-of-image"
        ),
        pytest.param(
            "RUN --mount=type=cache,target=/a --mount=type=tmpfs,target=b x", [], id="cache"
        ),
        pytest.param("RUN --mount=type=ssh --mount=type=secret,id=a,required x", [], id="secret"),
        pytest.param("ARG k=cache\nRUN --mount=type=$k,target=/a x", [], id="mount-of-a-variable"),
        pytest.param(
            "ARG d=e\nRUN --mount=source=${d}s,target=/a x", ["es"], id="mounted-variable"
        ),
        pytest.param("ONBUILD COPY a /", [], id="trigger-for-others"),
        pytest.param("ENV a=b c=$a\nCOPY $a$c /", ["b" + ANYTHING], id="env-at-once"),
        pytest.param('ENV a b c\nCOPY ["$a", "/"]', ["b c"], id="env-old-form"),
        pytest.param("ARG a=b\nENV a=c\nCOPY $a /", ["c"], id="env-over-arg"),
        pytest.param("ENV a=c\nARG a=b\nCOPY $a /", ["b"], id="arg-over-env"),
        pytest.param("ARG a=b c=${a}d\nCOPY $c /", ["bd"], id="arg-of-arg"),
        pytest.param("ARG a=\nCOPY x$a /", ["x"], id="empty-arg"),
        pytest.param("ARG a\nCOPY x$a /", ["x" + ANYTHING], id="arg-without-value"),
        pytest.param("ENV a=b\nARG a\nCOPY x$a /", ["xb"], id="arg-without-value-over-env"),
        pytest.param("COPY x$a /", ["x" + ANYTHING], id="perhaps-set-by-the-base"),
        pytest.param("COPY x\\$a /", ["x$a"], id="escaped"),
        pytest.param(
            "COPY ${a:-b} x${a:+b} /", [ANYTHING, "x" + ANYTHING], id="default-of-what-is-unknown"
        ),
        pytest.param(
            "ENV a=b/c.d\nCOPY ${a%.*} ${a##*/} ${a/b/e} /", ["b/c", "c.d", "e/c.d"], id="cut"
        ),
    ],
)
def test_what_an_instruction_takes(text: str, sources: list[str]) -> None:
    assert taken(f"FROM node\n{text}") == sources


def test_nothing_is_set_in_an_empty_base() -> None:
    assert taken("FROM scratch\nCOPY x$a y${a:-b} z${PATH%%:*} /") == [
        "x",
        "yb",
        "z/usr/local/sbin",
    ]


def test_arguments_before_the_first_from() -> None:
    text = """\
        ARG version=1
        ARG image=node:$version
        FROM $image AS a
        COPY $version /
        ARG version
        COPY $version /
        FROM a
        COPY $version-${image:-none} /
        ARG image=x$image
        COPY $image /
    """

    found = asked(text, args={"version": "2"})

    assert found.bases == ("node:2",)
    assert [one.source for one in found.takes] == [
        ANYTHING,
        "2",
        f"2-{ANYTHING}",
        f"x{ANYTHING}",
    ]


def test_given_arguments_win_over_defaults_where_they_are_declared() -> None:
    text = "ARG a=b\nFROM scratch\nCOPY $a /\nARG a=c\nCOPY $a /\nARG d=e\nCOPY $d /"

    assert taken(text) == ["", "c", "e"]
    assert taken(text, args={"a": "A", "d": "D", "x": "X"}) == ["", "A", "D"]


@pytest.mark.parametrize(
    ("platforms", "sources"),
    [
        ((), [f"{ANY_NAME}-{ANY_NAME}{ANY_NAME}", ANYTHING]),
        (("linux/amd64",), ["linux-amd64", "linux/amd64"]),
        (
            ("linux/arm/v7", "linux/arm64/v8"),
            ["linux-armv7", "linux/arm/v7", "linux-arm64", "linux/arm64"],
        ),
        (
            ("linux/aarch64", "Linux/x86_64"),
            ["linux-arm64", "linux/arm64", "linux-amd64", "linux/amd64"],
        ),
        (
            ("linux/armhf", "linux/arm/6"),
            ["linux-armv7", "linux/arm/v7", "linux-armv6", "linux/arm/v6"],
        ),
        (("odd",), [f"{ANY_NAME}-{ANY_NAME}{ANY_NAME}", ANYTHING]),
    ],
)
def test_platforms(platforms: tuple[str, ...], sources: list[str]) -> None:
    text = """\
        FROM scratch
        ARG TARGETOS TARGETARCH TARGETVARIANT TARGETPLATFORM
        COPY ${TARGETOS}-$TARGETARCH$TARGETVARIANT $TARGETPLATFORM /
    """

    assert taken(text, platforms=platforms) == sources


def test_a_stage_for_each_platform() -> None:
    text = """\
        FROM scratch AS arm64
        COPY a /
        FROM scratch AS amd64
        COPY b /
        FROM scratch AS s390x
        COPY c /
        FROM $TARGETARCH
        COPY d /
    """

    assert taken(text, platforms=("linux/arm64", "linux/amd64")) == ["a", "d", "b"]
    assert taken(text) == ["a", "b", "c", "d"]
    assert taken(text, args={"TARGETARCH": "s390x"}) == ["c", "d"]
    assert asked(text).bases == ("$TARGETARCH",)
    (doubt,) = asked(text).doubts
    assert (doubt.line, doubt.why) == (
        7,
        "$TARGETARCH is not known here and may be amd64, arm64, s390x",
    )


def test_which_stage_is_the_target_can_be_asked_for() -> None:
    text = "FROM scratch AS a\nARG TARGETSTAGE\nCOPY $TARGETSTAGE /\nFROM a"

    assert taken(text, target="a") == ["a"]
    assert taken(text) == ["default"]


def test_triggers_run_in_the_stage_above_and_no_further() -> None:
    text = """\
        FROM scratch AS a
        ONBUILD COPY --from=c x /
        ONBUILD ARG b=1
        ONBUILD COPY t$b /
        FROM a AS b
        COPY b$b /
        FROM b
        COPY d /
    """
    text = "FROM scratch AS c\nCOPY c /\n" + text

    found = asked(text)

    assert [(one.line, one.source) for one in found.takes] == [
        (2, "c"),
        (6, "t1"),
        (8, "b1"),
        (10, "d"),
    ]
    assert found.takes[1].text == "COPY t$b /"


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("FROM node:20@sha256:00\n", ("node:20@sha256:00",)),
        ("FROM --platform=$BUILDPLATFORM node AS a\nFROM a", ("node",)),
        (
            "FROM node\nCOPY --from=nginx a b\nRUN --mount=from=alpine,target=/x y",
            ("node", "nginx", "alpine"),
        ),
        ("FROM node\nRUN --mount=from=0,target=/x y", ("node", "0")),
        ("FROM scratch\nCOPY --from=scratch a b", ()),
        ("FROM node AS a\nFROM scratch\nCOPY --from=0 a b\nCOPY --from=A a b", ("node",)),
        ("ARG base\nFROM $base", ("$base",)),
        ("ARG base=nginx\nFROM ${base:-node}", ("nginx",)),
    ],
)
def test_the_images_it_is_built_on(text: str, bases: tuple[str, ...]) -> None:
    assert asked(text).bases == bases


def test_of_two_stages_with_one_name() -> None:
    """FROM means the one before it, --from the last."""
    text = """\
        FROM scratch AS a
        COPY 1 /
        FROM a AS b
        COPY 2 /
        FROM scratch AS a
        COPY 3 /
        FROM b
        COPY --from=a x /
    """

    assert taken(text) == ["1", "2", "3"]
    assert taken(text, target="b") == ["1", "2"]


def test_named_contexts() -> None:
    text = """\
        FROM node:latest AS a
        COPY --from=assets logo /
        FROM docker.io/library/nginx
        COPY --from=a x /
        COPY --from=tools:latest y /
        RUN --mount=from=assets,source=z,target=/z --mount=type=cache,from=assets,target=/c q
    """
    contexts = {
        "assets": "packages/assets",
        "nginx": "docker-image://acme/nginx:1",
        "tools": "docker-image://acme/tools",
        "a": "web",
    }

    found = asked(text, contexts=contexts)

    assert [(one.context, one.source) for one in found.takes] == [
        ("a", "x"),
        ("assets", "z"),
        ("assets", ""),
    ]
    assert found.bases == ("acme/nginx:1", "acme/tools")


def test_a_stage_that_begins_from_a_context_takes_all_of_it() -> None:
    text = "FROM node AS a\nCOPY 1 /\nFROM a AS b\nFROM other"

    assert [
        (one.line, one.context, one.source)
        for one in asked(text, contexts={"a": "web", "other": "lib"}).takes
    ] == [(4, "other", "/")]
    assert [
        (one.context, one.source) for one in asked(text, target="b", contexts={"a": "web"}).takes
    ] == [("a", "/")]
    assert [
        (one.context, one.source) for one in asked(text, target="a", contexts={"a": "web"}).takes
    ] == [("a", "/")]


def test_commands_and_secrets() -> None:
    found = asked(
        """\
        FROM node AS a
        RUN --mount=type=secret,id=npm --mount=type=secret,source=token pnpm i && \\
            pnpm build
        RUN ["a", "b"]
        RUN <<E
        x
        E
        FROM scratch AS b
        RUN y
        FROM a
        RUN --mount=type=secret,target=/run/secrets/key z
    """.replace("        E\n", "E\n")
    )

    assert found.runs == (
        (2, "pnpm i &&             pnpm build"),
        (4, "a b"),
        (5, "<<E\n        x\n"),
        (11, "z"),
    )
    assert found.secrets == ("npm", "token", "key")


def test_flags_of_copy() -> None:
    (one,) = asked("FROM a\nCOPY --parents --exclude=*.md --exclude=b ./a/./b /").takes
    (other,) = asked("FROM a\nCOPY --parents=false a /").takes

    assert (one.parents, one.excludes) == (True, ("*.md", "b"))
    assert (other.parents, other.excludes) == (False, ())


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "no instruction"),
        ("FROM a\nENV b", 2, "b is given no value"),
        ("ARG a", 1, "no stage"),
        ("COPY a b\nFROM a", 1, "before the first FROM"),
        ("FROM a\nKOPY b c", 2, "KOPY is no instruction"),
        ("FROM a\n\\", 2, "nothing is no instruction"),
        ("FROM a b", 1, "FROM takes an image"),
        ("FROM a AS 1", 1, "1 cannot be the name"),
        ("FROM $a", 1, "names no image"),
        ("FROM ${a", 1, "} is missing"),
        ("FROM a\nCOPY b", 2, "names no source"),
        ("FROM a\nCOPY --form=b c d", 2, "no flag --form"),
        ("FROM a\nADD --from=b c d", 2, "no flag --from"),
        ("FROM a\nCOPY --from=b --from=b c d", 2, "--from comes twice"),
        ("FROM a\nCOPY --parents=maybe c d", 2, "--parents is maybe"),
        ("FROM a\nCOPY --from=1 c d", 2, "no stage 1"),
        ("FROM a\nCOPY --from=-1 c d", 2, "no stage -1"),
        ("FROM a\nCOPY --from=0 c d", 2, "not built yet"),
        ("FROM a AS b\nCOPY --from=c d e\nFROM a AS c\nCOPY --from=b f g", 2, "not built yet"),
        ("FROM a\nCOPY --from=$b c d", 2, "cannot hold a variable"),
        ("FROM a\nCOPY https://b c", 2, "COPY takes no address"),
        ('FROM a\nCOPY "b c" d', 2, "a quote is not closed"),
        ("FROM scratch\nCOPY ${b:?must-be-said} d", 2, "b must-be-said"),
        ("FROM a\nRUN --mount=type=disk,target=/b c", 2, "no mounts of type disk"),
        ("FROM a\nRUN --mount=type=bind,where=/b c", 2, "where=/b is no option"),
        ("FROM a\nRUN --mount=bind c", 2, "bind is no option"),
        ('FROM a\nRUN --mount=\\"b\\" c', 2, "holds a quote"),
        ("FROM a\nARG =b", 2, "ARG has no name"),
        ("FROM a\nONBUILD FROM b", 2, "nothing that it can do"),
        ("FROM a\nONBUILD", 2, "nothing that it can do"),
        ("FROM a\nONBUILD COPY --x b c", 2, "no flag --x"),
        ("FROM scratch\n" + "ARG a=b$a$a$a\n" * 30, 12, "too long a text"),
        ("# syntax=acme/other:1\nFROM a", 1, "another language"),
        ("FROM a\nCOPY b\1 c", 2, "control character"),
    ],
)
def test_what_cannot_be_followed_is_said(text: str, line: int, why: str) -> None:
    (one,) = asked(text).refused

    assert one.line == line
    assert why in one.why


def test_a_target_that_does_not_exist_is_said() -> None:
    (one,) = asked("FROM a AS b", target="c").refused

    assert (one.line, one.why) == (0, "it has no stage c")


@pytest.mark.parametrize(
    "syntax",
    [
        *(
            "docker/dockerfile:1",
            "docker/dockerfile:1.7-labs",
            "docker.io/docker/dockerfile@sha256:00",
        ),
        *("docker/dockerfile-upstream:master", "mirror.example.com/docker/dockerfile:1 x"),
    ],
)
def test_frontends_of_the_same_language(syntax: str) -> None:
    assert taken(f"# syntax={syntax}\nFROM a\nCOPY b c") == ["b"]
    assert asked("FROM a", args={"BUILDKIT_SYNTAX": syntax}).refused == ()
    (one,) = asked("FROM a", args={"BUILDKIT_SYNTAX": f"acme/{syntax[:3]}"}).refused
    assert "another language" in one.why


def test_what_is_remote() -> None:
    assert is_remote("git@example.com:a/b.git")
    assert not is_remote("a@b/c:d")


@given(
    st.lists(
        st.sampled_from(
            [
                *("FROM a\n", "FROM scratch AS b\n", "FROM b AS c\n", "COPY a$x /\n", "ARG x=$y\n"),
                *("ARG z\n", "ENV q=${x:-$z}\n", "COPY --from=b a /\n", "COPY --from=0 $q /\n"),
                *(
                    "RUN --mount=from=c,target=/a b\n",
                    "ONBUILD COPY $x /\n",
                    "ADD $q /\n",
                    "RUN x\n",
                ),
                *(
                    "FROM $z\n",
                    "FROM ${x}b\n",
                    "COPY --from=c a /\n",
                    "RUN --mount=type=$x,target=/ q\n",
                ),
            ]
        ),
        max_size=10,
    ).map("".join),
    st.sampled_from(["", "b", "c"]),
    st.sampled_from([{}, {"b": "folder"}, {"c": "docker-image://d"}]),
)
def test_any_file_is_followed_or_refused(text: str, target: str, contexts: dict[str, str]) -> None:
    found = asked(text, target=target, contexts=contexts)

    assert not (found.refused and found.takes)
    for one in found.takes:
        assert one.context in ("", *contexts)
