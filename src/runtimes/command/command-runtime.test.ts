import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '#platform/log';
import { describeRuntime, fixture } from '../testing/runtime-contract.ts';
import { createCommandRuntime } from './command-runtime.ts';

const models = {
  columns: fixture('command/columns/command.json'),
  twoOutputs: fixture('command/two-outputs/command.json'),
  gather: fixture('command/gather/command.json'),
  echo: fixture('command/echo/command.json'),
};

describeRuntime('a program that speaks the worker protocol', models, async () =>
  createCommandRuntime({
    folder: mkdtempSync(join(tmpdir(), 'tidemill-command-')),
    logger: createLogger({ level: 'silent' }),
    path: process.env['PATH'] ?? '',
  }),
);
