import { expect, test } from 'vitest';
import { createEventLog } from '#platform/events';
import type { Principal } from '#platform/http';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { openTestServer } from '#platform/testing/http';
import { createProjectsModule } from './index.ts';

const someone = { actor: 'user:test' };
const goal = { statement: 'Warn of late flights.', metric: { name: 'auc', target: '>= 0.70' } };

async function serve(database: TestDatabase, principal?: Principal) {
  const projects = createProjectsModule({ database });
  const app = await openTestServer(principal === undefined ? {} : { authenticate: async () => principal });
  projects.routes(app);
  return { app, projects };
}

describeDatabases('projects', (open) => {
  test('the project default comes with the database', async () => {
    const { app } = await serve(await open());
    const { items } = (await app.inject('/api/v1/projects')).json();
    expect(items).toEqual([{ name: 'default' }]);
  });

  test('ensuring a project makes it once and announces it once', async () => {
    const database = await open();
    const { api } = createProjectsModule({ database });
    await database.write(someone, (unit) => api.ensure(unit, 'flights'));
    await database.write(someone, (unit) => api.ensure(unit, 'flights'));
    const events = await createEventLog(database).list({ types: ['project.created'], limit: 10 });
    expect(events.map(({ subject }) => subject)).toEqual(['project:flights']);
    await expect(database.write(someone, (unit) => api.ensure(unit, 'no spaces'))).rejects.toMatchObject({
      code: 'PROJECT_NAME_INVALID',
    });
  });

  test('a project is created, found, given a goal and listed in pages', async () => {
    const { app } = await serve(await open());
    const created = await app.inject({ method: 'POST', url: '/api/v1/projects', payload: { name: 'flights', goal } });
    expect(created.statusCode).toBe(201);
    expect(created.json()).toEqual({ name: 'flights', goal, createdAt: '2026-01-01T00:00:00.000Z' });
    const again = await app.inject({ method: 'POST', url: '/api/v1/projects', payload: { name: 'flights' } });
    expect(again.json().error.code).toBe('PROJECT_EXISTS');

    const set = await app.inject({ method: 'PUT', url: '/projects/flights/api/v1/goal', payload: { goal: null } });
    expect(set.json()).toEqual({ name: 'flights', createdAt: '2026-01-01T00:00:00.000Z' });
    const first = (await app.inject('/api/v1/projects?limit=1')).json();
    expect(first.items).toEqual([{ name: 'default' }]);
    const second = (await app.inject(`/api/v1/projects?limit=1&cursor=${first.next}`)).json();
    expect(second.items).toMatchObject([{ name: 'flights' }]);
    expect(second.next).toBeUndefined();
  });

  test('an unknown project is named with the nearest one', async () => {
    const database = await open();
    const { app, projects } = await serve(database);
    await database.write(someone, (unit) => projects.api.ensure(unit, 'flights'));
    const answer = await app.inject('/api/v1/projects/flihgts');
    expect(answer.statusCode).toBe(404);
    expect(answer.json().error.message).toContain('did you mean "flights"');
  });

  test('the same goal again writes nothing', async () => {
    const database = await open();
    const { api } = createProjectsModule({ database });
    for (let time = 0; time < 2; time += 1) await database.write(someone, (unit) => api.setGoal(unit, 'default', goal));
    expect(await createEventLog(database).list({ types: ['project.goal.changed'], limit: 10 })).toHaveLength(1);
  });

  test('who may not read a project does not learn that it is there, and only an admin of all makes one', async () => {
    const database = await open();
    const principal: Principal = { id: 'user:anna', can: (_permission, project) => project === 'default' };
    const { app, projects } = await serve(database, principal);
    await database.write(someone, (unit) => projects.api.ensure(unit, 'secret'));
    expect((await app.inject('/api/v1/projects')).json().items).toEqual([{ name: 'default' }]);
    expect((await app.inject('/api/v1/projects/secret')).json().error.code).toBe('PROJECT_NOT_FOUND');
    const made = await app.inject({ method: 'POST', url: '/api/v1/projects', payload: { name: 'mine' } });
    expect(made.json().error.code).toBe('PROJECT_CREATION_FORBIDDEN');
  });
});
