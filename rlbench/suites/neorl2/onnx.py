"""Reading the constants of an ONNX file: a protobuf message, walked without executing anything."""

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # how a field is written
_GRAPH, _INITIALIZER = 7, 5  # numbers of fields in ModelProto and GraphProto
_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9  # and in TensorProto
_FLOAT = 1  # of TensorProto.DataType


def read_constants(content: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the float32 initializers of a model by name, in the order of the file.

    Args:
        content: Of the file.

    Raises:
        UsageError: It is no ONNX file, or is cut off.
    """
    found: dict[str, NDArray[np.float32]] = {}
    try:
        for number, graph in _fields(memoryview(content)):
            if number != _GRAPH or isinstance(graph, int):
                continue
            for inner, tensor in _fields(graph):
                if inner == _INITIALIZER and not isinstance(tensor, int):
                    found |= _tensor(tensor)
    except (ValueError, IndexError) as error:
        raise UsageError(f"it is not an ONNX file, or not a whole one ({error})") from error
    return found


def _tensor(message: memoryview) -> dict[str, NDArray[np.float32]]:
    """Return a tensor by its name; nothing unless it is of float32."""
    shape: list[int] = []
    name, kind, raw = "", 0, b""
    for number, value in _fields(message):
        if number == _DIMS:
            shape += [value] if isinstance(value, int) else _varints(value)
        elif number == _TYPE and isinstance(value, int):
            kind = value
        elif number == _NAME and not isinstance(value, int):
            name = bytes(value).decode()
        elif number == _RAW and not isinstance(value, int):
            raw = bytes(value)
    if kind != _FLOAT or not raw:
        return {}
    if len(raw) != 4 * prod(shape):
        raise ValueError(f"the tensor {name!r} has {len(raw)} bytes for the shape {shape}")
    return {name: np.frombuffer(raw, dtype="<f4").reshape(shape)}


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield a message's fields: their numbers, and integers or bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field has the unsupported wire type {kind}")
        if at + size > len(message):
            raise ValueError("it ends within a field")
        yield number, message[at : at + size]
        at += size


def _varints(message: memoryview) -> list[int]:
    """Return integers that are written one after the other."""
    numbers, at = [], 0
    while at < len(message):
        number, at = _varint(message, at)
        numbers.append(number)
    return numbers


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return an integer of seven bits a byte, and where the next field begins."""
    number = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise ValueError("an integer of more than ten bytes")
