"""Signatures of objects in the manner of scikit-learn, which XGBoost's and LightGBM's own classes follow too."""

import warnings

from . import flavours, model, tensors

METHODS = ("predict", "predict_proba", "decision_function", "transform")


def load(estimator, declared, about: str):
    if not any(callable(getattr(estimator, method, None)) for method in METHODS):
        raise ValueError(f"a {type(estimator).__name__} has neither predict nor transform")
    # It was fitted on a table and is given the same columns, in the same order, without their names.
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    inputs = declared["inputs"] if declared else _inputs_of(estimator)
    inputs = model.with_columns(inputs, getattr(estimator, "feature_names_in_", None))
    prepare = _preparation(inputs)
    outputs = declared["outputs"] if declared else []
    names = [one["name"] for one in outputs] or ["predict" if hasattr(estimator, "predict") else "transform"]
    methods = {name: _method_of(estimator, name, len(names)) for name in names}

    def call(given, wanted):
        data = prepare(given)
        return {name: methods[name](data) for name in wanted if name in methods}

    if not outputs:
        outputs = [_output_of(estimator, name, call, inputs) for name in names]
    return model.Model({"inputs": inputs, "outputs": outputs}, call, about)


def _inputs_of(estimator):
    width = getattr(estimator, "n_features_in_", None)
    if width is None:
        raise ValueError(f"a {type(estimator).__name__}: {flavours.UNSIGNED}")
    return [model.tensor("input-0", "FP64", [-1, width])]


def _preparation(inputs):
    if len(inputs) == 1:
        name = inputs[0]["name"]
        return lambda given: given[name]
    return model.Table(inputs)


def _method_of(estimator, name: str, outputs: int):
    """The output's own name when that is a method, in its usual other names, or predict when it is the only output."""
    usual = {"label": "predict", "probabilities": "predict_proba", "scores": "decision_function"}
    method = name if name in METHODS else usual.get(name, "predict" if outputs == 1 else name)
    found = getattr(estimator, method, None)
    if method not in METHODS or not callable(found):
        raise ValueError(
            f'a {type(estimator).__name__} cannot give an output "{name}"; '
            f"it has {', '.join(one for one in METHODS if callable(getattr(estimator, one, None)))}"
        )
    return found


def _output_of(estimator, name, call, inputs):
    try:
        return model.describe(name, call(model.zero_row(inputs), [name])[name])
    except Exception:  # a row of zeros is not every model's taste
        classes = getattr(estimator, "classes_", None)
        if name == "predict" and getattr(classes, "dtype", None) is not None:
            return model.tensor(name, tensors.datatype_of(classes.dtype), [-1])
        return model.tensor(name, "FP64", [-1])
