import json

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from .report import VERSION, check, code_of, experiment, fresh, same

client = MlflowClient()


def _version(name: str, number: int):
    """A version, or None: newer clients raise, older ones answer None."""
    try:
        return client.get_prompt_version(name, number)
    except MlflowException as error:
        assert "RESOURCE_DOES_NOT_EXIST" in str(error), error  # 3.1 hides the code in the message
        return None


def _calls():
    """Where this version keeps its calls about prompts: they moved twice."""
    return mlflow.genai if VERSION >= (3, 1) else mlflow


@check(needs="register_prompt")
def are_registered_loaded_and_aliased():
    calls, name = _calls(), fresh("prompt")
    first = calls.register_prompt(name=name, template="Say {{ word }}.", commit_message="first", tags={"author": "ann"})
    second = calls.register_prompt(name=name, template="Shout {{ word }}!")
    same((int(first.version), int(second.version)), (1, 2))
    same(calls.load_prompt(f"prompts:/{name}/1").template, "Say {{ word }}.")
    same(calls.load_prompt(name, version=2).format(word="yes"), "Shout yes!")
    same(calls.load_prompt(f"prompts:/{name}/1").commit_message, "first")
    calls.set_prompt_alias(name, "live", 1)
    same(calls.load_prompt(f"prompts:/{name}@live").template, "Say {{ word }}.")
    calls.set_prompt_alias(name, "live", 2)
    same(int(calls.load_prompt(f"prompts:/{name}@live").version), 2)
    (client if VERSION < (3, 1) else calls).delete_prompt_alias(name, "live")
    assert code_of(lambda: calls.load_prompt(f"prompts:/{name}@live")) != "ACCEPTED"
    same(client.load_prompt(f"prompts:/{name}/2").template, "Shout {{ word }}!")
    client.register_prompt(name=name, template="Third")
    client.set_prompt_alias(name, "by-client", 3)
    same(client.load_prompt(f"prompts:/{name}@by-client").template, "Third")
    client.delete_prompt_alias(name, "by-client")


@check(needs="register_prompt")
def are_no_models():
    name = fresh("prompt")
    client.register_prompt(name=name, template="x")
    assert name not in {model.name for model in client.search_registered_models()}
    same(len(client.search_model_versions(f"name = '{name}'")), 0)
    assert code_of(lambda: client.create_registered_model(name)) == "RESOURCE_ALREADY_EXISTS"
    model = fresh("model")
    client.create_registered_model(model)
    assert code_of(lambda: client.register_prompt(name=model, template="x")) != "ACCEPTED"
    same(client.load_prompt(f"prompts:/{fresh('absent')}/1", allow_missing=True) if VERSION >= (3, 1) else None, None)


@check(needs="search_prompts")
def are_searched():
    mark = fresh("searched")
    for letter in "ab":
        client.register_prompt(name=f"{mark}-{letter}", template=letter, tags={"of": "version"})
    client.set_prompt_tag(f"{mark}-a", "team", "ops")
    same(sorted(found.name[-1] for found in client.search_prompts(f"name LIKE '{mark}-%'")), ["a", "b"])
    same([found.name[-1] for found in client.search_prompts(f"name = '{mark}-b'")], ["b"])
    same([found.name[-1] for found in client.search_prompts("tags.team = 'ops'") if found.name.startswith(mark)], ["a"])
    same(len(client.search_prompts(f"name LIKE '{mark}-%'", max_results=1)), 1)
    same(sorted(found.name[-1] for found in _calls().search_prompts(f"name LIKE '{mark}-%'")), ["a", "b"])


@check(needs="create_prompt")
def are_made_and_deleted_piece_by_piece():
    name = fresh("prompt")
    client.create_prompt(name, description="what it is", tags={"team": "ops"})
    found = client.get_prompt(name)
    same((found.name, found.description, found.tags["team"]), (name, "what it is", "ops"))
    client.create_prompt_version(name, "one", description="first", tags={"a": "1"})
    client.create_prompt_version(name, "two")
    same(client.get_prompt_version(name, 1).template, "one")
    same(client.get_prompt_version(name, "2").template, "two")
    client.set_prompt_alias(name, "live", 2)
    same(client.get_prompt_version_by_alias(name, "live").template, "two")
    client.set_prompt_tag(name, "stage", "draft")
    client.delete_prompt_tag(name, "team")
    tags = client.get_prompt(name).tags
    assert tags["stage"] == "draft" and "team" not in tags, tags
    try:
        client.set_prompt_version_tag(name, "1", "b", "2")
    except TypeError:  # 3.1 puts a number where its own message wants a text
        same(VERSION, (3, 1))
    else:
        client.delete_prompt_version_tag(name, "1", "a")
        tags = client.get_prompt_version(name, 1).tags
        assert tags.get("b") == "2" and "a" not in tags, tags
    code_of(lambda: client.search_prompt_versions(name))  # of Unity Catalog alone, says the client
    client.delete_prompt_version(name, "1")
    assert _version(name, 1) is None
    client.delete_prompt_version(name, "2")
    client.delete_prompt(name)
    same(client.get_prompt(name), None)


@check(needs="link_prompt_version_to_run")
def are_linked_to_runs_and_models():
    name = fresh("prompt")
    made = client.register_prompt(name=name, template="x {{ a }}")
    place = experiment()
    run = client.create_run(place).info.run_id
    client.link_prompt_version_to_run(run, f"prompts:/{name}/1")
    linked = json.loads(client.get_run(run).data.tags["mlflow.linkedPrompts"])
    same([(item["name"], int(item["version"])) for item in linked], [(name, 1)])
    same(list(client.list_logged_prompts(run)), [])  # asks for the links that 2.x made
    code_of(lambda: client.detach_prompt_from_run(run, made.uri))  # undoes those alone
    model = client.create_logged_model(place, name="agent").model_id
    client.link_prompt_version_to_model(name, "1", model)
    assert name in str(client.get_logged_model(model).tags), client.get_logged_model(model).tags


@check(needs="log_prompt")
def are_logged_to_runs():
    name = fresh("prompt")
    made = client.register_prompt(name=name, template="x {{ a }}")
    run = client.create_run(experiment()).info.run_id
    client.log_prompt(run, f"prompts:/{name}/1")
    same([found.name for found in client.list_logged_prompts(run)], [name])
    client.detach_prompt_from_run(run, made.uri)
    same(list(client.list_logged_prompts(run)), [])


@check(needs="delete_prompt")
def are_deleted():
    name = fresh("prompt")
    client.register_prompt(name=name, template="x")
    if VERSION < (3, 1):
        client.delete_prompt(name, 1)
    else:
        client.delete_prompt_version(name, "1")
        client.delete_prompt(name)
    assert code_of(lambda: client.load_prompt(f"prompts:/{name}/1")) != "ACCEPTED"


@check(since=(3, 10))
def are_conversations_with_a_form_of_answer():
    name = fresh("prompt")
    template = [{"role": "system", "content": "Be {{ mood }}."}, {"role": "user", "content": "{{ question }}"}]
    form = {"type": "object", "properties": {"answer": {"type": "string"}}}
    mlflow.genai.register_prompt(name=name, template=template, response_format=form, model_config={"temperature": 0.5})
    found = mlflow.genai.load_prompt(f"prompts:/{name}@latest")
    same(found.format(mood="kind", question="why?")[0]["content"], "Be kind.")
    same((found.response_format, found.model_config["temperature"]), (form, 0.5))
    mlflow.genai.set_prompt_model_config(name, 1, {"temperature": 0.25})
    same(mlflow.genai.load_prompt(name, version=1, cache_ttl_seconds=0).model_config["temperature"], 0.25)
