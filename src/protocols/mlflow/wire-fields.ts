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
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
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
      throw invalidParameter(`The field '${name}' was given twice, as '${name}' and as '${camel}'.`);
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

  missing(name: string): Error {
    return invalidParameter(`Missing value for required parameter '${this.at(name)}'. ${seeDocs}`);
  }

  text(name: string): string | undefined {
    const value = this.read(name);
    if (value === undefined || typeof value === 'string') return value;
    throw this.wrong(name, value, 'Value was not a string');
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
    if (typeof number !== 'number' || !Number.isSafeInteger(number))
      throw this.wrong(name, value, 'Value was not an integer that can be held exactly');
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
    if (value < 1 || value > limits.maximum)
      throw this.wrong(name, value, `It must be at least 1 and at most ${limits.maximum}`);
    return value;
  }

  requiredDouble(name: string): number {
    const value = this.read(name);
    if (value === undefined) throw this.missing(name);
    if (typeof value === 'number') return value;
    if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
    if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
    throw this.wrong(name, value, 'Value was not a number');
  }

  flag(name: string): boolean | undefined {
    const value = this.read(name);
    if (value === undefined || typeof value === 'boolean') return value;
    if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
    throw this.wrong(name, value, 'Value was not a boolean');
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

  private list(name: string): readonly unknown[] {
    const value = this.read(name);
    if (value === undefined) return [];
    return Array.isArray(value) ? value : [value]; // one repeated query parameter comes as a bare value
  }

  texts(name: string): string[] {
    return this.list(name).map((value, index) => {
      if (typeof value === 'string') return value;
      throw this.wrong(`${name}[${index}]`, value, 'Value was not a string');
    });
  }

  messages(name: string): WireFields[] {
    return this.list(name).map((value, index) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw this.wrong(`${name}[${index}]`, value, 'Value was not an object');
      return new WireFields(value, `${this.at(name)}[${index}]`);
    });
  }

  message(name: string): WireFields | undefined {
    const value = this.read(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.wrong(name, value, 'Value was not an object');
    return new WireFields(value, this.at(name));
  }

  /** Key and value pairs: params and tags. */
  pairs(name: string): { key: string; value: string }[] {
    return this.messages(name).map((pair) => ({ key: pair.requiredText('key'), value: pair.text('value') ?? '' }));
  }
}
