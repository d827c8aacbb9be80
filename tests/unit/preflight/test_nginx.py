"""Each check of nginx configurations, with a case that fires and one that nearly does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.commands.preflight_nginx import NginxLook, look, look_at_files
from orient_deploy.preflight.nginx import CHECKS
from tests.machines.nginx_server import nginx_environment
from tests.unit.preflight.composes import compose_of, write

SITE = "/etc/nginx/conf.d/default.conf"
SECRET = "hunter2-is-a-host"


def server(text: str) -> str:
    return f"server {{\nlisten 80;\n{text}\n}}\n"


def passing(target: str) -> str:
    return server(f"location / {{ proxy_pass {target}; }}")


def model(
    root: Path,
    *,
    web: Mapping[str, Any] | None = None,
    mounts: Mapping[str, str] | None = None,
    services: Mapping[str, Any] | None = None,
    networks: Mapping[str, Any] | None = None,
    name: str = "shop",
) -> dict[str, Any]:
    """A resolved project with nginx as `web`; `mounts` are targets and what is bound there."""
    volumes = [
        {"type": "bind", "source": str(root / source), "target": target}
        for target, source in (mounts or {SITE: "site.conf"}).items()
    ]
    return {
        "name": name,
        "services": {
            "web": {"image": "nginx:1.27-alpine", "volumes": volumes, **(web or {})},
            **(services or {"app": {"image": "app:1"}}),
        },
        "networks": networks or {"default": {"name": f"{name}_default"}},
    }


def seen(
    root: Path,
    files: Mapping[str, str],
    one: Mapping[str, Any] | None = None,
    **more: Any,
) -> NginxLook:
    write(root, files)
    options = {"peers": {}, "env": nginx_environment(), **more}
    return look(one or model(root), str(root), **options)


def ids(found: NginxLook) -> list[tuple[str, str]]:
    return [(one.check, one.subject) for one in found.findings]


def test_each_check_is_of_this_group() -> None:
    assert all(one.id.startswith("nginx/") for one in CHECKS)
    assert len({one.id for one in CHECKS}) == len(CHECKS)


# ---- invalid, include-missing -----------------------------------------------------------------


def test_a_refusal_names_the_file_and_line_of_the_repository(tmp_path: Path) -> None:
    found = seen(tmp_path, {"site.conf": server("gzip yes;")})

    (one,) = found.findings
    assert (one.check, one.file, one.line) == ("nginx/invalid", "site.conf", 3)
    assert one.message.startswith('nginx 1.22.1 says: invalid value "yes" in "gzip" directive')


def test_without_nginx_the_parser_judges_and_it_is_said(tmp_path: Path) -> None:
    found = seen(tmp_path, {"site.conf": server("gzip yes;")}, command=("no-such-nginx",))

    assert found.judge == ""
    assert found.findings[0].message.startswith("the parser crossplane says: ")


def test_a_site_beside_the_image_s_own_main_file_may_name_its_log_format(tmp_path: Path) -> None:
    found = seen(tmp_path, {"site.conf": server("access_log /var/log/nginx/a.log main;")})

    assert found.findings == ()
    assert found.services == ("web",)


@pytest.mark.parametrize(
    ("image", "named", "expected"),
    [
        pytest.param(
            "nginx:1", "snippets/tls.conf", ["/etc/nginx/snippets/tls.conf"], id="nowhere"
        ),
        pytest.param("nginx:1", "fastcgi_params", [], id="of-the-image"),
        pytest.param("nginx:1", "extra/*.conf", [], id="any-number"),
        pytest.param("someone/nginx:1", "snippets/tls.conf", [], id="image-of-others"),
    ],
)
def test_an_included_file_has_to_be_somewhere(
    image: str, named: str, expected: list[str], tmp_path: Path
) -> None:
    one = model(tmp_path, web={"image": image})
    found = seen(tmp_path, {"site.conf": server(f"include {named};")}, one)

    assert ids(found) == [("nginx/include-missing", each) for each in expected]


LOOP = ["/bin/sh", "-c", "while :; do sleep 6h; nginx -s reload; done & nginx -g 'daemon off;'"]


@pytest.mark.parametrize(
    ("web", "expected"),
    [
        pytest.param({"command": LOOP}, ["nginx/upstream-unknown"], id="a-loop-around-nginx"),
        pytest.param({"entrypoint": ["/start.sh"]}, [], id="a-script"),
        pytest.param({"command": ["sh", "-c", "envsubst <a >b; nginx"]}, [], id="a-template"),
    ],
)
def test_what_writes_files_at_its_start_keeps_them_out_of_sight(
    web: Mapping[str, Any], expected: list[str], tmp_path: Path
) -> None:
    text = passing("http://nobody") + server("listen 81;\ninclude snippets/made.conf;")
    alone = passing("http://nobody")
    one = model(tmp_path, web=web)

    assert [each.check for each in seen(tmp_path, {"site.conf": alone}, one).findings] == expected
    assert seen(tmp_path, {"site.conf": text}, one).findings == ()


def test_an_include_is_followed_as_it_is_in_the_container(tmp_path: Path) -> None:
    mounts = {SITE: "a/site.conf", "/etc/nginx/snippets": "b"}
    files = {"a/site.conf": server("include snippets/*.inc;"), "b/x.inc": "\ngzip yes;\n"}
    found = seen(tmp_path, files, model(tmp_path, mounts=mounts))

    assert [(one.check, one.file, one.line) for one in found.findings] == [
        ("nginx/invalid", "b/x.inc", 2)
    ]


# ---- upstreams --------------------------------------------------------------------------------

SERVICE = {"image": "app:1"}


@pytest.mark.parametrize(
    ("target", "services", "web", "expected"),
    [
        pytest.param("http://ap:1", {"app": SERVICE}, {}, True, id="nobody"),
        pytest.param("http://app:1", {"app": SERVICE}, {}, False, id="service"),
        pytest.param("http://APP:1", {"app": SERVICE}, {}, False, id="in-capitals"),
        pytest.param(
            "http://c:1", {"app": {**SERVICE, "container_name": "c"}}, {}, False, id="container"
        ),
        pytest.param("http://h:1", {"app": {**SERVICE, "hostname": "h"}}, {}, False, id="hostname"),
        pytest.param(
            "http://al:1",
            {"app": {**SERVICE, "networks": {"default": {"aliases": ["al"]}}}},
            {},
            False,
            id="alias",
        ),
        pytest.param("http://ln:1", {"app": SERVICE}, {"links": ["app:ln"]}, False, id="link"),
        pytest.param("http://eh:1", {}, {"extra_hosts": ["eh=10.0.0.1"]}, False, id="extra-host"),
        pytest.param("http://shop-app-1:1", {"app": SERVICE}, {}, False, id="numbered"),
        pytest.param("http://10.0.0.1:1", {}, {}, False, id="address"),
        pytest.param("http://[::1]:1", {}, {}, False, id="address-6"),
        pytest.param("http://localhost:1", {}, {}, False, id="itself"),
        pytest.param("http://unix:/run/a.sock", {}, {}, False, id="socket"),
        pytest.param("http://api.example.com", {}, {}, False, id="public"),
        pytest.param("http://host.docker.internal:1", {}, {}, False, id="machine"),
        pytest.param("http://ap:1", {}, {"network_mode": "host"}, False, id="network-of-the-host"),
        pytest.param("http://$host:1", {}, {}, False, id="unknown-variable"),
    ],
)
def test_a_host_is_somebody_on_the_network(
    target: str,
    services: Mapping[str, Any],
    web: Mapping[str, Any],
    expected: bool,
    tmp_path: Path,
) -> None:
    one = model(tmp_path, services=services or {"other": SERVICE}, web=web)
    found = seen(tmp_path, {"site.conf": passing(target)}, one)

    assert [each.check for each in found.findings] == ["nginx/upstream-unknown"] * expected


def test_the_nearest_name_is_offered(tmp_path: Path) -> None:
    found = seen(tmp_path, {"site.conf": passing("http://ap:3000")})

    (one,) = found.findings
    assert (one.subject, one.file, one.line) == ("ap", "site.conf", 3)
    assert one.fix.endswith(" app is near.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("upstream u { server nobody:1; }\n" + passing("http://u"), 1, id="its-server"),
        pytest.param("upstream u { server app:1; }\n" + passing("http://u"), 0, id="group"),
        pytest.param(server("location / { fastcgi_pass nobody:9000; }"), 1, id="fastcgi"),
        pytest.param(server("location / { grpc_pass grpc://nobody:1; }"), 1, id="grpc"),
    ],
)
def test_groups_and_other_protocols_name_hosts_too(
    text: str, expected: int, tmp_path: Path
) -> None:
    found = seen(tmp_path, {"site.conf": text})

    assert [one.check for one in found.findings] == ["nginx/upstream-unknown"] * expected


def test_a_group_may_stand_in_a_file_out_of_sight(tmp_path: Path) -> None:
    mounts = {SITE: "site.conf", "/etc/nginx/more": "../elsewhere"}
    text = "include more/groups.conf;\n" + passing("http://group")
    found = seen(
        tmp_path / "repository", {"site.conf": text}, model(tmp_path / "repository", mounts=mounts)
    )

    assert found.findings == ()


def test_what_is_looked_up_late_is_a_hint(tmp_path: Path) -> None:
    text = server("resolver 127.0.0.11;\nset $a nobody:1;\nlocation / { proxy_pass http://$a; }")
    (one,) = seen(tmp_path, {"site.conf": text}).findings

    assert (one.check, one.severity, one.line) == ("nginx/upstream-unknown", "hint", 4)


def test_a_network_of_strangers_may_know_the_name(tmp_path: Path) -> None:
    one = model(
        tmp_path,
        web={"networks": {"edge": None}},
        networks={"edge": {"name": "edge", "external": True}},
    )

    assert seen(tmp_path, {"site.conf": passing("http://nobody")}, one).findings == ()


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        pytest.param({"back": None}, [("nginx/upstream-unreachable", "app")], id="apart"),
        pytest.param({"back": None, "front": None}, [], id="common"),
    ],
)
def test_a_service_has_to_share_a_network(
    networks: Mapping[str, None], expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    one = model(
        tmp_path,
        web={"networks": {"front": None}},
        services={"app": {**SERVICE, "networks": networks}},
        networks={"front": {"name": "shop_front"}, "back": {"name": "shop_back"}},
    )

    assert ids(seen(tmp_path, {"site.conf": passing("http://app")}, one)) == expected


STAGING_SITE = server(
    "location /a { proxy_pass http://app-staging:1; }\n"
    "location /b { proxy_pass http://api-staging:2; }"
)


def staging(tmp_path: Path, network: str) -> dict[str, Any]:
    service = {**SERVICE, "networks": {"front": None}}
    return model(
        tmp_path,
        name="staging",
        services={
            "app": {**service, "container_name": "app-staging"},
            "api": {**service, "container_name": "api-staging"},
        },
        networks={"front": {"name": network, "external": True}},
    )


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        pytest.param("shop_default", [("nginx/upstream-elsewhere", "staging")], id="common"),
        pytest.param("docker_default", [("nginx/upstream-elsewhere", "staging")], id="by-its-key"),
        pytest.param(
            "other",
            [
                ("nginx/upstream-unreachable", "app-staging"),
                ("nginx/upstream-unreachable", "api-staging"),
            ],
            id="apart",
        ),
    ],
)
def test_a_name_of_another_environment_needs_that_to_run(
    network: str, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    found = seen(
        tmp_path, {"site.conf": STAGING_SITE}, peers={"staging": staging(tmp_path, network)}
    )

    assert ids(found) == expected


def test_a_name_of_another_environment_that_is_looked_up_late_needs_nothing(tmp_path: Path) -> None:
    text = server(
        "resolver 127.0.0.11;\nset $a app-staging:1;\nlocation / { proxy_pass http://$a; }"
    )
    peers = {"staging": staging(tmp_path, "shop_default")}

    assert seen(tmp_path, {"site.conf": text}, peers=peers).findings == ()


def test_a_service_that_the_profiles_leave_out_is_no_stranger(tmp_path: Path) -> None:
    assert seen(tmp_path, {"site.conf": passing("http://later")}, dormant={"later"}).findings == ()


# ---- prefixes ---------------------------------------------------------------------------------

STRIPS = "location /dashboard/ { proxy_pass http://app:1/; }\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            STRIPS + "location /dashboard/assets/ { proxy_pass http://app:1/dashboard/assets/; }",
            True,
            id="keeps",
        ),
        pytest.param(
            STRIPS + "location /dashboard/assets/ { proxy_pass http://app:1; }", True, id="no-path"
        ),
        pytest.param(
            STRIPS + r"location ~ ^/dashboard/.*\.(js|css)$ { proxy_pass http://app:1; }",
            True,
            id="pattern",
        ),
        pytest.param(
            "location /dashboard/ { rewrite ^/dashboard/(.*)$ /$1 break; proxy_pass http://app:1; }"
            "\nlocation /dashboard/assets/ { proxy_pass http://app:1; }",
            True,
            id="stripped-by-a-rewrite",
        ),
        pytest.param(
            STRIPS + "location /dashboard/assets/ { proxy_pass http://app:1/assets/; }",
            False,
            id="strips-too",
        ),
        pytest.param(
            STRIPS + "location /dashboard/assets/ { proxy_pass http://other:1; }",
            False,
            id="another-application",
        ),
        pytest.param(
            STRIPS + "location /dashboard/api/ { proxy_pass http://app:1; }",
            False,
            id="no-assets",
        ),
        pytest.param(
            STRIPS + "location /dashboard/assets/ {"
            " rewrite ^/dashboard/(.*)$ /$1 break; proxy_pass http://app:1; }",
            False,
            id="stripped-inside",
        ),
        pytest.param(
            "location /dashboard/ { proxy_pass http://app:1; }\n"
            "location /dashboard/assets/ { proxy_pass http://app:1; }",
            False,
            id="both-keep",
        ),
        pytest.param(
            "location /dashboard/assets/ { proxy_pass http://app:1/dashboard/assets/; }",
            False,
            id="alone",
        ),
    ],
)
def test_assets_get_the_prefix_stripped_like_the_rest(
    text: str, expected: bool, tmp_path: Path
) -> None:
    services = {"app": SERVICE, "other": SERVICE}
    found = seen(tmp_path, {"site.conf": server(text)}, model(tmp_path, services=services))

    assert [one.check for one in found.findings] == ["nginx/proxy-prefix"] * expected


def test_an_application_whose_pages_ask_for_the_prefix_may_get_it(tmp_path: Path) -> None:
    text = STRIPS + "location /dashboard/assets/ { proxy_pass http://app:1; }"
    found = seen(tmp_path, {"site.conf": server(text)}, bases={"app": "/dashboard/"})

    assert found.findings == ()


def test_the_fix_of_a_prefix_can_be_copied(tmp_path: Path) -> None:
    text = STRIPS + "location /dashboard/assets/ { proxy_pass http://app:1; }"
    (one,) = seen(tmp_path, {"site.conf": server(text)}).findings

    assert one.fix == "Write `proxy_pass http://app:1/assets/;` there."
    assert (one.subject, one.line) == ("/dashboard/assets/", 4)


# ---- certificates -----------------------------------------------------------------------------

TLS = "ssl_certificate ssl/a.pem;\nssl_certificate_key ssl/a.key;"
SSL = "/etc/nginx/ssl"


@pytest.mark.parametrize(
    ("mounts", "web", "files", "expected"),
    [
        pytest.param({}, {}, {}, [None], id="nowhere"),
        pytest.param({}, {"build": {"context": "."}}, {}, [], id="built-image"),
        pytest.param({}, {"entrypoint": ["/start.sh"]}, {}, [], id="made-at-the-start"),
        pytest.param({SSL: "tls"}, {}, {"tls/b.pem": ""}, ["warning"], id="not-in-the-repository"),
        pytest.param({SSL: "tls"}, {}, {"tls/a.pem": "", "tls/a.key": ""}, [], id="there"),
        pytest.param({SSL: "tls"}, {}, {"tls/.gitkeep": ""}, [], id="filled-on-the-server"),
        pytest.param({SSL: "tls"}, {}, {}, [], id="folder-of-the-server"),
        pytest.param({SSL: "tls"}, {}, {"tls/b.pem": "", "ignored": ""}, [], id="ignored"),
        pytest.param({SSL: "../tls"}, {}, {}, [], id="outside"),
    ],
)
def test_a_certificate_is_somewhere(
    mounts: Mapping[str, str],
    web: Mapping[str, Any],
    files: Mapping[str, str],
    expected: list[str | None],
    tmp_path: Path,
) -> None:
    root = tmp_path / "repository"
    one = model(root, mounts={SITE: "site.conf", **mounts}, web=web)
    texts = {"site.conf": server(TLS), **files}
    found = seen(root, texts, one, ignored=lambda _: "ignored" in files)

    assert [each.check for each in found.findings] == ["nginx/certificate-missing"] * len(expected)
    assert [each.severity for each in found.findings] == expected


def test_certificates_of_the_server_are_told_to_who_can_look(tmp_path: Path) -> None:
    mounts = {SITE: "site.conf", SSL: "/srv/tls"}
    found = seen(tmp_path, {"site.conf": server(TLS)}, model(tmp_path, mounts=mounts))

    assert [(one.path, one.container_path) for one in found.host_paths] == [
        ("/srv/tls/a.key", f"{SSL}/a.key"),
        ("/srv/tls/a.pem", f"{SSL}/a.pem"),
    ]


@pytest.mark.parametrize(
    "path", ["data:$a", "$ssl_server_name.pem", "/etc/ssl/certs/ca-certificates.crt"]
)
def test_some_certificates_need_no_mount(path: str, tmp_path: Path) -> None:
    text = server(f"proxy_ssl_trusted_certificate {path};")

    assert seen(tmp_path, {"site.conf": text}).findings == ()


def test_a_target_with_a_made_up_value_may_hold_anything(tmp_path: Path) -> None:
    mounts = {SITE: "site.conf", f"{SSL}/10007/a.pem": "a.pem"}
    found = seen(
        tmp_path,
        {"site.conf": server(TLS), "a.pem": ""},
        model(tmp_path, mounts=mounts),
        stand_ins={"10007"},
    )

    assert found.findings == ()


# ---- templates, texts in the compose file, values ---------------------------------------------

TEMPLATE = "/etc/nginx/templates/default.conf.template"


def test_a_template_is_judged_with_its_values_and_shows_none(tmp_path: Path) -> None:
    one = model(
        tmp_path, mounts={TEMPLATE: "t"}, web={"environment": {"BACKEND": SECRET, "OTHER": "x"}}
    )
    found = seen(tmp_path, {"t": server("location / {\nproxy_pass http://${BACKEND}:1;\n}")}, one)

    (finding,) = found.findings
    assert (finding.check, finding.subject) == ("nginx/upstream-unknown", "${BACKEND}")
    assert (finding.file, finding.line) == ("t", 4)
    assert SECRET not in repr(found)


@pytest.mark.parametrize("text", ["gzip ${BACKEND};", "${BACKEND} on;", "listen 80 ${BACKEND};"])
def test_a_refusal_shows_no_value(text: str, tmp_path: Path) -> None:
    one = model(tmp_path, mounts={TEMPLATE: "t"}, web={"environment": {"BACKEND": SECRET}})
    for command in ("nginx", "no-such-nginx"):
        found = seen(tmp_path, {"t": server(text)}, one, command=(command,))
        assert SECRET not in repr(found)


def test_a_template_with_an_unknown_variable_is_left_out(tmp_path: Path) -> None:
    one = model(tmp_path, mounts={TEMPLATE: "t"})

    assert seen(tmp_path, {"t": passing("http://${BACKEND}")}, one).findings == ()


def test_a_configuration_in_the_compose_file_is_judged_and_not_shown(tmp_path: Path) -> None:
    one = model(tmp_path, web={"volumes": [], "configs": [{"source": "site", "target": SITE}]})
    one["configs"] = {"site": {"content": server(f"gzip {SECRET};")}}
    found = seen(tmp_path, {}, one)

    assert [each.check for each in found.findings] == ["nginx/invalid"]
    assert SECRET not in repr(found)


# ---- through Compose, and alone ---------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.26", "2.40"])
def test_the_model_is_what_compose_makes_of_a_project(version: str, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yml": """
name: shop
services:
  web:
    image: nginx:alpine
    volumes: ["./conf/site.conf:/etc/nginx/conf.d/default.conf:ro"]
    networks: [front]
  app: {image: "app:1", networks: {front: {aliases: [api]}}}
  hidden: {image: "app:1", networks: [back]}
networks: {front: {}, back: {}}
""",
            "conf/site.conf": server(
                "location /1 { proxy_pass http://api; }\nlocation /2 { proxy_pass http://apis; }\n"
                "location /3 { proxy_pass http://hidden; }"
            ),
        },
    )
    arguments = ["-f", str(tmp_path / "compose.yml"), "config", "--format", "json"]
    code, out, _ = compose_of(version, tmp_path).ask(arguments)
    assert code == 0
    found = look(json.loads(out), str(tmp_path), peers={}, env=nginx_environment())

    assert ids(found) == [
        ("nginx/upstream-unknown", "apis"),
        ("nginx/upstream-unreachable", "hidden"),
    ]


def test_a_file_without_a_project_is_judged_by_itself(tmp_path: Path) -> None:
    text = server("location /a/ { proxy_pass http://nobody/; }\ngzip yes;")
    write(tmp_path, {"deploy/site.conf": text})
    found = look_at_files(
        [str(tmp_path / "deploy/site.conf")], str(tmp_path), env=nginx_environment()
    )

    assert [(one.check, one.file, one.line) for one in found.findings] == [
        ("nginx/invalid", "deploy/site.conf", 4)
    ]


def test_a_file_that_something_else_fills_in_is_not_judged(tmp_path: Path) -> None:
    write(tmp_path, {"site.conf": server("listen {{ port }};")})
    found = look_at_files([str(tmp_path / "site.conf")], str(tmp_path), env=nginx_environment())

    assert found.findings == ()
