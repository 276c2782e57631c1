import { expect, test } from 'vitest';
import { formatTraceparent, parseTraceparent, readTracestate } from './trace-context.ts';

const id = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';

test('a context of a trace is read as the specification has it, and what is none is left out', () => {
  expect(parseTraceparent(`00-${id}-${span}-01`)).toEqual({ traceId: id, spanId: span, sampled: true });
  expect(parseTraceparent(`00-${id}-${span}-02`)).toEqual({ traceId: id, spanId: span, sampled: false });
  expect(parseTraceparent(`cc-${id}-${span}-01-what-comes`)).toMatchObject({ traceId: id });
  for (const none of [
    undefined,
    '',
    `00-${id}-${span}-01-more`,
    `ff-${id}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${id}-${'0'.repeat(16)}-01`,
    `00-${id.toUpperCase()}-${span}-01`,
    `00-${id}-${span}-1`,
    `00-${id}-${span}-01, 00-${id}-${span}-01`,
    `cc-${id}-${span}-01${'-'.repeat(600)}`,
  ])
    expect([none, parseTraceparent(none)]).toEqual([none, undefined]);
  const context = { traceId: id, spanId: span, sampled: false };
  expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
});

test('a state of a trace is passed on when it is one', () => {
  expect(readTracestate('a=1, b@c=x y ,,rojo=00f067aa0ba902b7')).toBe('a=1,b@c=x y,rojo=00f067aa0ba902b7');
  const many = Array.from({ length: 33 }, (_, at) => `k${at}=1`).join(',');
  for (const none of [undefined, '', ' , ', 'a', 'A=1', 'a=', 'a=1=2', 'a=\n', many, `a=${'x'.repeat(300)}`])
    expect([none, readTracestate(none)]).toEqual([none, undefined]);
});
