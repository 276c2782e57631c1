import type { Reader, Unit } from '#platform/database';
import { inList, parseJson, toBit } from '#platform/sql';
import type { LoggedRevision, NewRevision } from './predictions-api.ts';
import type { PredictionsTables, RevisionRow } from './predictions-tables.ts';
import { parseTraining } from './training-profile.ts';

export interface Endpoint {
  readonly project: string;
  readonly endpoint: string;
  readonly replay: boolean;
  readonly settledMs: number | undefined;
  readonly truthVersion: number;
  readonly unmatched: number;
}

const endpointColumns = [
  'prediction_endpoints.project',
  'prediction_endpoints.endpoint',
  'prediction_endpoints.replay',
  'prediction_endpoints.settled_ms',
  'prediction_endpoints.truth_version',
  'prediction_endpoints.unmatched',
] as const;

const rowToEndpoint = (row: PredictionsTables['prediction_endpoints']): Endpoint => ({
  project: row.project,
  endpoint: row.endpoint,
  replay: row.replay === 1,
  settledMs: row.settled_ms ?? undefined,
  truthVersion: row.truth_version,
  unmatched: row.unmatched,
});

export async function findEndpoint(reader: Reader, project: string, endpoint: string): Promise<Endpoint | undefined> {
  const row = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_endpoints')
    .select(endpointColumns)
    .where('prediction_endpoints.project', '=', project)
    .where('prediction_endpoints.endpoint', '=', endpoint)
    .executeTakeFirst();
  return row && rowToEndpoint(row);
}

export async function listEndpoints(reader: Reader, project?: string): Promise<readonly Endpoint[]> {
  let query = reader
    .query<PredictionsTables>()
    .selectFrom('prediction_endpoints')
    .select(endpointColumns)
    .orderBy('prediction_endpoints.project')
    .orderBy('prediction_endpoints.endpoint');
  if (project !== undefined) query = query.where('prediction_endpoints.project', '=', project);
  return (await query.execute()).map(rowToEndpoint);
}

/** Makes the endpoint when it is not known; `replay` is changed when it is given. */
export async function ensureEndpoint(unit: Unit, project: string, endpoint: string, replay?: boolean): Promise<void> {
  await unit
    .query<PredictionsTables>()
    .insertInto('prediction_endpoints')
    .values({ project, endpoint, replay: toBit(replay ?? false), settled_ms: null, truth_version: 0, unmatched: 0 })
    .onConflict((conflict) => conflict.columns(['project', 'endpoint']).doNothing())
    .execute();
  if (replay === undefined) return;
  await unit
    .query<PredictionsTables>()
    .updateTable('prediction_endpoints')
    .set({ replay: toBit(replay) })
    .where('prediction_endpoints.project', '=', project)
    .where('prediction_endpoints.endpoint', '=', endpoint)
    .where('prediction_endpoints.replay', '!=', toBit(replay))
    .execute();
}

export async function setSettled(unit: Unit, project: string, endpoint: string, settledMs: number): Promise<void> {
  await unit
    .query<PredictionsTables>()
    .updateTable('prediction_endpoints')
    .set({ settled_ms: settledMs })
    .where('prediction_endpoints.project', '=', project)
    .where('prediction_endpoints.endpoint', '=', endpoint)
    .execute();
}

/** False when another writer of truth came first. */
export async function advanceTruth(
  unit: Unit,
  { project, endpoint, truthVersion }: Endpoint,
  unmatched = 0,
): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<PredictionsTables>()
    .updateTable('prediction_endpoints')
    .set((set) => ({ truth_version: truthVersion + 1, unmatched: set('unmatched', '+', unmatched) }))
    .where('prediction_endpoints.project', '=', project)
    .where('prediction_endpoints.endpoint', '=', endpoint)
    .where('prediction_endpoints.truth_version', '=', truthVersion)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

const revisionColumns = [
  'prediction_revisions.project',
  'prediction_revisions.endpoint',
  'prediction_revisions.revision',
  'prediction_revisions.model',
  'prediction_revisions.version',
  'prediction_revisions.score',
  'prediction_revisions.profile',
  'prediction_revisions.registered_ms',
] as const;

const rowToRevision = (row: RevisionRow): LoggedRevision => ({
  project: row.project,
  endpoint: row.endpoint,
  revision: row.revision,
  model: row.model,
  version: row.version,
  score: row.score ?? undefined,
  training: parseTraining(parseJson<unknown>(row.profile)),
  registeredMs: row.registered_ms,
});

export async function insertRevision(unit: Unit, revision: NewRevision): Promise<void> {
  const { project, endpoint, signature } = revision;
  const train =
    typeof signature === 'object' && signature !== null && 'train' in signature ? signature.train : undefined;
  await unit
    .query<PredictionsTables>()
    .insertInto('prediction_revisions')
    .values({
      project,
      endpoint,
      revision: revision.revision,
      model: revision.model,
      version: revision.version,
      score: revision.score ?? null,
      profile: train === undefined ? null : JSON.stringify(train),
      registered_ms: unit.nowMs,
    })
    .onConflict((conflict) => conflict.columns(['project', 'endpoint', 'revision']).doNothing())
    .execute();
}

export async function listRevisions(
  reader: Reader,
  project: string,
  endpoint: string,
): Promise<readonly LoggedRevision[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_revisions')
    .select(revisionColumns)
    .where('prediction_revisions.project', '=', project)
    .where('prediction_revisions.endpoint', '=', endpoint)
    .orderBy('prediction_revisions.registered_ms')
    .orderBy('prediction_revisions.revision')
    .execute();
  return rows.map(rowToRevision);
}

export async function listRevisionsNamed(
  reader: Reader,
  revisions: readonly string[],
): Promise<readonly LoggedRevision[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_revisions')
    .select(revisionColumns)
    .where(inList(reader, 'prediction_revisions.revision', revisions))
    .execute();
  return rows.map(rowToRevision);
}
