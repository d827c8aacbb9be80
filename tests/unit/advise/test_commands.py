"""init, replay, audit and config check on real repositories, as the command line runs them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dev import sample
from orient_deploy.commands import audit, replay
from orient_deploy.commands.main import main
from orient_deploy.config import parse

CONFIG = ".github/orient-deploy.yml"


def _run(*argv: str, **more: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(argv, env=dict(os.environ) | more, stdout=out, stderr=err)
    return code, out.getvalue(), err.getvalue()


def _json(*argv: str) -> Any:
    code, out, err = _run(*argv, "--json")
    assert code == 0, err
    return json.loads(out)


def _git(path: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(path), *arguments], check=True, timeout=60)


def _commit(path: Path, files: dict[str, str], subject: str = "Change") -> None:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    _git(path, "add", "--all")
    _git(path, "commit", "--quiet", "--allow-empty", "--message", subject)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A repository with two Dockerfiles and no configuration."""
    path = tmp_path / "plain"
    path.mkdir()
    _git(path, "init", "--quiet", "--initial-branch=main")
    _commit(path, {"web/Dockerfile": "FROM scratch\nCOPY a /\n", "web/a": "", "api/Dockerfile": ""})
    return path


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with every push on top."""
    repository = sample.build(tmp_path_factory.mktemp("sample") / "orient")
    for push in sample.PUSHES:
        repository.push(push)
    return repository.path


# --- init


def test_init_prints_a_configuration_and_writes_nothing(plain: Path) -> None:
    code, out, _ = _run("init", "--path", str(plain))

    assert code == 0
    assert [one.name for one in parse(out, source="").images] == ["api", "web"]
    assert not (plain / ".github").exists()


def test_init_writes_where_there_is_none_and_never_again(plain: Path) -> None:
    code, out, _ = _run("init", "--path", str(plain / "web"), "--write", "true")
    written = (plain / CONFIG).read_bytes()
    again, _, _ = _run("init", "--path", str(plain), "--write", "true")

    assert (code, again) == (0, 2)
    assert "api, web" in out
    assert [one.name for one in parse((plain / CONFIG).read_bytes(), source=CONFIG).images] == [
        "api",
        "web",
    ]
    assert (plain / CONFIG).read_bytes() == written


def test_init_does_not_write_through_a_dangling_link(plain: Path) -> None:
    (plain / ".github").mkdir()
    (plain / CONFIG).symlink_to(plain / "elsewhere")
    code, out, _ = _run("init", "--path", str(plain), "--write", "true")

    assert code == 2
    assert "never overwritten" in out
    assert not (plain / "elsewhere").exists()


def test_init_reads_the_commit_and_not_the_files(plain: Path) -> None:
    (plain / "new").mkdir()
    (plain / "new/Dockerfile").write_text("")

    assert _json("init", "--path", str(plain))["images"] == ["api", "web"]


def test_init_finds_the_images_of_the_sample(pushed: Path) -> None:
    found = _json("init", "--path", str(pushed))

    dockerfiles = {one.dockerfile for one in parse(found["text"], source="").images}
    assert dockerfiles == {
        "docker/Dockerfile.opencode.legacy",
        "packages/bot-whatsapp/Dockerfile",
        "packages/dashboard/Dockerfile",
        "packages/bot-slack/Dockerfile",
    }


def test_init_knows_the_repository_from_its_remote(plain: Path) -> None:
    step = {
        "uses": "docker/build-push-action@v6",
        "with": {"context": "web", "push": True, "tags": "ghcr.io/${{ github.repository }}/web:x"},
    }
    workflow = json.dumps({"on": "push", "jobs": {"build": {"steps": [step]}}})
    _commit(plain, {".github/workflows/build.yml": workflow})
    _git(plain, "remote", "add", "origin", "git@github.com:Acme/Shop.git")

    text = _json("init", "--path", str(plain))["text"]
    assert parse(text, source="").image("web").repository == "ghcr.io/acme/shop/web"


def test_init_says_what_it_looked_for_when_there_is_nothing(tmp_path: Path) -> None:
    _git(tmp_path, "init", "--quiet")
    _commit(tmp_path, {"README.md": "x"})
    code, out, _ = _run("init", "--path", str(tmp_path))

    assert code == 2
    assert "looked for Dockerfile" in out


def test_init_cannot_write_into_a_bare_repository(plain: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    _git(plain, "clone", "--quiet", "--bare", ".", str(bare))
    code, out, _ = _run("init", "--path", str(bare), "--write", "true")

    assert (code, _run("init", "--path", str(bare))[0]) == (2, 0)
    assert "bare repository" in out


@pytest.mark.parametrize("command", [["init"], ["replay"], ["audit"], ["config", "check"]])
@pytest.mark.parametrize("kind", ["absent", "file", "folder", "empty"])
def test_what_is_no_repository_with_commits_is_refused(
    command: list[str], kind: str, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    if kind == "file":
        place.write_text("")
    elif kind != "absent":
        place.mkdir()
    if kind == "empty":
        _git(place, "init", "--quiet")
    code, out, _ = _run(*command, "--path", str(place), GIT_CEILING_DIRECTORIES=str(tmp_path))

    assert code == 2
    assert out.startswith("error: ")


# --- replay


def test_replay_decides_as_the_table_of_the_sample_says(pushed: Path) -> None:
    found = _json("replay", "--path", str(pushed), "--last", str(len(sample.PUSHES)))

    decided = [(row["subject"], set(row["built"]), row["deploy"]) for row in found["rows"][::-1]]
    assert decided == [(one.subject, set(one.builds), one.deploy) for one in sample.PUSHES]
    assert (found["branch"], found["by"]) == ("main", "current")
    assert found["configuration"] == CONFIG
    assert found["totals"]["commits"] == len(sample.PUSHES)


def test_replay_of_the_whole_history_ends_at_the_first_commit(pushed: Path) -> None:
    rows = _json("replay", "--path", str(pushed), "--last", "1000")["rows"]

    assert len(rows) == len(sample.PUSHES) + 2
    assert rows[-1]["files"] is None
    assert rows[-1]["built"] == ["opencode", "whatsapp", "dashboard"]


def test_replay_follows_first_parents_only(plain: Path) -> None:
    _git(plain, "switch", "--quiet", "--create", "side")
    _commit(plain, {"web/a": "changed"}, "On the side")
    _git(plain, "switch", "--quiet", "main")
    _commit(plain, {"api/c": ""}, "On main")
    _git(plain, "merge", "--quiet", "--no-ff", "--message", "Merge it", "side")

    rows = _json("replay", "--path", str(plain), "--last", "2")["rows"]
    assert [(row["subject"], row["built"]) for row in rows] == [
        ("Merge it", ["web"]),
        ("On main", ["api"]),
    ]


def test_replay_proposes_where_there_is_no_configuration(plain: Path) -> None:
    code, out, _ = _run("replay", "--path", str(plain))

    assert code == 0
    assert "`orient-deploy init` proposes (api, web)" in out


def test_replay_takes_the_file_as_it_stands_or_the_one_given(plain: Path, tmp_path: Path) -> None:
    text = "{version: 1, images: {NAME: {dockerfile: web/Dockerfile, watch: [web/**]}}}"
    (plain / ".github").mkdir()
    (plain / CONFIG).write_text(text.replace("NAME", "own"))
    (plain / "other.yml").write_text(text.replace("NAME", "other"))
    outside = tmp_path / "outside.yml"
    outside.write_text(text.replace("NAME", "outside"))

    def built(*more: str) -> list[str]:
        rows: list[dict[str, list[str]]] = _json("replay", "--path", str(plain), *more)["rows"]
        return rows[0]["built"]

    assert built() == ["own"]
    assert built("--config", "other.yml") == ["other"]
    assert built("--config", str(outside)) == ["outside"]
    assert _run("replay", "--path", str(plain), "--config", "absent.yml")[0] == 2


def test_replay_reads_a_shallow_clone_to_its_end(pushed: Path, tmp_path: Path) -> None:
    clone = tmp_path / "shallow"
    _git(tmp_path, "clone", "--quiet", "--depth=2", pushed.as_uri(), str(clone))

    rows = _json("replay", "--path", str(clone))["rows"]
    assert [row["files"] is None for row in rows] == [False, True]
    assert "not in this clone" in rows[1]["reason"]


def test_replay_prints_foreign_subjects_harmlessly(plain: Path) -> None:
    _commit(plain, {"x": ""}, "::error::boo \x1b[31m##[group]")
    code, out, _ = _run("replay", "--path", str(plain))

    assert code == 0
    assert "\x1b" not in out and "##[group]" not in out
    assert not any(line.lstrip().startswith("::") for line in out.splitlines())


@pytest.mark.parametrize("last", ["0", "-1", "x", "1e3", "99999", "1.5"])
def test_replay_refuses_what_is_no_number_of_commits(plain: Path, last: str) -> None:
    code, out, _ = _run("replay", "--path", str(plain), f"--last={last}")

    assert code == 2
    assert "'last'" in out


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """Two images over some pushes, one of which the list of `web` misses, and one it does twice."""
    path = tmp_path / "watched"
    path.mkdir()
    _git(path, "init", "--quiet", "--initial-branch=main")
    images = "web: {dockerfile: web/Dockerfile, watch: [web/**, docs/**], typical-minutes: 3}"
    config = f"{{version: 1, baseline: push, images: {{{images}, api: {{dockerfile: api.df}}}}}}"
    first = {
        CONFIG: config,
        "web/Dockerfile": "FROM scratch\nCOPY web lib ./\n",
        "api.df": "FROM scratch\nCOPY lib ./\n",
        **dict.fromkeys(("web/a", "lib/a", "docs/a.md"), "1"),
    }
    _commit(path, first, "First")
    _commit(path, {"lib/a": "2"}, "Change the library")
    _commit(path, {"docs/a.md": "2"}, "Explain")
    _commit(path, {"docs/a.md": "3"}, "Explain better")
    _commit(path, {"lib/a": "1"}, "Take the library back")
    return path


def _outcomes(found: Any, key: str) -> list[list[str]]:
    return [list(row[key]) for row in found["rows"][::-1]]


def test_replay_by_lists_tells_what_was_missed_stale_and_needless(watched: Path) -> None:
    found = _json("replay", "--path", str(watched), "--filters", "current")

    assert _outcomes(found, "built") == [["web", "api"], ["api"], ["web"], ["web"], ["api"]]
    assert _outcomes(found, "missed") == [[], ["web"], [], [], ["web"]]
    assert _outcomes(found, "needless") == [[], [], [], ["web"], []]
    assert found["rows"][3]["missed"]["web"] == [
        {"path": "lib/a", "why": "read by web/Dockerfile line 2"}
    ]
    totals = found["totals"]
    assert (totals["needed"], totals["missed"], totals["needless"]) == (7, 2, 1)
    assert totals["builds-by-digest"] == 4


def test_replay_by_digests_misses_nothing_and_uses_an_image_again(watched: Path) -> None:
    found = _json("replay", "--path", str(watched), "--filters", "auto")

    assert _outcomes(found, "built") == [["web", "api"], ["web", "api"], [], [], []]
    assert _outcomes(found, "reused") == [[], [], [], [], ["web", "api"]]
    assert found["totals"]["missed"] == found["totals"]["needless"] == 0
    assert found["totals"]["minutes-saved"] == 9
    assert [row["deploy"] for row in found["rows"][::-1]] == [True, True, False, False, True]
    assert found["by"] == "auto"
    assert set(found) == set(replay.OUTPUTS)


def test_replay_takes_the_lists_of_then(watched: Path) -> None:
    config = (watched / CONFIG).read_text()
    _commit(watched, {CONFIG: config.replace("docs/**", "lib/**")}, "Watch the library")
    _commit(watched, {"lib/a": "3"}, "Change the library again")

    now = _json("replay", "--path", str(watched), "--lists", "now")
    then = _json("replay", "--path", str(watched), "--lists", "then")

    assert _outcomes(now, "missed") == [[]] * 7
    assert _outcomes(then, "missed") == [[], ["web"], [], [], ["web"], [], []]
    assert then["rows"][0]["built"] == ["web", "api"]


def test_replay_knows_no_image_where_the_configuration_of_then_was_none(watched: Path) -> None:
    good = (watched / CONFIG).read_text()
    _commit(watched, {CONFIG: "version: 9\n", "lib/a": "4"}, "Break it")
    _git(watched, "rm", "--quiet", CONFIG)
    _commit(watched, {"lib/a": "5"}, "Without")
    _commit(watched, {CONFIG: good, "lib/a": "6"}, "With it again")

    rows = _json("replay", "--path", str(watched), "--lists", "then", "--last", "4")["rows"]
    assert [[*row["built"], *row["kept"]] for row in rows] == [
        *(["web", "api"], [], [], ["api", "web"]),
    ]


def test_replay_needs_file_contents(watched: Path, tmp_path: Path) -> None:
    _git(watched, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "blobless.git"
    _git(tmp_path, "clone", "--quiet", "--bare", "--filter=blob:none", watched.as_uri(), str(clone))
    code, out, _ = _run("replay", "--path", str(clone), "--config", str(watched / CONFIG))

    assert code == 4
    assert "Make one without --filter" in out


def test_replay_reads_the_filters_of_a_workflow_at_each_commit(tmp_path: Path) -> None:
    _git(tmp_path, "init", "--quiet", "--initial-branch=main")

    def workflow(*patterns: str) -> dict[str, str]:
        filters = {
            "uses": "dorny/paths-filter@v3",
            "with": {"filters": json.dumps({"web": patterns})},
        }
        build = {
            "uses": "docker/build-push-action@v6",
            "with": {"context": ".", "file": "web/Dockerfile", "push": True},
        }
        jobs = {
            "changes": {"steps": [filters]},
            "web": {"if": "needs.changes.outputs.web == 'true'", "steps": [build]},
        }
        on = {"push": {"branches": ["main"], "paths-ignore": ["**.md"]}}
        return {".github/workflows/ci.yml": json.dumps({"on": on, "jobs": jobs})}

    files = {"web/Dockerfile": "FROM scratch\nCOPY web lib ./\n", "web/a.md": "1", "lib/a": "1"}
    _commit(tmp_path, files, "Without a workflow")
    _commit(tmp_path, {"api/Dockerfile": "FROM scratch\n"} | workflow("web/**"), "With one")
    _commit(tmp_path, {"lib/a": "2"}, "Missed")
    _commit(tmp_path, workflow("web/**", "lib/**"), "Mend the filter")
    _commit(tmp_path, {"lib/a": "3"}, "Built")
    _commit(tmp_path, {"web/a.md": "2"}, "Ignored")

    found = _json("replay", "--path", str(tmp_path))
    assert [row["subject"] for row in found["rows"] if row["missed"]] == ["Ignored", "Missed"]
    assert [row["subject"] for row in found["rows"] if row["built"]] == ["Built"]
    assert found["rows"][1]["reason"] == "filter web of .github/workflows/ci.yml: lib/a"
    assert found["totals"]["pushes"] == 5
    code, out, _ = _run("replay", "--path", str(tmp_path))
    assert code == 0
    (tmp_path / "c.yml").write_text(
        "{version: 1, images: "
        "{web: {dockerfile: web/Dockerfile}, api: {dockerfile: api/Dockerfile}}}"
    )
    more = ("--config", "c.yml", "--lists", "workflow", "--last", "9")
    found = _json("replay", "--path", str(tmp_path), *more)
    assert found["remarks"] == [
        "Left out, because no filter of a workflow that runs on main was found for them: api."
    ]
    assert [row["reason"] for row in found["rows"][-2:]] == ["no filter matches"] * 2
    assert "the path filters of the workflows as they were at each commit" in out
    assert "missed web: lib/a, read by web/Dockerfile line 2" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--filters", "x"], "input 'filters' is 'x'", id="no-decider"),
        pytest.param(["--lists", "x"], "input 'lists' is 'x'", id="no-lists"),
        pytest.param(["--lists", "then"], "there is no configuration", id="none-then"),
        pytest.param(["--filters", "current"], "no list of files for any image", id="none-at-all"),
    ],
)
def test_replay_refuses_what_cannot_be_replayed(
    arguments: list[str], said: str, plain: Path
) -> None:
    code, out, _ = _run("replay", "--path", str(plain), *arguments)

    assert code == 2
    assert said in out


def test_replay_writes_a_page(watched: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, out, _ = _run("replay", "--path", str(watched), "--html", str(page))

    assert code == 0
    assert f"Wrote {page}" in out
    assert "2 of 7 needed builds were missed" in " ".join(
        page.read_text(encoding="utf-8").replace("<strong>", "").replace("</strong>", "").split()
    )


def test_replay_says_where_a_page_cannot_be_written(watched: Path, tmp_path: Path) -> None:
    code, out, _ = _run("replay", "--path", str(watched), "--html", str(tmp_path / "no" / "page"))

    assert code == 3
    assert "the machine refused" in out


def test_replay_without_pygit2_says_how_to_get_it(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygit2", None)
    code, out, _ = _run("replay", "--path", str(plain))

    assert code == 3
    assert "pygit2 is not installed" in out


# --- audit


def test_audit_finds_what_no_list_watches(watched: Path) -> None:
    code, out, _ = _run("audit", "--path", str(watched))

    assert code == 1
    lines = out.splitlines()
    assert lines[0] == "web  web/Dockerfile: 3 files read, 2 of them watched"
    assert "line 2" in lines[2] and "lib/a" in lines[2]
    assert "    docs/**  1 of 1: docs/a.md" in lines
    assert "api  api.df: 2 files read, all of them watched by `auto`" in lines
    assert "1 of 2 images reads 1 file that no list watches" in lines


def test_audit_prints_what_the_documentation_shows(watched: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text(encoding="utf-8")

    assert f"```\n{_run('audit', '--path', str(watched))[1]}```\n" in page


def test_audit_is_silent_about_good_lists(pushed: Path) -> None:
    code, out, _ = _run("audit", "--path", str(pushed))

    assert code == 0
    assert out.splitlines()[-1] == "Everything that the images read is watched"


def test_audit_proposes_a_patch_that_git_applies_and_then_finds_nothing(watched: Path) -> None:
    code, told, _ = _run("audit", "--path", str(watched), "--fix")
    before = (watched / CONFIG).read_text()
    subprocess.run(["git", "apply"], cwd=watched, input=told.encode(), check=True, timeout=60)

    assert code == 1
    assert before != (watched / CONFIG).read_text()
    assert "watch: [web/**, lib/**]" in (watched / CONFIG).read_text()
    code, out, _ = _run("audit", "--path", str(watched))
    assert code == 0, out
    assert _json("audit", "--path", str(watched), "--fix")["patch"] == ""
    assert "Nothing to change" in _run("audit", "--path", str(watched), "--fix")[1]


def test_audit_of_some_images_looks_at_them_only(watched: Path) -> None:
    found = _json("audit", "--path", str(watched), "--images", "api")

    assert list(found["images"]) == ["api"]
    assert set(found) == set(audit.OUTPUTS)
    code, out, _ = _run("audit", "--path", str(watched), "--images", "wbe")
    assert code == 2
    assert "Did you mean 'web'?" in out


def test_audit_tells_of_a_list_that_a_patch_cannot_reach(watched: Path) -> None:
    text = (watched / CONFIG).read_text()
    shared = text.replace("watch: [web/**, docs/**]", "watch: &all [web/**, docs/**]")
    (watched / CONFIG).write_text(shared.replace("api.df}", "api.df, watch: *all}"))
    code, out, _ = _run("audit", "--path", str(watched), "--fix")

    assert code == 1
    assert "images.web.watch is no list of its own" in out
    assert "add lib/**" in out


def test_audit_reads_the_filters_of_workflows(plain: Path) -> None:
    step = {"uses": "dorny/paths-filter@v3", "with": {"filters": '{"web": ["web/Dockerfile"]}'}}
    build = {"uses": "docker/build-push-action@v6", "with": {"context": "web", "push": True}}
    jobs = {"a": {"steps": [step]}, "web": {"if": "needs.a.outputs.web", "steps": [build]}}
    _commit(plain, {".github/workflows/ci.yml": json.dumps({"on": "push", "jobs": jobs})})
    code, out, _ = _run("audit", "--path", str(plain))
    fixed = _run("audit", "--path", str(plain), "--fix")[1]

    assert code == 1
    assert "line 2" in out and "web/a" in out
    assert fixed.splitlines() == ["filter of web", "+ web/a"]


def test_audit_reads_the_configuration_of_a_bare_repository(pushed: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    _git(pushed, "clone", "--quiet", "--bare", ".", str(bare))

    assert _run("audit", "--path", str(bare), "--fix")[0] == 0
    assert _run("audit", "--path", str(bare), "--config", "absent.yml")[0] == 2


def test_audit_without_any_list_has_nothing_to_look_at(plain: Path) -> None:
    code, out, _ = _run("audit", "--path", str(plain))

    assert code == 2
    assert "has a list of files for an image" in out


def test_audit_tells_of_any_number_of_files(tmp_path: Path) -> None:
    """Far more than the outputs of an action may hold."""
    _git(tmp_path, "init", "--quiet", "--initial-branch=main")
    names = {f"lib/{'long-' * 30}{number}": "" for number in range(4000)}
    dockerfile = "FROM scratch\nCOPY lib /\n"
    config = "{version: 1, images: {web: {watch: [Dockerfile]}}}"
    _commit(tmp_path, {"Dockerfile": dockerfile, CONFIG: config, **names})
    code, out, _ = _run("audit", "--path", str(tmp_path), "--json")

    assert code == 1
    assert json.loads(out)["unwatched"] == 4000


def test_audit_in_a_workflow_writes_a_summary_and_points_at_the_lines(
    watched: Path, tmp_path: Path
) -> None:
    summary, output = tmp_path / "summary", tmp_path / "output"
    output.write_text("")
    code, out, _ = _run(
        *("audit", "--path", str(watched)),
        GITHUB_ACTIONS="true",
        GITHUB_OUTPUT=str(output),
        GITHUB_STEP_SUMMARY=str(summary),
    )

    assert code == 1
    assert "::warning file=web/Dockerfile,line=2::web reads 1 file that no list watches" in out
    assert summary.read_text().startswith("### 1 of 2 images reads 1 file that no list watches")


# --- config check


def test_config_check_counts_what_the_sample_configures(pushed: Path) -> None:
    code, out, _ = _run("config", "check", "--path", str(pushed), "--strict")

    assert (code, out) == (0, "valid: 4 images, 1 environment\n")


def test_config_check_remarks_and_fails_only_when_strict(plain: Path) -> None:
    (plain / ".github").mkdir()
    (plain / CONFIG).write_text(
        "version: 1\nimages:\n  web:\n    dockerfile: web/Dockerfile\n    watch: [web/**, wbe/**]\n"
    )
    code, out, _ = _run("config", "check", "--path", str(plain))
    strict, _, _ = _run("config", "check", "--path", str(plain), "--strict", "true")
    found = _json("config", "check", "--path", str(plain))

    assert (code, strict) == (0, 1)
    assert out.startswith("valid: 1 image, 0 environments\n")
    assert f"warning: {CONFIG}:5:21: " in out and "wbe/**" in out
    assert found["valid"] is True and len(found["remarks"]) == 1


def test_config_check_shows_every_problem_at_its_place(plain: Path) -> None:
    (plain / ".github").mkdir()
    (plain / CONFIG).write_text("version: 2\nimages:\n  web: {wach: [a]}\n")
    code, out, _ = _run("config", "check", "--path", str(plain))

    assert code == 2
    assert f"{CONFIG}:1:10: " in out and f"{CONFIG}:3:9: " in out


def test_config_check_reads_the_commit_of_a_bare_repository(pushed: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    _git(pushed, "clone", "--quiet", "--bare", ".", str(bare))

    assert _run("config", "check", "--path", str(bare))[:2] == (
        0,
        "valid: 4 images, 1 environment\n",
    )


def test_config_check_says_how_to_get_a_configuration(plain: Path) -> None:
    code, out, _ = _run("config", "check", "--path", str(plain))

    assert code == 2
    assert "orient-deploy init" in out
