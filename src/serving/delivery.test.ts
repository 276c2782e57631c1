import { appendFileSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeFrames } from '#contracts/spool-frame-reader';
import { aControlPlane, aPlane, callInLoops, distanceOf, flush, ready, revisions } from './testing/plane-in-test.ts';
import { startPlaneProcess } from './testing/plane-process.ts';
import { aHome, anEndpoint, buildTimeoutMs, columnsBody, post } from './testing/test-plane.ts';

test(
  'serving goes on while the control plane is away, a restart needs it not, and all is delivered when it is back',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const home = aHome();
    const first = await aPlane(control, home, { drainMs: 100 });
    await ready(control, 1);
    await control.goAway();
    const ids: (string | null)[] = [];
    const call = async (url: string) => {
      const answer = await post(url, columnsBody(1));
      expect(answer.status).toBe(200);
      ids.push(answer.headers.get('x-tidemill-prediction-id'));
    };
    for (let turn = 0; turn < 10; turn += 1) await call(first.infer);
    await first.stop();
    const second = await aPlane(control, home);
    for (;;) if ((await fetch(`${second.url}/health/ready`)).ok) break;
    for (let turn = 0; turn < 10; turn += 1) await call(second.infer);
    control.refuseDeliveries(503);
    await control.comeBack();
    // what a start before left is named until it is delivered: the control plane counts what is not named as lost
    const report = await control.reported(({ boot }) => boot === second.boot);
    expect(report.spool.epochs).toEqual([
      { epoch: first.boot, next: 10, delivered: 0 },
      expect.objectContaining({ epoch: second.boot }),
    ]);
    control.refuseDeliveries(undefined);
    await flush(control, 1);
    expect(control.records.map(({ predictionId }) => predictionId)).toEqual(ids);
    expect(control.reports.at(-1)?.spool.epochs).toEqual([{ epoch: second.boot, next: 10, delivered: 10 }]);
  },
  buildTimeoutMs,
);

test(
  'a control plane that takes nothing slows deliveries only; one that forgot is told what is lost',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const spool = { maxBytes: 2 ** 30, segmentBytes: 2_000, segmentMs: 60_000 }; // three or so records a segment
    const plane = await aPlane(control, aHome(), { spool });
    await ready(control, 1);
    control.refuseDeliveries(503);
    for (let turn = 0; turn < 20; turn += 1) expect((await post(plane.infer, columnsBody(turn))).status).toBe(200);
    expect(control.records).toEqual([]);
    control.refuseDeliveries(undefined);
    await flush(control, 1);
    expect(control.records.map(({ inputs }) => inputs[2]?.data[0])).toEqual(
      Array.from({ length: 20 }, (_, index) => index),
    );
    control.forgetCursors();
    await post(plane.infer, columnsBody(20));
    await flush(control, 2);
    const [lost] = control.lostOffsets;
    expect(lost?.from).toBe(0);
    expect(control.records.filter((_, index) => index >= 20).map(({ inputs }) => inputs[2]?.data[0])).toEqual(
      Array.from({ length: 21 - (lost?.to ?? 0) }, (_, index) => index + (lost?.to ?? 0)),
    );
  },
  buildTimeoutMs,
);

test(
  'a frame that the control plane cannot read is set aside and declared lost, and delivery goes on',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const home = aHome();
    const plane = await aPlane(control, home);
    await ready(control, 1);
    control.refuseRecords((record) => [4, 9].includes(distanceOf(record)));
    for (let turn = 0; turn < 10; turn += 1) await post(plane.infer, columnsBody(turn));
    await flush(control, 1);
    expect(control.records.map(distanceOf)).toEqual([0, 1, 2, 3, 5, 6, 7, 8]);
    const source = `r/${plane.boot}`;
    expect(control.lostOffsets).toEqual([
      { epoch: source, from: 4, to: 5 },
      { epoch: source, from: 9, to: 10 },
    ]);
    const kept = readdirSync(join(home, 'refused')).toSorted();
    const frames = kept.flatMap((name) => decodeFrames(readFileSync(join(home, 'refused', name))).frames);
    expect(frames.map(({ record }) => distanceOf(record))).toEqual([4, 9]);
  },
  buildTimeoutMs,
);

test(
  'a full spool loses and counts, or refuses, as the endpoint says',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.refuseDeliveries(503);
    const refusing = anEndpoint([r1], {
      name: 'strict',
      capture: { enabled: true, onFull: 'refuse', durability: 'fsync' },
    });
    control.publish({
      endpoints: [anEndpoint([r1]), refusing, anEndpoint([r1], { name: 'silent', capture: { enabled: false } })],
    });
    const plane = await aPlane(control, aHome(), {
      drainMs: 100,
      spool: { maxBytes: 2_000, segmentBytes: 1_000, segmentMs: 60_000 },
    });
    await ready(control, 1);
    const call = async (name: string) => (await post(`${plane.url}/v2/models/${name}/infer`, columnsBody(1))).status;
    expect(await call('strict')).toBe(200);
    for (let turn = 0; turn < 5; turn += 1) expect(await call('m')).toBe(200);
    expect([await call('strict'), await call('m'), await call('silent')]).toEqual([503, 200, 200]);
    // The strict endpoint answered nothing that it could not keep: its refusal is counted, but not as an endpoint's loss.
    // A report may have left between the calls, before that.
    const report = await control.reported(
      ({ spool, endpoints }) =>
        spool.dropped >= 4 && endpoints.find(({ name }) => name === 'm')?.dropped === spool.dropped - 1,
    );
    expect(report.spool.bytes).toBeLessThanOrEqual(2_000);
    const droppedAt = (name: string) => report.endpoints.find((one) => one.name === name)?.dropped;
    expect(['strict', 'silent'].map(droppedAt)).toEqual([undefined, undefined]);
  },
  buildTimeoutMs,
);

test(
  'after kill -9 while predictions stream every answered one is in the spool exactly once, a segment cut in the middle included',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const home = aHome();
    const answeredIds: string[] = [];
    for (let life = 0; life < 3; life += 1) {
      const { url, kill } = await startPlaneProcess(control, home);
      for (;;) if ((await fetch(`${url}/v2/models/m/ready`)).ok) break;
      const calls = callInLoops(`${url}/v2/models/m/infer`, 16);
      await calls.reached(200);
      await kill();
      await calls.stop();
      answeredIds.push(...calls.answered.map(({ id }) => id));
      // What a power cut or a full disk leaves: half a frame behind the last whole one.
      const epochs = readdirSync(join(home, 'spool/local')).toSorted();
      const folder = join(home, 'spool/local', epochs.at(-1) ?? '');
      const last = join(folder, readdirSync(folder).toSorted().at(-1) ?? '');
      const { frames, readBytes } = decodeFrames(readFileSync(last));
      expect(frames.length).toBeGreaterThan(0);
      appendFileSync(last, readFileSync(last).subarray(0, 100));
      expect(decodeFrames(readFileSync(last)).readBytes).toBe(readBytes);
    }
    const { child } = await startPlaneProcess(control, home);
    await flush(control, 1);
    const counts = new Map<string, number>();
    for (const { predictionId } of control.records) counts.set(predictionId, (counts.get(predictionId) ?? 0) + 1);
    expect(answeredIds.filter((id) => counts.get(id) !== 1)).toEqual([]);
    expect([...counts.values()].every((count) => count === 1)).toBe(true);
    expect(control.lostOffsets).toEqual([]);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  },
  buildTimeoutMs,
);

test(
  'a segment damaged in the middle gives what lies before the damage and what lies after in later segments',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const home = aHome();
    const spool = { maxBytes: 2 ** 30, segmentBytes: 2_000, segmentMs: 60_000 };
    control.refuseDeliveries(503);
    const first = await aPlane(control, home, { spool, drainMs: 50 });
    await ready(control, 1);
    for (let turn = 0; turn < 20; turn += 1) await post(first.infer, columnsBody(turn));
    await first.stop();
    const folder = join(home, 'spool/r', first.boot);
    const [damaged = '', following = ''] = readdirSync(folder).toSorted();
    const kept = decodeFrames(readFileSync(join(folder, damaged))).frames.length - 1;
    truncateSync(join(folder, damaged), readFileSync(join(folder, damaged)).length - 10);
    control.refuseDeliveries(undefined);
    await aPlane(control, home, { spool });
    await flush(control, 1);
    const rows = control.records.map(({ inputs }) => Number(inputs[2]?.data[0]));
    const next = Number(following.slice(0, 16));
    expect(rows).toEqual([...Array(20).keys()].filter((row) => row < kept || row >= next));
    expect(control.lostOffsets).toEqual([{ epoch: `r/${first.boot}`, from: kept, to: next }]);
  },
  buildTimeoutMs,
);
