// Fills the databases of both servers with the same runs by SQL: through the API, MLflow would take the better part of an hour.
import { openTarget } from './seed-target.mjs';

const startMs = Date.UTC(2026, 0, 1);

/** A number from 0 to 1 that depends on its two arguments alone. */
function chance(a, b) {
  let x = (Math.imul(a + 1, 2654435761) ^ Math.imul(b + 1, 40503)) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 2246822519) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 3266489917) >>> 0;
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}

/**
 * What is filled in: `experiments` × `runs` runs, each with so many metrics, params and tags. Metric `m0` is 0 to 1,
 * param `p0` one of ten values, `p1` one of as many as there are runs, tag `t0` one of four.
 */
export function* runsOf({ experiments, runs, metrics, params, tags, prefix = 'a' }) {
  for (let experiment = 0; experiment < experiments; experiment += 1)
    for (let n = 0; n < runs; n += 1) {
      const number = experiment * runs + n;
      yield {
        id: prefix + number.toString(16).padStart(31, '0'),
        experiment,
        name: `run-${number}`,
        startMs: startMs + Math.floor(chance(number, 1) * 1e9),
        status: number % 50 === 0 ? 'FAILED' : 'FINISHED',
        metrics: Array.from({ length: metrics }, (_, m) => [`m${m}`, chance(number, 100 + m)]),
        params: Array.from({ length: params }, (_, p) => [
          `p${p}`,
          p === 1 ? `v${number}` : `v${Math.floor(chance(number, 1000 + p) * 10)}`,
        ]),
        tags: Array.from({ length: tags }, (_, t) => [`t${t}`, `v${Math.floor(chance(number, 5000 + t) * 4)}`]),
      };
    }
}

async function fill(place, work) {
  const target = await openTarget(place);
  await work(target);
  await target.close();
}

/** Into Tidemill's database while no server has it open; experiments are made as needed, 0 is there. */
export async function seedTidemill(place, shape, { firstExperiment = 0 } = {}) {
  await fill(place, async ({ query, insert }) => {
    const known = await query('select experiment_key as key, experiment_id as id from tracking_experiments');
    const keyOf = new Map(known.map(({ id, key }) => [Number(id), Number(key)]));
    for (let n = firstExperiment; n < firstExperiment + shape.experiments; n += 1) {
      if (keyOf.has(n)) continue;
      const key = Math.max(...keyOf.values()) + 1;
      keyOf.set(n, key);
      await insert('tracking_experiments', {
        experiment_key: key,
        project: 'default',
        experiment_id: n,
        name: `experiment ${n}`,
        artifact_location: `mlflow-artifacts:/${n}`,
        lifecycle: 'active',
        created_ms: 1,
        updated_ms: 1,
      });
    }
    for (const one of runsOf(shape)) {
      await insert('tracking_runs', {
        run_id: one.id,
        project: 'default',
        experiment_key: keyOf.get(firstExperiment + one.experiment),
        name: one.name,
        status: one.status,
        user_id: 'ann',
        start_ms: one.startMs,
        end_ms: one.startMs + 1000,
        lifecycle: 'active',
        artifact_uri: `x/${one.id}`,
        created_by: 'user:local',
      });
      for (const [name, value] of one.metrics) {
        const point = tidemillPoint(one.id, name, one.startMs, 1, value);
        await insert('tracking_latest_metrics', point);
        if (shape.history) await insert('tracking_metrics', point);
      }
      for (const [name, value] of one.params)
        await insert('tracking_params', { run_id: one.id, param_key: name, param_value: value });
      for (const [name, value] of [['mlflow.runName', one.name], ...one.tags])
        await insert('tracking_run_tags', { run_id: one.id, tag_key: name, tag_value: value });
    }
  });
}

const tidemillPoint = (run_id, metric_key, timestamp_ms, step, value) => ({
  run_id,
  metric_key,
  timestamp_ms,
  step,
  value,
  special: 0,
});

const falseIn = (place) => (/^postgres/.test(place) ? false : 0);

/** Into MLflow's database of the newest version. */
export async function seedMlflow(place, shape, { firstExperiment = 0 } = {}) {
  const no = falseIn(place);
  await fill(place, async ({ query, insert }) => {
    const known = new Set((await query('select experiment_id as id from experiments')).map(({ id }) => Number(id)));
    for (let n = firstExperiment; n < firstExperiment + shape.experiments; n += 1)
      if (!known.has(n))
        await insert('experiments', {
          experiment_id: n,
          name: `experiment ${n}`,
          artifact_location: `mlflow-artifacts:/${n}`,
          lifecycle_stage: 'active',
          creation_time: 1,
          last_update_time: 1,
          workspace: 'default',
        });
    for (const one of runsOf(shape)) {
      await insert('runs', {
        run_uuid: one.id,
        name: one.name,
        source_type: 'UNKNOWN',
        source_name: '',
        entry_point_name: '',
        user_id: 'ann',
        status: one.status,
        start_time: one.startMs,
        end_time: one.startMs + 1000,
        source_version: '',
        lifecycle_stage: 'active',
        artifact_uri: `mlflow-artifacts:/x/${one.id}`,
        experiment_id: firstExperiment + one.experiment,
      });
      for (const [key, value] of one.metrics) {
        const point = { key, value, timestamp: one.startMs, step: 1, is_nan: no, run_uuid: one.id };
        await insert('latest_metrics', point);
        await insert('metrics', point);
      }
      for (const [key, value] of one.params) await insert('params', { key, value, run_uuid: one.id });
      for (const [key, value] of [['mlflow.runName', one.name], ...one.tags])
        await insert('tags', { key, value, run_uuid: one.id });
    }
  });
}

/** The points of one metric `h` of a run: value and step by step, a second apart. */
export async function seedHistory(place, server, runId, points) {
  const no = falseIn(place);
  await fill(place, async ({ insert }) => {
    for (let step = 0; step < points; step += 1) {
      const [at, value] = [startMs + step * 1000, chance(step, 9)];
      const isLast = step === points - 1;
      if (server === 'tidemill') {
        const point = tidemillPoint(runId, 'h', at, step, value);
        await insert('tracking_metrics', point);
        if (isLast) await insert('tracking_latest_metrics', point);
      } else {
        const point = { run_uuid: runId, key: 'h', timestamp: at, step, value, is_nan: no };
        await insert('metrics', point);
        if (isLast) await insert('latest_metrics', point);
      }
    }
  });
}
