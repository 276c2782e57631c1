import type { Expression } from './condition-syntax.ts';
import type { GraphNode, UseNode } from './graph-document.ts';
import type { ModelSignature, TensorSignature } from './tensor.ts';

/** The tensor `index` of a node; node -1 is what the graph is asked with. */
export interface Place {
  readonly node: number;
  readonly index: number;
}

export interface PlannedBranch {
  /** As it is written: what records and metrics call it. */
  readonly label: string;
  readonly node: number;
  /** Which of that node's tensors, in the order of the switch's own. */
  readonly picks: readonly number[];
}

export type PlannedNode = { readonly name: string; readonly outputs: readonly TensorSignature[] } & (
  | { readonly kind: 'model'; readonly sources: readonly Place[]; readonly inputs: readonly TensorSignature[] }
  | { readonly kind: 'use'; readonly node: UseNode; readonly sources: readonly Place[] }
  | {
      readonly kind: 'switch';
      readonly branches: readonly (PlannedBranch & {
        readonly when:
          | { readonly text: string; readonly expression: Expression; readonly reads: ReadonlyMap<string, Place> }
          | undefined;
      })[];
    }
  | {
      readonly kind: 'split';
      readonly branches: readonly (PlannedBranch & { readonly basisPoints: number })[];
      readonly by: Place | undefined;
      readonly salt: string;
    }
);

/** A graph that fits together: what it takes and answers, and its nodes, each after those that it needs. */
export interface GraphPlan {
  readonly signature: ModelSignature;
  readonly nodes: readonly PlannedNode[];
  readonly answers: readonly (Place & { readonly name: string })[];
}

/** The name of the one tensor of a node that gives no named ones. */
export const onlyTensor = 'value';

/** What a switch or a split gives beside the tensors of its branches: which one each row took. */
export const branchTensor = 'branch';
export const isRouting = (node: GraphNode | undefined): boolean =>
  node !== undefined && ('switch' in node || 'split' in node);
