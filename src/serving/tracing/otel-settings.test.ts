import { expect, test } from 'vitest';
import { readOtelSettings } from './otel-settings.ts';
import { isTracingAsked, type OtelVariables } from './tracing.ts';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' };

function read(variables: OtelVariables) {
  const problems: string[] = [];
  return { settings: readOtelSettings(variables, (problem) => problems.push(problem)), problems };
}

test('traces are asked for by saying where they go, and by nothing else', () => {
  expect(isTracingAsked({})).toBe(false);
  expect(isTracingAsked({ OTEL_SERVICE_NAME: 'a', OTEL_TRACES_SAMPLER: 'always_on' })).toBe(false);
  expect(isTracingAsked(endpoint)).toBe(true);
  expect(isTracingAsked({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://a/b' })).toBe(true);
  expect(isTracingAsked({ OTEL_TRACES_EXPORTER: 'otlp' })).toBe(true);
  expect(isTracingAsked({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' })).toBe(false);
  expect(isTracingAsked({ ...endpoint, OTEL_SDK_DISABLED: 'true' })).toBe(false);
});

test('the variables have the meaning and the defaults of the specification', () => {
  const { settings, problems } = read(endpoint);
  expect(problems).toEqual([]);
  expect(settings).toMatchObject({
    url: new URL('http://collector:4318/v1/traces'),
    encoding: 'protobuf',
    gzip: false,
    headers: {},
    timeoutMs: 10_000,
    maxQueued: 2_048,
    maxBatch: 512,
    everyMs: 5_000,
    giveUpMs: 30_000,
  });
  expect(read({ OTEL_TRACES_EXPORTER: 'otlp' }).settings?.url.href).toBe('http://localhost:4318/v1/traces');
  const own = {
    ...endpoint,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://other/traces',
    OTEL_EXPORTER_OTLP_HEADERS: 'a=1',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'authorization=Bearer%20x%3D, b = 2',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_TIMEOUT: '7',
  };
  expect(read(own)).toMatchObject({
    problems: [],
    settings: {
      url: new URL('https://other/traces'),
      encoding: 'json',
      headers: { authorization: 'Bearer x=', b: '2' },
      timeoutMs: 7,
    },
  });
});

test('what cannot be read is told and passed over', () => {
  const odd = read({
    ...endpoint,
    OTEL_BSP_MAX_QUEUE_SIZE: '-1',
    OTEL_TRACES_SAMPLER: 'xray',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd',
    OTEL_EXPORTER_OTLP_HEADERS: 'nothing,a=%',
  });
  expect(odd.settings).toMatchObject({ maxQueued: 2_048, gzip: false, headers: {} });
  for (const says of [
    'OTEL_BSP_MAX_QUEUE_SIZE is "-1"; it takes a whole number above 0: 2048 stands',
    'OTEL_EXPORTER_OTLP_COMPRESSION is "zstd"',
    '"nothing" without a value',
    '"a" without a value',
    'OTEL_TRACES_SAMPLER is "xray"',
  ])
    expect(odd.problems).toContainEqual(expect.stringContaining(says));
  expect(odd.problems).toHaveLength(5);
  for (const [variables, says] of [
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, 'no address'],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'http/protobuf or http/json'],
  ] as const)
    expect(read(variables)).toEqual({ settings: undefined, problems: [expect.stringContaining(says)] });
});

test('samplers follow the caller or not, and a share is the same for all who see the trace', () => {
  const low = '4bf92f3577b34da6a3c0000000000001';
  const high = '4bf92f3577b34da6a3cfffffffffffff';
  const decide = (name: string | undefined, argument?: string) => {
    const { settings } = read({ ...endpoint, OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument });
    return [
      settings?.sample(true, low),
      settings?.sample(false, high),
      settings?.sample(undefined, low),
      settings?.sample(undefined, high),
    ];
  };
  expect(decide(undefined)).toEqual([true, false, true, true]);
  expect(decide('always_on')).toEqual([true, true, true, true]);
  expect(decide('always_off')).toEqual([false, false, false, false]);
  expect(decide('traceidratio', '0.5')).toEqual([false, true, false, true]);
  expect(decide('traceidratio', '0')).toEqual([false, false, false, false]);
  expect(decide('parentbased_always_off')).toEqual([true, false, false, false]);
  expect(decide('parentbased_traceidratio', '0.5')).toEqual([true, false, false, true]);
  expect(decide('parentbased_traceidratio', '7')).toEqual([true, false, true, true]);
});
