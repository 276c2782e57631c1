import { defaultProject, parseReference } from '#contracts/references';

/** Where the pages of a project's records are. */
export interface Paths {
  readonly project: string;
  /** What a command needs behind it to be of this project. */
  readonly option: string;
  readonly home: string;
  readonly experiments: string;
  readonly models: string;
  readonly prompts: string;
  /** Of all experiments. */
  readonly allTraces: string;
  experiment(id: string): string;
  run(experimentId: string, runId: string): string;
  loggedModel(experimentId: string, modelId: string): string;
  traces(experimentId: string): string;
  trace(traceId: string): string;
  model(name: string): string;
  version(name: string, version: string | number): string;
  prompt(name: string): string;
  promptVersion(name: string, version: string | number): string;
  /** Bytes of a run's file. */
  artifact(runId: string, path: string): string;
  /** The same in the browser's window, for what viewable-files.ts knows. */
  view(runId: string, path: string): string;
  /** Bytes by their path under the project's `mlflow-artifacts:/`. */
  bytes(path: string): string;
  /** The page of what a reference names, where there is one. */
  reference(reference: string): string | undefined;
}

const part = encodeURIComponent;

export function pathsOf(project: string): Paths {
  const root = project === defaultProject ? '' : `/projects/${part(project)}`;
  const paths: Paths = {
    project,
    option: project === defaultProject ? '' : ` --project ${project}`,
    home: root === '' ? '/' : root,
    experiments: `${root}/ui/experiments`,
    models: `${root}/ui/models`,
    prompts: `${root}/ui/prompts`,
    allTraces: `${root}/ui/traces`,
    experiment: (id) => `${root}/ui/experiments/${part(id)}`,
    run: (experimentId, runId) => `${root}/ui/experiments/${part(experimentId)}/runs/${part(runId)}`,
    loggedModel: (experimentId, modelId) => `${root}/ui/experiments/${part(experimentId)}/models/${part(modelId)}`,
    traces: (experimentId) => `${root}/ui/experiments/${part(experimentId)}/traces`,
    trace: (traceId) => `${root}/ui/traces/${part(traceId)}`,
    model: (name) => `${root}/ui/models/${part(name)}`,
    version: (name, version) => `${root}/ui/models/${part(name)}/versions/${part(String(version))}`,
    prompt: (name) => `${root}/ui/prompts/${part(name)}`,
    promptVersion: (name, version) => `${root}/ui/prompts/${part(name)}/versions/${part(String(version))}`,
    artifact: (runId, path) => `${root}/get-artifact?run_id=${part(runId)}&path=${part(path)}`,
    view: (runId, path) => `${paths.artifact(runId, path)}&view=yes`,
    bytes: (path) => `${root}/api/2.0/mlflow-artifacts/artifacts/${path.split('/').map(part).join('/')}`,
    reference(reference) {
      const { kind, name = '', at } = parseReference(reference) ?? {};
      if (kind === 'tracking-run') return `${root}/ui/runs/${part(name)}`;
      if (kind === 'logged-model') return `${root}/ui/logged-models/${part(name)}`;
      if (kind === 'experiment') return paths.experiment(name);
      if (kind === 'trace') return paths.trace(name);
      if (kind !== 'model') return undefined;
      return at === undefined ? paths.model(name) : paths.version(name, at);
    },
  };
  return paths;
}

/** A path with a query; a field without a value is left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | number | undefined>>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== '') search.set(key, String(value));
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}
