import { expect, test } from 'vitest';
import { openPageServer } from './testing/page-server.ts';

test('the page and all that it loads come from this server, with nothing in line', async () => {
  const { app } = await openPageServer();
  const page = await app.inject('/');
  expect(page.statusCode).toBe(200);
  expect(page.headers['content-security-policy']).toContain("default-src 'none'");
  const loaded = [...page.body.matchAll(/(?:src|href)="(\/ui\/[^"]+)"/g)].map(([, path]) => path ?? '');
  const seen = new Set<string>();
  for (const path of loaded) {
    if (seen.has(path)) continue;
    seen.add(path);
    const asset = await app.inject(path);
    expect([path, asset.statusCode]).toEqual([path, 200]);
    const imports = [...asset.body.matchAll(/from '\.\/([^']+)'/g)].map(([, name]) => `/ui/${name}`);
    loaded.push(...(path.endsWith('.js') ? imports : []));
    expect(asset.body.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:\/\//);
  }
  expect([...seen]).toContain('/ui/chart.js');
  for (const path of ['/ui/experiments', '/ui/models', '/ui/prompts', '/ui/traces'])
    expect(page.body).toContain(`<a href="${path}">`);
  const again = await app.inject({ url: '/', headers: { 'if-none-match': page.headers.etag } });
  expect([again.statusCode, again.body]).toEqual([304, '']);
  for (const url of ['/projects/flights', '/projects/flights/']) expect((await app.inject(url)).body).toBe(page.body);
});

test('the overview puts together what the operations answer', async () => {
  const { app, modules, platform } = await openPageServer();
  expect((await app.inject('/api/v1/overview')).json()).toMatchObject({ project: 'default', datasets: [], events: [] });
  await platform.database.write({ actor: 'user:test' }, async (unit) => {
    await modules.projects.api.create(unit, 'flights', {
      statement: 'Warn of late flights.',
      metric: { name: 'auc', target: '>= 0.70' },
    });
    await modules.alerts.api.open(unit, {
      project: 'flights',
      fingerprint: 'monitor:late/drift',
      kind: 'drift',
      severity: 'warning',
      title: 'late: distance differs',
      subject: 'monitor:late',
      evidence: { note: 'Warns only.' },
    });
    await unit.emit({
      type: 'alert.resolved',
      project: 'flights',
      subject: 'alert:late/performance',
      data: { alertId: 'a', fingerprint: 'f', kind: 'performance', reason: 'promoted' },
    });
  });
  const overview = await app.inject('/projects/flights/api/v1/overview');
  expect(overview.statusCode).toBe(200);
  expect(overview.json()).toMatchObject({
    project: 'flights',
    goal: { metric: { name: 'auc' } },
    alerts: [{ reference: 'alert:late/drift', note: 'Warns only.' }],
    events: [{ type: 'alert.resolved' }, { type: 'alert.opened' }, { type: 'project.goal.changed' }],
  });
  expect((await app.inject('/projects/nowhere/api/v1/overview')).statusCode).toBe(404);
});
