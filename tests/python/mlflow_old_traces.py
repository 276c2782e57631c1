"""Traces as clients before 3.4 write them: told by REST, their spans uploaded as a file. Prints one JSON line."""

import json

import mlflow
from mlflow import MlflowClient


@mlflow.trace
def inner(number: int) -> int:
    return number + 1


@mlflow.trace(span_type="CHAIN", attributes={"kind": "old"})
def outer(number: int) -> int:
    return inner(number) * 2


@mlflow.trace
def breaks() -> None:
    raise ValueError("no such thing")


def flush() -> None:
    if hasattr(mlflow, "flush_trace_async_logging"):
        mlflow.flush_trace_async_logging()


def main() -> None:
    client = MlflowClient()
    experiment = mlflow.set_experiment("old-traces")
    with mlflow.start_run() as run:
        outer(20)
    try:
        breaks()
    except ValueError:
        pass
    flush()
    found = client.search_traces([experiment.experiment_id])
    by_name = {trace.data.spans[0].name: trace for trace in found}
    trace = by_name["outer"]
    trace_id = trace.info.request_id
    client.set_trace_tag(trace_id, "team", "ops")
    read = client.get_trace(trace_id)
    failed = client.search_traces([experiment.experiment_id], filter_string="status = 'ERROR'")
    of_run = client.search_traces([experiment.experiment_id], run_id=run.info.run_id)
    tagged = client.search_traces([experiment.experiment_id], filter_string="tag.team = 'ops'")
    client.delete_trace_tag(trace_id, "team")
    deleted = client.delete_traces(experiment.experiment_id, max_timestamp_millis=2**42)
    print(
        json.dumps(
            {
                "spans": [span.name for span in read.data.spans],
                "outputs": read.data.spans[0].outputs,
                "names": sorted(by_name),
                "failed": [one.data.spans[0].name for one in failed],
                "of run": [one.info.request_id == trace_id for one in of_run],
                "tagged": [one.info.request_id == trace_id for one in tagged],
                "team": read.info.tags.get("team"),
                "deleted": deleted,
                "left": len(client.search_traces([experiment.experiment_id])),
            }
        )
    )


main()
