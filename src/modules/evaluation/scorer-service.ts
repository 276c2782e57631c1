import { formatReference } from '#contracts/references';
import type { TrackingApi } from '#modules/tracking';
import type { Reader, Unit } from '#platform/database';
import { evaluationErrors } from './evaluation-errors.ts';
import {
  deleteScorer,
  deleteScorerVersion,
  findScorerRow,
  insertScorerVersion,
  listSampling,
  listScorerVersions,
  putSampling,
  putScorer,
  type ScorerSampling,
  type ScorerVersion,
} from './scorer-store.ts';

interface ScorerName {
  readonly project: string;
  readonly experimentId: string;
  readonly name: string;
}

/**
 * Scorers that clients evaluate with, each in an experiment and with versions. What they hold is a text of the client's:
 * it is kept and handed out, and never run here. EVALUATION_EXPERIMENT_NOT_FOUND, _INACTIVE, SCORER_NOT_FOUND.
 */
export interface ScorersApi {
  register(unit: Unit, input: ScorerName & { readonly serialized: string }): Promise<ScorerVersion>;
  /** The newest version of each scorer of an experiment. */
  ofExperiment(reader: Reader, project: string, experimentId: string): Promise<readonly ScorerVersion[]>;
  /** Of these experiments, or of all, those that were deleted left out. */
  ofExperiments(
    reader: Reader,
    project: string,
    experimentIds: readonly string[] | undefined,
  ): Promise<readonly ScorerVersion[]>;
  versions(reader: Reader, name: ScorerName): Promise<readonly ScorerVersion[]>;
  /** The newest when no version is named. */
  version(reader: Reader, name: ScorerName, version: number | undefined): Promise<ScorerVersion>;
  /** All versions when none is named. */
  remove(unit: Unit, name: ScorerName, version: number | undefined): Promise<void>;
  setSampling(
    unit: Unit,
    input: ScorerName & { readonly sampleRate: number; readonly filter: string | undefined },
  ): Promise<ScorerSampling>;
  sampling(reader: Reader, project: string, scorerIds: readonly string[]): Promise<readonly ScorerSampling[]>;
}

const longestName = 256;
const referenceOf = (scorerId: string) => formatReference('scorer', scorerId);
const hexId = (unit: Unit) => unit.newId().replaceAll('-', '');

export function createScorers({ tracking }: { readonly tracking: Pick<TrackingApi, 'lifecycles'> }): ScorersApi {
  async function requireActive(reader: Reader, project: string, experimentId: string): Promise<void> {
    const lifecycle = (await tracking.lifecycles(reader, project, [experimentId])).get(experimentId);
    if (lifecycle === undefined) throw evaluationErrors.EVALUATION_EXPERIMENT_NOT_FOUND(experimentId);
    if (lifecycle !== 'active') throw evaluationErrors.EVALUATION_EXPERIMENT_INACTIVE(experimentId);
  }

  async function getScorer(reader: Reader, { project, experimentId, name }: ScorerName, version?: number) {
    await requireActive(reader, project, experimentId);
    const scorer = await findScorerRow(reader, project, experimentId, name);
    if (scorer === undefined) throw evaluationErrors.SCORER_NOT_FOUND(name, version, experimentId);
    return scorer;
  }

  async function versions(reader: Reader, name: ScorerName): Promise<readonly ScorerVersion[]> {
    const { scorer_id: scorerId } = await getScorer(reader, name);
    const found = await listScorerVersions(reader, { project: name.project, scorerId });
    if (found.length === 0) throw evaluationErrors.SCORER_NOT_FOUND(name.name, undefined, name.experimentId);
    return found;
  }

  return {
    versions,

    async register(unit, { project, experimentId, name, serialized }) {
      if (name.trim() === '')
        throw evaluationErrors.EVALUATION_VALUE_INVALID('Scorer name cannot be empty or contain only whitespace.');
      if (name.length > longestName)
        throw evaluationErrors.EVALUATION_VALUE_INVALID(`a scorer's name has at most ${longestName} characters`);
      await requireActive(unit, project, experimentId);
      const found = await findScorerRow(unit, project, experimentId, name);
      const version = (found?.last_version ?? 0) + 1;
      const scorerId = found?.scorer_id ?? unit.newId();
      await putScorer(unit, { scorer_id: scorerId, project, experiment_id: experimentId, name, last_version: version });
      await insertScorerVersion(unit, { scorer_id: scorerId, version, serialized, created_ms: unit.nowMs });
      const data = { scorerId, name, version, experimentId };
      await unit.emit({ type: 'scorer.registered', project, subject: referenceOf(scorerId), data });
      return { scorerId, experimentId, name, version, serialized, createdMs: unit.nowMs };
    },

    async ofExperiment(reader, project, experimentId) {
      await requireActive(reader, project, experimentId);
      return listScorerVersions(reader, { project, experimentIds: [experimentId], latest: true });
    },

    async ofExperiments(reader, project, experimentIds) {
      const found = await listScorerVersions(reader, {
        project,
        ...(experimentIds !== undefined && { experimentIds }),
        latest: true,
      });
      const ids = [...new Set(found.map((scorer) => scorer.experimentId))];
      const lifecycles = await tracking.lifecycles(reader, project, ids);
      return found.filter((scorer) => lifecycles.get(scorer.experimentId) === 'active');
    },

    async version(reader, name, version) {
      const { scorer_id: scorerId } = await getScorer(reader, name, version);
      const [wanted] = await listScorerVersions(reader, {
        project: name.project,
        scorerId,
        ...(version === undefined ? { latest: true } : { version }),
      });
      if (wanted === undefined) throw evaluationErrors.SCORER_NOT_FOUND(name.name, version, name.experimentId);
      return wanted;
    },

    async remove(unit, name, version) {
      const { scorer_id: scorerId } = await getScorer(unit, name, version);
      if (version === undefined) await deleteScorer(unit, scorerId);
      else if (!(await deleteScorerVersion(unit, scorerId, version)))
        throw evaluationErrors.SCORER_NOT_FOUND(name.name, version, name.experimentId);
      await unit.emit({
        type: 'scorer.removed',
        project: name.project,
        subject: referenceOf(scorerId),
        data: { scorerId, ...(version !== undefined && { version }) },
      });
    },

    async setSampling(unit, { sampleRate, filter, ...name }) {
      if (!(sampleRate >= 0 && sampleRate <= 1))
        throw evaluationErrors.EVALUATION_VALUE_INVALID(`sample_rate must be between 0.0 and 1.0, got ${sampleRate}`);
      const { scorer_id: scorerId } = await getScorer(unit, name);
      const configId = hexId(unit);
      await putSampling(unit, {
        scorer_id: scorerId,
        config_id: configId,
        sample_rate: sampleRate,
        filter_string: filter ?? null,
      });
      return { configId, scorerId, experimentId: name.experimentId, sampleRate, filter };
    },

    sampling: listSampling,
  };
}
