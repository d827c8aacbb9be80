"""What is asked of a registry, and what its answers mean for the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from orient_deploy.commands.records import Records, look_up
from orient_deploy.config import parse
from orient_deploy.plan.model import UNUSED, Record
from orient_deploy.registry.model import Absent, Answer, Described, Found, Unknown
from orient_deploy.runner import Event

CONFIG = """\
version: 1
images:
  web: {repository: ghcr.io/acme/web}
  api: {max-age: 30d}
"""
WEB, API = "1" * 64, "2" * 64
WEB_TAG, API_TAG = f"inputs-{'1' * 40}", f"inputs-{'2' * 40}"
HERE = {"web": "ghcr.io/acme/web", "api": "ghcr.io/acme/app/api"}
COMMIT = "c" * 40


class Shelf:
    """A registry as a mapping from repository and tag to an image, or to a doubt."""

    def __init__(self, content: Mapping[tuple[str, str], Described | str]) -> None:
        self.content = content
        self.asked: list[list[tuple[str, str]]] = []

    def look_up(self, wanted: Sequence[tuple[str, str]]) -> list[Answer]:
        self._note(wanted)
        return [self._answer(one) for one in wanted]

    complete_all = look_up

    def describe_all(self, wanted: Sequence[tuple[str, str]]) -> list[Described | Absent | Unknown]:
        self._note(wanted)
        return [
            Unknown(one) if isinstance(one, str) else one or Absent()
            for one in (self.content.get(key) for key in wanted)
        ]

    def tags(self, repository: str) -> list[str] | Unknown:
        doubt = self.content.get((repository, ""))
        if isinstance(doubt, str):
            return Unknown(doubt)
        return sorted(tag for name, tag in self.content if name == repository)

    def _note(self, wanted: Sequence[tuple[str, str]]) -> None:
        if wanted:
            self.asked.append(list(wanted))

    def _answer(self, key: tuple[str, str]) -> Answer:
        one = self.content.get(key)
        if isinstance(one, str):
            return Unknown(one)
        return Found(one.digest, "", 1) if one else Absent()


def image(revision: str = COMMIT, created: float | None = 5.0, digest: str = "a") -> Described:
    return Described(digest=f"sha256:{digest * 64}", revision=revision, created=created, labels={})


def ask(
    content: Mapping[tuple[str, str], Described | str],
    text: str = CONFIG,
    *,
    describe: bool = False,
    recording: bool = True,
) -> tuple[Records, Shelf]:
    shelf = Shelf(content)
    found = look_up(
        parse(text, source="x"),
        {"web": WEB, "api": API},
        branch="main",
        event=Event(name="push", repository="acme/app"),
        registry=shelf,  # type: ignore[arg-type]  # what is asked of it, and nothing more
        describe=describe,
        recording=recording,
    )
    return found, shelf


def test_images_that_exist_cost_one_round_trip() -> None:
    text = CONFIG.replace("max-age: 30d", "watch: [x]")
    found, shelf = ask({(HERE["web"], WEB_TAG): image(), (HERE["api"], API_TAG): image()}, text)

    assert shelf.asked == [[(HERE["web"], WEB_TAG), (HERE["api"], API_TAG)]]
    assert found.images["web"] == Record(
        state="present", reference=f"ghcr.io/acme/web@sha256:{'a' * 64}"
    )
    assert found.last == {}


def test_age_and_commit_are_asked_where_they_matter() -> None:
    content = {(HERE["web"], WEB_TAG): image(), (HERE["api"], API_TAG): image()}

    for_age, _ = ask(content)
    for_all, _ = ask(content, describe=True)

    assert [one.created_s for one in for_age.images.values()] == [None, 5.0]
    assert [one.commit for one in for_all.images.values()] == [COMMIT, COMMIT]


def test_an_absent_image_tells_its_last_build() -> None:
    found, _ = ask(
        {(HERE["web"], WEB_TAG): image(), (HERE["api"], "inputs-last-main"): image("d" * 40)}
    )

    assert found.images["api"] == Record(state="absent", expected=True)
    assert found.last == {"api": "d" * 40}


def test_an_image_without_any_record_may_be_one_that_gets_none() -> None:
    found, _ = ask({(HERE["web"], WEB_TAG): image()})

    assert found.images["api"] == Record(state="absent", expected=False)


def test_before_the_first_record_nothing_is_absent() -> None:
    found, _ = ask({})

    assert found.images == {"web": UNUSED, "api": UNUSED}


def test_with_baseline_registry_absent_is_absent() -> None:
    found, _ = ask({}, CONFIG + "baseline: registry\n")

    assert set(found.images.values()) == {Record(state="absent", expected=True)}


def test_a_run_that_records_nothing_expects_nothing() -> None:
    found, _ = ask({(HERE["api"], "inputs-last-main"): image()}, recording=False)

    assert found.images["api"] == Record(state="absent", expected=False)


def test_a_doubt_about_one_image_is_no_doubt_about_another() -> None:
    found, _ = ask({(HERE["web"], WEB_TAG): "it answered 503", (HERE["api"], API_TAG): image()})

    assert found.images["web"] == Record(state="unknown", why="it answered 503")
    assert found.images["api"].state == "present"


def test_an_image_without_a_dockerfile_is_not_asked_about() -> None:
    shelf = Shelf({})
    found = look_up(
        parse(CONFIG, source="x"),
        {"web": "", "api": API},
        branch="",
        event=Event(name="push", repository="acme/app"),
        registry=shelf,  # type: ignore[arg-type]  # what is asked of it, and nothing more
        describe=False,
        recording=False,
    )

    assert shelf.asked == [[(HERE["api"], API_TAG)]]
    assert found.images["web"] == UNUSED


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param([f"{API_TAG}-9", f"{API_TAG}-10"], "b", id="the-newest-wins"),
        pytest.param([API_TAG], "a", id="one-from-before"),
    ],
)
def test_of_tags_that_never_move_the_newest_counts(tags: list[str], expected: str) -> None:
    content: dict[tuple[str, str], Described | str] = {
        (HERE["api"], tag): image(digest="b" if tag.endswith("-10") else "a") for tag in tags
    }

    found, _ = ask(content, CONFIG + "immutable-tags: true\n")

    assert found.images["api"].reference == f"{HERE['api']}@sha256:{expected * 64}"


def test_tags_that_cannot_be_listed_are_a_doubt() -> None:
    found, _ = ask({(HERE["api"], ""): "it answered 403"}, CONFIG + "immutable-tags: true\n")

    assert found.images["api"] == Record(state="unknown", why="it answered 403")
