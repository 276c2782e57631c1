import type { PredictionRole } from '#contracts/worker-predictions';
import type { Reader } from '#platform/database';
import {
  addLabels,
  addSparse,
  type CellSums,
  emptyCells,
  emptyLabels,
  type LabelSums,
  type RevisionCounts,
  toScoreCounts,
} from './count-rules.ts';
import { listRevisions } from './endpoint-store.ts';
import type { EventRange, LoggedRevision } from './predictions-api.ts';
import { listCounts, listLabels } from './segment-store.ts';

interface Sums {
  readonly revision: string;
  readonly role: PredictionRole;
  rows: number;
  errors: number;
  labelled: number;
  neverKnown: number;
  readonly columns: readonly CellSums[];
  readonly score: CellSums;
  readonly labels: LabelSums;
}

/** Adds up the sidecars and labels of a span of hours, by (revision, role): no row is read. */
export async function sumCounts(
  reader: Reader,
  range: EventRange & { readonly role?: PredictionRole },
): Promise<readonly RevisionCounts[]> {
  const revisions = new Map(
    (await listRevisions(reader, range.project, range.endpoint)).map((known) => [known.revision, known]),
  );
  const sums = new Map<string, Sums>();
  const sumsOf = (revision: string, role: PredictionRole): Sums => {
    const key = `${role} ${revision}`;
    const found = sums.get(key) ?? emptySums(revision, role, revisions.get(revision));
    sums.set(key, found);
    return found;
  };
  for (const hour of await listCounts(reader, range)) {
    if (range.role !== undefined && hour.role !== range.role) continue;
    const sum = sumsOf(hour.revision, hour.role);
    sum.rows += hour.rows;
    sum.errors += hour.errors;
    for (const [place, cells] of hour.columns.entries()) {
      const column = sum.columns[place];
      if (column !== undefined) addSparse(column, cells);
    }
    addSparse(sum.score, hour.score);
  }
  for (const { positives, negatives, ...hour } of await listLabels(reader, range)) {
    if (range.role !== undefined && hour.role !== range.role) continue;
    const sum = sumsOf(hour.revision, hour.role);
    sum.labelled += hour.labelled;
    sum.neverKnown += hour.neverKnown;
    const { lossMicros, lossSquareMicros, brierMicros, brierSquareMicros, unscored } = hour;
    const micros = [lossMicros, lossSquareMicros, brierMicros, brierSquareMicros, unscored] as const;
    addLabels(sum.labels, { positives, negatives, sums: micros });
  }
  return [...sums.values()].map((sum) => ({ ...sum, labels: toScoreCounts(sum.labels) }));
}

/** Score cells of a revision without a training profile; `intake-service` counts over as many. */
const plainScoreCells = 20;

function emptySums(revision: string, role: PredictionRole, known: LoggedRevision | undefined): Sums {
  const columns = (known?.training?.columns ?? []).map((column) => emptyCells(column.cells.counts.length));
  const scoreCells = known?.training?.score?.cells.counts.length ?? plainScoreCells;
  return {
    revision,
    role,
    rows: 0,
    errors: 0,
    labelled: 0,
    neverKnown: 0,
    columns,
    score: emptyCells(scoreCells),
    labels: emptyLabels(),
  };
}
