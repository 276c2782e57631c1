import { Command } from 'commander';
import { getJobLog } from '#contracts/jobs';
import { getRun } from '#contracts/pipelines';
import type { Client } from '../../sdk/index.ts';
import { type CliEnvironment, CliError, createContext } from '../context.ts';

const lookAgainMs = 300;

export function createLogsCommand(world: CliEnvironment): Command {
  return new Command('logs')
    .description('Prints what a job or the step of a run has written.')
    .argument('<what>', 'job id, run id (all its steps) or <run>/<step>')
    .option('-f, --follow', 'go on until it has ended')
    .action(async (what: string, options: { follow?: boolean }, command: Command) => {
      const context = createContext(command, world);
      const client = await context.connect();
      for (const { title, jobId } of await findJobs(client, what)) {
        if (title !== undefined) context.output.say(`--- ${title}`);
        await printLog(client, jobId, options.follow ?? false, context.signal, (text) => {
          if (context.output.json) context.output.line({ job: jobId, text }, () => text);
          else world.stdout.write(text);
        });
      }
    });
}

async function findJobs(
  client: Client,
  what: string,
): Promise<readonly { readonly title?: string; readonly jobId: string }[]> {
  const [runId = '', ...rest] = what.replace(/^(?:run|job|pipeline-step):/, '').split('/');
  const step = rest.join('/');
  if (what.startsWith('job:')) return [{ jobId: runId }];
  const run = await client.call(getRun, { params: { runId }, query: {} }).catch((error: unknown) => {
    if (step === '' && error instanceof Error && 'code' in error && error.code === 'RUN_NOT_FOUND') return undefined;
    throw error;
  });
  if (run === undefined) return [{ jobId: runId }];
  const found = run.steps.flatMap((item) =>
    item.jobId !== undefined &&
    item.kind === 'command' &&
    (step === '' || item.step === step || item.step.startsWith(`${step}[`))
      ? [{ title: item.step, jobId: item.jobId }]
      : [],
  );
  if (found.length === 0)
    throw new CliError(
      'LOG_NOT_FOUND',
      3,
      step === '' ? `no step of run ${runId} has started` : `step "${step}" of run ${runId} has not run`,
    );
  return found;
}

async function printLog(
  client: Client,
  jobId: string,
  follow: boolean,
  signal: AbortSignal,
  print: (text: string) => void,
): Promise<void> {
  for (let offset = 0; ; ) {
    const { text, next, ended } = await client.call(getJobLog, { params: { jobId }, query: { offset } }, { signal });
    if (text !== '') print(text);
    if (ended || (!follow && next === offset)) return;
    if (next === offset) await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
    offset = next;
  }
}
