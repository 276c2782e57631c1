import type { EventData } from '#contracts/event-types';
import type { Unit } from '#platform/database';
import { reasonOf } from '#platform/errors';
import type { Consumer } from '#platform/events';
import type { AutomationDeps } from './automation-deps.ts';
import { automationErrors } from './automation-errors.ts';
import { listWebhooksBefore } from './webhook-store.ts';

const notified = 'pipeline.notified';

/**
 * Steps of `use: notify`: each writes an event, which the outbox sends to the webhooks that take it, and has then done its
 * work; that a receiver is away does not hold up the run. With nobody to hear it the step fails.
 */
export function createNotifySteps({ pipelines }: Pick<AutomationDeps, 'pipelines'>): Consumer {
  async function notify(unit: Unit, project: string, subject: string, step: EventData<'step.waiting'>): Promise<void> {
    const webhooks = await listWebhooksBefore(unit, { project });
    if (!webhooks.some(({ enabled, types }) => enabled && types.includes(notified))) {
      const { code, message } = automationErrors.NOTIFICATION_UNHEARD();
      await pipelines.completeStep(unit, step.token, { kind: 'failed', code, message });
      return;
    }
    const { runId, pipeline, step: name } = step;
    const message = String(step.with['message'] ?? '');
    if (await pipelines.completeStep(unit, step.token, { kind: 'succeeded' }))
      await unit.emit({ type: notified, project, subject, data: { runId, pipeline, step: name, message } });
  }

  return {
    name: 'automation.notify-steps',
    types: ['step.waiting'],
    from: 'now',
    async handle(unit, event) {
      if (event.type !== 'step.waiting' || event.data.use !== 'notify') return;
      await notify(unit, event.project, event.subject, event.data);
    },
    async giveUp(unit, event, error) {
      if (event.type !== 'step.waiting' || event.data.use !== 'notify') return;
      const message = reasonOf(error);
      await pipelines.completeStep(unit, event.data.token, { kind: 'failed', code: 'NOTIFICATION_UNHEARD', message });
    },
  };
}
