import type { GroupMeasure } from './launcher-messages.ts';
import { listProcesses, memoryOf } from './process-table.ts';

interface Group {
  pid: number;
  /** Processor time of the members at the last look, by process. */
  cpu: Map<number, number>;
  /** That of members that have ended since. */
  endedCpuMs: number;
}

/** Measures what groups of processes take of the machine; all of them in one walk through the table of processes. */
export class GroupMeter {
  /** By launch. */
  readonly #groups = new Map<number, Group>();

  /** `pid` leads the group. */
  add(launch: number, pid: number): void {
    this.#groups.set(launch, { pid, cpu: new Map(), endedCpuMs: 0 });
  }

  remove(launch: number): void {
    this.#groups.delete(launch);
  }

  measure(): Record<number, GroupMeasure> {
    const members = Map.groupBy(listProcesses(), ({ group }) => group);
    const measures: Record<number, GroupMeasure> = {};
    for (const [launch, group] of this.#groups) {
      const alive = members.get(group.pid) ?? [];
      const cpu = new Map(alive.map((member) => [member.pid, member.cpuMs]));
      for (const [pid, cpuMs] of group.cpu) if (!cpu.has(pid)) group.endedCpuMs += cpuMs;
      group.cpu = cpu;
      measures[launch] = {
        processes: alive.length,
        memoryBytes: sum(alive.map(({ pid }) => memoryOf(pid))),
        cpuMs: group.endedCpuMs + sum([...cpu.values()]),
      };
    }
    return measures;
  }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
