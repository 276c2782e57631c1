import { expect, test } from 'vitest';
import { families } from './metric-families.ts';
import { aGraph, splitGraph } from './testing/graph-in-test.ts';
import { aControlPlane, aPlane, flush, ready, revisions } from './testing/plane-in-test.ts';
import { aSpanCollector } from './testing/span-collector.ts';
import { aHome, anEndpoint, buildTimeoutMs, columnsBody, post } from './testing/test-plane.ts';

const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.e+-]+|NaN|[+-]Inf)$/;

test(
  'every family is there with its help, its kind and its labels, and no name that a caller makes up',
  async () => {
    const [control, collector] = [await aControlPlane(), await aSpanCollector()];
    const [r1, r2] = revisions(control);
    control.publish({
      endpoints: [
        anEndpoint([r1, r2], {
          cache: { maxBytes: 10_000 },
          limits: { rate: { perSecond: 1_000 } },
          shadows: [{ revision: 'r2' }],
        }),
        anEndpoint([aGraph(control, 'g1', splitGraph)], { name: 'graph' }),
      ],
    });
    const otel = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' };
    const plane = await aPlane(control, aHome(), { otel });
    await ready(control, 1);
    const made = 'made-up';
    for (const [path, body] of [
      ['m', columnsBody(1)],
      ['m', columnsBody(1)],
      ['m', { inputs: [] }],
      [`m/versions/${made}`, columnsBody(1)],
      [made, columnsBody(1)],
      ['graph', { inputs: [{ name: 'index', datatype: 'INT64', shape: [2], data: [1, 2] }] }],
    ] as const)
      await post(`${plane.url}/v2/models/${path}/infer`, body);
    await flush(control, 1); // the shadow is done
    const text = await (await fetch(`${plane.url}/metrics`)).text();
    expect(text).not.toContain(made);

    const seen = new Map<string, Set<string>>();
    for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
      const [, name = '', labels = ''] = sample.exec(line) ?? [];
      expect([line, name]).not.toEqual([line, '']);
      const names = [...labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)]
        .map(([, label]) => label)
        .filter((l) => l !== 'le');
      const family = families[name] === undefined ? name.replace(/_(?:bucket|sum|count)$/, '') : name;
      expect([line, names]).toEqual([line, families[family]?.labels]);
      seen.set(family, (seen.get(family) ?? new Set()).add(name));
    }
    expect([...seen.keys()].toSorted()).toEqual(Object.keys(families).toSorted());
    for (const [name, { kind, help }] of Object.entries(families)) {
      expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`);
      expect([name, seen.get(name)?.size]).toEqual([name, kind === 'histogram' ? 3 : 1]);
    }
  },
  buildTimeoutMs,
);
