"""Which image each service of a release runs, and which of them is made anew because of its files.

Decides it from what Compose makes of the files and from what runs; asks nobody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orient_deploy.release.model import Model, Record, Running

CONTENT_LABEL = "orient-deploy.content"


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What our own file adds to the compose files of a release."""

    images: Mapping[str, str]  # service -> image
    contents: Mapping[str, str]  # service -> digest of the files that it has mounted
    reload: tuple[str, ...]  # services that are reloaded instead of being made anew

    def overlay(self) -> str:
        """The file, which Compose reads after the others; JSON is YAML."""
        services: dict[str, dict[str, object]] = {}
        for name, image in self.images.items():
            services.setdefault(name, {})["image"] = image
        for name, digest in self.contents.items():
            services.setdefault(name, {})["labels"] = {CONTENT_LABEL: digest}
        return json.dumps({"services": services}, sort_keys=True, indent=1) + "\n"


def pin(
    plain: Model,
    wanted: Mapping[str, str],
    ours: Collection[str],
    running: Sequence[Running],
    known: Mapping[str, frozenset[str]],
    before: Record | None,
    *,
    changed: Mapping[str, str],
    where: str,
    reloads: Collection[str],
) -> Pins:
    """What each service of `plain`, the files without our own, is to run.

    `wanted` are the references of services whose image is deployed, `ours` all services with an
    image of this repository, `known` the digests of images that run, `before` the release that is
    in place. `changed` are the files below `where` that are not as they are there, with their
    digests, and `reloads` are services that can be told to read their files again.
    """
    by_service: dict[str, Running] = {}
    for one in running:
        by_service.setdefault(one.service, one)
    images = {}
    for name, source in plain.images.items():
        image = _image(name, source, wanted, ours, by_service.get(name), known, before)
        if image and image != source:
            images[name] = image
    contents = {
        name: digest
        for name, digest in (before.contents if before else {}).items()
        if name in plain.images
    }
    reload = []
    paths = {f"{where}/{path}": path for path in changed}
    for name in plain.images:
        there = by_service.get(name)
        seen = sorted(path for full, path in paths.items() if there and _mounts(there, full))
        if seen and name in reloads:
            reload.append(name)
        elif seen:
            text = "\n".join(
                [contents.get(name, ""), *(f"{path} {changed[path]}" for path in seen)]
            )
            contents[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Pins(images=images, contents=contents, reload=tuple(reload))


def _mounts(one: Running, path: str) -> bool:
    return any(path == mount or path.startswith(f"{mount}/") for mount in one.mounts)


def _image(
    name: str,
    source: str,
    wanted: Mapping[str, str],
    ours: Collection[str],
    one: Running | None,
    known: Mapping[str, frozenset[str]],
    before: Record | None,
) -> str:
    """The image that a service runs. What runs it already keeps the words by which it was asked
    for: others would have its container made anew."""
    reference = wanted.get(name, "")
    if reference:
        if one and reference in known.get(one.image_id, ()):
            return one.image
        return reference
    if one is None:
        return source
    if name in ours:
        return one.image  # not deployed this time
    was = before.sources.get(name, "") if before else one.image
    return one.image if was == source else source


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a deploy does to a service."""

    service: str
    kind: str  # start, recreate, reload, remove, keep
    why: str = ""


def changes(
    pinned: Model, pins: Pins, running: Sequence[Running], known_services: Collection[str] = ()
) -> tuple[Change, ...]:
    """What applying a release will do, by service; `known_services` are those of earlier releases,
    which are removed where this one has them no more."""
    by_service: dict[str, Running] = {}
    for one in running:
        by_service.setdefault(one.service, one)
    found = []
    for name in sorted(pinned.images):
        there = by_service.get(name)
        if there is None:
            found.append(Change(service=name, kind="start", why="it does not run yet"))
        elif pinned.hashes.get(name, "") != there.config_hash:
            image = pinned.images[name]
            why = f"image {image}" if image != there.image else "its definition or its variables"
            if name in pins.contents and image == there.image:
                why = "its definition, its variables or its files"
            found.append(Change(service=name, kind="recreate", why=why))
        elif name in pins.reload:
            found.append(Change(service=name, kind="reload", why="files that it reads"))
        else:
            found.append(Change(service=name, kind="keep"))
    found += [
        Change(service=name, kind="remove", why="the release has it no more")
        for name in sorted(by_service)
        if name not in pinned.images and name in known_services
    ]
    return tuple(found)
