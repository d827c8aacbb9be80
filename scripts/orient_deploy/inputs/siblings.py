"""Which images of a configuration are built on which others of it.

By what their Dockerfiles start from and copy from. Never decides which of them has to be built.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orient_deploy.config.model import Image

# An image without a repository goes to ghcr.io/<owner>/<name of the repository>/<image>. Whose
# that is must not matter here: a digest is the same in a fork and on a laptop.
_DEFAULT_REGISTRY = "ghcr.io"


class Siblings:
    """Which images stand directly or through others below which, by name."""

    def __init__(self, images: Iterable[Image], bases: Mapping[str, Iterable[str]]) -> None:
        """`bases` are the references that each image starts from or copies from."""
        names: dict[str, str] = {}
        for image in images:
            if image.repository:
                names[_full_name(image.repository)] = image.name
            else:
                names[f"{_DEFAULT_REGISTRY}/*/*/{image.name}"] = image.name
        self._direct = {
            name: frozenset(
                sibling for one in references if (sibling := _named(one, names)) is not None
            )
            - {name}
            for name, references in bases.items()
        }
        self._all: dict[str, frozenset[str]] = {}

    def digests(self, own: Callable[[str, Mapping[str, str]], str]) -> dict[str, str]:
        """The digest of each image, given what makes one of its own parts and of its siblings'.

        No digest can hold itself. Images that are built on each other in a circle each hold all
        the others of the circle, by the digests that those have without any of the circle.
        """
        found: dict[str, str] = {}

        def digest(name: str) -> str:
            if name not in found:
                circle = {one for one in self._below(name) if name in self._below(one)} - {name}
                held = {one: outside(one, circle | {name}) for one in circle}
                held.update((one, digest(one)) for one in self._direct[name] - circle)
                found[name] = own(name, held)
            return found[name]

        def outside(name: str, circle: set[str]) -> str:
            return own(name, {one: digest(one) for one in self._direct[name] - circle})

        return {name: digest(name) for name in self._direct}

    def _below(self, name: str) -> frozenset[str]:
        """All that an image is built on."""
        if name not in self._all:
            seen: set[str] = set()
            pending = [*self._direct[name]]
            while pending:
                one = pending.pop()
                if one not in seen:
                    seen.add(one)
                    pending += self._direct[one]
            self._all[name] = frozenset(seen)
        return self._all[name]


def _named(reference: str, names: Mapping[str, str]) -> str | None:
    """The image that a reference means; one with a digest means what was built once."""
    if "@" in reference:
        return None
    repository = repository_of(_full_name(reference))
    found = names.get(repository)
    if found is None:
        parts = repository.split("/")
        if len(parts) == 4:
            found = names.get("/".join([parts[0], "*", "*", parts[3]]))
    return found


def _full_name(reference: str) -> str:
    """A reference with the registry that Docker takes where none is named.

    >>> _full_name("node:22"), _full_name("acme/base"), _full_name("localhost:5000/base")
    ('docker.io/library/node:22', 'docker.io/acme/base', 'localhost:5000/base')
    """
    host, slash, rest = reference.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = "docker.io", reference
    if host == "index.docker.io":
        host = "docker.io"
    if host == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return f"{host}/{rest}"


def repository_of(reference: str) -> str:
    """An image reference without its tag and digest.

    >>> repository_of("localhost:5000/acme/base:v1@sha256:00"), repository_of("node:22")
    ('localhost:5000/acme/base', 'node')
    """
    name = reference.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]
