import {
  drawAlerts,
  drawDatasets,
  drawDeployments,
  drawEvents,
  drawModels,
  drawMonitors,
  drawPipelines,
  drawTriggers,
} from './cards.js';
import { element } from './dom.js';
import { figure, metricName, plural } from './format.js';
import { project as projects } from './live.js';
import { modelsOfLoop, standingOf } from './standing.js';
import { command, tones } from './words.js';

/** The whole board of one project. */
export function drawBoard(overview) {
  if (isEmpty(overview)) return [drawEmpty(overview)];
  return [
    drawGoal(overview),
    drawLoop(overview),
    element(
      'div',
      { class: 'cards' },
      card('Performance', 'wide', drawMonitors(overview), 'monitors'),
      card('Traffic', '', drawDeployments(overview), 'deployments'),
      card('Champion', '', drawModels(overview), 'models'),
      card('Last pipeline run', '', drawPipelines(overview), 'pipelines'),
      card('Data', '', drawDatasets(overview), 'data'),
      card('Alerts', '', drawAlerts(overview), 'alerts'),
      card('Triggers', '', drawTriggers(overview), 'triggers'),
      card('What happened', 'wide', drawEvents(overview), 'events'),
    ),
  ];
}

const isEmpty = ({ goal, datasets, pipelines, models, deployments }) =>
  goal === undefined && [datasets, pipelines, models, deployments].every((list) => list.length === 0);

function drawEmpty({ project }) {
  return element(
    'section',
    { class: 'empty', 'aria-labelledby': 'empty-title' },
    element('h1', { id: 'empty-title' }, `Nothing is declared in project ${project} yet`),
    element('p', {}, 'Watch a model go round its whole loop on a year of real flights:'),
    command('./bin/tidemill demo'),
    element('p', {}, 'Or declare a loop of your own; the example is one to copy:'),
    command('./bin/tidemill apply -f examples/flights/tidemill.yaml --wait'),
    element(
      'p',
      {},
      'What MLflow clients log here is under ',
      element('a', { href: `${projects.prefix(project)}/ui/experiments` }, 'Experiments'),
      '.',
    ),
  );
}

function card(title, kind, content, id) {
  return element(
    'section',
    { class: `card ${kind}`, 'aria-labelledby': `${id}-title`, id },
    element('h2', { id: `${id}-title` }, title),
    ...content,
  );
}

function drawGoal(overview) {
  const { project, goal } = overview;
  const metric = goal?.metric?.name;
  const { now, isLive, word, tone = '' } = standingOf(overview);
  return element(
    'section',
    { class: 'goal', 'aria-labelledby': 'goal-title' },
    element(
      'div',
      {},
      element('p', { class: 'eyebrow' }, project),
      element('h1', { id: 'goal-title' }, goal?.statement ?? 'No goal is declared'),
      goal?.kpi && element('p', { class: 'muted' }, goal.kpi),
    ),
    metric !== undefined &&
      element(
        'div',
        { class: 'goal-figure' },
        element('p', { class: 'eyebrow' }, `${metricName(metric)} ${isLive ? 'now' : 'on test rows'}`),
        element('p', { class: `figure ${tone}` }, now === undefined ? '–' : figure(now.value)),
        element(
          'p',
          { class: 'muted' },
          now?.lower === undefined ? '' : `${figure(now.lower)} – ${figure(now.upper)} · `,
          goal.metric.target === undefined ? 'no target' : `target ${goal.metric.target}`,
          word === undefined ? '' : ` · ${word}`,
        ),
      ),
  );
}

/** Each station of the loop in one word, in order; the arrow back is the trigger. */
function drawLoop(overview) {
  const { datasets, pipelines, deployments, monitors, alerts, triggers } = overview;
  const run = pipelines
    .map(({ lastRun }) => lastRun)
    .filter(Boolean)
    .toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))[0];
  const champion = modelsOfLoop(overview).find((model) => model.champion !== undefined);
  const deployment = deployments[0];
  const open = alerts.filter((alert) => alert.state === 'open');
  const fired = triggers.map(({ last }) => last).find(Boolean);
  const stations = [
    [
      'Data',
      datasets.length === 0
        ? ['none', 'quiet']
        : datasets.some(({ ingesting }) => ingesting)
          ? ['landing', 'busy']
          : [plural(datasets.length, 'dataset'), 'good'],
      'data',
    ],
    ['Pipeline', run === undefined ? ['not run', 'quiet'] : [run.state, tones[run.state] ?? 'quiet'], 'pipelines'],
    [
      'Model',
      champion === undefined ? ['no champion', 'quiet'] : [`${champion.name}@${champion.champion.version}`, 'good'],
      'models',
    ],
    [
      'Serving',
      deployment === undefined
        ? ['none', 'quiet']
        : [deployment.state.replaceAll('-', ' '), tones[deployment.state] ?? 'quiet'],
      'deployments',
    ],
    [
      'Monitor',
      monitors[0]?.window === undefined
        ? ['no window', 'quiet']
        : [monitors[0].window.state.replaceAll('-', ' '), tones[monitors[0].window.state] ?? 'quiet'],
      'monitors',
    ],
    [
      'Alerts',
      open.length === 0
        ? ['none open', 'good']
        : [`${open.length} open`, open.some(({ severity }) => severity === 'critical') ? 'bad' : 'warn'],
      'alerts',
    ],
    [
      'Trigger',
      triggers.length === 0
        ? ['none', 'quiet']
        : [fired?.state ?? 'armed', fired === undefined ? 'quiet' : tones[fired.state]],
      'triggers',
    ],
  ];
  return element(
    'nav',
    { class: 'loop', 'aria-label': 'The loop' },
    element(
      'ol',
      {},
      ...stations.map(([name, [word, tone], id]) =>
        element(
          'li',
          {},
          element(
            'a',
            { href: `#${id}`, class: tone },
            element('span', { class: 'station' }, name),
            element('span', { class: 'word' }, word),
          ),
        ),
      ),
    ),
  );
}
