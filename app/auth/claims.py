"""What a token says about its bearer, read without goodwill: a claim of an unexpected form refuses the token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from app.auth.reasons import Reason, TokenProblem
from domain.shared.ids import MerchantId, StoreId
from domain.shared.principal import MerchantRole, Principal, Role

LEEWAY_SECONDS = 30
LONGEST_SUBJECT = 255
MOST_ENTRIES = 1_000
# 9999-12-31T23:59:59Z, the last second that a datetime can hold.
_LAST_SECOND = 253_402_300_799

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose tokens we take, and for whom they must be meant."""

    issuer: str
    audience: str


def principal_of(claims: object, *, expected: Expected, now: float) -> Principal:
    """The verified claims as a principal; `now` in seconds since 1970. Raises TokenProblem.

    `exp` has no leeway; `nbf` and `iat` have 30 seconds, for issuers whose clock is ahead of ours.
    """
    if not isinstance(claims, dict):
        raise TokenProblem(Reason.MALFORMED, "the claims are not an object")
    if claims.get("iss") != expected.issuer:
        raise TokenProblem(Reason.ISSUER, "another `iss`")
    if expected.audience not in _audiences(claims.get("aud")):
        raise TokenProblem(Reason.AUDIENCE, "another `aud`")
    expires_at = _period(claims, now=now)
    roles = frozenset(_entries(claims, "roles", of=_role))
    merchant_ids = frozenset(MerchantId(value) for value in _entries(claims, "merchant_ids", of=_uuid))
    store_ids = frozenset(StoreId(value) for value in _entries(claims, "store_ids", of=_uuid))
    return Principal(
        subject=_subject(claims.get("sub")),
        issuer=expected.issuer,
        roles=roles,
        merchant_ids=merchant_ids,
        store_ids=store_ids,
        merchant_role=_merchant_role(claims.get("merchant_role"), roles=roles, store_ids=store_ids),
        expires_at=datetime.fromtimestamp(expires_at, tz=UTC),
    )


def _audiences(value: object) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset((value,))
    if isinstance(value, list) and len(value) <= MOST_ENTRIES and all(isinstance(entry, str) for entry in value):
        return frozenset(value)
    raise TokenProblem(Reason.AUDIENCE, "`aud` is neither text nor a list of texts")


def _period(claims: Mapping[str, object], *, now: float) -> float:
    expires_at = _seconds(claims, "exp")
    if expires_at is None:
        raise TokenProblem(Reason.CLAIM, "no `exp`")
    if expires_at <= now:
        raise TokenProblem(Reason.EXPIRED, "`exp` is past")
    for name in ("nbf", "iat"):
        begins_at = _seconds(claims, name)
        if begins_at is not None and begins_at > now + LEEWAY_SECONDS:
            raise TokenProblem(Reason.NOT_YET_VALID, f"`{name}` is still to come")
    return expires_at


def _seconds(claims: Mapping[str, object], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_SECOND:
        raise TokenProblem(Reason.CLAIM, f"`{name}` is not a number of seconds since 1970")
    return float(value)


def _subject(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_SUBJECT or not value.isprintable():
        raise TokenProblem(Reason.CLAIM, f"`sub` is not a printable text of 1 to {LONGEST_SUBJECT} characters")
    return value


def _entries(claims: Mapping[str, object], name: str, *, of: Callable[[str], T | None]) -> list[T]:
    if name not in claims:
        return []
    values = claims[name]
    if not isinstance(values, list) or len(values) > MOST_ENTRIES:
        raise TokenProblem(Reason.CLAIM, f"`{name}` is not a list of at most {MOST_ENTRIES}")
    entries = [of(value) if isinstance(value, str) else None for value in values]
    known = [entry for entry in entries if entry is not None]
    if len(known) != len(entries):
        raise TokenProblem(Reason.CLAIM, f"an entry of `{name}` is unknown or has the wrong form")
    return known


def _role(text: str) -> Role | None:
    return Role.__members__.get(text)


def _uuid(text: str) -> UUID | None:
    # UUID() also reads braces, URNs and other spellings: one id has one spelling here.
    try:
        value = UUID(text)
    except ValueError:
        return None
    return value if str(value) == text.lower() else None


def _merchant_role(value: object, *, roles: frozenset[Role], store_ids: frozenset[StoreId]) -> MerchantRole | None:
    """The role in a shop; for an issuer without this claim, a till where stores are named, else the owner."""
    if Role.MERCHANT not in roles:
        if value is None:
            return None
        raise TokenProblem(Reason.CLAIM, "`merchant_role` without the role MERCHANT")
    if value is None:
        return MerchantRole.TILL if store_ids else MerchantRole.OWNER
    role = MerchantRole.__members__.get(value) if isinstance(value, str) else None
    if role is None:
        raise TokenProblem(Reason.CLAIM, "`merchant_role` is unknown")
    return role
