"""What a member's phone shows and a till scans."""

import base64
import string
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth import ExpiredRedemptionToken, InvalidRedemptionToken, SignedRedemptionTokens
from domain.shared.ids import CouponId, MemberId
from tests.app.issuers import token as access_token

MEMBER = MemberId(UUID("0198c0de-0000-7000-8000-00000000000a"))
COUPON = CouponId(UUID("0198c0de-0000-7000-8000-00000000000b"))
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=60)
OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32


def test_signed_token_names_the_member_and_the_coupon() -> None:
    tokens = SignedRedemptionTokens([NEW])
    shown = tokens.sign(MEMBER, COUPON, SOON)
    assert shown.startswith("lrt1.")
    assert len(shown) == 160
    assert tokens.verify(shown, NOW) == (MEMBER, COUPON)


@settings(deadline=None)
@given(member=st.uuids(), coupon=st.uuids(), seconds=st.integers(1, 10**6))
def test_every_member_and_coupon_come_back_as_they_went(member: UUID, coupon: UUID, seconds: int) -> None:
    tokens = SignedRedemptionTokens([NEW])
    shown = tokens.sign(MemberId(member), CouponId(coupon), NOW + timedelta(seconds=seconds))
    assert tokens.verify(shown, NOW) == (member, coupon)


def test_expired_redemption_token_is_refused_to_the_millisecond_whatever_the_zone_of_the_clock() -> None:
    tokens = SignedRedemptionTokens([NEW])
    shown = tokens.sign(MEMBER, COUPON, SOON)
    assert tokens.verify(shown, SOON - timedelta(milliseconds=1)) == (MEMBER, COUPON)
    for late in (SOON, SOON.astimezone(timezone(timedelta(hours=8))), SOON + timedelta(days=1)):
        with pytest.raises(ExpiredRedemptionToken):
            tokens.verify(shown, late)


def test_two_tokens_of_one_coupon_differ() -> None:
    tokens = SignedRedemptionTokens([NEW])
    assert tokens.sign(MEMBER, COUPON, SOON) != tokens.sign(MEMBER, COUPON, SOON)


def test_tokens_of_a_key_that_no_longer_signs_are_read_until_it_is_taken_away() -> None:
    shown = SignedRedemptionTokens([OLD]).sign(MEMBER, COUPON, SOON)
    rotated = SignedRedemptionTokens([NEW, OLD])
    assert rotated.verify(shown, NOW) == (MEMBER, COUPON)
    assert SignedRedemptionTokens([NEW]).verify(rotated.sign(MEMBER, COUPON, SOON), NOW) == (MEMBER, COUPON)
    with pytest.raises(InvalidRedemptionToken, match="unknown key"):
        SignedRedemptionTokens([NEW]).verify(shown, NOW)


def test_redemption_token_of_a_stranger_under_our_keys_name_is_refused() -> None:
    tokens = SignedRedemptionTokens([NEW])
    ours, strange = (SignedRedemptionTokens([seed]).sign(MEMBER, COUPON, SOON) for seed in (NEW, OTHER))
    body, stranger = _bytes(ours)[:4] + _bytes(strange)[4:52], Ed25519PrivateKey.from_private_bytes(OTHER)
    signature = stranger.sign(b"laurel redemption token v1\x00" + body)
    with pytest.raises(InvalidRedemptionToken, match="signature"):
        tokens.verify(_text(body + signature), NOW)


def test_signature_over_the_bare_content_is_refused() -> None:
    # The same key's signature, made for another purpose, is no redemption token.
    body = _bytes(SignedRedemptionTokens([NEW]).sign(MEMBER, COUPON, SOON))[:52]
    signature = Ed25519PrivateKey.from_private_bytes(NEW).sign(body)
    with pytest.raises(InvalidRedemptionToken, match="signature"):
        SignedRedemptionTokens([NEW]).verify(_text(body + signature), NOW)


@settings(deadline=None)
@given(data=st.data())
def test_redemption_token_changed_in_any_character_is_refused(data: st.DataObject) -> None:
    tokens = SignedRedemptionTokens([NEW])
    shown = tokens.sign(MEMBER, COUPON, SOON)
    place = data.draw(st.integers(0, len(shown) - 1))
    alphabet = string.ascii_letters + string.digits + "-_.=+/ é"
    other = data.draw(st.sampled_from(alphabet).filter(lambda character: character != shown[place]))
    with pytest.raises(InvalidRedemptionToken):
        tokens.verify(shown[:place] + other + shown[place + 1 :], NOW)


def test_another_spelling_of_the_same_bytes_is_refused() -> None:
    tokens = SignedRedemptionTokens([NEW])
    shown = tokens.sign(MEMBER, COUPON, SOON)
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    twin = shown[:-1] + alphabet[alphabet.index(shown[-1]) ^ 1]
    assert _bytes(twin) == _bytes(shown)
    with pytest.raises(InvalidRedemptionToken, match="spelling"):
        tokens.verify(twin, NOW)


@settings(deadline=None)
@given(st.text(max_size=200) | st.text(min_size=155, max_size=155).map(lambda text: f"lrt1.{text}"))
def test_no_text_at_all_breaks_redemption(text: str) -> None:
    with pytest.raises(InvalidRedemptionToken):
        SignedRedemptionTokens([NEW]).verify(text, NOW)


@pytest.mark.parametrize("length", [0, 1, 4, 51, 52, 53, 115, 117, 10_000])
def test_redemption_token_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InvalidRedemptionToken):
        SignedRedemptionTokens([NEW]).verify(_text(bytes(length)), NOW)


def test_access_token_is_no_redemption_token() -> None:
    with pytest.raises(InvalidRedemptionToken):
        SignedRedemptionTokens([NEW]).verify(access_token(), NOW)


def test_both_refusals_are_value_errors() -> None:
    assert issubclass(ExpiredRedemptionToken, ValueError)
    assert issubclass(InvalidRedemptionToken, ValueError)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.removeprefix("lrt1.") + "=")


def _text(content: bytes) -> str:
    return "lrt1." + base64.urlsafe_b64encode(content).rstrip(b"=").decode()
