import os
import tempfile

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from .report import check, code_of, experiment, same

client = MlflowClient()


def _run() -> str:
    return client.create_run(experiment()).info.run_id


def _write(folder: str, files: dict[str, bytes]) -> str:
    for path, content in files.items():
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(content)
    return folder


def _listed(run: str, path: str | None = None) -> list[tuple[str, bool, int | None]]:
    return [(file.path, file.is_dir, file.file_size) for file in client.list_artifacts(run, path)]


@check()
def files_go_up_are_listed_and_come_down():
    run = _run()
    with tempfile.TemporaryDirectory() as folder:
        _write(folder, {"top.txt": b"top", "deep/er/inner.bin": bytes(range(256)) * 64, "empty": b""})
        client.log_artifacts(run, folder)
        client.log_artifacts(run, folder, "all")
        client.log_artifact(run, os.path.join(folder, "top.txt"), "one")
    same(
        _listed(run),
        [("all", True, None), ("deep", True, None), ("empty", False, 0), ("one", True, None), ("top.txt", False, 3)],
    )
    same(_listed(run, "deep/er"), [("deep/er/inner.bin", False, 16_384)])
    same(_listed(run, "absent"), [])
    same(_listed(run, "top.txt"), [])
    with tempfile.TemporaryDirectory() as folder:
        path = client.download_artifacts(run, "all", folder)
        with open(os.path.join(path, "deep/er/inner.bin"), "rb") as file:
            same(file.read(), bytes(range(256)) * 64)
        same(os.path.getsize(os.path.join(path, "empty")), 0)
        whole = client.download_artifacts(run, "", folder)
        assert os.path.exists(os.path.join(whole, "one/top.txt"))
    same(mlflow.artifacts.load_text(f"runs:/{run}/one/top.txt"), "top")


@check()
def names_that_need_quoting():
    run = _run()
    # not "?", "#" and "%41", which the client itself puts into the URL as they are
    names = ["with space.txt", "100%.txt", "ü-键.txt", "plus+and&amp.txt", "quote'\".txt", "a=b;c.txt"]
    with tempfile.TemporaryDirectory() as folder:
        client.log_artifacts(run, _write(folder, {f"at {at}/{name}": name.encode() for at, name in enumerate(names)}))
    for at, name in enumerate(names):
        same(_listed(run, f"at {at}"), [(f"at {at}/{name}", False, len(name.encode()))])
        with open(client.download_artifacts(run, f"at {at}/{name}"), "rb") as file:
            same(file.read(), name.encode())


@check()
def a_file_is_replaced():
    run = _run()
    client.log_text(run, "first", "note.txt")
    client.log_text(run, "the second", "note.txt")
    same(_listed(run), [("note.txt", False, 10)])
    same(mlflow.artifacts.load_text(f"runs:/{run}/note.txt"), "the second")


@check()
def files_and_folders_are_deleted():
    run = _run()
    with tempfile.TemporaryDirectory() as folder:
        client.log_artifacts(run, _write(folder, {"keep.txt": b"1", "gone/a": b"2", "gone/b/c": b"3", "one.txt": b"4"}))
    repository = get_artifact_repository(client.get_run(run).info.artifact_uri)
    repository.delete_artifacts("gone")
    repository.delete_artifacts("one.txt")
    same(_listed(run), [("keep.txt", False, 1)])


@check()
def what_is_missing_is_said():
    run = _run()
    try:
        client.download_artifacts(run, "absent.txt")
    except Exception as error:  # versions differ in the kind that they raise
        assert "absent.txt" in str(error) or "404" in str(error) or "No such" in str(error), error
    else:
        raise AssertionError("an absent file was downloaded")
    same(code_of(lambda: client.list_artifacts("0" * 32)), "RESOURCE_DOES_NOT_EXIST")
    try:
        client.list_artifacts(run, "../other")
    except Exception as error:
        assert "Invalid path" in str(error), error
    else:
        raise AssertionError("a path out of the run was listed")


@check()
def texts_dictionaries_figures_images_and_tables():
    import matplotlib

    matplotlib.use("Agg")
    import pandas as pd
    from matplotlib.figure import Figure

    run = _run()
    client.log_text(run, "# ü", "texts/note.md")
    client.log_dict(run, {"a": [1, None]}, "data.json")
    client.log_dict(run, {"b": "x"}, "data.yaml")
    figure = Figure()
    figure.subplots().plot([1, 2])
    client.log_figure(run, figure, "plots/line.png")
    client.log_image(run, np.zeros((4, 4, 3), dtype=np.uint8), "black.png")
    table = pd.DataFrame({"question": ["a", "b"], "score": [1, 2]})
    client.log_table(run, table, "table.json")
    client.log_table(run, {"question": ["c"], "score": [3]}, "table.json")
    same(mlflow.artifacts.load_text(f"runs:/{run}/texts/note.md"), "# ü")
    same(mlflow.artifacts.load_dict(f"runs:/{run}/data.json"), {"a": [1, None]})
    same(mlflow.artifacts.load_image(f"runs:/{run}/black.png").size, (4, 4))
    experiment_id = client.get_run(run).info.experiment_id
    loaded = client.load_table(experiment_id, "table.json", [run], extra_columns=["run_id"])
    same(list(loaded["score"]), [1, 2, 3])
    same(set(loaded["run_id"]), {run})
    assert {"plots", "black.png", "table.json", "data.yaml"} <= {path for path, _, _ in _listed(run)}


@check(since=(2, 22))
def lists_by_address():
    run = _run()
    client.log_text(run, "1", "folder/one.txt")
    same([file.path for file in mlflow.artifacts.list_artifacts(run_id=run)], ["folder"])
    same([file.path for file in mlflow.artifacts.list_artifacts(f"runs:/{run}/folder")], ["folder/one.txt"])


@check(since=(2, 22))
def images_by_key_and_step():
    run = _run()
    for step in range(2):
        client.log_image(run, np.full((4, 4, 3), step, dtype=np.uint8), key="sample", step=step, synchronous=True)
    found = [path for path, _, _ in _listed(run, "images")]
    same(len([path for path in found if path.endswith(".png")]), 2)


@check()
def a_file_larger_than_a_chunk():
    run = _run()
    content = os.urandom(1024) * (12 * 1024)
    with tempfile.TemporaryDirectory() as folder:
        client.log_artifacts(run, _write(folder, {"large.bin": content}))
        with open(client.download_artifacts(run, "large.bin", folder), "rb") as file:
            assert file.read() == content, "the bytes differ"
    same(_listed(run), [("large.bin", False, len(content))])


@check()
def a_file_in_parts():
    run = _run()
    content = os.urandom(1024) * (12 * 1024)
    told = {
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(6 * 1024 * 1024),
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 * 1024 * 1024),
    }
    os.environ.update(told)
    try:
        with tempfile.TemporaryDirectory() as folder:
            client.log_artifacts(run, _write(folder, {"in/large.bin": content}))
            with open(client.download_artifacts(run, "in/large.bin", folder), "rb") as file:
                assert file.read() == content, "the bytes differ"
    finally:
        for name in told:
            del os.environ[name]
    same(_listed(run, "in"), [("in/large.bin", False, len(content))])
