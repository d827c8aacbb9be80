"""How often is preflight wrong about projects that nobody here wrote?

    python3 scripts/dev/measure_preflight.py FOLDER            every finding, one line each
    python3 scripts/dev/measure_preflight.py FOLDER --check    compared with those that were judged
    python3 scripts/dev/measure_preflight.py --page            write docs/false-alarms.md

FOLDER holds clones, each called owner+name, of two kinds of repositories: products that their own
documentation runs with Compose (`PRODUCTS`), and the first ones by name, in the order of
characters, of those at GitHub with nginx/nginx.conf and a compose file (`BY_NAME`). The rule: of
each every tracked file called compose.yml, docker-compose.yml or the same with .yaml is a project
of its own, but for those in folders for tests, for development and of others' libraries, and in
laradock but for that of the root, of which the others are pieces. It is looked at as
`orient-deploy preflight --compose FILE` does, with its variables unknown, and merged with the
override beside it that Compose would merge. Every tracked `*.conf` with a `server` or `http`
block is an nginx configuration that is looked at alone, and the repository as such is looked at
once.

Somebody has read every finding and its file, and written the verdict into
benchmarks/preflight/judged.yml: true (it is so, and whoever deploys this would want to know) or
false. docs/false-alarms.md is made of that.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

JUDGED = ROOT / "benchmarks" / "preflight" / "judged.yml"
PAGE = ROOT / "docs" / "false-alarms.md"
PRODUCTS = (
    *("docker/awesome-compose", "dockersamples/example-voting-app", "formbricks/formbricks"),
    *("getsentry/self-hosted", "h5bp/server-configs-nginx", "hoppscotch/hoppscotch"),
    *("langfuse/langfuse", "laradock/laradock", "linkwarden/linkwarden", "lukevella/rallly"),
    *("mailcow/mailcow-dockerized", "makeplane/plane", "mattermost/docker", "nextcloud/docker"),
    *("novuhq/novu", "open-telemetry/opentelemetry-demo", "opencve/opencve", "outline/outline"),
    *("triggerdotdev/trigger.dev", "umami-software/umami", "usememos/memos"),
    "wmnnd/nginx-certbot",
)
BY_NAME = (
    *("0-0llk/docker-multi-sample", "0-Aditya/blue-green-deployment"),
    *("0-BSCode/schedule-creator", "00-Python/multi-flask-docker-nginx-deployment"),
    *("00016014/00016014_DSCC_CW1", "007vict/nekidaem_test", "00kino547/BioPlatform"),
    *("00sen/node_docker_pm2_ssl", "01000100GT/maestro", "011akm/distributed-rate-limiting"),
    *("01indicy/laravel-ngnix-mysql-docker-deployment", "05Huang/FullScopeTest"),
    *("05TELO/task_manager", "0702Irina/foodgram-project-react"),
    *("0758jian/docker-compose-trojan", "07kagan07/randev-saas", "0BVer/stress-test"),
    *("0berat/docker_php-fpm_in_ubuntu", "0c2pus/devops-portfolio-project"),
    *("0grre/cesi-cube-back", "0rxa/reverse-proxy-lesson", "0v3rseer/new_docker_project"),
    *("0x00-A/ft_transcendence", "0x19C/fastapi-vue", "0x1Luffy/DPD_Zero_DevOps"),
    *("0xMisho/multi-docker", "0xddaa/DockerDiscuz"),
)
REPOSITORIES = (*PRODUCTS, *BY_NAME)
_COMPOSE = re.compile(r"(?:.*/)?(?:docker-)?compose\.ya?ml")
_ASIDE = re.compile(
    r"(?:^|/)(?:node_modules|tests?|e2e|fixtures?|__tests__|\.devcontainer|local|vendor)/"
)
_NGINX = re.compile(rb"^\s*(?:server|http)\s*\{", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Found:
    """A finding, by what stays the same when the checks are reworded."""

    repository: str
    project: str  # the compose file or the configuration; '' for the repository
    check: str
    subject: str
    severity: str = ""
    message: str = ""
    place: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.repository, self.project, self.check, self.subject)


def tracked(clone: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "-C", clone, "ls-files", "-z"], check=True, capture_output=True, timeout=120
    )
    return [os.fsdecode(one) for one in listed.stdout.split(b"\0") if one]


def commit(clone: Path) -> str:
    asked = subprocess.run(
        ["git", "-C", clone, "rev-parse", "HEAD"], check=True, capture_output=True, timeout=60
    )
    return asked.stdout.decode().strip()


def projects(repository: str, names: list[str]) -> list[str]:
    """The compose files that are looked at, each as a project."""
    found = [one for one in names if _COMPOSE.fullmatch(one) and not _ASIDE.search(one)]
    return [one for one in found if "/" not in one] if repository.startswith("laradock") else found


def configurations(clone: Path, names: list[str]) -> list[str]:
    """The nginx configurations."""
    return [
        one
        for one in names
        if one.endswith(".conf")
        and not _ASIDE.search(one)
        and (clone / one).is_file()
        and _NGINX.search((clone / one).read_bytes())
    ]


def look(repository: str, clone: Path) -> Iterator[Found]:
    """Every finding of a clone."""
    from orient_deploy.commands import preflight_nginx, preflight_repository
    from orient_deploy.commands.preflight_stack import compose_files, look_at
    from orient_deploy.preflight.checks import CHECKS
    from orient_deploy.stack.compose import Compose

    compose = Compose.found(os.environ)
    names = tracked(clone)
    all_projects = []

    def told(project: str, findings: Any) -> Iterator[Found]:
        for one in findings:
            yield Found(
                repository=repository,
                project=project,
                check=one.check,
                subject=one.subject,
                severity=one.severity or CHECKS[one.check].severity,
                message=one.message,
                place=f"{one.file}:{one.line}" if one.file else "",
            )

    for file in projects(repository, names):
        folder, base = os.path.split(file)
        beside = compose_files(str(clone / folder), None, [])
        files = beside if beside[:1] == [base] else [base]
        files = [f"{folder}/{one}" if folder else one for one in files]
        looked = look_at(compose, str(clone), None, files, None, None)
        yield from told(file, looked.findings)
        all_projects.append(looked.project)
        nginx = preflight_nginx.look(
            looked.project.model or {},
            str(clone),
            peers={},
            stand_ins=looked.project.stand_ins,
            dormant=sorted(looked.project.raw_services.keys() - looked.project.services.keys()),
        )
        yield from told(file, nginx.findings)
    for file in configurations(clone, names):
        yield from told(
            file, preflight_nginx.look_at_files([str(clone / file)], str(clone)).findings
        )

    def read(path: str) -> bytes | None:
        there = clone / path
        return there.read_bytes() if there.is_file() else None

    yield from told(
        "",
        preflight_repository.look(
            str(clone), names, read, None, all_projects, None, repository_name=repository
        ),
    )


def judged() -> dict[tuple[str, str, str, str], tuple[bool, str]]:
    """The verdicts, by the key of a finding."""
    document = yaml.safe_load(JUDGED.read_text(encoding="utf-8"))
    return {
        (one["repository"], one.get("project", ""), one["check"], str(one["subject"])): (
            one["verdict"],
            one["why"],
        )
        for one in document["findings"]
    }


def page() -> str:
    """docs/false-alarms.md, made of the verdicts."""
    document = yaml.safe_load(JUDGED.read_text(encoding="utf-8"))
    findings = document["findings"]
    right = sum(one["verdict"] for one in findings)
    share = f"{right / len(findings):.1%}"
    lines = f"""\
# False alarms

<!-- made by scripts/dev/measure_preflight.py of benchmarks/preflight/judged.yml -->

A check that is wrong costs trust. So [preflight](preflight.md) is run over projects that nobody
here wrote, and every finding is read beside the file that it speaks of: *true* where it is so
and whoever deploys this would want to know, else *false*.

Over {document["projects"]} compose projects and {document["configurations"]} nginx
configurations of {len(document["repositories"])} repositories there are {len(findings)}
findings, of which **{right} are true: {share}**. The rule by which they are picked, and how to
repeat it, is in [scripts/dev/measure_preflight.py](../scripts/dev/measure_preflight.py).
Variables are not known there, and no server is asked; breakages that are sown on purpose are in
[tests/e2e/test_preflight_recall.py](../tests/e2e/test_preflight_recall.py), and all are found.

| check | findings | true |
|---|---|---|
""".splitlines()
    counts = Counter(one["check"] for one in findings)
    good = Counter(one["check"] for one in findings if one["verdict"])
    lines += [f"| `{check}` | {counts[check]} | {good[check]} |" for check in sorted(counts)]
    lines += ["", "## The repositories", "", "| repository | commit |", "|---|---|"]
    lines += [
        f"| [{name}](https://github.com/{name}) | `{sha[:12]}` |"
        for name, sha in sorted(document["repositories"].items())
    ]
    lines += ["", "## Every finding", ""]
    lines += ["| repository | file | finding | verdict | why |", "|---|---|---|---|---|"]
    for one in findings:
        verdict = "true" if one["verdict"] else "**false**"
        lines.append(
            f"| {one['repository']} | {_cell(one.get('project', ''))} | `{one['check']}` "
            f"{_cell(str(one['subject']))} | {verdict} | {_cell(one['why'])} |"
        )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return re.sub(r"([|<>*_`\[\]])", r"\\\1", text)


def main(argv: list[str]) -> int:
    """Print, or compare; 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", help="where the clones are")
    parser.add_argument("--check", action="store_true", help="compare with what was judged")
    parser.add_argument("--page", action="store_true", help="write docs/false-alarms.md only")
    options = parser.parse_args(argv)
    if options.page:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if not options.folder:
        parser.error("name the folder of the clones")
    known = judged() if options.check else {}
    unseen = dict.fromkeys(known)
    wrong = 0
    for repository in REPOSITORIES:
        clone = Path(options.folder) / repository.replace("/", "+")
        if not clone.is_dir():
            print(f"{repository} is not there", file=sys.stderr)
            wrong += 1
            continue
        found = sorted(set(look(repository, clone.resolve())))
        for one in found:
            verdict = known.get(one.key)
            unseen.pop(one.key, None)
            if options.check and verdict is None:
                print("not judged: ", end="")
                wrong += 1
            if verdict is None:
                print("\t".join((*one.key, one.severity, one.place, one.message)))
    for key in unseen:
        print(f"no longer found: {key}")
        wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
