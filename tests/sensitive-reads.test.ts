import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { startControlPlane } from './support/control-plane.ts';

test('reads of what nobody should see unseen are in the audit log, and others are not', async () => {
  const { url, platform } = await startControlPlane();
  const bytes = Buffer.from('some bytes');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const artifact = `${url}/api/v1/artifacts/${sha256}`;
  expect((await fetch(artifact, { method: 'PUT', body: bytes })).status).toBe(201);
  expect(await (await fetch(artifact)).text()).toBe('some bytes');
  expect((await fetch(`${url}/api/v1/predictions/p1`)).status).toBe(404);
  expect((await fetch(`${url}/api/v1/tokens`)).status).toBe(200);
  expect((await fetch(`${url}/api/v1/datasets`)).status).toBe(200);
  const query = await fetch(`${url}/api/v1/queries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sql: 'select 1 as one', inputs: [] }),
  });
  expect(query.status).toBeLessThan(500);
  const reads = await platform.events.list({ types: ['request.read'], limit: 10 });
  expect(reads.map(({ actor, subject, data }) => [actor, subject, (data as { operation: string }).operation])).toEqual([
    ['user:local', `artifact:${sha256}`, 'artifacts.read'],
    ['user:local', 'prediction:p1', 'predictions.get'],
    ['user:local', 'project:default', 'tokens.list'],
    ['user:local', 'project:default', 'queries.run'],
  ]);
});
