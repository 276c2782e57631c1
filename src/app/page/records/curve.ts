import { type Html, html } from './html.ts';
import { numberText } from './parts.ts';

interface Point {
  readonly step: number;
  readonly value: number;
}

const width = 320;
const height = 96;
const margin = 4;

/** A metric's course by step. What is no number leaves a gap. */
export function curve(name: string, points: readonly Point[]): Html {
  const known = points.filter(({ value }) => Number.isFinite(value));
  const [first] = known;
  if (first === undefined)
    return html`<figure class="curve"><figcaption>${name}: no number to draw</figcaption></figure>`;
  const steps = known.map(({ step }) => step);
  const values = known.map(({ value }) => value);
  const [left, right] = [Math.min(...steps), Math.max(...steps)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (step: number) => margin + ratio(step - left, right - left) * (width - 2 * margin);
  const y = (value: number) => height - margin - ratio(value - low, high - low) * (height - 2 * margin);
  let pen = 'M';
  const path = points
    .map(({ step, value }) => {
      if (!Number.isFinite(value)) {
        pen = 'M';
        return '';
      }
      const command = `${pen}${x(step).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = 'L';
      return command;
    })
    .join('');
  const last = known.at(-1) ?? first;
  return html`<figure class="curve">
    <figcaption><span class="metric">${name}</span> <span class="value">${numberText(last.value)}</span></figcaption>
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${`${name}: ${numberText(first.value)} at step ${first.step}, ${numberText(last.value)} at step ${last.step}, lowest ${numberText(low)}, highest ${numberText(high)}`}">
      <path class="course" d="${path}" />
      <circle class="last" cx="${x(last.step).toFixed(1)}" cy="${y(last.value).toFixed(1)}" r="3" />
    </svg>
    <p class="range"><span>step ${left.toLocaleString('en-US')}–${right.toLocaleString('en-US')}</span><span>${numberText(low)} … ${numberText(high)}</span></p>
  </figure>`;
}

/** Halved first, so that the distance of the greatest numbers is finite. */
const ratio = (part: number, whole: number): number => {
  if (whole === 0) return 0.5;
  const found = Number.isFinite(whole) && Number.isFinite(part) ? part / whole : 0.5;
  return Math.min(1, Math.max(0, found));
};
