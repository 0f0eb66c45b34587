"""What a verified token says, and the forms of it that are refused."""

import time
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth import Reason, bearer_token, refusal_reason
from app.auth.claims import Expected, principal_of
from app.auth.reasons import TokenProblem
from domain.shared.errors import Unauthenticated
from domain.shared.principal import MerchantRole, Principal, Role
from tests.app.issuers import EXPECTED, Claims, claims, claims_without, refusal, token, verifier

MERCHANT = "0198c0de-0000-7000-8000-000000000001"
STORE = "0198c0de-0000-7000-8000-000000000002"
STAFF: Claims = {"roles": ["MERCHANT"], "merchant_ids": [MERCHANT]}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_token_of_each_algorithm_becomes_a_principal(algorithm: str) -> None:
    content = claims(exp=1_900_000_000)
    assert await verifier().verify(token(content, algorithm=algorithm)) == Principal(
        subject="member-1",
        issuer=EXPECTED.issuer,
        roles=frozenset({Role.MEMBER}),
        expires_at=datetime(2030, 3, 17, 17, 46, 40, tzinfo=UTC),
    )


async def test_staff_token_carries_merchants_stores_and_role() -> None:
    content = claims(**{**STAFF, "store_ids": [STORE], "merchant_role": "MANAGER"})
    staff = await verifier().verify(token(content))
    assert staff.merchant_ids == {UUID(MERCHANT)}
    assert staff.store_ids == {UUID(STORE)}
    assert staff.merchant_role is MerchantRole.MANAGER


async def test_staff_of_an_issuer_without_merchant_roles_is_a_till_where_stores_are_named_else_the_owner() -> None:
    assert (await verifier().verify(token(claims(**STAFF)))).merchant_role is MerchantRole.OWNER
    assert (await verifier().verify(token(claims(**STAFF, store_ids=[STORE])))).merchant_role is MerchantRole.TILL


async def test_token_without_roles_is_a_caller_who_may_nothing() -> None:
    assert (await verifier().verify(token(claims_without("roles")))).roles == frozenset()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("iss", Reason.ISSUER), ("aud", Reason.AUDIENCE), ("exp", Reason.CLAIM), ("sub", Reason.CLAIM)],
)
async def test_token_without_a_required_claim_is_refused(name: str, reason: Reason) -> None:
    assert await refusal(verifier(), token(claims_without(name))) is reason


@pytest.mark.parametrize("issuer", ["https://other.test", "https://issuer.test/", "", None, ["https://issuer.test"], 1])
async def test_token_of_another_issuer_is_refused(issuer: object) -> None:
    assert _reason(claims(iss=issuer)) is Reason.ISSUER


@pytest.mark.parametrize(
    "audience", ["other", "", "laurel-test ", [], ["other"], None, 1, {"laurel-test": 1}, [["laurel-test"]]]
)
async def test_token_for_another_audience_is_refused(audience: object) -> None:
    assert _reason(claims(aud=audience)) is Reason.AUDIENCE


async def test_token_for_several_audiences_is_taken_if_we_are_one() -> None:
    assert (await verifier().verify(token(claims(aud=["other", EXPECTED.audience])))).subject == "member-1"


async def test_expired_token_is_refused_to_the_second() -> None:
    assert _reason(claims(exp=1_000), now=1_000) is Reason.EXPIRED
    assert principal_of(claims(exp=1_000, iat=900), expected=EXPECTED, now=999.9).subject == "member-1"
    assert await refusal(verifier(), token(claims(exp=int(time.time()) - 1))) is Reason.EXPIRED


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_token_from_the_future_is_refused_beyond_the_leeway(name: str) -> None:
    assert _reason(claims(**{"iat": 0, "exp": 2_000, name: 1_031}), now=1_000) is Reason.NOT_YET_VALID
    ahead = claims(**{"iat": 0, "exp": 2_000, name: 1_030})
    assert principal_of(ahead, expected=EXPECTED, now=1_000).subject == "member-1"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["1900000000", True, None, [], {}, -1, 1e300, float("inf"), float("nan"), 2**80])
def test_time_that_is_no_number_of_seconds_is_refused(name: str, value: object) -> None:
    assert _reason(claims(**{name: value})) is Reason.CLAIM


def test_fractions_of_a_second_are_taken() -> None:
    assert principal_of(claims(exp=1_000.5, iat=1), expected=EXPECTED, now=1_000.25).expires_at == datetime(
        1970, 1, 1, 0, 16, 40, 500_000, tzinfo=UTC
    )


@pytest.mark.parametrize("subject", [1, None, "", ["a"], {"a": 1}, True, "x" * 256, "a\x00b", "a\nb", "\u202egnp"])
def test_subject_that_is_no_printable_text_is_refused(subject: object) -> None:
    assert _reason(claims(sub=subject)) is Reason.CLAIM


def test_subject_may_be_of_any_language() -> None:
    assert principal_of(claims(sub="会员 7", iat=0), expected=EXPECTED, now=0).subject == "会员 7"


@pytest.mark.parametrize(
    "roles", [["ADMIN"], ["member"], "MEMBER", [["MEMBER"]], [1], {"MEMBER": 1}, None, ["MEMBER"] * 1_001]
)
def test_unknown_roles_and_roles_of_another_form_are_refused(roles: object) -> None:
    assert _reason(claims(roles=roles)) is Reason.CLAIM


@pytest.mark.parametrize("name", ["merchant_ids", "store_ids"])
@pytest.mark.parametrize(
    "ids",
    [
        MERCHANT,
        None,
        {},
        [1],
        [None],
        ["1"],
        [MERCHANT.replace("-", "")],
        [f"{{{MERCHANT}}}"],
        [f"urn:uuid:{MERCHANT}"],
        [MERCHANT + " "],
        [[MERCHANT]],
    ],
)
def test_ids_that_are_no_list_of_plain_uuids_are_refused(name: str, ids: object) -> None:
    assert _reason(claims(**{**STAFF, name: ids})) is Reason.CLAIM


@pytest.mark.parametrize("role", ["till", "ADMIN", 1, ["TILL"], True])
def test_unknown_merchant_role_is_refused(role: object) -> None:
    assert _reason(claims(**STAFF, merchant_role=role)) is Reason.CLAIM


def test_merchant_role_of_one_who_is_no_merchant_is_refused() -> None:
    assert _reason(claims(merchant_role="OWNER")) is Reason.CLAIM


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["iss", "aud", "exp", "nbf", "iat", "sub", "roles", "merchant_ids", "store_ids", "merchant_role"]
)


@settings(deadline=None)
@given(changes=st.dictionaries(NAMES, VALUES, max_size=4), staff=st.booleans())
def test_claims_of_any_form_are_read_or_refused_and_never_more_is_granted(changes: Claims, staff: bool) -> None:
    content = claims(**{**(STAFF if staff else {}), **changes})
    try:
        principal = principal_of(content, expected=EXPECTED, now=time.time())
    except TokenProblem:
        return
    granted = content.get("roles", [])
    assert isinstance(granted, list)
    assert {role.value for role in principal.roles} == set(granted)
    assert principal.member_id is None
    assert (principal.merchant_role is None) == (Role.MERCHANT not in principal.roles)


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  abc ", " Bearer abc"])
def test_bearer_header_gives_its_token(header: str) -> None:
    assert bearer_token(header) == "abc"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer a b", "Bearer\tabc", "Bearerabc"]
)
def test_header_without_a_bearer_token_is_refused(header: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        bearer_token(header)
    assert refusal_reason(caught.value) is Reason.MALFORMED


def _reason(content: Claims, *, now: float | None = None, expected: Expected = EXPECTED) -> Reason:
    with pytest.raises(TokenProblem) as caught:
        principal_of(content, expected=expected, now=time.time() if now is None else now)
    return caught.value.reason
