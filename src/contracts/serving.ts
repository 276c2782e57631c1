/**
 * The HTTP routes that join the two planes, all opened by the data plane with `Authorization: Bearer <pool token>`. They
 * carry bytes and long polls, so they are raw routes of the control plane, not operations of its API.
 */
export const dataPlanePaths = {
  /** GET, `?wait=<seconds>`, If-None-Match → 200 DeploymentSpec with ETag, or 304. */
  spec: (pool: string) => `/data-plane/pools/${encodeURIComponent(pool)}/spec`,
  /** GET → 200, the bytes of an artifact that the pool's spec names; 404 otherwise. */
  file: (digest: string) => `/data-plane/files/${digest}`,
  /** POST ReplicaReport → 204. */
  report: (replica: string) => `/data-plane/replicas/${encodeURIComponent(replica)}/report`,
  /**
   * PUT frames (spool-frame.ts) whose first offset is `from`. The receiver wants offset `next` of (replica, epoch), 0 for
   * an epoch that it does not know, and answers `{ "next": n }`:
   * 200 taken, durably, up to n; 409 `from` is not `next`, send from n; 429 or 503 (Retry-After) later. 400 with the code
   * SPOOL_FRAME_BAD: the first frame is none; a sender that is told so again and again sets it aside and declares it lost.
   * With `lost=1` the sender no longer has what lies between `next` and `from`: the receiver records the gap, alerts, and
   * takes the frames as if `from` had been wanted.
   */
  spool: (replica: string, epoch: string, from: number, lost = false) =>
    `/data-plane/replicas/${encodeURIComponent(replica)}/spool/${encodeURIComponent(epoch)}?from=${from}${lost ? '&lost=1' : ''}`,
} as const;

/** How far ahead of receipt an event time may lie, unless the endpoint is a replay. */
export const maxFutureEventTimeMs = 5 * 60_000;

/** Headers of the data plane's answers and requests. */
export const servingHeaders = {
  predictionId: 'x-tidemill-prediction-id',
  revision: 'x-tidemill-revision',
  key: 'x-tidemill-key',
  eventTime: 'x-tidemill-event-time',
  requestId: 'x-request-id',
} as const;
