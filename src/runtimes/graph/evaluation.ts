import type { Place } from '#contracts/planned-graph';
import type { Tensor } from '#contracts/tensor';
import type { RunTerms } from '../waiting-queue.ts';
import { takeRows } from './tensor-rows.ts';

/** Of one node: its tensors for the rows of an evaluation. */
export type RunNode = (evaluation: Evaluation) => Promise<readonly Tensor[]>;

/** What routing nodes decided in one request: the branch of each row, '' where a row did not come by. */
export type Routes = Map<string, string[]>;

/**
 * The work on one request, or on some of its rows: each node runs when something asks for it, once. Where rows part, each
 * branch gets an evaluation of its own, which takes over what was known of its rows before; so a node that only one
 * branch needs sees the rows of that branch alone.
 */
export class Evaluation {
  readonly rows: number;
  readonly terms: RunTerms;
  readonly routes: Routes;
  readonly #nodes: readonly RunNode[];
  readonly #values: (Promise<readonly Tensor[]> | undefined)[] = [];
  #inputs: readonly Tensor[] | undefined;
  readonly #parent: Evaluation | undefined;
  /** Which rows of the parent it has. */
  readonly #own: readonly number[];

  private constructor(
    parts: Pick<Evaluation, 'rows' | 'terms' | 'routes'> & { readonly nodes: readonly RunNode[] },
    inputs: readonly Tensor[] | undefined,
    parent: Evaluation | undefined,
    own: readonly number[],
  ) {
    this.rows = parts.rows;
    this.terms = parts.terms;
    this.routes = parts.routes;
    this.#nodes = parts.nodes;
    this.#inputs = inputs;
    this.#parent = parent;
    this.#own = own;
  }

  static of(nodes: readonly RunNode[], inputs: readonly Tensor[], rows: number, terms: RunTerms): Evaluation {
    return new Evaluation({ nodes, rows, terms, routes: new Map() }, inputs, undefined, []);
  }

  /** Of some of its rows, in that order; of all of them it is the same one. */
  narrow(rows: readonly number[]): Evaluation {
    if (rows.length === this.rows) return this;
    const { terms, routes } = this;
    return new Evaluation({ nodes: this.#nodes, rows: rows.length, terms, routes }, undefined, this, rows);
  }

  get inputs(): readonly Tensor[] {
    this.#inputs ??= (this.#parent?.inputs ?? []).map((tensor) => takeRows(tensor, this.#own));
    return this.#inputs;
  }

  node(index: number): Promise<readonly Tensor[]> {
    const known = this.#values[index];
    if (known !== undefined) return known;
    const value = this.#parent?.has(index) === true ? this.#takeOver(this.#parent, index) : this.#run(index);
    this.#values[index] = value;
    return value;
  }

  async tensor({ node, index }: Place): Promise<Tensor> {
    return pickOne(node < 0 ? this.inputs : await this.node(node), index);
  }

  /** Mostly all of them are of one node: then there is one thing to wait for. */
  tensors(places: readonly Place[]): Promise<readonly Tensor[]> {
    const from = places[0]?.node ?? -1;
    for (const { node } of places) if (node !== from) return Promise.all(places.map((place) => this.tensor(place)));
    return from < 0
      ? Promise.resolve(pick(this.inputs, places))
      : this.node(from).then((tensors) => pick(tensors, places));
  }

  has(index: number): boolean {
    return this.#values[index] !== undefined || this.#parent?.has(index) === true;
  }

  /** The row of the request that a row is. */
  rowInRequest(row: number): number {
    return this.#parent === undefined ? row : this.#parent.rowInRequest(this.#own[row] ?? 0);
  }

  get requestRows(): number {
    return this.#parent?.requestRows ?? this.rows;
  }

  async #takeOver(parent: Evaluation, index: number): Promise<readonly Tensor[]> {
    return (await parent.node(index)).map((tensor) => takeRows(tensor, this.#own));
  }

  #run(index: number): Promise<readonly Tensor[]> {
    const run = this.#nodes[index];
    return run === undefined ? Promise.reject(new Error(`there is no node ${index}`)) : run(this);
  }
}

const pick = (tensors: readonly Tensor[], places: readonly Place[]): readonly Tensor[] =>
  places.map(({ index }) => pickOne(tensors, index));

function pickOne(tensors: readonly Tensor[], index: number): Tensor {
  const tensor = tensors[index];
  if (tensor === undefined) throw new Error(`there is no tensor ${index}`);
  return tensor;
}
