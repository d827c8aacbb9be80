"""The summaries that golden files hold, each from a situation that people meet."""

from __future__ import annotations

from collections.abc import Callable

from orient_deploy.history.model import Base
from orient_deploy.plan.gate import Result
from orient_deploy.plan.model import Plan, Record, Request
from orient_deploy.plan.report import gate_markdown, plan_markdown
from tests.unit.plan import orient, recorded

# What names may hold: each would do something if it were read as Markdown, HTML or by a terminal.
HOSTILE_NAMES = (
    "packages/core/a|b|c.ts",
    "packages/core/`tick` ``two``.ts",
    "packages/core/<script>alert(1)</script>.ts",
    "packages/core/<img src=x onerror=alert(1)>",
    "packages/core/[x](javascript:alert(1))",
    "packages/core/![x](https://example.com/x.png)",
    "packages/core/https://example.com/www.example.com",
    "packages/core/www.example.com/somebody@example.com",
    "packages/core/new\nline\n# heading\n| a | b |\n",
    "packages/core/\r\x1b[31mred\x1b[0m\x07",
    "packages/core/\u202egnp.exe\u2066\u200f",
    "packages/core/byte-\udcff-half-\ud800",
    "packages/core/</details></code>&lt;&#60;&amp;",
    "packages/core/**bold** __init__ ~~gone~~ $x^2$",
    "packages/core/@team #1 :tada: ::error::x",
    "packages/core/" + "long/" * 820 + "x",
    "- - 1. > #",
)

MANY = "version: 1\nbranches: [main]\nimages:\n" + "".join(
    f"  service-{index:02}:\n"
    f"    dockerfile: services/{index:02}/Dockerfile\n"
    f"    watch: [services/{index:02}/**, packages/core/**]\n"
    f"    typical-minutes: 1.5\n"
    for index in range(60)
)

NO_ENVIRONMENTS = orient.CONFIG.partition("environments:")[0]


def _plan(made: Plan, config: str = orient.CONFIG) -> str:
    return plan_markdown(made, orient.config(config))


def _gate(made: Plan, results: dict[str, Result], run_jobs: dict[str, str] | None = None) -> str:
    gate = orient.gate(made, results, run_jobs=run_jobs)
    return gate_markdown(gate, orient.config())


def _own_jobs(**results: Result) -> dict[str, Result]:
    """The results of the sample's jobs: all well, but those given."""
    jobs = ("detect", "test", "build-opencode", "build-whatsapp", "build-dashboard")
    return dict.fromkeys(jobs, "success") | {  # type: ignore[return-value]  # widened to str
        name.replace("_", "-"): result for name, result in results.items()
    }


def one_package() -> str:
    return _plan(
        orient.plan(
            "packages/dashboard/src/index.ts", "packages/dashboard/src/login.ts", "README.md"
        )
    )


def config_only() -> str:
    return _plan(orient.plan("docker/nginx-ssl.conf"))


def nothing() -> str:
    return _plan(orient.plan("packages/dashboard/README.md"))


def first_push() -> str:
    return _plan(orient.plan(base=orient.no_base()))


def forced_push_over_a_lost_commit() -> str:
    reason = "the commit before this push, 0d9e8f7, is no longer on the server (forced push)"
    return _plan(orient.plan(base=orient.no_base(reason, f"{reason}: not our ref")))


def forced() -> str:
    return _plan(
        orient.plan(
            at=orient.event("workflow_dispatch"),
            base=orient.no_base("workflow_dispatch has no recorded build to be compared with"),
            request=Request(force=True),
        )
    )


def pull_request() -> str:
    return _plan(
        orient.plan(
            "packages/core/src/index.ts",
            at=orient.event("pull_request", "refs/pull/7/merge"),
            base=Base(commit=orient.BASE, reason="main, which the pull request goes to"),
        )
    )


def branch_deleted() -> str:
    gone = Base(commit=None, reason="branch topic was deleted", nothing_to_do=True)
    return _plan(orient.plan(base=gone))


def no_environments() -> str:
    return _plan(orient.plan("src/main.ts", config_text=NO_ENVIRONMENTS), NO_ENVIRONMENTS)


def many_images() -> str:
    listing = [f"services/{index:02}/Dockerfile" for index in range(60)]
    return _plan(
        orient.plan(
            "packages/core/index.ts",
            *(f"services/{index:02}/main.go" for index in range(0, 60, 4)),
            *(f"docs/page-{index:03}.md" for index in range(120)),
            config_text=MANY.replace(", packages/core/**", "", 30),
            listing=listing,
        ),
        MANY,
    )


def hostile_names() -> str:
    text = orient.CONFIG.replace("mcp-tools/**", 'mcp-tools/**, "[|]<b>**", "https:/x.y/@z"')
    reason = "where the branch left <b>|`x`[y](javascript:z)\u202e www.example.com a@example.com"
    return _plan(
        orient.plan(
            *HOSTILE_NAMES,
            "[|]<b>*",
            "docker/nginx-ssl.conf",
            config_text=text,
            base=Base(commit=orient.BASE, reason=reason, missed=(reason,)),
        ),
        text,
    )


def remarks() -> str:
    text = orient.CONFIG.replace("src/**,", "source/**, 'app/[id]/**',")
    text = text.replace("ignore: [", "ignore: [packages/bot-whatsapp/Dockerfile, ")
    listing = [path for path in orient.LISTING if path != "docker/docker-compose.staging.yml"]
    made = orient.plan("packages/dashboard/src/index.ts", config_text=text, listing=listing)
    return _plan(made, text)


def by_digest() -> str:
    """One is built for a file that it reads, one is owed, one is there."""
    return _plan(
        recorded.plan(
            changed=("docs/a.txt", recorded.CORE.path),
            opencode=recorded.facts(
                record=recorded.ABSENT,
                base=Base(commit=recorded.OLDER, reason="its last recorded build"),
            ),
            dashboard=recorded.facts(
                record=recorded.ABSENT,
                base_digest="2" * 64,
                run_digest="2" * 64,
                differences=(recorded.CORE, recorded.LOCK),
            ),
        )
    )


def revert() -> str:
    other = recorded.facts(base_digest="2" * 64, run_digest="2" * 64, differences=(recorded.CORE,))
    return _plan(recorded.plan(changed=(recorded.CORE.path,), dashboard=other))


def registry_down() -> str:
    refused = recorded.facts(record=recorded.REFUSED)
    made = recorded.plan(
        changed=("docs/a.txt",), opencode=refused, whatsapp=refused, dashboard=refused
    )
    return _plan(made)


def gate_not_recorded() -> str:
    missing = recorded.facts(record=Record(state="absent", expected=True))
    made = recorded.plan(finished=True, dashboard=missing)
    return _gate(made, _own_jobs(build_opencode="skipped", build_whatsapp="skipped"))


def gate_open() -> str:
    made = orient.plan("packages/dashboard/src/index.ts")
    return _gate(made, _own_jobs(build_opencode="skipped", build_whatsapp="skipped"))


def gate_open_config_only() -> str:
    made = orient.plan("docker/nginx-ssl.conf")
    builds: dict[str, Result] = {f"build_{image}": "skipped" for image in orient.IMAGES}
    return _gate(made, _own_jobs(**builds))


def gate_partial_failure() -> str:
    return _gate(orient.plan("packages/core/x.ts"), _own_jobs(build_dashboard="failure"))


def gate_partial_failure_of_a_matrix() -> str:
    return _gate(
        orient.plan("packages/core/x.ts"),
        {"detect": "success", "test": "success", "build": "failure"},
        {
            "Test dashboard": "success",
            "Build opencode": "success",
            "Build whatsapp": "success",
            "Build dashboard": "failure",
        },
    )


def gate_failed_tests() -> str:
    builds: dict[str, Result] = {f"build_{image}": "skipped" for image in orient.IMAGES}
    return _gate(orient.plan("packages/core/x.ts"), _own_jobs(test="failure", **builds))


def gate_pull_request() -> str:
    made = orient.plan("packages/core/x.ts", at=orient.event("pull_request", "refs/pull/7/merge"))
    return _gate(made, _own_jobs())


def gate_pull_request_failure() -> str:
    made = orient.plan("packages/core/x.ts", at=orient.event("pull_request", "refs/pull/7/merge"))
    return _gate(made, _own_jobs(test="failure"))


SUMMARIES: dict[str, Callable[[], str]] = {
    make.__name__.replace("_", "-"): make
    for make in (
        one_package,
        config_only,
        nothing,
        first_push,
        forced_push_over_a_lost_commit,
        forced,
        pull_request,
        branch_deleted,
        no_environments,
        many_images,
        hostile_names,
        remarks,
        by_digest,
        revert,
        registry_down,
        gate_open,
        gate_open_config_only,
        gate_partial_failure,
        gate_partial_failure_of_a_matrix,
        gate_failed_tests,
        gate_not_recorded,
        gate_pull_request,
        gate_pull_request_failure,
    )
}
