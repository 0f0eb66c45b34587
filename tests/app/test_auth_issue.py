"""Development tokens, and where a process takes its keys from."""

import asyncio
import base64
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from app.auth import IssuingRefused, RotatingKeys, TokenClaims, TokenIssuer
from app.auth.key_document import parse_key_document
from app.commands.token import token_app
from app.keys import (
    development_signing_key,
    personal_data,
    redemption_tokens,
    token_issuer,
    token_keys,
    token_verifier,
)
from app.settings import Environment, Settings, SettingsError
from domain.shared.ids import MerchantId, StoreId
from domain.shared.principal import MerchantRole, Role
from schema.node_ids import NodeType, node_id
from tests.app.issuers import EXPECTED, jwk, jwks, pem, private_key, refusal, token

MERCHANT = MerchantId(UUID("0198c0de-0000-7000-8000-000000000001"))
STORE = StoreId(UUID("0198c0de-0000-7000-8000-000000000002"))
SECRETS = {
    "PERSONAL_DATA_KEYS": "k1:" + base64.b64encode(b"1" * 32).decode(),
    "BLIND_INDEX_KEY": base64.b64encode(b"2" * 32).decode(),
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return Settings()


def environment(monkeypatch: pytest.MonkeyPatch, values: Mapping[str, str]) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize(
    "claims",
    [
        TokenClaims.of_member("HH-1"),
        TokenClaims.of_merchant(MERCHANT),
        TokenClaims.of_merchant(MERCHANT, store_ids=[STORE], role=MerchantRole.TILL),
        TokenClaims.of_operator(),
        TokenClaims.of_service(),
    ],
    ids=lambda claims: str(claims.subject),
)
async def test_issued_token_is_verified_as_what_was_issued(settings: Settings, claims: TokenClaims) -> None:
    principal = await token_verifier(settings).verify(token_issuer(settings).issue(claims))
    assert principal.subject == claims.subject
    assert principal.roles == claims.roles
    assert principal.merchant_ids == claims.merchant_ids
    assert principal.store_ids == claims.store_ids
    assert principal.merchant_role is claims.merchant_role


def test_production_issues_no_token(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IssuingRefused, match="production"):
        TokenIssuer(key=development_signing_key(settings), expected=EXPECTED, production=True)
    production = environment(
        monkeypatch, {"LAUREL_ENV": "production", "JWKS_URL": "https://issuer.test/jwks.json", **SECRETS}
    )
    with pytest.raises(IssuingRefused, match="production"):
        token_issuer(production)
    with pytest.raises(SettingsError, match="production"):
        development_signing_key(production)


async def test_production_trusts_no_development_token(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    development_token = token_issuer(settings).issue(TokenClaims.of_operator())
    path = settings.data_dir / "issuer.pem"
    path.write_bytes(pem(private_key("ES256")))
    production = environment(monkeypatch, {"LAUREL_ENV": "production", "JWT_KEY_FILE": str(path), **SECRETS})
    verifier = token_verifier(production)
    await refusal(verifier, development_token)
    await verifier.aclose()


def test_no_token_is_issued_where_another_issuer_is_set(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IssuingRefused, match="JWKS_URL"):
        token_issuer(environment(monkeypatch, {"JWKS_URL": "http://127.0.0.1:1/jwks.json"}))


async def test_development_key_is_made_once_and_private(settings: Settings) -> None:
    first = token_issuer(settings).issue(TokenClaims.of_operator())
    folder = settings.data_dir / "keys"
    path = folder / "token-signing.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (await token_verifier(Settings()).verify(first)).roles == {Role.OPERATOR}
    assert list(folder.iterdir()) == [path]


def test_processes_that_start_at_once_agree_on_one_key(settings: Settings) -> None:
    with ThreadPoolExecutor(16) as threads:
        keys = {key.private_bytes_raw() for key in threads.map(lambda _: development_signing_key(settings), range(32))}
    assert len(keys) == 1


@pytest.mark.parametrize("content", [b"", b"rubbish", pem(private_key("EdDSA"))])
def test_damaged_development_key_is_one_clear_line(settings: Settings, content: bytes) -> None:
    development_signing_key(settings)
    path = settings.data_dir / "keys" / "token-signing.pem"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"token-signing\.pem is not a PEM private key; delete it"):
        token_keys(settings)


def test_development_key_that_others_can_read_is_refused(settings: Settings) -> None:
    development_signing_key(settings)
    (settings.data_dir / "keys" / "token-signing.pem").chmod(0o644)
    with pytest.raises(SettingsError, match=r"can be read by others"):
        token_keys(settings)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "neither JSON nor PEM"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not a public key"),
        (b"-----BEGIN PUBLIC KEY-----", "holds no key"),
        (b'{"keys": []}', "holds no key"),
        (None, "No such file"),
    ],
)
def test_unusable_key_file_is_one_clear_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "issuer-keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"^JWT_KEY_FILE: .*{problem}") as caught:
        token_keys(environment(monkeypatch, {"JWT_KEY_FILE": str(path)}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["pem", "jwks"])
async def test_key_file_of_the_settings_verifies(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    key = private_key("EdDSA")
    path = tmp_path / "issuer-keys"
    path.write_bytes(pem(key) if form == "pem" else jwks(jwk(key, key_id="EdDSA-1")))
    values = {"JWT_KEY_FILE": str(path), "JWT_ISSUER": EXPECTED.issuer, "JWT_AUDIENCE": EXPECTED.audience}
    verifier = token_verifier(environment(monkeypatch, values))
    assert (await verifier.verify(token())).subject == "member-1"
    await verifier.aclose()


async def test_production_takes_no_keys_over_an_open_channel(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"LAUREL_ENV": "production", "JWKS_URL": "http://issuer.test/jwks.json", **SECRETS}
    with pytest.raises(SettingsError, match="JWKS_URL: production needs https"):
        token_keys(environment(monkeypatch, values))
    for url in ("https://issuer.test/jwks.json", "http://127.0.0.1:1/jwks.json"):
        keys = token_keys(environment(monkeypatch, {"JWKS_URL": url}))
        assert isinstance(keys, RotatingKeys)
        await keys.aclose()


def test_pem_file_may_hold_several_keys() -> None:
    document = pem(private_key("RS256")) + b"# the next one\n" + pem(private_key("EdDSA"))
    assert [key.algorithm for key in parse_key_document(document)] == ["RS256", "EdDSA"]


def test_secrets_of_personal_data_come_from_the_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made = personal_data(settings).encrypt("x", table="members", column="name", owner_id=MERCHANT)
    assert b"dev1" in made
    given = personal_data(environment(monkeypatch, SECRETS))
    assert b"k1" in given.encrypt("x", table="members", column="name", owner_id=MERCHANT)
    with pytest.raises(SettingsError, match="BLIND_INDEX_KEY: 32 bytes"):
        personal_data(environment(monkeypatch, {"BLIND_INDEX_KEY": "short"}))


def test_redemption_tokens_of_one_process_are_read_by_the_others(settings: Settings) -> None:
    assert (
        redemption_tokens(settings)._signing_name == redemption_tokens(Settings())._signing_name
    )  # derived from the same secret


def invoke(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(token_app, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_command_prints_the_token_alone(settings: Settings) -> None:
    verifier = token_verifier(settings)
    commands = {
        ("member", "--ref", "HH-1"): {Role.MEMBER},
        ("merchant", "--merchant", str(MERCHANT)): {Role.MERCHANT},
        ("operator",): {Role.OPERATOR},
        ("service", "--ttl", "60"): {Role.SERVICE},
    }
    for command, roles in commands.items():
        code, out, err = invoke(*command)
        assert (code, err, out.count("\n")) == (0, "", 1)
        assert asyncio.run(verifier.verify(out.strip())).roles == roles


def test_command_makes_tokens_of_each_kind_of_staff(settings: Settings) -> None:
    verifier = token_verifier(settings)
    for role in MerchantRole:
        code, out, _ = invoke(
            "merchant", "--merchant", str(MERCHANT), "--store", str(STORE), "--role", role.value.lower()
        )
        assert code == 0
        staff = asyncio.run(verifier.verify(out.strip()))
        assert (staff.merchant_role, set(staff.store_ids)) == (role, {STORE})


def test_command_takes_the_ids_that_graphql_shows(settings: Settings) -> None:
    shown = node_id(NodeType.Merchant, MERCHANT), node_id(NodeType.Store, STORE)
    code, out, _ = invoke("merchant", "--merchant", shown[0], "--store", shown[1])
    assert code == 0
    staff = asyncio.run(token_verifier(settings).verify(out.strip()))
    assert set(staff.merchant_ids) == {MERCHANT}
    assert set(staff.store_ids) == {STORE}
    for wrong in (shown[1], "rubbish", ""):
        code, out, err = invoke("merchant", "--merchant", wrong)
        assert (code, out) == (2, "")
        assert "is not the id of a Merchant" in " ".join(err.replace("│", " ").split())


def test_command_is_refused_in_production_with_one_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, {"LAUREL_ENV": "production", "JWKS_URL": "https://issuer.test/jwks.json", **SECRETS})
    code, out, err = invoke("operator")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "production" in err
    assert not settings.data_dir.exists()


def test_production_without_keys_ends_with_one_line_and_status_1(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", "from app.commands.token import token_app; token_app()", "operator"],
        env={"LAUREL_ENV": Environment.PRODUCTION.value, "DATA_DIR": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr.splitlines() == [
        "laurel: LAUREL_ENV=production needs PERSONAL_DATA_KEYS, BLIND_INDEX_KEY, JWKS_URL or JWT_KEY_FILE"
    ]
    assert not list(tmp_path.iterdir())
