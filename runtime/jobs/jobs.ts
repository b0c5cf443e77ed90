/** What the rest of the runtime sees of the jobs. */
import type { Service } from '../base/lifecycle.ts';
import type { Job, JobKind } from '../contract/index.ts';
import type { SnapshotRecord } from '../storage/storage.ts';

/** What a job's function is given. */
export interface JobContext {
  readonly id: string;
  readonly correlationId: string;
  /** Aborted by cancel and by the stop of the runtime, until `commit` was called. */
  readonly signal: AbortSignal;
  /** Begins a phase: says what it does, in words, and sets `done` to 0. */
  phase(name: string, unit: Job['unit'], total?: number): void;
  /** How far the phase has come. Cheap: told at most four times a second. */
  progress(done: number): void;
  /** The point of no return: throws when cancelled before, afterwards cancel answers `job.not_cancellable`. */
  commit(): void;
}

export interface Jobs extends Service {
  list(): Promise<Job[]>;
  /** Rejects with `job.not_found`. */
  get(id: string): Promise<Job>;
  /**
   * Saves the job and starts `run`; resolves with the running job. `run` resolves with what it made. Only one job of the
   * kinds in `excludes` (its own included) runs at a time: otherwise `job.conflict`.
   */
  run(
    job: { kind: JobKind; title: string; correlationId: string; excludes: JobKind[] },
    run: (context: JobContext) => Promise<Record<string, unknown>>,
  ): Promise<Job>;
  /** Resolves when the job has ended. */
  finished(id: string): Promise<Job>;
  /**
   * Asks the job to stop; it is `cancelled` once it has cleaned up (`finished` tells). Rejects with `job.not_found` or,
   * past its commit point or its end, `job.not_cancellable`.
   */
  cancel(id: string): Promise<Job>;
  /**
   * All jobs, by id, as records for a data set that is about to become the active one, with the running job `id` as
   * succeeded with `result`: whoever activates that data set then ends the job in the same atomic step. Jobs belong to
   * the machine and not to the data, which is why an archive holds none and a restore takes them along.
   */
  recordsForSwitch(id: string, result: Record<string, unknown>): SnapshotRecord[];
}

/** The collection that holds the jobs. */
export const JOB_COLLECTION = 'jobs';
