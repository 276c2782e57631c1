import type { FastifyInstance } from 'fastify';
import {
  compareMonitor,
  getMonitor,
  listMonitors as listMonitorsOperation,
  listWindows as listWindowsOperation,
  type MonitorView,
  type WindowView,
} from '#contracts/monitoring';
import { defaultPageLimit } from '#contracts/page';
import type { Reader } from '#platform/database';
import { registerOperation } from '#platform/http';
import { readUntil } from '#platform/read-until';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { compareWithShadow } from './comparison-service.ts';
import { type ClosedWindow, findMonitor, listMonitors, listWindows, type Monitor } from './monitor-store.ts';
import type { MonitoringDeps } from './monitoring-deps.ts';
import { monitoringErrors } from './monitoring-errors.ts';
import type { WindowService } from './window-service.ts';

const instant = (ms: number): string => new Date(ms).toISOString();

/** What can change whether a monitor is current. */
const concerning = new Set([
  'prediction.settled',
  'prediction.chunk.taken',
  'truth.recorded',
  'truth.bound',
  'dataset.version.created',
  'window.closed',
  'monitor.changed',
]);

async function getStored(reader: Reader, project: string, name: string): Promise<Monitor> {
  const found = await findMonitor(reader, project, name);
  if (found !== undefined) return found;
  const known = (await listMonitors(reader, project)).map((monitor) => monitor.name);
  throw monitoringErrors.MONITOR_NOT_FOUND(name, known);
}

export function registerMonitoringRoutes(
  app: FastifyInstance,
  deps: MonitoringDeps & { readonly windows: WindowService },
): void {
  const { database } = deps;

  async function toMonitorView(monitor: Monitor): Promise<MonitorView> {
    const { project, name, deployment, spec } = monitor;
    const { settledMs, nextEndMs, closesAtMs, waitingFor } = await deps.windows.standing(database.read, monitor);
    const [last] = await listWindows(database.read, project, name, { limit: 1 });
    const current = waitingFor === 'time' || waitingFor === 'deployment';
    return {
      name,
      deployment,
      spec,
      ...(settledMs !== undefined && { settledAt: instant(settledMs) }),
      current,
      waitingFor,
      ...(nextEndMs !== undefined && { nextEnd: instant(nextEndMs) }),
      ...(closesAtMs !== undefined && { closesAt: instant(closesAtMs) }),
      ...(last && { last: toWindowView(last) }),
    };
  }

  registerOperation(app, listMonitorsOperation, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultPageLimit;
    const after = query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]);
    const found = await listMonitors(database.read, context.project, {
      limit: limit + 1,
      ...(after !== undefined && { after }),
    });
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    const items: MonitorView[] = [];
    for (const monitor of shown) items.push(await toMonitorView(monitor));
    return answer(200, { items, ...(found.length > limit && last && { next: encodeCursor([last.name]) }) });
  });

  registerOperation(app, getMonitor, async ({ params, query, context }, answer) => {
    const read = async () => toMonitorView(await getStored(database.read, context.project, params.name));
    const view = await readUntil({
      events: deps.events,
      read,
      isOver: ({ current }) => current,
      concerns: ({ type, project }) => project === context.project && concerning.has(type),
      waitMs: (query.wait ?? 0) * 1000,
      signal: context.signal,
    });
    return answer(200, view);
  });

  registerOperation(app, listWindowsOperation, async ({ params, query, context }, answer) => {
    await getStored(database.read, context.project, params.name);
    const limit = query.limit ?? defaultPageLimit;
    const beforeEndMs = query.cursor === undefined ? undefined : Number(decodeCursor(query.cursor)[0]);
    const found = await listWindows(database.read, context.project, params.name, {
      limit: limit + 1,
      ...(beforeEndMs !== undefined && { beforeEndMs }),
    });
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    return answer(200, {
      items: shown.map(toWindowView),
      ...(found.length > limit && last && { next: encodeCursor([last.endMs]) }),
    });
  });

  registerOperation(app, compareMonitor, async ({ params, query, context }, answer) => {
    const monitor = await getStored(database.read, context.project, params.name);
    const { from, to } = query;
    const wanted = {
      by: query.by ?? 'month',
      seed: query.seed ?? 1,
      resamples: query.resamples ?? 1000,
      confidence: query.confidence ?? 0.95,
      ...(query.shadow !== undefined && { shadowVersion: query.shadow }),
      ...(from !== undefined && { fromMs: Date.parse(from) }),
      ...(to !== undefined && { toMs: Date.parse(to) }),
    } as const;
    if (from !== undefined && to !== undefined && Date.parse(from) >= Date.parse(to))
      throw monitoringErrors.MONITOR_RANGE_INVALID(from, to);
    const compared = await compareWithShadow(deps, monitor, wanted, context.signal);
    const { seed, confidence } = wanted;
    return answer(200, { monitor: monitor.name, seed, confidence, ...compared });
  });
}

function toWindowView(window: ClosedWindow): WindowView {
  const { id, monitor, champion, predictions, labelled, state, drifted, verdicts, parts, driftStartMs } = window;
  return {
    id,
    monitor,
    start: instant(window.startMs),
    end: instant(window.endMs),
    ...(driftStartMs !== undefined && { driftStart: instant(driftStartMs) }),
    ...champion,
    predictions,
    labelled,
    state,
    drifted: [...drifted],
    verdicts: [...verdicts],
    parts: [...parts],
    closedAt: instant(window.closedMs),
  };
}
