/** `<home>/running.json`: kept by the server from ready to stop; the CLI finds the server by it. */
export interface RunningServer {
  /** Of the API and the web page. */
  readonly url: string;
  /** Of predictions; absent while no data plane runs. */
  readonly servingUrl?: string;
  /** `host:port` of predictions over gRPC; absent where that is off. */
  readonly grpcAddress?: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAtMs: number;
  /** Present once the data plane has died by itself. */
  readonly dataPlane?: DataPlaneDeaths;
}

/** What became of a data plane that ended although nobody had asked it to. */
export interface DataPlaneDeaths {
  readonly state: 'running' | 'starting again';
  /** Since this server started. */
  readonly deaths: number;
  readonly lastDeathMs: number;
  /** How it ended: `by SIGKILL`, `with exit code 1`. */
  readonly lastEnd: string;
}

export const runningServerFile = 'running.json';
