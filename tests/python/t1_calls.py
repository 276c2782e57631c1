"""Every T1 call through the client that is installed, whatever its version; prints a report as one JSON line.

    python t1_calls.py [area ...]

A check that needs what this version of MLflow has not is listed as skipped. `uncalled` names the methods of the client
that belong to T1 and that no check has called: a new version's new calls are noticed. `sent` is what went over the
wire, `unanswered` what was answered by a status that clients repeat or by "no such endpoint".
"""

import importlib
import json
import sys
import warnings

from t1 import report

AREAS = [
    "workers",  # first: they are forked, before anything has started threads
    "experiments",
    "runs",
    "run_search",
    "artifacts",
    "fluent",
    "logged_models",
    "registry",
    "registry_search",
    "flavors",
    "evaluation",
    "prompts",
    "command_line",
    "access",
]


def main() -> None:
    warnings.filterwarnings("ignore")
    wanted = sys.argv[1:] or AREAS
    report.watch_client()
    report.watch_wire()
    for area in wanted:
        importlib.import_module(f"t1.{area}")
    print(json.dumps(report.run_all()), flush=True)


if __name__ == "__main__":
    main()
