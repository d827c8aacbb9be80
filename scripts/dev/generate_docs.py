"""Generate the parts of the Markdown files that repeat what another file says.

A part stands between two markers, and the first one says what it is made of:

    <!-- generated: inputs of actions/detect/action.yml -->
    <!-- generated: outputs of actions/detect/action.yml -->
    <!-- generated: text of workflows-templates/deploy.yml -->
    <!-- generated: keys of scripts/orient_deploy/config/schema.json#image -->
    <!-- generated: flags of scripts/orient_deploy/commands/replay.py -->
    <!-- generated: catalogue of scripts/orient_deploy/symptoms/catalogue.yml -->
    <!-- generated: checks of scripts/orient_deploy/preflight/checks.py#compose -->
    <!-- end of generated part -->

Markdown is put in as it is, other text in a code block. Without arguments every Markdown file of
the repository is brought up to date; `--check` only says which ones are not. Text outside the
markers is never touched.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
END = "<!-- end of generated part -->"
PART = re.compile(
    r"^(?P<marker><!-- generated: (?P<kind>inputs|outputs|text|keys|flags|catalogue|checks)"
    r" of (?P<path>\S+) -->)\n"
    r"(?:(?!<!-- generated: ).*\n)*?" + re.escape(END) + r"$",
    re.MULTILINE,
)


def regenerate(markdown: str, root: Path) -> str:
    """The same Markdown with every generated part made anew from the files under `root`."""
    text = PART.sub(lambda part: f"{part['marker']}\n{_body(part, root)}{END}", markdown)
    opened, closed = text.count("\n<!-- generated: "), text.count(f"\n{END}")
    if text.startswith("<!-- generated: "):
        opened += 1
    if opened != closed or opened != len(PART.findall(text)):
        raise ValueError(f"{opened} parts begin and {closed} end, or a marker is misspelt")
    return text


def input_table(action: dict[str, Any]) -> str:
    """A table of the inputs of an action.yml, in its order."""
    rows = ["| input | default | meaning |", "|---|---|---|"]
    for name, given in (action.get("inputs") or {}).items():
        default = given.get("default", "")
        shown = "required" if given.get("required") else f"`{default}`" if default else ""
        rows.append(f"| `{name}` | {_cell(shown)} | {_cell(given['description'])} |")
    return "\n".join(rows) + "\n"


def output_table(action: dict[str, Any]) -> str:
    """A table of the outputs of an action.yml, in its order."""
    rows = ["| output | meaning |", "|---|---|"]
    for name, given in (action.get("outputs") or {}).items():
        rows.append(f"| `{name}` | {_cell(given['description'])} |")
    return "\n".join(rows) + "\n"


def key_table(schema: dict[str, Any], definition: str) -> str:
    """A table of the keys of one mapping of the configuration; '' is the root."""
    described = schema["definitions"][definition] if definition else schema
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, key in described["properties"].items():
        while "$ref" in key:
            key = schema["definitions"][key["$ref"].rpartition("/")[2]]
        shown = f"`{json.dumps(key['default'])}`" if key.get("default") not in (None, "") else ""
        shown = "required" if name in described.get("required", ()) else shown
        allowed = (
            f" One of {', '.join(f'`{one}`' for one in key['enum'])}." if "enum" in key else ""
        )
        rows.append(f"| `{name}` | {shown} | {_cell(key['description'] + allowed)} |")
    return "\n".join(rows) + "\n"


def flag_table(path: str) -> str:
    """A table of the flags of a command, in the order of its inputs."""
    sys.path[:0] = [str(ROOT / "scripts")]
    module = import_module(path.removeprefix("scripts/").removesuffix(".py").replace("/", "."))
    rows = ["| flag | meaning |", "|---|---|"]
    rows += [
        f"| `--{field.name.replace('_', '-')}` | {_cell(field.metadata['help'])} |"
        for field in fields(module.Inputs)
    ]
    return "\n".join(rows) + "\n"


def check_table(group: str) -> str:
    """A table of the checks of preflight in a group, in their order."""
    sys.path[:0] = [str(ROOT / "scripts")]
    from orient_deploy.preflight.checks import CHECKS, group_of

    rows = ["| check | weight | what is found, and what it does | what to do |"]
    rows += ["|---|---|---|---|"]
    for check in CHECKS.values():
        if group_of(check.id) == group:
            what = f"**{check.title}.** {check.why}"
            rows.append(f"| `{check.id}` | {check.severity} | {_cell(what)} | {_cell(check.fix)} |")
    return "\n".join(rows) + "\n"


def catalogue_table(text: str) -> str:
    """A table of what diagnose knows, per part of the way to production, in the file's order."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for entry in yaml.safe_load(text)["entries"]:
        parts.setdefault(entry["where"], []).append(entry)
    lines: list[str] = []
    for where, entries in parts.items():
        lines += [f"### {where}", ""]
        lines += ["| id | what it looks like | cause | fix | cured by a rollback? |"]
        lines += ["|---|---|---|---|---|"]
        for entry in entries:
            words = " or ".join(f"`` {_worded(one)} ``" for one in entry["signatures"][:2])
            more = len(entry["signatures"]) - 2
            words += f", and {more} more" if more > 0 else ""
            cells = (
                f"[`{entry['id']}`]({entry['reference']})",
                f"{entry['title']}: {words}",
                _holes_shown(entry["cause"]),
                f"{_holes_shown(entry['fix'])} {_commands(entry['command'])}",
                f"{entry['rollback']}: {_holes_shown(entry['because'])}",
            )
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
        lines.append("")
    return "\n".join(lines)


def _worded(signature: str) -> str:
    """A signature as people read it: an ellipsis for what is different each time."""
    plain = re.sub(r"\{(?:\*|[a-z-]+)(?::[a-z]+)?\}", "…", signature.strip("^$"))
    return plain.replace("{{", "{").replace("}}", "}").strip()


def _holes_shown(text: str) -> str:
    return re.sub(r"\{([a-z][a-z-]*)\}", r"*\1*", text)


def _commands(text: str) -> str:
    named = re.sub(r"\{([a-z][a-z-]*)\}", lambda hole: hole[1].upper(), text.strip())
    return "<br>".join(f"`` {one} ``" for one in named.splitlines())


def markdown_files(root: Path) -> list[Path]:
    """The Markdown files of the repository that git tracks or would track."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others"]
    command += ["--exclude-standard", "--", "*.md"]
    listed = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    names = sorted(set(listed.decode().split("\0")) - {""})
    return [root / name for name in names if (root / name).is_file()]


def outdated(root: Path, *, write: bool) -> list[Path]:
    """The Markdown files that differ from what would be generated; with `write` no longer."""
    found = []
    for path in markdown_files(root):
        old = path.read_text(encoding="utf-8")
        try:
            new = regenerate(old, root)
        except (OSError, ValueError) as error:
            raise SystemExit(f"{path.relative_to(root)}: {error}") from error
        if new != old:
            found.append(path)
            if write:
                path.write_text(new, encoding="utf-8", newline="\n")
    return found


def _body(part: re.Match[str], root: Path) -> str:
    path, _, fragment = part["path"].partition("#")
    if part["kind"] == "flags":
        return f"\n{flag_table(path)}\n"
    if part["kind"] == "checks":
        return f"\n{check_table(fragment)}\n"
    text = (root / path).read_text(encoding="utf-8")
    if part["kind"] == "catalogue":
        return f"\n{catalogue_table(text)}\n"
    if part["kind"] == "keys":
        return f"\n{key_table(json.loads(text), fragment)}\n"
    if part["kind"] == "text":
        if part["path"].endswith(".md"):
            return f"\n{text.strip()}\n\n"
        fence = "````" if "```" in text else "```"
        return f"{fence}{Path(part['path']).suffix[1:]}\n{text.rstrip()}\n{fence}\n"
    action = yaml.safe_load(text)
    table = input_table(action) if part["kind"] == "inputs" else output_table(action)
    return f"\n{table}\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(argv: list[str]) -> int:
    """Write, or check; 1 when a check found something."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    options = parser.parse_args(argv)
    found = outdated(ROOT, write=not options.check)
    for path in found:
        print(f"{path.relative_to(ROOT)} {'is out of date' if options.check else 'written'}")
    return 1 if found and options.check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
