"""Models that MLflow has written: a folder with an MLmodel, loaded as MLflow's own server would (pyfunc)."""

import json

import numpy as np

from . import estimator, faults, flavours, model, tensors

COLUMN_TYPES = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
    "binary": "BYTES",
    "datetime": "BYTES",
}
#: What a conversion of a column raises: the last at JSON that is nested too deeply.
ODD_TEXTS = (ValueError, TypeError, OverflowError, RecursionError)
UNNAMED_INPUT, UNNAMED_OUTPUT = "input-0", "predictions"
#: What MLflow's own check of a signature says, and a model in Python may say as well.
CALLERS_FAULTS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")


def load(path, declared):
    import mlflow
    from mlflow import pyfunc

    loaded = pyfunc.load_model(str(path.parent))
    about = f"mlflow {mlflow.__version__}, {loaded.loader_module if hasattr(loaded, 'loader_module') else 'pyfunc'}"
    schema = loaded.metadata.get_input_schema()
    if schema is None:
        return _without_signature(loaded, declared, about)
    inputs, prepare = _inputs(schema)
    predict = _predict_function(loaded)
    known = loaded.metadata.get_output_schema()
    outputs = _outputs(known) if known is not None else None
    names = [one["name"] for one in outputs] if outputs else [UNNAMED_OUTPUT]

    known_parameters = {one.name for one in getattr(loaded.metadata.get_params_schema(), "params", [])}

    def call(given, _wanted, parameters=None):
        chosen = {name: value for name, value in (parameters or {}).items() if name in known_parameters}
        data = prepare(given)
        try:
            result = loaded.predict(data, params=chosen) if chosen else predict(data)
        except mlflow.MlflowException as problem:
            if problem.error_code in CALLERS_FAULTS:
                raise faults.InvalidInput(problem.message, is_doubtful=True) from problem
            raise
        return _encode_nested(model.to_results(result, names))

    if outputs is None:
        outputs = _probed(call, inputs)
    return model.Model({"inputs": inputs, "outputs": outputs}, call, about, bool(known_parameters))


def _predict_function(loaded):
    """Tensors have been checked against the signature already, so that a library's model is called without MLflow's own
    check of each column, which costs more than the model. A model in Python sees all that MLflow does."""
    direct = getattr(loaded, "_predict_fn", None)
    module = loaded.metadata.flavors.get("python_function", {}).get("loader_module", "")
    if direct is None or not module.startswith("mlflow.") or module in ("mlflow.pyfunc.model", "mlflow.pyfunc.loaders"):
        return loaded.predict
    return direct


def _without_signature(loaded, declared, about):
    raw = loaded.get_raw_model() if hasattr(loaded, "get_raw_model") else None
    if raw is not None and (declared is not None or hasattr(raw, "n_features_in_")):
        return estimator.load(raw, declared, about)
    if declared is None:
        raise ValueError(f"its MLmodel has no signature: {flavours.UNSIGNED}")
    names = [one["name"] for one in declared["outputs"]]
    table = model.Table(declared["inputs"])
    only = declared["inputs"][0]["name"] if len(declared["inputs"]) == 1 else None
    prepare = table if only is None else lambda given: given[only]
    return model.Model(declared, lambda given, _: model.to_results(loaded.predict(prepare(given)), names), about)


def _inputs(schema):
    """The tensors that stand for a schema, and the function that makes of them what the model takes."""
    if schema.is_tensor_spec():
        specs = schema.inputs
        inputs = [_tensor_of(spec, UNNAMED_INPUT if len(specs) == 1 else f"input-{at}") for at, spec in enumerate(specs)]
        if len(specs) == 1 and not specs[0].name:
            return inputs, lambda given: given[UNNAMED_INPUT]
        return inputs, dict
    specs = schema.inputs
    if not schema.has_input_names():
        return _unnamed_columns(specs)
    inputs = [_column_of(spec) for spec in specs]
    table = model.Table(inputs)
    steps = [(spec.name, *conversion) for spec in specs if (conversion := _conversion(spec)) is not None]

    def prepare(given):
        frame = table(given)
        for name, takes, step in steps:
            try:
                frame[name] = step(frame[name])
            except ODD_TEXTS as problem:
                row = _first_odd(frame[name], step)
                raise faults.InvalidInput(f'"{name}" takes {takes}; row {row} has another text') from problem
        return frame

    return inputs, prepare


def _unnamed_columns(specs):
    """Columns of one type are a matrix; others are given one by one, by their place."""
    import pandas

    datatypes = {_datatype_of(spec) for spec in specs}
    if len(datatypes) == 1:
        inputs = [model.tensor(UNNAMED_INPUT, datatypes.pop(), [-1, len(specs)])]
        return inputs, lambda given: pandas.DataFrame(given[UNNAMED_INPUT])
    inputs = [model.tensor(f"input-{at}", _datatype_of(spec), [-1, 1]) for at, spec in enumerate(specs)]
    return inputs, model.Table(inputs, list(range(len(specs))))


def _column_of(spec):
    """A table may lack a column that is not required, which then is null: where its datatype has one."""
    column = model.tensor(spec.name, _datatype_of(spec), [-1, 1])
    optional = not getattr(spec, "required", True) and column["datatype"] in ("FP32", "FP64", "BYTES")
    return {**column, "nullable": True, "optional": True} if optional else column


def _datatype_of(spec) -> str:
    """Lists and objects have no datatype of their own: they travel as text, in JSON."""
    return COLUMN_TYPES.get(getattr(spec.type, "name", ""), "BYTES")


def _conversion(spec):
    """What a column takes, in words, and what makes of its texts what the model takes."""
    kind = getattr(spec.type, "name", "")
    if kind == "datetime":
        import pandas

        # since pandas 2 all rows are else taken to be written as the first one is
        form = {"format": "mixed"} if int(pandas.__version__.split(".")[0]) >= 2 else {}
        takes = "points in time, as 2026-01-31T12:00:00Z"
        return takes, lambda column: pandas.to_datetime(column, utc=True, **form).dt.tz_localize(None)
    if kind == "binary":
        return "bytes", lambda column: column.map(lambda one: one if isinstance(one, bytes) else one.encode())
    if kind not in COLUMN_TYPES:
        return "JSON", lambda column: column.map(lambda text: json.loads(text) if text else None)  # it may be absent
    return None


def _first_odd(column, step) -> int:
    """Found by halves: a step costs about as much for one row as for hundreds, and who asks for thousands holds the worker."""
    good, bad = 0, len(column)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            step(column.iloc[good:middle])
            good = middle
        except ODD_TEXTS:
            bad = middle
    return bad


def _tensor_of(spec, unnamed: str):
    return model.tensor(spec.name or unnamed, tensors.datatype_of(np.dtype(spec.type)), spec.shape)


def _outputs(schema):
    specs = schema.inputs
    if not specs:
        return None
    if schema.is_tensor_spec():
        return [_tensor_of(spec, UNNAMED_OUTPUT if len(specs) == 1 else f"output-{at}") for at, spec in enumerate(specs)]
    if len(specs) == 1:
        return [model.tensor(specs[0].name or UNNAMED_OUTPUT, _datatype_of(specs[0]), [-1])]
    return [model.tensor(spec.name or str(at), _datatype_of(spec), [-1]) for at, spec in enumerate(specs)]


def _probed(call, inputs):
    try:
        results = call(model.zero_row(inputs), None)
    except Exception as problem:
        raise ValueError(
            "its MLmodel does not say what it gives, and one row of zeros does not tell: log it with signature= or "
            "input_example="
        ) from problem
    return [model.describe(name, value) for name, value in results.items()]


def _encode_nested(results):
    """Lists and objects in a column leave as text, in JSON, as they came."""
    for name, value in results.items():
        array = model.to_array(value)
        if array.dtype == object and array.size > 0 and isinstance(array.reshape(-1)[0], (dict, list)):
            results[name] = np.array([json.dumps(one) for one in array.reshape(-1)], dtype=object).reshape(array.shape)
    return results
