import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { dayMs, hourMs } from '#contracts/worker-predictions';
import type { WriteContext } from '#platform/database';
import { addSparse, emptyCells, toSparse } from './count-rules.ts';
import { logOwner, type PredictionsDeps } from './predictions-deps.ts';
import { predictionsErrors } from './predictions-errors.ts';
import {
  deleteSegments,
  type HourCounts,
  insertCounts,
  insertSegment,
  listCountsOfSegments,
  listSegments,
  listUnused,
  type Segment,
  type SegmentKind,
} from './segment-store.ts';

/** A day that still takes rows is compacted when it has so many files. */
const filesOfOpenDay = 32;

/**
 * Level 0 becomes level 1: the files of one (endpoint, event day) become one, sorted by id. The worker writes the new
 * file, then one unit swaps the segments; until then, and after a crash, the old ones hold. Digests that nothing names
 * any more are released: their bytes stay for an hour at least, so that whoever has a snapshot reads on.
 */
export function createCompaction(deps: PredictionsDeps): {
  /** Compacts the days of an endpoint that are over by `settledMs`, and open ones in many files. */
  compactDays(context: WriteContext, project: string, endpoint: string, settledMs: number): Promise<number>;
} {
  const { database, blobs } = deps;

  async function compact(context: WriteContext, sources: readonly Segment[]): Promise<void> {
    const [first] = sources;
    if (first === undefined) return;
    const { project, endpoint, kind } = first;
    const folder = join(deps.folder, `compaction-${randomUUID()}`);
    await mkdir(folder, { recursive: true });
    try {
      const outputPath = join(folder, 'day.parquet');
      const paths = [...new Set(sources.map(({ sha256 }) => `blob:${sha256}`))];
      const day = await deps.jobs.runTask('log-compact', { kind, paths, dayMs: first.dayMs, outputPath });
      const expected = sources.reduce((sum, { rows }) => sum + rows, 0);
      const found = day.rows + day.folded;
      if (found !== expected)
        throw predictionsErrors.LOG_ROWS_LOST(new Date(first.dayMs).toISOString().slice(0, 10), expected, found);
      const blob = await blobs.putFile(outputPath, { move: true });
      const ids = sources.map(({ id }) => id);
      const counts = kind === 'rows' ? mergeHours(await listCountsOfSegments(database.read, ids)) : [];
      await database.write(context, async (unit) => {
        if ((await deleteSegments(unit, ids)) !== ids.length) throw predictionsErrors.LOG_CHANGED(endpoint);
        const id = unit.newId();
        await deps.artifacts.retain(unit, { project, ...blob, owner: logOwner(endpoint) });
        await insertSegment(unit, { id, project, endpoint, kind, level: 1, ...blob, ...day });
        await insertCounts(unit, id, counts);
        const unused = await listUnused(unit, project, [...new Set(sources.map(({ sha256 }) => sha256))]);
        for (const sha256 of unused) await deps.artifacts.release(unit, { project, owner: logOwner(endpoint), sha256 });
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async function compactKind(
    context: WriteContext,
    range: { readonly project: string; readonly endpoint: string },
    kind: SegmentKind,
    settledMs: number,
  ): Promise<number> {
    const all = await listSegments(database.read, { ...range, fromMs: 0, toMs: settledMs + dayMs }, kind);
    const days = new Map<number, Segment[]>();
    for (const segment of all) days.set(segment.dayMs, [...(days.get(segment.dayMs) ?? []), segment]);
    let compacted = 0;
    for (const [day, segments] of days) {
      const isOver = day + dayMs + hourMs <= settledMs;
      const isScattered = segments.length > 1 || (kind === 'rows' && segments.some(({ level }) => level === 0));
      if (!(isOver && isScattered) && segments.length <= filesOfOpenDay) continue;
      await compact(context, segments);
      compacted += 1;
    }
    return compacted;
  }

  return {
    async compactDays(context, project, endpoint, settledMs) {
      const rows = await compactKind(context, { project, endpoint }, 'rows', settledMs);
      return rows + (await compactKind(context, { project, endpoint }, 'truth', settledMs));
    },
  };
}

/** Counts of several files by (revision, role, hour), added up. */
function mergeHours(counts: readonly HourCounts[]): readonly HourCounts[] {
  const groups = new Map<string, HourCounts[]>();
  for (const count of counts) {
    const key = `${count.hourMs} ${count.role} ${count.revision}`;
    groups.set(key, [...(groups.get(key) ?? []), count]);
  }
  return [...groups.values()].flatMap((group): HourCounts[] => {
    const [first] = group;
    if (first === undefined || group.length === 1) return group;
    const add = (pick: (count: HourCounts) => readonly number[]): number[] => {
      const sums = emptyCells(0);
      for (const count of group) addSparse(sums, pick(count));
      return toSparse(sums);
    };
    return [
      {
        ...first,
        rows: group.reduce((sum, { rows }) => sum + rows, 0),
        errors: group.reduce((sum, { errors }) => sum + errors, 0),
        // a file that came before its revision was registered has no columns
        columns: Array.from({ length: Math.max(...group.map(({ columns }) => columns.length)) }, (_, place) =>
          add(({ columns }) => columns[place] ?? []),
        ),
        score: add(({ score }) => score),
      },
    ];
  });
}
