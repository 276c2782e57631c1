import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** One registry a process; names start with `tidemill_`, units are in the name (`_seconds`, `_bytes`, `_total`). */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  observeRequest(operation: string, status: number, seconds: number): void;
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  gauge<L extends string = never>(name: string, help: string, labels?: readonly L[]): Gauge<L>;
  histogram<L extends string = never>(
    name: string,
    help: string,
    options?: { readonly labels?: readonly L[]; readonly buckets?: readonly number[] },
  ): Histogram<L>;
  /** Runs before each scrape: for figures that are read, not counted. */
  onScrape(refresh: () => void | Promise<void>): void;
}

const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** With the process's own figures (event loop delay, memory, garbage collection) and `tidemill_build_info`. */
export function createMetrics(options: { readonly version: string; readonly process: string }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const refreshes: (() => void | Promise<void>)[] = [];
  collectDefaultMetrics({ register: registry, prefix: 'tidemill_' });
  new Gauge({
    name: 'tidemill_build_info',
    help: 'What runs; always 1',
    labelNames: ['version', 'process', 'node'],
    registers,
  })
    .labels(options.version, options.process, process.version)
    .set(1);
  const requests = new Counter({
    name: 'tidemill_http_requests_total',
    help: 'Requests answered, by operation and status',
    labelNames: ['operation', 'status'] as const,
    registers,
  });
  const durations = new Histogram({
    name: 'tidemill_http_request_duration_seconds',
    help: 'Time to answer, by operation',
    labelNames: ['operation'] as const,
    buckets: requestBuckets,
    registers,
  });

  return {
    contentType: registry.contentType,
    async text() {
      for (const refresh of refreshes) await refresh();
      return await registry.metrics();
    },
    observeRequest(operation, status, seconds) {
      requests.inc({ operation, status });
      durations.observe({ operation }, seconds);
    },
    counter: (name, help, labels = []) => new Counter({ name, help, labelNames: labels, registers }),
    gauge: (name, help, labels = []) => new Gauge({ name, help, labelNames: labels, registers }),
    histogram: (name, help, { labels = [], buckets } = {}) =>
      new Histogram({
        name,
        help,
        labelNames: labels,
        ...(buckets !== undefined && { buckets: [...buckets] }),
        registers,
      }),
    onScrape: (refresh) => void refreshes.push(refresh),
  };
}
