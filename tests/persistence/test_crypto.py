"""Personal columns at rest: what can be read, by whom, and what a thief of the database can do with a value."""

import base64
import os
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from persistence.crypto import PersonalData, PersonalDataKeys, UnknownKey, UnreadableValue, load_keys
from persistence.key_files import KeysUnusable

OWNER = UUID("0198c0de-0000-7000-8000-00000000000a")
OTHER_OWNER = UUID("0198c0de-0000-7000-8000-00000000000b")
OLD, NEW, INDEX = b"o" * 32, b"n" * 32, b"i" * 32
OLD_KEYS = PersonalDataKeys(data_keys=[("2025", OLD)], blind_index_key=INDEX)
ROTATED_KEYS = PersonalDataKeys(data_keys=[("2026", NEW), ("2025", OLD)], blind_index_key=INDEX)
PHONE = "+8613800138000"


def encrypted(text: str = PHONE, *, keys: PersonalDataKeys = OLD_KEYS) -> bytes:
    return PersonalData(keys).encrypt(text, table="members", column="phone", owner_id=OWNER)


def decrypted(value: bytes, *, keys: PersonalDataKeys = OLD_KEYS) -> str:
    return PersonalData(keys).decrypt(value, table="members", column="phone", owner_id=OWNER)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_every_text_comes_back_as_it_went(text: str) -> None:
    assert decrypted(encrypted(text)) == text


def test_stored_value_has_the_documented_form_and_shows_nothing_of_the_text() -> None:
    value = encrypted()
    assert value[:6] == b"\x01\x04" + b"2025"
    assert len(value) == 2 + 4 + 12 + len(PHONE) + 16
    assert PHONE.encode() not in value


def test_same_text_is_never_stored_twice_alike() -> None:
    assert len({encrypted() for _ in range(1_000)}) == 1_000
    nonces = Counter(encrypted()[6:18] for _ in range(1_000))
    assert max(nonces.values()) == 1


@settings(deadline=None)
@given(place=st.integers(0, 47), bit=st.integers(0, 7))
def test_value_changed_in_any_bit_is_unreadable(place: int, bit: int) -> None:
    value = bytearray(encrypted())
    value[place] ^= 1 << bit
    with pytest.raises(UnreadableValue):
        decrypted(bytes(value))


@settings(deadline=None)
@given(st.integers(0, 47))
def test_value_cut_short_or_lengthened_is_unreadable(length: int) -> None:
    for value in (encrypted()[:length], encrypted() + b"\x00"):
        with pytest.raises(UnreadableValue):
            decrypted(value)


@settings(deadline=None)
@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda tail: b"\x01\x042025" + tail))
def test_no_bytes_at_all_break_decryption(value: bytes) -> None:
    with pytest.raises(UnreadableValue):
        decrypted(value)


def test_value_moved_to_another_member_is_unreadable() -> None:
    with pytest.raises(UnreadableValue):
        PersonalData(OLD_KEYS).decrypt(encrypted(), table="members", column="phone", owner_id=OTHER_OWNER)


def test_value_moved_to_another_column_or_table_is_unreadable() -> None:
    cipher = PersonalData(OLD_KEYS)
    for table, column in (("members", "name"), ("merchants", "phone"), ("member", "sphone"), ("members.", "phone")):
        with pytest.raises(UnreadableValue):
            cipher.decrypt(encrypted(), table=table, column=column, owner_id=OWNER)


def test_value_renamed_to_another_key_is_unreadable() -> None:
    # Even where the other id holds the same secret: the id is authenticated.
    renamed = b"\x01\x042026" + encrypted()[6:]
    same_secret = PersonalDataKeys(data_keys=[("2026", OLD)], blind_index_key=INDEX)
    with pytest.raises(UnreadableValue, match="changed or moved"):
        decrypted(renamed, keys=same_secret)


def test_rotation_reads_old_values_and_writes_new_ones() -> None:
    old, cipher = encrypted(), PersonalData(ROTATED_KEYS)
    assert decrypted(old, keys=ROTATED_KEYS) == PHONE
    assert cipher.needs_rotation(old)
    rotated = cipher.rotate(old, table="members", column="phone", owner_id=OWNER)
    assert not cipher.needs_rotation(rotated)
    assert cipher.rotate(rotated, table="members", column="phone", owner_id=OWNER) is rotated
    new_key_alone = PersonalDataKeys(data_keys=[("2026", NEW)], blind_index_key=INDEX)
    assert decrypted(rotated, keys=new_key_alone) == PHONE
    with pytest.raises(UnknownKey, match="no key '2025'") as caught:
        decrypted(old, keys=new_key_alone)
    assert caught.value.key_id == "2025"


def test_rotation_does_not_launder_a_moved_value() -> None:
    with pytest.raises(UnreadableValue):
        PersonalData(ROTATED_KEYS).rotate(encrypted(), table="members", column="phone", owner_id=OTHER_OWNER)


def test_blind_index_is_equal_for_equal_texts_and_survives_the_rotation_of_data_keys() -> None:
    old, new = (
        PersonalData(keys).blind_index(PHONE, table="members", column="phone") for keys in (OLD_KEYS, ROTATED_KEYS)
    )
    assert old == new
    assert len(old) == 32


def test_blind_index_of_another_text_column_table_or_key_differs() -> None:
    cipher = PersonalData(OLD_KEYS)
    other_key = PersonalData(PersonalDataKeys(data_keys=[("2025", OLD)], blind_index_key=b"j" * 32))
    indexes = [
        cipher.blind_index(PHONE, table="members", column="phone"),
        cipher.blind_index("+8613800138001", table="members", column="phone"),
        cipher.blind_index(PHONE, table="members", column="name"),
        cipher.blind_index(PHONE, table="merchants", column="phone"),
        cipher.blind_index(f"e{PHONE}", table="members", column="phon"),
        other_key.blind_index(PHONE, table="members", column="phone"),
    ]
    assert len(set(indexes)) == len(indexes)


def test_blind_index_is_truncated_to_sixteen_bytes_and_no_shorter() -> None:
    cipher = PersonalData(OLD_KEYS)
    whole = cipher.blind_index(PHONE, table="members", column="phone")
    assert cipher.blind_index(PHONE, table="members", column="phone", length=16) == whole[:16]
    for length in (0, 15, 33, -1):
        with pytest.raises(ValueError, match="16 to 32 bytes"):
            cipher.blind_index(PHONE, table="members", column="phone", length=length)


def test_derived_secrets_differ_by_key_and_purpose_and_are_not_the_keys() -> None:
    secrets = [*ROTATED_KEYS.derived("a"), *ROTATED_KEYS.derived("b"), OLD, NEW, INDEX]
    assert len(set(secrets)) == len(secrets)
    assert ROTATED_KEYS.derived("a")[1:] == OLD_KEYS.derived("a")


def test_keys_do_not_print_themselves() -> None:
    assert "ooo" not in repr(ROTATED_KEYS)
    assert "iii" not in repr(ROTATED_KEYS)


@dataclass(frozen=True, slots=True)
class Given:
    data_dir: Path
    production: bool = False
    personal_data_keys: SecretStr | None = None
    blind_index_key: SecretStr | None = None


def text_of(secret: bytes) -> str:
    return base64.b64encode(secret).decode()


def given_keys(data_keys: str, *, index: str = text_of(INDEX)) -> Given:
    return Given(Path("unused"), personal_data_keys=SecretStr(data_keys), blind_index_key=SecretStr(index))


def test_keys_are_read_from_the_settings_and_the_first_one_writes() -> None:
    keys = load_keys(given_keys(f"2026:{text_of(NEW)}, 2025:{text_of(OLD)}"))
    assert keys == PersonalDataKeys(data_keys=(("2026", NEW), ("2025", OLD)), blind_index_key=INDEX)
    assert b"2026" in encrypted(keys=keys)


@pytest.mark.parametrize(
    ("data_keys", "index", "problem"),
    [
        ("", text_of(INDEX), "at least one key"),
        (text_of(OLD), text_of(INDEX), "written id:base64"),
        (f"a:{text_of(OLD[:31])}", text_of(INDEX), "every key is 32 bytes"),
        ("a:not base64!", text_of(INDEX), "32 bytes in base64"),
        (f":{text_of(OLD)}", text_of(INDEX), "a key id is"),
        (f"a b:{text_of(OLD)}", text_of(INDEX), "a key id is"),
        (f"{'a' * 33}:{text_of(OLD)}", text_of(INDEX), "a key id is"),
        (f"a:{text_of(OLD)},a:{text_of(NEW)}", text_of(INDEX), "same id or the same secret"),
        (f"a:{text_of(OLD)},b:{text_of(OLD)}", text_of(INDEX), "same id or the same secret"),
        (f"a:{text_of(OLD)}", text_of(OLD), "must differ"),
        (f"a:{text_of(OLD)}", text_of(INDEX[:16]), "BLIND_INDEX_KEY: 32 bytes"),
        (f"a:{text_of(OLD)}", "é", "BLIND_INDEX_KEY: 32 bytes"),
    ],
)
def test_unusable_keys_are_one_clear_line_without_the_secret(data_keys: str, index: str, problem: str) -> None:
    with pytest.raises(KeysUnusable, match=problem) as caught:
        load_keys(given_keys(data_keys, index=index))
    message = str(caught.value)
    assert "\n" not in message
    assert text_of(OLD)[:8] not in message
    assert caught.value.__cause__ is None


def test_production_without_keys_does_not_start_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match=r"^LAUREL_ENV=production needs PERSONAL_DATA_KEYS$"):
        load_keys(Given(tmp_path, production=True))
    no_index = Given(tmp_path, production=True, personal_data_keys=SecretStr(f"a:{text_of(OLD)}"))
    with pytest.raises(KeysUnusable, match=r"^LAUREL_ENV=production needs BLIND_INDEX_KEY$"):
        load_keys(no_index)
    assert not list(tmp_path.iterdir())


def test_development_makes_private_keys_once(tmp_path: Path) -> None:
    first = load_keys(Given(tmp_path / "data"))
    assert load_keys(Given(tmp_path / "data")) == first
    assert load_keys(Given(tmp_path / "other")) != first
    folder = tmp_path / "data" / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "personal-data.keys": 0o600,
        "blind-index.key": 0o600,
    }


def test_development_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_keys(Given(tmp_path))
    (tmp_path / "keys" / "blind-index.key").chmod(0o640)
    with pytest.raises(KeysUnusable, match="can be read by others"):
        load_keys(Given(tmp_path))


def test_folder_that_cannot_hold_keys_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("not a folder")
    with pytest.raises(KeysUnusable, match="Not a directory"):
        load_keys(Given(tmp_path))


def test_umask_does_not_open_the_keys(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_keys(Given(tmp_path))
    finally:
        os.umask(before)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (tmp_path / "keys").iterdir())
