import { formatReference } from '#contracts/references';
import type { Unit } from '#platform/database';
import type { Consumer } from '#platform/events';
import type { AutomationDeps } from './automation-deps.ts';
import type { TriggerService } from './trigger-service.ts';

/** Brings events to the triggers that listen to what they are about. */
export function createTriggerConsumer(
  triggers: Pick<TriggerService, 'hear'>,
  alerts: Pick<AutomationDeps['alerts'], 'get'>,
): Consumer {
  return {
    name: 'automation.triggers',
    types: ['alert.opened', 'alert.seen', 'dataset.version.created', 'registry.alias.moved'],
    async handle(unit: Unit, event) {
      const { id, project, subject, atMs } = event;
      switch (event.type) {
        case 'alert.opened': {
          // the incident knows the clock of what it is about: event time in a replay
          const clockMs = event.data.clockMs ?? (await alerts.get(unit, project, event.data.alertId)).clockMs;
          return await triggers.hear(unit, project, subject, { id, subject, clockMs, comesAgain: true }, atMs);
        }
        case 'alert.seen': {
          const { clockMs } = event.data;
          const cause = { id, subject, clockMs, comesAgain: true, isRepeat: true };
          return await triggers.hear(unit, project, subject, cause, atMs);
        }
        case 'dataset.version.created': {
          const on = formatReference('dataset', event.data.dataset);
          return await triggers.hear(unit, project, on, { id, subject, clockMs: atMs }, atMs);
        }
        case 'registry.alias.moved': {
          const { model, alias, to, reason } = event.data;
          // back to an older version, or to none: no new model
          if (to === undefined || reason === 'rolled-back') return;
          const cause = { id, subject: formatReference('model', model, to), clockMs: atMs };
          return await triggers.hear(unit, project, formatReference('model', model, alias), cause, atMs);
        }
        default:
      }
    },
  };
}
