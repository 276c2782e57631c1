import type { FastifyInstance } from 'fastify';
import {
  getModel,
  getModelVersion,
  getPromotion,
  listModels,
  listModelVersions,
  listPromotions,
  listPrompts,
  type ModelVersionView,
  type PromotionView,
  type RegisteredModelView,
  removeModelAlias,
  setModelAlias,
} from '#contracts/registry';
import { toRfc3339 } from '#contracts/rfc3339';
import type { Database, Reader } from '#platform/database';
import { registerOperation } from '#platform/http';
import { isPrompt } from './prompt-rule.ts';
import type { RegistryApi } from './registry-api.ts';
import { registryErrors } from './registry-errors.ts';
import type { ModelVersion, Promotion, RegisteredModel } from './registry-types.ts';

function toModelView(model: RegisteredModel): RegisteredModelView {
  return {
    name: model.name,
    description: model.description,
    createdAt: toRfc3339(model.createdMs),
    updatedAt: toRfc3339(model.updatedMs),
    ...(isPrompt(model.tags) && { prompt: true as const }),
    tags: [...model.tags],
    aliases: [...model.aliases],
  };
}

function toVersionView(version: ModelVersion): ModelVersionView {
  return {
    model: version.model,
    version: version.version,
    ...(version.digest !== undefined && { digest: version.digest }),
    ...(version.runtime !== undefined && { runtime: version.runtime }),
    stage: version.stage,
    aliases: [...version.aliases],
    tags: [...version.tags],
    description: version.description,
    ...(version.source !== '' && { source: version.source }),
    files: [...version.files],
    ...(version.signature !== undefined && { signature: version.signature }),
    ...(version.predicts !== undefined && { predicts: version.predicts }),
    ...(version.trainRef !== undefined && { train: version.trainRef }),
    ...(version.testRef !== undefined && { test: version.testRef }),
    ...(version.runRef !== undefined && { run: version.runRef }),
    ...(version.trackingRunId !== undefined && { trackingRun: version.trackingRunId }),
    createdBy: version.createdBy,
    createdAt: toRfc3339(version.createdMs),
  };
}

function toPromotionView(promotion: Promotion): PromotionView {
  return {
    id: promotion.promotionId,
    model: promotion.model,
    version: promotion.version,
    alias: promotion.alias,
    state: promotion.state,
    ...(promotion.previousVersion !== undefined && { previousVersion: promotion.previousVersion }),
    reason: promotion.reason,
    createdBy: promotion.createdBy,
    createdAt: toRfc3339(promotion.createdMs),
    ...(promotion.endedMs !== undefined && { endedAt: toRfc3339(promotion.endedMs) }),
    checks: promotion.checks.map((check) => ({
      name: check.name,
      state: check.state,
      verdict: check.verdict,
      ...(check.evidence !== undefined && { evidence: check.evidence }),
      ...(check.approvalId !== undefined && { approvalId: check.approvalId }),
      ...(check.decidedBy !== undefined && { decidedBy: check.decidedBy }),
      ...(check.decidedMs !== undefined && { decidedAt: toRfc3339(check.decidedMs) }),
    })),
  };
}

export function registerRegistryRoutes(app: FastifyInstance, database: Database, api: RegistryApi): void {
  async function modelView(reader: Reader, project: string, name: string) {
    const model = await api.model(reader, project, name);
    if (model === undefined) throw registryErrors.MODEL_NOT_FOUND(name);
    return toModelView(model);
  }

  async function modelPage(
    project: string,
    kind: 'model' | 'prompt',
    { limit = 50, cursor }: { readonly limit?: number; readonly cursor?: string },
  ) {
    const { items, next } = await api.models(database.read, project, { limit, cursor, kind });
    return { items: items.map(toModelView), ...(next !== undefined && { next }) };
  }

  registerOperation(app, listModels, async ({ query, context }, answer) =>
    answer(200, await modelPage(context.project, 'model', query)),
  );

  registerOperation(app, listPrompts, async ({ query, context }, answer) =>
    answer(200, await modelPage(context.project, 'prompt', query)),
  );

  registerOperation(app, getModel, async ({ params, context }, answer) =>
    answer(200, await modelView(database.read, context.project, params.model)),
  );

  registerOperation(app, listModelVersions, async ({ params, query, context }, answer) => {
    const page = await api.versions(database.read, context.project, params.model, {
      limit: query.limit ?? 50,
      cursor: query.cursor,
    });
    if (page === undefined) throw registryErrors.MODEL_NOT_FOUND(params.model);
    return answer(200, { items: page.items.map(toVersionView), ...(page.next !== undefined && { next: page.next }) });
  });

  registerOperation(app, getModelVersion, async ({ params, context }, answer) => {
    const version = await api.version(database.read, context.project, params.model, params.at);
    if (version === undefined) throw registryErrors.MODEL_VERSION_NOT_FOUND(params.model, params.at);
    return answer(200, toVersionView(version));
  });

  registerOperation(app, setModelAlias, async ({ params, body, context }, answer) =>
    answer(
      200,
      await database.write(context.write, async (unit) => {
        const { project } = context;
        await api.setAlias(unit, { project, model: params.model, alias: params.alias, version: body.version });
        return modelView(unit, project, params.model);
      }),
    ),
  );

  registerOperation(app, removeModelAlias, async ({ params, context }, answer) =>
    answer(
      200,
      await database.write(context.write, async (unit) => {
        await api.deleteAlias(unit, { project: context.project, model: params.model, alias: params.alias });
        return modelView(unit, context.project, params.model);
      }),
    ),
  );

  registerOperation(app, listPromotions, async ({ query, context }, answer) => {
    const page = await api.promotions(database.read, context.project, {
      limit: query.limit ?? 50,
      cursor: query.cursor,
      model: query.model,
      state: query.state,
    });
    return answer(200, { items: page.items.map(toPromotionView), ...(page.next !== undefined && { next: page.next }) });
  });

  registerOperation(app, getPromotion, async ({ params, context }, answer) => {
    const promotion = await api.promotion(database.read, context.project, params.promotionId);
    if (promotion === undefined) throw registryErrors.PROMOTION_NOT_FOUND(params.promotionId);
    return answer(200, toPromotionView(promotion));
  });
}
