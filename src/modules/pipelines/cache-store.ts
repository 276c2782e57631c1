import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { inList, listRows, parseJson } from '#platform/sql';
import type { KeyParts } from './cache-key.ts';
import type { PipelinesTables } from './pipelines-tables.ts';
import type { Outputs, Run } from './run-types.ts';

/** Earlier results by key, one look-up for all. */
export async function findCached(
  reader: Reader,
  project: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, { readonly runId: string; readonly step: string; readonly outputs: Outputs }>> {
  if (keys.length === 0) return new Map();
  const rows = await reader
    .query<PipelinesTables>()
    .selectFrom('pipeline_cache')
    .select(['pipeline_cache.cache_key', 'pipeline_cache.run_id', 'pipeline_cache.step', 'pipeline_cache.outputs'])
    .where('pipeline_cache.project', '=', project)
    .where(inList(reader, 'pipeline_cache.cache_key', keys))
    .execute();
  return new Map(
    rows.map((row) => [row.cache_key, { runId: row.run_id, step: row.step, outputs: parseJson<Outputs>(row.outputs) }]),
  );
}

/** Keeps a result for later runs; the first result of a key stays. */
export async function putCached(
  unit: Unit,
  entry: {
    readonly project: string;
    readonly key: string;
    readonly runId: string;
    readonly step: string;
    readonly outputs: Outputs;
  },
): Promise<void> {
  await unit
    .query<PipelinesTables>()
    .insertInto('pipeline_cache')
    .values({
      project: entry.project,
      cache_key: entry.key,
      run_id: entry.runId,
      step: entry.step,
      outputs: JSON.stringify(entry.outputs),
      created_ms: unit.nowMs,
    })
    .onConflict((conflict) => conflict.columns(['project', 'cache_key']).doNothing())
    .execute();
}

/** The parts of the newest earlier key of each of these steps, to compare with; one look-up for all. */
export async function listEarlierParts(
  reader: Reader,
  run: Pick<Run, 'id' | 'project' | 'pipeline'>,
  steps: readonly string[],
): Promise<ReadonlyMap<string, KeyParts>> {
  if (steps.length === 0) return new Map();
  const { rows } = await sql<{ readonly step: string; readonly key_parts: string | null }>`
    select list.value as step, (
      select pipeline_steps.key_parts
      from pipeline_runs
      join pipeline_steps on pipeline_steps.run_id = pipeline_runs.id and pipeline_steps.step = list.value
      where pipeline_runs.project = ${run.project}
        and pipeline_runs.pipeline = ${run.pipeline}
        and pipeline_runs.id < ${run.id}
        and pipeline_steps.cache_key is not null
      order by pipeline_runs.id desc
      limit 1
    ) as key_parts
    from ${listRows(reader, steps)}
  `.execute(reader.query<PipelinesTables>());
  return new Map(
    rows.flatMap(({ step, key_parts }): [string, KeyParts][] =>
      key_parts === null ? [] : [[step, parseJson<KeyParts>(key_parts)]],
    ),
  );
}
