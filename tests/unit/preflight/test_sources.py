"""Which routes are found in sources: for every check cases that fire and near misses."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orient_deploy.config.model import Image, Location
from orient_deploy.preflight import sources
from orient_deploy.preflight.files import Files
from orient_deploy.preflight.finding import Finding
from orient_deploy.preflight.sources import major_of, routes_of

EXPRESS = "import express from 'express';\nconst app = express();\n"
FIVE = '{"dependencies": {"express": "^5.1.0"}}'


def files_of(texts: Mapping[str, str]) -> Files:
    return Files(texts, lambda path: texts[path].encode())


def found_in(texts: Mapping[str, str], *dockerfiles: str) -> list[Finding]:
    images = [
        Image(name="web", dockerfile=one, where=Location(file="c", line=1, column=1))
        for one in dockerfiles
    ]
    return sources.look(files_of(texts), images)


# --- Express 5


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("app.get('*', f);", id="star"),
        pytest.param('app.use("/api/*", f);', id="double-quotes"),
        pytest.param("app\n  .all(\n  `/*`,\n f);", id="over-lines"),
        pytest.param("app.get(['/a', '/b/*'], f);", id="in-a-list"),
        pytest.param("app.get<P>('/:a?', f);", id="with-a-type"),
        pytest.param("app.route('/x*').get(f);", id="route"),
        pytest.param("const r = express.Router();\nr.get('/:a*', f);", id="router"),
        pytest.param("const s: Express = make();\ns.get('*', f);", id="typed"),
        pytest.param(
            "export function routes(server: express.Application) { server.get('*', f); }",
            id="parameter",
        ),
    ],
)
def test_a_route_that_express_5_refuses_is_named(source: str) -> None:
    (found,) = found_in({"package.json": FIVE, "src/app.ts": EXPRESS + source})

    assert (found.check, found.file) == ("repository/express-wildcard", "src/app.ts")
    assert found.message.startswith("Express 5 refuses the route ")
    assert found.fix.startswith("Write '")


def test_line_reason_and_rewrite_are_told() -> None:
    (found,) = found_in({"package.json": FIVE, "a.js": f"{EXPRESS}\n\napp.get('*', f);\n"})

    assert found.line == 5
    assert found.message == ("Express 5 refuses the route '*': Missing parameter name at index 1")
    assert found.fix == "Write '/{*splat}'."


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("// app.get('*', f);", id="in-a-comment"),
        pytest.param("/* app.get('*', f); */", id="in-a-long-comment"),
        pytest.param("const text = \"app.get('*', f)\";", id="in-a-text"),
        pytest.param("const text = `app.get('*', f)`;", id="in-a-template"),
        pytest.param("const e = /app.get('*', f)/;", id="in-an-expression"),
        pytest.param("app.get('/{*splat}', f);", id="written-for-5"),
        pytest.param("app.get(/.*/, f);", id="a-regular-expression"),
        pytest.param("app.get('*');", id="a-setting"),
        pytest.param("app.set('*', 1);", id="another-method"),
        pytest.param("axios.get('*', f);", id="of-another-object"),
        pytest.param("cache.app.get('*', f);", id="of-a-property"),
        pytest.param("app.get(`/${base}*`, f);", id="partly-unknown"),
        pytest.param("app.get('/a' + '*', f);", id="put-together"),
        pytest.param("app.get(PATH, f);", id="a-name"),
    ],
)
def test_what_is_no_such_route_is_not_named(source: str) -> None:
    assert found_in({"package.json": FIVE, "src/app.ts": EXPRESS + source}) == []


@pytest.mark.parametrize(
    ("begin", "fires"),
    [
        pytest.param("const express = require('express');\nconst app = express();", True, id="cjs"),
        pytest.param("import * as e from 'express';\nconst app = e.default();", False, id="odd"),
        pytest.param("import * as e from 'express';\nconst app = e();", True, id="namespace"),
        pytest.param("import e = require('express');\nconst app = e();", True, id="ts-require"),
        pytest.param("import { Router } from 'express';\nconst app = Router();", True, id="named"),
        pytest.param(
            "import { Router as R } from 'express';\nconst app = R({});", True, id="renamed"
        ),
        pytest.param(
            "import type { Express } from 'express';\nlet app: Express = x;", True, id="type-only"
        ),
        pytest.param("import { Hono } from 'hono';\nconst app = new Hono();", False, id="hono"),
        pytest.param(
            "import express from 'express';\nimport { Hono } from 'hono';\nconst app = new Hono();",
            False,
            id="hono-beside-express",
        ),
        pytest.param(
            "import Router from '@koa/router'; // not express\nconst app = new Router();",
            False,
            id="koa",
        ),
    ],
)
def test_only_what_is_surely_expresss_is_judged(begin: str, fires: bool) -> None:
    assert (
        bool([one for one in routes_of(f"{begin}\napp.get('*', f);") if one.path == "*"]) is fires
    )


@pytest.mark.parametrize("path", ["src/a.test.ts", "tests/a.ts", "src/a.d.ts", "docs/a.js"])
def test_a_test_is_not_judged(path: str) -> None:
    assert found_in({"package.json": FIVE, path: f"{EXPRESS}app.get('*', f);"}) == []


LOCK = """\
lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      express:
        specifier: {asked}
        version: {got}

packages: {{}}
"""


@pytest.mark.parametrize(
    ("asked", "got", "major"),
    [
        pytest.param("^5.0.0", "", 5, id="five"),
        pytest.param("~4.18.2", "", 4, id="four"),
        pytest.param("5", "", 5, id="bare"),
        pytest.param("5.x", "", 5, id="x"),
        pytest.param("^5.0.0-beta.1", "", 5, id="beta"),
        pytest.param(">=4", "5.1.0", 5, id="wide-and-locked"),
        pytest.param("^4 || ^5", "4.21.0", 4, id="either-and-locked"),
        pytest.param("latest", "5.2.1", 5, id="latest-and-locked"),
        pytest.param("'catalog:'", "5.2.1", 5, id="catalog-and-locked"),
        pytest.param(">=4", "", None, id="wide-alone"),
        pytest.param("latest", "", None, id="latest-alone"),
    ],
)
def test_the_version_is_the_one_that_is_installed(asked: str, got: str, major: int | None) -> None:
    texts = {"package.json": json.dumps({"dependencies": {"express": asked.strip("'")}})}
    if got:
        texts["pnpm-lock.yaml"] = LOCK.format(asked=asked, got=got)

    assert major_of(files_of(texts), "", "express") == major


def test_the_version_of_a_package_lock_counts_too() -> None:
    lock = {
        "lockfileVersion": 3,
        "packages": {"": {}, "node_modules/express": {"version": "5.1.0"}},
    }
    texts = {
        "package.json": '{"dependencies": {"express": "*"}}',
        "package-lock.json": json.dumps(lock),
    }

    assert major_of(files_of(texts), "", "express") == 5


def test_each_package_is_judged_by_its_own_express() -> None:
    texts = {
        "package.json": FIVE,
        "packages/old/package.json": '{"dependencies": {"express": "^4.18.0"}}',
        "packages/old/a.ts": f"{EXPRESS}app.get('*', f);",
        "packages/new/package.json": '{"dependencies": {}}',
        "packages/new/a.ts": f"{EXPRESS}app.get('*', f);",
    }

    assert [one.file for one in found_in(texts)] == ["packages/new/a.ts"]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="'\"`/*\\\n ax.=(),;[]{}", max_size=60))
def test_any_text_is_read_to_its_end(text: str) -> None:
    """A route behind a line of its own, closed, is found, or the text before it stays open."""
    routes_of(f"{EXPRESS}{text}")
    found = routes_of(f"{EXPRESS}/*{text.replace('*/', '')}*/\napp.get('/x', f);")

    assert [one.path for one in found] == ["/x"]


# --- routes left behind

MOVED = {
    "package.json": FIVE,
    "src/routes.ts": f"{EXPRESS}app.get('/api/jobs/:id', f);\napp.post('/api/jobs/run', f);\n"
    "app.get('/health', f);\n",
    "packages/web/Dockerfile": "FROM scratch\n",
    "packages/web/src/a.ts": f"{EXPRESS}app.get('/health', f);",
    "packages/core/src/a.ts": "export {};",
}


def test_routes_that_no_package_has_are_a_thought() -> None:
    (found,) = found_in(MOVED, "packages/web/Dockerfile")

    assert (found.check, found.subject) == ("repository/migration-gap", "/api/jobs")
    assert found.message == "/api/jobs/:id and 1 more of src/ is in no package"
    assert (found.file, found.line) == ("src/routes.ts", 3)


@pytest.mark.parametrize(
    ("changed", "dockerfile"),
    [
        pytest.param(
            {"packages/core/src/a.ts": f"{EXPRESS}app.get('/jobs/:name', f);"},
            "packages/web/Dockerfile",
            id="mounted-elsewhere",
        ),
        pytest.param({}, "Dockerfile", id="the-image-is-built-from-the-root"),
        pytest.param(
            {"packages/web/src/a.ts": "export {};"},
            "packages/web/Dockerfile",
            id="no-routes-at-all",
        ),
    ],
)
def test_routes_that_may_have_moved_are_not_named(changed: dict[str, str], dockerfile: str) -> None:
    assert found_in({**MOVED, **changed}, dockerfile) == []


def test_there_is_nothing_to_compare_without_old_sources() -> None:
    texts = {path: text for path, text in MOVED.items() if not path.startswith("src/")}

    assert found_in(texts, "packages/web/Dockerfile") == []


@pytest.mark.parametrize(
    "piece",
    ["import ", "var a ", "app.get(", "app.get<", "=/a[", "a:", "`a", "'", "/*", "= \t", "\\"],
)
def test_no_text_keeps_the_reading_busy(piece: str) -> None:
    """Each took minutes once: what cannot be told apart is looked at only so far."""
    assert routes_of(EXPRESS + piece * (200_000 // len(piece))) == []
