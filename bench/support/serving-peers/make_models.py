"""The models of the benchmarks as scikit-learn has them: make_models.py <folder> boosting|logistic [mlflow] writes model.pkl
and, if asked, a model of MLflow. src/runtimes/fixtures/make-fixtures.py makes the same in ONNX."""

import pathlib
import pickle
import sys

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

folder = pathlib.Path(sys.argv[1])
rows, labels = load_breast_cancer(return_X_y=True)
unfitted = {
    "boosting": GradientBoostingClassifier(n_estimators=100, max_depth=3, random_state=0),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
}
model = unfitted[sys.argv[2]].fit(rows, labels)
with open(folder / "model.pkl", "wb") as file:
    pickle.dump(model, file)
if "mlflow" in sys.argv[3:]:
    import mlflow.sklearn

    mlflow.sklearn.save_model(model, folder / "mlflow-model", serialization_format="cloudpickle")
