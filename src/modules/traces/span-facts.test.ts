import { expect, test } from 'vitest';
import { attributesOf, factsOf, sumOverTree, withMlflowNames } from './span-facts.ts';
import type { SpanAttribute } from './span-value.ts';
import { toPreview } from './trace-preview.ts';
import type { Span } from './traces-types.ts';

const aSpan = (attributes: readonly SpanAttribute[]): Span => ({
  traceId: '1'.repeat(32),
  spanId: '1'.repeat(16),
  parentSpanId: undefined,
  name: 'a',
  kind: 0,
  startNs: 1n,
  endNs: 2n,
  attributes,
  events: [],
  links: [],
  status: { code: 'UNSET', message: '' },
  traceState: '',
});

const node = (spanId: string, parentSpanId?: string, amount?: number) => ({
  spanId,
  parentSpanId,
  amounts: amount === undefined ? undefined : { tokens: amount },
});

test('other conventions are read, and told under MLflow’s names; its own names count more', () => {
  const span = aSpan([
    ['openinference.span.kind', 'RERANKER'],
    ['llm.token_count.prompt', 7],
    ['llm.token_count.completion', '2'],
    ['input.value', 'in'],
    ['llm.model_name', 'm'],
    ['mlflow.spanOutputs', 'own'],
    ['output.value', 'other'],
  ]);
  const attributes = attributesOf(span);
  const facts = factsOf(attributes);
  expect(facts).toMatchObject({
    type: 'RERANKER',
    model: 'm',
    usage: { input_tokens: 7, output_tokens: 2, total_tokens: 9 },
    inputs: 'in',
    outputs: 'own',
  });
  const named = withMlflowNames(span, attributes, facts).attributes;
  expect(named).toEqual(
    expect.arrayContaining([
      ['mlflow.spanType', 'RERANKER'],
      ['mlflow.spanInputs', 'in'],
      ['mlflow.llm.model', 'm'],
    ]),
  );
  expect(named.filter(([key]) => key === 'mlflow.spanOutputs')).toEqual([['mlflow.spanOutputs', 'own']]);
  const plain = aSpan([['a', 1]]);
  expect(withMlflowNames(plain, attributesOf(plain), factsOf(attributesOf(plain)))).toBe(plain);
});

test('a span that carries amounts stands for those below it, however deep, and a circle ends', () => {
  expect(sumOverTree([node('a'), node('b', 'a', 5), node('c', 'b', 3), node('d', 'a'), node('e', 'd', 1)])).toEqual({
    tokens: 6,
  });
  expect(sumOverTree([node('a', 'gone', 2), node('b', 'a', 9)])).toEqual({ tokens: 2 });
  expect(sumOverTree([node('a', 'b', 1), node('b', 'a', 1)])).toBeUndefined();
  const deep = Array.from({ length: 20_000 }, (_, n) =>
    node(`${n}`, n === 0 ? undefined : `${n - 1}`, n === 19_999 ? 4 : undefined),
  );
  expect(sumOverTree(deep)).toEqual({ tokens: 4 });
});

test('a preview is the last words of a side of a chat, else the beginning of what there is', () => {
  const chat = [
    { role: 'user', content: 'first' },
    { role: 'user', content: [{ type: 'text', text: 'last' }] },
    { role: 'assistant', content: 'answer' },
  ];
  expect(toPreview({ messages: chat }, 'user')).toBe('last');
  expect(toPreview(chat, 'assistant')).toBe('answer');
  expect(toPreview({ choices: [{ message: { role: 'assistant', content: 'hi' } }] }, 'assistant')).toBe('hi');
  expect(toPreview({ request: { input: chat } }, 'user')).toBe('last');
  expect(toPreview({ messages: [1, null, { role: 'user', content: 5 }] }, 'user')).toBe(
    '{"messages":[1,null,{"role":"user","content":5}]}',
  );
  expect(toPreview('x'.repeat(2000), 'user')).toBe(`${'x'.repeat(997)}...`);
  expect(toPreview(undefined, 'user')).toBe('');
});
