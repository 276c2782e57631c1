import type { ReplicaReport } from '#contracts/replica-report';
import { dataPlanePaths } from '#contracts/serving';
import type { Logger } from '#platform/log';
import type { ControlClient } from './control-client.ts';

export interface Reporter {
  start(): void;
  /** Something changed: report as soon as the report under way is done. Changes of one moment make one report. */
  nudge(): void;
  /** Sends what is true now; resolves when it has been taken or could not be sent. */
  reportNow(): Promise<void>;
  stop(): Promise<void>;
}

export function createReporter(options: {
  readonly client: ControlClient;
  readonly replica: string;
  readonly build: () => ReplicaReport;
  readonly everyMs: number;
  readonly logger: Logger;
}): Reporter {
  const { client, replica, build, everyMs, logger } = options;
  const gatherMs = 20;
  let timer: NodeJS.Timeout | undefined;
  let nudged: NodeJS.Timeout | undefined;
  let sending: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  let failed = false;
  let stopped = false;

  async function send(): Promise<void> {
    try {
      const { status } = await client.send({
        method: 'POST',
        path: dataPlanePaths.report(replica),
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(build()),
        timeoutMs: 5_000,
      });
      if (status >= 300) throw new Error(`the control plane answered ${status} to a report`);
      failed = false;
    } catch (error) {
      if (!failed) logger.warn({ err: error }, 'reports do not reach the control plane');
      failed = true;
    }
  }

  /** One is under way and one waits at most: the one that waits says what is true when its turn comes. */
  const reportNow = (): Promise<void> => {
    next ??= sending.then(() => {
      next = undefined;
      return send();
    });
    sending = next;
    return next;
  };

  return {
    start() {
      timer = setInterval(() => void reportNow(), everyMs);
      timer.unref();
      void reportNow();
    },
    nudge() {
      if (stopped || nudged !== undefined) return;
      nudged = setTimeout(() => {
        nudged = undefined;
        void reportNow();
      }, gatherMs);
    },
    reportNow,
    async stop() {
      stopped = true;
      clearInterval(timer);
      clearTimeout(nudged);
      await sending;
    },
  };
}
