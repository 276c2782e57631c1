"""Tensors between frames and numpy. What depends on a header alone is worked out once for each header that is seen.

numpy has no BF16: a model is given its numbers as float32, which holds each of them, and what it gives is rounded to the
nearest, ties to even. An element of BYTES is a str; one that is no UTF-8 is bytes.
"""

import struct

import numpy as np

from . import frames

DTYPES = {
    "BOOL": np.dtype("?"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
DATATYPES = {dtype: name for name, dtype in DTYPES.items()}
BFLOAT = "BF16"
BITS = np.dtype("<u2")
#: What a model in numpy is given, and gives.
MODEL_DTYPES = {**DTYPES, "BF16": np.dtype("<f4")}
LENGTH = struct.Struct("<I")
MOST_PLANS = 256

_read_plans: dict = {}
_write_plans: dict = {}


def datatype_of(dtype: np.dtype) -> str:
    """The name of the Open Inference Protocol for what numpy calls a dtype."""
    if dtype.kind in "OSUT":
        return "BYTES"
    known = DATATYPES.get(dtype.newbyteorder("<"))
    if known is None:
        raise TypeError(f"values of numpy's dtype {dtype} have no datatype in the Open Inference Protocol")
    return known


def decode(header: bytes, body):
    """(tensors by name, names of the outputs that are asked for, parameters of the request or None)."""
    plan = _read_plans.get(header)
    if plan is None:
        plan = _plan_reading(header)
        _remember(_read_plans, header, plan)
    parts, wanted, parameters = plan
    inputs = {}
    for name, dtype, shape, count, offset, size in parts:
        if dtype is None:
            inputs[name] = _read_texts(body, offset, size, count).reshape(shape)
        elif dtype is BFLOAT:
            bits = np.frombuffer(body, BITS, count, offset).astype("<u4") << 16
            inputs[name] = bits.view("<f4").reshape(shape)
        else:
            inputs[name] = np.frombuffer(body, dtype, count, offset).reshape(shape)
    return inputs, wanted, parameters


def encode(number: int, results: dict, wanted, output_of) -> bytes:
    """The answer to a request: the outputs that were asked for, as the signature declares them."""
    arrays = [output_of(name, results) for name in wanted]
    pieces = [None, None]
    described = []
    size = 0
    for name, (datatype, array) in zip(wanted, arrays):
        data = _bytes_of(datatype, array)
        described.append((name, datatype, array.shape, len(data) if datatype == "BYTES" else -1))
        pieces.append(data)
        padding = -len(data) % 8
        if padding:
            pieces.append(b"\0" * padding)
        size += len(data) + padding
    key = tuple(described)
    header = _write_plans.get(key)
    if header is None:
        header = frames.pad_header({"outputs": [_describe(*one) for one in described]})
        _remember(_write_plans, key, header)
    pieces[0] = frames.prefix(frames.PREDICTED, number, len(header), size)
    pieces[1] = header
    return b"".join(pieces)


def _bytes_of(datatype: str, array: np.ndarray) -> bytes:
    if datatype == "BYTES":
        return _write_texts(array)
    if datatype == "BF16":
        return to_bfloat(array).tobytes()
    return array.tobytes()


def to_bfloat(array: np.ndarray) -> np.ndarray:
    """The upper halves of float32, rounded; a NaN stays one, whatever bits it had."""
    bits = np.ascontiguousarray(array, "<f4").view("<u4")
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return np.where(np.isnan(array), (bits >> 16) | 0x40, rounded).astype("<u2")


def _describe(name, datatype, shape, size):
    described = {"name": name, "datatype": datatype, "shape": list(shape)}
    return described if size < 0 else {**described, "sizeBytes": size}


def _remember(plans: dict, key, plan) -> None:
    if len(plans) >= MOST_PLANS:
        plans.clear()
    plans[key] = plan


def _plan_reading(header: bytes):
    request = frames.read_header(header)
    parts = []
    offset = 0
    for tensor in request["inputs"]:
        shape = tuple(tensor["shape"])
        count = 1
        for dimension in shape:
            count *= dimension
        datatype = tensor["datatype"]
        dtype = {"BYTES": None, "BF16": BFLOAT}.get(datatype, DTYPES.get(datatype))
        if dtype is None:
            size = tensor["sizeBytes"]
        else:
            size = count * (BITS if dtype is BFLOAT else dtype).itemsize
        parts.append((tensor["name"], dtype, shape, count, offset, size))
        offset += (size + 7) & ~7
    return parts, request["outputs"], request.get("parameters")


def _read_texts(body, offset: int, size: int, count: int) -> np.ndarray:
    texts = np.empty(count, dtype=object)
    end = offset + size
    for index in range(count):
        if offset + 4 > end:
            raise ValueError("a tensor of texts ends before its last element")
        (length,) = LENGTH.unpack_from(body, offset)
        offset += 4
        element = bytes(body[offset : offset + length])
        try:
            texts[index] = element.decode()
        except UnicodeDecodeError:
            texts[index] = element
        offset += length
    return texts


def _write_texts(array: np.ndarray) -> bytes:
    pieces = []
    for value in array.reshape(-1).tolist():
        text = value if isinstance(value, bytes) else ("" if value is None else str(value)).encode()
        pieces.append(LENGTH.pack(len(text)))
        pieces.append(text)
    return b"".join(pieces)
