"""Asks a graph over REST and gRPC by an unmodified tritonclient; prints what it saw as JSON.

    python triton_graph.py <rest host:port/projects/<p>> <grpc host:port> <project/name>
"""

import json
import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http

rest, address, name = sys.argv[1:]
columns = {
    "carrier": ("BYTES", np.array([["UA"], ["AA"], ["DL"]], dtype=object)),
    "flight": ("INT64", np.array([[1], [2], [3]], np.int64)),
    "distance": ("FP32", np.array([[50], [1400], [99]], np.float32)),
}


def ask(protocol, client, model):
    tensors = []
    for column, (datatype, values) in columns.items():
        tensor = protocol.InferInput(column, list(values.shape), datatype)
        tensor.set_data_from_numpy(values)
        tensors.append(tensor)
    result = client.infer(model, tensors)
    return {
        "score": result.as_numpy("score").ravel().tolist(),
        "by": [value.decode() for value in result.as_numpy("by").ravel()],
    }


over_rest = http.InferenceServerClient(rest)
over_grpc = grpc.InferenceServerClient(address)
print(
    json.dumps(
        {
            "metadata": over_rest.get_model_metadata(name.split("/")[1]),
            "rest": ask(http, over_rest, name.split("/")[1]),
            "grpc": ask(grpc, over_grpc, name),
        }
    )
)
