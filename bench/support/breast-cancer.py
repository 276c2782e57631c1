"""Fits the boosting of the reference figures and times its `predict` in this process: a folder, then seconds."""

import json
import pickle
import sys
import time

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier

folder, seconds = sys.argv[1], float(sys.argv[2])
rows, labels = load_breast_cancer(return_X_y=True)
model = GradientBoostingClassifier(n_estimators=100, random_state=0).fit(rows, labels)
with open(f"{folder}/model.pkl", "wb") as file:
    pickle.dump(model, file)
with open(f"{folder}/model-settings.json", "w", encoding="utf-8") as file:
    json.dump({"name": "bc", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.pkl"}}, file)
times = []
end = time.perf_counter() + seconds
while time.perf_counter() < end:
    row = rows[len(times) % len(rows)].reshape(1, -1)
    start = time.perf_counter()
    model.predict(row)
    times.append(time.perf_counter() - start)
print(json.dumps({"p50Ms": float(np.median(times)) * 1000, "rows": rows[:64].tolist()}))
