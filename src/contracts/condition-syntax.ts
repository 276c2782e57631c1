/**
 * The language of `when`, in pipelines and in graphs of models, and of what stands in `${…}` of a built-in step: a subset of
 * CEL without loops, so that every expression ends.
 *
 *   or      = and { "||" and }
 *   and     = compare { "&&" compare }
 *   compare = sum [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" ) sum ]
 *   sum     = product { ( "+" | "-" ) product }
 *   product = unary { ( "*" | "/" | "%" ) unary }
 *   unary   = ( "!" | "-" ) unary | value { "." name | "[" or "]" }
 *   value   = number | text | true | false | null | list | "(" or ")" | reference | "has(" or ")" | "size(" or ")"
 *
 * A reference begins with `params.<name>` or `<step>.<output>`; `steps["a-step"]["an-output"]` names what is no plain word.
 * In a graph a step is a node, and `inputs.<name>` what the graph is asked with.
 */
export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'param'; readonly name: string; readonly at: number }
  | { readonly kind: 'output'; readonly step: string; readonly output: string; readonly at: number }
  | { readonly kind: 'field'; readonly of: Expression; readonly key: Expression }
  | { readonly kind: 'unary'; readonly operator: '!' | '-'; readonly of: Expression }
  | { readonly kind: 'call'; readonly name: CallName; readonly of: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    };

export type Reference = Extract<Expression, { readonly kind: 'param' | 'output' }>;
export const comparators = ['==', '!=', '<=', '>=', '<', '>', 'in'] as const;
const sums = ['+', '-'] as const;
const products = ['*', '/', '%'] as const;
export type BinaryOperator = '||' | '&&' | (typeof comparators | typeof sums | typeof products)[number];
const calls = ['has', 'size'] as const;
export type CallName = (typeof calls)[number];

export interface SyntaxProblem {
  /** Offset in the text, from 0. */
  readonly at: number;
  readonly expected: string;
}

export type Parsed =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly problem: SyntaxProblem };

interface Token {
  readonly kind: 'number' | 'text' | 'name' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
}

class Refusal extends Error {
  readonly problem: SyntaxProblem;
  constructor(at: number, expected: string) {
    super(expected);
    this.problem = { at, expected };
  }
}

/** Parentheses in parentheses: deeper is a mistake, and would end the stack. */
const deepest = 64;
const words: ReadonlyMap<string, boolean | null> = new Map<string, boolean | null>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

export function parseExpression(text: string): Parsed {
  try {
    return { ok: true, expression: createParser(text)() };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, problem: error.problem };
    throw error;
  }
}

function createParser(text: string): () => Expression {
  const tokens = tokenize(text);
  let next = 0;
  let depth = 0;
  const peek = (): Token => tokens[next] ?? { kind: 'end', text: '', at: text.length };
  const take = (): Token => {
    const token = peek();
    next += 1;
    return token;
  };
  function takeOne<const T extends string>(...symbols: readonly T[]): T | undefined {
    const { kind, text: found } = peek();
    const symbol = kind === 'symbol' || kind === 'name' ? symbols.find((one) => one === found) : undefined;
    if (symbol !== undefined) next += 1;
    return symbol;
  }
  function need(symbol: string): void {
    if (takeOne(symbol) === undefined) throw new Refusal(peek().at, `"${symbol}"`);
  }

  /** Operators of one strength, from left to right. */
  const chain = (operators: readonly BinaryOperator[], operand: () => Expression) => (): Expression => {
    let left = operand();
    for (let operator = takeOne(...operators); operator !== undefined; operator = takeOne(...operators))
      left = { kind: 'binary', operator, left, right: operand() };
    return left;
  };
  const parseSum = chain(sums, chain(products, parseUnary));
  const parseOr = chain(['||'], chain(['&&'], parseCompare));

  function parseCompare(): Expression {
    const left = parseSum();
    const operator = takeOne(...comparators);
    return operator === undefined ? left : { kind: 'binary', operator, left, right: parseSum() };
  }

  function parseUnary(): Expression {
    depth += 1;
    if (depth > deepest) throw new Refusal(peek().at, `at most ${deepest} levels`);
    const operator = takeOne('!', '-');
    const found: Expression = operator === undefined ? parsePath() : { kind: 'unary', operator, of: parseUnary() };
    depth -= 1;
    return found;
  }

  function parsePath(): Expression {
    let found = parseValue();
    for (let key = parseKey(); key !== undefined; key = parseKey()) found = { kind: 'field', of: found, key };
    return found;
  }

  /** `.name` or `["name"]`; undefined when none follows. */
  function parseKey(): Expression | undefined {
    if (takeOne('.') !== undefined) {
      const { kind, text: name, at } = take();
      if (kind !== 'name') throw new Refusal(at, 'a name');
      return { kind: 'literal', value: name };
    }
    if (takeOne('[') === undefined) return undefined;
    const key = parseOr();
    need(']');
    return key;
  }

  function parseName(after: string): string {
    const { at } = peek();
    const key = parseKey();
    if (key?.kind !== 'literal' || typeof key.value !== 'string') throw new Refusal(at, `a name after "${after}"`);
    return key.value;
  }

  function parseValue(): Expression {
    const { kind, text: found, at } = take();
    if (kind === 'number') return { kind: 'literal', value: Number(found) };
    if (kind === 'text') return { kind: 'literal', value: unquote(found) };
    if (kind === 'name') return parseWord(found, at);
    if (found === '[') return parseList();
    if (found !== '(') throw new Refusal(at, 'a number, a text, params.<name> or <step>.<output>');
    const inner = parseOr();
    need(')');
    return inner;
  }

  function parseList(): Expression {
    const items: Expression[] = [];
    if (takeOne(']') !== undefined) return { kind: 'list', items };
    do items.push(parseOr());
    while (takeOne(',') !== undefined);
    need(']');
    return { kind: 'list', items };
  }

  function parseWord(word: string, at: number): Expression {
    const constant = words.get(word);
    if (constant !== undefined) return { kind: 'literal', value: constant };
    const name = calls.find((call) => call === word);
    if (name !== undefined && takeOne('(') !== undefined) {
      const of = parseOr();
      if (name === 'has' && of.kind !== 'field' && !isReference(of)) throw new Refusal(at, 'a field in has(…)');
      need(')');
      return { kind: 'call', name, of };
    }
    if (peek().text === '(') throw new Refusal(at, 'a function that there is: has, size');
    if (word === 'params') return { kind: 'param', name: parseName(word), at };
    const step = word === 'steps' ? parseName(word) : word;
    return { kind: 'output', step, output: parseName(step), at };
  }

  return () => {
    const expression = parseOr();
    if (peek().kind !== 'end') throw new Refusal(peek().at, 'an operator or the end');
    return expression;
  };
}

const pattern =
  /\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([A-Za-z_]\w*)|(\|\||&&|==|!=|<=|>=|[-+*/%<>!()[\].,]))/y;

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  for (let from = 0; from < end; ) {
    pattern.lastIndex = from;
    const match = pattern.exec(text);
    if (match === null) {
      const at = from + (/^\s*/.exec(text.slice(from))?.[0].length ?? 0);
      throw new Refusal(at, /^["']/.test(text.slice(at)) ? 'the end of the text' : 'a value or an operator');
    }
    const [whole, number, quoted, name, symbol] = match;
    const found = number ?? quoted ?? name ?? symbol ?? '';
    const kind =
      number !== undefined ? 'number' : quoted !== undefined ? 'text' : name !== undefined ? 'name' : 'symbol';
    tokens.push({ kind, text: found, at: from + whole.length - found.length });
    from += whole.length;
  }
  return tokens;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
const unquote = (quoted: string): string =>
  quoted.slice(1, -1).replace(/\\(.)/gs, (_, letter: string) => escapes[letter] ?? letter);

export const isReference = (expression: Expression): expression is Reference =>
  expression.kind === 'param' || expression.kind === 'output';

/** What an expression reads, in the order of the text. */
export function referencesOf(expression: Expression): readonly Reference[] {
  switch (expression.kind) {
    case 'literal':
      return [];
    case 'param':
    case 'output':
      return [expression];
    case 'list':
      return expression.items.flatMap(referencesOf);
    case 'unary':
    case 'call':
      return referencesOf(expression.of);
    case 'field':
      return [...referencesOf(expression.of), ...referencesOf(expression.key)];
    case 'binary':
      return [...referencesOf(expression.left), ...referencesOf(expression.right)];
  }
}

/** Whether its value may be a list; what is certainly something else is a mistake. */
export const mayBeList = ({ kind }: Expression): boolean =>
  kind === 'list' || kind === 'param' || kind === 'output' || kind === 'field';

/** Whether its value may be true or false; what is certainly a number or a text is no condition. */
export function mayBeCondition(expression: Expression): boolean {
  switch (expression.kind) {
    case 'literal':
      return typeof expression.value === 'boolean';
    case 'list':
      return false;
    case 'unary':
      return expression.operator === '!';
    case 'call':
      return expression.name === 'has';
    case 'binary':
      return (
        expression.operator === '||' ||
        expression.operator === '&&' ||
        comparators.some((one) => one === expression.operator)
      );
    case 'param':
    case 'output':
    case 'field':
      return true;
  }
}
