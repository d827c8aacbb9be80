"""Which pattern texts are refused, why, and what to write instead.

The dialect is GitHub's own for `paths:`, `branches:` and `tags:`, with `{a,b}` besides:
`*` stops at '/', `**` does not, `[a-z]` is one of the characters, a leading `!` excludes.
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet

Never matches anything: `orient_deploy.inputs.patterns` does, and may rely on what passes here:

- no `?`, `+`, backslash or control character outside a class; no extglob; no `***`;
- a class is `[`, one or more characters but ']' and '/', `]`; `!` or `^` as the first of several
  means 'none of these'; ranges go upwards inside a-z, A-Z or 0-9; every other character stands for
  itself, so `[?]`, `[+]`, `[[]` and `[!]` are those characters, as is a `]` that closes nothing;
- braces are balanced outside classes, hold at least one comma each, may nest, may hold empty
  alternatives, and make at most 1,000 texts; each of those texts is relative, without empty, '.' or
  '..' segments and without a '/' at its end.
"""

from __future__ import annotations

import re

MAX_LENGTH = 10_000
MAX_ALTERNATIVES = 1000

# Nearly every pattern is of this form, and is fine. There is one way to match a text, so a long one
# takes no longer than its length.
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))(?:[\w.@~=,-]|\*{1,2}(?!\*))+"
_PLAIN = re.compile(rf"!?{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)

Refusal = tuple[str, str]  # message, and what to write instead ('' when nobody can know)


def problem(text: str) -> Refusal | None:
    """Why this pattern is refused and what to write instead, or None when it is fine.

    The rewrite is itself fine, or ''. A bare 'auto' is for the caller to judge.

    >>> problem("./src/**")
    ("begins with './', and patterns start at the root of the repository anyway", 'src/**')
    >>> problem("src/**")
    """
    if len(text) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH:,} characters", ""
    if _PLAIN.fullmatch(text):
        return None
    found = _first(text)
    if found is None:
        return None
    message, rewrite = found
    for _ in range(10):  # one rewrite may uncover the next problem
        again = _first(rewrite) if rewrite else None
        if again is None:
            return message, rewrite
        rewrite = again[1]
    return message, ""


def list_problem(texts: list[str]) -> tuple[int, str, str] | None:
    """Why the list as a whole can match nothing: index of the entry, message, what to do.

    Later entries win, so what excludes must come after what it excludes from.
    """
    if not texts or not texts[0].startswith("!"):
        return None
    if all(text.startswith("!") for text in texts):
        return 0, "the list only excludes, so it matches nothing", "Begin it with '**'."
    return (
        0,
        "the list begins by excluding, which does nothing: the last match wins",
        "Move this entry behind the ones that it excludes from.",
    )


_BAD_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TOKEN = re.compile(r"[^\\?+*@!\[{},]+|\*+|.")
_CLASS = re.compile(r"\[([^\]/]+)\]")
_EXTGLOB = re.compile(r"[@!+?*]\(([^()/]*)\)")
_RANGE = re.compile(r"\{([a-z]\.\.[a-z]|[A-Z]\.\.[A-Z]|[0-9]\.\.[0-9])\}")


def _first(text: str) -> Refusal | None:
    """The first problem, with a rewrite that may have another."""
    bad = _BAD_CHARACTER.search(text)
    if bad:
        return f"holds the control character U+{ord(bad.group()):04X}", ""
    if text != text.strip():
        return "has blanks at its ends", text.strip()
    sign, body = ("!", text[1:]) if text.startswith("!") else ("", text)
    if not body:
        return "is empty" if not sign else "excludes nothing", ""
    if body.startswith("!"):
        return "begins with '!!', which is no pattern", "!" + body.lstrip("!")
    if sign and body.startswith("("):
        return "begins with '!(', which looks like an extended glob", f"![(]{body[1:]}"
    if body != body.lstrip():
        return "has a blank after its '!'", "!" + body.lstrip()
    scanned = _scan(body)
    found = _segments(body, scanned) if isinstance(scanned, list) else scanned
    if found is None:
        return None
    message, rewrite = found
    return message, sign + rewrite if rewrite else ""


def _scan(body: str) -> Refusal | list[str]:
    """The texts that the braces make (one without braces), or what is wrong with a character."""
    # One frame per open brace: where it opened, alternatives done, beginnings of the current one.
    frames: list[tuple[int, list[str], list[str]]] = [(-1, [], [""])]
    at = 0
    run = ""  # text since the last brace or comma; joined in one go, for it may go to many texts
    last = ""  # what a quantifier would repeat: a character, a class, or '' for neither
    while at < len(body):
        match = _TOKEN.match(body, at)
        assert match is not None  # the text has no line break, and `.` is the last branch
        token = match.group()
        start, done, texts = frames[-1]
        if token[0] in "@!+?*" and body.startswith("(", match.end()):
            return _extglob(body, match.end() - 1)
        if token == "\\":
            return _backslash(body, at)
        if token in "?+":
            return _quantifier(body, at, last)
        if token.startswith("***"):
            rewrite = body[:at] + "**" + body[match.end() :]
            return "has three or more '*' in a row, and '**' already matches everything", rewrite
        if token == "[":
            refused = _class(body, at)
            if refused:
                return refused
            closed = _CLASS.match(body, at)
            assert closed is not None  # `_class` refuses what does not close
            token = closed.group()
        at += len(token)

        if token in "{}" or (token == "," and start >= 0):
            texts[:] = [text + run for text in texts]
            run = ""
        else:
            run += token
        if token == "{":
            frames.append((at - 1, [], [""]))
        elif token == "," and start >= 0:
            done += texts
            texts[:] = [""]
        elif token == "}":
            if start < 0:
                rewrite = body[: at - 1] + "[}]" + body[at:]
                return "has a '}' that closes nothing", rewrite
            if not done:
                return _one_alternative(body, start, at)
            frames.pop()
            outer = frames[-1][2]
            outer[:] = [text + end for text in outer for end in done + texts]
            if len(outer) > MAX_ALTERNATIVES:
                return f"stands for more than {MAX_ALTERNATIVES:,} texts", ""
        last = token if token.startswith("[") else token[-1]
    start, _, texts = frames[-1]
    if start >= 0:
        return "has a '{' that is never closed", body[:start] + "[{]" + body[start + 1 :]
    return [text + run for text in texts]


def _extglob(body: str, at: int) -> Refusal:
    kind = body[at]
    message = f"uses '{kind}(…)', and extended globs mean nothing to GitHub's filters"
    whole = _EXTGLOB.match(body, at)
    if whole is None or kind not in "@?":
        return message, ""
    alternatives = whole.group(1).split("|")
    if kind == "?":
        alternatives.insert(0, "")
    braced = "{" + ",".join(alternatives) + "}" if len(alternatives) > 1 else alternatives[0]
    return message, body[:at] + braced + body[whole.end() :]


def _backslash(body: str, at: int) -> Refusal:
    escaped = body[at + 1 : at + 2]
    # GitHub's way to write such a character; before * [ { it may as well separate two names.
    if escaped and (escaped in "?+!" or (escaped in "*[{" and "/" in body)):
        message = f"has a backslash, and a literal '{escaped}' is written '[{escaped}]'"
        return message, f"{body[:at]}[{escaped}]{body[at + 2 :]}"
    message = "has a backslash, and names are separated by '/' on every system"
    if "/" not in body:  # a Windows path as a whole
        return message, body.replace("\\", "/")
    return message, f"{body[:at]}/{body[at + 1 :]}"


def _quantifier(body: str, at: int, last: str) -> Refusal:
    before = body[:at]
    if body[at] == "?":
        message = (
            "uses '?', which GitHub reads as 'the character before it, or not'; "
            "'[?]' is a question mark, '*' is any characters"
        )
        if last == "*":
            return message, before + body[at + 1 :]
        if last in ("", "/", "}", ",", "{"):
            return message, f"{before}*{body[at + 1 :]}"
        return message, f"{before[: -len(last)]}{{,{last}}}{body[at + 1 :]}"
    message = (
        "uses '+', which GitHub reads as 'the character before it, once or more'; "
        "'[+]' is a plus sign, '*' is any characters"
    )
    behind = body[at:].lstrip("+")
    signs = len(body) - at - len(behind)
    return message, before + ("*" if last.startswith("[") else "[+]" * signs) + behind


def _class(body: str, at: int) -> Refusal | None:
    """What is wrong with the class that opens here."""
    closed = _CLASS.match(body, at)
    if closed is None:
        return "has a '[' that is never closed", body[:at] + "[[]" + body[at + 1 :]
    content = closed.group(1)
    if "\\" in content:
        return "has a backslash in a class, where every character stands for itself", ""
    if "[:" in content:
        return "uses '[[:…:]]', and GitHub's classes have no names", ""
    index = 1 if content[0] in "!^" else 0
    while index + 2 < len(content):
        if content[index + 1] != "-":
            index += 1
            continue
        low, high = content[index], content[index + 2]
        same_kind = any(
            first <= low <= last and first <= high <= last for first, last in ("az", "AZ", "09")
        )
        if not same_kind or low > high:
            message = f"has the range '{low}-{high}', and ranges go upwards in a-z, A-Z or 0-9"
            if not same_kind:
                return message, ""
            place = closed.start(1) + index
            return message, f"{body[:place]}{high}-{low}{body[place + 3 :]}"
        index += 3
    return None


def _one_alternative(body: str, start: int, end: int) -> Refusal:
    inner = body[start + 1 : end - 1]
    spread = _RANGE.fullmatch(body[start:end])
    if spread:
        return "uses a range in braces", f"{body[:start]}[{inner[0]}-{inner[-1]}]{body[end:]}"
    if ".." in inner or not inner:
        return f"uses '{{{inner}}}', and braces hold texts separated by commas", ""
    return f"has only one text in '{{{inner}}}'", body[:start] + inner + body[end:]


def _segments(body: str, texts: list[str]) -> Refusal | None:
    """What is wrong with the segments of what the braces make."""
    for text in texts:
        found = _relative(text)
        if found:
            message, rewrite = found
            if texts == [body]:
                return message, rewrite
            return f"stands for '{text}', which {message}", ""
    return None


def _relative(text: str) -> Refusal | None:
    if not text:
        return "is empty", ""
    segments = text.split("/")
    if ".." in segments:
        return "has a '..' segment, and no name in a repository has one", ""
    real = "/".join(segment for segment in segments if segment not in ("", "."))
    if text.startswith("./") or text == ".":
        more = "/**" if real and text.endswith("/") else ""
        message = "begins with './', and patterns start at the root of the repository anyway"
        return message, real + more or "**"
    if text.startswith("/"):
        more = "/**" if real and text.endswith("/") else ""
        message = "begins with '/', and patterns start at the root of the repository anyway"
        return message, real + more or "**"
    if text.endswith("/"):
        return "ends with '/', and so matches no file", f"{real}/**"
    if real != text:
        return "has an empty or a '.' segment, and no name in a repository has one", real
    return None
