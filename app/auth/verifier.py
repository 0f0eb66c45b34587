"""A bearer token becomes a Principal."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import orjson
from jwt import PyJWS
from jwt.exceptions import PyJWTError
from jwt.utils import base64url_decode

from app.auth.claims import Expected, principal_of
from app.auth.key_document import VerificationKey
from app.auth.keys import Keys
from app.auth.reasons import REFUSED, Reason, TokenProblem
from domain.shared.errors import Unauthenticated
from domain.shared.principal import Principal

MOST_TOKEN_CHARACTERS = 8_192
LONGEST_KEY_ID = 256
ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
TOKEN_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
# Where to find a key, or how to read the token, is our affair and never the token's.
FORBIDDEN_HEADERS = frozenset({"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"})
_SEGMENTS = 3
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@dataclass(frozen=True, slots=True)
class _Remembered:
    principal: Principal
    expires_at: float
    generation: int


class Verifier:
    """Verifies tokens, and remembers the verified ones by their hash until they expire or the issuer's keys change."""

    def __init__(
        self,
        *,
        keys: Keys,
        expected: Expected,
        clock: Callable[[], float] = time.time,
        remembered_tokens: int = 20_000,
    ) -> None:
        self._keys = keys
        self._expected = expected
        self._clock = clock
        self._most_remembered = remembered_tokens
        # A hash rather than the token: 32 bytes an entry, and no memory dump holds a token that can be used.
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._signatures = PyJWS(algorithms=sorted(ALGORITHMS))

    async def start(self) -> None:
        """Load the keys."""
        await self._keys.start()

    async def aclose(self) -> None:
        """Give up connections and background work, and forget every token."""
        self._remembered.clear()
        await self._keys.aclose()

    async def verify(self, token: str) -> Principal:
        """The bearer of a token; `member_id` is left open, since only the store of members knows it.

        Raises Unauthenticated, always with the same words (`refusal_reason` has the cause), or Unavailable.
        """
        try:
            return await self._verify(token)
        except TokenProblem as problem:
            raise Unauthenticated(REFUSED) from problem

    def recall(self, token: str) -> Principal | None:
        """The bearer of a token that was verified before, if it still holds: without a wait."""
        return None if len(token) > MOST_TOKEN_CHARACTERS else self._recall(_digest(token))

    def complete(self, token: str, principal: Principal) -> None:
        """Has a remembered token recalled with what the store of members knows of its bearer."""
        digest = _digest(token)
        entry = self._remembered.get(digest)
        if entry is not None:
            self._remembered[digest] = replace(entry, principal=principal)

    async def _verify(self, token: str) -> Principal:
        if len(token) > MOST_TOKEN_CHARACTERS:
            raise TokenProblem(Reason.TOO_LARGE, f"more than {MOST_TOKEN_CHARACTERS} characters")
        digest = _digest(token)
        remembered = self._recall(digest)
        if remembered is not None:
            return remembered
        header = _header(token)
        key = await self._keys.key_for(key_id=header.key_id, algorithm=header.algorithm)
        # Nothing is awaited from here on: the generation is the one of this key.
        claims = self._verified_claims(token, key=key)
        principal = principal_of(claims, expected=self._expected, now=self._clock())
        self._remember(digest, principal)
        return principal

    def _verified_claims(self, token: str, *, key: VerificationKey) -> object:
        try:
            payload = self._signatures.decode_complete(token, key.public_key, algorithms=[key.algorithm])["payload"]
        except (PyJWTError, ValueError, TypeError) as error:
            raise TokenProblem(Reason.SIGNATURE, type(error).__name__) from None
        try:
            return orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise TokenProblem(Reason.MALFORMED, "the claims are not JSON") from None

    def _recall(self, digest: bytes) -> Principal | None:
        self._keys.touch()  # remembered tokens alone would never notice that the keys have grown old
        entry = self._remembered.get(digest)
        if entry is None:
            return None
        if entry.expires_at <= self._clock() or entry.generation != self._keys.generation:
            del self._remembered[digest]
            return None
        self._remembered.move_to_end(digest)
        return entry.principal

    def _remember(self, digest: bytes, principal: Principal) -> None:
        if principal.expires_at is None or self._most_remembered == 0:
            return
        self._remembered[digest] = _Remembered(principal, principal.expires_at.timestamp(), self._keys.generation)
        if len(self._remembered) > self._most_remembered:
            self._remembered.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class _Header:
    algorithm: str
    key_id: str | None


def _header(token: str) -> _Header:
    """The header of a token that is not verified yet, refused unless it could be one of ours."""
    segments = token.split(".")
    if len(segments) != _SEGMENTS or not _ALPHABET.issuperset(token) or not all(segments):
        raise TokenProblem(Reason.MALFORMED, "not three segments of base64url")
    try:
        fields: object = orjson.loads(base64url_decode(segments[0]))
    except ValueError:
        raise TokenProblem(Reason.MALFORMED, "the header is not JSON in base64url") from None
    if not isinstance(fields, dict):
        raise TokenProblem(Reason.MALFORMED, "the header is not an object")
    return _checked_header(fields)


def _checked_header(fields: Mapping[str, object]) -> _Header:
    forbidden = FORBIDDEN_HEADERS & fields.keys()
    if forbidden:
        raise TokenProblem(Reason.FORBIDDEN_HEADER, ", ".join(sorted(forbidden)))
    algorithm, key_id, kind = fields.get("alg"), fields.get("kid"), fields.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenProblem(Reason.ALGORITHM, f"none of {', '.join(sorted(ALGORITHMS))}")
    if not isinstance(kind, str) or kind.lower() not in TOKEN_TYPES:
        raise TokenProblem(Reason.FORBIDDEN_HEADER, "`typ` is not that of an access token")
    if key_id is not None and (not isinstance(key_id, str) or not 0 < len(key_id) <= LONGEST_KEY_ID):
        raise TokenProblem(Reason.MALFORMED, f"`kid` is not a text of 1 to {LONGEST_KEY_ID} characters")
    return _Header(algorithm, key_id)


def bearer_token(authorization: str) -> str:
    """The token of an Authorization header (RFC 6750), or raise Unauthenticated: another scheme is not anonymity."""
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or len(token.split()) != 1:
        raise Unauthenticated(REFUSED) from TokenProblem(Reason.MALFORMED, "no bearer token")
    return token
