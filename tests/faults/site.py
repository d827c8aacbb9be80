"""A site that is deployed to: an engine, a registry, and a server's folder for each case.

with site(tmp_path) as one:
    came = one.play(case)     # makes the fault, deploys, and says what came out

Cases run beside each other: each has its own project, ports, folder and sshd.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.faults.field import Field
from tests.faults.field import field as field_of
from tests.machines.image_registry import ImageRegistry, image_registry
from tests.machines.ssh_server import SshServer, ssh_server
from tests.oracles.runner_files import outputs

ROOT = Path(__file__).parents[2]
CATALOGUE = Path(__file__).with_name("deploys.yml")
WITHIN_S = yaml.safe_load(CATALOGUE.read_text("utf-8"))["defaults"]["within"]
STEPS = ("staging", "pulling", "installing", "applying", "applied", "marking")
ROLLBACK_STEPS = ("installing", "applying", "applied", "marking")
_RUN = 'if [ "$MODE" = broken ]; then exit 3; fi; '
_NGINX = """\
user root;
worker_processes 1;
error_log /dev/stderr notice;
pid /tmp/nginx.pid;
events {{ worker_connections 64; }}
http {{
  access_log off;
  {temporary}
  server {{
    listen 127.0.0.1:{port};
    {more}
    location / {{ proxy_pass http://127.0.0.1:{app}; proxy_connect_timeout 2s; }}
  }}
}}
"""
_TEMPORARY = "".join(
    f"{kind}_temp_path /tmp/{kind}; "
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)
_CHECK = {
    "test": "wget -q -O- http://127.0.0.1:8080/health",
    "interval": "1s",
    "timeout": "2s",
    "retries": 3,
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault, and what must come of it."""

    id: str
    given: Mapping[str, Any]
    step: str = ""  # of the journal, for a fault that happens at each

    @property
    def in_ci(self) -> bool:
        return bool(self.given.get("ci"))

    @property
    def is_alone(self) -> bool:
        """Whether it does something to what others use."""
        return bool(re.search(r"engine|registry|everything", json.dumps(self.given)))


def cases() -> list[Case]:
    """All of the catalogue."""
    loaded = yaml.safe_load(CATALOGUE.read_text("utf-8"))["cases"]
    return [case for one in loaded for case in _each(one)]


def _each(given: Mapping[str, Any]) -> list[Case]:
    """A case, or one for each step of the journal."""
    if "each-step" not in given:
        return [Case(id=given["id"], given=given)]
    steps = ROLLBACK_STEPS if given.get("command") == "rollback" else STEPS
    return [Case(id=f"{given['id']}-{step}", given=given, step=step) for step in steps]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a command left."""

    code: int
    text: str  # all that people are told
    outputs: Mapping[str, str]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came out of a case."""

    case: Case
    problems: tuple[str, ...]
    done: Done | None = field(repr=False)


@dataclass
class Site:
    """The engine with its images, and the registry."""

    field: Field
    registry: ImageRegistry
    folder: Path

    def play(self, case: Case) -> Came:
        """Make the fault, run the command, and clear it away."""
        with ExitStack() as stack:
            return _Play(self, case, stack).run()


@contextmanager
def site(folder: Path, *, version: str = "2.40", restartable: bool = False) -> Iterator[Site]:
    """An engine with a registry and the images of the cases."""
    with field_of(folder, version=version, restartable=restartable) as one, image_registry() as reg:
        one.engine.docker("tag", "part:1", "db:1")
        assert one.settings.is_dir()  # once, before cases run beside each other
        yield Site(field=one, registry=reg, folder=folder)


@contextmanager
def kept_port() -> Iterator[int]:
    """A port of 127.0.0.1 that nobody else takes while it is not listened to: none that the system
    gives to connections, and of those that tests share each has a lock."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for number in random.sample(range(lowest - 9000, lowest), 200):
        with open(f"/run/lock/orient-deploy-port-{number}", "w") as file, socket.socket() as probe:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            probe.close()
            yield number
            os.unlink(file.name)
            return
    raise RuntimeError("no port is free")


class _Play:
    """One case, while it is played."""

    def __init__(self, site: Site, case: Case, stack: ExitStack) -> None:
        self.site, self.case, self.stack, self.step = site, case, stack, case.step
        self.given = case.given
        name = case.id
        self.folder = site.folder / f"play-{name}"
        self.folder.mkdir()
        self.project = f"p{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        self.ports = {name: stack.enter_context(kept_port()) for name in ("app", "web")}
        self.repo = self.folder / "repo"
        self.sshd: SshServer = stack.enter_context(ssh_server(self.folder / "sshd"))
        self.server = self.sshd.home / "orienter"
        self.engine = site.field.engine
        self.references: dict[str, str] = {}
        self.versions: dict[str, dict[str, bytes]] = {}  # one, two -> path -> content
        self.problems: list[str] = []
        self.runner: subprocess.Popen[bytes] | None = None
        self.locked: Any = None
        stack.callback(self.clear)

    # --- the repository

    def write(self, version: str) -> None:
        """The files of a version, committed; its image pushed."""
        change: Mapping[str, Any] = self.given.get("two") or {} if version == "two" else {}
        compose: dict[str, Any] = {"services": self._services()}
        _merge(compose, change.get("compose") or {})
        for old, new in (change.get("rename") or {}).items():
            compose["services"][new] = compose["services"].pop(old)
        if "app-command" in change:
            compose["services"]["app"]["command"] = change["app-command"]
        files = {
            "docker/compose.yml": yaml.safe_dump(compose, sort_keys=False).replace(
                "PORT_TAKEN", str(self.taken())
            ),
            "docker/nginx.conf": _NGINX.format(
                temporary=_TEMPORARY,
                port=self.ports["web"],
                app=self.ports["app"],
                more=change.get("web", ""),
            ),
            "app/settings.txt": "one\n",
            ".github/orient-deploy.yml": yaml.safe_dump(self._configuration(version, change)),
            **{path: f"{text}\n" for path, text in (change.get("files") or {}).items()},
        }
        for path, text in files.items():
            place = self.repo / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        git = ["git", "-C", str(self.repo), "-c", "user.name=x", "-c", "user.email=x@x"]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", version, "--allow-empty"]):
            subprocess.run([*git, *words], check=True, timeout=60, capture_output=True)
        travels = {p: t.encode() for p, t in files.items() if not p.startswith(".github")}
        variables = {"GREETING": "one", "MODE": "right", **(change.get("env") or {})}
        text = "".join(f"{name}={value}\n" for name, value in variables.items())
        self.versions[version] = {**travels, ".env": text.encode()}
        self.references[version] = self._image(version, change)

    def _image(self, version: str, change: Mapping[str, Any]) -> str:
        if "app-reference" in change:
            return str(change["app-reference"]).replace("REGISTRY", self.site.registry.host)
        if version == "two" and "app" not in change:
            return self.references["one"]
        run = change.get("app", "serve 8080")
        context = self.folder / f"image-{version}"
        context.mkdir()
        (context / "Dockerfile").write_text(
            f"FROM part:1\nLABEL version={self.project}-{version}\n"
            f"CMD {json.dumps(['sh', '-c', _RUN + run])}\n"
        )
        name = f"{self.site.registry.host}/{self.project}:{version}"
        self.engine.docker("build", "--quiet", "--tag", name, context)
        self.engine.docker("push", "--quiet", name)
        found = self.engine.docker("image", "inspect", "--format", "{{json .RepoDigests}}", name)
        digest = next(one for one in json.loads(found.stdout) if self.project in one)
        self.engine.docker("rmi", "--force", name)
        return str(digest)

    def _services(self) -> dict[str, Any]:
        return {
            "app": {
                "image": f"{self.site.registry.host}/{self.project}:latest",
                "restart": "always",
                "ports": [f"127.0.0.1:{self.ports['app']}:8080"],
                "environment": {"GREETING": "${GREETING}", "MODE": "${MODE}"},
                "volumes": ["../app:/app"],
                "healthcheck": _CHECK,
            },
            "db": {
                "image": "db:1",
                "restart": "always",
                "command": ["sh", "-c", "exec sleep 100000"],
                "volumes": ["../data:/data"],
                "healthcheck": {**_CHECK, "test": "true"},
            },
            "web": {
                "image": "nginx:1",
                "restart": "always",
                "network_mode": "host",
                "volumes": ["./nginx.conf:/conf/nginx.conf:ro"],
            },
        }

    def _configuration(self, version: str, change: Mapping[str, Any]) -> dict[str, Any]:
        engine = self.engine.env
        service = next(iter((change.get("rename") or {"": "app"}).values()))
        place = {
            "hosts": [self.sshd.address],
            "directory": "~/orienter",
            "workdir": "docker",
            "project": change.get("project", self.project),
            "compose": ["docker/compose.yml"],
            "sync": ["docker/nginx.conf", "app/**"],
            "env-file": ".env",
            "docker": f"PATH={engine['PATH']} DOCKER_HOST={engine['DOCKER_HOST']} "
            f"DOCKER_CONFIG={self.site.field.settings} docker",
            "services": {
                "web": {"reload": "nginx -s reload -c /conf/nginx.conf -e stderr", "stable": 1},
                service: {"stable": 1, "budget": self.given.get("budget", 30)},
                "db": {"stable": 1},
            },
            "checks": {
                "front": {"url": f"http://127.0.0.1:{self.ports['web']}/health", "service": "web"}
            },
        }
        if "hooks" in self.given and version == "two":
            place["hooks"] = self.given["hooks"]
        return {
            "version": 1,
            "images": {"app": {"services": [service]}},
            "environments": {"production": place},
        }

    def taken(self) -> int:
        """A port that a process of this machine holds."""
        if "PORT_TAKEN" not in self.ports:
            listener = self.stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self.ports["PORT_TAKEN"] = listener.getsockname()[1]
        return self.ports["PORT_TAKEN"]

    # --- the play

    def run(self) -> Came:
        self.write("one")
        before = self.given.get("before", "one")
        if before == "running":
            self._run_by_hand()
        elif before != "nothing":
            self._must(self.command("deploy", "one"))
        if before in ("two", "unverified"):
            self.write("two")
        if before == "two":
            self._must(self.command("deploy", "two"))
        if before == "unverified":
            self._kill_at("applied", self._kill_runner, lambda: self.command("deploy", "two"))
        self.server.joinpath("data").mkdir(parents=True, exist_ok=True)
        (self.server / "data/row").write_text("precious\n")
        if before not in ("two", "unverified"):
            self.write("two")
        self.ids = self.containers()
        self.there = self.files()
        done = self._play()
        self._check(done)
        return Came(case=self.case, problems=tuple(self.problems), done=done)

    def _play(self) -> Done:
        name = self.given.get("command", "deploy")
        acts = dict(self.given.get("acts") or {})
        if self.step:
            acts = {self.step: self.given["each-step"]}
        for when in [one for one in acts if one == "start"]:
            self.act(acts.pop(when))
        done = None
        if acts:
            ((when, what),) = acts.items()
            done = self._kill_at(when, lambda: self.act(what), lambda: self.command(name, "two"))
        else:
            done = self.command(name, "two")
        if "then" in self.given:
            done = self.command(self.given["then"], "two")
        return done

    def command(self, name: str, version: str) -> Done:
        """A command of ours, as a runner starts it."""
        given = {f"{k}": str(v) for k, v in (self.given.get("inputs") or {}).items()}
        if version == "one":
            given = {}
        if given.get("release") in self.versions:
            given["release"] = self.release_of(given["release"])
        if self.given.get("irreversible") and name == "deploy":
            given["irreversible"] = "true"
        inputs = {"environment": "production", "ssh-key": self.sshd.key, **given}
        inputs["known-hosts"] = self.sshd.known_hosts
        if name == "deploy":
            inputs["references"] = json.dumps({"app": self.references[version]})
            inputs["env-content"] = self.versions[version][".env"].decode()
        folder = self.folder / f"run-{time.monotonic_ns()}"
        folder.mkdir()
        head = subprocess.run(
            ["git", "-C", str(self.repo), "rev-parse", "HEAD"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        env = {
            "PATH": f"{self.engine.env['PATH']}:{os.environ['PATH']}",
            "HOME": str(folder),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.repo),
            "GITHUB_SHA": head,
            "GITHUB_RUN_ID": "42",
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "RUNNER_TEMP": str(folder),
            **{f"INPUT_{k.upper().replace('-', '_')}": v for k, v in inputs.items()},
        }
        begun = time.monotonic()
        self.runner = subprocess.Popen(
            [sys.executable, ROOT / "scripts/orient-deploy.py", name],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        out, _ = self.runner.communicate(timeout=300)
        written = {}
        if (folder / "output").exists():
            written = dict(outputs((folder / "output").read_bytes()))
        summary = (folder / "summary").read_text() if (folder / "summary").exists() else ""
        return Done(
            code=self.runner.returncode,
            text=out.decode("utf-8", "replace") + "\n" + summary,
            outputs=written,
            seconds=time.monotonic() - begun,
        )

    def release_of(self, version: str) -> str:
        """The name of the release that a version became, by the order of the ledger."""
        lines = (self.server / "releases/ledger").read_text().splitlines()
        names = list(dict.fromkeys(line.split()[1] for line in lines))
        return names[list(self.versions).index(version)]

    def _must(self, done: Done) -> None:
        if done.code != 0:
            raise RuntimeError(f"{self.case.id}: the way there ended with {done.code}\n{done.text}")

    def _run_by_hand(self) -> None:
        """As a team does that never deployed by us."""
        for path, content in self.versions["one"].items():
            place = self.server / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        name = f"{self.site.registry.host}/{self.project}:latest"
        self.engine.docker("pull", "--quiet", self.references["one"])
        self.engine.docker("tag", self.references["one"], name)
        subprocess.run(
            ["docker", "compose", "-p", self.project, "--env-file", "../.env", "up", "-d"],
            cwd=self.server / "docker",
            env={**os.environ, **self.engine.env, "DOCKER_CONFIG": str(self.site.field.settings)},
            check=True,
            capture_output=True,
            timeout=60,
        )
        time.sleep(2)

    def _kill_at(self, when: str, act: Callable[[], None], run: Callable[[], Done]) -> Done:
        """Run, and act as soon as the journal says so."""
        path = self.server / "releases/journal"
        over = threading.Event()
        met: list[str] = []

        def watch() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    step, _, rest = path.read_text().strip().partition(" ")
                    wanted = when.removeprefix("rolling-back") or "applying"
                    if step == wanted and (when != "rolling-back" or rest.endswith("rollback")):
                        met.append(step)
                        act()
                        return
                time.sleep(0.0005)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            return run()
        finally:
            over.set()
            thread.join(30)
            if not met:
                self.problems.append(f"the journal never said {when}")

    def act(self, words: str) -> None:
        """Something that happens to it."""
        if words.startswith("hold the lock"):
            self._hold(words)
        elif words == "drop ssh":
            self.sshd.drop()
        elif words == "stop ssh":
            self.sshd.stop()
        elif words == "kill the runner":
            self._kill_runner()
        elif words == "interrupt the runner" and self.runner:
            os.kill(self.runner.pid, signal.SIGTERM)
        elif words == "kill the agent":
            self._kill_agent()
        elif words == "kill everything":
            self._kill_agent()
            self._kill_runner()
            self.sshd.drop()
        elif words == "stop the registry":
            os.kill(self.site.registry.process_id, signal.SIGKILL)
        elif words == "restart engine":
            self.engine.restart()
        elif words == "stop engine":
            self.engine.stop()
        elif words == "run somebody":
            self.engine.docker("run", "-d", "--name", "somebody", "part:1", "sleep", "600")
        elif words == "edit .env by hand":
            with (self.server / ".env").open("a") as file:
                file.write("BY_HAND=1\n")
        else:
            raise ValueError(words)

    def _hold(self, words: str) -> None:
        releases = self.server / "releases"
        file = (releases / "lock").open("a")
        fcntl.flock(file, fcntl.LOCK_EX)
        (releases / "holder").write_text("run run 17\nowner somebody\nsince now\n")
        self.locked = file

        def free() -> None:
            (releases / "holder").unlink()
            file.close()
            self.locked = None

        if " for " in words:
            threading.Timer(float(words.rpartition(" ")[2]), free).start()
        else:
            self.stack.callback(file.close)

    def _kill_runner(self) -> None:
        assert self.runner
        os.killpg(self.runner.pid, signal.SIGKILL)
        self.sshd.drop()

    def _kill_agent(self) -> None:
        text = (self.server / "releases/holder").read_text()
        number = re.search(r"^pid (\d+)$", text, re.MULTILINE)
        assert number
        os.killpg(int(number[1]), signal.SIGKILL)

    # --- what is there

    def containers(self) -> dict[str, str]:
        """Service -> id, of the project."""
        format = '{{.Label "com.docker.compose.service"}} {{.ID}}'
        label = f"label=com.docker.compose.project={self.project}"
        out = self.engine.docker("ps", "-a", "--format", format, "--filter", label, check=False)
        return dict(line.split() for line in out.stdout.splitlines())

    def files(self) -> dict[str, bytes]:
        """The files of the folder, without what a deploy writes down."""
        found = {}
        for path in sorted(self.server.rglob("*")):
            name = str(path.relative_to(self.server))
            if path.is_file() and not name.startswith("releases"):
                found[name] = path.read_bytes()
        return found

    def _check(self, done: Done) -> None:
        say = self.problems.append
        given = self.case.given
        if done.code != given.get("exit", done.code):
            say(f"exit {done.code}, not {given['exit']}")
        verdict = done.outputs.get("verdict", "")
        if "verdict" in given and verdict != given["verdict"]:
            say(f"verdict {verdict!r}, not {given['verdict']}")
        for one in given.get("says", ()):
            if str(one).replace("PORT_TAKEN", str(self.ports.get("PORT_TAKEN"))) not in done.text:
                say(f"{one!r} is not told")
        ids = self.containers()
        for service in given.get("kept", ()):
            if ids.get(service) != self.ids.get(service):
                say(f"{service} is another container")
        self._check_end(str(given.get("ends", "")), ids)
        if self.server.exists() and (self.server / "data/row").read_text() != "precious\n":
            say("the data are gone")
        if self.locked is None and given.get("exit") != 8:  # an agent that is alone leaves later
            self._check_lock()
        if done.seconds > given.get("within", WITHIN_S):
            say(f"{done.seconds:.0f} s")
        if "Traceback" in done.text:
            say("a traceback")

    def _check_end(self, ends: str, ids: Mapping[str, str]) -> None:
        say = self.problems.append
        if ends == "as-before":
            if ids != self.ids:
                say(f"containers changed: {self.ids} -> {ids}")
            if self.files() != self.there:
                say("files changed")
            return
        if not ends:
            return
        app = next((ids[name] for name in ("app", "bot-app") if name in ids), "")
        format = "{{.State.Status}} {{.Image}} {{range .Config.Env}}{{.}} {{end}}"
        told = self.engine.docker("inspect", "--format", format, app, check=False).stdout.split()
        wanted = self.engine.docker(
            "image", "inspect", "--format", "{{.Id}}", self.references[ends], check=False
        ).stdout.strip()
        if told[:1] != ["running"] or told[1:2] != [wanted]:
            say(f"app is {told[:2]}, not running {wanted} of {ends}")
        variables = set(self.versions[ends][".env"].decode().split())
        if not variables <= set(told):
            say(f"app has {told[2:]}, not {variables}")
        files = self.files()
        for path, content in self.versions[ends].items():
            if files.get(path) != content:
                say(f"{path} is not that of {ends}")
        extra = set(files) - set(self.versions[ends]) - {"data/row"}
        if extra:
            say(f"files were left: {sorted(extra)}")

    def _check_lock(self) -> None:
        path = self.server / "releases/lock"
        if not path.exists():
            return
        deadline = time.monotonic() + 3
        with path.open("a") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        self.problems.append("the lock is held")
                        return
                    time.sleep(0.1)

    def clear(self) -> None:
        ids = list(self.containers().values())
        if ids:
            self.engine.docker("rm", "-f", "-v", *ids, check=False)
        self.engine.docker("rm", "-f", "somebody", check=False)
        self.engine.docker("network", "rm", f"{self.project}_default", check=False)
        if not os.environ.get("KEEP_PLAYS"):
            shutil.rmtree(self.folder, ignore_errors=True)


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
