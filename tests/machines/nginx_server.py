"""Debian's nginx, for what it says of a configuration and what it answers.

    environment = nginx_environment()          # its program is on PATH, its libraries are found
    said = as_it_is(text, tmp_path, hosts=["app"])

`as_it_is` asks the real `nginx -t` in the surroundings that a configuration is written for: as root
in a mount namespace of its own, where the host names are known and the files at their places.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

from tests.machines.parts import as_root, part

_TIMEOUT_S = 60
_PRIVATE = (
    'mount --bind "$0" /etc && mount -t tmpfs none /run && mount -t tmpfs none /var/lib'
    " && mkdir -p /var/lib/nginx && mount -t tmpfs none /var/log && mkdir /var/log/nginx"
    ' && exec "$@"'
)


def nginx_environment(*, root: bool = False) -> dict[str, str]:
    """The variables with which `nginx` is found and starts."""
    folder = part("nginx", root=root)
    libraries = [*folder.glob("usr/lib/*-linux-gnu"), *folder.glob("lib/*-linux-gnu")]
    return {
        "PATH": f"{folder}/usr/sbin:{os.defpath}",
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
    }


def as_it_is(
    files: Mapping[str, str], folder: Path, *, hosts: Collection[str] = (), main: str = "nginx.conf"
) -> str:
    """What `nginx -t` objects to first ('' for nothing) when /etc/nginx holds `files`."""
    environment = nginx_environment(root=True)
    shared = part("nginx") / "etc/nginx"
    place = folder / "etc/nginx"
    for name in ("mime.types", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params"):
        _put(place / name, (shared / name).read_text())
    for name, text in files.items():
        _put(place / name, text)
    _put(folder / "etc/hosts", "".join(f"127.0.0.1 {one}\n" for one in ("localhost", *hosts)))
    accounts = ("root", "nginx", "nobody", "www-data")
    lines = "".join(
        f"{one}:x:{index}:{index}::/:/bin/false\n" for index, one in enumerate(accounts)
    )
    _put(folder / "etc/passwd", lines)
    _put(
        folder / "etc/group",
        "".join(f"{one}:x:{i}:\n" for i, one in enumerate((*accounts, "nogroup"))),
    )
    _put(folder / "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
    command = as_root("unshare", "--mount", "--net", "env", "-i")
    command += [f"{key}={value}" for key, value in environment.items()]
    command += ["sh", "-c", _PRIVATE, str(folder / "etc")]
    command += ["nginx", "-t", "-c", f"/etc/nginx/{main}", "-e", "stderr"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode == 0:
        return ""
    found = re.search(r"\[emerg\] (?:\d+#\d+: )?(.*)", done.stderr)
    if not found:
        raise RuntimeError(f"nginx did not run ({done.returncode}):\n{done.stderr}")
    return found[1]


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
