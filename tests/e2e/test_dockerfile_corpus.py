"""The corpus says what real engines read: today's builder and an old one are asked again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from tests.corpus.dockerfile_cases import Case, load_cases
from tests.machines.docker_engine import docker_engine
from tests.oracles.docker_build import Build, Builder, Servers, differences, make_base


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with Servers() as running:
        yield running


@pytest.fixture(scope="module", params=["28", "20"])
def builder(request: pytest.FixtureRequest) -> Iterator[Builder]:
    with docker_engine(request.param) as engine:
        make_base(engine)
        yield Builder(engine, engine.folder / "builds")


def cases_for(builder: Builder, servers: Servers) -> list[Case]:
    """What the engine knows of the corpus."""
    cases = load_cases(http=servers.http, git=servers.git)
    return [case for case in cases if builder.engine.version == "28" or not case.needs]


def test_the_engine_reads_what_the_corpus_says(builder: Builder, servers: Servers) -> None:
    cases = [case for case in cases_for(builder, servers) if not case.unverified]

    assert cases
    assert differences(builder, cases) == []


def test_a_wrong_case_would_be_found(builder: Builder, servers: Servers) -> None:
    (case,) = [c for c in cases_for(builder, servers) if c.name == "copy-several"]
    wrong = [
        dataclasses.replace(case, name="too little", reads=case.reads[1:]),
        dataclasses.replace(case, name="too much", reads=(*case.reads, "dest/x")),
        dataclasses.replace(case, name="no failure", reads=(), fails=True),
    ]

    found = differences(builder, wrong)

    assert {text.partition(":")[0] for text in found} == {"no failure", "too little", "too much"}


def test_what_is_unverified_cannot_be_verified(builder: Builder, servers: Servers) -> None:
    """Once an engine builds such a case, it has to be measured."""
    cases = [case for case in cases_for(builder, servers) if case.unverified]
    builds = [Build(case, may_fail=True) for case in cases]
    builder.build(builds)

    again = builder.build(builds)

    assert {
        case.name for case, built in zip(cases, again, strict=True) if built.failed or built.missed
    } == {case.name for case in cases}
