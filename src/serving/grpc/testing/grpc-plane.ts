import { createHash } from 'node:crypto';
import type { SpecEndpoint } from '#contracts/deployment-spec';
import type { DataPlane } from '../../data-plane.ts';
import { type FakeControlPlane, startFakeControlPlane } from '../../testing/fake-control-plane.ts';
import {
  aHome,
  anEndpoint,
  columnsSignature,
  echoRevision,
  fixture,
  startTestPlane,
} from '../../testing/test-plane.ts';
import { createTestClient, type TestClient } from './grpc-client.ts';

export interface GrpcTestPlane {
  readonly control: FakeControlPlane;
  readonly plane: DataPlane;
  readonly client: TestClient;
  readonly address: string;
  close(): Promise<void>;
}

const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** A data plane that listens for gRPC, with the models that tests ask: what an endpoint may be, each by a name. */
export async function startGrpcTestPlane(maxMessageBytes = 1024 ** 2): Promise<GrpcTestPlane> {
  const control = await startFakeControlPlane();
  const revision = (...given: Parameters<FakeControlPlane['revision']>) => control.revision(...given);
  const single = (name: string, file: string, more: Partial<SpecEndpoint> = {}) =>
    anEndpoint([revision(name, fixture(file))], { name, ...more });
  control.publish({
    endpoints: [
      anEndpoint([revision('c1', fixture('columns-1.onnx'), { modelRef: 'model:c@1', signature: columnsSignature })]),
      single('bc', 'breast-cancer.onnx', { limits: { maxRows: 1_000 } }),
      single('gather', 'gather.onnx'),
      single('types', 'datatypes.onnx'),
      single('slow', 'slow.onnx'),
      single('half', 'half.onnx'),
      anEndpoint([echoRevision(control)], { name: 'echo' }),
      single('small', 'gather.onnx', { limits: { maxBodyBytes: 100 } }),
      single('closed', 'gather.onnx', {
        access: { tokens: [{ digest: digestOf('right'), principal: 'token:t1' }] },
      }),
      anEndpoint([], { name: 'waiting', traffic: [] }),
      anEndpoint([revision('broken', fixture('make-fixtures.py'))], { name: 'broken' }),
      { ...anEndpoint([revision('other', fixture('gather.onnx'))]), project: 'flights' },
    ],
  });
  const plane = await startTestPlane(control, aHome(), { grpcPort: 0, grpcMaxMessageBytes: maxMessageBytes });
  await control.reported(({ state }) => state === 'ready');
  const address = plane.grpcAddress ?? '';
  const client = createTestClient(address);
  return {
    control,
    plane,
    client,
    address,
    async close() {
      client.close();
      await plane.stop();
      await control.goAway();
    },
  };
}
