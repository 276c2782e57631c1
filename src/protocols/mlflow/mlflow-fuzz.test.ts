import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { conformanceTable } from './conformance/conformance-table.ts';
import type { Area } from './conformance/endpoint.ts';
import { useMlflow } from './testing/mlflow-test-client.ts';

/** Fields of MLflow's messages, so that what is sent comes near to what is meant. */
const fields = [
  ['experiment_id', 'experiment_ids', 'experiment_name', 'name', 'new_name', 'artifact_location', 'tags', 'key'],
  ['value', 'run_id', 'run_uuid', 'runId', 'run_name', 'user_id', 'start_time', 'end_time', 'status', 'timestamp'],
  ['step', 'metrics', 'params', 'model_id', 'dataset_name', 'dataset_digest', 'datasets', 'dataset', 'models'],
  ['digest', 'source_type', 'source', 'schema', 'profile', 'model_json', 'metric_key', 'max_results', 'page_token'],
  ['filter', 'order_by', 'view_type', 'run_view_type', 'field_name', 'ascending', 'source_run_id', 'model_type'],
  ['description', 'alias', 'version', 'stage', 'stages', 'archive_existing_versions', 'run_link', 'path', 'events'],
  ['run_ids', 'start_step', 'end_step', 'num_parts', 'upload_id', 'parts', 'default_artifact_root', 'dataset_id'],
  ['records', 'serialized_scorer', 'entity', 'action', 'filter_string', 'update_mask', 'trace', 'locations'],
].flat();

const numbers = [0, 1, -1, 2, 1.5, 2 ** 31, 2 ** 53, -(2 ** 53), 2 ** 63, 1e300];
const texts = [
  ['', '0', '1', 'a', ' ', '/', '..', '../x', '%2e%2e', 'a/b', 'a:b', '\0', 'a\0b', '\ud800', '\ufeff', '🦩', "'", '"'],
  ["x' or '1'='1", "'; drop table tracking_runs; --", '%', '_', '\\', '`', 'NaN', 'Infinity', '9'.repeat(40)],
  ["name = 'a'", 'metrics.a > 1', 'metrics.`a', 'a = 1 AND', 'name DESC', 'eyJvZmZzZXQiOi0xfQ==', 'e30=', '{}', '[]'],
  ['null', 'true', 'RUNNING', 'READY', 'Production', 'latest', 'models:/m/1', 'runs:/x/y', 's3://b/c', 'x'.repeat(300)],
].flat();

/** Words of databases and of stack traces, which nobody outside may read. */
const insides =
  /\b(sqlite|postgres|constraint|syntax error|insert into|select .* from|update .* set|errno|node_modules)\b|\bat .*:\d+:\d+/i;

const allowed: readonly number[] = [200, 201, 204, 400, 404, 409, 413];
/** Calls that are refused with 501 because they are not there, not for this store, or not for a file of no run. */
const mayBeMissing = new Set(
  Object.values<Area>(conformanceTable).flatMap(({ endpoints }) =>
    endpoints
      .filter((one) => one.refused === true || one.state === 'not yet' || /presigned|mpu\/create/.test(one.call))
      .map(({ call }) => call),
  ),
);

describeDatabases('whatever a client sends', (open) => {
  const { createRun, inject, post, state } = useMlflow(open);
  const statuses = new Map<number, number>();

  test('is answered or refused in the form of MLflow: no failure inside, no word of SQL', async () => {
    const runId = await createRun();
    const { body: model } = await post('logged-models', { experiment_id: '0', name: 'm' });
    const { model_id: modelId } = (model as never as { model: { info: { model_id: string } } }).model.info;
    await post('registered-models/create', { name: 'm' });
    await post('model-versions/create', { name: 'm', source: 's3://bucket/a' });

    const scalar = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom<unknown>(...texts, runId, modelId, 'm') },
      { weight: 2, arbitrary: fc.constantFrom<unknown>(...numbers, true, false, null) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
    );
    const { value } = fc.letrec<{ value: unknown; object: object }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        scalar,
        fc.array(tie('value'), { maxLength: 3 }),
        tie('object'),
      ),
      object: fc.dictionary(fc.constantFrom(...fields), tie('value'), { maxKeys: 4 }),
    }));
    const message = fc.dictionary(fc.constantFrom(...fields), value, { maxKeys: 6 });
    const calls = [...state.server.calls].filter((call) => / \/(?:api|ajax-api)\//.test(call));
    expect(calls.length).toBeGreaterThan(100);
    const request = fc.record({
      call: fc.constantFrom(...calls),
      message,
      /** What goes out in the place of the message's JSON. */
      instead: fc.option(fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), value.map(toJson)), { freq: 2 }),
      part: scalar.map((one) => encodeURIComponent(toWellFormed(String(one))) || 'x'),
      /** Values for fields that an answer says are missing. */
      more: fc.array(value, { minLength: 5, maxLength: 5 }),
    });

    async function send(call: string, part: string, given: Readonly<Record<string, unknown>>, instead: string | null) {
      const [method = 'GET', path = ''] = call.split(' ');
      const payload = instead ?? toJson(given);
      const { statusCode, body } = await inject({
        method,
        url: path.replaceAll(/:\w+|\*/g, () => part),
        headers: { 'content-type': 'application/json' },
        ...(method === 'GET' ? { query: toQuery(given) } : { payload }),
      });
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
      const shown = `${call} ${part} ${payload} → ${statusCode} ${body.slice(0, 300)}`;
      const missing = statusCode === 501 && mayBeMissing.has(call.replace(/ \/(?:ajax-)?api(?=\/)/, ' '));
      const unsigned = statusCode === 403 && / \/(?:ajax-)?api\/.*\/(?:mpu\/parts|signed)\//.test(call);
      if (!allowed.includes(statusCode) && !missing && !unsigned)
        throw new Error(`a status that no client expects: ${shown}`);
      if (statusCode < 300) return undefined;
      const { error_code: code, message: words } = JSON.parse(body) as { error_code?: unknown; message?: unknown };
      if (typeof code !== 'string' || typeof words !== 'string') throw new Error(`no error of MLflow's: ${shown}`);
      if (insides.test(words)) throw new Error(`words from the inside: ${shown}`);
      return /Missing value for required parameter '(\w+)'/.exec(words)?.[1];
    }

    await fc.assert(
      fc.asyncProperty(request, async ({ call, message: first, instead, part, more }) => {
        let sent = first;
        let missing = await send(call, part, sent, instead);
        // what is said to be missing is added, to get past the first refusal
        for (const one of instead === null ? more : []) {
          if (missing === undefined) return;
          sent = { ...sent, [missing]: one };
          missing = await send(call, part, sent, null);
        }
      }),
      { numRuns: 800 },
    );
    // neither all refused at the door nor all let in
    for (const status of [200, 400, 404]) expect(statuses.get(status)).toBeGreaterThan(30);
  }, 180_000);
});

const toJson = (value: unknown) => JSON.stringify(value) ?? '';

/** Fields as a query has them: texts, some of them more than once. */
const toQuery = (given: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(given).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.map((one) => toText(one)) : toText(value),
    ]),
  );

const toText = (value: unknown) => toWellFormed(typeof value === 'string' ? value : toJson(value));

/** Lone halves of surrogates cannot stand in an address. */
const toWellFormed = (text: string) => Buffer.from(text).toString();
