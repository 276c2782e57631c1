import type { RolloutState } from '#contracts/rollouts';
import type { Origin, Reader, Unit } from '#platform/database';
import { fromBit, parseJson, toBit } from '#platform/sql';
import type { Baseline, RolloutPlan, Weight } from './rollout-rules.ts';
import type { RolloutRow, RolloutsTables } from './rollouts-tables.ts';

export interface Rollout {
  readonly id: string;
  readonly project: string;
  readonly deployment: string;
  readonly model: string;
  readonly version: number;
  readonly revision: string;
  readonly state: RolloutState;
  readonly reason: string;
  /** The complete set before; empty for the first revision. */
  readonly from: readonly Weight[];
  readonly promotionId: string | undefined;
  readonly plan: RolloutPlan;
  /** -1 before the first. */
  readonly step: number;
  readonly first: Baseline | undefined;
  readonly current: Baseline | undefined;
  readonly failedMs: number | undefined;
  readonly previousWarm: boolean;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  /** What led to it; what replicas report about it later follows from that. */
  readonly origin: Origin;
}

const columns = [
  'rollouts.rollout',
  'rollouts.project',
  'rollouts.deployment',
  'rollouts.model',
  'rollouts.version',
  'rollouts.revision',
  'rollouts.state',
  'rollouts.reason',
  'rollouts.from_weights',
  'rollouts.promotion_id',
  'rollouts.plan',
  'rollouts.step',
  'rollouts.first_baseline',
  'rollouts.step_baseline',
  'rollouts.failed_ms',
  'rollouts.previous_warm',
  'rollouts.started_ms',
  'rollouts.ended_ms',
  'rollouts.cause',
  'rollouts.cause_depth',
] as const;

function rowToRollout(row: RolloutRow): Rollout {
  return {
    id: row.rollout,
    project: row.project,
    deployment: row.deployment,
    model: row.model,
    version: row.version,
    revision: row.revision,
    state: row.state,
    reason: row.reason,
    from: parseJson<readonly Weight[]>(row.from_weights),
    promotionId: row.promotion_id ?? undefined,
    plan: parseJson<RolloutPlan>(row.plan),
    step: row.step,
    first: parseBaseline(row.first_baseline),
    current: parseBaseline(row.step_baseline),
    failedMs: row.failed_ms ?? undefined,
    previousWarm: fromBit(row.previous_warm),
    startedMs: row.started_ms,
    endedMs: row.ended_ms ?? undefined,
    origin: { cause: row.cause ?? undefined, causeDepth: row.cause_depth ?? undefined },
  };
}

/** What is undefined is not in JSON: it is put back, so that the type tells the truth. */
function parseBaseline(text: string | null): Baseline | undefined {
  const found = parseJson<Baseline>(text);
  return (
    found && {
      clockMs: found.clockMs,
      counters: { ...found.counters, maxEventTimeMs: found.counters.maxEventTimeMs },
    }
  );
}

const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value));

function rolloutToRow(rollout: Rollout): RolloutRow {
  return {
    rollout: rollout.id,
    project: rollout.project,
    deployment: rollout.deployment,
    model: rollout.model,
    version: rollout.version,
    revision: rollout.revision,
    state: rollout.state,
    reason: rollout.reason,
    from_weights: JSON.stringify(rollout.from),
    promotion_id: rollout.promotionId ?? null,
    plan: JSON.stringify(rollout.plan),
    step: rollout.step,
    first_baseline: json(rollout.first),
    step_baseline: json(rollout.current),
    failed_ms: rollout.failedMs ?? null,
    previous_warm: toBit(rollout.previousWarm),
    started_ms: rollout.startedMs,
    ended_ms: rollout.endedMs ?? null,
    cause: rollout.origin.cause ?? null,
    cause_depth: rollout.origin.causeDepth ?? null,
  };
}

const select = (reader: Reader) => reader.query<RolloutsTables>().selectFrom('rollouts').select(columns);

export async function findRollout(reader: Reader, project: string, id: string): Promise<Rollout | undefined> {
  const row = await select(reader)
    .where('rollouts.project', '=', project)
    .where('rollouts.rollout', '=', id)
    .executeTakeFirst();
  return row && rowToRollout(row);
}

/** Newest first. */
export async function listRollouts(
  reader: Reader,
  filter: {
    readonly project: string;
    readonly deployment?: string | undefined;
    readonly state?: RolloutState | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  },
): Promise<readonly Rollout[]> {
  let query = select(reader)
    .where('rollouts.project', '=', filter.project)
    .orderBy('rollouts.rollout', 'desc')
    .limit(filter.limit);
  if (filter.deployment !== undefined) query = query.where('rollouts.deployment', '=', filter.deployment);
  if (filter.state !== undefined) query = query.where('rollouts.state', '=', filter.state);
  if (filter.before !== undefined) query = query.where('rollouts.rollout', '<', filter.before);
  return (await query.execute()).map(rowToRollout);
}

export async function findLatest(reader: Reader, project: string, deployment: string): Promise<Rollout | undefined> {
  return (await listRollouts(reader, { project, deployment, limit: 1 }))[0];
}

/** The rollout that reports still concern: under way, or complete with the set before kept warm. */
export async function findActive(reader: Reader, project: string, deployment: string): Promise<Rollout | undefined> {
  const latest = await findLatest(reader, project, deployment);
  return latest !== undefined && isActive(latest) ? latest : undefined;
}

export const isUnderWay = ({ state }: Pick<Rollout, 'state'>): boolean => state === 'warming' || state === 'stepping';
export const isUndone = ({ state }: Pick<Rollout, 'state'>): boolean => state === 'aborted' || state === 'rolled-back';
export const isActive = (rollout: Pick<Rollout, 'state' | 'previousWarm'>): boolean =>
  isUnderWay(rollout) || (rollout.state === 'completed' && rollout.previousWarm);

export async function insertRollout(unit: Unit, rollout: Rollout): Promise<void> {
  await unit.query<RolloutsTables>().insertInto('rollouts').values(rolloutToRow(rollout)).execute();
}

/** Writes a transition; throws when the rollout is no longer in the state that it was read in, so that the unit is undone. */
export async function updateRollout(unit: Unit, before: Rollout, after: Rollout): Promise<void> {
  const {
    rollout: _rollout,
    project: _project,
    deployment: _deployment,
    plan: _plan,
    started_ms: _started,
    ...changes
  } = rolloutToRow(after);
  const { numUpdatedRows } = await unit
    .query<RolloutsTables>()
    .updateTable('rollouts')
    .set(changes)
    .where('rollouts.rollout', '=', before.id)
    .where('rollouts.state', '=', before.state)
    .where('rollouts.step', '=', before.step)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new Error(`rollout ${before.id} changed under the hand`);
}
