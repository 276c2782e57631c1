import type { CheckResult, CheckSpec, Column, DatasetSpec } from '#contracts/datasets';
import type { WorkerTaskOutput } from '#contracts/worker';
import { type Job, workerWork } from '#modules/jobs';
import type { Reader, Unit } from '#platform/database';
import type { Dataset, DatasetPart, Ingestion, SourceFile } from './dataset-types.ts';
import type { DatasetsDeps } from './datasets-deps.ts';
import { datasetsErrors } from './datasets-errors.ts';
import {
  findDataset,
  findIngestion,
  findVersion,
  insertIngestion,
  insertParts,
  insertVersion,
  listOpenIngestions,
  listParts,
  moveIngestion,
} from './datasets-store.ts';
import { formatOf, mergeColumns, newFiles, schemaProblems } from './landing-rules.ts';
import { submitPacks } from './pack-service.ts';

/**
 * The life of an ingestion:
 *
 *   queued ──► running ──► published            one new version, its parts after those before
 *                 ├──────► blocked              a check that blocks does not hold; the version before stays current
 *                 └──────► failed               a file cannot be read, or its columns do not fit
 *
 * One ingestion of a dataset runs at a time, in order of arrival. Its work is one worker task (read, check, write
 * Parquet); the unit that hears its end records everything at once, so that a version is there whole or not at all.
 */
export interface IngestionService {
  land(
    unit: Unit,
    request: {
      readonly project: string;
      readonly dataset: string;
      readonly files: readonly SourceFile[];
      /** What the files were found by, when it is not the source that was applied. */
      readonly source?: string;
    },
  ): Promise<string | undefined>;
  /** Paths of all that was landed or is being landed. */
  landedPaths(reader: Reader, dataset: Dataset): Promise<readonly { readonly path: string }[]>;
  jobFinished(unit: Unit, job: Job): Promise<void>;
}

type LandOutput = WorkerTaskOutput<'land'>;

/** Kept with the job: what was declared when it started is what its result is judged by, whatever is applied meanwhile. */
interface LandingData {
  readonly ingestionId: string;
  readonly spec: DatasetSpec;
}

export function createIngestionService(deps: DatasetsDeps): IngestionService {
  return {
    async landedPaths(reader, { project, name, currentVersion }) {
      const open = await listOpenIngestions(reader, project, name);
      return [...(await landedFiles(reader, project, name, currentVersion)), ...open.flatMap(({ files }) => files)];
    },

    async land(unit, { project, dataset: name, files, source }) {
      const dataset = await findDataset(unit, project, name);
      if (dataset === undefined) throw datasetsErrors.DATASET_NOT_FOUND(name, undefined);
      if (dataset.spec === undefined) throw datasetsErrors.DATASET_NOT_LANDED(name);
      const landed = await landedFiles(unit, project, name, dataset.currentVersion);
      const open = await listOpenIngestions(unit, project, name);
      const fresh = newFiles(
        name,
        [...landed, ...open.flatMap((ingestion) => ingestion.files)],
        files,
        source ?? dataset.spec.source,
      );
      if (fresh.length === 0) {
        if (files.length === 0) throw datasetsErrors.DATASET_SOURCE_EMPTY(name, dataset.spec.source);
        return undefined;
      }
      for (const { path, sha256, sizeBytes } of fresh) {
        formatOf(dataset.spec, path);
        await deps.artifacts.assertReadable(unit, project, sha256);
        await deps.artifacts.retain(unit, { project, sha256, sizeBytes, owner: `dataset:${name}` });
      }
      const ingestion = { id: unit.newId(), project, dataset: name, files: fresh };
      await insertIngestion(unit, ingestion);
      if (open.length === 0) await start(unit, ingestion, dataset.spec);
      return ingestion.id;
    },

    async jobFinished(unit, job) {
      const { ingestionId, spec } = job.data as unknown as LandingData;
      const ingestion = await findIngestion(unit, ingestionId);
      const dataset = ingestion && (await findDataset(unit, ingestion.project, ingestion.dataset));
      if (ingestion?.state !== 'running' || ingestion.jobId !== job.id || dataset === undefined) return;
      if (job.state === 'succeeded' && job.result?.output !== undefined)
        await conclude(unit, ingestion, spec, dataset.currentVersion, job, job.result.output as unknown as LandOutput);
      else
        await fail(
          unit,
          ingestion,
          job.error ?? { code: 'INGESTION_LOST', message: 'the ingestion left no result; land the files again' },
        );
      await releaseFiles(unit, ingestion);
      await startNext(unit, dataset);
    },
  };

  async function releaseFiles(unit: Unit, { project, dataset, files }: Ingestion): Promise<void> {
    for (const { sha256 } of files)
      await deps.artifacts.release(unit, { project, owner: `dataset:${dataset}`, sha256 });
  }

  async function startNext(unit: Unit, { project, name, spec }: Dataset): Promise<void> {
    for (const next of await listOpenIngestions(unit, project, name)) {
      if (next.state !== 'queued') return;
      if (spec !== undefined) {
        await start(unit, next, spec);
        return;
      }
      const { code, message } = datasetsErrors.DATASET_NOT_DECLARED(name);
      await fail(unit, next, { code, message }, 'queued');
      await releaseFiles(unit, next);
    }
  }

  async function start(
    unit: Unit,
    ingestion: Pick<Ingestion, 'id' | 'project' | 'dataset' | 'files'>,
    spec: DatasetSpec,
  ): Promise<void> {
    const jobId = await deps.jobs.submit(unit, {
      project: ingestion.project,
      owner: `dataset:${ingestion.dataset}`,
      tag: 'datasets.land',
      data: { ingestionId: ingestion.id, spec } satisfies LandingData,
      work: workerWork('land', {
        files: ingestion.files.map(({ path, sha256 }, index) => ({
          path: `blob:${sha256}`,
          name: path,
          format: formatOf(spec, path),
          outputPath: `out:${index}`,
        })),
        ...(spec.time !== undefined && { time: spec.time }),
        checks: spec.checks ?? [],
      }),
    });
    await moveIngestion(unit, ingestion.id, 'queued', { state: 'running', jobId });
  }

  async function conclude(
    unit: Unit,
    ingestion: Ingestion,
    spec: DatasetSpec,
    currentVersion: number,
    job: Job,
    output: LandOutput,
  ): Promise<void> {
    const { project, dataset: name } = ingestion;
    const before = currentVersion === 0 ? undefined : await findVersion(unit, project, name, currentVersion);
    let columns = before?.columns;
    for (const [index, file] of output.files.entries()) {
      const problems = columns === undefined ? [] : schemaProblems(columns, file.columns, spec.schema ?? 'fixed');
      if (problems.length > 0) {
        const error = datasetsErrors.DATASET_SCHEMA_CHANGED(
          name,
          `${ingestion.files[index]?.path}: ${problems.join('; ')}`,
        );
        await fail(unit, ingestion, { code: error.code, message: error.message });
        return;
      }
      columns = mergeColumns(columns ?? [], file.columns);
    }
    const checks = checkResults(spec.checks ?? [], output.checks);
    const failed = checks.filter(({ passed }) => !passed);
    const blocking = failed.some(({ level }) => level === 'block');
    if (failed.length > 0)
      await unit.emit({
        type: 'dataset.check.failed',
        project,
        subject: `dataset:${name}`,
        data: { dataset: name, ingestionId: ingestion.id, blocking, failed: failed.map(({ check }) => check) },
      });
    await tellAlerts(
      unit,
      ingestion,
      'checks',
      failed.map(({ check, reason, failing }) => `${check} (${reason ?? `${failing} rows`})`),
      blocking,
    );
    if (blocking) {
      await moveIngestion(unit, ingestion.id, 'running', { state: 'blocked', checks });
      return;
    }
    await publish(unit, ingestion, spec, job, output, columns ?? [], checks, before);
  }

  async function publish(
    unit: Unit,
    ingestion: Ingestion,
    spec: DatasetSpec,
    job: Job,
    output: LandOutput,
    columns: readonly Column[],
    checks: readonly CheckResult[],
    before: Awaited<ReturnType<typeof findVersion>>,
  ): Promise<void> {
    const { project, dataset: name } = ingestion;
    const parts = ingestion.files.flatMap((file, index): readonly DatasetPart[] => {
      const [made, told] = [job.result?.files[String(index)], output.files[index]];
      if (made === undefined || told === undefined) return [];
      return [
        {
          sha256: made.sha256,
          sizeBytes: made.sizeBytes,
          rows: told.rows,
          timeMinMs: told.timeMinMs,
          timeMaxMs: told.timeMaxMs,
          source: file.path,
          sourceSha256: file.sha256,
          createdMs: ingestion.createdMs,
        },
      ];
    });
    const version = (before?.version ?? 0) + 1;
    const rows = (before?.rows ?? 0) + sum(parts.map((part) => part.rows));
    await insertVersion(unit, {
      project,
      dataset: name,
      version,
      rows,
      partCount: (before?.partCount ?? 0) + parts.length,
      sizeBytes: (before?.sizeBytes ?? 0) + sum(parts.map((part) => part.sizeBytes)),
      columns,
      time: spec.time,
      timeMinMs: least([before?.timeMinMs, ...parts.map((part) => part.timeMinMs)]),
      timeMaxMs: greatest([before?.timeMaxMs, ...parts.map((part) => part.timeMaxMs)]),
      producer: undefined,
      profileSha256: undefined,
      createdMs: unit.nowMs,
    });
    await insertParts(
      unit,
      { project, name, setVersion: 0, firstVersion: version, from: before?.partCount ?? 0 },
      parts,
    );
    const reference = `dataset:${name}@${version}`;
    for (const { sha256, sizeBytes } of parts)
      await deps.artifacts.retain(unit, { project, sha256, sizeBytes, owner: reference });
    await deps.lineage.record(unit, project, [
      ...ingestion.files.map(({ sha256 }) => ({ from: `artifact:${sha256}`, to: reference, kind: 'landed' })),
      ...(before === undefined ? [] : [{ from: `dataset:${name}@${before.version}`, to: reference, kind: 'extended' }]),
    ]);
    await submitPacks(unit, deps, project, name);
    await moveIngestion(unit, ingestion.id, 'running', { state: 'published', version, checks });
    await unit.emit({
      type: 'dataset.version.created',
      project,
      subject: reference,
      data: { dataset: name, version, rows, parts: (before?.partCount ?? 0) + parts.length },
    });
    await deps.alerts.resolve(unit, {
      project,
      fingerprint: `dataset:${name}/ingestion`,
      reason: `version ${version} was landed`,
    });
  }

  async function fail(
    unit: Unit,
    ingestion: Ingestion,
    error: { readonly code: string; readonly message: string },
    from: 'queued' | 'running' = 'running',
  ): Promise<void> {
    const { project, dataset: name } = ingestion;
    await moveIngestion(unit, ingestion.id, from, {
      state: 'failed',
      error: { code: error.code, message: error.message },
    });
    await unit.emit({
      type: 'dataset.ingestion.failed',
      project,
      subject: `dataset:${name}`,
      data: { dataset: name, ingestionId: ingestion.id, code: error.code, message: error.message },
    });
    await tellAlerts(unit, ingestion, 'ingestion', [error.message], true);
  }

  async function tellAlerts(
    unit: Unit,
    ingestion: Ingestion,
    about: 'checks' | 'ingestion',
    problems: readonly string[],
    stops: boolean,
  ): Promise<void> {
    const { project, dataset: name } = ingestion;
    const fingerprint = `dataset:${name}/${about}`;
    if (problems.length === 0) {
      await deps.alerts.resolve(unit, { project, fingerprint, reason: 'the checks hold again' });
      return;
    }
    await deps.alerts.open(unit, {
      project,
      fingerprint,
      kind: 'quality',
      severity: stops ? 'critical' : 'warning',
      title: stops ? `${name}: a landing was refused` : `${name}: a check does not hold`,
      subject: `dataset:${name}`,
      evidence: { ingestion: ingestion.id, problems },
    });
  }
}

async function landedFiles(reader: Reader, project: string, name: string, version: number) {
  const parts = await listParts(reader, project, name, version);
  return parts.map(({ source, sourceSha256 }) => ({ path: source, sha256: sourceSha256 }));
}

function checkResults(specs: readonly CheckSpec[], results: LandOutput['checks']): readonly CheckResult[] {
  return specs.flatMap((spec, index) => {
    const result = results[index];
    if (result === undefined) return [];
    return [
      {
        check: inWords(spec),
        level: spec.level ?? 'block',
        passed: result.passed,
        failing: result.failing,
        rows: [...result.rows],
        ...(result.reason !== undefined && { reason: result.reason }),
      },
    ];
  });
}

/** A check as a person says it. */
function inWords(spec: CheckSpec): string {
  const { level: _level, column, ...rule } = spec as { level?: string; column?: string } & Record<string, unknown>;
  const said = Object.entries(rule).map(([key, value]) =>
    key === 'not_null' ? 'is not null' : value === true ? `is ${key}` : `${key} ${JSON.stringify(value)}`,
  );
  return `${column ?? 'rows'} ${said.join(', ')}`;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const known = (numbers: readonly (number | undefined)[]): readonly number[] =>
  numbers.filter((number) => number !== undefined);

function least(numbers: readonly (number | undefined)[]): number | undefined {
  return known(numbers).reduce<number | undefined>(
    (best, number) => (best === undefined || number < best ? number : best),
    undefined,
  );
}

function greatest(numbers: readonly (number | undefined)[]): number | undefined {
  return known(numbers).reduce<number | undefined>(
    (best, number) => (best === undefined || number > best ? number : best),
    undefined,
  );
}
