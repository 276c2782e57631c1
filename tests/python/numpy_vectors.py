"""Tensors of every datatype as numpy lays them in memory and tritonclient writes them, with their values as JSON, one a line.

    python numpy_vectors.py <seed>
"""

import base64
import json
import sys

import numpy as np
from tritonclient.utils import serialize_byte_tensor

random = np.random.default_rng(int(sys.argv[1]))
widths = {
    "BOOL": bool, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64,
    "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
}
letters = ["", "a", "Zürich", "✈", "\x00", '"\\\n', "𝔘" * 3, "x" * 70_000]


def values(datatype, shape):
    if datatype == "BYTES":
        return random.choice(np.array(letters, dtype=object), size=shape)
    if datatype == "BF16":  # numpy has none: float32 whose lower half is zero
        upper = random.integers(0, 2**16, size=shape, dtype=np.uint32) << 16
        array = upper.view(np.float32)
        return np.where(np.isfinite(array), array, np.float32(-0.0))
    kind = np.dtype(widths[datatype])
    bits = random.integers(0, 256, size=int(np.prod(shape)) * kind.itemsize, dtype=np.uint8)
    if datatype == "BOOL":
        return (bits % 2).astype(bool).reshape(shape)
    array = np.frombuffer(bits.tobytes(), dtype=kind).reshape(shape)
    if kind.kind == "f":  # what JSON can carry
        array = np.where(np.isfinite(array), array, kind.type(-0.0))
    return array


for datatype in [*widths, "BF16", "BYTES"]:
    for shape in [(1,), (2, 3), (0, 4), (3, 1, 2), (7,)]:
        array = values(datatype, shape)
        if datatype == "BYTES":
            raw = serialize_byte_tensor(np.array([one.encode() for one in array.flatten()], dtype=object)).item() if array.size else b""
            flat = array.flatten().tolist()
        elif datatype == "BF16":
            raw = (array.view(np.uint32) >> 16).astype("<u2").tobytes()
            flat = array.astype(np.float64).flatten().tolist()
        else:
            raw = array.tobytes()
            flat = array.astype(np.float64).flatten().tolist() if datatype == "FP16" else array.flatten().tolist()
        print(
            json.dumps(
                {
                    "datatype": datatype,
                    "shape": list(shape),
                    "bytes": base64.b64encode(raw).decode(),
                    "flat": json.dumps(flat),
                    "nested": json.dumps(np.array(flat, dtype=object).reshape(shape).tolist()),
                }
            )
        )

# bytes that are no text, which JSON cannot carry, among such that are
for size in [1, 3, 40]:
    blobs = [random.integers(0, 256, size=int(random.integers(0, 600)), dtype=np.uint8).tobytes() for _ in range(size)]
    blobs = [*blobs, b"\xff", b"\xed\xa0\x80", "Z\u00fcrich \ufffd".encode(), b"x" * 300]
    raw = serialize_byte_tensor(np.array(blobs, dtype=object)).item()
    print(
        json.dumps(
            {
                "datatype": "BYTES",
                "shape": [len(blobs)],
                "bytes": base64.b64encode(raw).decode(),
                "elements": [base64.b64encode(one).decode() for one in blobs],
            }
        )
    )
