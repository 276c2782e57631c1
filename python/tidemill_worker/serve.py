"""Holds one model: answers frame after frame on the socket that it was given as descriptor 3.

The protocol is described in docs/model-worker-protocol.md. Nothing but the standard library and numpy is needed here;
what a model needs comes from its own environment and is imported when the model is loaded. The process ends when its
socket is closed, and with its parent.
"""

import gc
import os
import socket
import traceback

from . import faults, frames, limits

PROTOCOL = 1
LONGEST_MESSAGE = 2_000


def main() -> None:
    limits.end_with_parent()
    descriptor = int(os.environ.get("TIDEMILL_WORKER_FD", "3"))
    os.set_inheritable(descriptor, False)  # what a model starts must not keep the socket open
    connection = frames.Connection(socket.socket(fileno=descriptor))
    try:
        serve(connection)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the other side is gone: nobody waits for an answer


def serve(connection: frames.Connection) -> None:
    model = None
    while (frame := connection.read()) is not None:
        kind, number, header, body = frame
        try:
            if kind == frames.PREDICT:
                if model is None:
                    raise RuntimeError("no model is loaded")
                reply = model.answer(number, header, body)
            elif kind == frames.LOAD:
                model, reply = load(number, header)
            else:
                raise ValueError(f"a frame of kind {kind} is not known in protocol {PROTOCOL}")
        except MemoryError as error:
            gc.collect()
            reply = failure(number, error, says="it ran out of memory" + limits.described(), replace=True)
        except BaseException as error:  # a model that calls sys.exit() must not take the other requests with it
            reply = failure(number, error)
        connection.write(reply)


def load(number: int, header: bytes):
    from . import flavours, quick_checks  # after the parent waits for us: a broken environment is then told as a failed load

    request = frames.read_header(header)
    if request.get("protocol") != PROTOCOL:
        raise ValueError(f"protocol {request.get('protocol')} is spoken, this worker knows {PROTOCOL}")
    try:
        model = flavours.load(request["folder"], request["main"], request.get("signature"))
    except ModuleNotFoundError as problem:
        hint = "a requirements.txt in the model's folder names the packages that it needs (docs/python-models.md)"
        raise ModuleNotFoundError(f"{problem}; {hint}") from problem
    if os.environ.get("TIDEMILL_SKLEARN_CHECKS") != "full":
        quick_checks.install()
    gc.collect()
    gc.freeze()  # a model's objects live as long as it: no collection need look at them again
    limits.bound_memory(request.get("maxMemoryBytes"))
    says = {"signature": model.signature, "about": model.about, "takesParameters": model.takes_parameters}
    return model, frames.frame(frames.LOADED, number, says)


def failure(number: int, error: BaseException, says: str | None = None, replace: bool = False) -> bytes:
    text = str(error)
    message = says or (f"{type(error).__name__}: {text}" if text else type(error).__name__)
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, faults.InvalidInput):
        says = {"message": shorten(text), "invalid": True, **({"trace": trace} if error.is_doubtful else {})}
        return frames.frame(frames.FAILED, number, says)
    return frames.frame(frames.FAILED, number, {"message": shorten(message), "trace": trace, "replace": replace})


def shorten(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else message[:LONGEST_MESSAGE] + " …"

