import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { Trace } from '#modules/traces';
import type { Sensitive } from '#platform/http';
import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, sendMlflowError } from './mlflow-errors.ts';
import { toldTraceOf } from './trace-fields.ts';
import { searchPage } from './trace-pages.ts';
import { toWireTrace, toWireTraceInfo } from './trace-views.ts';
import { list } from './wire-views.ts';

const v2 = '/2.0/mlflow/traces';
const v3 = '/3.0/mlflow/traces';
const traceIdOf = ({ params }: CallInput): string => params['traceId'] ?? '';

/** Deletions are made in parts, so that nobody waits for one long unit. */
const deletedAtOnce = 500;
const most = { ids: 1000, prompts: 100 };
/** A client may ask for a trace whose spans are still under way: MLflow's server waits as long. */
const waitMs = { step: 200, whole: 3000 };

/** As many spans as the client said there are. */
function isComplete({ info, spans }: Trace): boolean {
  const told = /"num_spans": ?(\d{1,9})/.exec(info.metadata['mlflow.trace.sizeStats'] ?? '')?.[1];
  return spans.length > 0 && spans.length >= Number(told ?? 0);
}

function idsOf({ fields }: CallInput, name: string): string[] {
  const ids = fields.texts(name);
  if (ids.length === 0) throw fields.missing(name);
  if (ids.length > most.ids) throw invalidParameter(`'${name}' holds at most ${most.ids} ids, got ${ids.length}`);
  return ids;
}

/** The traces whose spans a request asks for, by either spelling of the field, for the audit log. */
const tracesNamed =
  (...names: readonly string[]): Sensitive =>
  ({ query }) => {
    const given = query as Readonly<Record<string, string | readonly string[] | undefined>>;
    const ids = names.flatMap((name) => given[name] ?? []).slice(0, most.ids);
    return [...new Set(ids)].filter((id) => /^[\w-]{1,100}$/.test(id)).map((id) => `trace:${id}`);
  };

/** What both versions of the API have, under either path. */
function commonCalls(prefix: string, { database, traces }: MlflowDeps): readonly MlflowCall[] {
  return [
    {
      method: 'PATCH',
      path: `${prefix}/:traceId/tags`,
      permission: 'write',
      handle: async (call) => {
        const { fields, project, context } = call;
        const input = {
          project,
          traceId: traceIdOf(call),
          key: fields.requiredName('key'),
          value: fields.text('value') ?? '',
        };
        await database.write(context.write, (unit) => traces.setTraceTag(unit, input));
        return {};
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/:traceId/tags`,
      permission: 'write',
      handle: async (call) => {
        const { fields, project, context, request } = call;
        const key = fields.text('key') ?? (request.query as Record<string, unknown>)['key'];
        if (typeof key !== 'string' || key === '') throw fields.missing('key');
        await database.write(context.write, (unit) =>
          traces.deleteTraceTag(unit, { project, traceId: traceIdOf(call), key }),
        );
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/delete-traces`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const experimentId = fields.requiredName('experiment_id');
        const untilMs = fields.integer('max_timestamp_millis');
        const ids = fields.texts('request_ids');
        const limit = fields.integer('max_traces');
        if (untilMs === undefined && ids.length === 0)
          throw invalidParameter('Either `max_timestamp_millis` or `request_ids` must be specified.');
        if (untilMs !== undefined && ids.length > 0)
          throw invalidParameter('Only one of `max_timestamp_millis` and `request_ids` can be specified.');
        if (limit !== undefined && ids.length > 0)
          throw invalidParameter('`max_traces` cannot be specified if `request_ids` is specified.');
        if (limit !== undefined && limit <= 0)
          throw invalidParameter(`\`max_traces\` must be a positive integer, received ${limit}.`);
        let deleted = 0;
        for (;;) {
          const part = Math.min(deletedAtOnce, (limit ?? Number.POSITIVE_INFINITY) - deleted);
          const wanted = { project, experimentId, untilMs, limit: part, ...(ids.length > 0 && { traceIds: ids }) };
          const count =
            part <= 0 ? 0 : await database.write(context.write, (unit) => traces.deleteTraces(unit, wanted));
          deleted += count;
          if (count < part || part <= 0) return { traces_deleted: deleted };
        }
      },
    },
  ];
}

/** These have one version. */
function linkCalls({ database, traces }: MlflowDeps): readonly MlflowCall[] {
  return [
    {
      method: 'POST',
      path: `${v2}/link-to-run`,
      permission: 'write',
      handle: async (call) => {
        const { fields, project, context } = call;
        const input = { project, traceIds: idsOf(call, 'trace_ids'), runId: fields.requiredName('run_id') };
        await database.write(context.write, (unit) => traces.linkRun(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${v2}/link-prompts`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const prompts = fields.messages('prompt_versions').map((prompt) => ({
          name: prompt.requiredName('name'),
          version: prompt.requiredName('version'),
        }));
        if (prompts.length === 0) throw fields.missing('prompt_versions');
        const input = { project, traceId: fields.requiredName('trace_id'), prompts };
        await database.write(context.write, (unit) => traces.linkPrompts(unit, input));
        return {};
      },
    },
  ];
}

/** Traces as clients of MLflow 3 tell and ask for them. Spans come by OTLP (protocols/opentelemetry). */
export function traceCalls(deps: MlflowDeps): readonly MlflowCall[] {
  const { database, traces } = deps;

  /** The traces, once they are complete or the waiting is over. */
  async function readTraces({ project, context }: CallInput, ids: readonly string[], wait: boolean) {
    for (let waited = 0; ; waited += waitMs.step) {
      const found = await traces.traces(database.read, project, ids);
      if (!wait || waited >= waitMs.whole || context.signal.aborted || found.every(isComplete)) return found;
      await setTimeout(waitMs.step, undefined, { signal: context.signal }).catch(() => undefined); // the asker left
    }
  }

  /** A part after another, as the client takes them: all spans of a thousand traces need not fit into memory. */
  async function* printTraces({ project }: CallInput, ids: readonly string[], experiments: readonly string[]) {
    let before = '{"traces":[';
    for await (const part of traces.tracesInParts(database.read, project, ids))
      for (const trace of part)
        if (isComplete(trace) && (experiments.length === 0 || experiments.includes(trace.info.experimentId))) {
          yield `${before}${JSON.stringify(toWireTrace(trace))}`;
          before = ',';
        }
    yield before === ',' ? ']}' : '{}';
  }

  return [
    ...commonCalls(v2, deps),
    ...commonCalls(v3, deps),
    ...linkCalls(deps),
    {
      method: 'POST',
      path: v3,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const info = fields.message('trace')?.message('trace_info');
        if (info === undefined) throw fields.missing('trace');
        const told = { project, ...toldTraceOf(info) };
        const made = await database.write(context.write, (unit) => traces.putTrace(unit, told));
        return { trace: { trace_info: toWireTraceInfo(made) } };
      },
    },
    {
      method: 'GET',
      path: `${v3}/:traceId`,
      permission: 'read',
      handle: async (call) => {
        const id = traceIdOf(call);
        const info = await traces.traceInfo(database.read, call.project, id);
        return info === undefined
          ? sendMlflowError(call.reply, 'RESOURCE_DOES_NOT_EXIST', `Trace with ID '${id}' not found.`)
          : { trace: { trace_info: toWireTraceInfo(info) } };
      },
    },
    {
      method: 'GET',
      path: `${v3}/get`,
      permission: 'read',
      sensitive: tracesNamed('trace_id', 'traceId'),
      handle: async (call) => {
        const id = call.fields.requiredName('trace_id');
        const partial = call.fields.flag('allow_partial') ?? false;
        const [trace] = await readTraces(call, [id], !partial);
        if (trace === undefined)
          return sendMlflowError(call.reply, 'RESOURCE_DOES_NOT_EXIST', `Trace with ID ${id} is not found.`);
        if (!partial && !isComplete(trace))
          return sendMlflowError(
            call.reply,
            'RESOURCE_DOES_NOT_EXIST',
            `Trace with ID ${id} is not fully exported yet, please try again later.`,
          );
        return { trace: toWireTrace(trace) };
      },
    },
    {
      method: 'GET',
      path: `${v3}/batchGet`,
      permission: 'read',
      sensitive: tracesNamed('trace_ids', 'traceIds'),
      handle: async (call) => {
        const experiments = call.fields.texts('experiment_ids');
        const printed = printTraces(call, idsOf(call, 'trace_ids'), experiments);
        return call.reply.type('application/json; charset=utf-8').send(Readable.from(printed));
      },
    },
    {
      method: 'POST',
      path: `${v3}/batchGetInfos`,
      permission: 'read',
      handle: async (call) => {
        const experiments = call.fields.texts('experiment_ids');
        const found = (await traces.traceInfos(database.read, call.project, idsOf(call, 'trace_ids'))).filter(
          ({ experimentId }) => experiments.length === 0 || experiments.includes(experimentId),
        );
        return list('trace_infos', found.map(toWireTraceInfo));
      },
    },
    {
      method: 'POST',
      path: `${v3}/search`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const locations = fields.messages('locations');
        if (locations.length === 0) throw fields.missing('locations');
        const experimentIds = locations.flatMap(
          (location) => location.message('mlflow_experiment')?.requiredName('experiment_id') ?? [],
        );
        const { items, next } = await searchPage(traces, database.read, project, experimentIds, fields);
        return { ...list('traces', items.map(toWireTraceInfo)), ...next };
      },
    },
  ];
}
