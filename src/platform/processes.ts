/** Processes that outlive the one that started them, and short commands whose output is read. */
export { isAlive, startTimeOf } from './processes/process-identity.ts';
export { createProcessLauncher, type ProcessLauncher } from './processes/process-launcher.ts';
export { type CommandOptions, type CommandResult, runCommand } from './processes/run-command.ts';
export { scrubEnvironment } from './processes/scrub-environment.ts';
export {
  findProcess,
  type ProcessExit,
  processErrors,
  readExit,
  type StartedProcess,
  type StartOptions,
  signalGroup,
  startProcess,
  watchExit,
} from './processes/supervised-process.ts';
