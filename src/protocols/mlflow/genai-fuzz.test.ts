import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { conformanceTable } from './conformance/conformance-table.ts';
import { useMlflow } from './testing/mlflow-test-client.ts';

/** Names of fields that the calls read, so that a body often gets past the first check. */
const names = [
  'name',
  'experiment_id',
  'experiment_ids',
  'tags',
  'records',
  'dataset_record_ids',
  'filter_string',
  'order_by',
  'max_results',
  'page_token',
  'serialized_scorer',
  'version',
  'scorer_ids',
  'sample_rate',
  'url',
  'events',
  'secret',
  'status',
  'description',
  'event',
];
/** Values that have a form of their own somewhere, beside any JSON. */
const forms = [
  '',
  '0',
  'x',
  "' or 1=1 --",
  '\u0000',
  '\ud800',
  '{}',
  '[]',
  '[{"inputs":{"a":1}}]',
  '[{"inputs":{"a":NaN},"tags":{"a":"\\u0000"}}]',
  '{"a":"\\ud800"}',
  "name = 'x'",
  "tags.a LIKE '%'",
  'name DESC',
  'created_time > 1.5',
  'https://nowhere.invalid/',
  -1,
  1e300,
  { entity: 'PROMPT', action: 'CREATED' },
  [{ entity: 1, action: 1 }],
];
const value = fc.oneof(fc.constantFrom(...forms), fc.jsonValue({ maxDepth: 3 }), fc.constant('0'));
const body = fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 6 });

const calls = (['evaluationDatasets', 'scorers', 'webhooks'] as const).flatMap((area) =>
  conformanceTable[area].endpoints.map(({ call }) => call),
);

describeDatabases('whatever is sent to the calls of data sets, scorers and webhooks', (open) => {
  const { state, inject, post } = useMlflow(open);

  test('is answered, and never by a fault of the server', async () => {
    const made = await post('webhooks', {
      name: 'x',
      url: 'https://nowhere.invalid/',
      events: [{ entity: 'PROMPT', action: 'CREATED' }],
    });
    const { webhook } = made.body as never as { webhook: { webhook_id: string } };
    const dataset = await inject({ method: 'POST', url: '/api/3.0/mlflow/datasets/create', payload: { name: 'x' } });
    const { dataset_id: id } = (JSON.parse(dataset.body) as { dataset: { dataset_id: string } }).dataset;
    expect(state.project).not.toBe('');

    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...calls), body, fc.boolean(), async (call, fields, known) => {
        const [method = '', path = ''] = call.split(' ');
        // what is there stays there, for the calls after this one
        const there = known && !/^DELETE .*Id$/.test(call);
        const ids = { datasetId: there ? id : 'x', webhookId: there ? webhook.webhook_id : 'x', key: 'a' };
        const place = `/api${path.replaceAll(/:(\w+)/g, (_, name: 'key') => ids[name])}`;
        const query = new URLSearchParams(
          Object.entries(fields).map(([name, each]): [string, string] => [
            name,
            typeof each === 'string' ? each : JSON.stringify(each),
          ]),
        ).toString();
        const { statusCode, body: answer } = await inject({
          method,
          url: method === 'GET' ? `${place}?${query}` : place,
          headers: { 'content-type': 'application/json' },
          ...(method !== 'GET' && { payload: JSON.stringify(fields) }),
        });
        const coded = statusCode < 400 || 'error_code' in (JSON.parse(answer) as object);
        expect([call, answer, statusCode < 500, coded]).toEqual([call, answer, true, true]);
      }),
      { numRuns: 800 },
    );
  }, 120_000);
});
