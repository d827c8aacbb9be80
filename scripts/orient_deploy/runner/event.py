"""The event that started the run, read from GitHub's payload into one value.

Decides nothing: which commit an event is compared with is `history`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """The two sides of a pull request; `head_sha` may live in a fork."""

    number: int
    head_sha: str
    base_sha: str
    base_ref: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happened, in GitHub's terms. Absent facts are empty strings, never None.

    `sha` is GITHUB_SHA: the commit whose workflow runs. `ref` is GITHUB_REF in full
    (refs/heads/…, refs/tags/…, refs/pull/N/merge).
    """

    name: str  # push, pull_request, workflow_dispatch, …; 'local' on a laptop
    sha: str = ""
    ref: str = ""
    before: str = ""  # push: the tip before; all zeros when the ref is new
    deleted: bool = False  # push or delete: the ref is gone
    forced: bool = False
    default_branch: str = ""
    pull_request: PullRequest | None = None
    merge_group_base_sha: str = ""
    repository: str = ""  # owner/name
    server_url: str = ""  # https://github.com
    inputs: tuple[tuple[str, str], ...] = field(default=())  # workflow_dispatch's own

    @property
    def branch(self) -> str:
        """The branch's name, or '' when the ref is not a branch."""
        return self.ref[len("refs/heads/") :] if self.ref.startswith("refs/heads/") else ""

    @property
    def tag(self) -> str:
        """The tag's name, or '' when the ref is not a tag."""
        return self.ref[len("refs/tags/") :] if self.ref.startswith("refs/tags/") else ""
