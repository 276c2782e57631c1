import { type Assertion, isWord, type PatternNode, PatternReader, type Test } from './pattern-syntax.ts';
import { tracesErrors } from './traces-errors.ts';

/*
 * Regular expressions of filters (RLIKE), in the syntax that Python and PostgreSQL share: literals, `.`, classes, `\d`,
 * `\w`, `\s`, `\b`, groups, `|`, `*`, `+`, `?`, `{m,n}`, `^`, `$` and a leading `(?i)`. Whoever asks writes them, so that
 * they are run as a machine that is in all its states at once: time grows with the text and the pattern, never as a
 * power of them. What such a machine cannot do (back references, look-around) is refused.
 */
type Instruction =
  | { readonly op: 'one'; readonly test: Test; readonly cost: number }
  | { op: 'split'; first: number; second: number }
  | { op: 'jump'; to: number }
  | { readonly op: 'assert'; readonly what: Assertion }
  | { readonly op: 'match' };

const maxInstructions = 4000;
/** Repeats of repeats of nothing make no instruction and take long all the same. */
const maxEmitted = 50_000;
/** A fraction of a second. */
const maxSteps = 10_000_000;

/** The time that patterns take together; those of one search share it. */
export interface PatternEffort {
  steps: number;
}

function compile(root: PatternNode, source: string): readonly Instruction[] {
  const program: Instruction[] = [];
  let emitted = 0;
  const tooLarge = () =>
    tracesErrors.TRACE_FILTER_INVALID(
      `Invalid regular expression '${source.slice(0, 100)}': it is too large; say less with {m,n}`,
    );
  const add = <I extends Instruction>(instruction: I): I => {
    if (program.length >= maxInstructions) throw tooLarge();
    program.push(instruction);
    return instruction;
  };
  const emitAny = (parts: readonly PatternNode[]): void => {
    const [head, ...tail] = parts;
    if (head === undefined) return;
    if (tail.length === 0) return emit(head);
    const split = add({ op: 'split', first: program.length + 1, second: 0 });
    emit(head);
    const jump = add({ op: 'jump', to: 0 });
    split.second = program.length;
    emitAny(tail);
    jump.to = program.length;
  };
  const emitRepeat = (part: PatternNode, least: number, most: number): void => {
    for (let count = 0; count < least; count += 1) emit(part);
    if (most === Number.POSITIVE_INFINITY) {
      const start = program.length;
      const split = add({ op: 'split', first: start + 1, second: 0 });
      emit(part);
      add({ op: 'jump', to: start });
      split.second = program.length;
      return;
    }
    const splits = Array.from({ length: most - least }, () => {
      const split = add({ op: 'split', first: program.length + 1, second: 0 });
      emit(part);
      return split;
    });
    for (const split of splits) split.second = program.length;
  };
  function emit(node: PatternNode): void {
    emitted += 1;
    if (emitted > maxEmitted) throw tooLarge();
    if (node.type === 'one') add({ op: 'one', test: node.test, cost: node.cost });
    else if (node.type === 'assert') add({ op: 'assert', what: node.what });
    else if (node.type === 'all') for (const part of node.parts) emit(part);
    else if (node.type === 'any') emitAny(node.parts);
    else emitRepeat(node.part, node.least, node.most);
  }
  emit(root);
  add({ op: 'match' });
  return program;
}

function holds(what: Assertion, before: string | undefined, after: string | undefined): boolean {
  if (what === 'start') return before === undefined;
  if (what === 'end') return after === undefined;
  const boundary = (before !== undefined && isWord(before)) !== (after !== undefined && isWord(after));
  return (what === 'boundary') === boundary;
}

/** True for texts in which the pattern is found anywhere. TRACE_FILTER_INVALID for one that cannot be run. */
export function compilePattern(source: string, effort: PatternEffort = { steps: 0 }): (text: string) => boolean {
  const program = compile(new PatternReader(source).read(), source);
  const marks = new Int32Array(program.length).fill(-1);
  let generation = 0;

  /** All states that are reached from one without reading a character; true when the end is among them. */
  function enter(start: number, states: number[], before: string | undefined, after: string | undefined): boolean {
    const open = [start];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (marks[at] === generation) continue;
      marks[at] = generation;
      effort.steps += 1;
      const instruction = program[at];
      if (instruction === undefined) continue;
      if (instruction.op === 'match') return true;
      if (instruction.op === 'one') states.push(at);
      else if (instruction.op === 'jump') open.push(instruction.to);
      else if (instruction.op === 'split') open.push(instruction.second, instruction.first);
      else if (holds(instruction.what, before, after)) open.push(at + 1);
    }
    return false;
  }

  return (text) => {
    const characters = Array.from(text);
    let states: number[] = [];
    generation += 1;
    if (enter(0, states, undefined, characters[0])) return true;
    for (let index = 0; index < characters.length; index += 1) {
      const character = characters[index] ?? '';
      const after = characters[index + 1];
      const next: number[] = [];
      generation += 1;
      if (effort.steps > maxSteps)
        throw tracesErrors.TRACE_FILTER_INVALID(
          `the regular expression '${source.slice(0, 100)}' takes too long over so much text; narrow the search by other conditions`,
        );
      for (const state of states) {
        const instruction = program[state];
        if (instruction?.op !== 'one') continue;
        effort.steps += instruction.cost;
        if (instruction.test(character) && enter(state + 1, next, character, after)) return true;
      }
      if (enter(0, next, character, after)) return true; // it may begin anywhere
      states = next;
    }
    return false;
  };
}
