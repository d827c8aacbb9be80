"""The action `sync-secrets`, also called `secrets apply`: GitHub gets what the file says.

No value is ever shown. On a laptop nothing is written unless that is asked for.
"""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from orient_deploy.commands.context import described
from orient_deploy.commands.secrets_file import SecretsInputs, choose, mask, read_secrets
from orient_deploy.errors import EXIT_GOOD, InputError, RemoteError
from orient_deploy.github.secrets import require_sealing, secrets_store
from orient_deploy.hidden import Hidden
from orient_deploy.record import dataclass
from orient_deploy.runner import read_flag
from orient_deploy.secrets.apply import apply_plan
from orient_deploy.secrets.fingerprint import Key
from orient_deploy.secrets.plan import WRITES, Remote, Rules, Scope, plan_secrets
from orient_deploy.secrets.report import plan_headline, plan_lines, plan_markdown
from orient_deploy.secrets.state import VARIABLE, State, parse_state
from orient_deploy.secrets.wanted import faults, wanted_secrets
from orient_deploy.text import sentence

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.commands.secrets_file import Chosen
    from orient_deploy.github.secrets import Store
    from orient_deploy.secrets.apply import Outcome
    from orient_deploy.secrets.plan import SecretsPlan, Step

OUTPUTS = ("changed", "plan", "written", "failed")
GITHUB_API = "https://api.github.com"
KEY_VARIABLE = "ORIENT_DEPLOY_KEY"  # of a laptop's environment
TOKEN_VARIABLES = ("GH_TOKEN", "GITHUB_TOKEN")
LONG_WAIT_S = 3.0  # people are told of those
RULES = ("target", "suffix", "variables", "skip", "accept")
_NAMES = "Names separated by commas, blanks or lines. Empty means what the configuration says."


@dataclass(frozen=True, kw_only=True)
class PlanInputs(SecretsInputs):
    """What a plan needs; `secrets plan` takes nothing else."""

    content: str = described(
        "The file's text itself instead of a path, from a secret that holds it whole. Empty means "
        "that the file is on the disk.",
        "",
        secret=True,
    )
    repository: str = described(
        "Repository whose secrets are meant, as owner/name. Empty means this one.", ""
    )
    target: str = described(
        "'repository', or 'environment' for the secrets of the GitHub environment that is called "
        "like 'environment'. Empty means what the configuration says, else 'repository'.",
        "",
    )
    suffix: str = described(
        "Put behind every name at GitHub, such as _STAGING. Empty means what the configuration "
        "says.",
        "",
    )
    variables: str = described(f"What is no secret and becomes a variable at GitHub. {_NAMES}", "")
    skip: str = described(f"What does not go to GitHub. {_NAMES}", "")
    accept: str = described(
        "Whose values are taken as Docker Compose reads them, although other readers take them "
        f"differently. {_NAMES}",
        "",
    )
    prune: bool = described(
        "Delete secrets that an earlier run wrote for this environment and the file has no more. "
        "'true' or 'false'; empty means 'false'.",
        False,
    )
    max_prune: str = described("How many may be deleted at once; more than that, and none is.", "0")
    rewrite: bool = described(
        "Write every secret, also those that are known to be the same. 'true' or 'false'; empty "
        "means 'false'.",
        False,
    )
    key: str = described(
        "Key for fingerprints, 64 hex digits from `openssl rand -hex 32`: it tells which values "
        "are still the same. Empty means that names and times are all that is compared.",
        "",
        secret=True,
    )
    token: str = described(
        "Fine-grained token, or one of a GitHub App, that may write secrets and variables (or, "
        "with the target 'environment', environments). A workflow's own GITHUB_TOKEN cannot.",
        "",
        secret=True,
    )


@dataclass(frozen=True, kw_only=True)
class Inputs(PlanInputs):
    """The inputs of `sync-secrets`."""

    dry_run: str = described(
        "Only say what would be done. 'true' or 'false'; empty means 'false', but on a laptop "
        "'true'.",
        "",
    )


def run(inputs: Inputs, context: Context) -> int:
    """Plan, and do it."""
    dry_run = not context.in_actions
    if inputs.dry_run:
        dry_run = read_flag("dry-run", inputs.dry_run)
    return sync(inputs, context, dry_run=dry_run)


def sync(inputs: PlanInputs, context: Context, *, dry_run: bool) -> int:
    """Show the plan, or do it and show what came of it.

    Raises:
        InputError: an input is wrong, or the file cannot be read.
        EnvironmentLacks: there is no docker compose, or no PyNaCl.
        RemoteError: GitHub refused to tell what it has.
    """
    chosen = choose(inputs, context, {name: getattr(inputs, name) for name in RULES})
    if chosen.secrets.target not in ("repository", "environment"):
        raise InputError(
            f"input 'target': {chosen.secrets.target!r} is none",
            "it is 'repository' or 'environment'",
            "Write one of them, or leave it out",
        )
    if not dry_run:
        require_sealing()
    rules = _rules(inputs, chosen)
    read = read_secrets(chosen, inputs.content, context)
    mask(read, frozenset(one.upper() for one in chosen.secrets.variables), context)
    key = _key(inputs, context)
    scope = Scope(environment=_github_environment(inputs, chosen))
    outcome: Outcome | None = None

    def sleep(seconds: float) -> None:
        if seconds >= LONG_WAIT_S:
            context.log.say(("dim", f"GitHub asks to wait for {seconds:.0f} seconds"))
        time.sleep(seconds)

    with ExitStack() as stack:
        store = stack.enter_context(
            secrets_store(
                context.env.get("GITHUB_API_URL") or GITHUB_API,
                _repository(inputs, chosen),
                scope.environment,
                _token(inputs, context),
                sleep=sleep,
            )
        )
        wanted = wanted_secrets(read.file, read.findings, chosen.secrets)
        remote, state = _remote(store, any(one.kind == "variable" for one in wanted))
        plan = plan_secrets(
            wanted,
            remote,
            state,
            key,
            scope=scope,
            rules=rules,
            faults=faults(read.file, read.findings, chosen.secrets),
        )
        if not dry_run and not plan.is_refused:

            def progress(number: int, count: int, step: Step) -> None:
                text = f"{number:>{len(str(count))}} of {count}: {step.action} {step.name}"
                context.log.say(("dim", text))

            outcome = apply_plan(plan, store, state, key, owner=rules.owner, progress=progress)
    return _publish(plan, outcome, read.title, chosen, dry_run, context)


def _publish(
    plan: SecretsPlan,
    outcome: Outcome | None,
    title: str,
    chosen: Chosen,
    dry_run: bool,
    context: Context,
) -> int:
    written = [one.step.name for one in outcome.done if not one.problem] if outcome else []
    failed = [one.step.name for one in outcome.failed] if outcome else []
    if plan.is_refused:
        context.log.error(
            f"{plan_headline(plan, chosen.name)}. Correct {title}, or what the configuration says "
            "of it; the table names each reason.",
            title="Secrets",
        )
    would = not plan.is_refused and bool(plan.of(*WRITES))
    context.publish(
        {
            "changed": bool(written) if outcome else would,
            "plan": {
                f"{kind}s": {one.name: one.action for one in plan.steps if one.kind == kind}
                for kind in ("secret", "variable")
            },
            "written": written,
            "failed": failed,
        },
        lines=plan_lines(plan, chosen.name, title, outcome),
        markdown=plan_markdown(plan, chosen.name, title, dry_run=dry_run, outcome=outcome),
    )
    if plan.is_refused:
        return InputError.exit_code
    if outcome is None or outcome.is_good:
        if would and dry_run and not context.in_actions:
            context.log.notice(
                "This was a dry run: `orient-deploy secrets apply --dry-run false` writes it."
            )
        return EXIT_GOOD
    why = sentence(str(outcome.error)) if outcome.error else "GitHub refused some of them."
    context.log.error(
        f"{why} What was written is noted; run this again to go on." if outcome.noted else why,
        title="Secrets",
    )
    return RemoteError.exit_code


def _rules(inputs: PlanInputs, chosen: Chosen) -> Rules:
    if not re.fullmatch("[0-9]{1,4}", inputs.max_prune):
        raise InputError(
            f"input 'max-prune' is {inputs.max_prune[:80]!r}",
            "it is no number below 10,000",
            "Write one, or 0",
        )
    if inputs.prune and not chosen.name:
        raise InputError(
            "input 'prune' needs an environment",
            "what was written for which file is known by the environment's name",
            "Configure an environment with its file, and name it in 'environment'",
        )
    others = {
        one.name: one.secrets.suffix
        for one in (chosen.config.environments if chosen.config else ())
        if one.name != chosen.name
        and one.secrets.file
        and one.secrets.target == chosen.secrets.target == "repository"
    }
    return Rules(
        owner=chosen.name,
        prune=inputs.prune,
        max_prune=int(inputs.max_prune),
        rewrite=inputs.rewrite,
        suffix=chosen.secrets.suffix,
        others=others,
    )


def _github_environment(inputs: PlanInputs, chosen: Chosen) -> str:
    if chosen.secrets.target == "repository":
        return ""
    name = chosen.name or inputs.environment
    if not name:
        raise InputError(
            "the target 'environment' has no name",
            "the input 'environment' is not given",
            "Name an environment of the configuration; GitHub's is called the same",
        )
    return name


def _repository(inputs: PlanInputs, chosen: Chosen) -> str:
    name = inputs.repository or chosen.repository
    if not re.fullmatch(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", name):
        raise InputError(
            "input 'repository' names no repository",
            f"it is {name!r}" if name else "it is not given, and `origin` is none at GitHub",
            "Write owner/name",
        )
    return name


def _token(inputs: PlanInputs, context: Context) -> str:
    found = inputs.token
    if not found and not context.in_actions:
        found = next(filter(None, map(context.env.get, TOKEN_VARIABLES)), "") or ""
    if not found:
        raise InputError(
            "there is no token for GitHub's secrets",
            "the input 'token' is empty" if context.in_actions else "GH_TOKEN is not set",
            "Give a fine-grained token, or one of a GitHub App, that may write them"
            + ("" if context.in_actions else ", such as `GH_TOKEN=$(gh auth token)`"),
        )
    context.log.mask(found)
    return found


def _key(inputs: PlanInputs, context: Context) -> Key | None:
    text = inputs.key or ("" if context.in_actions else context.env.get(KEY_VARIABLE, ""))
    if not text:
        return None
    key = Key(Hidden(text))
    context.log.mask(text)
    return key


def _remote(store: Store, with_variables: bool) -> tuple[Remote, State | None]:
    """What GitHub has, in as few requests as there can be."""
    secrets = store.secrets()
    variables = store.variables() if with_variables else {}
    noted = variables.get(VARIABLE) if with_variables else store.variable(VARIABLE)
    state = None
    if noted is not None:
        state = parse_state(noted.reveal())
        if state is None:
            raise InputError(
                f"the variable {VARIABLE} is not understood",
                "a newer version wrote it, or somebody changed it",
                "Use that version; or delete the variable, and every secret is written once more",
            )
    return Remote(secrets=secrets, variables=variables), state
