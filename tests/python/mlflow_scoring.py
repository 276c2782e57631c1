"""Asks a data plane as callers of MLflow's scoring server do; prints what came back. Arguments: its URL, a URL with one model."""

import json
import sys

import numpy as np
import pandas as pd
from mlflow.deployments import get_deploy_client
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

base, single = sys.argv[1:]
table = pd.DataFrame({"distance": [1.5, 2.5], "flight": [1545, 2**53 + 1], "carrier": ["UA", "DL"]})
client = get_deploy_client(base)
split = client.predict(endpoint="whole", inputs={"dataframe_split": json.loads(table.to_json(orient="split"))})
records = client.predict(endpoint="whole", inputs={"dataframe_records": table.to_dict(orient="records")})
matrix = client.predict(endpoint="matrix", inputs={"inputs": np.ones((2, 30)).tolist()})
try:
    client.predict(endpoint="whole", inputs={"dataframe_split": table.drop(columns="flight").to_dict(orient="split")})
    refused = None
except Exception as error:
    refused = str(error)

host, port = single.removeprefix("http://").split(":")
scoring = ScoringServerClient(host, int(port))
scoring.wait_server_ready(timeout=5)
answer = scoring.invoke(pd.DataFrame({"index": [0, 2]}))
print(
    json.dumps(
        {
            "split": split["predictions"],
            "records": records["predictions"],
            "matrix": [sorted(row) for row in matrix["predictions"]],
            "refused": refused,
            "version": scoring.get_version(),
            "frame": answer.get_predictions().to_dict(orient="list"),
            "array": scoring.invoke(np.array([1])).get_predictions(predictions_format="ndarray").tolist(),
        }
    )
)
