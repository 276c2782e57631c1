"""Sends one large file to an MLflow tracking server, or fetches it, and prints the seconds as one line of JSON.

Raw sockets and `sendfile`, because what a client library costs would be measured as the server's.

    python3 bench/support/artifact.py '{"base": "http://127.0.0.1:7878", "what": "put", "file": "/tmp/f", "path": "0/f"}'

`what`: put, get, or multipart (parts of 10 MB on 4 connections at once, as MLflow's client cuts them).
"""

import json
import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

PROXY = "/api/2.0/mlflow-artifacts"
PART = 10 * 1024 * 1024


def request(url: str, method: str, *, file=None, start=0, size=0, body=b"", sink=None):
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    length = size if file else len(body)
    with socket.create_connection((parts.hostname, parts.port), timeout=600) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        s.sendall(head.encode() + body)
        if file:
            with open(file, "rb") as f:
                s.sendfile(f, start, size)
        view = memoryview(bytearray(1 << 20))
        first = b""
        while b"\r\n\r\n" not in first:
            n = s.recv_into(view)
            if n == 0:
                raise RuntimeError(f"{method} {target}: no answer")
            first += bytes(view[:n])
        header, _, rest = first.partition(b"\r\n\r\n")
        status = int(header.split()[1])
        got = len(rest)
        while n := s.recv_into(view):
            got += n
            if not sink:
                rest += bytes(view[:n])
        if status != 200:
            raise RuntimeError(f"{method} {target}: {status} {rest[:300]!r}")
        headers = dict(
            line.split(": ", 1) for line in header.decode().split("\r\n")[1:] if ": " in line
        )
        return {k.lower(): v for k, v in headers.items()}, rest, got


def multipart(base: str, file: str, path: str, size: int) -> float:
    """Answers how many seconds of it the completion took."""
    folder, name = path.rsplit("/", 1)
    count = -(-size // PART)

    def step(what: str, fields: dict) -> dict:
        body = json.dumps({"path": name, **fields}).encode()
        _, text, _ = request(f"{base}{PROXY}/mpu/{what}/{folder}", "POST", body=body)
        return json.loads(text or b"{}")

    created = step("create", {"num_parts": count})

    def put(credential: dict) -> dict:
        start = (credential["part_number"] - 1) * PART
        headers, _, _ = request(
            credential["url"], "PUT", file=file, start=start, size=min(PART, size - start)
        )
        return {"part_number": credential["part_number"], "etag": headers["etag"]}

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(put, created["credentials"]))
    begun = time.perf_counter()
    step("complete", {"upload_id": created["upload_id"], "parts": parts})
    return time.perf_counter() - begun


def main() -> None:
    options = json.loads(sys.argv[1])
    base, file, path = options["base"], options["file"], options["path"]
    size = os.path.getsize(file)
    completion = None
    begun = time.perf_counter()
    if options["what"] == "put":
        request(f"{base}{PROXY}/artifacts/{path}", "PUT", file=file, size=size)
    elif options["what"] == "get":
        _, _, got = request(f"{base}{PROXY}/artifacts/{path}", "GET", sink=True)
        assert got == size, f"{got} bytes came of {size}"
    else:
        completion = multipart(base, file, path, size)
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "completion": completion, "bytes": size}))


main()
