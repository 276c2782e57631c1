import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import type { SpecEndpoint } from '#contracts/deployment-spec';
import { createTestClient, inferMessage } from './grpc/testing/grpc-client.ts';
import { aControlPlane, ready } from './testing/plane-in-test.ts';
import { startPlaneProcess } from './testing/plane-process.ts';
import { aHome, anEndpoint, buildTimeoutMs, columnsBody, fixture, post } from './testing/test-plane.ts';

const mebibyte = 1024 ** 2;
/**
 * What requests and answers may hold together here, and by how much more memory the process may grow: what is made of a request
 * while it runs is several times as long. Without the bound the same clients take 1,200 to 2,000 MB.
 */
const requestMemory = 64 * mebibyte;
const mostGrowthMb = 800;

/** `slow.onnx` turns so often: some milliseconds a row on any machine, so that few clients are far above its capacity. */
const turns = { name: 'turns', shape: [1], datatype: 'INT64' };
const slowBody = JSON.stringify({ inputs: [{ ...turns, data: [20] }] });
const slowMessage = { model_name: 'slow', inputs: [{ ...turns, contents: { int64_contents: [20] } }] };
/** The model gives back its text: an answer as long as the question. */
const longText = 'x'.repeat(16 * mebibyte);

/** The data plane in a process of its own, with a model that takes its time and one that gives back what it is given. */
async function aPlane(limits: SpecEndpoint['limits'] = {}, more: readonly string[] = []) {
  const control = await aControlPlane();
  const capture = { enabled: false }; // what is looked at is what requests hold
  const slow = control.revision('slow', fixture('slow.onnx'), { maxBatchRows: 1 });
  const echo = control.revision('echo', fixture('columns-1.onnx'), { maxBatchRows: 1 });
  control.publish({
    endpoints: [anEndpoint([slow], { name: 'slow', limits, capture }), anEndpoint([echo], { name: 'echo', capture })],
  });
  const plane = await startPlaneProcess(control, aHome(), ['--request-memory-bytes', `${requestMemory}`, ...more]);
  await ready(control, 1);
  const client = createTestClient(plane.grpcAddress);
  onTestFinished(() => client.close());
  const ask = () => post(`${plane.url}/v2/models/slow/infer`, slowBody);
  expect((await ask()).status).toBe(200);
  const beforeMb = plane.residentMb();
  return {
    ...plane,
    client,
    ask,
    call: () => client.call('ModelInfer', slowMessage),
    grownMb: () => plane.residentMb() - beforeMb,
    figure: async (name: string) => {
      const text = await (await fetch(`${plane.url}/metrics`)).text();
      return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, 'm').exec(text)?.[1]);
    },
  };
}

const requestOf = (model: string, body: string): string =>
  `POST /v2/models/${model}/infer HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

/** A connection that has sent some bytes and reads nothing; it ends with its test. */
function aSocket(address: string, bytes: string | Buffer = ''): Socket {
  const [host = '', port = ''] = address.replace('http://', '').split(':');
  const socket = connect(Number(port), host, () => socket.write(bytes));
  socket.on('error', () => undefined); // cut by either side, which is what it is for
  socket.pause();
  onTestFinished(() => void socket.destroy());
  return socket;
}

const closing = (socket: Socket) => new Promise((resolve) => void socket.resume().once('close', resolve));

/** A client over gRPC whose window never opens: what is answered stays where it is. */
function aDeafCaller(address: string, call: string, message: Buffer): ClientHttp2Session {
  const session = connectHttp2(`http://${address}`, { settings: { initialWindowSize: 0 } });
  session.on('error', () => undefined);
  const stream = session.request({
    ':method': 'POST',
    ':path': `/inference.GRPCInferenceService/${call}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined);
  stream.pause();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.write(Buffer.concat([head, message]));
  if (call === 'ModelInfer') stream.end();
  onTestFinished(() => session.destroy());
  return session;
}

test(
  'far above its capacity it refuses with 503 and UNAVAILABLE, drops who has left, keeps its memory, and answers at once when it is over',
  async () => {
    const plane = await aPlane({ maxQueued: 16 });
    // A queue of 16, ten times as many clients, half of which are slow or leave.
    const half = requestOf('slow', slowBody).slice(0, -10);
    for (let index = 0; index < 40; index += 1) aSocket(plane.url, half);
    const [statuses, codes] = [new Set<number>(), new Set<number>()];
    let retryAfter: string | null = null;
    const untilMs = performance.now() + 2_000;
    const isOn = () => performance.now() < untilMs;
    const rest = Array.from({ length: 40 }, async () => {
      while (isOn()) {
        const answer = await plane.ask();
        statuses.add(answer.status);
        if (answer.status === 503) retryAfter = answer.headers.get('retry-after');
      }
    });
    const grpc = Array.from({ length: 40 }, async () => {
      while (isOn()) codes.add((await plane.call()).code);
    });
    const leaving = (async () => {
      while (isOn()) {
        const leavers = Array.from({ length: 4 }, () => aSocket(plane.url, requestOf('slow', slowBody)));
        void plane.client.call('ModelInfer', slowMessage, { started: (cancel) => setTimeout(cancel, 5) });
        await new Promise((resolve) => setTimeout(resolve, 20)); // the pace of a load, not a wait for something
        for (const socket of leavers) socket.destroy();
      }
    })();
    await Promise.all([...rest, ...grpc, leaving]);
    expect(statuses).toEqual(new Set([200, 503]));
    expect(codes).toEqual(new Set([status.OK, status.UNAVAILABLE]));
    expect(retryAfter).toBe('1');
    expect(plane.grownMb()).toBeLessThan(mostGrowthMb);

    // Nothing of it is left: the next ones are answered though the slow ones still hold their connections.
    expect([(await plane.ask()).status, (await plane.call()).code]).toEqual([200, status.OK]);
    expect(await plane.figure('tidemill_serving_errors_total\\{[^}]*kind="abandoned"\\}')).toBeGreaterThan(0);
    await expect.poll(() => plane.figure('tidemill_serving_pending')).toBe(0); // who has left may still be dropped
    await expect
      .poll(() => plane.figure('tidemill_serving_request_memory_bytes'))
      .toBeLessThanOrEqual(40 * half.length);
  },
  buildTimeoutMs,
);

test(
  'clients that read no answers, or stop in the middle of a body, hold a bounded memory and are cut when others need it',
  async () => {
    const plane = await aPlane();
    const body = JSON.stringify({
      inputs: columnsBody(1).inputs.map((input) => (input.name === 'carrier' ? { ...input, data: [longText] } : input)),
    });
    const whole = requestOf('echo', body);
    const message = inferMessage({
      model_name: 'echo',
      inputs: [
        { name: 'carrier', datatype: 'BYTES', shape: [1, 1], contents: { bytes_contents: [Buffer.from(longText)] } },
        { name: 'flight', datatype: 'INT64', shape: [1, 1], contents: { int64_contents: [1] } },
        { name: 'distance', datatype: 'FP32', shape: [1, 1], contents: { fp32_contents: [1] } },
      ],
    });
    // each would take the memory of many: what they ask for together is twelve times what may be held
    for (let index = 0; index < 48; index += 4) {
      aSocket(plane.url, whole);
      aSocket(plane.url, whole.slice(0, -10));
      aDeafCaller(plane.grpcAddress, 'ModelInfer', message);
      aDeafCaller(plane.grpcAddress, 'ModelStreamInfer', message);
    }
    // and whoever behaves is refused at worst while they are new: each that asks may have one of them cut
    const polled = { timeout: 20_000 };
    await expect.poll(async () => (await plane.ask()).status, polled).toBe(200);
    await expect.poll(async () => (await plane.call()).code, polled).toBe(status.OK);
    // a long one finds no room beside theirs
    const askLong = () => post(`${plane.url}/v2/models/echo/infer`, body);
    const isCut = async () => (await askLong(), plane.figure('tidemill_serving_slow_clients_cut_total'));
    await expect.poll(isCut, polled).toBeGreaterThan(0);
    expect(await plane.figure('tidemill_serving_request_memory_bytes')).toBeLessThanOrEqual(2 * requestMemory);
    expect(plane.grownMb()).toBeLessThan(mostGrowthMb);
  },
  buildTimeoutMs,
);

test(
  'connections that say nothing cost little, and beyond the limit further ones are closed, not those that are there',
  async () => {
    const plane = await aPlane({}, ['--max-connections', '600']);
    const idle = [plane.url, plane.grpcAddress].flatMap((address) =>
      Array.from({ length: 500 }, () => aSocket(address)),
    );
    await expect.poll(() => idle.filter(({ connecting }) => connecting).length).toBe(0);
    expect([(await plane.ask()).status, (await plane.call()).code]).toEqual([200, status.OK]);
    expect(plane.grownMb()).toBeLessThan(100);
    await Promise.race(
      [plane.url, plane.grpcAddress].flatMap((address) => Array.from({ length: 110 }, () => closing(aSocket(address)))),
    );
    expect((await plane.call()).code).toBe(status.OK); // on its connection, which is older
  },
  buildTimeoutMs,
);
