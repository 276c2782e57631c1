import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startControlPlane } from './support/control-plane.ts';
import { openPipelineProject } from './support/pipeline-project.ts';

test('every document of docs/pipeline-steps.md is one that the server takes', async () => {
  const page = await readFile(join(import.meta.dirname, '../docs/pipeline-steps.md'), 'utf8');
  const documents = [...page.matchAll(/```yaml\n(project:.*?)```/gs)].map(([, text = '']) => text);
  expect(documents.length).toBeGreaterThan(0);
  const programs = ['fit.sh', 'package.sh', 'tidy.sh', 'train.py', 'pick.py'];
  const { client } = await startControlPlane();
  for (const [index, text] of documents.entries()) {
    const document = text.replace(/^project: .*/, `project: page-${index}`);
    const project = await openPipelineProject(client, {
      'tidemill.yaml': document,
      ...Object.fromEntries(programs.map((path) => [path, ''])),
    });
    await project.apply();
  }
});
