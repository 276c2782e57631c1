import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const workspaceEvents = defineEvents({
  'workspace.applied': Type.Object({ snapshot: Type.String(), changes: Type.Integer() }),
});
