import { type AlertView, listAlerts } from '#contracts/alerts';
import { getDeployment } from '#contracts/deployments';
import { compareMonitor, getMonitor, listWindows } from '#contracts/monitoring';
import type { ComparedGroup } from '#contracts/worker-predictions';
import type { Client } from '../../sdk/index.ts';
import { formatTable } from '../output.ts';
import { nextDay } from './demo-project.ts';
import type { Happening } from './happenings.ts';
import { endpoint, type Tally } from './replay.ts';

interface Compared {
  readonly live: number;
  readonly first: number;
  readonly difference: number;
  readonly lower: number;
  readonly upper: number;
}

export interface MonthRow {
  readonly month: string;
  readonly rows: number;
  readonly versions: readonly string[];
  /** First model left alone beside the live one, on the same rows; live minus first. */
  readonly auc?: Compared;
  readonly logLoss?: Compared;
}

/** What the replay has shown, from the server's own numbers. */
export interface DemoReport {
  readonly share: number;
  readonly seed: number;
  readonly seconds: number;
  readonly predictions: Tally;
  readonly months: readonly MonthRow[];
  readonly total?: MonthRow;
  /** The months in which the season has moved away from what the first model knew. */
  readonly julyAugust?: MonthRow;
  readonly happenings: readonly Happening[];
  readonly url: string;
  /** Where the project's own files lie: tidemill.yaml, steps, data. */
  readonly folder: string;
}

/** How far back the AUC of a weekly line looks: as far as the monitor's window; a week alone has too few flights to tell. */
const aucLooksBackDays = 28;
/** The line shows no interval, so few resamples do. */
const fewResamples = 10;

const weekColumns = [
  'week'.padEnd(16),
  'predictions',
  'AUC live',
  'first',
  'drifted',
  'open alerts',
  'triggered',
  'serves',
];
const inColumns = (cells: readonly string[]): string =>
  cells
    .map((cell, at) => (at < 5 ? cell.padStart(weekColumns[at]?.length ?? 0) : cell.padEnd(Math.max(18, cell.length))))
    .join('  ')
    .trimEnd();

/** The columns and what they mean, with the monitor's own target and least number of labelled rows. */
export async function readWeekHeading(client: Client): Promise<string> {
  const { spec } = await client.call(getMonitor, { params: { name: endpoint }, query: {} });
  const { auc = '', min_labelled: least = '' } = spec.performance ?? {};
  return [
    inColumns(weekColumns),
    `(AUC: of the ${aucLooksBackDays} days until then, live and first model on the same flights; target ${auc};`,
    ` *: too few for a verdict, which needs min_labelled (${least}) predictions of the version in charge with known truth;`,
    '    and no alert opens before the evidence is clear, whatever a single figure says;',
    ' drifted: columns unlike the training data of the version in charge; drift warns, and retrains nothing)',
  ].join('\n');
}

/** A week in a line: how many predictions, how good, what drifts, what is open, what was triggered, what serves. */
export async function readWeek(
  client: Client,
  options: {
    readonly from: string;
    readonly until: string;
    readonly asked: number;
    readonly week: readonly Happening[];
  },
): Promise<string> {
  const { from, until, asked, week } = options;
  const [{ status }, alerts, windows, compared] = await Promise.all([
    client.call(getDeployment, { params: { name: endpoint }, query: {} }),
    client.call(listAlerts, { query: { state: 'open' } }),
    client.call(listWindows, { params: { name: endpoint }, query: { limit: 1 } }),
    client.call(compareMonitor, {
      params: { name: endpoint },
      query: {
        by: 'all',
        from: `${nextDay(until, 1 - aucLooksBackDays)}T00:00:00Z`,
        to: `${nextDay(until)}T00:00:00Z`,
        resamples: fewResamples,
      },
    }),
  ]);
  const auc = compared.total?.auc;
  const verdict = windows.items[0]?.verdicts.find(({ metric }) => metric === 'auc');
  const mark = verdict === undefined || verdict.state === 'not-enough-data' ? '*' : ' ';
  const serves = status.traffic
    .filter(({ basisPoints }) => basisPoints > 0)
    .map(({ version, basisPoints }) => `v${version} ${basisPoints / 100} %`);
  return inColumns([
    `${from} … ${until.slice(5)}`,
    String(asked),
    auc === undefined ? '–' : `${three(auc.live)}${mark}`,
    three(auc?.shadow) ?? '–',
    String(windows.items[0]?.drifted.length ?? 0),
    alerts.items.map(openAlert).join(', ') || '–',
    week.flatMap(({ type, text }) => (type === 'trigger.fired' ? [text.replace('trigger: ', '')] : [])).join(', ') ||
      '–',
    serves.join(' + ') || 'nothing',
  ]);
}

/** An alert that stays open says since when, on the replay's clock. */
export function openAlert({ kind, evidence }: Pick<AlertView, 'kind' | 'evidence'>): string {
  const since = typeof evidence === 'object' && evidence !== null && 'since' in evidence ? evidence.since : undefined;
  return typeof since === 'string' ? `${kind} since ${since.slice(5, 10)}` : kind;
}

const summer = { from: '2013-07-01' } as const;

export async function collectMonths(
  client: Client,
  options: { readonly from: string; readonly until: string; readonly seed: number },
): Promise<Pick<DemoReport, 'months' | 'total' | 'julyAugust'>> {
  const compare = async (by: 'month' | 'all', from: string, until: string) =>
    client.call(compareMonitor, {
      params: { name: endpoint },
      query: { by, from: `${from}T00:00:00Z`, to: `${until}T00:00:00Z`, seed: options.seed },
    });
  const compared = await compare('month', options.from, options.until);
  const late = options.until > summer.from ? await compare('all', summer.from, options.until) : undefined;
  return {
    months: compared.groups.map((group) => toRow(group, new Date(group.fromMs).toISOString().slice(0, 7))),
    ...(compared.total && { total: toRow(compared.total, 'all') }),
    ...(late?.total && { julyAugust: toRow(late.total, 'Jul–Aug') }),
  };
}

function toCompared(metric: NonNullable<ComparedGroup['auc']>): Compared {
  return {
    live: metric.live,
    first: metric.shadow,
    difference: metric.difference,
    lower: metric.lower,
    upper: metric.upper,
  };
}

function toRow(group: ComparedGroup, month: string): MonthRow {
  return {
    month,
    rows: group.rows,
    versions: group.liveModels.map(({ model }) => `v${model.split('@')[1]}`),
    ...(group.auc && { auc: toCompared(group.auc) }),
    ...(group.logLoss && { logLoss: toCompared(group.logLoss) }),
  };
}

const three = (value: number | undefined): string | undefined => value?.toFixed(3);
const signed = (metric: Compared | undefined): string | undefined =>
  metric &&
  `${metric.difference >= 0 ? '+' : ''}${metric.difference.toFixed(3)} [${metric.lower.toFixed(3)}, ${metric.upper.toFixed(3)}]`;

/**
 * The table by month, then what happened when, then where to look.
 * @param tidemill how it is called here
 * @param exit the server is about to be stopped
 */
export function printReport(report: DemoReport, tidemill: string, exit: boolean): string {
  const { asked, refused, lacking } = report.predictions;
  const table = formatTable(
    [...report.months, ...(report.julyAugust ? [report.julyAugust] : []), ...(report.total ? [report.total] : [])],
    [
      { title: 'month', value: ({ month }) => month },
      { title: 'rows', value: ({ rows }) => rows },
      { title: 'live', value: ({ versions }) => versions.join(' ') },
      { title: 'auc first', value: ({ auc }) => three(auc?.first) },
      { title: 'auc live', value: ({ auc }) => three(auc?.live) },
      { title: 'difference [95 %]', value: ({ auc }) => signed(auc) },
      { title: 'log-loss first', value: ({ logLoss }) => three(logLoss?.first) },
      { title: 'log-loss live', value: ({ logLoss }) => three(logLoss?.live) },
      { title: 'difference [95 %]', value: ({ logLoss }) => signed(logLoss) },
    ],
    'No month has truth yet.',
  );
  const happened = report.happenings
    .filter(({ type }) => type !== 'model.version.proposed' && type !== 'step.finished')
    .map(({ day, text }) => `  ${day}  ${text}`)
    .join('\n');
  const prediction = report.predictions.samples.at(-1)?.prediction;
  return [
    '',
    `${asked} predictions in ${report.seconds} s, ${refused} refused; ${((100 * lacking) / Math.max(1, asked)).toFixed(1)} % of the rows lacked weather or delays.`,
    '',
    'The first model left alone beside the live one, on the same flights (difference = live - first, paired bootstrap over days;',
    'a higher AUC and a lower log-loss are better):',
    '',
    table,
    '',
    'What happened when:',
    happened,
    '',
    'Where to look:',
    exit ? `  ${tidemill} up   starts both planes again; then` : `  ${report.url}`,
    `  ${report.folder}   the project's folder: tidemill.yaml, steps, data`,
    ...(prediction === undefined ? [] : [`  ${tidemill} lineage prediction:${prediction} --project flights`]),
    `  ${tidemill} lineage model:late-arrival@champion --project flights`,
    `  ${tidemill} alert list --project flights`,
    ...(exit ? [] : [`  ${tidemill} down   ends both planes`]),
  ].join('\n');
}
