import type { Consumer } from '#platform/events';
import type { AlertsApi } from './alert-service.ts';

/** An event that a consumer could not handle stands still with its subject: somebody must look, until all of them are handled. */
export function createParkedConsumerAlerts(api: AlertsApi): Consumer {
  return {
    name: 'alerts',
    types: ['consumer.parked', 'consumer.resumed'],
    async handle(unit, event) {
      if (event.type !== 'consumer.parked' && event.type !== 'consumer.resumed') return;
      const { project } = event;
      const { consumer, eventSubject } = event.data;
      const fingerprint = `consumer:${consumer}:${eventSubject}`;
      if (event.type === 'consumer.resumed') {
        await api.resolve(unit, { project, fingerprint, reason: `all events of ${eventSubject} have been handled` });
        return;
      }
      const { error } = event.data;
      await api.open(unit, {
        project,
        fingerprint,
        kind: 'consumer',
        severity: 'critical',
        title: `${consumer} cannot handle an event of ${eventSubject}: ${error}`.slice(0, 500),
        subject: event.subject,
        evidence: {
          event: event.data.event,
          eventSubject,
          error,
          remedy: `mend what the error says, then: tidemill events retry --consumer ${consumer}`,
        },
      });
    },
  };
}
