export interface ServerEvent {
  /** Position in the source: pass the last one as `lastEventId` to go on from there. */
  readonly id: string | undefined;
  /** `message` unless the server names it; `reset` means that messages were missed. */
  readonly event: string;
  readonly data: unknown;
}

export interface StreamOptions {
  readonly lastEventId?: string;
  readonly signal?: AbortSignal;
  /** Connects again when the connection breaks, from the last id. Default true. */
  readonly reconnect?: boolean;
}

/** The events in a body of text/event-stream (https://html.spec.whatwg.org/multipage/server-sent-events.html); data is JSON. */
export async function* parseServerEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let pending = '';
  let fields: { id?: string; event?: string; data: string[] } = { data: [] };
  for await (const chunk of body) {
    pending += decoder.decode(chunk, { stream: true });
    // a CR at the very end may be half of a CRLF: wait for the rest
    const lines = pending.split(/\r\n|\n|\r(?!$)/);
    pending = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (fields.data.length > 0)
          yield { id: fields.id, event: fields.event ?? 'message', data: JSON.parse(fields.data.join('\n')) };
        fields = { data: [] };
        continue;
      }
      const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (name === 'data') fields.data.push(value);
      else if (name === 'id' || name === 'event') fields[name] = value;
    }
  }
}
