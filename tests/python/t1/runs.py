import math
import time

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from .report import check, code_of, experiment, same

client = MlflowClient()


@check()
def create_with_everything_and_get():
    made = experiment()
    run = client.create_run(made, start_time=1_700_000_000_000, tags={"team": "ops"}, run_name="named")
    found = client.get_run(run.info.run_id)
    same((found.info.run_name, found.info.status, found.info.start_time), ("named", "RUNNING", 1_700_000_000_000))
    same((found.data.tags["team"], found.data.tags["mlflow.runName"]), ("ops", "named"))
    same(found.info.artifact_uri, f"mlflow-artifacts:/{made}/{run.info.run_id}/artifacts")
    same((found.info.experiment_id, found.info.lifecycle_stage, found.info.end_time), (made, "active", None))
    assert client.create_run(made).info.run_name, "a run without a name gets one"


@check()
def update_and_terminate():
    run = client.create_run(experiment()).info.run_id
    client.update_run(run, status="SCHEDULED", name="another")
    found = client.get_run(run)
    same(
        (found.info.status, found.info.run_name, found.data.tags["mlflow.runName"]), ("SCHEDULED", "another", "another")
    )
    client.set_tag(run, "mlflow.runName", "by tag")
    same(client.get_run(run).info.run_name, "by tag")
    for status in ("FINISHED", "FAILED", "KILLED"):
        client.set_terminated(run, status=status, end_time=1_700_000_000_500)
        found = client.get_run(run).info
        same((found.status, found.end_time), (status, 1_700_000_000_500))


@check()
def delete_and_restore():
    run = client.create_run(experiment()).info.run_id
    client.delete_run(run)
    same(client.get_run(run).info.lifecycle_stage, "deleted")
    same(code_of(lambda: client.log_metric(run, "loss", 1)), "INVALID_PARAMETER_VALUE")
    same(code_of(lambda: client.set_tag(run, "key", "value")), "INVALID_PARAMETER_VALUE")
    client.restore_run(run)
    same(client.get_run(run).info.lifecycle_stage, "active")
    client.log_metric(run, "loss", 1)


@check()
def what_is_missing_is_said():
    for call in (client.get_run, client.delete_run, client.restore_run, client.set_terminated):
        same(code_of(lambda call=call: call("0" * 32)), "RESOURCE_DOES_NOT_EXIST")
    same(code_of(lambda: client.create_run("999999")), "RESOURCE_DOES_NOT_EXIST")


@check()
def params_are_written_once():
    run = client.create_run(experiment()).info.run_id
    client.log_param(run, "depth", 3)
    client.log_param(run, "depth", "3")
    client.log_param(run, "empty", "")
    client.log_param(run, "name with space/and.more-ü", [1, 2])
    same(code_of(lambda: client.log_param(run, "depth", 4)), "INVALID_PARAMETER_VALUE")
    same(code_of(lambda: client.log_batch(run, params=[Param("a", "1"), Param("a", "2")])), "INVALID_PARAMETER_VALUE")
    same(client.get_run(run).data.params, {"depth": "3", "empty": "", "name with space/and.more-ü": "[1, 2]"})


@check()
def the_latest_metric_is_that_of_the_last_step():
    run = client.create_run(experiment()).info.run_id
    client.log_metric(run, "loss", 0.5, timestamp=2_000, step=2)
    client.log_metric(run, "loss", 0.9, timestamp=9_000, step=1)
    client.log_metric(run, "loss", 0.1, timestamp=1_000, step=-3)
    same(client.get_run(run).data.metrics["loss"], 0.5)
    found = [(point.timestamp, point.step, point.value) for point in client.get_metric_history(run, "loss")]
    same(found, [(1_000, -3, 0.1), (2_000, 2, 0.5), (9_000, 1, 0.9)])
    same(list(client.get_metric_history(run, "absent")), [])


@check()
def metrics_that_are_no_numbers():
    run = client.create_run(experiment()).info.run_id
    client.log_metric(run, "nan", math.nan)
    client.log_metric(run, "up", math.inf)
    client.log_metric(run, "down", -math.inf)
    client.log_metric(run, "whole", 7)
    found = client.get_run(run).data.metrics
    assert math.isnan(found["nan"]), found
    same((found["up"], found["down"], found["whole"]), (1.7976931348623157e308, -1.7976931348623157e308, 7))
    assert math.isnan(client.get_metric_history(run, "nan")[0].value)


@check()
def exact_repeats_are_one_point():
    run = client.create_run(experiment()).info.run_id
    for _ in range(3):
        client.log_metric(run, "loss", 0.25, timestamp=1_000, step=1)
    same(len(client.get_metric_history(run, "loss")), 1)


@check()
def tags_are_set_changed_and_deleted():
    run = client.create_run(experiment()).info.run_id
    client.set_tag(run, "team", "ops")
    client.set_tag(run, "team", "research")
    client.set_tag(run, "long", "x" * 8_000)
    found = client.get_run(run).data.tags
    same((found["team"], len(found["long"])), ("research", 8_000))
    client.delete_tag(run, "team")
    assert "team" not in client.get_run(run).data.tags
    same(code_of(lambda: client.delete_tag(run, "team")), "RESOURCE_DOES_NOT_EXIST")


@check()
def a_full_batch():
    run = client.create_run(experiment()).info.run_id
    now = int(time.time() * 1000)
    metrics = [Metric("loss", step / 800, now + step, step) for step in range(800)]
    params = [Param(f"p{number}", str(number)) for number in range(100)]
    tags = [RunTag(f"t{number}", "v") for number in range(100)]
    client.log_batch(run, metrics=metrics, params=params, tags=tags)
    found = client.get_run(run).data
    same((len(found.params), found.params["p99"], found.tags["t99"]), (100, "99", "v"))
    history = client.get_metric_history(run, "loss")
    same([point.step for point in history], list(range(800)))


@check()
def a_batch_that_the_client_has_to_split():
    run = client.create_run(experiment()).info.run_id
    metrics = [Metric("loss", 1.0, 1, step) for step in range(2_500)]
    params = [Param(f"p{number}", "v") for number in range(250)]
    client.log_batch(run, metrics=metrics, params=params)
    same((len(client.get_metric_history(run, "loss")), len(client.get_run(run).data.params)), (2_500, 250))


@check()
def names_that_are_refused():
    run = client.create_run(experiment()).info.run_id
    for name in ("k" * 251, "../up", "/absolute", "a//b", "semi;colon", ""):
        same((name, code_of(lambda name=name: client.log_metric(run, name, 1))), (name, "INVALID_PARAMETER_VALUE"))
        same((name, code_of(lambda name=name: client.log_param(run, name, 1))), (name, "INVALID_PARAMETER_VALUE"))
    found = client.get_run(run).data
    same((found.metrics, found.params), ({}, {}))


@check()
def children_know_their_parent():
    made = experiment()
    parent = client.create_run(made).info.run_id
    child = client.create_run(made, tags={"mlflow.parentRunId": parent}).info.run_id
    same(client.get_parent_run(child).info.run_id, parent)
    same(client.get_parent_run(parent), None)
    found = client.search_runs([made], f"tags.mlflow.parentRunId = '{parent}'")
    same([item.info.run_id for item in found], [child])


@check()
def inputs_are_data_sets():
    from mlflow.entities import Dataset, DatasetInput, InputTag

    run = client.create_run(experiment()).info.run_id
    given = Dataset("rows", "d1gest", "local", '{"uri": "/tmp/rows"}', schema='{"columns": []}', profile='{"rows": 3}')
    context = [InputTag("mlflow.data.context", "training")]
    for _ in range(2):
        client.log_inputs(run, datasets=[DatasetInput(given, context)])
    found = client.get_run(run).inputs.dataset_inputs
    same(len(found), 1)
    dataset = found[0].dataset
    same((dataset.name, dataset.digest, dataset.source_type), ("rows", "d1gest", "local"))
    same((dataset.schema, dataset.profile, dataset.source), (given.schema, given.profile, given.source))
    same([(tag.key, tag.value) for tag in found[0].tags], [("mlflow.data.context", "training")])


@check(since=(2, 22))
def writes_that_do_not_wait():
    run = client.create_run(experiment()).info.run_id
    operations = [
        client.log_metric(run, "loss", 0.5, synchronous=False),
        client.log_param(run, "depth", 3, synchronous=False),
        client.set_tag(run, "team", "ops", synchronous=False),
        client.log_batch(run, metrics=[Metric("auc", 0.5, 1, 0)], synchronous=False),
    ]
    for operation in operations:
        operation.wait()
    found = client.get_run(run).data
    same((found.metrics, found.params), ({"loss": 0.5, "auc": 0.5}, {"depth": "3"}))
    same(found.tags["team"], "ops")
    mlflow.flush_async_logging()


@check()
def long_values_are_cut_as_the_client_announces():
    run = client.create_run(experiment()).info.run_id
    client.log_batch(run, params=[Param("long", "x" * 6_001)], tags=[RunTag("long", "y" * 8_001)])
    found = client.get_run(run).data
    assert len(found.params["long"]) <= 6_000, len(found.params["long"])
    assert len(found.tags["long"]) <= 8_000, len(found.tags["long"])
