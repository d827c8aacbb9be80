"""Questions to a registry, and the one thing that is written: tags.

    registry = Registry(Credentials(environment=os.environ))
    registry.look_up([("ghcr.io/acme/orient/dashboard", "inputs-0a1b…"), …])

All questions of a call are asked at once, and the call ends in time whatever the registry does:
what is not known then is Unknown. What makes an answer is decided in `registry.asking`.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from urllib.parse import urljoin

from orient_deploy.errors import RemoteError
from orient_deploy.registry.access import PULL, PUSH, Access, json_object
from orient_deploy.registry.asking import Asking
from orient_deploy.registry.credentials import Credentials
from orient_deploy.registry.manifest import (
    INDEXES,
    REVISION,
    children,
    config_digest,
    labels_and_creation,
    layer_sizes,
)
from orient_deploy.registry.model import Absent, Answer, Described, Found, Unknown
from orient_deploy.registry.reference import (
    Repository,
    check_reference,
    check_tag,
    parse_repository,
)
from orient_deploy.registry.tagging import ASK_AGAIN, write_tags
from orient_deploy.registry.transport import Call, Doubt, Response, Transport

WORKERS = 64  # questions at once; each keeps a connection
TIMEOUT_S = 30.0  # for one call, whatever it asks
PAGE = 1000  # tags a page; registries give fewer as they like
MOST_PAGES = 200
DEPTH = 2  # an index of indexes is legal; deeper ones nobody builds

_T = TypeVar("_T")


class Registry:
    """All registries, in fact; connections, tokens and what was learnt of each are kept."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        timeout_s: float = TIMEOUT_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.timeout_s = timeout_s
        self._transport = Transport(connections=WORKERS, sleep=sleep)
        self._access = Access(self._transport, credentials)

    def look_up(self, wanted: Sequence[tuple[str, str]]) -> list[Answer]:
        """Whether each (repository, tag or digest) exists, all asked at once, in the same order.

        Raises:
            InputError: one of them is no name.
        """
        return self._known(wanted, lambda asking, reference: asking.found(reference))

    def describe(self, repository: str, reference: str) -> Described | Absent | Unknown:
        """What one image says of itself; see `describe_all`."""
        return self.describe_all([(repository, reference)])[0]

    def describe_all(self, wanted: Sequence[tuple[str, str]]) -> list[Described | Absent | Unknown]:
        """What each image says of itself, all asked at once; of an index, its first image.

        Raises:
            InputError: one of them is no name.
        """
        return self._known(wanted, _described)

    def is_complete(self, repository: str, reference: str) -> Answer:
        """Found only if whatever an index names is there as well; see `complete_all`."""
        return self.complete_all([(repository, reference)])[0]

    def complete_all(self, wanted: Sequence[tuple[str, str]]) -> list[Answer]:
        """The same as `look_up`, but an index with a child that is gone is Absent.

        Clean-ups that take untagged manifests away leave such indexes: they answer, and no image
        can be pulled.

        Raises:
            InputError: one of them is no name.
        """
        return self._known(wanted, _complete)

    def size_bytes(self, repository: str, reference: str) -> int | Absent | Unknown:
        """What the layers of all its platforms take, compressed, each layer counted once.

        Raises:
            InputError: one of them is no name.
        """
        return self._known([(repository, reference)], _size_bytes)[0]

    def tags(self, repository: str) -> list[str] | Unknown:
        """All tags, sorted; none for a repository that does not exist.

        Raises:
            InputError: it is no name.
        """
        found = self._ask_all([parse_repository(repository)], PULL, [_tags])[0]
        return Unknown(found.clause) if isinstance(found, Doubt) else found

    def tag(self, repository: str, source: str, tags: Sequence[str]) -> str:
        """Let each tag name what `source` (a tag or digest) names, in this order; its digest.

        Raises:
            InputError: one of them is no name.
            TagRefused: a tag names something else, and may not be moved.
            RemoteError: it could not be read or written; the tags before may have been written.
        """
        parsed = parse_repository(repository)
        check_reference(source)
        for one in tags:
            check_tag(one)
        what = f"{parsed.name} could not be tagged"
        question = partial(write_tags, source=source, tags=tags, what=what)
        digest = self._ask_all([parsed], PUSH, [question])[0]
        if isinstance(digest, Doubt):
            next_step = digest.advice[:1].upper() + digest.advice[1:]
            raise RemoteError(what, digest.why, next_step or ASK_AGAIN) from None
        return digest

    def _known(
        self, wanted: Sequence[tuple[str, str]], question: Callable[[Asking, str], _T]
    ) -> list[_T | Unknown]:
        """The answer to a question about each of many manifests; Unknown for a doubt."""
        parsed = [(parse_repository(name), check_reference(one)) for name, one in wanted]
        questions = [
            lambda asking, reference=reference: question(asking, reference)
            for _, reference in parsed
        ]
        answers = self._ask_all([repository for repository, _ in parsed], PULL, questions)
        return [Unknown(one.clause) if isinstance(one, Doubt) else one for one in answers]

    def _ask_all(
        self,
        repositories: Sequence[Repository],
        actions: str,
        questions: Sequence[Callable[[Asking], _T]],
    ) -> list[_T | Doubt]:
        """The answer to a question about each repository; a doubt for what is late, too.

        The threads are left behind at the end of the time: a name that does not resolve and a
        server that sends a byte a second must hold nobody.
        """
        call = Call(self.timeout_s)
        answers: list[_T | Doubt] = [call.late() for _ in questions]
        waiting = iter(range(len(questions)))
        lock = threading.Lock()
        done: queue.SimpleQueue[tuple[int, _T | BaseException]] = queue.SimpleQueue()

        def work() -> None:
            while call.left_s > 0:
                with lock:
                    at = next(waiting, None)
                if at is None:
                    return
                try:
                    asking = Asking(self._transport, self._access, repositories[at], call, actions)
                    done.put((at, questions[at](asking)))
                except BaseException as error:  # raised again where somebody waits for it
                    done.put((at, error))

        for _ in range(min(WORKERS, len(questions))):
            threading.Thread(target=work, name="registry", daemon=True).start()
        for _ in questions:
            try:
                at, answer = done.get(timeout=max(0.0, call.left_s))
            except queue.Empty:
                self._transport.cut()
                break
            if isinstance(answer, BaseException) and not isinstance(answer, Doubt):
                raise answer
            answers[at] = answer
        return answers


def _described(asking: Asking, reference: str) -> Described | Absent | Unknown:
    top, content = asking.content(reference)
    found, depth = top, 0
    while isinstance(found, Found) and found.media_type in INDEXES:
        images = [one for one in children(content) or () if not one.attestation]
        if not images or depth == DEPTH:
            return Unknown(f"{asking.repository.name} names an index without an image")
        found, content = asking.content(images[0].digest)
        depth += 1
    if not isinstance(top, Found) or not isinstance(found, Found):
        return Absent()
    config = config_digest(content)
    if not config:
        return Unknown(f"{asking.repository.name} names a manifest without a configuration")
    blob = asking.blob(config)
    if isinstance(blob, Absent):
        return blob
    labels, created = labels_and_creation(blob)
    revision = labels.get(REVISION, "")
    return Described(digest=top.digest, revision=revision, created=created, labels=labels)


def _complete(asking: Asking, reference: str, depth: int = DEPTH) -> Answer:
    answer = asking.found(reference)
    if not isinstance(answer, Found) or answer.media_type not in INDEXES:
        return answer
    again, content = asking.content(answer.digest)
    if not isinstance(again, Found):
        return again
    listed = children(content)
    if listed is None or not depth:
        return Unknown(f"{asking.repository.name} names an index that cannot be read")
    for child in listed:
        part = _complete(asking, child.digest, depth - 1)
        if not isinstance(part, Found):
            return part
    return answer


def _size_bytes(asking: Asking, reference: str) -> int | Absent | Unknown:
    found, content = asking.content(reference)
    if not isinstance(found, Found):
        return found
    if found.media_type not in INDEXES:
        return sum(layer_sizes(content).values())
    layers: dict[str, int] = {}
    for image in children(content) or ():
        if not image.attestation:
            child, content = asking.content(image.digest)
            if not isinstance(child, Found):
                return child
            layers |= layer_sizes(content)
    return sum(layers.values())


def _tags(asking: Asking) -> list[str] | Unknown:
    found: set[str] = set()
    path = f"tags/list?n={PAGE}"
    for _ in range(MOST_PAGES):
        response = asking.ask("GET", path)
        if response.status == 404 and not found and asking.missing(response):
            return []
        listed = json_object(response.body).get("tags", "none")
        if response.status != 200 or not isinstance(listed, (list, type(None))):
            raise Doubt(f"{asking.host.name} gave no list of tags for {asking.repository.path}")
        found.update(one for one in listed or () if isinstance(one, str))
        path = _next_page(response, asking)
        if not path:
            return sorted(found)
    raise Doubt(f"{asking.repository.name} has more tags than {MOST_PAGES} pages hold")


def _next_page(response: Response, asking: Asking) -> str:
    """What to ask for next, from the header `Link`; '' at the end.

    Raises:
        Doubt: the next page is said to be anywhere but here.
    """
    link = re.search(r'<([^<>]*)>[^<>]*;\s*rel="?next"?', response.headers.get("Link", ""))
    if not link:
        return ""
    here = f"{asking.host.base}/v2/{asking.repository.path}/"
    there: str = urljoin(f"{here}tags/list", link[1])
    if not re.fullmatch(rf"{re.escape(here)}tags/list\?[!-~]+", there):
        raise Doubt(f"{asking.host.name} continues its list of tags at another place")
    return there[len(here) :]
