import { createLogger, type Logger } from '#platform/log';
import { isLoopback } from '#platform/loopback';
import { readVersion } from '#platform/package-path';
import { servingErrors } from '../serving-errors.ts';
import { createDiskSource } from './disk-source.ts';
import { type LocalPlane, type LocalPlaneOptions, startLocalPlane } from './local-plane.ts';
import type { ModelRegistry, RegisteredModel } from './model-registry.ts';
import { openServeHome } from './serve-home.ts';

export interface ServeOptions
  extends Omit<LocalPlaneOptions, 'home' | 'programVersion' | 'logger' | 'source' | 'modelControl'> {
  /** What lies on this machine, or a version of a registry. */
  readonly from:
    | { readonly path: string }
    | {
        readonly registry: ModelRegistry;
        readonly model: RegisteredModel;
        /** Where what was fetched is kept for the next start, and how much of that. */
        readonly cache: string;
        readonly cacheBytes: number;
      };
  /** Default: on where it listens on this machine alone. */
  readonly modelControl: 'on' | 'off' | undefined;
  /** Where it may write; undefined = a folder of its own, which is gone afterwards. */
  readonly home: string | undefined;
  /** Aborts when it is to stop. */
  readonly signal: AbortSignal;
  readonly ready: (plane: Omit<LocalPlane, 'stop'>) => void;
}

/** Serves models, without a control plane, until the signal. */
export async function serve({ signal, ready, from, ...options }: ServeOptions): Promise<void> {
  const logger = createLogger({ name: 'serving' });
  // A promise that nobody watches is a fault of ours, not a reason to drop every request.
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
  if (!isLoopback(options.host) && options.tokenDigests.length === 0)
    logger.warn(
      `whoever reaches ${options.host} may ask these models; --require-token <file> has callers show a token`,
    );
  const home = await openServeHome(options.home);
  try {
    const source = 'path' in from ? createDiskSource(from.path) : await openRegistry(from, logger);
    const plane = await startLocalPlane({
      ...options,
      source,
      modelControl: options.modelControl === undefined ? isLoopback(options.host) : options.modelControl === 'on',
      home: home.path,
      otel: process.env,
      logger,
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
    await home.close();
  }
}

async function openRegistry(from: Exclude<ServeOptions['from'], { readonly path: string }>, logger: Logger) {
  const { createRegistrySource } = await import('./registry-source.ts');
  return createRegistrySource({ ...from, logger });
}
