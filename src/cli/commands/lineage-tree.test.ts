import { expect, test } from 'vitest';
import { lineageTree, type TreeEdge } from './lineage-tree.ts';

const edge = (from: string, kind: string, to: string): TreeEdge => ({ from, kind, to });
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at + 1);

/** A model trained on the last of six versions, each with a file of its own; a monitor that took its truth from all of them. */
const graph = {
  root: 'model:late@2',
  edges: [
    edge('dataset:rows@6', 'trained-on', 'model:late@2'),
    ...range(6).map((version) => edge(`artifact:${version}`, 'landed', `dataset:rows@${version}`)),
    ...range(5).map((version) => edge(`dataset:rows@${version}`, 'extended', `dataset:rows@${version + 1}`)),
    edge('step:load', 'produced', 'dataset:rows@2'),
    edge('monitor:late', 'caused', 'model:late@2'),
    ...range(6).map((version) => edge(`dataset:rows@${version}`, 'truth', 'monitor:late')),
    edge('model:late@2', 'deployed', 'revision:a'),
    ...range(10).map((id) => edge('revision:a', 'answered', `prediction:p${id}`)),
    ...range(5).map((id) => edge('revision:a', 'scored', `run:r${id}`)),
  ],
  samples: [{ ref: 'revision:a', kind: 'answered', shown: 10, total: 17_180 }],
};

test('versions are a range, files a count, and what made one of the versions is not lost', () => {
  expect(lineageTree(graph, 'up', false)).toEqual([
    '  dataset:rows@6 (trained-on)',
    '    dataset:rows@5 … @1 (extended, 5 versions)',
    '      step:load (produced)',
    '  monitor:late (caused)',
    '    dataset:rows@1 … @6 (truth, 6 versions) …',
    '  … and 6 artifacts; --all shows them',
  ]);
});

test('of many siblings a few are named, with how many there are', () => {
  expect(lineageTree(graph, 'down', false)).toEqual([
    '  revision:a (deployed)',
    '    prediction:p1 (answered)',
    '    prediction:p2 (answered)',
    '    prediction:p3 (answered)',
    '    run:r1 (scored)',
    '    run:r2 (scored)',
    '    run:r3 (scored)',
    '    … 3 of 17,180 predictions shown (answered)',
    '    … and 2 further runs (scored)',
  ]);
  const one = { ...graph, edges: range(4).map((id) => edge('model:late@2', 'made', `run:r${id}`)), samples: [] };
  expect(lineageTree(one, 'down', false), 'a line for one more would save none').toHaveLength(4);
});

test('the files of the root itself are named, and --all names everything', () => {
  const file = { root: 'dataset:rows@1', edges: [edge('artifact:1', 'landed', 'dataset:rows@1')], samples: [] };
  expect(lineageTree(file, 'up', false)).toEqual(['  artifact:1 (landed)']);
  const all = lineageTree(graph, 'up', true);
  for (const { from } of graph.edges.slice(0, 19)) expect(all.join('\n')).toContain(`${from} (`);
  expect(lineageTree(graph, 'down', true)).toContain('    … 10 of 17,180 predictions shown (answered)');
  expect(lineageTree({ ...graph, edges: [] }, 'up', false)).toEqual(['  nothing']);
});
