import type { Client } from '../../sdk/index.ts';
import { inWords, orderByMeaning, readEventsAfter, toldTypes } from '../event-words.ts';

/** One thing that happened to the model, on the day of the replay on which it did. */
export interface Happening {
  readonly day: string;
  readonly type: string;
  readonly subject: string;
  readonly text: string;
}

/** Everything told so far, and what to call to tell what is new. */
export interface Story {
  readonly happenings: readonly Happening[];
  /** Reads the log from where it was left and says what has happened since, as of a day of the replay. */
  tell(day: string): Promise<void>;
}

export function createStory(client: Client, say: (happening: Happening) => void): Story {
  const happenings: Happening[] = [];
  let position = '0';
  return {
    happenings,
    async tell(day) {
      const events = await readEventsAfter(client, position, { types: toldTypes });
      position = events.at(-1)?.position ?? position;
      for (const event of orderByMeaning(events)) {
        const happening = { day, type: event.type, subject: event.subject, text: inWords(event) };
        happenings.push(happening);
        say(happening);
      }
    },
  };
}
