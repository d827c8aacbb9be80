"""Filters of dorny/paths-filter in our dialect, with every difference said.

A filter's patterns are taken one by one there, and joined by OR (`some`) or AND (`every`); here the
order decides and the last match wins. What cannot be said exactly is said wider: a translated list
never builds less than the filter it came from. (But for a file that is called as a pattern with
braces or '*' reads; picomatch takes that for a match.) Never reads a file.

Sources: dorny/paths-filter b41dfa9, src/filter.ts; picomatch 4, whose dialect those patterns have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from orient_deploy.advise.documents import Value, flat, pairs
from orient_deploy.config.globs import problem
from orient_deploy.config.problem import shown
from orient_deploy.inputs.patterns import compile_patterns, escape


@dataclass(frozen=True, kw_only=True)
class Filter:
    """One filter, translated. `patterns` may be empty: then nothing can be watched by it."""

    name: str
    source: str  # the file it stands in
    patterns: tuple[str, ...]
    differences: tuple[str, ...] = field(default=())  # each a clause for a reader


def read_filters(document: Value, *, every: bool, source: str) -> tuple[Filter, ...]:
    """The filters of a document: a mapping from names to patterns."""
    found = []
    for name, value in pairs(document):
        texts, remarks = _texts(value)
        patterns, more = translate(texts, every=every)
        found.append(
            Filter(
                name=name,
                source=source,
                patterns=tuple(patterns),
                differences=tuple(dict.fromkeys([*remarks, *more])),
            )
        )
    return tuple(found)


def _texts(value: Value) -> tuple[list[str], list[str]]:
    """The patterns of a filter; those bound to a kind of change count for every kind."""
    texts: list[str] = []
    remarks: list[str] = []
    for one in flat(value if isinstance(value, list) else [value]):
        if isinstance(one, str):
            texts.append(one)
            continue
        for kinds, patterns in pairs(one):
            texts += [text for text in flat([patterns]) if isinstance(text, str)]
            remarks.append(f"only {shown(kinds)} files count there, here every kind of change does")
    return texts, remarks


def translate(texts: Sequence[str], *, every: bool) -> tuple[list[str], list[str]]:
    """The list that selects what the patterns select there, or more; and how they differ.

    >>> translate(["src/**", "!src/**/*.md"], every=True)
    (['src/**', '!src/**/*.md'], [])
    >>> translate(["src/**", "!docs/**"], every=False)[0]
    ['**', '!docs/**', 'src/**']
    """
    included: list[str] = []
    excluded: list[str] = []
    remarks: list[str] = []
    for text in texts:
        signs = re.match(r"(?:!(?!\())*", text)
        assert signs is not None  # it matches the empty text
        negative = len(signs[0]) % 2 == 1
        pattern, remark = translate_pattern(text[signs.end() :])
        if pattern and not negative and _MAY_BE_A_PATH.fullmatch(text):
            pattern = _or_itself(pattern, text)
        if negative and _TAIL.search(pattern):
            pattern += "/*"  # there, it leaves alone a file that is called as the folder
        elif negative and _EVERYWHERE.fullmatch(pattern):
            pattern = pattern[1:]  # there, `**.md` crosses '/', and `!**.md` does not
        if negative and (remark or not pattern or "/**," in pattern or "/**}" in pattern):
            # A wider exclusion would build less.
            remarks.append(f"{shown(text)} cannot be said here and is left out")
            pattern = "**"
            negative = False
        elif remark:
            remarks.append(f"{shown(text)}: {remark}")
        if pattern:
            (excluded if negative else included).append(("!" if negative else "") + pattern)
    combine = _combine_every if every else _combine_some
    patterns, more = combine(list(dict.fromkeys(included)), list(dict.fromkeys(excluded)))
    return patterns, remarks + more


def _combine_some(included: list[str], excluded: list[str]) -> tuple[list[str], list[str]]:
    if not excluded:
        return included, []
    meant = ", ".join([*(included or ["'**'"]), *excluded])
    remark = (
        f"paths-filter takes {excluded[0]} by itself: every file but those. So the filter is true "
        f"for nearly every push; probably meant: [{meant}]"
    )
    if len(excluded) > 1:  # what one leaves out the other lets in
        return ["**"], [remark]
    again = [pattern for pattern in included if pattern != "**"]
    return ["**"] if "**" in included else ["**", excluded[0], *again], [remark]


def _combine_every(included: list[str], excluded: list[str]) -> tuple[list[str], list[str]]:
    narrow = [pattern for pattern in included if pattern != "**"]
    remarks = []
    if len(narrow) > 1:
        remarks.append(
            f"there a file must match all of {', '.join(narrow)}; here the first decides"
        )
    if not included and not excluded:
        return [], []
    return [*(narrow[:1] or ["**"]), *excluded], remarks


_TOKEN = re.compile(
    r"\\(?P<escaped>.)|(?P<open>[?@+*!]?\()|(?P<stars>\*+)|(?P<class>\[[^\]/]+\])|(?P<one>\?)"
    r"|(?P<span>\{[^{},]*\.\.[^{},]*\})|(?P<braced>\{[\w.-]*\})|(?P<plus>\+)|.",
    re.DOTALL,
)
_ORDINARY = re.compile(r"[\w.-]*", re.ASCII)
_BEYOND = re.compile(r"\A!(?!\()|\"|\*{3}|\\[\w\\]")  # read there in ways that nobody expects
_WIDE_GROUP = re.compile(r"\A\?|[/\\\[]|\*\*")  # a group with it may match more than part of a name
_TAIL = re.compile(r"[*\[{].*/\*\*\Z|/\*\*/\*\*\Z")
_EVERYWHERE = re.compile(r"\*\*\.\w+", re.ASCII)  # `**.md`: picomatch lets this one cross '/'
_PLAIN_CLASS = re.compile(r"\[(?:[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|[A-Za-z0-9_.])+\]")
_ALSO_ITSELF = re.compile(r"\[[A-Za-z0-9_]+\]")  # picomatch: one of the characters, or this text
_MAY_BE_A_PATH = re.compile(r"(?!\./)[^*?+{}()|,\\]*\[[^*?+{}()|,\\]*")
_EVERYTHING = "**", "cannot be said here: every file counts"


def translate_pattern(text: str) -> tuple[str, str]:
    """One pattern of picomatch's without its '!', in our dialect, and what is different about it.

    The pattern is '' when nothing here can stand for it, or when it matches no file.

    >>> translate_pattern("docker/Dockerfile.?"), translate_pattern("./src/**")
    (('docker/Dockerfile.*', "'*' stands for what matched one character"), ('src/**', ''))
    """
    body = text.removeprefix("./")
    if not body or _BEYOND.search(body):
        return ("", "is empty and left out") if not body else _EVERYTHING
    if _has_open_choice(body):
        return _EVERYTHING
    if body.endswith("/") or body.startswith("/"):
        return "", "matches no file there and is left out"
    if _EVERYWHERE.fullmatch(body):
        return body, ""
    parts: list[str] = []
    wider = ""
    at = 0
    while at < len(body):
        token = _TOKEN.match(body, at)
        assert token is not None  # the last branch takes any character
        kind = token.lastgroup
        at = token.end()
        part = token[0]
        if (kind == "span" or part in ("*(", "+(")) and "." in body[: token.start()]:
            return _EVERYTHING  # picomatch may forget that a dot before it is only a dot
        if kind == "escaped":
            part = _literal(token["escaped"])
        elif kind == "open":
            inside, at = _group(body, at)
            if body[at - 1 : at] != ")" or _WIDE_GROUP.search(inside):
                return _EVERYTHING
            repeated = body[at : at + 1] in ("*", "+", "?")
            part = "" if repeated else _alternatives(token["open"], inside)
            wider = wider if part else "'*' stands for an extended glob"
            part = part or "*"
        elif kind == "stars":
            # `**` crosses '/' only where it is a whole segment; elsewhere it is a '*' said twice.
            before, after = body[: token.start()][-1:], body[at : at + 1]
            whole = before in ("", "/", "{", ",") and after in ("", "/", ",", "}")
            if part == "**" and not whole and not _ORDINARY.fullmatch(before + after):
                wider = wider or "'**' crosses '/' here"
            elif part != "**" or not whole:
                part = "*"
        elif kind == "one":
            part = "*"
            wider = "'*' stands for what matched one character"
        elif kind == "braced":
            part = f"[{{]{part[1:-1]}[}}]"
        elif part in ("[", ")") or (kind == "class" and ("[" in part[1:] or "\\" in part)):
            return _EVERYTHING
        elif kind == "class" and _ALSO_ITSELF.fullmatch(part):
            part = f"{{{part},[[]{part[1:]}}}"
        elif kind == "span" or (kind == "class" and not _PLAIN_CLASS.fullmatch(part)):
            wider = f"'*' stands for {shown(part)}"
            part = "*"
        elif kind == "plus":
            if body[: token.start()].endswith("}"):
                return _EVERYTHING
            repeats = not _ORDINARY.fullmatch(body[: token.start()][-1:])
            wider = "'*' stands for a repetition" if repeats else wider
            part = "*" if repeats else "[+]"
        if part[0] == "*" and parts and parts[-1][0] == "*":
            parts[-1] = max(part, parts[-1])
        else:
            parts.append(part)
    pattern = "".join(parts)
    if wider:  # `*/**` leaves out a file that is called as the folder, what it stands for may not
        pattern = re.sub(r"\*(?:/\*\*)+\Z", "*{,/**}", pattern)
    refused = problem(pattern)
    return (pattern, wider) if refused is None else _EVERYTHING


def _or_itself(pattern: str, text: str) -> str:
    """With the path that reads like the pattern: there, such a one matches whatever it means.

    >>> _or_itself("app/[...all]/page.tsx", "app/[...all]/page.tsx")
    '{app/[...all]/page.tsx,app/[[]...all]/page.tsx}'
    """
    if compile_patterns([pattern]).matches(text):
        return pattern
    return f"{{{pattern},{escape(text)}}}"


def _has_open_choice(body: str) -> bool:
    """Whether a `|` stands outside every group: there it cuts the pattern in two."""
    return "|" in re.sub(r"\\.|\([^()]*\)", "", body)


def _literal(character: str) -> str:
    return f"[{character}]" if character in "*?+[]{}!" else character


def _group(body: str, start: int) -> tuple[str, int]:
    """What stands between the parenthesis before `start` and its partner, and where that ends."""
    depth = 1
    for at in range(start, len(body)):
        depth += {"(": 1, ")": -1}.get(body[at], 0)
        if depth == 0:
            return body[start:at], at + 1
    return body[start:], len(body)


def _alternatives(opening: str, inside: str) -> str:
    """`@(a|b)` and `?(a)` in braces; '' for what braces cannot say."""
    if opening not in ("@(", "?(") or not re.fullmatch(r"[\w.|-]+", inside, re.ASCII):
        return ""
    texts = ["", *inside.split("|")] if opening == "?(" else inside.split("|")
    return "{" + ",".join(texts) + "}" if len(texts) > 1 else texts[0]
