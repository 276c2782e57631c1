// The ceiling: bare-server.mjs <port> <model.onnx>. Requests are parsed and answered here, rows run in a worker thread, which
// gets whatever came in while it ran. No checks, no records, no figures.
import { createServer } from 'node:http';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

if (isMainThread) serve(Number(process.argv[2]), process.argv[3]);
else await work(workerData);

async function work(path) {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  parentPort.on('message', async (rows) => {
    const outputs = await session.run({ x: new Tensor('float32', rows, [rows.length / 30, 30]) });
    const [label, probabilities] = [outputs.label.data, outputs.probabilities.data];
    parentPort.postMessage({ label, probabilities }, [label.buffer, probabilities.buffer]);
  });
  parentPort.postMessage('ready');
}

function serve(port, path) {
  const worker = new Worker(new URL(import.meta.url), { workerData: path });
  let waiting = [];
  let running;
  const next = () => {
    if (running !== undefined || waiting.length === 0) return;
    running = waiting;
    waiting = [];
    const rows = new Float32Array(running.reduce((sum, { data }) => sum + data.length, 0));
    let at = 0;
    for (const { data } of running) {
      rows.set(data, at);
      at += data.length;
    }
    worker.postMessage(rows, [rows.buffer]);
  };
  const answer = (response, rows, label, probabilities) => {
    const text = JSON.stringify({
      model_name: 'bc',
      outputs: [
        { name: 'label', datatype: 'INT64', shape: [rows], data: Array.from(label, Number) },
        { name: 'probabilities', datatype: 'FP32', shape: [rows, 2], data: Array.from(probabilities) },
      ],
    });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
  };
  worker.on('message', (message) => {
    if (message === 'ready') return server.listen(port, '127.0.0.1');
    const done = running;
    running = undefined;
    next();
    let row = 0;
    for (const { data, response } of done) {
      const end = row + data.length / 30;
      answer(response, end - row, message.label.subarray(row, end), message.probabilities.subarray(2 * row, 2 * end));
      row = end;
    }
  });
  const server = createServer({ keepAlive: true }, (request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      waiting.push({ data: JSON.parse(body.latin1Slice()).inputs[0].data, response });
      setImmediate(next);
    });
  });
}
