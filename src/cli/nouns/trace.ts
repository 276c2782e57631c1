import { getTrace, listTraces, type TraceWithSpans } from '#contracts/traces';
import { type NounOperations, nounOf } from '../noun-command.ts';

type Span = TraceWithSpans['spans'][number];

const oneLine = (text: string): string => text.replaceAll(/[\r\n\t]+/g, ' ');

function lineOf(span: Span, depth: number): string {
  const time = span.durationMs === undefined ? 'not ended' : `${Math.round(span.durationMs * 10) / 10} ms`;
  const state = span.status === 'ERROR' ? `  ERROR ${span.message ?? ''}` : '';
  return `${'  '.repeat(depth + 1)}${span.name}  ${span.type}  ${time}${oneLine(state)}`.trimEnd();
}

type SpanEvent = Span['events'][number];

/** Exceptions as OpenTelemetry records them: one that passes through several spans is an event of each. */
const exceptionsOf = ({ events }: Span): readonly SpanEvent[] => events.filter(({ name }) => name === 'exception');
const textOf = ({ attributes }: SpanEvent, name: string): string => {
  const value = attributes[`exception.${name}`];
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
};
const whatOf = (event: SpanEvent): string =>
  [textOf(event, 'type'), textOf(event, 'message')].filter((text) => text !== '').join(': ') || 'exception';

const mostStackLines = 60;

/** Where the trouble began, with its stack. */
function originOf(spans: readonly Span[]): readonly string[] {
  const all = spans.flatMap((span) => exceptionsOf(span).map((event) => ({ span, event })));
  const [earliest] = all.map(({ event }) => event.at).toSorted();
  // of the same millisecond the innermost, which began last
  const first = all.findLast(({ event }) => event.at === earliest);
  if (first === undefined) return [];
  const stack = textOf(first.event, 'stacktrace').trimEnd().split('\n').slice(-mostStackLines);
  const lines = stack.join('') === '' ? [whatOf(first.event)] : stack;
  return ['', `exception in ${first.span.name}`, ...lines.map((line) => `  ${line}`)];
}

/** Each span below its parent; one whose parent is not there stands alone. Without recursion: traces are deep. */
function treeOf(spans: readonly Span[]): readonly string[] {
  const ids = new Set(spans.map(({ id }) => id));
  const children = new Map<string | undefined, Span[]>();
  for (const span of spans) {
    const parent = span.parent !== undefined && ids.has(span.parent) ? span.parent : undefined;
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  const lines: string[] = [];
  const open = (children.get(undefined) ?? []).toReversed().map((span) => ({ span, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { span, depth } = next;
    lines.push(lineOf(span, depth));
    // the status mostly says the same
    for (const event of exceptionsOf(span))
      if (span.message !== whatOf(event)) lines.push(`${'  '.repeat(depth + 2)}${oneLine(whatOf(event))}`);
    const below = children.get(span.id) ?? [];
    children.delete(span.id); // a client may send a circle
    open.push(...below.toReversed().map((child) => ({ span: child, depth: depth + 1 })));
  }
  return lines;
}

function viewOf(trace: TraceWithSpans): string {
  const facts = [
    ['id', trace.id],
    ['name', trace.name],
    ['state', trace.state],
    ['started', trace.startedAt],
    ['ms', trace.durationMs],
    ['session', trace.session],
    ['user', trace.user],
    ['tokens', trace.tokens],
    ['request', trace.request],
    ['response', trace.response],
  ].flatMap(([title, value]) => (value === undefined ? [] : [`${String(title).padEnd(10)}${String(value)}`]));
  const said = trace.assessments.map(
    ({ name, value, error, source, valid }) =>
      `  ${name}  ${error ?? JSON.stringify(value)}  ${source}${valid ? '' : '  (replaced)'}`,
  );
  return [
    ...facts,
    ...(said.length > 0 ? ['', 'assessments', ...said] : []),
    '',
    ...(trace.spans.length > 0
      ? ['spans', ...treeOf(trace.spans), ...originOf(trace.spans)]
      : ['No spans here yet: they are under way, or its client uploaded them among its artifacts as traces.json.']),
  ].join('\n');
}

const listed = nounOf({
  sample: 'tr-3f2b9c0d4e5f60718293a4b5c6d7e8f9',
  list: listTraces,
  empty:
    'No trace matches: leave --filter and --experiment out, or make one: set MLFLOW_TRACKING_URI and put @mlflow.trace above a function, or send spans to /v1/traces.',
  columns: [
    { title: 'id', value: (row) => row.id },
    { title: 'name', value: (row) => row.name },
    { title: 'state', value: (row) => row.state },
    { title: 'experiment', value: (row) => row.experimentId },
    { title: 'started', value: (row) => row.startedAt },
    { title: 'ms', value: (row) => row.durationMs },
    { title: 'tokens', value: (row) => row.tokens },
    { title: 'request', value: (row) => row.request?.slice(0, 60), aside: true },
  ],
});

export const trace: NounOperations = { ...listed, show: { name: 'show', operation: getTrace, view: viewOf } };
