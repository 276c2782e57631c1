import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTaskFolder, type TaskFolder } from './testing/task-folder.ts';

/** The meaning of the join, row by row, in plain TypeScript. */
interface FeatureRow {
  readonly k: string | null;
  readonly j: number | null;
  readonly time: number | null;
  readonly created: number | null;
  readonly a: number | null;
  readonly b: string | null;
}
interface SpineRow {
  readonly k: string | null;
  readonly j: number | null;
  readonly at: number | null;
}
interface View {
  readonly rows: readonly FeatureRow[];
  readonly composite: boolean;
  readonly useCreated: boolean;
  readonly ttlMs: number | undefined;
  readonly knownAfterMs: number | undefined;
  readonly source: (typeof sources)[number];
}
// One file, two, SQL, and one with a column that hides the number of its rows, so that the database joins alone.
const sources = ['file', 'files', 'sql', 'hidden'] as const;

/** Descending, null last; texts by code unit, as DuckDB's bytes for these letters. */
function compareDown(x: number | string | null, y: number | string | null): number {
  if (x === y) return 0;
  if (x === null) return 1;
  if (y === null) return -1;
  return x > y ? -1 : 1;
}

function bruteForce({ rows, composite, useCreated, ttlMs, knownAfterMs = 0 }: View, { k, j, at }: SpineRow) {
  const usable = rows.filter((row) => {
    if (at === null || k === null || row.k !== k || row.time === null) return false;
    if (composite && (j === null || row.j !== j)) return false;
    const age = at - row.time;
    return age >= knownAfterMs && (ttlMs === undefined || age <= ttlMs);
  });
  const [best] = usable.toSorted(
    (x, y) =>
      compareDown(x.time, y.time) ||
      (useCreated ? compareDown(x.created, y.created) : 0) ||
      compareDown(x.a, y.a) ||
      compareDown(x.b, y.b),
  );
  return [best?.a ?? null, best?.b ?? null];
}

// Few keys and few instants, so that ties, duplicates and exact bounds are the rule.
const epoch = Date.UTC(2013, 0, 1);
const instant = fc.integer({ min: 0, max: 12 }).map((tick) => epoch + tick * 1000);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 8 });
const key = { k: maybe(fc.constantFrom('x', 'y', "it's")), j: maybe(fc.integer({ min: 1, max: 2 })) };
const featureRow = fc.record({
  ...key,
  time: maybe(instant),
  created: maybe(fc.integer({ min: 0, max: 3 }).map((tick) => epoch + tick)),
  a: maybe(fc.integer({ min: 0, max: 3 })),
  b: maybe(fc.constantFrom('p', 'q')),
});
const spineRow = fc.record({ ...key, at: maybe(instant) });
const duration = fc.option(
  fc.integer({ min: 0, max: 8 }).map((tick) => tick * 1000),
  { nil: undefined },
);
const view = fc.record({
  rows: fc.array(featureRow, { maxLength: 30 }),
  composite: fc.boolean(),
  useCreated: fc.boolean(),
  ttlMs: duration,
  knownAfterMs: duration,
  source: fc.constantFrom(...sources),
});

let folder: TaskFolder;
beforeAll(async () => {
  folder = await createTaskFolder();
});
afterAll(() => folder.remove());

const text = (value: string | null): string => (value === null ? 'null' : `'${value.replaceAll("'", "''")}'`);
const timestamp = (value: number | null): string => (value === null ? 'null' : `epoch_ms(${value})`);

/** A typed table of the rows, which may be none. */
function tableOf(
  columns: Readonly<Record<string, string>>,
  rows: readonly (readonly (string | number | null)[])[],
): string {
  const names = Object.keys(columns);
  const list = rows.length === 0 ? [names.map(() => 'null')] : rows;
  const select = Object.entries(columns).map(([name, type]) => `"${name}"::${type} as "${name}"`);
  const values = list.map((row) => `(${row.map(String).join(', ')})`).join(', ');
  return `select ${select.join(', ')} from (values ${values}) as v(${names.map((name) => `"${name}"`).join(', ')}) limit ${rows.length}`;
}

/** The view's rows as the task's input names them. */
async function writeView(name: string, rows: readonly FeatureRow[], source: View['source']) {
  if (source === 'files') {
    const half = Math.floor(rows.length / 2);
    const paths = [
      await writeRows(`${name}-1.parquet`, rows.slice(0, half)),
      await writeRows(`${name}-2.parquet`, rows.slice(half)),
    ];
    return { paths };
  }
  const path = await writeRows(`${name}.parquet`, rows, source === 'hidden' ? 'file_row_number' : undefined);
  if (source === 'sql') return { sql: 'select * from given', inputs: [{ name: 'given', paths: [path] }] };
  return { paths: [path] };
}

function writeRows(name: string, rows: readonly FeatureRow[], more?: string): Promise<string> {
  const columns = { k: 'varchar', j: 'integer', time: 'timestamp', created: 'timestamp', a: 'double', b: 'varchar' };
  const table = tableOf(
    columns,
    rows.map(({ k, j, time, created, a, b }) => [text(k), j, timestamp(time), timestamp(created), a, text(b)]),
  );
  return folder.parquet(name, more === undefined ? table : `select *, 7 as ${more} from (${table})`);
}

function writeSpine(name: string, rows: readonly SpineRow[], from: number): Promise<string> {
  const columns = { n: 'integer', k: 'varchar', j: 'bigint', at: 'timestamp' };
  return folder.parquet(
    name,
    tableOf(
      columns,
      rows.map(({ k, j, at }, n) => [from + n, text(k), j, timestamp(at)]),
    ),
  );
}

test('the join equals brute force: ties, nulls, duplicates, exact bounds, several views, any source and order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(spineRow, { minLength: 1, maxLength: 20 }),
      fc.array(view, { minLength: 1, maxLength: 2 }),
      fc.boolean(),
      async (spine, views, reverse) => {
        const half = Math.ceil(spine.length / 2);
        // Two files, the second of which may be empty, so that order across files counts too.
        const paths = [
          await writeSpine('spine-1.parquet', spine.slice(0, half), 0),
          await writeSpine('spine-2.parquet', spine.slice(half), half),
        ];
        const made = [];
        for (const [index, item] of views.entries()) {
          const rows = reverse ? item.rows.toReversed() : item.rows;
          made.push({
            name: `v${index}`,
            ...(await writeView(`view-${index}`, rows, item.source)),
            entity: item.composite ? ['k', 'j'] : ['k'],
            time: 'time',
            ...(item.useCreated && { created: 'created' }),
            ...(item.ttlMs !== undefined && { ttlMs: item.ttlMs }),
            ...(item.knownAfterMs !== undefined && { knownAfterMs: item.knownAfterMs }),
            columns: ['a', 'b'],
          });
        }
        const output = await folder.run('join', {
          spine: { paths, at: 'at' },
          views: made,
          outputPath: folder.path('joined.parquet'),
        });
        const rows = await folder.read(`select * from '${folder.path('joined.parquet')}'`);
        expect(output.file?.rows).toBe(spine.length);
        expect(rows.map((row) => Number(row['n']))).toEqual(spine.map((_, index) => index));
        const got = rows.map((row) => views.map((_, index) => [row[`v${index}__a`], row[`v${index}__b`]]));
        expect(got).toEqual(spine.map((row) => views.map((item) => bruteForce(item, row))));
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);
