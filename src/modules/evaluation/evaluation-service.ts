import type { EvaluationResult } from '#contracts/evaluation';
import { type Job, type JobsApi, type Json, workerWork } from '#modules/jobs';
import type { RegistryApi } from '#modules/registry';
import type { Unit } from '#platform/database';
import { type Evaluation, endEvaluation, findEvaluation, insertEvaluation } from './evaluation-store.ts';
import { decideGate, overallVerdict } from './gate-rules.ts';

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
  readonly registry: Pick<RegistryApi, 'version' | 'alias' | 'decideCheck'>;
}

/** How the worker's numbers are compared: paired, on the same rows. */
const resamples = 500;
const seed = 20130101;

export function createEvaluationService({ jobs, registry }: EvaluationDeps): EvaluationApi & {
  jobFinished(unit: Unit, job: Job): Promise<void>;
} {
  return {
    async judge(unit, judgement) {
      const { project, model, version, alias } = judgement;
      const candidate = await registry.version(unit, project, model, version);
      const current = await registry.alias(unit, project, model, alias);
      const champion =
        current === undefined || current.version === version
          ? undefined
          : await registry.version(unit, project, model, current.version);
      const id = unit.newId();
      const jobId = await jobs.submit(unit, {
        project,
        owner: `promotion:${judgement.promotionId}`,
        tag: 'evaluation.judge',
        data: { evaluationId: id },
        work: workerWork('evaluate', {
          candidate: `blob:${candidate?.digest ?? ''}`,
          ...(champion?.digest !== undefined && { champion: `blob:${champion.digest}` }),
          testPaths: [`blob:${judgement.test.sha256}`],
          label: judgement.label,
          score: judgement.predicts.score,
          ...(judgement.metrics !== undefined && { metricsPath: `blob:${judgement.metrics}` }),
          resamples,
          seed,
        }),
      });
      await insertEvaluation(unit, {
        id,
        project,
        promotionId: judgement.promotionId,
        model,
        version,
        alias,
        championVersion: champion?.version,
        gates: judgement.gates,
        testReference: judgement.test.reference,
        label: judgement.label,
        jobId,
      });
      return id;
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
    const decisions = evaluation.gates.map((gate) => decideGate(gate, result));
    const verdict = overallVerdict(decisions, result.champion !== undefined);
    if (!(await endEvaluation(unit, evaluation.id, { state: 'decided', verdict, result, decisions }))) return;
    for (const decision of decisions)
      await registry.decideCheck(unit, {
        project: evaluation.project,
        promotionId: evaluation.promotionId,
        check: `gate:${decision.gate}`,
        satisfied: decision.verdict === 'first' || decision.verdict === 'passed',
        verdict: decision.verdict,
        evidence: JSON.parse(JSON.stringify({ evaluation: evaluation.id, decision, result })) as Json,
      });
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
