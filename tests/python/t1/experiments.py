from mlflow import MlflowClient
from mlflow.entities import ExperimentTag, ViewType

from .report import check, code_of, experiment, fresh, pages, same

client = MlflowClient()


@check()
def the_default_experiment_is_there_from_the_start():
    found = client.get_experiment("0")
    same((found.name, found.lifecycle_stage), ("Default", "active"))
    same(found.artifact_location, "mlflow-artifacts:/0")


@check()
def create_get_and_get_by_name():
    name = fresh("created")
    made = client.create_experiment(name, tags={"team": "ops", "empty": ""})
    assert made.isdigit(), made
    by_id, by_name = client.get_experiment(made), client.get_experiment_by_name(name)
    same(by_id.experiment_id, by_name.experiment_id)
    same((by_id.tags["team"], by_id.tags["empty"]), ("ops", ""))
    same(by_id.artifact_location, f"mlflow-artifacts:/{made}")
    assert by_id.creation_time <= by_id.last_update_time
    elsewhere = client.create_experiment(fresh("elsewhere"), artifact_location="s3://bucket/folder")
    same(client.get_experiment(elsewhere).artifact_location, "s3://bucket/folder")


@check()
def names_are_unique_and_what_is_missing_is_said():
    name = fresh("unique")
    made = client.create_experiment(name)
    same(code_of(lambda: client.create_experiment(name)), "RESOURCE_ALREADY_EXISTS")
    client.delete_experiment(made)
    same(code_of(lambda: client.create_experiment(name)), "RESOURCE_ALREADY_EXISTS")
    same(client.get_experiment_by_name("no such experiment"), None)
    same(code_of(lambda: client.get_experiment("999999")), "RESOURCE_DOES_NOT_EXIST")
    same(code_of(lambda: client.create_experiment("")), "INVALID_PARAMETER_VALUE")


@check()
def rename():
    made = experiment()
    name = fresh("renamed")
    client.rename_experiment(made, name)
    same(client.get_experiment(made).name, name)
    same(client.get_experiment_by_name(name).experiment_id, made)


@check()
def delete_takes_the_runs_along_and_restore_brings_them_back():
    made = experiment()
    run = client.create_run(made).info.run_id
    client.delete_experiment(made)
    same(client.get_experiment(made).lifecycle_stage, "deleted")
    same(client.get_run(run).info.lifecycle_stage, "deleted")
    same(code_of(lambda: client.delete_experiment(made)), "RESOURCE_DOES_NOT_EXIST")
    same(code_of(lambda: client.create_run(made)), "INVALID_PARAMETER_VALUE")
    client.restore_experiment(made)
    same(client.get_experiment(made).lifecycle_stage, "active")
    same(client.get_run(run).info.lifecycle_stage, "active")


@check()
def tags():
    made = experiment()
    client.set_experiment_tag(made, "stage", "draft")
    client.set_experiment_tag(made, "stage", "final")
    client.set_experiment_tag(made, "mlflow.note.content", "# What it is about")
    same(client.get_experiment(made).tags["stage"], "final")


@check(needs="delete_experiment_tag")
def delete_a_tag():
    made = experiment()
    client.set_experiment_tag(made, "stage", "draft")
    client.delete_experiment_tag(made, "stage")
    assert "stage" not in client.get_experiment(made).tags
    same(code_of(lambda: client.delete_experiment_tag(made, "stage")), "RESOURCE_DOES_NOT_EXIST")


@check()
def search_by_filter_view_and_order():
    mark = fresh("searched")
    made = [client.create_experiment(f"{mark}-{letter}", tags={"mark": mark, "letter": letter}) for letter in "abcd"]
    client.delete_experiment(made[3])

    def names(**options):
        return [found.name[-1] for found in client.search_experiments(**options)]

    of_mark = f"tags.mark = '{mark}'"
    same(names(filter_string=of_mark), ["c", "b", "a"])
    same(names(filter_string=of_mark, order_by=["name ASC"]), ["a", "b", "c"])
    same(names(filter_string=of_mark, view_type=ViewType.DELETED_ONLY), ["d"])
    same(sorted(names(filter_string=of_mark, view_type=ViewType.ALL)), ["a", "b", "c", "d"])
    same(names(filter_string=f"{of_mark} AND tags.letter != 'a'", order_by=["experiment_id ASC"]), ["b", "c"])
    same(names(filter_string=f"name LIKE '{mark}-%'", order_by=["name"]), ["a", "b", "c"])
    same(names(filter_string=f"name ILIKE '{mark.upper()}-B'"), ["b"])
    same(names(filter_string=f"{of_mark} AND creation_time > 0", order_by=["creation_time ASC", "name"])[0], "a")
    same(code_of(lambda: client.search_experiments(filter_string="name > ")), "INVALID_PARAMETER_VALUE")


@check()
def search_by_pages():
    mark = fresh("paged")
    for number in range(5):
        client.create_experiment(f"{mark}-{number}", tags={"mark": mark})
    found = pages(
        lambda token: client.search_experiments(
            filter_string=f"tags.mark = '{mark}'", max_results=2, order_by=["name ASC"], page_token=token
        )
    )
    same([[item.name[-1] for item in page] for page in found], [["0", "1"], ["2", "3"], ["4"]])


@check()
def what_a_tag_may_hold():
    made = experiment()
    tag = ExperimentTag("ключ / 键 with space", 'wert: ü€\n"quoted"')
    client.set_experiment_tag(made, tag.key, tag.value)
    same(client.get_experiment(made).tags[tag.key], tag.value)
    same(code_of(lambda: client.set_experiment_tag(made, "k" * 251, "v")), "INVALID_PARAMETER_VALUE")
