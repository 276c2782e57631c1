import type { FastifyInstance } from 'fastify';
import { checkTraces, exportTraces, type FoundTrace, importTraces, type TraceRecord } from '#contracts/trace-transfer';
import type { Database, Reader, Unit } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { type TraceBatch, toTraceBatches } from './span-batch.ts';
import { countSpansOf } from './span-store.ts';
import { toAssessment, toPairs, toSpan, toTraceRecord } from './trace-records.ts';
import { tracesErrors } from './traces-errors.ts';
import type { TracesApi } from './traces-module.ts';

const tracesAtOnce = 50;

type ImportApi = Pick<TracesApi, 'logSpans' | 'putTrace' | 'searchTraces' | 'traces' | 'traceInfos'>;

interface Imported {
  readonly trace: TraceRecord;
  readonly batches: readonly TraceBatch[];
}

/** Rows of the spans; made before the unit, since it takes long. */
function toImported(trace: TraceRecord): Imported {
  if (trace.spans.length === 0) return { trace, batches: [] };
  const digits = /^tr-([0-9a-f]{32})$/.exec(trace.id)?.[1];
  if (digits === undefined)
    throw tracesErrors.TRACE_VALUE_INVALID(
      `the trace ${trace.id} cannot have spans here: only one whose id is 'tr-' and 32 hexadecimal digits has`,
    );
  const spans = trace.spans.map((span) => toSpan(digits, span));
  return { trace, batches: toTraceBatches([{ resource: [], spans }]) };
}

const toTexts = (pairs: TraceRecord['tags']) => Object.fromEntries(pairs.map(({ key, value }) => [key, value]));

async function putTrace(unit: Unit, api: ImportApi, project: string, { trace, batches }: Imported): Promise<void> {
  const { id, experimentId, spans: _spans, tags, metadata, assessments, ...told } = trace;
  if (batches.length > 0) await api.logSpans(unit, { project, experimentId, batches, isImported: true });
  await api.putTrace(unit, {
    ...told,
    project,
    traceId: id,
    experimentId,
    tags: toTexts(tags),
    metadata: toTexts(metadata),
    assessments: assessments.map(toAssessment),
    isImported: true,
  });
}

async function findTraces(
  reader: Reader,
  api: ImportApi,
  project: string,
  ids: readonly string[],
): Promise<FoundTrace[]> {
  const infos = await api.traceInfos(reader, project, ids);
  const spans = await countSpansOf(reader, project, ids);
  return infos.map(({ traceId, state, tags, assessments }) => ({
    id: traceId,
    state,
    spans: spans.get(traceId) ?? 0,
    tags: toPairs(tags),
    assessments: assessments.map(({ assessmentId, updatedMs }) => ({ id: assessmentId, updatedMs })),
  }));
}

/** The bulk API of traces. */
export function registerTransferRoutes(app: FastifyInstance, database: Database, api: ImportApi): void {
  registerOperation(app, importTraces, async ({ body, context: { project, write } }, answer) => {
    const traces = body.traces.map(toImported);
    const items = await database.write(write, async (unit) => {
      for (const trace of traces) await putTrace(unit, api, project, trace);
      if (traces.length > 0)
        await unit.emit({
          type: 'tracking.imported',
          project,
          subject: `project:${project}`,
          data: { what: 'traces', count: traces.length },
        });
      const ids = body.traces.map(({ id }) => id);
      return findTraces(unit, api, project, ids);
    });
    return answer(200, { items });
  });

  registerOperation(app, checkTraces, async ({ body, context }, answer) =>
    answer(200, { items: await findTraces(database.read, api, context.project, body.ids) }),
  );

  registerOperation(app, exportTraces, async ({ query, context: { project } }, answer) => {
    const [requestMs, traceId] = query.cursor === undefined ? [] : decodeCursor(query.cursor);
    const { items, more } = await api.searchTraces(database.read, {
      project,
      experimentIds: [query.experimentId],
      limit: tracesAtOnce,
      ...(typeof requestMs === 'number' && typeof traceId === 'string' && { after: { requestMs, traceId } }),
    });
    const last = more ? items.at(-1) : undefined;
    const ids = items.map((item) => item.traceId);
    return answer(200, {
      items: (await api.traces(database.read, project, ids)).map(toTraceRecord),
      ...(last && { next: encodeCursor([last.requestMs, last.traceId]) }),
    });
  });
}
