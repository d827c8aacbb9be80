"""What deploy and rollback do on one server, step by step, through its agent.

Decides when a release is applied, kept or given up; what it is made of and what its health means is
decided elsewhere.
"""

from __future__ import annotations

import base64
import shlex
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orient_deploy.commands.judging import Goal, judge
from orient_deploy.commands.travelling import File, pack
from orient_deploy.errors import (
    EXIT_FAILED,
    EXIT_FOUND,
    EXIT_GOOD,
    EXIT_INCONCLUSIVE,
    EXIT_ROLLBACK_FAILED,
    EXIT_ROLLED_BACK,
    InputError,
    OrientError,
    RemoteError,
)
from orient_deploy.health.report import change_line, headline
from orient_deploy.plan.wording import listed
from orient_deploy.release.compose import Change, Pins, changes, pin
from orient_deploy.release.history import kept, rollback_target
from orient_deploy.release.model import (
    ADOPTED,
    Entry,
    Model,
    Record,
    Running,
    Standing,
    containers,
    digests,
    model,
    standing,
)
from orient_deploy.symptoms.match import without_secrets
from orient_deploy.text import printable

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.config.model import Environment
    from orient_deploy.health.evidence import Told
    from orient_deploy.hidden import Hidden
    from orient_deploy.server.agent import Agent, Reply
    from orient_deploy.server.ssh import Server

STEP_TIMEOUT_S = 120.0
PULL_TIMEOUT_S = 1800.0
APPLY_TIMEOUT_S = 900.0
STAGE_TIMEOUT_S = 300.0
HOOK_TIMEOUT_S = 300
BASELINE_S = 1.5
_UNSET = "variable is not set"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a deploy or a rollback on one server."""

    host: str
    code: int
    verdict: str = ""  # healthy, failed, timeout, inconclusive; '' where nothing was judged
    release: str = ""  # that was to be applied
    runs: str = ""  # the release that is in place now
    rolled_back: bool = False
    changes: tuple[Change, ...] = ()
    told: tuple[Told, ...] = ()  # of each verification
    remarks: tuple[str, ...] = ()
    why: str = ""  # it ended before there was a verdict

    @property
    def failed_services(self) -> tuple[str, ...]:
        """Those that decided a failure of the release."""
        return tuple(one.name for one in self.told[0].verdict.failed) if self.told else ()


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be deployed."""

    record: Record  # without what only the server knows
    compose: tuple[str, ...]
    files: Mapping[str, File]
    wanted: Mapping[str, str]  # service -> repository@sha256:…
    ours: frozenset[str]  # services with an image of this repository
    only: frozenset[str] = frozenset()  # the services that are deployed; none: all
    variables: bytes | None = field(default=None, repr=False)  # the new .env
    secrets: tuple[Hidden, ...] = ()  # that are shown nowhere
    login: Callable[[Server, str], None] | None = None
    dry_run: bool = False
    hook_timeout_s: int = HOOK_TIMEOUT_S


class Deployment:
    """One server, its agent, and an environment."""

    def __init__(
        self,
        place: Environment,
        goal: Goal,
        server: Server,
        agent: Agent,
        context: Context,
    ) -> None:
        self.place, self.goal, self.server, self.agent = place, goal, server, agent
        self.context = context
        self.standing: Standing = standing(agent.opened.lines)
        self.remarks: list[str] = []
        self.changes: tuple[Change, ...] = ()
        self.told: list[Told] = []
        self._before: Mapping[str, str] = {}
        self._secrets: tuple[Hidden, ...] = ()
        self.project = goal.wanted.project if goal.wanted else ""

    # --- what is asked for

    def deploy(self, order: Order) -> Outcome:
        """Apply a release, judge it, and go back where it is broken.

        Raises:
            InputError: Compose refuses the files, or they are of another project.
            RemoteError: an image cannot be had, or the server is not reached any more.
        """
        self._secrets = order.secrets
        self.settle()
        running, known, before = self._look(tell=True)
        if not self.standing.good and running and not order.dry_run:
            before = self._adopt(order, running)
        release = order.record.id
        baseline = None if order.dry_run or not running else self._baseline()
        changed = {
            path: one.digest
            for path, one in order.files.items()
            if before is None or before.files.get(path) != one.digest
        }
        plain = self._stage(order, changed, before)
        if order.only - plain.images.keys():
            raise InputError(
                f"there is no service {', '.join(sorted(order.only - plain.images.keys()))}",
                f"the compose files have {', '.join(sorted(plain.images))}",
                "Correct the input 'services'",
            )
        pins = pin(
            plain,
            order.wanted,
            order.ours,
            running,
            known,
            before,
            changed=changed if before else {},
            where=self.standing.where,
            reloads=self._reloads(),
        )
        pinned = self._pin(order, plain, pins)
        self.changes = changes(pinned, pins, running, before.sources if before else ())
        unset = [one for one in pinned.warnings if _UNSET in one]
        if unset:
            return self._ended(
                EXIT_FOUND, release, "variables that the compose files name are not set", unset
            )
        if order.dry_run:
            return self._ended(EXIT_GOOD, release, "")
        self._pull(order, release)
        hook = self.place.hooks.before_apply
        if hook:
            said = self._hook(hook, order.hook_timeout_s)
            if said is not None:
                return self._ended(EXIT_FAILED, release, "the hook before-apply failed", said)
        self._ask("seal", release)
        if baseline is not None:
            self._before = baseline()
        return self._apply_and_judge(release, pinned, pins)

    def rollback(self, wanted: str, *, keep_env: bool, force: bool) -> Outcome:
        """Go back to a good release, and judge it.

        Raises:
            InputError: there is none, or one in between is not reversible.
        """
        was = self.standing.journal
        settled = self.settle()
        if was and was.kind == "rollback" and settled and not wanted:
            return settled  # it had only not been judged
        target = rollback_target(self.standing, wanted)
        left = self.standing.installed
        record = self._look(tell=True)[2]
        if record and record.irreversible and not force:
            raise InputError(
                f"the release {left} is declared not reversible",
                "what it did to the data is not undone by older programs",
                "Go back with --force, if you know better",
            )
        word = self._go_back(target, keep_env=keep_env)
        if left and left != target:
            self._ask("bad", left, "rolled-back")
        if word == "healthy":
            self._back_again(target)
            return self._outcome(EXIT_GOOD, word, target, runs=target)
        if word == "inconclusive":
            return self._outcome(EXIT_INCONCLUSIVE, word, target, runs=target)
        self._ask("bad", target, word)
        return self._outcome(EXIT_ROLLBACK_FAILED, word, target, runs=target)

    def settle(self) -> Outcome | None:
        """Bring what was under way when the last agent ended to its end, and judge it."""
        journal = self.standing.journal
        if journal is None or journal.step in ("staging", "pulling"):
            return None
        release = journal.release
        self._say(f"{release} was not brought to its end ({journal.step}); that is done first")
        if journal.step in ("installing", "applying"):
            self._ask("apply", release, journal.kind, timeout_s=APPLY_TIMEOUT_S)
        services = self._services_of(release)
        word = "healthy" if journal.step == "marking" else self._judge(services).verdict.word
        if word == "healthy":
            self._good(release)
        elif word != "inconclusive":
            self._ask("bad", release, word)
        self.standing = replace(
            self.standing,
            journal=None,
            installed=release,
            good=release if word == "healthy" else self.standing.good,
            ledger=(*self.standing.ledger, _entry(release, "good" if word == "healthy" else word)),
        )
        self.remarks.append(f"{release} had been applied and not judged: it is {word}")
        code = EXIT_GOOD if word == "healthy" else EXIT_FAILED
        outcome = self._outcome(code, word, release, runs=release)
        self.told.clear()
        return outcome

    # --- the steps of a deploy

    def _look(
        self, *, tell: bool = False
    ) -> tuple[tuple[Running, ...], Mapping[str, frozenset[str]], Record | None]:
        reply = self._ask("look", self.project or "-", self.place.workdir)
        others = [one for one in reply.all("project") if one != self.project]
        if others and not containers(reply.all("container")):
            raise InputError(
                f"the project's name has changed from {others[0]} to {self.project}",
                "another name is another project: with volumes and networks of its own, and empty",
                f"Set `project: {others[0]}` of the environment",
            )
        before = Record.parse(reply.first("release"))
        if tell and (edited := reply.all("edited")):
            self.remarks.append(f"{listed(edited)} had been changed on the server by hand")
        return containers(reply.all("container")), digests(reply.all("image")), before

    def _adopt(self, order: Order, running: Sequence[Running]) -> Record | None:
        """What runs becomes a release, so that there is something to go back to."""
        release = f"{ADOPTED}-{order.record.created.replace(':', '')}"
        where = self.standing.where
        files = [one.removeprefix(f"{where}/") for one in running[0].files]
        images = {one.service: one.image for one in running}
        mine = [one for one in files if not one.startswith("/")]
        record = replace(
            order.record, id=release, commit="", references={}, sources=images, irreversible=False
        )
        staged = {
            "settings": self._settings(files),
            "wanted": _lines({*mine, *order.files}),
            "pins.yml": Pins(images=images, contents={}, reload=()).overlay().encode(),
            "release.json": f"{record.text()}\n".encode(),
        }
        self.agent.stage(release, pack(staged), timeout_s=STAGE_TIMEOUT_S)
        kept_now = self._ask("keep", release)
        reply = self.agent.ask("resolve", release, timeout_s=STEP_TIMEOUT_S)
        if reply.code or set(images) - set(model(reply.lines).images):
            said = self._said(reply, "warning") or ["its compose files do not have what runs"]
            self.remarks.append(
                f"what runs could not be adopted, so there is nothing to go back to: {said[-1]}"
            )
            return None
        pairs = [one.partition(" ") for one in kept_now.all("kept")]
        record = replace(record, files={path: digest for digest, _, path in pairs})
        path = f"{where}/releases/{release}.tmp/release.json"
        self.server.upload(path, f"{record.text()}\n".encode(), timeout_s=STEP_TIMEOUT_S)
        self._ask("seal", release)
        self._ask("good", release, "adopted")
        self.standing = replace(
            self.standing,
            good=release,
            installed=release,
            ledger=(*self.standing.ledger, _entry(release, "good")),
        )
        self._say(f"what ran until now is adopted as release {release}")
        self.remarks.append(f"what ran until now is adopted as {release}")
        return record

    def _stage(self, order: Order, changed: Mapping[str, str], before: Record | None) -> Model:
        record = replace(
            order.record, files={path: one.digest for path, one in order.files.items()}
        )
        staged = {f"files/{path}": one.content for path, one in order.files.items()}
        programs = frozenset(f"files/{p}" for p, one in order.files.items() if one.is_program)
        staged["settings"] = self._settings(order.compose)
        staged["release.json"] = f"{record.text()}\n".encode()
        if order.variables is not None:
            staged["env"] = order.variables
        self.agent.stage(record.id, pack(staged, programs), timeout_s=STAGE_TIMEOUT_S)
        return self._resolve(record.id)

    def _pin(self, order: Order, plain: Model, pins: Pins) -> Model:
        release = order.record.id
        folder = f"{self.standing.where}/releases/{release}.tmp"
        record = replace(
            order.record,
            files={path: one.digest for path, one in order.files.items()},
            sources=plain.images,
            contents=pins.contents,
        )
        text = f"{record.text()}\n".encode()
        self.server.upload(f"{folder}/release.json", text, timeout_s=STEP_TIMEOUT_S)
        if not pins.images and not pins.contents:
            return plain
        overlay = pins.overlay().encode()
        self.server.upload(f"{folder}/pins.yml", overlay, timeout_s=STEP_TIMEOUT_S)
        return self._resolve(release)

    def _resolve(self, release: str) -> Model:
        reply = self.agent.ask("resolve", release, timeout_s=STEP_TIMEOUT_S)
        if reply.code:
            said = self._said(reply, "warning")
            raise InputError(
                "Docker Compose refuses the files of this release",
                said[-1] if said else f"it ended with {reply.code}",
                "Correct them; `orient-deploy preflight` says the line",
            )
        return model(reply.lines)

    def _pull(self, order: Order, release: str) -> None:
        if order.login:
            order.login(self.server, self.agent.run_folder())
        reply = self.agent.ask("pull", release, timeout_s=PULL_TIMEOUT_S)
        if reply.code:
            said = self._said(reply, "failure")
            raise RemoteError(
                "an image of this release cannot be pulled on the server",
                said[-1] if said else "docker pull failed",
                "Nothing was touched. Look at the registry, at the login and at the space there",
            )

    def _hook(self, command: str, timeout_s: int) -> list[str] | None:
        """What a hook that failed said; None for one that did not."""
        reply = self.agent.ask(
            "hook", str(timeout_s), _encoded(command), timeout_s=timeout_s + STEP_TIMEOUT_S
        )
        if reply.code == 0:
            return None
        said = self._said(reply, "output")
        end = "it does not end" if reply.code == 128 + 9 else f"it ended with {reply.code}"
        return [*said, end]

    def _baseline(self) -> Callable[[], Mapping[str, str]]:
        """Begin to look what is wrong already, while a release is prepared and nothing is touched
        yet; what comes back waits for what was found."""
        goal = self._goal((), services=None)
        found: dict[str, str] = {}

        def look() -> None:
            with suppress(OrientError):  # nobody could look: then nothing is known to be old
                verification, _ = judge(
                    goal, nullcontext(self.server), self.context, lambda _: None, for_s=BASELINE_S
                )
                found.update(verification.faults())

        thread = threading.Thread(target=look, daemon=True)
        thread.start()

        def wait() -> Mapping[str, str]:
            thread.join()
            return found

        return wait

    def _apply_and_judge(self, release: str, pinned: Model, pins: Pins) -> Outcome:
        self._say(f"applying {release}")
        try:
            word, told = self._applied(release, pinned, pins)
        except RemoteError as error:
            # The agent goes on by itself, and its journal says how far it came.
            self.remarks.append(f"the server was lost while {release} was applied: {error.what}")
            self.remarks.append("the next command brings it to its end, and judges it first")
            return self._outcome(EXIT_INCONCLUSIVE, "inconclusive", release, runs=release)
        if word == "healthy":
            self._good(release)
            self._ask("prune", *kept(self._after(release), release))
            return self._outcome(EXIT_GOOD, word, release, runs=release)
        if word == "inconclusive":
            return self._outcome(EXIT_INCONCLUSIVE, word, release, runs=release)
        self._ask("bad", release, word)
        if not self.standing.good:
            self.remarks.append("there is nothing to go back to: this was the first release")
            return self._outcome(EXIT_FAILED, word, release, runs=release)
        if told.verdict.failed and not told.rollback_advised:
            self.remarks.append("it was not rolled back: that would not cure it")
            return self._outcome(EXIT_FAILED, word, release, runs=release)
        return self._rolled_back(release, word)

    def _applied(self, release: str, pinned: Model, pins: Pins) -> tuple[str, Told]:
        """The verdict over a release that is being applied."""
        reply = self.agent.ask("apply", release, "deploy", timeout_s=APPLY_TIMEOUT_S)
        if reply.code:
            self.remarks += self._said(reply, "failure")[-2:]
        unread = self._reload(release, pins)
        told = self._judge(pinned.images)
        word: str = told.verdict.word
        if word != "healthy":
            return word, told
        if unread:
            self.remarks.append(f"{listed(unread)} did not take the files of this release")
            return "failed", told
        if self._differing(pinned):
            self.remarks.append(f"{listed(self._differing(pinned))} does not run what it should")
            return "failed", told
        return word, told

    def _rolled_back(self, release: str, word: str) -> Outcome:
        target = self.standing.good
        again = self._go_back(target, keep_env=False)
        if again == "healthy":
            self._back_again(target)
            return self._outcome(EXIT_ROLLED_BACK, word, release, runs=target, rolled_back=True)
        self.remarks.append(f"the rollback to {target} failed: it is {again}")
        self._ask("bad", target, f"rollback-{again}")
        return self._outcome(EXIT_ROLLBACK_FAILED, word, release, runs=target)

    def _go_back(self, target: str, *, keep_env: bool) -> str:
        self._say(f"going back to {target}")
        words = ["keep-env"] if keep_env else []
        reply = self.agent.ask("apply", target, "rollback", *words, timeout_s=APPLY_TIMEOUT_S)
        if reply.all("damaged") or reply.all("lacks-release"):
            raise RemoteError(
                f"the release {target} is damaged on the server",
                "its files are not those that were written down",
                "Deploy the commit that is wanted",
            )
        self._reload(target, Pins(images={}, contents={}, reload=self._reloads()))
        return self._judge(self._services_of(target)).verdict.word

    def _reload(self, release: str, pins: Pins) -> list[str]:
        """Have proxies read their files and ask for names again; those that refuse new files."""
        fresh = {one.service for one in self.changes if one.kind in ("start", "recreate")}
        moved = any(one.kind in ("start", "recreate", "remove") for one in self.changes)
        refusing = []
        for one in self.place.services:
            if not one.reload or one.name in fresh or not (moved or one.name in pins.reload):
                continue
            self._say(f"reload {one.name}")
            command = _encoded(_tested(one.reload))
            reply = self.agent.ask("inside", release, one.name, command, timeout_s=STEP_TIMEOUT_S)
            if reply.code:
                said = " ".join(self._said(reply, "failure"))
                self.remarks.append(f"{one.name} was not reloaded: {said}")
                if one.name in pins.reload:
                    refusing.append(one.name)
        return refusing

    def _differing(self, pinned: Model) -> list[str]:
        """The services that do not run as the release says."""
        running, _, _ = self._look()
        have = {one.service: one.config_hash for one in running}
        return [
            name for name, digest in pinned.hashes.items() if name in have and have[name] != digest
        ]

    # --- how it is judged and told

    def _judge(self, services: Collection[str]) -> Told:
        goal = self._goal(services, frozenset(services))
        say = self.context.log.say
        _, told = judge(
            goal, nullcontext(self.server), self.context, lambda one: say(*change_line(one))
        )
        self.told.append(told)
        self._say(headline(told))
        return told

    def _goal(self, names: Collection[str], services: frozenset[str] | None) -> Goal:
        optional = {one.name for one in self.place.services if one.optional}
        expected = replace(
            self.goal.expected,
            names=tuple(sorted(set(names) - optional)),
            services=services,
            before=self._before,
        )
        return replace(self.goal, expected=expected)

    def _services_of(self, release: str) -> list[str]:
        return self._ask("check", release).all("service")

    def _good(self, release: str) -> None:
        self._ask("good", release)
        self._hook_after("after-good", self.place.hooks.after_good)

    def _back_again(self, release: str) -> None:
        self._ask("good", release)
        self._hook_after("after-rollback", self.place.hooks.after_rollback)

    def _hook_after(self, name: str, command: str) -> None:
        """A hook that can change no verdict any more."""
        if command and (said := self._hook(command, HOOK_TIMEOUT_S)) is not None:
            self.remarks.append(f"the hook {name} failed: {'; '.join(said[-2:])}")

    def _after(self, release: str) -> Standing:
        ledger = (*self.standing.ledger, _entry(release, "good"))
        return replace(self.standing, good=release, installed=release, ledger=ledger)

    def _reloads(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.place.services if one.reload)

    def _settings(self, compose: Sequence[str]) -> bytes:
        rows = [f"project {self.project}", f"workdir {self.place.workdir}"]
        rows += [f"env {self.place.env_file}"] if self.place.env_file else []
        rows += [f"file {one}" for one in compose]
        rows += [f"profile {one}" for one in self.place.profiles]
        return ("\n".join(rows) + "\n").encode()

    def _ask(self, step: str, *words: str, timeout_s: float = STEP_TIMEOUT_S) -> Reply:
        reply = self.agent.ask(step, *words, timeout_s=timeout_s)
        if reply.code and step != "apply":
            raise RemoteError(
                f"the step {step} failed on {self.server.host}",
                (self._said(reply, "failure") or [f"it ended with {reply.code}"])[-1],
                "Look at the space and the rights in `releases` there",
            )
        return reply

    def _said(self, reply: Reply, key: str) -> list[str]:
        """What the server said, without its secrets."""
        return [self._shown(one) for one in reply.all(key) if one.strip()]

    def _shown(self, text: str) -> str:
        for one in self._secrets:
            text = text.replace(one.reveal(), "***")
        return printable(without_secrets(text))

    def _say(self, text: str) -> None:
        self.context.log.say(f"{self.server.host.name}: {text}")

    def _ended(self, code: int, release: str, why: str, said: Sequence[str] = ()) -> Outcome:
        shown = "; ".join(map(self._shown, said))
        return replace(
            self._outcome(code, "", release, runs=self.standing.installed),
            why=f"{why}: {shown}" if shown else why,
        )

    def _outcome(
        self, code: int, verdict: str, release: str, *, runs: str, rolled_back: bool = False
    ) -> Outcome:
        return Outcome(
            host=str(self.server.host),
            code=code,
            verdict=verdict,
            release=release,
            runs=runs,
            rolled_back=rolled_back,
            changes=self.changes,
            told=tuple(self.told),
            remarks=tuple(self.remarks),
        )


def _tested(command: str) -> str:
    """The command, behind a test of the files where it is nginx's own.

    >>> _tested("nginx -s reload -c /n.conf")
    'nginx -t -c /n.conf && nginx -s reload -c /n.conf'
    """
    words = shlex.split(command)
    if words[:1] != ["nginx"] or "-s" not in words[:-1]:
        return command
    at = words.index("-s")
    return f"{shlex.join([*words[:at], '-t', *words[at + 2 :]])} && {command}"


def _encoded(command: str) -> str:
    return base64.b64encode(command.encode()).decode()


def _lines(names: set[str]) -> bytes:
    return "".join(f"{one}\n" for one in sorted(names)).encode()


def _entry(release: str, word: str) -> Entry:
    return Entry(at="", release=release, word=word)
