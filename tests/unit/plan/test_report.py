"""What people read, and that no name of theirs can make it say something else."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dev.render_summary import to_html
from orient_deploy.config import ConfigError, Problem
from orient_deploy.config.model import Environment, Location
from orient_deploy.errors import InputError
from orient_deploy.history.model import Base
from orient_deploy.plan.gate import Gate, ImageOutcome, Result
from orient_deploy.plan.model import EnvironmentDecision, ImageDecision, Plan, Remark, Request
from orient_deploy.plan.report import (
    FILES_SHOWN,
    PATH_SHOWN,
    compared,
    error_markdown,
    escape,
    gate_headline,
    gate_lines,
    gate_markdown,
    hand_commands,
    headline,
    minutes_saved,
    plan_lines,
    plan_markdown,
    visible,
)
from tests.unit.plan import orient
from tests.unit.plan.orient import CONFIG, IMAGES, config, event, gate, no_base, plan
from tests.unit.plan.summaries import HOSTILE_NAMES, SUMMARIES

if TYPE_CHECKING:
    from orient_deploy.plan.report import Line

GOLDEN = Path(__file__).parents[2] / "golden"


class Shape(HTMLParser):
    """The elements of a page in their order, and the text of each <code> but blocks."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.codes: list[str] = []
        self.rows: list[int] = []  # cells of each row
        self.links: list[str] = []
        self._in_code = self._in_pre = False
        self.feed(to_html(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag == "pre":
            self._in_pre = True
        elif tag == "code" and not self._in_pre:
            self._in_code = True
            self.codes.append("")
        elif tag == "tr":
            self.rows.append(0)
        elif tag in ("td", "th"):
            self.rows[-1] += 1
        elif tag == "a":
            self.links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self.elements.append(f"/{tag}")
        if tag == "code":
            self._in_code = False
        elif tag == "pre":
            self._in_pre = False

    def handle_data(self, data: str) -> None:
        if self._in_code:
            self.codes[-1] += data


OURS = {
    *("h3", "p", "table", "thead", "tbody", "tr", "th", "td", "strong", "code", "a"),
    *("details", "summary", "ul", "li", "pre"),
}


# --- golden files


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_summary_reads_as_it_did(name: str) -> None:
    """UPDATE_GOLDEN=1 writes the files anew: look at them, and at scripts/dev/render_summary.py."""
    file = GOLDEN / f"{name}.md"
    summary = SUMMARIES[name]()
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(summary, encoding="utf-8", newline="\n")

    assert summary == file.read_text(encoding="utf-8")


def test_every_golden_file_is_looked_at() -> None:
    assert {file.stem for file in GOLDEN.glob("*.md")} == set(SUMMARIES)


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_summary_is_made_of_our_elements_alone(name: str) -> None:
    shape = Shape(SUMMARIES[name]())

    assert {element.removeprefix("/") for element in shape.elements} <= OURS
    assert shape.elements[0] == "h3"
    assert shape.elements.count("h3") == 1
    assert shape.elements.count("details") == shape.elements.count("/details")
    assert set(shape.rows) <= {3, 4}
    assert all(link.startswith("https://github.com/acme/orient/job/") for link in shape.links)


# --- foreign text

TOKENS = st.sampled_from(
    [
        *(
            "|",
            "\\|",
            "`",
            "```",
            "~~~",
            "\\",
            "*",
            "**",
            "_",
            "__",
            "~~",
            "$",
            "$$",
            "#",
            "- ",
            "1. ",
        ),
        *("<b>", "</details>", "</code>", "<!--", "-->", "<a href=x>", "&lt;", "&#60;", "&"),
        *(
            "\n",
            "\n\n",
            "\r",
            "\t",
            "\0",
            "\x1b[31m",
            "\x85",
            "\u2028",
            "\u202e",
            "\u200b",
            "\ufeff",
        ),
        *(
            "[x](javascript:y)",
            "![x](y)",
            "[x]: y",
            "[^1]",
            "[ ] ",
            "](",
            "http://x.y",
            "https://x.y",
        ),
        *(
            "ftp://x.y",
            "www.x.y",
            "WWW.x.y",
            "a@b.c",
            "mailto:a@b.c",
            "xmpp:a@b.c/d",
            "@team",
            ":tada:",
        ),
        *(
            "\ud800",
            "\udcff",
            "\U0001f600",
            "ä",
            "א",
            "===",
            "---",
            "::error::x",
            "##[error]x",
            " ",
        ),
    ]
)
FOREIGN = st.lists(TOKENS | st.text(max_size=6), max_size=8).map("".join)


@given(FOREIGN)
def test_foreign_text_is_read_as_itself(text: str) -> None:
    safe = escape(text)
    shape = Shape(f"### {safe}\n\n- <code>{safe}</code>\n\n| a |\n| --- |\n| {safe} |\n")

    elements = "h3 /h3 ul li code /code /li /ul table thead tr th /th /tr /thead tbody tr td /td"
    assert shape.elements == [*elements.split(), "/tr", "/tbody", "/table"]
    assert shape.codes == [visible(text)]
    assert visible(text).isprintable()


def foreign_plan(text: str, *, build: bool = True) -> Plan:
    """A plan that holds a text wherever one can stand."""
    reason = f"changed: {text}"
    return Plan(
        head=orient.HEAD,
        base=Base(commit=orient.BASE, reason=f"branch {text}", missed=(f"{text} is gone",)),
        images=tuple(
            ImageDecision(name=name, build=build, reason=reason, files=(f"f{text}",))
            for name in IMAGES
        ),
        environments=(EnvironmentDecision(name="production", deploy=build, reason=reason),),
        deploy=EnvironmentDecision(name="", deploy=build, reason=reason),
        changed=(f"f{text}", f"g{text}"),
        remarks=(Remark(message=f"watch: {text}", where=Location(file=text, line=1, column=2)),),
    )


def foreign_gate(text: str) -> Gate:
    """The same for a gate: `needs` is JSON and may hold any name."""
    return Gate(
        wanted=True,
        reason=text,
        reason_of_plan=text,
        environments=(EnvironmentDecision(name="production", deploy=True, reason=text),),
        destinations=("production",),
        outcomes=(
            ImageOutcome(name="opencode", outcome="built", job="build", url=f"https://x/{text}"),
            ImageOutcome(name="dashboard", outcome="failed", job=f"j{text}", url=text),
        ),
        succeeded=(f"s{text}",),
        failed=(f"j{text}", f"k{text}"),
        skipped=(f"t{text}",),
        blockers=(f"job {text}",),
    )


def shape_of(markdown: str) -> list[str]:
    """The elements without those of links: whether an address is one depends on it."""
    return [one for one in Shape(markdown).elements if one.removeprefix("/") != "a"]


@example("1. x")
@example("12) x")
@example("- x")
@example("=")
@example("     x")
@given(FOREIGN)
def test_a_foreign_text_changes_nothing_but_itself(text: str) -> None:
    whole = config()

    assert shape_of(plan_markdown(foreign_plan(text), whole)) == shape_of(
        plan_markdown(foreign_plan("x"), whole)
    )
    assert shape_of(gate_markdown(foreign_gate(text), whole)) == shape_of(
        gate_markdown(foreign_gate("x"), whole)
    )
    links = Shape(gate_markdown(foreign_gate(text), whole)).links
    assert all(re.fullmatch(r"https?://x[\w./-]*", link, re.ASCII) for link in links)


def said(lines: list[Line]) -> list[str]:
    """Lines for a terminal, as text."""
    return ["".join(part if isinstance(part, str) else part[1] for part in line) for line in lines]


@given(FOREIGN)
def test_a_terminal_gets_one_printable_line_for_each(text: str) -> None:
    for lines, plain in (
        (plan_lines(foreign_plan(text), config()), plan_lines(foreign_plan("x"), config())),
        (gate_lines(foreign_gate(text), config()), gate_lines(foreign_gate("x"), config())),
    ):
        assert all(line.isprintable() for line in said(lines))
        assert len(lines) == len(plain)


def test_a_hostile_name_is_shown_in_full_and_a_long_one_shortened() -> None:
    codes = Shape(SUMMARIES["hostile-names"]()).codes

    for name in HOSTILE_NAMES:
        if len(name) <= PATH_SHOWN:
            assert visible(name) in codes
    assert max(map(len, codes)) == PATH_SHOWN
    assert visible("x" * 5000) == f"{'x' * 499}…{'x' * 500}"


def test_a_picture_holds_no_foreign_character() -> None:
    markdown = gate_markdown(
        foreign_gate('"]; click x "javascript:y" \n```\n%%{init}%% <b>'), config()
    )

    (picture,) = re.findall(r"```mermaid\n(.*?)```", markdown, re.DOTALL)
    labels = re.findall(r'"(.*?)"', picture)
    assert len(labels) * 2 == picture.count('"')
    assert all(re.fullmatch(r"[A-Za-z0-9 ._?-]*", label) for label in labels)


# --- a plan

HEADLINES = [
    pytest.param(plan("src/a"), "Build 1 of 3 images, deploy to production, staging", id="both"),
    pytest.param(plan("docker/nginx-ssl.conf"), "Build nothing, deploy to production", id="deploy"),
    pytest.param(plan("docs/a"), "Nothing to build, nothing to deploy", id="nothing"),
    pytest.param(
        plan("src/a", at=event("pull_request")), "Build 1 of 3 images, deploy nothing", id="build"
    ),
    pytest.param(
        plan("src/a", request=Request(environment="staging")),
        "Build 1 of 3 images, deploy to staging",
        id="asked-for",
    ),
    pytest.param(
        plan("src/a", config_text=CONFIG.partition("environments:")[0]),
        "Build 1 of 3 images, deploy",
        id="no-environments",
    ),
]


@pytest.mark.parametrize(("made", "expected"), HEADLINES)
def test_the_verdict_comes_first(made: Plan, expected: str) -> None:
    assert headline(made) == expected
    assert plan_markdown(made, config()).startswith(f"### {expected}\n")
    assert said(plan_lines(made, config()))[0] == expected


def test_what_was_compared_is_said() -> None:
    assert compared(plan("src/a", "src/b")) == (
        "4f2c1ab compared with 0d9e8f7 (the tip before this push): 2 changed files"
    )
    assert compared(plan(base=no_base())) == (
        "4f2c1ab was compared with nothing: this is the first push of the branch"
    )
    headless = dataclasses.replace(plan(base=no_base()), head="")
    assert compared(headless).startswith("this commit was compared with nothing")


def test_an_environment_not_asked_for_says_so() -> None:
    text = plan_markdown(plan("src/a", request=Request(environment="staging")), config())

    assert "| <code>production</code> | not asked for | new images: opencode |" in text
    assert "deploy production" not in text


@pytest.mark.parametrize(
    ("minutes", "saved"),
    [("5", "8"), ("0.5", "3.5"), ("1999", "2,002"), ("0.04", "3")],
)
def test_saved_minutes_are_rounded(minutes: str, saved: str) -> None:
    text = CONFIG.replace("typical-minutes: 5", f"typical-minutes: {minutes}")
    made = plan("packages/dashboard/x", config_text=text)

    assert f"About {saved} build minutes saved." in plan_markdown(made, config(text))
    assert f"About {saved} build minutes saved." in said(plan_lines(made, config(text)))
    assert minutes_saved(plan(base=no_base()), config()) == 0
    assert "saved" not in plan_markdown(plan(base=no_base()), config())


def test_many_files_are_counted() -> None:
    made = plan(*(f"docs/{index:04}.txt" for index in range(2000)), "src/z.ts")

    text = plan_markdown(made, config())

    listed = [line for line in text.splitlines() if line.startswith("- ")]
    assert listed[0] == "- <code>src/z.ts</code>: opencode"
    assert len(listed) == FILES_SHOWN + 1
    assert listed[-1] == "- and 1,901 more"


def test_a_terminal_shows_each_decision() -> None:
    missed = no_base("this is the first push of the branch", "the tip is gone")

    assert said(plan_lines(plan("docker/nginx-ssl.conf"), config())) == [
        "Build nothing, deploy to production",
        "4f2c1ab compared with 0d9e8f7 (the tip before this push): 1 changed file",
        "  opencode    keep    unchanged since 0d9e8f7",
        "  whatsapp    keep    unchanged since 0d9e8f7",
        "  dashboard   keep    unchanged since 0d9e8f7",
        "  production  deploy  changed: docker/nginx-ssl.conf",
        "  staging     leave   nothing that runs there changed since 0d9e8f7",
        "About 10 build minutes saved.",
    ]
    assert said(plan_lines(plan(base=missed), config()))[-1] == "not to be had: the tip is gone"
    gone = Base(commit=None, reason="branch x was deleted", nothing_to_do=True)
    assert said(plan_lines(plan(base=gone), config())) == ["Nothing to do: branch x was deleted"]
    alone = CONFIG.partition("environments:")[0]
    for path, verdict in (("src/a", "yes, new images: opencode"), ("x", "no, no image changed")):
        lines = said(plan_lines(plan(path, config_text=alone), config(alone)))
        assert any(line.startswith(f"deploy: {verdict}") for line in lines)


# --- a gate

WELL: dict[str, Result] = dict.fromkeys((f"build-{image}" for image in IMAGES), "success")
CORE = plan("packages/core/x")
PULL = plan("packages/core/x", at=event("pull_request"))
ALONE = plan("packages/core/x", config_text=CONFIG.partition("environments:")[0])

GATES = [
    pytest.param(gate(CORE, WELL), "The gate is open: deploy to production, staging", id="open"),
    pytest.param(
        gate(CORE, {}), "The gate is shut: production, staging keep the old release", id="shut"
    ),
    pytest.param(
        gate(plan("src/a", request=Request(environment="staging")), {}),
        "The gate is shut: staging keeps the old release",
        id="shut-one",
    ),
    pytest.param(gate(ALONE, {}), "The gate is shut: what is deployed stays as it is", id="alone"),
    pytest.param(
        gate(PULL, {}), "Nothing to deploy: pull_request events never deploy", id="nothing"
    ),
    pytest.param(
        gate(PULL, {"test": "failure"}),
        "Nothing to deploy, but not everything succeeded",
        id="failure",
    ),
]


@pytest.mark.parametrize(("made", "expected"), GATES)
def test_the_gates_verdict_comes_first(made: Gate, expected: str) -> None:
    assert gate_headline(made) == expected
    assert gate_markdown(made, config()).startswith(f"### {escape(expected)}\n")
    assert said(gate_lines(made, config()))[0] == expected


def test_a_shut_gate_says_what_still_runs() -> None:
    one = gate(plan("src/a", request=Request(environment="staging")), {})

    assert "**staging still runs the old release**" in gate_markdown(one, config())
    assert "**production, staging still run the old" in gate_markdown(gate(CORE, {}), config())
    assert "**the old release still runs**" in gate_markdown(gate(ALONE, {}), config())
    assert "old release" not in gate_markdown(gate(PULL, {"test": "failure"}), config())


def test_many_blockers_are_cut_in_the_summary() -> None:
    jobs: dict[str, Result] = {f"job{index:03}": "failure" for index in range(130)}

    text = gate_markdown(gate(plan("docker/nginx-ssl.conf"), jobs), config())

    assert "- job099 failed\n- and 30 more\n" in text


def test_a_terminal_shows_what_blocks() -> None:
    made = gate(CORE, {**WELL, "build-dashboard": "failure", "test": "failure"})

    lines = said(gate_lines(made, config()))
    assert lines[:11] == [
        "The gate is shut: production, staging keep the old release",
        "  blocked  test failed",
        "  blocked  dashboard failed to build (build-dashboard)",
        "  opencode   built      build-opencode",
        "  whatsapp   built      build-whatsapp",
        "  dashboard  failed     build-dashboard",
        "Did not succeed: test",
        "",
        "Deploy opencode, whatsapp by hand",
        "Only if the new images can run beside the old ones. This pulls the tags that the compose "
        "files on the server name, and carries no file there.",
        "",
    ]
    assert lines[11:] == hand_commands(config().environments[0], ["opencode", "bot-whatsapp"])


def test_a_terminal_shows_an_open_gate_without_commands() -> None:
    lines = said(gate_lines(gate(CORE, {**WELL, "test": "success"}), config()))

    assert lines[1] == "new images: opencode, whatsapp, dashboard"
    assert lines[5:] == ["Succeeded: test"]


def test_an_error_has_a_summary_with_each_problem_at_its_place() -> None:
    error = ConfigError(
        Problem(where=Location(file="a|b.yml", line=line, column=3), message=message, fix=fix)
        for line, message, fix in ((7, "unknown key `x`", "Did you mean 'y'?"), (2, "<b>", "No"))
    )

    assert error_markdown(error) == (
        "### Configuration cannot be used: 2 problems\n"
        "\n"
        "- <code>a&#124;b.yml&#58;2&#58;3</code>: &#60;b&#62;. No.\n"
        "- <code>a&#124;b.yml&#58;7&#58;3</code>: unknown key &#96;x&#96;. Did you mean 'y'&#63;\n"
    )


def test_the_summary_of_an_error_holds_its_three_parts() -> None:
    assert error_markdown(InputError("it is odd", "it has <b>", "Write it")) == (
        "### it is odd\n\nit has &#60;b&#62;. Write it.\n"
    )
    assert error_markdown(InputError("a: b. Do c.\nd", "e", "Do f.")) == (
        "### d\n\ne. Do f.\n\n- a: b. Do c.\n"
    )


@given(st.lists(FOREIGN, min_size=1, max_size=3))
@example(["a ``` b", "````", "</code></pre><img>", "\tkept"])
def test_the_lines_of_a_log_stay_in_their_block(lines: list[str]) -> None:
    error = InputError("it is odd", "it has", "Write it")
    error.excerpt = tuple(lines)

    whole = error_markdown(error)

    shape = Shape(whole)
    assert whole.startswith("### it is odd\n\nit has. Write it.\n\n```")
    assert shape.elements == ["h3", "/h3", "p", "/p", "pre", "code", "/code", "/pre"]


@given(FOREIGN)
def test_a_foreign_text_in_an_error_is_only_text(text: str) -> None:
    def shapes(of: str) -> list[list[str]]:
        where = Location(file=of, line=1, column=1)
        problem = Problem(where=where, message=f"m{of}", fix=f"f{of}")
        plain = InputError(f"w{' '.join(of.splitlines())}", f"y{of}", f"n{of}")
        return [shape_of(error_markdown(one)) for one in (ConfigError([problem]), plain)]

    assert shapes(text) == shapes("x")


# --- by hand

PLACE = Environment(
    name="production",
    hosts=("opc@203.0.113.7",),
    directory="~/my orienter",
    workdir="docker",
    project="orienter",
    compose=("docker/a b.yml", "docker/it's.yml"),
    profiles=("slack",),
    env_file=".env",
    docker="sudo docker",
    where=Location(file="", line=1, column=1),
)

# Stands in for ssh, sudo and docker: tells what it was called with, and ssh runs its command.
STAND_IN = """\
#!/bin/sh
name=${0##*/}
{ printf '%s' "$PWD: $name"; printf ' [%s]' "$@"; echo; } >> "$HOME/calls"
case $name in
  ssh) for last; do :; done; cd "$HOME" && sh -c "$last" ;;
  sudo) "$@" ;;
esac
"""


def run_by_hand(place: Environment, tmp_path: Path) -> list[str]:
    """What the commands do, pasted into a shell."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("ssh", "sudo", "docker"):
        (tools / name).write_text(STAND_IN)
        (tools / name).chmod(0o755)
    home = tmp_path / "home"
    (home / "my orienter").mkdir(parents=True)
    subprocess.run(
        ["sh", "-eu"],
        input="\n".join(hand_commands(place, ["opencode", "bot-whatsapp"])),
        check=True,
        timeout=30,
        encoding="utf-8",
        env={"PATH": f"{tools}:{os.defpath}", "HOME": str(home)},
    )
    calls = (home / "calls").read_text(encoding="utf-8").replace(str(home), "HOME")
    return [line for line in calls.splitlines() if ": docker " in line]


def test_the_commands_by_hand_run(tmp_path: Path) -> None:
    calls = run_by_hand(PLACE, tmp_path)

    start = (
        "HOME/my orienter: docker [compose] [-p] [orienter] [--project-directory] [docker] "
        "[--env-file] [.env] [--profile] [slack] [-f] [docker/a b.yml] [-f] [docker/it's.yml]"
    )
    services = "[opencode] [bot-whatsapp]"
    assert calls == [
        f"{start} [pull] {services}",
        f"{start} [up] [-d] [--no-deps] {services}",
        f"{start} [ps] {services}",
    ]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("opc@203.0.113.7", "opc@203.0.113.7 "),
        ("opc@example.com:2222", "-p 2222 opc@example.com "),
        ("opc@[2001:db8::1]", "opc@2001:db8::1 "),
        ("opc@[2001:db8::1]:22", "-p 22 opc@2001:db8::1 "),
    ],
)
def test_each_host_is_addressed_as_ssh_takes_it(host: str, address: str) -> None:
    first = hand_commands(dataclasses.replace(PLACE, hosts=(host,)), ["x"])[0]

    assert first.startswith(f"ssh {address}")


@pytest.mark.parametrize(
    ("directory", "word"), [("~", "~"), ("~/a", "~/a"), ("/srv/a b", '"\'"/srv/a b'), (".", ".")]
)
def test_the_directory_is_one_word(directory: str, word: str) -> None:
    place = dataclasses.replace(PLACE, directory=directory, hosts=("a@b",))

    assert f"cd {word}" in hand_commands(place, ["x"])[0].replace("'\"'\"'", '"\'"')


def test_what_is_not_configured_is_left_out(tmp_path: Path) -> None:
    plain = Environment(name="x", hosts=("a@b", "c@d"), where=PLACE.where)

    lines = hand_commands(plain, ["web"])

    assert lines[:4] == [
        "ssh a@b 'cd . &&",
        "  docker compose pull web &&",
        "  docker compose up -d --no-deps web &&",
        "  docker compose ps web'",
    ]
    assert len(lines) == 8


def test_only_built_images_are_deployed_by_hand_and_only_where_hosts_are_known() -> None:
    needs: dict[str, Result] = {**WELL, "build-dashboard": "failure"}

    text = gate_markdown(gate(CORE, needs), config())

    (commands,) = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    assert "opencode bot-whatsapp" in commands
    assert "dashboard" not in commands
    nowhere = CONFIG.replace("    hosts: [opc@203.0.113.7]\n", "")
    assert "by hand" not in gate_markdown(gate(CORE, needs), config(nowhere))
    assert "by hand" not in gate_markdown(gate(CORE, {}), config())
    # Nobody copies into a shell what cannot be seen.
    odd = CONFIG.replace("env-file: .env", "env-file: .env\u202e")
    assert "by hand" not in gate_markdown(gate(CORE, needs), config(odd))
    assert "by hand" not in "".join(said(gate_lines(gate(CORE, needs), config(odd))))
