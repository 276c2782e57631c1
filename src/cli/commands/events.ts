import { Command } from 'commander';
import {
  type EventOnWire,
  eventStreamPath,
  listEvents,
  listParkedEvents,
  retryParkedEvents,
} from '#contracts/event-operations';
import { type CliEnvironment, createContext } from '../context.ts';
import { addExamples } from '../help-examples.ts';
import { readCount } from '../schema-options.ts';

export function createEventsCommand(world: CliEnvironment): Command {
  const command = new Command('events').description('What happened: list it, watch it, try again what failed.');
  addExamples(command.command('list'), ['events list --type alert.opened --limit 10'])
    .alias('ls')
    .description('Lists events, newest first.')
    .option('--type <types...>', 'only these types')
    .option('--subject <reference>', 'only of this: dataset:flights')
    .option('--limit <count>', 'how many at most', readCount, 50)
    .action(async (options: { type?: string[]; subject?: string; limit: number }, self: Command) => {
      const { output, connect } = createContext(self, world);
      const found = await (await connect()).call(listEvents, {
        query: {
          limit: options.limit,
          ...(options.type !== undefined && { type: options.type }),
          ...(options.subject !== undefined && { subject: options.subject }),
        },
      });
      output.list(found.items, found.next !== undefined, {
        columns: [
          { title: 'at', value: (row) => row.at },
          { title: 'type', value: (row) => row.type },
          { title: 'subject', value: (row) => row.subject },
          { title: 'by', value: (row) => row.actor },
          { title: 'id', value: (row) => row.id },
        ],
        empty:
          options.type === undefined && options.subject === undefined
            ? 'Nothing has happened yet.'
            : 'No event matches --type or --subject; "tidemill events list" shows which there are.',
      });
    });
  addExamples(command.command('tail'), ['events tail --count 5'])
    .description('Prints events as they happen, until Ctrl-C.')
    .option('--count <count>', 'end after so many', readCount)
    .action(async (options: { count?: number }, self: Command) => {
      const { output, connect, signal } = createContext(self, world);
      const client = await connect();
      let left = options.count ?? Number.POSITIVE_INFINITY;
      for await (const { event, data } of client.stream(eventStreamPath, { signal })) {
        if (event === 'reset') {
          output.say('some events were missed: this reader was too slow');
          continue;
        }
        const told = data as EventOnWire;
        output.line(told, () => `${told.at}  ${told.type}  ${told.subject}  by ${told.actor}`);
        left -= 1;
        if (left <= 0) return;
      }
    });
  addExamples(command.command('parked'), ['events parked'])
    .description('Lists events that a consumer could not handle.')
    .action(async (_options: unknown, self: Command) => {
      const { output, connect } = createContext(self, world);
      const found = await (await connect()).call(listParkedEvents, {});
      output.list(found.items, false, {
        columns: [
          { title: 'consumer', value: (row) => row.consumer },
          { title: 'type', value: (row) => row.type },
          { title: 'subject', value: (row) => row.subject },
          { title: 'attempts', value: (row) => row.attempts },
          { title: 'error', value: (row) => row.error },
        ],
        empty: 'No event is parked.',
      });
    });
  addExamples(command.command('retry'), ['events retry --consumer automation'])
    .description('Tries parked events again.')
    .option('--consumer <name>', 'only those of this consumer')
    .action(async (options: { consumer?: string }, self: Command) => {
      const { output, connect } = createContext(self, world);
      const done = await (await connect()).call(retryParkedEvents, {
        body: { ...(options.consumer !== undefined && { consumer: options.consumer }) },
      });
      output.result(done, () => `${done.handled} events are handled now.`);
    });
  return command;
}
