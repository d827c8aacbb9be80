"""One open issue per subject, at a GitHub with a memory and against what is not ours there."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import github
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.errors import RemoteError
from orient_deploy.github import issues
from orient_deploy.github.issues import BODY_MAX, LABEL, TITLE_MAX, Kept, keep_one_issue
from tests.fakes.github_model import Issue
from tests.fakes.github_state import GitHubState, github_state

TOKEN = "token-of-a-test"
OUTSIDER = "token-of-an-outsider"
CANARY = "c4n4ry"
MARKER = "drift production"
ENDING = f"\n\n<!-- orient-deploy {MARKER} -->"
ISSUES = "/repos/acme/orient/issues"
OURS = {"number": 1, "html_url": "x", "state": "open", "body": ENDING}


@pytest.fixture
def server() -> Iterator[GitHubState]:
    ticks = iter(range(1_767_603_600, 1_767_703_600))
    with github_state(TOKEN, repository="acme/orient", clock=lambda: next(ticks)) as found:
        found.allow(OUTSIDER, may_push=False, issues="write")
        yield found


def keep(
    server: GitHubState,
    *,
    title: str = "Two names differ",
    body: str = "| A | B |",
    is_open: bool = True,
    closing: str = "",
    marker: str = MARKER,
    token: str = TOKEN,
    waits: list[float] | None = None,
) -> Kept:
    return keep_one_issue(
        server.url,
        "acme/orient",
        token,
        marker=marker,
        title=title,
        body=body,
        is_open=is_open,
        closing=closing,
        sleep=(waits if waits is not None else []).append,
    )


def put(server: GitHubState, **more: Any) -> Issue:
    """An issue that another run of ours left, unless told otherwise."""
    said = {"title": "Two names differ", "body": f"| A | B |{ENDING}", "labels": [LABEL]} | more
    return server.repository.add_issue(said)


def shown(server: GitHubState) -> list[tuple[int, str, str | None]]:
    return [(one.number, one.state, one.state_reason) for one in server.repository.issues]


def wrote(server: GitHubState, since: int = 0) -> list[str]:
    start = "/repos/acme/orient"
    return [f"{one.method} {one.path.removeprefix(start)}" for one in server.writes[since:]]


def test_an_issue_is_opened_kept_rewritten_closed_and_opened_anew(server: GitHubState) -> None:
    first = keep(server)
    same = keep(server)
    rewritten = keep(server, body="| A | C |")
    closed = keep(server, is_open=False, closing="They agree again.")
    nothing = keep(server, is_open=False, closing="They agree again.")
    anew = keep(server)

    url = f"{server.url}/acme/orient/issues"
    assert first == Kept(action="opened", number=1, url=f"{url}/1")
    assert same == Kept(action="none", number=1, url=f"{url}/1")
    assert rewritten == Kept(action="updated", number=1, url=f"{url}/1")
    assert closed == Kept(action="closed", number=1, url=f"{url}/1")
    assert nothing == Kept(action="none")
    assert anew == Kept(action="opened", number=2, url=f"{url}/2")
    assert shown(server) == [(1, "closed", "completed"), (2, "open", None)]
    one = server.repository.issues[0]
    assert (one.title, one.body, one.labels) == ("Two names differ", f"| A | C |{ENDING}", [LABEL])
    assert [text for text, _ in one.comments] == ["They agree again."]
    assert wrote(server) == [
        "POST /labels",
        "POST /issues",
        "PATCH /issues/1",
        "PATCH /issues/1",
        "POST /issues/1/comments",
        "POST /issues",
    ]


def test_another_client_reads_it_and_finds_it_by_its_label(server: GitHubState) -> None:
    keep(server)
    auth = github.Auth.Token(TOKEN)
    with github.Github(base_url=server.url, auth=auth, seconds_between_writes=None) as client:
        repository = client.get_repo("acme/orient")
        (found,) = repository.get_issues(state="open", labels=[LABEL])
        found.edit(body="| A | by hand |" + ENDING)

        assert (found.number, found.title, found.pull_request) == (1, "Two names differ", None)
        assert keep(server).action == "updated"
        assert repository.get_issue(1).body == f"| A | B |{ENDING}"
        assert (
            repository.get_label(LABEL).description == "Opened and closed by orient-deploy-actions"
        )


@pytest.mark.parametrize(
    ("change", "action"),
    [
        pytest.param({}, "none", id="the-same"),
        pytest.param({"title": "Another"}, "updated", id="title"),
        pytest.param({"body": f"| A |{ENDING}"}, "updated", id="body"),
        pytest.param(
            {"body": f"| A | B |\r\n\r\n{ENDING.strip()}\r\n"}, "none", id="ends-of-lines"
        ),
        pytest.param({"body": f"| A | B |{ENDING}\n\nI look at it."}, "updated", id="words-behind"),
        pytest.param({"labels": ["other", "Orient-Deploy"]}, "none", id="label-in-another-case"),
    ],
)
def test_what_is_there_is_ours_and_changes_when_it_differs(
    server: GitHubState, change: dict[str, Any], action: Any
) -> None:
    put(server, **change)

    assert keep(server) == Kept(action=action, number=1, url=f"{server.url}/acme/orient/issues/1")
    assert shown(server) == [(1, "open", None)]
    assert server.repository.issues[0].comments == []
    assert keep(server).action == "none"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"labels": []}, id="no-label"),
        pytest.param({"labels": ["bug"]}, id="another-label"),
        pytest.param({"body": "| A | B |"}, id="no-marker"),
        pytest.param({"body": None}, id="no-body"),
        pytest.param({"body": "<!-- orient-deploy drift staging -->"}, id="another-marker"),
        pytest.param({"body": f"{ENDING}<!-- orient-deploy drift -->"}, id="quotes-our-marker"),
        pytest.param({"body": "<!-- orient-deploy drift production"}, id="half-a-marker"),
    ],
)
def test_what_is_not_ours_is_left_alone(server: GitHubState, change: dict[str, Any]) -> None:
    put(server, **change)

    assert keep(server, is_open=False, closing="x") == Kept(action="none")
    assert keep(server).number == 2
    assert shown(server) == [(1, "open", None), (2, "open", None)]


def test_a_marker_that_a_stranger_wrote_counts_for_nothing(server: GitHubState) -> None:
    server.repository.add_label(LABEL)
    auth = github.Auth.Token(OUTSIDER)
    with github.Github(base_url=server.url, auth=auth, seconds_between_writes=None) as client:
        client.get_repo("acme/orient").create_issue("Mine", body="x" + ENDING, labels=[LABEL])

    assert keep(server) == Kept(action="opened", number=2, url=f"{server.url}/acme/orient/issues/2")
    assert server.repository.issues[0].title == "Mine"


def test_a_pull_request_is_no_issue(server: GitHubState) -> None:
    put(server).is_pull_request = True

    assert keep(server, is_open=False) == Kept(action="none")
    assert keep(server).number == 2


def test_of_several_the_oldest_stays(server: GitHubState) -> None:
    for _ in range(3):
        put(server)

    assert keep(server).action == "updated"
    assert shown(server) == [
        (1, "open", None),
        (2, "closed", "not_planned"),
        (3, "closed", "not_planned"),
    ]
    assert keep(server).action == "none"


def test_all_of_several_are_closed(server: GitHubState) -> None:
    put(server)
    put(server)

    assert keep(server, is_open=False, closing="Good.").number == 1
    assert shown(server) == [(1, "closed", "completed"), (2, "closed", "completed")]


def test_two_runs_at_once_leave_one(server: GitHubState) -> None:
    server.fail("POST", ISSUES, call=lambda: put(server))

    assert keep(server).number == 1
    assert shown(server) == [(1, "open", None), (2, "closed", "not_planned")]


def test_closing_says_nothing_when_there_is_nothing_to_say(server: GitHubState) -> None:
    put(server)

    assert keep(server, is_open=False).action == "closed"
    assert wrote(server) == ["PATCH /issues/1"]


def test_issues_are_asked_for_by_label_and_the_oldest_first(
    server: GitHubState, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []

    def get(_: object, path: str, query: dict[str, str]) -> list[object]:
        asked.append(query)
        return []

    monkeypatch.setattr("orient_deploy.github.api.Api.get", get)

    keep(server, is_open=False)

    assert asked == [
        {
            "state": "open",
            "labels": LABEL,
            "sort": "created",
            "direction": "asc",  # what is opened meanwhile moves nothing to another page
            "per_page": "100",
            "page": "1",
        }
    ]


def test_subjects_do_not_meet(server: GitHubState) -> None:
    keep(server, marker="drift staging")
    keep(server)
    keep(server, marker="drift staging", is_open=False)

    assert shown(server) == [(1, "closed", "completed"), (2, "open", None)]


def test_every_page_is_read(server: GitHubState) -> None:
    for number in range(230):
        put(server, body=f"<!-- orient-deploy of {number} -->")
    put(server)

    assert keep(server).number == 231
    pages = [one for one in server.journal if one.path == ISSUES]
    assert len(pages) == 3


def test_there_is_an_end_of_pages(server: GitHubState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issues, "MOST_PAGES", 1)
    for _ in range(100):
        put(server, body=CANARY)

    with pytest.raises(RemoteError, match="more than 100 open issues carry the label"):
        keep(server)


# The label.


def test_a_label_that_is_there_is_used_as_it_is(server: GitHubState) -> None:
    server.repository.add_label("Orient-Deploy", "ff0000", "ours")

    assert keep(server).action == "opened"
    assert keep(server).action == "none"
    assert server.repository.labels[LABEL]["color"] == "ff0000"


def test_the_label_is_made_where_github_would_not_make_it(server: GitHubState) -> None:
    server.repository.makes_labels = False

    assert keep(server).action == "opened"
    assert server.repository.issues[0].labels == [LABEL]


def test_a_label_that_another_run_made_meanwhile_is_good(server: GitHubState) -> None:
    server.fail("POST", "*/labels", call=lambda: server.repository.add_label(LABEL))

    assert keep(server).action == "opened"


def test_who_may_make_no_label_opens_nothing(server: GitHubState) -> None:
    with pytest.raises(RemoteError, match="issues: write"):
        keep(server, token=OUTSIDER)

    assert server.repository.issues == []


@pytest.mark.parametrize("closes", [pytest.param(True, id="and-may"), pytest.param(False, id="no")])
def test_an_issue_without_its_label_is_closed_again(server: GitHubState, closes: bool) -> None:
    server.repository.add_label(LABEL)
    if not closes:
        server.fail("PATCH", "*", status=403)

    with pytest.raises(RemoteError, match="left the label 'orient-deploy' out"):
        keep(server, token=OUTSIDER)

    assert shown(server) == [(1, *(("closed", "not_planned") if closes else ("open", None)))]


# What goes wrong.


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status": 500}, id="server-error"),
        pytest.param({"status": 502, "effect": True}, id="server-error-after-it-was-done"),
        pytest.param({"status": 429, "retry_after": 7}, id="too-many"),
        pytest.param({"status": 403, "secondary": True}, id="secondary-limit"),
        pytest.param({"drop": True}, id="dropped-before"),
        pytest.param({"drop": True, "effect": True}, id="dropped-after"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", ISSUES, id="list"),
        pytest.param("GET", "*/labels/*", id="look-for-label"),
        pytest.param("POST", "*/labels", id="make-label"),
        pytest.param("POST", ISSUES, id="open"),
        pytest.param("PATCH", "*/issues/1", id="change"),
        pytest.param("POST", "*/comments", id="comment"),
    ],
)
def test_after_one_fault_there_is_one_issue_and_one_comment_at_most(
    server: GitHubState, method: str, path: str, fault: dict[str, Any]
) -> None:
    if method == "GET" and fault.get("secondary"):
        fault = {"status": 429, "secondary": True}  # a 403 is waited for by what writes only
    server.fail(method, path, **fault)
    waits: list[float] = []

    opened = keep(server, waits=waits)
    assert (opened.action, shown(server)) == ("opened", [(1, "open", None)])
    assert keep(server, body="C", waits=waits).action == "updated"
    assert keep(server, is_open=False, closing="Good.", waits=waits).action == "closed"

    assert shown(server) == [(1, "closed", "completed")]
    comments = [text for text, _ in server.repository.issues[0].comments]
    is_lost = (
        path == "*/comments" and not fault.get("effect") and fault.get("status") in (None, 500)
    )
    assert comments == ([] if is_lost else ["Good."])
    assert server.unfired == [] and any(wait > 1 for wait in waits)


def test_a_request_that_takes_effect_late_is_made_good_by_the_next_run(
    server: GitHubState,
) -> None:
    server.fail("POST", ISSUES, drop=True)
    server.fail("POST", ISSUES, nth=2, call=lambda: put(server))  # the first one, at last

    assert keep(server).number == 1
    put(server)  # and once more, after we looked
    assert keep(server).action == "updated"
    assert [state for _, state, _ in shown(server)] == ["open", "closed", "closed"]


def test_opening_is_given_up_after_three_lost_answers(server: GitHubState) -> None:
    server.fail("POST", ISSUES, times=9, status=500)

    with pytest.raises(RemoteError, match="did not say whether it was opened"):
        keep(server)

    assert wrote(server) == ["POST /labels", *["POST /issues"] * 3]


def test_a_hanging_server_is_left(server: GitHubState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orient_deploy.github.api.TIMEOUT_S", 0.2)
    server.fail("POST", ISSUES, hang=True, effect=True)

    assert keep(server).action == "opened"
    assert shown(server) == [(1, "open", None)]


def test_writes_are_a_second_apart(server: GitHubState) -> None:
    for _ in range(3):
        put(server)
    waits: list[float] = []

    keep(server, is_open=False, closing="Good.", waits=waits)

    assert waits == [1.0] * 5


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", ISSUES, id="list"),
        pytest.param("POST", ISSUES, id="open"),
        pytest.param("PATCH", "*/issues/*", id="change"),
    ],
)
def test_a_refusal_names_the_permission_and_says_nothing_of_the_issue(
    server: GitHubState, method: str, path: str, status: int
) -> None:
    if method == "PATCH":
        put(server)
    server.fail(method, path, status=status, message=CANARY)

    with pytest.raises(RemoteError) as caught:
        keep(server, title=CANARY, body=CANARY)

    assert f"GitHub answered {status}. Give the job `permissions: issues: write`" in str(
        caught.value
    )
    assert MARKER in str(caught.value)
    spoken = "".join(traceback.format_exception(caught.value)).splitlines()
    assert not [line for line in spoken if CANARY in line or TOKEN in line]


@pytest.mark.parametrize("kind", [403, 404])
def test_a_token_that_only_reads_is_refused(server: GitHubState, kind: int) -> None:
    server.allow("reader", refusal=kind, issues="read")

    with pytest.raises(RemoteError, match="issues: write"):
        keep(server, token="reader")
    assert keep(server, token="reader", is_open=False) == Kept(action="none")


def test_disabled_issues_are_named(server: GitHubState) -> None:
    server.repository.has_issues = False

    with pytest.raises(RemoteError, match=r"issues are disabled in this repository\. Enable"):
        keep(server)
    assert keep(server, is_open=False) == Kept(action="none")


def test_disabled_issues_are_named_where_not_even_a_list_is_given(server: GitHubState) -> None:
    server.fail("GET", ISSUES, status=410)

    with pytest.raises(RemoteError, match=r"issues are disabled in this repository\. Enable"):
        keep(server)


def test_an_issue_that_is_deleted_meanwhile(server: GitHubState) -> None:
    put(server, body=f"old{ENDING}")
    server.fail("PATCH", "*", times=2, status=410)

    with pytest.raises(RemoteError, match="deleted meanwhile"):
        keep(server)
    assert keep(server, is_open=False, closing="x") == Kept(action="none")
    assert wrote(server) == ["PATCH /issues/1"] * 2


@pytest.mark.parametrize(
    "answer", [pytest.param({}, id="an-object"), pytest.param(None, id="nothing")]
)
def test_a_list_that_is_none(
    server: GitHubState, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr("orient_deploy.github.api.Api.get", lambda *_: answer)

    with pytest.raises(RemoteError, match="holds no list of issues"):
        keep(server)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param([], id="no-object"),
        pytest.param({}, id="empty"),
        pytest.param({"number": "1", "html_url": "x", "state": "open"}, id="number-is-text"),
        pytest.param({"number": 1, "html_url": None, "state": "open"}, id="no-address"),
        pytest.param({"number": 1, "html_url": "x", "state": "closed"}, id="closed"),
        pytest.param({**OURS, "labels": 1}, id="no-labels"),
        pytest.param({**OURS, "labels": [{"name": None}, {}, 1]}, id="labels-without-a-name"),
        pytest.param({**OURS, "labels": []}, id="marker-and-no-label"),
        pytest.param({**OURS, "labels": ["other"]}, id="marker-and-another-label"),
    ],
)
def test_rows_that_are_no_issue_of_ours_are_passed_over(
    server: GitHubState, monkeypatch: pytest.MonkeyPatch, row: object
) -> None:
    monkeypatch.setattr("orient_deploy.github.api.Api.get", lambda *_: [row])

    assert keep(server, is_open=False) == Kept(action="none")


def test_an_answer_without_an_issue(server: GitHubState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orient_deploy.github.api.Api.create", lambda *_: {"number": 1})

    with pytest.raises(RemoteError, match="the answer holds no issue"):
        keep(server)


def test_a_list_that_does_not_show_the_new_one_yet(
    server: GitHubState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orient_deploy.github.api.Api.get", lambda *_: [])

    assert keep(server) == Kept(action="opened", number=1, url=f"{server.url}/acme/orient/issues/1")


# What is sent.


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("row\n" * 40_000, id="lines"),
        pytest.param("x" * 100_000, id="one-line"),
        pytest.param("🌈" * BODY_MAX, id="four-bytes-each"),
        pytest.param("\n" + "x" * 100_000, id="a-line-at-the-start"),
    ],
)
def test_a_long_body_is_cut_and_keeps_its_marker(server: GitHubState, body: str) -> None:
    assert keep(server, body=body).action == "opened"
    assert keep(server, body=body).action == "none"
    assert keep(server, is_open=False, closing=body).action == "closed"

    (one,) = server.repository.issues
    for text in (one.body, one.comments[0][0]):
        assert text and BODY_MAX - 2100 < len(text) <= BODY_MAX
    assert one.body and one.body.endswith(f"longer than GitHub takes.*{ENDING}")


@pytest.mark.parametrize(
    ("body", "arrives"),
    [
        pytest.param(
            "x" * (BODY_MAX - len(ENDING)), "x" * (BODY_MAX - len(ENDING)), id="just-fits"
        ),
        pytest.param("", "", id="empty"),
        pytest.param("a\udcff", "a?", id="no-text"),
        pytest.param("a  \n\n", "a", id="space-at-the-end"),
        pytest.param(f"a{ENDING}", f"a{ENDING}", id="a-marker-in-it"),
    ],
)
def test_what_arrives(server: GitHubState, body: str, arrives: str) -> None:
    keep(server, body=body)

    assert server.repository.issues[0].body == arrives + ENDING
    assert keep(server, body=body).action == "none"


@pytest.mark.parametrize(
    ("title", "arrives"),
    [
        pytest.param("x" * 300, "x" * TITLE_MAX, id="long"),
        pytest.param(" two\n words ", "two words", id="spaces"),
        pytest.param("a\ud800", "a?", id="no-text"),
        pytest.param("x" * (TITLE_MAX - 1) + " y", "x" * (TITLE_MAX - 1), id="cut-at-a-space"),
    ],
)
def test_titles_are_one_line_of_a_length_that_github_takes(
    server: GitHubState, title: str, arrives: str
) -> None:
    keep(server, title=title)

    assert server.repository.issues[0].title == arrives
    assert keep(server, title=title).action == "none"


@pytest.mark.parametrize("marker", ["", "A", "a-->", "é", "a\n"])
def test_a_marker_that_is_none_is_our_fault(server: GitHubState, marker: str) -> None:
    with pytest.raises(ValueError, match="a marker is of"):
        keep(server, marker=marker)


@given(
    body=st.text(st.sampled_from("a \n`<!--> orient-deploy é🌈\r"), max_size=400),
    marker=st.from_regex(r"[a-z0-9 ._-]{1,9}", fullmatch=True),
    other=st.from_regex(r"[a-z0-9 ._-]{1,9}", fullmatch=True),
    room=st.integers(0, 200),
)
def test_a_marked_body_is_found_by_its_marker_alone(
    body: str, marker: str, other: str, room: int
) -> None:
    def about(mark: str) -> Any:
        nowhere: Any = None
        return issues._Issues(nowhere, "acme/orient", mark)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(issues, "BODY_MAX", 100 + room)
        marked = about(marker)._marked(body)

    assert len(marked) <= 100 + room
    assert about(marker)._is_marked(marked)
    assert about(marker)._is_marked(marked + "\nmore")
    assert about(other)._is_marked(marked) == (marker == other)
