import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { PredictionEnvelope } from '#contracts/prediction-record';
import { systemIds } from '#platform/ids';
import { createLogger } from '#platform/log';
import type { Endpoint, ServingState } from './endpoint.ts';
import { createRevisionRecord, type LiveRevision } from './live-revision.ts';
import { planRedactions } from './redaction.ts';
import { type AnsweredRequest, createShadowQueue } from './shadows.ts';
import { defaultSpoolLimits, openSpool, type Spool } from './spool.ts';
import { anEndpoint } from './testing/test-plane.ts';

const run = { takenMs: 0, inferFromMs: 0, inferToMs: 0, rows: 1, isFirst: true };
const envelope = { rows: 1 } as PredictionEnvelope;
const redaction = planRedactions(anEndpoint([]), []);
const answered = (captured: boolean, value = 1): AnsweredRequest => ({
  envelope,
  inputs: [],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [1], data: Float32Array.of(value) }],
  captured,
  trace: undefined,
});

test('a flush waits for the shadows offered before it, however many come meanwhile', async () => {
  const spool = await openSpool({
    folder: mkdtempSync(join(tmpdir(), 'tidemill-spool-')),
    epoch: 'e1',
    limits: defaultSpoolLimits,
    logger: createLogger({ level: 'silent' }),
  });
  onTestFinished(() => spool.close());
  const shadows = createShadowQueue({ spool, ids: systemIds, logger: createLogger({ level: 'silent' }), atOnce: 1 });
  const record = { ...createRevisionRecord({ id: 'r', modelRef: 'model:m@1' }), state: 'ready' as const };
  let runs = 0;
  let going = true;
  // Each run brings the next one, so that the queue is never empty.
  const revision: Partial<LiveRevision> = {
    record,
    signature: { inputs: [], outputs: [] },
    async predict() {
      runs += 1;
      if (going) offer();
      return { outputs: [], run };
    },
  };
  const serving = { shadows: [{ revision, sampleRate: 1 }] } as unknown as ServingState;
  const offer = () => shadows.offer({ serving, redaction } as Endpoint, serving, answered(false));
  offer();
  offer();
  await shadows.idle();
  expect(runs).toBeGreaterThanOrEqual(2);
  expect(record.shadow.snapshot().requests).toBe(runs);
  going = false;
  await shadows.idle();
});

test('a shadow whose record cannot be made is lost by itself', async () => {
  const record = { ...createRevisionRecord({ id: 'r', modelRef: 'model:m@1' }), state: 'ready' as const };
  const revision = {
    record,
    signature: { inputs: [], outputs: [] },
    predict: () => Promise.resolve({ outputs: [], run }),
  } as unknown as LiveRevision;
  const serving = { shadows: [{ revision, sampleRate: 1 }] } as unknown as ServingState;
  let dropped = 0;
  const endpoint = { serving, redaction, drop: () => (dropped += 1) } as unknown as Endpoint;
  const spool = { append: () => Promise.reject(new Error('no such spool')) } as unknown as Spool;
  const shadows = createShadowQueue({ spool, ids: systemIds, logger: createLogger({ level: 'silent' }), atOnce: 1 });
  for (let at = 0; at < 3; at += 1) shadows.offer(endpoint, serving, answered(true));
  await shadows.idle();
  expect([dropped, record.shadow.snapshot().requests]).toEqual([3, 3]);
});
