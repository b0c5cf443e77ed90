import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StorageFault } from '../storage.ts';
import type { TestServer } from '../testing/servers/server-process.ts';
import { caseFolder } from './case-folder.ts';
import { crashLoop } from './crash-loop.ts';
import { type FaultRig, openRig } from './rig-storage.ts';
import { faultSeed, seededRandom } from './seeded-random.ts';
import { Ledger } from './workload.ts';
import { WriterProcess } from './writer-process.ts';

const CLIENT_KILLS = 25;
const SERVER_KILLS = 10;
/** The longest that a writer writes before, while and after the server is away, each. */
const LONGEST_MS = 250;

export interface ServerRig {
  server: TestServer;
  rig: FaultRig;
}

/**
 * What SIGKILL must not do to the data of a storage that is kept by a server: of the client, and of the server under its
 * clients. (What a power cut does to the server's data is the server's own affair.)
 */
export function describeServerCrashes(name: string, start: () => Promise<ServerRig>): void {
  describe(`${name}: SIGKILL`, () => {
    let started: ServerRig;
    beforeAll(async () => {
      started = await start();
    }, 60_000);
    afterAll(() => started.server.stop());

    it(`loses, halves or doubles nothing in ${SERVER_KILLS} kills of the server under load`, {
      timeout: 240_000,
    }, async () => {
      const seed = faultSeed();
      const random = seededRandom(seed);
      const pause = () => new Promise((resolve) => setTimeout(resolve, random() * LONGEST_MS));
      const { rig, server } = started;
      const folder = await caseFolder(`server-${rig.type}`);
      const dataDir = join(folder, 'data');
      const ledger = new Ledger();
      let acknowledged = 0;
      for (let cycle = 1; cycle <= SERVER_KILLS; cycle++) {
        const noteFile = join(folder, 'notes');
        const writer = await WriterProcess.start({ rig, dataDir, noteFile, run: `server-${cycle}` });
        await writer.writing;
        await pause();
        await server.kill();
        await pause();
        await server.restart();
        await pause();
        acknowledged += ledger.take(await writer.end('SIGTERM'));
        const faults: StorageFault[] = [];
        const storage = await openRig(rig, dataDir, faults);
        const problems = [...(await ledger.verify(storage)), ...faults.map(({ message }) => message)];
        await storage.close();
        expect(problems, `FAULT_SEED=${seed}, cycle ${cycle}`).toEqual([]);
      }
      expect(acknowledged).toBeGreaterThan(SERVER_KILLS);
    });

    it(`loses, halves or doubles nothing in ${CLIENT_KILLS} kills of the client under load`, {
      timeout: 240_000,
    }, async () => {
      const seed = faultSeed();
      const folder = await caseFolder(`client-${started.rig.type}`);
      const report = await crashLoop({
        rig: started.rig,
        folder,
        cycles: CLIENT_KILLS,
        random: seededRandom(seed),
        longestMs: 300,
      });
      expect(report.problems, `FAULT_SEED=${seed}`).toEqual([]);
      expect(report.cycles).toHaveLength(CLIENT_KILLS);
      expect(report.acknowledged).toBeGreaterThan(CLIENT_KILLS);
    });
  });
}
