"""Finds out what kind of model a file is and loads it. Only what the model needs is imported."""

import os
import pathlib

UNSIGNED = "it does not say what it takes; register it with a signature, or log it with signature= or input_example="


def load(folder: str, main: str, declared: dict | None):
    path = pathlib.Path(folder) / main
    os.chdir(folder)
    kind = kind_of(path)
    if kind == "mlflow":
        from . import flavour_mlflow as flavour
    elif kind == "source":
        from . import flavour_source as flavour
    elif kind == "pickle":
        from . import flavour_pickle as flavour
    elif kind in ("xgboost", "lightgbm"):
        from . import flavour_boosting as flavour
    elif kind == "torch":
        from . import flavour_torch as flavour
    else:
        raise ValueError(
            f'"{main}" is no model that this worker knows: MLmodel, model.py, .pkl, .pickle, .joblib, .ubj, .json and '
            ".bst of XGBoost, .txt of LightGBM, .pt of PyTorch"
        )
    return flavour.load(path, declared)


def kind_of(path: pathlib.Path) -> str | None:
    name = path.name
    if name == "MLmodel":
        return "mlflow"
    if name.endswith(".py"):
        return "source"
    if name.endswith((".pkl", ".pickle", ".joblib")):
        return "pickle"
    if name.endswith((".pt", ".pth", ".pt2")):
        return "torch"
    if name.endswith((".ubj", ".json", ".xgb")):
        return "xgboost"
    if name.endswith((".txt", ".lgb", ".bst")):
        with open(path, "rb") as file:
            return "lightgbm" if file.read(4) == b"tree" else "xgboost"
    return None
