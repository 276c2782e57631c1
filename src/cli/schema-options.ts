import { Command, InvalidArgumentError, Option } from 'commander';
import type { TObject } from 'typebox';

/** What a field's schema says, as far as a command line can ask for it. */
interface FieldSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly items?: FieldSchema;
  readonly anyOf?: readonly FieldSchema[];
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Adds an option for each field: `allProjects` becomes `--all-projects`. What the schema requires, the command requires. */
export function addSchemaOptions(command: Command, schema: TObject | undefined, without: readonly string[] = []): void {
  for (const [name, field] of fieldsOf(schema))
    if (!without.includes(name))
      for (const option of optionsOf(name, field, schema?.required?.includes(name) === true)) command.addOption(option);
}

/** The fields among the options that were given. */
export function schemaValues(
  schema: TObject | undefined,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    fieldsOf(schema).flatMap(([name]) => (given[name] === undefined ? [] : [[name, given[name]]])),
  );
}

/** Adds an argument for a field of the first schema that has it; commander says what is wrong with one as it does of options. */
export function addSchemaArgument(command: Command, name: string, ...schemas: readonly (TObject | undefined)[]): void {
  const field = schemas.flatMap(fieldsOf).find(([known]) => known === name)?.[1] ?? {};
  if (isNumber(field)) command.argument(`<${name}>`, field.description ?? '', readNumber(field));
  else command.argument(`<${name}>`, field.description);
}

const fieldsOf = (schema: TObject | undefined): readonly (readonly [string, FieldSchema])[] =>
  Object.entries(schema?.properties ?? {});

function optionsOf(name: string, field: FieldSchema, required: boolean): readonly Option[] {
  const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const about = field.description ?? '';
  if (field.type === 'boolean')
    return [
      new Option(flag, about),
      new Option(flag.replace('--', '--no-'), `the opposite of ${flag}`).default(undefined),
    ];
  const option = plainOption(flag, field, about);
  return [required ? option.makeOptionMandatory() : option];
}

function plainOption(flag: string, field: FieldSchema, about: string): Option {
  if (field.enum !== undefined) return new Option(`${flag} <value>`, about).choices(field.enum.map(String));
  const nullable = field.anyOf?.find((member) => member.type !== 'null');
  if (nullable !== undefined)
    return new Option(`${flag} <value>`, `${about || 'a value'}; none takes it away`.trim()).argParser(
      (text: string) => (text === 'none' ? null : readChoice(nullable, text)),
    );
  if (isNumber(field)) return new Option(`${flag} <number>`, about).argParser(readNumber(field));
  if (field.type === 'array') return new Option(`${flag} <values...>`, about);
  if (field.type === 'object') return new Option(`${flag} <json>`, about).argParser(readJson);
  return new Option(`${flag} <text>`, about);
}

const isNumber = ({ type }: FieldSchema): boolean => type === 'integer' || type === 'number';

function readChoice(field: FieldSchema, text: string): string {
  const choices = field.enum?.map(String);
  if (choices !== undefined && !choices.includes(text))
    throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}, none.`);
  return text;
}

function readNumber({ type, minimum, maximum }: FieldSchema): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || (type === 'integer' && !Number.isInteger(value)))
      throw new InvalidArgumentError(`It must be ${type === 'integer' ? 'a whole number' : 'a number'}.`);
    if (minimum !== undefined && value < minimum) throw new InvalidArgumentError(`It must be ${minimum} or more.`);
    if (maximum !== undefined && value > maximum) throw new InvalidArgumentError(`It must be ${maximum} or less.`);
    return value;
  };
}

/** A whole number of at least one, for `--limit` and its like. */
export const readCount = readNumber({ type: 'integer', minimum: 1 });

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It must be JSON: ${(error as Error).message}.`);
  }
}
