"""Who may do what. The token of the environment is an editor's of this project; VIEWER_TOKEN is a viewer's."""

import contextlib
import os
import time

import mlflow
from mlflow import MlflowClient

from .report import check, code_of, experiment, fresh, same

_names = (
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
)
editor = os.environ["MLFLOW_TRACKING_TOKEN"]
viewer = os.environ["VIEWER_TOKEN"]


@contextlib.contextmanager
def _as(**given: str):
    """Within: these credentials and no others."""
    before = {name: os.environ.pop(name, None) for name in _names}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _basic(token: str, user: str = "anybody") -> dict[str, str]:
    return {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": token}


@check()
def a_token_as_password_is_as_good():
    with _as(**_basic(editor)):
        client = MlflowClient()
        run = client.create_run(experiment()).info.run_id
        client.log_metric(run, "loss", 1)
        client.log_text(run, "x", "note.txt")
        same(mlflow.artifacts.load_text(f"runs:/{run}/note.txt"), "x")


@check()
def without_credentials_or_with_wrong_ones_nothing_is_told():
    client = MlflowClient()
    began = time.monotonic()  # with the client's own retries: a refusal is none of those that it repeats
    for given in ({}, {"MLFLOW_TRACKING_TOKEN": "tmu_wrong"}, _basic("wrong")):
        with _as(**given):
            same(code_of(lambda: client.get_experiment("0")), "UNAUTHENTICATED")
            same(code_of(lambda: client.create_experiment(fresh("refused"))), "UNAUTHENTICATED")
    assert time.monotonic() - began < 10, "the client has repeated what was refused"


@check()
def a_viewer_reads_and_writes_nothing():
    client = MlflowClient()
    place = experiment()
    run = client.create_run(place).info.run_id
    client.log_text(run, "x", "note.txt")
    name = fresh("model")
    client.create_registered_model(name)
    with _as(MLFLOW_TRACKING_TOKEN=viewer):
        same(client.get_run(run).info.run_id, run)
        same(client.get_registered_model(name).name, name)
        same([found.info.run_id for found in client.search_runs([place])], [run])
        same(mlflow.artifacts.load_text(f"runs:/{run}/note.txt"), "x")
        for write in (
            lambda: client.create_experiment(fresh("refused")),
            lambda: client.create_run(place),
            lambda: client.log_metric(run, "loss", 1),
            lambda: client.set_tag(run, "a", "b"),
            lambda: client.delete_run(run),
            lambda: client.create_registered_model(fresh("refused")),
            lambda: client.set_registered_model_tag(name, "a", "b"),
            lambda: client.delete_registered_model(name),
        ):
            same(code_of(write), "PERMISSION_DENIED")
        try:
            client.log_text(run, "y", "note.txt")
        except Exception as error:  # the client's kinds differ
            assert "403" in str(error) or "PERMISSION_DENIED" in str(error), error
        else:
            raise AssertionError("a viewer has written a file")
    same(mlflow.artifacts.load_text(f"runs:/{run}/note.txt"), "x")
    same(client.get_run(run).data.metrics, {})


@check()
def a_project_is_closed_to_the_tokens_of_another():
    root = os.environ["SERVER_URL"]
    for address in (root, f"{root}/projects/of-somebody-else"):
        other = MlflowClient(tracking_uri=address)
        same(code_of(lambda other=other: other.get_experiment("0")), "PERMISSION_DENIED")
        same(code_of(lambda other=other: other.create_experiment(fresh("refused"))), "PERMISSION_DENIED")


@check(since=(3, 17))
def a_workspace_is_a_project():
    project = os.environ["MLFLOW_TRACKING_URI"].rsplit("/", 1)[-1]
    name = fresh("by-workspace")
    os.environ["MLFLOW_WORKSPACE"] = project
    try:
        rooted = MlflowClient(tracking_uri=os.environ["SERVER_URL"])
        made = rooted.create_experiment(name)
        run = rooted.create_run(made).info.run_id
        rooted.log_text(run, "x", "note.txt")
    finally:
        del os.environ["MLFLOW_WORKSPACE"]
    same(MlflowClient().get_experiment_by_name(name).experiment_id, made)
    same([file.path for file in MlflowClient().list_artifacts(run)], ["note.txt"])
