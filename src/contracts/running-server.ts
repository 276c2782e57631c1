/** `<home>/running.json`: written by the server once it is ready, removed when it stops; the CLI finds the server by it. */
export interface RunningServer {
  /** Of the API and the web page. */
  readonly url: string;
  /** Of predictions; absent while no data plane runs. */
  readonly servingUrl?: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAtMs: number;
}

export const runningServerFile = 'running.json';
