"""Public keys as an issuer publishes them: a JWKS (RFC 7517) or PEM."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

SHORTEST_RSA_BITS = 2048
LONGEST_RSA_BITS = 8192
MOST_KEYS = 64
_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----.+?-----END [A-Z0-9 ]+-----", re.DOTALL)


class KeyDocumentInvalid(Exception):
    """The document is neither a JWKS nor PEM public keys. The message is one line and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the one algorithm that it may verify. Without an id (PEM) it stands for any id that a token names."""

    key_id: str | None
    algorithm: str
    public_key: PublicKey

    @property
    def fingerprint(self) -> bytes:
        """What tells this key from every other, under whatever id."""
        der = self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(repr((self.key_id, self.algorithm)).encode() + der).digest()


def parse_key_document(document: bytes) -> tuple[VerificationKey, ...]:
    """The usable keys of a JWKS or of PEM; a key of a kind that we do not verify with is left out, as RFC 7517 asks."""
    if b"-----BEGIN" in document:
        return tuple(_pem_key(block) for block in _PEM.findall(document))
    try:
        parsed: object = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise KeyDocumentInvalid("neither JSON nor PEM") from None
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise KeyDocumentInvalid(f"a JWKS has a list `keys` of at most {MOST_KEYS}")
    return tuple(key for key in map(_jwk, entries) if key is not None)


def ed25519_key_id(key: Ed25519PublicKey) -> str:
    """The JWK thumbprint of a key (RFC 7638, RFC 8037)."""
    canonical = b'{"crv":"Ed25519","kty":"OKP","x":"' + _base64url(key.public_bytes_raw()) + b'"}'
    return _base64url(hashlib.sha256(canonical).digest()).decode()


def jwks_of(keys: Iterable[Ed25519PublicKey]) -> bytes:
    """A JWKS of Ed25519 keys, each under its thumbprint."""
    entries = [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": _base64url(key.public_bytes_raw()).decode(),
            "kid": ed25519_key_id(key),
            "use": "sig",
            "alg": "EdDSA",
        }
        for key in keys
    ]
    return orjson.dumps({"keys": entries})


def _pem_key(block: bytes) -> VerificationKey:
    try:
        key = load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyDocumentInvalid("a PEM block is not a public key (`BEGIN PUBLIC KEY`)") from None
    usable = _pinned(key, key_id=None)
    if usable is None:
        raise KeyDocumentInvalid(f"a public key is RSA of {SHORTEST_RSA_BITS} bits or more, P-256 or Ed25519")
    return usable


def _jwk(entry: object) -> VerificationKey | None:
    if not isinstance(entry, Mapping) or not _for_verifying(entry):
        return None
    key_id = entry.get("kid")
    if not (key_id is None or isinstance(key_id, str)):
        return None
    try:
        key = _public_key(dict(entry))
    except (InvalidKeyError, ValueError, TypeError, KeyError, binascii.Error, UnsupportedAlgorithm):
        return None
    usable = _pinned(key, key_id=key_id)
    return usable if usable is not None and entry.get("alg") in {None, usable.algorithm} else None


def _for_verifying(entry: Mapping[object, object]) -> bool:
    operations = entry.get("key_ops")
    return (
        entry.get("use") in {None, "sig"}
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
        and "d" not in entry  # a private key that was published is no longer anybody's
    )


def _public_key(entry: dict[str, object]) -> object:
    match entry.get("kty"):
        case "RSA":
            return RSAAlgorithm.from_jwk(entry)
        case "EC":
            return ECAlgorithm.from_jwk(entry)
        case "OKP":
            return OKPAlgorithm.from_jwk(entry)
        case _:
            return None


def _pinned(key: object, *, key_id: str | None) -> VerificationKey | None:
    match key:
        case RSAPublicKey() if SHORTEST_RSA_BITS <= key.key_size <= LONGEST_RSA_BITS:
            return VerificationKey(key_id, "RS256", key)
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return VerificationKey(key_id, "ES256", key)
        case Ed25519PublicKey():
            return VerificationKey(key_id, "EdDSA", key)
        case _:
            return None


def _base64url(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")
