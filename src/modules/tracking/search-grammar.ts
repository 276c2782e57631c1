import { trackingErrors } from './tracking-errors.ts';

/*
 * The filter grammar of MLflow's search calls: comparisons joined by AND, keywords in any case, no OR, no parentheses.
 *
 *   filter     := [ comparison { AND comparison } ]
 *   comparison := identifier operator value | identifier IS [NOT] NULL
 *   identifier := name { '.' name }                  a name with odd characters in backticks or double quotes
 *   operator   := '=' | '!=' | '<' | '<=' | '>' | '>=' | LIKE | ILIKE | RLIKE | IN | NOT IN
 *   value      := number | 'text' | "text" | '(' text { ',' text } ')'
 *
 * Everything before the first dot of an identifier is its group; without a dot it is an attribute.
 */
export type ComparisonOperator =
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'LIKE'
  | 'ILIKE'
  | 'RLIKE'
  | 'IN'
  | 'NOT IN'
  | 'IS NULL'
  | 'IS NOT NULL';

export interface Identifier {
  /** What stands before the first dot; undefined for a bare attribute. */
  readonly group: string | undefined;
  readonly key: string;
}

export interface Comparison extends Identifier {
  readonly operator: ComparisonOperator;
  /** Undefined for IS NULL and IS NOT NULL. */
  readonly value: string | number | readonly string[] | undefined;
}

export interface Ordering extends Identifier {
  readonly descending: boolean;
}

type Token =
  | { readonly type: 'name'; readonly text: string; readonly identifier: Identifier; readonly at: number }
  | { readonly type: 'text' | 'symbol'; readonly text: string; readonly at: number }
  | { readonly type: 'number'; readonly text: string; readonly at: number };

const spaces = /\s+/y;
const number = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])/y;
const text = /'([^']*)'|"([^"]*)"/y;
const symbol = /!=|<=|>=|[=<>(),]/y;
const part = /`[^`]*`|"[^"]*"|[\p{L}\p{N}_][\p{L}\p{N}_/:-]*/uy;

function match(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

const unquote = (quoted: string) => (/^[`"]/.test(quoted) ? quoted.slice(1, -1) : quoted);

function readIdentifier(source: string, start: number): { identifier: Identifier; end: number } | undefined {
  const parts: string[] = [];
  let at = start;
  for (;;) {
    const found = match(part, source, at);
    if (found === null) break;
    parts.push(found[0]);
    at += found[0].length;
    if (source[at] !== '.') break;
    at += 1;
  }
  const [first, ...rest] = parts;
  if (first === undefined || source[at - 1] === '.') return undefined;
  const identifier =
    rest.length === 0
      ? { group: undefined, key: unquote(first) }
      : { group: unquote(first), key: rest.map(unquote).join('.') };
  return { identifier, end: at };
}

/** Names come before texts: a double-quoted word is a text unless a dot or an operator makes it an identifier. */
function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const space = match(spaces, source, at);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const found = match(number, source, at) ?? match(symbol, source, at);
    if (found !== null) {
      const type = /[\d.]/.test(found[0]) ? 'number' : 'symbol';
      tokens.push({ type, text: found[0], at });
      at += found[0].length;
      continue;
    }
    const quoted = match(text, source, at);
    if (quoted !== null && source[at + quoted[0].length] !== '.') {
      tokens.push({ type: 'text', text: quoted[1] ?? quoted[2] ?? '', at });
      at += quoted[0].length;
      continue;
    }
    const name = readIdentifier(source, at);
    if (name === undefined) throw invalid(source, at, 'this cannot be read');
    tokens.push({ type: 'name', text: source.slice(at, name.end), identifier: name.identifier, at });
    at = name.end;
  }
  return tokens;
}

function invalid(source: string, at: number, why: string) {
  const shown = source.length > 200 ? `${source.slice(0, 200)}…` : source;
  return trackingErrors.SEARCH_FILTER_INVALID(shown, at + 1, why);
}

class TokenReader {
  private next = 0;
  private readonly source: string;
  private readonly tokens: readonly Token[];

  constructor(source: string) {
    const nul = source.indexOf('\0');
    if (nul >= 0) throw invalid(source.replaceAll('\0', '\uFFFD'), nul, 'a NUL character is in no name and no value');
    this.source = source;
    this.tokens = tokenize(source);
  }

  get done(): boolean {
    return this.next >= this.tokens.length;
  }

  fail(why: string): Error {
    return invalid(this.source, this.tokens[this.next]?.at ?? this.source.length, why);
  }

  take(): Token | undefined {
    const token = this.tokens[this.next];
    if (token !== undefined) this.next += 1;
    return token;
  }

  takeSymbol(wanted: string): boolean {
    const token = this.tokens[this.next];
    if (token?.type !== 'symbol' || token.text !== wanted) return false;
    this.next += 1;
    return true;
  }

  takeKeyword(wanted: string): boolean {
    const token = this.tokens[this.next];
    if (token?.type !== 'name' || token.text.toUpperCase() !== wanted) return false;
    this.next += 1;
    return true;
  }

  identifier(): Identifier {
    const token = this.tokens[this.next];
    // `"run name" = 'x'`: in the place of an identifier a quoted text is one
    if (token?.type === 'text') {
      this.next += 1;
      return { group: undefined, key: token.text };
    }
    if (token?.type !== 'name') throw this.fail('expected a name such as metrics.accuracy, params.lr or tags.team');
    this.next += 1;
    return token.identifier;
  }

  operator(): ComparisonOperator {
    for (const known of ['=', '!=', '<=', '>=', '<', '>'] as const) if (this.takeSymbol(known)) return known;
    for (const known of ['LIKE', 'ILIKE', 'RLIKE', 'IN'] as const) if (this.takeKeyword(known)) return known;
    if (this.takeKeyword('NOT')) {
      if (this.takeKeyword('IN')) return 'NOT IN';
      throw this.fail('expected IN after NOT');
    }
    if (this.takeKeyword('IS')) {
      const negated = this.takeKeyword('NOT');
      if (this.takeKeyword('NULL')) return negated ? 'IS NOT NULL' : 'IS NULL';
      throw this.fail('expected NULL');
    }
    throw this.fail('expected a comparison: =, !=, <, <=, >, >=, LIKE, ILIKE, IN, NOT IN, IS NULL or IS NOT NULL');
  }

  value(): string | number {
    const token = this.tokens[this.next];
    if (token?.type !== 'text' && token?.type !== 'number')
      throw this.fail('expected a number, or a text in single quotes');
    this.next += 1;
    return token.type === 'number' ? Number(token.text) : token.text;
  }

  list(): readonly string[] {
    if (!this.takeSymbol('(')) throw this.fail("expected a list such as ('a', 'b')");
    const values: string[] = [];
    do {
      const value = this.value();
      if (typeof value !== 'string') throw this.fail('expected texts in single quotes');
      values.push(value);
    } while (this.takeSymbol(','));
    if (!this.takeSymbol(')')) throw this.fail('expected ) at the end of the list');
    return values;
  }
}

/** Reads a filter; SEARCH_FILTER_INVALID names the place where it cannot be read. An empty filter has no comparisons. */
export function parseFilter(source: string): readonly Comparison[] {
  const reader = new TokenReader(source);
  const comparisons: Comparison[] = [];
  while (!reader.done) {
    const identifier = reader.identifier();
    const operator = reader.operator();
    const value =
      operator === 'IS NULL' || operator === 'IS NOT NULL'
        ? undefined
        : operator === 'IN' || operator === 'NOT IN'
          ? reader.list()
          : reader.value();
    comparisons.push({ ...identifier, operator, value });
    if (reader.done) break;
    if (!reader.takeKeyword('AND')) throw reader.fail('expected AND; OR and parentheses are not supported');
    if (reader.done) throw reader.fail('expected a comparison after AND');
  }
  return comparisons;
}

function readOrdering(reader: TokenReader): Ordering {
  const identifier = reader.identifier();
  const descending = reader.takeKeyword('DESC');
  if (!descending) reader.takeKeyword('ASC');
  return { ...identifier, descending };
}

/** Reads `metrics.auc DESC`; ascending when nothing is said. */
export function parseOrdering(source: string): Ordering {
  const reader = new TokenReader(source);
  const ordering = readOrdering(reader);
  if (!reader.done) throw reader.fail('expected ASC, DESC or nothing more');
  return ordering;
}

/** Reads several, separated by commas. */
export function parseOrderings(source: string): readonly Ordering[] {
  const reader = new TokenReader(source);
  const orderings: Ordering[] = [];
  if (reader.done) return orderings;
  do orderings.push(readOrdering(reader));
  while (reader.takeSymbol(','));
  if (!reader.done) throw reader.fail('expected ASC, DESC, a comma or nothing more');
  return orderings;
}
