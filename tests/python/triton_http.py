"""What an unmodified tritonclient[http] does against a data plane; prints what it saw as JSON.

    python triton_http.py <host:port[/projects/<p>]>
"""

import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

client = http.InferenceServerClient(sys.argv[1], concurrency=4)
numbers = {
    "BOOL": np.array([[True, False], [False, True]]),
    "INT8": np.array([[-128, 127], [0, 1]], np.int8),
    "INT16": np.array([[-32768, 32767], [0, 1]], np.int16),
    "INT32": np.array([[-(2**31), 2**31 - 1], [0, 1]], np.int32),
    "INT64": np.array([[-(2**63), 2**63 - 1], [2**53 + 1, 1]], np.int64),
    "UINT8": np.array([[0, 255], [1, 2]], np.uint8),
    "UINT16": np.array([[0, 65535], [1, 2]], np.uint16),
    "UINT32": np.array([[0, 2**32 - 1], [1, 2]], np.uint32),
    "UINT64": np.array([[0, 2**64 - 1], [2**53 + 1, 2]], np.uint64),
    "FP32": np.array([[1.5, -0.25], [3.4e38, 1e-45]], np.float32),
    "FP64": np.array([[0.1, 1.7976931348623157e308], [5e-324, -0.0]]),
    "BYTES": np.array([["", "Zürich ✈"], ['"quoted"\n', "x" * 300]], dtype=object),
}


def given(name, value, datatype, binary):
    tensor = http.InferInput(name, list(value.shape), datatype)
    tensor.set_data_from_numpy(value, binary_data=binary)
    return tensor


def wanted(names, binary):
    return [http.InferRequestedOutput(name, binary_data=binary) for name in names]


def same(result, values):
    """Names of the values that did not come back exactly, bit by bit."""
    wrong = []
    for name, value in values.items():
        answer = result.as_numpy(f"{name}_out")
        if name == "BYTES":
            answer = np.array([one.decode() if isinstance(one, bytes) else one for one in answer.flatten()], dtype=object).reshape(answer.shape)
            equal = (answer == value).all()
        else:
            equal = answer.dtype == value.dtype and answer.tobytes() == value.tobytes()
        if not equal or answer.shape != value.shape:
            wrong.append(name)
    return wrong


def refused(act):
    try:
        act()
        return None
    except InferenceServerException as error:
        return [error.status(), error.message()[:400]]


def infer_types(binary_in, binary_out, **more):
    """binary_out None: no outputs named, as most callers do: all as binary."""
    mixed = {name: binary_in(index) for index, name in enumerate(numbers)}
    inputs = [given(name, value, name, mixed[name]) for name, value in numbers.items()]
    outputs = None if binary_out is None else [one for index, name in enumerate(numbers) for one in wanted([f"{name}_out"], binary_out(index))]
    return same(client.infer("types", inputs, outputs=outputs, **more), numbers)


always, never, every_other = (lambda _: True), (lambda _: False), (lambda index: index % 2 == 0)
rows = np.random.default_rng(7).normal(size=(400, 30)).astype(np.float32)
x = [given("x", rows, "FP32", True)]
plain = client.infer("bc", x)
half = np.array([[1.5, -0.0], [np.inf, np.nan], [6e-8, 65504]], np.float16)
halves = client.infer("half", [given("half", half, "FP16", True)]).as_numpy("half_out")
nothing = client.infer("bc", [given("x", rows[:0], "FP32", True)])
named = client.infer("bc", x, outputs=wanted(["probabilities"], True), request_id="q1")
with_nan = rows[:1].copy()
with_nan[0, 3] = np.nan
print(
    json.dumps(
        {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model_ready": [client.is_model_ready("bc"), client.is_model_ready("bc", "bc"), client.is_model_ready("nope"), client.is_model_ready("bc", "9")],
            "server": client.get_server_metadata()["name"],
            "extensions": client.get_server_metadata()["extensions"],
            "metadata": client.get_model_metadata("bc"),
            "config": client.get_model_config("bc"),
            "index": sorted((one["name"], one["version"], one["state"]) for one in client.get_model_repository_index()),
            "wrong": {
                "binary": infer_types(always, None),
                "json": infer_types(never, never),
                "mixed": infer_types(every_other, lambda index: index % 3 == 0),
                "gzip both ways": infer_types(always, None, request_compression_algorithm="gzip", response_compression_algorithm="gzip"),
                "deflate both ways": infer_types(every_other, every_other, request_compression_algorithm="deflate", response_compression_algorithm="deflate"),
            },
            "half": halves.dtype.name == "float16" and halves.tobytes() == half.tobytes(),
            "rows": list(plain.as_numpy("probabilities").shape),
            "packed_alike": all(
                client.infer("bc", x, outputs=wanted(["probabilities"], binary), response_compression_algorithm=coding).as_numpy("probabilities").tobytes()
                == plain.as_numpy("probabilities").tobytes()
                for binary in (True, False)
                for coding in ("gzip", "deflate")
            ),
            "none": [list(nothing.as_numpy("label").shape), list(nothing.as_numpy("probabilities").shape)],
            "named": [named.get_response()["id"], [one["name"] for one in named.get_response()["outputs"]]],
            "version": client.infer("bc", x, model_version="bc").get_response()["model_version"],
            "async": list(client.async_infer("bc", x).get_result().as_numpy("label").shape),
            "nan_answered": client.infer("bc", [given("x", with_nan, "FP32", True)]).as_numpy("label").shape == (1,),
            "statistics": client.get_inference_statistics("bc")["model_stats"][0],
            "all_statistics": sorted(one["name"] for one in client.get_inference_statistics()["model_stats"]),
            "trace": client.get_trace_settings("bc")["trace_level"],
            "log": client.get_log_settings()["log_info"],
            "refused": {
                "unknown model": refused(lambda: client.infer("nope", x)),
                "unknown version": refused(lambda: client.infer("bc", x, model_version="9")),
                "columns": refused(lambda: client.infer("bc", [given("x", rows[:, :29].copy(), "FP32", True)])),
                "datatype": refused(lambda: client.infer("bc", [given("x", rows.astype(np.float64), "FP64", True)])),
                "name": refused(lambda: client.infer("bc", [given("y", rows, "FP32", True)])),
                "output": refused(lambda: client.infer("bc", x, outputs=wanted(["odds"], True))),
                "sequence": refused(lambda: client.infer("bc", x, sequence_id=1, sequence_start=True)),
                "shared memory": refused(lambda: client.register_system_shared_memory("r", "/r", 64)),
                "shared memory status": refused(client.get_system_shared_memory_status),
                "cuda shared memory": refused(client.get_cuda_shared_memory_status),
                "load": refused(lambda: client.load_model("bc")),
                "unload": refused(lambda: client.unload_model("bc")),
                "load of none": refused(lambda: client.load_model("nope")),
                "trace settings": refused(lambda: client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"]})),
                "log settings": refused(lambda: client.update_log_settings({"log_verbose_level": 1})),
            },
        }
    )
)
