"""Which image a service runs, and what a release does to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orient_deploy.release.compose import CONTENT_LABEL, Pins, changes, pin
from orient_deploy.release.model import Model, Record, Running
from orient_deploy.release.report import change_table, change_text

NEW = "repo/app@sha256:" + "1" * 64
OLD = "repo/app@sha256:" + "0" * 64


def running(service: str, **given: Any) -> Running:
    values: dict[str, Any] = {
        "name": f"p-{service}-1",
        "image_id": f"sha256:{service}",
        "image": f"{service}:1",
        "status": "running",
        "service": service,
        "config_hash": "h",
        "one_off": False,
        "folder": "/srv/docker",
        "files": (),
        "mounts": (),
    }
    return Running(**{**values, **given})


def pinned(plain: dict[str, str], containers: list[Running], **given: Any) -> Pins:
    values: dict[str, Any] = {
        "wanted": {},
        "ours": (),
        "known": {},
        "before": None,
        "changed": {},
        "where": "/srv",
        "reloads": (),
    }
    values.update(given)
    return pin(
        Model(images=plain, hashes={}),
        values.pop("wanted"),
        values.pop("ours"),
        containers,
        values.pop("known"),
        values.pop("before"),
        **values,
    )


@pytest.mark.parametrize(
    ("source", "container", "given", "image"),
    [
        pytest.param("app:latest", None, {"wanted": {"app": NEW}}, NEW, id="new-and-not-running"),
        pytest.param(
            "app:latest", {"image": OLD}, {"wanted": {"app": NEW}}, NEW, id="another-runs"
        ),
        pytest.param(
            "app:latest",
            {"image": "app:latest"},
            {"wanted": {"app": NEW}, "known": {"sha256:app": frozenset({NEW})}},
            None,
            id="runs-already-by-its-tag",
        ),
        pytest.param(
            "app:latest",
            {"image": OLD},
            {"wanted": {"app": NEW}, "known": {"sha256:app": frozenset({NEW, OLD})}},
            OLD,
            id="runs-already-by-another-digest",
        ),
        pytest.param(
            "app:latest", {"image": OLD}, {"ours": ("app",)}, OLD, id="ours-and-not-deployed"
        ),
        pytest.param("db:2", {"image": "db:1"}, {}, None, id="of-others-with-another-tag"),
        pytest.param(
            "db:1",
            {"image": "db@sha256:9"},
            {"before": Record(id="a", sources={"app": "db:1"})},
            "db@sha256:9",
            id="of-others-and-unchanged",
        ),
        pytest.param(
            "db:2",
            {"image": "db@sha256:9"},
            {"before": Record(id="a", sources={"app": "db:1"})},
            None,
            id="of-others-and-changed",
        ),
        pytest.param("db:1", None, {}, None, id="of-others-and-not-running"),
    ],
)
def test_a_service_runs_what_is_wanted_and_keeps_what_it_has(
    source: str, container: dict[str, Any] | None, given: dict[str, Any], image: str | None
) -> None:
    containers = [running("app", **container)] if container else []

    pins = pinned({"app": source}, containers, **given)

    assert pins.images.get("app") == image


def test_files_that_a_service_has_mounted_make_it_anew_or_reload_it() -> None:
    containers = [
        running("folder", mounts=("/srv/app",)),
        running("file", mounts=("/srv/app/a.txt",)),
        running("proxy", mounts=("/srv/app/a.txt",)),
        running("beside", mounts=("/srv/apple", "/srv/app/a.txt.bak")),
    ]

    pins = pinned(
        {one.service: one.image for one in containers},
        containers,
        changed={"app/a.txt": "d1"},
        reloads=("proxy",),
    )

    assert set(pins.contents) == {"folder", "file"} and pins.reload == ("proxy",)
    again = pinned({"file": "file:1"}, [containers[1]], changed={"app/a.txt": "d2"})
    assert again.contents["file"] != pins.contents["file"]


def test_a_label_stays_while_the_files_do() -> None:
    """Another one, or none, would make the container anew."""
    before = Record(id="a", contents={"app": "0123", "gone": "4567"})

    pins = pinned({"app": "app:1"}, [running("app")], before=before)

    assert pins.contents == {"app": "0123"}


def test_our_file_says_images_and_labels_and_nothing_else() -> None:
    pins = Pins(images={"app": NEW}, contents={"app": "1", "db": "2"}, reload=())

    assert json.loads(pins.overlay()) == {
        "services": {
            "app": {"image": NEW, "labels": {CONTENT_LABEL: "1"}},
            "db": {"labels": {CONTENT_LABEL: "2"}},
        }
    }


def test_what_a_release_does_to_each_service_is_told() -> None:
    containers = [
        running("app", image=OLD),
        running("db"),
        running("proxy"),
        running("old"),
        running("of-somebody-else"),
        running("env"),
    ]
    model = Model(
        images={"app": NEW, "db": "db:1", "proxy": "proxy:1", "new": "new:1", "env": "env:1"},
        hashes={"app": "h2", "db": "h", "proxy": "h", "new": "h", "env": "h3"},
    )
    pins = Pins(images={}, contents={}, reload=("proxy",))

    found = changes(model, pins, containers, {"old", "db"})

    assert {one.service: one.kind for one in found} == {
        "app": "recreate",
        "db": "keep",
        "proxy": "reload",
        "new": "start",
        "env": "recreate",
        "old": "remove",
    }
    whys = {one.service: one.why for one in found}
    assert NEW in whys["app"] and "variables" in whys["env"]
    assert change_text(found, planned=True).startswith("start: new; recreate: app, env; reload")
    assert change_table(found).count("\n") == 7
    assert change_table(()) == "" and change_text(()) == "no service"
