import {
  type ResourceSpans,
  type Span,
  type SpanAttribute,
  type SpanValue,
  toDouble,
  toInteger,
} from '#modules/traces';
import { malformed } from './otlp-errors.ts';
import { maxDepth, type OtlpTraces, SpanCollector, statusCodes } from './otlp-spans.ts';
import { ProtobufReader } from './protobuf-reader.ts';

/*
 * `ExportTraceServiceRequest` of the OpenTelemetry protocol (opentelemetry-proto 1.x, collector/trace/v1), read straight
 * into spans. The numbers are those of the fields in its .proto files.
 */
type Each = (field: number, reader: ProtobufReader) => boolean;

/** Calls `each` for every field; what it does not know is passed over. */
function read(reader: ProtobufReader, each: Each): void {
  for (let field = reader.field(); field !== undefined; field = reader.field()) if (!each(field, reader)) reader.skip();
}

function readValue(reader: ProtobufReader, depth: number): SpanValue {
  if (depth > maxDepth) throw malformed(`values are nested more than ${maxDepth} deep`);
  let value: SpanValue = null;
  read(reader, (field) => {
    if (field === 1) value = reader.text();
    else if (field === 2) value = reader.unsigned() !== 0n;
    else if (field === 3) value = toInteger(reader.signed());
    else if (field === 4) value = toDouble(reader.double());
    else if (field === 5) value = readList(reader.message(), depth + 1);
    else if (field === 6) value = { m: readAttributes(reader.message(), 1, depth + 1) };
    else if (field === 7) value = { x: reader.bytes('base64') };
    else return false;
    return true;
  });
  return value;
}

function readList(reader: ProtobufReader, depth: number): readonly SpanValue[] {
  const values: SpanValue[] = [];
  read(reader, (field) => {
    if (field !== 1) return false;
    values.push(readValue(reader.message(), depth));
    return true;
  });
  return values;
}

function readAttribute(reader: ProtobufReader, depth: number): SpanAttribute {
  let key = '';
  let value: SpanValue = null;
  read(reader, (field) => {
    if (field === 1) key = reader.text();
    else if (field === 2) value = readValue(reader.message(), depth);
    else return false;
    return true;
  });
  return [key, value];
}

/** The attributes of a message that holds nothing else we know: a resource, a map. */
function readAttributes(reader: ProtobufReader, number: number, depth: number): readonly SpanAttribute[] {
  const attributes: SpanAttribute[] = [];
  read(reader, (field) => {
    if (field !== number) return false;
    attributes.push(readAttribute(reader.message(), depth));
    return true;
  });
  return attributes;
}

function readEvent(reader: ProtobufReader): Span['events'][number] {
  let [name, timeNs] = ['', 0n];
  const attributes: SpanAttribute[] = [];
  read(reader, (field) => {
    if (field === 1) timeNs = reader.fixed64();
    else if (field === 2) name = reader.text();
    else if (field === 3) attributes.push(readAttribute(reader.message(), 0));
    else return false;
    return true;
  });
  return { name, timeNs, attributes };
}

function readLink(reader: ProtobufReader): Span['links'][number] {
  let [traceId, spanId] = ['', ''];
  const attributes: SpanAttribute[] = [];
  read(reader, (field) => {
    if (field === 1) traceId = reader.bytes('hex');
    else if (field === 2) spanId = reader.bytes('hex');
    else if (field === 4) attributes.push(readAttribute(reader.message(), 0));
    else return false;
    return true;
  });
  return { traceId, spanId, attributes };
}

function readStatus(reader: ProtobufReader): Span['status'] {
  let [message, code] = ['', 0];
  read(reader, (field) => {
    if (field === 2) message = reader.text();
    else if (field === 3) code = reader.small();
    else return false;
    return true;
  });
  return { message, code: statusCodes[code] ?? 'UNSET' };
}

function readSpan(reader: ProtobufReader): Span {
  const attributes: SpanAttribute[] = [];
  const events: Span['events'][number][] = [];
  const links: Span['links'][number][] = [];
  let [traceId, spanId, parent, name, traceState] = ['', '', '', '', ''];
  let [startNs, endNs, kind] = [0n, 0n, 0];
  let status: Span['status'] = { code: 'UNSET', message: '' };
  read(reader, (field) => {
    if (field === 1) traceId = reader.bytes('hex');
    else if (field === 2) spanId = reader.bytes('hex');
    else if (field === 3) traceState = reader.text();
    else if (field === 4) parent = reader.bytes('hex');
    else if (field === 5) name = reader.text();
    else if (field === 6) kind = reader.small();
    else if (field === 7) startNs = reader.fixed64();
    else if (field === 8) endNs = reader.fixed64();
    else if (field === 9) attributes.push(readAttribute(reader.message(), 0));
    else if (field === 11) events.push(readEvent(reader.message()));
    else if (field === 13) links.push(readLink(reader.message()));
    else if (field === 15) status = readStatus(reader.message());
    else return false;
    return true;
  });
  const parentSpanId = parent === '' ? undefined : parent;
  return { traceId, spanId, parentSpanId, name, kind, startNs, endNs, attributes, events, links, status, traceState };
}

/** OTLP_MALFORMED for bytes that are no such message; spans without sound ids are counted, not kept. */
export function decodeProtobuf(body: Buffer): OtlpTraces {
  const groups: ResourceSpans[] = [];
  const collector = new SpanCollector();
  read(new ProtobufReader(body), (field, request) => {
    if (field !== 1) return false;
    let resource: readonly SpanAttribute[] = [];
    const spans: Span[] = [];
    const group = request.message();
    read(group, (part) => {
      if (part === 1) resource = readAttributes(group.message(), 1, 0);
      else if (part === 2) {
        const scope = group.message();
        read(scope, (inner) => {
          if (inner !== 2) return false;
          collector.add(spans, readSpan(scope.message()));
          return true;
        });
      } else return false;
      return true;
    });
    groups.push({ resource, spans });
    return true;
  });
  return collector.done(groups);
}
