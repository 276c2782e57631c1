import type { Consumer } from '#platform/events';
import type { AlertsApi } from './alert-service.ts';

/** An event that a consumer could not handle stands still with its subject: somebody must look. */
export function createParkedConsumerAlerts(api: AlertsApi): Consumer {
  return {
    name: 'alerts',
    types: ['consumer.parked'],
    async handle(unit, event) {
      if (event.type !== 'consumer.parked') return;
      const { consumer, eventSubject, error } = event.data;
      await api.open(unit, {
        project: event.project,
        fingerprint: `consumer:${consumer}:${eventSubject}`,
        kind: 'consumer',
        severity: 'critical',
        title: `${consumer} cannot handle an event of ${eventSubject}: ${error}`.slice(0, 500),
        subject: event.subject,
        evidence: { event: event.data.event, eventSubject, error },
      });
    },
  };
}
