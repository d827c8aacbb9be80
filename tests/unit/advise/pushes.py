"""Invented rows of pushes, to look at and to render."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Literal

from orient_deploy.advise.replay import By
from orient_deploy.advise.replay_text import About
from orient_deploy.advise.stale import Push, Standing
from orient_deploy.inputs.images import Difference

IMAGES = ("opencode", "whatsapp", "dashboard")
PATHS = (
    *("packages/core/src/index.ts", "packages/mcp-tools/src/list.ts", "tsconfig.json"),
    *("packages/dashboard/src/pages/settings/notifications/EmailDigest.tsx", "docs/README.md"),
)
SUBJECTS = ("Greet on the dashboard", "Merge branch 'feature/tools'", "Update zod", "Add a tool")
FIRST_S = 1_768_000_000
HOSTILE = "</title><img src=x onerror=alert(1)>\x1b[31m\u202e\udcff\"'&\n"


def invented(
    count: int,
    images: Sequence[str] = IMAGES,
    *,
    by: By = "current",
    hostile: bool = False,
    seed: int = 1,
) -> list[Push]:
    """Pushes that look like those of a repository; lists miss some builds and do some needlessly.

    The last image appears late. With `hostile` every text tries to break out.
    """
    chance = random.Random(seed)
    digests = dict.fromkeys(images, "0")
    known = {name: {"0"} for name in images}
    found = []
    time_s = FIRST_S
    for number in range(count):
        time_s += chance.randint(600, 90_000)
        standings = []
        for name in images if number > count // 5 else images[: max(1, len(images) - 1)]:
            before = digests[name]
            if chance.random() < 0.35:
                again = chance.random() < 0.2
                digests[name] = chance.choice(sorted(known[name])) if again else str(number + 1)
            changed = digests[name] != before
            decided: Literal["build", "reuse", "leave"] = "leave"
            if by == "auto" and changed:
                decided = "reuse" if digests[name] in known[name] else "build"
            elif by == "current" and chance.random() < (0.7 if changed else 0.08):
                decided = "build"
            known[name].add(digests[name])
            paths = chance.sample(PATHS, chance.randint(1, len(PATHS))) if changed else []
            differences = [
                Difference(
                    path=HOSTILE + path if hostile else path,
                    why=f"read by packages/{name}/Dockerfile line {len(path)}",
                )
                for path in paths
            ]
            standings.append(
                Standing(
                    name=name,
                    digest=digests[name],
                    before=before,
                    decided=decided,
                    differences=tuple(differences),
                )
            )
        found.append(
            Push(
                id=hashlib.sha1(str(number).encode()).hexdigest(),
                parent="",
                subject=HOSTILE * 9 if hostile else chance.choice(SUBJECTS),
                time_s=time_s,
                files=None if number == 0 else chance.randint(1, 300),
                standings=tuple(standings),
                deploy=any(one.decided != "leave" for one in standings),
                reason=HOSTILE if hostile else "changed: packages/core/**",
            )
        )
    return found


def about(*, by: By = "current", hostile: bool = False, minutes: bool = True) -> About:
    """Where they would be from."""
    return About(
        repository=HOSTILE if hostile else "acme/orient",
        branch=HOSTILE if hostile else "main",
        by=by,
        source="the input digests" if by == "auto" else "the watch lists of orient-deploy.yml",
        web="https://github.com/acme/orient",
        minutes={"opencode": 5, "whatsapp": 3} if minutes else {},
        remarks=(HOSTILE,) if hostile else (),
    )
