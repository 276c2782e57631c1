const number = new Intl.NumberFormat('en');
const dayFormat = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const shortDayFormat = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const clockFormat = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
});

export const count = (value) => number.format(value);
export const day = (text) => dayFormat.format(new Date(text));
export const shortDay = (text) => shortDayFormat.format(new Date(text));
export const clock = (text) => clockFormat.format(new Date(text));
export const figure = (value) => (Number.isFinite(value) ? value.toFixed(3) : '–');
export const percent = (basisPoints) => `${number.format(basisPoints / 100)} %`;
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

const names = {
  auc: 'AUC',
  log_loss: 'log-loss',
  f1: 'F1',
  brier: 'Brier',
  calibration_error: 'calibration error',
};
export const metricName = (name) => names[name] ?? name.replaceAll('_', ' ');

export function duration(ms) {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
}

export function ago(text, nowMs = Date.now()) {
  const ms = nowMs - new Date(text).getTime();
  if (ms < 5_000) return 'just now';
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s ago`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ago`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h ago`;
  return day(text);
}

/** Of the last lines of a program that failed (`a | b | …`), those from the one on that says why: Python's stack is indented. */
export function lastSaid(text) {
  const [, said] = /; its last lines: (.*)$/s.exec(text) ?? [];
  return said === undefined ? text : said.replace(/^.* \|\s{2,}.*? \| /s, '');
}
