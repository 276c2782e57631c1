"""What a team does with prompts, evaluation data sets, scorers and webhooks through MLflow's own client."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookEvent
from mlflow.exceptions import MlflowException
from mlflow.genai import datasets
from mlflow.webhooks.delivery import _generate_hmac_signature
from pydantic import BaseModel

SECRET = "shared with the receiver"


def error_of(call) -> list[str]:
    try:
        call()
    except MlflowException as error:
        return [error.error_code, error.message]
    return ["accepted"]


def code_of(call) -> str:
    return error_of(call)[0]


class Answer(BaseModel):
    text: str
    score: float


def prompts(client: MlflowClient) -> dict:
    first = mlflow.genai.register_prompt(
        name="greeting",
        template="Hello {{ name }}!",
        commit_message="the first",
        tags={"team": "ops"},
        response_format=Answer,
        model_config={"model_name": "small", "temperature": 0.1},
    )
    second = mlflow.genai.register_prompt(name="greeting", template="Dear {{name}}, {{ text }}", tags={"team": "ml"})
    chat = mlflow.genai.register_prompt(
        name="chat",
        template=[
            {"role": "system", "content": "You are {{style}}."},
            {"role": "user", "content": "{{question}}"},
        ],
    )
    mlflow.genai.set_prompt_alias("greeting", alias="live", version=1)
    by_alias = mlflow.genai.load_prompt("prompts:/greeting@live")
    cached = mlflow.genai.load_prompt("prompts:/greeting@live")
    latest = mlflow.genai.load_prompt("prompts:/greeting@latest")
    mlflow.genai.set_prompt_alias("greeting", alias="live", version=2)
    moved = mlflow.genai.load_prompt("prompts:/greeting@live", cache_ttl_seconds=0)
    mlflow.genai.delete_prompt_alias("greeting", alias="live")

    mlflow.genai.set_prompt_tag("greeting", "stage", "draft")
    mlflow.genai.set_prompt_version_tag("greeting", 1, "reviewed", "yes")
    tags = mlflow.genai.get_prompt_tags("greeting")
    version_tags = client.get_prompt_version("greeting", "1").tags
    mlflow.genai.delete_prompt_tag("greeting", "stage")
    mlflow.genai.delete_prompt_version_tag("greeting", 1, "reviewed")
    mlflow.genai.set_prompt_model_config("greeting", 2, {"model_name": "large"})
    config = client.get_prompt_version("greeting", "2").model_config
    mlflow.genai.delete_prompt_model_config("greeting", 2)

    with mlflow.start_run() as run:
        mlflow.genai.load_prompt("prompts:/greeting/1")
        client.link_prompt_version_to_run(run.info.run_id, "prompts:/greeting/1")
    linked = mlflow.get_run(run.info.run_id).data.tags.get("mlflow.linkedPrompts")

    # a model is no prompt, and neither has the other's name
    client.create_registered_model("plain", tags={"team": "ops"})
    found = {
        "models": [model.name for model in client.search_registered_models()],
        "prompts": sorted(prompt.name for prompt in mlflow.genai.search_prompts()),
        "by name": [prompt.name for prompt in mlflow.genai.search_prompts("name = 'chat'")],
        "by tag": [prompt.name for prompt in mlflow.genai.search_prompts("tags.team = 'ml'")],
        "versions": [int(version.version) for version in client.search_prompt_versions("greeting")],
        "model versions": len(client.search_model_versions()),
    }
    refused = {
        "prompt over model": error_of(lambda: mlflow.genai.register_prompt(name="plain", template="x")),
        "model over prompt": error_of(lambda: client.create_registered_model("chat")),
        "raw prompt over model": error_of(
            lambda: client.create_registered_model("plain", tags={"mlflow.prompt.is_prompt": "true"})
        ),
        "prompt as model": code_of(lambda: client.get_model_version("chat", "1")),
        "bad name": code_of(lambda: mlflow.genai.register_prompt(name="a/b", template="x")),
        "missing version": code_of(lambda: mlflow.genai.load_prompt("prompts:/greeting/99")),
        "reserved alias": code_of(lambda: mlflow.genai.set_prompt_alias("greeting", alias="latest", version=1)),
    }
    missing = mlflow.genai.load_prompt("nothing", allow_missing=True)
    client.delete_prompt_version("greeting", "1")
    left = [int(version.version) for version in client.search_prompt_versions("greeting")]
    client.delete_prompt_version("chat", "1")
    client.delete_prompt("chat")
    return {
        "numbers": [first.version, second.version],
        "format": first.format(name="Ann"),
        "message": first.commit_message,
        "response format": sorted(client.get_prompt_version("greeting", "2").tags) == ["team"]
        and sorted((by_alias.response_format or {}).get("properties", {})),
        "model config": by_alias.model_config,
        "changed config": config,
        "chat": chat.format(style="kind", question="why?"),
        "by alias": [by_alias.version, cached.version, latest.version, moved.version],
        "variables": sorted(second.variables),
        "tags": {key: value for key, value in tags.items() if not key.startswith("_")},
        "version tags": {key: value for key, value in version_tags.items() if not key.startswith("_")},
        "linked": [(prompt["name"], prompt["version"]) for prompt in json.loads(linked or "[]")],
        "found": found,
        "refused": refused,
        "missing": missing is None,
        "left": left,
        "deleted": [prompt.name for prompt in mlflow.genai.search_prompts()],
    }


def evaluation_datasets(experiment_id: str) -> dict:
    dataset = datasets.create_dataset(name="questions", experiment_id=experiment_id, tags={"team": "ops"})
    dataset.merge_records(
        [
            {"inputs": {"question": "1 + 1", "id": 12345678901234567890}, "expectations": {"answer": "2"}},
            {"inputs": {"question": "2 + 2", "id": 2}, "expectations": {"answer": "4", "exact": 4.0}},
        ]
    )
    seen = {"inputs": {"question": "1 + 1", "id": 12345678901234567890}, "tags": {"seen": "again"}}
    dataset.merge_records(pd.DataFrame([seen]))
    dataset.merge_records([{"inputs": {"number": n}} for n in range(1500)])
    again = datasets.get_dataset(name="questions")
    frame = again.to_df()
    datasets.set_dataset_tags(dataset_id=dataset.dataset_id, tags={"stage": "draft", "team": None})
    datasets.delete_dataset_tag(dataset_id=dataset.dataset_id, key="stage")
    other = mlflow.create_experiment("other")
    added = datasets.add_dataset_to_experiments(dataset_id=dataset.dataset_id, experiment_ids=[other])
    removed = datasets.remove_dataset_from_experiments(dataset_id=dataset.dataset_id, experiment_ids=[other])
    doomed = frame["dataset_record_id"].tolist()[2:]
    deleted = again.delete_records(doomed)
    kept = datasets.get_dataset(dataset_id=dataset.dataset_id)

    with mlflow.start_run() as run:
        mlflow.log_input(kept, context="evaluation")
    logged = mlflow.get_run(run.info.run_id).inputs.dataset_inputs[0].dataset

    datasets.create_dataset(name="doomed")
    names = sorted(each.name for each in datasets.search_datasets(experiment_ids=[experiment_id]))
    by_filter = [each.name for each in datasets.search_datasets(filter_string="name LIKE 'ques%' AND tags.team = 'ops'")]
    datasets.delete_dataset(dataset_id=datasets.get_dataset(name="doomed").dataset_id)
    return {
        "id": dataset.dataset_id[:2],
        "records": len(frame),
        "inputs": frame["inputs"].tolist()[:2],
        "whole id": frame["inputs"][0]["id"] == 12345678901234567890,
        "expectations": frame["expectations"].tolist()[:2],
        "exact": type(frame["expectations"].tolist()[1]["exact"]).__name__,
        "tags": {key: value for key, value in frame["tags"].tolist()[0].items() if key != "mlflow.user"},
        "sources": frame["source_type"].tolist()[:3],
        "schema": json.loads(again.schema)["inputs"],
        "profile": json.loads(again.profile),
        "experiments": [len(added.experiment_ids), len(removed.experiment_ids)],
        "deleted": deleted,
        "kept": [len(kept.to_df()), json.loads(kept.profile)],
        "digest changes": kept.digest != again.digest,
        "logged": [logged.name, logged.digest == kept.digest, json.loads(logged.source)["dataset_id"] == kept.dataset_id],
        "names": names,
        "by filter": by_filter,
        "missing": code_of(lambda: datasets.get_dataset(dataset_id="d-none")),
        "wrong filter": code_of(lambda: datasets.search_datasets(filter_string="color = 'red'")),
    }


def scorers(experiment_id: str) -> dict:
    from mlflow.genai import delete_scorer, get_scorer, list_scorers, make_judge, scorer

    judge = make_judge(name="polite", instructions="Is {{ outputs }} polite?", model="openai:/gpt-x")
    registered = judge.register(experiment_id=experiment_id)
    make_judge(name="polite", instructions="Is {{ outputs }} very polite?", model="openai:/gpt-x").register(
        experiment_id=experiment_id
    )
    newest = get_scorer(name="polite", experiment_id=experiment_id)
    oldest = get_scorer(name="polite", experiment_id=experiment_id, version=1)
    listed = [each.name for each in list_scorers(experiment_id=experiment_id)]

    @scorer
    def short(outputs):
        return len(outputs) < 10

    code = code_of(lambda: short.register(experiment_id=experiment_id))
    delete_scorer(name="polite", experiment_id=experiment_id, version=1)
    left = get_scorer(name="polite", experiment_id=experiment_id).instructions
    delete_scorer(name="polite", experiment_id=experiment_id, version="all")
    return {
        "registered": registered.name,
        "instructions": [oldest.instructions, newest.instructions],
        "listed": listed,
        "code": code,
        "left": left,
        "gone": [each.name for each in list_scorers(experiment_id=experiment_id)],
        "missing": code_of(lambda: get_scorer(name="polite", experiment_id=experiment_id)),
    }


class Receiver:
    """Keeps what arrives, and answers 200."""

    def __init__(self) -> None:
        self.received: list[tuple[dict, str]] = []
        self.arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"thanks")
                with receiver.arrived:
                    receiver.received.append((dict(self.headers.items()), body))
                    receiver.arrived.notify_all()

            def log_message(self, *_) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def wait_for(self, count: int) -> None:
        with self.arrived:
            if not self.arrived.wait_for(lambda: len(self.received) >= count, timeout=60):
                raise TimeoutError(f"{len(self.received)} of {count} messages came")

    def signatures_hold(self) -> bool:
        held = []
        for headers, body in self.received:
            headers = {key.lower(): value for key, value in headers.items()}
            wanted = _generate_hmac_signature(
                SECRET, headers["x-mlflow-delivery-id"], headers["x-mlflow-timestamp"], body
            )
            held.append(headers["x-mlflow-signature"] == wanted)
        return all(held)


def webhooks(client: MlflowClient) -> dict:
    receiver = Receiver()
    hook = client.create_webhook(
        name="for-tests",
        url=receiver.url,
        events=["registered_model.created", "prompt_version.created", WebhookEvent("prompt_alias", "created")],
        description="tells a test",
        secret=SECRET,
    )
    tried = client.test_webhook(hook.webhook_id, event="prompt_alias.created")
    receiver.wait_for(1)
    client.create_registered_model("told", description="of")
    receiver.wait_for(2)
    mlflow.genai.register_prompt(name="told-prompt", template="Hi {{ you }}")
    receiver.wait_for(3)
    changed = client.update_webhook(hook.webhook_id, status="DISABLED", name="renamed")
    listed = [(each.name, each.status.value, len(each.events)) for each in client.list_webhooks()]
    client.delete_webhook(hook.webhook_id)
    told = [json.loads(body) for _, body in receiver.received]
    return {
        "created": [hook.name, hook.status.value, hook.description],
        "tried": [tried.success, tried.response_status, tried.response_body],
        "told": [[each["entity"], each["action"], each["data"]["name"]] for each in told],
        "template": told[2]["data"]["template"],
        "signed": receiver.signatures_hold(),
        "changed": [changed.name, changed.status.value],
        "listed": listed,
        "gone": code_of(lambda: client.get_webhook(hook.webhook_id)),
        "not inside": code_of(
            lambda: client.create_webhook(name="x", url="https://10.0.0.1/", events=["prompt.created"])
        ),
    }


def main() -> None:
    client = MlflowClient()
    experiment_id = mlflow.set_experiment("genai").experiment_id
    print(
        json.dumps(
            {
                "prompts": prompts(client),
                "datasets": evaluation_datasets(experiment_id),
                "scorers": scorers(experiment_id),
                "webhooks": webhooks(client),
            }
        )
    )


main()
