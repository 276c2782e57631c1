"""The `mlflow` program: its entry in this process, since each start imports everything; and once as it is started."""

import csv
import json
import os
import subprocess
import sys

import mlflow
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.cli import cli

from .flavors import fitted, log, rows
from .report import VERSION, check, experiment, fresh, same

client = MlflowClient()


def _say(*words: str) -> str:
    done = CliRunner().invoke(cli, list(words))
    if done.exit_code != 0:
        raise AssertionError(f"mlflow {' '.join(words)} ended with {done.exit_code}: {done.output} {done.exception!r}")
    return done.output


@check()
def experiments():
    name, other = fresh("by-program"), fresh("by-program")
    said = _say("experiments", "create", "--experiment-name", name)
    made = client.get_experiment_by_name(name).experiment_id
    assert made in said, said
    assert name in _say("experiments", "search"), "the experiment is listed"
    _say("experiments", "rename", "--experiment-id", made, "--new-name", other)
    same(client.get_experiment(made).name, other)
    client.log_param(client.create_run(made).info.run_id, "depth", 3)
    path = os.path.join(os.environ["T1_FOLDER"], "runs.csv")
    _say("experiments", "csv", "--experiment-id", made, "--filename", path)
    with open(path) as file:
        same([row["params.depth"] for row in csv.DictReader(file)], ["3"])
    _say("experiments", "delete", "--experiment-id", made)
    same(client.get_experiment(made).lifecycle_stage, "deleted")
    assert other in _say("experiments", "search", "--view", "deleted_only")
    _say("experiments", "restore", "--experiment-id", made)
    same(client.get_experiment(made).lifecycle_stage, "active")


@check(since=(3, 10))
def experiments_of_newer_programs():
    made = experiment()
    found = json.loads(_say("experiments", "get", "--experiment-id", made, "--output", "json"))
    same(found["experiment_id"], made)


@check()
def runs():
    made = experiment()
    run = client.create_run(made, run_name="by hand").info.run_id
    client.log_metric(run, "loss", 0.5)
    listed = _say("runs", "list", "--experiment-id", made)
    assert run in listed and "by hand" in listed, listed
    same(json.loads(_say("runs", "describe", "--run-id", run))["data"]["metrics"], {"loss": 0.5})
    _say("runs", "delete", "--run-id", run)
    same(client.get_run(run).info.lifecycle_stage, "deleted")
    _say("runs", "restore", "--run-id", run)
    same(client.get_run(run).info.lifecycle_stage, "active")


@check(since=(3, 10))
def a_run_is_made():
    made = experiment()
    said = _say("runs", "create", "--experiment-id", made, "--run-name", "made", "--tags", "team=ops")
    said = json.loads(said[said.index("{") :])  # below the addresses of run and experiment
    found = client.get_run(said["run_id"])
    same((found.info.run_name, found.data.tags["team"], found.info.status), ("made", "ops", "FINISHED"))


@check()
def artifacts():
    run = client.create_run(experiment()).info.run_id
    folder = os.path.join(os.environ["T1_FOLDER"], "to-log")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "notes.txt")
    with open(path, "w") as file:
        file.write("hello")
    _say("artifacts", "log-artifact", "--local-file", path, "--run-id", run)
    _say("artifacts", "log-artifacts", "--local-dir", folder, "--run-id", run, "--artifact-path", "all")
    listed = json.loads(_say("artifacts", "list", "--run-id", run))
    same([(file["path"], file["is_dir"]) for file in listed], [("all", True), ("notes.txt", False)])
    target = os.path.join(os.environ["T1_FOLDER"], "fetched")
    os.makedirs(target, exist_ok=True)
    _say("artifacts", "download", "--run-id", run, "--artifact-path", "all", "--dst-path", target)
    with open(os.path.join(target, "all", "notes.txt")) as file:
        same(file.read(), "hello")
    _say("artifacts", "download", "--artifact-uri", f"runs:/{run}/notes.txt", "--dst-path", target)


@check()
def a_registered_model_predicts():
    mlflow.set_experiment(fresh("by-program"))
    name = fresh("late")
    with mlflow.start_run():
        log(fitted(), registered_model_name=name)
    given, made = (os.path.join(os.environ["T1_FOLDER"], file) for file in ("rows.csv", "predicted.json"))
    rows.head(3).to_csv(given, index=False)
    _say("models", "predict", "-m", f"models:/{name}/1", "-i", given, "-o", made, "-t", "csv", "--env-manager", "local")
    with open(made) as file:
        found = json.load(file)
    same(found["predictions"], fitted().predict(rows.head(3)).tolist())


@check()
def the_program_itself():
    program = os.path.join(os.path.dirname(sys.executable), "mlflow")
    done = subprocess.run([program, "experiments", "search"], capture_output=True, text=True, timeout=120)
    same(done.returncode, 0)
    assert "Default" in done.stdout, done.stdout
    assert VERSION
