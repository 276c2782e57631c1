import { basename, join } from 'node:path';
import { graphFile } from '#contracts/servable-version';
import { isAppError } from '#platform/errors';
import { findMembers, readGraph } from '#runtimes/graph/graph-file';
import type { LocalModel } from './local-model.ts';

/** A folder with a `graph.yaml` (docs/graphs.md), whose models lie in it or beside it. */
export async function readGraphModel(folder: string): Promise<LocalModel> {
  const name = basename(folder);
  const path = join(folder, graphFile);
  try {
    const members = await findMembers(path, await readGraph(path), true);
    const parts = [...new Set(members.map(({ mainPath }) => mainPath))];
    return { name, path: folder, versions: [{ version: '1', runtime: 'graph', path, parts }], warnings: [] };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { name, path: folder, versions: [], warnings: [], problem: error.message };
  }
}
