import { Type } from 'typebox';
import { defineEvents } from './events.ts';

export const projectsEvents = defineEvents({
  'project.created': Type.Object({}),
});
