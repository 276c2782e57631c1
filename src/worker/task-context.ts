import type { Logger } from '#platform/log';
import type { Databases } from './databases.ts';

/** What a task is given besides its input. */
export interface TaskContext {
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly databases: Pick<Databases, 'take'>;
  /** What the task may use, asked once when its database opens: the process's share among the tasks that run now. */
  memoryMb(): number;
  readonly spillFolder: string;
}
