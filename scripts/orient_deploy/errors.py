"""The errors a person can cause or meet, each with the exit code that names its kind.

    OrientError                     never raised itself
    ├── InputError            2     wrong input, or not a repository: nothing was done
    │   └── ConfigError       2     the same, with every problem at its file, line and column
    ├── EnvironmentLacks      3     no git, git too old, an output file that cannot be written
    ├── RemoteError           4     a server said no, or nothing, after bounded retries
    ├── BuildFailed           5     an image was not built: its Dockerfile, or the time limit
    └── LockedError          75     somebody else deploys there: nothing was done

Only `orient_deploy.commands.main` catches them. Whatever else is raised is our fault: exit 70.
A check that found something is a result, not an error: exit 1. So is a verdict: a deploy that is
not well, exit 5, or 6 where it was rolled back, or 7 where that failed too, and one of which nobody
could see enough, exit 8.
"""

from __future__ import annotations

EXIT_GOOD = 0
EXIT_FOUND = 1
EXIT_FAILED = 5
EXIT_ROLLED_BACK = 6
EXIT_ROLLBACK_FAILED = 7
EXIT_INCONCLUSIVE = 8
EXIT_OUR_FAULT = 70


class OrientError(Exception):
    """What happened, why we think so, and what to do next: three parts, one message."""

    exit_code = EXIT_OUR_FAULT
    # Where it is, for an annotation, and the lines of a log that show it; whoever knows sets them.
    file = ""
    line = 0
    excerpt: tuple[str, ...] = ()

    def __init__(self, what: str, why: str, next_step: str) -> None:
        super().__init__(what, why, next_step)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what}: {self.why}. {self.next_step}"


class InputError(OrientError):
    """An input, an argument or the place we were started in is wrong; nothing was done."""

    exit_code = 2


class EnvironmentLacks(OrientError):
    """The machine lacks something: git, a recent enough git, a file that can be written."""

    exit_code = 3


class RemoteError(OrientError):
    """A server refused, failed or stayed silent after bounded retries."""

    exit_code = 4


class BuildFailed(OrientError):
    """An image was not built, and a builder that works was there."""

    exit_code = 5


class LockedError(OrientError):
    """Somebody else deploys there: nothing was done."""

    exit_code = 75
