"""What the real nginx, or without one the parser, says of a configuration.

Both judge a private copy. In it stand-ins take the place of what only a server has (host names of
its networks, certificates, users, modules), word by word, so that every line keeps its number and
nothing but the configuration is judged. Never contacts a host, binds a port, or writes outside of
its own folder. What a refusal quotes stands in a committed file, or is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from orient_deploy.stack.nginx_text import Edit, Statement, blanked, edited, statements, walk

TIMEOUT_S = 20.0
ATTEMPTS_MAX = 60  # how many statements that this nginx cannot judge are left out, one by one


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a configuration is not accepted, and by whom."""

    message: str
    file: str
    line: int
    by: str  # `nginx 1.22.1`, or the parser
    near: str = ""  # what was probably meant


@dataclass(frozen=True, kw_only=True)
class Nginx:
    """The nginx of this machine."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    version: str
    takes_log: bool  # knows `-e`, since 1.19.5

    @classmethod
    def found(cls, env: Mapping[str, str], command: Sequence[str] = ("nginx",)) -> Nginx | None:
        """The one that `command` starts, or None."""
        path = env.get("PATH", os.defpath) + os.pathsep + "/usr/sbin"
        program = shutil.which(command[0], path=path)
        if program is None:
            return None
        environment = {key: env[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in env}
        whole = (os.path.abspath(program), *command[1:])
        try:
            done = subprocess.run(
                [*whole, "-v"],
                capture_output=True,
                env=environment,
                stdin=subprocess.DEVNULL,
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        said = re.search(rb"nginx version: \S*?/(\d{1,4})\.(\d{1,4})\.(\d{1,4})", done.stderr)
        if done.returncode or not said:
            return None
        numbers = tuple(int(one) for one in said.groups())
        version = ".".join(map(str, numbers))
        return cls(
            command=whole,
            environment=environment,
            version=version,
            takes_log=numbers >= (1, 19, 5),
        )

    def test(self, main: Path, folder: Path) -> str:
        """What `nginx -t` objects to ('' for nothing), in its words.

        It stops before it would open a socket or a log: its process id has no folder to go to.
        """
        arguments = [*self.command, "-t", "-p", f"{folder}/", "-c", str(main)]
        arguments += ["-g", f"pid {folder}/none/pid;"]
        arguments += ["-e", "stderr"] if self.takes_log else []
        try:
            done = subprocess.run(
                arguments,
                capture_output=True,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                timeout=TIMEOUT_S,
                check=False,
                cwd=folder,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        text = done.stderr.decode("utf-8", "replace")
        found = re.search(r"\[emerg\] (?:\d+#\d+: )?(.*)", text)
        if done.returncode == 0 or not found or f"{folder}/none/pid" in found[1]:
            return ""
        return found[1]


@dataclass(frozen=True, kw_only=True)
class Text:
    text: str = field(repr=False)  # as nginx reads it
    file: str  # from the repository's root; '' for none of it
    committed: str = field(default="", repr=False)  # as it stands in the repository
    lines: tuple[int, ...] = ()  # of each line, by index, the committed one; empty: the same
    touched: frozenset[int] = frozenset()  # committed lines that a value was put in
    opaque: bool = False  # all of it may hold values

    def line(self, number: int) -> int:
        return self.lines[number - 1] if 0 < number <= len(self.lines) else number

    def written(self, line: int) -> str:
        found = self.committed.split("\n")
        return found[line - 1].strip() if 0 < line <= len(found) else ""


def statements_of(text: Text) -> Iterator[Statement]:
    for one, _ in walk(statements(text.text)):
        yield one


Includes = Mapping[tuple[str, str], tuple[str, ...]]


# Paths of keys and certificates. The copy names a variable for the first kind, which nginx (since
# 1.15.9) reads no file for; an authority's certificate for the second; and leaves out the third.
_OWN_CERTIFICATES = {"ssl_certificate", "ssl_certificate_key"}
_CLIENT_CERTIFICATES = {
    f"{kind}_ssl_certificate{key}" for kind in ("proxy", "grpc", "uwsgi") for key in ("", "_key")
}
_AUTHORITIES = {
    "ssl_client_certificate",
    "ssl_trusted_certificate",
    *(f"{kind}_ssl_trusted_certificate" for kind in ("proxy", "grpc", "uwsgi")),
}
_OTHER_FILES = {
    *("ssl_dhparam", "ssl_crl", "ssl_password_file", "ssl_session_ticket_key"),
    *("ssl_stapling_file", "proxy_ssl_crl", "grpc_ssl_crl", "uwsgi_ssl_crl"),
    *("proxy_ssl_password_file", "grpc_ssl_password_file", "uwsgi_ssl_password_file"),
}
CERTIFICATES = _OWN_CERTIFICATES | _CLIENT_CERTIFICATES | _AUTHORITIES | _OTHER_FILES
_LEFT_OUT = {"user", "load_module", "ssl_engine", "working_directory", "pid"} | _OTHER_FILES
# A certificate of nobody (P-256, signed by itself, for 100 years); its key was thrown away.
_AUTHORITY = """-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUUeEhv4PfgEs4akjwCLV7BvAmXFIwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEbm9uZTAgFw0yNjExMjQwMjI3NDBaGA8yMTI2MTAzMTAyMjc0
MFowDzENMAsGA1UEAwwEbm9uZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIwX
SQ2J75/MQVNsTc5EPnYU88CxITvaseI7zaAiaUjGAZg/yxfXyZ8d5uD4pSFccDmG
cCu+MdGxQhQNTLPL9SOjUzBRMB0GA1UdDgQWBBSyUpE8KOREqm7BlxbWIy7eZNpD
tzAfBgNVHSMEGDAWgBSyUpE8KOREqm7BlxbWIy7eZNpDtzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCPlOSEnQ/efJ1GTCJjACcj6NGeYVedIY5H
iGFxMfNENgIhAIIh9qRN72Vp119OOgQgVygiaWAbClyRhS7yho1IclYL
-----END CERTIFICATE-----
"""
PASSES = {
    *("proxy_pass", "fastcgi_pass", "grpc_pass", "uwsgi_pass", "scgi_pass", "memcached_pass"),
}
_TARGET = re.compile(r"(?:[a-z]+://)?(\[[^\]]*\]|[^/:?#\[]+)(?=[:/?#]|$)")
_ADDRESS = re.compile(r"[\d.]+|\[.*\]|\*|localhost|unix")


def host_of(target: str) -> str:
    """The host in what a request is passed to; '' for none that stands there.

    >>> host_of("http://app:3000/x"), host_of("app:9000"), host_of("http://$name/")
    ('app', 'app', '')
    """
    if "$" in target.partition("//")[2].partition("/")[0] or target.startswith("$"):
        return ""
    found = _TARGET.match(target)
    if not found or "$" in found[1] or _ADDRESS.fullmatch(found[1]):
        return ""
    return found[1]


class Copy:
    """The private copy of a configuration."""

    def __init__(self, folder: Path, texts: Mapping[str, Text], includes: Includes) -> None:
        folder.mkdir()
        self._folder = folder
        self._texts = texts
        self._paths = {path: folder / f"{index}.conf" for index, path in enumerate(texts)}
        self._by_copy = {str(copy): path for path, copy in self._paths.items()}
        self._authority = folder / "authority.pem"
        self._authority.write_text(_AUTHORITY, encoding="ascii")
        self._upstreams = {
            one.arguments[0].lower()
            for text in texts.values()
            for one in statements_of(text)
            if one.name == "upstream" and len(one.words) == 1
        }
        self._hosts: list[str] = []  # those that addresses stand for in the copy
        self._now: dict[str, str] = {}
        for path, text in texts.items():
            edits = [
                edit
                for one, around in walk(statements(text.text))
                for edit in self._edits(path, text.text, one, around, includes)
            ]
            self._put(path, edited(text.text, edits))

    def _put(self, path: str, text: str) -> None:
        self._now[path] = text
        write(self._paths[path], text)

    def _edits(
        self,
        path: str,
        text: str,
        one: Statement,
        around: tuple[str, ...],
        includes: Includes,
    ) -> Iterator[Edit]:
        count = len(one.words)
        if one.block is None and (
            (one.name in _LEFT_OUT and count == 1) or (one.name == "user" and count == 2)
        ):
            yield blanked(one)
        elif one.name == "include" and len(one.words) == 1 and one.block is None:
            found = includes.get((path, one.arguments[0]), ())
            there = "".join(
                f'include "{self._paths[other]}"; ' for other in found if other in self._paths
            )
            yield Edit(start=one.start, end=one.end, text=there or " ")
        elif one.name in _OWN_CERTIFICATES | _CLIENT_CERTIFICATES and len(one.words) == 1:
            yield self._word(one, 0, "$hostname")
        elif one.name in _AUTHORITIES and len(one.words) == 1:
            yield self._word(one, 0, f'"{self._authority}"')
        elif one.name == "listen" and one.words:
            if "quic" in one.arguments:  # since 1.25
                yield blanked(one)
            else:
                yield from self._host(text, one, 0)
        elif one.name in PASSES and len(one.words) == 1:
            yield from self._host(text, one, 0)
        elif one.name == "server" and around[-1:] == ("upstream",) and one.words:
            yield from self._host(text, one, 0)
            for index, word in enumerate(one.arguments):
                if index and (word == "resolve" or word.startswith("service=")):  # since 1.27.3
                    yield self._word(one, index, " ")
        elif one.name == "resolver":
            for index, word in enumerate(one.arguments):
                if "=" not in word:
                    yield from self._host(text, one, index)
        elif one.name in ("access_log", "error_log") and one.words:
            first = one.words[0]
            log = re.match(r"syslog:server=([^,:;\s]+)", first.text)
            if log and not _ADDRESS.fullmatch(log[1]):
                at = text.index("server=", first.start) + len("server=")
                yield Edit(start=at, end=at + len(log[1]), text=self._address(log[1]))

    @staticmethod
    def _word(one: Statement, index: int, text: str) -> Edit:
        return Edit(start=one.words[index].start, end=one.words[index].end, text=text)

    def _host(self, text: str, one: Statement, index: int) -> Iterator[Edit]:
        word = one.words[index]
        host = host_of(word.text)
        if one.name == "listen" and (":" not in word.text or word.text.startswith("unix:")):
            host = ""
        if not host or host.lower() in self._upstreams:
            return
        scheme = word.text.find("://")
        at = text.index(host, word.start + (scheme + 3 if scheme >= 0 else 0))
        yield Edit(start=at, end=at + len(host), text=self._address(host))

    def _address(self, host: str) -> str:
        """An address of this machine that stands for a host, each for one."""
        if host not in self._hosts:
            self._hosts.append(host)
        index = self._hosts.index(host) % 2**16
        return f"127.88.{index // 256}.{index % 256}"

    def _with_hosts(self, message: str) -> str:
        """The words of nginx with the hosts that addresses stand for."""
        return re.sub(
            r"127\.88\.(\d{1,3})\.(\d{1,3})",
            lambda found: self._hosts[int(found[1]) * 256 + int(found[2])],
            message,
        )

    def judged(
        self, main: str, nginx: Nginx | None, *, complete: bool, foreign: bool
    ) -> list[Refusal]:
        """Why nginx, or without one the parser, refuses the copy.

        `complete`: no part is out of sight, which could define what another part uses.
        `foreign`: what the image's nginx knows is known, so a directive that is none of it can be
        called wrong.
        """
        if main not in self._paths:
            return []
        if nginx is None:
            return self._by_the_parser(main)
        found: list[Refusal] = []
        left_out = not complete
        for _ in range(ATTEMPTS_MAX):
            said = nginx.test(self._paths[main], self._folder)
            if not said:
                break
            at = re.search(r" in (\S+):(\d+)$", said)
            path = self._by_copy.get(at[1], "") if at else ""
            line = int(at[2]) if at else 0
            message = self._with_hosts(said[: at.start()] if at else said)
            unknown = re.match(r'unknown directive "([^"]*)"', message)
            if unknown and path:
                if foreign and (refusal := self._foreign(unknown[1], path, line, nginx)):
                    found.append(refusal)
            elif not self._of_this_machine(message, left_out=left_out):
                found.append(self._refusal(message, path, line, f"nginx {nginx.version}"))
                break
            # What this nginx cannot judge is left out, and the rest is judged.
            left_out = True
            if not self._leave_out(path, line, message):
                break
        return found

    def _foreign(self, name: str, path: str, line: int, nginx: Nginx) -> Refusal | None:
        """A directive that the official images surely do not know."""
        known = _known_directives()
        if name in known or _NEWER_DIRECTIVE.match(name):
            return None
        near = get_close_matches(name, known, 1, 0.85)
        message = f'unknown directive "{name}"'
        refusal = self._refusal(message, path, line, f"nginx {nginx.version}")
        return replace(refusal, near=near[0] if near and not _OTHER_MODULE.match(name) else "")

    @staticmethod
    def _of_this_machine(message: str, *, left_out: bool) -> bool:
        return bool(
            _MACHINE.search(message)
            or _NEWER.search(message)
            or (left_out and _DERIVED.search(message))
        )

    def _leave_out(self, path: str, line: int, message: str) -> bool:
        """Blank the statement that nginx speaks of; False when it is not found."""
        if not path or line <= 0:
            return False
        named = re.findall(r'"([^"]*)"', message)
        text = self._now[path]
        candidates = [
            one
            for one, _ in walk(statements(text))
            if one.line <= line <= one.ends_at and "\n" not in one.name
        ]
        if not candidates:
            return False
        best = max(candidates, key=lambda one: (one.name in named, one.ends_at == line, one.start))
        self._put(path, edited(text, [blanked(best)]))
        return True

    def _refusal(self, message: str, path: str, line: int, by: str) -> Refusal:
        text = self._texts.get(path)
        if not path:
            message, path, line = self._place(message)
            text = self._texts.get(path)
        if text is None:
            shown = {one.committed for one in self._texts.values()}
            return Refusal(message=_safe(message, shown), file="", line=0, by=by)
        at = text.line(line) if text.file else 0
        return Refusal(message=_safe(message, {text.committed}), file=text.file, line=at, by=by)

    def _place(self, message: str) -> tuple[str, str, int]:
        """Where a name stands that nginx found wrong after it had read all."""
        found = re.search(r'(?:unknown "(\w+)" variable|"(\w+)")', message)
        if not found:
            return message, "", 0
        wanted = f"${found[1]}" if found[1] else found[2]
        braced = f"${{{found[1]}}}"
        for path, text in self._texts.items():
            for one in statements_of(text):
                if any(_mentions(word, wanted) or braced in word for word in one.arguments):
                    return message, path, one.line
        return message, "", 0

    def _by_the_parser(self, main: str) -> list[Refusal]:
        import crossplane  # type: ignore[import-untyped]  # it has no types

        payload = crossplane.parse(str(self._paths[main]), strict=False)
        for error in payload["errors"]:
            path = self._by_copy.get(error["file"], "")
            message = re.sub(r" in \S+?(?::\d+)?$", "", error["error"])
            if path and not _MACHINE.search(message) and "No such file" not in message:
                return [self._refusal(message, path, error["line"] or 0, "the parser crossplane")]
        return []


# What is this machine's fault, or depends on the libraries that nginx was built with.
_MACHINE = re.compile(
    r"host not found|no host in upstream|open\(\) |mkdir\(\)|bind\(\)|socket\(\)|dlopen\(\)"
    r"|getpwnam|getgrnam|chown\(\)|SSL_|BIO_|PEM_|X509|OPENSSL|cannot load|EVP_|RAND_"
    r"|could not build (?:the )?\S+(?: \S+)? hash|\brequires\b.*(?:module|library|support|OpenSSL)"
    r"|built with|not supported|mmap\(|worker_connections|\(\d+: [A-Z]"
)
# What an nginx that is newer than this one may accept.
_NEWER = re.compile(
    r'invalid (?:parameter|value) "(?:quic|resolve|service=[^"]*|http[23]|http_version[^"]*'
    r'|http=[^"]*|slow_start=[^"]*|drain|route=[^"]*|sticky|status_zone=[^"]*|state=[^"]*|TLSv1\.\d'
    r'|ipv[46]=o(?:n|ff)|epoch=[^"]*|multipath|volatile|min_uses[^"]*|purger[^"]*|2|3)"'
    r'|unknown "(?:http3|http2|quic'
    r"|ssl_(?:curves?|sigalg|alpn_protocol|client_sigalg|ech\w*|early_data)"
    r"|proxy_protocol_\w+|request_port|is_request_port|upstream_last_addr|sent_trailer_\w+|trailer_\w+"
    r"|geoip2?_\w+|jwt_\w+|js_\w+|otel_\w+|brotli_\w+|zstd_\w+|session_log_\w+|memcached_\w+"
    r"|ssl_preread_\w+|request_id|limit_(?:req|conn)_status|secure_link\w*|image_\w+|xslt_\w+"
    r'|spdy\w*|fancy\w*|realip_remote_\w+)" variable'
)
# What follows from a statement that was left out.
_DERIVED = re.compile(
    r'unknown "\w+" variable|no servers are inside|is unknown|no "ssl_|unknown log format'
    r"|is not defined|zero size|no ssl_|no port in upstream"
)
_NEWER_DIRECTIVE = re.compile(
    r"http2$|http3\w*$|quic\w*$|ssl_(?:key_log|object_cache_\w+|certificate_cache\w*|ech\w*"
    r"|reject_handshake|certificate_compression)|proxy_pass_trailers|keepalive_min_timeout|grpc_ssl_\w+|proxy_ssl_\w+"
    r"|uwsgi_ssl_\w+|mgmt|usage_report|license_token|enforce_initial_report|early_hints|add_header_inherit"
    r"|add_trailer_inherit|max_headers|proxy_allow_upstream|otel_\w+|acme_\w+|num_map|pass$|tunnel_\w+"
    r"|resolver\w*|state$|sticky\w*|oidc\w*|auth_\w+|worker_\w+|proxy_http\w*|proxy_bind_\w+"
)
_OTHER_MODULE = re.compile(
    r"brotli\w*$|zstd\w*$|more_(?:set|clear)_\w+$|\w+_by_lua(?:_block|_file)?$|lua_\w+$|geoip2\w*$"
    r"|vhost_traffic_status\w*$|pagespeed$|modsecurity\w*$|subs_filter\w*$|js_\w+$|fancyindex\w*$"
    r"|set_misc\w*$|echo$|upload_pass$|rtmp$"
)


def _known_directives() -> Collection[str]:
    from crossplane.analyzer import DIRECTIVES  # type: ignore[import-untyped]  # it has no types

    return list(DIRECTIVES)


_NGINX_WORDS = ("listen ... ssl", "limit_except", "on", "off", "http", "https")


def _mentions(word: str, wanted: str) -> bool:
    return bool(re.search(rf"{re.escape(wanted)}(?!\w)", word))


def _safe(message: str, committed: Collection[str]) -> str:
    """The message without what it quotes, where that is not in a committed text."""
    known = _known_directives()

    def shown(found: re.Match[str]) -> str:
        word = found[1]
        kept = (
            len(word) < 2
            or word in known
            or word in _NGINX_WORDS
            or any(word in one for one in committed)
        )
        return found[0] if kept else '"…"'

    return re.sub(r'"([^"]*)"', shown, message)


def write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
