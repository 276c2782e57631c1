import type { ReferenceKind } from '#contracts/references';
import type { TreeFile } from '#contracts/tree';
import type { Reader, Unit } from '#platform/database';

/** One thing wrong in a document: `path` leads to it from the resource's own spec. */
export interface SpecProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly expected?: string;
  /** Names that would have been right, for "did you mean". */
  readonly known?: readonly string[];
}

/** A parsed tidemill.yaml, each section by resource name, schema already checked. */
export interface WorkspaceDocument {
  readonly project: string;
  readonly sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Paths of the snapshot's files, relative to the document. */
  readonly files: readonly string[];
  /** The text of a small file of the snapshot. */
  readText?(path: string): string | undefined;
}

/** The files that a document came with, read before the unit began. */
export interface Snapshot {
  /** Digest of the tree manifest. */
  readonly digest: string;
  readonly files: readonly TreeFile[];
  /** The text of a small file (SQL, requirements); undefined when the snapshot has no such file. */
  readText(path: string): string | undefined;
}

/** What changes of one resource: `after` undefined means pruned. */
export interface ResourceChange<Spec> {
  readonly name: string;
  readonly before: Spec | undefined;
  readonly after: Spec | undefined;
  readonly snapshot: Snapshot;
}

/** One section of tidemill.yaml, implemented by the module that owns it and handed to `workspace` by `app`. */
export interface ResourceKind<Spec = unknown> {
  /** The section's key in the document: `datasets`. */
  readonly section: string;
  readonly kind: ReferenceKind;
  /** For a section that is a list: the name of one entry, stable while the entry is the same. */
  nameOf?(spec: Spec): string;
  /** The desired specs as they are stored now, by name. */
  current(reader: Reader, project: string): Promise<ReadonlyMap<string, Spec>>;
  /** What the schema cannot say: references to things that are not declared, cycles, bad SQL. */
  check?(name: string, spec: Spec, document: WorkspaceDocument): readonly SpecProblem[];
  apply(unit: Unit, project: string, change: ResourceChange<Spec>): Promise<void>;
  /** Called in every apply whose snapshot differs from the last one, after the changes: code and SQL may have changed. */
  applySnapshot?(unit: Unit, project: string, snapshot: Snapshot): Promise<void>;
}
