import { defineErrors, nearestName } from '#platform/errors';

export const monitoringErrors = defineErrors({
  MONITOR_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, known: readonly string[]) => {
      const near = nearestName(name, known);
      return `there is no monitor named "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`;
    },
    help: 'Declare it under `monitors:` in tidemill.yaml and run `tidemill apply`.',
  },
  MONITOR_RANGE_INVALID: {
    kind: 'invalid',
    message: (from: string, to: string) => `the span from ${from} to ${to} holds no time: "from" must lie before "to"`,
  },
});
