import { Command } from 'commander';
import { getRun, listPipelines, type RunView, startRun } from '#contracts/pipelines';
import type { Client } from '../../sdk/index.ts';
import { setArgumentNames } from '../completion.ts';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { openProjectFolder } from '../workspace/project-folder.ts';
import { createProjectSender, ensureProject } from '../workspace/send.ts';

const waitSeconds = 30;
/** While a run goes on its steps are looked at this often; its end is heard at once. */
const lookSeconds = 2;

export function createRunCommand(world: CliEnvironment): Command {
  const command = new Command('run')
    .description('Starts a run of a pipeline with the code of this folder as it is now.')
    .argument('<pipeline>', 'its name in tidemill.yaml')
    .option('-p, --param <name=value>', 'a parameter, as often as needed; the value is JSON or a text', collect, [])
    .option('-f, --file <path>', 'the document (default: tidemill.yaml here or above)')
    .option('--no-cache', 'run every step, whatever has not changed')
    .option('--wait', 'wait for its end; exit with 1 when it fails')
    .action(
      async (
        pipeline: string,
        options: { param: string[]; file?: string; cache: boolean; wait?: boolean },
        self: Command,
      ) => {
        const context = createContext(self, world);
        const folder = await openProjectFolder(world.cwd, options.file, context.project);
        const client = await ensureProject(await context.connect(), folder.project);
        const snapshot = await (await createProjectSender(client, folder)).snapshot();
        const started = await client.call(startRun, {
          params: { name: pipeline },
          body: { params: parseParams(options.param), snapshot, cache: options.cache },
        });
        context.output.say(`run ${started.id}`);
        const run =
          options.wait === true
            ? await followRun(client, started.id, (line) => context.output.say(line), context.signal).catch(
                (error: unknown) => {
                  if (context.signal.aborted)
                    context.output.say(
                      `the run goes on: tidemill pipeline-run show ${started.id}; end it with tidemill pipeline-run cancel ${started.id}`,
                    );
                  throw error;
                },
              )
            : started;
        context.output.result(run, () => summary(run));
        if (options.wait !== true) context.output.say(`follow it: tidemill logs ${started.id} -f`);
        if (run.state === 'failed' || run.state === 'cancelled') setExitCode(self, 1);
      },
    );
  setArgumentNames(command, async (self) => {
    const { items } = await (await createContext(self, world).connect()).call(listPipelines, {});
    return items.map(({ name }) => name);
  });
  return command;
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function parseParams(texts: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new CliError('PARAM_INVALID', 2, `"${text}" is no parameter: write -p name=value`);
      return [text.slice(0, at), parseValue(text.slice(at + 1))];
    }),
  );
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Says each change of a step until the run has ended. */
export async function followRun(
  client: Client,
  runId: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<RunView> {
  const told = new Map<string, string>();
  for (let wait = lookSeconds; ; wait = Math.min(waitSeconds, wait + 1)) {
    const run = await client.call(
      getRun,
      { params: { runId }, query: { wait: Math.min(wait, lookSeconds) } },
      { signal },
    );
    for (const { step, state, why, error } of run.steps) {
      if (state === 'pending' || told.get(step) === state) continue;
      told.set(step, state);
      const detail = error?.message ?? (['running', 'waiting', 'cached', 'skipped'].includes(state) ? why : undefined);
      const line = detail?.startsWith(`${state}: `) === true ? detail : [state, detail].filter(Boolean).join(': ');
      say(`  ${step.padEnd(16)} ${line}`);
    }
    if (run.state !== 'running' && run.state !== 'queued') return run;
  }
}

function summary(run: RunView): string {
  const result =
    run.result === undefined
      ? ''
      : `; model ${run.result.model}@${run.result.version}${run.result.verdict === undefined ? '' : `, verdict ${run.result.verdict}`}`;
  return `Run ${run.id} of ${run.pipeline}: ${run.state}${result}${run.error === undefined ? '' : ` (${run.error.message})`}`;
}
