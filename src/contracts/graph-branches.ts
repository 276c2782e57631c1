import { parseExpression, type Reference, referencesOf } from './condition-syntax.ts';
import type { SplitNode, SwitchNode } from './graph-document.ts';
import { type GraphTensors, misfitOf, quoteNames, showShape } from './graph-tensors.ts';
import { readSource, type Source, sourcesOf } from './graph-wiring.ts';
import { onlyTensor, type Place, type PlannedBranch, type PlannedNode } from './planned-graph.ts';

export function planSwitch(
  tensors: GraphTensors,
  name: string,
  { switch: declared }: SwitchNode,
): PlannedNode | undefined {
  const joined = joinBranches(
    tensors,
    name,
    declared.map(({ to: target }, at) => readSource(target, ['nodes', name, 'switch', at, 'to'])),
  );
  let known = joined !== undefined;
  const branches = declared.map(({ when: text }, at) => {
    const branch = joined?.branches[at];
    const reads = new Map<string, Place>();
    const parsed = text === undefined ? undefined : parseExpression(text);
    if (parsed?.ok === true)
      for (const reference of referencesOf(parsed.expression)) {
        if (reference.kind === 'param') continue;
        const found = tensors.find(readSource(textOf(reference), ['nodes', name, 'switch', at, 'when']));
        if (found === undefined) known = false;
        else reads.set(textOf(reference), found.place);
      }
    const when = text === undefined || parsed?.ok !== true ? undefined : { text, expression: parsed.expression, reads };
    return { label: branch?.label ?? '', node: branch?.node ?? -1, picks: branch?.picks ?? [], when };
  });
  checkRows(tensors, name);
  return known && joined !== undefined ? { kind: 'switch', name, outputs: joined.outputs, branches } : undefined;
}

export function planSplit(
  tensors: GraphTensors,
  name: string,
  { split, by, salt }: SplitNode,
): PlannedNode | undefined {
  const targets = Object.keys(split).map((text) => readSource(text, ['nodes', name, 'split', text]));
  const joined = joinBranches(tensors, name, targets);
  const key = by === undefined || by === 'key' ? undefined : tensors.find(readSource(by, ['nodes', name, 'by']));
  checkRows(tensors, name);
  if (joined === undefined || (by !== undefined && by !== 'key' && key === undefined)) return undefined;
  const branches = joined.branches.map((branch) => ({
    ...branch,
    basisPoints: Math.round((split[branch.label] ?? 0) * 100),
  }));
  return { kind: 'split', name, outputs: joined.outputs, branches, by: key?.place, salt: salt ?? name };
}

/** What all branches give: the tensors of the same names, which must be of the same types. */
function joinBranches({ types, indexOf, find, tell }: GraphTensors, name: string, targets: readonly Source[]) {
  const given = targets.map((target) => {
    if (target.tensor === undefined) return types.get(target.node);
    const found = find(target);
    return found && [{ ...found.tensor, name: onlyTensor }];
  });
  const [first] = given;
  if (first === undefined || given.includes(undefined)) return undefined;
  const all = given.flatMap((type) => (type === undefined ? [] : [type]));
  const common = first.filter((tensor) => all.every((type) => type.some((other) => other.name === tensor.name)));
  if (common.length === 0)
    return tell({
      path: ['nodes', name],
      message: `the branches of "${name}" give nothing of the same name: ${targets.map(({ text }, at) => `${text} gives ${quoteNames((all[at] ?? []).map((one) => one.name))}`).join(', ')}`,
      expected: 'one tensor of each: <node>.<output>',
    });
  const outputs = common.map((tensor) => {
    const others = all.map((type, at) => ({ at, other: type.find((one) => one.name === tensor.name) ?? tensor }));
    const unlike = others.find(({ other }) => misfitOf(other, tensor) !== undefined);
    if (unlike !== undefined)
      tell({
        path: targets[unlike.at]?.path ?? [],
        message: `"${tensor.name}" is ${tensor.datatype} ${showShape(tensor.shape)} by ${targets[0]?.text ?? ''} and ${unlike.other.datatype} ${showShape(unlike.other.shape)} by ${targets[unlike.at]?.text ?? ''}`,
        expected: 'the same by every branch: { use: cast, … } or { use: reshape, … } before it',
      });
    return {
      name: tensor.name,
      datatype: tensor.datatype,
      shape: commonShape(others.map(({ other }) => other.shape)),
    };
  });
  types.set(name, outputs);
  const branches = targets.map(
    (target, at): PlannedBranch => ({
      label: target.text,
      node: indexOf(target.node),
      picks: common.map(({ name: tensor }) => {
        const found = target.tensor === undefined ? undefined : find(target);
        return found?.place.index ?? (all[at] ?? []).findIndex((one) => one.name === tensor);
      }),
    }),
  );
  return { outputs, branches };
}

/** Rows are routed one by one: whatever a branch needs has to have them. */
function checkRows({ document, types, signatures, tell }: GraphTensors, name: string): void {
  const seen = new Set<string>();
  const visit = (node: string): void => {
    if (seen.has(node)) return;
    seen.add(node);
    const described = document.nodes[node];
    if (described === undefined) return;
    const fixed = [...(types.get(node) ?? []), ...(signatures.get(node)?.inputs ?? [])].find(
      ({ shape }) => shape.length > 0 && shape[0] !== -1,
    );
    if (fixed !== undefined)
      tell({
        path: ['nodes', name],
        message: `"${name}" routes row by row, and "${fixed.name}" of "${node}" has no rows: its shape is ${showShape(fixed.shape)}`,
        expected: 'tensors whose first dimension is free: [-1, …]',
      });
    for (const source of sourcesOf(node, described)) visit(source.node);
  };
  for (const source of sourcesOf(name, document.nodes[name] ?? { split: {} })) visit(source.node);
}

const textOf = ({ step, output }: Extract<Reference, { readonly kind: 'output' }>): string => `${step}.${output}`;

function commonShape(shapes: readonly (readonly number[])[]): readonly number[] {
  const said = shapes.filter((shape) => shape.length > 0);
  const [first] = said;
  if (first === undefined || said.length < shapes.length) return [];
  return first.map((dimension, at) => (said.every((shape) => shape[at] === dimension) ? dimension : -1));
}
