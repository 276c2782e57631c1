import os
import tempfile
import time

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient

from .report import VERSION, check, code_of, fresh, same

client = MlflowClient()


@check()
def an_experiment_by_name_is_made_and_found_again():
    name = fresh("fluent")
    made = mlflow.set_experiment(name)
    same(mlflow.set_experiment(name).experiment_id, made.experiment_id)
    same(mlflow.set_experiment(experiment_id=made.experiment_id).name, name)
    mlflow.set_experiment_tags({"team": "ops", "stage": "draft"})
    mlflow.set_experiment_tag("stage", "final")
    same(mlflow.get_experiment(made.experiment_id).tags["stage"], "final")
    same(mlflow.get_experiment_by_name(name).experiment_id, made.experiment_id)
    found = mlflow.search_experiments(filter_string=f"name = '{name}'")
    same([item.experiment_id for item in found], [made.experiment_id])
    mlflow.delete_experiment(mlflow.create_experiment(fresh("fluent")))


@check()
def a_run_from_begin_to_end():
    mlflow.set_experiment(fresh("fluent"))
    with mlflow.start_run(run_name="whole", tags={"given": "1"}, description="what it is") as run:
        same(mlflow.active_run().info.run_id, run.info.run_id)
        mlflow.log_param("single", 1)
        mlflow.log_params({"depth": 3, "solver": "lbfgs"})
        mlflow.log_metric("loss", 0.5, step=1)
        mlflow.log_metrics({"loss": 0.4, "auc": 0.9}, step=2)
        mlflow.set_tag("team", "ops")
        mlflow.set_tags({"a": 1, "b": True})
        mlflow.delete_tag("a")
        assert mlflow.get_artifact_uri("sub/file").endswith(f"{run.info.run_id}/artifacts/sub/file")
    found = mlflow.get_run(run.info.run_id)
    same(found.info.status, "FINISHED")
    same(found.data.params, {"single": "1", "depth": "3", "solver": "lbfgs"})
    same(found.data.metrics, {"loss": 0.4, "auc": 0.9})
    same(
        {key: found.data.tags.get(key) for key in ("given", "team", "a", "b")},
        {"given": "1", "team": "ops", "a": None, "b": "True"},
    )
    same(found.data.tags["mlflow.note.content"], "what it is")
    assert found.data.tags["mlflow.source.name"].endswith("t1_calls.py"), found.data.tags
    assert mlflow.last_active_run().info.run_id == run.info.run_id
    mlflow.delete_run(run.info.run_id)
    same(mlflow.get_run(run.info.run_id).info.lifecycle_stage, "deleted")


@check(since=(2, 22))
def metrics_with_their_instant():
    mlflow.set_experiment(fresh("fluent"))
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 0.5, step=3, timestamp=1_700_000_000_000)
        mlflow.log_metrics({"auc": 0.5}, step=4, timestamp=1_700_000_000_001)
    point = client.get_metric_history(run.info.run_id, "loss")[0]
    same((point.timestamp, point.step), (1_700_000_000_000, 3))


@check()
def a_run_that_fails_says_so_and_is_taken_up_again():
    mlflow.set_experiment(fresh("fluent"))
    try:
        with mlflow.start_run() as run:
            raise RuntimeError("broken")
    except RuntimeError:
        pass
    same(mlflow.get_run(run.info.run_id).info.status, "FAILED")
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.log_metric("loss", 1)
    found = mlflow.get_run(run.info.run_id)
    same((found.info.status, found.data.metrics), ("FINISHED", {"loss": 1}))


@check()
def nested_runs():
    made = mlflow.set_experiment(fresh("fluent"))
    with mlflow.start_run(run_name="parent") as parent:
        for number in range(2):
            with mlflow.start_run(run_name=f"child-{number}", nested=True) as child:
                mlflow.log_metric("score", number)
                with mlflow.start_run(run_name=f"grandchild-{number}", nested=True) as grandchild:
                    pass
    same(mlflow.get_parent_run(grandchild.info.run_id).info.run_id, child.info.run_id)
    same(mlflow.get_parent_run(child.info.run_id).info.run_id, parent.info.run_id)
    table = mlflow.search_runs(
        [made.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["metrics.score"]
    )
    same(list(table["tags.mlflow.runName"]), ["child-0", "child-1"])
    same(list(table["metrics.score"]), [0.0, 1.0])


@check()
def searches_by_the_experiments_name():
    name = fresh("fluent")
    mlflow.set_experiment(name)
    for number in range(4):
        with mlflow.start_run(run_name=str(number)):
            mlflow.log_metric("score", number)
    found = mlflow.search_runs(
        experiment_names=[name],
        filter_string="metrics.score >= 1",
        max_results=2,
        order_by=["metrics.score DESC"],
        output_format="list",
    )
    same([run.info.run_name for run in found], ["3", "2"])
    same(len(mlflow.search_runs(experiment_names=[name])), 4)
    assert len(mlflow.search_runs(search_all_experiments=True)) >= 4


@check()
def files_of_every_kind():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    mlflow.set_experiment(fresh("fluent"))
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "notes.txt")
        with open(path, "w") as file:
            file.write("hello")
        mlflow.log_artifact(path)
        mlflow.log_artifacts(folder, "folder")
        mlflow.log_text("text", "text.txt")
        mlflow.log_dict({"a": 1}, "report/data.json")
        figure = Figure()
        figure.subplots().plot([1, 2])
        mlflow.log_figure(figure, "figure.png")
        mlflow.log_image(np.zeros((2, 2, 3), dtype=np.uint8), "image.png")
        mlflow.log_table({"question": ["a", "b"], "answer": ["x", "y"]}, "table.json")
    found = sorted(file.path for file in client.list_artifacts(run.info.run_id))
    same(found, ["figure.png", "folder", "image.png", "notes.txt", "report", "table.json", "text.txt"])
    table = mlflow.load_table("table.json", run_ids=[run.info.run_id])
    same(list(table["answer"]), ["x", "y"])
    local = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="folder")
    same(os.listdir(local), ["notes.txt"])
    same(mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/report/data.json"), {"a": 1})


@check()
def data_sets_as_inputs():
    mlflow.set_experiment(fresh("fluent"))
    rows = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    with mlflow.start_run() as run:
        dataset = mlflow.data.from_pandas(rows, source="https://data.example/rows.csv", name="rows", targets="a")
        mlflow.log_input(dataset, context="training")
        mlflow.log_input(mlflow.data.from_numpy(np.ones((2, 2)), name="array"), context="testing")
    inputs = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    same(
        sorted((item.dataset.name, item.tags[0].value) for item in inputs), [("array", "testing"), ("rows", "training")]
    )
    found = next(item.dataset for item in inputs if item.dataset.name == "rows")
    same(found.digest, dataset.digest)
    same(mlflow.data.get_source(found).url, "https://data.example/rows.csv")


@check()
def the_address_that_is_printed_is_the_runs():
    import urllib.request

    made = mlflow.set_experiment(fresh("fluent"))
    with mlflow.start_run() as run:
        pass
    base = mlflow.get_tracking_uri().split("#")[0].rstrip("/")
    page = urllib.request.Request(
        f"{base}/", headers={"authorization": f"Bearer {os.environ['MLFLOW_TRACKING_TOKEN']}"}
    )
    with urllib.request.urlopen(page) as answer:
        same((answer.status, answer.headers["content-type"].split(";")[0]), (200, "text/html"))
    assert run.info.run_id and made.experiment_id


@check()
def system_metrics():
    mlflow.set_experiment(fresh("fluent"))
    mlflow.set_system_metrics_sampling_interval(0.1)
    mlflow.set_system_metrics_samples_before_logging(1)
    with mlflow.start_run(log_system_metrics=True) as run:
        until = time.monotonic() + 20
        while (
            time.monotonic() < until
            and "system/cpu_utilization_percentage" not in client.get_run(run.info.run_id).data.metrics
        ):
            time.sleep(0.1)
    names = {name for name in client.get_run(run.info.run_id).data.metrics if name.startswith("system/")}
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= names, names
    points = client.get_metric_history(run.info.run_id, "system/cpu_utilization_percentage")
    assert [point.step for point in points] == list(range(len(points))), points


@check()
def autologging_of_nothing_known_is_no_error():
    mlflow.set_experiment(fresh("fluent"))
    mlflow.autolog(disable=True)
    same(
        code_of(lambda: mlflow.get_run("no/such/run"))
        in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "ENDPOINT_NOT_FOUND"),
        True,
    )


@check(since=(3, 1))
def metrics_of_a_model_and_a_data_set():
    made = mlflow.set_experiment(fresh("fluent"))
    model = mlflow.initialize_logged_model(name="agent", params={"depth": "3"}, tags={"team": "ops"})
    rows = mlflow.data.from_pandas(pd.DataFrame({"a": [1.0]}), name="rows")
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.75, step=1, model_id=model.model_id, dataset=rows)
        mlflow.log_metrics({"f1": 0.5}, step=1, model_id=model.model_id)
    mlflow.finalize_logged_model(model.model_id, "READY")
    found = mlflow.get_logged_model(model.model_id)
    same(
        sorted((metric.key, metric.value, metric.dataset_name) for metric in found.metrics),
        [("auc", 0.75, "rows"), ("f1", 0.5, None)],
    )
    same(found.metrics[0].run_id, run.info.run_id)
    same(found.experiment_id, made.experiment_id)


@check(since=(3, 1))
def inputs_and_outputs_that_are_models():
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    mlflow.set_experiment(fresh("fluent"))
    first, second = (mlflow.initialize_logged_model(name=name).model_id for name in ("first", "second"))
    with mlflow.start_run() as run:
        client.log_inputs(run.info.run_id, models=[LoggedModelInput(first)])
        mlflow.log_outputs(models=[LoggedModelOutput(second, step=3)])
    found = mlflow.get_run(run.info.run_id)
    same([item.model_id for item in found.inputs.model_inputs], [first])
    same([(item.model_id, item.step) for item in found.outputs.model_outputs], [(second, 3)])


@check(since=(3, 1))
def models_of_elsewhere():
    mlflow.set_experiment(fresh("fluent"))
    model = mlflow.create_external_model(name="hosted", model_type="agent", params={"endpoint": "x"}, tags={"a": "b"})
    mlflow.log_model_params({"more": "1"}, model_id=model.model_id)
    mlflow.set_logged_model_tags(model.model_id, {"c": "d"})
    mlflow.delete_logged_model_tag(model.model_id, "a")
    found = mlflow.get_logged_model(model.model_id)
    same((str(found.status), found.model_type, found.params), ("READY", "agent", {"endpoint": "x", "more": "1"}))
    assert found.tags["c"] == "d" and "a" not in found.tags
    same(mlflow.set_active_model(name="hosted").model_id, model.model_id)
    mlflow.clear_active_model()


if VERSION >= (3, 17):

    @check()
    def restored_by_name():
        made = mlflow.set_experiment(fresh("fluent"))
        with mlflow.start_run() as run:
            pass
        mlflow.delete_run(run.info.run_id)
        mlflow.restore_run(run.info.run_id)
        other = mlflow.create_experiment(fresh("fluent"))
        mlflow.delete_experiment(other)
        mlflow.restore_experiment(other)
        mlflow.set_experiment_tag("gone", "1")
        mlflow.delete_experiment_tag("gone")
        assert "gone" not in mlflow.get_experiment(made.experiment_id).tags
        same(mlflow.get_experiment(other).lifecycle_stage, "active")
