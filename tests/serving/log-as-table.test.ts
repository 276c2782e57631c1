import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { aSpanCollector } from '../../src/serving/testing/span-collector.ts';
import { temporaryFolder } from '../support/control-plane.ts';
import { startPair } from '../support/running-server.ts';
import { serveModel } from '../support/served-model.ts';

const run = promisify(execFile);

test('the data plane of "up" traces as the environment says, and docs/predictions.md reads the log as a table', async () => {
  const collector = await aSpanCollector();
  const pair = await startPair([], {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '10',
  });
  const model = await serveModel(pair);
  const left = await pair.dataPlanePid();
  for (let turn = 0; turn < 3; turn += 1) await model.ask();
  expect((await collector.reached(3 * 7)).filter(({ kind }) => kind === 2)).toHaveLength(3);
  await model.flush();

  const page = await readFile(join(import.meta.dirname, '../../docs/predictions.md'), 'utf8');
  const [, script = ''] = /<!-- file: slow_stages\.py -->\n```python\n(.*?)```/s.exec(page) ?? [];
  const path = join(await temporaryFolder(), 'slow_stages.py');
  await writeFile(path, script);
  const { stdout } = await run('python3', [path, 'late'], { env: { ...process.env, CONTROL: pair.url() } });
  expect(JSON.parse(stdout)).toEqual([
    {
      model_ref: 'model:late@1',
      rows: 3,
      duration_us: expect.any(Number),
      queue_us: expect.any(Number),
      infer_us: expect.any(Number),
      traced: 3,
      redacted: [],
    },
  ]);

  await pair.killControlPlane(); // a data plane that traces as it is asked to is taken over
  await pair.up();
  expect(await pair.dataPlanePid()).toBe(left);
}, 120_000);
