"""Tokens for those who develop: issued with the development key alone, and never in production."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.auth.claims import Expected
from app.auth.key_document import ed25519_key_id
from domain.shared.ids import MerchantId, StoreId
from domain.shared.principal import MerchantRole, Role

DAY_SECONDS = 86_400


class IssuingRefused(Exception):
    """This process issues no tokens. The message is one line that says why."""


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token is to say about its bearer."""

    subject: str
    roles: frozenset[Role]
    merchant_ids: frozenset[MerchantId] = frozenset()
    store_ids: frozenset[StoreId] = frozenset()
    merchant_role: MerchantRole | None = None

    @classmethod
    def of_member(cls, ref: str) -> "TokenClaims":
        """A member, by the reference that the shop's own system knows it by."""
        return cls(subject=ref, roles=frozenset((Role.MEMBER,)))

    @classmethod
    def of_merchant(
        cls, merchant_id: MerchantId, *, store_ids: Iterable[StoreId] = (), role: MerchantRole = MerchantRole.OWNER
    ) -> "TokenClaims":
        """Staff of a merchant, of some of its stores or of all; each kind of staff is a caller of its own."""
        stores = frozenset(store_ids)
        place = str(next(iter(stores))) if len(stores) == 1 else str(merchant_id)
        return cls(
            subject=f"{role.value.lower()}:{place}",
            roles=frozenset((Role.MERCHANT,)),
            merchant_ids=frozenset((merchant_id,)),
            store_ids=stores,
            merchant_role=role,
        )

    @classmethod
    def of_operator(cls) -> "TokenClaims":
        """Whoever runs the programme."""
        return cls(subject="operator", roles=frozenset((Role.OPERATOR,)))

    @classmethod
    def of_service(cls) -> "TokenClaims":
        """The order system."""
        return cls(subject="order-service", roles=frozenset((Role.SERVICE,)))


class TokenIssuer:
    """Signs tokens with the development key."""

    def __init__(
        self,
        *,
        key: Ed25519PrivateKey,
        expected: Expected,
        production: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if production:
            raise IssuingRefused("LAUREL_ENV=production: tokens come from the issuer of JWKS_URL or JWT_KEY_FILE")
        self._key = key
        self._key_id = ed25519_key_id(key.public_key())
        self._expected = expected
        self._clock = clock

    def issue(self, claims: TokenClaims, *, ttl_seconds: int = DAY_SECONDS) -> str:
        """A token that is valid from now on for `ttl_seconds`."""
        now = int(self._clock())
        payload: dict[str, object] = {
            "iss": self._expected.issuer,
            "aud": self._expected.audience,
            "sub": claims.subject,
            "iat": now,
            "exp": now + ttl_seconds,
            "roles": sorted(role.value for role in claims.roles),
        }
        if claims.merchant_ids:
            payload["merchant_ids"] = _texts(claims.merchant_ids)
        if claims.store_ids:
            payload["store_ids"] = _texts(claims.store_ids)
        if claims.merchant_role is not None:
            payload["merchant_role"] = claims.merchant_role.value
        return jwt.encode(payload, self._key, algorithm="EdDSA", headers={"kid": self._key_id})


def _texts(ids: Iterable[UUID]) -> list[str]:
    return sorted(map(str, ids))
