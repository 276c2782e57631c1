/**
 * Talks to the server: JSON by `ask`, live events by `follow`. Who asks, the server knows by the cookie that signing in has
 * left (`/ui/sign-in`). Events come over fetch rather than EventSource, which says nothing of why it was refused.
 */
export const project = {
  prefix: (name) => (name === 'default' ? '' : `/projects/${encodeURIComponent(name)}`),
};

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, signal) {
  const answer = await fetch(path, { signal });
  const body = await answer.json().catch(() => undefined);
  if (!answer.ok) throw new Refused(answer.status, body?.error?.message ?? `${path} answered ${answer.status}`);
  return body;
}

const longestWaitMs = 15_000;

/** Hears a project's events until the signal ends it, connecting again where it left off. */
export async function follow(name, { onEvent, onReset, onState, signal }) {
  let lastId;
  let waitMs = 500;
  while (!signal.aborted) {
    try {
      const answer = await fetch(`${project.prefix(name)}/api/v1/events/stream`, {
        headers: { accept: 'text/event-stream', ...(lastId && { 'last-event-id': lastId }) },
        signal,
      });
      if (!answer.ok) throw new Refused(answer.status, 'the event stream was refused');
      onState('live');
      waitMs = 500;
      for await (const message of readMessages(answer.body)) {
        if (message.id !== undefined) lastId = message.id;
        if (message.event === 'reset') onReset();
        else if (message.data !== undefined) onEvent(JSON.parse(message.data));
      }
    } catch {
      // the server is away, or the page is left: both are seen below
    }
    if (signal.aborted) return;
    onState('away');
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    waitMs = Math.min(longestWaitMs, waitMs * 2);
    onReset();
  }
}

async function* readMessages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n\n');
    rest = parts.pop();
    for (const part of parts) yield parseMessage(part);
  }
}

function parseMessage(text) {
  const message = {};
  for (const line of text.split('\n')) {
    const at = line.indexOf(': ');
    if (at > 0) message[line.slice(0, at)] = line.slice(at + 2);
  }
  return message;
}
