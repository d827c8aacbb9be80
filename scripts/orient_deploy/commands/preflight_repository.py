"""The checks of a repository: hands the files of a commit to those who judge them.

Decides which files are workflows and which images are looked at where nothing is configured; judges
nothing itself. Reads only what `read` gives.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from posixpath import dirname, normpath
from typing import TYPE_CHECKING, Any

from orient_deploy.config.model import Image, Location
from orient_deploy.inputs.images import read_images
from orient_deploy.preflight import locked, packages, repository, sources, workflow
from orient_deploy.preflight.files import Files
from orient_deploy.preflight.pipeline import Workflow, read_workflow

if TYPE_CHECKING:
    from orient_deploy.config.model import Config
    from orient_deploy.preflight.finding import Finding
    from orient_deploy.preflight.repository import Named
    from orient_deploy.stack.project import Project

Read = Callable[[str], "bytes | None"]
MOST_WORKFLOWS = 100
MOST_IMAGES = 256
_WORKFLOWS = ".github/workflows/"


def look(
    root: str,
    names: Sequence[str],
    read: Read,
    config: Config | None,
    model: Sequence[Project],
    base: tuple[Sequence[str], Read] | None,
    *,
    repository_name: str = "",
) -> list[Finding]:
    """What is wrong in a commit, in the order of the checks.

    `names` are its tracked paths and `read` gives their bytes; `root` is where it is checked out,
    which the resolved Compose projects of `model` speak of. `base` is an earlier commit, if there
    is one. Without a configuration the images are those that workflows and projects build.
    """
    files = Files(names, read)
    workflows = read_workflows(files)
    named = [
        *(repository.by_configuration(config) if config else ()),
        *repository.by_workflows(files, workflows, repository_name),
        *_by_projects(root, model, files),
    ]
    images = list(config.images) if config else list(_images(files, named))
    reads = read_images(images[:MOST_IMAGES], files.tree, files.read)
    branches = [one.text for one in config.branches] if config else []
    return [
        *repository.look(files, named),
        *workflow.look(files, workflows, branches),
        *packages.look(files, images, reads),
        *sources.look(files, images),
        *repository.look_into(files, images, reads),
        *locked.look(files, Files(*base) if base else None),
    ]


def read_workflows(files: Files) -> list[Workflow]:
    """The workflows of the commit that can be read."""
    paths = [
        path
        for path in files.below(_WORKFLOWS.rstrip("/"))
        if path.endswith((".yml", ".yaml")) and "/" not in path.removeprefix(_WORKFLOWS)
    ]
    found = []
    for path in paths[:MOST_WORKFLOWS]:
        content = files.read(path)
        one = read_workflow(path, content) if content is not None else None
        if one is not None:
            found.append(one)
    return found


def _by_projects(root: str, projects: Sequence[Project], files: Files) -> Iterator[Named]:
    """The Dockerfiles that the services of resolved projects are built from."""
    seen = set()
    for project in projects:
        for name, service in project.services.items():
            build: Any = service.get("build")
            if not isinstance(build, dict) or "dockerfile_inline" in build:
                continue
            context, dockerfile = build.get("context"), build.get("dockerfile", "Dockerfile")
            if not isinstance(context, str) or "://" in context or project.is_made_up(context):
                continue
            if not isinstance(dockerfile, str) or project.is_made_up(dockerfile):
                continue
            path = os.path.relpath(os.path.join(context, dockerfile), root).replace(os.sep, "/")
            if path == ".." or path.startswith("../") or (name, path) in seen:
                continue
            folder = os.path.relpath(context, root).replace(os.sep, "/")
            inside = path.removeprefix(f"{folder}/")
            if path not in files and folder == dirname(project.files[0]) and inside in files:
                continue  # whoever runs it names another `--project-directory`
            seen.add((name, path))
            file, line = project.places.of("services", name, "build")
            image = str(service.get("image") or "")
            yield repository.Named(
                path=path,
                by=f"service {name}",
                file=file,
                line=line,
                repository="" if project.is_made_up(image) else _without_tag(image),
                services=(name,),
                context=folder,
                source="compose",
            )


def _without_tag(image: str) -> str:
    head, slash, last = image.rpartition("/")
    return f"{head}{slash}{last.partition('@')[0].partition(':')[0]}"


def _images(files: Files, named: Sequence[Named]) -> Iterator[Image]:
    """What seems to be built, one image for each Dockerfile."""
    seen = set()
    for one in named:
        if one.path in seen or one.path not in files:
            continue
        seen.add(one.path)
        yield Image(
            name=f"of {one.path}",
            dockerfile=one.path,
            context=one.context or normpath(dirname(one.path) or "."),
            where=Location(file=one.file, line=one.line, column=1),
        )
