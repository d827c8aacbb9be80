"""A field of faults: an engine of its own with one image, and Compose projects that go wrong.

with field(tmp_path) as one:
    one.run(case)          # makes the fault, verifies, and says what came out
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.machines.docker_engine import DockerEngine, docker_engine
from tests.machines.nginx_server import nginx_environment
from tests.machines.parts import part
from tests.machines.ssh_server import SshServer, ssh_server
from tests.unit.commands.conftest import Finished, run_command

CATALOGUE = Path(__file__).with_name("catalogue.yml")
VERSIONS = {"2.26": "compose-2.26", "2.40": "28"}
_SERVE = """\
#!/bin/sh
# serve PORT [spa]: the files of /www, or those of a page whose script is another page.
exec busybox httpd -f -p "$1" -h "/www${2:+/$2}"
"""
_DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY serve /bin/serve
COPY www /www
RUN ["/bin/chmod", "755", "/bin/serve"]
RUN ["/bin/mkdir", "/data", "/tmp"]
STOPSIGNAL SIGKILL
"""
_PAGE = '<!doctype html><title>x</title><script type="module" src="/assets/app.js"></script>'
_PROXY = """\
user root;
worker_processes 1;
error_log /dev/stderr notice;
pid /tmp/nginx.pid;
events {{ worker_connections 64; }}
http {{
  access_log off;
  {temporary}
  server {{
    listen 80;
    {tls}
    location / {{ proxy_pass http://{upstream}:8080; proxy_connect_timeout 2s; }}
  }}
}}
"""
_TEMPORARY = "".join(
    f"{kind}_temp_path /tmp/{kind}; "
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault, and what must be said of it."""

    id: str
    given: Mapping[str, Any]

    @property
    def within_s(self) -> float:
        return float(self.given.get("within", 15))

    @property
    def in_ci(self) -> bool:
        return bool(self.given.get("ci"))


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came out."""

    case: Case
    verdict: str
    reasons: Mapping[str, str]  # name of a service -> reason
    seconds: float
    text: str  # all that people and programs are told
    done: Finished

    @property
    def problems(self) -> list[str]:
        """What of it is not as it must be."""
        given = self.case.given
        found = []
        if self.verdict != given["verdict"]:
            found.append(f"verdict {self.verdict}, not {given['verdict']}")
        reason = given.get("reason", "")
        if reason and reason not in self.reasons.values():
            found.append(f"reasons {dict(self.reasons)}, not {reason}")
        service = given.get("service")
        if service and not any(service in name for name in self.reasons):
            found.append(f"{service} is not named")
        found += [f"{one!r} is not told" for one in given.get("says", ()) if one not in self.text]
        if self.seconds > self.case.within_s:
            found.append(f"{self.seconds:.1f} s, not within {self.case.within_s:g} s")
        return found


def cases() -> list[Case]:
    """All of the catalogue."""
    return [
        Case(id=one["id"], given=one)
        for one in yaml.safe_load(CATALOGUE.read_text("utf-8"))["cases"]
    ]


@dataclass
class Field:
    """The engine with its image, and where cases have their files."""

    engine: DockerEngine
    folder: Path
    version: str  # of Compose
    defaults: Mapping[str, Any]

    def run(self, case: Case) -> Came:
        """Make the fault, verify, and clear it away."""
        with ExitStack() as stack:
            stage = Stage(self, case, stack)
            stack.callback(stage.clear)
            stage.set_up()
            return stage.verify()

    def compose(self, project: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `docker compose`."""
        return subprocess.Popen(
            ["docker", "compose", "-p", project, "-f", folder / "compose.yml", *arguments],
            env={**os.environ, **self.engine.env, "DOCKER_CONFIG": str(self.settings)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def settings(self) -> Path:
        """Where this version of Compose is docker's plugin."""
        folder = self.folder / f"docker-{self.version}"
        plugins = folder / "cli-plugins"
        if not plugins.exists():
            folder.mkdir(exist_ok=True)
            plugins.symlink_to(part(VERSIONS[self.version]) / "usr/libexec/docker/cli-plugins")
        return folder


@contextmanager
def field(
    folder: Path, *, version: str = "2.40", engine: str = "28", restartable: bool = False
) -> Iterator[Field]:
    """An engine with the images of the cases."""
    with docker_engine(engine, restartable=restartable) as one:
        context = folder / "image"
        _write_image(context, one)
        one.docker("build", "--quiet", "--tag", "part:1", context)
        _write_nginx(folder / "nginx")
        one.docker("build", "--quiet", "--tag", "nginx:1", folder / "nginx")
        loaded = yaml.safe_load(CATALOGUE.read_text("utf-8"))
        yield Field(engine=one, folder=folder, version=version, defaults=loaded["defaults"])


def _write_image(context: Path, engine: DockerEngine) -> None:
    (context / "www/spa/assets/app.js").mkdir(parents=True)
    shutil.copy(engine.busybox, context / "busybox")
    (context / "Dockerfile").write_text(_DOCKERFILE)
    (context / "serve").write_text(_SERVE)
    (context / "www/health").write_text('{"status": "ok"}\n')
    for path in ("index.html", "page.html", "spa/index.html", "spa/assets/app.js/index.html"):
        (context / "www" / path).write_text(_PAGE)


def _write_nginx(context: Path) -> None:
    """The nginx of the machines with the libraries that it is linked to."""
    environment = nginx_environment()
    program = part("nginx") / "usr/sbin/nginx"
    linked = subprocess.run(
        ["ldd", program],
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for found in re.finditer(r"(/\S+)", linked):
        path = Path(found[1])
        place = context / ("lib64" if path.name.startswith("ld-") else "lib") / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    shutil.copy(program, context / "nginx")
    (context / "passwd").write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    (context / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (context / "nsswitch.conf").write_text("hosts: files dns\n")
    (context / "Dockerfile").write_text(
        "FROM part:1\nCOPY lib /lib\nCOPY lib64 /lib64\nCOPY nginx /bin/nginx\n"
        "COPY passwd group nsswitch.conf /etc/\nENV LD_LIBRARY_PATH=/lib\n"
        'CMD ["nginx", "-g", "daemon off;", "-c", "/conf/nginx.conf", "-e", "stderr"]\n'
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


class Stage:
    """One case, while it is played."""

    def __init__(self, field: Field, case: Case, stack: ExitStack) -> None:
        self.field, self.case, self.stack = field, case, stack
        self.given = case.given
        self.folder = field.folder / f"case-{case.id}-{field.version}"
        self.project = "x"  # one case at a time
        self.ports: dict[str, int] = {}
        self.server: SshServer | None = None
        self.background: subprocess.Popen[bytes] | None = None
        self.clock_s = 0.0
        self.authority = ""
        self.up: tuple[str, ...] = ("create",) if case.given.get("created") else ("up", "-d")
        self.code = 0  # of that

    # --- before

    def set_up(self) -> None:
        self.folder.mkdir(parents=True)
        if "tls" in self.given:
            self._make_certificate(**self.given["tls"])
        text = self._filled(yaml.safe_dump({"services": self._services()}, sort_keys=False))
        (self.folder / "compose.yml").write_text(text)
        if self.given.get("ssh"):
            self.server = self.stack.enter_context(ssh_server(self.folder / "sshd"))
        self._start()
        if name := self.given.get("leftover"):
            labels = {"project": self.project, "service": name, "oneoff": "False"}
            words = [f"--label=com.docker.compose.{key}={value}" for key, value in labels.items()]
            self.docker("run", "-d", "--name", f"orienter-{name}", *words, "part:1", "sleep", "600")
        for act in self.given.get("before", ()):
            self.act(act)
        if self.given.get("baseline"):
            self._verify({**self._inputs(), "record": str(self.folder / "before.json")})

    def _start(self) -> None:
        path = self.folder / "compose.yml"
        if "ADDRESS" in path.read_text():
            self.field.compose(self.project, self.folder, "up", "-d", "app").wait(60)
            format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
            address = self.docker("inspect", "--format", format, f"{self.project}-app-1").strip()
            path.write_text(path.read_text().replace("ADDRESS", address))
        up = self.field.compose(self.project, self.folder, *self.up)
        if self.given.get("detached"):
            self.background = up
            wanted = len(self._services())
            while len(self.docker("ps", "-aq").split()) < wanted and up.poll() is None:
                time.sleep(0.1)
        else:
            self.code = up.wait(180)

    def _services(self) -> dict[str, Any]:
        services = {}
        for name, one in self.given["services"].items():
            count = self.given.get("count", 1)
            for index in range(count):
                made = self._service(one)
                if count > 1:  # the engine's networks have room for a dozen
                    made["network_mode"] = "none"
                services[f"{name}-{index + 1}" if count > 1 else name] = made
        upstream = self.given.get("proxy") or ("app" if "tls" in self.given else "")
        if upstream:
            port = "PORT_TLS:443" if "tls" in self.given else "PORT_PROXY:80"
            tls = "listen 443 ssl; ssl_certificate /conf/a.pem; ssl_certificate_key /conf/a.key;"
            conf = self.folder / "conf"
            conf.mkdir(exist_ok=True)
            (conf / "nginx.conf").write_text(
                _PROXY.format(
                    temporary=_TEMPORARY, upstream=upstream, tls=tls if "tls" in self.given else ""
                )
            )
            services["proxy"] = {
                "image": "nginx:1",
                "ports": [f"127.0.0.1:{port}"],
                "volumes": [f"{conf}:/conf:ro"],
                "restart": "always",
                # Looked up once, when it starts, as a name of Docker's own DNS is.
                **({"extra_hosts": [f"{upstream}:ADDRESS"]} if upstream in services else {}),
            }
        return services

    def _service(self, one: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {"image": "part:1", "command": ["sh", "-c", _plain(one["run"])]}
        if "check" in one:
            test = one["check"]
            if isinstance(test, int):
                test = f"wget -q -O- http://127.0.0.1:{test}/health"
            made["healthcheck"] = {"test": test, **self.field.defaults["check"]}
            if "start_period" in one:
                made["healthcheck"]["start_period"] = one["start_period"]
        if "ports" in one:
            made["ports"] = [f"127.0.0.1:{port}" for port in one["ports"]]
        made |= {key: one[key] for key in ("restart", "mem_limit") if key in one}
        if "waits" in one:
            made["depends_on"] = {name: {"condition": "service_healthy"} for name in one["waits"]}
        return made

    def _filled(self, text: str) -> str:
        """With ports for the words that stand for them."""

        def port(found: re.Match[str]) -> str:
            if found[0] not in self.ports:
                self.ports[found[0]] = free_port()
                if found[0] == "PORT_TAKEN":
                    listener = self.stack.enter_context(socket.socket())
                    listener.bind(("127.0.0.1", self.ports[found[0]]))
                    listener.listen()
            return str(self.ports[found[0]])

        return re.sub(r"PORT_[A-Z]+", port, text)

    def _make_certificate(self, days: int, name: str = "localhost") -> None:
        """One that an authority of its own has signed, valid for so many days from now."""
        conf = self.folder / "conf"
        conf.mkdir(exist_ok=True)
        self.authority = str(conf / "ca.pem")

        def openssl(*words: str) -> None:
            subprocess.run(
                ["openssl", *words], cwd=conf, check=True, capture_output=True, timeout=60
            )

        new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl(
            *new, "-x509", "-days", "9", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem"
        )
        openssl(*new, "-subj", f"/CN={name}", "-keyout", "a.key", "-out", "a.csr")
        (conf / "a.ext").write_text(f"subjectAltName=DNS:{name}\n")
        (conf / "index").write_text("")
        (conf / "serial").write_text("01\n")
        (conf / "ca.cnf").write_text(
            "[ca]\ndefault_ca=a\n[a]\ndatabase=index\nserial=serial\nnew_certs_dir=.\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
        )
        now = time.time()
        start, end = (
            time.strftime("%Y%m%d%H%M%SZ", time.gmtime(now + 86_400 * day)) for day in (-30, days)
        )
        openssl(
            *("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"),
            *("-in", "a.csr", "-out", "a.pem", "-extfile", "a.ext", "-notext"),
            *("-startdate", start, "-enddate", end),
        )

    # --- while verify looks on

    def docker(self, *words: str) -> str:
        return self.field.engine.docker(*words, check=False).stdout

    def act(self, words: str) -> None:
        verb, _, rest = words.partition(" ")
        container = f"{self.project}-{rest}-1"
        if verb == "pause":
            self.docker("pause", container)
        elif words == "drop ssh" and self.server:
            self.server.drop()
        elif words == "stop ssh" and self.server:
            self.server.stop()
        elif words == "restart engine":
            self.field.engine.restart()
        elif words == "stop engine":
            self.field.engine.stop()
        elif verb == "restart":
            self.docker("restart", "-t", "0", container)
        elif verb == "clock":
            self.clock_s += float(rest)
        elif verb == "recreate":
            service = rest.split()[0]
            network = f"{self.project}_default"
            self.docker("rm", "-f", f"{self.project}-{service}-1")
            self.docker("run", "-d", "--network", network, "part:1", "sleep", "600")
            self.field.compose(self.project, self.folder, "up", "-d", service).wait(60)
        else:
            raise ValueError(words)

    def _inputs(self) -> dict[str, str]:
        given = self.given.get("inputs", {})
        return {name: self._filled(str(text)) for name, text in given.items()}

    def verify(self) -> Came:
        timers = [
            threading.Timer(float(at), self.act, [words])
            for at, words in self.given.get("acts", {}).items()
        ]
        inputs = self._inputs()
        if self.given.get("baseline"):
            inputs["baseline"] = str(self.folder / "before.json")
        for timer in timers:
            timer.start()
        try:
            with self._clock():
                begun = time.monotonic()
                done = self._verify(inputs)
                seconds = time.monotonic() - begun
        finally:
            for timer in timers:
                timer.cancel()
                timer.join()
        evidence = {}
        path = self.folder / "orient-deploy-verify.json"
        if path.exists():
            evidence = json.loads(path.read_text())
        reasons = {
            one["name"]: one["reason"] for one in evidence.get("services", ()) if one["reason"]
        }
        verdict = evidence.get("verdict") or ("refused" if done.code == 2 else f"exit {done.code}")
        text = "\n".join([done.stdout, done.stderr, done.summary, json.dumps(evidence)])
        return Came(
            case=self.case, verdict=verdict, reasons=reasons, seconds=seconds, text=text, done=done
        )

    def _verify(self, inputs: Mapping[str, str]) -> Finished:
        """The action, as a runner starts it."""
        env = {
            "PATH": f"{self.field.engine.env['PATH']}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.field.settings),
            "DOCKER_HOST": self.field.engine.env["DOCKER_HOST"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.folder),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.folder),
            **{f"INPUT_{name.upper().replace('-', '_')}": text for name, text in inputs.items()},
        }
        for name in ("output", "summary"):
            (self.folder / name).unlink(missing_ok=True)
        if self.given.get("probes") or self.given.get("leftover") or self.server:
            env |= self._configured()
        elif not {"urls", "containers"} & inputs.keys():
            env["INPUT_PROJECT"] = self.project
        if self.authority:
            with _variable("SSL_CERT_FILE", self.authority):
                return run_command(("verify",), env)
        return run_command(("verify",), env)

    def _configured(self) -> dict[str, str]:
        """With a configuration, in a repository."""
        place: dict[str, Any] = {"project": self.project, "compose": ["compose.yml"]}
        env = {}
        if self.server:
            engine = self.field.engine
            place["hosts"] = [self.server.address]
            place["docker"] = (
                f"PATH={engine.env['PATH']} DOCKER_HOST={engine.env['DOCKER_HOST']} docker"
            )
            env = {"INPUT_SSH_KEY": self.server.key, "INPUT_KNOWN_HOSTS": self.server.known_hosts}
        if "probes" in self.given:
            place["checks"] = self.given["probes"]
        document = {"version": 1, "images": {"app": {}}, "environments": {"production": place}}
        (self.folder / ".github").mkdir(exist_ok=True)
        path = self.folder / ".github/orient-deploy.yml"
        path.write_text(self._filled(yaml.safe_dump(document, sort_keys=False)))
        git = ["git", "-C", str(self.folder), "-c", "user.name=x", "-c", "user.email=x@x"]
        subprocess.run([*git, "init", "-q"], check=True, timeout=60)
        subprocess.run([*git, "add", ".github", "compose.yml"], check=True, timeout=60)
        subprocess.run([*git, "commit", "-qm", "x", "--allow-empty"], check=True, timeout=60)
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
        )
        return {**env, "GITHUB_SHA": head.stdout.strip(), "INPUT_ENVIRONMENT": "production"}

    @contextmanager
    def _clock(self) -> Iterator[None]:
        """This machine's clock, as the acts set it."""
        real = time.time
        time.time = lambda: real() + self.clock_s
        try:
            yield
        finally:
            time.time = real

    # --- after

    def clear(self) -> None:
        if self.background is not None:
            self.background.kill()
            self.background.wait(30)
        with contextlib.suppress(Exception):
            found = self.docker("ps", "-aq").split()
            if found:
                self.docker("rm", "-f", *found)
            self.docker("network", "rm", f"{self.project}_default")


def _plain(script: str) -> str:
    """A script in which Compose sees no variables of its own."""
    return script.replace("$", "$$")


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
