"""The README's smallest workflow, as it stands there: a plan without a checkout, and a matrix."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dev.sample import DEFAULT_BRANCH, REPOSITORY, Sample
from tests.e2e import act
from tests.fakes.git_server import GitServer
from tests.fakes.repositories import RepositoryBuilder, run_git

EXAMPLE = Path(__file__).parents[2] / "examples" / "minimal"
WORKFLOW = (EXAMPLE / ".github/workflows/build.yml").read_text(encoding="utf-8")
BEGINNING = {
    path.relative_to(EXAMPLE).as_posix(): path.read_bytes()
    for path in EXAMPLE.rglob("*")
    if path.is_file()
}
MORE = {"shared/log.ts": "1\n", "services/api/index.ts": "1\n", "package.json": "{}\n"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> act.Library:
    return act.release_layout(tmp_path_factory.mktemp("library") / "release")


@pytest.mark.parametrize(
    ("path", "built"),
    [
        pytest.param("services/api/index.ts", {"api"}, id="one-service"),
        pytest.param("shared/log.ts", {"api", "web"}, id="shared"),
        pytest.param("README.md", set(), id="neither"),
    ],
)
def test_the_plan_needs_no_checkout(
    library: act.Library, tmp_path: Path, path: str, built: set[str]
) -> None:
    served = RepositoryBuilder(tmp_path / "served" / REPOSITORY)
    before = served.commit({**BEGINNING, **MORE})
    after = served.commit({path: "changed\n"})
    consumer = tmp_path / "consumer"
    run_git("clone", "--quiet", f"--branch={DEFAULT_BRANCH}", served.directory, consumer)
    run_git("-C", consumer, "remote", "set-url", "origin", f"https://github.com/{REPOSITORY}.git")
    shell = shutil.which("sh")
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(f'#!{shell}\necho "$@" >> "{tmp_path}/docker.log"\n')
    docker.chmod(0o755)

    with GitServer(tmp_path / "served") as server:
        run = act.run(
            Sample(path=consumer),
            act.push_event(before, after),
            library,
            tmp_path / "run",
            workflow=WORKFLOW,
            environment={
                "GITHUB_SERVER_URL": server.url,
                "NO_PROXY": "127.0.0.1",
                "no_proxy": "127.0.0.1",
                "PATH": f"{docker.parent}:{os.environ['PATH']}",
            },
        )
        paths = [request.path for request in server.requests]

    expected = {"plan": "success", **{f"build ({name})": "success" for name in built}}
    assert {name.split(",")[0].rstrip(")") + (")" if "(" in name else "") for name in run.jobs} == (
        set(expected)
    ), run.text
    assert set(run.results.values()) == {"success"}, run.text
    assert len(paths) == 4  # head and base in one fetch, the configuration in another
    log = tmp_path / "docker.log"
    calls = sorted(log.read_text().splitlines()) if log.exists() else []
    assert calls == [f"build --file services/{name}/Dockerfile ." for name in sorted(built)]
