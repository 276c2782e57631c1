import { formatReference } from '#contracts/references';
import type { Experiment } from '#modules/tracking';
import type { Reader, Unit } from '#platform/database';
import { completeAssessment } from './assessment-service.ts';
import { putAssessment } from './assessment-store.ts';
import { requireExperiment } from './experiment-of-trace.ts';
import { deleteTag, type Link, type Pair, putLinks, putPairs } from './pair-store.ts';
import { toStorable } from './span-content.ts';
import { parseOr, toRecord } from './span-facts.ts';
import { metadataKeys, tagKeys, usageColumns } from './trace-keys.ts';
import {
  deleteTraceRows,
  findTraceRow,
  listTraceRows,
  listTracesToDelete,
  putTraceRow,
  toTraceInfos,
} from './trace-store.ts';
import type { TracesDeps } from './traces-deps.ts';
import { tracesErrors } from './traces-errors.ts';
import { maxLinks, requireSessionId, requireTraceId, toPair, toTraceName } from './traces-limits.ts';
import type { TraceRow, TraceState } from './traces-tables.ts';
import type { NewAssessment, TraceInfo } from './traces-types.ts';

/** The server says where files lie; and MLflow's own mark of a finished trace is a column here. */
const ownKeys = new Set<string>([
  tagKeys.name,
  tagKeys.artifactLocation,
  metadataKeys.session,
  'mlflow.trace.infoFinalized',
]);

interface TraceName {
  readonly project: string;
  readonly traceId: string;
}

interface ToldTrace extends TraceName {
  readonly experimentId: string;
  readonly requestMs: number;
  readonly durationMs?: number | undefined;
  readonly state: TraceState;
  readonly clientRequestId?: string | undefined;
  readonly requestPreview?: string | undefined;
  readonly responsePreview?: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly assessments?: readonly NewAssessment[] | undefined;
  /** Another store's: it has not ended now, and its experiment may be a deleted one. */
  readonly isImported?: boolean | undefined;
}

export interface TraceService {
  /** Writes what a client says of a whole trace; spans that came before stay, what they said gives way. */
  putTrace(unit: Unit, input: ToldTrace): Promise<TraceInfo>;
  /** Ends a trace, as clients of MLflow 2 do. TRACE_NOT_FOUND. */
  endTrace(
    unit: Unit,
    input: TraceName & {
      readonly endMs: number;
      readonly state: TraceState;
      readonly tags: Readonly<Record<string, string>>;
      readonly metadata: Readonly<Record<string, string>>;
    },
  ): Promise<TraceInfo>;
  setTraceTag(unit: Unit, input: TraceName & { readonly key: string; readonly value: string }): Promise<void>;
  deleteTraceTag(unit: Unit, input: TraceName & { readonly key: string }): Promise<void>;
  /** Says that a run made these traces; those that are not there are left out. */
  linkRun(
    unit: Unit,
    input: { readonly project: string; readonly traceIds: readonly string[]; readonly runId: string },
  ): Promise<void>;
  linkPrompts(
    unit: Unit,
    input: TraceName & { readonly prompts: readonly { readonly name: string; readonly version: string }[] },
  ): Promise<void>;
  /** Removes traces of an experiment and their files, the oldest first; answers how many. */
  deleteTraces(
    unit: Unit,
    input: {
      readonly project: string;
      readonly experimentId: string;
      readonly traceIds?: readonly string[] | undefined;
      readonly untilMs?: number | undefined;
      readonly limit?: number | undefined;
    },
  ): Promise<number>;
}

export const artifactUriOf = (experiment: Experiment, traceId: string): string =>
  `${experiment.artifactLocation}/traces/${traceId}/artifacts`;

const ended = (state: TraceState | undefined): boolean => state === 'OK' || state === 'ERROR';

/** Writes the event of a trace's end, once. */
export async function recordFinished(unit: Unit, before: TraceRow | undefined, after: TraceRow): Promise<void> {
  if (ended(before?.state) || !ended(after.state)) return;
  await unit.emit({
    type: 'trace.finished',
    project: after.project,
    subject: formatReference('trace', after.trace_id),
    data: { traceId: after.trace_id, experimentId: String(after.experiment_id), state: after.state },
  });
}

export async function getTraceRow(reader: Reader, { project, traceId }: TraceName): Promise<TraceRow> {
  const row = await findTraceRow(reader, project, traceId);
  if (row === undefined) throw tracesErrors.TRACE_NOT_FOUND(traceId.slice(0, 100));
  return row;
}

async function infoOf(reader: Reader, row: TraceRow): Promise<TraceInfo> {
  const [info] = await toTraceInfos(reader, row.project, [row]);
  if (info === undefined) throw tracesErrors.TRACE_NOT_FOUND(row.trace_id);
  return info;
}

const optional = (text: string | undefined): string | null => (text === undefined ? null : toStorable(text));

/** Columns that tags and metadata fill. */
function columnsOf(
  tags: Readonly<Record<string, string>>,
  metadata: Readonly<Record<string, string>>,
): Partial<TraceRow> {
  const name = tags[tagKeys.name];
  const session = metadata[metadataKeys.session];
  const usage = metadata[metadataKeys.usage];
  return {
    ...(name !== undefined && { name: toTraceName(name) }),
    ...(session !== undefined && { session_id: requireSessionId(session) }),
    ...(usage !== undefined && usageColumns(toRecord(usage))),
  };
}

function pairsOf(
  traceId: string,
  tags: Readonly<Record<string, string>>,
  metadata: Readonly<Record<string, string>>,
): Pair[] {
  const of = (kind: 'tag' | 'metadata', given: Readonly<Record<string, string>>) =>
    Object.entries(given)
      .filter(([key]) => !ownKeys.has(key))
      .map(([key, value]) => ({ traceId, kind, ...toPair(key, value, kind === 'tag' ? 'tags' : 'trace_metadata') }));
  return [...of('tag', tags), ...of('metadata', metadata)];
}

/** Ids and names that a link can hold. */
const isTarget = (text: string): boolean => /^[^\p{C}]{1,500}$/u.test(text);

function promptsOf(tags: Readonly<Record<string, string>>): string[] {
  const list = parseOr(tags[tagKeys.prompts] ?? '[]');
  return (Array.isArray(list) ? (list as unknown[]) : []).flatMap((item) => {
    const { name, version } = (item ?? {}) as { readonly name?: unknown; readonly version?: unknown };
    const target = `${String(name)}/${String(version)}`;
    return typeof name === 'string' && version !== undefined && isTarget(target) ? [target] : [];
  });
}

/** What metadata and tags say of where a trace came from. */
function linksOf(
  traceId: string,
  tags: Readonly<Record<string, string>>,
  metadata: Readonly<Record<string, string>>,
): Link[] {
  const run = metadata[metadataKeys.run];
  const model = metadata[metadataKeys.model];
  return [
    ...(run !== undefined && isTarget(run) ? [{ traceId, kind: 'run' as const, target: run }] : []),
    ...(model !== undefined && isTarget(model) ? [{ traceId, kind: 'logged-model' as const, target: model }] : []),
    ...promptsOf(tags).map((target) => ({ traceId, kind: 'prompt' as const, target })),
  ];
}

export function createTraceService({ tracking, ids }: TracesDeps): TraceService {
  async function removeFiles(
    unit: Unit,
    project: string,
    traces: readonly { readonly trace_id: string; readonly artifact_uri: string }[],
  ): Promise<void> {
    const folders = traces.flatMap(
      ({ artifact_uri }) => /^mlflow-artifacts:\/+(.*)\/artifacts$/.exec(artifact_uri)?.[1] ?? [],
    );
    for (const path of await tracking.artifactsAt(unit, project, folders))
      await tracking.deleteArtifact(unit, { project, path });
  }

  return {
    async putTrace(unit, input) {
      const { project, tags, metadata, isImported = false } = input;
      const traceId = requireTraceId(input.traceId);
      const experiment = await requireExperiment(tracking, unit, project, input.experimentId, {
        deletedToo: isImported,
      });
      const before = await findTraceRow(unit, project, traceId);
      const row: TraceRow = {
        project,
        trace_id: traceId,
        experiment_id: Number(experiment.experimentId),
        client_request_id: optional(input.clientRequestId),
        name: before?.name ?? null,
        state: input.state,
        request_ms: input.requestMs,
        duration_ms: input.durationMs ?? null,
        request_preview: optional(input.requestPreview) ?? before?.request_preview ?? null,
        response_preview: optional(input.responsePreview) ?? before?.response_preview ?? null,
        session_id: before?.session_id ?? null,
        told: 1,
        artifact_uri: artifactUriOf(experiment, traceId),
        input_tokens: before?.input_tokens ?? null,
        output_tokens: before?.output_tokens ?? null,
        total_tokens: before?.total_tokens ?? null,
        cache_read_tokens: before?.cache_read_tokens ?? null,
        cache_creation_tokens: before?.cache_creation_tokens ?? null,
        created_ms: before?.created_ms ?? unit.nowMs,
        ...columnsOf(tags, metadata),
      };
      await putTraceRow(unit, row);
      await putPairs(unit, project, pairsOf(traceId, tags, metadata));
      await putLinks(unit, project, linksOf(traceId, tags, metadata));
      for (const assessment of input.assessments ?? [])
        await putAssessment(unit, project, completeAssessment(unit, ids, traceId, assessment));
      if (!isImported) await recordFinished(unit, before, row);
      return infoOf(unit, row);
    },

    async endTrace(unit, { project, traceId, endMs, state, tags, metadata }) {
      const before = await getTraceRow(unit, { project, traceId });
      const row = {
        ...before,
        state,
        duration_ms: Math.max(0, endMs - before.request_ms),
        ...columnsOf(tags, metadata),
      };
      await putTraceRow(unit, row);
      await putPairs(unit, project, pairsOf(traceId, tags, metadata));
      await putLinks(unit, project, linksOf(traceId, tags, metadata));
      await recordFinished(unit, before, row);
      return infoOf(unit, row);
    },

    async setTraceTag(unit, { project, traceId, key, value }) {
      const pair = toPair(key, value, 'key');
      const row = await getTraceRow(unit, { project, traceId });
      if (key === tagKeys.name) await putTraceRow(unit, { ...row, name: toTraceName(value) });
      else await putPairs(unit, project, [{ traceId, kind: 'tag', ...pair }]);
      if (key === tagKeys.prompts) await putLinks(unit, project, linksOf(traceId, { [key]: value }, {}));
    },

    async deleteTraceTag(unit, { project, traceId, key }) {
      const row = await getTraceRow(unit, { project, traceId });
      const named = key === tagKeys.name && row.name !== null;
      if (named) await putTraceRow(unit, { ...row, name: null });
      else if (!(await deleteTag(unit, project, traceId, key)))
        throw tracesErrors.TRACE_TAG_NOT_FOUND(key.slice(0, 250), traceId);
    },

    async linkRun(unit, { project, traceIds, runId }) {
      if (traceIds.length > maxLinks)
        throw tracesErrors.TRACE_VALUE_INVALID(
          `Cannot link more than ${maxLinks} traces to a run in a single request. Provided ${traceIds.length} traces.`,
        );
      if ((await tracking.runInfo(unit, project, runId)) === undefined)
        throw tracesErrors.TRACE_RUN_NOT_FOUND(runId.slice(0, 100));
      const rows = await listTraceRows(unit, project, traceIds);
      await putLinks(
        unit,
        project,
        rows.map((row) => ({ traceId: row.trace_id, kind: 'run', target: runId })),
      );
    },

    async linkPrompts(unit, { project, traceId, prompts }) {
      const targets = prompts.map(({ name, version }) => `${name}/${version}`);
      const odd = targets.find((target) => !isTarget(target));
      if (odd !== undefined)
        throw tracesErrors.TRACE_VALUE_INVALID(
          `Invalid prompt version '${odd.slice(0, 100)}': expected a name and a version`,
        );
      if (targets.length > maxLinks)
        throw tracesErrors.TRACE_VALUE_INVALID(`Cannot link more than ${maxLinks} prompts in a single request.`);
      await getTraceRow(unit, { project, traceId });
      await putLinks(
        unit,
        project,
        targets.map((target) => ({ traceId, kind: 'prompt', target })),
      );
    },

    async deleteTraces(unit, { project, experimentId, traceIds, untilMs, limit }) {
      if (!/^\d{1,15}$/.test(experimentId)) return 0;
      const wanted = { project, experimentId: Number(experimentId), traceIds, untilMs, limit };
      const rows = await listTracesToDelete(unit, wanted);
      if (rows.length === 0) return 0;
      await removeFiles(unit, project, rows);
      await deleteTraceRows(
        unit,
        project,
        rows.map((row) => row.trace_id),
      );
      await unit.emit({
        type: 'traces.deleted',
        project,
        subject: formatReference('experiment', experimentId),
        data: { experimentId, count: rows.length },
      });
      return rows.length;
    },
  };
}
