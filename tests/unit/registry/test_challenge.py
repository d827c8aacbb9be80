"""`WWW-Authenticate`, as registries write it and as they might."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.registry.challenge import Challenge, parse_challenges

BEARER = Challenge(scheme="bearer", realm="https://auth.example.com/token", service="r")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        pytest.param("", (), id="nothing"),
        pytest.param('Basic realm="a"', (Challenge(scheme="basic", realm="a"),), id="basic"),
        pytest.param("Basic", (Challenge(scheme="basic"),), id="bare"),
        pytest.param(
            'Bearer realm="https://auth.example.com/token",service="r"', (BEARER,), id="bearer"
        ),
        pytest.param(
            'bEARER  Realm = "https://auth.example.com/token" ,  SERVICE=r', (BEARER,), id="loose"
        ),
        pytest.param(
            ', ,Bearer realm="https://auth.example.com/token", , service="r",',
            (BEARER,),
            id="commas",
        ),
        pytest.param(
            'Bearer realm="x",service="y",scope="repository:a/b:pull,push",'
            'error="insufficient_scope"',
            (
                Challenge(
                    scheme="bearer",
                    realm="x",
                    service="y",
                    scope="repository:a/b:pull,push",
                    error="insufficient_scope",
                ),
            ),
            id="comma-in-quotes",
        ),
        pytest.param(
            r'Basic realm="a \"quoted\" \\ name"',
            (Challenge(scheme="basic", realm=r'a "quoted" \ name'),),
            id="escapes",
        ),
        pytest.param(
            'Negotiate, Basic realm="a", Digest nonce="Basic realm=b", Bearer realm="c"',
            (Challenge(scheme="basic", realm="a"), Challenge(scheme="bearer", realm="c")),
            id="several",
        ),
        pytest.param(
            'Negotiate dG9rZW4=, Basic realm="a"',
            (Challenge(scheme="basic", realm="a"),),
            id="opaque",
        ),
        pytest.param(
            'Bearer realm="a", realm="b"', (Challenge(scheme="bearer", realm="a"),), id="twice"
        ),
        pytest.param('Bearer realm="a', (Challenge(scheme="bearer"),), id="unclosed"),
        pytest.param('"Bearer" realm="a"', (), id="no-scheme"),
        pytest.param("Bearer realm=", (Challenge(scheme="bearer"),), id="no-value"),
    ],
)  # fmt: skip
def test_a_header_says_how_to_ask(header: str, found: tuple[Challenge, ...]) -> None:
    assert parse_challenges(header) == found


@given(st.text(), st.text(), st.text(alphabet='ab,="\\ '))
def test_whatever_is_quoted_is_read_back(realm: str, service: str, scope: str) -> None:
    def quoted(text: str) -> str:
        text = text.replace("\n", "").replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'

    said = f"Bearer realm={quoted(realm)},service={quoted(service)}, scope={quoted(scope)}"
    if len(said) > 8000:
        return
    plain = [one.replace("\n", "") for one in (realm, service, scope)]

    found = parse_challenges(f'Basic realm="x", {said}, Basic realm="y"')

    assert found == (
        Challenge(scheme="basic", realm="x"),
        Challenge(scheme="bearer", realm=plain[0], service=plain[1], scope=plain[2]),
        Challenge(scheme="basic", realm="y"),
    )


@given(st.text(alphabet='Basicerlm=", \\\t', max_size=200))
def test_nothing_breaks_the_reading(header: str) -> None:
    for one in parse_challenges(header):
        assert one.scheme in ("basic", "bearer")


def test_a_long_header_is_read_in_part() -> None:
    assert parse_challenges('Basic realm="a", ' + 10**6 * "Basic ")[0].realm == "a"
