"""Writes models in the formats that are served, each in a folder of its own, and prints what each predicts here."""

import json
import pathlib
import pickle
import sys

import joblib
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

folder = pathlib.Path(sys.argv[1])
generator = np.random.default_rng(0)
rows = generator.normal(size=(200, 3))
late = (rows.sum(axis=1) > 0).astype(int)
asked = rows[:4]
answers = {}


def place(name, file):
    (folder / name).mkdir(parents=True)
    return str(folder / name / file)


def keep(name, file, write, predictions):
    write(place(name, file))
    answers[name] = {"main": file, "rows": asked.tolist(), "predictions": np.asarray(predictions).tolist()}


def dump(model):
    def write(path):
        with open(path, "wb") as file:
            pickle.dump(model, file)

    return write


classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, late)
keep("pickle", "model.pkl", dump(classifier), classifier.predict(asked))
keep("joblib", "model.joblib", lambda path: joblib.dump(classifier, path, compress=3), classifier.predict(asked))
keep("joblib-named-pickle", "model.pkl", lambda path: joblib.dump(classifier, path), classifier.predict(asked))
words = LogisticRegression().fit(rows, np.where(late, "late", "on time"))
keep("texts", "model.pkl", dump(words), words.predict(asked))
regression = LinearRegression().fit(rows, rows @ np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
keep("two-targets", "model.pkl", dump(regression), regression.predict(asked))
named = LogisticRegression().fit(pd.DataFrame(rows, columns=["a", "b", "c"]), late)
keep("fitted-on-a-table", "model.pkl", dump(named), named.predict(pd.DataFrame(asked, columns=["a", "b", "c"])))

table = pd.DataFrame({"carrier": ["UA", "AA"] * 100, "distance": rows[:, 0]})
encoder = make_column_transformer((OneHotEncoder(), ["carrier"]), remainder="passthrough")
columns = make_pipeline(encoder, LogisticRegression()).fit(table, late)
keep("columns", "model.pkl", dump(columns), columns.predict_proba(table[:4]))

matrix = xgboost.DMatrix(rows, late)
booster = xgboost.train({"max_depth": 2, "objective": "binary:logistic"}, matrix, 5)
expected = booster.predict(xgboost.DMatrix(asked))
keep("xgboost", "model.ubj", booster.save_model, expected)
names = ["a", "b", "c"]
with_names = xgboost.train({"max_depth": 2, "objective": "binary:logistic"}, xgboost.DMatrix(rows, late, feature_names=names), 5)
keep("xgboost-with-names", "model.ubj", with_names.save_model, expected)
keep("xgboost-json", "model.json", booster.save_model, expected)
own = xgboost.XGBClassifier(n_estimators=5, max_depth=2).fit(rows, late)
keep("xgboost-pickle", "model.pkl", dump(own), own.predict(asked))

trees = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(rows, late), 5)
keep("lightgbm", "model.txt", trees.save_model, trees.predict(asked))
told = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(rows, late, feature_name=names), 5)
keep("lightgbm-with-names", "model.txt", told.save_model, told.predict(asked))
keep("lightgbm-bst", "model.bst", trees.save_model, trees.predict(asked))

print(json.dumps(answers))
