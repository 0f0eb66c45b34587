"""Verified tokens are remembered by their hash: until they expire, so many, and under these keys."""

import hashlib
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from app.auth import FixedKeys, Reason, Verifier, refusal_reason
from app.auth.key_document import VerificationKey
from domain.shared.errors import Unauthenticated
from domain.shared.ids import MemberId
from tests.app.issuers import EXPECTED, all_keys, claims, jwk, jwks, private_key, refusal, token


@dataclass(slots=True)
class CountingKeys:
    """Counts how often a token had to be verified, and can be told that the keys have changed."""

    keys: FixedKeys
    generation: int = 0
    looked_up: int = 0
    touched: int = 0

    def touch(self) -> None:
        self.touched += 1

    async def key_for(self, *, key_id: str | None, algorithm: str) -> VerificationKey:
        self.looked_up += 1
        return await self.keys.key_for(key_id=key_id, algorithm=algorithm)

    async def start(self) -> None:
        return

    async def aclose(self) -> None:
        return


@dataclass(slots=True)
class Clock:
    now: float

    def __call__(self) -> float:
        return self.now


def remembering(tokens: int = 100, *, now: float = 1_000.0) -> tuple[Verifier, CountingKeys, Clock]:
    keys, clock = CountingKeys(FixedKeys(all_keys())), Clock(now)
    return Verifier(keys=keys, expected=EXPECTED, clock=clock, remembered_tokens=tokens), keys, clock


def lasting(until: float, **changes: object) -> str:
    return token(claims(**{"iat": 900, "exp": until, **changes}))


async def test_second_use_of_a_token_is_not_verified_again() -> None:
    verifier, keys, _ = remembering()
    text = lasting(2_000)
    first = await verifier.verify(text)
    assert await verifier.verify(text) is first
    assert keys.looked_up == 1


async def test_a_remembered_token_is_recalled_without_a_wait_and_as_it_was_completed() -> None:
    verifier, keys, clock = remembering()
    text = lasting(1_500)
    assert verifier.recall(text) is None
    principal = await verifier.verify(text)
    assert verifier.recall(text) is principal
    member = replace(principal, member_id=MemberId(UUID(int=7)))
    verifier.complete(text, member)
    assert verifier.recall(text) is member
    assert await verifier.verify(text) is member
    clock.now = 1_500.0
    assert verifier.recall(text) is None
    clock.now = 1_000.0
    await verifier.verify(text)
    keys.generation += 1
    assert verifier.recall(text) is None


async def test_a_token_that_is_not_remembered_is_not_completed() -> None:
    verifier, _, _ = remembering()
    principal = await verifier.verify(lasting(2_000))
    verifier.complete(lasting(2_001), principal)
    assert verifier.recall(lasting(2_001)) is None
    assert verifier.recall("a" * 10_000) is None


async def test_remembered_token_is_refused_from_the_second_it_expires() -> None:
    verifier, _, clock = remembering()
    text = lasting(1_500)
    await verifier.verify(text)
    clock.now = 1_499.9
    await verifier.verify(text)
    clock.now = 1_500.0
    assert await refusal(verifier, text) is Reason.EXPIRED
    assert not verifier._remembered


async def test_change_of_keys_forgets_every_token() -> None:
    verifier, keys, _ = remembering()
    text = lasting(2_000)
    await verifier.verify(text)
    keys.keys = FixedKeys(jwks(jwk(private_key("EdDSA", 2), key_id="EdDSA-2")))
    keys.generation += 1
    assert await refusal(verifier, text) is Reason.UNKNOWN_KEY


async def test_remembered_tokens_notice_that_the_keys_have_grown_old() -> None:
    verifier, keys, _ = remembering()
    text = lasting(2_000)
    for _ in range(5):
        await verifier.verify(text)
    assert keys.touched >= 5


async def test_so_many_tokens_are_remembered_and_the_least_used_is_forgotten_first() -> None:
    verifier, keys, _ = remembering(3)
    texts = [lasting(2_000, sub=f"member-{number}") for number in range(4)]
    for text in texts[:3]:
        await verifier.verify(text)
    await verifier.verify(texts[0])
    await verifier.verify(texts[3])  # forgets the second
    assert len(verifier._remembered) == 3
    keys.looked_up = 0
    for text in (texts[0], texts[2], texts[3]):
        await verifier.verify(text)
    assert keys.looked_up == 0
    await verifier.verify(texts[1])
    assert keys.looked_up == 1


async def test_refused_tokens_are_not_remembered() -> None:
    verifier, _, _ = remembering()
    for text in (lasting(999), lasting(2_000, aud="other"), "a.b.c"):
        with pytest.raises(Unauthenticated):
            await verifier.verify(text)
    assert not verifier._remembered


async def test_memory_holds_hashes_and_no_token() -> None:
    verifier, _, _ = remembering()
    text = lasting(2_000)
    await verifier.verify(text)
    assert list(verifier._remembered) == [hashlib.sha256(text.encode()).digest()]
    assert text not in repr(verifier._remembered)


async def test_another_token_of_the_same_bearer_is_not_taken_for_the_remembered_one() -> None:
    verifier, _, _ = remembering()
    text = lasting(2_000)
    await verifier.verify(text)
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(text[:-10] + "A" * 10)
    assert refusal_reason(caught.value) is Reason.SIGNATURE


async def test_closing_forgets_every_token() -> None:
    verifier, _, _ = remembering()
    await verifier.verify(lasting(2_000))
    await verifier.aclose()
    assert not verifier._remembered
