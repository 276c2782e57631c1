import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runQuery } from '#contracts/datasets';
import type { Client } from '../../sdk/index.ts';
import { packagePath } from '../package-path.ts';

/** A year of flights, cut into the files that arrive day by day, kept aside until their day comes. */
export interface Stock {
  /** Copies what has arrived by then into the project; answers whether there was such a file. */
  deliver(dataset: DatasetName, day: string): Promise<boolean>;
  /** Digests of the daily files of flights, by day. */
  readonly flights: ReadonlyMap<string, string>;
}

export const datasetNames = ['flights', 'departures', 'weather'] as const;
export type DatasetName = (typeof datasetNames)[number];

const example = packagePath('examples', 'flights');

/** Copies the example without its source data: what is left is what a user would have. */
export async function copyExample(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const entry of await readdir(example))
    if (entry !== 'data' && entry !== 'demo') await cp(join(example, entry), join(folder, entry), { recursive: true });
}

/** Cuts the year into daily files by a query job of the server. */
export async function cutStock(
  client: Client,
  folder: string,
  projectFolder: string,
  options: {
    readonly share: number;
    readonly seed: number;
    readonly from: string;
    readonly until: string;
    readonly signal: AbortSignal;
    say(line: string): void;
  },
): Promise<Stock> {
  const { signal } = options;
  const sources = await uploadSources(client, signal);
  const digests = new Map<string, string>();
  for (const dataset of datasetNames) {
    options.say(`  ${dataset}`);
    const select = (await readFile(join(example, 'demo', `${dataset}.sql`), 'utf8'))
      .replaceAll('$share', String(options.share))
      .replaceAll('$seed', String(options.seed))
      .replaceAll(/--[^\n]*/g, '');
    const body = {
      sql: `select * from (${select}) where day >= date '${options.from}' and day < date '${options.until}'`,
      inputs: sources,
      partition: { by: 'day', name: '{value}.parquet' },
    };
    const { files } = await client.call(runQuery, { body }, { signal });
    await mkdir(join(folder, dataset), { recursive: true });
    const queue = [...files];
    const fetchOne = async (): Promise<void> => {
      for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
        const bytes = await (await client.request(`/api/v1/artifacts/${file.sha256}`, { signal })).arrayBuffer();
        await writeFile(join(folder, dataset, file.name), Buffer.from(bytes));
        digests.set(`${dataset}/${file.name}`, file.sha256);
      }
    };
    await Promise.all(Array.from({ length: 8 }, fetchOne));
  }
  const flights = [...digests].flatMap(([key, sha256]) => {
    const day = /^flights\/(.+)\.parquet$/.exec(key)?.[1];
    return day === undefined ? [] : [[day, sha256] as const];
  });
  return {
    flights: new Map(flights),
    async deliver(dataset, day) {
      if (!digests.has(`${dataset}/${day}.parquet`)) return false;
      const target = join(projectFolder, 'data', dataset);
      await mkdir(target, { recursive: true });
      await cp(join(folder, dataset, `${day}.parquet`), join(target, `${day}.parquet`));
      return true;
    },
  };
}

async function uploadSources(client: Client, signal: AbortSignal): Promise<{ name: string; sha256: string }[]> {
  const { createHash } = await import('node:crypto');
  return Promise.all(
    ['flights', 'weather'].map(async (name) => {
      const bytes = await readFile(join(example, 'data', 'source', `${name}.parquet`));
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      await client.request(`/api/v1/artifacts/${sha256}`, {
        method: 'PUT',
        signal,
        headers: { 'content-type': 'application/octet-stream' },
        body: new Blob([new Uint8Array(bytes)]),
      });
      return { name, sha256 };
    }),
  );
}

/** The day after. */
export function nextDay(day: string, by = 1): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + by * 86_400_000).toISOString().slice(0, 10);
}
