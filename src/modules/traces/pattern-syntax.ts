import { tracesErrors } from './traces-errors.ts';

export type Test = (character: string) => boolean;
export type Assertion = 'start' | 'end' | 'boundary' | 'no boundary';

export type PatternNode =
  /** `cost`: how many tests the test is made of. */
  | { readonly type: 'one'; readonly test: Test; readonly cost: number }
  | { readonly type: 'assert'; readonly what: Assertion }
  | { readonly type: 'all'; readonly parts: readonly PatternNode[] }
  | { readonly type: 'any'; readonly parts: readonly PatternNode[] }
  | { readonly type: 'repeat'; readonly part: PatternNode; readonly least: number; readonly most: number };

const maxLength = 1000;
const maxDepth = 50;
const maxRepeats = 1000;

export const isWord: Test = (character) => /^[\p{L}\p{N}_]$/u.test(character);
const classes: Readonly<Record<string, Test>> = {
  d: (character) => /^\p{Nd}$/u.test(character),
  w: isWord,
  s: (character) => /^\s$/.test(character),
};
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', v: '\v' };

const one = (test: Test, cost = 1): PatternNode => ({ type: 'one', test, cost });

/** Reads a regular expression; TRACE_FILTER_INVALID names the place where it cannot be read. */
export class PatternReader {
  private at = 0;
  private depth = 0;
  private readonly characters: readonly string[];
  private readonly source: string;
  private fold = false;

  constructor(source: string) {
    this.source = source;
    this.characters = Array.from(source);
  }

  read(): PatternNode {
    if (this.source.length > maxLength) throw this.fail(`a pattern has at most ${maxLength} characters`);
    if (this.source.startsWith('(?i)')) {
      this.fold = true;
      this.at = 4;
    }
    const node = this.alternatives();
    if (this.at < this.characters.length) throw this.fail('a ) closes nothing');
    return node;
  }

  private fail(why: string): Error {
    return tracesErrors.TRACE_FILTER_INVALID(
      `Invalid regular expression '${this.source.slice(0, 100)}' at position ${this.at + 1}: ${why}`,
    );
  }

  private take(wanted: string): boolean {
    if (this.characters[this.at] !== wanted) return false;
    this.at += 1;
    return true;
  }

  private alternatives(): PatternNode {
    this.depth += 1;
    if (this.depth > maxDepth) throw this.fail('its groups are nested too deeply');
    const parts = [this.sequence()];
    while (this.take('|')) parts.push(this.sequence());
    this.depth -= 1;
    return { type: 'any', parts };
  }

  private sequence(): PatternNode {
    const parts: PatternNode[] = [];
    for (
      let next = this.characters[this.at];
      next !== undefined && next !== '|' && next !== ')';
      next = this.characters[this.at]
    )
      parts.push(this.repeated(this.atom()));
    return { type: 'all', parts };
  }

  private repeated(part: PatternNode): PatternNode {
    let node = part;
    for (;;) {
      const [least, most] = this.quantifier() ?? [];
      if (least === undefined || most === undefined) return node;
      if (node.type === 'repeat') throw this.fail('nothing to repeat');
      this.take('?'); // a match is a match, however short
      node = { type: 'repeat', part: node, least, most };
    }
  }

  private quantifier(): readonly [number, number] | undefined {
    if (this.take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.take('?')) return [0, 1];
    const found = /^\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/.exec(this.characters.slice(this.at, this.at + 12).join(''));
    if (found === null) return undefined;
    this.at += found[0].length;
    const least = Number(found[1]);
    const most = found[2] === undefined ? least : found[3] === undefined ? Number.POSITIVE_INFINITY : Number(found[3]);
    if (least > maxRepeats || (most > maxRepeats && most !== Number.POSITIVE_INFINITY) || most < least)
      throw this.fail(`repeats go up to ${maxRepeats}, the smaller number first`);
    return [least, most];
  }

  private atom(): PatternNode {
    const character = this.characters[this.at] ?? '';
    this.at += 1;
    if (character === '(') return this.group();
    if (character === '[') return this.set();
    if (character === '.') return one((other) => other !== '\n');
    if (character === '^') return { type: 'assert', what: 'start' };
    if (character === '$') return { type: 'assert', what: 'end' };
    if (character === '\\') return this.escaped();
    if ('*+?'.includes(character)) throw this.fail('nothing to repeat');
    return one(this.literal(character));
  }

  private literal(character: string): Test {
    if (!this.fold) return (other) => other === character;
    const folded = character.toLowerCase();
    return (other) => other.toLowerCase() === folded;
  }

  private group(): PatternNode {
    if (this.take('?')) {
      const rest = this.characters.slice(this.at, this.at + 40).join('');
      const kind = /^(?::|P?<[A-Za-z_]\w*>)/.exec(rest)?.[0];
      if (kind === undefined) throw this.fail('look-around and flags inside are not supported');
      this.at += kind.length;
    }
    const node = this.alternatives();
    if (!this.take(')')) throw this.fail('a ( is not closed');
    return node;
  }

  private escaped(): PatternNode {
    const character = this.characters[this.at] ?? '';
    this.at += 1;
    if (character === 'b') return { type: 'assert', what: 'boundary' };
    if (character === 'B') return { type: 'assert', what: 'no boundary' };
    if (character === 'A') return { type: 'assert', what: 'start' };
    if (character === 'Z') return { type: 'assert', what: 'end' };
    const test = this.escapeClass(character);
    return one(test ?? this.literal(this.escapeLiteral(character)));
  }

  private escapeClass(character: string): Test | undefined {
    const test = Object.hasOwn(classes, character.toLowerCase()) ? classes[character.toLowerCase()] : undefined;
    if (test === undefined) return undefined;
    return character === character.toLowerCase() ? test : (other) => !test(other);
  }

  private escapeLiteral(character: string): string {
    if (character === '') throw this.fail('it ends in a backslash');
    if (/^[1-9]$/.test(character)) throw this.fail('back references are not supported');
    if (/^[A-Za-z0-9]$/.test(character) && !Object.hasOwn(escapes, character))
      throw this.fail(`\\${character} is not known`);
    return escapes[character] ?? character;
  }

  private set(): PatternNode {
    const negated = this.take('^');
    const tests: Test[] = [];
    let isFirst = true;
    while (isFirst || this.characters[this.at] !== ']') {
      isFirst = false;
      const low = this.setMember(tests);
      if (low === undefined) continue;
      const isRange = this.characters[this.at] === '-' && ![']', undefined].includes(this.characters[this.at + 1]);
      if (!isRange) {
        tests.push(this.literal(low));
        continue;
      }
      this.at += 1;
      const high = this.setMember(tests);
      if (high === undefined || (high.codePointAt(0) ?? 0) < (low.codePointAt(0) ?? 0))
        throw this.fail('a range goes from the lower to the higher character');
      tests.push(this.range(low, high));
    }
    this.at += 1;
    return one((character) => tests.some((test) => test(character)) !== negated, tests.length);
  }

  private range(low: string, high: string): Test {
    const [from, to] = [low.codePointAt(0) ?? 0, high.codePointAt(0) ?? 0];
    const inside = (character: string) => {
      const code = character.codePointAt(0) ?? -1;
      return code >= from && code <= to;
    };
    return this.fold ? (character) => inside(character.toLowerCase()) || inside(character.toUpperCase()) : inside;
  }

  /** A character of a set; undefined for a class, whose test is added. */
  private setMember(tests: Test[]): string | undefined {
    const character = this.characters[this.at];
    if (character === undefined) throw this.fail('a [ is not closed');
    this.at += 1;
    if (character !== '\\') return character;
    const escape = this.characters[this.at] ?? '';
    this.at += 1;
    const test = this.escapeClass(escape);
    if (test === undefined) return this.escapeLiteral(escape);
    tests.push(test);
    return undefined;
  }
}
