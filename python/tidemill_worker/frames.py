"""Frames on the socket, and nothing of what they mean.

    0   uint32  bytes that follow
    4   uint8   kind, then three zero bytes
    8   uint32  id: an answer has that of its request
    12  uint32  bytes of the header, a multiple of 8
    16          header: JSON, filled up with spaces
                tensors, each at a multiple of 8 from the start of the frame

All numbers are little-endian.
"""

import json
import struct

LOAD, LOADED, PREDICT, PREDICTED, FAILED = 1, 2, 3, 4, 5

PREFIX = struct.Struct("<IB3xII")
BUFFER_BYTES = 256 * 1024


class Connection:
    """Reads into one buffer, as much as is there: a frame is one system call, two that came together are one as well."""

    def __init__(self, sock) -> None:
        self._sock = sock
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0

    def read(self):
        """(kind, id, header, body) of the next frame; None when the other side has closed."""
        if not self._fill(PREFIX.size):
            return None
        length, kind, number, header_bytes = PREFIX.unpack_from(self._buffer, self._start)
        total = length + 4
        if total <= BUFFER_BYTES:
            if not self._fill(total):
                return None
            start = self._start
            split = start + PREFIX.size + header_bytes
            header = bytes(self._view[start + PREFIX.size : split])
            # A copy of its own: a model may keep what it was given, and the buffer is used again.
            body = bytearray(self._view[split : start + total])
            self._start = start + total
            return kind, number, header, body
        have = self._end - self._start
        whole = bytearray(total)
        view = memoryview(whole)
        view[:have] = self._view[self._start : self._end]
        self._start = self._end = 0
        while have < total:
            count = self._sock.recv_into(view[have:])
            if count == 0:
                return None
            have += count
        split = PREFIX.size + header_bytes
        return kind, number, bytes(view[PREFIX.size : split]), view[split:]

    def _fill(self, wanted: int) -> bool:
        """Waits until so many bytes are in the buffer; False at the end."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start + wanted > BUFFER_BYTES:
            rest = self._end - self._start
            self._view[:rest] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, rest
        while self._end - self._start < wanted:
            count = self._sock.recv_into(self._view[self._end :])
            if count == 0:
                return False
            self._end += count
        return True

    def write(self, data) -> None:
        self._sock.sendall(data)


def pad_header(header) -> bytes:
    """JSON as bytes, filled up so that what follows starts at a multiple of 8."""
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return text + b" " * (-len(text) % 8)


def read_header(header: bytes):
    return json.loads(header)


def prefix(kind: int, number: int, header_bytes: int, body_bytes: int) -> bytes:
    return PREFIX.pack(PREFIX.size - 4 + header_bytes + body_bytes, kind, number, header_bytes)


def frame(kind: int, number: int, header) -> bytes:
    text = pad_header(header)
    return prefix(kind, number, len(text), 0) + text
