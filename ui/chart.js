import { element, svg } from './dom.js';
import { day, figure, metricName, shortDay } from './format.js';

const height = 220;
const margin = { top: 14, right: 12, bottom: 24, left: 40 };

/** A metric over windows: the live model with its interval, the model left alone, the target. */
export function metricChart({ metric = 'auc', target, history }) {
  // drawn at its own size, so that its words are as large as the page's
  const width = Math.max(300, Math.min(1_200, document.body.clientWidth - 80));
  const points = history.filter(({ value }) => value !== undefined);
  if (points.length < 2) return undefined;
  const bound = Number(/-?[\d.]+$/.exec(target ?? '')?.[0] ?? NaN);
  const values = points.flatMap(({ value, lower, upper, shadow }) => [value, lower, upper, shadow]);
  const all = [...values, bound].filter((value) => Number.isFinite(value));
  const step = niceStep(Math.max(...all) - Math.min(...all) || 0.1);
  const low = Math.floor(Math.min(...all) / step) * step;
  const high = Math.ceil(Math.max(...all) / step) * step;
  const times = points.map(({ end }) => new Date(end).getTime());
  const [first, last] = [times[0], times.at(-1)];
  const x = (ms) => margin.left + ((ms - first) / (last - first || 1)) * (width - margin.left - margin.right);
  const y = (value) => margin.top + ((high - value) / (high - low || 1)) * (height - margin.top - margin.bottom);
  const line = (pick) =>
    points
      .flatMap((point, index) =>
        pick(point) === undefined ? [] : [`${x(times[index]).toFixed(1)},${y(pick(point)).toFixed(1)}`],
      )
      .join(' ');

  const ticks = [];
  for (let value = low; value <= high + step / 2; value += step)
    ticks.push(
      svg('line', { class: 'grid', x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value) }),
      svg('text', { class: 'tick', x: margin.left - 6, y: y(value) + 4, 'text-anchor': 'end' }, value.toFixed(2)),
    );
  const labels = [...new Set([0, Math.floor((points.length - 1) / 2), points.length - 1])].map((index, n, list) =>
    svg(
      'text',
      {
        class: 'tick',
        x: x(times[index]),
        y: height - 6,
        'text-anchor': n === 0 ? 'start' : n === list.length - 1 ? 'end' : 'middle',
      },
      shortDay(points[index].end),
    ),
  );
  const banded = points.filter(({ lower, upper }) => lower !== undefined && upper !== undefined);
  const band =
    banded.length > 1 &&
    svg('polygon', {
      class: 'band',
      points: [
        ...banded.map((point) => `${x(new Date(point.end).getTime()).toFixed(1)},${y(point.upper).toFixed(1)}`),
        ...banded
          .toReversed()
          .map((point) => `${x(new Date(point.end).getTime()).toFixed(1)},${y(point.lower).toFixed(1)}`),
      ].join(' '),
    });
  const alerts = points
    .filter(({ state }) => state === 'alert')
    .map((point) =>
      svg(
        'circle',
        { class: 'alert-point', cx: x(new Date(point.end).getTime()), cy: y(point.value), r: 4 },
        svg('title', {}, `alert, window to ${day(point.end)}: ${figure(point.value)}`),
      ),
    );
  const newest = points.at(-1);
  const hasShadow = points.some(({ shadow }) => shadow !== undefined);
  const summary = `${metricName(metric)} over ${points.length} windows to ${day(newest.end)}: ${figure(newest.value)} now${
    newest.shadow === undefined ? '' : `, first model left alone ${figure(newest.shadow)}`
  }${target === undefined ? '' : `, target ${target}`}.`;

  return element(
    'figure',
    { class: 'chart' },
    svg(
      'svg',
      { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': summary },
      ...ticks,
      band,
      Number.isFinite(bound) &&
        svg('line', { class: 'target', x1: margin.left, x2: width - margin.right, y1: y(bound), y2: y(bound) }),
      hasShadow && svg('polyline', { class: 'shadow-line', points: line(({ shadow }) => shadow) }),
      svg('polyline', { class: 'live-line', points: line(({ value }) => value) }),
      ...alerts,
      svg('circle', { class: 'newest', cx: x(last), cy: y(newest.value), r: 3.5 }),
      ...labels,
    ),
    element(
      'figcaption',
      {},
      element('span', { class: 'key live-key' }, `${metricName(metric)}, live model`),
      hasShadow && element('span', { class: 'key shadow-key' }, 'first model, left alone'),
      Number.isFinite(bound) && element('span', { class: 'key target-key' }, `target ${target}`),
      alerts.length > 0 && element('span', { class: 'key alert-key' }, 'alert'),
    ),
  );
}

/** 1, 2 or 5 times a power of ten, for about four lines. */
function niceStep(range) {
  const rough = range / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? power;
}
