"""The protobuf wire format, as far as aggregates need it, accepting exactly what protobuf's C parser (upb) accepts.

Source: protobuf.dev/programming-guides/encoding, and for what that page leaves open (lengths of tags and sizes,
nesting) the behaviour of protobuf 7 in Python, which the tests compare with.
"""

from __future__ import annotations

VARINT = 0
FIXED64 = 1
LENGTH_DELIMITED = 2
START_GROUP = 3
END_GROUP = 4
FIXED32 = 5

# Protobuf parsers refuse deeper nesting: messages and groups, counted together.
MAX_DEPTH = 100


class WireError(ValueError):
    """The bytes are not a protobuf message. Never leaves the codec: such a record is plain."""


# The three readers answer for one byte, and for two where that is common, before they go the long way round. They take
# for granted that ``buffer`` goes on for two bytes beyond ``end``, as an aggregate does: its digest follows.


def read_varint(buffer: bytes, at: int, end: int) -> tuple[int, int]:
    """An unsigned varint of at most 10 bytes: the lowest 64 bits of its value, and where it ends."""
    value = buffer[at]
    if value < 0x80 and at < end:
        return value, at + 1
    value = shift = 0
    for place in range(at, min(at + 10, end)):
        byte = buffer[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place + 1
        shift += 7
    raise WireError("a varint is cut off or too long")


def read_tag(buffer: bytes, at: int, end: int) -> tuple[int, int]:
    """A field's tag, ``field number << 3 | wire type``: at most 32 bits in at most 5 bytes; and where it ends."""
    tag = buffer[at]
    if 8 <= tag < 0x80 and at < end:
        return tag, at + 1
    tag, after = read_varint(buffer, at, end)
    if after - at > 5 or tag >> 32 or not tag >> 3:
        raise WireError("a tag is too long or names field 0")
    return tag, after


def read_size(buffer: bytes, at: int, end: int) -> tuple[int, int]:
    """The extent of a length-delimited value: where it starts and where it stops, both within ``end``."""
    size = buffer[at]
    if size < 0x80:
        start = at + 1
    elif buffer[at + 1] < 0x80:
        size += (buffer[at + 1] << 7) - 0x80
        start = at + 2
    else:
        size, start = read_varint(buffer, at, end)
        if start - at > 5:
            raise WireError("a length takes more than five bytes")
    stop = start + size
    if stop > end:
        raise WireError("a length reaches beyond its message")
    return start, stop


def skip(buffer: bytes, at: int, end: int, tag: int, depth: int) -> int:
    """Where the value of an unknown field ends. ``depth``: how many messages and groups may still nest."""
    kind = tag & 7
    if kind == VARINT:
        return read_varint(buffer, at, end)[1]
    if kind == LENGTH_DELIMITED:
        return read_size(buffer, at, end)[1]
    if kind == START_GROUP:
        return _skip_group(buffer, at, end, tag, depth)
    if kind == FIXED64:
        at += 8
    elif kind == FIXED32:
        at += 4
    else:
        raise WireError("a group ends that did not begin, or the wire type is unknown")
    if at > end:
        raise WireError("a fixed-size value is cut off")
    return at


def _skip_group(buffer: bytes, at: int, end: int, tag: int, depth: int) -> int:
    # With a stack of its own, not by recursion: the input must not choose how deep Python's goes.
    open_groups = [tag >> 3]
    while open_groups:
        if len(open_groups) > depth:
            raise WireError("groups nest too deep")
        tag, at = read_tag(buffer, at, end)
        kind = tag & 7
        if kind == END_GROUP:
            if open_groups.pop() != tag >> 3:
                raise WireError("a group ends that did not begin")
        elif kind == START_GROUP:
            open_groups.append(tag >> 3)
        else:
            at = skip(buffer, at, end, tag, depth)
    return at


def varint(value: int) -> bytes:
    """``value``, from 0, as a varint of as few bytes as it takes."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
