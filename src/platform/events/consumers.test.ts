import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createConsumers, createEventLog } from '../events.ts';
import { openTestDatabase } from '../testing/database.ts';

test('a consumer handles events in order', async () => {
  const database = await openTestDatabase();
  const log = createEventLog(database);
  const consumers = createConsumers({ database, log, clock: database.clock, logger: pino({ level: 'silent' }) });
  const seen: string[] = [];
  consumers.add({
    name: 'x',
    types: ['alert.resolved'],
    handle: async (_, event) => {
      seen.push(event.subject);
    },
  });
  await consumers.start();
  await Promise.all(
    [1, 2, 3].map((n) =>
      database.write({ actor: 'user:local' }, async (unit) => {
        await unit.emit({
          type: 'alert.resolved',
          project: 'p',
          subject: `alert:${n}`,
          data: { alertId: 'a', fingerprint: 'f', kind: 'k', reason: 'r' },
        });
      }),
    ),
  );
  await consumers.idle();
  expect(seen).toEqual(['alert:1', 'alert:2', 'alert:3']);
  await consumers.stop();
});
