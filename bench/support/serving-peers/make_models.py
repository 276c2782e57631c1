"""The boosting of the benchmarks as scikit-learn has it, for MLServer and `mlflow models serve`: make_models.py <folder>."""

import pathlib
import sys

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier

folder = pathlib.Path(sys.argv[1])
rows, labels = load_breast_cancer(return_X_y=True)
model = GradientBoostingClassifier(n_estimators=100, max_depth=3, random_state=0).fit(rows, labels)
joblib.dump(model, folder / "model.joblib")
if "mlflow" in sys.argv[2:]:
    import mlflow.sklearn

    mlflow.sklearn.save_model(model, folder / "mlflow-model", serialization_format="cloudpickle")
