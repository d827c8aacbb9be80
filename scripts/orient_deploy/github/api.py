"""One conversation with GitHub's REST API: who asks, how often, and what a refusal means.

The token goes to the API and to nobody that it points to, and never gets into a message; nor does
what is sent, or a word of what a refusal says. Decides nothing.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from orient_deploy.errors import RemoteError

if TYPE_CHECKING:
    import requests

TIMEOUT_S = 10.0
TRIES = 3
PAGE = 100  # the most that the API gives at once
ANSWER_MAX_BYTES = 32 * 1024 * 1024
LONGEST_WAIT_S = 30.0  # a longer Retry-After is not worth a runner's time here
# Of what changes something: GitHub asks for a second between two, and a minute where it says that
# there were too many and not how long to wait ("Best practices for using the REST API").
BETWEEN_WRITES_S = 1.0
TOO_MANY_S = 60.0
LONGEST_WAIT_TO_WRITE_S = 300.0

ASK_AGAIN = "Re-run this job in a while"


class Api:
    """What may be asked, for one purpose; `what` begins each error's message, and `advice` ends
    that of a refusal."""

    def __init__(
        self,
        session: requests.Session,
        url: str,
        *,
        what: str,
        advice: str,
        sleep: Callable[[float], None],
        meanings: Mapping[int, tuple[str, str]],
    ) -> None:
        self._session = session
        self._url = url
        self._what = what
        self._advice = advice
        self._sleep = sleep
        self._meanings = meanings
        self._has_written = False

    def get(self, path: str, query: Mapping[str, str]) -> object:
        """The decoded answer.

        Asks again when the connection or the server failed, never when the server refused. A
        redirect is not followed, so that the token goes to nobody else.

        Raises:
            RemoteError: GitHub refused, or gave no usable answer after three tries.
        """
        return self._ask("GET", path, query=query, longest_wait_s=LONGEST_WAIT_S)[1]

    def find(self, path: str) -> object | None:
        """As `get`, of what may not be there: None for a 404."""
        status, answer = self._ask("GET", path, returned=(404,), longest_wait_s=LONGEST_WAIT_S)
        return None if status == 404 else answer

    def locate(self, path: str) -> tuple[int, str]:
        """Where something is that GitHub keeps elsewhere: 302 and its address, which is not asked;
        410 when it is no longer kept."""
        status, where = self._ask("GET", path, returned=(302, 410), longest_wait_s=LONGEST_WAIT_S)
        return status, str(where or "")

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        returned: Collection[int] = (),
    ) -> int:
        """Change something; the status of the answer, one below 300 or one of `returned`.

        Asks again as `get` does: what was asked may have happened once already when the connection
        failed. Two changes are a second apart, and a limit that GitHub names is waited for.

        Raises:
            RemoteError: GitHub refused, or gave no usable answer after three tries.
        """
        self._space_writes()
        wait_s = LONGEST_WAIT_TO_WRITE_S
        return self._ask(method, path, body=body, returned=returned, longest_wait_s=wait_s)[0]

    def create(self, path: str, body: Mapping[str, object]) -> object | None:
        """Make what asking twice would make twice; what GitHub tells of it.

        None, after a wait: the connection or the server failed, and nobody knows whether it was
        made. A limit that GitHub names is waited for, as by `send`.

        Raises:
            RemoteError: GitHub refused, or limited us three times.
        """
        self._space_writes()
        wait_s = LONGEST_WAIT_TO_WRITE_S
        return self._ask("POST", path, body=body, once=True, longest_wait_s=wait_s)[1]

    def _space_writes(self) -> None:
        if self._has_written:
            self._sleep(BETWEEN_WRITES_S)
        self._has_written = True

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        returned: Collection[int] = (),
        once: bool = False,
        longest_wait_s: float,
    ) -> tuple[int, object]:
        """The status and the decoded answer; with `once` 0 where it may have happened."""
        from requests import RequestException

        attempt = 1
        while True:
            wait_s = 2.0**attempt * random.uniform(0.5, 1.0)
            may_have_happened = True
            try:
                response = self._session.request(
                    method,
                    f"{self._url}{path}",
                    params=query,
                    json=body,
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                    stream=True,
                )
                content = _content(response)
            except (RequestException, OSError, ValueError) as error:
                why = f"the connection failed ({type(error).__name__})"
            else:
                status = response.status_code
                if status in returned:
                    return status, response.headers.get("Location")
                if status < 300:
                    return status, self._decoded(content) if content else None
                why = f"GitHub answered {status}"
                # Who only reads tries again soon where GitHub does not say how long it takes.
                limited = _limited_s(
                    response, content, guess_s=0.0 if method == "GET" else TOO_MANY_S
                )
                if limited:
                    why += f": it takes no more requests for {_duration(limited)}"
                if status != 429 and status < 500 and limited is None:
                    # 404 is what a token without the permission gets for a private repository.
                    advice = self._advice if status in (401, 403, 404) else ASK_AGAIN
                    if 300 <= status < 400:
                        why += ": what is asked for has moved"
                        advice = "Look whether the repository was renamed, and give its name"
                    raise self.failed(*self._meanings.get(status, (why, advice)))
                may_have_happened = status >= 500
                told = response.headers.get("Retry-After", "")
                wait_s = max(wait_s, float(told) if re.fullmatch(r"[0-9]{1,9}", told) else 0.0)
                wait_s = max(wait_s, limited or 0.0)
            if attempt == TRIES or wait_s > longest_wait_s:
                raise self.failed(why, ASK_AGAIN) from None
            self._sleep(wait_s)
            if once and may_have_happened:
                return 0, None
            attempt += 1

    def failed(self, why: str, next_step: str = ASK_AGAIN) -> RemoteError:
        """The error to raise."""
        return RemoteError(self._what, why, next_step)

    def _decoded(self, content: bytes) -> object:
        with suppress(ValueError, RecursionError):
            answer: object = json.loads(content)
            return answer
        # Not while the other error is handled, which holds the whole answer: values of variables.
        raise self.failed("the answer is not JSON")


@contextmanager
def github_api(
    url: str,
    token: str,
    *,
    what: str,
    advice: str,
    sleep: Callable[[float], None],
    meanings: Mapping[int, tuple[str, str]] = MappingProxyType({}),
) -> Iterator[Api]:
    """Begin a conversation; `advice` is what to do when the token may not do what is asked.

    `meanings` has, for a status that says more than that here, what it says and what to do.

    Raises:
        RemoteError: the token is none.
    """
    import requests

    # What a header cannot hold would otherwise be quoted, token and all, by the error about it.
    if not re.fullmatch(r"[!-~]+", token):
        why = "the token is empty or holds characters that no token has"
        raise RemoteError(what, why, advice)

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
        yield Api(session, url, what=what, advice=advice, sleep=sleep, meanings=meanings)


def _content(response: requests.Response) -> bytes:
    """The answer, of a bearable size: a list of a hundred issues has some 7 MB at most."""
    content = b""
    with response:
        for piece in response.iter_content(1 << 16):
            content += piece
            if len(content) > ANSWER_MAX_BYTES:
                raise ValueError("too large")
    return content


def _limited_s(response: requests.Response, content: bytes, guess_s: float) -> float | None:
    """How long to wait where a refusal is about how often we asked; None: it is not.

    `guess_s` is for a refusal that does not say it.
    """
    if response.status_code not in (403, 429):
        return None
    told = response.headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,9}", told):
        return float(told)
    if response.headers.get("X-RateLimit-Remaining") == "0":
        return _until_reset_s(response.headers, guess_s)
    return guess_s if b"rate limit" in content[:2000].lower() else None


def _until_reset_s(headers: Mapping[str, str], guess_s: float) -> float:
    """When the hour ends, by GitHub's own clock: ours may be wrong."""
    from email.utils import parsedate_to_datetime

    reset = headers.get("X-RateLimit-Reset", "")
    try:
        now = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return guess_s
    return max(float(reset) - now, 1.0) if re.fullmatch(r"[0-9]{1,12}", reset) else guess_s


def _duration(seconds: float) -> str:
    """A wait for people.

    >>> _duration(7), _duration(2400)
    ('7 seconds', '40 minutes')
    """
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def permit(permission: str) -> str:
    """The advice for a workflow's own token that lacks a permission, like 'actions: read'."""
    return f"Give the job `permissions: {permission}`, or pass a token that has it"
