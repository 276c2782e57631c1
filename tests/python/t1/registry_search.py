import mlflow
from mlflow import MlflowClient

from .report import check, code_of, experiment, fresh, pages, same

client = MlflowClient()
_mark: list[str] = []


def _source(run: str) -> str:
    return f"{client.get_run(run).info.artifact_uri}/model"


def _made() -> str:
    """Models a, b, c; a has two versions, b one of another run."""
    if _mark:
        return _mark[0]
    mark = fresh("found")
    runs = [client.create_run(experiment()).info.run_id for _ in range(2)]
    for letter in "abc":
        client.create_registered_model(f"{mark}-{letter}", tags={"mark": mark, "letter": letter})
    for letter, run, tags in (("a", runs[0], {"stage": "old"}), ("a", runs[1], {"stage": "new"}), ("b", runs[1], None)):
        client.create_model_version(f"{mark}-{letter}", _source(run), run, tags=tags, await_creation_for=0)
    _mark[:] = [mark, *runs]
    return mark


def _models(filter_string: str, **options) -> str:
    return "".join(model.name[-1] for model in client.search_registered_models(filter_string, **options))


def _versions(filter_string: str, **options) -> list[str]:
    return [f"{found.name[-1]}{found.version}" for found in client.search_model_versions(filter_string, **options)]


@check()
def models_by_filter_order_and_pages():
    mark = _made()
    of_mark = f"name LIKE '{mark}-%'"
    same(_models(of_mark), "abc")
    same(_models(f"name ILIKE '{mark.upper()}-_'", order_by=["name DESC"]), "cba")
    same(_models(f"name = '{mark}-b'"), "b")
    same(_models(f"tags.mark = '{mark}' AND tags.letter != 'a'"), "bc")
    same(_models(f"tag.letter ILIKE 'C' AND tag.mark = '{mark}'"), "c")
    same(_models(of_mark, order_by=["last_updated_timestamp DESC", "name ASC"])[0] in "abc", True)
    found = pages(lambda token: client.search_registered_models(of_mark, max_results=2, page_token=token))
    same([[model.name[-1] for model in page] for page in found], [["a", "b"], ["c"]])
    same(code_of(lambda: client.search_registered_models("name >")), "INVALID_PARAMETER_VALUE")
    same(code_of(lambda: client.search_registered_models("nothing = 'a'")), "INVALID_PARAMETER_VALUE")
    latest = client.search_registered_models(f"name = '{mark}-a'")[0].latest_versions
    same([int(found.version) for found in latest], [2])


@check()
def versions_by_filter_order_and_pages():
    mark = _made()
    run = _mark[2]
    same(sorted(_versions(f"name = '{mark}-a'")), ["a1", "a2"])
    same(sorted(_versions(f"run_id = '{run}'")), ["a2", "b1"])
    same(_versions(f"name = '{mark}-a' AND tags.stage = 'new'"), ["a2"])
    same(_versions(f"run_id IN ('{run}') AND name LIKE '{mark}-b'"), ["b1"])
    same(_versions(f"source_path = '{_source(_mark[1])}'"), ["a1"])
    same(_versions(f"name LIKE '{mark}-%'", order_by=["name ASC", "version_number DESC"]), ["a2", "a1", "b1"])
    found = pages(
        lambda token: client.search_model_versions(
            f"name LIKE '{mark}-%'", max_results=2, order_by=["name ASC", "version_number ASC"], page_token=token
        )
    )
    same([[f"{item.name[-1]}{item.version}" for item in page] for page in found], [["a1", "a2"], ["b1"]])
    same(code_of(lambda: client.search_model_versions("nothing = 'a'")), "INVALID_PARAMETER_VALUE")


@check()
def by_the_fluent_calls():
    mark = _made()
    same(len(mlflow.search_registered_models(filter_string=f"name LIKE '{mark}-%'")), 3)
    same(len(mlflow.search_model_versions(filter_string=f"name = '{mark}-a'", max_results=1)), 1)
    assert len(mlflow.search_registered_models()) >= 3
