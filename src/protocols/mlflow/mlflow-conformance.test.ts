import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { type AreaName, conformanceTable } from './conformance/conformance-table.ts';
import type { Area } from './conformance/endpoint.ts';
import { useMlflow } from './testing/mlflow-test-client.ts';

const areas = Object.entries(conformanceTable) as [AreaName, Area][];
const all = areas.flatMap(([, area]) =>
  area.endpoints.map((endpoint) => ({ ...endpoint, plain: area.plain === true })),
);
const there = all.filter(({ state }) => state !== 'not yet');

/** The endpoint as it is reached: under both prefixes, or plainly. */
function placesOf({ call, plain }: { readonly call: string; readonly plain: boolean }): readonly string[] {
  const [method, path] = call.split(' ');
  return plain ? [call] : [`${method} /api${path}`, `${method} /ajax-api${path}`];
}

describeDatabases('the table of what MLflow has', (open) => {
  const { inject, state } = useMlflow(open);

  test('names every call that is registered, and no call twice', () => {
    const named = all.flatMap(placesOf);
    expect([...state.server.calls].filter((call) => !named.includes(call))).toEqual([]);
    expect(named.filter((call, index) => named.indexOf(call) !== index)).toEqual([]);
  });

  test('calls nothing supported that is not registered under both prefixes', () => {
    expect(there.flatMap(placesOf).filter((call) => !state.server.calls.has(call))).toEqual([]);
  });

  test('calls "not yet", or refused on purpose, what is refused as clients tolerate it', async () => {
    const refusals = [];
    for (const endpoint of all.filter((one) => one.state === 'not yet' || one.refused))
      for (const place of placesOf(endpoint)) {
        const [method, path = ''] = place.split(' ');
        const { statusCode, body } = await inject({
          method: method as 'GET',
          url: path.replaceAll(/:\w+|\*/g, 'x'),
          ...(method !== 'GET' && { payload: {} }),
        });
        const { error_code: code } = JSON.parse(body) as { readonly error_code?: string };
        const tolerated = statusCode === 404 ? endpoint.plain || code === 'ENDPOINT_NOT_FOUND' : statusCode === 501;
        if (!tolerated) refusals.push({ place, statusCode, code });
      }
    expect(refusals).toEqual([]);
  });
});

test('each difference from MLflow has its reason', () => {
  expect(all.filter(({ state, note }) => state === 'differs' && note === undefined).map(({ call }) => call)).toEqual(
    [],
  );
});

test('each area is proven by a test file, which asks what it left unanswered', () => {
  const folder = join(import.meta.dirname, '..'); // OTLP is a protocol of its own beside this one
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
  const unproven = areas.filter(
    ([name, area]) =>
      area.endpoints.some(({ state }) => state !== 'not yet') &&
      !sources.includes(`expect(state.server.unanswered('${name}')).toEqual([])`),
  );
  expect(unproven.map(([name]) => name)).toEqual([]);
});
