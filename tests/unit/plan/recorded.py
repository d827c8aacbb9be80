"""The running example when input digests decide: facts of its images, and plans made from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orient_deploy.history.model import Base
from orient_deploy.inputs.images import Difference
from orient_deploy.plan.decide import decide
from orient_deploy.plan.facts import Recorded
from orient_deploy.plan.model import Deployed, ImageFacts, Plan, Record, Request
from tests.unit.plan import orient
from tests.unit.plan.orient import CONFIG, HEAD, TO_PRODUCTION, changes, config, push

NOW_S = 1_800_000_000.0
DAY_S = 86_400.0
OLDER = "77" * 20
RECORDS = CONFIG.replace("baseline: push", "baseline: auto")
PRESENT = Record(state="present", reference="ghcr.io/acme/orient/x@sha256:" + "a" * 64)
ABSENT = Record(state="absent")
REFUSED = Record(state="unknown", why="ghcr.io answered 403")
CORE = Difference(
    path="packages/core/src/index.ts", why="read by packages/dashboard/Dockerfile line 48"
)
NOTES = Difference(
    path="packages/core/NOTES.md", why="read by packages/dashboard/Dockerfile line 48"
)
LOCK = Difference(path="pnpm-lock.yaml", why="watched by pnpm-lock.yaml")


def facts(**given: Any) -> ImageFacts:
    """An image that did not change and that the registry has."""
    known: dict[str, Any] = dict.fromkeys(("digest", "base_digest", "run_digest"), "1" * 64)
    return ImageFacts(**(known | {"record": PRESENT, "base": TO_PRODUCTION} | given))


def plan(
    *,
    changed: tuple[str, ...] = (),
    text: str = RECORDS,
    base: Base = TO_PRODUCTION,
    request: Request | None = None,
    base_text: str = "",
    finished: bool = False,
    deployments: Mapping[str, Deployed] | None = None,
    at: Any = None,
    **images: ImageFacts,
) -> Plan:
    """The plan for a push to main; images that are not given did not change and exist."""
    configured = config(text)
    return decide(
        configured,
        event=at or push(),
        request=request or Request(),
        head=HEAD,
        base=base,
        changes=changes(changed) if base.commit else None,
        listing=orient.LISTING,
        base_config=config(base_text) if base_text else None,
        recorded=Recorded(
            images={one.name: images.get(one.name, facts()) for one in configured.images},
            now_s=NOW_S,
            finished=finished,
            deployments=deployments or {},
        ),
    )
