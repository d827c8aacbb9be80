"""The jobs of a workflow run, asked of GitHub's REST API.

Decides nothing, and knows GitHub only as a source of facts. The token never gets into a message.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from orient_deploy.errors import RemoteError
from orient_deploy.github.model import Job

if TYPE_CHECKING:
    import requests

TIMEOUT_S = 10.0
TRIES = 3
PAGE = 100  # the most that the API gives at once
MOST_PAGES = 20  # a run with more jobs than that is not one that we can tell apart
LONGEST_WAIT_S = 30.0  # a longer Retry-After is not worth a runner's time here

_ASK_AGAIN = "Re-run this job in a while"
_PERMISSION = "Give the job `permissions: actions: read`, or pass a token that has it"


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
        RemoteError: GitHub refused, or gave no usable answer after three tries.

    Source: GitHub REST API, "List jobs for a workflow run", `filter=latest`.
    """
    import requests

    # What a header cannot hold would otherwise be quoted, token and all, by the error about it.
    if not re.fullmatch(r"[!-~]+", token):
        raise _failed("the token is empty or holds characters that no token has", _PERMISSION)

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth` and not as a header: requests would replace that by what a .netrc holds.
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    url = f"{api_url}/repos/{repository}/actions/runs/{run_id}/jobs"
    jobs: list[Job] = []
    with requests.Session() as session:
        session.auth = authorize
        session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "orient-deploy-actions",
            }
        )
        for page in range(1, MOST_PAGES + 1):
            query = {"filter": "latest", "per_page": str(PAGE), "page": str(page)}
            answer = _get(session, url, query, sleep)
            listed = answer.get("jobs") if isinstance(answer, dict) else None
            if not isinstance(listed, list):
                raise _failed("the answer holds no list of jobs", _ASK_AGAIN)
            jobs += [_job(entry) for entry in listed if isinstance(entry, dict)]
            if len(listed) < PAGE:
                return tuple(jobs)
    raise _failed(f"the run has more than {MOST_PAGES * PAGE:,} jobs", "Split the workflow")


def _job(entry: Mapping[str, object]) -> Job:
    return Job(
        name=str(entry.get("name") or ""),
        conclusion=str(entry.get("conclusion") or ""),
        url=str(entry.get("html_url") or ""),
    )


def _get(
    session: requests.Session, url: str, query: Mapping[str, str], sleep: Callable[[float], None]
) -> object:
    """The decoded answer.

    Asks again when the connection or the server failed, never when the server refused. A redirect
    is not followed, so that the token goes to nobody else.
    """
    from requests import RequestException

    attempt = 1
    while True:
        wait_s = 2.0**attempt * random.uniform(0.5, 1.0)
        try:
            response = session.get(url, params=query, timeout=TIMEOUT_S, allow_redirects=False)
        except (RequestException, OSError, ValueError) as error:
            why = f"the connection failed ({type(error).__name__})"
        else:
            status = response.status_code
            if status == 200:
                return _decoded(response)
            why = f"GitHub answered {status}"
            if status != 429 and status < 500:
                # 404 is what a token without the permission gets for a private repository.
                raise _failed(why, _PERMISSION if status in (401, 403, 404) else _ASK_AGAIN)
            told = response.headers.get("Retry-After", "")
            wait_s = max(wait_s, float(told) if re.fullmatch(r"[0-9]{1,9}", told) else 0.0)
        if attempt == TRIES or wait_s > LONGEST_WAIT_S:
            raise _failed(why, _ASK_AGAIN)
        sleep(wait_s)
        attempt += 1


def _decoded(response: requests.Response) -> object:
    try:
        answer: object = response.json()
    except (ValueError, RecursionError):
        raise _failed("the answer is not JSON", _ASK_AGAIN) from None
    return answer


def _failed(why: str, next_step: str) -> RemoteError:
    return RemoteError("the jobs of this run could not be listed", why, next_step)
