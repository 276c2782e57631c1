import { getPrediction } from '#contracts/predictions';
import type { NounOperations } from '../noun-command.ts';

/** They are too many to list: "deployment predictions <name>" says how far the log is. */
export const prediction: NounOperations = {
  sample: '01a21be4-bcd1-7000-882c-b0dc8dc4ceeb',
  show: { name: 'show', operation: getPrediction },
};
