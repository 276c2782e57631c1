import { rm } from 'node:fs/promises';
import { isAppError } from '#platform/errors';
import { readLines } from '#platform/json-lines';
import { createLogger } from '#platform/log';
import { goBehind } from './background.ts';
import { createDatabases } from './databases.ts';
import { createTaskServer } from './serve-tasks.ts';
import { openSpillFolder } from './spill-folder.ts';
import { createTaskRunner } from './tasks.ts';
import { parseSettings, type WorkerSettings } from './worker-settings.ts';

/** A request may carry some thousand rows to join. */
const maxLineBytes = 256 * 1024 * 1024;
const stopGraceMs = 3_000;

goBehind();

const settings = settingsOrExit();
const spillFolder = await openSpillFolder(settings.spillFolder);
const logger = createLogger({ name: 'worker', level: 'warn' });
const server = createTaskServer({
  run: createTaskRunner(),
  settings: { ...settings, spillFolder },
  databases: createDatabases(settings),
  logger,
  write: (line) => process.stdout.write(line),
});

for await (const line of readLines(process.stdin, { maxLineBytes })) if (line.trim() !== '') server.receive(line);

// The parent has closed our input, or died: nobody waits for an answer. A query that does not heed its interrupt is left.
setTimeout(() => process.exit(0), stopGraceMs).unref();
await server.stop();
await rm(spillFolder, { recursive: true, force: true });
process.exit(0);

function settingsOrExit(): WorkerSettings {
  try {
    return parseSettings(process.argv.slice(2));
  } catch (error) {
    if (!isAppError(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}
