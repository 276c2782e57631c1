import { defineErrors } from '../errors.ts';

export const consumerErrors = defineErrors({
  CONSUMER_OVERTAKEN: {
    kind: 'conflict',
    message: (name: string) =>
      `the cursor of consumer ${name} is not where this process left it: an earlier event failed, or another process follows the log`,
  },
  CONSUMER_UNKNOWN: {
    kind: 'not_found',
    message: (name: string, known: string) => `there is no event consumer named "${name}"; there are: ${known}`,
  },
  CONSUMER_DUPLICATE: {
    kind: 'internal',
    message: (name: string) => `two event consumers are named "${name}"; a name is a cursor, so each needs its own`,
  },
  CONSUMERS_STARTED: {
    kind: 'internal',
    message: (name: string) => `consumer "${name}" was added after the consumers had been started; add it before`,
  },
  CONSUMERS_STOPPED: {
    kind: 'unavailable',
    message: () => 'the event consumers are not running; the process is starting or stopping',
  },
});
