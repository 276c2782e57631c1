"""What an unmodified tritonclient sees of `tidemill serve <folder> --no-models`: models are loaded and unloaded by request.

    python triton_control.py <host:port> <grpc host:port> <folder> <folder of models to put there>

The folder has `a.onnx`, `columns/1/model.onnx` and `broken.onnx`; prints what it saw as JSON.
"""

import json
import os
import shutil
import sys

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

rest = tritonclient.http.InferenceServerClient(sys.argv[1], concurrency=2)
grpc = tritonclient.grpc.InferenceServerClient(sys.argv[2])
folder, fixtures = sys.argv[3], sys.argv[4]


def index(client):
    if client is rest:
        return sorted([one["name"], one.get("version", ""), one["state"], one["reason"][:40]] for one in rest.get_model_repository_index())
    return sorted([one.name, one.version, one.state, one.reason[:40]] for one in grpc.get_model_repository_index().models)


def refused(act):
    try:
        act()
        return None
    except InferenceServerException as error:
        return [error.status(), error.message()[:300]]


def put(name, to):
    shutil.copyfile(os.path.join(fixtures, name), os.path.join(folder, ".part"))
    os.makedirs(os.path.dirname(os.path.join(folder, to)), exist_ok=True)
    os.replace(os.path.join(folder, ".part"), os.path.join(folder, to))


def columns():
    inputs = [
        tritonclient.http.InferInput("carrier", [1, 1], "BYTES"),
        tritonclient.http.InferInput("flight", [1, 1], "INT64"),
        tritonclient.http.InferInput("distance", [1, 1], "FP32"),
    ]
    for tensor, value in zip(inputs, (np.array([["UA"]], object), np.array([[1]], np.int64), np.array([[10]], np.float32))):
        tensor.set_data_from_numpy(value)
    return float(rest.infer("columns", inputs).as_numpy("score")[0][0])


seen = {}
seen["at the start"] = [rest.is_server_ready(), rest.is_model_ready("a"), index(rest)]
for name, client in (("rest", rest), ("grpc", grpc)):
    client.load_model("a")
    loaded = [rest.is_model_ready("a"), grpc.is_model_ready("a"), index(client)]
    client.load_model("a")  # once more changes nothing
    client.unload_model("a")
    seen[name] = loaded + [rest.is_model_ready("a"), index(client), refused(lambda: rest.get_model_metadata("a"))]

rest.load_model("columns")
before = columns()
put("columns-2.onnx", "columns/1/model.onnx")
unchanged = columns()
grpc.load_model("columns")
seen["reload"] = [before, unchanged, columns(), index(rest)]
put("../fixtures/make-fixtures.py", "columns/1/model.onnx")
seen["a broken reload"] = [refused(lambda: rest.load_model("columns")), columns()]
put("columns-1.onnx", "columns/1/model.onnx")
grpc.load_model("columns")
seen["mended"] = [columns(), index(rest)]

put("gather.onnx", "new.onnx")
rest.load_model("new")
seen["a new one"] = rest.is_model_ready("new")
os.remove(os.path.join(folder, "new.onnx"))
seen["refused"] = {
    "load of none": [refused(lambda: rest.load_model("nope")), refused(lambda: grpc.load_model("nope"))],
    "load of one that is gone": refused(lambda: rest.load_model("gone")),
    "unload of none": [refused(lambda: rest.unload_model("nope")), refused(lambda: grpc.unload_model("nope"))],
    "broken": [refused(lambda: rest.load_model("broken")), refused(lambda: grpc.load_model("broken"))],
    "config": [refused(lambda: rest.load_model("a", config="{}")), refused(lambda: grpc.load_model("a", config="{}"))],
    "files": refused(lambda: rest.load_model("a", config="{}", files={"file:1/model.onnx": b"x" * 100})),
}
print(json.dumps(seen))
