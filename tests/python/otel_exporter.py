"""Any program that exports by OpenTelemetry's own exporter, without MLflow; prints the id of its trace."""

import json
import os

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode


def main() -> None:
    url = os.environ["OTLP_URL"]
    results = []

    class Recording(OTLPSpanExporter):
        def export(self, spans):  # what the SDK itself would only log
            results.append(super().export(spans))
            return results[-1]

    ids = []
    for compression in (Compression.NoCompression, Compression.Gzip, Compression.Deflate):
        exporter = Recording(
            endpoint=f"{url}/v1/traces", headers={"x-mlflow-experiment-id": "0"}, compression=compression
        )
        provider = TracerProvider(resource=Resource.create({"service.name": "shop", "deployment": "blue"}))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        tracer = provider.get_tracer("shop")
        with tracer.start_as_current_span(
            "checkout", kind=SpanKind.SERVER, attributes={"session.id": "s-9", "user.id": "u-9", "input.value": "3 apples"}
        ) as root:
            with tracer.start_as_current_span(
                "chat gpt-4",
                attributes={
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "gpt-4",
                    "gen_ai.usage.input_tokens": 7,
                    "gen_ai.usage.output_tokens": 3,
                    "ratio": 0.5,
                    "words": ["a", "b"],
                    "large": 2**62,
                },
                links=[Link(root.get_span_context(), {"why": "because"})],
            ) as span:
                span.add_event("retried", {"times": 2})
                span.set_status(Status(StatusCode.ERROR, "too slow"))
        ids.append(f"tr-{root.get_span_context().trace_id:032x}")
        provider.shutdown()

    refused = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
    provider = TracerProvider()
    captured = []
    provider.add_span_processor(type("Capture", (BatchSpanProcessor,), {"on_end": lambda _self, one: captured.append(one)})(refused))
    provider.get_tracer("shop").start_span("nowhere").end()
    without = refused.export(captured)
    print(
        json.dumps(
            {
                "ids": ids,
                "results": [one == SpanExportResult.SUCCESS for one in results],
                "without header": without == SpanExportResult.FAILURE,
                "json": requests.post(
                    f"{url}/v1/traces", json={"resourceSpans": []}, headers={"x-mlflow-experiment-id": "0"}
                ).json(),
            }
        )
    )


main()
