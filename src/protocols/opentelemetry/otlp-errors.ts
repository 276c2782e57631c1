import { defineErrors } from '#platform/errors';

export const otlpErrors = defineErrors({
  OTLP_MALFORMED: { kind: 'invalid', message: (why: string) => `Invalid OpenTelemetry format: ${why}` },
  OTLP_EXPERIMENT_MISSING: {
    kind: 'invalid',
    message: () =>
      'The header x-mlflow-experiment-id is missing: it says which experiment the traces belong to, "0" is the default one. Exporters take it from OTEL_EXPORTER_OTLP_TRACES_HEADERS=x-mlflow-experiment-id=0',
  },
  OTLP_TOO_LARGE: {
    kind: 'too_large',
    message: (limit: number, unit: 'bytes' | 'parts') =>
      `The spans are more than ${limit} ${unit} when decompressed; send fewer at a time`,
  },
});
export const malformed = otlpErrors.OTLP_MALFORMED;
