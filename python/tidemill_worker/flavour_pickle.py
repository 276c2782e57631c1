"""Pickles and joblib files: an estimator of scikit-learn, or of XGBoost or LightGBM in scikit-learn's manner. Loading
one runs whatever code it holds, which is why it happens in this process alone."""

import importlib
import pickle

from . import estimator, flavours, model


def load(path, declared):
    loaded = _read(path)
    if callable(loaded) and not hasattr(loaded, "predict"):
        return _function(loaded, declared)
    package = type(loaded).__module__.partition(".")[0]
    version = getattr(importlib.import_module(package), "__version__", "") if package != "__main__" else ""
    return estimator.load(loaded, declared, f"{package} {version}".strip())


def _read(path):
    if path.suffix == ".joblib":
        import joblib

        return joblib.load(path)
    with open(path, "rb") as file:
        first = file.read(1)
        file.seek(0)
        if first == b"\x80":
            try:
                return pickle.load(file)
            except ModuleNotFoundError:
                raise
            except (pickle.UnpicklingError, ValueError, AttributeError, KeyError) as problem:
                return _by_joblib(path, problem)
    return _by_joblib(path, ValueError(f"{path.name} is no pickle"))


def _by_joblib(path, problem):
    """joblib.dump writes arrays between the codes of a pickle, and compresses whole files."""
    try:
        import joblib

        return joblib.load(path)
    except Exception:
        raise problem from None


def _function(function, declared):
    if declared is None:
        raise ValueError(f"a function: {flavours.UNSIGNED}")
    names = [one["name"] for one in declared["outputs"]]
    return model.Model(declared, lambda inputs, _: model.to_results(function(inputs), names), "a function")
