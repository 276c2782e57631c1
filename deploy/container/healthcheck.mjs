// Ends with 0 when the replica beside it answers predictions: the HEALTHCHECK of the container.
import { get } from 'node:http';

const port = process.env.TIDEMILL_SERVING_PORT ?? '7879';
const request = get({ host: '127.0.0.1', port, path: '/v2/health/ready', timeout: 2_000 }, (response) => {
  response.resume();
  process.exitCode = response.statusCode === 200 ? 0 : 1;
});
request.on('timeout', () => request.destroy(new Error('no answer within 2 s')));
request.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
