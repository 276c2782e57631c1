import { type BinaryOperator, type Expression, isReference, type Reference } from './condition-syntax.ts';
import { canonicalJson, type Json } from './json.ts';

/** What a reference stands for; `missing` says in words why there is nothing. */
export type Found = { readonly value: Json } | { readonly missing: string };

export interface Evaluated {
  readonly value: Json;
  /** The fields that were read, as they are written, and what they were: `best.choice.auc` is 0.81. */
  readonly read: ReadonlyMap<string, Json>;
}

/** An expression that has no value here, with the reason in words. */
class NoValue extends Error {}

/** Whatever the data, it ends, and answers a value or why there is none. */
export function evaluateExpression(
  expression: Expression,
  lookup: (reference: Reference) => Found,
): Evaluated | { readonly problem: string } {
  const read = new Map<string, Json>();
  const evaluate = createEvaluator(lookup, read);
  try {
    return { value: evaluate(expression), read };
  } catch (error) {
    if (error instanceof NoValue) return { problem: error.message };
    throw error;
  }
}

function createEvaluator(lookup: (reference: Reference) => Found, read: Map<string, Json>) {
  function evaluate(expression: Expression): Json {
    switch (expression.kind) {
      case 'literal':
        return expression.value;
      case 'list':
        return expression.items.map(evaluate);
      case 'param':
      case 'output':
      case 'field': {
        const found = find(expression);
        if ('missing' in found) throw new NoValue(found.missing);
        if (isPath(expression)) read.set(toText(expression), found.value);
        return found.value;
      }
      case 'unary': {
        const value = evaluate(expression.of);
        return expression.operator === '!' ? !asCondition(value, '!') : -asNumber(value, '-');
      }
      case 'call':
        return expression.name === 'has' ? has(expression.of) : sizeOf(evaluate(expression.of));
      case 'binary':
        return binary(expression.operator, expression.left, expression.right);
    }
  }

  function find(expression: Expression): Found {
    if (isReference(expression)) return lookup(expression);
    if (expression.kind !== 'field') return { value: evaluate(expression) };
    const of = find(expression.of);
    return 'missing' in of ? of : fieldOf(of.value, evaluate(expression.key), toText(expression.of));
  }

  function has(expression: Expression): boolean {
    const found = find(expression);
    const there = 'value' in found;
    read.set(`has(${toText(expression)})`, there);
    return there;
  }

  function binary(operator: BinaryOperator, left: Expression, right: Expression): Json {
    // what the left side decides is not asked of the right one: has(a.b.c) && a.b.c > 1
    if (operator === '||') return asCondition(evaluate(left), operator) || asCondition(evaluate(right), operator);
    if (operator === '&&') return asCondition(evaluate(left), operator) && asCondition(evaluate(right), operator);
    return apply(operator, evaluate(left), evaluate(right));
  }

  return evaluate;
}

function fieldOf(of: Json, key: Json, path: string): Found {
  if (isList(of)) {
    const item = typeof key === 'number' ? of[key] : undefined;
    return item === undefined
      ? { missing: `${path} has no item ${inWords(key)}: it has ${of.length}` }
      : { value: item };
  }
  if (typeof of !== 'object' || of === null) return { missing: `${path} has no fields: it is ${inWords(of)}` };
  if (typeof key !== 'string') return { missing: `${path} has no field ${inWords(key)}: a field's name is a text` };
  const value = Object.hasOwn(of, key) ? of[key] : undefined;
  if (value !== undefined) return { value };
  const known = Object.keys(of);
  return {
    missing: `${path} has no field "${key}"${known.length === 0 ? '' : `; it has ${cut(known.join(', '))}`}`,
  };
}

function apply(operator: Exclude<BinaryOperator, '||' | '&&'>, left: Json, right: Json): Json {
  switch (operator) {
    case '==':
      return equal(left, right);
    case '!=':
      return !equal(left, right);
    case 'in':
      return contains(right, left);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return compare(operator, left, right);
    case '+':
      return typeof left === 'string' && typeof right === 'string' ? left + right : calculate(operator, left, right);
    case '-':
    case '*':
    case '/':
    case '%':
      return calculate(operator, left, right);
  }
}

const equal = (left: Json, right: Json): boolean => canonicalJson(left) === canonicalJson(right);

function contains(where: Json, what: Json): boolean {
  if (isList(where)) return where.some((item) => equal(item, what));
  if (typeof where === 'object' && where !== null) return typeof what === 'string' && Object.hasOwn(where, what);
  throw new NoValue(`"in" needs a list or a mapping, not ${inWords(where)}`);
}

function compare(operator: '<' | '<=' | '>' | '>=', left: Json, right: Json): boolean {
  const comparable =
    (typeof left === 'number' && typeof right === 'number') || (typeof left === 'string' && typeof right === 'string');
  if (!comparable)
    throw new NoValue(`"${operator}" needs two numbers or two texts, not ${inWords(left)} and ${inWords(right)}`);
  if (operator === '<') return left < right;
  if (operator === '<=') return left <= right;
  return operator === '>' ? left > right : left >= right;
}

function calculate(operator: '+' | '-' | '*' | '/' | '%', left: Json, right: Json): number {
  const [a, b] = [asNumber(left, operator), asNumber(right, operator)];
  const results = { '+': a + b, '-': a - b, '*': a * b, '/': a / b, '%': a % b };
  const result = results[operator];
  if (!Number.isFinite(result)) throw new NoValue(`${a} ${operator} ${b} is no number`);
  return result;
}

function sizeOf(value: Json): number {
  if (typeof value === 'string') return Array.from(value).length;
  if (isList(value)) return value.length;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length;
  throw new NoValue(`size(…) needs a text, a list or a mapping, not ${inWords(value)}`);
}

function asNumber(value: Json, operator: string): number {
  if (typeof value === 'number') return value;
  throw new NoValue(`"${operator}" needs numbers, not ${inWords(value)}`);
}

function asCondition(value: Json, operator: string): boolean {
  if (typeof value === 'boolean') return value;
  throw new NoValue(`"${operator}" needs true or false, not ${inWords(value)}`);
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
const longest = 120;
const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…` : text);

export function inWords(value: Json): string {
  return cut(JSON.stringify(value));
}

/** A reference and fields by name or number: what can be said in words. */
const isPath = (expression: Expression): boolean =>
  isReference(expression) ||
  (expression.kind === 'field' && expression.key.kind === 'literal' && isPath(expression.of));

const isWord = (text: string): boolean => /^[A-Za-z_]\w*$/.test(text);
const select = (key: string): string => (isWord(key) ? `.${key}` : `[${JSON.stringify(key)}]`);

export function toText(expression: Expression): string {
  if (expression.kind === 'param') return `params${select(expression.name)}`;
  if (expression.kind === 'output')
    return `${isWord(expression.step) ? expression.step : `steps${select(expression.step)}`}${select(expression.output)}`;
  if (expression.kind !== 'field') return '(…)';
  const { key } = expression;
  if (key.kind !== 'literal') return `${toText(expression.of)}[…]`;
  return `${toText(expression.of)}${typeof key.value === 'string' ? select(key.value) : `[${String(key.value)}]`}`;
}
