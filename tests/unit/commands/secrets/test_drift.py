"""`drift` on a runner and on a laptop, with a real sshd and the Compose behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fakes.canary import leaks
from tests.fakes.github_state import GitHubState
from tests.machines.parts import part
from tests.machines.ssh_server import SshServer, ssh_server
from tests.unit.commands.secrets.conftest import CANARY, TOKEN, Project

JWT = "0123456789abcdef0123456789abcdef"
DATABASE_URL = f"postgres://bot:{CANARY}@db/bot"
SERVERS = f"DATABASE_URL='{DATABASE_URL}'\nJWT={JWT}\nNODE_ENV=production\n"


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        engine = part("28") / "usr"
        plugins = server.home / ".docker" / "cli-plugins"
        plugins.parent.mkdir()
        plugins.symlink_to(engine / "libexec/docker/cli-plugins")
        (server.home / "docker-client").symlink_to(engine / "bin" / "docker")
        yield server


class Servers:
    """The server's own file, and what a step needs to reach it."""

    def __init__(self, sshd: SshServer, project: Project) -> None:
        self.sshd, self.project = sshd, project
        self.folder = sshd.home / "orienter"
        self.folder.mkdir(exist_ok=True)
        self.write(SERVERS)
        path = project.folder / ".github" / "orient-deploy.yml"
        path.write_text(
            path.read_text().replace(
                "    env-file: .env\n",
                "    env-file: .env\n    directory: ~/orienter\n"
                f"    docker: {sshd.home}/docker-client\n    hosts: ['{sshd.address}']\n",
            )
        )
        project.commit_all()
        self.access = {"INPUT_SSH_KEY": sshd.key, "INPUT_KNOWN_HOSTS": sshd.known_hosts}

    def write(self, text: str) -> None:
        (self.folder / ".env").write_text(text)


@pytest.fixture
def server(sshd: SshServer, project: Project) -> Servers:
    return Servers(sshd, project)


@pytest.fixture
def mapped() -> dict[str, str | None]:
    """The step's `env`."""
    return {"DATABASE_URL": DATABASE_URL, "JWT": JWT, "NODE_ENV": "production"}


def test_three_places_agree(
    server: Servers, project: Project, mapped: dict[str, str | None]
) -> None:
    done = project.act("drift", **server.access, **mapped)

    assert done.code == 0, done.stdout
    assert (done.outputs["drifted"], done.outputs["names"]) == ("false", "[]")
    assert "agree: 3 names in .env.production, GitHub and server" in done.summary
    assert json.loads(done.outputs["matrix"])["JWT"] == {
        ".env.production": "same",
        "GitHub": "same",
        "server": "same",
    }


def test_each_place_that_differs_is_named(
    server: Servers, project: Project, mapped: dict[str, str | None]
) -> None:
    server.write(f"DATABASE_URL='{DATABASE_URL}'\nJWT=\nONLY_THERE=1\n")
    mapped["DATABASE_URL"] = "another"
    mapped["NODE_ENV"] = ""  # what an expression gives for a secret that is not there

    done = project.act("drift", **server.access, **mapped)

    assert done.code == 1
    matrix = json.loads(done.outputs["matrix"])
    assert {name: " ".join(row.values()) for name, row in matrix.items()} == {
        "DATABASE_URL": "same differs same",
        "JWT": "same same empty",
        "NODE_ENV": "same missing missing",
        "ONLY_THERE": "missing not asked same",
    }
    assert json.loads(done.outputs["names"]) == sorted(matrix)
    assert "have drifted: 4 names of 4" in done.errors[0]
    assert leaks(CANARY, done.summary, *done.outputs.values()) == []


def test_without_the_file_github_and_the_server_are_compared(
    server: Servers, project: Project, mapped: dict[str, str | None]
) -> None:
    (project.folder / ".env.production").unlink()
    del mapped["NODE_ENV"]

    done = project.act("drift", **server.access, **mapped)

    assert done.code == 0, done.stdout
    assert "maps no secret for NODE&#95;ENV" in done.summary or "NODE_ENV" in done.summary


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        pytest.param({"INPUT_SSH_KEY": None}, 3, "there is no SSH agent", id="no-key"),
        pytest.param({"INPUT_KNOWN_HOSTS": None}, 2, "which host key is accepted", id="no-pin"),
        pytest.param(
            {"INPUT_KNOWN_HOSTS": None, "INPUT_FINGERPRINT": "SHA256:" + "A" * 43},
            4,
            "does not show the host key that was given",
            id="another-host-key",
        ),
        pytest.param({"INPUT_HOSTS": "orient@127.0.0.1:9"}, 2, "do not know", id="other-host"),
        pytest.param({"INPUT_HOSTS": "-oProxyCommand=x"}, 2, "is no host", id="option"),
        pytest.param({"INPUT_SSH_KEY": f"{CANARY}\n"}, 2, "its BEGIN or its END", id="no-key-text"),
    ],
)
def test_a_server_that_cannot_be_asked_is_an_error_not_drift(
    server: Servers,
    project: Project,
    changes: dict[str, str | None],
    code: int,
    said: str,
) -> None:
    done = project.act("drift", **{**server.access, **changes})

    assert (done.code, done.outputs) == (code, {})
    assert said in done.errors[0]
    assert leaks(CANARY, done.errors[0], done.summary) == []


def test_a_server_that_is_down_hides_no_other(server: Servers, project: Project) -> None:
    server.write("DATABASE_URL=another\n")
    hosts = f"{server.sshd.address} {server.sshd.address.rpartition(':')[0]}:9"
    pins = f"{server.sshd.known_hosts}\n" + "".join(
        f"[127.0.0.1]:9 {line.split(' ', 1)[1]}\n" for line in server.sshd.known_hosts.splitlines()
    )

    done = project.act(
        "drift",
        INPUT_SSH_KEY=server.sshd.key,
        INPUT_KNOWN_HOSTS=pins,
        INPUT_HOSTS=hosts,
        INPUT_FAIL="false",
    )

    assert done.code == 4
    assert "DATABASE_URL" in json.loads(done.outputs["names"])
    assert any("127.0.0.1 port 9 refuses" in one for one in done.errors)
    assert "refuses the connection" in done.summary


def test_a_fingerprint_does_as_well(server: Servers, project: Project) -> None:
    access = {"INPUT_SSH_KEY": server.sshd.key, "INPUT_FINGERPRINT": server.sshd.fingerprint}

    assert project.act("drift", **access).code == 0


def test_a_server_without_the_file_is_an_error(server: Servers, project: Project) -> None:
    (server.folder / ".env").unlink()

    done = project.act("drift", **server.access)

    assert done.code == 2
    assert "the docker compose of orient@127.0.0.1" in done.errors[0]


def test_no_key_and_no_value_is_left_anywhere(server: Servers, project: Project) -> None:
    project.act("drift", **server.access)

    assert sorted(path.name for path in project.temp.iterdir()) == ["output", "summary"]
    held = [path.read_bytes() for path in server.sshd.home.rglob("*") if path.is_file()]
    assert [one for one in held if CANARY.encode() in one] == [SERVERS.encode()]


def test_a_laptop_compares_with_what_is_noted(project: Project, github: GitHubState) -> None:
    project.apply()
    good = project.run("secrets", "drift", "--hosts=none")
    github.put_secret(None, "JWT", b"of somebody else")
    project.write(".env.production", f"DATABASE_URL=another-value\nJWT={JWT}\n")

    done = project.run("secrets", "drift", "--hosts=none")

    assert good.code == 0 and "3 names the same" in good.stdout
    assert done.code == 1
    assert [line.split()[:3] for line in done.stdout.splitlines()[2:4]] == [
        ["DATABASE_URL", "same", "differs"],
        ["JWT", "there", "unknown"],
    ]


def test_one_place_is_nothing_to_compare(project: Project) -> None:
    done = project.run("secrets", "drift", GH_TOKEN=None)

    assert done.code == 2
    assert ".env.production is the only place" in done.stdout


def test_one_issue_opens_and_closes(
    server: Servers, project: Project, github: GitHubState, mapped: dict[str, str | None]
) -> None:
    asked = {**server.access, "INPUT_ISSUE": "true", "INPUT_FAIL": "false"}
    wrong = {**mapped, "JWT": "another"}

    opened = project.act("drift", **asked, **wrong)
    again = project.act("drift", **asked, **wrong)
    closed = project.act("drift", **asked, **mapped)

    assert (opened.code, again.code, closed.code) == (0, 0, 0), opened.stdout
    assert opened.outputs["issue"] == again.outputs["issue"] == closed.outputs["issue"] != ""
    issues = github.repository.issues
    assert len(issues) == 1
    assert "JWT" in str(issues[0]) and leaks(CANARY, str(issues[0])) == []


def test_an_issue_that_cannot_be_kept_hides_nothing(
    server: Servers, project: Project, github: GitHubState, mapped: dict[str, str | None]
) -> None:
    github.fail("GET", "*/issues", status=403)
    mapped["JWT"] = "another"
    asked = {**server.access, "INPUT_ISSUE": "true", "INPUT_FAIL": "false"}

    done = project.act("drift", **asked, **mapped)

    assert done.code == 4
    assert json.loads(done.outputs["names"]) == ["JWT"]
    assert any("could not be kept" in one for one in done.errors)


def test_the_token_is_needed_for_an_issue_alone(server: Servers, project: Project) -> None:
    done = project.act("drift", **server.access, INPUT_TOKEN=None)

    assert done.code == 0
    assert TOKEN not in done.stdout
