import { Readable } from 'node:stream';
import type { Column } from '#contracts/datasets';
import { type Job, workerWork } from '#modules/jobs';
import type { Reader, Unit } from '#platform/database';
import { nearestName } from '#platform/errors';
import type { Dataset, DatasetVersion, SourceFile } from './dataset-types.ts';
import type { DatasetsDeps } from './datasets-deps.ts';
import { datasetsErrors } from './datasets-errors.ts';
import {
  findDataset,
  findVersion,
  insertParts,
  insertVersion,
  listDatasets,
  listParts,
  putDescription,
  putProfile,
  upsertDataset,
} from './datasets-store.ts';
import { createIngestionService } from './ingestion-service.ts';
import { filesOf } from './pack-rules.ts';
import { packFinished } from './pack-service.ts';
import { listPacks } from './packs-store.ts';

/** The door of `datasets`. */
export interface DatasetsApi {
  /** A version with its parts; the current one when `at` is absent. Undefined when there is none. */
  version(reader: Reader, project: string, name: string, at?: number | string): Promise<DatasetVersion | undefined>;
  /** Number of the current version, without its parts; undefined when there is none. */
  currentVersion(reader: Reader, project: string, name: string): Promise<number | undefined>;
  /**
   * Takes in the files that a source matches now (their bytes are in the store). Answers the ingestion's id; undefined
   * when nothing is new. @throws DATASET_NOT_FOUND, DATASET_SOURCE_CHANGED, DATASET_SOURCE_MISSING, DATASET_SOURCE_MOVED,
   * ARTIFACT_NOT_FOUND
   */
  land(
    unit: Unit,
    request: {
      readonly project: string;
      readonly dataset: string;
      readonly files: readonly SourceFile[];
      readonly source?: string;
    },
  ): Promise<string | undefined>;
  /** Makes a step's output a version of the dataset `name`, which holds these files alone. */
  record(
    unit: Unit,
    output: {
      readonly project: string;
      readonly name: string;
      readonly files: readonly { readonly sha256: string; readonly sizeBytes: number }[];
      /** Reference of the step. */
      readonly producer: string;
    },
  ): Promise<{ readonly version: number }>;
  /** Profile of a version: computed once, then kept as a blob. */
  profile(project: string, name: string, at?: number): Promise<{ readonly version: number; readonly profile: unknown }>;
}

export interface DatasetsService extends DatasetsApi {
  /** The error for a version that was not found: whether the dataset is not there, or has nothing yet. */
  missing(reader: Reader, project: string, name: string, at?: number): Promise<Error>;
  landedPaths(reader: Reader, dataset: Dataset): Promise<readonly { readonly path: string }[]>;
  jobFinished(unit: Unit, job: Job): Promise<void>;
}

export function createDatasetsService(deps: DatasetsDeps): DatasetsService {
  const ingestions = createIngestionService(deps);

  return {
    version,
    async currentVersion(reader, project, name) {
      return (await findDataset(reader, project, name))?.currentVersion || undefined;
    },
    missing,
    land: (unit, request) => ingestions.land(unit, request),
    landedPaths: (reader, dataset) => ingestions.landedPaths(reader, dataset),

    async record(unit, { project, name, files, producer }) {
      const dataset = await findDataset(unit, project, name);
      if (dataset === undefined) await upsertDataset(unit, project, name, undefined);
      const number = (dataset?.currentVersion ?? 0) + 1;
      await insertVersion(unit, {
        project,
        dataset: name,
        version: number,
        rows: undefined,
        partCount: files.length,
        sizeBytes: files.reduce((total, { sizeBytes }) => total + sizeBytes, 0),
        columns: [],
        time: undefined,
        timeMinMs: undefined,
        timeMaxMs: undefined,
        producer,
        profileSha256: undefined,
        createdMs: unit.nowMs,
      });
      const parts = files.map(({ sha256, sizeBytes }) => ({
        sha256,
        sizeBytes,
        rows: 0,
        timeMinMs: undefined,
        timeMaxMs: undefined,
        source: producer,
        sourceSha256: sha256,
        createdMs: unit.nowMs,
      }));
      await insertParts(unit, { project, name, setVersion: number, firstVersion: number, from: 0 }, parts);
      for (const { sha256, sizeBytes } of files)
        await deps.artifacts.retain(unit, { project, sha256, sizeBytes, owner: `dataset:${name}@${number}` });
      await deps.jobs.submit(unit, {
        project,
        owner: `dataset:${name}`,
        tag: 'datasets.describe',
        data: { name, version: number, parts: files.length },
        work: workerWork('describe', { paths: files.map(({ sha256 }) => `blob:${sha256}`) }),
      });
      return { version: number };
    },

    async profile(project, name, at) {
      const found = await getVersion(deps.database.read, project, name, at);
      if (found.profileSha256 !== undefined)
        return {
          version: found.version,
          profile: JSON.parse((await deps.blobs.readAll(found.profileSha256)).toString('utf8')) as unknown,
        };
      const profile = await deps.jobs.runTask('profile', { paths: found.parts.map(({ sha256 }) => `blob:${sha256}`) });
      const blob = await deps.blobs.putStream(Readable.from([Buffer.from(JSON.stringify(profile))]));
      await deps.database.write({ actor: 'system:datasets' }, async (unit) => {
        await deps.artifacts.retain(unit, { project, ...blob, owner: `dataset:${name}@${found.version}` });
        await putProfile(unit, project, name, found.version, blob.sha256);
      });
      return { version: found.version, profile };
    },

    async jobFinished(unit, job) {
      if (job.tag === 'datasets.land') await ingestions.jobFinished(unit, job);
      if (job.tag === 'datasets.pack') await packFinished(unit, deps, job);
      if (job.tag !== 'datasets.describe') return;
      const {
        name,
        version: number,
        parts,
      } = job.data as {
        readonly name: string;
        readonly version: number;
        readonly parts: number;
      };
      const fingerprint = `dataset:${name}/describe`;
      if (job.state !== 'succeeded' || job.result === undefined) {
        await deps.alerts.open(unit, {
          project: job.project,
          fingerprint,
          kind: 'quality',
          severity: 'critical',
          title: `${name}: version ${number} cannot be read`,
          subject: `dataset:${name}@${number}`,
          evidence: { version: number, job: job.id, error: job.error },
        });
        return;
      }
      const { rows, columns } = job.result.output as unknown as {
        readonly rows: number;
        readonly columns: readonly Column[];
      };
      await putDescription(unit, job.project, name, number, { rows, columns });
      await deps.alerts.resolve(unit, { project: job.project, fingerprint, reason: `version ${number} was read` });
      await unit.emit({
        type: 'dataset.version.created',
        project: job.project,
        subject: `dataset:${name}@${number}`,
        data: { dataset: name, version: number, rows, parts },
      });
    },
  };

  async function getVersion(
    reader: Reader,
    project: string,
    name: string,
    at: number | undefined,
  ): Promise<DatasetVersion> {
    const found = await version(reader, project, name, at);
    if (found !== undefined) return found;
    throw await missing(reader, project, name, at);
  }
}

async function version(
  reader: Reader,
  project: string,
  name: string,
  at?: number | string,
): Promise<DatasetVersion | undefined> {
  const wanted = at === undefined ? (await findDataset(reader, project, name))?.currentVersion : Number(at);
  if (wanted === undefined || !Number.isInteger(wanted)) return undefined;
  const head = await findVersion(reader, project, name, wanted);
  if (head === undefined) return undefined;
  const { partCount: _count, ...rest } = head;
  const parts = await listParts(reader, project, name, wanted);
  // a step's output is a set of its own, which packs know nothing of
  const packs = head.producer === undefined ? await listPacks(reader, project, name) : [];
  return { ...rest, parts, files: filesOf(parts, packs) };
}

async function missing(reader: Reader, project: string, name: string, at?: number): Promise<Error> {
  const names = (await listDatasets(reader, project)).map((dataset) => dataset.name);
  if (!names.includes(name)) return datasetsErrors.DATASET_NOT_FOUND(name, nearestName(name, names));
  return datasetsErrors.DATASET_VERSION_NOT_FOUND(name, String(at ?? 'yet: land its data first'));
}
