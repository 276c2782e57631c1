import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { runColumns } from './nouns/tracking-run.ts';
import { createOutput, formatRecord, formatTable } from './output.ts';

test('cuts the widest columns until the table fits the terminal', () => {
  const rows = [{ name: 'a', title: 'a title that goes on and on' }];
  const columns = [
    { title: 'name', value: (row: { name: string }) => row.name },
    { title: 'title', value: (row: { title: string }) => row.title },
  ];
  expect(formatTable(rows, columns, 'none', 24)).toBe('NAME  TITLE\na     a title that goes…');
});

test('aligns columns, numbers to the right, absent values as a dash', () => {
  const rows = [
    { name: 'a', size: 10, ok: true },
    { name: 'long name', size: undefined, ok: false },
  ];
  const text = formatTable(
    rows,
    [
      { title: 'name', value: (row) => row.name },
      { title: 'size', value: (row) => row.size },
      { title: 'ok', value: (row) => row.ok },
    ],
    'none',
  );
  expect(text).toBe('NAME       SIZE  OK\na            10  yes\nlong name     -  no');
});

test('writes a record as lines, nested things indented', () => {
  const record = {
    name: 'a',
    current: { version: 3, tags: ['x', 'y'] },
    parts: [{ rows: 1, id: 'p' }],
    gone: null,
    empty: [],
  };
  expect(formatRecord(record)).toBe(
    'name: a\ncurrent:\n  version: 3\n  tags:\n    - x\n    - y\nparts:\n  - rows: 1\n    id: p\nempty: none',
  );
});

const id = '3f2b9c0d4e5f60718293a4b5c6d7e8f9';
const trackingRun = {
  id,
  name: 'thoughtful-stoat-219',
  status: 'FINISHED',
  metrics: [
    { key: 'auc', value: 0.871_234_567_891_2 },
    { key: 'rows', value: 1_234_567 },
  ],
  params: [{ key: 'depth', value: '0.30000000000000004' }],
  startedAt: '2026-01-02T03:04:05.678Z',
};

/** What a person sees on a terminal of this width. */
function onTerminal(columns: number, { json = false } = {}) {
  const [stdout, stderr] = [Object.assign(new PassThrough(), { isTTY: true, columns }), new PassThrough()];
  const output = createOutput({ json, quiet: false, stdout, stderr, environment: { NO_COLOR: '1' } });
  output.list([trackingRun as never], false, { columns: runColumns, empty: 'none' });
  return { out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') };
}

test('a table keeps ids whole at every width and shortens metrics and params first', () => {
  for (const width of [40, 60, 80, 100, 120, 160, 200]) {
    const { out } = onTerminal(width);
    expect(out).toContain(id);
    for (const line of out.trimEnd().split('\n')) expect(line.length).toBeLessThanOrEqual(Math.max(width, id.length));
  }
  const { out } = onTerminal(130);
  expect(out).toContain('thoughtful-stoat-219  FINISHED');
  expect(out).toContain('2026-01-02T03:04:05Z');
  expect(out).toContain('…');
});

test('a table says which columns have no room, and has times to the second and numbers to five digits', () => {
  expect(onTerminal(80).err).toMatch(/^not shown, for want of room: PARAMS, DELETED; --json has all\n$/);
  const wide = onTerminal(250);
  expect(wide.err).toBe('');
  expect(wide.out).toContain('auc=0.87123, rows=1234567');
  expect(wide.out).toContain('depth=0.30000000000000004');
  const { items } = JSON.parse(onTerminal(80, { json: true }).out) as { items: readonly object[] };
  expect(items).toEqual([trackingRun]);
});
