import { expect, test } from 'vitest';
import type { TraceWithSpans } from '#contracts/traces';
import { trace } from './trace.ts';

type Span = TraceWithSpans['spans'][number];

const at = '2026-01-01T00:00:00.000Z';
const span = (id: string, parent: string | undefined, more: Partial<Span> = {}): Span => ({
  id,
  ...(parent !== undefined && { parent }),
  name: `span ${id}`,
  type: 'LLM',
  status: 'ERROR',
  startedAt: at,
  durationMs: 5,
  attributes: {},
  events: [
    {
      name: 'exception',
      at,
      attributes: {
        'exception.type': 'ValueError',
        'exception.message': 'no such\ncolour',
        'exception.stacktrace': `Traceback of ${id}\n  line 1\n`,
      },
    },
  ],
  ...more,
});

test('show tells what was raised in each span, and the stack of where it began', () => {
  const view = trace.show?.view as ((shown: TraceWithSpans) => string) | undefined;
  const shown = view?.({
    id: 'tr-1',
    experimentId: '0',
    state: 'ERROR',
    startedAt: at,
    tags: {},
    metadata: {},
    assessments: [],
    spans: [span('1', undefined), span('2', '1', { message: 'ValueError: no such\ncolour' })],
  });
  expect(shown?.split('\n').slice(-8)).toEqual([
    'spans',
    '  span 1  LLM  5 ms  ERROR',
    '    ValueError: no such colour',
    '    span 2  LLM  5 ms  ERROR ValueError: no such colour',
    '',
    'exception in span 2',
    '  Traceback of 2',
    '    line 1',
  ]);
});
