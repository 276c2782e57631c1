import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const registryEvents = defineEvents({
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
  }),
});
