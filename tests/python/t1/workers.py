"""Several processes that log to one run at the same time. Forked, so that each need not import everything again."""

import multiprocessing
import os
import tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from .report import check, experiment, fresh, same

_workers = 4
_batches = 10
_points = 25


def _log_much(run: str, worker: int) -> None:
    client = MlflowClient()
    for batch in range(_batches):
        steps = range(batch * _points, (batch + 1) * _points)
        client.log_batch(
            run,
            metrics=[Metric(f"own-{worker}", step, step, step) for step in steps]
            + [Metric("shared", worker, step, step) for step in steps],
            params=[Param(f"own-{worker}-{batch}", "v"), Param("shared", "same")],
            tags=[RunTag("last", str(worker))],
        )
    client.log_text(run, str(worker), f"workers/{worker}.txt")


def _child_run(run: str, worker: int) -> None:
    with mlflow.start_run(run_id=run):
        with mlflow.start_run(nested=True, run_name=f"child-{worker}"):
            mlflow.log_metric("score", worker)


def _register(name: str, source: str, run: str, _worker: int) -> None:
    MlflowClient().create_model_version(name, source, run, await_creation_for=0)


def _in_parallel(work, *arguments) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=work, args=(*arguments, worker)) for worker in range(_workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    same([process.exitcode for process in processes], [0] * _workers)


@check()
def log_to_one_run():
    client = MlflowClient()
    run = client.create_run(experiment()).info.run_id
    _in_parallel(_log_much, run)
    found = client.get_run(run).data
    same(len(found.params), _workers * _batches + 1)
    for worker in range(_workers):
        history = client.get_metric_history(run, f"own-{worker}")
        same([point.value for point in history], list(range(_batches * _points)))
    same(len(client.get_metric_history(run, "shared")), _workers * _batches * _points)
    same((found.metrics["shared"], found.tags["last"] in "0123"), (_workers - 1, True))
    same(len(client.list_artifacts(run, "workers")), _workers)


@check()
def have_a_run_each_below_one():
    made = mlflow.set_experiment(fresh("workers")).experiment_id
    client = MlflowClient()
    run = client.create_run(made).info.run_id
    _in_parallel(_child_run, run)
    found = client.search_runs([made], f"tags.mlflow.parentRunId = '{run}'", order_by=["metrics.score"])
    same([item.info.run_name for item in found], [f"child-{worker}" for worker in range(_workers)])


@check()
def register_versions_of_one_model():
    client = MlflowClient()
    run = client.create_run(experiment()).info
    name = fresh("model")
    client.create_registered_model(name)
    _in_parallel(_register, name, run.artifact_uri, run.run_id)
    found = sorted(int(version.version) for version in client.search_model_versions(f"name = '{name}'"))
    same(found, list(range(1, _workers + 1)))


@check()
def make_the_same_experiment_once():
    name = fresh("same")
    with tempfile.TemporaryDirectory() as folder:
        _in_parallel(_set_experiment, name, folder)
        ids = {open(os.path.join(folder, file)).read() for file in os.listdir(folder)}
    same(len(ids), 1)


def _set_experiment(name: str, folder: str, worker: int) -> None:
    try:
        made = mlflow.set_experiment(name).experiment_id
    except mlflow.exceptions.MlflowException as error:  # clients before 2.10 do not look again
        same(error.error_code, "RESOURCE_ALREADY_EXISTS")
        made = mlflow.get_experiment_by_name(name).experiment_id
    with open(os.path.join(folder, str(worker)), "w") as file:
        file.write(made)
