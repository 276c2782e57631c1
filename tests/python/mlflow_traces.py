"""What an application traced by the plain MLflow client does; prints what it read back as one JSON line."""

import json

import mlflow
from mlflow import MlflowClient
from mlflow.entities import AssessmentSource, SpanType


@mlflow.trace(span_type=SpanType.RETRIEVER)
def retrieve(question: str) -> list[str]:
    return [f"about {question}"]


@mlflow.trace(span_type=SpanType.CHAIN)
def answer(question: str) -> dict:
    mlflow.update_current_trace(
        tags={"env": "prod"},
        metadata={"mlflow.trace.session": "s-1", "mlflow.trace.user": "ann"},
    )
    documents = retrieve(question)
    with mlflow.start_span(name="model", span_type=SpanType.LLM) as span:
        span.set_inputs({"messages": [{"role": "user", "content": question}]})
        span.set_attribute("temperature", 0.5)
        span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14})
        span.set_outputs({"choices": [{"message": {"role": "assistant", "content": "grün 😀"}}]})
    return {"answer": "grün 😀", "documents": documents, "score": 1.5, "big": 2**60}


@mlflow.trace
def breaks() -> None:
    raise ValueError("no such thing")


def main() -> None:
    client = MlflowClient()
    experiment = mlflow.set_experiment("traced")
    with mlflow.start_run() as run:
        answer("what is green?")
    first = mlflow.get_last_active_trace_id()
    try:
        breaks()
    except ValueError:
        pass
    failed = mlflow.get_last_active_trace_id()
    root = client.start_trace("by hand", inputs={"x": 1}, tags={"team": "ops"})
    child = client.start_span("step", trace_id=root.trace_id, parent_id=root.span_id, inputs={"y": 2})
    client.end_span(root.trace_id, child.span_id, outputs={"z": 3})
    client.end_trace(root.trace_id, outputs=[1, 2])
    mlflow.flush_trace_async_logging()

    trace = mlflow.get_trace(first)
    spans = {span.name: span for span in trace.data.spans}
    error = mlflow.get_trace(failed)

    human = AssessmentSource(source_type="HUMAN", source_id="ann@example.com")
    feedback = mlflow.log_feedback(trace_id=first, name="correct", value=True, source=human, rationale="it is")
    expectation = mlflow.log_expectation(
        trace_id=first, name="facts", value=["green", {"is": 1}], source=human, metadata={"m": "1"}
    )
    score = mlflow.log_feedback(trace_id=first, name="score", value=0.75)
    mlflow.log_feedback(trace_id=failed, name="judge", error=RuntimeError("the judge fell asleep"))
    replaced = mlflow.override_feedback(trace_id=first, assessment_id=feedback.assessment_id, value=False)
    mlflow.update_assessment(
        trace_id=first,
        assessment_id=expectation.assessment_id,
        assessment=mlflow.entities.Expectation(name="facts", value="green"),
    )
    mlflow.delete_assessment(trace_id=first, assessment_id=score.assessment_id)
    client.set_trace_tag(first, "checked", "yes")
    client.set_trace_tag(first, "gone", "soon")
    client.delete_trace_tag(first, "gone")

    def names(filter_string: str) -> list[str]:
        found = client.search_traces(
            locations=[experiment.experiment_id], filter_string=filter_string, include_spans=False
        )
        return sorted(one.info.tags.get("mlflow.traceName", "") for one in found)

    filters = {
        "status": "status = 'ERROR'",
        "name": "trace.name LIKE 'ans%'",
        "tag": "tag.env = 'prod'",
        "user": "metadata.`mlflow.trace.user` = 'ann'",
        "session": "metadata.`mlflow.trace.session` = 's-1'",
        "run": f"run_id = '{run.info.run_id}'",
        "span name": "span.name = 'model'",
        "span type": "span.type IN ('RETRIEVER', 'AGENT')",
        "same span": "span.name = 'model' AND span.type = 'RETRIEVER'",
        "attribute": "span.attributes.temperature = '0.5'",
        "text": "trace.text LIKE '%grün 😀%'",
        "feedback": "feedback.correct = 'false'",
        "expectation": "expectation.facts = 'green'",
        "rlike": "name RLIKE '^(by|br)'",
        "none": "tag.env IS NULL AND feedback.judge IS NOT NULL",
        "fast": "execution_time_ms < 60000",
    }
    found = {key: names(value) for key, value in filters.items()}

    pages = []
    token = None
    while True:
        page = client.search_traces(
            locations=[experiment.experiment_id], max_results=2, page_token=token, include_spans=False
        )
        pages.append(len(page))
        token = page.token
        if not token:
            break
    frame = mlflow.search_traces(locations=[experiment.experiment_id], run_id=run.info.run_id)
    after = mlflow.get_trace(first).info
    judged = mlflow.get_trace(failed).info.assessments[0].feedback.error.error_message
    deleted = client.delete_traces(experiment_id=experiment.experiment_id, trace_ids=[failed])
    print(
        json.dumps(
            {
                "spans": [[span.name, span.span_type, span.parent_id is None] for span in trace.data.spans],
                "status": str(trace.info.state),
                "preview": [trace.info.request_preview, trace.info.response_preview],
                "tokens": trace.info.token_usage,
                "stats": json.loads(trace.info.trace_metadata["mlflow.trace.sizeStats"])["num_spans"],
                "outputs": spans["answer"].outputs,
                "temperature": spans["model"].get_attribute("temperature"),
                "source run": trace.info.trace_metadata["mlflow.sourceRun"] == run.info.run_id,
                "session": trace.info.trace_metadata["mlflow.trace.session"],
                "error": [
                    str(error.info.state),
                    error.data.spans[0].events[0].attributes["exception.message"],
                    error.data.spans[0].status.description,
                ],
                "by hand": [span.name for span in mlflow.get_trace(root.trace_id).data.spans],
                "assessments": sorted([one.name, one.value, one.valid] for one in after.assessments),
                "overrides": replaced.overrides == feedback.assessment_id,
                "expectation": mlflow.get_assessment(first, expectation.assessment_id).metadata,
                "judge": judged,
                "tags": {key: after.tags.get(key) for key in ("env", "checked", "gone")},
                "found": found,
                "pages": pages,
                "frame": [len(frame), len(frame.spans.iloc[0])],
                "deleted": deleted,
                "left": names(""),
            }
        )
    )


main()
