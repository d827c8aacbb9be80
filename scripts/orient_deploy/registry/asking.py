"""One repository, asked within one call: its manifests, its blobs, and what a refusal means.

**Only the registry itself can say that something is absent**, and only with a 404 that is its own:
one that carries the registry's mark (`Docker-Distribution-Api-Version`), or whose body is a list of
errors as registries write it, or else a plain one from a host whose `/v2/` still answers as a
registry does. A web page, JSON of another form, or a 404 from where a redirect led is somebody
else's: a proxy's, a gateway's, a login page's. So an outage is never taken for an absence, and a
registry that says little about an absence is still believed.

A refusal (401, 403) is never an absence, although some registries refuse what is not there: the
docker hub a repository that does not exist. That is unknown until its first image is pushed.

Measured of distribution 2.8: mark and list. Of the others nothing could be measured here; by what
is reported of them GHCR, ECR, Artifact Registry, ACR, GitLab, Quay and Artifactory send such a list
too, and Harbor one whose code is NOT_FOUND. The specification allows a 404 with any body or none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orient_deploy.registry.access import PULL, Access, challenges, is_marked, json_object
from orient_deploy.registry.manifest import ACCEPT, IMAGES, INDEXES, MANIFEST_MAX, digest_of
from orient_deploy.registry.model import Absent, Answer, Found
from orient_deploy.registry.reference import Repository, is_digest
from orient_deploy.registry.transport import Call, Doubt, Response, Transport

# A 404 with one of these is about us, and not about what we asked for.
_NO_ABSENCE = frozenset(("UNAUTHORIZED", "DENIED", "TOOMANYREQUESTS", "UNSUPPORTED", "UNAVAILABLE"))


class Asking:
    """Every method raises Doubt for an answer that cannot be believed."""

    def __init__(
        self,
        transport: Transport,
        access: Access,
        repository: Repository,
        call: Call,
        actions: str = PULL,
    ) -> None:
        self._transport = transport
        self._access = access
        self.repository = repository
        self.call = call
        self._actions = actions
        self.host = access.host(repository, call)

    def found(self, reference: str) -> Answer:
        """Whether there is such a manifest; its content is read only where the headers say too
        little of it."""
        response = self._manifest("HEAD", reference)
        if response.status in (405, 501):
            return self.content(reference)[0]
        if response.status != 200:
            return self._not_found(reference, response)
        digest = response.headers.get("Docker-Content-Digest", "")
        size = response.headers.get("Content-Length", "")
        media_type = self._checked_type(response)
        if not is_digest(digest) or not re.fullmatch(r"[1-9][0-9]{0,8}", size):
            return self.content(reference)[0]
        if is_digest(reference) and digest != reference:
            raise Doubt(f"{self.host.name} answered with another digest than it was asked for")
        return Found(digest, media_type, int(size))

    def content(self, reference: str) -> tuple[Answer, bytes]:
        """A manifest's bytes, compared with every digest that is known of them."""
        response = self._manifest("GET", reference)
        if response.status != 200:
            return self._not_found(reference, response), b""
        media_type = self._checked_type(response)
        told = response.headers.get("Docker-Content-Digest", "")
        wanted = next((one for one in (reference, told) if is_digest(one)), "")
        digest = digest_of(response.body, wanted)
        if wanted and digest != wanted:
            raise Doubt(f"{self.host.name} sent bytes that have another digest than they should")
        return Found(digest, media_type, len(response.body)), response.body

    def blob(self, digest: str) -> bytes | Absent:
        """A small blob's bytes."""
        response = self.ask("GET", f"blobs/{digest}")
        if response.status == 404:
            return Absent()
        if response.status != 200 or digest_of(response.body, digest) != digest:
            raise Doubt(f"{self.host.name} did not give a part of {self.repository.path}")
        return response.body

    def missing(self, response: Response) -> bool:
        """Whether a 404 to a GET is the registry's own.

        Raises:
            Doubt: it is not, or may not be.
        """
        codes = [code for code, _ in errors(response)]
        page = response.body.lstrip()[:1] == b"<" or "html" in response.media_type
        if not page and not response.elsewhere and _NO_ABSENCE.isdisjoint(codes):
            if codes or is_marked(response):
                return True
            if "json" not in response.media_type and self._access.still_registry(
                self.host, self.call
            ):
                return True
        raise Doubt(f"the 404 of {self.host.name} is not a registry's: a proxy may have sent it")

    def refused(self, said: str) -> Doubt:
        """What the registry said, and what to do about it."""
        return self._access.refusal(self.host, self.repository, said, self._actions)

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """The registry's answer to who we are; with a new token once, when the first is refused."""
        url = f"{self.host.base}/v2/{self.repository.path}/{path}"
        access = (self.host, self.repository, self._actions, self.call)

        def send(authorization: str) -> Response:
            return self._transport.fetch(
                method,
                url,
                self.call,
                headers=headers or {},
                authorization=authorization,
                body=body,
                limit=MANIFEST_MAX,
                follow=method in ("GET", "HEAD"),
            )

        authorization = self._access.authorization(*access)
        response = send(authorization)
        if response.status == 401 and (again := challenges(response)):
            other = self._access.authorization(*access, refused=authorization, asked=again)
            if other != authorization:
                response = send(other)
        if response.status in (401, 403) and method != "PUT":
            raise self.refused(f"answered {response.status} for {self.repository.path}")
        return response

    def _manifest(self, method: str, reference: str) -> Response:
        return self.ask(method, f"manifests/{reference}", headers={"Accept": ACCEPT})

    def _not_found(self, reference: str, response: Response) -> Absent:
        if response.status == 404 and is_marked(response) and not response.elsewhere:
            return Absent()
        if response.status == 404 and not response.body:  # as that of every HEAD
            response = self._manifest("GET", reference)
        if response.status != 404:
            raise Doubt(f"{self.host.name} answered {response.status} for {self.repository.path}")
        self.missing(response)
        return Absent()

    def _checked_type(self, response: Response) -> str:
        if response.media_type not in INDEXES + IMAGES:
            raise Doubt(f"{self.host.name} answered with what is no image manifest")
        return response.media_type


def errors(response: Response) -> Sequence[tuple[str, str]]:
    """Codes and messages, when the body is a list of errors as registries write it."""
    listed = json_object(response.body).get("errors")
    return [
        (one["code"], str(one.get("message") or ""))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and isinstance(one.get("code"), str)
    ]
