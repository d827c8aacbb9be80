"""Chooses the commit a run is compared with: one row per kind of event, with reasons for readers.

`candidates` is pure: what an event suggests, best first. `resolve` asks a repository for each in
turn. A base that cannot be had is never an error: it is the next candidate, and in the end none,
which means that everything is built. Never decides what is built, and never reads a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from orient_deploy.errors import InputError, RemoteError
from orient_deploy.history.checkout import Checkout
from orient_deploy.history.git import Git
from orient_deploy.history.model import SHORT, Base, Resolution
from orient_deploy.history.repository import Repository, Want
from orient_deploy.record import dataclass
from orient_deploy.runner.event import Event, PullRequest

# What git refuses in a name, but for ~ ^ @ { } of HEAD~1 and main@{upstream}; and a leading dash.
_NO_REVISION = re.compile(r"^-|[\x00-\x20\x7f:?*\[\\\ud800-\udfff]|\.\.|^$")
_NO_REF = re.compile(r"[\x00-\x20\x7f:?*\[\\^~\ud800-\udfff]|\.\.|//|/$|^$|@\{|\.lock$")
_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_RECORD_EVENTS = ("schedule", "workflow_run", "repository_dispatch", "workflow_dispatch")


@dataclass(frozen=True, kw_only=True)
class Known:
    """A commit whose id is known."""

    commit: str
    reason: str
    what: str  # 'the commit before this push': the subject of a sentence that says it is gone
    suspicion: str = ""  # why it may be gone


@dataclass(frozen=True, kw_only=True)
class MergeParent:
    """The first parent of the commit that merges `second` into the base branch."""

    merge: str
    second: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ForkPoint:
    """Where two lines of history parted."""

    one: Want
    other: Want
    reason: str
    what: str


@dataclass(frozen=True, kw_only=True)
class PreviousTag:
    """The version before `tag`, among the tags that match tag-pattern."""

    tag: str


@dataclass(frozen=True, kw_only=True)
class Parent:
    """The first parent of a commit."""

    commit: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """No commit: build all, or, when the ref is gone, nothing."""

    reason: str
    nothing_to_do: bool = False


Candidate = Known | MergeParent | ForkPoint | PreviousTag | Parent | Nothing


def candidates(
    event: Event, head: str, *, deploying: bool, is_version: Callable[[str], bool] | None
) -> tuple[Candidate, ...]:
    """What the event suggests as a base, best first; the last one always gives an answer."""
    request = event.pull_request
    if event.deleted:
        return (Nothing(reason=f"{_ref_text(event)} was deleted", nothing_to_do=True),)
    if event.name in ("pull_request", "pull_request_target"):
        return _of_pull_request(event, head, request)
    if event.name == "merge_group":
        if not event.merge_group_base_sha:
            return (Nothing(reason="the merge group's event names no base commit"),)
        known = Known(
            commit=event.merge_group_base_sha,
            reason="what the merge queue adds this group to",
            what="the merge group's base commit",
        )
        return (known,)
    if event.name == "release" or (event.name == "push" and event.tag):
        return (_of_tag(event, is_version),)
    if event.name == "push":
        return (_of_push(event, head, deploying),)
    if event.name in _RECORD_EVENTS:
        return (Nothing(reason=f"{event.name} has no recorded build to be compared with"),)
    return (Nothing(reason=f"the event {event.name!r} says nothing about what came before"),)


def resolve(
    event: Event,
    repository: Repository,
    *,
    deploying: bool,
    is_version: Callable[[str], bool] | None = None,
    explicit_base: str = "",
    commit: str = "",
    recorded: Sequence[Known] = (),
) -> Resolution:
    """The commit to decide about, and the one it is compared with; both readable in `repository`.

    `is_version` tells tags that match tag-pattern; None: there is no such pattern. `recorded` are
    candidates that come before the event's own.

    Raises:
        InputError: `explicit_base` or `commit` names nothing.
        RemoteError: not even the commit to decide about can be had.
    """
    if event.deleted:
        (gone,) = candidates(event, "", deploying=deploying, is_version=is_version)
        assert isinstance(gone, Nothing)
        return Resolution(
            head=event.sha, base=Base(commit=None, reason=gone.reason, nothing_to_do=True)
        )
    head = obtain_head(event, repository, commit)
    if explicit_base:
        return Resolution(head=head, base=_explicit(explicit_base, head, event, repository))
    rows: Sequence[Candidate]
    if event.name == "local":
        rows = _of_laptop(repository, head)
    else:
        rows = candidates(event, head, deploying=deploying, is_version=is_version)
    return Resolution(head=head, base=_first((*recorded, *rows), head, repository, is_version))


def obtain_head(event: Event, repository: Repository, commit: str = "") -> str:
    """The full id of the commit to decide about, made readable.

    Fetches with it, in one go, the base that the event names.

    Raises:
        InputError: `commit` names nothing.
        RemoteError: it cannot be had.
    """
    if commit:
        return _named_by_input("commit", commit, event, repository)
    request = event.pull_request
    if event.name == "pull_request_target" and request and request.head_sha:
        # GITHUB_SHA is the base branch's tip there.
        want = Want(request.head_sha, _pull_ref(request))
    else:
        want = Want(event.sha, event.ref if _is_ref(event.ref) else "")
    if not want.commit:
        raise InputError(
            "there is no commit to decide about",
            "GITHUB_SHA is not set, or not a full commit id",
            "Set GITHUB_SHA, or give the input 'commit'",
        )
    if event.name == "pull_request":
        repository.obtain(want, depth=2)  # the merge commit and both its parents
    else:
        base = event.merge_group_base_sha or event.before
        repository.obtain(want, *([] if _is_zero(base) else [Want(base, want.ref)]))
    head = repository.commit(want.commit)
    if not head:
        raise RemoteError(
            f"the commit {want.commit[:SHORT]} cannot be had",
            repository.lost.get(want.commit, "it is neither in the checkout nor on the server"),
            "Check out the repository in an earlier step, or give a token that can read it",
        )
    return head


def local_event(git: Git, checkout: Checkout) -> Event:
    """What stands for an event on a laptop: the commit and the branch that are checked out.

    Raises:
        InputError: there is no commit yet.
    """
    head = checkout.tip(git, "HEAD")
    if not head:
        raise InputError(
            f"the repository in {checkout.directory} has no commit",
            "HEAD names none",
            "Commit something first",
        )
    default = checkout.symbolic(git, "refs/remotes/origin/HEAD")
    return Event(
        name="local",
        sha=head,
        ref=checkout.symbolic(git, "HEAD"),
        default_branch=default[len("refs/remotes/origin/") :],
    )


# --- rows


def _of_pull_request(event: Event, head: str, request: PullRequest | None) -> tuple[Candidate, ...]:
    if request is None or not (request.head_sha and request.base_sha):
        return (Nothing(reason=f"the {event.name} event does not name the pull request's commits"),)
    base_name = request.base_ref or "the base branch"
    base_ref = f"refs/heads/{request.base_ref}"
    fork_point = ForkPoint(
        one=Want(request.base_sha, base_ref if _is_ref(base_ref) else ""),
        other=Want(request.head_sha, _pull_ref(request)),
        reason=f"where the pull request left {base_name}",
        what=f"the commit where the pull request left {base_name}",
    )
    if event.name == "pull_request_target":
        return (fork_point,)
    merge = MergeParent(
        merge=head, second=request.head_sha, reason=f"{base_name}, which the pull request goes to"
    )
    return (merge, fork_point)


def _of_tag(event: Event, is_version: Callable[[str], bool] | None) -> Candidate:
    if not event.tag:
        return Nothing(reason=f"the {event.name} event names no tag")
    if is_version is None:
        return Nothing(reason="there is no tag-pattern to find the previous version with")
    if not is_version(event.tag):
        return Nothing(reason=f"the tag {event.tag} does not match tag-pattern")
    return PreviousTag(tag=event.tag)


def _of_push(event: Event, head: str, deploying: bool) -> Candidate:
    # A default branch that deploys nothing is compared like one that does: with itself, it would
    # never differ.
    if deploying or event.branch == event.default_branch:
        if _is_zero(event.before):
            return Nothing(
                reason="this is the first push of the branch"
                if event.before
                else "the push event does not name the commit before it"
            )
        return Known(
            commit=event.before,
            reason="the tip before this push",
            what="the commit before this push",
            suspicion="forced push" if event.forced else "",
        )
    default_ref = f"refs/heads/{event.default_branch}"
    if not event.default_branch or not _is_ref(default_ref):
        return Nothing(reason="the event does not name the default branch to compare with")
    return ForkPoint(
        one=Want(ref=default_ref),
        other=Want(head, event.ref if _is_ref(event.ref) else ""),
        reason=f"where the branch left {event.default_branch}",
        what=f"the commit where the branch left {event.default_branch}",
    )


def _of_laptop(repository: Repository, head: str) -> tuple[Candidate, ...]:
    checkout, git = repository.checkout, repository.git
    assert checkout is not None, "a local event comes from a checkout"
    if not repository.parents(head):
        return (Nothing(reason="this is the first commit"),)
    parent = Parent(commit=head, reason="the commit before this one")
    branch = checkout.symbolic(git, "HEAD")
    remote_head = checkout.symbolic(git, "refs/remotes/origin/HEAD")
    names = [
        *([remote_head] if remote_head else []),
        *("refs/remotes/origin/main", "refs/remotes/origin/master"),
        *("refs/heads/main", "refs/heads/master"),
    ]
    upstream, *tips = checkout.tips(git, "@{upstream}", *names)
    name, tip = next(((n, tip) for n, tip in zip(names, tips, strict=True) if tip), ("", ""))
    default = re.sub(r"^refs/(?:heads|remotes/origin)/", "", name)
    if branch and branch == f"refs/heads/{default}":
        if not upstream or repository.merge_base(upstream, head) == head:
            return (parent,)
        return (
            ForkPoint(
                one=Want(upstream),
                other=Want(head),
                reason="what has been pushed",
                what="the commit that was last pushed",
            ),
            parent,
        )
    if not tip:
        return (parent,)
    if not branch and repository.merge_base(tip, head) == head:  # detached on the default branch
        return (parent,)
    return (
        ForkPoint(
            one=Want(tip),
            other=Want(head),
            reason=f"where the branch left {default}",
            what=f"the commit where the branch left {default}",
        ),
    )


# --- asking for them


def _first(
    rows: Sequence[Candidate],
    head: str,
    repository: Repository,
    is_version: Callable[[str], bool] | None,
) -> Base:
    missed: list[str] = []
    last = "nothing was found to compare with"
    for row in rows:
        base = _try(row, head, repository, is_version)
        if base.commit or isinstance(row, Nothing):
            return Base(
                commit=base.commit,
                reason=base.reason,
                missed=(*missed, *base.missed),
                nothing_to_do=base.nothing_to_do,
            )
        missed += base.missed
        last = base.reason
    return Base(commit=None, reason=last, missed=tuple(missed))


def _try(
    row: Candidate, head: str, repository: Repository, is_version: Callable[[str], bool] | None
) -> Base:
    if isinstance(row, Nothing):
        return Base(commit=None, reason=row.reason, nothing_to_do=row.nothing_to_do)
    if isinstance(row, Known):
        if row.commit == head:
            return Base(commit=head, reason=f"{row.reason}, which is this very commit")
        return _known(row, repository)
    if isinstance(row, Parent):
        (parent, *_) = repository.parents(row.commit)
        return _known(
            Known(commit=parent, reason=row.reason, what="the commit before this one"), repository
        )
    if isinstance(row, MergeParent):
        parents = repository.parents(row.merge)
        if len(parents) != 2 or parents[1] != row.second:
            return _missed(f"{row.merge[:SHORT]} is not the merge commit of the pull request")
        return _known(
            Known(commit=parents[0], reason=row.reason, what="the pull request's base commit"),
            repository,
        )
    if isinstance(row, PreviousTag):
        assert is_version is not None
        return _previous_tag(row.tag, head, repository, is_version)
    found, why = repository.fork_point(row.one, row.other)
    if not found:
        return _missed(f"{row.what} was not found", why)
    return Base(commit=found, reason=row.reason)


def _known(row: Known, repository: Repository) -> Base:
    repository.obtain(Want(row.commit))
    commit = repository.commit(row.commit)
    if commit:
        return Base(commit=commit, reason=row.reason)
    what = f"{row.what}, {row.commit[:SHORT]},"
    why = repository.lost.get(row.commit, "")
    if row.commit in repository.gone:
        suspicion = f" ({row.suspicion})" if row.suspicion else ""
        return _missed(f"{what} is no longer on the server{suspicion}", why)
    return _missed(f"{what} could not be fetched", why)


def _missed(reason: str, why: str = "") -> Base:
    return Base(commit=None, reason=reason, missed=(f"{reason}: {why}" if why else reason,))


def _previous_tag(
    tag: str, head: str, repository: Repository, is_version: Callable[[str], bool]
) -> Base:
    checkout = repository.checkout
    # A complete clone made by actions/checkout has all tags; others have none, or only this one.
    local = checkout.tags(repository.git) if checkout and not checkout.is_shallow else {}
    previous = _next_older(tag, head, local, is_version)
    why = ""
    if not previous:
        tags, why = repository.server_tags()
        previous = _next_older(tag, head, tags, is_version)
    if why:
        return _missed("the previous version's tag is not known", why)
    if not previous:
        return Base(commit=None, reason=f"no older tag than {tag} matches tag-pattern")
    name, commit = previous
    repository.obtain(Want(commit, f"refs/tags/{name}"))
    known = Known(commit=commit, reason=f"the previous version, {name}", what=f"the tag {name}")
    return _known(known, repository)


def _next_older(
    tag: str, head: str, tags: dict[str, str], is_version: Callable[[str], bool]
) -> tuple[str, str] | None:
    """The version before `head`'s, of another commit.

    A commit counts once, under the newest of its versions. So a floating tag like v1, which git
    orders below v1.0.0, says nothing beside the version it stands on, neither when it is pushed
    itself (v1 moved to v1.1.0's commit: v1.0.0 is before it) nor as a candidate.
    """
    newest: dict[str, str] = {}
    for name, commit in tags.items():
        if is_version(name):
            newest.setdefault(commit, name)
    # Another commit may be asked for than the tag's, or the tag may have been moved meanwhile.
    commits = list(newest)
    start = head if head in newest else tags.get(tag, "")
    older = commits[commits.index(start) + 1 :] if start in newest else []
    return next(((newest[commit], commit) for commit in older), None)


def _explicit(name: str, head: str, event: Event, repository: Repository) -> Base:
    try:
        commit = _named_by_input("base", name, event, repository, head)
    except RemoteError as error:  # nobody said that it names nothing
        return _missed(f"the input 'base', {_shortened(name)}, could not be fetched", error.why)
    reason = "the input 'base'" if commit.startswith(name) else f"the input 'base', {name}"
    return Base(commit=commit, reason=reason)


def _named_by_input(
    label: str, name: str, event: Event, repository: Repository, head: str = ""
) -> str:
    """The commit that an input names: in the checkout, else on the server."""
    if _NO_REVISION.search(name):
        why = "it is no name that git allows"
    else:
        found, why = _find(name, repository, head)
        if found:
            return found
        if repository.remote is not None and repository.offline:
            raise RemoteError(
                f"input '{label}': {_shortened(name)} cannot be had",
                repository.offline,
                "Run again, check the token, or check out the repository with more history",
            )
    where = event.repository or (repository.checkout.directory if repository.checkout else "")
    raise InputError(
        f"input '{label}': {name!r} names no commit of {where or 'the repository'}",
        why,
        f"Give a branch, tag or full SHA, or leave '{label}' out",
    )


def _shortened(name: str) -> str:
    return name[:SHORT] if _FULL_ID.fullmatch(name) else name


def _find(name: str, repository: Repository, head: str) -> tuple[str, str]:
    """The commit, or '' and why not. Branches and tags come before short ids, as in git."""
    if _FULL_ID.fullmatch(name):
        repository.obtain(Want(name))
        return repository.commit(name), repository.lost.get(name, "")
    relative = re.fullmatch(r"(?:HEAD|@)((?:[~^][0-9]*)+)", name)
    if relative and head:
        return repository.ancestor(head, relative[1]), "its history does not reach that far"
    if repository.checkout is not None:
        for found in repository.checkout.tips(repository.git, name, f"refs/remotes/origin/{name}"):
            if found:
                return found, ""
    is_id = re.fullmatch(r"[0-9a-f]{4,63}", name) is not None
    why = "there is no such branch, tag or commit in the checkout"
    if repository.remote is None:
        return "", why
    if _NO_REF.search(name) or name.startswith("/"):
        return "", f"{why}, and a server knows no such expression"
    full = [name] if name.startswith("refs/") else []
    refs, _ = repository.server_refs(*full, f"refs/heads/{name}", f"refs/tags/{name}")
    for ref, oid in refs.items():
        repository.obtain(Want(oid, ref))
        if commit := repository.commit(oid):
            return commit, ""
    if is_id:
        why = f"{why}, and a server finds commits by their full SHA only"
        return repository.commit(name), why
    return "", "neither the checkout nor the server has such a branch, tag or commit"


def _pull_ref(request: PullRequest) -> str:
    """The server's own name of the head: it exists for forks, too."""
    return f"refs/pull/{request.number}/head" if request.number else ""


def _ref_text(event: Event) -> str:
    if event.name == "delete" or not (event.branch or event.tag):
        return "a branch or tag"
    return f"the branch {event.branch}" if event.branch else f"the tag {event.tag}"


def _is_ref(ref: str) -> bool:
    return ref.startswith("refs/") and not _NO_REF.search(ref)


def _is_zero(commit: str) -> bool:
    return not commit.strip("0")
