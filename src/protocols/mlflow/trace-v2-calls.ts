import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { sendMlflowError } from './mlflow-errors.ts';
import { oldStateOf } from './trace-fields.ts';
import { searchPage } from './trace-pages.ts';
import { toOldTraceInfo } from './trace-views.ts';
import type { WireFields } from './wire-fields.ts';
import { list } from './wire-views.ts';

const prefix = '/2.0/mlflow/traces';
const traceIdOf = ({ params }: CallInput): string => params['traceId'] ?? '';

const pairsOf = (fields: WireFields, name: string): Record<string, string> =>
  Object.fromEntries(fields.pairs(name).map(({ key, value }) => [key, value]));

/**
 * Traces as clients of MLflow 2 tell them: at their start, where the server makes the id, and at their end; the spans
 * are uploaded as one file, `traces.json`, to where the tag `mlflow.artifactLocation` says.
 */
export function oldTraceCalls({ database, traces, ids }: MlflowDeps): readonly MlflowCall[] {
  return [
    {
      method: 'POST',
      path: prefix,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const told = {
          project,
          traceId: `tr-${ids.hex32()}`,
          experimentId: fields.requiredName('experiment_id'),
          requestMs: fields.requiredInteger('timestamp_ms'),
          state: 'IN_PROGRESS' as const,
          tags: pairsOf(fields, 'tags'),
          metadata: pairsOf(fields, 'request_metadata'),
        };
        const info = await database.write(context.write, (unit) => traces.putTrace(unit, told));
        return { trace_info: toOldTraceInfo(info) };
      },
    },
    {
      method: 'PATCH',
      path: `${prefix}/:traceId`,
      permission: 'write',
      handle: async (call) => {
        const { fields, project, context } = call;
        const input = {
          project,
          traceId: traceIdOf(call),
          endMs: fields.requiredInteger('timestamp_ms'),
          state: oldStateOf(fields),
          tags: pairsOf(fields, 'tags'),
          metadata: pairsOf(fields, 'request_metadata'),
        };
        const info = await database.write(context.write, (unit) => traces.endTrace(unit, input));
        return { trace_info: toOldTraceInfo(info) };
      },
    },
    {
      method: 'GET',
      path: `${prefix}/:traceId/info`,
      permission: 'read',
      handle: async (call) => {
        const id = traceIdOf(call);
        const info = await traces.traceInfo(database.read, call.project, id);
        return info === undefined
          ? sendMlflowError(call.reply, 'RESOURCE_DOES_NOT_EXIST', `Trace with ID '${id}' not found.`)
          : { trace_info: toOldTraceInfo(info) };
      },
    },
    {
      method: 'GET',
      path: prefix,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const experimentIds = fields.texts('experiment_ids');
        if (experimentIds.length === 0) throw fields.missing('experiment_ids');
        const { items, next } = await searchPage(traces, database.read, project, experimentIds, fields);
        return { ...list('traces', items.map(toOldTraceInfo)), ...next };
      },
    },
  ];
}
