"""Whether a port takes connections, and keeps them.

Asks once; never decides what that means for a deploy.
"""

from __future__ import annotations

import time

from orient_deploy.health.observation import Answer
from orient_deploy.probe.connection import Unanswered, named, reached, why
from orient_deploy.probe.model import TcpProbe

# Docker's proxy takes every connection, and closes it when nothing listens in the container.
KEPT_S = 0.2


def ask_tcp(probe: TcpProbe) -> Answer:
    """Whether a connection is taken, and not closed at once."""
    deadline = time.monotonic() + probe.timeout_s
    place = named(probe.host, probe.port)
    try:
        one = reached(
            probe.host, probe.port, family=probe.family, via=probe.via, deadline_s=deadline
        )
        with one:
            one.settimeout(KEPT_S)
            try:
                is_closed = not one.recv(1)
            except TimeoutError:
                is_closed = False  # who says nothing waits for us
            except OSError as error:
                raise why(error, place) from None
        if is_closed:
            raise Unanswered("refused", f"{place} closes the connection at once")
    except Unanswered as error:
        return error.answer(probe.name)
    return Answer(probe=probe.name, outcome="right")
