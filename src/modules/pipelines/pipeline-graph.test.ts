import { describe, expect, test } from 'vitest';
import { canonicalJson } from '#contracts/json';
import type { PipelineSpec, StepSpec } from '#contracts/pipelines';
import { cacheKey, differences } from './cache-key.ts';
import { codeOf, hiddenImport, missingProgram } from './code-files.ts';
import { expandSteps, featurePrefixes, findCycle, timeColumn } from './pipeline-graph.ts';

const spec: PipelineSpec = {
  steps: {
    prepare: {
      run: 'python steps/prepare.py',
      inputs: { rows: { spine: 'dataset:flights', at: 'time_hour', features: ['weather'] } },
      outputs: { train: 'dataset', test: 'dataset' },
    },
    fit: { run: 'python steps/fit.py', inputs: { train: 'prepare.train' }, outputs: { model: 'model' } },
    tidy: { run: 'true', always: true },
  },
  model: {
    name: 'late',
    from: 'fit.model',
    train: 'prepare.train',
    test: 'prepare.test',
    label: 'y > 1',
    predicts: { kind: 'binary', score: 'probabilities[1]' },
  },
};

describe('a pipeline as a graph', () => {
  test('has an implicit join before the step that takes features, and register at the end', () => {
    const steps = expandSteps(spec).map(({ kind, name, needs }) => ({ kind, name, needs }));
    expect(steps).toEqual([
      { kind: 'join', name: 'prepare.rows', needs: [] },
      { kind: 'command', name: 'prepare', needs: ['prepare.rows'] },
      { kind: 'command', name: 'fit', needs: ['prepare'] },
      { kind: 'command', name: 'tidy', needs: ['prepare', 'fit'] },
      { kind: 'register', name: 'register', needs: ['fit', 'prepare'] },
    ]);
    expect(findCycle(steps)).toBeUndefined();
  });

  test('tells how the columns of its feature views begin', () => {
    const again = {
      fit: { run: 'fit', inputs: { rows: { spine: 'dataset:a', at: 't', features: ['delays', 'weather'] } } },
    };
    expect(featurePrefixes({ steps: { ...spec.steps, ...again } })).toEqual(['weather__', 'delays__']);
  });

  test('knows when a row was by the model block, else by the instant on which its joins agree', () => {
    expect(timeColumn(spec)).toBe('time_hour');
    const other = { run: 'fit', inputs: { rows: { spine: 'dataset:a', at: 'created', features: ['weather'] } } };
    const disagreeing = { ...spec, steps: { ...spec.steps, other } };
    expect(timeColumn(disagreeing)).toBeUndefined();
    expect(timeColumn({ ...disagreeing, model: { ...spec.model!, time: 'landed' } })).toBe('landed');
    expect(timeColumn({ steps: { fit: { run: 'fit' } } })).toBeUndefined();
  });

  test('tells a cycle by the names along it', () => {
    const steps = [
      { name: 'a', needs: ['c'] },
      { name: 'b', needs: ['a'] },
      { name: 'c', needs: ['b'] },
    ];
    expect(findCycle(steps)).toEqual(['a', 'c', 'b', 'a']);
  });
});

const missing = (run: string | string[]) => missingProgram({ run }, ['steps/fit.py', 'run.sh']);

describe('the code that a step sees', () => {
  const tree = ['tidemill.yaml', 'steps/fit.py', 'steps/lib/util.py', 'features/x.sql', 'README.md'].map((path) => ({
    path,
    sha256: path,
    sizeBytes: 1,
  }));
  const pathsOf = (step: Parameters<typeof codeOf>[0]) => codeOf(step, tree).map(({ path }) => path);

  test('is the folder of the file that its command names', () => {
    expect(pathsOf({ run: 'python steps/fit.py --x' })).toEqual(['steps/fit.py', 'steps/lib/util.py']);
  });

  test("is what lies beside its own program, but not another step's", () => {
    const files = ['steps/fit.py', 'steps/prepare.py', 'steps/common.py', 'steps/config.json', 'other/x.py'].map(
      (path) => ({ path, sha256: path, sizeBytes: 1 }),
    );
    const steps = {
      prepare: { run: 'python ./steps/prepare.py --config steps/config.json' },
      fit: { run: ['python', 'steps/fit.py'] },
      both: { run: 'python steps/prepare.py && python steps/fit.py' },
      all: { run: 'make', code: ['steps/*.py'] },
    };
    const seen = (step: keyof typeof steps) => codeOf(steps[step], files, steps).map(({ path }) => path);
    expect(seen('fit')).toEqual(['steps/fit.py', 'steps/common.py', 'steps/config.json']);
    expect(seen('prepare')).toEqual(['steps/prepare.py', 'steps/common.py', 'steps/config.json']);
    expect(seen('both')).toEqual(['steps/fit.py', 'steps/prepare.py', 'steps/common.py', 'steps/config.json']);
    expect(seen('all'), 'told is told').toEqual(['steps/fit.py', 'steps/prepare.py', 'steps/common.py']);
  });

  test("lacks another step's program that it imports, which is said before it runs", () => {
    const files = ['steps/fit.py', 'steps/prepare.py'].map((path) => ({ path, sha256: path, sizeBytes: 1 }));
    const steps = { prepare: { run: 'python steps/prepare.py' }, fit: { run: 'python steps/fit.py' } };
    const found = (text: string, fit: StepSpec = steps.fit) =>
      hiddenImport(fit, files, { ...steps, fit }, (path) => (path === 'steps/fit.py' ? text : ''));
    for (const text of [
      'import os, prepare',
      'import prepare as p',
      'from prepare import clean',
      '  from .prepare import x',
      'from steps.prepare import x',
    ])
      expect([text, found(`"""Fit."""\n${text}\n`)]).toEqual([
        text,
        { file: 'steps/fit.py', imports: 'steps/prepare.py' },
      ]);
    for (const text of ['import prepared', 'from os import prepare', '# import prepare', 'x = "prepare"'])
      expect([text, found(text)]).toEqual([text, undefined]);
    expect(found('import prepare', { ...steps.fit, code: ['steps/**'] })).toBeUndefined();
  });

  test('has a program that is there, where its command says so for certain', () => {
    expect(missing('python steps/fti.py --x 1')).toBe('steps/fti.py');
    expect(missing(['node', './steps/fit.js'])).toBe('steps/fit.js');
    expect(missing('python3.11 prepare.py')).toBe('prepare.py');
    for (const run of [
      'python steps/fit.py',
      'python ./steps/../steps/fit.py',
      'sh run.sh',
      'python -m steps.fit',
      'python $HOME/x.py',
      'python /opt/x.py',
      'python ../x.py',
      'cd steps && python fti.py',
      'make fti.py',
      'bash -c "python x.py"',
      'python ${params.script}.py',
    ])
      expect([run, missing(run)]).toEqual([run, undefined]);
  });

  test('is all but the document when the command names none', () => {
    expect(pathsOf({ run: 'make train' })).toEqual([
      'steps/fit.py',
      'steps/lib/util.py',
      'features/x.sql',
      'README.md',
    ]);
  });

  test('is what `code` says', () => {
    expect(pathsOf({ run: 'make', code: ['**/*.py'] })).toEqual(['steps/fit.py', 'steps/lib/util.py']);
    expect(pathsOf({ run: 'make', code: ['steps/*.py'] })).toEqual(['steps/fit.py']);
  });
});

describe('a cache key', () => {
  test('does not depend on the order of keys', () => {
    expect(canonicalJson({ b: [1, { d: 2, c: 3 }], a: null })).toBe('{"a":null,"b":[1,{"c":3,"d":2}]}');
    expect(cacheKey({ a: '1', b: '2' })).toBe(cacheKey({ b: '2', a: '1' }));
    expect(cacheKey({ a: '1', b: '2' })).not.toBe(cacheKey({ a: '1', b: '3' }));
  });

  test('says which parts differ', () => {
    expect(differences({ command: 'x', 'params.lr': '1' }, { command: 'x', 'params.lr': '2', python: 'p' })).toEqual([
      { part: 'params.lr', before: '1', now: '2' },
      { part: 'python', before: undefined, now: 'p' },
    ]);
  });
});
