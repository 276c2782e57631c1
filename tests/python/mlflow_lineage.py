"""What an MLflow client logs, for the graph: data sets, nested runs, models, versions and copies. Prints the ids as JSON."""

import json

import mlflow
import numpy as np
from mlflow import MlflowClient


class Constant(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2] * len(model_input)


client = MlflowClient()
experiment = mlflow.set_experiment("lineage").experiment_id
rows = np.array([[1.0, 2.0], [3.0, 4.0]])


def dataset(name, source="http://example.com/a b.csv"):
    return mlflow.data.from_numpy(rows, source=mlflow.data.http_dataset_source.HTTPDatasetSource(source), name=name)


names = ["plain", "train set/2026", "日本語 data@v1"]
with mlflow.start_run(run_name="parent") as parent:
    with mlflow.start_run(run_name="child", nested=True) as child:
        for name in names:
            mlflow.log_input(dataset(name), context="training")
        mlflow.log_param("depth", 3)
        for step in range(20):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        info = mlflow.pyfunc.log_model(name="model", python_model=Constant())
        mlflow.log_text("hello", "notes.txt")

version = mlflow.register_model(info.model_uri, "Late arrivals")
by_run = client.create_model_version(
    "by run", f"runs:/{child.info.run_id}/model", run_id=child.info.run_id
) if client.create_registered_model("by run") else None
copy = client.copy_model_version(f"models:/Late arrivals/{version.version}", "copied")
client.create_registered_model("old")
old = client.create_model_version("old", f"{child.info.artifact_uri}/notes.txt", run_id=child.info.run_id)

with mlflow.start_run(run_name="evaluation") as evaluation:
    client.log_inputs(evaluation.info.run_id, models=[mlflow.entities.LoggedModelInput(info.model_id)])

print(
    json.dumps(
        {
            "experiment": experiment,
            "parent": parent.info.run_id,
            "child": child.info.run_id,
            "evaluation": evaluation.info.run_id,
            "model": info.model_id,
            "version": version.version,
            "copy": copy.version,
            "digest": dataset("plain").digest,
        }
    )
)
