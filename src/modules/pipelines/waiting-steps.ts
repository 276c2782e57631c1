import type { Unit } from '#platform/database';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import { findStepByToken, putRunResult } from './pipelines-store.ts';
import type { OpenRun, RunKeeper } from './run-keeper.ts';
import { emitFinished, inRun } from './run-progress.ts';
import { parseStepReference, type RunBasis, type RunResult, type Step, stepReference } from './run-types.ts';
import { tokenDigest } from './start-waiting.ts';
import type { DueStep } from './wait-store.ts';

export type StepOutcome =
  | { readonly kind: 'succeeded'; readonly result?: RunResult }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** How another program answers a step of `use: external`. */
export interface ExternalAnswer {
  readonly project: string;
  readonly runId: string;
  readonly step: string;
  readonly token: string;
  readonly outcome: 'succeeded' | 'failed';
  readonly reason?: string | undefined;
}

/** A step that an answer came for, and the unit in which its run goes on. */
export interface OpenStep {
  readonly unit: Unit;
  readonly open: OpenRun;
  readonly step: Step;
}

/** Answers to steps that wait: each ends its step once, whoever comes first. */
export interface WaitingSteps {
  /** Answers whether a step waited for it: its run may have been cancelled, or it waited too long. */
  completeStep(unit: Unit, token: string, outcome: StepOutcome): Promise<boolean>;
  /** The same of `register`, by what it waits for: the promotion. */
  answerPromotion(unit: Unit, promotionId: string, outcome: StepOutcome): Promise<boolean>;
  /** RUN_NOT_FOUND, STEP_NOT_FOUND, STEP_NOT_EXTERNAL, STEP_NOT_WAITING, STEP_TOKEN_WRONG. */
  completeExternal(unit: Unit, answer: ExternalAnswer): Promise<Step>;
  /** Of an approval that a step asked for; no effect when it waits no more. */
  decideApproval(
    unit: Unit,
    subject: string,
    decided: { readonly granted: boolean; readonly policy: string; readonly reason: string },
  ): Promise<void>;
  /** An answer that could not be recorded. STEP_NOT_WAITING. */
  refuseAnswer(unit: Unit, promotionId: string, reason: string): Promise<void>;
  refuseDecision(unit: Unit, subject: string, reason: string): Promise<void>;
  /** Its deadline has come; no effect when it was answered meanwhile. */
  expire(unit: Unit, due: DueStep): Promise<void>;
  /** It waits no more: whoever was asked need not answer. */
  release(unit: Unit, run: RunBasis, step: Step, reason: string): Promise<void>;
}

const failed = ({ code, message }: { readonly code: string; readonly message: string }): StepOutcome => ({
  kind: 'failed',
  code,
  message,
});

export function createWaitingSteps(
  deps: Pick<PipelinesDeps, 'approvals'>,
  runs: Pick<RunKeeper, 'open' | 'proceed' | 'fail'>,
): WaitingSteps {
  async function openStep(asking: Unit, runId: string, name: string): Promise<OpenStep | undefined> {
    const open = await runs.open(asking, runId);
    if (open?.steps.states.get(name) !== 'waiting') return undefined;
    const [step] = await open.steps.load([name]);
    return step && { unit: inRun(asking, open.fixed.run), open, step };
  }

  /** The step that waits for this. */
  async function openWaiting(asking: Unit, key: string): Promise<OpenStep | undefined> {
    const found = await findStepByToken(asking, key);
    return found?.state === 'waiting' ? await openStep(asking, found.runId, found.step) : undefined;
  }

  async function answer({ unit, open, step }: OpenStep, outcome: StepOutcome): Promise<void> {
    if (outcome.kind === 'failed') return await runs.fail(unit, open, step, outcome);
    const { run } = open.fixed;
    if (outcome.result !== undefined) await putRunResult(unit, run.id, outcome.result);
    await emitFinished(unit, run, step.name, 'succeeded');
    await runs.proceed(unit, open, { ...step, state: 'succeeded', endedMs: unit.nowMs });
  }

  async function answerKey(unit: Unit, key: string, outcome: StepOutcome): Promise<boolean> {
    const opened = await openWaiting(unit, key);
    if (opened !== undefined) await answer(opened, outcome);
    return opened !== undefined;
  }

  const waiting: WaitingSteps = {
    completeStep: (unit, token, outcome) => answerKey(unit, tokenDigest(token), outcome),

    answerPromotion: answerKey,

    async completeExternal(unit, { project, runId, step: name, token, outcome, reason }) {
      const open = await runs.open(unit, runId);
      if (open === undefined || open.fixed.run.project !== project) throw pipelinesErrors.RUN_NOT_FOUND(runId);
      if (!open.steps.states.has(name)) throw pipelinesErrors.STEP_NOT_FOUND(name, runId);
      const [step] = await open.steps.load([name]);
      const use = open.fixed.run.spec.steps[name]?.use;
      if (step === undefined || use !== 'external') throw pipelinesErrors.STEP_NOT_EXTERNAL(name, use);
      // the token first: of one that is wrong nothing is told but that
      if (step.token !== undefined && step.token !== tokenDigest(token)) throw pipelinesErrors.STEP_TOKEN_WRONG(name);
      if (step.state !== 'waiting') throw pipelinesErrors.STEP_NOT_WAITING(name, step.state);
      const answered: StepOutcome =
        outcome === 'succeeded' ? { kind: 'succeeded' } : failed(pipelinesErrors.STEP_ANSWERED_FAILED(reason));
      await answer({ unit: inRun(unit, open.fixed.run), open, step }, answered);
      return open.steps.get(name);
    },

    async decideApproval(unit, subject, { granted, policy, reason }) {
      const { runId, step } = parseStepReference(subject);
      const opened = await openStep(unit, runId, step);
      if (opened === undefined) return;
      await answer(
        opened,
        granted ? { kind: 'succeeded' } : failed(pipelinesErrors.STEP_APPROVAL_REFUSED(policy, reason)),
      );
    },

    async refuseAnswer(unit, promotionId, reason) {
      const opened = await openWaiting(unit, promotionId);
      if (opened === undefined) throw pipelinesErrors.STEP_NOT_WAITING();
      await answer(opened, failed(pipelinesErrors.STEP_NOT_RECORDED(opened.step.name, reason)));
    },

    async refuseDecision(unit, subject, reason) {
      const { runId, step } = parseStepReference(subject);
      const opened = await openStep(unit, runId, step);
      if (opened !== undefined) await answer(opened, failed(pipelinesErrors.STEP_NOT_RECORDED(step, reason)));
    },

    async expire(asking, { runId, step: name }) {
      const opened = await openStep(asking, runId, name);
      if (opened?.step.deadlineMs === undefined || opened.step.deadlineMs > asking.nowMs) return;
      const { run } = opened.open.fixed;
      const { use = '', timeout = '' } = run.spec.steps[name] ?? {};
      const over = pipelinesErrors.STEP_WAIT_OVER(use, timeout);
      await waiting.release(opened.unit, run, opened.step, over.message);
      await answer(opened, failed(over));
    },

    async release(unit, run, step, reason) {
      if (run.spec.steps[step.name]?.use === 'approve')
        await deps.approvals.withdraw(unit, {
          project: run.project,
          subject: stepReference(run.id, step.name),
          reason,
        });
    },
  };
  return waiting;
}
