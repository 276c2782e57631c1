/** Rows of migration 0060. */
export interface MonitoringTables {
  readonly monitors: MonitorRow;
  readonly monitor_windows: WindowRow;
}

export interface MonitorRow {
  project: string;
  name: string;
  deployment: string;
  spec: string;
  generation: number;
  from_ms: number | null;
  last_end_ms: number | null;
  updated_ms: number;
}

export interface WindowRow {
  id: string;
  project: string;
  monitor: string;
  start_ms: number;
  end_ms: number;
  model: string | null;
  version: number | null;
  predictions: number;
  labelled: number;
  state: 'ok' | 'warning' | 'alert' | 'not-enough-data' | 'off';
  drifted: number;
  result: string;
  closed_ms: number;
}
