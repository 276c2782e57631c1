import { type EventOnWire, listEvents } from '#contracts/event-operations';
import type { Client } from '../sdk/index.ts';

/** The steps of the loop that people are told; everything else is in the event log too. */
export const toldTypes: readonly string[] = [
  'model.version.proposed',
  'gate.decided',
  'promotion.rejected',
  'registry.alias.moved',
  'rollout.started',
  'rollout.advanced',
  'rollout.completed',
  'rollout.aborted',
  'rollout.superseded',
  'alert.opened',
  'alert.resolved',
  'trigger.fired',
  'trigger.suppressed',
  'pipeline.run.started',
  'step.finished',
  'pipeline.run.finished',
];

/** What decides is told before what it did: a verdict and its move of an alias are one unit, in which the move is logged first. */
const ranks: Readonly<Record<string, number>> = { 'model.version.proposed': 0, 'gate.decided': 1, 'trigger.fired': 1 };
const rankOf = ({ type }: Pick<EventOnWire, 'type'>): number => ranks[type] ?? 2;

/** In the log's order; neighbours that follow from the same cause by what they mean. */
export function orderByMeaning<Event extends Pick<EventOnWire, 'type' | 'cause'>>(events: readonly Event[]): Event[] {
  const groups: Event[][] = [];
  for (const event of events) {
    const group = groups.at(-1);
    if (group !== undefined && event.cause !== undefined && group[0]?.cause === event.cause) group.push(event);
    else groups.push([event]);
  }
  return groups.flatMap((group) => group.toSorted((one, other) => rankOf(one) - rankOf(other)));
}

const pageSize = 500;

/** The project's events after a position, in the log's order, as far as it goes now. */
export async function readEventsAfter(
  client: Client,
  position: string,
  options: { readonly types?: readonly string[]; readonly signal?: AbortSignal } = {},
): Promise<readonly EventOnWire[]> {
  const { types, signal } = options;
  const events: EventOnWire[] = [];
  for (let after = position; ; ) {
    const { items } = await client.call(
      listEvents,
      { query: { after, order: 'asc', limit: pageSize, ...(types !== undefined && { type: [...types] }) } },
      { ...(signal !== undefined && { signal }) },
    );
    events.push(...items);
    if (items.length < pageSize) return events;
    after = items.at(-1)?.position ?? after;
  }
}

/** What happened, in a line. */
export function inWords({ type, data }: EventOnWire): string {
  const fact = data as Readonly<Record<string, unknown>>;
  const of = (key: string): string => String(fact[key]);
  switch (type) {
    case 'model.version.proposed':
      return `version ${of('version')} of ${of('model')} is proposed`;
    case 'gate.decided':
      return `gate: ${of('verdict')}, on ${of('n')} rows`;
    case 'registry.alias.moved':
      return `${of('alias')} is version ${of('to')} now (${of('reason')})`;
    case 'rollout.started':
      return `rollout of version ${of('version')} begins`;
    case 'rollout.advanced':
      return `rollout: ${of('percent')} % of the traffic`;
    case 'rollout.completed':
      return `rollout of version ${of('version')} is complete`;
    case 'rollout.aborted':
      return `rollout of version ${of('version')} is aborted: ${of('reason')}`;
    case 'rollout.superseded':
      return `rollout of version ${of('version')} is over: ${of('reason')}`;
    case 'alert.opened':
      return `alert: ${of('title')}`;
    case 'alert.resolved':
      return `${of('kind')} alert resolved: ${of('reason')}`;
    case 'trigger.fired':
      return `trigger: ${of('action')}`;
    case 'trigger.suppressed':
      return `trigger held back: ${of('reason')}`;
    case 'pipeline.run.started':
      return `run of ${of('pipeline')} begins: ${of('runId')}`;
    case 'step.finished':
      return `step ${of('step')} ${of('state')}`;
    case 'pipeline.run.finished':
      return `run of ${of('pipeline')} ${of('state')}`;
    default:
      return type;
  }
}
