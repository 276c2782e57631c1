import { loggedModelDeletion } from '#contracts/purge';
import type { NounOperations } from '../noun-command.ts';

export const loggedModel: NounOperations = {
  sample: 'm-3f2b9c0d4e5f60718293a4b5c6d7e8f9',
  further: [
    { name: 'delete', operation: loggedModelDeletion.remove },
    { name: 'restore', operation: loggedModelDeletion.restore },
  ],
};
