import { trackingRunDeletion } from '#contracts/purge';
import { getTrackingRun } from '#contracts/tracking';
import type { NounOperations } from '../noun-command.ts';

/** Listed below their experiment. */
export const trackingRun: NounOperations = {
  sample: '3f2b9c0d4e5f60718293a4b5c6d7e8f9',
  show: { name: 'show', operation: getTrackingRun },
  further: [
    { name: 'delete', operation: trackingRunDeletion.remove },
    { name: 'restore', operation: trackingRunDeletion.restore },
  ],
};
