"""Protobuf's variable-length integers, as they are written; `service.codec.timestamps.read_varint` reads them."""


def write_varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first. Negative integers (from -2**63) take ten bytes, in two's complement."""
    value &= (1 << 64) - 1
    varint = bytearray()
    while value > 0x7F:
        varint.append(value & 0x7F | 0x80)
        value >>= 7
    varint.append(value)
    return bytes(varint)


def write_tag(field: int, wire_type: int) -> bytes:
    """What precedes a field's payload: its number in the .proto file, and 0 for varints, 1 for 8 bytes, 5 for 4, 2 for any."""
    return write_varint(field << 3 | wire_type)
