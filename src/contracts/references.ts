/**
 * References: `kind:name[@version-or-alias]`, for people, YAML, CLI, lineage and links alike. This is the one parser.
 * `dataset:flights@12`, `model:late-arrival@champion`, `run:<id>`, `prediction:<id>.<row>`, `pipeline-step:<run>/<step>`.
 */
export const referenceKinds = [
  'project',
  'dataset',
  'features',
  'pipeline',
  'run',
  'pipeline-step',
  'experiment',
  'tracking-run',
  'logged-model',
  'evaluation-dataset',
  'scorer',
  'trace',
  'model',
  'deployment',
  'revision',
  'rollout',
  'monitor',
  'alert',
  'prediction',
  'artifact',
  'secret',
  'trigger',
  'approval',
  'promotion',
  'snapshot',
  'job',
  'webhook',
  'pool',
  'consumer',
] as const;
export type ReferenceKind = (typeof referenceKinds)[number];

export interface Reference {
  readonly kind: ReferenceKind;
  readonly name: string;
  /** What follows `@`: a version number or an alias. */
  readonly at: string | undefined;
}

/** A step of one item ends in its number: `pipeline-step:<run>/train[3]`. */
const shape = /^([a-z-]+):([A-Za-z0-9][A-Za-z0-9._/+-]*(?:\[\d+\])?)(?:@([A-Za-z0-9][A-Za-z0-9._-]*))?$/;

/** Parses a reference; undefined when the text is none. */
export function parseReference(text: string): Reference | undefined {
  const match = shape.exec(text);
  const kind = referenceKinds.find((known) => known === match?.[1]);
  if (match?.[2] === undefined || kind === undefined) return undefined;
  return { kind, name: match[2], at: match[3] };
}

export function formatReference(kind: ReferenceKind, name: string, at?: string | number): string {
  return at === undefined ? `${kind}:${name}` : `${kind}:${name}@${at}`;
}

/** The project of requests that name none in their path. */
export const defaultProject = 'default';

/** Names that people give: datasets, models, pipelines, deployments, projects. */
export const namePattern = '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$';
