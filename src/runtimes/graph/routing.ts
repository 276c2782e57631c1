import { branchTensor, type PlannedBranch, type PlannedNode } from '#contracts/planned-graph';
import type { Tensor } from '#contracts/tensor';
import { stickyHash } from '#contracts/traffic-split';
import { runtimeErrors } from '../runtime-errors.ts';
import type { Evaluation, RunNode } from './evaluation.ts';
import { type NodeContext, nameError } from './graph-nodes.ts';
import { rowsWhere } from './row-conditions.ts';
import { hasRows, haveLikeRows, joinRows } from './tensor-rows.ts';

type Planned<Kind extends PlannedNode['kind']> = Extract<PlannedNode, { readonly kind: Kind }>;

interface Part {
  readonly label: string;
  readonly rows: readonly number[];
  readonly tensors: readonly Tensor[];
}

/** Each row goes where the first condition holds; what a later condition needs is worked out only for the rows that are left. */
export function createSwitch(
  { branches, outputs }: Planned<'switch'>,
  isCallers: boolean,
  context: NodeContext,
): RunNode {
  const refuse = isCallers ? runtimeErrors.INPUT_INVALID : runtimeErrors.MODEL_RUN_FAILED;

  async function choose(
    evaluation: Evaluation,
    { when }: (typeof branches)[number],
  ): Promise<readonly boolean[] | undefined> {
    if (when === undefined) return undefined; // the last one takes what is left
    const read = [...when.reads];
    const tensors = await evaluation.tensors(read.map(([, place]) => place));
    const byName = new Map(read.map(([text], at) => [text, tensors[at] as Tensor])); // one for each place
    const holds = rowsWhere(when, evaluation.rows, byName, evaluation.terms.parameters ?? {});
    if ('problem' in holds) throw nameError(context.title, refuse(holds.problem));
    return holds;
  }

  return async (evaluation) => {
    const parts: Promise<Part>[] = [];
    let left = evaluation;
    let leftRows = everyRow(evaluation.rows);
    for (const branch of branches) {
      if (leftRows.length === 0) break;
      const holds = await choose(left, branch);
      const taken = everyRow(left.rows).filter((row) => holds === undefined || holds[row] === true);
      if (taken.length === 0) continue;
      const rows = taken.map((row) => leftRows[row] ?? 0);
      parts.push(answerOf(context, evaluation, left.narrow(taken), branch, rows));
      // what fails while the next condition is decided is told by the answer below
      parts.at(-1)?.catch(() => undefined);
      const others = everyRow(left.rows).filter((row) => holds !== undefined && holds[row] !== true);
      leftRows = others.map((row) => leftRows[row] ?? 0);
      left = left.narrow(others);
    }
    return join(context, await Promise.all(parts), evaluation.rows, outputs.length);
  };
}

/** Each row goes to a branch by its key as traffic goes to revisions; a row without one goes by chance. */
export function createSplit(
  { branches, outputs, by, salt }: Planned<'split'>,
  context: NodeContext,
  random: () => number = Math.random,
): RunNode {
  const choose = (key: string | null | undefined): PlannedBranch | undefined => {
    const share = key === null || key === undefined ? random() : stickyHash(salt, key) / 2 ** 32;
    let upTo = 0;
    return branches.find(({ basisPoints }) => share * 10_000 < (upTo += basisPoints));
  };
  return async (evaluation) => {
    const column = by === undefined ? undefined : await evaluation.tensor(by);
    const width = column === undefined ? 1 : column.data.length / Math.max(1, evaluation.rows);
    const keyOf = (row: number): string | null | undefined =>
      column === undefined
        ? evaluation.terms.keys?.[evaluation.rowInRequest(row)]
        : Array.from({ length: width }, (_, at) => String(column.data[row * width + at])).join(',');
    const rowsOf = new Map<PlannedBranch, number[]>();
    for (const row of everyRow(evaluation.rows)) {
      const branch = choose(keyOf(row));
      if (branch === undefined) throw new Error(`no branch of ${context.title} takes a row`);
      const rows = rowsOf.get(branch);
      if (rows === undefined) rowsOf.set(branch, [row]);
      else rows.push(row);
    }
    const parts = [...rowsOf].map(([branch, rows]) =>
      answerOf(context, evaluation, evaluation.narrow(rows), branch, rows),
    );
    return join(context, await Promise.all(parts), evaluation.rows, outputs.length);
  };
}

const everyRow = (count: number): readonly number[] => Array.from({ length: count }, (_, row) => row);

/** What a branch makes of its rows, which lie at `rows` of the whole. */
async function answerOf(
  { name, title, observer }: NodeContext,
  whole: Evaluation,
  own: Evaluation,
  { node, label, picks }: PlannedBranch,
  rows: readonly number[],
): Promise<Part> {
  remember(name, whole, rows, label);
  observer?.took(name, label, rows.length);
  const given = await own.node(node);
  const tensors = picks.flatMap((pick) => given[pick] ?? []);
  const unlike = tensors.find((tensor) => !hasRows(tensor, rows.length));
  if (unlike !== undefined)
    throw runtimeErrors.MODEL_RUN_FAILED(
      `${title}: "${label}" answered ${rows.length} rows with "${unlike.name}" of shape [${unlike.shape.join(', ')}]`,
    );
  return { label, rows, tensors };
}

function remember(name: string, whole: Evaluation, rows: readonly number[], label: string): void {
  const route = whole.routes.get(name) ?? Array.from({ length: whole.requestRows }, () => '');
  for (const row of rows) route[whole.rowInRequest(row)] = label;
  whole.routes.set(name, route);
}

function join({ title }: NodeContext, parts: readonly Part[], rows: number, count: number): readonly Tensor[] {
  const [only, ...others] = parts;
  if (only === undefined) throw new Error(`${title} was asked with no rows`);
  const branch = branchesOf(parts, rows);
  if (others.length === 0) return [...only.tensors, branch];
  const joined = Array.from({ length: count }, (_, at) => {
    const pieces = parts.flatMap(({ rows: own, tensors }) => {
      const tensor = tensors[at];
      return tensor === undefined ? [] : [{ rows: own, tensor }];
    });
    const unlike = pieces.find(({ tensor }) => pieces[0] !== undefined && !haveLikeRows(pieces[0].tensor, tensor));
    if (unlike !== undefined)
      throw runtimeErrors.MODEL_RUN_FAILED(
        `${title}: its branches answer "${unlike.tensor.name}" in different shapes: [${pieces.map(({ tensor }) => tensor.shape.slice(1).join(', ')).join('] and [')}] a row`,
      );
    return joinRows(pieces, rows);
  });
  return [...joined, branch];
}

/** Which branch each row took. */
function branchesOf(parts: readonly Part[], rows: number): Tensor {
  const data = Array.from({ length: rows }, () => '');
  for (const { label, rows: own } of parts) for (const row of own) data[row] = label;
  return { name: branchTensor, datatype: 'BYTES', shape: [rows], data };
}
