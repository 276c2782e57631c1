import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openProjectFolder } from '../src/cli/workspace/project-folder.ts';
import { createProjectSender, ensureProject } from '../src/cli/workspace/send.ts';
import { diffWorkspace } from '../src/contracts/workspace.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';

async function problemsOf(text: string): Promise<readonly string[]> {
  const { client } = await startControlPlane();
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'tidemill.yaml'), text);
  const project = await openProjectFolder(folder);
  const own = await ensureProject(client, project.project);
  const snapshot = await (await createProjectSender(own, project)).snapshot();
  try {
    await own.call(diffWorkspace, { body: { snapshot } });
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
}

describe('a document that is wrong', () => {
  test('is refused with file, line, column, what was expected and the nearest name, all at once', async () => {
    const problems = await problemsOf(`project: p
datasets:
  flights: { source: data/*.csv, tme: t }
  weather: { source: [1] }
features:
  w: { dataset: wether, entity: origin, time: t, ttl: 3 hours, columns: [a] }
`);
    expect(problems).toEqual([
      'tidemill.yaml:3:34: unknown key "tme"; expected source, format, time, subject, schema, checks, description; did you mean "time"?',
      expect.stringMatching(/^tidemill\.yaml:4:22: a list is not right here; expected a string/),
      expect.stringMatching(/^tidemill\.yaml:6:55: "3 hours" has not the right form/),
    ]);
  });

  test('is told apart from broken YAML', async () => {
    const problems = await problemsOf('project: p\ndatasets: {a: [1\n');
    expect(problems[0]).toMatch(/^tidemill\.yaml:\d+:\d+: this is not YAML/);
  });

  test('with a circle, unknown inputs and unreadable gates says each with its place', async () => {
    const problems = await problemsOf(`project: p
datasets:
  rows: { source: data/*.csv }
pipelines:
  train:
    steps:
      a: { run: 'true', needs: [b], outputs: [x] }
      b: { run: 'true', inputs: { x: a.x } }
      c: { run: 'true', inputs: { x: a.y, r: 'dataset:row' } }
    model: { name: m, from: a.x, train: a.x, test: a.x, label: y, predicts: { kind: binary, score: s }, gates: ['auc >'] }
`);
    expect(problems).toEqual([
      'tidemill.yaml:7:10: the steps need each other in a circle: a → b → a',
      'tidemill.yaml:9:38: no step makes "a.y"; expected <step>.<output>; did you mean "a.x"?',
      'tidemill.yaml:9:46: there is no dataset "row"; did you mean "rows"?',
      expect.stringMatching(
        /^tidemill\.yaml:10:\d+: the gate "auc >" cannot be read at character 6; expected a number/,
      ),
    ]);
  });
});
