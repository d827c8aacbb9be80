"""scripts/run and the entrypoints that it starts, in a copy of their own."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomli

from dev import lock_requirements

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TIMEOUT_S = 120


def start(tree: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Start scripts/run under an environment that holds nothing else."""
    bash = shutil.which("bash")
    assert bash is not None
    return subprocess.run(
        [bash, f"{tree}/scripts/run", *arguments],
        cwd=tree.parent,
        env=env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """scripts/run, a lock, and entrypoints that tell how they were started."""
    tree = tmp_path / "the tree"
    (tree / "scripts").mkdir(parents=True)
    (tree / "requirements").mkdir()
    for name in ("run", "find-python.sh"):
        shutil.copy(ROOT / "scripts" / name, tree / "scripts" / name)
    for lock in ("command-line", "detect", "sync-secrets"):
        (tree / "requirements" / f"{lock}.txt").write_text(f"# {lock}\n")
    for name in ("plan", "orient-deploy"):
        (tree / "scripts" / f"{name}.py").write_text(
            "import os, sys\n"
            "libraries = os.path.realpath(os.environ['ORIENT_DEPLOY_LIBRARIES'])\n"
            f"print({name!r}, sys.argv[1:], libraries)\n"
            "print(sys.flags.isolated, sys.flags.no_site, sys.flags.utf8_mode,\n"
            "      sys.flags.dont_write_bytecode)\n"
        )
    return tree


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for PATH with what scripts/run may use, and this Python as python3."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("bash", "mkdir", "mktemp", "chmod", "rm", "cat"):
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    put_python(folder)
    return folder


def put_python(folder: Path, *, pip: str | None = None) -> None:
    """python3 for a PATH; `pip` is the shell that stands in for `python3 -m pip install`."""
    script = "#!/bin/sh\n"
    if pip is not None:
        script += f'case "$*" in *" pip install "*) {pip}; exit 0;; *"import pip"*) exit 0;; esac\n'
    # Started by its own name: a link would not find the packages of a virtual environment.
    script += f'exec "{sys.executable}" "$@"\n'
    (folder / "python3").write_text(script)
    (folder / "python3").chmod(0o755)


def test_vendor_is_used_where_it_is(tree: Path, tools: Path, tmp_path: Path) -> None:
    (tree / "vendor").mkdir()

    result = start(tree, "plan", "a b", "", PATH=str(tools), HOME=str(tmp_path / "home"))

    assert result.stdout.splitlines() == [
        f"plan ['a b', ''] {(tree / 'vendor').resolve()}",
        "1 1 1 1",
    ]
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("name", "lock"),
    [
        pytest.param("sync-secrets", "sync-secrets", id="action"),
        pytest.param("secrets", "sync-secrets", id="command-line"),
    ],
)
def test_what_needs_a_compiled_package_is_installed_beside_vendor(
    name: str, lock: str, tree: Path, tools: Path, tmp_path: Path
) -> None:
    put_python(tools, pip=f'echo "$@" >>"{tmp_path}/calls"')
    (tree / "vendor").mkdir()
    shutil.copy(tree / "scripts" / "plan.py", tree / "scripts" / "sync-secrets.py")

    result = start(tree, name, "plan", PATH=str(tools), RUNNER_TEMP=str(tmp_path / "temp"))

    assert str(tmp_path / "temp") in result.stdout, result.stderr
    assert f"requirements/{lock}.txt" in (tmp_path / "calls").read_text()


def test_libraries_named_by_a_developer_are_used_as_they_are(
    tree: Path, tools: Path, tmp_path: Path
) -> None:
    (tree / "vendor").mkdir()

    result = start(tree, "plan", PATH=str(tools), ORIENT_DEPLOY_LIBRARIES=str(tmp_path))

    assert result.stdout.splitlines() == [f"plan [] {tmp_path.resolve()}", "1 1 1 0"]


def test_it_can_be_started_from_its_own_folder(tree: Path, tools: Path) -> None:
    (tree / "vendor").mkdir()

    result = subprocess.run(
        [shutil.which("bash") or "bash", "run", "plan"],
        cwd=tree / "scripts",
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )

    assert result.stdout.startswith("plan [] ")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["config", "check"], id="two-words"),
        pytest.param([], id="none"),
        pytest.param(["--help"], id="option"),
        pytest.param(["../scripts/plan"], id="path"),
    ],
)
def test_other_names_go_to_the_command_line(arguments: list[str], tree: Path, tools: Path) -> None:
    (tree / "vendor").mkdir()

    result = start(tree, *arguments, PATH=str(tools))

    assert result.stdout.startswith(f"orient-deploy {arguments!r} ")


@pytest.mark.parametrize(
    ("setting", "below"),
    [
        pytest.param("RUNNER_TOOL_CACHE", "", id="tool-cache"),
        pytest.param("RUNNER_TEMP", "", id="temp"),
        pytest.param("XDG_CACHE_HOME", "", id="cache-home"),
        pytest.param("HOME", ".cache", id="home"),
    ],
)
def test_packages_are_installed_once(
    setting: str, below: str, tree: Path, tools: Path, tmp_path: Path
) -> None:
    put_python(tools, pip=f'echo x >>"{tmp_path}/calls"')
    env = {"PATH": str(tools), setting: str(tmp_path / "store")}

    first = start(tree, "plan", **env)
    second = start(tree, "plan", **env)

    (folder,) = (tmp_path / "store" / below / "orient-deploy-actions").iterdir()
    assert first.stdout.splitlines() == [f"plan [] {folder.resolve()}", "1 1 1 0"], first.stderr
    assert second.stdout == first.stdout
    assert (tmp_path / "calls").read_text() == "x\n"
    assert re.match(r"[0-9a-f]{64}-cpython-3\d+-", folder.name)
    assert [path.name for path in folder.iterdir()] == [".complete"]


def test_a_folder_that_cannot_be_written_is_passed_over(
    tree: Path, tools: Path, tmp_path: Path
) -> None:
    put_python(tools, pip=":")
    (tmp_path / "file").write_text("")

    result = start(
        tree,
        "plan",
        PATH=str(tools),
        RUNNER_TOOL_CACHE=str(tmp_path / "file"),
        RUNNER_TEMP=str(tmp_path / "temp"),
    )

    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "temp" / "orient-deploy-actions").iterdir())) == 1


def test_no_folder_at_all_is_said(tree: Path, tools: Path) -> None:
    result = start(tree, "plan", PATH=str(tools))

    assert result.returncode == 3
    assert "There is no folder for the Python packages: none of RUNNER_TOOL_CACHE" in result.stderr


def test_another_lock_is_installed_beside(tree: Path, tools: Path, tmp_path: Path) -> None:
    put_python(tools, pip=":")
    env = {"PATH": str(tools), "RUNNER_TEMP": str(tmp_path / "temp")}

    start(tree, "plan", **env)
    (tree / "requirements" / "detect.txt").write_text("# changed\n")
    start(tree, "plan", **env)

    assert len(list((tmp_path / "temp" / "orient-deploy-actions").iterdir())) == 2


@pytest.mark.parametrize("name", ["detect", "matrix", "plan", "gate", "config"])
def test_each_entrypoint_installs_its_own_lock(
    name: str, tree: Path, tools: Path, tmp_path: Path
) -> None:
    """What an extra asks for, and the rest takes all there is."""
    put_python(tools, pip=":")
    for action in ("detect", "matrix", "gate"):
        shutil.copy(tree / "scripts" / "plan.py", tree / "scripts" / f"{action}.py")
    pyproject = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = pyproject["project"]["optional-dependencies"]
    wanted = sorted(extras.get(name, pyproject["project"]["dependencies"]))
    (lock,) = (
        lock
        for lock, asked in lock_requirements.wanted_requirements(pyproject).items()
        if lock != "dev" and asked == wanted
    )

    result = start(tree, name, PATH=str(tools), RUNNER_TEMP=str(tmp_path / "temp"))

    assert result.returncode == 0, result.stderr
    (folder,) = (tmp_path / "temp" / "orient-deploy-actions").iterdir()
    digest = hashlib.sha256((tree / "requirements" / f"{lock}.txt").read_bytes()).hexdigest()
    assert folder.name.startswith(digest)


def test_the_slower_of_two_installations_gives_way(tree: Path, tools: Path, tmp_path: Path) -> None:
    """While the first one installs, a second one starts and ends."""
    marker = tmp_path / "second"
    second = f'bash "{tree}/scripts/run" plan >"{marker}"'
    put_python(tools, pip=f'[ -e "{marker}" ] || {{ : >"{marker}"; {second}; }}')

    first = start(tree, "plan", PATH=str(tools), RUNNER_TEMP=str(tmp_path / "temp"))

    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("plan [] ")
    assert first.stdout == marker.read_text()
    assert len(list((tmp_path / "temp" / "orient-deploy-actions").iterdir())) == 1


def test_a_folder_left_incomplete_is_named(tree: Path, tools: Path, tmp_path: Path) -> None:
    put_python(tools, pip=":")
    env = {"PATH": str(tools), "RUNNER_TEMP": str(tmp_path / "temp")}
    start(tree, "plan", **env)
    (folder,) = (tmp_path / "temp" / "orient-deploy-actions").iterdir()
    (folder / ".complete").rename(folder / "half")

    result = start(tree, "plan", **env)

    assert result.returncode == 3
    assert f"{folder} cannot be used: it exists, but it is not complete. Remove it" in result.stderr
    assert list(folder.parent.iterdir()) == [folder]


def wheel(folder: Path, content: str) -> str:
    """Put a wheel of the package `sample` into a folder; its sha256."""
    folder.mkdir(exist_ok=True)
    path = folder / "sample-1.0-py3-none-any.whl"
    info = "sample-1.0.dist-info"
    files = {
        "sample.py": content,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            digest = hashlib.sha256(text.encode()).digest()
            encoded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            record += f"{name},sha256={encoded},{len(text)}\n"
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_wheels_of_a_wheelhouse_are_installed_by_hash(
    installer: str, tree: Path, tools: Path, tmp_path: Path
) -> None:
    """With the real installers, without a network, and whatever the consumer set for them."""
    if installer == "uv":
        (tools / "uv").symlink_to(BIN / "uv")
    sha256 = wheel(tmp_path / "wheels", "VALUE = 1\n")
    lock = tree / "requirements" / "detect.txt"
    env = {
        "PATH": str(tools),
        "HOME": str(tmp_path / "home"),
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "ORIENT_DEPLOY_WHEELHOUSE": str(tmp_path / "wheels"),
        "PIP_USER": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "UV_PYTHON": "3.7",
        "PYTHONPATH": str(tmp_path),
    }

    lock.write_text(f"sample==1.0 --hash=sha256:{sha256}\n")
    good = start(tree, "plan", **env)
    lock.write_text(f"sample==1.0 --hash=sha256:{'0' * 64}\n")
    forged = start(tree, "plan", **env)

    assert good.returncode == 0, good.stderr
    (folder,) = (tmp_path / "temp" / "orient-deploy-actions").iterdir()
    assert (folder / "sample.py").read_text() == "VALUE = 1\n"
    assert forged.returncode == 4
    assert f"could not be installed: {installer} said why, above. Try again" in forged.stderr
    assert "hash" in forged.stderr.lower()


def test_the_address_of_the_packages_is_no_argument(
    tree: Path, tools: Path, tmp_path: Path
) -> None:
    """It may hold a password, and everybody can read the arguments of a process."""
    put_python(tools, pip='echo "$PIP_INDEX_URL $PIP_TARGET"; printf "%s\\n" "$@"; exit 1')
    address = "https://user:password@packages.example/simple"

    result = start(
        *(tree, "plan"),
        PATH=str(tools),
        RUNNER_TEMP=str(tmp_path / "temp"),
        PIP_INDEX_URL=address,
        PIP_TARGET="/elsewhere",
    )

    environment, *arguments = result.stderr.splitlines()
    assert environment == f"{address} "
    assert "--require-hashes" in arguments
    assert not any("password" in one for one in arguments)


def test_a_failed_installation_leaves_nothing(tree: Path, tools: Path, tmp_path: Path) -> None:
    put_python(tools, pip="echo 'no route'; exit 1")

    result = start(tree, "plan", PATH=str(tools), RUNNER_TEMP=str(tmp_path / "temp"))

    assert result.returncode == 4
    assert result.stderr.startswith("no route\norient-deploy: The Python packages could not be")
    assert list((tmp_path / "temp" / "orient-deploy-actions").iterdir()) == []


@pytest.mark.parametrize(
    ("runner", "begins"),
    [
        pytest.param({}, "orient-deploy: No Python was found", id="laptop"),
        pytest.param(
            {"GITHUB_ACTIONS": "true"}, "::error title=orient-deploy::No Python", id="runner"
        ),
    ],
)
def test_a_machine_without_python_is_told_so(
    runner: dict[str, str], begins: str, tree: Path, tools: Path
) -> None:
    (tools / "python3").unlink()

    result = start(tree, "plan", PATH=str(tools), **runner)

    assert result.returncode == 3
    assert (result.stdout if runner else result.stderr).startswith(begins)


def test_python_is_found_under_its_short_name(tree: Path, tools: Path) -> None:
    (tree / "vendor").mkdir()
    (tools / "python3").rename(tools / "python")

    assert start(tree, "plan", PATH=str(tools)).returncode == 0


def put_old_python(folder: Path, name: str) -> None:
    """A Python 3.8: it refuses the question for its age, and an entrypoint ends as it would."""
    (folder / name).write_text("#!/bin/sh\necho old; exit 1\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("younger", ["python", "python3.10", "python3.14"])
def test_an_old_python_is_passed_over_where_there_is_a_younger(
    younger: str, tree: Path, tools: Path
) -> None:
    (tree / "vendor").mkdir()
    (tools / "python3").rename(tools / younger)
    put_old_python(tools, "python3")

    result = start(tree, "plan", PATH=str(tools))

    assert (result.returncode, result.stdout[:5]) == (0, "plan "), result.stderr


@pytest.mark.parametrize("name", ["python3", "python"])
def test_an_old_python_is_started_where_there_is_no_other(
    name: str, tree: Path, tools: Path
) -> None:
    """The entrypoint says what is wrong, with the version."""
    (tree / "vendor").mkdir()
    (tools / "python3").unlink()
    put_old_python(tools, name)

    result = start(tree, "plan", PATH=str(tools))

    assert (result.returncode, result.stdout) == (1, "old\n")


@pytest.mark.parametrize("old", [True, False])
def test_the_demo_takes_the_same_python(old: bool, tools: Path, tmp_path: Path) -> None:
    scripts = tmp_path / "tree" / "scripts"
    (scripts / "dev").mkdir(parents=True)
    for name in ("demo", "find-python.sh"):
        shutil.copy(ROOT / "scripts" / name, scripts / name)
    (scripts / "dev" / "demo.py").write_text("print('the demo')\n")
    (tools / "git").symlink_to(shutil.which("git") or "")
    (tools / "python3").rename(tools / "python")
    put_old_python(tools, "python3")
    if old:
        put_old_python(tools, "python")

    result = subprocess.run(
        [shutil.which("bash") or "bash", str(scripts / "demo")],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert (result.returncode, result.stdout) == ((3, "") if old else (0, "the demo\n"))
    assert ("no python3 and no python on PATH is 3.10 or newer" in result.stderr) is old


def test_a_link_to_a_young_python_is_not_asked_its_age(tree: Path, tools: Path) -> None:
    (tree / "vendor").mkdir()
    script = '#!/bin/sh\necho "$*" >>"${0%/*}/calls"\n' + f'exec "{sys.executable}" "$@"\n'
    (tools / "python3.12").write_text(script)
    (tools / "python3.12").chmod(0o755)
    (tools / "python3").unlink()
    (tools / "python3").symlink_to("python3.12")

    start(tree, "plan", PATH=str(tools))

    assert len((tools / "calls").read_text().splitlines()) == 1


LAUNCHERS = sorted((ROOT / "scripts").glob("*.py"))


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=lambda path: path.stem)
def test_an_old_python_is_refused(launcher: Path) -> None:
    program = (
        "import sys\n"
        "sys.version_info = (3, 9, 1, 'final', 0)\n"
        f"launcher = {str(launcher)!r}\n"
        "names = {'__name__': '__main__', '__file__': launcher}\n"
        "exec(compile(open(launcher).read(), 'launcher', 'exec'), names)\n"
    )

    result = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert result.returncode == 3
    assert "Python 3.9 is too old: this program needs 3.10 or newer. Put" in result.stderr


BEFORE_THE_CHECK = [
    *LAUNCHERS,
    *(ROOT / "scripts/orient_deploy" / n for n in ("__init__.py", "start.py")),
]


@pytest.mark.parametrize("path", BEFORE_THE_CHECK, ids=lambda path: path.stem)
def test_an_old_python_can_read_what_it_gets_to_see(path: Path) -> None:
    """Else it would end with a syntax error instead of the message."""
    vermin = shutil.which("vermin", path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    assert vermin is not None

    result = subprocess.run(
        [vermin, "--no-tips", "--violations", "-t=3.6-", str(path)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert result.returncode == 0, result.stdout
