"""Checks by name, each on things of its own: what fails stops no other."""

import functools
import re
import sys
import time
import traceback
import urllib.parse
from collections.abc import Callable

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

_checks: list[tuple[str, str | None, Callable[[], None]]] = []
_called: set[str] = set()
_sent: set[str] = set()
_unanswered: set[str] = set()

VERSION = tuple(int(part) for part in mlflow.__version__.split(".")[:2])

#: Methods of MlflowClient that are not T1, by how their names begin or what they hold.
_elsewhere = ("trace", "span", "assessment", "dataset", "webhook", "mcp_", "workspace")
#: What fails in the client, before it sends anything.
_broken = {"delete_prompt_version_tag"} if VERSION == (3, 1) else set()
_local = {"tracking_uri", "parse_prompt_uri", "get_model_version_stages", "log_stream"}


def check(needs: str | None = None, since: tuple[int, int] | None = None):
    """Registers a check. `needs`: a method of the client that it is about; `since`: the first version that has it."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        area = function.__module__.rsplit(".", 1)[-1]
        missing = None
        if needs is not None and not hasattr(MlflowClient, needs):
            missing = f"no MlflowClient.{needs}"
        elif since is not None and VERSION < since:
            missing = f"since {since[0]}.{since[1]}"
        _checks.append((f"{area}: {function.__name__.replace('_', ' ')}", missing, function))
        return function

    return register


def watch_wire() -> None:
    """Notes what this process sends, and what no server is there for or a client would repeat."""
    original = requests.Session.send

    def noted(session, request, **options):
        response = original(session, request, **options)
        path = urllib.parse.urlsplit(request.url).path
        if "/mlflow" in path:
            call = f"{request.method} {_general(path)}"
            _sent.add(call)
            repeated = response.status_code >= 500 and response.status_code != 501  # on 501 it does without
            if repeated or "ENDPOINT_NOT_FOUND" in _start_of(response, options):
                _unanswered.add(f"{call} {response.status_code}")
        return response

    requests.Session.send = noted


def _start_of(response, options: dict) -> str:
    return "" if options.get("stream") or response.status_code != 404 else response.text


def _general(path: str) -> str:
    """The path without what is one thing's alone."""
    path = path[path.index("/api/") :] if "/api/" in path else path
    path = re.sub(r"(/mlflow-artifacts/(?:artifacts|mpu/(?:create|complete|abort)|presigned))/.+", r"\1/*", path)
    path = re.sub(r"(/mlflow-artifacts/mpu/parts)/.+", r"\1/*/*", path)
    return re.sub(r"/(?:m-)?[0-9a-f]{32}(?=/|$)", "/{id}", path)


def watch_client() -> None:
    """Notes which methods of MlflowClient are called by whom ever, the fluent functions included."""
    for name in _methods():
        original = getattr(MlflowClient, name)

        @functools.wraps(original)
        def noted(*args, _name=name, _original=original, **kwargs):
            _called.add(_name)
            return _original(*args, **kwargs)

        setattr(MlflowClient, name, noted)


def _methods() -> list[str]:
    return [
        name
        for name in dir(MlflowClient)
        if not name.startswith("_")
        and name not in _local | _broken
        and not any(word in name for word in _elsewhere)
        and callable(getattr(MlflowClient, name))
    ]


def run_all() -> dict:
    passed, skipped, failed, seconds = [], {}, {}, {}
    for name, missing, function in _checks:
        if missing is not None:
            skipped[name] = missing
            continue
        began = time.monotonic()
        try:
            function()
            passed.append(name)
        except Exception:  # a report names every failure
            failed[name] = traceback.format_exc(limit=-4)
            print(f"{name}\n{failed[name]}", file=sys.stderr)
        finally:
            while mlflow.active_run() is not None:
                mlflow.end_run()
        seconds[name] = round(time.monotonic() - began, 2)
    return {
        "mlflow": mlflow.__version__,
        "passed": passed,
        "skipped": skipped,
        "failed": failed,
        "uncalled": sorted(set(_methods()) - _called),
        "sent": sorted(_sent),
        "unanswered": sorted(_unanswered),
        "slowest": sorted(seconds.items(), key=lambda item: -item[1])[:8],
    }


def code_of(call: Callable[[], object]) -> str:
    """The error code that a call is refused with."""
    try:
        call()
    except MlflowException as error:
        return error.error_code
    return "ACCEPTED"


def same(found, wanted) -> None:
    """An assertion that says both sides."""
    if found != wanted:
        raise AssertionError(f"found {found!r}\nwanted {wanted!r}")


_count = 0


def fresh(name: str) -> str:
    """A name that no other check uses."""
    global _count
    _count += 1
    return f"{name}-{_count}"


def experiment(name: str = "experiment") -> str:
    """The id of a new experiment."""
    return MlflowClient().create_experiment(fresh(name))


def pages(search: Callable[[str | None], list]) -> list[list]:
    """All pages of a search, by its tokens."""
    found, token = [], None
    while True:
        page = search(token)
        found.append(list(page))
        token = page.token
        if not token:
            return found
