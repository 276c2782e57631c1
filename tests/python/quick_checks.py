"""Holds the short way through scikit-learn's checks against the checks themselves: estimators of every kind are asked the same
of many things, right and wrong ones, before and after. Prints what differs, and how often the short way was taken.

    python tests/python/quick_checks.py [--all]

With --all it is every estimator that scikit-learn has, which takes minutes.
"""

import inspect
import json
import pathlib
import sys
import warnings

import numpy as np
import pandas
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import all_estimators

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))
from tidemill_worker import quick_checks

warnings.simplefilter("ignore")
SOME = (
    GradientBoostingClassifier, HistGradientBoostingClassifier, KMeans, KNeighborsClassifier, LinearRegression,
    LogisticRegression, MLPClassifier, MultinomialNB, PCA, RandomForestClassifier, SimpleImputer, StandardScaler, SVC,
)  # fmt: skip
SMALL = {"random_state": 0, "n_estimators": 3, "max_iter": 20}
METHODS = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
rows, labels = load_iris(return_X_y=True)
rows, labels = rows[::5], (labels[::5] > 0).astype(int)
names = [f"column {at}" for at in range(rows.shape[1])]
GIVEN = {"matrix": rows, "table": pandas.DataFrame(rows, columns=names)}


def fitted():
    """Every estimator that can be fitted on a few flowers, on a matrix and on a table."""
    for name, make in all_estimators() if "--all" in sys.argv else ((one.__name__, one) for one in SOME):
        for kind, given in GIVEN.items():
            try:
                usual = {one: value for one, value in SMALL.items() if one in make().get_params()}
                yield f"{name} on a {kind}", make(**usual).fit(given, labels)
            except Exception:
                continue  # it takes other estimators, texts, or no negative numbers
    for kind, given in GIVEN.items():
        yield f"pipeline on a {kind}", make_pipeline(StandardScaler(), LogisticRegression()).fit(given, labels)
        scaled = make_column_transformer((StandardScaler(), names[:2]), remainder="passthrough") if kind == "table" else PCA()
        yield f"steps by column on a {kind}", make_pipeline(scaled, GradientBoostingClassifier(n_estimators=3)).fit(given, labels)


def questions():
    some = rows[3:7]
    with_nan, with_infinity, huge = some.copy(), some.copy(), some.copy()
    with_nan[1, 1], with_infinity[2, 2], huge[:] = np.nan, -np.inf, 1e308
    read_only = some.copy()
    read_only.flags.writeable = False
    table = pandas.DataFrame(some.copy(), columns=names)
    mixed = table.copy()
    mixed["column 0"] = [1, 2, 3, 4]
    changed = table.copy()
    changed["column 1"] = changed["column 1"] * 2
    return {
        "one row": rows[:1].copy(),
        "rows": some.copy(),
        "FP32": some.astype(np.float32),
        "FP16": some.astype(np.float16),
        "INT64": some.astype(np.int64),
        "BOOL": some > 1,
        "columns first": np.asfortranarray(some),
        "every other row": rows[:8:2],
        "read only": read_only,
        "NaN": with_nan,
        "NaN and infinity": np.where(with_infinity < 0, np.inf, with_nan),
        "infinity": with_infinity,
        "huge": huge,
        "too wide": np.hstack([some, some]),
        "too narrow": some[:, :2].copy(),
        "no rows": some[:0].copy(),
        "a list of numbers": some[0].copy(),
        "three dimensions": some.reshape(1, 4, 4),
        "objects": some.astype(object),
        "texts": some.astype(str),
        "complex": some.astype(complex),
        "nested lists": some.tolist(),
        "a table": table,
        "a table of FP32": table.astype(np.float32),
        "a table of INT64": table.astype(np.int64),
        "a table of other names": table.rename(columns={"column 0": "another"}),
        "a table in another order": table[names[::-1]],
        "a table of several types": mixed,
        "a table that was changed": changed,
        "a table with NaN": pandas.DataFrame(with_nan, columns=names),
        "a table of nullable numbers": table.astype("Float64"),
        "a table without rows": table[:0],
    }


def outcome(estimator, method, given):
    try:
        answer = getattr(estimator, method)(given)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    return [str(getattr(answer, "dtype", "")), np.asarray(answer).shape, repr(np.asarray(answer).tolist())]


def ask(estimators):
    answers = {}
    for name, estimator in estimators:
        methods = [method for method in METHODS if hasattr(estimator, method)]
        for method in methods if "--all" in sys.argv else methods[:1]:
            for what, given in questions().items():
                answers[f"{name}: {method} of {what}"] = outcome(estimator, method, given)
    return answers


estimators = list(fitted())
before = ask(estimators)
taken = 0
quick_matrix = quick_checks.quick_matrix


def count(*args, **params):
    global taken
    checked = quick_matrix(*args, **params)
    taken += checked is not None
    return checked


count.__signature__ = inspect.signature(quick_matrix)
quick_checks.quick_matrix = count
installed = quick_checks.install()
after = ask(estimators)
differing = {what: [before[what], after[what]] for what in before if before[what] != after[what]}
print(json.dumps({"installed": installed, "asked": len(before), "taken": taken, "estimators": len(estimators), "differing": differing}))
