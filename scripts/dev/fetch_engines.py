"""Download the engines, the image registry and the SSH server of the tests, by apt, into a cache.

Nothing is installed. The packages are those of Debian; a private package list is derived from the
machine's own Debian source, with its suite replaced, so apt verifies their signatures as ever.
What is there already is not downloaded again. Needs Debian's apt-get and dpkg, and no root.

    python3 scripts/dev/fetch_engines.py
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

STABLE = "bookworm"
NEWER = "forky"
BETWEEN = "trixie"

# Each part is a folder of unpacked packages, per suite. What a newer suite builds against a newer
# libc (runc does) comes from the stable one.
PARTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    # 28.5: the builder of today, with the containerd image store, buildx and Compose.
    "28": {
        NEWER: ("docker.io", "docker-cli", "containerd", "docker-buildx", "docker-compose"),
        STABLE: ("runc", "busybox-static"),
    },
    # The oldest Compose that much of the world still runs: 2.26.
    "compose-2.26": {BETWEEN: ("docker-compose",)},
    # 20.10: its builder knows no heredocs, no --link and no named contexts.
    "20": {STABLE: ("docker.io", "containerd", "runc", "libdevmapper1.02.1", "busybox-static")},
    "registry": {STABLE: ("docker-registry",)},
    "nginx": {STABLE: ("nginx", "nginx-common", "libpcre2-8-0", "libssl3", "zlib1g", "libcrypt1")},
    # libwrap0: what openssh-server needs and a small Debian does not have.
    "sshd": {STABLE: ("openssh-server", "libwrap0", "libnsl2")},
}

ATTEMPTS = 4
PAUSE_S = 5  # doubled after each attempt
APT_TIMEOUT_S = 600
SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d")


def cache_folder() -> Path:
    """Where the parts are unpacked, outside of any checkout, whether HOME is set or not."""
    home = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return Path(cache) / "orient-deploy" / "machines"


def is_complete(name: str) -> bool:
    """Whether a part is there, as the table has it now."""
    try:
        return (cache_folder() / name / "complete").read_text(encoding="utf-8") == _stamp(name)
    except FileNotFoundError:
        return False


def _stamp(name: str) -> str:
    return json.dumps(PARTS[name], sort_keys=True)


class NoSourceError(Exception):
    """The machine has no Debian source that another one could be derived from."""


def debian_source(codename: str) -> str:
    """The machine's own source of its own release, with `SUITE` where that stood, for `main` only.

    In apt's multi-line form, from either form that apt knows.
    """
    for path in _source_files():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".sources":
            found = _from_stanzas(text, codename)
        else:
            found = _from_lines(text, codename)
        if found:
            return found
    raise NoSourceError(
        f"no package source for Debian's {codename} in {' or '.join(SOURCES)}. "
        "The engines are Debian's packages: run this on Debian."
    )


def _source_files() -> list[Path]:
    single, folder = (Path(path) for path in SOURCES)
    files = [single] if single.is_file() else []
    if folder.is_dir():
        files += sorted(p for p in folder.iterdir() if p.suffix in (".list", ".sources"))
    return files


def _from_stanzas(text: str, codename: str) -> str:
    for stanza in re.split(r"\n[ \t]*\n", text):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        fields: dict[str, str] = {}
        name = ""
        for line in lines:
            if line[:1].isspace():  # goes on with the field above, as an embedded key does
                fields[name] += "\n" + line
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" in fields.get("types", "").split() and codename in fields["suites"].split():
            return _stanza(fields["uris"], fields.get("signed-by", ""))
    return ""


def _from_lines(text: str, codename: str) -> str:
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s", line)
        if match and match[3] == codename:
            options = dict(o.split("=", 1) for o in (match[1] or "").split() if "=" in o)
            return _stanza(match[2], options.get("signed-by", ""))
    return ""


def _stanza(uris: str, signed_by: str) -> str:
    lines = ["Types: deb", f"URIs: {uris}", "Suites: SUITE", "Components: main"]
    if signed_by:
        lines.append(f"Signed-By: {signed_by}")
    return "\n".join(lines) + "\n"


def codename() -> str:
    """The release of this machine, as /etc/os-release has it."""
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    match = re.search(r'^VERSION_CODENAME="?([a-z]+)', text, re.MULTILINE)
    return match[1] if match else ""


def download(source: str, suite: str, packages: tuple[str, ...], folder: Path) -> list[Path]:
    """The packages' files, verified by apt."""
    for made in ("parts", "lists/partial", "cache/archives/partial", "files"):
        (folder / made).mkdir(parents=True, exist_ok=True)
    text = source.replace("SUITE", suite)
    (folder / "parts" / "only.sources").write_text(text, encoding="utf-8")
    settings = {
        "Dir::Etc::SourceList": os.devnull,
        "Dir::Etc::SourceParts": str(folder / "parts"),
        "Dir::State::Lists": str(folder / "lists"),
        "Dir::Cache": str(folder / "cache"),
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        # The folder is the caller's own, which apt's sandbox user cannot enter.
        "APT::Sandbox::User": "root",
        # Names like apt-file's would fetch much that is not asked for.
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
    }
    options = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
    for command in (["update", "--error-on=any"], ["download", *packages]):
        _patiently(["apt-get", "-q", *options, *command], folder / "files")
    return sorted((folder / "files").glob("*.deb"))


def _patiently(command: list[str], folder: Path) -> None:
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S * 2 ** (attempt - 1))
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=APT_TIMEOUT_S,
            check=False,
        )
        if done.returncode == 0:
            return
        print(f"apt-get ended with {done.returncode}:\n{done.stdout}", file=sys.stderr)
    raise SystemExit(f"{command[0]} did not succeed in {ATTEMPTS} attempts")


def fetch(name: str, source: str) -> None:
    """Download and unpack one part; the file `complete` is written last."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"fetching-{name}-", dir=cache) as temporary:
        unpacked = Path(temporary) / "unpacked"
        for suite, packages in PARTS[name].items():
            for file in download(source, suite, packages, Path(temporary) / suite):
                print(f"{name}: {file.name}")
                subprocess.run(["dpkg", "-x", file, unpacked], check=True, timeout=300)
        (unpacked / "complete").write_text(_stamp(name), encoding="utf-8")
        if (cache / name).exists():  # of an older table, or never finished
            shutil.rmtree(cache / name)
        unpacked.rename(cache / name)


def main() -> int:
    missing = [name for name in PARTS if not is_complete(name)]
    if missing:
        try:
            source = debian_source(codename())
        except NoSourceError as error:
            print(f"fetch_engines: {error}", file=sys.stderr)
            return 3
        for name in missing:
            fetch(name, source)
    print(f"the machines of the tests are in {cache_folder()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
