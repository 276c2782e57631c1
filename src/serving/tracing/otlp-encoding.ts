import { ProtoReader, wire } from '../grpc/proto-reader.ts';
import type { Span } from './request-trace.ts';
import { SpanWriter } from './span-writer.ts';
import type { SpanAttribute } from './tracing.ts';

export interface SpanBatch {
  readonly resource: Readonly<Record<string, string>>;
  readonly scope: { readonly name: string; readonly version: string };
  readonly spans: readonly Span[];
  /** What performance.now() is to be added to, in milliseconds since 1970. */
  readonly originMs: number;
}

const kinds = { internal: 1, server: 2 } as const;
const statusError = 2;

/** Makes the encoder of ExportTraceServiceRequest in protobuf; what it gives is good until it is called again. */
export function createProtobufEncoder(): (batch: SpanBatch) => Buffer {
  const writer = new SpanWriter();
  return ({ resource, scope, spans, originMs }) => {
    const resourceSpans = writer.begin(1);
    const described = writer.begin(1);
    for (const [name, value] of Object.entries(resource)) writeAttribute(writer, 1, name, value);
    writer.end(described);
    const scopeSpans = writer.begin(2);
    const named = writer.begin(1);
    writer.text(1, scope.name);
    writer.text(2, scope.version);
    writer.end(named);
    for (const span of spans) writeSpan(writer, span, originMs);
    writer.end(scopeSpans);
    writer.end(resourceSpans);
    return writer.finish();
  };
}

function writeSpan(writer: SpanWriter, span: Span, originMs: number): void {
  const from = writer.begin(2);
  writer.id(1, span.traceId);
  writer.id(2, span.spanId);
  if (span.traceState !== undefined) writer.text(3, span.traceState);
  if (span.parentId !== undefined) writer.id(4, span.parentId);
  writer.text(5, span.name);
  writer.uint(6, kinds[span.kind]);
  writer.nanoseconds(7, microseconds(originMs + span.fromMs));
  writer.nanoseconds(8, microseconds(originMs + span.toMs));
  for (const [name, value] of span.attributes) writeAttribute(writer, 9, name, value);
  for (const { traceId, spanId } of span.links) {
    const link = writer.begin(13);
    writer.id(1, traceId);
    writer.id(2, spanId);
    writer.end(link);
  }
  if (span.droppedLinks > 0) writer.uint(14, span.droppedLinks);
  if (span.failure !== undefined) {
    const status = writer.begin(15);
    if (span.failure !== '') writer.text(2, span.failure);
    writer.uint(3, statusError);
    writer.end(status);
  }
  writer.end(from);
}

function writeAttribute(writer: SpanWriter, field: number, name: string, value: SpanAttribute[1]): void {
  const pair = writer.begin(field);
  writer.text(1, name);
  const any = writer.begin(2);
  if (typeof value === 'string') writer.text(1, value);
  else if (typeof value === 'boolean') writer.uint(2, value ? 1 : 0);
  else if (Number.isSafeInteger(value) && value >= 0) writer.uint(3, value);
  else writer.double(4, value);
  writer.end(any);
  writer.end(pair);
}

const microseconds = (ms: number): number => Math.round(ms * 1_000);

/** The same in JSON: ids in hexadecimal, integers of 64 bits as texts. */
export function encodeJson({ resource, scope, spans, originMs }: SpanBatch): Buffer {
  const time = (ms: number): string => `${microseconds(originMs + ms)}000`;
  const described = spans.map((span) => ({
    traceId: span.traceId,
    spanId: span.spanId,
    traceState: span.traceState,
    parentSpanId: span.parentId,
    name: span.name,
    kind: kinds[span.kind],
    startTimeUnixNano: time(span.fromMs),
    endTimeUnixNano: time(span.toMs),
    attributes: span.attributes.map(jsonAttribute),
    links: span.links,
    droppedLinksCount: span.droppedLinks,
    ...(span.failure !== undefined && { status: { code: statusError, message: span.failure } }),
  }));
  const attributes = Object.entries(resource).map(jsonAttribute);
  return Buffer.from(
    JSON.stringify({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope, spans: described }] }] }),
  );
}

function jsonAttribute([key, value]: SpanAttribute) {
  if (typeof value === 'string') return { key, value: { stringValue: value } };
  if (typeof value === 'boolean') return { key, value: { boolValue: value } };
  return { key, value: Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value } };
}

/** How many spans a collector says that it did not keep, in its answer with 200; 0 when it says nothing. */
export function readRejected(body: Buffer, encoding: 'protobuf' | 'json'): number {
  try {
    return encoding === 'json' ? rejectedInJson(body) : rejectedInProtobuf(body);
  } catch {
    return 0; // it has taken them, whatever else it says
  }
}

function rejectedInJson(body: Buffer): number {
  const { partialSuccess } = JSON.parse(body.toString()) as {
    readonly partialSuccess?: { readonly rejectedSpans?: string | number };
  };
  return Number(partialSuccess?.rejectedSpans ?? 0);
}

function rejectedInProtobuf(body: Buffer): number {
  const reader = new ProtoReader(body);
  let rejected = 0;
  while (reader.more) {
    const tag = reader.tag();
    if (tag !== ((1 << 3) | wire.bytes)) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    while (reader.more) {
      const inner = reader.tag();
      if (inner === ((1 << 3) | wire.varint)) rejected = reader.uint();
      else reader.skip(inner);
    }
    reader.leave(outer);
  }
  return rejected;
}
