import { expect, test } from 'vitest';
import { findRunnable } from './servable-version.ts';

test.each([
  ['a model of MLflow', ['MLmodel', 'model.skops', 'requirements.txt'], { runtime: 'python', main: 'MLmodel' }],
  ['its ONNX flavour', ['MLmodel', 'model.onnx', 'conda.yaml'], { runtime: 'onnx', main: 'model.onnx' }],
  ['an ONNX model among the artifacts', ['MLmodel', 'artifacts/model.onnx'], { runtime: 'python', main: 'MLmodel' }],
  ['a program', ['command.json', 'serve', 'weights.onnx'], { runtime: 'command', main: 'command.json' }],
  ['a file in Python', ['model.py', 'weights.pkl'], { runtime: 'python', main: 'model.py' }],
  ['an ONNX model alone', ['net.onnx'], { runtime: 'onnx', main: 'net.onnx' }],
  ['a pickle with its requirements', ['tree.pkl', 'requirements.txt'], { runtime: 'python', main: 'tree.pkl' }],
  ['two pickles', ['a.pkl', 'b.pkl'], undefined],
  ['no model at all', ['README.md', 'data/model.onnx'], undefined],
])('%s', (_name, paths, expected) => {
  expect(findRunnable(paths.map((path) => ({ path })))).toEqual(expected);
});
