"""A model written by hand: a Python file with `signature`, `predict(inputs, outputs)` and, if it likes, `load(folder)`."""

import importlib.util
import sys

import numpy as np

from . import model


def load(path, declared):
    sys.path.insert(0, str(path.parent))  # what lies beside it can be imported
    spec = importlib.util.spec_from_file_location("tidemill_model", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["tidemill_model"] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, "predict", None)):
        raise ValueError(f"{path.name} has no function predict(inputs, outputs)")
    if hasattr(module, "load"):
        module.load(str(path.parent))
    signature = declared or getattr(module, "signature", None)
    if signature is None:
        raise ValueError(f"{path.name} has no signature: {{'inputs': [...], 'outputs': [...]}} with name, datatype, shape")
    names = [one["name"] for one in signature["outputs"]]
    call = module.predict
    return model.Model(
        {"inputs": list(signature["inputs"]), "outputs": list(signature["outputs"])},
        lambda inputs, wanted: model.to_results(call(inputs, wanted), names),
        f"{path.name}, numpy {np.__version__}",
    )
