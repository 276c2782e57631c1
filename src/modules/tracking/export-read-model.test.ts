import { expect, test } from 'vitest';
import { decodeCursor } from '#platform/sql';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { foldersAbove, putFolders, splitPath } from './artifact-store.ts';
import { exportFiles } from './export-read-model.ts';
import type { TrackingTables } from './tracking-tables.ts';

const sha256 = 'a'.repeat(64);

/** Files as many as a test needs to see pages of them. */
async function putFiles(database: TestDatabase, project: string, paths: readonly string[]): Promise<void> {
  await database.write({ actor: 'user:test' }, async (unit) => {
    await putFolders(unit, project, 'o', [...new Set(paths.flatMap(foldersAbove))]);
    for (let at = 0; at < paths.length; at += 1_000) {
      const rows = paths.slice(at, at + 1_000).map((path) => ({
        project,
        ...splitPath(path),
        is_folder: 0,
        owner: 'o',
        sha256,
        size_bytes: 1,
        updated_ms: 0,
      }));
      await unit.query<TrackingTables>().insertInto('tracking_artifacts').values(rows).execute();
    }
  });
}

describeDatabases('the export of files', (open) => {
  test('has every file below a folder once, in pages, and none beside it', async () => {
    const database = await open();
    const many = Array.from({ length: 5_200 }, (_, n) => `0/run/artifacts/many/${n}.png`);
    const others = ['0/run/artifacts/a', '0/run/artifacts/Z/ä/b', '0/run/artifacts/many/z', '0/run/artifacts/zz/c'];
    await putFiles(database, 'p', [...many, ...others, '0/run2/x', '0/run/artifacts-too/y', '1/x']);
    await putFiles(database, 'other', ['0/run/artifacts/not-mine']);
    const paths: string[] = [];
    const sizes: number[] = [];
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await exportFiles(database.read, 'p', '0/run/artifacts', cursor ? decodeCursor(cursor) : undefined);
      sizes.push(page.items.length);
      paths.push(...page.items.map(({ path }) => path));
      cursor = page.next;
    }
    expect(sizes).toEqual([5_000, 204]);
    expect(paths.toSorted()).toEqual([...many, ...others].toSorted());
    expect((await exportFiles(database.read, 'p', '', undefined)).items).toHaveLength(5_000);
    expect((await exportFiles(database.read, 'p', '1', undefined)).items).toEqual([
      { path: '1/x', sha256, sizeBytes: 1 },
    ]);
    expect(await exportFiles(database.read, 'p', 'none', undefined)).toEqual({ items: [] });
  });
});
