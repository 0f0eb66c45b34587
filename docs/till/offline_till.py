# ruff: noqa: INP001, S310, TID251, T201 - a script of its own, which a till runs as it is
"""A till that goes on while it has no network: it verifies codes with the published key, and hands them in later.

    python offline_till.py keys https://coupons.example         once a day, while there is a network
    python offline_till.py scan lrt1.… A-1001 cart.json         verifies and keeps; the exit code says whether to accept
    python offline_till.py hand-in https://coupons.example STORE_ID        TILL_TOKEN is the till's access token, and
                                                                           TILL_ID what the store calls the till

It needs Python 3.11 and `cryptography`. All is kept in the folder TILL_FOLDER (./till), which must survive a crash.
"""

import base64
import json
import os
import struct
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FOLDER = Path(os.environ.get("TILL_FOLDER", "till"))
# key (4) | member (16) | coupon (16) | expiry in milliseconds (8) | nonce (8), then 64 of the signature
BODY = struct.Struct(">4s16s16sQ8s")
CONTEXT = b"laurel redemption token v1\x00"
MOST = 200

DOCUMENT = """mutation HandIn($input: SyncOfflineRedemptionsInput!) {
  syncOfflineRedemptions(input: $input) {
    __typename
    ... on SyncOfflineRedemptionsSuccess {
      replayed
      outcomes { orderRef redemption { discount { amount } } problem { code message } }
    }
    ... on Problem { code message }
  }
}"""


class Refused(Exception):
    """Do not accept this code."""


def coupon_of(token: str, *, keys: dict[str, Any], now: float) -> str:
    """The coupon that a code is for (hexadecimal); raises Refused for one that is not Laurel's, or too old."""
    if not token.startswith("lrt1."):
        raise Refused("not a code of Laurel's")
    text = token.removeprefix("lrt1.")
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        name, _member, coupon, expires_ms, _nonce = BODY.unpack(content[: BODY.size])
    except (ValueError, struct.error):
        raise Refused("not a code of Laurel's") from None
    if base64.urlsafe_b64encode(content).rstrip(b"=").decode() != text:
        raise Refused("not a code of Laurel's")
    key = next((key for key in keys["keys"] if key["kid"] == name.hex()), None)
    if key is None:
        raise Refused("signed with a key that this till does not have: fetch the keys")
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    try:
        public.verify(content[BODY.size :], CONTEXT + content[: BODY.size])
    except InvalidSignature:
        raise Refused("changed, or not Laurel's") from None
    if expires_ms <= now * 1000:
        raise Refused("too old: the member's phone shows a new one")
    return str(coupon.hex())


def scan(token: str, order_ref: str, cart: dict[str, Any], *, now: float) -> None:
    """Accepts a code for an order, once, and keeps it for later; raises Refused."""
    keys = json.loads((FOLDER / "keys.json").read_text())
    coupon = coupon_of(token, keys=keys, now=now)
    # One coupon, one order: that another till has taken it in the meantime is found out when it is handed in.
    seen = FOLDER / "seen.txt"
    if coupon in (seen.read_text().split() if seen.exists() else []):
        raise Refused("this till has accepted this coupon before")
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    _append(FOLDER / "kept.jsonl", json.dumps({"token": token, "orderRef": order_ref, "cart": cart, "scannedAt": at}))
    _append(seen, coupon)


def next_batch() -> Path | None:
    """The oldest batch that is not handed in; its name is its idempotency key, so that it is the same batch again."""
    kept = FOLDER / "kept.jsonl"
    waiting = sorted(FOLDER.glob("batch-*.json"))
    if not waiting and kept.exists():
        rows = [json.loads(line) for line in kept.read_text().splitlines()]
        batch = FOLDER / f"batch-{int(time.time())}-{uuid.uuid4().hex}.json"
        _replace(batch, json.dumps(rows[:MOST]))
        _replace(kept, "".join(json.dumps(row) + "\n" for row in rows[MOST:]))
        if not rows[MOST:]:
            kept.unlink()
        waiting = [batch]
    return waiting[0] if waiting else None


def request_of(batch: Path, *, store_id: str) -> dict[str, Any]:
    """What is sent for a batch."""
    rows = json.loads(batch.read_text())
    given = {"storeId": store_id, "redemptions": rows, "idempotencyKey": batch.stem}
    if till_id := os.environ.get("TILL_ID"):
        given["tillId"] = till_id
    return {"query": DOCUMENT, "variables": {"input": given}}


def settle(batch: Path, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Forgets a batch that was answered; returns the outcomes, of which a person looks at those with a problem."""
    result = answer["data"]["syncOfflineRedemptions"]
    if "outcomes" not in result:
        raise Refused(result["message"])
    batch.unlink()
    outcomes: list[dict[str, Any]] = result["outcomes"]
    return outcomes


def _append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def _fetch(url: str, *, body: dict[str, Any] | None = None) -> Any:
    headers = {"content-type": "application/json", "authorization": f"Bearer {os.environ.get('TILL_TOKEN', '')}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers if body else {})
    with urllib.request.urlopen(request, timeout=30) as answered:
        return json.load(answered)


def main(command: str, *given: str) -> int:
    """Runs a command; 0: it went well, 1: do not accept, or look at the rows that were refused."""
    FOLDER.mkdir(exist_ok=True)
    if command == "keys":
        (base,) = given
        _replace(FOLDER / "keys.json", json.dumps(_fetch(f"{base}/.well-known/laurel-redemption-keys.json")))
        return 0
    if command == "scan":
        token, order_ref, cart = given
        try:
            scan(token, order_ref, json.loads(Path(cart).read_text()), now=time.time())
        except Refused as refused:
            print(f"refused: {refused}")
            return 1
        print("accepted")
        return 0
    base, store_id = given
    refused_rows = 0
    while (batch := next_batch()) is not None:
        answer = _fetch(f"{base}/graphql", body=request_of(batch, store_id=store_id))
        for outcome in settle(batch, answer):
            problem = outcome["problem"]
            refused_rows += problem is not None
            print(outcome["orderRef"], "ok" if problem is None else f"{problem['code']}: {problem['message']}")
    return 1 if refused_rows else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
