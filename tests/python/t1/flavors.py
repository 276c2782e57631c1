import json
import os

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from .report import VERSION, check, fresh, same

client = MlflowClient()
_random = np.random.default_rng(7)
rows = pd.DataFrame(_random.normal(size=(60, 3)), columns=["a", "b", "c"])
labels = (rows["a"] + rows["b"] > 0).astype(int)
requirements = ["scikit-learn"]


def fitted() -> LogisticRegression:
    return LogisticRegression().fit(rows, labels)


def log(model, **more):
    """`log_model` as each version spells it."""
    named = {"name": "model"} if VERSION >= (3, 0) else {"artifact_path": "model"}
    if VERSION >= (3, 10):
        more["serialization_format"] = "cloudpickle"
    return mlflow.sklearn.log_model(model, pip_requirements=requirements, **named, **more)


@check()
def a_model_is_logged_and_loaded():
    mlflow.set_experiment(fresh("flavors"))
    model = fitted()
    with mlflow.start_run() as run:
        logged = log(model, signature=infer_signature(rows, labels), input_example=rows.head(2))
    predictions = model.predict(rows)
    assert (mlflow.sklearn.load_model(logged.model_uri).predict(rows) == predictions).all()
    assert (mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model").predict(rows) == predictions).all()
    info = mlflow.models.get_model_info(f"runs:/{run.info.run_id}/model")
    same(info.signature.inputs.input_names(), ["a", "b", "c"])
    same("sklearn" in info.flavors, True)


@check()
def a_model_is_registered_as_it_is_logged():
    mlflow.set_experiment(fresh("flavors"))
    name = fresh("late")
    with mlflow.start_run() as run:
        for _ in range(2):
            log(fitted(), registered_model_name=name)
    client.set_registered_model_alias(name, "champion", "1")
    versions = client.search_model_versions(f"name = '{name}'")
    same({version.run_id for version in versions}, {run.info.run_id})
    same(sorted(int(version.version) for version in versions), [1, 2])
    for address in (f"models:/{name}/2", f"models:/{name}@champion", f"models:/{name}/latest"):
        same(mlflow.pyfunc.load_model(address).predict(rows.head(2)).shape, (2,))
    if VERSION < (3, 0):
        history = json.loads(client.get_run(run.info.run_id).data.tags["mlflow.log-model.history"])
        same([model["artifact_path"] for model in history], ["model", "model"])


class _Doubles(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        with open(context.artifacts["factor"]) as file:
            return np.asarray(model_input) * int(file.read())


@check()
def a_model_of_ones_own_with_files():
    mlflow.set_experiment(fresh("flavors"))
    path = os.path.join(os.environ["T1_FOLDER"], "factor.txt")
    with open(path, "w") as file:
        file.write("2")
    named = {"name": "own"} if VERSION >= (3, 0) else {"artifact_path": "own"}
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(
            python_model=_Doubles(), artifacts={"factor": path}, pip_requirements=["numpy"], **named
        )
    loaded = mlflow.pyfunc.load_model(logged.model_uri)
    same(np.asarray(loaded.predict(pd.DataFrame({"x": [1, 2]}))).ravel().tolist(), [2, 4])


@check()
def autologging_logs_the_fit_and_the_model():
    made = mlflow.set_experiment(fresh("autolog"))
    mlflow.sklearn.autolog(silent=True)
    try:
        model = fitted()
        model.score(rows, labels)
    finally:
        mlflow.sklearn.autolog(disable=True, silent=True)
    run = mlflow.search_runs([made.experiment_id], output_format="list")[0]
    same((run.info.status, run.data.params["C"], run.data.params["solver"]), ("FINISHED", "1.0", "lbfgs"))
    assert {"training_accuracy_score", "training_f1_score"} <= set(run.data.metrics), run.data.metrics
    assert any("score" in name and not name.startswith("training") for name in run.data.metrics), run.data.metrics
    same(run.data.tags["estimator_name"], "LogisticRegression")
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert "training_confusion_matrix.png" in files, files
    same(run.inputs.dataset_inputs[0].tags[0].value, "train")
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert (loaded.predict(rows) == model.predict(rows)).all()
    if VERSION >= (3, 0):
        logged = mlflow.search_logged_models([made.experiment_id], output_format="list")
        same([found.source_run_id for found in logged], [run.info.run_id])
        assert "training_accuracy_score" in {metric.key for metric in logged[0].metrics}, logged[0].metrics


@check()
def autologging_of_a_search_makes_children():
    made = mlflow.set_experiment(fresh("autolog"))
    mlflow.sklearn.autolog(silent=True, log_models=False, max_tuning_runs=2)
    try:
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(rows, labels)
    finally:
        mlflow.sklearn.autolog(disable=True, silent=True)
    runs = mlflow.search_runs([made.experiment_id], output_format="list")
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    same((len(parents), len(runs)), (1, 3))
    assert "best_C" in parents[0].data.params, parents[0].data.params
    assert "cv_results.csv" in {file.path for file in client.list_artifacts(parents[0].info.run_id)}


@check()
def as_many_models_in_one_run_as_one_likes():
    mlflow.set_experiment(fresh("flavors"))
    with mlflow.start_run() as run:
        for _ in range(12):
            log(fitted(), signature=infer_signature(rows, labels))
    if VERSION < (3, 0):  # all of them do not fit into the tag
        history = json.loads(client.get_run(run.info.run_id).data.tags["mlflow.log-model.history"])
        assert 5 < len(history) <= 12, len(history)
    else:
        same(len(client.get_run(run.info.run_id).outputs.model_outputs), 12)


@check(since=(3, 1))
def the_last_logged_model_is_known():
    mlflow.set_experiment(fresh("flavors"))
    with mlflow.start_run() as run:
        logged = log(fitted(), step=3, params={"depth": "1"}, tags={"team": "ops"})
    same(mlflow.last_logged_model().model_id, logged.model_id)
    outputs = client.get_run(run.info.run_id).outputs.model_outputs
    same([(item.model_id, item.step) for item in outputs], [(logged.model_id, 3)])
    assert (mlflow.sklearn.load_model(f"models:/{logged.model_id}").predict(rows) == fitted().predict(rows)).all()
    name = fresh("late")
    made = mlflow.register_model(f"models:/{logged.model_id}", name)
    same((made.run_id, int(made.version)), (run.info.run_id, 1))
    assert name in client.get_logged_model(logged.model_id).tags["mlflow.modelVersions"]
