import math

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType

from .report import check, code_of, experiment, pages, same

client = MlflowClient()


def _runs() -> str:
    """Five runs in an experiment of their own, told apart by their names; the last is deleted."""
    made = experiment("searched")
    facts = [
        ("a", 0.9, "sgd", "ops"),
        ("b", 0.7, "adam", "ops"),
        ("c", math.nan, "SGD", None),
        ("d", None, None, "research"),
        ("e", 0.8, "sgd", "ops"),
    ]
    for number, (name, auc, solver, team) in enumerate(facts):
        run = client.create_run(made, start_time=1_000 + number, run_name=name).info.run_id
        client.log_batch(
            run,
            metrics=[] if auc is None else [Metric("auc", auc, 1, 0)],
            params=[] if solver is None else [Param("solver.name", solver)],
            tags=[] if team is None else [RunTag("my team", team)],
        )
        client.set_terminated(run, "FAILED" if name == "b" else "FINISHED", end_time=5_000 + number)
        if name == "a":
            rows = Dataset("rows", "abc", "local", "here")
            client.log_inputs(run, datasets=[DatasetInput(rows, [InputTag("mlflow.data.context", "train")])])
        if name == "e":
            client.delete_run(run)
    return made


_shared: list[str] = []


def _found(filter_string: str = "", **options) -> str:
    """The names of the runs found, in order, as one word."""
    if not _shared:
        _shared.append(_runs())
    return "".join(run.info.run_name for run in client.search_runs(_shared, filter_string, **options))


@check()
def the_last_started_comes_first():
    same(_found(), "dcba")
    same(_found(run_view_type=ViewType.DELETED_ONLY), "e")
    same(_found(run_view_type=ViewType.ALL), "edcba")


@check()
def by_metrics():
    same(_found("metrics.auc > 0.7"), "a")
    same(_found("metrics.auc >= 0.7 and metric.auc < 9e-1"), "b")
    same(_found('metrics."auc" = 0.9'), "a")


@check()
def by_params_and_tags():
    same(_found("params.`solver.name` = 'sgd'"), "a")
    same(_found("params.solver.name ILIKE 'SG%'"), "ca")
    same(_found("params.solver.name LIKE 'sg_'"), "a")
    same(_found("params.solver.name != 'sgd'"), "cb")
    same(_found("tags.`my team` = 'ops' and metrics.auc > 0.8"), "a")
    same(_found("tag.\"my team\" != 'ops'"), "d")


@check(since=(3, 17))
def by_presence():
    same(_found("params.solver.name IS NULL"), "d")
    same(_found("tags.`my team` IS NOT NULL"), "dba")


@check()
def by_attributes():
    same(_found("attributes.status = 'FAILED'"), "b")
    same(_found("status != 'FAILED' and run_name LIKE '%a%'"), "a")
    same(_found("attributes.start_time > 1001"), "dc")
    same(_found("end_time <= 5001"), "ba")
    wanted = [run.info.run_id for run in client.search_runs(_shared, "attributes.run_name = 'c'")]
    same(_found(f"attributes.run_id IN ('{wanted[0]}')"), "c")
    same(_found(f"run_id = '{wanted[0]}'"), "c")


@check()
def by_data_sets():
    same(_found("dataset.name = 'rows'"), "a")
    same(_found("datasets.digest = 'abc' and dataset.context = 'train'"), "a")
    same(_found("dataset.name != 'rows'"), "")


@check()
def values_come_before_what_is_missing():
    same(_found(order_by=["metrics.auc ASC"]), "bacd")
    same(_found(order_by=["metrics.auc DESC"]), "abcd")
    same(_found(order_by=["params.`solver.name` DESC", "start_time ASC"])[-1], "d")
    same(_found(order_by=["attributes.start_time ASC"]), "abcd")
    same(_found(order_by=["tags.`my team`", "metrics.auc DESC"]), "abdc")
    same(_found(order_by=["run_name DESC"]), "dcba")


@check()
def by_pages():
    _found()
    found = pages(lambda token: client.search_runs(_shared, order_by=["run_name"], max_results=3, page_token=token))
    same(["".join(run.info.run_name for run in page) for page in found], ["abc", "d"])


@check()
def filters_that_say_nothing_are_refused():
    _found()
    for words in (
        "metrics.auc",
        "metrics.auc > 'x'",
        "nothing.auc > 1",
        "metrics.auc > 1 or metrics.auc < 0",
        "params.x = 1",
    ):
        same(
            (words, code_of(lambda words=words: client.search_runs(_shared, words))), (words, "INVALID_PARAMETER_VALUE")
        )
    same(code_of(lambda: client.search_runs(_shared, order_by=["nothing.auc"])), "INVALID_PARAMETER_VALUE")
    same(code_of(lambda: client.search_runs(_shared, max_results=50_001)), "INVALID_PARAMETER_VALUE")
    same(code_of(lambda: client.search_runs(_shared, page_token="garbage")), "INVALID_PARAMETER_VALUE")
    same(list(client.search_runs([])), [])
