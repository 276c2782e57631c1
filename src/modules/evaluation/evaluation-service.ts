import { comparesWithChampion, type EvaluationResult } from '#contracts/evaluation';
import type { WorkerTaskInput } from '#contracts/worker';
import { type Job, type JobsApi, type Json, workerWork } from '#modules/jobs';
import type { RegistryApi } from '#modules/registry';
import type { Reader, Unit } from '#platform/database';
import { evaluationErrors } from './evaluation-errors.ts';
import {
  type Evaluation,
  endEvaluation,
  findEvaluation,
  findLatestEvaluation,
  insertEvaluation,
  type NewEvaluation,
} from './evaluation-store.ts';
import { decideGate, overallVerdict } from './gate-rules.ts';
import { type TrainingTime, trainingTimeOf } from './training-time.ts';

export interface Judgement {
  readonly project: string;
  readonly promotionId: string;
  readonly model: string;
  readonly version: number;
  readonly alias: string;
  /** Test rows, one Parquet file, that neither candidate nor champion was trained on. */
  readonly test: { readonly sha256: string; readonly reference: string | undefined };
  /** SQL expression over the test rows; null means never known. */
  readonly label: string;
  /** Column of the test rows that says when each was, if one is known. */
  readonly time: string | undefined;
  readonly predicts: { readonly kind: 'binary'; readonly score: string };
  readonly gates: readonly string[];
  /** Digest of the user's own JSON `{ name: number }`. */
  readonly metrics: string | undefined;
}

/** The door of `evaluation`. */
export interface EvaluationApi {
  /**
   * Has candidate and champion scored on the same test rows and every gate decided by the numbers. The promotion's
   * checks `gate:<expression>` are satisfied or refused when the event `gate.decided` is written, in one unit.
   */
  judge(unit: Unit, judgement: Judgement): Promise<string>;
}

export interface EvaluationDeps {
  readonly jobs: Pick<JobsApi, 'submit' | 'get'>;
  readonly registry: Pick<RegistryApi, 'version' | 'alias' | 'decideCheck' | 'deferCheck'>;
}

type EvaluateInput = WorkerTaskInput<'evaluate'>;

/** How the worker's numbers are compared: paired, on the same rows. */
const resamples = 500;
const seed = 20130101;

export function createEvaluationService({ jobs, registry }: EvaluationDeps): EvaluationApi & {
  jobFinished(unit: Unit, job: Job): Promise<void>;
  /** The alias names another version: what was compared with the one before is judged again. */
  promotionReopened(unit: Unit, project: string, promotionId: string): Promise<void>;
} {
  /** What the alias names beside the version itself. */
  async function championOf(
    reader: Reader,
    { project, model, version, alias }: Pick<Evaluation, 'project' | 'model' | 'version' | 'alias'>,
  ): Promise<number | undefined> {
    const current = await registry.alias(reader, project, model, alias);
    return current?.version === version ? undefined : current?.version;
  }

  /** What is scored, and how far it was trained. */
  async function scored(
    reader: Reader,
    { project, model }: Pick<Evaluation, 'project' | 'model'>,
    version: number | undefined,
  ): Promise<{ readonly path?: string; readonly trained?: TrainingTime }> {
    const found = version === undefined ? undefined : await registry.version(reader, project, model, version);
    if (found?.digest === undefined) return {};
    const trained = trainingTimeOf(found.signature);
    return { path: `blob:${found.digest}`, ...(trained && { trained }) };
  }

  async function begin(
    unit: Unit,
    evaluation: Omit<NewEvaluation, 'id' | 'jobId' | 'championVersion'>,
    input: Omit<EvaluateInput, 'candidate' | 'champion' | 'trained'>,
  ): Promise<string> {
    const championVersion = await championOf(unit, evaluation);
    const candidate = await scored(unit, evaluation, evaluation.version);
    const champion = await scored(unit, evaluation, championVersion);
    const id = unit.newId();
    const jobId = await jobs.submit(unit, {
      project: evaluation.project,
      owner: `promotion:${evaluation.promotionId}`,
      tag: 'evaluation.judge',
      data: { evaluationId: id },
      work: workerWork('evaluate', {
        ...input,
        candidate: candidate.path ?? '',
        ...(champion.path !== undefined && { champion: champion.path }),
        trained: {
          ...(candidate.trained && { candidate: candidate.trained }),
          ...(champion.trained && { champion: champion.trained }),
        },
      }),
    });
    await insertEvaluation(unit, { ...evaluation, id, jobId, championVersion });
    return id;
  }

  /** The same rows and gates, against what the alias names now. */
  async function beginAgain(unit: Unit, evaluation: Evaluation): Promise<void> {
    const { work } = await jobs.get(unit, evaluation.jobId);
    if (work.kind !== 'worker') return;
    const {
      candidate: _candidate,
      champion: _before,
      trained: _trained,
      ...input
    } = work.input as unknown as EvaluateInput;
    await begin(unit, evaluation, input);
  }

  return {
    async judge(unit, { predicts, metrics, test, time, ...judgement }) {
      return await begin(
        unit,
        { ...judgement, testReference: test.reference },
        {
          testPaths: [`blob:${test.sha256}`],
          label: judgement.label,
          score: predicts.score,
          ...(time !== undefined && { time }),
          ...(metrics !== undefined && { metricsPath: `blob:${metrics}` }),
          resamples,
          seed,
        },
      );
    },

    async promotionReopened(unit, project, promotionId) {
      const evaluation = await findLatestEvaluation(unit, project, promotionId);
      // One that is under way sees for itself that the champion has changed.
      if (evaluation !== undefined && evaluation.state !== 'pending') await beginAgain(unit, evaluation);
    },

    async jobFinished(unit, job) {
      const { evaluationId } = job.data as { readonly evaluationId: string };
      const evaluation = await findEvaluation(unit, evaluationId);
      if (evaluation?.state !== 'pending') return;
      if (job.state === 'succeeded' && job.result?.output !== undefined)
        await decide(unit, evaluation, job.result.output as unknown as EvaluationResult);
      else
        await refuse(
          unit,
          evaluation,
          job.error ?? { code: 'EVALUATION_LOST', message: 'the evaluation left no result' },
        );
    },
  };

  async function decide(unit: Unit, evaluation: Evaluation, result: EvaluationResult): Promise<void> {
    const { championVersion, gates } = evaluation;
    const compares = gates.some((gate) => comparesWithChampion(`gate:${gate}`));
    if (compares && (await championOf(unit, evaluation)) !== championVersion) {
      const { code, message } = evaluationErrors.EVALUATION_SUPERSEDED(evaluation.alias);
      const error = { code, message };
      if (await endEvaluation(unit, evaluation.id, { state: 'failed', verdict: 'superseded', decisions: [], error }))
        await beginAgain(unit, evaluation);
      return;
    }
    const decisions = gates.map((gate) => decideGate(gate, result, championVersion));
    const verdict = overallVerdict(decisions, championVersion !== undefined);
    if (!(await endEvaluation(unit, evaluation.id, { state: 'decided', verdict, result, decisions }))) return;
    for (const decision of decisions) {
      const check = {
        project: evaluation.project,
        promotionId: evaluation.promotionId,
        check: `gate:${decision.gate}`,
        verdict: decision.verdict,
        evidence: JSON.parse(JSON.stringify({ evaluation: evaluation.id, decision, result })) as Json,
      };
      if (decision.waitsFor === 'person') await registry.deferCheck(unit, check);
      else
        await registry.decideCheck(unit, {
          ...check,
          satisfied: decision.verdict === 'first' || decision.verdict === 'passed',
        });
    }
    await emitDecided(unit, evaluation, verdict, result.n);
  }

  async function refuse(
    unit: Unit,
    evaluation: Evaluation,
    error: { readonly code: string; readonly message: string },
  ): Promise<void> {
    if (!(await endEvaluation(unit, evaluation.id, { state: 'failed', verdict: 'error', decisions: [], error })))
      return;
    for (const gate of evaluation.gates)
      await registry.decideCheck(unit, {
        project: evaluation.project,
        promotionId: evaluation.promotionId,
        check: `gate:${gate}`,
        satisfied: false,
        verdict: 'error',
        evidence: { evaluation: evaluation.id, error: error.message },
      });
    await emitDecided(unit, evaluation, 'error', 0);
  }
}

async function emitDecided(unit: Unit, evaluation: Evaluation, verdict: string, n: number): Promise<void> {
  await unit.emit({
    type: 'gate.decided',
    project: evaluation.project,
    subject: `model:${evaluation.model}@${evaluation.version}`,
    data: { promotionId: evaluation.promotionId, model: evaluation.model, version: evaluation.version, verdict, n },
  });
}
