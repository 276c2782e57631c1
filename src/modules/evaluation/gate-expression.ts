/**
 * The language of gates: one comparison of two arithmetic expressions over numbers and names.
 *
 *   gate    = sum ( ">" | ">=" | "<" | "<=" | "==" | "!=" ) sum
 *   sum     = product { ( "+" | "-" ) product }
 *   product = factor { ( "*" | "/" ) factor }
 *   factor  = number | name | "-" factor | "(" sum ")"
 *   name    = letter { letter | digit | "_" } [ "." name ]          auc, champion.auc, my_metric
 */
export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'negate'; readonly of: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: '+' | '-' | '*' | '/';
      readonly left: Expression;
      readonly right: Expression;
    };

export const comparators = ['>=', '<=', '==', '!=', '>', '<'] as const;
export type Comparator = (typeof comparators)[number];

export interface Gate {
  readonly text: string;
  readonly left: Expression;
  readonly comparator: Comparator;
  readonly right: Expression;
}

export interface GateProblem {
  /** Offset in the text, from 0. */
  readonly at: number;
  readonly expected: string;
}

export type ParsedGate =
  | { readonly ok: true; readonly gate: Gate }
  | { readonly ok: false; readonly problem: GateProblem };

interface Token {
  readonly kind: 'number' | 'name' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
}

class Refusal extends Error {
  readonly problem: GateProblem;
  constructor(problem: GateProblem) {
    super(problem.expected);
    this.problem = problem;
  }
}

export function parseGate(text: string): ParsedGate {
  try {
    const tokens = tokenize(text);
    let next = 0;
    const peek = (): Token => tokens[next] ?? { kind: 'end', text: '', at: text.length };
    const isSymbol = (...symbols: readonly string[]): boolean =>
      peek().kind === 'symbol' && symbols.includes(peek().text);
    const take = (): Token => {
      const token = peek();
      next += 1;
      return token;
    };
    function parseSum(): Expression {
      let left = parseProduct();
      while (isSymbol('+', '-'))
        left = { kind: 'binary', operator: take().text as '+' | '-', left, right: parseProduct() };
      return left;
    }
    function parseProduct(): Expression {
      let left = parseFactor();
      while (isSymbol('*', '/'))
        left = { kind: 'binary', operator: take().text as '*' | '/', left, right: parseFactor() };
      return left;
    }
    function parseFactor(): Expression {
      const token = take();
      if (token.kind === 'number') return { kind: 'number', value: Number(token.text) };
      if (token.kind === 'name') return { kind: 'name', name: token.text };
      if (token.text === '-') return { kind: 'negate', of: parseFactor() };
      if (token.text !== '(') throw new Refusal({ at: token.at, expected: 'a number, a name or "("' });
      const inner = parseSum();
      if (!isSymbol(')')) throw new Refusal({ at: peek().at, expected: '")"' });
      take();
      return inner;
    }
    const left = parseSum();
    const comparator = comparators.find((symbol) => isSymbol(symbol));
    if (comparator === undefined) throw new Refusal({ at: peek().at, expected: 'a comparison: > >= < <= == !=' });
    take();
    const right = parseSum();
    if (peek().kind !== 'end') throw new Refusal({ at: peek().at, expected: 'the end of the gate' });
    return { ok: true, gate: { text, left, comparator, right } };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, problem: error.problem };
    throw error;
  }
}

function tokenize(text: string): readonly Token[] {
  const pattern =
    /\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(>=|<=|==|!=|[-+*/()<>]))/y;
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  while (pattern.lastIndex < end) {
    const from = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) {
      const at = from + (/^\s*/.exec(text.slice(from))?.[0].length ?? 0);
      throw new Refusal({ at, expected: 'a number, a name or an operator' });
    }
    const [whole, number, name, symbol] = match;
    const found = number ?? name ?? symbol ?? '';
    const kind = number !== undefined ? 'number' : name !== undefined ? 'name' : 'symbol';
    tokens.push({ kind, text: found, at: from + whole.length - found.length });
  }
  return tokens;
}

/** The names that a gate reads, each once. */
export function namesOf(gate: Gate): readonly string[] {
  const names = new Set<string>();
  const visit = (expression: Expression): void => {
    if (expression.kind === 'name') names.add(expression.name);
    if (expression.kind === 'negate') visit(expression.of);
    if (expression.kind === 'binary') [expression.left, expression.right].forEach(visit);
  };
  [gate.left, gate.right].forEach(visit);
  return [...names];
}

/** Undefined when a name has no value or a side is not a finite number. */
export function evaluateGate(
  gate: Gate,
  lookup: (name: string) => number | undefined,
): { readonly holds: boolean; readonly left: number; readonly right: number } | undefined {
  const [left, right] = [valueOf(gate.left, lookup), valueOf(gate.right, lookup)];
  if (left === undefined || right === undefined || !Number.isFinite(left) || !Number.isFinite(right)) return undefined;
  return { holds: compare(gate.comparator, left, right), left, right };
}

function valueOf(expression: Expression, lookup: (name: string) => number | undefined): number | undefined {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'name':
      return lookup(expression.name);
    case 'negate': {
      const value = valueOf(expression.of, lookup);
      return value === undefined ? undefined : -value;
    }
    case 'binary': {
      const [left, right] = [valueOf(expression.left, lookup), valueOf(expression.right, lookup)];
      if (left === undefined || right === undefined) return undefined;
      return calculate(expression.operator, left, right);
    }
  }
}

function calculate(operator: '+' | '-' | '*' | '/', left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
  }
}

function compare(comparator: Comparator, left: number, right: number): boolean {
  switch (comparator) {
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '==':
      return left === right;
    case '!=':
      return left !== right;
  }
}
