"""`python -I -B <this folder>`: a model worker, with a socket as descriptor 3 (docs/model-worker-protocol.md)."""

import sys

from tidemill_worker import serve

sys.path.pop(0)  # a model's own modules are found by their names, whatever lies here
serve.main()
