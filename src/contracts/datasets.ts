import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const datasetsEvents = defineEvents({
  'dataset.ingestion.failed': Type.Object({
    dataset: Type.String(),
    ingestionId: Type.String(),
    code: Type.String(),
    message: Type.String(),
  }),
  'dataset.check.failed': Type.Object({
    dataset: Type.String(),
    ingestionId: Type.String(),
    blocking: Type.Boolean(),
    failed: Type.Array(Type.String()),
  }),
  'dataset.version.created': Type.Object({
    dataset: Type.String(),
    version: Type.Integer(),
    rows: Type.Integer(),
    parts: Type.Integer(),
  }),
});
