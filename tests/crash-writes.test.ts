import { createHash, randomBytes } from 'node:crypto';
import { type ClientRequest, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { decideApproval, listApprovals, setApprovalPolicy } from '../src/contracts/approvals.ts';
import { findMissingArtifacts, listArtifacts } from '../src/contracts/artifacts.ts';
import { getRun, startRun } from '../src/contracts/pipelines.ts';
import { getModel, listPromotions } from '../src/contracts/registry.ts';
import type { Client } from '../src/sdk/index.ts';
import { createTestProject } from './support/project.ts';
import { type RunningPair, startPair } from './support/running-server.ts';
import { copyingPipeline, flightRows, modelBytes } from './support/served-model.ts';

const testTimeoutMs = 120_000;
const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function put(client: Client, bytes: Uint8Array): Promise<string> {
  const sha256 = digestOf(bytes);
  await client.request(`/api/v1/artifacts/${sha256}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Blob([new Uint8Array(bytes)]),
  });
  return sha256;
}

/** What the server gives back of it: the very bytes, or nothing. */
async function read(client: Client, sha256: string): Promise<'whole' | 'nothing' | 'broken'> {
  const answer = await fetch(`${client.url}/api/v1/artifacts/${sha256}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (answer.status === 404) return 'nothing';
  return answer.ok && digestOf(bytes) === sha256 ? 'whole' : 'broken';
}

/** An upload that has sent its first half and never sends the rest. */
async function halfUpload(client: Client, bytes: Uint8Array): Promise<ClientRequest> {
  const sending = request(`${client.url}/api/v1/artifacts/${digestOf(bytes)}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', 'content-length': bytes.length },
  });
  sending.on('error', () => undefined); // it is cut
  const half = bytes.subarray(0, bytes.length / 2);
  await new Promise<void>((resolve) => sending.write(half, () => resolve()));
  return sending;
}

describe('kill -9 of the control plane', () => {
  test(
    'during uploads keeps what was acknowledged, shows nothing of what was cut, and takes it again',
    async () => {
      const pair = await startPair();
      for (const afterMs of [0, 7, 31]) {
        const client = pair.client();
        const acknowledged: string[] = [];
        const unanswered: string[] = [];
        let stopped = false;
        const callers = Array.from({ length: 4 }, async () => {
          while (!stopped && acknowledged.length < 400) {
            const bytes = randomBytes(100_000);
            await put(client, bytes).then(
              (sha256) => acknowledged.push(sha256),
              () => unanswered.push(digestOf(bytes)),
            );
            if (unanswered.length > 0) break;
          }
        });
        const large = randomBytes(2_000_000);
        const cut = await halfUpload(client, large);
        await expect.poll(() => acknowledged.length, { timeout: 30_000, interval: 2 }).toBeGreaterThan(40);
        await delay(afterMs);
        await pair.killControlPlane();
        stopped = true;
        await Promise.all(callers);
        cut.destroy();

        await pair.up();
        for (const sha256 of acknowledged) expect(await read(client, sha256)).toBe('whole');
        const { missing } = await client.call(findMissingArtifacts, {
          body: { digests: [...acknowledged, ...unanswered, digestOf(large)] },
        });
        expect(missing).toContain(digestOf(large));
        expect(missing.filter((sha256) => acknowledged.includes(sha256))).toEqual([]);
        for (const sha256 of unanswered)
          expect(await read(client, sha256)).toBe(missing.includes(sha256) ? 'nothing' : 'whole');
        expect(await read(client, digestOf(large))).toBe('nothing');
        const held = await client.call(listArtifacts, { query: { sha256: digestOf(large) } });
        expect(held.items).toEqual([]);
        await put(client, large);
        expect(await read(client, digestOf(large))).toBe('whole');
      }
    },
    testTimeoutMs,
  );

  test(
    "between a promotion's writes leaves alias, promotion and checks in agreement, and none undecided",
    async () => {
      const pair = await startPair();
      const project = await createTestProject(
        pair.client(),
        `project: flights\ndatasets:\n  flights: { source: data/*.csv, time: time_hour }\npipelines:\n${models
          .map((model) => `  ${model}:${copyingPipeline(model, ', approvals: [risk]')}`)
          .join('')}`,
      );
      await project.write('model.onnx', await modelBytes());
      await project.write('data/flights.csv', flightRows);
      await project.apply();
      await project.land('flights');
      const client = await project.client();
      await client.call(setApprovalPolicy, { params: { name: 'risk' }, body: { selfApproval: true } });
      const runs: string[] = [];
      for (let turn = 0; turn < 3; turn += 1)
        for (const name of models) {
          const mark = String(turn).padStart(8, '0');
          runs.push((await client.call(startRun, { params: { name }, body: { params: { mark } } })).id);
        }

      // the same address after each start; a call that finds nobody there is made again
      const granted = new Set<string>();
      let ended = false;
      const grantAll = async (): Promise<void> => {
        for (const until = Date.now() + 60_000; !ended && Date.now() < until; await delay(5)) {
          const { items } = await client
            .call(listApprovals, { query: { state: 'pending', limit: 100 } })
            .catch(() => ({ items: [] }));
          for (const { id } of items)
            await client
              .call(decideApproval, { params: { approvalId: id }, body: { granted: true, reason: 'looks well' } })
              .then(() => granted.add(id))
              .catch(() => undefined); // taken back by a newer version, decided already, or nobody there
        }
      };
      const granting = grantAll();
      for (const count of [1, 3, 6]) {
        await expect.poll(() => endsOf(pair), { timeout: 60_000, interval: 5 }).toBeGreaterThanOrEqual(count);
        await delay(Math.random() * 20);
        await pair.killControlPlane();
        expect(disagreements(pair)).toEqual([]);
        await pair.up();
      }
      for (const runId of runs) {
        const run = await client.call(getRun, { params: { runId }, query: { wait: 60 } });
        expect(run.steps.map(({ step, error }) => [step, error?.message])).toEqual(
          run.steps.map(({ step }) => [step, undefined]),
        );
      }
      const promotions = async () => (await client.call(listPromotions, { query: { limit: 100 } })).items;
      await expect
        .poll(async () => (await promotions()).filter(({ state }) => state === 'open').length, { timeout: 60_000 })
        .toBe(0);
      ended = true;
      await granting;

      const all = await promotions();
      expect(all).toHaveLength(runs.length);
      expect(disagreements(pair)).toEqual([]);
      for (const name of models) {
        const { aliases } = await client.call(getModel, { params: { model: name } });
        expect(aliases).toEqual([{ alias: 'champion', version: 3 }]);
      }
      // what was acknowledged is what the check says
      const unheard = async (): Promise<readonly string[]> => {
        const checks = (await promotions()).flatMap((promotion) => promotion.checks);
        return [...granted].filter((id) => checks.find((one) => one.approvalId === id)?.state !== 'satisfied');
      };
      await expect.poll(unheard, { timeout: 30_000 }).toEqual([]);
    },
    testTimeoutMs,
  );
});

const models = ['a', 'b', 'c'];

function inDatabase<T>(pair: RunningPair, question: (database: Sqlite.Database) => T): T {
  const database = new Sqlite(join(pair.home, 'tidemill.db'), { readonly: true });
  try {
    return database.transaction(question)(database);
  } finally {
    database.close();
  }
}

/** How many promotions have ended; one that a newer version overtakes is rejected. */
const endsOf = (pair: RunningPair): number =>
  inDatabase(pair, (database) =>
    Number(
      database
        .prepare("select count(*) from events where type in ('promotion.completed', 'promotion.rejected')")
        .pluck()
        .get(),
    ),
  );

/** Where the tables and the log of events tell different stories; read at one moment, of a server that may be dead. */
const disagreements = (pair: RunningPair): readonly unknown[] =>
  inDatabase(pair, (database) => database.prepare(disagreement).all());

const disagreement = `
  with promotion as (
    select p.*, m.name as model,
      (select count(*) from registry_promotion_checks c where c.promotion_id = p.promotion_id) as checks,
      (select count(*) from registry_promotion_checks c where c.promotion_id = p.promotion_id and c.state = 'satisfied') as satisfied
    from registry_promotions p join registry_models m on m.model_key = p.model_key
  ),
  told as (select type, json_extract(data, '$.promotionId') as promotion_id, data from events)
  select promotion_id as what, 'completed without every check, or open with all' as why from promotion
    where (state = 'completed') <> (checks = satisfied) and state <> 'rejected'
  union all
  select p.promotion_id, 'its end was told ' || count(t.type) || ' times' from promotion p
    left join told t on t.promotion_id = p.promotion_id and t.type in ('promotion.completed', 'promotion.rejected')
    group by p.promotion_id, p.state having count(t.type) <> (p.state <> 'open')
  union all
  select c.promotion_id || '/' || c.check_name, 'its decision was told ' || count(t.type) || ' times'
    from registry_promotion_checks c
    left join told t on t.promotion_id = c.promotion_id and t.type = 'promotion.check.decided'
      and json_extract(t.data, '$.check') = c.check_name
    group by c.promotion_id, c.check_name, c.state having count(t.type) <> (c.state <> 'pending')
  union all
  select p.model, 'the alias names ' || coalesce(a.version, 'nothing') || ', the last one promoted is ' || max(p.version)
    from promotion p left join registry_aliases a on a.model_key = p.model_key and a.alias = p.alias
    where p.state = 'completed' group by p.model having a.version is null or a.version <> max(p.version)
  union all
  select m.name, 'alias without a promotion' from registry_aliases a join registry_models m on m.model_key = a.model_key
    where not exists (select 1 from promotion p where p.model_key = a.model_key and p.version = a.version and p.state = 'completed')
  union all
  select m.name, 'an alias moved unlike the promotions that were completed'
    from registry_models m
    where (select count(*) from promotion p where p.model_key = m.model_key and p.state = 'completed') <>
      (select count(*) from told t where t.type = 'registry.alias.moved' and json_extract(t.data, '$.model') = m.name)`;
