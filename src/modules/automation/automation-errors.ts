import { defineErrors } from '#platform/errors';

export const automationErrors = defineErrors({
  NOTIFICATION_UNHEARD: {
    kind: 'conflict',
    message: () =>
      'no webhook of the project takes pipeline.notified, so nobody would hear of it: tidemill webhook create --url <address> --types pipeline.notified',
  },
  TRIGGER_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, near: string | undefined) =>
      `there is no trigger "${name}" in this project${near === undefined ? '' : `; did you mean "${near}"?`}`,
    help: 'The name of a trigger without `name:` is made from what it listens to and runs; GET /api/v1/triggers lists them.',
  },
  WEBHOOK_NOT_FOUND: {
    kind: 'not_found',
    message: (id: string) => `there is no webhook "${id}" in this project`,
    details: (id: string) => ({ webhook: id }),
  },
  DELIVERY_NOT_FOUND: { kind: 'not_found', message: (id: string) => `the webhook has no delivery "${id}"` },
  WEBHOOK_URL_INVALID: {
    kind: 'invalid',
    message: (problem: string) => `the address of a webhook ${problem}`,
  },
  WEBHOOK_TYPES_INVALID: {
    kind: 'invalid',
    message: (type: string, format: string) => `a webhook of the format ${format} cannot be sent "${type}"`,
    help: 'A webhook that was made through the MLflow API names events as MLflow does; change its events there.',
  },
  WEBHOOK_ADDRESS_REFUSED: {
    kind: 'invalid',
    message: (host: string, address: string) =>
      `${host} is at ${address}, inside a private network; events are sent there only when the operator starts the server with --webhook-hosts ${host}`,
    help: 'Keeps a webhook from reaching services that are only meant for this machine or network.',
  },
  WEBHOOK_HOST_UNKNOWN: {
    kind: 'unavailable',
    message: (host: string, reason: string) => `the host ${host} cannot be found: ${reason}`,
  },
  WEBHOOK_UNANSWERED: {
    kind: 'unavailable',
    message: (problem: string) => `the webhook was not taken: ${problem}`,
  },
});
