"""What is found in workspace packages: for every check cases that fire and near misses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from orient_deploy.config.model import Image, Location
from orient_deploy.inputs.dockerfile import parse
from orient_deploy.inputs.images import read_images
from orient_deploy.preflight import packages
from orient_deploy.preflight.files import Files
from orient_deploy.preflight.finding import Finding
from orient_deploy.preflight.packages import runs_plain_node, targets
from orient_deploy.preflight.tsconfig import declares, mapped

Contents = Mapping[str, str | dict[str, Any]]
DOCKERFILE = """\
FROM node:22 AS build
WORKDIR /app
COPY . .
RUN pnpm install --frozen-lockfile && pnpm -r build
FROM node:22
COPY --from=build /app /app
CMD ["node", "packages/web/dist/main.js"]
"""
WEB = {
    "name": "@orient/web",
    "dependencies": {"@orient/core": "workspace:*"},
    "scripts": {"build": "tsc", "start": "node dist/main.js"},
}
CORE: dict[str, Any] = {
    "name": "@orient/core",
    "main": "./dist/index.js",
    "types": "./dist/index.d.ts",
    "exports": {".": {"types": "./dist/index.d.ts", "import": "./dist/index.js"}},
    "scripts": {"build": "tsc"},
}
BASE: dict[str, str | dict[str, Any]] = {
    "package.json": {"name": "orient"},
    "pnpm-workspace.yaml": "packages: [packages/*]\n",
    "packages/web/package.json": WEB,
    "packages/web/Dockerfile": DOCKERFILE,
    "packages/web/src/main.ts": "import { a } from '@orient/core';\n",
    "packages/core/package.json": CORE,
    "packages/core/tsconfig.json": '{"compilerOptions": {"declaration": true}}',
    "packages/core/src/index.ts": "export const a = 1;\n",
}
IMAGE = Image(
    name="web",
    dockerfile="packages/web/Dockerfile",
    where=Location(file="c", line=1, column=1),
)


def files_of(contents: Contents) -> Files:
    texts = {
        path: one if isinstance(one, str) else json.dumps(one, indent=1)
        for path, one in contents.items()
    }
    return Files(texts, lambda path: texts[path].encode())


def found_in(changed: Contents) -> list[Finding]:
    files = files_of({**BASE, **changed})
    return packages.look(files, [IMAGE], read_images([IMAGE], files.tree, files.read))


def core(**changed: Any) -> dict[str, Any]:
    return {key: one for key, one in {**CORE, **changed}.items() if one is not None}


def main(text: str) -> dict[str, str]:
    return {"packages/web/src/main.ts": text}


def test_a_workspace_in_order_says_nothing() -> None:
    assert found_in({}) == []


# --- exports


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        pytest.param(
            main("import { log } from '@orient/core/logger';\n"),
            "@orient/core/logger",
            id="a-path-that-is-not-exported",
        ),
        pytest.param(
            {"packages/core/package.json": core(exports={"./a": "./dist/a.js"})},
            "@orient/core",
            id="only-others-are-exported",
        ),
        pytest.param(
            {"packages/core/package.json": core(exports=None, main=None)},
            "@orient/core",
            id="neither-exports-nor-main",
        ),
        pytest.param(
            {
                "packages/core/package.json": core(exports=None, main="lib/a.js", scripts=None),
                "packages/core/tsconfig.json": "{}",
                "packages/core/src/index.ts": "",
            },
            "",
            id="a-tsconfig-may-build-it",
        ),
        pytest.param(
            main("const { a } = require('@orient/core/logger');\n"),
            "@orient/core/logger",
            id="required",
        ),
        pytest.param(
            main("const a = await import('@orient/core/logger');\n"),
            "@orient/core/logger",
            id="imported-later",
        ),
        pytest.param(main("import type { A } from '@orient/core/logger';\n"), "", id="only-a-type"),
        pytest.param(main("// import '@orient/core/logger';\n"), "", id="in-a-comment"),
        pytest.param(main("import '@orient/core/package.json';\n"), "", id="the-manifest"),
        pytest.param(
            {
                "packages/core/package.json": core(
                    exports={".": "./dist/index.js", "./*": "./dist/*.js"}
                ),
                **main("import '@orient/core/logger';\n"),
            },
            "",
            id="a-pattern",
        ),
        pytest.param(
            {
                **main("import '@orient/core/logger';\n"),
                "packages/web/tsconfig.json": '{"compilerOptions": {"paths": '
                '{"@orient/core/*": ["x/*"]}}}',
            },
            "",
            id="led-elsewhere",
        ),
        pytest.param(
            {
                **main("import '@orient/core/logger';\n"),
                "packages/web/tsconfig.json": "{}",
                "tsconfig.json": '{"compilerOptions": {"paths": {"@orient/core/*": ["x/*"]}}}',
            },
            "@orient/core/logger",
            id="only-others-are-led-elsewhere",
        ),
        pytest.param(
            {
                **main("import '@orient/core/logger';\n"),
                "packages/web/package.json": {**WEB, "scripts": {"build": "vite build"}},
                "packages/web/vite.config.ts": "resolve: { alias: { '@orient/core': x } }",
            },
            "",
            id="led-elsewhere-by-a-bundler",
        ),
        pytest.param(
            main("import { Logger } from '@orient/core/logger';\n"), "", id="maybe-only-a-type"
        ),
        pytest.param(
            {
                "packages/core/package.json": core(exports=None, main=None),
                "packages/core/index.ts": "export const a = 1;\n",
            },
            "",
            id="an-index",
        ),
        pytest.param(
            {
                "packages/core/package.json": core(exports=None, main=None),
                "packages/core/tsconfig.json": "{}",
                **main("export {};\n"),
            },
            "",
            id="settings-that-nobody-imports",
        ),
        pytest.param(
            {
                "packages/web/src/main.ts": "export {};\n",
                "packages/web/src/main.test.ts": "import '@orient/core/logger';\n",
            },
            "",
            id="only-in-a-test",
        ),
    ],
)
def test_what_is_imported_and_not_offered(changed: Contents, subject: str) -> None:
    found = [one for one in found_in(changed) if one.check == "package/exports-missing"]

    assert [one.subject for one in found] == ([subject] if subject else [])
    assert all(one.file == "packages/core/package.json" for one in found)


def test_a_package_that_no_image_holds_is_not_judged() -> None:
    assert (
        found_in(
            {
                **main("import '@orient/core/logger';\n"),
                "packages/web/Dockerfile": "FROM node\nCOPY packages/web packages/web\n",
            }
        )
        == []
    )


@pytest.mark.parametrize(
    ("exports", "key", "found"),
    [
        pytest.param("./a.js", ".", ["./a.js"], id="a-text"),
        pytest.param({"import": "./a.js"}, ".", ["./a.js"], id="conditions"),
        pytest.param({"types": "./a.d.ts", "source": "./a.ts"}, ".", [], id="not-for-node"),
        pytest.param({".": {"node": {"import": "./a.js"}}}, ".", ["./a.js"], id="nested"),
        pytest.param({"./*": "./d/*.js"}, "./x/y", ["./d/x/y.js"], id="pattern"),
        pytest.param({"./*": "./d/*.js", "./x/*": None}, "./x/y", None, id="taken-back"),
        pytest.param({"./a": "./a.js"}, "./b", None, id="another"),
        pytest.param({"./a": "./a.js"}, ".", None, id="no-root"),
    ],
)
def test_exports_are_read_as_node_reads_them(
    exports: Any, key: str, found: list[str] | None
) -> None:
    assert targets(exports, key) == found


# --- types


@pytest.mark.parametrize(
    ("changed", "severity"),
    [
        pytest.param(
            {"packages/core/tsconfig.json": '{"compilerOptions": {"declaration": false}}'},
            "warning",
            id="no-declarations-are-made",
        ),
        pytest.param(
            {
                "packages/core/tsconfig.json": '{"extends": "../../tsconfig.base.json"}',
                "tsconfig.base.json": '{\n // all\n "compilerOptions": {"strict": true,}\n}',
            },
            "warning",
            id="also-not-by-what-it-extends",
        ),
        pytest.param(
            {
                "packages/core/package.json": core(
                    types=None, exports={".": {"import": "./dist/index.js"}}
                )
            },
            "hint",
            id="none-are-named",
        ),
        pytest.param(
            {
                "packages/core/tsconfig.json": '{"extends": "../../tsconfig.base.json"}',
                "tsconfig.base.json": '{"compilerOptions": {"declaration": true}}',
            },
            "",
            id="inherited",
        ),
        pytest.param(
            {"packages/core/tsconfig.json": '{"extends": "@tsconfig/node22/tsconfig.json"}'},
            "",
            id="inherited-from-elsewhere",
        ),
        pytest.param(
            {"packages/core/tsconfig.json": '{"compilerOptions": {"composite": true}}'},
            "",
            id="composite",
        ),
        pytest.param(
            {
                "packages/core/tsconfig.json": "{}",
                "packages/core/package.json": core(scripts={"build": "tsc --declaration"}),
            },
            "",
            id="by-a-flag",
        ),
        pytest.param(
            {
                "packages/core/tsconfig.json": "{}",
                "packages/core/package.json": core(scripts={"build": "tsup --dts"}),
            },
            "",
            id="by-a-bundler",
        ),
        pytest.param(
            {
                "packages/core/tsconfig.json": "{}",
                "packages/web/src/main.ts": "",
                "packages/web/src/main.js": "import { a } from '@orient/core';\n",
            },
            "",
            id="only-javascript-imports-it",
        ),
        pytest.param(
            {
                "packages/core/package.json": core(
                    exports=None, types=None, main="./index.js", scripts=None
                ),
                "packages/core/index.js": "exports.a = 1;\n",
            },
            "",
            id="written-in-javascript",
        ),
    ],
)
def test_declarations_that_typescript_does_not_find(changed: Contents, severity: str) -> None:
    found = [one for one in found_in(changed) if one.check == "package/types-missing"]

    assert [one.severity or "warning" for one in found] == ([severity] if severity else [])


def test_a_circle_of_settings_ends() -> None:
    files = files_of({"a.json": '{"extends": "./b"}', "b.json": '{"extends": "./a"}'})

    assert declares(files, "a.json") is None
    assert mapped(files, "a.json") is None


@pytest.mark.parametrize(
    ("texts", "made", "names"),
    [
        pytest.param({"a.json": "{}"}, False, set(), id="nothing"),
        pytest.param({}, None, None, id="none"),
        pytest.param({"a.json": "{"}, None, None, id="no-json"),
        pytest.param(
            {
                "a.json": '{"extends": ["./b", "./c.json"], "compilerOptions": {}}',
                "b.json": '{"compilerOptions": {"declaration": true, "paths": {"x": []}}}',
                "c.json": '{"compilerOptions": {"declaration": false}}',
            },
            False,
            {"x"},
            id="the-last-wins",
        ),
        pytest.param(
            {"a.json": '{"files": [], "references": [{"path": "b"}]}'}, None, None, id="references"
        ),
    ],
)
def test_settings_of_the_compiler(
    texts: dict[str, str], made: bool | None, names: set[str] | None
) -> None:
    files = files_of(texts)

    assert declares(files, "a.json") is made
    assert mapped(files, "a.json") == names


# --- source

IN_SOURCE = {"packages/core/package.json": core(exports=None, main="src/index.ts", types=None)}


def test_node_led_to_typescript_is_named() -> None:
    (found,) = found_in(IN_SOURCE)

    assert (found.check, found.subject) == ("package/main-in-source", "@orient/core")
    assert found.message == (
        "image web runs built code with `node`, and @orient/core, which packages/web/src/main.ts "
        "line 1 imports, leads to packages/core/src/index.ts"
    )
    assert (found.file, found.line) == ("packages/core/package.json", 3)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(
            {"packages/web/package.json": {**WEB, "scripts": {"build": "vite build"}}},
            id="bundled",
        ),
        pytest.param(
            {"packages/web/package.json": {**WEB, "scripts": {"build": "tsc && esbuild src"}}},
            id="bundled-after-all",
        ),
        pytest.param(
            {"packages/web/Dockerfile": DOCKERFILE.replace('"node"', '"tsx"')}, id="with-tsx"
        ),
        pytest.param(
            {"packages/web/Dockerfile": DOCKERFILE.replace('"node",', '"node", "--import=tsx",')},
            id="with-a-loader",
        ),
        pytest.param(
            {"packages/web/Dockerfile": DOCKERFILE.replace("dist/main.js", "src/main.ts")},
            id="typescript-on-purpose",
        ),
        pytest.param(
            {"packages/web/Dockerfile": DOCKERFILE.replace("CMD", "ENV NODE_OPTIONS=x\nCMD")},
            id="with-options",
        ),
        pytest.param(main("import type { A } from '@orient/core';\n"), id="only-a-type"),
        pytest.param(
            {
                "packages/core/package.json": core(
                    exports=None, main="src/index.js", types="src/index.d.ts"
                ),
                "packages/core/src/index.js": "exports.a = 1;\n",
            },
            id="javascript",
        ),
        pytest.param(
            {
                "packages/core/package.json": core(
                    exports=None, main="src/index.ts", publishConfig={"main": "dist/index.js"}
                )
            },
            id="published-otherwise",
        ),
        pytest.param(
            {
                "packages/core/package.json": core(
                    exports={".": {"source": "./src/index.ts", "import": "./dist/index.js"}}
                )
            },
            id="a-condition-that-node-does-not-know",
        ),
    ],
)
def test_a_package_taken_as_source_on_purpose_is_not_named(changed: Contents) -> None:
    found = found_in({**IN_SOURCE, **changed})

    assert [one for one in found if one.check == "package/main-in-source"] == []


@pytest.mark.parametrize(
    ("end", "plain"),
    [
        pytest.param('CMD ["node", "dist/main.js"]', True, id="node"),
        pytest.param("CMD node dist/main.js", True, id="node-in-a-shell"),
        pytest.param('ENTRYPOINT ["dumb-init", "--"]\nCMD ["node", "a.js"]', True, id="init"),
        pytest.param('ENTRYPOINT ["node"]\nCMD ["dist/main.js"]', True, id="entrypoint"),
        pytest.param('CMD ["pnpm", "start"]', True, id="script"),
        pytest.param('CMD ["npm", "run", "start"]', True, id="run-script"),
        pytest.param('CMD ["pnpm", "dev"]', False, id="script-with-tsx"),
        pytest.param('CMD ["pnpm", "nobody"]', False, id="no-such-script"),
        pytest.param('CMD ["node", "-r", "ts-node/register", "a.js"]', False, id="register"),
        pytest.param('CMD ["./start.sh"]', False, id="a-script-of-its-own"),
        pytest.param('CMD ["nginx"]', False, id="another-program"),
        pytest.param("RUN true", False, id="nothing"),
    ],
)
def test_what_an_image_starts(end: str, plain: bool) -> None:
    scripts = {"start": "node dist/main.js", "dev": "tsx src/main.ts"}
    files = files_of({"web/package.json": {"scripts": scripts}})
    dockerfile = parse(f"FROM node AS a\nCMD tsx b\nFROM node\n{end}\n".encode())

    assert runs_plain_node(files, dockerfile, "", "web") is plain


def test_a_stage_inherits_what_it_starts() -> None:
    dockerfile = parse(b"FROM node AS base\nCMD node a.js\nFROM base AS last\nRUN true\n")

    assert runs_plain_node(files_of({}), dockerfile, "", "web")
    assert runs_plain_node(files_of({}), dockerfile, "base", "web")
