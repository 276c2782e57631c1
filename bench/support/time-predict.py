"""How long `predict` of one row takes in this process, one call after the other: time-predict.py <pickle> <seconds>."""

import json
import pickle
import sys
import time

import numpy as np
from sklearn.datasets import load_breast_cancer

with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
rows, _ = load_breast_cancer(return_X_y=True)
times = []
end = time.perf_counter() + float(sys.argv[2])
while time.perf_counter() < end:
    row = rows[len(times) % len(rows)].reshape(1, -1)
    start = time.perf_counter()
    model.predict(row)
    times.append(time.perf_counter() - start)
print(json.dumps({"p50Ms": float(np.median(times)) * 1000}))
