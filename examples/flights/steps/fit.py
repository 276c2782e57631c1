"""Fit gradient boosting, log it with MLflow, write it as ONNX, and prove that both say the same."""

import os
from importlib.metadata import version

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

NOT_INPUTS = ["flight", "time_hour", "arr_delay"]
CATEGORIES = ["carrier", "origin", "dest"]
PARAMS = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 6, "min_samples_leaf": 60, "early_stopping": False}

train = pd.read_parquet(os.environ["TIDEMILL_INPUT_TRAIN"])
test = pd.read_parquet(os.environ["TIDEMILL_INPUT_TEST"])
inputs = [column for column in train.columns if column not in NOT_INPUTS]
numbers = [column for column in inputs if column not in CATEGORIES]
late = train["arr_delay"] > 15
test_late = test["arr_delay"] > 15


def model_inputs(rows: pd.DataFrame) -> pd.DataFrame:
    """A category nobody has seen, or none at all (""), is encoded as -1; a missing number is NaN."""
    return rows[inputs].fillna({column: "" for column in CATEGORIES}).astype({column: "float32" for column in numbers})


model = make_pipeline(
    make_column_transformer(
        # The encoder, never categorical_features: that one was seen to turn into different ONNX.
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), CATEGORIES),
        ("passthrough", numbers),
    ),
    HistGradientBoostingClassifier(**PARAMS, random_state=0),
)

with mlflow.start_run():
    model.fit(model_inputs(train), late)
    scores = model.predict_proba(model_inputs(test))[:, 1]
    mlflow.log_params({**PARAMS, "train_rows": len(train), "test_rows": len(test)})
    mlflow.log_metrics({"auc": roc_auc_score(test_late, scores), "log_loss": log_loss(test_late, scores)})
    mlflow.sklearn.log_model(
        model,
        name="model",
        serialization_format="cloudpickle",
        pip_requirements=[f"{package}=={version(package)}" for package in ["scikit-learn", "pandas", "numpy", "cloudpickle"]],
    )

# One named input per column, so that a client sends {"carrier": "UA", ...} and not a row of numbers.
onnx_model = to_onnx(
    model,
    initial_types=[(c, (StringTensorType if c in CATEGORIES else FloatTensorType)([None, 1])) for c in inputs],
    options={"zipmap": False},
)

# The test rows as they are, of carriers and airports never seen, and with everything missing.
strangers = test.head(500).assign(**{column: "??" for column in CATEGORIES})
blanks = test.head(500).assign(**{column: None for column in CATEGORIES}, **{column: np.nan for column in numbers})
checked = model_inputs(pd.concat([test.astype({c: object for c in CATEGORIES}), strangers, blanks], ignore_index=True))
session = onnxruntime.InferenceSession(onnx_model.SerializeToString())
feed = {c: checked[[c]].to_numpy(dtype=object if c in CATEGORIES else np.float32) for c in inputs}
difference = np.abs(session.run(["probabilities"], feed)[0] - model.predict_proba(checked)).max()
assert difference < 1e-5, f"ONNX and scikit-learn differ by {difference}"
print(f"ONNX equals scikit-learn on {len(checked)} rows (largest difference {difference:.1e})")

with open(os.environ["TIDEMILL_OUTPUT_MODEL"], "wb") as file:
    file.write(onnx_model.SerializeToString())
