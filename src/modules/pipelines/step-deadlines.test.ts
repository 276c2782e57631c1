import { expect, onTestFinished, test } from 'vitest';
import { createLogger } from '#platform/log';
import { describeDatabases } from '#platform/testing/database';
import type { PipelinesTables } from './pipelines-tables.ts';
import { createStepDeadlines } from './step-deadlines.ts';

describeDatabases('deadlines of steps', (open) => {
  test('a step that cannot be ended does not hold up those that are due after it', async () => {
    const database = await open();
    const nowMs = database.clock.nowMs();
    await database.write({ actor: 'user:local' }, async (unit) => {
      await unit
        .query<PipelinesTables>()
        .insertInto('pipeline_runs')
        .values({
          id: 'r',
          project: 'p',
          pipeline: 'train',
          state: 'running',
          trigger_by: 'user:local',
          requested_by: null,
          params: '{}',
          spec: '{}',
          code: '[]',
          use_cache: 1,
          inputs: '[]',
          snapshot: 's',
          cause_depth: 0,
          cancelling: 0,
          tracking_run_id: null,
          result: null,
          error_code: null,
          error_message: null,
          created_ms: nowMs,
          ended_ms: null,
        })
        .execute();
      for (const [position, step] of ['broken', 'sound'].entries())
        await unit
          .query<PipelinesTables>()
          .insertInto('pipeline_steps')
          .values({
            run_id: 'r',
            step,
            position,
            kind: 'use',
            state: 'waiting',
            needs: '[]',
            plan: '{}',
            cache_key: null,
            key_parts: null,
            why: null,
            job_id: null,
            token: step,
            tracking_run_id: null,
            outputs: '{}',
            error_code: null,
            error_message: null,
            started_ms: nowMs,
            ended_ms: null,
            deadline_ms: nowMs - 2 + position,
          })
          .execute();
    });
    const ended = new Promise<string>((resolve) => {
      const deadlines = createStepDeadlines({
        database,
        clock: database.clock,
        logger: createLogger({ level: 'silent' }),
        async expire(_, { step }) {
          if (step === 'broken') throw new Error('its run cannot go on');
          resolve(step);
        },
      });
      onTestFinished(() => deadlines.stop());
      deadlines.start();
    });
    expect(await ended).toBe('sound');
  });
});
