import { invalidParameter } from './mlflow-errors.ts';

/*
 * Reads the fields of a request in proto2 JSON: snake_case or camelCase (both together are refused), integers as numbers
 * or texts, NaN and infinities as texts, null as absent. The texts of the errors are MLflow's: clients match them.
 */
const seeDocs = 'See the API docs for more information about request parameters.';

const camelNames = new Map<string, string>();
/** The names come from this adapter's code, so that the map stays small. */
function toCamel(name: string): string {
  let camel = camelNames.get(name);
  if (camel === undefined) {
    camel = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    camelNames.set(name, camel);
  }
  return camel;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** What Python calls the type of a value: the texts of errors say it so. */
function typeName(value: unknown): string {
  if (typeof value === 'string') return 'str';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  return Array.isArray(value) ? 'list' : 'dict';
}

export class WireFields {
  private readonly values: Readonly<Record<string, unknown>>;
  private readonly path: string;

  constructor(values: unknown, path = '') {
    this.values = typeof values === 'object' && values !== null ? (values as Record<string, unknown>) : {};
    this.path = path;
  }

  private read(name: string): unknown {
    const camel = toCamel(name);
    const given = Object.hasOwn(this.values, name) ? this.values[name] : undefined;
    if (camel === name) return given ?? undefined;
    const other = Object.hasOwn(this.values, camel) ? this.values[camel] : undefined;
    if (given !== undefined && other !== undefined)
      throw invalidParameter(`Request specifies both '${name}' and '${camel}'; provide only one of them.`);
    return given ?? other ?? undefined;
  }

  private at(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  private wrong(name: string, value: unknown, expected: string): Error {
    return invalidParameter(
      `Invalid value ${show(value)} for parameter '${this.at(name)}' supplied: ${expected}. ${seeDocs}`,
    );
  }

  private wrongType(name: string, value: unknown): Error {
    return this.wrong(name, value, ` Hint: Value was of type '${typeName(value)}'`);
  }

  missing(name: string): Error {
    return invalidParameter(`Missing value for required parameter '${this.at(name)}'. ${seeDocs}`);
  }

  has(name: string): boolean {
    return this.read(name) !== undefined;
  }

  text(name: string): string | undefined {
    const value = this.read(name);
    if (value === undefined || typeof value === 'string') return value;
    throw this.wrongType(name, value);
  }

  requiredText(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw this.missing(name);
    return value;
  }

  /** A required text that must say something: ids and names. */
  requiredName(name: string): string {
    const value = this.requiredText(name);
    if (value === '') throw this.missing(name);
    return value;
  }

  integer(name: string): number | undefined {
    const value = this.read(name);
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number') throw this.wrongType(name, value);
    if (!Number.isSafeInteger(number)) throw this.wrong(name, value, 'It must be an integer within ±(2^53 - 1)');
    return number;
  }

  requiredInteger(name: string): number {
    const value = this.integer(name);
    if (value === undefined) throw this.missing(name);
    return value;
  }

  /** `max_results` and its like: within limits, or refused. */
  bounded(name: string, limits: { readonly preset: number; readonly maximum: number }): number {
    const value = this.integer(name) ?? limits.preset;
    const expected = value < 1 ? 'It must be a positive integer' : `It must be at most ${limits.maximum}`;
    if (value < 1 || value > limits.maximum)
      throw invalidParameter(`Invalid value ${value} for parameter '${this.at(name)}' supplied. ${expected}`);
    return value;
  }

  requiredDouble(name: string): number {
    const value = this.read(name);
    if (value === undefined) throw this.missing(name);
    if (typeof value === 'number') return value;
    if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
    if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
    throw this.wrongType(name, value);
  }

  flag(name: string): boolean | undefined {
    const value = this.read(name);
    if (value === undefined || typeof value === 'boolean') return value;
    if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
    throw this.wrongType(name, value);
  }

  /** An enum by name, or by number as old clients send it. */
  oneOf<Name extends string>(name: string, numbers: Readonly<Record<Name, number>>): Name | undefined {
    const value = this.read(name);
    if (value === undefined) return undefined;
    const names = Object.keys(numbers) as Name[];
    const found = names.find((known) => known === value || numbers[known] === Number(value));
    if (found === undefined) throw this.wrong(name, value, `Valid values are ${names.join(', ')}`);
    return found;
  }

  texts(name: string): string[] {
    const value = this.read(name);
    if (value === undefined) return [];
    // one repeated query parameter comes as a bare value
    return (Array.isArray(value) ? value : [value]).map((item: unknown, index) => {
      if (typeof item === 'string') return item;
      throw this.wrongType(`${name}[${index}]`, item);
    });
  }

  messages(name: string): WireFields[] {
    const value = this.read(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.wrongType(name, value);
    return value.map((item: unknown, index) => {
      if (typeof item !== 'object' || item === null || Array.isArray(item))
        throw this.wrongType(`${name}[${index}]`, item);
      return new WireFields(item, `${this.at(name)}[${index}]`);
    });
  }

  requiredTexts(name: string): string[] {
    if (this.read(name) === undefined) throw this.missing(name);
    return this.texts(name);
  }

  /** A list that must be there, though it may be empty. */
  requiredMessages(name: string): WireFields[] {
    if (this.read(name) === undefined) throw this.missing(name);
    return this.messages(name);
  }

  message(name: string): WireFields | undefined {
    const value = this.read(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrongType(name, value);
    return new WireFields(value, this.at(name));
  }

  /** Any JSON. */
  any(name: string): unknown {
    return this.read(name);
  }

  /** A map of texts. */
  textMap(name: string): Record<string, string> {
    const value = this.read(name);
    if (value === undefined) return {};
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.wrong(name, value, 'Value was not an object');
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]: [string, unknown]) => {
        if (typeof inner === 'string') return [key, inner];
        throw this.wrong(`${name}[${show(key)}]`, inner, 'Value was not a string');
      }),
    );
  }

  /** What a field holds is not what it should. */
  invalid(name: string, expected: string): Error {
    return this.wrong(name, this.read(name), expected);
  }

  /** Key and value pairs: params and tags. */
  pairs(name: string): { key: string; value: string }[] {
    return this.messages(name).map((pair) => ({ key: pair.requiredName('key'), value: pair.text('value') ?? '' }));
  }
}
