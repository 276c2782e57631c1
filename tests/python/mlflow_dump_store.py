"""Writes everything that stores of MLflow's hold as its client reads it, as JSON; what differs by store alone is left out.

    mlflow_dump_store.py <file> <tracking URI> ...
"""
import hashlib, json, math, os, sys, tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import ViewType

largest = 1.7976931348623157e308


def plain(value):
    # the SQL store of MLflow answers an infinity as the largest number
    if math.isnan(value):
        return "nan"
    return ("inf" if value > 0 else "-inf") if abs(value) >= largest else value


def files(uri):
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            root = download_artifacts(artifact_uri=uri, dst_path=folder)
        except Exception:  # a run that logged none
            return {}
        for base, _, names in os.walk(root):
            for name in names:
                path = os.path.join(base, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, root)] = hashlib.sha256(file.read()).hexdigest()
    return found


def run(client, found):
    info, data = found.info, found.data
    return {
        "name": info.run_name, "status": info.status, "stage": info.lifecycle_stage, "user": info.user_id,
        "start": info.start_time, "end": info.end_time, "params": data.params, "tags": data.tags,
        "latest": {key: plain(value) for key, value in data.metrics.items()},
        "history": {
            key: sorted([m.timestamp, m.step, str(plain(m.value))] for m in client.get_metric_history(info.run_id, key))
            for key in data.metrics
        },
        "datasets": [[d.dataset.name, d.dataset.digest, d.dataset.source_type, {t.key: t.value for t in d.tags}] for d in (found.inputs.dataset_inputs if found.inputs else [])],
        "inputs": sorted(m.model_id for m in getattr(found.inputs, "model_inputs", None) or []),
        "outputs": sorted(o.model_id for o in getattr(getattr(found, "outputs", None), "model_outputs", None) or []),
        "files": files(info.artifact_uri),
    }


def trace(found):
    info = found.info
    kept = {key: value for key, value in info.tags.items() if key not in ("mlflow.artifactLocation", "mlflow.trace.spansLocation")}
    metadata = {key: value for key, value in info.trace_metadata.items() if not key.startswith("mlflow.trace.size") and key != "mlflow.trace.infoFinalized"}
    said = [[a.name, type(a).__name__, a.feedback.value if a.feedback else a.expectation.value, a.rationale, a.source.source_type, a.source.source_id, a.create_time_ms, a.valid is not False] for a in info.assessments]
    spans = [
        [s.name, s.span_type, str(s.status.status_code), s.status.description or "", s.start_time_ns, s.end_time_ns, s.inputs, s.outputs, s.parent_id,
         {key: value for key, value in s.attributes.items()}, [[event.name, event.timestamp, dict(event.attributes)] for event in s.events]]
        for s in found.data.spans
    ]
    return [str(info.state), info.request_time, info.execution_duration, info.request_preview, info.response_preview, kept, metadata, sorted(said, key=str), sorted(spans, key=str)]


def dump_of(uri):
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    experiments = client.search_experiments(view_type=ViewType.ALL)
    dump = {"experiments": {}, "runs": {}, "models": {}, "logged": {}, "traces": {}}
    for experiment in experiments:
        dump["experiments"][experiment.name] = [experiment.lifecycle_stage, dict(experiment.tags)]
        token = None
        while True:
            page = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL, page_token=token)
            for found in page:
                # a deleted experiment's runs are read one by one, as people do
                dump["runs"][found.info.run_id] = {"experiment": experiment.name, **run(client, client.get_run(found.info.run_id))}
            token = page.token
            if not token:
                break
        if experiment.lifecycle_stage == "active" and mlflow.__version__ > "3":
            for model in client.search_logged_models([experiment.experiment_id]):
                tags = {key: value for key, value in model.tags.items()}
                metrics = sorted([m.key, str(plain(m.value)), m.step, m.timestamp, m.run_id, m.dataset_name, m.dataset_digest] for m in model.metrics or [])
                dump["logged"][model.model_id] = [model.name, str(model.status), model.source_run_id, tags, dict(model.params), files(model.artifact_location), model.creation_timestamp, metrics]
            for found in client.search_traces([experiment.experiment_id]):
                dump["traces"][found.info.trace_id] = trace(found)
    is_prompt = "tags.`mlflow.prompt.is_prompt` = 'true'"
    for kind in ["", is_prompt]:
        for model in client.search_registered_models(filter_string=kind):
            name, versions = model.name, {}
            for version in client.search_model_versions(" AND ".join([f"name='{name}'", *([kind] if kind else [])])):
                own = {} if kind else files(client.get_model_version_download_uri(name, version.version))
                versions[str(version.version)] = [version.current_stage, version.run_id or None, dict(version.tags), version.description or "", version.creation_timestamp, own]
            # the client reads a model, not a prompt, by its name
            aliases = {} if kind else client.get_registered_model(name).aliases
            dump["models"][name] = [model.description or "", dict(model.tags), {alias: str(at) for alias, at in aliases.items()}, versions]
    return dump


json.dump([dump_of(uri) for uri in sys.argv[2:]], open(sys.argv[1], "w"), sort_keys=True)
