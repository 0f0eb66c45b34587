"""A token issuer under the tests' control: real keys, tokens of any form, and a real HTTP server for its JWKS."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from typing_extensions import override

from app.auth import Expected, Reason, Verifier, refusal_reason
from app.auth.keys import FixedKeys
from domain.shared.errors import Unauthenticated

EXPECTED = Expected(issuer="https://issuer.test", audience="laurel-test")
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Claims = dict[str, object]


def private_key(algorithm: str, number: int = 1) -> PrivateKey:
    """The tests' n-th key for an algorithm, made once per run."""
    return _private_key(algorithm, number)


@cache
def _private_key(algorithm: str, _number: int) -> PrivateKey:
    match algorithm:
        case "RS256":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def jwk(key: PrivateKey, *, key_id: str | None, **changes: object) -> dict[str, object]:
    if isinstance(key, rsa.RSAPrivateKey):
        entry: dict[str, object] = dict(RSAAlgorithm.to_jwk(key.public_key(), as_dict=True))
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        entry = dict(ECAlgorithm.to_jwk(key.public_key(), as_dict=True))
    else:
        entry = dict(OKPAlgorithm.to_jwk(key.public_key(), as_dict=True))
    entry.pop("key_ops", None)
    if key_id is not None:
        entry["kid"] = key_id
    return {**entry, **changes}


def jwks(*entries: Mapping[str, object]) -> bytes:
    return json.dumps({"keys": list(entries)}).encode()


def pem(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims(**changes: object) -> Claims:
    now = int(time.time())
    base: Claims = {
        "iss": EXPECTED.issuer,
        "aud": EXPECTED.audience,
        "sub": "member-1",
        "iat": now,
        "exp": now + 300,
        "roles": ["MEMBER"],
    }
    return {**base, **changes}


def claims_without(name: str) -> Claims:
    content = claims()
    del content[name]
    return content


def token(
    content: Claims | None = None,
    *,
    algorithm: str = "EdDSA",
    number: int = 1,
    headers: Mapping[str, object] | None = None,
) -> str:
    """A token signed as an honest issuer would; the key's id is `<algorithm>-<number>`."""
    return jwt.encode(
        content if content is not None else claims(),
        private_key(algorithm, number),
        algorithm=algorithm,
        headers={"kid": f"{algorithm}-{number}", **(headers or {})},
    )


def segment(content: object) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(header: Mapping[str, object], content: object, *, sign: Callable[[bytes], bytes]) -> str:
    """A token that no library would make."""
    signing_input = f"{segment(header)}.{segment(content)}"
    return f"{signing_input}.{segment(sign(signing_input.encode()))}"


def ed25519_signature(message: bytes) -> bytes:
    key = private_key("EdDSA")
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    return key.sign(message)


def hmac_signature(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hmac.digest(secret, message, hashlib.sha256)


def all_keys() -> bytes:
    return jwks(*(jwk(private_key(name), key_id=f"{name}-1") for name in ("RS256", "ES256", "EdDSA")))


def verifier(document: bytes | None = None) -> Verifier:
    return Verifier(keys=FixedKeys(document or all_keys()), expected=EXPECTED)


async def refusal(verify: Verifier, text: str) -> Reason:
    """The reason for which a token is refused; the caller is told always the same."""
    with pytest.raises(Unauthenticated) as caught:
        await verify.verify(text)
    assert caught.value.message == "The token is missing, has expired or cannot be trusted."
    assert caught.value.path == ()
    reason = refusal_reason(caught.value)
    assert reason is not None
    return reason


@dataclass(slots=True)
class JwksServer:
    """What the issuer's server answers, and how often it was asked."""

    document: bytes
    status: int = 200
    delay_seconds: float = 0.0
    seconds_per_byte: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks.json"


@contextmanager
def serving(document: bytes) -> Iterator[JwksServer]:
    state = JwksServer(document)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests += 1
            document, status = state.document, state.status
            time.sleep(state.delay_seconds)
            try:
                self.send_response(status)
                for name, value in state.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                if not state.seconds_per_byte:
                    self.wfile.write(document)
                    return
                for place in range(len(document)):
                    self.wfile.write(document[place : place + 1])
                    time.sleep(state.seconds_per_byte)
            except OSError:  # the caller has given up waiting
                return

        @override
        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
