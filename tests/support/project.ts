import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openProjectFolder } from '../../src/cli/workspace/project-folder.ts';
import { createProjectSender, ensureProject, followIngestion } from '../../src/cli/workspace/send.ts';
import type { IngestionView } from '../../src/contracts/datasets.ts';
import { runQuery } from '../../src/contracts/datasets.ts';
import { applyWorkspace, diffWorkspace, type ResourceDifference } from '../../src/contracts/workspace.ts';
import type { Client } from '../../src/sdk/index.ts';
import { temporaryFolder } from './control-plane.ts';

/** A user's project folder beside a server, handled as the command line does. */
export interface TestProject {
  readonly folder: string;
  write(path: string, content: string | Uint8Array): Promise<void>;
  /** The client of the project; makes the project on first use. */
  client(): Promise<Client>;
  apply(options?: {
    readonly prune?: boolean;
  }): Promise<{ readonly changes: number; readonly differences: readonly ResourceDifference[] }>;
  diff(): Promise<{ readonly code: boolean; readonly differences: readonly ResourceDifference[] }>;
  /** Starts a landing; undefined when nothing is new. */
  startLanding(dataset: string): Promise<IngestionView | undefined>;
  /** Lands and waits for the end. */
  land(dataset: string): Promise<IngestionView | undefined>;
  /** Rows of one SELECT over the project's datasets. */
  query(sql: string, ...datasets: readonly string[]): Promise<readonly unknown[]>;
  /** Parquet bytes of one SELECT. */
  parquet(sql: string): Promise<Uint8Array>;
}

export async function createTestProject(root: Client, document: string): Promise<TestProject> {
  const folder = await temporaryFolder();
  const write = async (path: string, content: string | Uint8Array) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  };
  await write('tidemill.yaml', document);
  const open = async () => {
    const opened = await openProjectFolder(folder);
    const client = await ensureProject(root, opened.project);
    return { client, opened, sender: await createProjectSender(client, opened) };
  };
  const project: TestProject = {
    folder,
    write,
    client: async () => (await open()).client,
    async apply({ prune = false } = {}) {
      const { client, sender } = await open();
      return client.call(applyWorkspace, { body: { snapshot: await sender.snapshot(), prune } });
    },
    async diff() {
      const { client, sender } = await open();
      const { files, texts } = await sender.describe();
      return client.call(diffWorkspace, { body: { files: [...files], texts } });
    },
    startLanding: async (dataset) => (await open()).sender.land(dataset),
    async land(dataset) {
      const { client, sender } = await open();
      const started = await sender.land(dataset);
      return started && followIngestion(client, started.id, new AbortController().signal);
    },
    async query(sql, ...datasets) {
      const { client } = await open();
      const { rows } = await client.call(runQuery, {
        body: { sql, inputs: datasets.map((name) => ({ name, dataset: name })), rows: 10_000 },
      });
      return rows ?? [];
    },
    async parquet(sql) {
      const { client } = await open();
      const { files } = await client.call(runQuery, { body: { sql, inputs: [] } });
      const response = await client.request(`/api/v1/artifacts/${files[0]?.sha256 ?? ''}`);
      return new Uint8Array(await response.arrayBuffer());
    },
  };
  return project;
}
