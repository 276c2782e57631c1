import { metricChart } from './chart.js';
import { badge, element, instant } from './dom.js';
import { ago, clock, count, day, duration, figure, lastSaid, metricName, percent, plural, shortDay } from './format.js';
import { modelsOfLoop } from './standing.js';
import { command, none, state, tones } from './words.js';

export function drawMonitors({ monitors }) {
  if (monitors.length === 0) return none('Nothing is watched: a monitor compares answers with what really happened.');
  return monitors.flatMap((monitor) => {
    const { window, name, waitingFor } = monitor;
    const newest = monitor.history.filter(({ value }) => value !== undefined).at(-1);
    return [
      element(
        'p',
        { class: 'line' },
        element('strong', {}, name),
        window === undefined
          ? badge(`no window yet${waitingFor === undefined ? '' : `, waits for ${waitingFor}`}`)
          : state(window.state),
        newest !== undefined &&
          element(
            'span',
            { class: 'muted' },
            `${metricName(monitor.metric ?? 'auc')} ${figure(newest.value)}${newest.lower === undefined ? '' : ` (${figure(newest.lower)} – ${figure(newest.upper)})`}, n = ${count(newest.n ?? 0)}`,
          ),
      ),
      metricChart(monitor),
      window &&
        element(
          'dl',
          { class: 'facts' },
          fact('Window', `${shortDay(window.start)} – ${day(window.end)}`),
          fact('Answers', count(window.predictions)),
          fact('Truth known', count(window.labelled)),
          fact(
            'Drifted',
            window.drifted.length === 0
              ? 'nothing'
              : element('span', { class: 'chips' }, ...window.drifted.map((column) => badge(column, 'warn'))),
          ),
        ),
      ...(window?.verdicts ?? [])
        .filter((verdict) => verdict.state !== 'ok')
        .map((verdict) => element('p', { class: 'muted small' }, verdict.reason)),
    ].filter(Boolean);
  });
}

const fact = (name, value) => element('div', {}, element('dt', {}, name), element('dd', {}, value));

export function drawDeployments({ deployments }) {
  if (deployments.length === 0) return none('Nothing is served yet: declare it under `deployments:` and apply.');
  return deployments.flatMap((deployment) =>
    [
      element('p', { class: 'line' }, element('strong', {}, deployment.name), state(deployment.state)),
      deployment.reason && element('p', { class: 'muted small' }, deployment.reason),
      ...(deployment.traffic.length === 0 ? [] : trafficBar(deployment)),
      deployment.rollout &&
        element(
          'p',
          { class: 'small' },
          'Rollout of version ',
          String(deployment.rollout.version),
          ' ',
          state(deployment.rollout.state),
          element('span', { class: 'muted' }, ` ${deployment.rollout.reason}`),
        ),
      element(
        'dl',
        { class: 'facts' },
        fact('Requests', count(deployment.requests)),
        fact('Errors', count(deployment.errors)),
        deployment.shadows.length > 0 && fact('Shadow', deployment.shadows.join(', ').replaceAll('model:', '')),
      ),
    ].filter(Boolean),
  );
}

function trafficBar({ name, traffic }) {
  const words = traffic.map(({ version, basisPoints }) => `version ${version} ${percent(basisPoints)}`).join(', ');
  const bar = element('div', { class: 'bar', role: 'img', 'aria-label': `Traffic of ${name}: ${words}` });
  for (const [index, { version, basisPoints }] of traffic.entries()) {
    if (basisPoints === 0) continue;
    const part = element('span', { class: `part part-${index % 4}` }, basisPoints >= 1500 ? `v${version}` : '');
    part.style.flexGrow = String(basisPoints);
    bar.append(part);
  }
  return [
    bar,
    element(
      'ul',
      { class: 'legend' },
      ...traffic.map(({ model, version, basisPoints }, index) =>
        element(
          'li',
          {},
          element('span', { class: `swatch part-${index % 4}` }),
          `${model} version ${version}`,
          element('strong', {}, percent(basisPoints)),
        ),
      ),
    ),
  ];
}

export function drawModels(overview) {
  const shown = modelsOfLoop(overview).filter(({ latestVersion }) => latestVersion !== undefined);
  if (shown.length === 0) return none('No model is registered: a pipeline proposes one.');
  return shown.flatMap(({ name, champion, latestVersion }) => {
    if (champion === undefined)
      return [
        element(
          'p',
          { class: 'line' },
          element('strong', {}, name),
          badge(`version ${latestVersion}, no champion yet`),
        ),
      ];
    const metrics = Object.entries(champion.metrics ?? {}).slice(0, 6);
    return [
      element(
        'p',
        { class: 'line' },
        element('strong', {}, `${name} version ${champion.version}`),
        champion.verdict && state(champion.verdict),
        latestVersion !== champion.version && element('span', { class: 'muted' }, `newest is version ${latestVersion}`),
      ),
      metrics.length > 0 &&
        element(
          'table',
          {},
          element('caption', {}, `on ${plural(champion.n ?? 0, 'test row')} that it had not seen`),
          element('thead', {}, element('tr', {}, th('Metric'), th('Value', 'number'), th('95 % interval', 'number'))),
          element(
            'tbody',
            {},
            ...metrics.map(([metric, { value, lower, upper }]) =>
              element(
                'tr',
                {},
                element('th', { scope: 'row' }, metricName(metric)),
                element('td', { class: 'number' }, figure(value)),
                element(
                  'td',
                  { class: 'number muted' },
                  lower === undefined ? '–' : `${figure(lower)} – ${figure(upper)}`,
                ),
              ),
            ),
          ),
        ),
      champion.createdAt &&
        element('p', { class: 'muted small' }, 'registered ', instant(champion.createdAt, ago(champion.createdAt))),
    ].filter(Boolean);
  });
}

const th = (text, kind) => element('th', { scope: 'col', class: kind }, text);

export function drawPipelines({ project, pipelines }) {
  const of = project === 'default' ? '' : ` --project ${project}`;
  if (pipelines.length === 0) return none('No pipeline is declared.');
  return pipelines.flatMap(({ name, lastRun }) => {
    if (lastRun === undefined)
      return [
        element('p', { class: 'line' }, element('strong', {}, name), badge('not run yet')),
        command(`./bin/tidemill run ${name}${of} --wait`),
      ];
    return [
      element(
        'p',
        { class: 'line' },
        element('strong', {}, name),
        state(lastRun.state),
        element(
          'span',
          { class: 'muted' },
          instant(lastRun.createdAt, ago(lastRun.createdAt)),
          lastRun.endedAt === undefined ? '' : `, took ${took(lastRun.createdAt, lastRun.endedAt)}`,
        ),
      ),
      element(
        'p',
        { class: 'muted small' },
        `started by ${lastRun.trigger}`,
        lastRun.model === undefined ? '' : `, proposed ${lastRun.model.replace('model:', '')}`,
      ),
      element(
        'ol',
        { class: 'steps' },
        ...lastRun.steps.map((step) =>
          element(
            'li',
            { class: tones[step.state] ?? 'quiet' },
            element('span', { class: 'step-name' }, step.name),
            element(
              'span',
              { class: 'muted' },
              step.state === 'succeeded' && step.startedAt && step.endedAt
                ? took(step.startedAt, step.endedAt)
                : step.state,
            ),
            step.why && element('span', { class: 'why muted' }, step.why),
            step.error && element('span', { class: 'error' }, lastSaid(step.error.message)),
            step.error && command(`./bin/tidemill logs ${lastRun.id}/${step.name}${of}`),
          ),
        ),
      ),
    ];
  });
}

const took = (from, to) => duration(new Date(to).getTime() - new Date(from).getTime());

export function drawDatasets({ datasets }) {
  if (datasets.length === 0) return none('No dataset is declared.');
  return [
    element(
      'table',
      {},
      element('thead', {}, element('tr', {}, th('Dataset'), th('Rows', 'number'), th('Newest row'))),
      element(
        'tbody',
        {},
        ...datasets.map((dataset) =>
          element(
            'tr',
            {},
            element(
              'th',
              { scope: 'row' },
              dataset.name,
              dataset.version !== undefined && element('span', { class: 'muted' }, `@${dataset.version}`),
              dataset.ingesting && badge('landing', 'busy'),
            ),
            element('td', { class: 'number' }, dataset.rows === undefined ? '–' : count(dataset.rows)),
            element(
              'td',
              {},
              dataset.timeMax === undefined ? '–' : instant(dataset.timeMax, day(dataset.timeMax)),
              element(
                'div',
                { class: 'muted' },
                ...(dataset.landedAt === undefined
                  ? ['nothing landed yet']
                  : ['landed ', instant(dataset.landedAt, ago(dataset.landedAt))]),
              ),
            ),
          ),
        ),
      ),
    ),
  ];
}

export function drawAlerts({ alerts }) {
  if (alerts.length === 0) return none('Nothing has gone wrong.');
  return [
    element(
      'ul',
      { class: 'list' },
      ...alerts.map((alert) =>
        element(
          'li',
          {},
          element(
            'p',
            { class: 'line' },
            state(alert.state === 'open' ? alert.severity : 'resolved'),
            element('strong', {}, alert.title),
          ),
          element(
            'p',
            { class: 'muted small' },
            alert.reference,
            ', opened ',
            instant(alert.openedAt, ago(alert.openedAt)),
            alert.count > 1 ? `, seen ${count(alert.count)} times` : '',
            alert.resolvedReason === undefined ? '' : `; over: ${alert.resolvedReason}`,
          ),
          alert.state === 'open' && alert.note !== undefined && element('p', { class: 'muted small' }, alert.note),
        ),
      ),
    ),
  ];
}

export function drawTriggers({ triggers }) {
  if (triggers.length === 0) return none('Nothing starts a pipeline by itself: declare it under `triggers:`.');
  return [
    element(
      'ul',
      { class: 'list' },
      ...triggers.map(({ when, run, last, nextAt }) =>
        element(
          'li',
          {},
          element(
            'p',
            { class: 'line' },
            element('code', {}, when),
            element('span', { 'aria-hidden': 'true' }, '→'),
            element('code', {}, run),
          ),
          element(
            'p',
            { class: 'muted small' },
            last === undefined ? 'has not fired yet' : state(last.state),
            last === undefined ? '' : ` ${day(last.clockAt)}${last.reason === undefined ? '' : `: ${last.reason}`}`,
            nextAt === undefined ? '' : `, next ${day(nextAt)} ${clock(nextAt)}`,
          ),
        ),
      ),
    ),
  ];
}

export function drawEvents({ events }) {
  if (events.length === 0) return none('Nothing yet.');
  return [
    element(
      'ol',
      { class: 'events' },
      ...events.map(({ at, type, subject, actor }) =>
        element(
          'li',
          {},
          instant(at, clock(at)),
          element('span', { class: 'type' }, type),
          element('span', { class: 'subject' }, subject),
          element('span', { class: 'muted' }, actor),
        ),
      ),
    ),
  ];
}
