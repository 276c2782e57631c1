import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { aControlPlane, aPlane, ready } from './testing/plane-in-test.ts';
import { aHome, anEndpoint, buildTimeoutMs, fixture, post } from './testing/test-plane.ts';

/** `slow.onnx` turns so often: some milliseconds a row on any machine, so that few clients are far above its capacity. */
const body = JSON.stringify({ inputs: [{ name: 'turns', shape: [1], datatype: 'INT64', data: [20] }] });
const head = `POST /v2/models/slow/infer HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;

/** A client that goes away before its answer, or that sends half a body and then nothing. */
function badClient(port: number, sends: string, leavesAfterMs: number | undefined): Socket {
  const socket = connect(port, '127.0.0.1', () => {
    socket.write(sends);
    if (leavesAfterMs !== undefined) setTimeout(() => socket.destroy(), leavesAfterMs);
  });
  socket.on('error', () => undefined); // cut by either side, which is what it is for
  return socket;
}

test(
  'far above its capacity it refuses with 503, drops who has left, keeps its memory, and answers at once when it is over',
  async () => {
    const control = await aControlPlane();
    const revision = control.revision('r1', fixture('slow.onnx'), { maxBatchRows: 1 });
    control.publish({ endpoints: [anEndpoint([revision], { name: 'slow', limits: { maxQueued: 16 } })] });
    const plane = await aPlane(control, aHome());
    await ready(control, 1);
    const infer = `${plane.url}/v2/models/slow/infer`;
    const port = Number(new URL(plane.url).port);
    expect((await post(infer, body)).status).toBe(200);

    // A queue of 16, ten times as many clients, half of which are slow or leave.
    const slow = Array.from({ length: 40 }, () => badClient(port, head + body.slice(0, 20), undefined));
    const leavers: Socket[] = [];
    const statuses = new Map<number, number>();
    let retryAfter: string | null = null;
    const untilMs = performance.now() + 2_000;
    const loops = Array.from({ length: 80 }, async () => {
      while (performance.now() < untilMs) {
        const answer = await post(infer, body);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status === 503) retryAfter = answer.headers.get('retry-after');
      }
    });
    const leaving = (async () => {
      while (performance.now() < untilMs) {
        leavers.push(...Array.from({ length: 4 }, () => badClient(port, head + body, 5)));
        await new Promise((resolve) => setTimeout(resolve, 20)); // the pace of a load, not a wait for something
      }
    })();
    const before = process.memoryUsage().rss;
    await Promise.all([...loops, leaving]);
    expect(new Set(statuses.keys())).toEqual(new Set([200, 503]));
    expect(retryAfter).toBe('1');
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 ** 2);

    // Nothing of it is left: the next one is answered though the slow ones still hold their connections.
    const answers = [await post(infer, body), await post(infer, body)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const figures = async () => (await fetch(`${plane.url}/metrics`)).text();
    expect(await figures()).toMatch(/tidemill_serving_errors_total\{[^}]*kind="abandoned"\} [1-9]/);
    // who has left may still be dropped
    await expect.poll(figures).toContain('tidemill_serving_pending{project="default",endpoint="slow",revision="r1"} 0');
    for (const socket of [...slow, ...leavers]) socket.destroy();
  },
  buildTimeoutMs,
);
