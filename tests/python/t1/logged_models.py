import os
import tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

from .report import check, code_of, experiment, same

client = MlflowClient()


def _status(model) -> str:
    return getattr(model.status, "value", str(model.status)).removeprefix("LOGGED_MODEL_")


@check(needs="create_logged_model")
def create_fill_finalize_and_get():
    made = experiment()
    run = client.create_run(made).info.run_id
    model = client.create_logged_model(
        made, name="net", source_run_id=run, tags={"a": "1"}, params={"depth": "3"}, model_type="net"
    )
    same((model.name, _status(model), model.source_run_id), ("net", "PENDING", run))
    same(model.artifact_location, f"mlflow-artifacts:/{made}/models/{model.model_id}/artifacts")
    client.log_model_params(model.model_id, {"width": "4"})
    client.set_logged_model_tags(model.model_id, {"a": "2", "b": "3"})
    client.delete_logged_model_tag(model.model_id, "b")
    same(_status(client.finalize_logged_model(model.model_id, "READY")), "READY")
    found = client.get_logged_model(model.model_id)
    same((found.params, found.model_type), ({"depth": "3", "width": "4"}, "net"))
    assert found.tags["a"] == "2" and "b" not in found.tags, found.tags
    client.log_outputs(run, models=[mlflow.entities.LoggedModelOutput(model.model_id, 0)])
    same([item.model_id for item in client.get_run(run).outputs.model_outputs], [model.model_id])


@check(needs="create_logged_model")
def a_failed_upload_and_a_deleted_model():
    made = experiment()
    model = client.create_logged_model(made).model_id
    assert client.get_logged_model(model).name, "a model without a name gets one"
    same(_status(client.finalize_logged_model(model, "FAILED")), "FAILED")
    client.delete_logged_model(model)
    same(code_of(lambda: client.get_logged_model(model)), "RESOURCE_DOES_NOT_EXIST")
    same(list(client.search_logged_models([made])), [])
    same(code_of(lambda: client.get_logged_model("m-" + "0" * 32)), "RESOURCE_DOES_NOT_EXIST")
    same(code_of(lambda: client.create_logged_model(made, name="a/b")), "INVALID_PARAMETER_VALUE")


@check(needs="log_model_artifact")
def files_of_a_model():
    model = client.create_logged_model(experiment(), name="net").model_id
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights.bin")
        with open(path, "wb") as file:
            file.write(b"\0" * 100)
        client.log_model_artifact(model, path)
        client.log_model_artifacts(model, folder)
    same([(file.path, file.file_size) for file in client.list_logged_model_artifacts(model)], [("weights.bin", 100)])
    same(os.listdir(mlflow.artifacts.download_artifacts(f"models:/{model}")), ["weights.bin"])


def _three() -> str:
    """Models a, b and c with an auc each, b's on two data sets."""
    made = experiment("models")
    run = client.create_run(made).info.run_id
    for name, auc in (("a", 0.9), ("b", 0.7), ("c", 0.8)):
        model = client.create_logged_model(
            made, name=name, params={"solver": f"s{name}"}, tags={"team": "ops"}, model_type="net", source_run_id=run
        )
        client.log_batch(
            run, [Metric("auc", auc, 1, 0, model_id=model.model_id, dataset_name="rows", dataset_digest="d1")]
        )
        if name == "b":
            client.log_batch(
                run, [Metric("auc", 0.95, 2, 0, model_id=model.model_id, dataset_name="other", dataset_digest="d2")]
            )
        client.finalize_logged_model(model.model_id, "FAILED" if name == "c" else "READY")
    return made


_shared: list[str] = []


def _found(filter_string: str | None = None, **options) -> str:
    if not _shared:
        _shared.append(_three())
    return "".join(model.name for model in client.search_logged_models(_shared, filter_string, **options))


@check(needs="search_logged_models")
def search_by_filter():
    same(_found(), "cba")
    same(_found("params.solver = 'sa'"), "a")
    same(_found("tags.team = 'ops' AND name != 'a'"), "cb")
    same(_found("metrics.auc > 0.75", order_by=[{"field_name": "name", "ascending": True}]), "abc")
    same(_found("metrics.auc > 0.75", datasets=[{"dataset_name": "rows"}], order_by=[{"field_name": "name"}]), "ac")
    same(_found(datasets=[{"dataset_name": "other", "dataset_digest": "d2"}]), "b")
    same(_found(datasets=[{"dataset_name": "other", "dataset_digest": "d1"}]), "")
    same(_found("model_type = 'net' AND name LIKE 'b%'"), "b")
    same(code_of(lambda: _found("nothing >")), "INVALID_PARAMETER_VALUE")


@check(needs="search_logged_models")
def search_by_order_and_pages():
    by_auc = {"field_name": "metrics.auc", "ascending": False, "dataset_name": "rows", "dataset_digest": "d1"}
    same(_found(order_by=[by_auc]), "acb")
    same(_found(order_by=[{**by_auc, "dataset_name": "other", "dataset_digest": "d2"}])[0], "b")
    same(
        _found(
            order_by=[
                {"field_name": "creation_timestamp", "ascending": True},
                {"field_name": "name", "ascending": True},
            ]
        ),
        "abc",
    )
    order = [{"field_name": "name", "ascending": True}]
    first = client.search_logged_models(_shared, order_by=order, max_results=2)
    same("".join(model.name for model in first), "ab")
    rest = client.search_logged_models(_shared, order_by=order, max_results=2, page_token=first.token)
    same(("".join(model.name for model in rest), rest.token or None), ("c", None))
    table = mlflow.search_logged_models(experiment_ids=_shared, order_by=order)
    same(list(table["name"]), ["a", "b", "c"])
