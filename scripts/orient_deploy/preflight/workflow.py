"""What is wrong with the workflow that tests, builds and deploys.

Judges workflows as they are written, by GitHub's own rules for conditions; never runs one. Where a
step may do what cannot be seen (an action of somebody else, a script), it is silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename, normpath

from orient_deploy.preflight.commands import asked_by, matches_nothing
from orient_deploy.preflight.conditions import (
    UNKNOWN,
    Expression,
    NotUnderstood,
    Partial,
    Value,
    evaluate,
    parse,
    truth,
)
from orient_deploy.preflight.files import Files
from orient_deploy.preflight.finding import Check, Finding
from orient_deploy.preflight.packages import entries_of, is_built, is_made_by_a_build
from orient_deploy.preflight.pipeline import Job, Step, Workflow, filled

TEST_SCRIPT = Check(
    id="workflow/test-script",
    severity="warning",
    title="The deploy workflow runs `test` where there is a `test:ci`",
    why="`test` takes in what `test:ci` leaves out (end-to-end and evaluation suites, say), which "
    "fails on a runner: `No test found in suite`.",
    fix="Run `test:ci` in the workflow.",
)
NOT_BUILT = Check(
    id="workflow/packages-not-built",
    severity="warning",
    title="Tests run before the workspace's packages are built",
    why="A package that others import only exists once it is built: "
    "`Failed to resolve entry for package`, `Cannot find module`.",
    fix="Build the packages in a step before the tests.",
)
NO_MATCH = Check(
    id="workflow/filter-matches-nothing",
    severity="warning",
    title="A filter of pnpm or turbo names no package",
    why="The command does nothing and succeeds: what it should build or test is neither.",
    fix="Correct the filter: it is compared with the names of the packages.",
)
SKIPS = Check(
    id="workflow/gate-skips",
    severity="error",
    title="The deploy is skipped whenever one of the images is not built",
    why="GitHub skips a job when one that it needs was skipped, unless its `if` names a status "
    "function.",
    fix="Give the deploying job an `if` with `!cancelled()` that looks at the results of the jobs "
    "it needs.",
)
IGNORES = Check(
    id="workflow/gate-ignores-failure",
    severity="warning",
    title="The deploy runs although a job that it needs failed",
    why="`always()` and `!cancelled()` run a job whatever happened before it.",
    fix="Ask in the `if` for the result of every job that has to succeed.",
)
DROPPED = Check(
    id="workflow/gate-dropped-output",
    severity="warning",
    title="A condition takes a lost output for the wrong answer",
    why="GitHub drops an output of a job that looks like a secret, and it is then empty. What was "
    "dropped must build, and must not deploy.",
    fix="Gate builds with `!= 'false'` and deploys with `== 'true'`.",
)
CHECKS = (TEST_SCRIPT, NOT_BUILT, NO_MATCH, SKIPS, IGNORES, DROPPED)

MOST_FINDINGS = 20  # of one check
MOST_JOBS = 200

_DEPLOY_ACTIONS = re.compile(
    r"(?:appleboy/(?:ssh|scp)-action|[\w.-]+/orient-deploy-actions/deploy|superfly/flyctl-actions"
    r"|akhileshns/heroku-deploy|azure/webapps-deploy|google-github-actions/deploy-\w+"
    r"|aws-actions/amazon-ecs-deploy-task-definition|easingthemes/ssh-deploy"
    r"|burnett01/rsync-deployments|fifsky/ssh-action|garygrossgarten/github-action-ssh)(?:@|/|\Z)",
    re.IGNORECASE,
)
_OURS = re.compile(r"[\w.-]+/orient-deploy-actions(?:/(?P<name>[\w-]+))?@", re.IGNORECASE)
_BUILD_ACTION = re.compile(r"docker/(?:build-push|bake)-action@")
_MAIN = re.compile(r"main|master|prod|production|trunk|deploy|live", re.IGNORECASE)
_DEPLOY_NAME = re.compile(r"(?:\A|[_ -])deploy(?:\Z|[_ -])", re.IGNORECASE)
_ASKS_RESULTS = re.compile(
    r"needs(?:\.[\w-]+|\.\*|\[[^\]]*\])\.result|toJSON\(\s*needs\s*\)", re.IGNORECASE
)
_MAY_BUILD = re.compile(
    r"build|compile|\btsc\b|make\b|prepack|\bdist\b|\bnx\b|lerna|wireit|\bmoon\b|\bjust\b|bundle"
    r"|tsup|rollup|docker|bootstrap|setup|prepare|release|codegen|generate|artifact|\bci\b",
    re.IGNORECASE,
)
_LIFECYCLE = ("preinstall", "install", "postinstall", "prepare", "pretest")
_PLAIN_ACTIONS = re.compile(
    r"(?:actions/(?:checkout|setup-node|github-script|upload-artifact)|pnpm/action-setup"
    r"|docker/[\w-]+|oven-sh/setup-bun|dorny/paths-filter|codecov/codecov-action)@"
)
_RUNS_TESTS = re.compile(r"\b(?:vitest|jest|mocha|ava|tap|uvu|c8|nyc)\b|node\s+(?:\S+\s+)*--test")
_TEST_SETTINGS = re.compile(r"(?:vitest|vite|jest)\.?[\w.-]*\.(?:[cm]?[jt]s|json)|\.mocharc.*")
_RESOLVES_ITSELF = re.compile(
    r"alias|moduleNameMapper|conditions|tsconfigPaths|tsconfig-paths|jest-resolve|resolver"
)


def look(files: Files, workflows: Sequence[Workflow], branches: Sequence[str]) -> list[Finding]:
    """The findings of all workflows; `branches` are the deploying ones, empty: not known."""
    found: list[Finding] = []
    for workflow in workflows:
        jobs = list(workflow.jobs.values())[:MOST_JOBS]
        for job in jobs:
            found += _filters(files, workflow, job)
        if not is_deploying(workflow, branches):
            continue
        found += _test_script(files, workflow)
        for job in jobs:
            found += _not_built(files, workflow, job)
            found += _gate(workflow, job)
    return [one for check in CHECKS for one in _first(found, check.id)]


def _first(found: Sequence[Finding], check: str) -> list[Finding]:
    return [one for one in found if one.check == check][:MOST_FINDINGS]


def is_deploying(workflow: Workflow, branches: Sequence[str] = ()) -> bool:
    """Whether a push to a deploying branch starts it, and it builds images or deploys."""
    if not workflow.pushes_branches:
        return False
    if workflow.branches:
        wanted = set(branches)
        if not any(
            one in wanted or (not wanted and _MAIN.search(one)) or "*" in one
            for one in workflow.branches
        ):
            return False
    return any(_builds_image(job) or deploys(job) for job in workflow.jobs.values())


def _builds_image(job: Job) -> bool:
    for step in job.steps:
        if _OURS.match(step.uses):
            return True
        if _BUILD_ACTION.match(step.uses) and step.says("push") not in ("", "false"):
            return True
        if any(
            words[:2] == ("docker", "push") or (words[:1] == ("docker",) and "--push" in words)
            for _, words in step.commands()
        ):
            return True
    return False


def deploys(job: Job) -> bool:
    """Whether a job surely deploys."""
    return any(_deploys(step) for step in job.steps)


def _deploys(step: Step) -> bool:
    if _DEPLOY_ACTIONS.match(step.uses):
        return True
    for _, words in step.commands():
        program, rest = basename(words[0]), words[1:]
        told = " ".join(rest)
        if program in ("ssh", "scp", "rsync") and ("@" in told or "$" in told):
            return True
        if program == "kubectl" and re.search(r"\b(?:apply|set image|rollout)\b", told):
            return True
        if program == "helm" and re.search(r"\b(?:upgrade|install)\b", told):
            return True
        if program == "docker" and re.search(r"\bstack deploy\b", told):
            return True
        if program in ("flyctl", "fly", "vercel", "wrangler", "serverless", "sls", "railway"):
            return bool(re.search(r"\b(?:deploy|up)\b|--prod\b", told))
    return False


# --- tests


def _test_script(files: Files, workflow: Workflow) -> Iterator[Finding]:
    calls = [
        (job, step, line, asked)
        for job in workflow.jobs.values()
        for step in job.steps
        for line, words in step.commands()
        if (asked := asked_by(words, _folder(step)))
    ]
    if any("test:ci" in asked.scripts for _, _, _, asked in calls):
        return
    for job, _, line, asked in calls:
        if asked.folder is None or asked.filters or asked.recursive or "test" not in asked.scripts:
            continue
        scripts = files.scripts(_clean(asked.folder))
        test, ci = scripts.get("test", ""), scripts.get("test:ci", "")
        if not ci or "test:ci" in test or test.strip() == ci.strip() or asked.extra:
            continue
        is_turbo = asked.tool == "turbo"
        if is_turbo and "turbo" in ci:
            continue
        manager = _manager(files, asked.tool)
        yield Finding(
            check=TEST_SCRIPT.id,
            subject=f"{workflow.path}:{job.id}",
            message=f"job {job.id} runs `{'turbo ' if is_turbo else ''}test`, and "
            f"{_clean(asked.folder) + '/' if _clean(asked.folder) else ''}package.json has a "
            "`test:ci`",
            fix=f"Run `{manager} run test:ci` there.",
            file=workflow.path,
            line=line,
            severity="hint" if is_turbo else None,
        )


def _manager(files: Files, tool: str) -> str:
    if tool != "turbo":
        return tool
    for name, lock in (("pnpm", "pnpm-lock.yaml"), ("yarn", "yarn.lock")):
        if lock in files:
            return name
    return "npm"


def _not_built(files: Files, workflow: Workflow, job: Job) -> Iterator[Finding]:
    for number, step in enumerate(job.steps):
        for line, words in step.commands():
            asked = asked_by(words, _folder(step))
            if asked is None or asked.folder is None or asked.tool == "turbo" or asked.filters:
                continue
            script = asked.scripts[0]
            if script != "test" and not script.startswith("test:"):
                continue
            folder = _clean(asked.folder)
            workspace = files.workspace_of(folder)
            if workspace is None or workspace.root != folder or workspace.problems:
                continue
            runs = files.scripts(folder).get(script, "")
            if not asked.recursive and (not _RUNS_TESTS.search(runs) or _MAY_BUILD.search(runs)):
                continue
            if _may_be_built(files, workspace.root, job.steps[:number], step, line):
                continue
            lacking = _unbuilt(files, workspace.root)
            if lacking:
                needed, by, entry = lacking
                yield Finding(
                    check=NOT_BUILT.id,
                    subject=f"{workflow.path}:{job.id}",
                    message=f"job {job.id} runs `{' '.join(words)}`, and no step before it builds "
                    f"{needed}, which {by} imports from {entry}",
                    fix="Build the packages before: "
                    f"`{_build_command(files, folder, asked.tool)}`.",
                    file=workflow.path,
                    line=line,
                )
                return


def _build_command(files: Files, folder: str, manager: str) -> str:
    scripts = files.scripts(folder)
    for name in ("build:packages", "build"):
        if name in scripts:
            return f"{manager} run {name}"
    return "pnpm -r build" if manager == "pnpm" else f"{manager} run build"


def _may_be_built(files: Files, root: str, before: Sequence[Step], step: Step, line: int) -> bool:
    """Whether something before the tests may build the packages."""
    workspace = files.workspace_of(root)
    for name in _LIFECYCLE:
        if _MAY_BUILD.search(files.scripts(root).get(name, "")):
            return True
    for folder in workspace.packages if workspace else ():
        own = files.scripts(folder)
        if any(name in own for name in ("prepare", "postinstall", "preinstall", "pretest")):
            return True
    for one in (*before, step):
        if one.uses and not _PLAIN_ACTIONS.match(one.uses):
            return True
        for at, words in one.commands():
            if one is step and at >= line:
                break
            asked = asked_by(words, _folder(one))
            if asked and workspace and asked.filters and matches_nothing(asked.filters, workspace):
                continue
            if asked and asked.scripts[0] in ("install", "i", "add", "ci", "audit"):
                continue
            if _MAY_BUILD.search(" ".join(words)) or words[0].startswith((".", "bash", "sh")):
                return True
    return False


def _unbuilt(files: Files, root: str) -> tuple[str, str, str] | None:
    """A package that only exists once it is built, one that tests with it, and what is missing."""
    workspace = files.workspace_of(root)
    if workspace is None:
        return None
    settings = "".join(
        files.text(path)
        for folder in workspace.packages
        for path in files.below(folder)
        if path.rpartition("/")[0] == folder and _TEST_SETTINGS.fullmatch(basename(path))
    )
    if _RESOLVES_ITSELF.search(settings) or _RESOLVES_ITSELF.search(
        str(files.manifest(root).get("jest", ""))
    ):
        return None
    by_name = {one.name: folder for folder, one in workspace.packages.items() if one.name}
    for folder, one in workspace.packages.items():
        if "test" not in files.scripts(folder):
            continue
        for name in files.asks(folder, "dependencies", "devDependencies"):
            other = by_name.get(name)
            if other is None or other in (folder, root):
                continue
            entries = entries_of(files, other)
            if not entries or any(not is_made_by_a_build(files, path) for path in entries):
                continue
            if not is_built(files, other) or _is_mapped(files, name):
                continue
            importer = next(
                (
                    path
                    for path in list(files.sources(folder))[:200]
                    if re.search(rf"""from\s+['"]{re.escape(name)}['"]""", files.text(path))
                ),
                None,
            )
            if importer:
                return name, one.name or folder, entries[0]
    return None


def _is_mapped(files: Files, name: str) -> bool:
    """Whether a tsconfig may lead an import elsewhere."""
    return any(
        name.rpartition("/")[0] in files.text(path) and '"paths"' in files.text(path)
        for path in files.names
        if basename(path).startswith("tsconfig") and path.endswith(".json")
    )


# --- filters


def _filters(files: Files, workflow: Workflow, job: Job) -> Iterator[Finding]:
    if any(
        step.uses.startswith("actions/checkout@") and (step.says("repository") or step.says("path"))
        for step in job.steps
    ):
        return
    for step in job.steps:
        for line, words in step.commands():
            asked = asked_by(words, _folder(step))
            if asked is None or not asked.filters or asked.folder is None:
                continue
            if asked.tool not in ("pnpm", "turbo"):
                continue  # npm and yarn fail when there is no such workspace
            if asked.tool == "turbo" and asked.fails_if_none:
                continue
            workspace = files.workspace_of(_clean(asked.folder))
            if workspace is None or workspace.globs is None:
                continue
            lost = [
                filters
                for leg in job.legs
                if matches_nothing(
                    filters := [filled(one, {**workflow.known, **leg}) for one in asked.filters],
                    workspace,
                )
            ]
            if not lost:
                continue
            names = ", ".join(dict.fromkeys(one for some in lost for one in some))
            known = sorted(one.name for one in workspace.packages.values() if one.name)
            scope = next((one.partition("/")[0] for one in known if one.startswith("@")), "")
            yield Finding(
                check=NO_MATCH.id,
                subject=f"{workflow.path}:{job.id}",
                message=f"`{asked.tool} … {asked.scripts[0]}` in job {job.id} is for "
                f"{names}, and no package of the workspace is called so",
                fix=f"The names here begin with {scope}/." if scope else "",
                file=workflow.path,
                line=line,
            )


# --- gates


def _gate(workflow: Workflow, job: Job) -> Iterator[Finding]:
    try:
        condition = parse(job.condition) if job.condition.strip() else None
    except NotUnderstood:
        return
    is_deploy = deploys(job) or (
        bool(_DEPLOY_NAME.search(job.id)) and bool(job.steps or job.calls) and job.environment
    )
    if is_deploy and job.needs:
        yield from _skips(workflow, job, condition)
        if condition is not None and condition.asks_status:
            yield from _ignores(workflow, job, condition)
    if condition is not None:
        yield from _dropped(workflow, job, condition, is_deploy)


def _condition_of(job: Job) -> Expression | None:
    try:
        return parse(job.condition) if job.condition.strip() else None
    except NotUnderstood:
        return None


def _ancestors(workflow: Workflow, job: Job) -> set[str]:
    found: set[str] = set()
    pending = list(job.needs)
    while pending:
        name = pending.pop()
        if name not in found and name in workflow.jobs:
            found.add(name)
            pending += workflow.jobs[name].needs
    return found


def _outputs_asked(condition: Expression) -> frozenset[tuple[str, ...]]:
    return frozenset(
        one for one in condition.paths() if one[:1] == ("needs",) and one[2:3] == ("outputs",)
    )


def _skips(workflow: Workflow, job: Job, condition: Expression | None) -> Iterator[Finding]:
    if condition is not None and condition.asks_status:
        return
    own = set(condition.paths()) if condition else set()
    may_be_skipped: dict[str, frozenset[tuple[str, ...]]] = {}
    for name in job.needs:
        other = workflow.jobs.get(name)
        asked = _condition_of(other) if other else None
        if other is None or asked is None or any(one[1:2] == (name.lower(),) for one in own):
            continue
        outputs = _outputs_asked(asked)
        # Does no output at all lead to a job that does not run?
        if outputs and not _holds_whatever(asked, outputs):
            may_be_skipped[name] = outputs
    if len(set(may_be_skipped.values())) < 2:
        return
    names = sorted(may_be_skipped)
    results = " && ".join(f"needs.{one}.result != 'failure'" for one in names)
    yield Finding(
        check=SKIPS.id,
        subject=f"{workflow.path}:{job.id}",
        message=f"job {job.id} needs {', '.join(names)}, each of which is skipped when its own "
        "image did not change, and is then skipped as well",
        fix=f"Write `if: ${{{{ !cancelled() && {results} }}}}`, with the results of the other "
        "jobs it needs.",
        file=workflow.path,
        line=job.condition_line or job.line,
    )


def _holds_whatever(condition: Expression, outputs: frozenset[tuple[str, ...]]) -> bool:
    for value in ("false", ""):
        contexts = {"needs": _needs_with({}, outputs, value)}
        status = {"success": True, "always": True, "failure": False, "cancelled": False}
        if truth(evaluate(condition, contexts, status)) is not True:
            return False
    return True


def _needs_with(
    results: Mapping[str, str], outputs: frozenset[tuple[str, ...]], value: Value
) -> dict[str, Value]:
    """The context `needs` in which all of these outputs have one value."""
    jobs: dict[str, Value] = {}
    for name in {*results, *(one[1] for one in outputs)}:
        own = {one[3]: value for one in outputs if one[1] == name and len(one) > 3}
        jobs[name.lower()] = {"result": results.get(name, UNKNOWN), "outputs": Partial(own)}
    return jobs


def _ignores(workflow: Workflow, job: Job, condition: Expression) -> Iterator[Finding]:
    told = " ".join(
        f"{step.run} {step.condition} {' '.join(text for text, _ in step.given.values())}"
        for step in job.steps
    )
    if _ASKS_RESULTS.search(told):
        return  # it looks for itself
    outputs = _outputs_asked(condition)
    status = {"always": True, "success": False, "failure": True, "cancelled": False}
    ignored: list[str] = []
    for name in job.needs:
        other = workflow.jobs.get(name)
        if other is None or other.may_fail:
            continue
        results = {one: "failure" if one == name else "success" for one in job.needs}
        # An output of a job that comes after the failed one may tell of the failure.
        free = frozenset(
            one
            for one in outputs
            if (giver := _job_called(workflow, one[1])) is not None
            and giver.id != name
            and name not in _ancestors(workflow, giver)
        )
        if any(
            truth(evaluate(condition, _contexts(workflow, results, free, value), status)) is True
            for value in ("true", "false", UNKNOWN)
        ):
            ignored.append(name)
    if ignored:
        results_asked = " && ".join(f"needs.{one}.result != 'failure'" for one in ignored)
        yield Finding(
            check=IGNORES.id,
            subject=f"{workflow.path}:{job.id}",
            message=f"job {job.id} deploys although {_either(ignored)} failed: its `if` is "
            f"`{' '.join(job.condition.split())[:200]}`",
            fix=f"Add `&& {results_asked}` to it.",
            file=workflow.path,
            line=job.condition_line,
        )


def _contexts(
    workflow: Workflow,
    results: Mapping[str, str],
    outputs: frozenset[tuple[str, ...]],
    value: Value,
) -> dict[str, Value]:
    """What a push to a deploying branch brings about."""
    branch = next((one for one in workflow.branches if "*" not in one), "main")
    github = Partial(event_name="push", ref=f"refs/heads/{branch}", ref_name=branch)
    return {"needs": _needs_with(results, outputs, value), "github": github}


def _job_called(workflow: Workflow, name: str) -> Job | None:
    return next((one for one in workflow.jobs.values() if one.id.lower() == name), None)


def _either(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _dropped(
    workflow: Workflow, job: Job, condition: Expression, is_deploy: bool
) -> Iterator[Finding]:
    """Conditions on outputs of our own actions."""
    ours: dict[tuple[str, ...], str] = {}
    for path in _outputs_asked(condition):
        giver = _job_called(workflow, path[1])
        if giver is None or len(path) < 4:
            continue
        text = next((one for key, one in giver.outputs.items() if key.lower() == path[3]), "")
        for step in giver.steps:
            action = _OURS.match(step.uses)
            if action and step.id and (action["name"] or "detect") in ("detect", "gate", "matrix"):
                asked = re.search(
                    rf"steps\.{re.escape(step.id)}\.outputs\.([\w-]+)", text, re.IGNORECASE
                )
                if asked:
                    ours[path] = asked[1]
    if not ours:
        return
    outputs = frozenset(ours)
    status = {"always": True, "success": True, "failure": False, "cancelled": False}
    results = {one.lower(): "success" for one in job.needs}
    empty = truth(evaluate(condition, {"needs": _needs_with(results, outputs, "")}, status))
    unknown = evaluate(condition, {"needs": _needs_with(results, outputs, UNKNOWN)}, status)
    names = set(ours.values())
    shown = ", ".join(sorted(names))
    wants_deploy = names <= {"deploy", "deploys"}
    if empty is False and not is_deploy and not wants_deploy and _builds_image(job):
        if truth(unknown) is False:
            return  # not for the output's sake
        yield Finding(
            check=DROPPED.id,
            subject=f"{workflow.path}:{job.id}",
            message=f"job {job.id} builds nothing when the output {shown} is lost",
            fix="Compare with `!= 'false'` instead of `== 'true'`.",
            file=workflow.path,
            line=job.condition_line,
        )
    elif empty is True and wants_deploy and (is_deploy or deploys(job)):
        yield Finding(
            check=DROPPED.id,
            subject=f"{workflow.path}:{job.id}",
            message=f"job {job.id} deploys when the output {shown} is lost",
            fix="Compare with `== 'true'`.",
            file=workflow.path,
            line=job.condition_line,
        )


def _folder(step: Step) -> str:
    """Where its script runs, from the repository's root."""
    return _clean(step.folder)


def _clean(folder: str) -> str:
    found = normpath(folder) if folder else ""
    return "" if found == "." else found
