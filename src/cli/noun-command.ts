import { Command } from 'commander';
import type { OperationResult, OperationShape } from '#contracts/operation';
import type { Client } from '../sdk/index.ts';
import { type CliEnvironment, createContext } from './context.ts';
import { type Column, formatRecord, formatTable } from './output.ts';

interface Page {
  readonly items: readonly unknown[];
  readonly next?: string | null;
}
type ItemOf<L extends OperationShape> = OperationResult<L> extends { items: readonly (infer Item)[] } ? Item : never;

/** What the commands of a noun call; made by `nounOf`, which checks the columns against the operation. */
export interface NounOperations {
  readonly list?: {
    readonly operation: OperationShape;
    readonly columns: readonly Column<unknown>[];
    /** Said when there is none, with what to do next. */
    readonly empty: string;
  };
  readonly show?: { readonly operation: OperationShape; readonly argument: string };
  readonly further?: readonly Further[];
}

/** A further command of a noun that reads: `model versions <model>`. Its arguments are the operation's path parameters. */
interface Further {
  readonly name: string;
  readonly operation: OperationShape;
  /** Of a list; absent for one that shows a single thing. */
  readonly table?: { readonly columns: readonly Column<unknown>[]; readonly empty: string };
}

/** A list below a noun, its columns checked against the operation. */
export function listBelow<const L extends OperationShape>(
  name: string,
  operation: L,
  table: { readonly columns: readonly Column<ItemOf<L>>[]; readonly empty: string },
): Further {
  return { name, operation, table: { ...table, columns: table.columns as readonly Column<unknown>[] } };
}

/** Declares a noun: a list that answers `{ items, next? }`, and one that shows a single thing by its only path parameter. */
export function nounOf<const L extends OperationShape>(definition: {
  readonly list: L;
  readonly columns: readonly Column<ItemOf<L>>[];
  readonly empty: string;
  readonly show?: OperationShape;
  readonly further?: readonly Further[];
}): NounOperations {
  const { list, show, empty, further } = definition;
  const columns = definition.columns as readonly Column<unknown>[]; // the rows are the list operation's own items
  const argument = Object.keys(show?.params?.properties ?? {})[0];
  return {
    list: { operation: list, columns, empty },
    ...(show !== undefined && argument !== undefined && { show: { operation: show, argument } }),
    ...(further !== undefined && { further }),
  };
}

export function createNounCommand(
  noun: string,
  summary: string,
  operations: NounOperations,
  world: CliEnvironment,
): Command {
  const command = new Command(noun).description(summary);
  const { list, show } = operations;
  if (list !== undefined)
    addListCommand(
      command.command('list').alias('ls'),
      { name: 'list', operation: list.operation, table: { columns: list.columns, empty: list.empty } },
      world,
    );
  if (show !== undefined)
    command
      .command(`show <${show.argument}>`)
      .description(show.operation.summary)
      .action(async (name: string, _options: object, self: Command) => {
        const { output, connect } = createContext(self, world);
        const client = await connect();
        const found = await callUntyped(client, show.operation, { params: { [show.argument]: name } });
        output.result(found, () => formatRecord(found));
      });
  for (const item of operations.further ?? []) {
    const child = command.command(item.name);
    if (item.table !== undefined) addListCommand(child, item, world);
    else
      withArguments(child, item.operation).action(async (...given: unknown[]) => {
        const { output, connect } = createContext(given.at(-1) as Command, world);
        const found = await callUntyped(await connect(), item.operation, { params: paramsOf(item.operation, given) });
        output.result(found, () => formatRecord(found));
      });
  }
  return command;
}

const parametersOf = (operation: OperationShape): readonly string[] => Object.keys(operation.params?.properties ?? {});

function withArguments(command: Command, operation: OperationShape): Command {
  command.description(operation.summary);
  for (const name of parametersOf(operation)) command.argument(`<${name}>`);
  return command;
}

function paramsOf(operation: OperationShape, given: readonly unknown[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(parametersOf(operation).map((name, index) => [name, given[index]]));
}

function addListCommand(command: Command, { operation, table }: Further, world: CliEnvironment): void {
  withArguments(command, operation)
    .option('--limit <count>', 'how many at most', '50')
    .option('--all', 'all of them, page by page')
    .action(async (...given: unknown[]) => {
      const self = given.at(-1) as Command;
      const options = self.opts<{ limit: string; all?: boolean }>();
      const { output, connect } = createContext(self, world);
      const client = await connect();
      const limit = options.all === true ? Number.POSITIVE_INFINITY : Number(options.limit);
      const { items, more } = await listItems(client, operation, paramsOf(operation, given), limit);
      output.result({ items, more }, () => formatTable(items, table?.columns ?? [], table?.empty ?? ''));
      if (more) output.say(`there are more: --all lists them all`);
    });
}

const pageSize = 100;

async function listItems(
  client: Client,
  operation: OperationShape,
  params: Readonly<Record<string, unknown>>,
  limit: number,
) {
  const items: unknown[] = [];
  const pages = operation.query?.properties['cursor'] !== undefined;
  let cursor: string | undefined;
  do {
    const query = pages
      ? { limit: Math.min(pageSize, limit - items.length), ...(cursor !== undefined && { cursor }) }
      : {};
    const page = (await callUntyped(client, operation, { params, query })) as Page;
    items.push(...page.items);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && items.length < limit);
  return { items: items.slice(0, limit), more: cursor !== undefined || items.length > limit };
}

/** The server checks what the types cannot: here the operation is a value, not known when this is compiled. */
async function callUntyped(client: Client, operation: OperationShape, args: object): Promise<unknown> {
  return await client.call(operation, args);
}
