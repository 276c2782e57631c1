import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DeploymentSpec } from '#contracts/deployment-spec';
import { dataPlanePaths } from '#contracts/serving';
import type { Logger } from '#platform/log';
import type { ControlClient } from './control-client.ts';
import { replaceFile } from './durable-file.ts';
import { checkSpec } from './spec-check.ts';

export interface SpecClientOptions {
  readonly client: ControlClient;
  readonly pool: string;
  /** Where the last spec is kept, so that a start needs no control plane. */
  readonly path: string;
  readonly logger: Logger;
  readonly apply: (spec: DeploymentSpec) => void;
  readonly waitSeconds?: number;
}

export interface SpecClient {
  /** Applies the stored spec, when there is one, and begins to ask for newer ones. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const firstBackoffMs = 100; // `up` starts both planes at once
const maxBackoffMs = 5_000;

export function createSpecClient(options: SpecClientOptions): SpecClient {
  const { client, pool, path, logger, apply, waitSeconds = 30 } = options;
  const stopping = new AbortController();
  let current: DeploymentSpec | undefined;
  let loop: Promise<void> | undefined;
  let wake: (() => void) | undefined;

  async function readStored(): Promise<DeploymentSpec | undefined> {
    try {
      return await checkSpec(JSON.parse(await readFile(path, 'utf8')), pool);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
        logger.warn({ err: error, path }, 'the stored spec cannot be read; waiting for the control plane');
      return undefined;
    }
  }

  async function ask(): Promise<void> {
    const answer = await client.send({
      method: 'GET',
      path: `${dataPlanePaths.spec(pool)}?wait=${current === undefined ? 0 : waitSeconds}`,
      headers: current === undefined ? {} : { 'if-none-match': `"${current.epoch}.${current.generation}"` },
      timeoutMs: (waitSeconds + 15) * 1000,
      signal: stopping.signal,
    });
    if (answer.status === 304) return;
    if (answer.status !== 200)
      throw new Error(`the control plane answered ${answer.status} to the question for the spec`);
    const spec = await checkSpec(JSON.parse(answer.body.toString()), pool);
    if (current !== undefined && spec.epoch === current.epoch && spec.generation < current.generation) {
      logger.warn({ have: current.generation, got: spec.generation }, 'an older spec was offered and not taken');
      return;
    }
    // Kept before it is in force: what is served is always what a restart would serve.
    await replaceFile(path, JSON.stringify(spec));
    current = spec;
    apply(spec);
  }

  async function run(): Promise<void> {
    let backoffMs = 0;
    while (!stopping.signal.aborted) {
      try {
        const askedAtMs = performance.now();
        await ask();
        // A control plane that does not hold the answer must not be asked in a tight loop.
        backoffMs = performance.now() - askedAtMs < 50 ? 50 : 0;
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (backoffMs < firstBackoffMs)
          logger.warn({ err: error }, 'the control plane cannot be asked; serving the last spec');
        backoffMs = Math.min(maxBackoffMs, Math.max(firstBackoffMs, backoffMs * 2));
      }
      if (backoffMs > 0)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, backoffMs * (0.75 + Math.random() / 2));
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
    }
  }

  return {
    async start() {
      await mkdir(dirname(path), { recursive: true });
      current = await readStored();
      if (current !== undefined) apply(current);
      loop = run();
    },
    async stop() {
      stopping.abort();
      wake?.();
      await loop;
    },
  };
}
