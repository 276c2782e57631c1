import { STATUS_CODES } from 'node:http';
import type { RestResponse } from './rest-route.ts';

/** What a response needs of its connection. */
export interface PlainSink {
  answer(head: string, body: string | Buffer, encoding: 'latin1' | 'utf8', isLast: boolean): void;
  destroy(): void;
}

/** What node:http refuses too, so that no value ends its line. */
const notInHeaders = /[^\t -~\u0080-\u00ff]/;

/** An answer that is given whole: the part of node:http's ServerResponse that routes of predictions use. */
export class PlainResponse implements RestResponse {
  statusCode = 200;
  headersSent = false;
  destroyed = false;
  writableFinished = false;
  readonly writableLength = 0; // what the system has not taken is counted by the connection
  private readonly sink: PlainSink;
  private head = '';
  private lines = '';
  private isLast = false;
  private listeners: { readonly event: 'finish' | 'close'; readonly listener: () => void }[] | undefined;

  constructor(sink: PlainSink) {
    this.sink = sink;
  }

  setHeader(name: string, value: string | number): void {
    if (name === 'connection' && value === 'close') this.isLast = true;
    else this.lines += toLine(name, value);
  }

  writeHead(status: number, headers: readonly string[] | Readonly<Record<string, string | number>>): void {
    this.statusCode = status;
    let lines = '';
    if (isList(headers))
      for (let index = 0; index < headers.length; index += 2)
        lines += toLine(headers[index] ?? '', headers[index + 1] ?? '');
    else for (const [name, value] of Object.entries(headers)) lines += toLine(name, value);
    this.head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}${this.lines}`;
    this.headersSent = true;
  }

  /** The whole body, of the length that the headers name. */
  end(body: string | Buffer, encoding: 'latin1' | 'utf8'): void {
    if (this.destroyed || this.writableFinished) return;
    this.writableFinished = true;
    this.sink.answer(this.head, body, encoding, this.isLast);
    this.tell('finish');
    this.tell('close');
  }

  once(event: 'finish' | 'close', listener: () => void): void {
    (this.listeners ??= []).push({ event, listener });
  }

  destroy(): void {
    this.sink.destroy();
  }

  /** The client has left. */
  left(): void {
    if (this.destroyed || this.writableFinished) return;
    this.destroyed = true;
    this.tell('close');
  }

  private tell(event: 'finish' | 'close'): void {
    for (const one of this.listeners ?? []) if (one.event === event) one.listener();
  }
}

const isList = (headers: readonly string[] | Readonly<Record<string, string | number>>): headers is readonly string[] =>
  Array.isArray(headers);

function toLine(name: string, value: string | number): string {
  if (notInHeaders.test(String(value))) throw new Error(`the header ${name} cannot hold ${JSON.stringify(value)}`);
  return `${name}: ${value}\r\n`;
}
