/** How far a transfer is; what it counts grows until the end. */
export interface Progress {
  experiments: number;
  experimentsInAll: number;
  runs: number;
  /** Of these, runs that were wholly there before. */
  passedBy: number;
  points: number;
  loggedModels: number;
  traces: number;
  /** Of these, traces that were wholly there before. */
  tracesPassedBy: number;
  models: number;
  files: number;
  fileBytes: number;
  /** Of these, what had to be sent. */
  sentBytes: number;
}

export const noProgress = (): Progress => ({
  experiments: 0,
  experimentsInAll: 0,
  runs: 0,
  passedBy: 0,
  points: 0,
  loggedModels: 0,
  traces: 0,
  tracesPassedBy: 0,
  models: 0,
  files: 0,
  fileBytes: 0,
  sentBytes: 0,
});
