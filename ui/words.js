import { badge, element } from './dom.js';

/** How each state of the server's is coloured. */
export const tones = {
  succeeded: 'good',
  cached: 'good',
  ready: 'good',
  completed: 'good',
  ok: 'good',
  fired: 'good',
  resolved: 'good',
  first: 'good',
  passed: 'good',
  existed: 'good',
  running: 'busy',
  'rolling-out': 'busy',
  stepping: 'busy',
  warming: 'busy',
  queued: 'busy',
  waiting: 'busy',
  pending: 'quiet',
  failed: 'bad',
  alert: 'bad',
  critical: 'bad',
  degraded: 'bad',
  aborted: 'bad',
  open: 'bad',
  warning: 'warn',
  suppressed: 'warn',
  'rolled-back': 'warn',
  cancelled: 'warn',
  skipped: 'quiet',
};
export const state = (word) => badge(word.replaceAll('-', ' '), tones[word] ?? 'quiet');

export function command(text) {
  const copy = element('button', { type: 'button', class: 'copy', 'aria-label': `Copy: ${text}` }, 'copy');
  copy.addEventListener('click', async () => {
    await navigator.clipboard?.writeText(text);
    copy.textContent = 'copied';
  });
  return element('div', { class: 'command' }, element('code', {}, text), copy);
}

export const none = (text, run) => [
  element('p', { class: 'none' }, text),
  run === undefined ? undefined : command(run),
];
