"""Keys that rotate, an issuer that cannot be reached, and tokens that try to make us ask for keys all the time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.auth import Expected, FileKeyDocument, HttpKeyDocument, Reason, RotatingKeys, Verifier
from app.auth.keys import MOST_DOCUMENT_BYTES, MOST_WAITING, KeyDocument
from domain.shared.errors import Unauthenticated, Unavailable
from tests.app.issuers import EXPECTED, JwksServer, all_keys, jwk, jwks, pem, private_key, refusal, serving, token

INTERVAL_SECONDS = 0.3


def published(*numbers: int) -> bytes:
    return jwks(*(jwk(private_key("EdDSA", number), key_id=f"EdDSA-{number}") for number in numbers))


@pytest.fixture
def issuer() -> Iterator[JwksServer]:
    with serving(published(1)) as server:
        yield server


@asynccontextmanager
async def verifying(
    document: KeyDocument | str,
    *,
    ttl_seconds: float = 60.0,
    interval_seconds: float = INTERVAL_SECONDS,
    expected: Expected = EXPECTED,
) -> AsyncIterator[Verifier]:
    source = HttpKeyDocument(document, timeout_seconds=1.0) if isinstance(document, str) else document
    keys = RotatingKeys(source, ttl_seconds=ttl_seconds, interval_seconds=interval_seconds)
    verifier = Verifier(keys=keys, expected=expected)
    try:
        yield verifier
    finally:
        await verifier.aclose()


async def accepted(verifier: Verifier, text: str) -> bool:
    return (await verifier.verify(text)).subject == "member-1"


async def eventually(condition: Callable[[], Awaitable[bool]], *, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "never came true"
        await asyncio.sleep(0.02)


async def test_keys_are_fetched_once_for_many_tokens(issuer: JwksServer) -> None:
    async with verifying(issuer.url) as verifier:
        assert all(await asyncio.gather(*(accepted(verifier, token()) for _ in range(50))))
        assert all([await accepted(verifier, token()) for _ in range(50)])
    assert issuer.requests == 1


async def test_each_key_type_is_read_from_a_real_jwks(issuer: JwksServer) -> None:
    issuer.document = all_keys()
    async with verifying(issuer.url) as verifier:
        for algorithm in ("RS256", "ES256", "EdDSA"):
            assert await accepted(verifier, token(algorithm=algorithm))


async def test_rotation_refuses_no_valid_token(issuer: JwksServer) -> None:
    # The issuer adds its new key, signs with it at once, and later takes the old one away.
    refused = 0
    async with verifying(issuer.url, ttl_seconds=0.2, interval_seconds=0.05) as verifier:
        await verifier.start()
        for step in range(5):
            issuer.document = published(step + 1, step + 2)
            for number in (step + 1, step + 2, step + 1):
                texts = [token(number=number) for _ in range(20)]
                results = await asyncio.gather(*(verifier.verify(text) for text in texts), return_exceptions=True)
                refused += sum(isinstance(result, BaseException) for result in results)
                await asyncio.sleep(0.05)
            issuer.document = published(step + 2)
            await asyncio.sleep(0.3)
    assert refused == 0


async def test_old_key_is_honoured_as_long_as_it_is_listed_and_no_longer(issuer: JwksServer) -> None:
    old = token(number=1)
    async with verifying(issuer.url, ttl_seconds=0.1, interval_seconds=0.05) as verifier:
        assert await accepted(verifier, old)
        issuer.document = published(1, 2)
        assert await accepted(verifier, token(number=2))
        assert await accepted(verifier, old)
        issuer.document = published(2)

        async def refused() -> bool:
            try:
                await verifier.verify(old)
            except Unauthenticated:
                return True
            return False

        await eventually(refused)
        assert await accepted(verifier, token(number=2))


async def test_old_keys_answer_while_new_ones_are_fetched(issuer: JwksServer) -> None:
    async with verifying(issuer.url, ttl_seconds=0.05, interval_seconds=0.05) as verifier:
        await verifier.start()
        issuer.delay_seconds = 0.5
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert await accepted(verifier, token())
        assert time.monotonic() - began < 0.4

        async def being_fetched() -> bool:
            return issuer.requests == 2

        await eventually(being_fetched)


async def test_unknown_key_ids_cause_at_most_one_fetch_per_interval(issuer: JwksServer) -> None:
    async with verifying(issuer.url) as verifier:
        await verifier.start()
        began = time.monotonic()
        for burst in range(3):
            texts = [token(headers={"kid": f"invented-{burst}-{number}"}) for number in range(30)]
            results = await asyncio.gather(*(verifier.verify(text) for text in texts), return_exceptions=True)
            assert all(isinstance(result, Unauthenticated) for result in results)
        elapsed = time.monotonic() - began
    assert issuer.requests <= 2 + elapsed / INTERVAL_SECONDS
    assert issuer.requests >= 2


async def test_key_id_that_was_just_not_found_is_refused_at_once_and_without_a_fetch(issuer: JwksServer) -> None:
    async with verifying(issuer.url, interval_seconds=1.0) as verifier:
        await verifier.start()
        invented = token(headers={"kid": "invented"})
        assert await refusal(verifier, invented) is Reason.UNKNOWN_KEY
        fetches, began = issuer.requests, time.monotonic()
        for _ in range(50):
            assert await refusal(verifier, invented) is Reason.UNKNOWN_KEY
        assert time.monotonic() - began < 0.9
        assert issuer.requests == fetches


async def test_valid_token_of_a_new_key_is_not_refused_because_of_an_attack(issuer: JwksServer) -> None:
    async with verifying(issuer.url) as verifier:
        await verifier.start()
        assert await refusal(verifier, token(headers={"kid": "invented"})) is Reason.UNKNOWN_KEY
        issuer.document = published(1, 2)  # the attack has used up this interval's fetch
        assert await accepted(verifier, token(number=2))


async def test_fetch_that_was_under_way_before_the_key_was_published_does_not_refuse_it(issuer: JwksServer) -> None:
    async with verifying(issuer.url) as verifier:
        await verifier.start()
        issuer.delay_seconds = 0.2

        async def second_fetch_begun() -> bool:
            return issuer.requests == 2

        under_way = asyncio.create_task(verifier.verify(token(headers={"kid": "invented"})))
        await eventually(second_fetch_begun)
        issuer.document = published(1, 2)
        assert await accepted(verifier, token(number=2))
        with pytest.raises(Unauthenticated):
            await under_way


async def test_waiting_for_keys_is_bounded(issuer: JwksServer) -> None:
    async with verifying(issuer.url, interval_seconds=1.0) as verifier:
        await verifier.start()
        assert await refusal(verifier, token(headers={"kid": "first"})) is Reason.UNKNOWN_KEY
        flood = [
            asyncio.create_task(verifier.verify(token(headers={"kid": f"invented-{number}"})))
            for number in range(MOST_WAITING + 20)
        ]
        results = await asyncio.gather(*flood, return_exceptions=True)
        assert sum(isinstance(result, Unavailable) for result in results) == 20
        assert sum(isinstance(result, Unauthenticated) for result in results) == MOST_WAITING
        assert await accepted(verifier, token())


async def test_caller_who_gives_up_does_not_stop_the_fetch_of_others(issuer: JwksServer) -> None:
    issuer.delay_seconds = 0.2
    async with verifying(issuer.url) as verifier:
        first = asyncio.create_task(verifier.verify(token()))
        second = asyncio.create_task(verifier.verify(token()))
        await asyncio.sleep(0.05)
        first.cancel()
        assert (await second).subject == "member-1"
        assert first.cancelled()
    assert issuer.requests == 1


async def test_unreachable_issuer_keeps_the_keys_there_are(issuer: JwksServer) -> None:
    async with verifying(issuer.url, ttl_seconds=0.05, interval_seconds=0.05) as verifier:
        await verifier.start()
        for failure in (500, 404, 302):
            issuer.status = failure
            await asyncio.sleep(0.1)
            assert await accepted(verifier, token())
            assert await refusal(verifier, token(headers={"kid": f"unknown-{failure}"})) is Reason.UNKNOWN_KEY
        issuer.status = 200
        issuer.document = published(1, 2)
        assert await accepted(verifier, token(number=2))


@pytest.mark.parametrize(
    "document", [b"", b"<html>", b"[]", b"{}", b'{"keys": {}}', b"\xff", jwks(*({} for _ in range(65))), b" " * 300_000]
)
async def test_answer_that_is_no_jwks_keeps_the_keys_there_are(issuer: JwksServer, document: bytes) -> None:
    async with verifying(issuer.url, interval_seconds=0.05) as verifier:
        await verifier.start()
        issuer.document = document
        assert await refusal(verifier, token(headers={"kid": "unknown"})) is Reason.UNKNOWN_KEY
        assert await accepted(verifier, token())


async def test_unavailable_while_no_key_is_known_and_well_as_soon_as_one_is(issuer: JwksServer) -> None:
    issuer.status = 503
    async with verifying(issuer.url) as verifier:
        await verifier.start()
        fetches, began = issuer.requests, time.monotonic()
        for _ in range(20):
            with pytest.raises(Unavailable) as caught:
                await verifier.verify(token())
            assert caught.value.retry_after_seconds >= 1
        assert issuer.requests <= fetches + 1 + (time.monotonic() - began) / INTERVAL_SECONDS
        issuer.status = 200
        await asyncio.sleep(INTERVAL_SECONDS)
        assert await accepted(verifier, token())


async def test_issuer_that_does_not_answer_is_given_up_in_time(issuer: JwksServer) -> None:
    issuer.delay_seconds = 6.0
    async with verifying(issuer.url) as verifier:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await verifier.verify(token())
        assert time.monotonic() - began < 5.0


async def test_issuer_that_sends_a_byte_now_and_then_is_given_up_in_time(issuer: JwksServer) -> None:
    issuer.seconds_per_byte = 0.3
    async with verifying(issuer.url) as verifier:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await verifier.verify(token())
        assert time.monotonic() - began < 5.0


async def test_nobody_is_kept_waiting_while_no_key_is_known(issuer: JwksServer) -> None:
    issuer.status = 503
    async with verifying(issuer.url, interval_seconds=30.0) as verifier:
        await verifier.start()
        began = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            await verifier.verify(token())
        assert time.monotonic() - began < 5.0
        assert 20 < caught.value.retry_after_seconds <= 30
    assert issuer.requests == 1


async def test_redirect_to_another_server_is_not_followed(issuer: JwksServer) -> None:
    with serving(published(1)) as other:
        issuer.status = 302
        issuer.headers = {"Location": other.url}
        async with verifying(issuer.url) as verifier:
            with pytest.raises(Unavailable):
                await verifier.verify(token())
        assert other.requests == 0


async def test_endless_document_is_cut_off(issuer: JwksServer) -> None:
    issuer.document = published(1) + b" " * MOST_DOCUMENT_BYTES
    async with verifying(issuer.url) as verifier:
        with pytest.raises(Unavailable):
            await verifier.verify(token())


async def test_keys_of_other_kinds_beside_ours_do_no_harm(issuer: JwksServer) -> None:
    ours = jwk(private_key("EdDSA"), key_id="EdDSA-1")
    odd: list[dict[str, object]] = [
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "RSA", "n": 5, "e": []},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": "AKP"},
        {"kid": 7, **{name: value for name, value in ours.items() if name != "kid"}},
    ]
    issuer.document = jwks(*odd, ours)
    async with verifying(issuer.url) as verifier:
        assert await accepted(verifier, token())


async def test_key_file_of_either_form_verifies_and_can_be_replaced_while_running(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(pem(private_key("ES256")))
    async with verifying(FileKeyDocument(path), ttl_seconds=0.05, interval_seconds=0.05) as verifier:
        await verifier.start()
        # A PEM file has no ids: it stands for whatever id the issuer writes.
        assert await accepted(verifier, token(algorithm="ES256"))
        assert await refusal(verifier, token(algorithm="RS256")) is Reason.ALGORITHM
        path.write_bytes(published(2))
        await asyncio.sleep(0.1)

        async def new_key_accepted() -> bool:
            try:
                return await accepted(verifier, token(number=2))
            except Unauthenticated:
                return False

        await eventually(new_key_accepted)
        path.unlink()
        await asyncio.sleep(0.1)
        assert await accepted(verifier, token(number=2))
