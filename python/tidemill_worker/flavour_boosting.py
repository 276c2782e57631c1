"""Boosters saved in the own formats of XGBoost and LightGBM: numbers in, numbers out."""

from . import flavours, model


def load(path, declared):
    if flavours.kind_of(path) == "lightgbm":
        predict, width, names, about = _lightgbm(path)
    else:
        predict, width, names, about = _xgboost(path)
    inputs = declared["inputs"] if declared else [model.tensor("input-0", "FP32", [-1, width])]
    inputs = model.with_columns(inputs, names)
    if len(inputs) == 1:
        only = inputs[0]["name"]
        call_with = lambda given: given[only]
    else:
        import numpy as np

        names = [one["name"] for one in inputs]
        call_with = lambda given: np.column_stack([given[name].reshape(-1) for name in names])
    name = declared["outputs"][0]["name"] if declared and declared["outputs"] else "predict"
    call = lambda given, _: {name: predict(call_with(given))}
    outputs = declared["outputs"] if declared else None
    if not outputs:
        outputs = [model.describe(name, call(model.zero_row(inputs), None)[name])]
    return model.Model({"inputs": inputs, "outputs": outputs}, call, about)


def _xgboost(path):
    import xgboost

    booster = xgboost.Booster({"nthread": 1}, model_file=str(path))
    booster.set_param({"nthread": 1})
    predict = lambda data: booster.inplace_predict(data, validate_features=False)
    return predict, booster.num_features(), booster.feature_names, f"xgboost {xgboost.__version__}"


def _lightgbm(path):
    import lightgbm

    booster = lightgbm.Booster(model_file=str(path), params={"num_threads": 1})
    predict = lambda data: booster.predict(data, num_threads=1)
    return predict, booster.num_feature(), booster.feature_name(), f"lightgbm {lightgbm.__version__}"
