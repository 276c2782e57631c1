import { labelDrifted, type MonitorView, type WindowView } from '#contracts/monitoring';
import type { Overview } from '#contracts/overview';

/** Fewer labelled rows than this say nothing that a chart should show. */
const leastRows = 100;

type Monitor = Overview['monitors'][number];

/** A monitor's newest window and the course of the metric that has a target. */
export function viewMonitor(
  { name, deployment, spec, waitingFor, last }: MonitorView,
  windows: readonly WindowView[],
): Monitor {
  const [metric, target] = targetOf(spec.performance);
  return {
    name,
    deployment,
    ...(metric !== undefined && { metric }),
    ...(target !== undefined && { target }),
    ...(waitingFor !== undefined && { waitingFor }),
    ...(last !== undefined && {
      window: {
        start: last.start,
        end: last.end,
        state: last.state,
        predictions: last.predictions,
        labelled: last.labelled,
        drifted: labelDrifted(last),
        verdicts: last.verdicts.map((verdict) => ({
          metric: verdict.metric,
          state: verdict.state,
          reason: verdict.reason,
        })),
      },
    }),
    history: windows.toReversed().map((window) => toPoint(window, metric ?? 'auc')),
  };
}

/** The first metric that is held to a target. */
function targetOf(performance: MonitorView['spec']['performance']): readonly [string?, string?] {
  const found = Object.entries(performance ?? {}).find(
    ([key, value]) => key !== 'window' && typeof value === 'string' && /^[<>]=/.test(value),
  );
  return found === undefined ? [] : [found[0], String(found[1])];
}

function toPoint({ end, state, parts }: WindowView, metric: string): Monitor['history'][number] {
  const answered = parts.find(({ champion, role }) => champion && role === 'primary')?.metrics[metric];
  // a version that has just begun has a number, but none that means anything: the line pauses
  const live = answered !== undefined && answered.n >= leastRows ? answered : undefined;
  const shadow = parts.filter(({ role }) => role === 'shadow').toSorted((a, b) => a.version - b.version)[0]?.metrics[
    metric
  ];
  return {
    end,
    state,
    ...(live !== undefined && { value: live.value, n: live.n }),
    ...(live?.lower !== undefined && { lower: live.lower }),
    ...(live?.upper !== undefined && { upper: live.upper }),
    ...(shadow !== undefined && { shadow: shadow.value }),
  };
}
