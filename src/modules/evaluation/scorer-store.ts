import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { EvaluationTables } from './evaluation-tables.ts';

export interface ScorerVersion {
  readonly scorerId: string;
  readonly experimentId: string;
  readonly name: string;
  readonly version: number;
  /** JSON, as the client wrote it. */
  readonly serialized: string;
  readonly createdMs: number;
}

export interface ScorerSampling {
  readonly configId: string;
  readonly scorerId: string;
  readonly experimentId: string;
  readonly sampleRate: number;
  readonly filter: string | undefined;
}

type ScorerRow = EvaluationTables['evaluation_scorers'];

export function findScorerRow(
  reader: Reader,
  project: string,
  experimentId: string,
  name: string,
): Promise<ScorerRow | undefined> {
  return reader
    .query<EvaluationTables>()
    .selectFrom('evaluation_scorers')
    .select([
      'evaluation_scorers.scorer_id',
      'evaluation_scorers.project',
      'evaluation_scorers.experiment_id',
      'evaluation_scorers.name',
      'evaluation_scorers.last_version',
    ])
    .where('evaluation_scorers.project', '=', project)
    .where('evaluation_scorers.experiment_id', '=', experimentId)
    .where('evaluation_scorers.name', '=', name)
    .executeTakeFirst();
}

export async function putScorer(unit: Unit, row: ScorerRow): Promise<void> {
  await unit
    .query<EvaluationTables>()
    .insertInto('evaluation_scorers')
    .values(row)
    .onConflict((conflict) => conflict.column('scorer_id').doUpdateSet({ last_version: row.last_version }))
    .execute();
}

export async function insertScorerVersion(
  unit: Unit,
  row: EvaluationTables['evaluation_scorer_versions'],
): Promise<void> {
  await unit.query<EvaluationTables>().insertInto('evaluation_scorer_versions').values(row).execute();
}

/** With its versions and sampling. */
export async function deleteScorer(unit: Unit, scorerId: string): Promise<void> {
  await unit
    .query<EvaluationTables>()
    .deleteFrom('evaluation_scorers')
    .where('evaluation_scorers.scorer_id', '=', scorerId)
    .execute();
}

/** False when there was none. */
export async function deleteScorerVersion(unit: Unit, scorerId: string, version: number): Promise<boolean> {
  const { numDeletedRows } = await unit
    .query<EvaluationTables>()
    .deleteFrom('evaluation_scorer_versions')
    .where('evaluation_scorer_versions.scorer_id', '=', scorerId)
    .where('evaluation_scorer_versions.version', '=', version)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** By experiment, name and version. */
export async function listScorerVersions(
  reader: Reader,
  filter: {
    readonly project: string;
    readonly experimentIds?: readonly string[];
    readonly scorerId?: string;
    readonly version?: number;
    /** The highest of each scorer alone. */
    readonly latest?: boolean;
  },
): Promise<readonly ScorerVersion[]> {
  let query = reader
    .query<EvaluationTables>()
    .selectFrom('evaluation_scorer_versions')
    .innerJoin('evaluation_scorers', 'evaluation_scorers.scorer_id', 'evaluation_scorer_versions.scorer_id')
    .select([
      'evaluation_scorers.scorer_id',
      'evaluation_scorers.experiment_id',
      'evaluation_scorers.name',
      'evaluation_scorer_versions.version',
      'evaluation_scorer_versions.serialized',
      'evaluation_scorer_versions.created_ms',
    ])
    .where('evaluation_scorers.project', '=', filter.project);
  if (filter.experimentIds !== undefined)
    query = query.where(inList(reader, 'evaluation_scorers.experiment_id', filter.experimentIds));
  if (filter.scorerId !== undefined) query = query.where('evaluation_scorers.scorer_id', '=', filter.scorerId);
  if (filter.version !== undefined) query = query.where('evaluation_scorer_versions.version', '=', filter.version);
  if (filter.latest)
    query = query.where((versions) =>
      versions(
        'evaluation_scorer_versions.version',
        '=',
        versions
          .selectFrom('evaluation_scorer_versions as newest')
          .select(({ fn }) => fn.max<number>('newest.version').as('version'))
          .whereRef('newest.scorer_id', '=', 'evaluation_scorers.scorer_id'),
      ),
    );
  const rows = await query
    .orderBy('evaluation_scorers.experiment_id')
    .orderBy('evaluation_scorers.name')
    .orderBy('evaluation_scorer_versions.version')
    .execute();
  return rows.map((row) => ({
    scorerId: row.scorer_id,
    experimentId: row.experiment_id,
    name: row.name,
    version: row.version,
    serialized: row.serialized,
    createdMs: row.created_ms,
  }));
}

export async function putSampling(unit: Unit, row: EvaluationTables['evaluation_scorer_sampling']): Promise<void> {
  const { scorer_id: _, ...changed } = row;
  await unit
    .query<EvaluationTables>()
    .insertInto('evaluation_scorer_sampling')
    .values(row)
    .onConflict((conflict) => conflict.column('scorer_id').doUpdateSet(changed))
    .execute();
}

export async function listSampling(
  reader: Reader,
  project: string,
  scorerIds: readonly string[],
): Promise<readonly ScorerSampling[]> {
  const rows = await reader
    .query<EvaluationTables>()
    .selectFrom('evaluation_scorer_sampling')
    .innerJoin('evaluation_scorers', 'evaluation_scorers.scorer_id', 'evaluation_scorer_sampling.scorer_id')
    .select([
      'evaluation_scorer_sampling.config_id',
      'evaluation_scorer_sampling.scorer_id',
      'evaluation_scorer_sampling.sample_rate',
      'evaluation_scorer_sampling.filter_string',
      'evaluation_scorers.experiment_id',
    ])
    .where('evaluation_scorers.project', '=', project)
    .where(inList(reader, 'evaluation_scorer_sampling.scorer_id', scorerIds))
    .orderBy('evaluation_scorer_sampling.scorer_id')
    .execute();
  return rows.map((row) => ({
    configId: row.config_id,
    scorerId: row.scorer_id,
    experimentId: row.experiment_id,
    sampleRate: row.sample_rate,
    filter: row.filter_string ?? undefined,
  }));
}
