import type { Command } from 'commander';

const codes = new WeakMap<Command, number>();

function programOf(command: Command): Command {
  return command.parent === null ? command : programOf(command.parent);
}

/** For commands whose work is done and whose finding is bad: the run failed, the check found something. */
export function setExitCode(command: Command, code: number): void {
  codes.set(programOf(command), code);
}

export function exitCodeOf(program: Command): number {
  return codes.get(program) ?? 0;
}
