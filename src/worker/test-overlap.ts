import type { TestOverlap } from '#contracts/evaluation';
import { toRfc3339 } from '#contracts/rfc3339';
import type { WorkerTaskInput } from '#contracts/worker';
import type { Session } from './session.ts';
import { type TimeSpan, timeSpan } from './time-span.ts';

type Evaluate = Pick<WorkerTaskInput<'evaluate'>, 'champion' | 'time' | 'trained'>;
type TrainingTime = NonNullable<NonNullable<Evaluate['trained']>['candidate']>;

/**
 * How many test rows lie at or before the last training row of each model that is scored. Known overlap is told even when
 * of the other model nothing is known; `none` only when all is known.
 */
export async function testOverlap(session: Session, relation: string, input: Evaluate): Promise<TestOverlap> {
  const { time, trained, champion } = input;
  if (time === undefined)
    return { overlaps: 'unknown', why: "the model block names no `time` column, and no join's `at` tells it" };
  const { span, why } = await timeSpan(session, relation, time);
  if (span === undefined) return { overlaps: 'unknown', time, why: `of the test rows: ${why}` };
  const cuts = {
    ...(trained?.candidate && { candidate: await cutAt(session, relation, span, trained.candidate) }),
    ...(trained?.champion &&
      champion !== undefined && { champion: await cutAt(session, relation, span, trained.champion) }),
  };
  const unknown = [
    ...(cuts.candidate === undefined ? ['the candidate'] : []),
    ...(champion !== undefined && cuts.champion === undefined ? ['the champion'] : []),
  ];
  return {
    overlaps: whose((cuts.candidate?.rows ?? 0) > 0, (cuts.champion?.rows ?? 0) > 0, unknown.length === 0),
    time,
    testFrom: toRfc3339(span.fromMs),
    testUntil: toRfc3339(span.untilMs),
    ...cuts,
    ...(unknown.length > 0 && { why: `the time of the rows that ${unknown.join(' and ')} learnt from was not kept` }),
  };
}

function whose(candidate: boolean, champion: boolean, allKnown: boolean): TestOverlap['overlaps'] {
  if (candidate && champion) return 'both';
  if (candidate) return 'candidate';
  if (champion) return 'champion';
  return allKnown ? 'none' : 'unknown';
}

async function cutAt(
  session: Session,
  relation: string,
  { ms, rows: all }: TimeSpan,
  { column, untilMs }: TrainingTime,
): Promise<NonNullable<TestOverlap['candidate']>> {
  const row = await session.row(`select count(*) as n from ${relation} where ${ms} <= ${untilMs}`);
  const rows = Number(row['n']);
  return { trainedUntil: { column, at: toRfc3339(untilMs) }, rows, share: rows / all };
}
