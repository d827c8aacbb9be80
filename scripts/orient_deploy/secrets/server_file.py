r"""A server's own file of variables, as the Compose there reads it: told by marks, never by values.

The script runs on the server and needs sh, awk, sha256sum and docker compose. It takes the key of
one run on its standard input; no argument, no file and no answer holds a value. Compose's own
complaints are thrown away there: they quote values.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from orient_deploy.errors import EnvironmentLacks, InputError, OrientError, RemoteError
from orient_deploy.secrets.drift import EMPTY
from orient_deploy.stack.compose import OLDEST

TIMEOUT_S = 120.0
BOUND_S = 50  # of each of the two times that docker is asked there

# Compose prints each variable on a line of its own, indented by eight blanks (encoding/json,
# MarshalIndent); whatever looks otherwise is refused, not guessed at.
_READ = r"""
function utf8(n) {
  if (n < 128) return sprintf("%c", n)
  if (n < 2048) return sprintf("%c%c", 192 + int(n / 64), 128 + n % 64)
  return sprintf("%c%c%c", 224 + int(n / 4096), 128 + int(n / 64) % 64, 128 + n % 64)
}
function hex(s,   i, n) {
  n = 0
  s = tolower(s)
  for (i = 1; i <= length(s); i++) n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
  return n
}
function plain(s,   out, i, c) {
  out = ""
  while ((i = index(s, "\\")) > 0) {
    out = out substr(s, 1, i - 1)
    c = substr(s, i + 1, 1)
    if (c == "u") { out = out utf8(hex(substr(s, i + 2, 4))); s = substr(s, i + 6); continue }
    if (c == "n") c = "\n"
    else if (c == "r") c = "\r"
    else if (c == "t") c = "\t"
    else if (c == "b") c = sprintf("%c", 8)
    else if (c == "f") c = sprintf("%c", 12)
    out = out c
    s = substr(s, i + 2)
  }
  return out s
}
NR == 1 { inner = $0; next }
NR == 2 { print; next }
NR == 3 { version = $0; next }
/^exit [0-9]+$/ { code = $2; next }
!done && /^      "environment": (null|\{\}),?$/ { done = 1; next }
!done && /^      "environment": \{$/ { inside = 1; next }
inside && /^      \},?$/ { inside = 0; done = 1; next }
inside {
  if (!match($0, /^        "[^"\\]*": /)) { odd = 1; next }
  name = substr($0, 10, RLENGTH - 12)
  rest = substr($0, RLENGTH + 1)
  sub(/,$/, "", rest)
  if (rest == "null") next
  if (rest !~ /^".*"$/) { odd = 1; next }
  value = plain(substr(rest, 2, length(rest) - 2))
  gsub(/\$\$/, "$", value)
  if (value == "") { names = names "empty " name "\n"; next }
  names = names "set " name "\n"
  printf "%s%s=%s", inner, name, value | "sha256sum"
  close("sha256sum")
}
END { printf "compose %s\n%sexit %s\n", version, names, (odd || inside ? "odd" : code) }
"""
# The answers of the first are digests, then what it says itself.
_SEAL = r"""
NR == 1 { outer = $0; next }
/^[0-9a-f]+ [ *]-$/ { printf "%s%s", outer, $1 | "sha256sum"; close("sha256sum"); next }
{ told = told $0 "\n" }
END { printf "%s", told }
"""


@dataclass(frozen=True, kw_only=True)
class ServerFile:
    """What the server has."""

    compose: str  # its version there
    marks: dict[str, str] = field(repr=False)


def script(directory: str, env_file: str, docker: Sequence[str]) -> str:
    """The text for POSIX sh. `directory` may begin with '~'; `env_file` is relative to it."""
    path = env_file if env_file.startswith("/") else f"./{env_file}"
    service = {"image": "x", "env_file": [path.replace("$", "$$")]}
    project = json.dumps({"name": "x", "services": {"s": service}})
    keeps = " ".join(
        f'${{{name}:+"{name}=${name}"}}'
        for name in ("DOCKER_CONFIG", "DOCKER_HOST", "XDG_RUNTIME_DIR")
    )
    compose = f'$bound env -i PATH="$PATH" HOME="$HOME" {keeps} {shlex.join(docker)} compose'
    return f"""LC_ALL=C
export LC_ALL
cd {_folder(directory)} 2>/dev/null || {{ echo 'exit folder'; exit 0; }}
for one in awk sha256sum; do
  command -v "$one" >/dev/null 2>&1 || {{ echo 'exit tools'; exit 0; }}
done
# What does not end there must not go on when nobody waits for it any more.
bound=
if command -v timeout >/dev/null 2>&1; then bound='timeout -s KILL {BOUND_S}'; fi
{{
  cat
  {compose} version --short </dev/null || echo none
  {compose} --project-directory . --env-file /dev/null -f - config --format json <<'ORIENT_DEPLOY'
{project}
ORIENT_DEPLOY
  code=$?
  echo
  echo "exit $code"
}} 2>/dev/null | awk {shlex.quote(_READ)} | awk {shlex.quote(_SEAL)}
"""


def parse_answer(out: bytes, host: str, env_file: str) -> ServerFile:
    """What the script told.

    Raises:
        InputError: there is no such folder or file, or Compose does not read it.
        EnvironmentLacks: the server lacks a program.
        RemoteError: the answer is not understood.
    """
    lines = out.decode("utf-8", "replace").removesuffix("\n").split("\n")
    digests = [found[1] for line in lines if (found := _DIGEST.fullmatch(line))]
    told = [line for line in lines if not _DIGEST.fullmatch(line)]
    ending = told[-1].removeprefix("exit ") if told and told[-1].startswith("exit ") else ""
    version = told[0].removeprefix("compose ") if told and told[0].startswith("compose ") else ""
    names = [line.split(" ", 1) for line in told[1:-1]]
    if ending != "0":
        raise _failure(ending, version, host, env_file)
    found = _VERSION.match(version)
    if not found or (int(found[1]), int(found[2])) < OLDEST:
        # No more of what a program of that name has printed there than its numbers.
        told_version = f"it is {found[1]}.{found[2]}" if found else "it tells no version"
        raise EnvironmentLacks(
            f"the docker compose of {host} is too old",
            f"{told_version}; before 2.24 files of variables are read differently",
            "Update Docker there",
        )
    set_names = [name for kind, name in names if kind == "set"]
    if len(set_names) != len(digests):
        raise _failure("odd", version, host, env_file)
    marks = dict(zip(set_names, digests, strict=True))
    marks |= {name: EMPTY for kind, name in names if kind == "empty"}
    return ServerFile(compose=version, marks=marks)


_DIGEST = re.compile(r"([0-9a-f]{64}) [ *]-")
_VERSION = re.compile(r"v?(\d{1,9})\.(\d{1,9})(?!\d)", re.ASCII)


def _failure(ending: str, version: str, host: str, env_file: str) -> OrientError:
    if ending == "folder":
        return InputError(
            f"{host} has no such folder",
            "`directory` names one that is not there, or may not be entered",
            "Correct `directory`, or whom `hosts` log in as",
        )
    if ending == "tools":
        return EnvironmentLacks(
            f"{host} lacks a program", "awk and sha256sum are needed", "Install them there"
        )
    if version == "none":
        return EnvironmentLacks(
            f"{host} has no docker compose",
            "docker is not there, has no such plugin, or may not be called by this user",
            "Install it, or say in `docker` how it is called there: `sudo docker`, for instance",
        )
    if ending.isdigit():
        return InputError(
            f"the docker compose of {host} does not read {env_file}",
            "it is not there, may not be read, or is no file of variables; Compose's own words are "
            "not shown, because they quote values",
            f"Look at `env-file`, and run `docker compose --env-file {env_file} config -q` there",
        )
    return RemoteError(
        f"what {host} answers is not understood",
        "it is not what docker compose prints",
        "Look at the docker of that machine",
    )


def _folder(path: str) -> str:
    """A directory as a word of sh; only a '~' at its beginning is the home directory."""
    if path == "~":
        return '"$HOME"'
    if path.startswith("~/"):
        return f'"$HOME"/{shlex.quote(path[2:])}'
    return shlex.quote(path if path.startswith("/") else f"./{path}")
