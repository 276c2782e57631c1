import type { DuckDBValue } from '@duckdb/node-api';
import type { ModelSignature } from '#contracts/tensor';
import { createOnnxRuntime } from '#runtimes/onnx';
import { planModelRows } from './model-rows.ts';
import { parseScore, readScores } from './score-output.ts';
import type { Session } from './session.ts';
import { quoteName } from './sql-quote.ts';
import { requireColumn } from './table-columns.ts';
import { workerErrors } from './worker-errors.ts';

export interface ScoreRequest {
  readonly modelPath: string;
  /** A table, view or read function of the session. */
  readonly relation: string;
  readonly score: string | undefined;
  readonly columns: readonly string[] | undefined;
  /** SQL expression; null means never known. */
  readonly label: string | undefined;
  /** Score only every k-th row. */
  readonly every?: number;
  /** A column whose values are handed back. */
  readonly cluster?: string | undefined;
}

/** One entry a row, in the order of the rows. */
export interface ScoredRows {
  readonly signature: ModelSignature;
  /** Columns of the table that the model reads. */
  readonly inputColumns: readonly string[];
  /** NaN where the model gives no number. */
  readonly scores: Float64Array;
  /** NaN where the label is never known; empty without a label. */
  readonly labels: Float64Array;
  /** A number for each distinct value of `cluster`; empty without one. */
  readonly clusters: Float64Array;
}

/** Rows at a time: large enough that the model's own overhead is small, small enough that a cancel is noticed soon. */
const batchRows = 8192;

/** Scores rows batch by batch, in this thread: a worker has nothing to answer meanwhile. */
export async function scoreRows(session: Session, request: ScoreRequest): Promise<ScoredRows> {
  const { modelPath, relation, label, every = 1, cluster } = request;
  const table = await session.columns(relation);
  if (label !== undefined) await assertLabel(session, label, relation);
  const runtime = createOnnxRuntime();
  try {
    const model = await runtime.load({ mainPath: modelPath });
    const output = parseScore(request.score, model.signature);
    const rows = planModelRows(model.signature, table, request.columns);
    const from = every === 1 ? relation : `(select * from ${relation} qualify row_number() over () % ${every} = 1)`;
    const select = [
      ...rows.select,
      label === undefined ? 'null' : `(${label}\n)::double`,
      cluster === undefined ? 'null' : `${quoteName(requireColumn(table, cluster, 'the rows').name)}::varchar`,
    ];
    const [scores, labels, clusters]: [number[], number[], number[]] = [[], [], []];
    const places = new Map<DuckDBValue, number>();
    const failure = { kind: 'sql', what: label === undefined ? 'the rows' : `label "${label}"` } as const;
    for await (const batch of batchesOf(session, `select ${select.join(', ')} from ${from}`, select.length, failure)) {
      const count = batch[0]?.length ?? 0;
      const [given] = await model.predict(rows.toTensors(batch.slice(0, rows.select.length), count), [output.output]);
      if (given === undefined) throw workerErrors.SCORE_INVALID(output.output, 'the model gave no such output');
      for (const value of readScores(given, output, count)) scores.push(value);
      if (label !== undefined)
        for (const value of batch.at(-2) ?? []) labels.push(value === null ? Number.NaN : Number(value));
      if (cluster !== undefined)
        for (const value of batch.at(-1) ?? []) {
          const place = places.get(value) ?? places.size;
          places.set(value, place);
          clusters.push(place);
        }
    }
    return {
      signature: model.signature,
      inputColumns: rows.columns,
      scores: Float64Array.from(scores),
      labels: Float64Array.from(labels),
      clusters: Float64Array.from(clusters),
    };
  } finally {
    await runtime.close();
  }
}

/** One expression, not a list, not a statement: it is put between brackets. @throws LABEL_INVALID */
async function assertLabel(session: Session, label: string, relation: string): Promise<void> {
  const columns = await session.columns(`(select (${label}\n) from ${relation})`, {
    kind: 'sql',
    what: `label "${label}"`,
  });
  if (columns.length !== 1) throw workerErrors.LABEL_INVALID(label, 'it must be one expression');
}

/** Chunks put together: columns of `batchRows` values, the last batch shorter. */
async function* batchesOf(
  session: Session,
  sql: string,
  width: number,
  failure: Parameters<Session['chunks']>[1],
): AsyncGenerator<readonly (readonly DuckDBValue[])[]> {
  const empty = () => Array.from({ length: width }, (): DuckDBValue[] => []);
  let batch = empty();
  for await (const chunk of session.chunks(sql, failure)) {
    for (const [place, column] of batch.entries()) for (const value of chunk.getColumnValues(place)) column.push(value);
    if ((batch[0]?.length ?? 0) < batchRows) continue;
    yield batch;
    batch = empty();
  }
  if ((batch[0]?.length ?? 0) > 0) yield batch;
}
