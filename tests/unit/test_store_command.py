"""Commands are put together as redis-py puts them together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.connection import Connection

from service.store.command import HashRead, encode_command
from tests.http.handmade.examples import examples

WORDS = st.binary(max_size=30)


def packed(*words: bytes) -> bytes:
    """The bytes that redis-py sends for a command."""
    packer = Connection()._command_packer
    return b"".join(packer.pack(*words))


@examples(200)
@given(words=st.lists(WORDS, max_size=6))
def test_a_command_is_packed_as_redis_py_packs_it(words: list[bytes]) -> None:
    """Any bytes in any argument, empty ones too."""
    assert encode_command(b"AUTH", *words) == packed(b"AUTH", *words)


@examples(200)
@given(fields=st.lists(WORDS, min_size=1, max_size=5), keys=st.lists(WORDS, min_size=1, max_size=8))
def test_reads_of_many_hashes_are_hmgets_one_after_another(fields: list[bytes], keys: list[bytes]) -> None:
    """Keys of any lengths, the fields in their order."""
    expected = b"".join(packed(b"HMGET", key, *fields) for key in keys)
    assert HashRead(fields).encode(keys) == expected


@pytest.mark.parametrize("length", [0, 1, 9, 10, 99, 100, 1000])
def test_keys_of_one_length_take_the_short_way(length: int) -> None:
    """All are joined at once then; the bytes are the same."""
    keys = [bytes([97 + number]) * length for number in range(5)]
    expected = b"".join(packed(b"HMGET", key, b"f", b"_ts:v") for key in keys)
    assert HashRead([b"f", b"_ts:v"]).encode(keys) == expected


@examples(200)
@given(prefix=WORDS, ids=st.lists(WORDS, min_size=1, max_size=8), suffix=WORDS)
def test_keys_are_what_stands_around_their_ids(prefix: bytes, ids: list[bytes], suffix: bytes) -> None:
    """Ids of one length or of several."""
    read = HashRead([b"f"], prefix, suffix)
    assert [read.key(entity_id) for entity_id in ids] == [prefix + entity_id + suffix for entity_id in ids]
    assert read.encode(ids) == b"".join(packed(b"HMGET", prefix + entity_id + suffix, b"f") for entity_id in ids)


def test_keys_that_look_like_the_protocol_are_only_keys() -> None:
    """Lengths say where an argument ends, not line ends."""
    key = b"$5\r\nHMGET\r\n*1\r\n"
    assert HashRead([b"\r\n"]).encode([key, b"\x00"]) == packed(b"HMGET", key, b"\r\n") + packed(b"HMGET", b"\x00", b"\r\n")
