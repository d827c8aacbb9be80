"""One conversation with GitHub's REST API: who asks, how often, and what a refusal means.

Only reads. The token goes to the API and to nobody that it points to, and never gets into a
message.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orient_deploy.errors import RemoteError

if TYPE_CHECKING:
    import requests

TIMEOUT_S = 10.0
TRIES = 3
PAGE = 100  # the most that the API gives at once
LONGEST_WAIT_S = 30.0  # a longer Retry-After is not worth a runner's time here

ASK_AGAIN = "Re-run this job in a while"


class Api:
    """What may be asked, for one purpose; `what` begins each error's message."""

    def __init__(
        self,
        session: requests.Session,
        url: str,
        *,
        what: str,
        permission: str,
        sleep: Callable[[float], None],
    ) -> None:
        self._session = session
        self._url = url
        self._what = what
        self._permission = permission
        self._sleep = sleep

    def get(self, path: str, query: Mapping[str, str]) -> object:
        """The decoded answer.

        Asks again when the connection or the server failed, never when the server refused. A
        redirect is not followed, so that the token goes to nobody else.

        Raises:
            RemoteError: GitHub refused, or gave no usable answer after three tries.
        """
        from requests import RequestException

        attempt = 1
        while True:
            wait_s = 2.0**attempt * random.uniform(0.5, 1.0)
            try:
                response = self._session.get(
                    f"{self._url}{path}", params=query, timeout=TIMEOUT_S, allow_redirects=False
                )
            except (RequestException, OSError, ValueError) as error:
                why = f"the connection failed ({type(error).__name__})"
            else:
                status = response.status_code
                if status == 200:
                    return self._decoded(response)
                why = f"GitHub answered {status}"
                if status != 429 and status < 500:
                    # 404 is what a token without the permission gets for a private repository.
                    refused = status in (401, 403, 404)
                    raise self.failed(why, _advice(self._permission) if refused else ASK_AGAIN)
                told = response.headers.get("Retry-After", "")
                wait_s = max(wait_s, float(told) if re.fullmatch(r"[0-9]{1,9}", told) else 0.0)
            if attempt == TRIES or wait_s > LONGEST_WAIT_S:
                raise self.failed(why, ASK_AGAIN)
            self._sleep(wait_s)
            attempt += 1

    def failed(self, why: str, next_step: str = ASK_AGAIN) -> RemoteError:
        """The error to raise."""
        return RemoteError(self._what, why, next_step)

    def _decoded(self, response: requests.Response) -> object:
        try:
            answer: object = response.json()
        except (ValueError, RecursionError):
            raise self.failed("the answer is not JSON") from None
        return answer


@contextmanager
def github_api(
    url: str, token: str, *, what: str, permission: str, sleep: Callable[[float], None]
) -> Iterator[Api]:
    """Begin a conversation; `permission` is the one that the token needs, like 'actions: read'.

    Raises:
        RemoteError: the token is none.
    """
    import requests

    # What a header cannot hold would otherwise be quoted, token and all, by the error about it.
    if not re.fullmatch(r"[!-~]+", token):
        why = "the token is empty or holds characters that no token has"
        raise RemoteError(what, why, _advice(permission))

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth` and not as a header: requests would replace that by what a .netrc holds.
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    with requests.Session() as session:
        session.auth = authorize
        session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "orient-deploy-actions",
            }
        )
        yield Api(session, url, what=what, permission=permission, sleep=sleep)


def _advice(permission: str) -> str:
    return f"Give the job `permissions: {permission}`, or pass a token that has it"
