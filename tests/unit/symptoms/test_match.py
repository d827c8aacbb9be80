"""Streams of bytes, cut anywhere and of any content, against the catalogue."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.commands.catalogue import load_catalogue
from orient_deploy.symptoms import Diagnosis, Matcher, Source, rollback_cures
from orient_deploy.symptoms.match import APART_MAX, LINE_MAX_BYTES, LINES_MAX, without_secrets
from orient_deploy.symptoms.signature import ATTEMPTS_MAX, RUN_MAX, Signature
from tests.fakes.canary import leaks

CATALOGUE = load_catalogue()
LOG = Source(name="log")
REFUSED = b"Error: connect ECONNREFUSED 10.0.0.7:6379\n"
UPSTREAM = b'[emerg] 1#1: host not found in upstream "orienter-opencode-staging:5099" in x:4\n'
MISSING = b"Error: DASHBOARD_JWT_SECRET environment variable is required\n"
SECRET = "canary/Zx81swordfish0fThisFile"


def found(*pieces: bytes, source: Source = LOG) -> tuple[Diagnosis, ...]:
    matcher = Matcher(CATALOGUE)
    for piece in pieces:
        matcher.feed(source, piece)
    return matcher.diagnoses()


def facts(*pieces: bytes) -> list[tuple[object, ...]]:
    return [
        (one.entry.id, one.captures, one.service, one.line, one.count, one.excerpt)
        for one in found(*pieces)
    ]


# --- lines


def test_the_line_and_the_number_of_lines_are_told() -> None:
    (one,) = found(b"one\ntwo\n" + UPSTREAM + b"four\n" + UPSTREAM)

    assert (one.line, one.count, one.entry.id) == (3, 2, "nginx-upstream-unknown")
    assert one.captures == (("host", "orienter-opencode-staging"),)
    assert one.excerpt == 'host not found in upstream "orienter-opencode-staging:5099"'


@pytest.mark.parametrize(
    ("line", "service"),
    [
        pytest.param(MISSING, "", id="bare"),
        pytest.param(b"2026-11-24T02:15:55.3714027Z " + MISSING, "", id="github"),
        pytest.param(b"\xef\xbb\xbf2026-11-24T02:15:55.3714027Z " + MISSING, "", id="github-first"),
        pytest.param(b"dashboard-1  | " + MISSING, "dashboard", id="compose"),
        pytest.param(b"\x1b[36mdashboard-1  | \x1b[0m" + MISSING, "dashboard", id="compose-colour"),
        pytest.param(
            b"2026-11-24T02:15:55.3714027Z orienter-bot  | 2026-11-24T02:15:55.371202740Z "
            + MISSING,
            "orienter-bot",
            id="compose-in-github-with-times",
        ),
        pytest.param(b"#12 0.345 " + MISSING, "", id="buildkit"),
        pytest.param(b'{"level":50,"msg":"' + MISSING.strip() + b'"}\n', "", id="json"),
        pytest.param(MISSING.replace(b" env", b"\x1b[1m env\x1b[22m"), "", id="colours-inside"),
        pytest.param(MISSING.strip() + b"\r\n", "", id="crlf"),
    ],
)
def test_what_stands_around_the_words_does_not_hide_them(line: bytes, service: str) -> None:
    (one,) = found(line)

    assert (one.entry.id, one.service) == ("variable-missing", service)
    assert one.captures == (("variable", "DASHBOARD_JWT_SECRET"),)


@pytest.mark.parametrize(
    "line",
    [
        b"\x1b[36;1mtest -n \"$X\" || echo 'X environment variable is required'\x1b[0m",
        b"2026-11-24T02:15:55.3714027Z \x1b[36;1mgrep 'no such service: a' log\x1b[0m",
        b"2026-11-24T02:15:55.3714027Z ##[group]Run grep 'no such service: a' log",
        b"2026-11-24T02:15:55.3714027Z ##[command]/usr/bin/grep 'no such service: a' log",
    ],
)
def test_what_a_step_is_about_to_run_is_no_complaint(line: bytes) -> None:
    assert found(line + b"\n") == ()
    assert [one.entry.id for one in found(line + b"\n" + UPSTREAM)] == ["nginx-upstream-unknown"]


def test_a_container_in_bright_cyan_is_heard() -> None:
    (one,) = found(b"\x1b[36;1mdashboard-1  | \x1b[0m" + MISSING)

    assert one.service == "dashboard"


def test_quotes_inside_a_line_of_json_are_quotes() -> None:
    (one,) = found(b'{"msg":"database \\"whatsapp_bot_0\\" does not exist"}\n')

    assert one.captures == (("database", "whatsapp_bot_0"),)


def test_a_line_that_must_begin_so_may_have_a_time_in_front() -> None:
    (one,) = found(b"2026-11-24T02:15:55.3714027Z exec /start.sh: no such file or directory\n")

    assert one.entry.id == "interpreter-missing"


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n", b""])
def test_any_end_of_a_line_ends_it(end: bytes) -> None:
    (one,) = found(end.join([b"first", UPSTREAM.strip()]) if end else UPSTREAM.strip())

    assert one.line == (2 if end else 1)


def test_a_line_counts_up_to_its_limit() -> None:
    before = b"x" * (LINE_MAX_BYTES - 100)

    assert len(found(before + UPSTREAM)) == 1
    assert found(before + b"x" * 80 + UPSTREAM) == ()
    assert found(before, b"x" * 80, UPSTREAM) == ()
    (one,) = found(b"x" * 5_000_000, b"x\n", UPSTREAM)
    assert one.line == 2


PARTS = st.sampled_from(
    [
        *(UPSTREAM, MISSING, REFUSED, MISSING.strip(), b"host not found in upstream "),
        *(b"\n", b"\r", b"\r\n", b"\x00", b"\xff", b"\x1b[31m", b"\x1b[", b'\\"', b"a | "),
        *(b"x" * 40_000, b"2026-11-24T02:15:55.3714027Z "),
    ]
)


@given(st.lists(PARTS, max_size=12), st.lists(st.integers(0, 200_000), max_size=5))
def test_where_a_stream_is_cut_does_not_matter(parts: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(parts)
    places = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]

    pieces = [whole[a:b] for a, b in pairwise(places)]

    assert facts(*pieces) == facts(whole)


@given(st.binary(max_size=3000))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    for one in found(data + UPSTREAM + data):
        assert "\n" not in one.excerpt


# --- what is said of them


def test_a_cause_is_shown_before_a_consequence_that_was_told_first() -> None:
    assert [one.entry.id for one in found(REFUSED + MISSING)] == [
        "variable-missing",
        "connection-refused",
    ]


def test_the_same_in_two_sources_is_counted_once() -> None:
    matcher = Matcher(CATALOGUE)
    matcher.feed(Source(name="job", kind="job"), UPSTREAM)
    matcher.feed(Source(name="nginx", kind="container", service="nginx"), UPSTREAM)

    (one,) = matcher.diagnoses()

    assert (one.count, one.source.name, one.service) == (2, "job", "nginx")


def test_whose_log_it_is_says_whose_fault_it_is_unless_the_words_do() -> None:
    source = Source(name="orienter-bot", kind="container", service="bot-slack")

    assert found(MISSING, source=source)[0].service == "bot-slack"
    conflict = b'Conflict. The container name "/orienter-x" is already in use by container "e1"\n'
    assert found(conflict, source=source)[0].service == "orienter-x"


def test_what_is_no_name_of_a_service_is_none() -> None:
    (one,) = found(b"no such service: x$(reboot)\n")

    assert (one.service, one.command) == ("", "docker compose config --services")


def test_a_kind_of_source_may_be_none_of_an_entry() -> None:
    line = b'{"Status":"restarting"}\n'

    assert found(line, source=Source(name="x", kind="job")) == ()
    assert len(found(line, source=Source(name="x", kind="state"))) == 1
    assert len(found(line)) == 1  # a file that somebody gives may be anything


def test_a_flood_of_one_thing_is_one_diagnosis() -> None:
    lines = b"".join(
        b"Error: getaddrinfo ENOTFOUND h%d.example\n" % number for number in range(30_000)
    )

    diagnoses = found(lines)

    assert len(diagnoses) == APART_MAX
    assert sum(one.count for one in diagnoses) == LINES_MAX


def test_a_signature_that_is_nearly_told_often_is_still_told_at_last() -> None:
    near = b"Error: $ environment variable is required\n" * (LINES_MAX + 5)

    (one,) = found(near, MISSING)

    assert one.line == LINES_MAX + 6


# --- whether to go back


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param(b"", None, id="nothing-known"),
        pytest.param(b"Missing parameter name at index 1: *\n", True, id="yes"),
        pytest.param(UPSTREAM, False, id="no"),
        pytest.param(MISSING, None, id="depends"),
        pytest.param(b"Missing parameter name at index 1: *\n" + UPSTREAM, False, id="yes-and-no"),
        pytest.param(b"Missing parameter name at index 1: *\n" + MISSING, None, id="yes-or-not"),
        pytest.param(
            b"Missing parameter name at index 1: *\n" + REFUSED, True, id="consequences-end-with-it"
        ),
        pytest.param(b"Found orphan containers ([a]) for this project\n", False, id="consequence"),
    ],
)
def test_a_rollback_cures_when_it_cures_every_cause(log: bytes, expected: bool | None) -> None:
    assert rollback_cures(found(log)) is expected


# --- what is shown


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(f"getaddrinfo ENOTFOUND x {SECRET}", id="after"),
        pytest.param(f'PASSWORD={SECRET} host not found in upstream "db:1"', id="before"),
        pytest.param(f"Failed to connect to db port {SECRET} after 1 ms: no", id="inside"),
        pytest.param(f"no such service: {SECRET}1", id="captured"),
        pytest.param(f"no such service: postgres://u:{SECRET}@db/x", id="in-an-address"),
        pytest.param(f'Missing script: "KEY={SECRET}"', id="assigned"),
        pytest.param(f'Missing script: "password: {SECRET}"', id="said"),
        pytest.param(f"getaddrinfo ENOTFOUND u:{SECRET}@db", id="in-front-of-a-host"),
        pytest.param(f'Missing script: "u:{SECRET}@db"', id="a-login"),
        pytest.param("No such image: ghp_0123456789abcdef", id="token"),
        pytest.param("no such service: 0b2f1c3e-ghp_-4d5e-6f70-8192a3b4c5d6", id="uuid"),
    ],
)
def test_what_looks_like_a_secret_is_not_shown(line: str) -> None:
    for one in found(line.encode()):
        shown = repr(one) + one.title + one.cause + one.fix + one.command
        assert leaks(SECRET, shown) == []
        assert "ghp_" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "/app/packages/dashboard/dist/server/index.js",
        "ghcr.io/acme/orient/dashboard@sha256:" + "4f2c1ab7" * 8,
        "orienter-bot-whatsapp-staging",
        "DASHBOARD_JWT_SECRET_STAGING",
        "R2_SECRET_ACCESS_KEY",
        "GOOGLE_OAUTH2_CALLBACK_URL",
        "orienter-bot-2-whatsapp-staging",
        "/etc/nginx/conf.d/default.conf:4",
    ],
)
def test_what_people_named_is_shown(text: str) -> None:
    assert without_secrets(text) == text


BEGUN = [
    signature
    for entry in CATALOGUE.entries
    for signature in entry.signatures
    if signature.before is not None and signature.before.name
]


@pytest.mark.parametrize("signature", BEGUN, ids=[one.text[:40] for one in BEGUN])
def test_a_name_does_not_begin_inside_of_a_word(signature: Signature) -> None:
    """What stands in front of it would be left out, and a piece of a secret shown as a name."""
    words = signature.text.lstrip("^")
    line = words[words.index("}") + 1 :]
    for number in ("{length:number}", "{code:number}"):
        line = line.replace(number, "137")

    whole, piece = signature.find(f"NAME{line}"), signature.find(f"hunter2!NAME{line}")

    assert whole and whole.captures[0][1] == "NAME"
    assert piece is None or piece.captures[0][1] != "NAME"


@given(st.text(alphabet="abc$`;|&<>(){}\"'\\ \n-=@/:.", min_size=1, max_size=40))
def test_a_command_to_copy_runs_nothing_of_a_log(text: str) -> None:
    """A foreign word stands in it only when a shell reads it as itself."""
    for one in found(f'host not found in upstream "{text}"'.encode()):
        (name,) = (value for key, value in one.captures if key == "host")
        assert f"docker_orienter-network {name}\n" in one.command or " HOST\n" in one.command
        assert not set(name) & set("$`;|&<>() \n") or " HOST\n" in one.command


# --- time and memory


class Counted(str):
    """A line that counts the characters that are looked at."""

    cost = 0

    def find(self, *given: object) -> int:
        at = super().find(*given)  # type: ignore[arg-type]  # whatever was given
        begin = int(str(given[1])) if len(given) > 1 else 0
        last = min(int(str(given[2])), len(self)) if len(given) > 2 else len(self)
        Counted.cost += (last if at < 0 else at + len(str(given[0]))) - begin
        return at

    def __getitem__(self, place: object) -> str:
        piece = super().__getitem__(place)  # type: ignore[index]  # the same
        Counted.cost += len(piece)
        return piece


LITERALS = st.text(alphabet="ab ", min_size=4, max_size=6)
KINDS = st.sampled_from(["{%s}", "{%s:text}", "{%s:name}", "{%s:path}", "{%s:number}"])


@given(
    st.lists(st.tuples(LITERALS, KINDS), min_size=1, max_size=5),
    st.text(alphabet="ab ", min_size=1, max_size=8),
    st.booleans(),
)
def test_no_signature_costs_more_than_its_length_times_a_constant(
    pieces: list[tuple[str, str]], unit: str, leads: bool
) -> None:
    text = ("{z:name}" if leads else "") + "".join(
        literal + kind % chr(ord("c") + place) for place, (literal, kind) in enumerate(pieces)
    )
    signature = Signature.parse(text)
    bound = ATTEMPTS_MAX * (len(pieces) + 1) * 4 * (RUN_MAX + 10)

    for line in (unit * 4000, pieces[0][0] * 4000, "".join(a for a, _ in pieces) * 4000):
        Counted.cost = 0
        signature.find(Counted(line))

        assert Counted.cost <= 2 * len(line) + bound


def test_memory_does_not_grow_with_the_log() -> None:
    block = (b"12:00 some words of a log that nobody needs to read\n" * 20_000 + UPSTREAM)[
        : 1 << 20
    ]
    matcher = Matcher(CATALOGUE)
    matcher.feed(LOG, block)
    tracemalloc.start()
    try:
        for _ in range(8):
            matcher.feed(LOG, block)
            matcher.feed(Source(name="no line ends"), b"x" * (1 << 20))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * (1 << 20)
