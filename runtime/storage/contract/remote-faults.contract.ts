import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { messageOf } from '../../base/errors.ts';
import type { Storage } from '../storage.ts';
import { describeWithServers } from '../testing/servers/describe-with-servers.ts';
import type { ServerKind } from '../testing/servers/programs.ts';
import type { TestServer } from '../testing/servers/server-process.ts';
import { startTcpProxy, type TcpProxy } from '../testing/servers/tcp-proxy.ts';
import { cutCases } from './remote-faults/cuts.contract.ts';
import { outcomeOf, PATIENCE, type RemoteFaultFixture } from './remote-faults/fixture.ts';
import { generationFaultCases } from './remote-faults/generations.contract.ts';
import { outageCases } from './remote-faults/outages.contract.ts';

/** What the faults of a remote adapter are tried with. */
export interface RemoteFaultRig<Server extends TestServer> {
  /** The servers that it takes. */
  kinds: ServerKind[];
  /** Starts the server that holds the data, and that is killed and hung; the suite ends it. */
  start(): Promise<Server>;
  /**
   * A storage that is not open, through whatever listens on `port` in the place of the server, on data of its own that only
   * `data` names. Its time-outs are to be short. The server runs, and can be reached past that port.
   */
  connect(server: Server, port: number, data: string): Storage | Promise<Storage>;
  /** Ways to connect that cannot work. */
  mistakes: Mistake<Server>[];
}

export interface Mistake<Server extends TestServer> {
  /** What is wrong. */
  what: string;
  /** A storage that is not open. Whatever else it starts it ends by `onTestFinished`. */
  connect(server: Server): Storage | Promise<Storage>;
  code: string;
  /** What its message must say. */
  says: RegExp;
  /** What its message must not say. */
  secret?: string;
}

/**
 * What a server and the way to it can do to a remote adapter: nothing acknowledged is lost, nothing is carried out twice,
 * every call ends, and every reason is told.
 */
export function describeRemoteFaults<Server extends TestServer>(
  name: string,
  rig: RemoteFaultRig<Server>,
): void {
  describeWithServers(rig.kinds, `faults of a remote storage: ${name}`, () => {
    let server: Server | undefined;
    let proxy: TcpProxy | undefined;
    let storage: Storage | undefined;
    let direct: Storage | undefined;
    let cases = 0;
    const there = <T>(one: T | undefined): T => {
      if (one === undefined) throw new Error('It is there only while a case runs.');
      return one;
    };
    const fixture: RemoteFaultFixture = {
      get server() {
        return there(server);
      },
      get proxy() {
        return there(proxy);
      },
      get storage() {
        return there(storage);
      },
      get direct() {
        return there(direct);
      },
      connect: async (data) => rig.connect(there(server), there(proxy).port, data),
    };

    beforeAll(async () => {
      server = await rig.start();
    }, 120_000);
    afterAll(() => server?.stop(), 60_000);

    describe('of the way to it', () => {
      beforeEach(async () => {
        cases += 1;
        const running = there(server);
        proxy = await startTcpProxy(running);
        storage = await rig.connect(running, proxy.port, `faults_${cases}`);
        direct = await rig.connect(running, running.port, `faults_${cases}`);
        await storage.open();
        await direct.open();
      }, 60_000);
      afterEach(async () => {
        await Promise.all([storage?.close(), direct?.close()]);
        await proxy?.close();
      }, 60_000);

      describe('outages', () => outageCases(fixture));
      describe('cuts', () => cutCases(fixture));
      describe('cuts in what takes long', () => generationFaultCases(fixture));
    });

    it.each(rig.mistakes)(
      'says in words what is wrong: $what',
      PATIENCE,
      async ({ connect, code, says, secret }) => {
        const wrong = await connect(there(server));
        const outcome = await outcomeOf(wrong.open());
        await wrong.close();
        expect(outcome).toMatchObject({ code });
        const message = messageOf(outcome);
        expect(message).toMatch(says);
        expect(message).toMatch(/^[A-Z].{20,}\.$/s);
        if (secret !== undefined) expect(message).not.toContain(secret);
      },
    );
  });
}
