"""Every secret and public key of the process, from its settings; in development those that are unset are made once."""

from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from app.auth import (
    Expected,
    FileKeyDocument,
    FixedKeys,
    HttpKeyDocument,
    IssuingRefused,
    Keys,
    KeysUnreachable,
    RotatingKeys,
    SignedRedemptionTokens,
    TokenIssuer,
    Verifier,
)
from app.auth.key_document import KeyDocumentInvalid, jwks_of, parse_key_document
from app.auth.redemption import KEY_PURPOSE
from app.settings import Settings, SettingsError
from persistence.crypto import PersonalData, PersonalDataKeys, load_keys
from persistence.key_files import KeysUnusable, read_or_make_key_file

_SIGNING_KEY_FILE = "token-signing.pem"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FILE_INTERVAL_SECONDS = 1.0


def personal_data_keys(settings: Settings) -> PersonalDataKeys:
    """The secrets of personal data, or raise SettingsError."""
    try:
        return load_keys(settings)
    except KeysUnusable as error:
        raise SettingsError(str(error)) from None


def personal_data(settings: Settings) -> PersonalData:
    """The cipher of personal columns, or raise SettingsError."""
    return PersonalData(personal_data_keys(settings))


def redemption_tokens(settings: Settings) -> SignedRedemptionTokens:
    """What signs and verifies redemption tokens, with keys derived from PERSONAL_DATA_KEYS, or raise SettingsError."""
    return SignedRedemptionTokens(personal_data_keys(settings).derived(KEY_PURPOSE))


def token_verifier(settings: Settings) -> Verifier:
    """What verifies bearer tokens, or raise SettingsError. Call its `start` and `aclose`."""
    return Verifier(keys=token_keys(settings), expected=_expected(settings))


def token_issuer(settings: Settings) -> TokenIssuer:
    """What issues development tokens; raises IssuingRefused where tokens come from elsewhere, or SettingsError."""
    if settings.production or settings.jwks_url is not None or settings.jwt_key_file is not None:
        source = "LAUREL_ENV=production" if settings.production else "JWKS_URL or JWT_KEY_FILE is set"
        raise IssuingRefused(f"{source}: tokens come from your issuer, none are made here")
    return TokenIssuer(
        key=development_signing_key(settings), expected=_expected(settings), production=settings.production
    )


def token_keys(settings: Settings) -> Keys:
    """The keys that verify tokens: JWKS_URL, else JWT_KEY_FILE, else the development key; or raise SettingsError."""
    if settings.jwks_url is not None:
        _require_private_channel(settings.jwks_url, production=settings.production)
        return RotatingKeys(HttpKeyDocument(settings.jwks_url))
    if settings.jwt_key_file is not None:
        document = FileKeyDocument(settings.jwt_key_file)
        try:
            usable = parse_key_document(document.read())
        except (KeysUnreachable, KeyDocumentInvalid) as error:
            raise SettingsError(f"JWT_KEY_FILE: {error}") from None
        if not usable:
            raise SettingsError(f"JWT_KEY_FILE: {settings.jwt_key_file} holds no key that verifies tokens")
        return RotatingKeys(document, interval_seconds=_FILE_INTERVAL_SECONDS)
    if settings.production:
        raise SettingsError("LAUREL_ENV=production needs JWKS_URL or JWT_KEY_FILE")
    return FixedKeys(jwks_of([development_signing_key(settings).public_key()]))


def development_signing_key(settings: Settings) -> Ed25519PrivateKey:
    """The key that signs development tokens, made at the first start; raises SettingsError, always in production."""
    if settings.production:
        raise SettingsError("LAUREL_ENV=production has no development key")
    path = settings.data_dir / "keys" / _SIGNING_KEY_FILE
    try:
        key = load_pem_private_key(read_or_make_key_file(path, make=_new_signing_key), password=None)
    except KeysUnusable as error:
        raise SettingsError(str(error)) from None
    except (ValueError, TypeError):
        raise SettingsError(f"{path} is not a PEM private key; delete it and another is made") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path} is not an Ed25519 key; delete it and another is made")
    return key


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _expected(settings: Settings) -> Expected:
    return Expected(issuer=settings.jwt_issuer, audience=settings.jwt_audience)


def _require_private_channel(url: str, *, production: bool) -> None:
    # Whoever can answer in the issuer's place can issue tokens.
    parts = urlsplit(url)
    if production and parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise SettingsError("JWKS_URL: production needs https")
