import type { DuckDBValue } from '@duckdb/node-api';
import { BIGINT, DOUBLE, INTEGER, VARCHAR } from '@duckdb/node-api';
import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { dayMs, hourMs } from '#contracts/worker-predictions';
import { countScores } from '#statistics/score-counts';
import { writeColumns } from './log-columns.ts';
import { type Session, withSession } from './session.ts';
import { quoteName, quoteText, readParquet } from './sql-quote.ts';
import type { TaskContext } from './task-context.ts';
import { workerErrors } from './worker-errors.ts';

type Input = WorkerTaskInput<'log-truth'>;
type Output = WorkerTaskOutput<'log-truth'>;
type Dataset = Input['datasets'][number];

/**
 * Truths meet their predictions in four steps, all inside one in-memory database:
 *
 *   answered     rows of the days           known       the truth that counts now, by row
 *   candidates   what is said               said        by row: the candidate that counts among them
 *   news         said, where it is new, another value, or the same value observed later
 */
export function joinTruth(context: TaskContext, input: Input): Promise<Output> {
  const read = [
    ...input.rows,
    ...input.truths,
    ...input.datasets.flatMap(({ parts }) => parts.map(({ path }) => path)),
  ];
  return withSession(context, { read, write: [input.outputPath] }, async (session) => {
    await loadDays(session, input);
    await session.run(
      'create table candidates (ordinal integer, truth_id varchar, row integer, event_ms bigint, value double, observed_ms bigint, source varchar)',
    );
    for (const dataset of input.datasets)
      for (const [place, part] of dataset.parts.entries())
        await addDataset(session, dataset, part, place - dataset.parts.length);
    const found = input.pushed.length === 0 ? [] : await addPushed(session, input.pushed);
    await session.run(`create table news as
      with said as (
        select * from candidates
        qualify row_number() over (partition by truth_id, row order by observed_ms desc, ordinal desc, value desc nulls last) = 1)
      select said.*, greatest(${input.recordedMs}::bigint, coalesce(known.recorded_ms + 1, 0)) as recorded_ms,
        case when known.truth_id is null then 'matched'
             when said.value is distinct from known.value then 'changed' else 'same' end as what
      from said left join known on known.truth_id = said.truth_id and known.row = said.row
      where known.truth_id is null or said.observed_ms > known.observed_ms
        or (said.observed_ms = known.observed_ms and said.value is distinct from known.value)`);
    const counts = await session.row(
      `select count(*) filter (what = 'matched') as matched, count(*) filter (what = 'changed') as changed,
         (select count(*) from (select distinct truth_id, row from candidates)) - count(*) filter (what <> 'same') as unchanged
       from news`,
    );
    const days = await writeNews(session, input.outputPath);
    return {
      matched: Number(counts['matched']),
      changed: Number(counts['changed']),
      unchanged: Number(counts['unchanged']),
      found,
      days,
      ...(await countLabels(session, input.recountDays)),
    };
  });
}

const truthColumns = 'truth_id, row, event_ms, value, observed_ms, recorded_ms, source';
const latestTruth = 'row_number() over (partition by truth_id, row order by observed_ms desc, recorded_ms desc) = 1';

async function loadDays(session: Session, { rows, truths, days }: Input): Promise<void> {
  const ofDays = `event_ms >= ${Math.min(...days)} and event_ms < ${Math.max(...days) + dayMs}
    and (event_ms - event_ms % ${dayMs}) in (${days.join(', ')})`;
  await session.run(
    rows.length === 0
      ? 'create table answered (prediction_id varchar, row integer, truth_id varchar, role varchar, revision varchar, key varchar, event_ms bigint, score double, status varchar)'
      : `create table answered as select prediction_id, row, truth_id, role, revision, key, event_ms, score, status
         from ${readParquet(rows)} where ${ofDays}`,
  );
  await session.run(
    truths.length === 0
      ? 'create table known (truth_id varchar, row integer, event_ms bigint, value double, observed_ms bigint, recorded_ms bigint, source varchar)'
      : `create table known as select ${truthColumns} from ${readParquet(truths)} where ${ofDays} qualify ${latestTruth}`,
  );
}

/** Of equally old parts the last one counts: their ordinals are negative and rise. */
async function addDataset(
  session: Session,
  dataset: Dataset,
  part: Dataset['parts'][number],
  ordinal: number,
): Promise<void> {
  const file = readParquet([part.path]);
  const columns = await session.columns(file);
  const typeOf = (name: string): string => {
    const column = columns.find((candidate) => candidate.name === name);
    if (column === undefined) throw workerErrors.COLUMN_MISSING(name, part.source, undefined);
    return column.type;
  };
  const texts = dataset.key.map((name) => keyText(quoteName(name), typeOf(name), dataset.key.length > 1));
  const key = texts.length === 1 ? texts[0] : `'[' || ${texts.join(` || ',' || `)} || ']'`;
  const time = eventTime(quoteName(dataset.time), typeOf(dataset.time), dataset.time, part.source);
  await session.defineView(
    'truth_source',
    `select ${key} as truth_key, ${time} as truth_event_ms, (${dataset.value})::double as truth_value from ${file}`,
    `the truth's value "${dataset.value}"`,
  );
  await session.run(`insert into candidates
    select distinct ${ordinal}, answered.truth_id, answered.row, answered.event_ms, truth_value, ${part.observedMs}, ${quoteText(part.source)}
    from truth_source join answered on answered.key = truth_key and answered.event_ms = truth_event_ms`);
  await session.run('drop view truth_source');
}

/** The SQL twin of `encodeKey` in contracts/entity-key. */
function keyText(column: string, type: string, quoted: boolean): string {
  const text = (value: string) => (quoted ? `to_json(${value})::varchar` : value);
  if (type.startsWith('TIMESTAMP'))
    return text(`replace(strftime((${column})::timestamp, '%Y-%m-%dT%H:%M:%S.%gZ'), '.000Z', 'Z')`);
  if (type === 'BOOLEAN') return `(${column})::varchar`;
  if (/^(?:FLOAT|DOUBLE|REAL)/.test(type))
    // JavaScript writes 1.0 as 1
    return `case when ${column} = trunc(${column}) and abs(${column}) < 1e15 then (${column})::bigint::varchar else (${column})::varchar end`;
  if (/INT|^DECIMAL/.test(type)) return `(${column})::varchar`;
  return text(`(${column})::varchar`);
}

function eventTime(column: string, type: string, name: string, where: string): string {
  if (type.startsWith('TIMESTAMP')) return `epoch_ms((${column})::timestamp)`;
  if (type === 'DATE') return `epoch_ms((${column})::timestamp)`;
  if (/INT/.test(type)) return `(${column})::bigint`;
  throw workerErrors.TIME_COLUMN_INVALID(name, type, where);
}

/** Answers the ordinals of those that found a row. */
async function addPushed(session: Session, pushed: Input['pushed']): Promise<number[]> {
  const list = <T extends DuckDBValue>(pick: (truth: Input['pushed'][number]) => T) => pushed.map(pick);
  await writeColumns(session, 'pushed', [
    { name: 'ordinal', type: INTEGER, values: list(({ ordinal }) => ordinal) },
    { name: 'prediction_id', type: VARCHAR, values: list(({ predictionId }) => predictionId ?? null) },
    { name: 'row', type: INTEGER, values: list(({ row }) => row ?? null) },
    { name: 'key', type: VARCHAR, values: list(({ key }) => key ?? null) },
    { name: 'event_ms', type: BIGINT, values: list(({ eventMs }) => whole(eventMs)) },
    { name: 'value', type: DOUBLE, values: list(({ value }) => value) },
    { name: 'observed_ms', type: BIGINT, values: list(({ observedMs }) => BigInt(observedMs)) },
    { name: 'source', type: VARCHAR, values: list(({ source }) => source) },
  ]);
  const select =
    'select distinct pushed.ordinal, answered.truth_id, answered.row, answered.event_ms, pushed.value, pushed.observed_ms, pushed.source';
  await session.run(`insert into candidates ${select} from pushed join answered on answered.prediction_id = pushed.prediction_id
    where pushed.row is null or pushed.row = answered.row`);
  await session.run(`insert into candidates ${select} from pushed join answered
    on answered.key = pushed.key and answered.event_ms = pushed.event_ms where pushed.prediction_id is null`);
  const found = await session.rows('select distinct ordinal from candidates where ordinal >= 0 order by ordinal');
  return found.map(({ ordinal }) => Number(ordinal));
}

async function writeNews(session: Session, path: string): Promise<Output['days']> {
  const days = await session.rows(
    `select event_ms - event_ms % ${dayMs} as day_ms, count(*) as rows, min(truth_id) as min_id, max(truth_id) as max_id,
       min(event_ms) as min_event_ms, max(event_ms) as max_event_ms from news group by 1 order by 1`,
  );
  if (days.length > 0) await session.writeParquet(path, `select ${truthColumns} from news order by truth_id, row`);
  return days.map((day) => ({
    dayMs: Number(day['day_ms']),
    rows: Number(day['rows']),
    minId: String(day['min_id']),
    maxId: String(day['max_id']),
    minEventMs: Number(day['min_event_ms']),
    maxEventMs: Number(day['max_event_ms']),
  }));
}

/** Counts anew, from rows, the hours whose truth has changed. */
async function countLabels(
  session: Session,
  recountDays: readonly number[],
): Promise<Pick<Output, 'hours' | 'labels'>> {
  const recounted =
    recountDays.length === 0
      ? ''
      : ` union select event_ms - event_ms % ${hourMs} from answered
      where (event_ms - event_ms % ${dayMs}) in (${recountDays.join(', ')})`;
  await session.run(
    `create table hours as select distinct event_ms - event_ms % ${hourMs} as hour_ms from news where what <> 'same'${recounted}`,
  );
  const hours = await session.rows('select hour_ms from hours order by hour_ms');
  const rows = await session.rows(
    `with latest as (
       select * from (select ${truthColumns} from known union all select ${truthColumns} from news) qualify ${latestTruth})
     select answered.revision, answered.role, hours.hour_ms, latest.value, answered.score
     from answered join hours on hours.hour_ms = answered.event_ms - answered.event_ms % ${hourMs}
       join latest on latest.truth_id = answered.truth_id and latest.row = answered.row
     where answered.status = 'ok'`,
  );
  const groups = new Map<string, (typeof rows)[number][]>();
  for (const row of rows) {
    const key = `${String(row['hour_ms'])} ${String(row['role'])} ${String(row['revision'])}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  const labels = [...groups.values()].map((group): Output['labels'][number] => {
    const [first] = group;
    const known = group.filter(({ value }) => value !== null);
    const scored = known.flatMap(({ value, score }) =>
      value === 0 || value === 1 ? [{ label: value, score: score === null ? undefined : Number(score) }] : [],
    );
    const { positives, negatives, ...sums } = countScores(scored);
    return {
      revision: String(first?.['revision']),
      role: first?.['role'] === 'shadow' ? 'shadow' : 'primary',
      hourMs: Number(first?.['hour_ms']),
      labelled: known.length,
      neverKnown: group.length - known.length,
      positives: sparse(positives),
      negatives: sparse(negatives),
      ...sums,
    };
  });
  return { hours: hours.map((hour) => Number(hour['hour_ms'])), labels };
}

const sparse = (counts: readonly number[]): number[] =>
  counts.flatMap((count, cell) => (count === 0 ? [] : [cell, count]));

const whole = (value: number | undefined): bigint | null => (value === undefined ? null : BigInt(value));
