import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SpecRevision } from '#contracts/deployment-spec';
import type { FakeControlPlane } from './fake-control-plane.ts';
import { aHome, fixture } from './test-plane.ts';

/** A revision as the control plane publishes it: graph.yaml, and the files of its models under their versions. */
export function aGraph(control: FakeControlPlane, id: string, yaml: string): SpecRevision {
  const path = join(aHome(), 'graph.yaml');
  writeFileSync(path, yaml);
  const graph = control.revision(id, path, { runtime: 'graph' });
  const models = ['gather', 'whole-batch'].flatMap((name) =>
    control.revision(name, fixture(`${name}.onnx`)).files.map((file) => ({ ...file, path: `${name}@3/model.onnx` })),
  );
  return { ...graph, files: [...graph.files, ...models] };
}

/** Goes by the row's key: half of them are answered by a model, half with what they sent. */
export const splitGraph = `
nodes:
  pick: { model: "model:gather@3", file: gather@3/model.onnx, runtime: onnx }
  same: { use: cast, of: inputs.index, to: FP32 }
  arm: { split: { pick.picked: 50, same: 50 }, salt: s }
outputs: { picked: arm, arm: arm.branch }`;
