/** What of an overview is said first: which model is the one that the loop is about, and how near its goal it is. */

/** Those that are served, then those that pipelines make, then others, as one that somebody has logged by the way. */
export function modelsOfLoop({ models, deployments, pipelines }) {
  const served = deployments.flatMap(({ traffic }) => traffic.map(({ model }) => model));
  const made = pipelines.flatMap(({ lastRun }) => lastRun?.model?.replace(/^model:/, '').split('@')[0] ?? []);
  const order = [...served, ...made];
  const rank = ({ name }) => (order.includes(name) ? order.indexOf(name) : order.length);
  return models.toSorted((a, b) => rank(a) - rank(b));
}

/**
 * The figure of the goal's metric and what may be said of it: `met` and `missed` only where there is data enough and the
 * interval leaves no doubt.
 */
export function standingOf(overview) {
  const { name, target } = overview.goal?.metric ?? {};
  const watching = overview.monitors.filter(({ metric = 'auc' }) => metric === name);
  const live = watching.map(newestOf).find((one) => one !== undefined);
  const tested = modelsOfLoop(overview)
    .map(({ champion }) => champion?.metrics?.[name])
    .find((one) => one !== undefined);
  const now = live ?? tested;
  return { now, isLive: live !== undefined, ...judge(now, target) };
}

function newestOf({ metric = 'auc', history, window }) {
  const point = history.findLast(({ value }) => value !== undefined);
  if (point === undefined) return undefined;
  const verdict = window?.end === point.end && window.verdicts.find((one) => one.metric === metric);
  return { ...point, state: verdict ? verdict.state : point.state };
}

const meets = {
  '>=': (value, bound) => value >= bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '<': (value, bound) => value < bound,
  '==': (value, bound) => value === bound,
};

function judge(now, target) {
  const [, sign, number] = /^(>=|<=|>|<|==)\s*(-?[\d.]+)$/.exec(target ?? '') ?? [];
  if (now === undefined || sign === undefined) return {};
  const bound = Number(number);
  if (now.state === 'not-enough-data') return { word: 'not enough data' };
  if (now.lower < bound && bound < now.upper) return { word: 'undecided' };
  return meets[sign](now.value, bound) ? { word: 'met', tone: 'good' } : { word: 'missed', tone: 'bad' };
}
