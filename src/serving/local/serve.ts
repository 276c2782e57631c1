import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '#platform/log';
import { readVersion } from '#platform/package-path';
import { servingErrors } from '../serving-errors.ts';
import { type LocalPlane, type LocalPlaneOptions, startLocalPlane } from './local-plane.ts';

export interface ServeOptions extends Omit<LocalPlaneOptions, 'home' | 'programVersion' | 'logger'> {
  /** Where it may write; undefined = a folder of its own, which is gone afterwards. */
  readonly home: string | undefined;
  /** Aborts when it is to stop. */
  readonly signal: AbortSignal;
  readonly ready: (plane: Omit<LocalPlane, 'stop'>) => void;
}

/** Serves models from this machine's disk, without a control plane, until the signal. */
export async function serve({ signal, ready, ...options }: ServeOptions): Promise<void> {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'tidemill-serve-')));
  try {
    const plane = await startLocalPlane({
      ...options,
      home,
      otel: process.env,
      logger: createLogger({ name: 'serving' }),
      programVersion: readVersion(),
    }).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
        throw servingErrors.PORT_IN_USE(options.host, options.port);
      throw error;
    });
    ready(plane);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await plane.stop();
  } finally {
    if (options.home === undefined) await rm(home, { recursive: true, force: true });
  }
}
