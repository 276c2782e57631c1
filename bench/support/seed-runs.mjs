// Fills the databases of both servers with the same runs by SQL: through the API, MLflow would take the better part of an hour.
import Sqlite from 'better-sqlite3';

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

function fill(file, work) {
  const database = new Sqlite(file);
  database.pragma('journal_mode = wal');
  database.pragma('synchronous = off');
  database.pragma('foreign_keys = off');
  database.transaction(() => work(database))();
  database.close();
}

/** Into Tidemill's database while no server has it open; `experimentIds` are made as needed, 0 is there. */
export function seedTidemill(file, shape, { firstExperiment = 0 } = {}) {
  fill(file, (database) => {
    const key = (n) =>
      database
        .prepare('select experiment_key as k from tracking_experiments where project = ? and experiment_id = ?')
        .get('default', n)?.k;
    const keys = [];
    for (let n = 0; n < shape.experiments; n += 1) {
      const id = firstExperiment + n;
      if (key(id) === undefined)
        database
          .prepare(
            `insert into tracking_experiments (experiment_key, project, experiment_id, name, artifact_location, lifecycle, created_ms, updated_ms)
             values ((select max(experiment_key) + 1 from tracking_experiments), 'default', ?, ?, ?, 'active', 1, 1)`,
          )
          .run(id, `experiment ${id}`, `mlflow-artifacts:/${id}`);
      keys.push(key(id));
    }
    const run = database.prepare(
      `insert into tracking_runs (run_id, project, experiment_key, name, status, user_id, start_ms, end_ms, lifecycle, artifact_uri, created_by)
       values (?, 'default', ?, ?, ?, 'ann', ?, ?, 'active', ?, 'user:local')`,
    );
    const metric = database.prepare('insert into tracking_latest_metrics values (?, ?, ?, ?, ?, 0)');
    const point = database.prepare('insert into tracking_metrics values (?, ?, ?, ?, ?, 0)');
    const param = database.prepare('insert into tracking_params values (?, ?, ?)');
    const tag = database.prepare('insert into tracking_run_tags values (?, ?, ?)');
    for (const one of runsOf(shape)) {
      run.run(one.id, keys[one.experiment], one.name, one.status, one.startMs, one.startMs + 1000, `x/${one.id}`);
      for (const [name, value] of one.metrics) {
        metric.run(one.id, name, one.startMs, 1, value);
        if (shape.history) point.run(one.id, name, one.startMs, 1, value);
      }
      for (const [name, value] of one.params) param.run(one.id, name, value);
      for (const [name, value] of [['mlflow.runName', one.name], ...one.tags]) tag.run(one.id, name, value);
    }
  });
}

/** Into MLflow's database of the newest version. */
export function seedMlflow(file, shape, { firstExperiment = 0 } = {}) {
  fill(file, (database) => {
    for (let n = 0; n < shape.experiments; n += 1)
      database
        .prepare(
          `insert or ignore into experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
           values (?, ?, ?, 'active', 1, 1, 'default')`,
        )
        .run(firstExperiment + n, `experiment ${firstExperiment + n}`, `mlflow-artifacts:/${firstExperiment + n}`);
    const run = database.prepare(
      `insert into runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
       values (?, ?, 'UNKNOWN', '', '', 'ann', ?, ?, ?, '', 'active', ?, ?)`,
    );
    const metric = database.prepare(
      'insert into latest_metrics (key, value, timestamp, step, is_nan, run_uuid) values (?, ?, ?, 1, 0, ?)',
    );
    const point = database.prepare(
      'insert into metrics (key, value, timestamp, run_uuid, step, is_nan) values (?, ?, ?, ?, 1, 0)',
    );
    const param = database.prepare('insert into params (key, value, run_uuid) values (?, ?, ?)');
    const tag = database.prepare('insert into tags (key, value, run_uuid) values (?, ?, ?)');
    for (const one of runsOf(shape)) {
      run.run(
        one.id,
        one.name,
        one.status,
        one.startMs,
        one.startMs + 1000,
        `mlflow-artifacts:/x/${one.id}`,
        firstExperiment + one.experiment,
      );
      for (const [name, value] of one.metrics) {
        metric.run(name, value, one.startMs, one.id);
        point.run(name, value, one.startMs, one.id);
      }
      for (const [name, value] of one.params) param.run(name, value, one.id);
      for (const [name, value] of [['mlflow.runName', one.name], ...one.tags]) tag.run(name, value, one.id);
    }
  });
}

/** The points of one metric `h` of a run: value and step by step, a second apart. */
export function seedHistory(file, server, runId, points) {
  fill(file, (database) => {
    const insert =
      server === 'tidemill'
        ? database.prepare("insert into tracking_metrics values (?, 'h', ?, ?, ?, 0)")
        : database.prepare(
            "insert into metrics (run_uuid, key, timestamp, step, value, is_nan) values (?, 'h', ?, ?, ?, 0)",
          );
    for (let step = 0; step < points; step += 1) insert.run(runId, startMs + step * 1000, step, chance(step, 9));
    const last = [runId, startMs + (points - 1) * 1000, points - 1, chance(points - 1, 9)];
    if (server === 'tidemill')
      database.prepare("insert into tracking_latest_metrics values (?, 'h', ?, ?, ?, 0)").run(...last);
    else
      database
        .prepare(
          "insert into latest_metrics (run_uuid, key, timestamp, step, value, is_nan) values (?, 'h', ?, ?, ?, 0)",
        )
        .run(...last);
  });
}
