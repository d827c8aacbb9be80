"""What is refused, where the message points, and what it says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.config import ConfigError, Problem, parse, parse_inline
from orient_deploy.config.model import Location
from orient_deploy.config.problem import PRINTED_AT_MOST
from orient_deploy.errors import InputError

HEAD = "version: 1\nimages:\n  dashboard: "
PLACE = "version: 1\nimages: {a: {}}\nenvironments:\n  production: "


def refusal(text: str | bytes) -> str:
    """Everything that is said about a text, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        parse(text, source="f")
    return str(caught.value).replace("f:", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "",
            "1:1: there is nothing here but blanks and comments. "
            "Begin with 'version: 1' and 'images:'.",
            id="empty",
        ),
        pytest.param(
            "# todo\n\n---\n",
            "4:1: the configuration is the text '', and it must be a mapping. "
            "Begin with 'version: 1' and 'images:'.",
            id="empty-document",
        ),
        pytest.param(
            "  \n# todo\n",
            "1:1: there is nothing here but blanks and comments. "
            "Begin with 'version: 1' and 'images:'.",
            id="comments-only",
        ),
        pytest.param(
            "- a\n",
            "1:1: the configuration is a list, and it must be a mapping. "
            "Begin with 'version: 1' and 'images:'.",
            id="list-at-the-root",
        ),
        pytest.param(
            "hello\n",
            "1:1: the configuration is the text 'hello', and it must be a mapping. "
            "Begin with 'version: 1' and 'images:'.",
            id="text-at-the-root",
        ),
        pytest.param(
            "version: 1\nimages: {a: {}}\n---\nversion: 1\n",
            "3:1: a second document begins here. "
            "Keep one document: remove this '---' and what belongs to the other.",
            id="two-documents",
        ),
        pytest.param(
            "branches: [main]\n",
            "1:1: the configuration has no 'images'. "
            "Add 'images:' and, below it, one entry for each image.\n"
            "1:1: the configuration has no 'version'. Begin with 'version: 1'.",
            id="neither-version-nor-images",
        ),
        pytest.param(
            "version: 2\nimages: {a: {}}",
            "1:10: version is the text '2'. Write 'version: 1', the only one there is.",
            id="another-version",
        ),
        pytest.param(
            "version: '1'\nimages: {a: {}}",
            "1:10: version is the text '1'. Write 'version: 1', the only one there is.",
            id="version-as-text",
        ),
        pytest.param(
            "version: 1\nimages: {}",
            "2:9: images is empty. Name at least one image.",
            id="no-images",
        ),
        pytest.param(
            "version: 1\nimages: [a]",
            "2:9: images is a list. Write a mapping from names to images, "
            "such as {dashboard: {watch: [auto]}}.",
            id="images-as-a-list",
        ),
        pytest.param(
            "version: 1\nimages: {a: }",
            "2:12: images.a has no value. Write {} if every default is right.",
            id="image-without-a-value",
        ),
        pytest.param(
            "version: 1\nimages: {a: {}}\nimages: {b: {}}\n",
            "3:1: 'images' stands twice in the configuration. Keep one; the other is in line 2.",
            id="key-twice",
        ),
        pytest.param(
            "version: 1\nimages:\n  a: {}\n  b: {}\n  a: {}\n",
            "5:3: 'a' stands twice in images. Keep one; the other is in line 3.",
            id="image-twice",
        ),
        pytest.param(
            "version: 1\nimages: {a: {}}\nwatch_all: [x]\n",
            "3:1: the configuration has no key 'watch_all'. Did you mean 'watch-all'?",
            id="snake-case-key",
        ),
        pytest.param(
            "version: 1\nimages: {a: {}}\ntrue: x\n",
            "3:1: the configuration has no key 'true'. Its keys are version, branches, "
            "tag-pattern, baseline, images, immutable-tags, check-children, salt, watch-all, "
            "ignore, environments, accept.",
            id="key-like-no-other",
        ),
        pytest.param(
            "version: 1\nimages: {a: {}}\n? [x]\n: y\n",
            "3:3: a key of the configuration is a list. A key is a name.",
            id="list-as-a-key",
        ),
        pytest.param(
            "version: 1\nimages:\n  a: &a {}\n  b: {<<: *a}\n",
            "4:7: the merge key '<<' is not understood. "
            "Write the keys out, or give a whole value an anchor and refer to it.",
            id="merge-key",
        ),
        pytest.param(
            "version: 1\nimages: {bot-slack: {}, bot_slack: {}}",
            "2:25: the images 'bot-slack' and 'bot_slack' differ only in '.', '_' and '-'. "
            "Outputs cannot tell them apart: rename one.",
            id="names-that-outputs-confuse",
        ),
        pytest.param(
            "version: 1\nimages: {a: {repository: x/y}, b: {repository: x/y}}",
            "2:32: the images 'a' and 'b' have the same repository. "
            "One would overwrite the other's tags: give each its own.",
            id="same-repository",
        ),
        pytest.param(
            PLACE + "{peers: [staging, production]}\n  slack: {}",
            "4:24: environments.production.peers names 'staging', which is no other "
            "environment. The others are: slack.\n"
            "4:33: environments.production.peers names 'production', which is no other "
            "environment. The others are: slack.",
            id="peers-that-are-none",
        ),
        pytest.param(
            PLACE + "{checks: {a: {service: x}, b: {url: 'http://h', exec: y}}}",
            "4:25: environments.production.checks.a has neither url nor tcp nor exec. "
            "Give it exactly one of them.\n"
            "4:42: environments.production.checks.b has both url and exec. "
            "Give it exactly one of them.",
            id="checks-with-nothing-or-too-much",
        ),
        pytest.param(
            PLACE + "{checks: {a: {exec: x, follow: y}}}",
            "4:25: environments.production.checks.a has exec, and follow belongs to another "
            "kind of check. Remove what does not belong to it.",
            id="exec-that-follows",
        ),
        pytest.param(
            HEAD + "{wach: [x], watch: src/**, target: [a], inputs: all}",
            "3:15: images.dashboard has no key 'wach'. Did you mean 'watch'?\n"
            "3:33: images.dashboard.watch is the text 'src/**'. Write a list: [src/**].\n"
            "3:49: images.dashboard.target is a list. Give it a text.\n"
            "3:62: images.dashboard.inputs is 'all'. Write one of dockerfile, workspace.",
            id="everything-is-said-at-once",
        ),
    ],
)
def test_what_is_said_of_a_text(text: str, said: str) -> None:
    assert refusal(text) == said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param("[]", "images.dashboard is a list", id="image-as-a-list"),
        pytest.param("{dockerfile: }", "dockerfile has no value", id="null"),
        pytest.param("{dockerfile: ~}", "dockerfile has no value", id="tilde-is-null"),
        pytest.param("{dockerfile: ''}", "dockerfile is empty", id="empty-path"),
        pytest.param("{dockerfile: /a/b}", "Write 'a/b'.", id="absolute-path"),
        pytest.param("{dockerfile: ./b}", "Write 'b'.", id="path-from-here"),
        pytest.param("{dockerfile: a//b}", "Write 'a/b'.", id="two-slashes"),
        pytest.param("{dockerfile: a/../b}", "Write 'b'.", id="there-and-back"),
        pytest.param("{dockerfile: 'a\\b'}", "Write 'a/b'.", id="backslash"),
        pytest.param("{dockerfile: a/}", "Write 'a'.", id="file-with-a-slash"),
        pytest.param("{dockerfile: .}", "Write a file's path", id="directory-for-a-file"),
        pytest.param("{dockerfile: ../b}", "Write a file's path", id="outside"),
        pytest.param("{dockerfile: a/../../b}", "Write a file's path", id="outside-by-a-detour"),
        pytest.param("{context: ../b}", "Write a path inside the repository", id="outside-context"),
        pytest.param("{context: ./web/}", "Write 'web'.", id="context-from-here"),
        pytest.param("{context: /}", "Write '.'.", id="context-root-of-all"),
        pytest.param("{context: 'https://h/x.git'}", "Write a path inside", id="context-at-a-url"),
        pytest.param("{context: ''}", "context is empty", id="empty-context"),
        pytest.param("{repository: ghcr.io/Acme/X}", "Write 'ghcr.io/acme/x'", id="upper-case"),
        pytest.param("{repository: 'h:5/a:v1'}", "Write 'h:5/a': lower", id="tag"),
        pytest.param("{repository: 'a/b@sha256:00'}", "Write 'a/b': lower", id="digest"),
        pytest.param("{repository: 'https://g/a/b/'}", "Write 'g/a/b': lower", id="url"),
        pytest.param("{repository: a b}", "Write registry/owner/name", id="no-repository"),
        pytest.param(f"{{repository: {'a' * 256}}}", "Write registry", id="endless-repository"),
        pytest.param("{watch: }", "watch has no value. Write a list: ['src/**']", id="watch-null"),
        pytest.param("{watch: []}", "watch is an empty list", id="watch-nothing"),
        pytest.param("{watch: [a, ~]}", "an entry of images.dashboard.watch has", id="null-entry"),
        pytest.param("{watch: [[id]]}", "watch is a list. If a pattern", id="class-unquoted"),
        pytest.param("{watch: [{a,b}]}", "is a mapping. If a pattern", id="braces-unquoted"),
        pytest.param("{watch: ['!a']}", "only excludes, so it matches nothing", id="only-excludes"),
        pytest.param("{watch: ['!a', b]}", "begins by excluding", id="begins-by-excluding"),
        pytest.param("{watch: ['!auto', b]}", "'auto' cannot be excluded", id="auto-excluded"),
        pytest.param("{watch: [./src]}", "Write 'src'.", id="pattern-from-here"),
        pytest.param('{watch: ["a\\nb"]}', "control character U+000A", id="pattern-with-a-break"),
        pytest.param("{services: []}", "services is an empty list", id="no-service"),
        pytest.param("{services: [a, a]}", "'a' stands twice in", id="service-twice"),
        pytest.param("{services: [a b]}", "Write a Compose service's name", id="odd-service"),
        pytest.param("{services: [[a]]}", "an entry of images.dashboard.services is", id="nested"),
        pytest.param("{platforms: [arm64]}", "Write os/architecture", id="platform"),
        pytest.param("{build-args: [A=b]}", "such as {DEPLOY_ENV: prod}", id="args-as-a-list"),
        pytest.param("{build-args: {1A: b}}", "'1A' is no name for", id="odd-argument"),
        pytest.param("{build-args: {A: }}", "build-args.A has no value", id="argument-null"),
        pytest.param('{build-args: {A: "b\\nc"}}', "holds a line break", id="argument-in-lines"),
        pytest.param('{build-args: {A: "\\0"}}', "control character U+0000", id="argument-nul"),
        pytest.param('{build-args: {A: "\\ud800"}}', "character U+D800", id="half-a-character"),
        pytest.param("{target: a b}", "Write a stage of the Dockerfile", id="odd-target"),
        pytest.param("{runner: []}", "runner is an empty list", id="no-runner"),
        pytest.param("{runner: {group: a}}", "runner is a mapping", id="runner-group"),
        pytest.param("{runner: ' '}", "runner is empty", id="blank-runner"),
        pytest.param("{timeout-minutes: 0}", "whole number from 1 to 360", id="no-time"),
        pytest.param("{timeout-minutes: 361}", "whole number from 1 to 360", id="too-much-time"),
        pytest.param("{timeout-minutes: 1.5}", "whole number from 1 to 360", id="half-a-minute"),
        pytest.param("{timeout-minutes: '5'}", "whole number from 1 to 360", id="quoted-number"),
        pytest.param("{timeout-minutes: [5]}", "timeout-minutes is a list", id="number-in-a-list"),
        pytest.param("{typical-minutes: 0}", "Write a number above 0", id="zero"),
        pytest.param("{typical-minutes: -1}", "Write a number above 0", id="negative"),
        pytest.param("{typical-minutes: .inf}", "Write a number above 0", id="infinite"),
        pytest.param("{typical-minutes: 1e9}", "Write a number above 0", id="exponent"),
        pytest.param("{typical-minutes: 1_0}", "Write a number above 0", id="underscore"),
        pytest.param("{typical-minutes: 0x5}", "Write a number above 0", id="hexadecimal"),
        pytest.param("{typical-minutes: 1:30}", "Write a number above 0", id="sexagesimal"),
        pytest.param("{typical-minutes: 9999999}", "at most 1,000,000", id="enormous"),
        pytest.param("{typical-minutes: }", "has no value. Give it a number", id="number-null"),
        pytest.param("{max-age: 30}", "12h, 30d or 2w", id="age-without-unit"),
        pytest.param("{max-age: 30m}", "12h, 30d or 2w", id="age-in-minutes"),
        pytest.param("{max-age: 0d}", "12h, 30d or 2w", id="no-age"),
        pytest.param("{max-age: [1d]}", "max-age is a list", id="age-in-a-list"),
    ],
)
def test_what_is_said_of_an_image(body: str, said: str) -> None:
    message = refusal(HEAD + body)

    assert said in message
    assert message.startswith("3:")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param("", "environments.production has no value", id="null"),
        pytest.param("{on: push}", "environments.production.on is the text 'push'", id="on-text"),
        pytest.param("{on: {branches: main}}", "Write a list: [main].", id="branch-as-text"),
        pytest.param("{on: {branches: [refs/heads/main]}}", "Write 'main'.", id="full-branch-name"),
        pytest.param("{on: {tags: ['!refs/tags/v*', a]}}", "Write '!v*'.", id="full-tag-name"),
        pytest.param("{on: {dispatch: yes}}", "Write true or false", id="yes"),
        pytest.param("{on: {dispatch: on}}", "Write true or false", id="on"),
        pytest.param("{on: {dispatch: True}}", "Write true or false", id="capital"),
        pytest.param("{on: {dispatch: 'true'}}", "without quotes", id="quoted"),
        pytest.param("{on: {dispatch: 1}}", "Write true or false", id="one"),
        pytest.param("{on: {dispatch: }}", "has no value. Give it true or false", id="nothing"),
        pytest.param("{hosts: [h]}", "Write user@host", id="host-without-user"),
        pytest.param("{hosts: [-oProxyCommand=x@h]}", "Write user@host", id="host-as-option"),
        pytest.param("{hosts: ['a@-h']}", "Write user@host", id="host-that-begins-with-a-sign"),
        pytest.param("{hosts: ['a@h:0']}", "Write user@host", id="port-zero"),
        pytest.param("{hosts: ['a@h:65536']}", "Write user@host", id="port-too-high"),
        pytest.param("{hosts: ['a@2001:db8::1']}", "IPv6 address in brackets", id="bare-six"),
        pytest.param("{hosts: ['a@[1::2::3]']}", "IPv6 address in brackets", id="no-address"),
        pytest.param("{hosts: [a@h, a@h]}", "'a@h' stands twice", id="host-twice"),
        pytest.param("{workdir: /srv}", "Write a path below 'directory'", id="workdir-absolute"),
        pytest.param("{workdir: ~/x}", "Write a path below 'directory'", id="workdir-home"),
        pytest.param("{workdir: a/../..}", "Write a path below 'directory'", id="workdir-outside"),
        pytest.param("{directory: ''}", "directory is empty", id="no-directory"),
        pytest.param('{directory: "a\\nb"}', "holds a line break", id="directory-in-lines"),
        pytest.param("{project: Docker}", "Write a Compose project's name", id="project"),
        pytest.param("{compose: []}", "compose is an empty list", id="no-compose-file"),
        pytest.param("{compose: [./a.yml]}", "Write 'a.yml'.", id="compose-from-here"),
        pytest.param("{variants: {a: x.yml}}", "Write a list: [x.yml].", id="variant-as-text"),
        pytest.param("{variants: {'a b': [x]}}", "'a b' is no name", id="odd-variant"),
        pytest.param("{sync: [auto]}", "in 'watch' only", id="auto-elsewhere"),
        pytest.param("{services: [nginx]}", "Write a mapping from Compose", id="services-list"),
        pytest.param("{services: {nginx: }}", "services.nginx has no value", id="service-null"),
        pytest.param("{services: {nginx: {budget: 60s}}}", "Write a number", id="budget-unit"),
        pytest.param("{checks: {a: {url: h/x}}}", "begins with https://", id="url"),
        pytest.param("{checks: {a: {url: 'http://h/ x'}}}", "begins with https://", id="url-blank"),
        pytest.param("{checks: {a: {exec: ''}}}", "exec is empty", id="empty-exec"),
        pytest.param(
            "{checks: {a: {url: 'http://h', follow: '(['}}}",
            "follow is no regular expression: unterminated character set",
            id="follow",
        ),
        pytest.param(
            "{checks: {a: {url: 'http://h', follow: 'a{99999999999}'}}}",
            "follow is no regular expression: the repetition number is too large",
            id="follow-too-often",
        ),
        pytest.param("{hooks: {before: x}}", "hooks has no key 'before'", id="hook"),
        pytest.param("{secrets: {required: [A B]}}", "Write a variable's name", id="secret"),
        pytest.param("{secrets: {min-length: {A: 0}}}", "whole number from 1", id="length"),
        pytest.param(
            "{peers: [[staging]]}", "an entry of environments.production.peers", id="peer"
        ),
    ],
)
def test_what_is_said_of_an_environment(body: str, said: str) -> None:
    message = refusal(PLACE + body)

    assert said in message
    assert message.startswith("4:")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("branches: []", "branches is an empty list. Write [main], or", id="branches"),
        pytest.param("ignore: []", "ignore is an empty list", id="ignore"),
        pytest.param("watch-all: ['auto']", "in 'watch' only. A name that is", id="watch-all"),
        pytest.param("tag-pattern: '!v*'", "only excludes, so it matches nothing", id="tag"),
        pytest.param("tag-pattern: [v*]", "is a list. If a pattern", id="tag-list"),
        pytest.param("tag-pattern: v[0-9]+", "Write 'v[0-9]*'.", id="tag-quantifier"),
        pytest.param("baseline: git", "Write one of auto, registry, deployments, push", id="base"),
        pytest.param("environments: {Prod: {}}", "'Prod' is no name for environments", id="name"),
        pytest.param("version: ", "version has no value", id="version"),
        pytest.param(
            "environments: {a: {secrets: {file: x}}, b: {secrets: {file: y, suffix: ''}}}",
            "environments.a and environments.b would write the same secrets",
            id="same-secrets",
        ),
    ],
)
def test_what_is_said_of_the_top(line: str, said: str) -> None:
    head = "images: {a: {}}\n" if line.startswith("version") else "version: 1\nimages: {a: {}}\n"
    message = refusal(head + line)

    assert said in message


@pytest.mark.parametrize(
    "name",
    ["A", "-a", ".a", "_a", "a b", "a/b", "a" * 65, "\u00e4", "a\u0660", "''"],
)
def test_a_bad_name_of_an_image(name: str) -> None:
    assert "is no name for images. A name has lower-case" in refusal(
        f"version: 1\nimages:\n  {name}: {{}}\n"
    )


@pytest.mark.parametrize("name", ["a", "0", "a.b_c-d", "a" * 64, "null", "true", "1.10"])
def test_a_good_name_of_an_image(name: str) -> None:
    assert parse(f"version: 1\nimages:\n  {name}: {{}}\n", source="f").images[0].name == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("version: 1\nimages:\n\ta: {}", "3:1: a tab stands where only", id="tab"),
        pytest.param("a: [1", "1:6: this is not YAML: ", id="never-closed"),
        pytest.param("a: 'x\n", "2:1: this is not YAML: ", id="quote-never-closed"),
        pytest.param("a: b: c", "1:5: this is not YAML: mapping values are", id="two-colons"),
        pytest.param("a: @x", "1:4: this is not YAML: ", id="at-sign"),
        pytest.param("a: {b: 1]", "in line 1). Check the indentation", id="wrong-bracket"),
        pytest.param(
            "a:\n  - src/**\n  - **/x.md",
            "3:6: a text that begins with * is read by YAML as a reference. Put it in quotes",
            id="stars-unquoted",
        ),
        pytest.param("a: [*.md]", "1:6: a text that begins with *", id="star-dot-unquoted"),
        pytest.param("a: [*md]", "1:5: YAML reads '*md' as a reference", id="star-unquoted"),
        pytest.param(
            "version: 1\nimages:\n  a:\n    watch:\n      - src/**\n      - !src/x.md",
            "6:9: YAML reads '!src/x.md' as a tag, and tags mean nothing here. "
            "A text that begins with ! (a pattern that excludes) must stand in quotes.",
            id="exclusion-unquoted",
        ),
        pytest.param("a: {b: !c}", "a text that begins with ! is read by YAML", id="in-braces"),
        pytest.param("a: !!python/object:os.system x", "'!!python/object:os.system'", id="object"),
        pytest.param("a: !!str x", "1:4: YAML reads '!!str' as a tag", id="standard-tag"),
        pytest.param("a: &x [*x]", "1:8: '*x' refers to a value that it is itself", id="itself"),
        pytest.param("a: &x {b: [*x]}", "is itself a part of", id="itself-deeper"),
        pytest.param("a: \x00", "1:4: the control character U+0000", id="nul"),
        pytest.param("a: b\n# \x1b[31m", "2:3: the control character U+001B", id="escape"),
        pytest.param("a: b # c\u2028d: e", "1:9: the control character U+2028", id="separator"),
        pytest.param("a: \ufeffb", "1:4: the control character U+FEFF", id="mark-inside"),
        pytest.param(b"a: \xff", "1:4: the text is not UTF-8 (byte 0xff)", id="latin"),
        pytest.param("a: b\r\nä: ö".encode() + b"\xff", "2:5: the text is not", id="latin-later"),
        pytest.param("a: b".encode("utf-16"), "1:1: the text is not UTF-8", id="utf-16"),
        pytest.param("a: \udcff", "1:4: the control character U+DCFF", id="undecodable"),
    ],
)
def test_what_is_said_of_yaml(text: str | bytes, said: str) -> None:
    assert said in refusal(text)


def test_an_empty_inline_input_asks_for_images() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_inline(" \n")

    assert str(caught.value) == (
        "input images:1:1: there is nothing here but blanks and comments. "
        "Give a mapping from names to images."
    )


def test_an_inline_text_is_no_images() -> None:
    with pytest.raises(ConfigError, match=r"^input images:1:1: images is the text 'all'"):
        parse_inline("all")


def bomb(levels: int, width: int) -> str:
    lines = ["l0: &l0 [x]"]
    lines += [
        f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * width)}]"
        for level in range(1, levels)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(bomb(10, 9), id="billion-laughs"),
        pytest.param(bomb(18, 2), id="doubling"),
        pytest.param(f"[{'a,' * 21_000}]", id="long-list"),
        pytest.param(f"[&a [{'a,' * 5_000}], {'*a,' * 10}]", id="one-alias-often"),
    ],
)
def test_a_bomb_is_refused(text: str) -> None:
    assert "there are more than 20,000 values here, aliases included" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 500_000, id="lists"),
        pytest.param("{a: " * 200_000, id="mappings"),
        pytest.param("- " * 500_000, id="dashes"),
        pytest.param("? " * 500_000, id="keys"),
        pytest.param("\n".join(" " * depth + "a:" for depth in range(1000)), id="indentation"),
    ],
)
def test_depth_is_refused_at_once(text: str) -> None:
    assert "values are nested more than 20 deep" in refusal(text)


def test_a_text_of_5_mb_is_refused_unparsed() -> None:
    assert refusal("[" * 5_000_000).startswith("1:1: the text is longer than the 1,048,576 bytes")


def test_a_problem_that_aliases_repeat_is_said_once() -> None:
    said = refusal("version: 1\nimages: {a: {watch: &x [./a]}, b: {watch: *x}}")

    assert said.count("Write 'a'.") == 2  # once for each image that it is wrong for
    assert len(set(said.splitlines())) == 2


def test_many_problems_are_all_kept_and_cut_in_print() -> None:
    text = "version: 1\nimages:\n  a:\n" + "".join(f"    k{n}: x\n" for n in range(100))

    with pytest.raises(ConfigError) as caught:
        parse(text, source="f")

    error = caught.value
    assert len(error.problems) == 100
    assert [problem.where.line for problem in error.problems] == list(range(4, 104))
    assert len(str(error).splitlines()) == PRINTED_AT_MOST + 1
    assert str(error).endswith("\nand 75 more")


def test_an_error_has_three_parts_and_its_exit_code() -> None:
    where = Location(file="f", line=2, column=3)
    error = ConfigError([Problem(where=where, message="it is wrong", fix="Mend it.")])

    assert isinstance(error, InputError)
    assert error.exit_code == 2
    assert (error.what, error.why, error.next_step) == ("f", "it is wrong", "Mend it.")
    assert str(error) == "f:2:3: it is wrong. Mend it."


def test_what_is_quoted_stays_short_and_on_one_line() -> None:
    said = refusal(HEAD + '{inputs: "' + "\U0001f600\\u202e\\u2029" * 100 + '"}')

    assert len(said) < 1000
    assert said.isprintable()


_any_key = st.sampled_from(
    ["version", "images", "watch", "environments", "on", "checks", "a", "url", "branches", "<<"]
) | st.text(max_size=4)
_any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_any_key, inner, max_size=4),
    max_leaves=12,
)


@given(_any_json)
def test_any_value_is_read_or_refused(value: object) -> None:
    """Nothing but ConfigError ever comes out, for anything that JSON can say."""
    text = json.dumps(value, ensure_ascii=False)
    for read in (parse_inline, lambda text: parse(text, source="f")):
        try:
            read(text)
        except ConfigError as error:
            assert str(error)


@given(st.text("abc01:-[]{}&*!|>'\"#%@,? \n\t\\\u2028\ud800", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, source="f")
    except ConfigError as error:
        assert all(problem.where.line >= 1 and problem.fix for problem in error.problems)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(ConfigError):
        parse(data, source="f")


def test_an_acceptance_of_an_unknown_environment_is_refused() -> None:
    """It would never count, and nobody would see why."""
    text = """\
version: 1
images: {a: {}}
accept:
  - {check: compose/image-latest, environment: prod, reason: known, until: 2999-01-01}
environments: {production: {}}
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, source="x.yml")

    assert [(one.where.line, one.message, one.fix) for one in caught.value.problems] == [
        (
            4,
            "accept names the environment 'prod', and there is none",
            "The environments are: production.",
        )
    ]
