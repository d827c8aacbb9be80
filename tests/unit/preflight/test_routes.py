"""Which routes Express 5 refuses, held to the path-to-regexp that it reads them with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orient_deploy.preflight.routes import refusal, rewritten
from tests.oracles.node_tools import refused_routes

PATHS = [
    *("*", "/*", "/api/*", "/:name*", "/:a?", "/:a+", "(.*)", "/(.*)", "/a(b)?", "/[abc]", "/a!"),
    *("/{*splat}", "/*splat", "/:id", "/a{/:b}", "/a\\*", "/:id.json", '/:"a b"', '/:"a', "/a\\"),
    *("/:a:b", "/:a{:b}", "/:a{-:b}", "/*a*b", "/*a/*b", "{", "}", "/{a", "", "/", ":", "/:1"),
    *("/é:é", "/:ünï", "/:a\u200cb", "/${x}", "/a.b-c~d", "/files/*.*", "*.html", "/:$a/:_b"),
]


def test_the_verdict_is_that_of_path_to_regexp() -> None:
    said = refused_routes(PATHS)

    assert [refusal(path) for path in PATHS] == said
    assert "" in said and "Missing parameter name at index 1" in said


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(alphabet='/ab1*:{}()[]+?!\\".é$-', max_size=12), min_size=1, max_size=20))
def test_any_route_gets_the_verdict_of_path_to_regexp(paths: list[str]) -> None:
    assert [refusal(path) for path in paths] == refused_routes(paths)


def test_too_many_optional_parts_are_refused_without_trying_them_all() -> None:
    path = "/a" + "{b}" * 40

    assert [refusal(path)] == refused_routes([path]) == ["Too many path combinations"]


@pytest.mark.parametrize(
    ("path", "better"),
    [
        pytest.param("*", "/{*splat}", id="everything"),
        pytest.param("/*", "/{*splat}", id="everything-below"),
        pytest.param("(.*)", "/{*splat}", id="everything-as-expression"),
        pytest.param("/api/*", "/api/{*splat}", id="below-a-folder"),
        pytest.param("/:id?", "{/:id}", id="optional"),
        pytest.param("/a/:id?/b", "/a{/:id}/b", id="optional-in-the-middle"),
        pytest.param("/:path*", "{/*path}", id="any-number"),
        pytest.param("/:path+", "/*path", id="one-or-more"),
        pytest.param("/:path(.*)", "{/*path}", id="named-everything"),
        pytest.param("/a/*/b/*", "/a/{*splat}/b/{*splat2}", id="twice"),
        pytest.param("/:id(\\d+)", "", id="only-digits"),
    ],
)
def test_a_refused_route_is_rewritten_where_that_is_sure(path: str, better: str) -> None:
    assert refused_routes([path]) != [""]
    assert rewritten(path) == better
    assert not better or refused_routes([better]) == [""]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="/ab*:()+?.{}", max_size=12))
def test_what_is_proposed_is_always_taken(path: str) -> None:
    better = rewritten(path)

    assert not better or refused_routes([better]) == [""]
