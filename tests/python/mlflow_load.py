"""Loads registered versions by their name, as whoever uses a model does. Prints what they predict as JSON."""

import json
import sys

import mlflow
import pandas as pd

predictions = {}
for uri in sys.argv[1:]:
    predictions[uri] = list(mlflow.pyfunc.load_model(uri).predict(pd.DataFrame({"x": [1.0]})))
print(json.dumps(predictions))
