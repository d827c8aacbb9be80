"""The jobs of a workflow run, asked of GitHub's REST API.

Decides nothing, and knows GitHub only as a source of facts.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from orient_deploy.errors import RemoteError
from orient_deploy.github.model import Job

TIMEOUT_S = 10.0
TRIES = 3
PAGE = 100  # the most that the API gives at once
LONGEST_WAIT_S = 30.0  # a longer Retry-After is not worth a runner's time here


def list_jobs(
    api_url: str,
    repository: str,
    run_id: str,
    token: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Job, ...]:
    """The latest attempt of every job of a run; needs the permission `actions: read`.

    Raises:
        RemoteError: GitHub refused, or did not answer after three tries.

    Source: GitHub REST API, "List jobs for a workflow run", `filter=latest`.
    """
    import requests

    jobs: list[Job] = []
    with requests.Session() as session:
        session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token}",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "orient-deploy-actions",
            }
        )
        page = 1
        while True:
            answer = _get(
                session,
                f"{api_url}/repos/{repository}/actions/runs/{run_id}/jobs",
                {"filter": "latest", "per_page": str(PAGE), "page": str(page)},
                sleep,
            )
            listed = answer.get("jobs")
            if not isinstance(listed, list):
                raise _failed("the answer holds no list of jobs")
            jobs += [
                Job(
                    name=str(job.get("name") or ""),
                    conclusion=str(job.get("conclusion") or ""),
                    url=str(job.get("html_url") or ""),
                )
                for job in listed
                if isinstance(job, dict)
            ]
            if len(listed) < PAGE:
                return tuple(jobs)
            page += 1


def _get(
    session: object, url: str, query: dict[str, str], sleep: Callable[[float], None]
) -> dict[str, object]:
    import requests

    assert isinstance(session, requests.Session)
    why = ""
    for attempt in range(1, TRIES + 1):
        wait_s = 2.0**attempt * random.uniform(0.5, 1.0)
        try:
            response = session.get(url, params=query, timeout=TIMEOUT_S, allow_redirects=False)
        except requests.RequestException as error:
            why = f"the connection failed ({type(error).__name__})"
        else:
            if response.status_code == 200:
                try:
                    answer = response.json()
                except ValueError:
                    raise _failed("the answer is not JSON") from None
                return answer if isinstance(answer, dict) else {}
            why = f"GitHub answered {response.status_code}"
            if response.status_code != 429 and response.status_code < 500:
                break  # it will not change its mind
            told = response.headers.get("Retry-After", "")
            wait_s = max(wait_s, float(told) if told.isdigit() else 0.0)
        if wait_s > LONGEST_WAIT_S:
            break
        if attempt < TRIES:
            sleep(wait_s)
    raise _failed(why)


def _failed(why: str) -> RemoteError:
    return RemoteError(
        "the jobs of this run could not be listed",
        why,
        "Give the job `permissions: actions: read`, or pass a token that has it",
    )
