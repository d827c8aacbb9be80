"""What the packages of a workspace resolve to, from the lockfile of pnpm, npm or yarn.

Decides which part of a lockfile counts for which packages of the workspace, and its digest. Never
guesses: a lockfile of an unknown kind or shape is a problem, and its reader lets all of it count.
"""

from __future__ import annotations

from orient_deploy.inputs.lockfile.lock import ROOT as ROOT
from orient_deploy.inputs.lockfile.lock import Lock, LockProblem, Unread

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.inputs.lockfile.yarn import Asked

PNPM = "pnpm-lock.yaml"
NPM = ("package-lock.json", "npm-shrinkwrap.json")
YARN = "yarn.lock"
LOCKFILES = (PNPM, *NPM, YARN)


def read_lock(path: str, content: bytes, asked: Asked | None = None) -> Lock | LockProblem:
    """The lockfile of that path.

    `asked` tells of each package of the workspace, by its folder from the lockfile's, the names
    and ranges that it asks for: Yarn 1 lists no packages of a workspace, and without it all of its
    lockfile counts for each.
    """
    name = path.rpartition("/")[2]
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return LockProblem(f"it is not UTF-8 at byte {error.start}")
    for marker in ("<<<<<<< ", ">>>>>>> "):
        at = 0 if text.startswith(marker) else text.find("\n" + marker) + 1
        if at or text.startswith(marker):
            return LockProblem(f"line {text.count(chr(10), 0, at) + 1} is a merge conflict")
    try:
        if name == PNPM:
            from orient_deploy.inputs.lockfile import pnpm

            return pnpm.read(text)
        if name in NPM:
            from orient_deploy.inputs.lockfile import npm

            return npm.read(text)
        if name == YARN:
            from orient_deploy.inputs.lockfile import yarn

            return yarn.read(text, asked)
    except Unread as error:
        return LockProblem(str(error))
    return LockProblem("it is of an unknown kind")
