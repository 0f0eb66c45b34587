"""Each known attack on token verification, by name; `docs/security.md` lists them."""

import base64
import json
import string

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth import Reason
from tests.app.issuers import (
    claims,
    ed25519_signature,
    forged,
    hmac_signature,
    jwk,
    jwks,
    pem,
    private_key,
    refusal,
    segment,
    token,
    verifier,
)

ALGORITHMS = ["RS256", "ES256", "EdDSA"]
HONEST_HEADER = {"alg": "EdDSA", "kid": "EdDSA-1", "typ": "JWT"}


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
async def test_unsigned_token_is_refused(name: str) -> None:
    unsigned = forged({**HONEST_HEADER, "alg": name}, claims(), sign=lambda _: b"")
    assert await refusal(verifier(), unsigned) is Reason.MALFORMED
    signed_with_anything = forged({**HONEST_HEADER, "alg": name}, claims(), sign=lambda _: b"x")
    assert await refusal(verifier(), signed_with_anything) is Reason.ALGORITHM


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("symmetric", ["HS256", "HS384", "HS512"])
async def test_public_key_used_as_hmac_secret_is_refused(algorithm: str, symmetric: str) -> None:
    key = private_key(algorithm).public_key()
    secrets = [
        pem(private_key(algorithm)),
        pem(private_key(algorithm)).strip(),
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(jwk(private_key(algorithm), key_id=f"{algorithm}-1")).encode(),
    ]
    for secret in secrets:
        confused = forged(
            {"alg": symmetric, "kid": f"{algorithm}-1", "typ": "JWT"}, claims(), sign=hmac_signature(secret)
        )
        assert await refusal(verifier(), confused) is Reason.ALGORITHM


async def test_hmac_signature_under_the_name_of_a_public_key_algorithm_is_refused() -> None:
    for algorithm in ALGORITHMS:
        secret = pem(private_key(algorithm))
        confused = forged({"alg": algorithm, "kid": f"{algorithm}-1"}, claims(), sign=hmac_signature(secret))
        assert await refusal(verifier(), confused) is Reason.SIGNATURE


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("other", ALGORITHMS)
async def test_key_verifies_its_own_algorithm_alone(algorithm: str, other: str) -> None:
    named_after_another_key = token(algorithm=algorithm, headers={"kid": f"{other}-1"})
    if algorithm == other:
        assert (await verifier().verify(named_after_another_key)).subject == "member-1"
    else:
        assert await refusal(verifier(), named_after_another_key) is Reason.ALGORITHM


async def test_rsa_key_does_not_verify_the_other_rsa_algorithms() -> None:
    for algorithm in ("RS384", "RS512", "PS256"):
        other = jwt.encode(claims(), private_key("RS256"), algorithm=algorithm, headers={"kid": "RS256-1"})
        assert await refusal(verifier(), other) is Reason.ALGORITHM


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://attacker.test/jwks.json"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
        {"x5u": "https://attacker.test/cert.pem"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": True},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
    ],
    ids=lambda header: next(iter(header)),
)
async def test_header_that_brings_its_own_key_or_rules_is_refused(header: dict[str, object]) -> None:
    # Signed by the real key: it is the header itself that is refused.
    brought = forged({**HONEST_HEADER, **header}, claims(), sign=ed25519_signature)
    assert await refusal(verifier(), brought) is Reason.FORBIDDEN_HEADER


async def test_token_signed_by_the_key_in_its_own_header_is_refused() -> None:
    own = jwk(private_key("EdDSA", 9), key_id="EdDSA-1")
    self_signed = token(number=9, headers={"kid": "EdDSA-1", "jwk": own})
    assert await refusal(verifier(), self_signed) is Reason.FORBIDDEN_HEADER


async def test_token_of_a_stranger_under_a_known_key_id_is_refused() -> None:
    for algorithm in ALGORITHMS:
        stranger = token(algorithm=algorithm, number=9, headers={"kid": f"{algorithm}-1"})
        assert await refusal(verifier(), stranger) is Reason.SIGNATURE


async def test_key_of_the_wrong_curve_or_too_short_is_never_used() -> None:
    secp384 = ec.generate_private_key(ec.SECP384R1())
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - that it is weak is the test
    document = jwks(jwk(secp384, key_id="p384"), jwk(short, key_id="short"))
    wrong_curve = jwt.encode(claims(), secp384, algorithm="ES384", headers={"kid": "p384"})
    assert await refusal(verifier(document), wrong_curve) is Reason.ALGORITHM
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        too_short = jwt.encode(claims(), short, algorithm="RS256", headers={"kid": "short"})
    assert await refusal(verifier(document), too_short) is Reason.UNKNOWN_KEY


async def test_symmetric_key_in_the_jwks_is_never_used() -> None:
    secret = b"0123456789abcdef0123456789abcdef"
    document = jwks({"kty": "oct", "kid": "shared", "alg": "HS256", "k": segment(secret)})
    symmetric = jwt.encode(claims(), secret, algorithm="HS256", headers={"kid": "shared"})
    assert await refusal(verifier(document), symmetric) is Reason.ALGORITHM


async def test_key_meant_for_encryption_or_published_with_its_private_half_is_never_used() -> None:
    key = private_key("EdDSA")
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    private_half = segment(key.private_bytes_raw())
    for change in ({"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "RS256"}, {"d": "AAAA"}, {"d": private_half}):
        document = jwks(jwk(key, key_id="EdDSA-1", **change))
        assert await refusal(verifier(document), token()) is Reason.UNKNOWN_KEY, change


async def test_key_id_cannot_point_elsewhere() -> None:
    for key_id in ("../../etc/passwd", "' OR 1=1 --", "http://attacker.test/", "EdDSA-1\x00", "EdDSA-1 "):
        assert await refusal(verifier(), token(headers={"kid": key_id})) is Reason.UNKNOWN_KEY
    for malformed in ("", "k" * 257, 1, ["EdDSA-1"], {"a": 1}, True):
        strange = forged({**HONEST_HEADER, "kid": malformed}, claims(), sign=ed25519_signature)
        assert await refusal(verifier(), strange) is Reason.MALFORMED


async def test_id_token_and_other_kinds_of_token_are_refused() -> None:
    for kind in ("logout+jwt", "dpop+jwt", "JOSE", 7):
        other = forged({**HONEST_HEADER, "typ": kind}, claims(), sign=ed25519_signature)
        assert await refusal(verifier(), other) is Reason.FORBIDDEN_HEADER
    for kind in ("JWT", "jwt", "at+jwt", "application/at+jwt"):
        access = forged({**HONEST_HEADER, "typ": kind}, claims(), sign=ed25519_signature)
        assert (await verifier().verify(access)).subject == "member-1"


async def test_token_without_key_id_is_refused_while_there_are_several_keys_of_its_algorithm() -> None:
    anonymous = jwt.encode(claims(), private_key("EdDSA"), algorithm="EdDSA")
    assert (await verifier().verify(anonymous)).subject == "member-1"
    two = jwks(jwk(private_key("EdDSA"), key_id="a"), jwk(private_key("EdDSA", 2), key_id="b"))
    assert await refusal(verifier(two), anonymous) is Reason.UNKNOWN_KEY


async def test_too_large_a_token_is_refused_before_it_is_read() -> None:
    large = token(claims(padding="x" * 8_192))
    assert await refusal(verifier(), large) is Reason.TOO_LARGE
    assert await refusal(verifier(), "\ud800" * 9_000) is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "é.é.é",
        "\ud800.a.b",
        f"{segment([])}.{segment({})}.AA",
        f"{segment(b'[' * 5_000)}.e30.AA",
        f"{segment(b'not json')}.e30.AA",
        f"{segment(b'{}')}.e30.AA ",
        f"{segment(b'{}')}\n.e30.AA",
    ],
)
async def test_text_that_is_no_token_is_refused(text: str) -> None:
    assert await refusal(verifier(), text) in {Reason.MALFORMED, Reason.ALGORITHM}


async def test_signed_claims_that_are_no_json_object_are_refused() -> None:
    for content in (b"", b"null", b"[]", b'"text"', b"{", b"\xff", b'{"exp": NaN}', b"[" * 3_000):
        strange = forged(HONEST_HEADER, content, sign=ed25519_signature)
        assert await refusal(verifier(), strange) is Reason.MALFORMED


async def test_padding_and_other_spellings_of_base64_are_refused() -> None:
    honest = token()
    header, payload, signature = honest.split(".")
    assert (await verifier().verify(honest)).subject == "member-1"
    for respelled in (f"{honest}==", f"{header}.{payload}.{signature}=", f" {honest}", f"{honest}\n"):
        assert await refusal(verifier(), respelled) is Reason.MALFORMED
    # The last character of a 64-byte signature carries four bits that count for nothing: only one spelling is taken.
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    place = alphabet.index(signature[-1])
    twin = signature[:-1] + alphabet[place ^ 1]
    assert base64.urlsafe_b64decode(twin + "==") == base64.urlsafe_b64decode(signature + "==")
    assert await refusal(verifier(), f"{header}.{payload}.{twin}") is Reason.SIGNATURE


@settings(deadline=None)
@given(data=st.data())
async def test_token_changed_in_any_character_is_refused(data: st.DataObject) -> None:
    honest = token(algorithm=data.draw(st.sampled_from(ALGORITHMS)))
    place = data.draw(st.integers(0, len(honest) - 1))
    alphabet = string.ascii_letters + string.digits + "-_."
    other = data.draw(st.sampled_from(alphabet).filter(lambda character: character != honest[place]))
    await refusal(verifier(), honest[:place] + other + honest[place + 1 :])


@settings(deadline=None)
@given(data=st.data())
async def test_token_with_the_claims_of_another_is_refused(data: st.DataObject) -> None:
    changed = data.draw(
        st.fixed_dictionaries({"sub": st.text(min_size=1, max_size=20), "roles": st.just(["OPERATOR"])})
    )
    header, _, signature = token().split(".")
    assert await refusal(verifier(), f"{header}.{segment(claims(**changed))}.{signature}") is Reason.SIGNATURE


@settings(deadline=None)
@given(st.text(max_size=300))
async def test_no_text_at_all_breaks_the_verifier(text: str) -> None:
    await refusal(verifier(), text)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), st.lists, max_leaves=5))
async def test_no_header_value_breaks_the_verifier(value: object) -> None:
    for name in ("alg", "kid", "typ"):
        odd = forged({"alg": "EdDSA", "kid": "EdDSA-1", name: value}, claims(iss="x"), sign=ed25519_signature)
        await refusal(verifier(), odd)
