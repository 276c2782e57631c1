import os

import mlflow
import pandas as pd
from mlflow import MlflowClient

from .flavors import fitted, labels, log, rows
from .report import check, fresh, same

client = MlflowClient()
quick = {"log_explainer": False, "log_model_explainability": False}


def _table() -> pd.DataFrame:
    return rows.assign(label=labels)


@check()
def a_classifier_with_its_artifacts():
    mlflow.set_experiment(fresh("evaluated"))
    with mlflow.start_run() as run:
        logged = log(fitted())
        result = mlflow.evaluate(
            logged.model_uri,
            _table(),
            targets="label",
            model_type="classifier",
            evaluator_config=quick,
        )
    found = client.get_run(run.info.run_id)
    assert {"accuracy_score", "f1_score", "roc_auc"} <= set(found.data.metrics), found.data.metrics
    same(found.data.metrics["accuracy_score"], result.metrics["accuracy_score"])
    files = {os.path.basename(file.path) for file in client.list_artifacts(run.info.run_id)}
    assert {"confusion_matrix.png", "roc_curve_plot.png", "precision_recall_curve_plot.png"} <= files, files
    image = result.artifacts["confusion_matrix"]
    assert image.uri.startswith("mlflow-artifacts:/"), image.uri
    same(mlflow.artifacts.load_image(f"runs:/{run.info.run_id}/confusion_matrix.png").size, image.content.size)
    assert "mlflow.datasets" in found.data.tags or found.inputs.dataset_inputs, "the data set is noted"


@check()
def predictions_by_the_function_of_the_models_module():
    mlflow.set_experiment(fresh("evaluated"))
    table = pd.DataFrame({"prediction": [1.0, 2.0, 3.0], "truth": [1.0, 2.5, 3.0]})
    data = mlflow.data.from_pandas(table, predictions="prediction", targets="truth", name="held-out")
    with mlflow.start_run() as run:
        mlflow.models.evaluate(data=data, model_type="regressor", evaluator_config=quick)
    found = client.get_run(run.info.run_id)
    assert abs(found.data.metrics["mean_absolute_error"] - 0.5 / 3) < 1e-9, found.data.metrics
    same([item.dataset.name for item in found.inputs.dataset_inputs], ["held-out"])
