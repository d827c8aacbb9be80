"""The nginx configurations of a project, as nginx will find them in its container.

Reads the files that the resolved Compose model mounts, follows their includes there, and has them
judged. A directive of a text that holds values of variables is marked, so that nobody shows it.
"""

from __future__ import annotations

import os
import posixpath
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from orient_deploy.stack.nginx_layout import Layout, Place
from orient_deploy.stack.nginx_text import statements, substitute
from orient_deploy.stack.nginx_verdict import (
    CERTIFICATES,
    Copy,
    Includes,
    Nginx,
    Refusal,
    Text,
    statements_of,
    write,
)

Model = Mapping[str, Any]

FILE_MAX_BYTES = 1024 * 1024  # configurations come to a few KB; lists of addresses to more
FILES_MAX = 500
DEPTH_MAX = 20


@dataclass(frozen=True, kw_only=True)
class Directive:
    """One directive, with what it includes in its place."""

    name: str
    arguments: tuple[str, ...] = field(repr=False)  # may hold values where it is opaque
    file: str  # from the repository's root
    line: int
    block: tuple[Directive, ...] | None = None
    opaque: bool = False  # a value of a variable may be in it
    written: str = ""  # then: the line as it is committed, if it is

    def walk(self) -> Iterator[Directive]:
        yield self
        for one in self.block or ():
            yield from one.walk()


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What one nginx will run with."""

    service: str  # '' where no Compose project says so
    directives: tuple[Directive, ...]
    complete: bool  # nothing that is included is out of sight
    known_image: bool  # what the image itself holds is known, and nothing makes more at its start
    prefix: str  # the folder that relative paths begin from, in the container
    refusals: tuple[Refusal, ...] = ()
    missing: tuple[Refusal, ...] = ()  # includes of files that are nowhere
    places: Mapping[str, Place] = field(default_factory=dict, repr=False)  # of certificates

    def walk(self) -> Iterator[Directive]:
        for one in self.directives:
            yield from one.walk()


# ---- which files ----------------------------------------------------------------------------

_OFFICIAL = {
    "nginx": "/etc/nginx",
    "nginxinc/nginx-unprivileged": "/etc/nginx",
    "openresty/openresty": "/usr/local/openresty/nginx/conf",
}
# nginx.conf of the images, as far as it matters to what it includes.
_IMAGE_MAIN = """events {}
http {
include mime.types;
default_type application/octet-stream;
log_format main '$remote_addr';
access_log /var/log/nginx/access.log main;
include /etc/nginx/conf.d/*.conf;
}
"""
_IMAGE_FILES = {
    "mime.types": "types { text/html html; }",
    **dict.fromkeys(("fastcgi_params", "fastcgi.conf", "scgi_params", "uwsgi_params"), ""),
    **dict.fromkeys(("koi-utf", "koi-win", "win-utf"), ""),
}
_TEMPLATES = "/etc/nginx/templates"
_STARTS = ("nginx", "nginx-debug", "/usr/sbin/nginx")


def nginx_services(model: Model) -> list[str]:
    """The services that are an nginx: by their image, or by what is mounted in them."""
    return [
        name
        for name, service in sorted((model.get("services") or {}).items())
        if re.search(r"nginx|openresty", _repository(service))
        or any(
            str(one.get("target") or "").startswith("/etc/nginx/")
            or str(one.get("target") or "") == "/etc/nginx"
            for key in ("volumes", "configs")
            for one in service.get(key) or ()
        )
    ]


def read_service(
    name: str,
    model: Model,
    root: str,
    *,
    nginx: Nginx | None,
    ignored: Callable[[str], bool] = lambda _: False,
    stand_ins: Collection[str] = (),
) -> Configuration | None:
    """The configuration of a service; None where none of it is in sight."""
    service = model["services"][name]
    layout = Layout.of_service(service, model, root, ignored=ignored, stand_ins=stand_ins)
    repository = re.sub(
        r"^(?:(?:docker|index\.docker)\.io/)?(?:library/)?", "", _repository(service)
    )
    official = repository in _OFFICIAL and not service.get("build")
    prefix = _OFFICIAL.get(repository, "/etc/nginx")
    command = _words(service.get("command"))
    entrypoint = _words(service.get("entrypoint"))
    plain = not entrypoint and (not command or command[0] in _STARTS)
    if "envsubst" in " ".join((*entrypoint, *command)):
        return None  # what is mounted is not what runs
    made: dict[str, Text] = {}  # files that neither the repository nor the image has
    hidden = False
    if plain and repository != "openresty/openresty":
        made, hidden = _templates(service, layout, root, stand_ins)
    main = _main_of(command) or f"{prefix}/nginx.conf"
    place = layout.find(main)
    if place.kind in ("server", "unknown", "absent"):
        return None
    if place.kind == "unmounted":
        listed, _ = layout.glob("/etc/nginx/conf.d/*.conf")
        if not listed and not any(one.startswith("/etc/nginx/conf.d/") for one in made):
            return None
        made[main] = Text(text=_IMAGE_MAIN, file="")
        hidden |= not official
    # A script at its start may write files; a loop around nginx, as certbot's users have, does not.
    scripted = layout.below("/docker-entrypoint.d") or not (
        plain or "nginx" in " ".join((*entrypoint, *command))
    )
    known = official and plain and not scripted
    files = _Files(layout, root, prefix, made, official=official and not scripted, known=known)
    return _configuration(name, files, main, nginx, known_image=known, hidden=hidden)


def read_file(path: str, *, nginx: Nginx | None) -> Configuration:
    """A configuration file by itself; its folder stands for /etc/nginx."""
    path = os.path.abspath(path)
    root, name = os.path.split(path)
    layout = Layout.of_folder(root, "/etc/nginx")
    main = f"/etc/nginx/{name}"
    files = _Files(layout, root, "/etc/nginx", {}, official=False)
    text = files.text(main)
    if text is None or _PLACEHOLDER.search(text.text):
        # Something else makes a configuration of it, or it is none that can be read.
        return Configuration(
            service="", directives=(), complete=False, known_image=False, prefix="/etc/nginx"
        )
    names = {one.name for one in statements(text.text)}
    if not names & {"events", "http", "stream", "mail"}:
        inner = f'include "{main}";'
        around = (
            f"server {{\n{inner}\n}}" if names & _OF_SERVER and "server" not in names else inner
        )
        wrapper = Text(text=f"events {{}}\nhttp {{\n{around}\n}}\n", file="")
        main = "/etc/nginx/ of the file"
        files = _Files(layout, root, "/etc/nginx", {main: wrapper}, official=False)
        return _configuration("", files, main, nginx, known_image=False, hidden=True)
    return _configuration("", files, main, nginx, known_image=False, hidden=False)


_PLACEHOLDER = re.compile(
    r"\$\{[A-Z_][A-Z0-9_]*\}|\{\{|\{%|<%|<[a-z][\w-]*>|@[A-Z_]+@|%\(?[a-z_]+\)?%"
)
_OF_SERVER = {"location", "listen", "server_name", "return"}


def _repository(service: Model) -> str:
    image = str(service.get("image") or "").partition("@")[0]
    head, slash, last = image.rpartition("/")
    return head + slash + last.partition(":")[0]


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _main_of(command: Sequence[str]) -> str:
    found = re.search(r"\bnginx\b[^|;&]*?\s-c\s*(/\S+)", " ".join(command))
    return found[1].strip("'\"") if found else ""


def _templates(
    service: Model, layout: Layout, root: str, stand_ins: Collection[str]
) -> tuple[dict[str, Text], bool]:
    """What the image's start makes of its templates, and whether some of it cannot be known."""
    environment = service.get("environment") or {}
    values = {key: str(one) for key, one in environment.items() if one is not None}
    if any(key.startswith("NGINX_ENVSUBST_") for key in environment):
        return {}, True
    made, hidden = {}, False
    listed, complete = layout.glob(f"{_TEMPLATES}/*.template")
    for path in listed:
        committed = _content(layout.find(path), root)
        if committed is None:
            hidden = True
            continue
        done = substitute(committed.text, values)
        used = "".join(values[key] for key in values if key in committed.text)
        if done.unknown or any(one in used for one in stand_ins if one):
            hidden = True
            continue
        name = posixpath.basename(path).removesuffix(".template")
        made[f"/etc/nginx/conf.d/{name}"] = replace(
            committed, text=done.text, lines=done.lines, touched=done.touched
        )
    return made, hidden or not complete


# ---- their texts ----------------------------------------------------------------------------


def _content(place: Place, root: str) -> Text | None:
    if place.kind == "text":
        return Text(text=place.text, file="", opaque=True)
    if place.kind != "file":
        return None
    try:
        with open(place.path, "rb") as stream:
            data = stream.read(FILE_MAX_BYTES + 1)
    except OSError:
        return None
    if len(data) > FILE_MAX_BYTES:
        return None
    text = data.decode("utf-8", "surrogateescape")
    shown = os.path.relpath(place.path, os.path.abspath(root)).replace(os.sep, "/")
    return Text(text=text, file=shown, committed=text)


class _Files:
    """The files of a configuration by their paths in the container."""

    def __init__(
        self,
        layout: Layout,
        root: str,
        prefix: str,
        made: Mapping[str, Text],
        *,
        official: bool,
        known: bool = False,
    ) -> None:
        """`official`: what else is in the image matters to nobody; `known`: it is known."""
        self._layout, self._root, self._made = layout, root, made
        self._official, self._known = official, known
        self.prefix = prefix
        self.absent: set[str] = set()

    def text(self, path: str) -> Text | None:
        if path in self._made:
            return self._made[path]
        found = _content(self._layout.find(path), self._root)
        if found is None and self._layout.find(path).kind in ("unmounted", "unknown"):
            folder, name = posixpath.split(path)
            if folder == self.prefix and name in _IMAGE_FILES:
                return Text(text=_IMAGE_FILES[name], file="")
        return found

    def absolute(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self.prefix, path))

    def find(self, path: str) -> Place:
        return self._layout.find(self.absolute(path))

    def included(self, pattern: str) -> tuple[list[str], bool]:
        """The paths that an include finds, and whether that is all."""
        path = self.absolute(pattern)
        if re.search(r"[*?\[]", path):
            listed, complete = self._layout.glob(path)
            folder = posixpath.dirname(path)
            also = [one for one in self._made if posixpath.dirname(one) == folder]
            also = [one for one in also if fnmatchcase(one, path)]
            # What the official images have where something with `*` is included defines nothing.
            return sorted({*listed, *also}), complete and self._official
        if self.text(path) is not None:
            return [path], True
        kind = self._layout.find(path).kind
        if kind == "absent" or (kind == "unmounted" and self._known):
            self.absent.add(path)
        return [], False


def _configuration(
    service: str,
    files: _Files,
    main: str,
    nginx: Nginx | None,
    *,
    known_image: bool,
    hidden: bool,
) -> Configuration:
    texts, includes, complete = _gather(files, main)
    with tempfile.TemporaryDirectory(prefix="orient-deploy-nginx-") as name:
        folder = Path(os.path.realpath(name))  # mode 0700: values may be in it
        trees, read_all = _parsed(texts, folder)
        complete = complete and read_all and not hidden
        directives = tuple(_expanded(main, texts, trees, includes, ()))
        loads = any(one.name == "load_module" for top in directives for one in top.walk())
        foreign = known_image and complete and not loads
        copy = Copy(folder / "copy", texts, includes)
        refusals = copy.judged(main, nginx, complete=complete, foreign=foreign)
    places = {
        path: files.find(path)
        for top in directives
        for one in top.walk()
        for path in certificate_paths(one)
    }
    missing = []
    for text in texts.values():
        for one in statements_of(text):
            if one.name == "include" and len(one.words) == 1:
                wanted = files.absolute(one.arguments[0])
                # A statement that a value was put in is shown by nobody.
                if wanted in files.absent and not text.opaque and text.file:
                    line = text.line(one.line)
                    if line not in text.touched:
                        missing.append(
                            Refusal(message=wanted, file=text.file, line=line, by="the mounts")
                        )
    return Configuration(
        service=service,
        directives=directives,
        complete=complete,
        known_image=known_image,
        prefix=files.prefix,
        refusals=tuple(refusals),
        missing=tuple(missing),
        places=places,
    )


def _gather(files: _Files, main: str) -> tuple[dict[str, Text], Includes, bool]:
    """All texts that `main` leads to, what each include finds, and whether that is all."""
    texts: dict[str, Text] = {}
    includes: dict[tuple[str, str], tuple[str, ...]] = {}
    complete = True
    todo = [main]
    while todo:
        path = todo.pop()
        if path in texts:
            continue
        text = files.text(path)
        if text is None or len(texts) >= FILES_MAX:
            complete = False
            continue
        texts[path] = text
        for one in statements_of(text):
            if one.name != "include" or len(one.words) != 1:
                continue
            found, all_of_them = files.included(one.arguments[0])
            includes[path, one.arguments[0]] = tuple(found)
            complete &= all_of_them
            todo += found
    return texts, includes, complete


def _parsed(texts: Mapping[str, Text], folder: Path) -> tuple[dict[str, list[Model]], bool]:
    """The trees of the texts by the parser, and whether it understands all of them."""
    import crossplane  # type: ignore[import-untyped]  # it has no types

    trees: dict[str, list[Model]] = {}
    complete = True
    for index, (path, text) in enumerate(texts.items()):
        file = folder / f"{index}.conf"
        write(file, text.text)
        payload = crossplane.parse(
            str(file), single=True, check_ctx=False, check_args=False, strict=False
        )
        trees[path] = payload["config"][0]["parsed"]
        complete &= payload["status"] == "ok"
    return trees, complete


def _expanded(
    path: str,
    texts: Mapping[str, Text],
    trees: Mapping[str, list[Model]],
    includes: Includes,
    inside: tuple[str, ...],
) -> Iterator[Directive]:
    """The directives of a file, those of the files that it includes in their places."""
    if path in inside or len(inside) > DEPTH_MAX or path not in texts:
        return
    text = texts[path]

    def convert(found: Iterable[Model]) -> Iterator[Directive]:
        for one in found:
            if one["directive"] == "#":
                continue  # a comment between the words of a statement
            arguments = tuple(one["args"])
            if one["directive"] == "include" and len(arguments) == 1:
                for other in includes.get((path, arguments[0]), ()):
                    yield from _expanded(other, texts, trees, includes, (*inside, path))
                continue
            line = text.line(one["line"])
            opaque = text.opaque or line in text.touched
            block = tuple(convert(one["block"])) if "block" in one else None
            yield Directive(
                name=one["directive"],
                arguments=arguments,
                file=text.file,
                line=line if text.file else 0,
                block=block,
                opaque=opaque,
                written=text.written(line) if opaque else "",
            )

    yield from convert(trees[path])


def certificate_paths(one: Directive) -> list[str]:
    """The files of keys and certificates that a directive makes nginx read when it starts."""
    if one.name not in CERTIFICATES or len(one.arguments) != 1 or one.opaque:
        return []
    path = one.arguments[0]
    if not path or "$" in path or re.match(r"(?:data|engine|store):|(?:on|off)$", path):
        return []
    return [path]
