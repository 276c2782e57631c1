import { Command } from 'commander';
import { getRun, listPipelines, type RunView, startRun } from '#contracts/pipelines';
import type { Client } from '../../sdk/index.ts';
import { setArgumentNames } from '../completion.ts';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import type { Output } from '../output.ts';
import { type Consequences, followConsequences, readPosition } from '../workspace/consequences.ts';
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
    .option('--wait', 'wait for its end and for the rollout that follows; exit with 1 when one fails')
    .action(
      async (
        pipeline: string,
        options: { param: string[]; file?: string; cache: boolean; wait?: boolean },
        self: Command,
      ) => {
        const context = createContext(self, world);
        const { output, signal } = context;
        const folder = await openProjectFolder(world.cwd, options.file, context.project);
        const client = await ensureProject(await context.connect(), folder.project);
        const snapshot = await (await createProjectSender(client, folder)).snapshot();
        const after = options.wait === true ? await readPosition(client, signal) : undefined;
        const requestId = crypto.randomUUID();
        const started = await client.call(
          startRun,
          {
            params: { name: pipeline },
            body: { params: parseParams(options.param), snapshot, cache: options.cache },
          },
          { signal, requestId },
        );
        output.say(`run ${started.id}`);
        if (after === undefined) {
          output.result(started, () => summary(started));
          output.say(`follow it: tidemill logs ${started.id} -f`);
          return;
        }
        const run = await followRun(client, started.id, (line) => output.say(line), signal).catch((error: unknown) => {
          if (signal.aborted)
            output.say(
              `the run goes on: tidemill pipeline-run show ${started.id}; end it with tidemill pipeline-run cancel ${started.id}`,
            );
          throw error;
        });
        const followed =
          run.state === 'succeeded' ? await follow(client, run, { output, signal, after, requestId }) : undefined;
        output.result({ ...run, ...followed }, () => summary(run));
        if (run.state !== 'succeeded' || (followed?.failures.length ?? 0) > 0) setExitCode(self, 1);
      },
    );
  setArgumentNames(command, async (self) => {
    const { items } = await (await createContext(self, world).connect()).call(listPipelines, {});
    return items.map(({ name }) => name);
  });
  return command;
}

/** What its model leads to: traffic comes with the rollout, moments after the run has ended. */
async function follow(
  client: Client,
  { id }: RunView,
  options: {
    readonly output: Output;
    readonly signal: AbortSignal;
    readonly after: string;
    readonly requestId: string;
  },
): Promise<Omit<Consequences, 'runs'>> {
  const { output, signal, after, requestId } = options;
  const { runs: _itself, ...followed } = await followConsequences(client, {
    requestIds: [requestId],
    after,
    signal,
    say: (line) => output.say(line),
    toldRun: id,
  }).catch((error: unknown) => {
    if (signal.aborted) output.say('the run has ended, and what follows goes on: tidemill events tail shows it');
    throw error;
  });
  for (const { reason } of followed.waiting) output.say(reason);
  for (const failure of followed.failures) output.say(output.colors.red(failure));
  return followed;
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
