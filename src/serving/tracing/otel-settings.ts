import type { OtelVariables } from './tracing.ts';

/** Whether a request is traced; `parent` says what its caller does, undefined when it names no trace. */
export type Sampler = (parentSampled: boolean | undefined, traceId: string) => boolean;

export interface TracingSettings {
  readonly url: URL;
  readonly encoding: 'protobuf' | 'json';
  readonly gzip: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** Of one attempt to send. */
  readonly timeoutMs: number;
  readonly sample: Sampler;
  readonly resource: Readonly<Record<string, string>>;
  /** Of the queue: spans. */
  readonly maxQueued: number;
  readonly maxBatch: number;
  readonly everyMs: number;
  /** Of one batch with all its attempts. */
  readonly giveUpMs: number;
}

/**
 * Reads OpenTelemetry's variables: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/. They may be set for all programs of a machine, so one that
 * cannot be read is told and passed over, as the specification has it, and is no reason not to serve. Undefined when
 * there is no way to send spans.
 */
export function readOtelSettings(
  variables: OtelVariables,
  tell: (problem: string) => void,
): TracingSettings | undefined {
  const text = (...names: readonly string[]): string | undefined =>
    names.map((name) => variables[name]?.trim()).find((value) => value !== undefined && value !== '');
  const number = (fallback: number, ...names: readonly string[]): number => {
    const given = text(...names);
    if (given === undefined) return fallback;
    const value = Number(given);
    if (/^\d{1,9}$/.test(given) && value > 0) return value;
    tell(`${names.at(-1)} is "${given}"; it takes a whole number above 0: ${fallback} stands`);
    return fallback;
  };

  const url = readUrl(text, tell);
  const encoding = readEncoding(text(...ofTraces('PROTOCOL')), tell);
  if (url === undefined || encoding === undefined) return undefined;
  const compression = text(...ofTraces('COMPRESSION')) ?? 'none';
  if (compression !== 'gzip' && compression !== 'none')
    tell(`OTEL_EXPORTER_OTLP_COMPRESSION is "${compression}"; it takes gzip or none: spans are sent as they are`);
  const maxQueued = number(2_048, 'OTEL_BSP_MAX_QUEUE_SIZE');
  return {
    url,
    encoding,
    gzip: compression === 'gzip',
    headers: readPairs(text(...ofTraces('HEADERS')), 'OTEL_EXPORTER_OTLP_HEADERS', tell),
    timeoutMs: number(10_000, ...ofTraces('TIMEOUT')),
    sample: readSampler(text('OTEL_TRACES_SAMPLER'), text('OTEL_TRACES_SAMPLER_ARG'), tell),
    resource: {
      ...readPairs(text('OTEL_RESOURCE_ATTRIBUTES'), 'OTEL_RESOURCE_ATTRIBUTES', tell),
      ...(text('OTEL_SERVICE_NAME') !== undefined && { 'service.name': text('OTEL_SERVICE_NAME') ?? '' }),
    },
    maxQueued,
    maxBatch: Math.min(maxQueued, number(512, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE')),
    everyMs: number(5_000, 'OTEL_BSP_SCHEDULE_DELAY'),
    giveUpMs: number(30_000, 'OTEL_BSP_EXPORT_TIMEOUT'),
  };
}

/** What holds for traces alone stands before what holds for all signals. */
const ofTraces = (what: string): readonly string[] => [
  `OTEL_EXPORTER_OTLP_TRACES_${what}`,
  `OTEL_EXPORTER_OTLP_${what}`,
];

type Text = (...names: readonly string[]) => string | undefined;

function readUrl(text: Text, tell: (problem: string) => void): URL | undefined {
  const own = text('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  const base = text('OTEL_EXPORTER_OTLP_ENDPOINT') ?? 'http://localhost:4318';
  const given = own ?? `${base.replace(/\/+$/, '')}/v1/traces`;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  tell(`"${given}" is no address to send spans to; it takes http://… or https://…: there are none`);
  return undefined;
}

function readEncoding(
  protocol: string | undefined,
  tell: (problem: string) => void,
): TracingSettings['encoding'] | undefined {
  if (protocol === undefined || protocol === 'http/protobuf') return 'protobuf';
  if (protocol === 'http/json') return 'json';
  tell(
    `OTEL_EXPORTER_OTLP_PROTOCOL is "${protocol}"; spans are sent by http/protobuf or http/json, which collectors take at port 4318: there are none`,
  );
  return undefined;
}

/** `a=b,c=d`, values percent-encoded. */
function readPairs(
  given: string | undefined,
  name: string,
  tell: (problem: string) => void,
): Readonly<Record<string, string>> {
  const pairs: Record<string, string> = {};
  for (const part of given?.split(',') ?? []) {
    const [key = '', ...rest] = part.split('=');
    const value = decode(rest.join('=').trim());
    if (key.trim() !== '' && rest.length > 0 && value !== undefined) pairs[key.trim()] = value;
    else if (part.trim() !== '') tell(`${name} has "${key.trim()}" without a value; it takes key=value,key=value`);
  }
  return pairs;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const samplers = ['always_on', 'always_off', 'traceidratio'] as const;
const parentbased = 'parentbased_';

function readSampler(name: string | undefined, argument: string | undefined, tell: (problem: string) => void): Sampler {
  const follows = name === undefined || name.startsWith(parentbased);
  const own = name === undefined ? 'always_on' : follows ? name.slice(parentbased.length) : name;
  const kind = samplers.find((one) => one === own);
  if (kind === undefined)
    tell(
      `OTEL_TRACES_SAMPLER is "${name}"; it takes ${samplers.join(', ')} and parentbased_… of each: all requests are traced whose callers are`,
    );
  const begin = rootSampler(kind ?? 'always_on', argument, tell);
  return follows || kind === undefined
    ? (parentSampled, traceId) => parentSampled ?? begin(traceId)
    : (_, id) => begin(id);
}

function rootSampler(
  kind: (typeof samplers)[number],
  argument: string | undefined,
  tell: (problem: string) => void,
): (traceId: string) => boolean {
  if (kind !== 'traceidratio') return () => kind === 'always_on';
  let ratio = Number(argument ?? 1);
  if (!(ratio >= 0 && ratio <= 1)) {
    tell(`OTEL_TRACES_SAMPLER_ARG is "${argument}"; it takes a share from 0 to 1: 1 stands`);
    ratio = 1;
  }
  // By the last 52 random bits of the id, so that all who sample by it agree on a trace; greater ones are kept first.
  const threshold = (1 - ratio) * 2 ** 52;
  return (traceId) => Number.parseInt(traceId.slice(-13), 16) >= threshold && ratio > 0;
}
