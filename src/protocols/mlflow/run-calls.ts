import type { RunStatus } from '#modules/tracking';
import { experimentIdOf, lifecycleOf, viewTypes } from './experiment-calls.ts';
import type { MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { sendMlflowError } from './mlflow-errors.ts';
import { decodeRunToken, encodeRunToken } from './page-token.ts';
import type { WireFields } from './wire-fields.ts';
import { toWireRun, toWireRunInfo } from './wire-views.ts';

const statuses: Readonly<Record<RunStatus, number>> = { RUNNING: 1, SCHEDULED: 2, FINISHED: 3, FAILED: 4, KILLED: 5 };
const prefix = '/2.0/mlflow/runs';

/** `run_uuid` is the old name of `run_id`. */
export function runIdOf(fields: WireFields): string {
  const runId = fields.text('run_id') || fields.text('run_uuid');
  if (!runId) throw fields.missing('run_id');
  return runId;
}

export function runCalls({ database, tracking }: MlflowDeps): readonly MlflowCall[] {
  return [
    {
      method: 'POST',
      path: `${prefix}/create`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const input = {
          project,
          experimentId: experimentIdOf(fields),
          userId: fields.text('user_id'),
          name: fields.text('run_name'),
          startMs: fields.integer('start_time'),
          tags: fields.pairs('tags'),
        };
        const run = await database.write(context.write, (unit) => tracking.createRun(unit, input));
        const { info, data, inputs } = toWireRun(run);
        return { run: { info, data, inputs } };
      },
    },
    {
      method: 'GET',
      path: `${prefix}/get`,
      permission: 'read',
      handle: async ({ fields, project, reply }) => {
        const runId = runIdOf(fields);
        const run = await tracking.run(database.read, project, runId);
        return run === undefined
          ? sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `Run with id=${runId} not found`)
          : { run: toWireRun(run) };
      },
    },
    {
      method: 'POST',
      path: `${prefix}/update`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const input = {
          project,
          runId: runIdOf(fields),
          status: fields.oneOf('status', statuses),
          endMs: fields.integer('end_time'),
          name: fields.text('run_name'),
        };
        const info = await database.write(context.write, (unit) => tracking.updateRun(unit, input));
        return { run_info: toWireRunInfo(info) };
      },
    },
    {
      method: 'POST',
      path: `${prefix}/delete`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const runId = runIdOf(fields);
        await database.write(context.write, (unit) => tracking.deleteRun(unit, { project, runId }));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/restore`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const runId = runIdOf(fields);
        await database.write(context.write, (unit) => tracking.restoreRun(unit, { project, runId }));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/search`,
      permission: 'read',
      handle: async ({ fields, project, reply }) => {
        const { items, next } = await tracking.searchRunDocuments(database.longRead, {
          project,
          experimentIds: fields.texts('experiment_ids'),
          filter: fields.text('filter'),
          orderBy: fields.texts('order_by'),
          lifecycle: lifecycleOf(fields.oneOf('run_view_type', viewTypes)),
          limit: fields.bounded('max_results', { preset: 1000, maximum: 50_000 }),
          after: decodeRunToken(fields.text('page_token')),
        });
        // put together from texts: parsing and printing a hundred runs would cost more than finding them
        const runs = items.map(
          ({ info, document }) => `{"info":${JSON.stringify(toWireRunInfo(info))},${document.slice(1)}`,
        );
        const parts = [
          ...(runs.length === 0 ? [] : [`"runs":[${runs.join(',')}]`]),
          ...(next === undefined ? [] : [`"next_page_token":${JSON.stringify(encodeRunToken(next))}`]),
        ];
        return reply.type('application/json; charset=utf-8').send(`{${parts.join(',')}}`);
      },
    },
  ];
}
