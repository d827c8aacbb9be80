"""The jobs of a workflow run, asked of GitHub's REST API.

Decides nothing, and knows GitHub only as a source of facts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from orient_deploy.github.api import PAGE, github_api, permit
from orient_deploy.github.model import Job

MOST_PAGES = 20  # a run with more jobs than that is not one that we can tell apart


def list_jobs(
    api_url: str,
    repository: str,
    run_id: str,
    token: str,
    *,
    attempt: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Job, ...]:
    """The latest attempt of every job of a run, or one attempt; needs `actions: read`.

    Raises:
        RemoteError: GitHub refused, or gave no usable answer after three tries.

    Source: GitHub REST API, "List jobs for a workflow run", `filter=latest`, and "List jobs for a
    workflow run attempt".
    """
    what, permission = "the jobs of this run could not be listed", "actions: read"
    path = f"/repos/{repository}/actions/runs/{run_id}"
    path += f"/attempts/{attempt}/jobs" if attempt else "/jobs"
    latest = {} if attempt else {"filter": "latest"}
    jobs: list[Job] = []
    with github_api(api_url, token, what=what, advice=permit(permission), sleep=sleep) as api:
        for page in range(1, MOST_PAGES + 1):
            answer = api.get(path, {**latest, "per_page": str(PAGE), "page": str(page)})
            listed = answer.get("jobs") if isinstance(answer, dict) else None
            if not isinstance(listed, list):
                raise api.failed("the answer holds no list of jobs")
            jobs += [_job(entry) for entry in listed if isinstance(entry, dict)]
            if len(listed) < PAGE:
                return tuple(jobs)
        raise api.failed(f"the run has more than {MOST_PAGES * PAGE:,} jobs", "Split the workflow")


def _job(entry: Mapping[str, object]) -> Job:
    number = entry.get("id")
    return Job(
        name=str(entry.get("name") or ""),
        conclusion=str(entry.get("conclusion") or ""),
        url=str(entry.get("html_url") or ""),
        id=number if isinstance(number, int) else 0,
    )
