import { sql } from 'kysely';
import { formatReference } from '#contracts/references';
import type { Reader } from '#platform/database';
import { inList } from '#platform/sql';
import type { TrackingTables } from '../tracking-tables.ts';
import { listDeletedExperiments, listModelsOf, listRunsOf } from './purge-rows-store.ts';
import { addCounts, nothing, type PurgeCount, type PurgeItem } from './purge-store.ts';

export interface PurgeTotal extends PurgeCount {
  /** There are more points than were counted. */
  readonly pointsAtLeast: boolean;
}

/** Owners in one query: a query holds up other readers of its process for no longer than that. */
const ownersAtOnce = 100;
/** Nobody decides otherwise for the number after the millionth point. */
const mostPoints = 1_000_000;

type Counted = { readonly item: PurgeItem } | { readonly deletedBeforeMs: number };

interface Owners {
  readonly experiments: readonly string[];
  readonly runs: readonly string[];
  readonly models: readonly string[];
}

async function ownersOf(reader: Reader, project: string, what: Counted): Promise<Owners> {
  if ('item' in what && what.item.kind === 'tracking-run') return { experiments: [], runs: [what.item.id], models: [] };
  if ('item' in what && what.item.kind === 'logged-model') return { experiments: [], runs: [], models: [what.item.id] };
  const experiments =
    'item' in what
      ? [{ experimentKey: what.item.experimentKey ?? 0, experimentId: Number(what.item.id) }]
      : await listDeletedExperiments(reader, { project, ...what });
  const scopes = [
    ...experiments.map(({ experimentKey }) => ({ experimentKey })),
    ...('item' in what ? [] : [{ project, ...what }]),
  ];
  const runs = new Set<string>();
  const models = new Set<string>();
  for (const scope of scopes) {
    for (const id of await listRunsOf(reader, scope)) runs.add(id);
    for (const id of await listModelsOf(reader, scope)) models.add(id);
  }
  return {
    experiments: experiments.map(({ experimentId }) => String(experimentId)),
    runs: [...runs],
    models: [...models],
  };
}

async function countPoints(reader: Reader, of: 'run' | 'model', ids: readonly string[], most: number): Promise<number> {
  const query = reader.query<TrackingTables>();
  const [table, owner] = of === 'run' ? ['tracking_metrics', 'run_id'] : ['tracking_logged_model_metrics', 'model_id'];
  const { rows } = await sql<{ points: number }>`select count(*) as points from (
    select 1 as one from ${sql.table(table)} where ${inList(reader, `${table}.${owner}`, ids)} limit ${most}) as found`.execute(
    query,
  );
  if (of === 'model') return rows[0]?.points ?? 0;
  const waiting = await query
    .selectFrom('tracking_metric_batches')
    .select((batch) => batch.fn.sum<number | null>('tracking_metric_batches.point_count').as('points'))
    .where(inList(reader, 'tracking_metric_batches.run_id', ids))
    .executeTakeFirst();
  return (rows[0]?.points ?? 0) + (waiting?.points ?? 0);
}

async function countFiles(reader: Reader, project: string, owners: readonly string[]): Promise<Partial<PurgeCount>> {
  const row = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_artifacts')
    .select((of) => [
      of.fn.countAll<number>().as('files'),
      of.fn.sum<number | null>('tracking_artifacts.size_bytes').as('bytes'),
    ])
    .where('tracking_artifacts.project', '=', project)
    .where('tracking_artifacts.is_folder', '=', 0)
    .where(inList(reader, 'tracking_artifacts.owner', owners))
    .executeTakeFirst();
  return { files: row?.files ?? 0, sizeBytes: row?.bytes ?? 0 };
}

function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += ownersAtOnce) yield items.slice(at, at + ownersAtOnce);
}

/** What a purge would remove, counted some owners at a time. */
export async function countOf(reader: Reader, project: string, what: Counted): Promise<PurgeTotal> {
  const { experiments, runs, models } = await ownersOf(reader, project, what);
  let counts: PurgeCount = {
    ...nothing,
    experiments: experiments.length,
    runs: runs.length,
    loggedModels: models.length,
  };
  for (const [of, ids] of [
    ['run', runs],
    ['model', models],
  ] as const)
    for (const some of chunks(ids)) {
      if (counts.points > mostPoints) break;
      const points = await countPoints(reader, of, some, mostPoints + 1 - counts.points);
      counts = addCounts(counts, { points });
    }
  const owners = [
    ...experiments.map((id) => formatReference('experiment', id)),
    ...runs.map((id) => formatReference('tracking-run', id)),
    ...models.map((id) => formatReference('logged-model', id)),
  ];
  for (const some of chunks(owners)) counts = addCounts(counts, await countFiles(reader, project, some));
  return { ...counts, points: Math.min(counts.points, mostPoints), pointsAtLeast: counts.points > mostPoints };
}
