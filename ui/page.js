import { drawBoard } from './board.js';
import { element } from './dom.js';
import { clock } from './format.js';
import { ask, follow, project as projects, Refused } from './live.js';

const board = document.querySelector('#board');
const live = document.querySelector('#live');
const tabs = document.querySelector('#projects');
const rooms = document.querySelectorAll('.rooms a');
const updated = document.querySelector('#updated');
/** Events come in bursts; the board is read again at most so often. */
const refreshEveryMs = 2_000;

const stateWords = { live: 'live', away: 'server away, trying again', connecting: 'connecting', refused: '' };
let shown = /^\/projects\/([^/]+)/.exec(location.pathname)?.[1];
shown = shown === undefined ? undefined : decodeURIComponent(shown);
let stop = new AbortController();

function setState(state) {
  live.dataset.state = state;
  if (live.textContent !== stateWords[state]) live.textContent = stateWords[state];
}

async function start() {
  const { items } = await ask('/api/v1/projects');
  const names = items.map(({ name }) => name);
  // `default` always exists; where others do and it holds nothing, they are what is looked for
  shown ??= items.find(({ goal }) => goal !== undefined)?.name ?? names.find((name) => name !== 'default') ?? 'default';
  tabs.replaceChildren(
    element(
      'ul',
      {},
      ...names.map((name) =>
        element(
          'li',
          {},
          element(
            'a',
            { href: `/projects/${encodeURIComponent(name)}`, 'aria-current': name === shown ? 'page' : undefined },
            name,
          ),
        ),
      ),
    ),
  );
  for (const link of rooms)
    link.setAttribute('href', `${projects.prefix(shown)}${/\/ui\/\w+$/.exec(link.getAttribute('href'))?.[0] ?? ''}`);
  document.title = `${shown} · Tidemill`;
  await refresh();
  void follow(shown, { onEvent: refreshSoon, onReset: refreshSoon, onState: setState, signal: stop.signal });
}

let timer;
let lastMs = 0;
let drawn = '';

function refreshSoon() {
  timer ??= setTimeout(
    () => {
      timer = undefined;
      refresh().catch(() => setState('away'));
    },
    Math.max(100, lastMs + refreshEveryMs - Date.now()),
  );
}

async function refresh() {
  lastMs = Date.now();
  const overview = await ask(`${projects.prefix(shown)}/api/v1/overview`);
  lastMs = Date.now();
  updated.textContent = `as of ${clock(new Date().toISOString())}`;
  const text = JSON.stringify(overview);
  if (text === drawn) return;
  drawn = text;
  // what has the keyboard keeps it
  const focused = document.activeElement?.getAttribute('href') ?? undefined;
  board.replaceChildren(...drawBoard(overview));
  if (focused?.startsWith('#')) board.querySelector(`a[href="${CSS.escape(focused).replaceAll('\\#', '#')}"]`)?.focus();
}

/** The form for a token, which leads back here. */
function askForToken() {
  const here = `${location.pathname}${location.search}${location.hash}`;
  location.replace(`/ui/sign-in?to=${encodeURIComponent(here)}`);
}

function begin() {
  stop.abort();
  stop = new AbortController();
  start().catch((error) => {
    if (error instanceof Refused && error.status === 401) return askForToken();
    setState(error instanceof Refused ? 'refused' : 'away');
    board.replaceChildren(
      element(
        'p',
        { class: 'empty' },
        error instanceof Refused ? error.message : 'The server cannot be reached; trying again.',
      ),
    );
    if (!(error instanceof Refused)) setTimeout(begin, 3_000);
  });
}

begin();
// "3 min ago" grows old by itself
setInterval(() => {
  drawn = '';
  refreshSoon();
}, 60_000);
