import mlflow
from mlflow import MlflowClient

from .report import check, code_of, experiment, fresh, same

client = MlflowClient()


def _version(name: str, **more):
    """A version of files in a run, as `mlflow.register_model` makes it."""
    run = client.create_run(experiment()).info.run_id
    client.log_text(run, "flavors: {}", "model/MLmodel")
    source = f"{client.get_run(run).info.artifact_uri}/model"
    return client.create_model_version(name, source, run, await_creation_for=0, **more)


def _model(versions: int = 1, **more) -> str:
    name = fresh("model")
    client.create_registered_model(name, **more)
    for _ in range(versions):
        _version(name)
    return name


@check()
def a_model_is_made_described_renamed_and_deleted():
    name = fresh("model")
    made = client.create_registered_model(name, tags={"team": "ops"}, description="first")
    same((made.name, made.description, made.tags), (name, "first", {"team": "ops"}))
    same(client.update_registered_model(name, "second").description, "second")
    assert client.get_registered_model(name).last_updated_timestamp >= made.creation_timestamp
    version = _version(name)
    other = fresh("renamed")
    client.rename_registered_model(name, other)
    same(client.get_model_version(other, version.version).run_id, version.run_id)
    same(code_of(lambda: client.get_registered_model(name)), "RESOURCE_DOES_NOT_EXIST")
    client.delete_registered_model(other)
    same(code_of(lambda: client.get_registered_model(other)), "RESOURCE_DOES_NOT_EXIST")
    same(code_of(lambda: client.get_model_version(other, version.version)), "RESOURCE_DOES_NOT_EXIST")


@check()
def names_are_unique_and_sound():
    name = _model(versions=0)
    same(code_of(lambda: client.create_registered_model(name)), "RESOURCE_ALREADY_EXISTS")
    for wrong in ("", "a/b", "a:b", "  "):
        same(
            (wrong, code_of(lambda wrong=wrong: client.create_registered_model(wrong))),
            (wrong, "INVALID_PARAMETER_VALUE"),
        )
    same(code_of(lambda: client.rename_registered_model(name, _model(versions=0))), "RESOURCE_ALREADY_EXISTS")
    spaced = f"{name} with space & ü"
    client.create_registered_model(spaced)
    same(client.get_registered_model(spaced).name, spaced)


@check()
def tags_of_models():
    name = _model()
    client.set_registered_model_tag(name, "team", "ops")
    client.set_registered_model_tag(name, "team", "research")
    same(client.get_registered_model(name).tags, {"team": "research"})
    client.delete_registered_model_tag(name, "team")
    client.delete_registered_model_tag(name, "team")
    same(client.get_registered_model(name).tags, {})


@check()
def versions_count_up_and_are_described():
    name = _model()
    second = _version(name, tags={"a": "1"}, description="words")
    same((int(second.version), second.status, second.current_stage), (2, "READY", "None"))
    same((second.description, second.tags), ("words", {"a": "1"}))
    same(client.update_model_version(name, 2, "others").description, "others")
    client.set_model_version_tag(name, "2", "b", "2")
    client.delete_model_version_tag(name, "2", "a")
    same(client.get_model_version(name, "2").tags, {"b": "2"})
    same(client.get_model_version_download_uri(name, "2"), second.source)
    client.delete_model_version(name, "1")
    same(code_of(lambda: client.get_model_version(name, "1")), "RESOURCE_DOES_NOT_EXIST")
    same(int(_version(name).version), 3)
    same(
        code_of(
            lambda: client.create_model_version("no such model", second.source, second.run_id, await_creation_for=0)
        ),
        "RESOURCE_DOES_NOT_EXIST",
    )


@check()
def aliases_move():
    name = _model(versions=2)
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "challenger", "1")
    same(sorted(client.get_model_version(name, "1").aliases), ["challenger", "champion"])
    client.set_registered_model_alias(name, "champion", "2")
    same(int(client.get_model_version_by_alias(name, "champion").version), 2)
    same(
        {alias: int(version) for alias, version in client.get_registered_model(name).aliases.items()},
        {"champion": 2, "challenger": 1},
    )
    client.delete_registered_model_alias(name, "champion")
    client.delete_registered_model_alias(name, "champion")
    same(code_of(lambda: client.get_model_version_by_alias(name, "champion")), "INVALID_PARAMETER_VALUE")
    same(code_of(lambda: client.set_registered_model_alias(name, "champion", "9")), "RESOURCE_DOES_NOT_EXIST")
    same(code_of(lambda: client.set_registered_model_alias(name, "latest", "1")), "INVALID_PARAMETER_VALUE")
    same(code_of(lambda: client.set_registered_model_alias(name, "v1", "1")), "INVALID_PARAMETER_VALUE")


@check()
def stages():
    name = _model(versions=2)
    same(client.transition_model_version_stage(name, "1", "Production").current_stage, "Production")
    client.transition_model_version_stage(name, "2", "production", archive_existing_versions=True)
    same(client.get_model_version(name, "1").current_stage, "Archived")
    same([int(found.version) for found in client.get_latest_versions(name, ["Production"])], [2])
    client.transition_model_version_stage(name, "1", "Staging")
    latest = {found.current_stage: int(found.version) for found in client.get_latest_versions(name)}
    same(latest, {"Production": 2, "Staging": 1})
    same(code_of(lambda: client.transition_model_version_stage(name, "1", "Nowhere")), "INVALID_PARAMETER_VALUE")
    same(sorted(client.get_model_version_stages(name, "1")), ["Archived", "None", "Production", "Staging"])


@check()
def a_version_is_copied():
    name = _model()
    target = fresh("copy")
    copied = client.copy_model_version(f"models:/{name}/1", target)
    same((copied.name, int(copied.version), copied.source), (target, 1, f"models:/{name}/1"))
    again = client.copy_model_version(f"models:/{target}/1", fresh("copy"))
    same(client.get_model_version_download_uri(again.name, "1"), client.get_model_version_download_uri(name, "1"))
    same(mlflow.artifacts.load_text(f"models:/{again.name}/1/MLmodel"), "flavors: {}")


@check()
def files_of_a_version_come_down():
    import os

    name = _model()
    client.set_registered_model_alias(name, "champion", "1")
    for address in (f"models:/{name}/1", f"models:/{name}@champion", f"models:/{name}/latest"):
        same(os.listdir(mlflow.artifacts.download_artifacts(address))[0], "MLmodel")


@check()
def registered_by_the_fluent_call():
    run = client.create_run(experiment()).info.run_id
    client.log_text(
        run,
        "artifact_path: model\nflavors: {}\nmodel_uuid: x\nrun_id: x\nutc_time_created: '2026-01-01 00:00:00.000000'\n",
        "model/MLmodel",
    )
    name = fresh("model")
    made = mlflow.register_model(f"runs:/{run}/model", name, tags={"a": "1"})
    same((int(made.version), made.run_id, made.tags), (1, run, {"a": "1"}))
    same(int(mlflow.register_model(f"runs:/{run}/model", name).version), 2)


@check()
def sources_that_are_no_business_of_the_server():
    name = _model(versions=0)
    run = client.create_run(experiment()).info.run_id
    for source in ("/etc", "file:///etc", "mlflow-artifacts:/../../etc", "runs:/x/../../etc"):
        found = code_of(lambda source=source: client.create_model_version(name, source, run, await_creation_for=0))
        same((source, found), (source, "INVALID_PARAMETER_VALUE"))
