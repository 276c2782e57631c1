import { parseDuration } from '#contracts/duration';
import type { FeatureViewSpec } from '#contracts/features';
import type { WorkerTaskInput } from '#contracts/worker';
import type { DatasetsApi, DatasetVersion } from '#modules/datasets';
import type { JobsApi } from '#modules/jobs';
import type { Database, Reader } from '#platform/database';
import { nearestName } from '#platform/errors';
import { featuresErrors } from './features-errors.ts';
import { type FeatureView, listViews } from './features-store.ts';

type JoinTask = WorkerTaskInput<'join'>;
type JoinView = JoinTask['views'][number];
export type FeatureRow = Readonly<Record<string, string | number | boolean | null>>;

export interface JoinPlan {
  /** The worker's task, but for where its output goes. */
  readonly input: Omit<JoinTask, 'outputPath'>;
  /** What is read: `dataset:flights@12`, `features:weather`. */
  readonly references: readonly string[];
  /** What the result depends on, part by part, by content: versions and generations may name something else one day. */
  readonly content: Readonly<Record<string, unknown>>;
}

/** The door of `features`. */
export interface FeaturesApi {
  /** A point-in-time join of a dataset's rows with views, at the current versions of all data. @throws FEATURE_VIEW_NOT_FOUND, FEATURE_DATA_MISSING */
  plan(
    reader: Reader,
    project: string,
    request: {
      readonly spine: { readonly dataset: string; readonly version?: string };
      readonly at: string;
      readonly views: readonly string[];
    },
  ): Promise<JoinPlan>;
  /** The same join for rows at hand. Values in the order of `columns`, one row for each asked, in order. */
  get(
    project: string,
    request: { readonly views: readonly string[]; readonly at: string; readonly rows: readonly FeatureRow[] },
    signal?: AbortSignal,
  ): Promise<{
    readonly columns: readonly string[];
    readonly rows: readonly (readonly unknown[])[];
    readonly read: readonly string[];
  }>;
}

export interface FeaturesDeps {
  readonly database: Database;
  readonly datasets: Pick<DatasetsApi, 'version'>;
  readonly jobs: Pick<JobsApi, 'runTask'>;
}

interface Range {
  readonly minMs: number;
  readonly maxMs: number;
}

export function createFeaturesService(deps: FeaturesDeps): FeaturesApi {
  return {
    async plan(reader, project, { spine, at, views: names }) {
      const rows = await deps.datasets.version(reader, project, spine.dataset, spine.version);
      if (rows === undefined) throw featuresErrors.FEATURE_DATA_MISSING('the spine', spine.dataset);
      const range =
        rows.time === at && rows.timeMinMs !== undefined && rows.timeMaxMs !== undefined
          ? { minMs: rows.timeMinMs, maxMs: rows.timeMaxMs }
          : undefined;
      const { views, references, content } = await planViews(reader, project, names, range);
      return {
        input: { spine: { paths: pathsOf(rows), at }, views },
        references: [...new Set([`dataset:${rows.dataset}@${rows.version}`, ...references])],
        content: { at, spine: partsOf(rows), views: names, ...content },
      };
    },

    async get(project, { views: names, at, rows }, signal) {
      const instants = rows.map((row, index) => instantOf(row, at, index));
      const range = { minMs: Math.min(...instants), maxMs: Math.max(...instants) };
      const { views, references } = await planViews(deps.database.read, project, names, range);
      const spineColumns = [...new Set([at, ...views.flatMap(({ entity }) => entity)])];
      for (const [index, row] of rows.entries())
        for (const column of spineColumns)
          if (!(column in row)) throw featuresErrors.FEATURE_ROW_INVALID(index, `the key "${column}" is missing`);
      const output = await deps.jobs.runTask('join', { spine: { rows: [...rows], at }, views }, signal);
      return { columns: output.columns ?? [], rows: output.values ?? [], read: references };
    },
  };

  async function planViews(
    reader: Reader,
    project: string,
    names: readonly string[],
    range: Range | undefined,
  ): Promise<Pick<JoinPlan, 'references' | 'content'> & { readonly views: readonly JoinView[] }> {
    const known = await listViews(reader, project);
    const references: string[] = [];
    const content: Record<string, unknown> = {};
    const views: JoinView[] = [];
    for (const name of names) {
      const view = known.find((candidate) => candidate.name === name);
      if (view === undefined)
        throw featuresErrors.FEATURE_VIEW_NOT_FOUND(
          name,
          nearestName(
            name,
            known.map((item) => item.name),
          ),
        );
      const versions: DatasetVersion[] = [];
      for (const dataset of view.datasets) {
        const version = await deps.datasets.version(reader, project, dataset);
        if (version === undefined) throw featuresErrors.FEATURE_DATA_MISSING(name, dataset);
        versions.push(version);
      }
      references.push(
        `features:${name}@${view.generation}`,
        ...versions.map(({ dataset, version }) => `dataset:${dataset}@${version}`),
      );
      content[`features.${name}`] = { ...view.spec, sql: view.sql, data: versions.map(partsOf) };
      views.push(toJoinView(view, versions, range));
    }
    return { views, references, content };
  }
}

function toJoinView(view: FeatureView, versions: readonly DatasetVersion[], range: Range | undefined): JoinView {
  const { spec } = view;
  const ttlMs = spec.ttl === undefined ? undefined : parseDuration(spec.ttl);
  const knownAfterMs = spec.known_after === undefined ? undefined : parseDuration(spec.known_after);
  const common = {
    name: view.name,
    entity: typeof spec.entity === 'string' ? [spec.entity] : [...spec.entity],
    time: spec.time,
    ...(spec.created !== undefined && { created: spec.created }),
    ...(ttlMs !== undefined && { ttlMs }),
    ...(knownAfterMs !== undefined && { knownAfterMs }),
    ...(spec.columns !== undefined && { columns: [...spec.columns] }),
  };
  const [version] = versions;
  if ('dataset' in spec && version !== undefined) return { ...common, paths: usefulParts(spec, version, range, ttlMs) };
  return {
    ...common,
    sql: view.sql ?? '',
    inputs: versions.map((input) => ({ name: input.dataset, paths: pathsOf(input) })),
  };
}

/** Parts that can hold a row that some spine row may use: none after the last instant, none older than the ttl before the first. */
function usefulParts(
  spec: FeatureViewSpec,
  version: DatasetVersion,
  range: Range | undefined,
  ttlMs: number | undefined,
): string[] {
  if (range === undefined || version.time !== spec.time) return pathsOf(version);
  const useful = version.files.filter(
    ({ timeMinMs, timeMaxMs }) =>
      timeMinMs === undefined ||
      timeMaxMs === undefined ||
      (timeMinMs <= range.maxMs && (ttlMs === undefined || timeMaxMs >= range.minMs - ttlMs)),
  );
  // the newest part has every column, also those that older ones lack, and a view needs its columns even without a row
  const newest = version.parts.at(-1);
  const read = newest === undefined || useful.includes(newest) ? useful : [...useful, newest];
  return read.map(({ sha256 }) => `blob:${sha256}`);
}

/** What stays the same when small parts are packed into fewer files. */
const partsOf = ({ dataset, parts }: DatasetVersion): unknown => ({
  dataset,
  parts: parts.map(({ sha256 }) => sha256),
});

const pathsOf = (version: DatasetVersion): string[] => version.files.map(({ sha256 }) => `blob:${sha256}`);

function instantOf(row: FeatureRow, at: string, index: number): number {
  const value = row[at];
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw featuresErrors.FEATURE_ROW_INVALID(index, `"${at}" must be an instant in RFC 3339`);
  return ms;
}
