"""Runs an HTTP server beside a test. What it answers is the business of whoever made it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import HTTPServer


@contextmanager
def serving(http: HTTPServer, *, ending: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Serve until the block ends; `ending` lets go of handlers that hold an answer back."""
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        ending()
        http.shutdown()
        thread.join(10)
        http.server_close()
