import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadConfig } from '#platform/config';
import { createLogger } from '#platform/log';
import { createControlPlane } from '../../control-plane.ts';
import { openPlatform } from '../../platform.ts';

/** A whole control plane over a home of its own, asked without a socket; closed when the test ends. */
export async function openPageServer(flags: Readonly<Record<string, string>> = {}) {
  const home = mkdtempSync(join(tmpdir(), 'tidemill-page-'));
  const platform = await openPlatform({
    config: loadConfig({ flags: { home, port: '0', ...flags }, environment: {} }),
    version: '0.0.0',
    logger: createLogger({ level: 'silent' }),
    durability: 'off',
  });
  const { app, modules } = await createControlPlane(platform, { checkAnswers: true });
  await app.ready();
  onTestFinished(async () => {
    await app.close();
    await platform.close();
  });
  return { app, modules, platform };
}
