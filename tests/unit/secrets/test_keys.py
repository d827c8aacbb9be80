"""Which names are lacking, and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.secrets.keys import Comparison, Said, Source, compare_names

COMPOSE = "compose.yml"


def file(title: str = ".env.production", **said: Said) -> Source:
    return Source(title=title, said=said, example=title.endswith(".example"))


def example(**said: Said) -> Source:
    return file(".env.example", **said)


def github(**said: Said) -> Source:
    return Source(title="GitHub", said=said, keeps_empty=False, any_case=True)


def asks(**said: Said) -> Source:
    return Source(title=COMPOSE, said=said, lacks=False)


def problems(found: Comparison) -> dict[str, str]:
    return {row.name: row.problem for row in found.problems}


NONE: dict[str, str] = {}


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        pytest.param([file(A="there")], NONE, id="alone"),
        pytest.param([file(), example()], NONE, id="nothing"),
        pytest.param([file(A="there"), example(A="there")], NONE, id="both"),
        pytest.param(
            [file(A="there"), example()], {"A": ".env.example does not have it"}, id="not-here"
        ),
        pytest.param(
            [file(), example(A="there")], {"A": ".env.production does not have it"}, id="not-there"
        ),
        pytest.param(
            [file(A="there"), example(B="empty")],
            {"A": ".env.example does not have it", "B": ".env.production does not have it"},
            id="both-ways",
        ),
        pytest.param(
            [file(A="there"), example(), file(".env")],
            {"A": ".env.example does not have it; .env does not have it"},
            id="two-lack-it",
        ),
        pytest.param([file(A="there"), example(A="empty")], NONE, id="example-without-a-value"),
        pytest.param([file(A="empty"), example(A="there")], NONE, id="empty-on-purpose"),
        pytest.param(
            [file(a="there"), file(".env", A="there")],
            {"A": ".env.production does not have it", "a": ".env does not have it"},
            id="files-know-case",
        ),
        # --- what a compose file asks for
        pytest.param([file(A="there"), asks(A="required")], NONE, id="asked-and-there"),
        pytest.param(
            [file(), asks(A="required")], {"A": f"{COMPOSE} stops without it"}, id="stops"
        ),
        pytest.param(
            [file(A="empty"), asks(A="required")],
            {"A": f"{COMPOSE} stops without it"},
            id="stops-at-an-empty-one",
        ),
        pytest.param(
            [file(), asks(A="unset")], {"A": f"{COMPOSE} takes an empty text for it"}, id="warns"
        ),
        pytest.param([file(A="empty"), asks(A="unset")], NONE, id="empty-as-it-says"),
        pytest.param([file(), asks(A="default")], NONE, id="has-a-default"),
        pytest.param([file(A="there"), asks()], NONE, id="compose-need-not-ask"),
        pytest.param(
            [file(), example(A="empty"), asks(A="required")],
            {"A": f"{COMPOSE} stops without it; .env.production does not have it"},
            id="asked-and-in-the-example",
        ),
        # --- GitHub
        pytest.param([file(A="there"), github(A="there")], NONE, id="at-github"),
        pytest.param(
            [file(A="there"), github()], {"A": "GitHub does not have it"}, id="not-at-github"
        ),
        pytest.param(
            [file(), github(A="there")],
            {"A": ".env.production does not have it"},
            id="only-at-github",
        ),
        pytest.param([file(A="empty"), github()], NONE, id="github-keeps-nothing-empty"),
        pytest.param(
            [file(A="empty"), example(A="there"), file(".env", A="there"), github()],
            NONE,
            id="empty-in-the-file-that-counts",
        ),
        pytest.param([file(A="empty"), github(A="there")], NONE, id="empty-in-the-file-alone"),
        pytest.param(
            [file(api_key="there"), github(API_KEY="there")], NONE, id="github-knows-no-case"
        ),
        pytest.param(
            [file(api_key="there"), github(OTHER="there")],
            {"OTHER": ".env.production does not have it", "api_key": "GitHub does not have it"},
            id="another-name-at-github",
        ),
        pytest.param(
            [file(a="there", A="there"), github(A="there")], NONE, id="one-at-github-for-two"
        ),
    ],
)
def test_what_is_lacking_is_named(sources: list[Source], found: dict[str, str]) -> None:
    assert problems(compare_names(sources)) == found


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        pytest.param([file()], {"A": "`required` names it"}, id="nowhere"),
        pytest.param([file(A="empty")], {"A": "`required` names it"}, id="empty"),
        pytest.param([file(A="there")], NONE, id="there"),
        pytest.param(
            [file(), asks(A="required"), github(A="there")],
            {
                "A": f"{COMPOSE} stops without it; `required` names it; "
                ".env.production does not have it"
            },
            id="everybody-says-so",
        ),
    ],
)
def test_a_required_name_must_be_in_the_file(sources: list[Source], found: dict[str, str]) -> None:
    assert problems(compare_names(sources, required=["A"])) == found
    assert problems(compare_names(sources, required=["A"], optional=["A"])) == found


@pytest.mark.parametrize("given", ["API_KEY", "api_key", "Api_Key"])
def test_the_configuration_knows_no_case(given: str) -> None:
    sources = [file(api_key="there"), example()]

    assert problems(compare_names(sources, optional=[given])) == {}
    assert problems(compare_names([file(api_key="there")], required=[given])) == {}
    assert [row.name for row in compare_names([file()], required=[given]).rows] == [given]


def test_a_skipped_name_is_missed_nowhere() -> None:
    sources = [file(), example(A="there"), asks(A="required"), github(B="there")]

    assert problems(compare_names(sources, optional=["A", "B"])) == {}


def test_the_file_of_the_environment_may_stand_anywhere() -> None:
    sources = [example(A="there"), file(A="empty"), github()]

    assert problems(compare_names(sources, required=["A"], main=1)) == {"A": "`required` names it"}


def test_rows_say_what_each_column_does() -> None:
    sources = [file(A="there", C="empty"), example(C="there"), asks(A="required", B="unset")]
    found = compare_names([*sources, github(A="there")])

    assert found.titles == (".env.production", ".env.example", COMPOSE, "GitHub")
    assert {row.name: row.said for row in found.rows} == {
        "A": ("there", "missing", "required", "there"),
        "B": ("missing", "missing", "unset", ""),
        "C": ("empty", "there", "", ""),
    }
    assert [row.name for row in found.rows] == ["A", "B", "C"]


def test_a_note_says_what_the_cells_do_not() -> None:
    found = compare_names([file(), example(A="there", B="there"), asks(A="unset")])

    assert {row.name: row.note for row in found.rows} == {
        "A": "Compose takes an empty text for it",
        "B": "",
    }


NAMES = st.sampled_from(["A", "B", "C", "a", "b"])
WHAT = st.sampled_from(["there", "empty"])
ASKED = st.sampled_from(["required", "unset", "default"])


@given(
    st.lists(st.dictionaries(NAMES, WHAT), min_size=1, max_size=4),
    st.dictionaries(NAMES, ASKED),
    st.sets(NAMES),
    st.sets(NAMES),
)
def test_a_problem_has_a_cause_and_a_cause_is_a_problem(
    files: list[dict[str, Said]],
    asked: dict[str, Said],
    required: set[str],
    optional: set[str],
) -> None:
    """By sets alone, without looking at rows."""
    sources = [Source(title=f"f{index}", said=said) for index, said in enumerate(files)]
    found = compare_names([*sources, asks(**asked)], required=required, optional=optional)

    own = files[0]
    some = set().union(*files)
    everywhere = set(files[0]).intersection(*files)
    full = {name for name, said in own.items() if said == "there"}
    wanted = {name for name, need in asked.items() if need == "required"} - full
    warned = {name for name, need in asked.items() if need == "unset"} - own.keys()
    must, may = ({one.upper() for one in names} for names in (required, optional))
    names = {name for name in {*some, *asked} if name.upper() in must} - full
    nowhere = must - {name.upper() for name in {*some, *asked}}
    lacking = {
        name
        for name in (some - everywhere) | wanted | warned
        if name.upper() not in may or name.upper() in must
    }

    shown = {row.name for row in found.problems}
    assert {one for one in shown if one.upper() not in nowhere} == lacking | names
    assert {one.upper() for one in shown if one.upper() in nowhere} == nowhere
    listed = [row.name for row in found.rows]
    assert len(listed) == len(set(listed))
    assert [bool(row.problem) for row in found.rows] == sorted(
        (bool(row.problem) for row in found.rows), reverse=True
    )
