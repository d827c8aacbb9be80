"""Every picture in a summary, drawn by Mermaid in a browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dev.render_summary import drawn, find_browser, page
from tests.oracles.node_tools import mermaid_script
from tests.unit.plan.summaries import SUMMARIES

IMAGES = ("opencode", "whatsapp", "dashboard")
BUILD_ALL = {f"build {image}" for image in IMAGES}
TO_BOTH = {"gate", "deploy production", "deploy staging"}
SHUT = {"gate shut", "deploy production", "deploy staging"}

# What each picture shows, besides the plan. A summary that is not here has none.
NODES = {
    "one-package": {"build dashboard", "keep 2 images", *TO_BOTH},
    "config-only": {"keep 3 images", "gate", "deploy production"},
    "first-push": BUILD_ALL | TO_BOTH,
    "forced-push-over-a-lost-commit": BUILD_ALL | TO_BOTH,
    "forced": {*BUILD_ALL, "gate", "deploy production"},
    "pull-request": BUILD_ALL,
    "no-environments": {"build opencode", "keep 2 images", "gate", "deploy"},
    "many-images": {
        *(f"build service-{index:02}" for index in range(0, 32, 4)),
        *("30 more", "keep 22 images", "gate", "deploy"),
    },
    "hostile-names": BUILD_ALL | TO_BOTH,
    "remarks": {"build dashboard", "keep 2 images", *TO_BOTH},
    "by-digest": {"build opencode", "build dashboard", "keep 1 image", *TO_BOTH},
    "revert": {"keep 3 images", *TO_BOTH},
    "gate-not-recorded": {"dashboard unrecorded", *SHUT},
    "gate-open": {"dashboard built", "gate open", "deploy production", "deploy staging"},
    "gate-open-config-only": {"gate open", "deploy production"},
    "gate-partial-failure": {"opencode built", "whatsapp built", "dashboard failed", *SHUT},
    "gate-partial-failure-of-a-matrix": {
        *("opencode built", "whatsapp built", "dashboard failed", *SHUT),
    },
    "gate-failed-tests": {"test", *(f"{image} skipped" for image in IMAGES), *SHUT},
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the browser made of each summary's picture, all on one page."""
    browser = find_browser()
    if browser is None:
        message = "no Chromium is on PATH to draw with"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    file: Path = tmp_path_factory.mktemp("page") / "page.html"
    summaries = {name: make() for name, make in SUMMARIES.items()}
    file.write_text(page(summaries, mermaid_script()), encoding="utf-8")
    found = drawn(browser, file)
    assert len({one["name"] for one in found}) == len(found)
    return {one["name"]: one for one in found}


def test_every_picture_is_drawn(pictures: dict[str, dict[str, Any]]) -> None:
    assert {name: one["error"] for name, one in pictures.items()} == dict.fromkeys(NODES, "")


@pytest.mark.parametrize("name", NODES)
def test_a_picture_shows_what_was_decided(name: str, pictures: dict[str, dict[str, Any]]) -> None:
    nodes = pictures[name]["nodes"]

    assert sorted(nodes) == sorted(["plan", *NODES[name]])
    assert pictures[name]["edges"] >= len(nodes) - 1  # nothing hangs in the air
