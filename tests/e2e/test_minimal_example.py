"""The README's smallest workflow, as it stands there: a plan without a checkout, and builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.sample import DEFAULT_BRANCH, REPOSITORY, Sample
from tests.e2e import act
from tests.fakes.git_server import GitServer
from tests.fakes.repositories import RepositoryBuilder, run_git
from tests.machines.docker_engine import docker_engine
from tests.machines.image_registry import image_registry

EXAMPLE = Path(__file__).parents[2] / "examples" / "minimal"
CONFIG = ".github/orient-deploy.yml"
WORKFLOW = (EXAMPLE / ".github/workflows/build.yml").read_text(encoding="utf-8")
BEGINNING = {
    path.relative_to(EXAMPLE).as_posix(): path.read_text(encoding="utf-8")
    for path in EXAMPLE.rglob("*")
    if path.is_file()
}
MORE = {
    "shared/log.ts": "1\n",
    "services/api/index.ts": "1\n",
    "services/web/index.ts": "1\n",
    "package.json": "{}\n",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> act.Library:
    return act.release_layout(tmp_path_factory.mktemp("library") / "release")


def test_each_push_builds_what_no_image_has(library: act.Library, tmp_path: Path) -> None:
    served = RepositoryBuilder(tmp_path / "served" / REPOSITORY)
    consumer = tmp_path / "consumer"
    with docker_engine("28") as engine, image_registry() as registry:
        # The example's images go to ghcr.io: here they have a registry on this machine.
        config = BEGINNING[CONFIG]
        for name in ("api", "web"):
            config = config.replace(
                f"  {name}:\n", f"  {name}:\n    repository: {registry.host}/acme/{name}\n"
            )
        before = act.NO_COMMIT
        pushes = [
            ({**BEGINNING, **MORE, CONFIG: config}, {"api", "web"}, 3),
            ({"services/api/index.ts": "2\n"}, {"api"}, 3),
            ({"README.md": "more\n"}, set(), 3),
            ({"shared/log.ts": "2\n"}, {"api", "web"}, 3),
        ]
        for number, (files, built, fetches) in enumerate(pushes):
            after = served.commit(files)
            run_git("init", "--quiet", f"--initial-branch={DEFAULT_BRANCH}", consumer)
            run_git("-C", consumer, "fetch", "--quiet", served.directory, after)
            run_git("-C", consumer, "checkout", "--quiet", "-B", DEFAULT_BRANCH, after)
            if not number:
                url = f"https://github.com/{REPOSITORY}.git"
                run_git("-C", consumer, "remote", "add", "origin", url)
            with GitServer(tmp_path / "served") as server:
                run = act.run(
                    Sample(path=consumer),
                    act.push_event(before, after),
                    library,
                    tmp_path / f"run-{number}",
                    workflow=WORKFLOW,
                    environment={
                        **{name: one for name, one in engine.env.items() if name != "PATH"},
                        "GITHUB_SERVER_URL": server.url,
                        "NO_PROXY": "127.0.0.1",
                        "no_proxy": "127.0.0.1",
                    },
                )
                fetched = [one for one in server.requests if one.path.endswith("-upload-pack")]
            legs = {
                name.split("(")[1].split(",")[0].rstrip(")") for name in run.jobs if "(" in name
            }
            assert legs == built, run.text
            assert set(run.results.values()) == {"success"}, run.text
            assert len(fetched) >= fetches
            before = after
