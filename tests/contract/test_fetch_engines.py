"""The private package list says what the machine's own says, of another suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev import fetch_engines
from dev.fetch_engines import NoSourceError, debian_source

STANZAS = """\
# Kept by hand.
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""
WANTED = """\
Types: deb
URIs: http://mirror.example/debian
Suites: SUITE
Components: main
"""
SIGNED = WANTED + "Signed-By: /usr/share/keyrings/debian.gpg\n"


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        pytest.param("debian.sources", STANZAS, SIGNED, id="stanzas"),
        pytest.param(
            "sources.list", "deb http://mirror.example/debian bookworm main\n", WANTED, id="line"
        ),
        pytest.param(
            "a.list",
            "deb http://mirror.example/security bookworm-security main\n"
            "deb-src http://mirror.example/sources bookworm main\n"
            "deb [arch=amd64 signed-by=/usr/share/keyrings/debian.gpg]"
            " http://mirror.example/debian bookworm main non-free\n",
            SIGNED,
            id="line-with-options",
        ),
    ],
)
def test_the_source_of_the_release_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, wanted: str
) -> None:
    (tmp_path / "0.list").write_text("deb http://other.example stable main\n", encoding="utf-8")
    (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(fetch_engines, "SOURCES", (str(tmp_path / "none"), str(tmp_path)))

    assert debian_source("bookworm") == wanted


def test_another_distribution_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ubuntu.sources").write_text(STANZAS.replace("bookworm", "noble"), encoding="utf-8")
    monkeypatch.setattr(fetch_engines, "SOURCES", (str(tmp_path / "none"), str(tmp_path)))

    with pytest.raises(NoSourceError, match="run this on Debian"):
        debian_source("bookworm")


def test_an_empty_home_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    without = fetch_engines.cache_folder()
    monkeypatch.setenv("HOME", "")

    assert fetch_engines.cache_folder() == without
    assert without.is_absolute()
