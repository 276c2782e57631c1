import { readFile } from 'node:fs/promises';
import type { SpecEndpoint } from '#contracts/deployment-spec';
import type { Logger } from '#platform/log';
import { replaceFile } from './durable-file.ts';
import { checkSpec } from './spec-check.ts';

/**
 * Which state each endpoint was last served in as its spec described it, kept on disk: a start finds the state to return
 * to when the newest spec cannot be served. Who may call is not kept, that is always the newest spec's to say.
 */
export interface LastGood {
  find(described: SpecEndpoint): SpecEndpoint | undefined;
  keep(spec: SpecEndpoint): void;
  forget(spec: SpecEndpoint): void;
  /** Resolves when what was kept is on disk. */
  close(): Promise<void>;
}

const keyOf = ({ project, name }: SpecEndpoint): string => `${project}/${name}`;

export async function openLastGood(path: string, pool: string, logger: Logger): Promise<LastGood> {
  const kept = new Map((await read(path, pool, logger)).map((endpoint) => [keyOf(endpoint), endpoint]));
  let writing: Promise<void> = Promise.resolve();
  let waits = false;

  async function writeAfter(before: Promise<void>): Promise<void> {
    await before;
    waits = false;
    const content = { version: 1, pool, epoch: 'last-good', generation: 0, endpoints: [...kept.values()] };
    try {
      await replaceFile(path, JSON.stringify(content));
    } catch (error) {
      logger.error({ err: error, path }, 'the last good states cannot be kept');
    }
  }

  /** Changes of one moment make one write. */
  function write(): void {
    if (waits) return;
    waits = true;
    writing = writeAfter(writing);
  }

  return {
    find: (described) => kept.get(keyOf(described)),
    keep(spec) {
      const key = keyOf(spec);
      const known = kept.get(key);
      if (spec.traffic.length === 0) {
        if (!kept.delete(key)) return;
      } else {
        if (known !== undefined && isSame(known, spec)) return;
        kept.set(key, { ...spec, access: { tokens: [] } });
      }
      write();
    },
    forget(spec) {
      if (kept.delete(keyOf(spec))) write();
    },
    close: () => writing,
  };
}

const isSame = (a: SpecEndpoint, b: SpecEndpoint): boolean => servedOf(a) === servedOf(b);

const servedOf = ({ traffic, sticky, shadows, revisions }: SpecEndpoint): string =>
  JSON.stringify([traffic, sticky, shadows, revisions]);

async function read(path: string, pool: string, logger: Logger): Promise<readonly SpecEndpoint[]> {
  try {
    return (await checkSpec(JSON.parse(await readFile(path, 'utf8')), pool)).endpoints;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      logger.warn({ err: error, path }, 'the last good states cannot be read; the newest spec alone counts');
    return [];
  }
}
