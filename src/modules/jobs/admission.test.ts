import { describe, expect, test } from 'vitest';
import { createAdmission } from './admission.ts';

const capacity = { cpu: 2, memoryMb: 1000, workerTasks: 2 };
const command = (cpu: number, memoryMb = 100) => ({ kind: 'command' as const, cpu, memoryMb });
const task = { kind: 'worker' as const, cpu: 1, memoryMb: 512 };

describe('admission', () => {
  test('counts what commands declare, both cores and memory', () => {
    const admission = createAdmission(capacity, [command(1)]);
    expect(admission.admit(command(1.5))).toBe(false);
    expect(admission.admit(command(0.5, 950))).toBe(false);
    expect(admission.admit(command(0.5))).toBe(true);
    expect(admission.isFull('command')).toBe(false);
    expect(admission.admit(command(0.5))).toBe(true);
    expect(admission.isFull('command')).toBe(true);
  });

  test('lets a command that is larger than the machine start when it is alone', () => {
    expect(createAdmission(capacity, [task]).admit(command(64))).toBe(true);
    expect(createAdmission(capacity, [command(0.1)]).admit(command(64))).toBe(false);
  });

  test('counts the tasks of workers apart from commands', () => {
    const admission = createAdmission(capacity, [command(2), task]);
    expect(admission.isFull('command')).toBe(true);
    expect(admission.admit(task)).toBe(true);
    expect(admission.admit(task)).toBe(false);
  });
});
