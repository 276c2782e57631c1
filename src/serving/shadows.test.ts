import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { PredictionEnvelope } from '#contracts/prediction-record';
import { systemIds } from '#platform/ids';
import { createLogger } from '#platform/log';
import type { Endpoint, ServingState } from './endpoint.ts';
import { createRevisionRecord, type LiveRevision } from './live-revision.ts';
import { createShadowQueue } from './shadows.ts';
import { defaultSpoolLimits, openSpool, type Spool } from './spool.ts';

test('a flush waits for the shadows offered before it, however many come meanwhile', async () => {
  const spool = await openSpool({
    folder: mkdtempSync(join(tmpdir(), 'tidemill-spool-')),
    epoch: 'e1',
    limits: defaultSpoolLimits,
    logger: createLogger({ level: 'silent' }),
  });
  onTestFinished(() => spool.close());
  const shadows = createShadowQueue({ spool, ids: systemIds, logger: createLogger({ level: 'silent' }), atOnce: 1 });
  const record = { ...createRevisionRecord('r'), state: 'ready' as const };
  let runs = 0;
  let going = true;
  // Each run brings the next one, so that the queue is never empty.
  const revision: Partial<LiveRevision> = {
    record,
    signature: { inputs: [], outputs: [] },
    batcher: {
      async predict() {
        runs += 1;
        if (going) offer();
        return [];
      },
      pending: 0,
      idle: () => Promise.resolve(),
    },
  };
  const serving = { shadows: [{ revision, sampleRate: 1 }] } as unknown as ServingState;
  const offer = () => shadows.offer({ serving } as Endpoint, serving, { rows: 1 } as PredictionEnvelope, [], false);
  offer();
  offer();
  await shadows.idle();
  expect(runs).toBeGreaterThanOrEqual(2);
  expect(record.shadow.snapshot().requests).toBe(runs);
  going = false;
  await shadows.idle();
});

test('a shadow whose record cannot be made is lost by itself', async () => {
  const record = { ...createRevisionRecord('r'), state: 'ready' as const };
  const revision = {
    record,
    signature: { inputs: [], outputs: [] },
    batcher: { predict: () => Promise.resolve([]), pending: 0, idle: () => Promise.resolve() },
  } as unknown as LiveRevision;
  const serving = { shadows: [{ revision, sampleRate: 1 }] } as unknown as ServingState;
  let dropped = 0;
  const endpoint = { serving, drop: () => (dropped += 1) } as unknown as Endpoint;
  const spool = { append: () => Promise.reject(new Error('no such spool')) } as unknown as Spool;
  const shadows = createShadowQueue({ spool, ids: systemIds, logger: createLogger({ level: 'silent' }), atOnce: 1 });
  for (let at = 0; at < 3; at += 1) shadows.offer(endpoint, serving, { rows: 1 } as PredictionEnvelope, [], true);
  await shadows.idle();
  expect([dropped, record.shadow.snapshot().requests]).toEqual([3, 3]);
});
