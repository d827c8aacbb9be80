"""A token service on loopback, whose tokens a real docker-registry takes.

    with token_service({"reader": "pull", "writer": "pull,push"}) as tokens:
        with image_registry(settings=tokens.settings) as registry: ...

Speaks both ways of distribution's token authentication: GET with basic authentication, or none,
and POST with a refresh token. A user's password is `password_of(user)`.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fakes.loopback import serving

SERVICE = "the registry"
ISSUER = "the token service"


def password_of(user: str) -> str:
    return f"p:{user}!"


def refresh_token_of(user: str) -> str:
    return f"refresh-{user}"


class TokenService:
    """What it may give to whom, and what it was asked."""

    def __init__(self, allowed: Mapping[str, str], folder: Path) -> None:
        self.allowed = allowed  # actions by user; '' is whoever has not said
        self.requests: list[tuple[str, dict[str, str], str]] = []  # method, parameters, user
        self.life_s: int | None = 300  # None: not said
        self.realm = ""
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(self._key)
        self._chain = [base64.b64encode(certificate.public_bytes(serialization.Encoding.DER))]
        self._bundle = folder / "token-service.pem"
        self._bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def settings(self) -> dict[str, str]:
        """What docker-registry needs to believe it."""
        return {
            "REGISTRY_AUTH": "token",
            "REGISTRY_AUTH_TOKEN_REALM": self.realm,
            "REGISTRY_AUTH_TOKEN_SERVICE": SERVICE,
            "REGISTRY_AUTH_TOKEN_ISSUER": ISSUER,
            "REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE": str(self._bundle),
        }

    def answer(
        self, method: str, parameters: dict[str, str], authorization: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON."""
        user = ""
        if method == "POST":
            users = {refresh_token_of(one): one for one in self.allowed}
            user = users.get(parameters.get("refresh_token", ""), "?")
        elif authorization:
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            user, _, password = pair.partition(":")
            user = user if user in self.allowed and password == password_of(user) else "?"
        self.requests.append((method, parameters, user))
        if user == "?" or parameters.get("service") != SERVICE:
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "no such user"}]}
        kind, name, actions = parameters["scope"].split(":")
        granted = [
            one for one in actions.split(",") if one in self.allowed.get(user, "").split(",")
        ]
        token = self._token([{"type": kind, "name": name, "actions": granted}])
        said = {} if self.life_s is None else {"expires_in": self.life_s}
        return 200, {"access_token" if method == "POST" else "token": token, **said}

    def _token(self, access: list[dict[str, Any]]) -> str:
        now = datetime.datetime.now(datetime.timezone.utc)
        claims = {
            "iss": ISSUER,
            "sub": "someone",
            "aud": SERVICE,
            "exp": now + datetime.timedelta(seconds=300),
            "nbf": now - datetime.timedelta(seconds=10),
            "iat": now,
            "jti": "1",
            "access": access,
        }
        chain = [one.decode() for one in self._chain]
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"x5c": chain})


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


@contextmanager
def token_service(allowed: Mapping[str, str]) -> Iterator[TokenService]:
    """Start one. `allowed`: the actions of each user; those of '' go to whoever has no login."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body that waits for its head's receipt costs 40 ms

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            query = self.rfile.read(length).decode() or urlsplit(self.path).query
            parameters = {name: values[0] for name, values in parse_qs(query).items()}
            status, answer = service.answer(
                self.command, parameters, self.headers.get("Authorization", "")
            )
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: the requests are kept."""

    with TemporaryDirectory(prefix="token-service-") as folder:
        service = TokenService(allowed, Path(folder))
        http = _Server(("127.0.0.1", 0), Handler)
        service.realm = f"http://127.0.0.1:{http.server_address[1]}/token"
        with serving(http):
            yield service


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # sixty clients at once
