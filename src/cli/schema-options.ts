import { Command, InvalidArgumentError, Option } from 'commander';
import type { TObject } from 'typebox';
import { durationPattern, parseDuration } from '#contracts/duration';
import { flagOf, instantWords, patternWords } from './field-words.ts';

/** What a field's schema says, as far as a command line can ask for it. */
interface FieldSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly items?: FieldSchema;
  readonly anyOf?: readonly FieldSchema[];
  readonly description?: string | undefined;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly format?: string;
}

/** Adds an option for each field: `allProjects` becomes `--all-projects`. What the schema requires, the command requires. */
export function addSchemaOptions(
  command: Command,
  schema: TObject | undefined,
  without: readonly string[] = [],
  wordless: (name: string) => string = () => '',
): void {
  for (const [name, field] of fieldsOf(schema))
    if (!without.includes(name))
      for (const option of optionsOf(
        name,
        { ...field, description: field.description ?? wordless(name) },
        schema?.required?.includes(name) === true,
      ))
        command.addOption(option);
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

/** Adds an argument for a field; commander says what is wrong with one as it does of options. */
export function addSchemaArgument(command: Command, name: string, schema: TObject | undefined): void {
  const field = fieldsOf(schema).find(([known]) => known === name)?.[1] ?? {};
  command.argument(`<${name}>`, field.description ?? '', isNumber(field) ? readNumber(field) : readText(name, field));
}

const fieldsOf = (schema: TObject | undefined): readonly (readonly [string, FieldSchema])[] =>
  Object.entries(schema?.properties ?? {});

function optionsOf(name: string, field: FieldSchema, required: boolean): readonly Option[] {
  const flag = flagOf(name);
  const about = field.description ?? '';
  if (field.type === 'boolean')
    return [
      new Option(flag, about),
      new Option(flag.replace('--', '--no-'), `the opposite of ${flag}`).default(undefined),
    ];
  const option = plainOption(flag, name, field);
  return [required ? option.makeOptionMandatory() : option];
}

function plainOption(flag: string, name: string, field: FieldSchema): Option {
  const about = field.description ?? '';
  if (field.enum !== undefined) return new Option(`${flag} <value>`, about).choices(field.enum.map(String));
  const nullable = field.anyOf?.find((member) => member.type !== 'null');
  if (nullable !== undefined)
    return new Option(`${flag} <value>`, `${about || 'a value'}; none takes it away`.trim()).argParser(
      (text: string) => (text === 'none' ? null : readChoice(nullable, text)),
    );
  if (isNumber(field)) return new Option(`${flag} <number>`, about).argParser(readNumber(field));
  if (field.items?.enum !== undefined) return choicesOption(`${flag} <values...>`, about, field.items.enum.map(String));
  if (field.type === 'array') return new Option(`${flag} <values...>`, about);
  if (field.type === 'object') return new Option(`${flag} <json>`, about).argParser(readJson);
  if (isAhead(name, field))
    return new Option(`${flag} <when>`, `${about}; a point in time, or how long from now: 30d`).argParser(
      readText(name, field),
    );
  return new Option(`${flag} <text>`, about).argParser(readText(name, field));
}

/** Several of a few, one after the other or with a comma between. */
function choicesOption(flags: string, about: string, choices: readonly string[]): Option {
  const option = new Option(flags, about).choices(choices);
  return option.argParser((text: string, before: readonly string[] | undefined) => {
    const given = text.split(',').filter((one) => one !== '');
    const wrong = given.find((one) => !choices.includes(one));
    if (wrong !== undefined || given.length === 0)
      throw new InvalidArgumentError(`"${wrong ?? text}" is none of ${choices.join(', ')}.`);
    return [...(before ?? []), ...given];
  });
}

const isNumber = ({ type }: FieldSchema): boolean => type === 'integer' || type === 'number';

function readChoice(field: FieldSchema, text: string): string {
  const choices = field.enum?.map(String);
  if (choices !== undefined && !choices.includes(text))
    throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}, none.`);
  return text;
}

/** A point in time that lies ahead may be said by how far. */
const isAhead = (name: string, { format }: FieldSchema): boolean => format === 'date-time' && name === 'expiresAt';

function readText(name: string, field: FieldSchema): (text: string) => string {
  const { pattern, format } = field;
  return (text) => {
    if (pattern !== undefined && !new RegExp(pattern).test(text))
      throw new InvalidArgumentError(`It must be ${patternWords(pattern)}.`);
    if (format !== 'date-time') return text;
    const ahead = isAhead(name, field);
    const aheadMs = ahead ? parseDuration(text) : undefined;
    if (aheadMs !== undefined) return new Date(Date.now() + aheadMs).toISOString();
    if (!/^\d{4}-\d\d-\d\dT/.test(text) || Number.isNaN(Date.parse(text)))
      throw new InvalidArgumentError(`It must be ${instantWords}${ahead ? ', or how long from now: 30d' : ''}.`);
    return text;
  };
}

/** For `--older-than` and its like. */
export const readDuration = readText('', { pattern: durationPattern });

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
