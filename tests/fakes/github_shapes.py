"""Repositories, environments and issues as GitHub's API shows them.

Only how things look: nothing is stored or decided here. What GitHub requires is there, with plain
values where no test looks.
"""

from __future__ import annotations

from tests.fakes.github_model import Issue, Json, Repository, moment


def user(base: str, login: str, number: int = 1) -> Json:
    url = f"{base}/users/{login}"
    links = (
        "followers following gists starred subscriptions organizations repos events received_events"
    )
    return {
        "login": login,
        "id": number,
        "node_id": f"U_{number}",
        "avatar_url": f"{base}/avatars/{number}",
        "gravatar_id": None,
        "url": url,
        "html_url": f"{base}/{login}",
        "type": "User",
        "site_admin": False,
        **{f"{link}_url": f"{url}/{link}" for link in links.split()},
    }


def repository(base: str, one: Repository) -> Json:
    owner, name = one.name.split("/")
    url = f"{base}/repos/{one.name}"
    plain = (
        "assignees blobs branches collaborators comments commits compare contents contributors "
        "deployments downloads events forks git_commits git_refs git_tags issue_comment "
        "issue_events issues keys labels languages merges milestones notifications pulls releases "
        "stargazers statuses subscribers subscription tags teams trees archive hooks"
    )
    texts = {"git_url": "git", "ssh_url": "ssh", "svn_url": "svn", "clone_url": "clone"}
    flags = {
        "has_issues": one.has_issues,
        "has_projects": False,
        "has_wiki": False,
        "has_pages": False,
    }
    return {
        **{f"{link}_url": f"{url}/{link}" for link in plain.split()},
        **{key: f"{base}/{one.name}/{way}" for key, way in texts.items()},
        **flags,
        "id": one.number,
        "node_id": f"R_{one.number}",
        "name": name,
        "full_name": one.name,
        "owner": user(base, owner),
        "private": one.private,
        "visibility": "private" if one.private else "public",
        "html_url": f"{base}/{one.name}",
        "url": url,
        "description": None,
        "homepage": None,
        "mirror_url": None,
        "language": None,
        "license": None,
        "fork": False,
        "archived": False,
        "disabled": False,
        "has_discussions": False,
        "default_branch": "main",
        "forks": 0,
        "forks_count": 0,
        "stargazers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "subscribers_count": 0,
        "network_count": 0,
        "size": 1,
        "open_issues": sum(issue.state == "open" for issue in one.issues),
        "open_issues_count": sum(issue.state == "open" for issue in one.issues),
        "permissions": {"admin": True, "push": True, "pull": True},
        "created_at": moment(one.created),
        "updated_at": moment(one.created),
        "pushed_at": moment(one.created),
    }


def environment(base: str, one: Repository, name: str) -> Json:
    url = f"{base}/repos/{one.name}/environments/{name}"
    made = moment(one.environments[name][1])
    return {
        "id": 1 + list(one.environments).index(name),
        "node_id": f"EN_{name}",
        "name": name,
        "url": url,
        "html_url": f"{base}/{one.name}/deployments/activity_log?environments_filter={name}",
        "created_at": made,
        "updated_at": made,
        "protection_rules": [],
        "deployment_branch_policy": None,
    }


def issue(base: str, one: Repository, issue: Issue) -> Json:
    url = f"{base}/repos/{one.name}/issues/{issue.number}"
    owner = one.name.split("/")[0]
    return {
        "id": 1000 + issue.number,
        "node_id": f"I_{issue.number}",
        "url": url,
        "repository_url": f"{base}/repos/{one.name}",
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": f"{base}/{one.name}/issues/{issue.number}",
        "number": issue.number,
        "state": issue.state,
        "state_reason": issue.state_reason,
        "title": issue.title,
        "body": issue.body,
        "user": user(base, owner),
        "labels": [label(base, one, name) for name in issue.labels],
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "locked": False,
        "comments": len(issue.comments),
        "closed_at": None if issue.closed is None else moment(issue.closed),
        "created_at": moment(issue.created),
        "updated_at": moment(issue.updated),
        "author_association": "OWNER",
    } | (_pull_request(base, one, issue.number) if issue.is_pull_request else {})


def _pull_request(base: str, one: Repository, number: int) -> Json:
    """What tells a pull request in a list of issues."""
    page = f"{base}/{one.name}/pull/{number}"
    return {
        "html_url": page,
        "draft": False,
        "pull_request": {
            "url": f"{base}/repos/{one.name}/pulls/{number}",
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": None,
        },
    }


def label(base: str, one: Repository, name: str) -> Json:
    made = one.label(name)
    return {
        **made,
        "node_id": f"LA_{made['id']}",
        "url": f"{base}/repos/{one.name}/labels/{made['name']}",
        "default": False,
    }


def comment(base: str, one: Repository, issue: Issue, place: int) -> Json:
    body, at = issue.comments[place]
    number = 1000 * issue.number + place
    url = f"{base}/repos/{one.name}/issues/{issue.number}"
    return {
        "id": number,
        "node_id": f"IC_{number}",
        "url": f"{base}/repos/{one.name}/issues/comments/{number}",
        "html_url": f"{base}/{one.name}/issues/{issue.number}#issuecomment-{number}",
        "issue_url": url,
        "body": body,
        "user": user(base, one.name.split("/")[0]),
        "created_at": moment(at),
        "updated_at": moment(at),
        "author_association": "OWNER",
    }
