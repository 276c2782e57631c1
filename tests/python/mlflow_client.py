"""What a data scientist's script does with the plain MLflow client; prints what it read back as one JSON line."""

import json
import os
import sys
import tempfile

import mlflow
import numpy as np
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression


def main() -> None:
    rng = np.random.default_rng(7)
    features = rng.normal(size=(80, 3))
    labels = (features[:, 0] + features[:, 1] > 0).astype(int)
    model = LogisticRegression().fit(features, labels)
    requirements = ["scikit-learn"]

    experiment = mlflow.set_experiment("client")
    with mlflow.start_run(run_name="parent") as parent:
        mlflow.log_params({"c": 1.0, "solver": "lbfgs"})
        mlflow.log_metrics({"auc": 0.75, "loss": float("nan")}, step=1)
        for step in range(5):
            mlflow.log_metric("curve", step / 10, step=step)
        mlflow.set_tag("team", "ops")
        mlflow.log_dict({"a": [1, 2]}, "report/data.json")
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "notes.txt"), "w") as file:
                file.write("hello")
            mlflow.log_artifacts(folder, "notes")
        dataset = mlflow.data.from_numpy(features, name="training-rows")
        mlflow.log_input(dataset, context="training")
        logged = mlflow.sklearn.log_model(
            model, name="model", pip_requirements=requirements, serialization_format="cloudpickle"
        )
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("auc", 0.8)

    loaded = mlflow.sklearn.load_model(logged.model_uri)
    same = bool((loaded.predict(features) == model.predict(features)).all())

    with mlflow.start_run(run_name="registering"):
        for _ in range(2):
            mlflow.sklearn.log_model(
                model,
                name="model",
                pip_requirements=requirements,
                serialization_format="cloudpickle",
                registered_model_name="clients-model",
            )

    client = MlflowClient()
    client.set_registered_model_alias("clients-model", "live", "1")
    by_alias = mlflow.pyfunc.load_model("models:/clients-model@live")
    by_number = mlflow.pyfunc.load_model("models:/clients-model/2")
    versions = client.search_model_versions("name = 'clients-model'")

    run = client.get_run(parent.info.run_id)
    runs = mlflow.search_runs(
        experiment_ids=[experiment.experiment_id],
        filter_string="metrics.auc > 0.7 and params.solver = 'lbfgs'",
        output_format="list",
    )
    models = mlflow.search_logged_models(experiment_ids=[experiment.experiment_id], output_format="list")
    try:
        client.log_param(parent.info.run_id, "c", "2.0")
        changed = "accepted"
    except mlflow.exceptions.MlflowException as error:
        changed = error.error_code

    json.dump(
        {
            "experiment": experiment.experiment_id,
            "same_predictions": same,
            "alias_predicts": by_alias.predict(features[:2]).shape[0],
            "number_predicts": by_number.predict(features[:2]).shape[0],
            "versions": sorted(int(version.version) for version in versions),
            "version_runs": sorted({bool(version.run_id) for version in versions}),
            "aliases": client.get_model_version_by_alias("clients-model", "live").version,
            "params": run.data.params,
            "auc": run.data.metrics["auc"],
            "loss_is_nan": run.data.metrics["loss"] != run.data.metrics["loss"],
            "curve": [point.value for point in client.get_metric_history(parent.info.run_id, "curve")],
            "tag": run.data.tags["team"],
            "status": run.info.status,
            "datasets": [item.dataset.name for item in run.inputs.dataset_inputs],
            "outputs": len(run.outputs.model_outputs),
            "artifacts": sorted(file.path for file in client.list_artifacts(parent.info.run_id)),
            "note": mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/notes/notes.txt"),
            "report": mlflow.artifacts.load_dict(f"runs:/{parent.info.run_id}/report/data.json"),
            "child_parent": client.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id,
            "found": [found.info.run_name for found in runs],
            "logged_models": len(models),
            "changed_param": changed,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
