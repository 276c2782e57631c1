"""What every flavour makes: a signature, and a function from tensors to results."""

import re

import numpy as np

from . import tensors


class Model:
    """`call(inputs, wanted)` takes arrays by name and gives results by name: arrays, lists, or columns of a table. With
    `takes_parameters` it is also given the parameters of the request, or None."""

    def __init__(self, signature: dict, call, about: str, takes_parameters: bool = False) -> None:
        self.signature = signature
        self.about = about
        self.takes_parameters = takes_parameters
        self._call = call
        self._datatypes = {one["name"]: one["datatype"] for one in signature["outputs"]}

    def answer(self, number: int, header: bytes, body) -> bytes:
        """The frame that answers a request."""
        inputs, wanted, parameters = tensors.decode(header, body)
        results = self._call(inputs, wanted, parameters) if self.takes_parameters else self._call(inputs, wanted)
        return tensors.encode(number, results, wanted, self.output_of)

    def output_of(self, name: str, results: dict):
        """(datatype, array) of a result as the signature declares it."""
        datatype = self._datatypes.get(name)
        if datatype is None or name not in results:
            raise ValueError(f'the model gave no output "{name}", it gave {", ".join(map(str, results)) or "none"}')
        array = to_array(results[name])
        if datatype == "BYTES":
            return datatype, array if array.dtype == object else array.astype(object)
        wanted = tensors.MODEL_DTYPES[datatype]
        if array.dtype != wanted:
            array = cast(name, array, wanted, datatype)
        return datatype, array


def to_array(value) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach"):  # a tensor of PyTorch
        value = value.detach().cpu()
        # numpy has no such dtype, and float32 holds each of its numbers
        return (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    if hasattr(value, "toarray"):  # a sparse matrix
        return value.toarray()
    if hasattr(value, "to_numpy"):  # a column of pandas
        return value.to_numpy()
    return np.asarray(value)


def cast(name: str, array: np.ndarray, wanted: np.dtype, datatype: str) -> np.ndarray:
    """Another width of the same kind of number; what would lose its meaning is refused."""
    if array.dtype == object or not np.can_cast(array.dtype, wanted, "same_kind"):
        raise ValueError(f'output "{name}" is {datatype} in the signature, and the model gave values of numpy\'s {array.dtype}')
    narrowed = array.astype(wanted)
    if wanted.kind in "iu" and not np.array_equal(narrowed, array):
        raise ValueError(f'output "{name}" is {datatype} in the signature, and the model gave a value that it cannot hold')
    return narrowed


def tensor(name: str, datatype: str, shape) -> dict:
    return {"name": name, "datatype": datatype, "shape": [int(one) for one in shape]}


#: What LightGBM calls the columns of a matrix that had no names.
UNNAMED_COLUMN = re.compile(r"Column_\d+")


def with_columns(inputs: list, names) -> list:
    """The only input, a matrix, with the names of the columns that the model was fitted on, where it keeps them."""
    names = list(names) if names is not None else []
    shape = inputs[0]["shape"]
    if len(inputs) != 1 or "columns" in inputs[0] or len(shape) != 2 or shape[1] != len(names) or len(names) < 2:
        return inputs
    if not all(isinstance(name, str) for name in names) or all(UNNAMED_COLUMN.fullmatch(name) for name in names):
        return inputs
    return [{**inputs[0], "columns": [str(name) for name in names]}]


def describe(name: str, value) -> dict:
    """The signature of an output, from a result for one row."""
    array = to_array(value)
    return tensor(name, tensors.datatype_of(array.dtype), [-1, *array.shape[1:]] if array.ndim else [])


def zero_row(inputs: list) -> dict:
    """One row of zeros and empty texts, to see what a model gives."""
    row = {}
    for one in inputs:
        shape = [1 if dimension < 0 else dimension for dimension in one["shape"]]
        if one["datatype"] == "BYTES":
            row[one["name"]] = np.full(shape, "", dtype=object)
        else:
            row[one["name"]] = np.zeros(shape, dtype=tensors.MODEL_DTYPES[one["datatype"]])
    return row


def to_results(value, names: list) -> dict:
    """Results by name, of whatever a model gave: a table, a dict, several arrays, or one."""
    if isinstance(value, dict):
        return value
    if hasattr(value, "columns") and hasattr(value, "iloc"):  # a table of pandas
        if len(names) == 1 and names[0] not in value.columns:
            return {names[0]: value.to_numpy()}
        return {str(column): value[column] for column in value.columns}
    if isinstance(value, (tuple, list)) and len(names) > 1 and len(value) == len(names):
        return dict(zip(names, value))
    return {names[0]: value}


class Table:
    """Builds a data frame of inputs that hold one column each; one block when all are of one type, which is much faster."""

    def __init__(self, inputs: list, columns: list | None = None) -> None:
        import pandas

        self._frame = pandas.DataFrame
        self._names = [one["name"] for one in inputs]
        self._columns = pandas.Index(columns or self._names)
        datatypes = {one["datatype"] for one in inputs}
        self._together = len(datatypes) == 1 and datatypes != {"BYTES"}

    def __call__(self, inputs: dict):
        arrays = [inputs[name].reshape(-1) for name in self._names]
        if self._together:
            return self._frame(np.column_stack(arrays), columns=self._columns, copy=False)
        return self._frame(dict(zip(self._columns, arrays)))
