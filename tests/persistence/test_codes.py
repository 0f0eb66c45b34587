"""Codes: made by a pattern or brought along, used as often as they may be, and guessed at in vain."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from domain.coupons.codes import (
    ATTEMPTS_WITHIN,
    LETTERS,
    MAX_ATTEMPTS,
    MAX_CODES,
    CreateCouponCodes,
    RedeemCode,
    code_key,
    create_coupon_codes,
    redeem_codes,
)
from domain.coupons.errors import (
    ClaimLimitReached,
    CodeExpired,
    CodeUsedUp,
    Ended,
    InvalidTerms,
    SoldOut,
    TooManyAttempts,
)
from domain.coupons.model import CouponClaimed
from domain.shared.errors import BadUserInput, Forbidden, IdempotencyKeyReused, NotFound, Refusal
from domain.shared.idempotency import Done, raise_refusal
from domain.shared.ids import TemplateId
from domain.shared.principal import Scope
from persistence.base import on_statement
from persistence.coupons.invariants import CHECKS
from persistence.invariants import SqlInvariants
from tests.coupon_world import CLOSES_AT, NAMES, NOON, World, keys, member, merchant, once, world
from tests.queries import names_into


@pytest.fixture
async def laurel(database_url: str) -> AsyncIterator[World]:
    async with world(database_url) as made:
        yield made


async def sound(laurel: World) -> None:
    assert await SqlInvariants(laurel.database, checks=CHECKS).violations(limit=5) == []


def creation(template_id: TemplateId, **changed: Any) -> CreateCouponCodes:
    return CreateCouponCodes(
        **{
            "template_id": template_id,
            "pattern": None,
            "count": None,
            "codes": None,
            "uses_per_code": 1,
            "expires_at": None,
            "once": once(NAMES, mutation="createCouponCodes", key=f"codes {next(keys)}"),
            **changed,
        }
    )


async def create(laurel: World, template_id: TemplateId, *, scope: Scope | None = None, **changed: Any) -> list[str]:
    who = scope or Scope.system()
    done = await create_coupon_codes(creation(template_id, **changed), begin=lambda: laurel.database.begin(who))
    async with laurel.database.begin(who) as tx:
        codes = await tx.codes.of_batch(template_id, created_at=done.result.created_at)
    assert done.result.count == len(codes)
    return list(codes)


async def redeem(laurel: World, code: str, number: int = 1, *, key: str | None = None) -> Done[CouponClaimed]:
    who = member(number)
    command = RedeemCode(
        code, who, Scope.of_member(who), once(who, key=key, mutation="redeemCode", content=code.encode()[:32])
    )
    return raise_refusal((await redeem_codes([command], begin=lambda: laurel.database.begin(Scope.system())))[0])


async def refusal(laurel: World, code: str, number: int = 1) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await redeem(laurel, code, number)
    return refused.value


# ── made ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_codes_are_drawn_by_their_pattern(laurel: World) -> None:
    codes = await create(laurel, await laurel.published(), pattern="TEA-####-??**", count=500)
    assert len(set(codes)) == 500
    for code in codes:
        head, digits, tail = code.split("-")
        assert head == "TEA"
        assert digits.isdigit()
        assert len(digits) == 4
        assert set(tail[:2]) <= set(LETTERS)
        assert len(tail) == 4
    assert not set("ILOU") & set("".join(code.removeprefix("TEA") for code in codes))


async def test_a_code_that_is_there_already_is_drawn_again(laurel: World, monkeypatch: pytest.MonkeyPatch) -> None:
    template_id = await laurel.published()
    drawn = iter("000100010002000300010004" + "9999" * 10)
    monkeypatch.setattr("secrets.choice", lambda _alphabet: next(drawn))
    monkeypatch.setattr("domain.coupons.codes.GUESSES_PER_CODE", 1)
    assert await create(laurel, template_id, pattern="AB-####", count=1) == ["AB-0001"]
    laurel.clock.advance(seconds=1)
    assert sorted(await create(laurel, template_id, pattern="AB-####", count=3)) == ["AB-0002", "AB-0003", "AB-0004"]


async def test_given_codes_are_taken_as_they_are_and_compared_without_case_blanks_and_hyphens(laurel: World) -> None:
    template_id = await laurel.published(limit_per_member=None)
    assert await create(laurel, template_id, codes=("Welcome-2026", " SUMMER 88 ")) == ["Welcome-2026", "SUMMER 88"]
    await redeem(laurel, "welcome2026")
    await redeem(laurel, "ＳＵＭＭＥＲ_88")  # as a Chinese keyboard may write it  # noqa: RUF001
    await sound(laurel)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"codes": ("OK-1234", "ok1234")}, ("codes", "1")),
        ({"codes": ("abc",)}, ("codes", "0")),
        ({"codes": ("GOOD-1", "券券券券")}, ("codes", "1")),
        ({"codes": ()}, ("codes",)),
        ({"codes": ("A" * 65,)}, ("codes", "0")),
        ({"codes": tuple(f"CODE{n}" for n in range(MAX_CODES + 1))}, ("codes",)),
        ({"pattern": "####-####", "count": 0}, ("count",)),
        ({"pattern": "**********", "count": MAX_CODES + 1}, ("count",)),
        ({"pattern": "TEA-####", "count": 2}, ("pattern",)),
        ({"pattern": "tea-########", "count": 1}, ("pattern",)),
        ({"pattern": "-----", "count": 1}, ("pattern",)),
        ({"codes": ("CODE1",), "uses_per_code": 0}, ("usesPerCode",)),
        ({"codes": ("CODE1",), "expires_at": NOON}, ("expiresAt",)),
    ],
)
async def test_what_is_wrong_with_codes_is_named_by_its_path(
    laurel: World, given: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidTerms) as refused:
        await create(laurel, await laurel.published(), **given)
    assert refused.value.path == path
    assert await laurel.value("SELECT count(*) FROM coupon_codes") == 0


async def test_a_code_that_is_taken_refuses_the_whole_batch(laurel: World) -> None:
    template_id = await laurel.published()
    await create(laurel, template_id, codes=("TAKEN-1",))
    with pytest.raises(InvalidTerms) as refused:
        await create(laurel, await laurel.published(), codes=("FREE-1", "taken1"))
    assert (refused.value.path, refused.value.reason) == (("codes", "1"), "is taken")
    assert await laurel.value("SELECT count(*) FROM coupon_codes") == 1


@pytest.mark.parametrize(
    "given",
    [{}, {"pattern": "########"}, {"count": 5}, {"pattern": "########", "count": 1, "codes": ("CODE1",)}],
)
def test_codes_are_drawn_or_given(given: dict[str, Any]) -> None:
    with pytest.raises(BadUserInput):
        creation(TemplateId(member(1)), **given)


async def test_codes_are_their_managers_to_make(laurel: World) -> None:
    await laurel.add_merchant(1)
    template_id = await laurel.published(merchant_id=merchant(1))
    mine = Scope(everything=False, member_id=None, merchant_ids=(merchant(1),))
    other = Scope(everything=False, member_id=None, merchant_ids=(merchant(2),))
    assert await create(laurel, template_id, scope=mine, codes=("MINE-1",)) == ["MINE-1"]
    for scope in (other, Scope.nobody(), Scope.of_member(member(1))):
        with pytest.raises(NotFound):
            await create(laurel, template_id, scope=scope, codes=("YOURS-1",))
    with pytest.raises(NotFound):
        await create(laurel, await laurel.published(), scope=mine, codes=("YOURS-1",))


async def test_the_same_creation_again_is_the_first_answer(laurel: World) -> None:
    template_id = await laurel.published()
    asked = once(NAMES, mutation="createCouponCodes", key="mine")
    first = await create(laurel, template_id, pattern="**********", count=5, once=asked)
    assert await create(laurel, template_id, pattern="**********", count=5, once=asked) == first


# ── redeemed ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_code_gives_the_coupon_of_its_template_once(laurel: World) -> None:
    template_id = await laurel.published(self_claim=False)
    await create(laurel, template_id, codes=("TEA-0001",))
    done = await redeem(laurel, "tea 0001", key="mine")
    assert done.replayed is False
    (coupon,) = await laurel.rows("SELECT * FROM coupons")
    assert (coupon["id"], coupon["member_id"], coupon["template_id"]) == (
        done.result.coupon_id,
        member(1),
        template_id,
    )
    assert await laurel.value("SELECT facts FROM events") == {"code": "TEA-0001"}
    again = await redeem(laurel, "tea 0001", key="mine")
    assert (again.replayed, again.result) == (True, done.result)
    with pytest.raises(IdempotencyKeyReused):
        await redeem(laurel, "TEA-0002", key="mine")
    assert isinstance(await refusal(laurel, "TEA-0001", 2), CodeUsedUp)
    assert isinstance(await refusal(laurel, "TEA-0001", 1), CodeUsedUp)
    await sound(laurel)


async def test_a_code_for_many_works_once_for_each(laurel: World) -> None:
    await create(laurel, await laurel.published(limit_per_member=None), codes=("WELCOME",), uses_per_code=3)
    for number in (1, 2, 3):
        await redeem(laurel, "WELCOME", number)
        assert isinstance(await refusal(laurel, "WELCOME", number), CodeUsedUp)
    assert isinstance(await refusal(laurel, "WELCOME", 4), CodeUsedUp)
    await sound(laurel)


async def test_a_code_expires_for_everybody_at_its_instant(laurel: World) -> None:
    until = NOON + timedelta(hours=1)
    await create(laurel, await laurel.published(), codes=("SOON-1",), uses_per_code=9, expires_at=until)
    laurel.clock.at = until - timedelta(microseconds=1)
    await redeem(laurel, "SOON-1", 1)
    laurel.clock.at = until
    expired = await refusal(laurel, "SOON-1", 2)
    assert isinstance(expired, CodeExpired)
    assert expired.expired_at == until


async def test_a_code_is_held_to_the_limits_and_the_stock_of_its_template_and_stays_unused(laurel: World) -> None:
    limited = await laurel.published(limit_per_member=1)
    await create(laurel, limited, codes=("ONE-1", "ONE-2"))
    await redeem(laurel, "ONE-1")
    assert isinstance(await refusal(laurel, "ONE-2"), ClaimLimitReached)
    await redeem(laurel, "ONE-2", 2)
    few = await laurel.published(stock=1)
    await create(laurel, few, codes=("FEW-1", "FEW-2"))
    await redeem(laurel, "FEW-1")
    assert isinstance(await refusal(laurel, "FEW-2", 2), SoldOut)
    late = await laurel.published()
    await create(laurel, late, codes=("LATE-1",))
    laurel.clock.at = CLOSES_AT
    assert isinstance(await refusal(laurel, "LATE-1"), Ended)
    assert await laurel.value("SELECT count(*) FROM coupon_codes WHERE uses > 0") == 3
    assert await laurel.value("SELECT coalesce(sum(failed), 0) FROM code_attempts") == 0, "good codes cost no tries"
    await sound(laurel)


async def test_what_cannot_be_had_for_a_code_looks_like_a_code_that_is_not_there(laurel: World) -> None:
    """The same refusal by the same statements: neither the answer nor the work behind it tells them apart."""
    await create(laurel, await laurel.create(), codes=("DRAFT-1",))
    asked: list[list[str]] = []
    for number, code in enumerate(("DRAFT-1", "NOTHING-1", "x", "券" * 300, "")):
        told: list[str] = []
        token = on_statement.set(names_into(told))
        unknown = await refusal(laurel, code, number)
        on_statement.reset(token)
        assert isinstance(unknown, NotFound)
        assert unknown.noun == "CouponCode"
        asked.append(told)
    assert all(statements == asked[0] for statements in asked)


def test_a_member_redeems_for_itself_alone() -> None:
    with pytest.raises(Forbidden):
        RedeemCode("CODE1", member(1), Scope.of_member(member(2)), once(member(2)))


def test_the_same_code_is_the_same_however_it_is_typed() -> None:
    assert {code_key(text) for text in ("Ab-12 cd", "AB12CD", "ab_12_cd", " ab12cd ")} == {"AB12CD"}
    assert code_key("AB-1") is None
    assert code_key("AB;1'--") is None


# ── races ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def outcomes(servers: list[World], code: str, numbers: range, *, key: str | None = None) -> Counter[str]:
    answers = await asyncio.gather(
        *(redeem(servers[n % len(servers)], code, number, key=key) for n, number in enumerate(numbers)),
        return_exceptions=True,
    )
    for answer in answers:
        assert isinstance(answer, Done | Refusal), answer
    return Counter("given" if isinstance(answer, Done) else type(answer).__name__ for answer in answers)


@pytest.fixture
async def servers(database_url: str) -> AsyncIterator[list[World]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(world(database_url, size=3)) for _ in range(4)]


async def test_one_single_use_code_by_50_members_at_once_is_one_coupon(servers: list[World]) -> None:
    laurel = servers[0]
    for round_ in range(3):
        await create(laurel, await laurel.published(), codes=(f"RACE-{round_}",))
        assert await outcomes(servers, f"RACE-{round_}", range(50)) == {"given": 1, "CodeUsedUp": 49}
    await sound(laurel)


async def test_a_code_for_20_by_50_members_at_once_is_20_coupons(servers: list[World]) -> None:
    await create(servers[0], await servers[0].published(), codes=("TWENTY",), uses_per_code=20)
    assert await outcomes(servers, "TWENTY", range(50)) == {"given": 20, "CodeUsedUp": 30}
    await sound(servers[0])


async def test_one_member_many_times_at_once_uses_a_code_once(servers: list[World]) -> None:
    laurel = servers[0]
    await create(laurel, await laurel.published(limit_per_member=None), codes=("MANY",), uses_per_code=100)
    answers = await asyncio.gather(
        *(redeem(servers[n % 4], "MANY", 7) for n in range(MAX_ATTEMPTS)), return_exceptions=True
    )
    assert Counter(type(answer).__name__ for answer in answers) == {"Done": 1, "CodeUsedUp": MAX_ATTEMPTS - 1}
    await sound(laurel)


async def test_one_key_50_times_at_once_is_one_coupon_one_answer_and_no_guess(servers: list[World]) -> None:
    laurel = servers[0]
    await create(laurel, await laurel.published(), codes=("IMPATIENT",))
    answers = await asyncio.gather(
        *(redeem(servers[n % 4], "IMPATIENT", 7, key="mine") for n in range(50)), return_exceptions=True
    )
    assert Counter(type(answer).__name__ for answer in answers) == {"Done": 50}
    done = [answer for answer in answers if isinstance(answer, Done)]
    assert Counter(answer.replayed for answer in done) == {False: 1, True: 49}
    assert len({answer.result for answer in done}) == 1
    assert await laurel.value("SELECT failed FROM code_attempts") == 0
    await sound(laurel)


async def test_tries_of_one_member_wait_for_each_other_and_never_for_those_of_others(servers: list[World]) -> None:
    laurel = servers[0]
    await create(laurel, await laurel.published(), codes=("FIRST", "SECOND"))
    async with laurel.database.begin(Scope.system()) as tx:
        await tx.codes.attempt([member(1)], most=MAX_ATTEMPTS, within=ATTEMPTS_WITHIN)
        own = asyncio.create_task(redeem(servers[1], "FIRST", 1))
        assert isinstance(await redeem(servers[2], "SECOND", 2), Done)
        assert not own.done()
    assert isinstance(await own, Done)


# ── guessing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_after_ten_codes_in_vain_a_member_waits_and_a_good_code_is_no_try(laurel: World) -> None:
    template_id = await laurel.published(limit_per_member=None)
    await create(laurel, template_id, codes=tuple(f"GOOD-{n}" for n in range(3)))
    for n in range(MAX_ATTEMPTS - 1):
        assert isinstance(await refusal(laurel, f"GUESS-{n}"), NotFound)
    await redeem(laurel, "GOOD-0")
    assert isinstance(await refusal(laurel, "GUESS-9"), NotFound)
    laurel.clock.advance(minutes=59)
    for code in ("GUESS-10", "GOOD-1"):
        waiting = await refusal(laurel, code)
        assert isinstance(waiting, TooManyAttempts), "a good code is not told from a bad one"
        assert waiting.retry_at == NOON + ATTEMPTS_WITHIN
    await redeem(laurel, "GOOD-1", 2)
    laurel.clock.at = NOON + ATTEMPTS_WITHIN
    await redeem(laurel, "GOOD-2")


async def test_50_guesses_at_once_are_ten_tries(servers: list[World]) -> None:
    laurel = servers[0]
    await laurel.published()
    answers = await asyncio.gather(
        *(redeem(servers[n % 4], f"GUESS-{n}", 1) for n in range(50)), return_exceptions=True
    )
    assert Counter(type(answer).__name__ for answer in answers) == {
        "NotFound": MAX_ATTEMPTS,
        "TooManyAttempts": 50 - MAX_ATTEMPTS,
    }


async def test_saleor_18563_a_use_is_counted_by_the_member_and_not_by_how_it_is_called(laurel: World) -> None:
    """Saleor keys "once per customer" by e-mail: who varies it has another go. Here it is the member's id."""
    await laurel.add_members(1)
    template_id = await laurel.published()
    await create(laurel, template_id, codes=("ONCE",), uses_per_code=9)
    await redeem(laurel, "ONCE", 1)
    await laurel.rows("UPDATE members SET external_ref = 'M1@EXAMPLE.COM', phone_index = 'other'")
    assert isinstance(await refusal(laurel, "ONCE", 1), CodeUsedUp)
    assert isinstance(await laurel.claim(template_id, 1), ClaimLimitReached)
    columns = await laurel.rows(
        "SELECT DISTINCT column_name FROM information_schema.columns"
        " WHERE table_name IN ('coupons', 'coupon_code_uses', 'code_attempts')"
    )
    assert not {row["column_name"] for row in columns} & {"email", "phone", "phone_index", "external_ref"}
