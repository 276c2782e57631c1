import { defineErrors } from '#platform/errors';

export const alertErrors = defineErrors({
  ALERT_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no alert "${id}" in this project` },
  ALERT_SUBJECT_INVALID: {
    kind: 'internal',
    message: (subject: string) => `an alert is about a reference such as monitor:late-arrival, not "${subject}"`,
  },
});
