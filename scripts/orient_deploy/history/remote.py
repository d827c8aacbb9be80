"""The server of a repository: its address, the token's way to git, what its answers mean.

The token travels in the environment of one git child: never in an argument, a file or a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence

from orient_deploy.errors import InputError
from orient_deploy.history.git import Done, Git, GitTimeout
from orient_deploy.history.model import SHORT
from orient_deploy.record import dataclass, field

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["done", "gone", "no-ids", "no-ref", "no-filter", "failed"]

ATTEMPTS = 3  # in all; only connection errors, 429 and 5xx are tried again


_TRANSIENT = re.compile(
    rb"HTTP (?:429|5\d\d)|returned error: (?:429|5\d\d)|resolve host|(?:Failed|Couldn't) connect"
    rb"|Failed to connect|Could not connect|Connection (?:refused|reset|timed out|was reset|died)"
    rb"|early EOF|hung up unexpectedly|unexpected disconnect|(?:Recv|Send) failure|Empty reply"
    rb"|Operation too slow|Operation timed out|Timeout was reached|GnuTLS recv error|SSL_read"
)


def _sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)


@dataclass(frozen=True)
class Answer:
    """What came of a conversation with the server; `about` is the id or ref it concerns."""

    kind: Kind
    out: bytes = b""
    clause: str = ""
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """Where missing objects can be asked for."""

    server_url: str  # https://github.com
    repository: str  # owner/name
    token: str = field(default="", repr=False)
    timeout_s: float = 120.0  # for each git child
    pause: Callable[[float], None] = field(default=_sleep, repr=False, compare=False)

    def __post_init__(self) -> None:
        # The address is an argument of git's: it must not be an option or one of git's helpers.
        if not re.fullmatch(r"https?://[^\s/][^\s]*", self.server_url):
            raise InputError(
                f"the server's address is {self.server_url!r}",
                "it is no http or https address",
                "Set GITHUB_SERVER_URL as GitHub does: https://github.com",
            )
        if not re.fullmatch(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+", self.repository):
            raise InputError(
                f"the repository is {self.repository!r}",
                "it is not of the form owner/name",
                "Set GITHUB_REPOSITORY as GitHub does: owner/name",
            )

    @property
    def url(self) -> str:
        return f"{self.server_url.rstrip('/')}/{self.repository}"

    def environment(self, git: Git) -> dict[str, str]:
        """git's environment for talking to this server."""
        settings = [
            # Slower than this for the whole time-out: git's own transport gives up by itself.
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", str(max(1, round(self.timeout_s)))),
            # git would take the token along to another host.
            ("http.followRedirects", "false"),
        ]
        if self.token:
            key = f"http.{self.server_url.rstrip('/')}/.extraheader"
            settings += [
                (key, ""),  # forget those of the machine's own configuration
                (key, f"AUTHORIZATION: basic {self._basic()}"),
                ("credential.helper", ""),  # a helper would be told that the token is wrong
                # The longest prefix wins: a rewrite of the whole server does not divert this one.
                (f"url.{self.url}.insteadOf", self.url),
            ]
        environment = dict(git.networking)
        if git.version() >= (2, 31):
            environment["GIT_CONFIG_COUNT"] = str(len(settings))
            for number, (key, value) in enumerate(settings):
                environment[f"GIT_CONFIG_KEY_{number}"] = key
                environment[f"GIT_CONFIG_VALUE_{number}"] = value
        else:  # until git 2.31 is the floor: what `git -c` itself hands to its children
            environment["GIT_CONFIG_PARAMETERS"] = quoted_settings(settings)
        return environment

    def ask(self, git: Git, arguments: Sequence[str], stdin: bytes = b"") -> Answer:
        """Run a git command that talks to the server, again where that can help."""
        environment = self.environment(git)
        answer = Answer("failed")
        for attempt in range(ATTEMPTS):
            if attempt:
                jitter = int.from_bytes(os.urandom(2), "big") / 65536
                self.pause(2 ** (attempt - 1) * (0.5 + jitter))
            answer, again = self._ask_once(git, arguments, stdin, environment)
            if not again:
                break
        return answer

    def _ask_once(
        self, git: Git, arguments: Sequence[str], stdin: bytes, environment: Mapping[str, str]
    ) -> tuple[Answer, bool]:
        try:
            done = git.run(
                arguments,
                stdin=stdin,
                environment=environment,
                timeout_s=self.timeout_s,
                own_session=True,
            )
        except GitTimeout:
            clause = f"the server did not answer within {self.timeout_s:g} seconds"
            return Answer("failed", clause=clause), False
        if done.code == 0:
            return Answer("done", done.out), False
        return self._judge(done)

    def _judge(self, done: Done) -> tuple[Answer, bool]:
        said = self.scrub(done.message)[:300]  # cut after scrubbing: half a token is one, too
        if found := re.search(rb"not our ref ([0-9a-f]{40,64})", done.err):
            clause = f'the server answered "not our ref {found[1].decode()[:SHORT]}"'
            return Answer("gone", clause=clause, about=found[1].decode()), False
        if re.search(rb"unadvertised object|support shallow|shallow capabilities", done.err):
            clause = "the server hands out no commits by their id"
            return Answer("no-ids", clause=clause), False
        if found := re.search(rb"couldn't find remote ref ([^\n]+)", done.err, re.I):
            ref = os.fsdecode(found[1])
            return Answer("no-ref", clause=f'the server answered "{said}"', about=ref), False
        if re.search(rb"filter .*not supported", done.err):
            return Answer("no-filter", clause=f'the server answered "{said}"'), False
        again = _TRANSIENT.search(done.err) is not None
        if b"could not read Username" in done.err or b"could not read Password" in done.err:
            said = "a token is needed"
        how = "could not be reached" if again else "refused"
        return Answer("failed", clause=f'the server {how} ("{said}")'), again

    def scrub(self, text: str) -> str:
        """`text` without the token, in whichever form git may show it."""
        if self.token:
            for secret in (self.token, self._basic()):
                text = text.replace(secret, "***")
        return re.sub(r"://[^/\s@]*@", "://", text)

    def _basic(self) -> str:
        from binascii import b2a_base64

        return b2a_base64(f"x-access-token:{self.token}".encode(), newline=False).decode()


def quoted_settings(settings: Sequence[tuple[str, str]]) -> str:
    """Settings in the form of GIT_CONFIG_PARAMETERS: 'key=value' in shell quotes, blanks between.

    >>> quoted_settings([("a.b", "it's")])
    "'a.b=it'\\\\''s'"
    """
    return " ".join(
        "'" + f"{key}={value}".replace("'", "'\\''").replace("!", "'\\!'") + "'"
        for key, value in settings
    )
