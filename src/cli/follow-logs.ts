import { getJobLog } from '#contracts/jobs';
import { getRun, type RunView, type StepView } from '#contracts/pipelines';
import type { Client } from '../sdk/index.ts';
import { CliError } from './context.ts';

const lookAgainMs = 300;
/** A run of a thousand items is a long answer: it is asked less often than what its steps write. */
const lookAtRunMs = 1000;

export interface LogPrinter {
  heading(title: string): void;
  text(jobId: string, step: string | undefined, text: string): void;
}

interface Asked {
  readonly client: Client;
  readonly printer: LogPrinter;
  readonly signal: AbortSignal;
  /** Go on until it has ended. */
  readonly follow: boolean;
}

/** One job's log, and how far it has been read. */
interface Log {
  readonly jobId: string;
  readonly step: string;
  /** Its heading waits for its first words: of a thousand items that are running most are in the queue. */
  readonly quiet: boolean;
  offset: number;
  /** Read, and not yet printed: a line that has no end yet. */
  rest: string;
  ended: boolean;
}

export async function printLogs(asked: Asked & { readonly jobId: string }): Promise<void> {
  const log: Log = { jobId: asked.jobId, step: '', quiet: true, offset: 0, rest: '', ended: false };
  for (;;) {
    await readOn(asked, log, (text) => asked.printer.text(log.jobId, undefined, text));
    if (log.ended || !asked.follow) return;
    await pause(lookAgainMs);
  }
}

/**
 * The logs of a run's steps, or of those of `step`. Followed, steps are shown as they begin, and those that run at the
 * same time together: under a heading whenever another step goes on, by whole lines.
 */
export async function printStepLogs(asked: Asked & { readonly runId: string; readonly step: string }): Promise<void> {
  const { printer, follow } = asked;
  const logs = new Map<string, Log>();
  const told = new Set<string>();
  let current: string | undefined;
  const head = (step: string, more = ''): void => {
    if (current !== step || more !== '') printer.heading(`${step}${more}`);
    current = step;
  };
  const begin = (step: string): void => {
    if (!told.has(step)) head(step);
    told.add(step);
  };
  let [run, lookedMs] = [await look(asked), performance.now()];
  for (;;) {
    for (const { step, state, kind, jobId, why, each } of stepsOf(run, asked.step)) {
      if (follow && state === 'waiting' && !told.has(step)) {
        told.add(step);
        head(step, `: ${why ?? 'waits'}`);
      }
      if (jobId === undefined || kind !== 'command' || logs.has(jobId)) continue;
      logs.set(jobId, { jobId, step, quiet: follow && each !== undefined, offset: 0, rest: '', ended: false });
    }
    const roundMs = performance.now();
    const open = [...logs.values()].filter(({ ended }) => !ended);
    for (const log of open) {
      if (!log.quiet) begin(log.step);
      await readOn(asked, log, (text, ended) => {
        begin(log.step);
        log.rest += text;
        const at = !follow || ended || open.length === 1 ? log.rest.length : endOfLines(log.rest);
        if (at === 0) return;
        head(log.step);
        printer.text(log.jobId, log.step, log.rest.slice(0, at));
        log.rest = log.rest.slice(at);
      });
    }
    if (!follow) break;
    const over = isOver(run, asked.step);
    if (over && open.every(({ ended }) => ended)) break;
    await pause(Math.max(lookAgainMs, performance.now() - roundMs));
    if (over || performance.now() - lookedMs < lookAtRunMs) continue;
    [run, lookedMs] = [await look(asked), performance.now()];
  }
  if (logs.size === 0 && !follow) throw nothingToShow(run, asked.step);
  if (follow && asked.step === '') printer.heading(`run ${run.id}: ${run.state}`);
}

/** @throws LOG_NOT_FOUND when the run has no such step. */
async function look({ client, signal, runId, step }: Asked & { runId: string; step: string }): Promise<RunView> {
  const run = await client.call(getRun, { params: { runId }, query: {} }, { signal });
  // an item is known once its list is
  const known = [step, step.replace(/\[\d+\]$/, '')];
  if (step !== '' && !run.steps.some((one) => known.includes(one.step)))
    throw new CliError('LOG_NOT_FOUND', 3, `run ${runId} has no step "${step}"`);
  return run;
}

const stepsOf = (run: RunView, step: string): readonly StepView[] =>
  run.steps.filter((one) => step === '' || one.step === step || one.step.startsWith(`${step}[`));

const going: ReadonlySet<string> = new Set(['queued', 'pending', 'running', 'waiting']);

/** Nothing begins any more. */
function isOver(run: RunView, step: string): boolean {
  if (!going.has(run.state)) return true;
  const steps = stepsOf(run, step);
  return step !== '' && steps.length > 0 && steps.every(({ state }) => !going.has(state));
}

const nothingToShow = (run: RunView, step: string): CliError =>
  new CliError(
    'LOG_NOT_FOUND',
    3,
    step === '' ? `no step of run ${run.id} has started` : `step "${step}" of run ${run.id} has not run`,
  );

/** Up to what is there now. */
async function readOn(
  { client, signal }: Asked,
  log: Log,
  print: (text: string, ended: boolean) => void,
): Promise<void> {
  for (;;) {
    const { jobId, offset } = log;
    const { text, next, ended } = await client.call(getJobLog, { params: { jobId }, query: { offset } }, { signal });
    log.offset = next;
    log.ended = ended;
    if (text !== '' || ended) print(text, ended);
    if (ended || next === offset) return;
  }
}

/** Progress bars end their lines with a carriage return. */
const endOfLines = (text: string): number => Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
