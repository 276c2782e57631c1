"""Logs and registers models as people do, for a server that is to serve them; prints what each predicts here."""

import json
import sys

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Object, Property
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


class Doubling(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["distance"] * 2 + model_input["bonus"].fillna(0)


def main(requirements: str) -> None:
    client = MlflowClient()
    mlflow.set_experiment("served")
    answers = {}

    def register(name, log, signature, rows):
        with mlflow.start_run():
            log(name="model", registered_model_name=name, signature=signature, pip_requirements=requirements)
        client.set_registered_model_alias(name, "champion", "1")
        answers[name] = np.asarray(mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(rows)).tolist()

    matrix = np.arange(12, dtype=float).reshape(6, 2)
    late = np.array([0, 0, 0, 1, 1, 1])
    plain = LogisticRegression().fit(matrix, late)
    register(
        "matrix",
        lambda **more: mlflow.sklearn.log_model(plain, serialization_format="cloudpickle", **more),
        infer_signature(matrix, plain.predict(matrix)),
        matrix[[0, 5]],
    )

    table = pd.DataFrame({"carrier": ["UA", "AA"] * 3, "distance": np.arange(6, dtype=float), "flight": range(6)})
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"]), remainder="passthrough")
    columns = make_pipeline(encoder, LogisticRegression()).fit(table, late)
    register(
        "columns",
        lambda **more: mlflow.sklearn.log_model(columns, serialization_format="cloudpickle", **more),
        infer_signature(table, columns.predict(table)),
        table.iloc[[0, 5]],
    )

    register(
        "written",
        lambda **more: mlflow.pyfunc.log_model(python_model=Doubling(), **more),
        ModelSignature(
            Schema(
                [
                    ColSpec("double", "distance"),
                    ColSpec("double", "bonus", required=False),
                    ColSpec("datetime", "since", required=False),
                    ColSpec(Object([Property("hour", DataType.long)]), "more", required=False),
                ]
            ),
            Schema([ColSpec("double")]),
            ParamSchema([ParamSpec("factor", DataType.double, 1.0)]),
        ),
        table[["distance"]].iloc[[0, 5]].assign(bonus=None),
    )
    json.dump(answers, sys.stdout)


main(sys.argv[1])
