"""What is said of an nginx configuration, held to nginx itself in its true surroundings."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orient_deploy.stack.nginx import Configuration, read_file, read_service
from orient_deploy.stack.nginx_verdict import Nginx, host_of
from tests.machines.nginx_server import as_it_is, nginx_environment

HOSTS = ("app", "app-2", "php", "registry.internal", "logs", "dns")
TLS = "listen 443 ssl; ssl_certificate ssl/a.pem; ssl_certificate_key ssl/a.key;"


def in_http(text: str) -> str:
    return f"events {{}}\nhttp {{\n{text}\n}}\n"


def in_server(text: str) -> str:
    return in_http(f"server {{ listen 80;\n{text}\n}}")


# Each: what nginx reads, and whether the parser alone has to see what is wrong.
GOOD = [
    pytest.param(in_server("location / { proxy_pass http://app:3000; }"), id="service"),
    pytest.param(in_server("location / { proxy_pass http://app:3000/x/; }"), id="service-and-path"),
    pytest.param(in_http("upstream u { server app:1; server app-2; keepalive 2; }"), id="upstream"),
    pytest.param(
        in_http("upstream app { server app:1; }\nserver { location / { proxy_pass http://app; } }"),
        id="upstream-called-as-its-server",
    ),
    pytest.param(in_server("location ~ x$ { fastcgi_pass php:9000; }"), id="fastcgi"),
    pytest.param(in_server("location / { uwsgi_pass app:1; include uwsgi_params; }"), id="uwsgi"),
    pytest.param(in_server("location / { grpc_pass grpc://app:50051; }"), id="grpc"),
    pytest.param(in_server("location / { scgi_pass unix:/run/a.sock; }"), id="socket"),
    pytest.param(in_server("location / { proxy_pass http://registry.internal; }"), id="dotted"),
    pytest.param(
        in_server("resolver 127.0.0.11; set $a app; location / { proxy_pass http://$a:1; }"),
        id="variable",
    ),
    pytest.param(in_http(f"server {{ {TLS} }}"), id="certificate"),
    pytest.param(
        in_http(f"server {{ {TLS} ssl_verify_client on; ssl_client_certificate ssl/a.pem; }}"),
        id="client-certificate",
    ),
    pytest.param(in_http(f"server {{ {TLS} ssl_trusted_certificate ssl/a.pem; }}"), id="trusted"),
    pytest.param(f"user www-data;\npid /run/x.pid;\n{in_server('')}", id="user-and-pid"),
    pytest.param(in_http("include mime.types; server { listen 81; }"), id="image-s-own-file"),
    pytest.param(in_server("access_log syslog:server=logs:514 combined;"), id="syslog"),
    pytest.param(in_http("resolver dns; server { listen 80; }"), id="resolver-by-name"),
    pytest.param(in_http("proxy_cache_path /var/lib/c keys_zone=c:1m;"), id="cache"),
    pytest.param(
        in_http(
            "map $http_upgrade $up { default upgrade; '' close; }\n"
            "server { location / { proxy_set_header Connection $up; proxy_pass http://app; } }"
        ),
        id="map",
    ),
    pytest.param(in_server('location ~ "^/[0-9]{3}" { return 204; }'), id="quoted-pattern"),
    pytest.param(in_server("if ($host = x) { return 301 https://x$request_uri; }"), id="if"),
]
BAD = [
    pytest.param(in_server("root /x"), True, id="no-semicolon-before-a-brace"),
    pytest.param(in_server("root /x\nindex a b;"), True, id="no-semicolon"),
    pytest.param(in_server("listen 80 server_name a;"), False, id="no-semicolon-on-the-line"),
    pytest.param(in_server("}"), True, id="one-brace-too-many"),
    pytest.param("events {}\nhttp { server { listen 80;", True, id="one-brace-too-few"),
    pytest.param(in_server("root;"), True, id="no-argument"),
    pytest.param(in_server("root /x /y;"), True, id="two-arguments"),
    pytest.param(in_http("location / { }"), True, id="location-outside-of-a-server"),
    pytest.param(in_server("worker_processes 2;"), True, id="of-the-main-part"),
    pytest.param("events {}\nserver { listen 80; }\n", True, id="server-outside-of-http"),
    pytest.param(in_server("root /a;\nroot /b;"), False, id="twice"),
    pytest.param(in_server("location / {}\nlocation / {}"), False, id="location-twice"),
    pytest.param(in_server("gzip yes;"), True, id="neither-on-nor-off"),
    pytest.param(in_server("client_max_body_size 10MB;"), False, id="size"),
    pytest.param(in_server("keepalive_timeout 5x;"), False, id="time"),
    pytest.param(in_server("return 999999;"), False, id="code"),
    pytest.param(in_server("location / { proxy_pass app:3000; }"), False, id="no-scheme"),
    pytest.param(
        in_server("location ~ /a { proxy_pass http://app/b; }"), False, id="path-in-a-pattern"
    ),
    pytest.param(in_server("location ~ a( { return 204; }"), False, id="pattern"),
    pytest.param(in_server("add_header X $no_such;"), False, id="variable"),
    pytest.param(in_server("access_log /dev/null nothing;"), False, id="log-format"),
    pytest.param(in_server("listen 80 defaultserver;"), False, id="parameter"),
    pytest.param(in_http("upstream u { }"), False, id="upstream-of-none"),
    pytest.param(
        in_http("upstream u { server app; }\nupstream u { server app; }"), False, id="same"
    ),
    pytest.param(in_server("location / { fastcgi_pass php; }"), False, id="no-port"),
    pytest.param(in_http("server { listen 443 ssl; }"), False, id="no-certificate"),
    pytest.param(in_server("ssl_protocols TLSv9;"), False, id="protocol"),
    pytest.param(
        in_server("location /a { location /b { return 204; } }"), False, id="location-not-inside"
    ),
    pytest.param("http { server { listen 80; } }\n", False, id="no-events"),
    pytest.param(in_server("proxy_cache nothing;"), False, id="cache-zone"),
]
# What an nginx that is newer, or has more modules, takes.
ELSEWHERE = [
    pytest.param(in_server("http2 on;"), id="newer-directive"),
    pytest.param(in_server("listen 443 quic;"), id="newer-parameter"),
    pytest.param(in_server("brotli on; brotli_types text/css;"), id="module"),
    pytest.param("load_module modules/x.so;\n" + in_server("js_content a.b;"), id="loaded-module"),
    pytest.param(in_server("content_by_lua_block { ngx.say('}') }"), id="lua"),
    pytest.param(in_http("geoip2 a.mmdb { $c country; }\nlog_format x '$c';"), id="its-variable"),
    pytest.param("events {}\nstream { server { listen 1; proxy_pass app:2; } }\n", id="stream"),
]


@pytest.fixture(scope="module")
def nginx() -> Nginx:
    found = Nginx.found(nginx_environment(root=True))
    assert found and found.version == "1.22.1"
    return found


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pair")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", "a.key", "-out", "a.pem", "-subj", "/CN=a"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True, timeout=60)
    return {f"ssl/{name}": (folder / name).read_text() for name in ("a.key", "a.pem")}


def ours(text: str, folder: Path, nginx: Nginx | None) -> Configuration:
    """What is said of it as the main file of an official image, with nothing but it mounted."""
    source = folder / "repository/nginx.conf"
    source.parent.mkdir(exist_ok=True)
    source.write_text(text)
    mount = {"type": "bind", "source": str(source), "target": "/etc/nginx/nginx.conf"}
    model = {"services": {"web": {"image": "nginx:1.22", "volumes": [mount]}}}
    found = read_service("web", model, str(source.parent), nginx=nginx)
    assert found is not None
    return found


@pytest.mark.parametrize("text", GOOD)
def test_what_nginx_accepts_there_is_accepted_here(
    text: str, tmp_path: Path, nginx: Nginx, pair: dict[str, str]
) -> None:
    there = as_it_is({"nginx.conf": text, **pair}, tmp_path, hosts=HOSTS)

    assert there == ""
    assert ours(text, tmp_path, nginx).refusals == ()
    assert ours(text, tmp_path, None).refusals == ()


@pytest.mark.parametrize(("text", "parser"), BAD)
def test_what_nginx_refuses_there_is_refused_here(
    text: str, parser: bool, tmp_path: Path, nginx: Nginx, pair: dict[str, str]
) -> None:
    there = as_it_is({"nginx.conf": text, **pair}, tmp_path, hosts=HOSTS)
    (here,) = ours(text, tmp_path, nginx).refusals

    assert there
    if " in /etc/nginx/nginx.conf:" in there:
        message, _, line = there.rpartition(" in /etc/nginx/nginx.conf:")
        assert (here.message, here.file, here.line) == (message, "nginx.conf", int(line))
    else:
        assert here.message == there
    assert here.by == "nginx 1.22.1"
    alone = ours(text, tmp_path, None).refusals
    assert bool(alone) is parser
    assert all(one.by == "the parser crossplane" for one in alone)


@pytest.mark.parametrize("text", ELSEWHERE)
def test_what_this_nginx_cannot_judge_is_not_judged(
    text: str, tmp_path: Path, nginx: Nginx
) -> None:
    assert as_it_is({"nginx.conf": text}, tmp_path, hosts=HOSTS)
    source = tmp_path / "alone/nginx.conf"
    source.parent.mkdir()
    source.write_text(text)
    assert read_file(str(source), nginx=nginx).refusals == ()


def test_the_rest_is_judged_where_this_nginx_lacks_something(tmp_path: Path, nginx: Nginx) -> None:
    text = in_server("http2 on;\nbrotli on;\nroot /a /b;")

    (found,) = ours(text, tmp_path, nginx).refusals[-1:]

    assert found.message == 'invalid number of arguments in "root" directive'
    assert found.line == 6


@pytest.mark.parametrize(
    ("name", "near"),
    [
        pytest.param("proxy_passs http://app", "proxy_pass", id="slip"),
        pytest.param("brotli on", "", id="module-the-image-lacks"),
        pytest.param("entirely_unheard_of 1", "", id="of-no-module"),
        pytest.param("http2 on", None, id="newer"),
    ],
)
def test_an_official_image_knows_its_directives(
    name: str, near: str | None, tmp_path: Path, nginx: Nginx
) -> None:
    found = ours(in_server(f"location / {{ {name}; }}"), tmp_path, nginx).refusals

    assert [one.near for one in found] == ([] if near is None else [near])


def test_nothing_is_left_behind_and_no_port_is_bound(
    tmp_path: Path, nginx: Nginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Address 203.0.113.1 is none of this machine: binding it fails."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    text = in_http("server { listen 203.0.113.1:80; access_log /none/x; }")

    assert ours(text, tmp_path, nginx).refusals == ()
    assert [one.name for one in tmp_path.iterdir()] == ["repository"]


def test_an_include_that_includes_itself_ends(tmp_path: Path, nginx: Nginx) -> None:
    source = tmp_path / "a.conf"
    source.write_text("events {}\ninclude a.conf;\n")

    assert len(list(read_file(str(source), nginx=nginx).walk())) == 1


def test_a_file_of_the_folder_conf_d_stands_inside_http(tmp_path: Path, nginx: Nginx) -> None:
    source = tmp_path / "site.conf"
    source.write_text("server {\n listen 80;\n root /a /b;\n}\n")

    (found,) = read_file(str(source), nginx=nginx).refusals

    assert (found.file, found.line) == ("site.conf", 3)


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("http://app:3000/x", "app"),
        ("app:9000", "app"),
        ("http://$a/", ""),
        ("http://app$a", ""),
        ("http://app/$a", "app"),
        ("unix:/a", ""),
        ("http://unix:/a:/b", ""),
        ("http://127.0.0.1:1", ""),
        ("[::1]:80", ""),
        ("localhost:80", ""),
    ],
)
def test_a_target_names_a_host(target: str, host: str) -> None:
    assert host_of(target) == host
