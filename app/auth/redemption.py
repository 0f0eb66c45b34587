"""What a member's phone shows and a till scans: a signed, short-lived permission to redeem one coupon.

``lrt1.`` and base64url of ``key (4) | member (16) | coupon (16) | expiry in ms (8) | nonce (8) | signature (64)``, 160
characters. `key` is the beginning of the public key's SHA-256; the signature is Ed25519's.
"""

import base64
import binascii
import hashlib
import os
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.coupons.model import CouponKey
from domain.coupons.ports import RedemptionPermission
from domain.shared.ids import CouponId, MemberId

PREFIX = "lrt1."
KEY_PURPOSE = "laurel redemption token signing v1"

_BODY = struct.Struct(">4s16s16sQ8s")
_SIGNATURE_BYTES = 64
_TOKEN_CHARACTERS = len(PREFIX) + (_BODY.size + _SIGNATURE_BYTES) // 3 * 4 + 3
_NONCE_BYTES = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What is signed begins with this, so that the key's signature over anything else is never taken for a token.
_CONTEXT = b"laurel redemption token v1\x00"


class InvalidRedemptionToken(ValueError):
    """Not a token of ours, or one that was changed."""


class ExpiredRedemptionToken(ValueError):
    """A token of ours whose time is over: the member's phone shows a new one."""


class SignedRedemptionTokens:
    """Signs and verifies redemption tokens: the first key signs, all of them verify."""

    def __init__(self, seeds: Sequence[bytes]) -> None:
        keys = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
        self._signing_key = keys[0]
        self._signing_name = _name(keys[0].public_key())
        self._public_keys = MappingProxyType({_name(key.public_key()): key.public_key() for key in keys})

    def public_keys(self) -> Mapping[str, bytes]:
        """The keys that verify tokens, by the name under which a token says which one signed it."""
        return {name.hex(): key.public_bytes_raw() for name, key in self._public_keys.items()}

    def sign(self, member_id: MemberId, coupon_id: CouponId, expires_at: datetime) -> str:
        """A token for this coupon of this member, valid before `expires_at` (milliseconds count)."""
        expires_ms = int(expires_at.timestamp() * 1000)
        body = _BODY.pack(self._signing_name, member_id.bytes, coupon_id.bytes, expires_ms, os.urandom(_NONCE_BYTES))
        signature = self._signing_key.sign(_CONTEXT + body)
        return PREFIX + base64.urlsafe_b64encode(body + signature).rstrip(b"=").decode("ascii")

    def read(self, token: str) -> RedemptionPermission | None:
        """What a token of ours permits, its time over or not; None for anything that is not a token of ours."""
        try:
            member_id, coupon_id, expires_at = self._verified(token)
        except InvalidRedemptionToken:
            return None
        return RedemptionPermission(CouponKey(member_id, coupon_id), expires_at)

    def verify(self, token: str, now: datetime) -> tuple[MemberId, CouponId]:
        """Whose coupon may be redeemed, or raise InvalidRedemptionToken or ExpiredRedemptionToken.

        A verified token can be shown twice: that a coupon is redeemed once is the ledger's to decide.
        """
        member_id, coupon_id, expires_at = self._verified(token)
        if expires_at <= now:
            raise ExpiredRedemptionToken("the token's time is over")
        return member_id, coupon_id

    def _verified(self, token: str) -> tuple[MemberId, CouponId, datetime]:
        content = _content(token)
        body, signature = content[: _BODY.size], content[_BODY.size :]
        key_name, member, coupon, expires_ms, _nonce = _BODY.unpack(body)
        key = self._public_keys.get(key_name)
        if key is None:
            raise InvalidRedemptionToken("signed with an unknown key")
        try:
            key.verify(signature, _CONTEXT + body)
        except InvalidSignature:
            raise InvalidRedemptionToken("the signature is not that of this content") from None
        expires_at = _EPOCH + timedelta(milliseconds=expires_ms)
        return MemberId(UUID(bytes=member)), CouponId(UUID(bytes=coupon)), expires_at


def _content(token: str) -> bytes:
    if len(token) != _TOKEN_CHARACTERS or not token.startswith(PREFIX):
        raise InvalidRedemptionToken("not a redemption token")
    text = token.removeprefix(PREFIX)
    try:
        content = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRedemptionToken("not base64url") from None
    if base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii") != text:
        raise InvalidRedemptionToken("base64url in another spelling than ours")
    return content


def _name(key: Ed25519PublicKey) -> bytes:
    return hashlib.sha256(key.public_bytes_raw()).digest()[:4]
