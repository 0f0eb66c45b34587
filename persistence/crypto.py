"""Personal columns at rest: AES-256-GCM under rotating keys, and blind indexes for look-up by an exact value.

A stored value is ``version (1) | length of the key id (1) | key id | nonce (12) | ciphertext and tag (n + 16)``. All
before the nonce, the table, the column and the owner's id are authenticated with it, so that a value cannot be read
after it was changed or moved to another row, column or table.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from persistence.key_files import KeysUnusable, read_or_make_key_file

KEY_BYTES = 32
BLIND_INDEX_BYTES = 32
SHORTEST_BLIND_INDEX_BYTES = 16

_VERSION = 1
_HEAD_BYTES = 2
_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class UnreadableValue(Exception):
    """A stored value was changed, moved to another place, or is none of ours."""


class UnknownKey(UnreadableValue):
    """A stored value names a key that PERSONAL_DATA_KEYS no longer holds."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"no key {key_id!r} in PERSONAL_DATA_KEYS")
        self.key_id = key_id


@dataclass(frozen=True, slots=True)
class PersonalDataKeys:
    """The secrets of personal data: the first data key writes, all of them read; the blind index has its own."""

    data_keys: Sequence[tuple[str, bytes]] = field(repr=False)
    blind_index_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what would be a weak or ambiguous set of keys."""
        identifiers = [identifier for identifier, _ in self.data_keys]
        secrets = [secret for _, secret in self.data_keys]
        if not identifiers:
            raise KeysUnusable("PERSONAL_DATA_KEYS: at least one key is needed")
        if any(_KEY_ID.fullmatch(identifier) is None for identifier in identifiers):
            raise KeysUnusable("PERSONAL_DATA_KEYS: a key id is 1 to 32 letters, digits, _ or -")
        if len(set(identifiers)) != len(identifiers) or len(set(secrets)) != len(secrets):
            raise KeysUnusable("PERSONAL_DATA_KEYS: two keys have the same id or the same secret")
        if any(len(secret) != KEY_BYTES for secret in secrets):
            raise KeysUnusable(f"PERSONAL_DATA_KEYS: every key is {KEY_BYTES} bytes in base64")
        if len(self.blind_index_key) != KEY_BYTES:
            raise KeysUnusable(f"BLIND_INDEX_KEY: {KEY_BYTES} bytes in base64 are needed")
        if self.blind_index_key in secrets:
            raise KeysUnusable("BLIND_INDEX_KEY: must differ from every key of PERSONAL_DATA_KEYS")

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """An independent secret of 32 bytes per data key, in their order, for another purpose (HKDF, RFC 5869)."""
        return tuple(
            HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(secret)
            for _, secret in self.data_keys
        )


class PersonalData:
    """Encrypts, reads and indexes the values of personal columns."""

    __slots__ = ("_active_id", "_blind_index_key", "_ciphers")

    def __init__(self, keys: PersonalDataKeys) -> None:
        self._active_id = keys.data_keys[0][0]
        self._ciphers: Mapping[str, AESGCM] = MappingProxyType({name: AESGCM(key) for name, key in keys.data_keys})
        self._blind_index_key = keys.blind_index_key

    def encrypt(self, text: str, *, table: str, column: str, owner_id: UUID) -> bytes:
        """The stored value of a text, under the active key; the same text gives another value each time."""
        key_id = self._active_id.encode()
        head = bytes((_VERSION, len(key_id))) + key_id
        # 96 random bits repeat with probability 2^-32 after 2^32 values of one key (NIST SP 800-38D, 8.3).
        nonce = os.urandom(_NONCE_BYTES)
        place = _place(head, table=table, column=column, owner_id=owner_id)
        return head + nonce + self._ciphers[self._active_id].encrypt(nonce, text.encode(), place)

    def decrypt(self, value: bytes, *, table: str, column: str, owner_id: UUID) -> str:
        """The text of a stored value, by whichever key it names, or raise UnreadableValue."""
        key_id, head_bytes = _key_id(value)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownKey(key_id)
        nonce_end = head_bytes + _NONCE_BYTES
        place = _place(value[:head_bytes], table=table, column=column, owner_id=owner_id)
        try:
            return cipher.decrypt(value[head_bytes:nonce_end], value[nonce_end:], place).decode()
        except InvalidTag:
            raise UnreadableValue(f"a value of {table}.{column} was changed or moved") from None

    def needs_rotation(self, value: bytes) -> bool:
        """Whether the value was written under a key that is no longer the active one."""
        return _key_id(value)[0] != self._active_id

    def rotate(self, value: bytes, *, table: str, column: str, owner_id: UUID) -> bytes:
        """The same text under the active key; a value that is there already comes back as it is."""
        if not self.needs_rotation(value):
            return value
        text = self.decrypt(value, table=table, column=column, owner_id=owner_id)
        return self.encrypt(text, table=table, column=column, owner_id=owner_id)

    def blind_index(self, text: str, *, table: str, column: str, length: int = BLIND_INDEX_BYTES) -> bytes:
        """What stands in an index for a text that the caller has normalised: HMAC-SHA256, equal for equal texts.

        It may be truncated to 16 bytes, no shorter. Columns are kept apart, so that one cannot be joined with another.
        """
        if not SHORTEST_BLIND_INDEX_BYTES <= length <= BLIND_INDEX_BYTES:
            raise ValueError(
                f"a blind index has {SHORTEST_BLIND_INDEX_BYTES} to {BLIND_INDEX_BYTES} bytes, not {length}"
            )
        message = _lengths_first(table.encode(), column.encode(), text.encode())
        return hmac.digest(self._blind_index_key, message, hashlib.sha256)[:length]


def _key_id(value: bytes) -> tuple[str, int]:
    """The key id that a stored value names, and where its nonce begins."""
    if len(value) < _HEAD_BYTES or value[0] != _VERSION:
        raise UnreadableValue("not an encrypted value of a known version")
    head_bytes = _HEAD_BYTES + value[1]
    key_id = value[_HEAD_BYTES:head_bytes].decode("ascii", errors="replace")
    if _KEY_ID.fullmatch(key_id) is None or len(value) < head_bytes + _NONCE_BYTES + _TAG_BYTES:
        raise UnreadableValue("a damaged encrypted value")
    return key_id, head_bytes


def _place(head: bytes, *, table: str, column: str, owner_id: UUID) -> bytes:
    return _lengths_first(head, table.encode(), column.encode(), owner_id.bytes)


def _lengths_first(*parts: bytes) -> bytes:
    # Lengths keep ("ab", "c") and ("a", "bc") apart.
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class KeySettings(Protocol):
    """What `load_keys` reads of the process's settings."""

    @property
    def production(self) -> bool:
        """Whether keys must be given, never made."""
        ...

    @property
    def data_dir(self) -> Path:
        """Folder under which development keys are kept."""
        ...

    @property
    def personal_data_keys(self) -> SecretStr | None:
        """``id:base64,…``, the active key first."""
        ...

    @property
    def blind_index_key(self) -> SecretStr | None:
        """32 bytes in base64."""
        ...


def load_keys(settings: KeySettings) -> PersonalDataKeys:
    """The keys of the settings; outside production those that are unset are made once and kept in DATA_DIR/keys.

    Raises KeysUnusable.
    """
    data_keys = _text(settings.personal_data_keys, _DATA_KEYS, settings=settings)
    blind_index_key = _text(settings.blind_index_key, _BLIND_INDEX, settings=settings)
    return PersonalDataKeys(
        data_keys=_parsed_data_keys(data_keys),
        blind_index_key=_decoded(blind_index_key, variable=_BLIND_INDEX.variable),
    )


@dataclass(frozen=True, slots=True)
class _KeyFile:
    variable: str
    name: str
    key_id: bytes

    def make(self) -> bytes:
        return self.key_id + base64.b64encode(os.urandom(KEY_BYTES))


_DATA_KEYS = _KeyFile("PERSONAL_DATA_KEYS", name="personal-data.keys", key_id=b"dev1:")
_BLIND_INDEX = _KeyFile("BLIND_INDEX_KEY", name="blind-index.key", key_id=b"")


def _text(given: SecretStr | None, file: _KeyFile, *, settings: KeySettings) -> str:
    if given is not None:
        return given.get_secret_value()
    if settings.production:
        raise KeysUnusable(f"LAUREL_ENV=production needs {file.variable}")
    made = read_or_make_key_file(settings.data_dir / "keys" / file.name, make=file.make)
    return made.decode("ascii", errors="replace").strip()


def _parsed_data_keys(text: str) -> tuple[tuple[str, bytes], ...]:
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    pairs = [entry.partition(":") for entry in entries]
    if any(not colon for _, colon, _ in pairs):
        raise KeysUnusable("PERSONAL_DATA_KEYS: each key is written id:base64")
    return tuple((name.strip(), _decoded(secret, variable="PERSONAL_DATA_KEYS")) for name, _, secret in pairs)


def _decoded(text: str, *, variable: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        # `from None`: the cause would print the secret.
        raise KeysUnusable(f"{variable}: {KEY_BYTES} bytes in base64 are needed") from None
