"""The protobuf binary encoding (proto3) for the messages of hearth.proto, and a class for each of them.

    from hearth_client.messages import InvokeRequest, Outcome
    data = InvokeRequest(function="echo", payload=b"{}").encode()
    InvokeRequest.decode(data).function
"""

import enum
import struct

from .schema import ENUMS, MESSAGES


class DecodeError(ValueError):
    """The bytes are not a message of this type."""


def _varint(value, out):
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _read_varint(data, at):
    result = shift = 0
    while True:
        if at >= len(data):
            raise DecodeError("a number is cut off")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift >= 70:
            raise DecodeError("a number of more than ten bytes")


def _signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


class _Scalar:
    """How one proto type is written: wire type, default, both directions."""

    def __init__(self, wire, default, write, read):
        self.wire, self.default, self.write, self.read = wire, default, write, read


def _unsigned_writer(bits):
    def write(value):
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{value} is not an unsigned number of {bits} bits")
        return value

    return write


def _signed_writer(bits):
    def write(value):
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise ValueError(f"{value} is not a signed number of {bits} bits")
        return value & 0xFFFF_FFFF_FFFF_FFFF  # negative numbers always take ten bytes

    return write


def _text(data):
    try:
        return bytes(data).decode()
    except UnicodeDecodeError as error:
        raise DecodeError("a string that is not UTF-8") from error


_SCALARS = {
    "uint32": _Scalar(0, 0, _unsigned_writer(32), lambda v: v & 0xFFFF_FFFF),
    "uint64": _Scalar(0, 0, _unsigned_writer(64), lambda v: v),
    "int32": _Scalar(0, 0, _signed_writer(32), lambda v: _signed(v, 32)),
    "int64": _Scalar(0, 0, _signed_writer(64), lambda v: _signed(v, 64)),
    "bool": _Scalar(0, False, int, bool),
    "double": _Scalar(1, 0.0, lambda v: struct.pack("<d", v), lambda v: struct.unpack("<d", v)[0]),
    "string": _Scalar(2, "", str.encode, _text),
    "bytes": _Scalar(2, b"", bytes, bytes),
}


def _enum_reader(cls):
    def read(value):
        number = _signed(value, 32)
        try:
            return cls(number)
        except ValueError:
            return number  # a value of a later revision: kept, and unequal to all that is known

    return read


def _write(out, number, scalar, value):
    _varint(number << 3 | scalar.wire, out)
    _write_bare(out, scalar, value)


def _write_bare(out, scalar, value):
    encoded = scalar.write(value)
    if scalar.wire == 0:
        _varint(encoded, out)
        return
    if scalar.wire == 2:
        _varint(len(encoded), out)
    out += encoded


def _read_value(data, at, wire):
    if wire == 0:
        return _read_varint(data, at)
    if wire == 2:
        length, at = _read_varint(data, at)
    elif wire in (1, 5):
        length = 8 if wire == 1 else 4
    else:
        raise DecodeError(f"wire type {wire} does not exist in proto3")
    if length > len(data) - at:
        raise DecodeError("a field is cut off")
    return data[at : at + length], at + length


class Message:
    """What all messages do. Fields are attributes; those not set have their type's default."""

    __slots__ = ()
    FIELDS = ()
    _by_number = {}

    def __init__(self, **fields):
        for field in self.FIELDS:
            setattr(self, field.name, field.fresh())
        for name, value in fields.items():
            if name not in self.__slots__:
                raise TypeError(f"{type(self).__name__} has no field {name}")
            setattr(self, name, value)

    def encode(self):
        out = bytearray()
        for field in self.FIELDS:
            field.encode(out, getattr(self, field.name))
        return bytes(out)

    @classmethod
    def decode(cls, data):
        message = cls()
        data = memoryview(data)
        at = 0
        while at < len(data):
            key, at = _read_varint(data, at)
            value, at = _read_value(data, at, key & 7)
            if key >> 3 == 0:
                raise DecodeError("field number 0")
            field = cls._by_number.get(key >> 3)
            if field is not None:  # unknown fields are ignored
                field.decode(message, value, key & 7)
        return message

    def __eq__(self, other):
        return type(self) is type(other) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    def __repr__(self):
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in self.FIELDS if getattr(self, f.name) != f.fresh())
        return f"{type(self).__name__}({', '.join(shown)})"


class _Field:
    def __init__(self, name, number, type_, repeated, map_types):
        self.name, self.number, self.repeated = name, number, repeated
        self.scalar = None if map_types else _SCALARS.get(type_)
        self.message = None if map_types or self.scalar else _classes[type_]
        self.map = tuple(_SCALARS[t] for t in map_types) if map_types else None

    def fresh(self):
        if self.map:
            return {}
        if self.repeated:
            return []
        return self.scalar.default if self.scalar else None

    def encode(self, out, value):
        if self.map:
            for key, item in value.items():
                entry = bytearray()
                _write(entry, 1, self.map[0], key)
                _write(entry, 2, self.map[1], item)
                _varint(self.number << 3 | 2, out)
                _varint(len(entry), out)
                out += entry
        elif self.message:
            for item in value if self.repeated else [] if value is None else [value]:
                body = item.encode()
                _varint(self.number << 3 | 2, out)
                _varint(len(body), out)
                out += body
        elif not self.repeated:
            if value != self.scalar.default:
                _write(out, self.number, self.scalar, value)
        elif self.scalar.wire == 2:
            for item in value:
                _write(out, self.number, self.scalar, item)
        elif value:
            packed = bytearray()
            for item in value:
                _write_bare(packed, self.scalar, item)
            _varint(self.number << 3 | 2, out)
            _varint(len(packed), out)
            out += packed

    def decode(self, message, value, wire):
        if self.map:
            self._expect(wire, 2)
            key, item = (s.default for s in self.map)
            at = 0
            while at < len(value):
                tag, at = _read_varint(value, at)
                part, at = _read_value(value, at, tag & 7)
                if tag >> 3 == 1:
                    self._expect(tag & 7, self.map[0].wire)
                    key = self.map[0].read(part)
                elif tag >> 3 == 2:
                    self._expect(tag & 7, self.map[1].wire)
                    item = self.map[1].read(part)
            getattr(message, self.name)[key] = item
        elif self.message:
            self._expect(wire, 2)
            decoded = self.message.decode(value)
            if self.repeated:
                getattr(message, self.name).append(decoded)
            else:
                setattr(message, self.name, decoded)
        elif self.repeated and wire == 2 and self.scalar.wire != 2:
            at = 0
            while at < len(value):
                part, at = _read_value(value, at, self.scalar.wire)
                getattr(message, self.name).append(self.scalar.read(part))
        else:
            self._expect(wire, self.scalar.wire)
            decoded = self.scalar.read(value)
            if self.repeated:
                getattr(message, self.name).append(decoded)
            else:
                setattr(message, self.name, decoded)

    def _expect(self, wire, wanted):
        if wire != wanted:
            raise DecodeError(f"field {self.name} has wire type {wire} instead of {wanted}")


_classes = {}

for _name, _values in ENUMS.items():
    _enum = enum.IntEnum(_name, _values, module=__name__)
    _SCALARS[_name] = _Scalar(0, _enum(0), _signed_writer(32), _enum_reader(_enum))
    globals()[_name] = _enum

for _name, _fields in MESSAGES.items():
    # Slots: a misspelt field is an error instead of a field that is never sent.
    _classes[_name] = type(_name, (Message,), {"__slots__": tuple(f[0] for f in _fields), "__module__": __name__})
    globals()[_name] = _classes[_name]

for _name, _fields in MESSAGES.items():
    _classes[_name].FIELDS = tuple(_Field(*f) for f in _fields)
    _classes[_name]._by_number = {f.number: f for f in _classes[_name].FIELDS}

__all__ = ["DecodeError", "Message", *ENUMS, *MESSAGES]
