"""Score the ONNX file, the one that will be served, on the test rows."""

import json
import os

import numpy as np
import onnxruntime
import pandas as pd
from sklearn.metrics import brier_score_loss, f1_score, log_loss, roc_auc_score

test = pd.read_parquet(os.environ["TIDEMILL_INPUT_TEST"])
late = test["arr_delay"] > 15

session = onnxruntime.InferenceSession(os.environ["TIDEMILL_INPUT_MODEL"])
feed = {
    each.name: test[[each.name]].fillna("").to_numpy(dtype=object)
    if each.type == "tensor(string)"
    else test[[each.name]].to_numpy(dtype=np.float32)
    for each in session.get_inputs()
}
scores = session.run(["probabilities"], feed)[0][:, 1].astype(float)

metrics = {
    "auc": roc_auc_score(late, scores),
    "log_loss": log_loss(late, scores),
    "f1": f1_score(late, scores >= 0.5),
    "brier": brier_score_loss(late, scores),
    "n": len(test),
}
print(metrics)
with open(os.environ["TIDEMILL_OUTPUT_REPORT"], "w") as file:
    json.dump({name: float(value) for name, value in metrics.items()}, file)
