"""Runs `browse.mjs` in Chromium against a server, whichever it is, and judges what every server must show."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.requirements import require_chromium, require_node, require_node_packages

HERE = Path(__file__).parent
SCREENSHOT = HERE.parents[2] / "docs" / "images" / "graphiql.png"
SECONDS = 200


def browse(base_url: str) -> Any:
    """What a newcomer sees of GraphiQL at `base_url`; RENEW_SCREENSHOT=1 also renews the documentation's picture."""
    chromium = require_chromium()
    node = require_node()
    require_node_packages(HERE.parent)
    screenshot = None
    if os.environ.get("RENEW_SCREENSHOT") == "1":
        SCREENSHOT.parent.mkdir(parents=True, exist_ok=True)
        screenshot = str(SCREENSHOT)
    options = json.dumps({"baseUrl": base_url, "chromium": str(chromium), "screenshot": screenshot})
    command = [str(node), "browse.mjs", options]
    result = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
    return json.loads(result.stdout)


def assert_newcomer_is_well_served(seen: Any) -> None:
    """The page keeps to itself and to its policy, and query, claim, live event, tabs and reload work."""
    assert seen["external"] == []
    assert seen["violations"] == []
    assert seen["errors"] == []
    assert seen["introspected"]

    assert seen["titles"] == ["Member", "Till", "Merchant", "Operator", "Order service"]
    assert seen["authorizations"] == seen["prepared"]
    assert len(set(seen["prepared"])) == len(seen["prepared"])

    assert seen["wallet"]["data"]["me"]["wallet"]["coupons"]["nodes"] is not None
    assert "coupon" in seen["claim"]["data"]["claimCoupon"], seen["claim"]
    assert seen["live"]["data"]["walletChanged"]["change"] == "CLAIMED"
    init, subscription = seen["socketMessages"][:2]
    assert init == {"type": "connection_init", "payload": {"Authorization": seen["prepared"][0]}}
    assert subscription["type"] == "subscribe"

    after = seen["reload"]
    assert after["titles"] == seen["titles"]
    assert after["editStays"]
    assert after["authorizations"] == after["prepared"]
    assert after["kept"] > 0
    assert after["tokensKept"] == 0
