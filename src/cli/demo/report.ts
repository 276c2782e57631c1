import { listAlerts } from '#contracts/alerts';
import { getDeployment } from '#contracts/deployments';
import type { Client } from '../../sdk/index.ts';
import { endpoint, type Tally } from './replay.ts';

/** What the replay has shown, from the server's own numbers. */
export interface DemoReport {
  readonly tally: Tally;
}

export async function weekLine(client: Client, from: string, until: string): Promise<string> {
  const { status } = await client.call(getDeployment, { params: { name: endpoint }, query: {} });
  const alerts = await client.call(listAlerts, { query: {} });
  const serves = status.traffic.map(({ version, basisPoints }) => `v${version} ${basisPoints / 100} %`).join(', ');
  return `${from} – ${until}: serves ${serves}; ${alerts.items.length} alerts`;
}

export async function collectReport(
  _client: Client,
  options: { readonly from: string; readonly until: string; readonly seed: number; readonly tally: Tally },
): Promise<DemoReport> {
  return { tally: options.tally };
}
