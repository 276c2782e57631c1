"""A file that MLflow's client sends in parts and reads back; prints by which requests that went."""

import hashlib
import json
import os
import sys
import tempfile

import mlflow
import requests

seen: list[tuple[str, str]] = []
send = requests.Session.send


def record(self, request, **options):
    seen.append((request.method, request.url))
    return send(self, request, **options)


requests.Session.send = record

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "weights.bin")
    content = os.urandom(int(sys.argv[1]))
    with open(path, "wb") as f:
        f.write(content)
    with mlflow.start_run() as run:
        mlflow.log_artifact(path, "models")
    sent = list(seen)
    seen.clear()
    back = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="models/weights.bin", dst_path=os.path.join(folder, "back")
    )
    with open(back, "rb") as f:
        same = hashlib.sha256(f.read()).digest() == hashlib.sha256(content).digest()

print(
    json.dumps(
        {
            "parts": sum(method == "PUT" and "/mpu/parts/" in url for method, url in sent),
            "whole": sum(method == "PUT" and "/artifacts/models" in url for method, url in sent),
            "presigned": sum("/mlflow-artifacts/presigned/" in url for _, url in seen),
            "proxied": sum(url.endswith("/mlflow-artifacts/artifacts/0/" + run.info.run_id + "/artifacts/models/weights.bin") for _, url in seen),
            "from_s3": sum("X-Amz-Signature=" in url for _, url in seen),
            "same": same,
        }
    )
)
