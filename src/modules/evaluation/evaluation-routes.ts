import type { FastifyInstance } from 'fastify';
import { type EvaluationView, getEvaluation, listEvaluations } from '#contracts/evaluation';
import { defaultPageLimit } from '#contracts/page';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, toPage } from '#platform/sql';
import { evaluationErrors } from './evaluation-errors.ts';
import { type Evaluation, findEvaluation, listEvaluations as listStored } from './evaluation-store.ts';

export function registerEvaluationRoutes(app: FastifyInstance, { database }: { readonly database: Database }): void {
  registerOperation(app, listEvaluations, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultPageLimit;
    const found = await listStored(database.read, {
      project: context.project,
      limit: limit + 1,
      ...(query.model !== undefined && { model: query.model }),
      ...(query.cursor !== undefined && { beforeId: String(decodeCursor(query.cursor)[0]) }),
    });
    const { shown, ...more } = toPage(found, limit, (last) => [last.id]);
    return answer(200, { items: shown.map(toView), ...more });
  });

  registerOperation(app, getEvaluation, async ({ params, context }, answer) => {
    const found = await findEvaluation(database.read, params.evaluationId);
    if (found?.project !== context.project) throw evaluationErrors.EVALUATION_NOT_FOUND(params.evaluationId);
    return answer(200, toView(found));
  });
}

function toView(evaluation: Evaluation): EvaluationView {
  return {
    id: evaluation.id,
    model: evaluation.model,
    version: evaluation.version,
    ...(evaluation.championVersion !== undefined && { championVersion: evaluation.championVersion }),
    promotionId: evaluation.promotionId,
    state: evaluation.state,
    ...(evaluation.verdict !== undefined && { verdict: evaluation.verdict }),
    ...(evaluation.testReference !== undefined && { test: evaluation.testReference }),
    label: evaluation.label,
    ...(evaluation.result && { result: evaluation.result }),
    gates: [...evaluation.decisions],
    ...(evaluation.error && { error: evaluation.error }),
    createdAt: new Date(evaluation.createdMs).toISOString(),
    ...(evaluation.endedMs !== undefined && { endedAt: new Date(evaluation.endedMs).toISOString() }),
  };
}
