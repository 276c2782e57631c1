"""Makes tracked things with the real client in whatever store MLFLOW_TRACKING_URI names; prints what it made as JSON."""
import json, math, os, sys, time
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

runs_wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 6
history = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
suffix = sys.argv[3] if len(sys.argv) > 3 else ""
client = MlflowClient()
e = client.create_experiment(f"Überwachung 模型{suffix}")
client.set_experiment_tag(e, "team", "ops ✓")
gone = client.create_experiment(f"gone{suffix}")
mlflow.set_experiment(experiment_id=e)
ids = []
for n in range(runs_wanted):
    with mlflow.start_run(run_name=f"lauf {n}") as run:
        ids.append(run.info.run_id)
        client.log_batch(run.info.run_id,
            metrics=[Metric("loss", 1.0 / (s + 1), 1_700_000_000_000 + s, s) for s in range(5)] + [Metric("bad", math.nan, 1_700_000_000_000, 0), Metric("up", math.inf, 1_700_000_000_001, 1), Metric("down", -math.inf, 1_700_000_000_001, -1)],
            params=[Param("lr", "0.1"), Param("größe/tief", "x" * 50)], tags=[RunTag("stage", "test")])
        mlflow.log_text(f"hello {n}", "notes/readme ü.txt")
        mlflow.log_dict({"n": n}, "config.json")
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("acc", n)
            ids.append(child.info.run_id)
long = client.create_run(e, run_name="long")
for at in range(0, history, 1000):
    client.log_batch(long.info.run_id, metrics=[Metric("curve", math.sin(s), 1_700_000_000_000 + s, s) for s in range(at, min(history, at + 1000))])
client.set_terminated(long.info.run_id, "KILLED")
ids.append(long.info.run_id)
client.delete_run(ids[1])
g = client.create_run(gone); client.log_metric(g.info.run_id, "m", 1.5); client.delete_experiment(gone)
ids.append(g.info.run_id)
model = f"spät-modell{suffix}"
class M(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [1] * len(model_input)
with mlflow.start_run(run_name="model") as run:
    ids.append(run.info.run_id)
    try:
        import pandas as pd
        mlflow.log_input(mlflow.data.from_pandas(pd.DataFrame({"a": [1, 2]}), name="rows"), context="training")
    except Exception as error:
        print("no data set:", error, file=sys.stderr)
    kw = {"name": "model"} if int(mlflow.__version__.split(".")[0]) >= 3 else {"artifact_path": "model"}
    mlflow.pyfunc.log_model(python_model=M(), registered_model_name=model, pip_requirements=[], **kw)
    mlflow.pyfunc.log_model(python_model=M(), registered_model_name=model, pip_requirements=[], **kw)
    mlflow.log_metric("auc", 0.75)
    if int(mlflow.__version__.split(".")[0]) >= 3:
        model_id = mlflow.last_logged_model().model_id
        # step 0: whatever it is, MLflow's file store reads that of a metric with a data set as 0
        from mlflow.entities import LoggedModelInput
        # as an evaluation of a logged model does
        for reader in (ids[0], run.info.run_id):
            client.log_inputs(reader, models=[LoggedModelInput(model_id=model_id)])
        client.log_metric(run.info.run_id, "fit", math.inf, timestamp=1_700_000_000_000, step=0, model_id=model_id, dataset_name="rows", dataset_digest="abc")
client.set_registered_model_alias(model, "champion", "2")
client.set_registered_model_tag(model, "owner", "ann")
client.update_registered_model(model, "predicts delays")
client.set_model_version_tag(model, "1", "checked", "yes")
try:
    client.transition_model_version_stage(model, "1", "Staging")
except Exception as error:
    print("no stages:", error, file=sys.stderr)
if mlflow.__version__.startswith("2.22"):
    @mlflow.trace(span_type="TOOL", attributes={"weight": 0.25, "words": ["ä", "b"]})
    def before(x): return {"sum": x + 1}
    @mlflow.trace(name="Anfrage ✓")
    def asked(x): return before(x)
    asked(1)
    asked(2)
    mlflow.flush_trace_async_logging()
    for trace in client.search_traces([e]):
        client.set_trace_tag(trace.info.request_id, "topic", "größe")
if int(mlflow.__version__.split(".")[0]) >= 3:
    from mlflow.entities import AssessmentSource
    try:
        mlflow.genai.register_prompt(name=f"greeting{suffix}", template="Hello {{name}}", commit_message="first")
        @mlflow.trace(span_type="TOOL", attributes={"weight": 0.25, "words": ["ä", "b"]})
        def inner(x): return {"sum": x + 1}
        @mlflow.trace(name="Anfrage ✓")
        def traced(x): return inner(x)
        traced(1)
        @mlflow.trace
        def broken(): raise ValueError("no such thing")
        try:
            broken()
        except ValueError:
            pass
        mlflow.flush_trace_async_logging()
        for trace in client.search_traces([e]):
            client.set_trace_tag(trace.info.trace_id, "topic", "größe")
            mlflow.log_feedback(trace_id=trace.info.trace_id, name="good", value=0.5, rationale="so so", source=AssessmentSource("HUMAN", "ann"))
            mlflow.log_expectation(trace_id=trace.info.trace_id, name="answer", value={"sum": 2}, source=AssessmentSource("HUMAN", "ann"))
    except Exception as error:
        print("no prompts or traces:", error, file=sys.stderr)
print(json.dumps({"experiment": e, "runs": ids, "version": mlflow.__version__}))
