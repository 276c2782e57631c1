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
  'graph',
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

/**
 * A step of one item ends in its number: `pipeline-step:<run>/train[3]`. Names that foreign clients give may hold anything:
 * letters and digits of any script stand as they are, other signs percent-encoded, `dataset:train%20set@v1`.
 */
const shape =
  /^([a-z-]+):([\p{L}\p{N}%][\p{L}\p{M}\p{N}._/+%-]*(?:\[\d+\])?)(?:@([\p{L}\p{N}%][\p{L}\p{M}\p{N}._%-]*))?$/u;
const plainName = /^[A-Za-z0-9][A-Za-z0-9._/+-]*(?:\[\d+\])?$/;
const plainAt = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** Parses a reference; undefined when the text is none. `name` and `at` are as their owner gave them, decoded. */
export function parseReference(text: string): Reference | undefined {
  const match = shape.exec(text);
  const kind = referenceKinds.find((known) => known === match?.[1]);
  if (match?.[2] === undefined || kind === undefined) return undefined;
  const name = decode(match[2]);
  const at = match[3] === undefined ? undefined : decode(match[3]);
  if (name === undefined || (match[3] !== undefined && at === undefined)) return undefined;
  return { kind, name, at };
}

/** The same for what people type: signs that a reference encodes may stand as they are; the last `@` begins the version. */
export function readReference(text: string): Reference | undefined {
  const parsed = parseReference(text);
  if (parsed !== undefined) return parsed;
  const [, kindText, name = '', at] = /^([a-z-]+):(.+?)(?:@([^@]+))?$/su.exec(text) ?? [];
  const kind = referenceKinds.find((known) => known === kindText);
  return kind === undefined ? undefined : parseReference(formatReference(kind, name, at));
}

/** Any name can be put into a reference but an empty one. An empty version is none. */
export function formatReference(kind: ReferenceKind, name: string, at?: string | number): string {
  const named = `${kind}:${plainName.test(name) ? name : encode(name, /[^\p{L}\p{M}\p{N}._/+-]/gu)}`;
  if (at === undefined || at === '') return named;
  const version = String(at);
  return `${named}@${plainAt.test(version) ? version : encode(version, /[^\p{L}\p{M}\p{N}._-]/gu)}`;
}

function encode(text: string, signs: RegExp): string {
  const encoded = text.replaceAll(/\p{Surrogate}/gu, '\u{FFFD}').replaceAll(signs, percent);
  return encoded.replace(/^[^\p{L}\p{N}%]/u, percent); // it begins with a letter, a digit, or an encoded sign
}

const percent = (sign: string): string =>
  [...new TextEncoder().encode(sign)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');

function decode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** The project of requests that name none in their path. */
export const defaultProject = 'default';

/** Names that people give: datasets, models, pipelines, deployments, projects. */
export const namePattern = '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$';
