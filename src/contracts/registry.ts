import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';

/**
 * Why an alias moved: `promoted` (the last required check was satisfied), `rolled-back` (a promotion was reverted; whoever
 * follows the alias returns at once to what it served before), `set` (by hand), `removed` (by hand, or its version was deleted).
 */
export type AliasMoveReason = 'promoted' | 'rolled-back' | 'set' | 'removed';

/** Prompts live in the registry too, as models with a tag of MLflow's; who hears of one is told that it is none. */
const prompt = Type.Optional(Type.Literal(true, { description: 'it is a prompt' }));
const ofVersion = { model: Type.String(), version: Type.Integer(), prompt };

export const registryEvents = defineEvents({
  'model.created': Type.Object({ model: Type.String(), prompt }),
  'model.tag.set': Type.Object({ model: Type.String(), key: Type.String(), prompt }),
  'model.tag.deleted': Type.Object({ model: Type.String(), key: Type.String(), prompt }),
  'model.version.created': Type.Object(ofVersion),
  'model.version.tag.set': Type.Object({ ...ofVersion, key: Type.String() }),
  'model.version.tag.deleted': Type.Object({ ...ofVersion, key: Type.String() }),
  'model.version.proposed': Type.Object({
    model: Type.String(),
    version: Type.Integer(),
    promotionId: Type.String(),
    alias: Type.String(),
    digest: Type.String(),
  }),
  'promotion.check.decided': Type.Object({
    promotionId: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
    check: Type.String(),
    satisfied: Type.Boolean(),
    verdict: Type.String(),
  }),
  'promotion.reopened': Type.Object({
    promotionId: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
    alias: Type.String(),
    checks: Type.Array(Type.String(), { description: 'checks that are decided anew' }),
    reason: Type.String(),
  }),
  'promotion.completed': Type.Object({
    promotionId: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
    alias: Type.String(),
  }),
  'promotion.rejected': Type.Object({
    promotionId: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
    alias: Type.String(),
    reason: Type.String(),
  }),
  'promotion.rolled-back': Type.Object({
    promotionId: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
    alias: Type.String(),
    reason: Type.String(),
  }),
  'registry.alias.moved': Type.Object({
    model: Type.String(),
    alias: Type.String(),
    from: Type.Optional(Type.Integer()),
    to: Type.Optional(Type.Integer()),
    reason: Type.String(),
    prompt,
  }),
});

const Instant = Type.String({ format: 'date-time' });
const TagView = Type.Object({ key: Type.String(), value: Type.String() });

/** A registered model. */
export const RegisteredModelView = Type.Object({
  name: Type.String(),
  description: Type.String(),
  createdAt: Instant,
  updatedAt: Instant,
  prompt,
  tags: Type.Array(TagView),
  aliases: Type.Array(Type.Object({ alias: Type.String(), version: Type.Integer() })),
});
export type RegisteredModelView = Static<typeof RegisteredModelView>;

/** One version of a model; its identity is (model, digest). */
export const ModelVersionView = Type.Object({
  model: Type.String(),
  version: Type.Integer(),
  digest: Type.Optional(Type.String({ description: 'sha256 of the main file' })),
  runtime: Type.Optional(Type.String()),
  stage: Type.String(),
  aliases: Type.Array(Type.String()),
  tags: Type.Array(TagView),
  description: Type.String(),
  source: Type.Optional(Type.String({ description: 'where it was registered from, when not proposed by a pipeline' })),
  files: Type.Array(Type.Object({ path: Type.String(), sha256: Type.String(), sizeBytes: Type.Integer() })),
  signature: Type.Optional(Type.Unknown()),
  predicts: Type.Optional(Type.Unknown()),
  train: Type.Optional(Type.String({ description: 'reference of the rows it was trained on' })),
  test: Type.Optional(Type.String({ description: 'reference of the rows it is judged on' })),
  run: Type.Optional(Type.String({ description: 'reference of the pipeline run that made it' })),
  trackingRun: Type.Optional(Type.String()),
  createdBy: Type.String(),
  createdAt: Instant,
});
export type ModelVersionView = Static<typeof ModelVersionView>;

const PromotionState = Type.Enum(['open', 'completed', 'rejected', 'rolled-back']);

/** The way of an alias to a version: what is required and what was decided, with its evidence. */
export const PromotionView = Type.Object({
  id: Type.String(),
  model: Type.String(),
  version: Type.Integer(),
  alias: Type.String(),
  state: PromotionState,
  previousVersion: Type.Optional(Type.Integer({ description: 'what the alias named before' })),
  reason: Type.String(),
  createdBy: Type.String(),
  createdAt: Instant,
  endedAt: Type.Optional(Instant),
  checks: Type.Array(
    Type.Object({
      name: Type.String(),
      state: Type.Enum(['pending', 'satisfied', 'refused']),
      verdict: Type.String(),
      evidence: Type.Optional(Type.Unknown()),
      approvalId: Type.Optional(Type.String()),
      decidedBy: Type.Optional(Type.String()),
      decidedAt: Type.Optional(Instant),
    }),
  ),
});
export type PromotionView = Static<typeof PromotionView>;

const page = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
  cursor: Type.Optional(Type.String()),
};
const modelParams = Type.Object({ model: Type.String({ minLength: 1 }) });
const aliasParams = Type.Object({ model: Type.String({ minLength: 1 }), alias: Type.String({ minLength: 1 }) });

export const listModels = defineOperation({
  id: 'models.list',
  method: 'GET',
  path: '/api/v1/models',
  summary: 'List the models of a project by name, without its prompts.',
  permission: 'read',
  query: Type.Object(page, { additionalProperties: false }),
  responses: { 200: Type.Object({ items: Type.Array(RegisteredModelView), next: Type.Optional(Type.String()) }) },
});

/** What is done with one prompt is done as with a model: it has versions and aliases too. */
export const listPrompts = defineOperation({
  id: 'prompts.list',
  method: 'GET',
  path: '/api/v1/prompts',
  summary: 'List the prompts of a project by name.',
  permission: 'read',
  query: Type.Object(page, { additionalProperties: false }),
  responses: { 200: Type.Object({ items: Type.Array(RegisteredModelView), next: Type.Optional(Type.String()) }) },
});

export const getModel = defineOperation({
  id: 'models.get',
  method: 'GET',
  path: '/api/v1/models/:model',
  summary: 'Show one model with its aliases.',
  permission: 'read',
  params: modelParams,
  responses: { 200: RegisteredModelView, 404: ErrorBody },
  errors: ['MODEL_NOT_FOUND'],
});

export const listModelVersions = defineOperation({
  id: 'model-versions.list',
  method: 'GET',
  path: '/api/v1/models/:model/versions',
  summary: 'List the versions of a model, newest first.',
  permission: 'read',
  params: modelParams,
  query: Type.Object(page, { additionalProperties: false }),
  responses: {
    200: Type.Object({ items: Type.Array(ModelVersionView), next: Type.Optional(Type.String()) }),
    404: ErrorBody,
  },
  errors: ['MODEL_NOT_FOUND'],
});

export const getModelVersion = defineOperation({
  id: 'model-versions.get',
  method: 'GET',
  path: '/api/v1/models/:model/versions/:at',
  summary: 'Show one version, by number, alias or `latest`.',
  permission: 'read',
  params: Type.Object({ model: Type.String({ minLength: 1 }), at: Type.String({ minLength: 1 }) }),
  responses: { 200: ModelVersionView, 404: ErrorBody },
  errors: ['MODEL_VERSION_NOT_FOUND'],
});

export const setModelAlias = defineOperation({
  id: 'models.set-alias',
  method: 'PUT',
  path: '/api/v1/models/:model/aliases/:alias',
  summary: 'Move an alias to a version by hand, past every gate.',
  permission: 'approve',
  params: aliasParams,
  body: Type.Object({ version: Type.Integer({ minimum: 1 }) }, { additionalProperties: false }),
  responses: { 200: RegisteredModelView, 404: ErrorBody },
  errors: ['MODEL_NOT_FOUND', 'MODEL_VERSION_NOT_FOUND', 'MODEL_ALIAS_INVALID'],
});

export const removeModelAlias = defineOperation({
  id: 'models.remove-alias',
  method: 'DELETE',
  path: '/api/v1/models/:model/aliases/:alias',
  summary: 'Take an alias away by hand.',
  permission: 'approve',
  params: aliasParams,
  responses: { 200: RegisteredModelView, 404: ErrorBody },
  errors: ['MODEL_NOT_FOUND'],
});

export const listPromotions = defineOperation({
  id: 'promotions.list',
  method: 'GET',
  path: '/api/v1/promotions',
  summary: 'List promotions, newest first.',
  permission: 'read',
  query: Type.Object(
    { ...page, model: Type.Optional(Type.String()), state: Type.Optional(PromotionState) },
    { additionalProperties: false },
  ),
  responses: { 200: Type.Object({ items: Type.Array(PromotionView), next: Type.Optional(Type.String()) }) },
});

export const getPromotion = defineOperation({
  id: 'promotions.get',
  method: 'GET',
  path: '/api/v1/promotions/:promotionId',
  summary: 'Show one promotion with its checks and their evidence.',
  permission: 'read',
  params: Type.Object({ promotionId: Type.String({ minLength: 1 }) }),
  responses: { 200: PromotionView, 404: ErrorBody },
  errors: ['PROMOTION_NOT_FOUND'],
});
