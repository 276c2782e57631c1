import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openProjectFolder } from '../../src/cli/workspace/project-folder.ts';
import { createProjectSender, ensureProject } from '../../src/cli/workspace/send.ts';
import { getJobLog } from '../../src/contracts/jobs.ts';
import { getRun, type RunView, type StepView, startRun } from '../../src/contracts/pipelines.ts';
import { applyWorkspace } from '../../src/contracts/workspace.ts';
import type { Client } from '../../src/sdk/index.ts';
import { temporaryFolder } from './control-plane.ts';

/** What lies where in a project's folder. */
export type ProjectFiles = Readonly<Record<string, string | Uint8Array>>;

/** A project's folder beside a server, used as a person uses it: write, apply, run, look. */
export interface PipelineProject {
  readonly folder: string;
  readonly client: Client;
  write(files: ProjectFiles): Promise<void>;
  apply(): Promise<void>;
  /** Starts the pipeline `p`. */
  start(options?: { readonly params?: Record<string, unknown>; readonly cache?: boolean }): Promise<RunView>;
  /** Waits for the end of a run. */
  finished(runId: string): Promise<RunView>;
  run(options?: { readonly params?: Record<string, unknown>; readonly cache?: boolean }): Promise<RunView>;
  step(runId: string, step: string): Promise<StepView>;
  /** Waits until a step is as wanted. */
  stepUntil(runId: string, step: string, wanted: (step: StepView) => boolean): Promise<StepView>;
  /** The whole output of a step. */
  log(runId: string, step: string): Promise<string>;
  /** The text of a step's output file. */
  output(run: RunView, step: string, output: string): Promise<string>;
}

const lookAgainMs = 20;

export async function openPipelineProject(client: Client, files: ProjectFiles): Promise<PipelineProject> {
  const folder = await temporaryFolder();
  const write: PipelineProject['write'] = async (all) => {
    for (const [path, content] of Object.entries(all)) {
      const target = join(folder, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content);
      if (typeof content === 'string' && content.startsWith('#!')) await chmod(target, 0o755);
    }
  };
  await write(files);
  const own = await ensureProject(client, (await openProjectFolder(folder)).project);

  const finished = async (runId: string): Promise<RunView> => {
    for (;;) {
      const run = await own.call(getRun, { params: { runId }, query: { wait: 20 } });
      const busy = run.steps.some(({ state }) => ['pending', 'running', 'waiting'].includes(state));
      if (run.state !== 'running' && !busy) return run;
      if (run.state !== 'running') await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
    }
  };
  const start: PipelineProject['start'] = (options = {}) =>
    own.call(startRun, { params: { name: 'p' }, body: { ...options } });
  const step: PipelineProject['step'] = async (runId, name) => {
    const run = await own.call(getRun, { params: { runId }, query: {} });
    const found = run.steps.find((candidate) => candidate.step === name);
    if (found === undefined) throw new Error(`run ${runId} has no step ${name}`);
    return found;
  };

  return {
    folder,
    client: own,
    write,
    async apply() {
      const snapshot = await (await createProjectSender(own, await openProjectFolder(folder))).snapshot();
      await own.call(applyWorkspace, { body: { snapshot } });
    },
    start,
    finished,
    run: async (options) => finished((await start(options)).id),
    step,
    async stepUntil(runId, name, wanted) {
      for (;;) {
        const found = await step(runId, name);
        if (wanted(found)) return found;
        await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
      }
    },
    async log(runId, name) {
      const { jobId = '' } = await step(runId, name);
      let text = '';
      for (let offset = 0; ; ) {
        const piece = await own.call(getJobLog, { params: { jobId }, query: { offset } });
        text += piece.text;
        if (piece.ended || piece.next === offset) return text;
        offset = piece.next;
      }
    },
    async output(run, name, output) {
      const made = run.steps.find((candidate) => candidate.step === name)?.outputs[output];
      return await (await own.request(`/api/v1/artifacts/${made?.sha256}`)).text();
    },
  };
}

export const stateOf = (run: RunView, step: string): string | undefined =>
  run.steps.find((candidate) => candidate.step === step)?.state;
export const states = (run: RunView): Record<string, string> =>
  Object.fromEntries(run.steps.map(({ step, state }) => [step, state]));
