"""The event payload: each kind of event, and everything a payload can have wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.errors import EnvironmentLacks, InputError
from orient_deploy.runner import Event, PullRequest, read_event
from orient_deploy.runner.event import _event

A, B, C = "a" * 40, "b" * 40, "c" * 40
ZEROS = "0" * 40
REPOSITORY = {"full_name": "acme/orient", "default_branch": "main"}


def env_for(tmp_path: Path, name: str, payload: object, **more: str) -> dict[str, str]:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(payload), encoding="utf-8")
    return {
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_SHA": A,
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REPOSITORY": "acme/orient",
        "GITHUB_SERVER_URL": "https://github.com",
        **more,
    }


def event(name: str, **facts: Any) -> Event:
    base = Event(
        name=name,
        sha=A,
        ref="refs/heads/main",
        default_branch="main",
        repository="acme/orient",
        server_url="https://github.com",
    )
    return replace(base, **facts)


@pytest.mark.parametrize(
    ("name", "payload", "env", "expected"),
    [
        pytest.param(
            "push",
            {"before": B, "after": A, "deleted": False, "forced": False},
            {},
            event("push", before=B),
            id="push",
        ),
        pytest.param(
            "push", {"before": ZEROS}, {}, event("push", before=ZEROS), id="first-push-keeps-zeros"
        ),
        pytest.param(
            "push",
            {"before": B, "forced": True},
            {},
            event("push", before=B, forced=True),
            id="forced-push",
        ),
        pytest.param(
            "push",
            {"before": B, "after": ZEROS, "deleted": True},
            {"GITHUB_REF": "refs/heads/gone"},
            event("push", before=B, deleted=True, ref="refs/heads/gone"),
            id="push-that-deletes",
        ),
        pytest.param(
            "push",
            {"before": "d" * 64},
            {"GITHUB_SHA": "e" * 64},
            event("push", before="d" * 64, sha="e" * 64),
            id="sha-256",
        ),
        pytest.param(
            "push",
            {"before": ZEROS},
            {"GITHUB_REF": "refs/tags/v1.0.0"},
            event("push", before=ZEROS, ref="refs/tags/v1.0.0"),
            id="tag-push",
        ),
        pytest.param("delete", {"ref": "x"}, {}, event("delete", deleted=True), id="delete"),
        pytest.param(
            "pull_request",
            {
                "number": 7,
                "pull_request": {
                    "number": 7,
                    "head": {"sha": B, "ref": "topic", "repo": {"full_name": "fork/orient"}},
                    "base": {"sha": C, "ref": "main"},
                },
            },
            {"GITHUB_REF": "refs/pull/7/merge"},
            event(
                "pull_request",
                ref="refs/pull/7/merge",
                pull_request=PullRequest(number=7, head_sha=B, base_sha=C, base_ref="main"),
            ),
            id="pull-request",
        ),
        pytest.param(
            "pull_request_target",
            {"number": 7, "pull_request": {"head": {"sha": B}, "base": {"sha": C, "ref": "main"}}},
            {},
            event(
                "pull_request_target",
                pull_request=PullRequest(number=7, head_sha=B, base_sha=C, base_ref="main"),
            ),
            id="pull-request-target-number-at-the-top",
        ),
        pytest.param(
            "merge_group",
            {"merge_group": {"base_sha": B, "head_sha": A}},
            {"GITHUB_REF": "refs/heads/gh-readonly-queue/main/pr-7-x"},
            event(
                "merge_group",
                merge_group_base_sha=B,
                ref="refs/heads/gh-readonly-queue/main/pr-7-x",
            ),
            id="merge-group",
        ),
        pytest.param(
            "release",
            {"release": {"tag_name": "v2"}},
            {"GITHUB_REF": "refs/tags/v2"},
            event("release", ref="refs/tags/v2"),
            id="release",
        ),
        pytest.param(
            "release",
            {"release": {"tag_name": "v2"}},
            {"GITHUB_REF": ""},
            event("release", ref="refs/tags/v2"),
            id="release-without-ref-uses-its-tag",
        ),
        pytest.param(
            "release",
            {"action": "deleted", "release": {"tag_name": "v1"}},
            {"GITHUB_REF": "refs/tags/v1"},
            event("release", ref="refs/tags/v1", action="deleted"),
            id="release-action",
        ),
        pytest.param(
            "workflow_run",
            {"action": "completed", "workflow_run": {"conclusion": "failure"}},
            {},
            event("workflow_run", conclusion="failure"),
            id="workflow-run-conclusion",
        ),
        pytest.param(
            "workflow_run",
            {
                "workflow_run": {
                    "conclusion": "success",
                    "event": "pull_request",
                    "head_branch": "main",
                    "head_sha": B,
                }
            },
            {},
            event(
                "workflow_run",
                conclusion="success",
                followed="pull_request",
                followed_branch="main",
                followed_sha=B,
            ),
            id="workflow-run-of-a-pull-request",
        ),
        pytest.param(
            "workflow_dispatch", {"inputs": None}, {}, event("workflow_dispatch"), id="no-inputs"
        ),
        pytest.param("schedule", {"schedule": "0 3 * * *"}, {}, event("schedule"), id="schedule"),
        pytest.param("workflow_run", {"before": B}, {}, event("workflow_run"), id="workflow-run"),
        pytest.param(
            "repository_dispatch",
            {"action": "x"},
            {},
            event("repository_dispatch"),
            id="dispatched",
        ),
        pytest.param("moon_phase", {"deleted": True}, {}, event("moon_phase"), id="unknown-event"),
    ],
)
def test_each_event_is_read(
    tmp_path: Path, name: str, payload: dict[str, Any], env: dict[str, str], expected: Event
) -> None:
    read = read_event(env_for(tmp_path, name, {**payload, "repository": REPOSITORY}, **env))

    assert read == expected


EVENTS = [
    "push", "delete", "pull_request", "pull_request_target", "merge_group", "release",
    "workflow_dispatch", "schedule", "workflow_run", "repository_dispatch", "moon_phase",
]  # fmt: skip


@pytest.mark.parametrize("name", EVENTS)
def test_an_empty_payload_has_no_facts(tmp_path: Path, name: str) -> None:
    read = read_event(env_for(tmp_path, name, {}))

    assert read == event(name, default_branch="", deleted=name == "delete")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("main", id="no-id"),
        pytest.param("A" * 40, id="upper-case"),
        pytest.param("a" * 39, id="too-short"),
        pytest.param("a" * 41, id="neither-length"),
        pytest.param("a" * 40 + "\n", id="line-end"),
        pytest.param("--upload-pack=touch x", id="option"),
        pytest.param(1234, id="number"),
        pytest.param([A], id="list"),
        pytest.param(None, id="null"),
    ],
)
def test_what_is_no_full_object_id_is_absent(tmp_path: Path, value: object) -> None:
    env = env_for(tmp_path, "push", {"before": value}, GITHUB_SHA=str(value))

    read = read_event(env)

    assert (read.before, read.sha) == ("", "")


@pytest.mark.parametrize("odd", [[], [1], "x", 7, 1.5, True, None])
@pytest.mark.parametrize("name", EVENTS)
def test_other_types_where_objects_should_be_are_absent(
    tmp_path: Path, name: str, odd: object
) -> None:
    keys = ("repository", "pull_request", "merge_group", "release", "inputs", "before", "forced")
    shallow = read_event(env_for(tmp_path, name, dict.fromkeys(keys, odd)))
    assert (shallow.default_branch, shallow.before, shallow.action) == ("", "", "")

    deep = {"head": odd, "base": odd, "number": odd}
    read = read_event(env_for(tmp_path, name, {"pull_request": deep, "number": odd}))
    if read.pull_request:
        number = odd if odd == 7 else 0
        assert read.pull_request == PullRequest(
            number=number, head_sha="", base_sha="", base_ref=""
        )


KEYS = st.sampled_from(
    [
        *("before", "deleted", "forced", "repository", "default_branch", "full_name", "number"),
        *("pull_request", "head", "base", "sha", "ref", "merge_group", "base_sha"),
        *("release", "tag_name", "inputs"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([A, ZEROS])
TEXTS = st.text(st.characters())  # with halves of characters, as JSON can spell them
JSON = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)


@given(name=st.sampled_from(EVENTS), payload=st.dictionaries(KEYS, JSON))
def test_no_payload_crashes_and_every_fact_is_fit_for_git(
    name: str, payload: dict[str, object]
) -> None:
    read = _event(name, payload, {})

    for text in (
        *(read.ref, read.before, read.default_branch, read.merge_group_base_sha),
        *(read.action, read.conclusion, read.followed, read.followed_branch, read.followed_sha),
    ):
        text.encode()
        assert "\0" not in text and "\n" not in text


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"GITHUB_EVENT_PATH": ""}, id="no-path"),
        pytest.param({"GITHUB_EVENT_PATH": "/nowhere/event.json"}, id="no-file"),
        pytest.param({"GITHUB_EVENT_PATH": "/"}, id="a-folder"),
        pytest.param({"GITHUB_EVENT_PATH": "a\0b"}, id="no-path-at-all"),
        pytest.param({"GITHUB_EVENT_NAME": ""}, id="no-name"),
    ],
)
def test_a_missing_event_is_a_lack(tmp_path: Path, change: dict[str, str]) -> None:
    with pytest.raises(EnvironmentLacks) as caught:
        read_event({**env_for(tmp_path, "push", {}), **change})

    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut-short"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"x"', id="text"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"a": "\xff"}', id="not-utf-8"),
        pytest.param(b"[" * 100_000, id="bottomless"),
        pytest.param(b"\x00\x01\x02\x03", id="binary"),
    ],
)
def test_a_malformed_event_is_wrong_input(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)

    with pytest.raises(InputError) as caught:
        read_event({"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(path)})

    assert caught.value.exit_code == 2


def test_a_byte_order_mark_and_a_big_payload_are_read(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    commits = [{"id": A, "message": "m" * 1000}] * 5000
    text = json.dumps({"before": B, "commits": commits})
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())

    read = read_event({"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(path)})

    assert read.before == B


def test_environment_beats_the_payload_for_the_repository(tmp_path: Path) -> None:
    env = env_for(tmp_path, "push", {"repository": REPOSITORY}, GITHUB_REPOSITORY="fork/orient")

    assert read_event(env).repository == "fork/orient"
    assert read_event({**env, "GITHUB_REPOSITORY": ""}).repository == "acme/orient"
