"""Evaluates a function on a data set of the server with scorers in code, and reads back what came of it."""

import json

import mlflow
from mlflow import MlflowClient
from mlflow.genai import datasets
from mlflow.genai.scorers import scorer


@scorer
def exact(outputs, expectations) -> bool:
    return outputs == expectations["answer"]


@scorer
def length(outputs) -> int:
    return len(outputs)


def main() -> None:
    experiment_id = mlflow.set_experiment("evaluating").experiment_id
    dataset = datasets.create_dataset(name="sums", experiment_id=experiment_id)
    dataset.merge_records(
        [
            {"inputs": {"question": "1 + 1"}, "expectations": {"answer": "2"}},
            {"inputs": {"question": "2 + 2"}, "expectations": {"answer": "4"}},
            {"inputs": {"question": "2 + 3"}, "expectations": {"answer": "5"}},
        ]
    )

    def answer(question: str) -> str:
        return {"1 + 1": "2", "2 + 2": "4"}.get(question, "a lot")

    result = mlflow.genai.evaluate(data=dataset, predict_fn=answer, scorers=[exact, length])
    run = mlflow.get_run(result.run_id)
    traces = MlflowClient().search_traces(
        locations=[experiment_id], run_id=result.run_id, include_spans=True, max_results=10
    )
    feedback = sorted(
        [assessment.name, assessment.value] for trace in traces for assessment in trace.info.assessments
    )
    logged = run.inputs.dataset_inputs
    print(
        json.dumps(
            {
                "metrics": {key: round(value, 3) for key, value in result.metrics.items()},
                "run metrics": {key: round(value, 3) for key, value in run.data.metrics.items()},
                "dataset": [each.dataset.name for each in logged],
                "traces": len(traces),
                "inputs": sorted(trace.data.spans[0].inputs["question"] for trace in traces),
                "feedback": [pair for pair in feedback if pair[0] in ("exact", "length")],
                "run type": run.data.tags.get("mlflow.runType"),
            }
        )
    )


main()
