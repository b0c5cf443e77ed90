import type { Agents, PromptResult } from '../agents/agents.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { MakeId } from '../base/ids.ts';
import type { Message, Session, Turn } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import { TurnRecorder } from './turn-recorder.ts';
import { endsInMidTurn, tooLarge, toTurnError } from './turns.ts';

/** How long an agent may take to confirm a cancel before the turn is ended without it. */
const CANCEL_GRACE_MS = 5000;

/** How a turn ends whatever the agent says: the end was asked for, or forced. */
type Ending = Pick<Turn, 'state' | 'error'>;

interface LiveTurn {
  recorder: TurnRecorder;
  end(ending: Ending): void;
  ended: Promise<Turn>;
}

export interface TurnRunnerDependencies {
  agents: Pick<Agents, 'prompt'>;
  bus: EventBus;
  clock: Clock;
  makeId: MakeId;
  maxSizeBytes: number;
  history(sessionId: string, turnId: string): Promise<{ role: 'user' | 'agent'; text: string }[]>;
  /** Makes the end of a turn durable, with what the recorder has not written yet. */
  finish(turn: Turn, recorder: TurnRecorder): Promise<void>;
  /** Told when `finish` failed. */
  onFinishFailed(turn: Turn, error: unknown): void;
}

/** Runs the turns of this process, one a session at a time, in the background, and ends each whatever happens. */
export class TurnRunner {
  readonly #dependencies: TurnRunnerDependencies;
  readonly #live = new Map<string, LiveTurn>();

  constructor(dependencies: TurnRunnerDependencies) {
    this.#dependencies = dependencies;
  }

  get size(): number {
    return this.#live.size;
  }

  has(sessionId: string): boolean {
    return this.#live.has(sessionId);
  }

  /** The agent's messages of the running turn as they are now, what is not durable yet included. */
  messagesOf(sessionId: string): (() => Message[]) | undefined {
    const recorder = this.#live.get(sessionId)?.recorder;
    return recorder === undefined ? undefined : () => recorder.messages;
  }

  /** Asks the agent. The turn must be durable already. */
  run(session: Session, turn: Turn, text: string): void {
    const { bus, clock, makeId } = this.#dependencies;
    const abort = new AbortController();
    let ending: Ending | undefined;
    const end = (asked: Ending) => {
      ending ??= asked;
      abort.abort();
    };
    const recorder = new TurnRecorder({
      turn,
      bus,
      clock,
      makeId,
      onFailure: (error) => end({ state: 'failed', error: toTurnError(error) }),
    });
    const ended = this.#ask(session, turn, text, { recorder, abort, end })
      .then(async (outcome) => {
        const over: Turn = { ...turn, ...outcome, ...ending, endedAt: clock.now() };
        await this.#dependencies.finish(over, recorder);
        return over;
      })
      .finally(() => this.#live.delete(session.id));
    ended.catch((error: unknown) => this.#dependencies.onFinishFailed(turn, error));
    this.#live.set(session.id, { recorder, end, ended });
  }

  /** Ends the running turn and resolves when its end is durable; undefined when there is none. */
  end(sessionId: string, ending: Ending): Promise<Turn> | undefined {
    const live = this.#live.get(sessionId);
    live?.end(ending);
    return live?.ended;
  }

  async endAll(ending: Ending): Promise<void> {
    await Promise.allSettled([...this.#live.keys()].map((id) => this.end(id, ending)));
  }

  async #ask(
    session: Session,
    turn: Turn,
    text: string,
    live: { recorder: TurnRecorder; abort: AbortController; end(ending: Ending): void },
  ): Promise<Pick<Turn, 'state' | 'stopReason' | 'usage' | 'error'>> {
    const { agents, history, maxSizeBytes } = this.#dependencies;
    const grace = this.#graceAfter(live.abort.signal);
    try {
      const answered = agents.prompt({
        agentId: session.agentId,
        sessionId: session.id,
        turnId: turn.id,
        correlationId: turn.correlationId,
        text,
        history: () => history(session.id, turn.id),
        signal: live.abort.signal,
        onUpdate: (update) => {
          live.recorder.update(update);
          const sizeBytes = session.sizeBytes + live.recorder.sizeBytes;
          if (sizeBytes > maxSizeBytes) {
            live.end({ state: 'failed', error: toTurnError(tooLarge(session.id, sizeBytes, maxSizeBytes)) });
          }
        },
      });
      return outcomeOf(await Promise.race([answered, grace.over]));
    } catch (error) {
      return { state: endsInMidTurn(error) ? 'interrupted' : 'failed', error: toTurnError(error) };
    } finally {
      grace.end();
    }
  }

  /** `over` resolves when the grace after an abort has passed. */
  #graceAfter(signal: AbortSignal): { over: Promise<undefined>; end(): void } {
    let timer: Timer | undefined;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const onAbort = () => {
      timer = this.#dependencies.clock.after(CANCEL_GRACE_MS, () => resolve(undefined));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    return {
      over: promise,
      end() {
        timer?.cancel();
        signal.removeEventListener('abort', onAbort);
      },
    };
  }
}

/** What the agent's answer makes of the turn; no answer within the grace is a cancelled turn, too. */
function outcomeOf(result: PromptResult | undefined): Pick<Turn, 'state' | 'stopReason' | 'usage'> {
  if (result === undefined) return { state: 'cancelled' };
  return {
    state: result.stopReason === 'cancelled' ? 'cancelled' : 'completed',
    stopReason: result.stopReason,
    ...(result.usage === undefined ? {} : { usage: result.usage }),
  };
}
