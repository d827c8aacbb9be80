"""Secrets and variables of a repository or of one of its environments, at GitHub's REST API.

Decides nothing. A secret leaves this machine in a box that only GitHub can open, and no value gets
into a message.

Source: GitHub REST API, "Actions secrets" and "Actions variables".
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal
from urllib.parse import quote

from orient_deploy.errors import EnvironmentLacks
from orient_deploy.github.api import PAGE, Api, github_api
from orient_deploy.hidden import Hidden

PAGE_OF_VARIABLES = 30  # the most that the API gives at once
MOST_PAGES = 40

Answer = Literal["written", "refused"]


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """What secrets are sealed for."""

    id: str
    key: str  # base64 of 32 bytes


class Store:
    """The secrets and variables of one scope.

    Every method raises RemoteError when GitHub refused, or gave no usable answer after three tries.
    """

    def __init__(self, api: Api, repository: str, environment: str = "") -> None:
        """`environment` is the GitHub environment's name; '' for the repository itself."""
        self._api = api
        if environment:
            base = f"/repos/{repository}/environments/{quote(environment, safe='')}"
            self._secrets, self._variables = f"{base}/secrets", f"{base}/variables"
        else:
            self._secrets = f"/repos/{repository}/actions/secrets"
            self._variables = f"/repos/{repository}/actions/variables"

    def secrets(self) -> dict[str, str]:
        """When each secret was last written, as GitHub tells it."""
        return {
            str(row["name"]): str(row.get("updated_at") or "")
            for row in self._rows(self._secrets, "secrets", PAGE)
        }

    def variables(self) -> dict[str, Hidden]:
        """What each variable says."""
        return {
            str(row["name"]): Hidden(str(row.get("value") or ""))
            for row in self._rows(self._variables, "variables", PAGE_OF_VARIABLES)
        }

    def variable(self, name: str) -> Hidden | None:
        """What one variable says; None when there is none."""
        found = self._api.find(f"{self._variables}/{name}")
        if found is None:
            return None
        if not isinstance(found, dict) or not isinstance(found.get("value"), str):
            raise self._api.failed("the answer holds no value")
        return Hidden(found["value"])

    def public_key(self) -> PublicKey:
        """What secrets have to be sealed for now."""
        found = self._api.get(f"{self._secrets}/public-key", {})
        if isinstance(found, dict):
            key, key_id = found.get("key"), found.get("key_id")
            if isinstance(key, str) and isinstance(key_id, str):
                return PublicKey(id=key_id, key=key)
        raise self._api.failed("the answer holds no public key")

    def put_secret(self, name: str, value: Hidden, key: PublicKey) -> Answer:
        """Create or replace a secret.

        'refused' (422): the name, the value, or a key that GitHub has replaced since.
        """
        body = {"encrypted_value": self._sealed(value, key), "key_id": key.id}
        status = self._api.send("PUT", f"{self._secrets}/{name}", body, returned=(422,))
        return "refused" if status == 422 else "written"

    def written_at(self, name: str) -> str:
        """When a secret was last written, as GitHub tells it; '' when it is not there."""
        found = self._api.find(f"{self._secrets}/{name}")
        return str(found.get("updated_at") or "") if isinstance(found, dict) else ""

    def delete_secret(self, name: str) -> None:
        """Have no such secret, whether there was one or not."""
        self._api.send("DELETE", f"{self._secrets}/{name}", returned=(404,))

    def put_variable(self, name: str, value: Hidden) -> Answer:
        """Create or replace a variable. 'refused' (422): its name or value."""
        body = {"name": name, "value": value.reveal()}
        status = self._api.send("PATCH", f"{self._variables}/{name}", body, returned=(404, 422))
        if status == 404:
            # 409: a first try of ours, or somebody else, has made it by now.
            status = self._api.send("POST", self._variables, body, returned=(409, 422))
            if status == 409:
                path = f"{self._variables}/{name}"
                status = self._api.send("PATCH", path, body, returned=(422,))
        return "refused" if status == 422 else "written"

    def _rows(self, path: str, name: str, size: int) -> Iterator[dict[str, object]]:
        for page in range(1, MOST_PAGES + 1):
            answer = self._api.get(path, {"per_page": str(size), "page": str(page)})
            listed = answer.get(name) if isinstance(answer, dict) else None
            if not isinstance(listed, list):
                raise self._api.failed(f"the answer holds no list of {name}")
            yield from (row for row in listed if isinstance(row, dict) and "name" in row)
            if len(listed) < size:
                return
        raise self._api.failed(f"there are more than {MOST_PAGES * size:,} {name}")

    def _sealed(self, value: Hidden, key: PublicKey) -> str:
        from nacl.public import PublicKey as Curve25519
        from nacl.public import SealedBox

        text = value.reveal().encode()
        with suppress(Exception):  # not 32 bytes in base64, or no point of the curve
            box = SealedBox(Curve25519(base64.b64decode(key.key, validate=True)))
            return base64.b64encode(box.encrypt(text)).decode("ascii")
        raise self._api.failed("its public key is none")


def require_sealing() -> None:
    """Raises EnvironmentLacks where secrets cannot be written: it needs PyNaCl."""
    if find_spec("nacl") is None:
        raise EnvironmentLacks(
            "secrets cannot be sealed for GitHub",
            "PyNaCl is not installed for this Python",
            "Install it, or start this by `scripts/run`, which brings it along",
        )


@contextmanager
def secrets_store(
    api_url: str,
    repository: str,
    environment: str,
    token: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Store]:
    """Begin a conversation about one scope.

    The token needs 'Secrets' and 'Variables' of the repository (read and write), or 'Environments'
    for those of an environment. The GITHUB_TOKEN of a workflow cannot have them.
    """
    scope = f"environment {environment!a}" if environment else "repository"
    what = f"the secrets of the {scope} could not be reached"
    needed = "Environments" if environment else "Secrets and Variables"
    advice = (
        f"Give a fine-grained token or one of a GitHub App that may read and write {needed}; a "
        "workflow's own GITHUB_TOKEN cannot"
    )
    meanings = {}
    if environment:
        why = "the repository has no such environment, or the token may not see it"
        meanings[404] = (
            f"GitHub answered 404: {why}",
            f"Create it in the repository's settings. {advice}",
        )
    with github_api(
        api_url, token, what=what, advice=advice, sleep=sleep, meanings=meanings
    ) as api:
        yield Store(api, repository, environment)
