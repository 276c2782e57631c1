import { ProtoReader, wire } from '../grpc/proto-reader.ts';
import { ProtoWriter } from '../grpc/proto-writer.ts';
import type { Span } from './request-trace.ts';
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

const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms * 1_000)) * 1_000n;

/** ExportTraceServiceRequest of https://github.com/open-telemetry/opentelemetry-proto, in protobuf. */
export function encodeProtobuf({ resource, scope, spans, originMs }: SpanBatch): Buffer {
  const request = nested((resourceSpans) => {
    resourceSpans.bytes(
      1,
      nested((one) => {
        for (const attribute of Object.entries(resource)) one.bytes(1, keyValue(attribute));
      }),
    );
    resourceSpans.bytes(
      2,
      nested((scopeSpans) => {
        scopeSpans.bytes(
          1,
          nested((one) => {
            one.text(1, scope.name);
            one.text(2, scope.version);
          }),
        );
        for (const span of spans) scopeSpans.bytes(2, encodeSpan(span, originMs));
      }),
    );
  });
  return nested((writer) => writer.bytes(1, request));
}

function encodeSpan(span: Span, originMs: number): Buffer {
  return nested((writer) => {
    writer.bytes(1, Buffer.from(span.traceId, 'hex'));
    writer.bytes(2, Buffer.from(span.spanId, 'hex'));
    if (span.traceState !== undefined) writer.text(3, span.traceState);
    if (span.parentId !== undefined) writer.bytes(4, Buffer.from(span.parentId, 'hex'));
    writer.text(5, span.name);
    writer.tag(6, wire.varint);
    writer.uint(kinds[span.kind]);
    writer.tag(7, wire.fixed64);
    writer.fixed64(nanoseconds(originMs + span.fromMs));
    writer.tag(8, wire.fixed64);
    writer.fixed64(nanoseconds(originMs + span.toMs));
    for (const attribute of span.attributes) writer.bytes(9, keyValue(attribute));
    for (const { traceId, spanId } of span.links)
      writer.bytes(
        13,
        nested((link) => {
          link.bytes(1, Buffer.from(traceId, 'hex'));
          link.bytes(2, Buffer.from(spanId, 'hex'));
        }),
      );
    if (span.droppedLinks > 0) {
      writer.tag(14, wire.varint);
      writer.uint(span.droppedLinks);
    }
    if (span.failure === undefined) return;
    const { failure } = span;
    writer.bytes(
      15,
      nested((status) => {
        if (failure !== '') status.text(2, failure);
        status.tag(3, wire.varint);
        status.uint(statusError);
      }),
    );
  });
}

function keyValue([key, value]: SpanAttribute): Buffer {
  return nested((pair) => {
    pair.text(1, key);
    pair.bytes(
      2,
      nested((any) => {
        if (typeof value === 'string') return any.text(1, value);
        if (typeof value === 'boolean') {
          any.tag(2, wire.varint);
          return any.uint(value ? 1 : 0);
        }
        if (Number.isSafeInteger(value)) {
          any.tag(3, wire.varint);
          return any.uint64(BigInt(value));
        }
        any.tag(4, wire.fixed64);
        return any.double(value);
      }),
    );
  });
}

function nested(write: (writer: ProtoWriter) => void): Buffer {
  const writer = new ProtoWriter();
  write(writer);
  return writer.finish();
}

/** The same in JSON: ids in hexadecimal, integers of 64 bits as texts. */
export function encodeJson({ resource, scope, spans, originMs }: SpanBatch): Buffer {
  const time = (ms: number): string => String(nanoseconds(originMs + ms));
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
