import type { GraphObserver } from '#runtimes/runtime';
import { type Histogram, MutableHistogram } from './counters.ts';

/** What one node of a graph did since the process started. */
export interface NodeFigures {
  readonly node: string;
  readonly rows: number;
  readonly failed: number;
  /** Of its own work, its waiting included, without that of the nodes before it. */
  readonly duration: Histogram;
}

/** What the nodes of a graph do, counted over the times that its models leave the memory. Only grows. */
export interface NodeCounters extends GraphObserver {
  figures(): readonly NodeFigures[];
  /** Rows by routing node and branch. */
  branches(): readonly { readonly node: string; readonly branch: string; readonly rows: number }[];
}

interface Counted {
  rows: number;
  failed: number;
  readonly duration: MutableHistogram;
}

export function createNodeCounters(): NodeCounters {
  const nodes = new Map<string, Counted>();
  const branches = new Map<string, Map<string, number>>();
  return {
    ran(node, rows, durationMs, failed) {
      let counted = nodes.get(node);
      if (counted === undefined) nodes.set(node, (counted = { rows: 0, failed: 0, duration: new MutableHistogram() }));
      if (failed) counted.failed += 1;
      else {
        counted.rows += rows;
        counted.duration.add(Math.round(durationMs * 1_000));
      }
    },
    took(node, branch, rows) {
      let own = branches.get(node);
      if (own === undefined) branches.set(node, (own = new Map()));
      own.set(branch, (own.get(branch) ?? 0) + rows);
    },
    figures: () =>
      [...nodes].map(([node, { rows, failed, duration }]) => ({ node, rows, failed, duration: duration.copy() })),
    branches: () => [...branches].flatMap(([node, own]) => [...own].map(([branch, rows]) => ({ node, branch, rows }))),
  };
}
