"""A script that registers by `registered_model_name` alone, and meets the errors that clients match by their code."""

import json
import sys

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression


def code_of(call) -> str:
    try:
        call()
    except MlflowException as error:
        return error.error_code
    return "accepted"


def main() -> None:
    features = np.arange(12, dtype=float).reshape(6, 2)
    model = LogisticRegression().fit(features, [0, 0, 0, 1, 1, 1])
    mlflow.set_experiment("registering")
    runs, infos = [], []
    for _ in range(2):
        with mlflow.start_run() as run:
            info = mlflow.sklearn.log_model(
                model,
                name="model",
                pip_requirements=["scikit-learn"],
                serialization_format="cloudpickle",
                registered_model_name="late",
            )
        runs.append(run.info.run_id)
        infos.append(info)

    client = MlflowClient()
    versions = [client.get_model_version("late", str(number)) for number in (1, 2)]
    loaded = mlflow.pyfunc.load_model("models:/late/2")
    json.dump(
        {
            "registered": [info.registered_model_version for info in infos],
            "runs": [version.run_id for version in versions] == runs,
            "status": [version.status for version in versions],
            "names": [model.name for model in client.search_registered_models()],
            "latest": client.get_registered_model("late").latest_versions[0].version,
            "predicts": loaded.predict(features).tolist(),
            "errors": {
                "missing run": code_of(lambda: client.get_run("0" * 32)),
                "missing experiment": code_of(lambda: client.get_experiment("999")),
                "missing model": code_of(lambda: client.get_registered_model("nothing")),
                "missing version": code_of(lambda: client.get_model_version("late", "9")),
                "missing alias": code_of(lambda: client.get_model_version_by_alias("late", "nobody")),
                "model there already": code_of(lambda: client.create_registered_model("late")),
                "experiment there already": code_of(lambda: client.create_experiment("registering")),
                "filter": code_of(lambda: client.search_runs(["1"], "metrics.auc >> 1")),
                "metric name": code_of(lambda: client.log_metric(runs[0], "a\\nb", 1)),
            },
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
