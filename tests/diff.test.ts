import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listArtifacts } from '../src/contracts/artifacts.ts';
import { createToken } from '../src/contracts/identity.ts';
import { listProjects } from '../src/contracts/projects.ts';
import { runTidemill } from './support/command-line.ts';
import { startControlPlane } from './support/control-plane.ts';
import { createTestProject } from './support/project.ts';

const document = `project: flights
datasets:
  rows: { source: data/*.csv }
features:
  view: { sql: features/view.sql, entity: id, time: at }
`;

test('a viewer diffs, also what is not there yet, and nothing is written', async () => {
  const { client: root, url, home, platform } = await startControlPlane({ auth: 'on' });
  const { token } = await root.call(createToken, { body: { name: 'looks', role: 'viewer', allProjects: true } });
  const project = await createTestProject(root, document);
  await project.write('features/view.sql', 'select id, at from rows');
  await project.write('data/1.csv', 'id,at\n1,2013-01-01T00:00:00Z\n');
  const diff = (...more: readonly string[]) =>
    runTidemill(['diff', '--url', url, ...more], { cwd: project.folder, environment: { TIDEMILL_TOKEN: token } });
  const written = async () => ({
    head: await platform.events.head(),
    projects: (await root.call(listProjects, { query: {} })).items.map(({ name }) => name),
  });

  const before = await written();
  expect(await diff()).toEqual({
    status: 0,
    stdout: [
      'Project flights is not there yet: everything is new.',
      '+ create dataset:rows',
      '+ create features:view',
      '~ change files of the project',
      '+ land    dataset:rows: 1 new file (data/1.csv)',
      '',
    ].join('\n'),
    stderr: '',
  });
  expect(await written()).toEqual(before);
  expect(before.projects).not.toContain('flights');

  const admin = ['--token-file', join(home, 'admin-token')];
  const applied = await runTidemill(['apply', '--wait', '--url', url, ...admin], { cwd: project.folder });
  expect(applied.status).toBe(0);
  expect(await diff('--exit-code')).toMatchObject({ status: 0, stdout: 'No difference.\n' });

  // files that the server has never seen: a query of a feature, and a second document
  await project.write('features/view.sql', 'select id, at from rwos');
  expect(await diff()).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(
      'tidemill.yaml:5:16: the query reads "rwos", which is no dataset; did you mean "rows"?',
    ),
  });
  await project.write('features/view.sql', 'select id, at, 1 as x from rows');
  await writeFile(join(project.folder, 'more.yaml'), document.replace('}', ', time: at }'));
  const client = await project.client();
  const held = async () => (await client.call(listArtifacts, { query: { limit: 200 } })).items.length;
  const [events, artifacts] = [await written(), await held()];
  expect(await diff('--file', 'more.yaml', '--json')).toMatchObject({ status: 0 });
  expect((await diff('--file', 'more.yaml')).stdout).toBe(
    '~ change dataset:rows\n    time: nothing → "at"\n~ change files of the project\n',
  );
  expect({ events: await written(), artifacts: await held() }).toEqual({ events, artifacts });
}, 60_000);
