"""The log of a job, asked of GitHub's REST API and fetched from where it is kept.

That is another host, which is not told the token. Streamed, and bounded in time and size however
it is packed. Decides nothing, and keeps nothing.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orient_deploy.github.api import ASK_AGAIN, TIMEOUT_S, github_api, permit

if TYPE_CHECKING:
    import requests

    from orient_deploy.github.api import Api

LOG_MAX_BYTES = 512 * 1024 * 1024  # unpacked
LOG_MAX_S = 300.0
PIECE_BYTES = 256 * 1024


def read_log(
    api_url: str,
    repository: str,
    job_id: int,
    token: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[bytes]:
    """The log of a job that has ended, in pieces; needs the permission `actions: read`.

    Raises:
        RemoteError: there is none, GitHub refused, or it was cut off; what came before is of use.

    Source: GitHub REST API, "Download job logs for a workflow run": 302 to an address that holds
    for a minute, 410 when the log is no longer kept.
    """
    what = f"the log of job {job_id} cannot be read"
    with github_api(
        api_url,
        token,
        what=what,
        advice=permit("actions: read"),
        sleep=sleep,
        meanings={
            404: (
                "GitHub answered 404: there is none yet, or the token may not see it",
                "Ask when the job has ended, with a token that has `actions: read`",
            )
        },
    ) as api:
        status, address = api.locate(f"/repos/{repository}/actions/jobs/{job_id}/logs")
        if status == 410:
            raise api.failed("GitHub no longer keeps it", "Run the job again")
        # A log is fetched over what the API itself is: never less.
        if urlsplit(address).scheme not in ("https", urlsplit(api_url).scheme):
            raise api.failed("GitHub names no address that can be asked")
        yield from _fetch(address, api, clock)


def _fetch(address: str, api: Api, clock: Callable[[], float]) -> Iterator[bytes]:
    import requests
    from urllib3.exceptions import HTTPError

    ends_at = clock() + LOG_MAX_S
    # The address is signed: it must not get into a message, nor into an error's context.
    why = ""
    with requests.Session() as session:
        session.auth = _nobody  # or requests would add what a .netrc holds
        try:
            with session.get(
                address,
                headers={
                    "Accept-Encoding": "gzip, identity",
                    "User-Agent": "orient-deploy-actions",
                },
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.status_code != 200:
                    why = f"where it is kept, {response.status_code} was answered"
                else:
                    size = 0
                    for piece in _unpacked(response):
                        size += len(piece)
                        yield piece
                        if size > LOG_MAX_BYTES:
                            why = f"it has more than {LOG_MAX_BYTES >> 20} MiB, and the rest is not"
                            why += " looked at"
                            break
                        if clock() > ends_at:
                            why = f"it took longer than {LOG_MAX_S:g} seconds"
                            break
        except (requests.RequestException, HTTPError, OSError, ValueError, zlib.error) as error:
            why = f"the connection failed ({type(error).__name__})"
    if why:
        raise api.failed(why, ASK_AGAIN)


def _unpacked(response: requests.Response) -> Iterator[bytes]:
    """The body in pieces that are small however well it was packed."""
    packing = response.headers.get("Content-Encoding", "identity").lower()
    pieces: Iterator[bytes] = response.raw.stream(PIECE_BYTES, decode_content=False)
    if packing in ("", "identity"):
        yield from pieces
        return
    if packing != "gzip":
        raise ValueError("an unknown packing")
    unpacker = zlib.decompressobj(wbits=31)
    for piece in pieces:
        while piece:
            yield unpacker.decompress(piece, PIECE_BYTES)
            piece = unpacker.unconsumed_tail
    if not unpacker.eof:
        raise ValueError("cut off")


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
