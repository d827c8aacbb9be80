"""A login is for one build: nothing of it is left, and nothing that was there is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orient_deploy.buildx.login import TRIES, logged_in
from orient_deploy.errors import EnvironmentLacks, InputError, RemoteError
from tests.fakes.docker_command import FakeDocker

HOST = "127.0.0.1:5000"
KEEP = 'cat "$DOCKER_CONFIG/config.json" >"$SEEN"; ls "$DOCKER_CONFIG" >>"$SEEN.names"'


class Home:
    """Docker's configuration as it was before, and a docker."""

    def __init__(self, folder: Path) -> None:
        self.fake = FakeDocker(folder)
        self.config = folder / "home" / ".docker"
        self.config.mkdir(parents=True)
        self.temp = folder / "temp"
        self.temp.mkdir()
        self.seen = folder / "seen"
        self.waited: list[float] = []
        self.env = {
            "PATH": self.fake.path,
            "HOME": str(self.config.parent),
            "RUNNER_TEMP": str(self.temp),
            "SEEN": str(self.seen),
        }

    def log_in(self, password: str = "hunter22", registry: str = HOST) -> dict[str, str]:
        """The environment of a build that is logged in, as it was inside."""
        sleep = self.waited.append
        with logged_in(self.env, registry, "orient", password, sleep=sleep) as environment:
            assert Path(environment["DOCKER_CONFIG"]).is_dir()
            return dict(environment)

    @property
    def seen_config(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.seen.read_text())
        return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.fake.runs("login", KEEP)
    return home


def test_the_password_travels_on_standard_input(home: Home) -> None:
    home.log_in("hunter22\n")

    (call,) = home.fake.calls
    assert call.arguments == ["login", "--username=orient", "--password-stdin", "--", HOST]
    assert call.stdin == "hunter22"
    assert not any("hunter22" in value for value in call.environment.values())


def test_nothing_is_left_behind(home: Home) -> None:
    inside = home.log_in()

    assert inside["DOCKER_CONFIG"].startswith(str(home.temp))
    assert list(home.temp.iterdir()) == []
    assert list(home.config.iterdir()) == []


def test_the_folder_is_this_users_alone(home: Home) -> None:
    home.fake.runs("login", 'stat -c %a "$DOCKER_CONFIG" >"$SEEN"')
    home.log_in()

    assert home.seen.read_text() == "700\n"


def test_what_was_there_is_still_there(home: Home) -> None:
    """Other logins, a proxy, plugins elsewhere, builders; and no credential store gets this one."""
    before = {
        "auths": {"ghcr.io": {"auth": "eDp5"}},
        "credsStore": "secretservice",
        "credHelpers": {"gcr.io": "gcloud"},
        "cliPluginsExtraDirs": ["/opt/plugins"],
    }
    (home.config / "config.json").write_text(json.dumps(before))
    (home.config / "buildx" / "instances").mkdir(parents=True)

    home.log_in()

    helpers = {"gcr.io": "gcloud", HOST: ""}
    assert home.seen_config == {**before, "credHelpers": helpers}
    assert (home.seen.parent / "seen.names").read_text().split() == ["buildx", "config.json"]
    assert json.loads((home.config / "config.json").read_text()) == before
    assert (home.config / "buildx" / "instances").is_dir()


def test_docker_hub_has_several_names(home: Home) -> None:
    home.log_in(registry="docker.io")

    assert home.seen_config["credHelpers"] == {
        "docker.io": "",
        "index.docker.io": "",
        "https://index.docker.io/v1/": "",
    }


def test_a_folder_that_is_named_counts(home: Home, tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.mkdir()
    (named / "config.json").write_text('{"proxies": {}}')
    home.env["DOCKER_CONFIG"] = str(named)

    home.log_in()

    assert "proxies" in home.seen_config


def test_nobody_needs_a_home(home: Home) -> None:
    del home.env["HOME"]

    home.log_in()

    assert home.seen_config == {"credHelpers": {HOST: ""}}


def test_a_configuration_that_cannot_be_read_is_told(home: Home) -> None:
    (home.config / "config.json").write_text("[")

    with pytest.raises(InputError, match=r"config\.json' cannot be read: it is no JSON object"):
        home.log_in()
    assert list(home.temp.iterdir()) == []


@pytest.mark.parametrize("password", [" ", "a\nb", "\n"])
def test_what_is_no_password_is_refused(home: Home, password: str) -> None:
    with pytest.raises(InputError, match="input 'password' holds no password"):
        home.log_in(password)
    assert home.fake.calls == []


@pytest.mark.parametrize(
    "complaint",
    [
        "Error response from daemon: login attempt to http://x/v2/ failed with status: 401",
        "Error response from daemon: Get https://ghcr.io/v2/: denied: denied",
        "Error response from daemon: unauthorized: incorrect username or password",
    ],
)
def test_a_refused_login_is_not_tried_again(home: Home, complaint: str) -> None:
    home.fake.answers("login", stderr=f"WARNING! x\n{complaint}\n", code=1)

    with pytest.raises(RemoteError) as caught:
        home.log_in()

    assert caught.value.what == f"{HOST} refused the login of 'orient'"
    assert caught.value.why == complaint
    assert len(home.fake.calls) == 1
    assert list(home.temp.iterdir()) == []


def test_a_registry_that_fails_is_tried_again(home: Home, tmp_path: Path) -> None:
    home.fake.runs(
        "login", f'[ -e {tmp_path}/1 ] && exit 0; : >{tmp_path}/1; echo "EOF" >&2; exit 1'
    )

    home.log_in()

    assert len(home.fake.calls) == 2
    assert [1.0 <= one <= 2.0 for one in home.waited] == [True]


def test_a_registry_that_fails_for_good_is_told_without_the_password(home: Home) -> None:
    home.fake.answers("login", stderr="Error: dial tcp hunter22: i/o timeout\n", code=1)

    with pytest.raises(RemoteError) as caught:
        home.log_in()

    assert caught.value.what == f"the login to {HOST} failed 3 times"
    assert caught.value.why == "dial tcp ***: i/o timeout"
    assert len(home.fake.calls) == TRIES


def test_a_failure_inside_leaves_nothing_either(home: Home) -> None:
    with pytest.raises(KeyboardInterrupt), logged_in(home.env, HOST, "orient", "hunter22"):
        raise KeyboardInterrupt

    assert list(home.temp.iterdir()) == []


def test_no_docker_leaves_nothing(home: Home) -> None:
    home.env["PATH"] = "/nonexistent"

    with pytest.raises(EnvironmentLacks, match="there is no docker"):
        home.log_in()
    assert list(home.temp.iterdir()) == []
