import { Command } from 'commander';
import type { TObject } from 'typebox';
import type { OperationResult, OperationShape } from '#contracts/operation';
import { getProject } from '#contracts/projects';
import { defaultProject, type ReferenceKind, referenceKinds } from '#contracts/references';
import { type Client, isTidemillError } from '../sdk/index.ts';
import { setArgumentNames } from './completion.ts';
import { type CliEnvironment, createContext } from './context.ts';
import { flagOf } from './field-words.ts';
import { addExamples } from './help-examples.ts';
import { type Explain, withNearest } from './nearest-object.ts';
import { type Column, formatRecord } from './output.ts';
import { projectNote } from './project-note.ts';
import { addSchemaArgument, addSchemaOptions, readCount, schemaValues } from './schema-options.ts';

interface Page {
  readonly items: readonly unknown[];
  readonly next?: string | null;
}
type ItemOf<L extends OperationShape> = OperationResult<L> extends { items: readonly (infer Item)[] } ? Item : never;

interface Table {
  readonly columns: readonly Column<unknown>[];
  /** What a row is called by people, for completion and hints; default: its first column. */
  readonly named?: (row: never) => string;
  /** Asked for with --all: what a list leaves out by itself. */
  readonly whole?: Readonly<Record<string, unknown>>;
  /** Said when there is none, with what to do next; it may depend on what was asked for. */
  readonly empty: Empty;
}

type Empty = string | ((query: Readonly<Record<string, unknown>>) => string);

/** What the commands of a noun call; made by `nounOf`, which checks the columns against the operations. */
export interface NounOperations {
  /** A name or id that the examples of the help use. */
  readonly sample: string;
  /** The projects do not matter to it: it is asked of the whole server. */
  readonly serverWide?: boolean;
  readonly list?: ListCommand;
  readonly show?: OperationCommand;
  readonly explain?: Explain;
  /** What `show <name>@<version>` calls, with both as its parameters. */
  readonly showAt?: OperationShape;
  /** Of the references to it; default: the noun's own word. */
  readonly kind?: ReferenceKind;
  readonly further?: readonly OperationCommand[];
}

/** One command over one operation: its path parameters are arguments, the rest of what it takes are options. */
export interface OperationCommand {
  readonly name: string;
  readonly operation: OperationShape;
  /** Of a list; absent for one that answers a single thing. */
  readonly table?: Table;
  /** Fields of the body that are arguments rather than options. */
  readonly positional?: readonly string[];
  /** What follows the command in the example; default: the noun's sample. */
  readonly example?: string;
  /** Which of the noun's list may be named; default: what it lists by itself. */
  readonly among?: Readonly<Record<string, string>>;
  /** What --quiet prints of the answer; default: nothing. */
  readonly quiet?: (answer: never) => string;
  /** Further command lines that work, without the noun and the command. */
  readonly examples?: readonly string[];
  /** What is printed for people in place of the whole answer. */
  readonly view?: (answer: never) => string;
}
type ListCommand = OperationCommand & { readonly table: Table };

/** A list below a noun, its columns checked against the operation. */
export function listBelow<const L extends OperationShape>(
  name: string,
  operation: L,
  table: {
    readonly columns: readonly Column<ItemOf<L>>[];
    readonly empty: Empty;
    readonly whole?: Readonly<Record<string, unknown>>;
    readonly named?: (row: ItemOf<L>) => string;
  },
  example?: string,
): ListCommand {
  const columns = table.columns as readonly Column<unknown>[]; // the rows are the operation's own items
  return { name, operation, table: { ...table, columns }, ...(example !== undefined && { example }) };
}

/** Declares a noun: a list that answers `{ items, next? }`, and one that shows a single thing by its only path parameter. */
export function nounOf<const L extends OperationShape>(definition: {
  readonly sample: string;
  readonly list: L;
  readonly columns: readonly Column<ItemOf<L>>[];
  readonly empty: Empty;
  readonly examples?: readonly string[];
  readonly whole?: Readonly<Record<string, unknown>>;
  readonly named?: (row: ItemOf<L>) => string;
  readonly show?: OperationShape;
  readonly showAt?: OperationShape;
  readonly kind?: ReferenceKind;
  readonly further?: readonly OperationCommand[];
  readonly serverWide?: boolean;
  readonly explain?: Explain;
}): NounOperations {
  const { sample, list, show, columns, empty, examples = [], whole, named, ...more } = definition;
  return {
    sample,
    list: {
      ...listBelow(
        'list',
        list,
        { columns, empty, ...(whole !== undefined && { whole }), ...(named !== undefined && { named }) },
        '',
      ),
      examples,
    },
    ...(show !== undefined && { show: { name: 'show', operation: show } }),
    ...more,
  };
}

export function createNounCommand(
  noun: string,
  summary: string,
  operations: NounOperations,
  world: CliEnvironment,
): Command {
  const command = new Command(noun).description(summary);
  const { list, show, further = [], sample } = operations;
  for (const item of [...(list === undefined ? [] : [list]), ...(show === undefined ? [] : [show]), ...further]) {
    const child = command.command(item.name);
    if (item === list) child.alias('ls');
    addOperation(child, item, { kind: referenceKinds.find((kind) => kind === noun), ...operations }, world);
    const example = `${noun} ${item.name} ${item.example ?? sample}`.trimEnd();
    const more = (item.examples ?? []).map((rest) => `${noun} ${item.name} ${rest}`);
    addExamples(child, [...(item.table === undefined ? [example] : [example, `${example} --all --json`]), ...more]);
  }
  const [first] = further;
  return addExamples(command, [
    ...(list === undefined ? [] : [`${noun} list`]),
    ...(show === undefined ? [] : [`${noun} show ${sample}`]),
    ...(list === undefined && show === undefined && first !== undefined ? [`${noun} ${first.name} ${sample}`] : []),
  ]);
}

const parametersOf = (operation: OperationShape): readonly string[] => Object.keys(operation.params?.properties ?? {});
const paging = ['limit', 'cursor'];
/** `state` of a list, where its schema says no more. */
const narrows = (name: string): string => `only those with this ${flagOf(name).slice(2).replaceAll('-', ' ')}`;

type Named = Omit<NounOperations, 'kind'> & { readonly kind: ReferenceKind | undefined };

function addOperation(command: Command, item: OperationCommand, noun: Named, world: CliEnvironment): void {
  const { table, positional = [] } = item;
  const body = item.operation.body as TObject | undefined; // of our own operations: always an object
  const names = [...parametersOf(item.operation), ...positional];
  command.description(item.operation.summary);
  for (const name of parametersOf(item.operation)) command.argument(`<${name}>`);
  for (const name of positional) addSchemaArgument(command, name, body);
  addSchemaOptions(command, item.operation.query, table === undefined ? ['cursor'] : paging, narrows);
  addSchemaOptions(command, body, positional);
  if (table !== undefined)
    command.option('--limit <count>', 'how many at most', readCount, 50).option('--all', 'all of them, page by page');
  const [first] = names;
  if (first !== undefined && parametersOf(item.operation).includes(first))
    setArgumentNames(command, async (self) => namesOf(await connectFor(self, noun, world), noun, item.among));
  command.action(async (...given: unknown[]) => {
    const self = given.at(-1) as Command;
    const options = self.opts<Record<string, unknown> & { limit?: number; all?: boolean }>();
    const { output } = createContext(self, world);
    const client = await connectFor(self, noun, world);
    const values = Object.fromEntries(names.map((name, at) => [name, given[at]]));
    if (first !== undefined && noun.kind !== undefined) values[first] = withoutKind(String(values[first]), noun.kind);
    const { operation, params } = asked(item, noun, values);
    const narrowed = schemaValues(operation.query, options);
    const query = { ...(options.all === true && table?.whole), ...narrowed };
    const nearest = <T>(found: Promise<T>): Promise<T> =>
      withNearest(client, found, () => namesOf(client, noun, item.among), Object.values(params)[0], noun.explain);
    if (table !== undefined) {
      const limit = options.all === true ? Number.POSITIVE_INFINITY : (options.limit ?? 50);
      const { items, more } = await nearest(listItems(client, { operation, params, query }, limit));
      const note = items.length === 0 && !output.json ? await projectNote(client) : '';
      const none = typeof table.empty === 'string' ? nothingOf(table.empty, narrowed) : table.empty(query);
      output.list(items, more, { ...table, empty: none + note });
      return;
    }
    const sent = { ...schemaValues(body, options), ...pick(values, positional) };
    const answer = await nearest(
      callUntyped(client, operation, { params, query, ...(body !== undefined && { body: sent }) }),
    );
    output.result(
      answer,
      () => (item.view ?? formatRecord)((answer ?? {}) as never) || 'Done.',
      item.quiet?.(answer as never),
    );
  });
}

/** That there is nothing at all is said only where nothing was left out. */
function nothingOf(empty: string, narrowed: Readonly<Record<string, unknown>>): string {
  const flags = Object.keys(narrowed)
    .filter((name) => narrowed[name] !== true && !paging.includes(name))
    .map(flagOf);
  return flags.length === 0 ? empty : `Nothing matches ${flags.join(', ')}.`;
}

/** `dataset:flights` stands for `flights` where a dataset is asked for. */
const withoutKind = (text: string, kind: ReferenceKind): string =>
  text.startsWith(`${kind}:`) ? text.slice(kind.length + 1) : text;

/** The operation and its parameters: of `show flights@12` the one that shows a version. */
function asked(item: OperationCommand, { show, showAt }: Named, values: Readonly<Record<string, unknown>>) {
  const names = parametersOf(item.operation);
  const [, name, at] = /^(.+)@([^@]+)$/.exec(String(values[names[0] ?? ''])) ?? [];
  if (item !== show || showAt === undefined || name === undefined)
    return { operation: item.operation, params: pick(values, names) };
  const [ofName = '', ofVersion = ''] = parametersOf(showAt);
  return { operation: showAt, params: { [ofName]: name, [ofVersion]: at } };
}

async function connectFor(command: Command, noun: Named, world: CliEnvironment): Promise<Client> {
  const client = await createContext(command, world).connect();
  if (noun.serverWide !== true) return client;
  const root = client.inProject(defaultProject);
  // a token of one project may ask there alone, and is shown what it may read
  const known = await root.call(getProject, { params: { name: defaultProject } }).catch((error: unknown) => error);
  return isTidemillError(known) && known.kind === 'forbidden' ? client : root;
}

const pick = (values: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(names.map((name) => [name, values[name]]));

const pageSize = 100;
const mostNames = 500;

/** What could have been meant: the first column of the noun's list. */
async function namesOf(
  client: Client,
  { list }: Named,
  among: OperationCommand['among'] = {},
): Promise<readonly string[]> {
  if (list === undefined || parametersOf(list.operation).length > 0) return [];
  const { items } = await listItems(client, { operation: list.operation, params: {}, query: among }, mostNames);
  const { columns, named = (item: never) => String(columns[0]?.value(item) ?? '') } = list.table;
  return [...new Set(items.map((item) => named(item as never)))];
}

async function listItems(
  client: Client,
  { operation, params, query }: { readonly operation: OperationShape; readonly params: object; readonly query: object },
  limit: number,
) {
  const items: unknown[] = [];
  const pages = operation.query?.properties['cursor'] !== undefined;
  let cursor: string | undefined;
  do {
    const page = (await callUntyped(client, operation, {
      params,
      query: {
        ...query,
        ...(pages && { limit: Math.min(pageSize, limit - items.length) }),
        ...(cursor !== undefined && { cursor }),
      },
    })) as Page;
    items.push(...page.items);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && items.length < limit);
  return { items: items.slice(0, limit), more: cursor !== undefined || items.length > limit };
}

/** The server checks what the types cannot: here the operation is a value, not known when this is compiled. */
async function callUntyped(client: Client, operation: OperationShape, args: object): Promise<unknown> {
  return await client.call(operation, args);
}
