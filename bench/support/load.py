"""Loads an MLflow tracking server with one kind of call over raw sockets and prints what it measured as one line of JSON.

Raw sockets, because a client library costs more than the server's answer, and because Node.js cannot set TCP_QUICKACK:
with it the client acknowledges each segment at once, which hides the 40 ms that a server loses to Nagle's algorithm and
delayed ACKs. Each connection is a thread with a run of its own; one call after the other.

    python3 bench/support/load.py '{"base": "http://127.0.0.1:7878", "what": "log-batch", "seconds": 5, "connections": 8}'
"""

import json
import random
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

API = "/api/2.0/mlflow/runs/"


class Connection:
    def __init__(self, base: str, quickack: bool, headers: str) -> None:
        url = urlsplit(base)
        self.host = f"{url.hostname}:{url.port}"
        self.path = url.path.rstrip("/")
        self.socket = socket.create_connection((url.hostname, url.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.quickack = quickack and hasattr(socket, "TCP_QUICKACK")
        self.headers = headers
        self.buffer = b""

    def receive(self) -> None:
        if self.quickack:  # the kernel forgets it after each segment
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.buffer += data

    def get(self, path: str) -> bytes:
        return self.exchange(f"GET {self.path}{path} HTTP/1.1\r\n", b"")

    def post(self, call: str, body: bytes) -> bytes:
        line = f"POST {self.path}{API}{call} HTTP/1.1\r\nContent-Type: application/json\r\n"
        return self.exchange(f"{line}Content-Length: {len(body)}\r\n", body)

    def exchange(self, begin: str, body: bytes) -> bytes:
        self.socket.sendall(f"{begin}Host: {self.host}\r\n{self.headers}\r\n".encode() + body)
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self.receive()
        answer = self.buffer[:end].lower()
        length = int(answer.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        while len(self.buffer) < end + 4 + length:
            self.receive()
        text = self.buffer[end + 4 : end + 4 + length]
        self.buffer = self.buffer[end + 4 + length :]
        if b" 200 " not in answer[:16]:
            raise RuntimeError(f"{begin.splitlines()[0]} was answered {answer[:16]!r}: {text[:300]!r}")
        return text


def create_body(number: int) -> bytes:
    now = int(time.time() * 1000)
    tags = [{"key": "mlflow.user", "value": "ann"}, {"key": "mlflow.source.name", "value": "train.py"}]
    run = {"experiment_id": "0", "user_id": "ann", "run_name": f"run {number}", "start_time": now, "tags": tags}
    return json.dumps(run).encode()


def bodies(what: str, run_id: str):
    """Endless bodies; text is filled into a prepared one, so that the client stays cheap beside the server."""
    if what == "create":
        number = 0
        while True:
            number += 1
            yield create_body(number)
    values = [random.random() for _ in range(100)]
    point = '{"key": "metric_%d", "value": %r, "timestamp": @time, "step": @step}'
    if what == "log-metric":
        text = '{"run_id": "%s", "key": "loss", "value": %r, "timestamp": @time, "step": @step}' % (run_id, values[0])
    else:
        metrics = ", ".join(point % (number, value) for number, value in enumerate(values))
        text = '{"run_id": "%s", "metrics": [%s]}' % (run_id, metrics)
    step = 0
    while True:
        step += 1
        yield text.replace("@time", str(int(time.time() * 1000))).replace("@step", str(step)).encode()


def main() -> None:
    options = json.loads(sys.argv[1])
    what, connections = options["what"], options["connections"]
    headers = "".join(f"{name}: {value}\r\n" for name, value in options.get("headers", {}).items())
    latencies: list[list[float]] = [[] for _ in range(connections)]
    failures: list[BaseException] = []
    ready = threading.Barrier(connections + 1)

    def work(own: list[float]) -> None:
        try:
            connection = Connection(options["base"], options.get("quickack", False), headers)
            run_id = json.loads(connection.post("create", create_body(0)))["run"]["info"]["run_id"]
            source = bodies(what, run_id)
            ready.wait()
            until = time.perf_counter() + options["seconds"]
            while (begun := time.perf_counter()) < until:
                if what == "get-experiment":
                    connection.get("/api/2.0/mlflow/experiments/get?experiment_id=0")
                else:
                    connection.post(what, next(source))
                own.append(time.perf_counter() - begun)
        except BaseException as error:  # told by the main thread
            failures.append(error)
            ready.abort()

    threads = [threading.Thread(target=work, args=(own,)) for own in latencies]
    for thread in threads:
        thread.start()
    try:
        ready.wait()
    except threading.BrokenBarrierError:
        pass
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    elapsed = time.perf_counter() - begun
    every = sorted(latency * 1000 for own in latencies for latency in own)
    at = lambda share: every[min(len(every) - 1, int(len(every) * share))]
    print(json.dumps({"perSecond": len(every) / elapsed, "p50Ms": at(0.5), "p99Ms": at(0.99), "calls": len(every)}))


main()
