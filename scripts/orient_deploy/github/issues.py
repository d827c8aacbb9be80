"""One open issue per subject, kept at GitHub's REST API.

An issue is ours when it carries both our label and the subject's marker, an HTML comment that ends
its body. Anybody may write a marker into an issue of a public repository; only who may push can
label one (and an issue form of the repository's own, should it name this label). Whether there is
something to tell, and its words, are the caller's. No word of an issue or of a refusal gets into
an error.

Source: GitHub REST API, "Issues", "Issue comments" and "Labels"; the OpenAPI description of them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from orient_deploy.github.api import PAGE, TRIES, Api, github_api, permit

LABEL = "orient-deploy"
# Of characters, which is what the API's refusal says; four bytes each at most, and 262,144 bytes
# are what issues and comments were seen to take (github.com/dead-claudia/github-limits/pull/13).
BODY_MAX = 65_536
TITLE_MAX = 256  # as above: the refusal's words
MOST_PAGES = 10  # of open issues with our label; there is one per subject

_COLOR = "ededed"  # what GitHub gives a label that it makes by itself
_ABOUT_LABEL = "Opened and closed by orient-deploy-actions"
_BEGINNING = f"<!-- {LABEL} "
_LINE_MAX = 2000  # a longer one is cut within
_CUT = "\n\n*The rest is left out: it is longer than GitHub takes.*"
_PERMISSION = "issues: write"
_DISABLED = (
    "issues are disabled in this repository",
    "Enable them in its settings, or do not ask for an issue",
)

Action = Literal["opened", "updated", "closed", "none"]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What was done, and the issue that is or was there; no number when there is none."""

    action: Action
    number: int | None = None
    url: str = ""


def keep_one_issue(
    api_url: str,
    repository: str,
    token: str,
    *,
    marker: str,
    title: str,
    body: str,
    is_open: bool,
    closing: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> Kept:
    """Have exactly one open issue with the marker, saying this, or none.

    To be open: one that says something else is rewritten, without a comment. Of several, which
    two runs at once leave, the oldest stays, and the others are closed as not planned. What
    someone closed by hand stays closed: another one is opened. To be closed: each is closed as
    completed and then told `closing`, at most once, so that a lost answer leaves one comment or
    none but never two.

    There is no issue without the label, which would never be found again. The label is made first
    when it is missing: that GitHub makes it along with an issue is documented nowhere, and failed
    silently for tokens of apps (github.com/octokit/rest.js/issues/479). A token whose owner may
    not push has the label refused, or dropped from the issue; that issue is closed again and is an
    error.

    `marker` is of [a-z0-9 ._-]. The token needs `issues: write`. A body is cut at its end.

    Raises:
        RemoteError: issues are disabled, the token may not do this, GitHub dropped the label, or
            there was no usable answer after three tries.
    """
    if not re.fullmatch(r"[a-z0-9 ._-]+", marker):
        raise ValueError("a marker is of a-z, 0-9, space, dot, underscore and hyphen")
    what = f"the issue about {marker!a} could not be kept"
    with github_api(
        api_url,
        token,
        what=what,
        advice=permit(_PERMISSION),
        sleep=sleep,
        meanings={410: _DISABLED},
    ) as api:
        issues = _Issues(api, repository, marker)
        return issues.keep(title, body) if is_open else issues.close_all(closing)


@dataclass(frozen=True, kw_only=True)
class _Issue:
    number: int
    url: str
    title: str
    body: str

    def says(self, title: str, body: str) -> bool:
        # What a person saves in a browser has the ends of lines of one.
        return (self.title, _plain(self.body)) == (title, _plain(body))


class _Issues:
    """The open issues that carry one marker."""

    def __init__(self, api: Api, repository: str, marker: str) -> None:
        self._api = api
        self._path = f"/repos/{repository}/issues"
        self._labels = f"/repos/{repository}/labels"
        self._marker = marker

    def keep(self, title: str, body: str) -> Kept:
        title = _sendable(" ".join(title.split()))[:TITLE_MAX].rstrip()
        body = self._marked(body)
        found = self._listed()
        action: Action = "none"
        if not found:
            found = self._open(title, body)
            action = "opened"
        kept, *others = found
        if not kept.says(title, body):
            if not self._change(kept, {"title": title, "body": body}):
                raise self._api.failed("it was deleted meanwhile")
            action = action if action == "opened" else "updated"
        for other in others:
            self._change(other, {"state": "closed", "state_reason": "not_planned"})
            action = action if action == "opened" else "updated"
        return Kept(action=action, number=kept.number, url=kept.url)

    def close_all(self, closing: str) -> Kept:
        last = Kept(action="none")
        for issue in reversed(self._listed()):
            if self._change(issue, {"state": "closed", "state_reason": "completed"}):
                if closing:
                    self._api.create(f"{self._path}/{issue.number}/comments", _comment(closing))
                last = Kept(action="closed", number=issue.number, url=issue.url)
        return last

    def _open(self, title: str, body: str) -> list[_Issue]:
        """Open one; all that are open by now, the oldest first.

        Another run may have opened one as well, and a request whose answer got lost may have. Both
        are looked for: before asking again, and after it was done.
        """
        if self._api.find(f"{self._labels}/{LABEL}") is None:
            label = {"name": LABEL, "color": _COLOR, "description": _ABOUT_LABEL}
            self._api.send("POST", self._labels, label, returned=(422,))  # 422: it is there by now
        for _ in range(TRIES):
            answer = self._api.create(self._path, {"title": title, "body": body, "labels": [LABEL]})
            opened = None if answer is None else self._opened(answer)
            found = self._listed()
            if opened is not None and opened.number not in {one.number for one in found}:
                found.append(opened)  # a list may be a moment older
                found.sort(key=lambda one: one.number)
            if found:
                return found
        raise self._api.failed("GitHub did not say whether it was opened")

    def _opened(self, answer: object) -> _Issue:
        issue = _issue(answer)
        if issue is None:
            raise self._api.failed("the answer holds no issue")
        if not _has_label(answer):
            closed = {"state": "closed", "state_reason": "not_planned"}
            self._api.send(
                "PATCH", f"{self._path}/{issue.number}", closed, returned=(403, 404, 410, 422)
            )
            why = f"GitHub left the label {LABEL!a} out, without which it is not found again"
            raise self._api.failed(why, f"{permit(_PERMISSION)}, of somebody who may push")
        return issue

    def _change(self, issue: _Issue, change: dict[str, object]) -> bool:
        """Whether the issue was there to be changed; 410: it was deleted."""
        path = f"{self._path}/{issue.number}"
        return self._api.send("PATCH", path, change, returned=(410,)) != 410

    def _listed(self) -> list[_Issue]:
        """All that are open, the oldest first."""
        found: dict[int, _Issue] = {}
        query = {"state": "open", "labels": LABEL, "sort": "created", "direction": "asc"}
        for page in range(1, MOST_PAGES + 1):
            listed = self._api.get(self._path, {**query, "per_page": str(PAGE), "page": str(page)})
            if not isinstance(listed, list):
                raise self._api.failed("the answer holds no list of issues")
            for row in listed:
                issue = _issue(row)
                if issue is not None and _has_label(row) and self._is_marked(issue.body):
                    found[issue.number] = issue
            if len(listed) < PAGE:
                return [found[number] for number in sorted(found)]
        why = f"more than {MOST_PAGES * PAGE:,} open issues carry the label {LABEL!a}"
        raise self._api.failed(why, "Take it off those that have nothing to do with this")

    def _is_marked(self, body: str) -> bool:
        """Whether the last marker is ours: others may be quoted, and a person may add lines."""
        _, beginning, rest = body.rpartition(_BEGINNING)
        return bool(beginning) and rest.startswith(f"{self._marker} -->")

    def _marked(self, body: str) -> str:
        ending = f"\n\n{_BEGINNING}{self._marker} -->"
        return _cut(body, BODY_MAX - len(ending)) + ending


def _issue(row: object) -> _Issue | None:
    """None for a pull request, which lists of issues hold as well."""
    if not isinstance(row, dict) or row.get("pull_request") is not None:
        return None
    number, url, title, body = (row.get(key) for key in ("number", "html_url", "title", "body"))
    if not isinstance(number, int) or not isinstance(url, str) or row.get("state") != "open":
        return None
    return _Issue(number=number, url=url, title=str(title or ""), body=str(body or ""))


def _has_label(row: object) -> bool:
    labels = row.get("labels") if isinstance(row, dict) else None
    for label in labels if isinstance(labels, list) else []:
        name = label.get("name") if isinstance(label, dict) else label
        if isinstance(name, str) and name.lower() == LABEL:  # GitHub finds labels in any case
            return True
    return False


def _comment(text: str) -> dict[str, object]:
    return {"body": _cut(text, BODY_MAX)}


def _cut(text: str, most: int) -> str:
    text = _sendable(text).rstrip()
    if len(text) <= most:
        return text
    text = text[: most - len(_CUT)]
    end = text.rfind("\n", len(text) - _LINE_MAX)
    return (text[:end] if end > 0 else text).rstrip() + _CUT


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _sendable(text: str) -> str:
    """Without half characters, which no JSON parser has to take."""
    return text.encode(errors="replace").decode()
