"""What a project refers to, as Compose itself lists it, and as it acts on it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dev.record_dotenv import fetched_compose
from orient_deploy.stack.references import Need, parse_model, references
from tests.machines.parts import part

NAME = "@"  # stands for a name of its own in the texts that are made here
SIGNS = (":-", "-", ":?", "?", ":+", "+")


class Machine:
    """Two readers of the same compose files: ours, and the real Compose without it."""

    def __init__(self, folder: Path) -> None:
        part("28")
        settings = folder / "docker"
        settings.mkdir()
        self.folder = folder / "project"
        self.folder.mkdir()
        self.compose = fetched_compose(settings)
        self._docker = part("28") / "usr" / "bin" / "docker"
        self._environment = {"DOCKER_CONFIG": str(settings)}

    def write(self, *projects: object, names: Sequence[str] = ()) -> list[str]:
        """Compose files; JSON is YAML."""
        paths = []
        for index, project in enumerate(projects):
            path = self.folder / (names[index] if names else f"compose.{index}.yml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(project if isinstance(project, str) else json.dumps(project))
            paths.append(str(path))
        return paths

    def ours(self, files: Sequence[str]) -> dict[str, Need]:
        return references(self.compose.model(files, str(self.folder)))

    def listed(self, files: Sequence[str]) -> dict[str, bool]:
        """Every variable that Compose lists, and whether it says that it is required."""
        done = self._config(files, "--variables", "--format", "json")
        assert done.returncode == 0, done.stderr
        return {name: one["Required"] for name, one in json.loads(done.stdout).items()}

    def warned(self, files: Sequence[str], environment: Mapping[str, str] = {}) -> set[str]:
        """The variables that Compose, reading all values, takes an empty text for."""
        done = self._config(files, environment=environment)
        assert done.returncode == 0, done.stderr
        return set(re.findall(r'The \\"(\w+)\\" variable is not set', done.stderr))

    def stops_at(self, files: Sequence[str], environment: Mapping[str, str] = {}) -> str:
        """The variable that Compose stops at, or ''."""
        done = self._config(files, environment=environment)
        found = re.search(r"required variable (\w+) is missing a value", done.stderr)
        assert (found is None) == (done.returncode == 0), done.stderr
        return found[1] if found else ""

    def _config(
        self, files: Sequence[str], *flags: str, environment: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        constant = ["--env-file", "/dev/null", "--project-name", "x"]
        named = [word for path in files for word in ("-f", path)]
        return subprocess.run(
            [self._docker, "compose", *constant, *named, "--profile", "*", "config", *flags],
            env={**self._environment, **environment},
            cwd=self.folder,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine"))


# --- texts


def _literals() -> st.SearchStrategy[str]:
    """Text that no name runs into, with everything that only looks like a reference."""
    pieces = ("$$", "$$A", "$${A}", "$${A:?x}", "x", "A", ":?", ":-", "-", "?", "é", "ſ", " ", "1")
    return st.lists(st.sampled_from(pieces), max_size=3).map(lambda found: "/" + "".join(found))


def _reference(within: st.SearchStrategy[str], in_messages: bool) -> st.SearchStrategy[str]:
    def written(sign: str, text: str, message: str) -> str:
        return f"${{{NAME}{sign}{message if '?' in sign and not in_messages else text}}}"

    return st.builds(written, st.sampled_from(SIGNS), within, _literals())


def _texts(*, in_messages: bool) -> st.SearchStrategy[str]:
    """Texts with references, and references in those; in the messages of `?` too if asked for."""
    alone = st.sampled_from([f"${NAME}", f"${{{NAME}}}", f"$$${NAME}", f"${NAME}:?x", f"${NAME}-x"])

    def longer(shorter: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        one = st.one_of(alone, _reference(shorter, in_messages))
        row = st.tuples(_literals(), one, _literals(), st.one_of(_literals(), one))
        return row.map("".join)

    return st.recursive(_literals(), longer, max_leaves=6)


def named(texts: Iterable[str]) -> Iterator[str]:
    """The texts with a name of its own for each reference: which of two Compose lists is chance."""
    numbers = count()

    def name(_: re.Match[str]) -> str:
        number = next(numbers)
        return (f"V{number}", f"_v{number}", f"lower_{number}X")[number % 3] + "_"

    for text in texts:
        yield re.sub(NAME, name, text)


def project_of(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Two files that belong together, with the texts at every place that takes any text."""
    first: dict[str, Any] = {"image": "x", "labels": [], "command": [], "profiles": ["never"]}
    second: dict[str, Any] = {"labels": {}, "environment": {}, "deploy": {"labels": {}}}
    extra: list[object] = []
    for index, text in enumerate(texts):
        key = f"k{index}"
        match index % 7:
            case 0:
                first["command"].append(text)
            case 1:
                first["labels"].append(f"{key}.{text}")
            case 2:
                second["labels"][key] = text
            case 3:
                second["environment"][key] = text
            case 4:
                second["deploy"]["labels"][key] = text
            case 5:
                extra.append({"deep": [text]})
            case _:
                first.setdefault("environment", []).append(f"{key}={text}")
    return [
        {"services": {"a": first}, "x-more": extra},
        {"services": {"a": second, "b": {"image": "y"}}, "volumes": {"v": {}}},
    ]


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_texts(in_messages=False), min_size=1, max_size=40))
def test_the_names_are_those_that_compose_lists(machine: Machine, texts: list[str]) -> None:
    files = machine.write(*project_of(list(named(texts))))

    ours = machine.ours(files)
    assert {name: need == "required" for name, need in ours.items()} == machine.listed(files)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_texts(in_messages=True), min_size=1, max_size=40), st.randoms())
def test_what_is_said_of_a_name_is_what_becomes_of_it(
    machine: Machine, texts: list[str], chance: Any
) -> None:
    """Names in the message of another's `?` count: Compose reads those, though it lists none."""
    files = machine.write(*project_of(list(named(texts))))
    ours = machine.ours(files)
    required = [name for name, need in ours.items() if need == "required"]
    given = dict.fromkeys(required, "given")

    assert machine.warned(files, given) == {name for name, need in ours.items() if need == "unset"}
    if required:
        left_out = chance.choice(required)
        rest = {name: value for name, value in given.items() if name != left_out}
        assert machine.stops_at(files, rest) == left_out


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        pytest.param("$A $$B", {"A": "unset"}, id="dollar"),
        pytest.param("${A?x} ${A:-y}", {"A": "required"}, id="required-first"),
        pytest.param("${A-} ${A?x}", {"A": "required"}, id="required-last"),
        pytest.param("${A-} $A", {"A": "unset"}, id="unset-last"),
        pytest.param("${A:-${A:?x}}", {"A": "required"}, id="required-within-itself"),
        pytest.param("${A:?}", {"A": "required"}, id="no-message"),
        pytest.param("${A:-}", {"A": "default"}, id="empty-default"),
        pytest.param("${A:-$${B}}", {"A": "default"}, id="dollar-in-a-default"),
        pytest.param("${A:-$$${B}}", {"A": "default", "B": "unset"}, id="dollar-before-one"),
        pytest.param('{"x":"${A:-{"y":"$B"}}"}', {"A": "default", "B": "unset"}, id="json"),
        pytest.param("$A\n${B:-1}", {"A": "unset", "B": "default"}, id="lines"),
        pytest.param("${A:+${B:?x}}", {"A": "default", "B": "required"}, id="in-an-alternate"),
        pytest.param("$Aé", {"A": "unset"}, id="end-of-a-name"),
        pytest.param("$ $1 $é $- a$", {}, id="dollars-alone"),
    ],
)
def test_a_text_is_read_as_compose_reads_it(
    machine: Machine, text: str, needs: dict[str, Need]
) -> None:
    files = machine.write({"services": {"a": {"image": "x", "command": [text]}}})

    assert machine.ours(files) == needs
    required = {name: "given" for name, need in needs.items() if need == "required"}
    assert machine.warned(files, required) == {n for n, need in needs.items() if need == "unset"}
    assert machine.stops_at(files) == next(iter(required), "")


@pytest.mark.parametrize(
    "text",
    ["${A", "${}", "${A B}", "${A:=x}", "${A:x}", "${ A}", "${A!x}", "${a.b}", "${1A}", "${é}"],
)
def test_what_compose_refuses_to_read_names_nothing(machine: Machine, text: str) -> None:
    files = machine.write({"services": {"a": {"image": "x", "command": [text]}}})

    assert machine.ours(files) == {}
    assert set(machine.listed(files)) <= {""}


def test_keys_are_no_texts(machine: Machine) -> None:
    """The same written as a list is one text with a reference in it."""
    service = {"image": "x", "labels": {"a.$A.b": "$B"}, "environment": ["$C=1"]}
    files = machine.write({"services": {"a": service}})

    assert machine.ours(files) == {"B": "unset", "C": "unset"}
    assert machine.warned(files) == {"B", "C"} == set(machine.listed(files))


def test_a_name_alone_is_passed_on_if_it_is_set(machine: Machine) -> None:
    """Compose neither lists nor misses it: the service goes without."""
    listed = {"image": "x", "environment": ["A", "B=1", "C="]}
    mapped = {"image": "x", "environment": {"D": None, "E": "1", "F": "", "g.h": None}}
    files = machine.write({"services": {"a": listed, "b": mapped}})

    assert machine.ours(files) == {"A": "default", "D": "default"}
    assert machine.warned(files) == set() == set(machine.listed(files))


def test_a_project_of_many_files_is_one(machine: Machine) -> None:
    """Merged, extended, included, behind profiles, at ports, builds, volumes, networks, secrets."""
    base = {
        "services": {
            "web": {"image": "web:${TAG:-latest}", "ports": ["${PORT:-80}:80", "$OTHER:81"]},
            "job": {"image": "job", "profiles": ["job"], "command": ["run", "${TOKEN:?needed}"]},
            "built": {
                "build": {"context": "${DIR:-.}", "args": ["A=$ARGUMENT"]},
                "healthcheck": {"test": ["CMD", "sh", "-c", "echo $$HIDDEN ${HEALTH:-}"]},
                "volumes": ["${DATA?where}:/data", "v:/v"],
                "networks": ["n"],
            },
        },
        "volumes": {"v": {"driver_opts": {"device": "$DEVICE"}}},
        "networks": {"n": {"name": "${NETWORK:-n}"}},
        "secrets": {"s": {"environment": "${SECRET_NAME:-S}"}},
        "include": [{"path": "more/compose.yml"}],
    }
    overlay = {
        "services": {
            "web": {"extends": {"file": "more/extended.yml", "service": "common"}},
            "job": {"environment": {"LEVEL": "${LEVEL:?}"}},
        }
    }
    included = {"services": {"more": {"image": "$MORE", "env_file": "${ENV_FILE:-not-there}.env"}}}
    extended = {"services": {"common": {"image": "c", "labels": ["l=$EXTENDED", "$KEYS=x"]}}}
    files = machine.write(base, overlay)
    machine.write(included, extended, names=["more/compose.yml", "more/extended.yml"])

    ours = machine.ours(files)
    assert {name: need == "required" for name, need in ours.items()} == machine.listed(files)
    assert {name for name, need in ours.items() if need == "required"} == {
        *("DATA", "LEVEL", "TOKEN")
    }
    assert {"EXTENDED", "KEYS", "MORE", "ENV_FILE", "DEVICE", "OTHER"} <= ours.keys()
    assert "HIDDEN" not in ours


def test_what_another_file_overrides_is_needed_all_the_same(machine: Machine) -> None:
    """Compose reads the values of each file before it merges them; what it lists is merged."""
    base = {"services": {"a": {"image": "${A:?x}", "environment": {"B": "$C", "D": "$E"}}}}
    overlay = {"services": {"a": {"image": "y", "environment": {"B": "z"}, "depends_on": ["b"]}}}
    other = {"services": {"b": {"image": "b"}}}
    files = machine.write(base, overlay, other)

    merged = machine.compose.model(files, str(machine.folder))
    each = [machine.compose.model([one], str(machine.folder)) for one in files]
    assert references(merged) == {"E": "unset"}
    assert references(merged, *each) == {"A": "required", "C": "unset", "E": "unset"}
    assert machine.stops_at(files) == "A"
    assert machine.warned(files, {"A": "1"}) == {"C", "E"}


@pytest.mark.parametrize(
    "out",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"{}", id="no-services"),
        pytest.param(b'{"services": []}', id="services-as-a-list"),
        pytest.param(b"\xff{}", id="bytes"),
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_another_answer_is_no_model(out: bytes) -> None:
    assert parse_model(out) is None


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(None, id="none"),
        pytest.param({"services": None}, id="no-services"),
        pytest.param({"services": {"a": None}}, id="no-service"),
        pytest.param({"services": {"a": {"environment": None}}}, id="no-environment"),
        pytest.param({"services": {"a": {"environment": [1, "A=1"]}}}, id="no-text"),
    ],
)
def test_a_model_with_less_in_it_names_less(model: object) -> None:
    assert references(model) == {}
