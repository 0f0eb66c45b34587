"""The example of a till without a network, run as a till runs it: its own process, a real server, real HTTP."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from app.auth import SignedRedemptionTokens, TokenClaims
from domain.shared.ids import CouponId, MemberId, MerchantId
from domain.shared.principal import MerchantRole
from schema.node_ids import read_node_id
from tests.e2e.test_flash_sale import ask, published
from tests.e2e.test_redeem import CLAIM, made
from tests.laurel import Laurel, running_laurel

SCRIPT = Path(__file__).parents[2] / "docs" / "till" / "offline_till.py"
ELSEWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def laurel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laurel]:
    with running_laurel(tmp_path_factory.mktemp("laurel"), workers=2) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Till:
    """A till's folder and its access token."""

    folder: Path
    token: str = ""

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code and what it says."""
        environment = {**os.environ, "TILL_FOLDER": str(self.folder), "TILL_TOKEN": self.token}
        done = subprocess.run(
            [sys.executable, SCRIPT, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    def batches(self) -> list[Path]:
        """What it was about to hand in."""
        return list(self.folder.glob("batch-*.json"))


@pytest.fixture
def alone(tmp_path: Path) -> Till:
    """A till that has a key and has never had a network."""
    keys = SignedRedemptionTokens([b"1" * 32, b"2" * 32])
    document = {"keys": [{"kid": name, "x": _base64url(key)} for name, key in keys.public_keys().items()]}
    (tmp_path / "keys.json").write_text(json.dumps(document))
    (tmp_path / "cart.json").write_text("{}")
    return Till(tmp_path)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def shown(seed: bytes, *, seconds: float) -> str:
    """A code of a coupon of its own, as a phone shows it."""
    coupon = CouponId(UUID(bytes=os.urandom(16)))
    expires = datetime.fromtimestamp(time.time() + seconds, UTC)
    return SignedRedemptionTokens([seed]).sign(MemberId(UUID(int=1)), coupon, expires)


def test_a_till_without_a_network_knows_good_codes_from_bad_ones(alone: Till) -> None:
    cart = str(alone.folder / "cart.json")
    for seed in (b"1" * 32, b"2" * 32):
        assert alone.run("scan", shown(seed, seconds=60), "A1", cart) == (0, "accepted\n"), "old keys verify too"
    good = shown(b"1" * 32, seconds=60)
    assert alone.run("scan", good, "A2", cart)[0] == 0
    assert alone.run("scan", good, "A3", cart) == (1, "refused: this till has accepted this coupon before\n")
    bad = {
        "too old": shown(b"1" * 32, seconds=-1),
        "signed with a key": shown(b"3" * 32, seconds=60),
        "changed": good[:20] + ("A" if good[20] != "A" else "B") + good[21:],
        "not a code": "https://example.org/" + good,
        "not a code of": good[:40],
    }
    for reason, token in bad.items():
        code, said = alone.run("scan", token, "A4", cart)
        assert (code, said.startswith(f"refused: {reason}")) == (1, True), said
    assert len((alone.folder / "kept.jsonl").read_text().splitlines()) == 3


async def test_a_till_goes_on_without_a_network_and_hands_in_what_it_took(laurel: Laurel, tmp_path: Path) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        template_id = await published(client, laurel, stock=10)
        merchant = await made(client, laurel, "merchant", name="Tea", externalRef="tea")
        store = await made(client, laurel, "store", name="North", externalRef="north", merchantId=merchant)
        ref = read_node_id(merchant)
        assert ref is not None
        staff = TokenClaims.of_merchant(MerchantId(ref.id), role=MerchantRole.TILL)
        till = Till(tmp_path, laurel.token(staff))
        assert till.run("keys", laurel.base) == (0, "")
        tokens = [await claimed_code(client, laurel, f"member-{n}", template_id) for n in range(2)]
        line = {
            "id": "1",
            "productRef": "oolong",
            "merchantId": merchant,
            "quantity": 1,
            "unitPrice": {"amount": "120.00", "currencyCode": "CNY"},
        }
        cart = tmp_path / "cart.json"
        cart.write_text(json.dumps({"currencyCode": "CNY", "lines": [line]}))
        for number, token in enumerate(tokens):
            assert till.run("scan", token, f"A{number}", str(cart)) == (0, "accepted\n")
        assert till.run("hand-in", ELSEWHERE, store)[0] == 1, "there is no network"
        (batch,) = till.batches()
        sent = batch.read_bytes()
        assert till.run("hand-in", laurel.base, store) == (0, "A0 ok\nA1 ok\n")
        assert till.run("hand-in", laurel.base, store) == (0, ""), "it is all handed in"
        batch.write_bytes(sent)
        assert till.run("hand-in", laurel.base, store) == (0, "A0 ok\nA1 ok\n"), "as after an answer that was lost"
        rows = [{**row, "orderRef": f"B{row['orderRef']}"} for row in json.loads(sent)]
        batch.with_name("batch-2.json").write_text(json.dumps(rows))
        code, said = till.run("hand-in", laurel.base, store)
        assert (code, [line.split(":")[0] for line in said.splitlines()]) == (
            1,
            ["BA0 COUPON_NOT_USABLE", "BA1 COUPON_NOT_USABLE"],
        )


async def claimed_code(client: httpx.AsyncClient, laurel: Laurel, member: str, template_id: str) -> str:
    given = {"couponTemplateId": template_id, "idempotencyKey": "c"}
    claimed = await ask(client, laurel, TokenClaims.of_member(member), CLAIM, given)
    return str(claimed["coupon"]["redemptionCode"]["token"])
