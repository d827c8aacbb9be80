"""What people read of secrets, on a page and in a terminal."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.render_summary import to_html
from orient_deploy.errors import RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.secrets.apply import Done, Outcome
from orient_deploy.secrets.drift import EMPTY, UNKNOWN, Drift, Place, compare
from orient_deploy.secrets.fingerprint import Key
from orient_deploy.secrets.keys import Comparison, Said, Source, compare_names
from orient_deploy.secrets.lint import Finding, lint
from orient_deploy.secrets.names import Kind
from orient_deploy.secrets.plan import Remote, Rules, Scope, SecretsPlan, plan_secrets
from orient_deploy.secrets.report import (
    ROWS_SHOWN,
    drift_headline,
    drift_lines,
    drift_markdown,
    lint_lines,
    names_headline,
    names_lines,
    names_markdown,
    outcome_headline,
    plan_headline,
    plan_lines,
    plan_markdown,
)
from orient_deploy.secrets.state import State, Written
from orient_deploy.secrets.wanted import Wanted
from tests.fakes.canary import leaks
from tests.unit.plan.summaries import HOSTILE_NAMES

if TYPE_CHECKING:
    from orient_deploy.plan.report import Line

GOLDEN = Path(__file__).parents[2] / "golden" / "secrets"
FILE = ".env.production"
WHEN = "2027-01-15T08:00:00Z"
LATER = "2027-01-16T09:30:00Z"
KEY = Key(Hidden("0123456789abcdef" * 4))
SCOPE = Scope()


# --- plans, as they are made


def want(name: str, *problems: str, value: str = "value", kind: Kind = "secret") -> Wanted:
    return Wanted(name=name, given=name, line=7, kind=kind, value=Hidden(value), problems=problems)


def noted(name: str, value: str = "value", at: str = WHEN, owner: str = "production") -> Written:
    fingerprint = KEY.fingerprint(SCOPE.text, name, Hidden(value))
    return Written(fingerprint=fingerprint, updated_at=at, owner=owner)


def made(
    wanted: Sequence[Wanted],
    written: Mapping[str, Written] = {},
    *,
    remote: Mapping[str, str] | None = None,
    variables: Mapping[str, str] = {},
    key: Key | None = KEY,
    faults: Sequence[tuple[str, int, str]] = (),
    **rules: Any,
) -> SecretsPlan:
    there = dict.fromkeys(written, WHEN) if remote is None else remote
    return plan_secrets(
        wanted,
        Remote(secrets=there, variables={name: Hidden(one) for name, one in variables.items()}),
        State(key_id=KEY.id, written=written) if written else None,
        key,
        scope=SCOPE,
        rules=replace(Rules(owner="production"), **rules),
        faults=faults,
    )


@cache  # an outcome speaks of the plan's own steps
def every_action() -> SecretsPlan:
    """All but a refusal, which would have nothing else happen."""
    wanted = [
        want("BCRYPT"),
        want("DATABASE_URL"),
        want("JWT_SECRET"),
        want("NODE_ENV", value="production", kind="variable"),
        want("LOG_LEVEL", value="debug", kind="variable"),
        want("SLACK_BOT_TOKEN"),
        want("SMTP_PASSWORD"),
    ]
    written = {
        "DATABASE_URL": noted("DATABASE_URL", "before"),
        "JWT_SECRET": noted("JWT_SECRET"),
        "SLACK_BOT_TOKEN": noted("SLACK_BOT_TOKEN"),
        "OLD_TOKEN": noted("OLD_TOKEN"),
        "OLD_WEBHOOK": noted("OLD_WEBHOOK"),
        "JWT_SECRET_STAGING": noted("JWT_SECRET_STAGING", owner="staging"),
    }
    remote = {
        **dict.fromkeys(written, WHEN),
        "SLACK_BOT_TOKEN": LATER,
        "SMTP_PASSWORD": LATER,
        "OLD_WEBHOOK": LATER,
    }
    return made(
        wanted,
        written,
        remote=remote,
        variables={"LOG_LEVEL": "info"},
        prune=True,
        max_prune=2,
        others={"staging": "_STAGING"},
    )


def refused() -> SecretsPlan:
    wanted = [
        want("BCRYPT", "a `$` outside of single quotes: readers differ"),
        want("DATABASE_URL"),
        want("GITHUB_TOKEN"),
        want("JWT_SECRET", "it is shorter than the 32 characters that `min-length` asks for"),
        want("PORT", value="80"),
        want("SLACK_BOT_TOKEN", value=""),
    ]
    faults = [
        ("line 3", 3, "a carriage return (CRLF)"),
        ("SMTP_PASSWORD", 0, "it is required, and the file does not have it"),
    ]
    return made(wanted, faults=faults)


def without_a_key() -> SecretsPlan:
    written = {"DATABASE_URL": noted("DATABASE_URL"), "JWT_SECRET": noted("JWT_SECRET")}
    wanted = [want("DATABASE_URL"), want("JWT_SECRET"), want("SMTP_PASSWORD")]
    remote = {"DATABASE_URL": WHEN, "JWT_SECRET": LATER}
    return made(wanted, written, remote=remote, key=None)


def unchanged() -> SecretsPlan:
    names = [f"SERVICE_{number:02}_TOKEN" for number in range(100)]
    return made([want(name) for name in names], {name: noted(name) for name in names})


def hostile() -> SecretsPlan:
    wanted = [want(name, f"{name}: readers differ") for name in HOSTILE_NAMES]
    plan = made(wanted, faults=[(name, 3, name) for name in HOSTILE_NAMES[:3]])
    return replace(plan, remarks=HOSTILE_NAMES, scope=Scope(environment=HOSTILE_NAMES[0]))


def partly(plan: SecretsPlan, *, error: RemoteError | None = None, noted: bool = True) -> Outcome:
    steps = plan.of("create", "update", "delete")
    problems = {steps[1].name: "GitHub refused it"}
    if error:
        problems.update(
            {one.name: "it was not begun, or its end is not known" for one in steps[3:]}
        )
    done = tuple(Done(step=step, problem=problems.get(step.name, "")) for step in steps)
    return Outcome(done=done, error=error, noted=noted)


GONE = RemoteError(
    "GitHub did not answer", "PUT …/secrets/SMTP_PASSWORD timed out three times", "Try again later"
)


def planned(plan: SecretsPlan, *, dry_run: bool = True, outcome: Outcome | None = None) -> str:
    return plan_markdown(plan, "production", FILE, dry_run=dry_run, outcome=outcome)


# --- drift and names


def drifted() -> Drift:
    """Every cell that there is, and names that may be pieces of values."""
    local = {
        "SAME": "1",
        "CHANGED": "1",
        "EMPTY_HERE": EMPTY,
        "ONLY_HERE": "1",
        "UNREADABLE": "1",
        "NOT_MAPPED": "1",
        "dGhpcyBpcyBhIHBpZWNl": "1",
        "bm90aGVyIHBpZWNl": "1",
    }
    github = {"SAME": "1", "CHANGED": "2", "UNREADABLE": UNKNOWN, "EMPTY_HERE": "1"}
    server = {**local, "EMPTY_HERE": "1", "bm90aGVyIHBpZWNl": "2"}
    del server["ONLY_HERE"]
    asked = frozenset({*github, "ONLY_HERE"})
    places = [
        Place(title=FILE, marks=local),
        Place(title="GitHub", marks=github, asked=asked, keeps_empty=False),
        Place(title="server", marks=server),
    ]
    return compare(places, hide={"dGhpcyBpcyBhIHBpZWNl", "bm90aGVyIHBpZWNl"})


DRIFT_REMARKS = (
    "The step's `env` maps no secret for NOT_MAPPED: what GitHub has there is not known",
    "Some names are not shown: they may be pieces of values. `orient-deploy secrets lint` finds "
    "their lines",
)


def agreeing() -> Drift:
    marks = {f"NAME_{number:02}": "1" for number in range(12)}
    return compare([Place(title=FILE, marks=marks), Place(title="server", marks=marks)])


def uncompared() -> Drift:
    places = [
        Place(title=FILE, marks={"A": "1"}),
        Place(title="GitHub", marks={"A": UNKNOWN}, asked=frozenset("A"), keeps_empty=False),
    ]
    return compare(places)


def hostile_drift() -> Drift:
    marks = dict.fromkeys(HOSTILE_NAMES, "1")
    places = [Place(title=name, marks=marks) for name in HOSTILE_NAMES[:4]]
    return compare([*places, Place(title=HOSTILE_NAMES[8], marks={})])


def lacking() -> Comparison:
    file: dict[str, Said] = {"BCRYPT": "there", "JWT_SECRET": "empty", "LOG_LEVEL": "there"}
    example: dict[str, Said] = {"JWT_SECRET": "empty", "SLACK_BOT_TOKEN": "empty"}
    staging: dict[str, Said] = {"BCRYPT": "there", "JWT_SECRET": "there", "LOG_LEVEL": "there"}
    asks: dict[str, Said] = {
        "BCRYPT": "required",
        "DATABASE_URL": "required",
        "JWT_SECRET": "required",
        "SLACK_BOT_TOKEN": "unset",
        "TAG": "default",
    }
    sources = [
        Source(title=FILE, said=file),
        Source(title=".env.example", said={**example, "LOG_LEVEL": "there"}, example=True),
        Source(title=".env.staging", said=staging),
        Source(title="docker/docker-compose.yml", said=asks, lacks=False),
        Source(title="GitHub", said={"BCRYPT": "there"}, keeps_empty=False, any_case=True),
    ]
    return compare_names(sources, required=["DATABASE_URL", "SMTP_PASSWORD"])


def one_lacking() -> Comparison:
    said: dict[str, Said] = {"BCRYPT": "there", "LOG_LEVEL": "there"}
    sources = [Source(title=FILE, said=said), Source(title=".env", said={"BCRYPT": "there"})]
    return compare_names(sources)


def hostile_comparison() -> Comparison:
    said: dict[str, Said] = dict.fromkeys(HOSTILE_NAMES, "there")
    asks: dict[str, Said] = dict.fromkeys(HOSTILE_NAMES[:3], "required")
    return compare_names(
        [
            Source(title=HOSTILE_NAMES[0], said={}),
            *(Source(title=name, said=said) for name in HOSTILE_NAMES[1:5]),
            Source(title=HOSTILE_NAMES[8], said=asks, lacks=False),
        ]
    )


def comparison_of_equals() -> Comparison:
    said: dict[str, Said] = {"A": "there", "B": "there"}
    return compare_names([Source(title=FILE, said=said), Source(title=".env", said=said)])


NAMES_REMARKS = (
    "GitHub alone has DEPLOY_SSH_KEY; no run of sync-secrets noted that it wrote them",
)

SUMMARIES: Mapping[str, Callable[[], str]] = {
    "plan": lambda: planned(every_action()),
    "plan-refused": lambda: planned(refused()),
    "plan-without-a-key": lambda: planned(without_a_key()),
    "plan-unchanged": lambda: planned(unchanged(), dry_run=False, outcome=Outcome(done=())),
    "done": lambda: planned(every_action(), outcome=all_done(every_action()), dry_run=False),
    "partly-done": lambda: planned(every_action(), outcome=partly(every_action()), dry_run=False),
    "ended-early": lambda: planned(
        every_action(), outcome=partly(every_action(), error=GONE, noted=False), dry_run=False
    ),
    "hostile-plan": lambda: plan_markdown(
        hostile(), HOSTILE_NAMES[4], HOSTILE_NAMES[1], dry_run=True
    ),
    "drift": lambda: drift_markdown(drifted(), "production", DRIFT_REMARKS),
    "drift-none": lambda: drift_markdown(agreeing(), "production", ()),
    "drift-unknown": lambda: drift_markdown(uncompared(), "production", ()),
    "hostile-drift": lambda: drift_markdown(hostile_drift(), HOSTILE_NAMES[4], HOSTILE_NAMES),
    "names": lambda: names_markdown(lacking(), "production", NAMES_REMARKS),
    "names-one": lambda: names_markdown(one_lacking(), "production"),
    "names-agree": lambda: names_markdown(comparison_of_equals(), "production"),
    "hostile-names": lambda: names_markdown(hostile_comparison(), HOSTILE_NAMES[4], HOSTILE_NAMES),
}


def all_done(plan: SecretsPlan) -> Outcome:
    return Outcome(done=tuple(Done(step=step) for step in plan.of("create", "update", "delete")))


def hostile_findings() -> list[Finding]:
    return [Finding(name=name, line=3, reason=name) for name in HOSTILE_NAMES]


LINES: Mapping[str, Callable[[], list[Line]]] = {
    "plan": lambda: plan_lines(every_action(), "production", FILE),
    "plan-refused": lambda: plan_lines(refused(), "production", FILE),
    "plan-unchanged": lambda: plan_lines(unchanged(), "production", FILE, Outcome(done=())),
    "partly-done": lambda: plan_lines(every_action(), "production", FILE, partly(every_action())),
    "drift": lambda: drift_lines(drifted(), "production", DRIFT_REMARKS),
    "drift-none": lambda: drift_lines(agreeing(), "production", ()),
    "names": lambda: names_lines(lacking(), "production", NAMES_REMARKS),
    "names-one": lambda: names_lines(one_lacking(), "production"),
    "names-agree": lambda: names_lines(comparison_of_equals(), ""),
    "lint": lambda: lint_lines(lint(b"\xef\xbb\xbfA=x # c\n\n\n\n\n\n\n\nB=a$b\n"), FILE, 2),
    "lint-none": lambda: lint_lines((), FILE, 1),
}
HOSTILE_LINES: Mapping[str, Callable[[], list[Line]]] = {
    "plan": lambda: plan_lines(hostile(), HOSTILE_NAMES[4], HOSTILE_NAMES[9]),
    "drift": lambda: drift_lines(hostile_drift(), HOSTILE_NAMES[4], HOSTILE_NAMES),
    "names": lambda: names_lines(hostile_comparison(), HOSTILE_NAMES[9], HOSTILE_NAMES),
    "lint": lambda: lint_lines(hostile_findings(), HOSTILE_NAMES[9], 3),
}


def plain(lines: Sequence[Line]) -> str:
    """As a terminal without colours shows them, without blanks that nobody sees."""
    texts = ["".join(one if isinstance(one, str) else one[1] for one in line) for line in lines]
    return "".join(f"{text.rstrip()}\n" for text in texts)


class Shape(HTMLParser):
    """The elements of a page, the cells of each row, and its text."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.rows: list[int] = []
        self.text = ""
        self.feed(to_html(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag == "tr":
            self.rows.append(0)
        elif tag in ("td", "th"):
            self.rows[-1] += 1

    def handle_endtag(self, tag: str) -> None:
        self.elements.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.text += data


OURS = {
    *("h3", "p", "table", "thead", "tbody", "tr", "th", "td", "strong", "code"),
    *("details", "summary", "blockquote"),
}


# --- golden files


def golden(file: Path, text: str) -> None:
    """UPDATE_GOLDEN=1 writes the files anew: look at them, and at scripts/dev/render_summary.py."""
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")

    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_summary_reads_as_it_did(name: str) -> None:
    golden(GOLDEN / f"{name}.md", SUMMARIES[name]())


@pytest.mark.parametrize("name", LINES)
def test_a_terminal_shows_what_it_did(name: str) -> None:
    golden(GOLDEN / f"{name}.txt", plain(LINES[name]()))


def test_every_golden_file_is_looked_at() -> None:
    assert {file.stem for file in GOLDEN.glob("*.md")} == set(SUMMARIES)
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(LINES)


# --- foreign text


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_summary_is_made_of_our_elements_alone(name: str) -> None:
    shape = Shape(SUMMARIES[name]())

    assert {element.removeprefix("/") for element in shape.elements} <= OURS
    assert shape.elements[0] == "h3"
    assert shape.elements.count("h3") == 1
    assert shape.elements.count("details") == shape.elements.count("/details") <= 1
    assert len(set(shape.rows)) <= 1
    assert shape.text.isprintable() or set(shape.text) - set("\n") == {
        one for one in shape.text if one.isprintable()
    }


@pytest.mark.parametrize("name", HOSTILE_LINES)
def test_foreign_text_stays_on_its_line_and_steers_no_terminal(name: str) -> None:
    for line in HOSTILE_LINES[name]():
        for one in line:
            assert (one if isinstance(one, str) else one[1]).isprintable()


@pytest.mark.parametrize("name", LINES)
def test_a_table_of_a_terminal_is_made_of_words_and_not_of_signs(name: str) -> None:
    assert not set(plain(LINES[name]())) & set("🟢🟡🔴⚪|<>")


TEXT = st.text(min_size=1, max_size=12)


def _shape(markdown: str) -> tuple[list[str], list[int]]:
    shape = Shape(markdown)
    return [one for one in shape.elements if "code" not in one], shape.rows


@given(TEXT)
def test_no_foreign_text_changes_the_page(text: str) -> None:
    """A name, a reason, a file, an environment and a remark: as with a word in their place."""

    def pages(given: str) -> list[tuple[list[str], list[int]]]:
        plan = replace(
            made([want(given, given), want("B")], faults=[(given, 1, given)]),
            remarks=(given,),
            scope=Scope(environment=given),
        )
        places = [Place(title=given, marks={given: "1"}), Place(title="b", marks={})]
        comparison = compare_names(
            [
                Source(title=given, said={given: "there", "B": "there"}),
                Source(title="b", said={"B": "there"}),
                Source(title=given, said={given: "required"}, lacks=False),
            ]
        )
        return [
            _shape(plan_markdown(plan, given, given, dry_run=True)),
            _shape(drift_markdown(compare(places), given, [given])),
            _shape(names_markdown(comparison, given, [given])),
        ]

    assert pages(f"{text}x") == pages("word")


@given(st.lists(st.sampled_from(["`", "a", " ", "<b>", "|", "``", "*", "$"]), max_size=8))
def test_backticks_make_code_and_nothing_else(pieces: list[str]) -> None:
    drift = compare([Place(title="a", marks={"A": "1"}), Place(title="b", marks={"A": "1"})])
    text = "x" + "".join(pieces) + "x"
    shape = Shape(drift_markdown(drift, "", [text]))

    assert {one.removeprefix("/") for one in shape.elements} <= OURS
    assert shape.elements.count("blockquote") == shape.elements.count("/blockquote") == 1
    quoted = text.replace("`", "") if text.count("`") % 2 == 0 else text
    assert " ".join(f"{quoted}.".split()) in " ".join(shape.text.split())


# --- what is said


def test_a_table_ends_where_nobody_reads_on() -> None:
    count = ROWS_SHOWN + 5
    names = [f"N{number:04}" for number in range(count)]
    said: dict[str, Said] = dict.fromkeys(names, "there")
    marks = dict.fromkeys(names, "1")

    pages = [
        planned(made([want(name) for name in names[:95]], {"X": noted("X")})),
        drift_markdown(
            compare([Place(title="a", marks=marks), Place(title="b", marks={})]), "", ()
        ),
        names_markdown(
            compare_names([Source(title="a", said=said), Source(title="b", said={})]), ""
        ),
    ]
    assert [len(Shape(page).rows) for page in pages] == [97, ROWS_SHOWN + 2, ROWS_SHOWN + 2]
    assert ["and 5 more" in page for page in pages] == [False, True, True]


@pytest.mark.parametrize(
    ("environment", "scope", "said"),
    [
        pytest.param("", "", "Secrets → GitHub repository: nothing to do", id="no-environment"),
        pytest.param(
            "production", "", "Secrets of production → GitHub repository: nothing to do", id="one"
        ),
        pytest.param(
            "production",
            "production",
            "Secrets of production → GitHub environment production: nothing to do",
            id="environment-at-github",
        ),
    ],
)
def test_a_headline_says_whose_secrets_go_where(environment: str, scope: str, said: str) -> None:
    plan = replace(made([]), scope=Scope(environment=scope))

    assert plan_headline(plan, environment) == said


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        pytest.param(Outcome(done=()), "nothing to write", id="nothing"),
        pytest.param(all_done(every_action()), "7 of 7 written", id="all"),
        pytest.param(partly(every_action()), "6 of 7 written, 1 failed", id="one-failed"),
        pytest.param(
            partly(every_action(), error=GONE, noted=False),
            "2 of 7 written, 5 failed, and what was written is not noted",
            id="ended-early",
        ),
    ],
)
def test_a_headline_says_what_came_of_it(outcome: Outcome, said: str) -> None:
    assert outcome_headline(every_action(), outcome, "").partition(": ")[2] == said


def test_a_dry_run_and_a_refusal_say_that_nothing_is_written() -> None:
    assert "This was a dry run" in planned(every_action())
    assert "This was a dry run" not in planned(every_action(), dry_run=False)
    assert "Nothing is written before" in planned(refused(), dry_run=False)
    assert "dry run" not in planned(refused())


def test_a_value_that_is_compared_with_none_is_not_called_the_same() -> None:
    places = [
        Place(title="a", marks={"A": "1", "B": "1", "C": "1"}),
        Place(title="b", marks={"B": "1", "C": "2"}),
    ]
    shown = plain(drift_lines(compare(places), "", ()))

    assert [line.split() for line in shown.splitlines()[2:4]] == [
        ["A", "there", "missing"],
        ["C", "same", "differs"],
    ]


@pytest.mark.parametrize(
    ("made_of", "said"),
    [
        pytest.param(drifted, "Secrets have drifted: 4 names of 8", id="drifted"),
        pytest.param(agreeing, f"Secrets agree: 12 names in {FILE} and server", id="agree"),
        pytest.param(
            uncompared,
            f"Secrets: nothing could be compared between {FILE} and GitHub",
            id="unknown",
        ),
    ],
)
def test_a_headline_says_what_drifted(made_of: Callable[[], Drift], said: str) -> None:
    assert drift_headline(made_of(), "") == said


@pytest.mark.parametrize(
    ("made_of", "said"),
    [
        pytest.param(lacking, "Names: 6 of 7 are lacking", id="some"),
        pytest.param(one_lacking, "Names: 1 of 2 is lacking", id="one"),
        pytest.param(comparison_of_equals, f"Names agree: 2 in {FILE} and .env", id="none"),
        pytest.param(
            lambda: compare_names([Source(title=FILE, said={})]),
            f"Names agree: 0 in {FILE}",
            id="alone",
        ),
    ],
)
def test_a_headline_says_how_many_names_are_lacking(
    made_of: Callable[[], Comparison], said: str
) -> None:
    assert names_headline(made_of(), "") == said


def test_what_the_cells_say_has_no_column_of_its_own() -> None:
    assert "what is wrong" in names_markdown(lacking(), "")
    assert "what is wrong" not in names_markdown(one_lacking(), "")


def test_no_value_is_shown() -> None:
    """None of the plans' values, of which all but the short ones are words of their own."""
    canary = "Kq7-canary-of-a-value"
    plan = made([want("A", value=canary), want("B", value=canary, kind="variable")])
    shown = [
        planned(plan),
        planned(plan, outcome=all_done(plan)),
        plain(plan_lines(plan, "", FILE)),
        repr(plan),
    ]

    assert leaks(canary, *shown) == []
