import { expect, test } from 'vitest';
import { describeGraphProblem } from './graph-problem.ts';

const a = { file: 'a.onnx' };

test.each([
  ['nothing', /^it is no mapping; it needs `nodes`$/],
  [{}, /nodes/],
  [{ nodes: { a }, extra: 1 }, /^at extra: it is not known there; known are inputs, nodes, outputs$/],
  [{ nodes: { a: 'a.onnx' } }, /^at nodes\.a: a node is a mapping with one of model, file, use/],
  [{ nodes: { a: { fil: 'a.onnx' } } }, /^at nodes\.a\.fil: it is not known there; did you mean "file"\?$/],
  [{ nodes: { a, b: { use: 'maen', of: 'a' } } }, /^at nodes\.b\.use: there is no step "maen"; did you mean "mean"\?$/],
  [{ nodes: { a, b: { use: 'scale', of: 'a', maen: 3 } } }, /^at nodes\.b\.maen: .* did you mean "mean"\?$/],
  [{ nodes: { a, b: { use: 'clip', of: 'a', min: 'x' } } }, /^at nodes\.b\.min: must be number$/],
  [{ nodes: { a, b: { switch: [] } } }, /^at nodes\.b\.switch: must not have fewer than 1 items$/],
  [{ nodes: { a }, outputs: 3 }, /^at outputs: /],
])('of %j it is said where it is wrong, and what would be right', (value, problem) => {
  const said = describeGraphProblem(value);
  expect(said).toMatch(problem);
  expect(said).not.toContain('schema is false');
});
