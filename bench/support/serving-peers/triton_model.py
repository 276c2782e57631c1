"""The ONNX model of the benchmarks in Triton's Python backend: its ONNX backend comes only in its container."""

import os

import numpy
import onnxruntime
import triton_python_backend_utils as pb


class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        path = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(path, options)

    def execute(self, requests):
        parts = [pb.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        label, probabilities = self.session.run(None, {"x": numpy.concatenate(parts)})
        answers, start = [], 0
        for part in parts:
            end = start + len(part)
            outputs = [pb.Tensor("label", label[start:end]), pb.Tensor("probabilities", probabilities[start:end])]
            answers.append(pb.InferenceResponse(outputs))
            start = end
        return answers
