"""A short way through scikit-learn's checks of its input, for what is plainly in order.

Every `predict` of scikit-learn asks anew what it was given: which of the libraries that know tables it comes from, whether
it is sparse, whether the estimator is fitted and what kind it is. For one row that takes four times as long as a boosting of
a hundred trees. Here it is a matrix of numbers, or a table that is one, whose shape and datatype the data plane has checked.
When it is as wide as the estimator knows it, and finite, it is converted as scikit-learn would and handed on. Whatever else
comes goes to scikit-learn's own check, which takes it, or refuses it in its own words: no answer and no message differs.
"""

import functools
import inspect
import math
import sys
import weakref

import numpy as np

KINDS = "fiub"
NO_VALUE = "no_validation"

_installed = False


def install() -> bool:
    """Puts the short way before the checks of the scikit-learn that is imported. False when there is none, or one that
    takes other parameters than those known here."""
    global _installed
    validation = sys.modules.get("sklearn.utils.validation")
    if _installed or validation is None:
        return _installed
    known = inspect.signature(quick_matrix).parameters
    if not set(known).issuperset(inspect.signature(validation.check_array).parameters):
        return False
    short_ways = {
        "check_array": _check_array_before,
        "check_is_fitted": _check_is_fitted_before,
        "get_tags": _get_tags_before,
        "validate_data": _validate_data_before,
    }
    for name, short_way in short_ways.items():
        if hasattr(validation, name):
            _replace(getattr(validation, name), short_way(getattr(validation, name)))
    base = sys.modules["sklearn.base"].BaseEstimator
    if not hasattr(validation, "validate_data") and hasattr(base, "_validate_data"):  # up to 1.5 it is a method
        base._validate_data = _validate_data_before(base._validate_data)
    _installed = True
    return True


def quick_matrix(
    array,
    accept_sparse=False,
    *,
    accept_large_sparse=True,
    dtype="numeric",
    order=None,
    copy=False,
    force_writeable=False,
    ensure_all_finite=True,
    force_all_finite=True,
    ensure_non_negative=False,
    ensure_2d=True,
    allow_nd=False,
    ensure_min_samples=1,
    ensure_min_features=1,
    estimator=None,
    input_name="",
):
    """What `check_array` makes of a plain matrix of finite numbers; None when it is to look itself."""
    matrix = array if type(array) is np.ndarray else _matrix_of(array)
    if matrix is None or matrix.ndim != 2 or matrix.dtype.kind not in KINDS or ensure_non_negative:
        return None
    rows, columns = matrix.shape
    if rows < ensure_min_samples or columns < ensure_min_features:
        return None
    if isinstance(dtype, (list, tuple)):
        dtype = None if matrix.dtype in dtype else dtype[0]
    wanted = None if dtype is None or dtype == "numeric" else np.dtype(dtype)
    if wanted is not None and wanted.kind != "f":
        return None
    checked = np.asarray(matrix, wanted, order)
    if copy and np.may_share_memory(checked, matrix):
        checked = np.array(checked, wanted, order=order)
    if force_writeable and not checked.flags.writeable:
        return None
    if ensure_all_finite and force_all_finite and checked.dtype.kind == "f":
        with np.errstate(over="ignore"):
            is_finite = math.isfinite(np.add.reduce(checked, axis=None))
        takes_nan = "allow-nan" in (ensure_all_finite, force_all_finite)
        if not is_finite and not (takes_nan and not np.isinf(checked).any()):
            return None
    return checked


def _matrix_of(table):
    """The one block of numbers that a table of pandas consists of; None when it is something else."""
    try:
        (block,) = table._mgr.blocks
        return np.asarray(table) if type(block.values) is np.ndarray and block.ndim == 2 else None
    except (AttributeError, TypeError, ValueError):
        return None


def _check_array_before(check_array):
    @functools.wraps(check_array)
    def quick_check_array(array, *args, **params):
        checked = quick_matrix(array, *args, **params)
        return check_array(array, *args, **params) if checked is None else checked

    return quick_check_array


def _validate_data_before(validate_data):
    @functools.wraps(validate_data)
    def quick_validate_data(_estimator, /, X=NO_VALUE, y=NO_VALUE, reset=True, validate_separately=False, *args, **params):
        is_plain = not (reset or validate_separately or args or "skip_check_array" in params or "cast_to_ndarray" in params)
        if is_plain and type(y) is str and y == NO_VALUE and _has_columns_of(X, _estimator):
            checked = quick_matrix(X, **params)
            if checked is not None:
                return checked
        return validate_data(_estimator, X, y, reset, validate_separately, *args, **params)

    return quick_validate_data


def _has_columns_of(given, estimator) -> bool:
    """Whether it is as wide as what the estimator was fitted on, and a table's columns have the same names."""
    shape = getattr(given, "shape", None)
    if shape is None or len(shape) != 2 or getattr(estimator, "n_features_in_", None) != shape[1]:
        return False
    if type(given) is np.ndarray:
        return True
    names = getattr(estimator, "feature_names_in_", None)
    columns = getattr(given, "columns", None)
    return names is not None and columns is not None and _are_named(columns, names)


class _PerObject:
    """What is known of an object, for as long as it lives."""

    def __init__(self) -> None:
        self._known: dict = {}

    def find(self, of):
        known = self._known.get(id(of))
        return known[1] if known is not None and known[0]() is of else None

    def keep(self, of, value) -> None:
        key = id(of)
        try:
            self._known[key] = (weakref.ref(of, lambda _: self._known.pop(key, None)), value)
        except TypeError:
            pass  # it is of a class that allows no such references


#: Of the names that an estimator was fitted with, the columns that were found to have them.
_named = _PerObject()


def _are_named(columns, names) -> bool:
    known = _named.find(names)
    if known is not None and known.is_(columns):
        return True
    if len(columns) != len(names) or not all(type(one) is str and one == name for one, name in zip(columns, names)):
        return False
    _named.keep(names, columns)
    return True


def _check_is_fitted_before(check_is_fitted):
    fitted = _PerObject()

    @functools.wraps(check_is_fitted)
    def quick_check_is_fitted(estimator, attributes=None, *args, **params):
        """What was fitted once stays so."""
        is_plain = attributes is None and not args and not params
        if is_plain and fitted.find(estimator):
            return
        check_is_fitted(estimator, attributes, *args, **params)
        if is_plain:
            fitted.keep(estimator, True)

    return quick_check_is_fitted


def _get_tags_before(get_tags):
    tagged = _PerObject()

    @functools.wraps(get_tags)
    def quick_get_tags(estimator):
        """They depend on its class and its parameters, which do not change while it serves."""
        tags = tagged.find(estimator)
        if tags is None:
            tags = get_tags(estimator)
            tagged.keep(estimator, tags)
        return tags

    return quick_get_tags


def _replace(before, after) -> None:
    """Modules of scikit-learn hold the functions of others under names of their own."""
    for name, module in list(sys.modules.items()):
        if module is not None and name.partition(".")[0] == "sklearn":
            for attribute, value in list(vars(module).items()):
                if value is before:
                    setattr(module, attribute, after)
