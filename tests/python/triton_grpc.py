"""What an unmodified tritonclient[grpc] does against a data plane; prints what it saw as JSON.

    python triton_grpc.py <host:port>
"""

import json
import queue
import sys

import grpc
import numpy as np
import tritonclient.grpc as triton
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

address = sys.argv[1]
client = triton.InferenceServerClient(address)
stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(address))
random = np.random.default_rng(11)

integers = {"INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64}
floats = {"FP32": np.float32, "FP64": np.float64}
fields = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}


def vectors(rows):
    """One tensor of each datatype with the ends of its range in it, as numpy has them."""
    made = {"BOOL": random.integers(0, 2, (rows, 2)).astype(bool)}
    for name, kind in integers.items():
        ends = np.iinfo(kind)
        made[name] = random.integers(ends.min, ends.max, (rows, 2), dtype=kind, endpoint=True)
        if rows > 0:
            made[name][0] = [ends.min, ends.max]
    for name, kind in floats.items():
        made[name] = random.normal(size=(rows, 2)).astype(kind)
        for row, pair in enumerate([[np.nan, -np.inf], [np.finfo(kind).smallest_subnormal, -0.0], [np.finfo(kind).max, np.inf]][:rows]):
            made[name][row] = pair
    texts = ["", "Zürich ✈", '"quoted"\n', "x" * 300, "\U0001f6eb"]
    made["BYTES"] = np.array([texts[index % len(texts)] for index in range(rows * 2)], dtype=object).reshape(rows, 2)
    return made


def given(name, value, datatype=None):
    tensor = triton.InferInput(name, list(value.shape), datatype or name)
    tensor.set_data_from_numpy(value)
    return tensor


def same(answered, value):
    if value.dtype == object:
        answered = np.array([one.decode() for one in answered.flatten()], dtype=object).reshape(answered.shape)
        return answered.shape == value.shape and (answered == value).all()
    return answered.dtype == value.dtype and answered.shape == value.shape and answered.tobytes() == value.tobytes()


def wrong_raw(rows, **more):
    values = vectors(rows)
    result = client.infer("types", [given(name, value) for name, value in values.items()], **more)
    return [name for name, value in values.items() if not same(result.as_numpy(f"{name}_out"), value)]


def wrong_typed(rows):
    """`contents`, which tritonclient itself does not speak."""
    values = vectors(rows)
    request = service_pb2.ModelInferRequest(model_name="types")
    for name, value in values.items():
        tensor = request.inputs.add(name=name, datatype=name, shape=value.shape)
        items = [one.encode() for one in value.flatten()] if name == "BYTES" else value.flatten().tolist()
        getattr(tensor.contents, fields[name]).extend(items)
    response = stub.ModelInfer(request)
    wrong = ["raw"] if len(response.raw_output_contents) > 0 else []
    outputs = {output.name: output for output in response.outputs}
    for name, value in values.items():
        output = outputs[f"{name}_out"]
        answered = np.array(getattr(output.contents, fields[name]), dtype=value.dtype).reshape(output.shape)
        if not same(answered, value):
            wrong.append(name)
    return wrong


def refused(act):
    try:
        act()
        return None
    except InferenceServerException as error:
        return [error.status(), error.message()[:400]]


def stream(requests):
    """Answers of a stream in the order in which they came: the id, and the error or None."""
    answers = queue.Queue()
    with triton.InferenceServerClient(address) as streaming:
        streaming.start_stream(callback=lambda result, error: answers.put((result, error)))
        for model, inputs, request_id in requests:
            streaming.async_stream_infer(model, inputs, request_id=request_id, enable_empty_final_response=True)
        seen = [answers.get(timeout=30) for _ in requests]
    return [
        [None, error.message()] if error is not None else [result.get_response().id, result.get_response().parameters["triton_final_response"].bool_param]
        for result, error in seen
    ]


def plain(message):
    return MessageToDict(message, preserving_proto_field_name=True)


def classified(inputs):
    """The two most probable classes of each row: their shape, and whether they are what the probabilities say."""
    values = client.infer("bc", inputs).as_numpy("probabilities")
    asked = [triton.InferRequestedOutput("probabilities", class_count=2)]
    classes = client.infer("bc", inputs, outputs=asked).as_numpy("probabilities")
    ranked = [[f"{row[at]:.6f}:{at}".encode() for at in np.argsort(-row, kind="stable")] for row in values]
    return [*classes.shape, classes.tolist() == ranked]


rows = random.normal(size=(400, 30)).astype(np.float32)
x = [given("x", rows, "FP32")]
plainly = client.infer("bc", x)
half = np.array([[1.5, -0.0], [np.inf, np.nan], [6e-8, 65504]], np.float16)
named = client.infer("bc", x, outputs=[triton.InferRequestedOutput("probabilities")], request_id="q1")
wide = random.normal(size=(40_000, 30)).astype(np.float32)  # 4.8 MB: more than gRPC takes unless it is told to
many = [["gather", [given("index", np.array([index % 3]), "INT64")], str(index)] for index in range(50)]
print(
    json.dumps(
        {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model_ready": [client.is_model_ready("bc"), client.is_model_ready("bc", "bc"), client.is_model_ready("flights/bc")],
            "server": plain(client.get_server_metadata())["name"],
            "metadata": plain(client.get_model_metadata("bc")),
            "config": plain(client.get_model_config("bc"))["config"],
            "index": sorted([one.name, one.version, one.state] for one in client.get_model_repository_index().models),
            "wrong": {
                "raw": {rows: wrong_raw(rows) for rows in (0, 1, 3, 8)},
                "typed": {rows: wrong_typed(rows) for rows in (0, 1, 3, 8)},
                "gzip": wrong_raw(3, compression_algorithm="gzip"),
                "deflate": wrong_raw(3, compression_algorithm="deflate"),
            },
            "half": same(client.infer("half", [given("half", half, "FP16")]).as_numpy("half_out"), half),
            "rows": list(plainly.as_numpy("probabilities").shape),
            "wide": list(client.infer("bc", [given("x", wide, "FP32")]).as_numpy("probabilities").shape),
            "named": [named.get_response().id, [one.name for one in named.get_response().outputs]],
            "version": plainly.get_response().model_version,
            "prediction": len(plainly.get_response().parameters["prediction_id"].string_param),
            "stream": stream(many),
            "stream_with_failures": stream([many[0], ["nope", x, "bad"], ["gather", [given("index", np.array([7]), "INT64")], "worse"], many[1]]),
            "classification": classified(x),
            "statistics": plain(client.get_inference_statistics("bc"))["model_stats"][0],
            "trace": list(client.get_trace_settings("bc").settings["trace_level"].value),
            "log": client.get_log_settings().settings["log_error"].bool_param,
            "refused": {
                "unknown model": refused(lambda: client.infer("nope", x)),
                "unknown version": refused(lambda: client.infer("bc", x, model_version="9")),
                "columns": refused(lambda: client.infer("bc", [given("x", rows[:, :29].copy(), "FP32")])),
                "datatype": refused(lambda: client.infer("bc", [given("x", rows.astype(np.float64), "FP64")])),
                "name": refused(lambda: client.infer("bc", [given("y", rows, "FP32")])),
                "output": refused(lambda: client.infer("bc", x, outputs=[triton.InferRequestedOutput("odds")])),
                "sequence": refused(lambda: client.infer("bc", x, sequence_id=1, sequence_start=True)),
                "shared memory": refused(lambda: client.register_system_shared_memory("r", "/r", 64)),
                "shared memory status": refused(client.get_system_shared_memory_status),
                "cuda shared memory": refused(client.get_cuda_shared_memory_status),
                "load": refused(lambda: client.load_model("bc")),
                "unload": refused(lambda: client.unload_model("bc")),
                "load of none": refused(lambda: client.load_model("nope")),
                "trace settings": refused(lambda: client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"]})),
                "log settings": refused(lambda: client.update_log_settings({"log_verbose_level": 1})),
                "deadline": refused(lambda: client.infer("slow", [given("turns", np.array([20_000]), "INT64")], client_timeout=0.05)),
            },
        }
    )
)
