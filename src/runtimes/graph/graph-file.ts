import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { GraphDocument } from '#contracts/graph-document';
import { modelNodesOf } from '#contracts/graph-wiring';
import { findRunnable, graphFile, type RunnableFolder } from '#contracts/servable-version';
import type { ModelSignature } from '#contracts/tensor';
import { runtimeErrors } from '../runtime-errors.ts';

/** A model of a graph as it lies on this machine. */
export interface GraphMember {
  readonly node: string;
  /** What it is called where it was registered: `model:late-arrival@4`; undefined where that is not said. */
  readonly modelRef: string | undefined;
  readonly runtime: RunnableFolder['runtime'];
  /** Absolute path of the file that is loaded. */
  readonly mainPath: string;
  readonly signature: ModelSignature | undefined;
}

/** MODEL_LOAD_FAILED with the place of what is wrong. */
export async function readGraph(path: string): Promise<GraphDocument> {
  const [{ parseDocument }, { Value }, { GraphDocument: schema }] = await Promise.all([
    import('yaml'),
    import('typebox/value'),
    import('#contracts/graph-document'),
  ]);
  const parsed = parseDocument(await readFile(path, 'utf8'));
  const [broken] = parsed.errors;
  if (broken !== undefined)
    throw runtimeErrors.MODEL_LOAD_FAILED(`${graphFile} is no YAML: ${broken.message.split('\n')[0] ?? ''}`);
  const value: unknown = parsed.toJS();
  if (Value.Check(schema, value)) return value;
  const { describeGraphProblem } = await import('./graph-problem.ts');
  const problem = describeGraphProblem(value);
  throw runtimeErrors.MODEL_LOAD_FAILED(
    `${graphFile}${problem.startsWith('at ') ? ' ' : ': '}${problem} (docs/graphs.md says what stands there)`,
  );
}

/**
 * The models that a graph names by their files.
 * @param mayLeave whether they may lie outside of the graph's folder: where the folder is the caller's own
 */
export async function findMembers(
  path: string,
  document: GraphDocument,
  mayLeave: boolean,
): Promise<readonly GraphMember[]> {
  const folder = dirname(path);
  const members: GraphMember[] = [];
  for (const [node, { file, model, runtime, signature }] of modelNodesOf(document)) {
    const refuse = (why: string) => runtimeErrors.MODEL_LOAD_FAILED(`${graphFile} at nodes.${node}: ${why}`);
    if (file === undefined)
      throw refuse(
        `${model ?? 'the model'} has no \`file\`; where there is no registry, a node says where its model lies`,
      );
    const given = resolve(folder, file);
    if (!mayLeave && !`${given}${sep}`.startsWith(`${resolve(folder)}${sep}`))
      throw refuse(`"${file}" lies outside of the graph's folder`);
    const found = await stat(given).catch(() => undefined);
    if (found === undefined) throw refuse(`there is no "${file}"`);
    const names = found.isDirectory() ? await readdir(given) : [basename(given)];
    if (names.includes(graphFile)) throw refuse(`"${file}" is a graph itself, and a graph has none in it`);
    const runnable = findRunnable(names.map((name) => ({ path: name })));
    const kind = runtime ?? runnable?.runtime;
    const main = found.isDirectory() ? runnable?.main : basename(given);
    if (kind === undefined || kind === 'graph' || main === undefined)
      throw refuse(`"${file}" is no model that is known: an .onnx, an MLmodel, a pickle, a model.py or a command.json`);
    members.push({
      node,
      modelRef: model,
      runtime: kind,
      mainPath: found.isDirectory() ? join(given, main) : given,
      signature,
    });
  }
  return members;
}
