import type { Agents, PromptResult, SessionTold } from '../agents/agents.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { MakeId } from '../base/ids.ts';
import type { Message, Session, SessionAgent, Turn } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { SessionAccount, TurnBill, TurnMeter } from './budgets/budgets.ts';
import { describeNotice } from './budgets/notices.ts';
import type { Asking, NeedsYouDesk } from './needs-you/needs-you.ts';
import { TurnRecorder } from './turn-recorder.ts';
import { endsInMidTurn, type Prompt, TurnOver, tooLarge, toTurnError } from './turns.ts';

/** How long an agent may take to confirm a cancel before the turn is ended without it. */
const CANCEL_GRACE_MS = 5000;

/** How a turn ends whatever the agent says: the end was asked for, or forced. */
type Ending = Pick<Turn, 'state' | 'error'>;

interface LiveTurn {
  recorder: TurnRecorder;
  meter: TurnMeter;
  end(ending: Ending): void;
  ended: Promise<Turn>;
}

/** How a turn ended: what it added to the transcript and is not stored yet, and what it cost. */
export interface TurnEnd {
  turn: Turn;
  agentId: string;
  recorder: TurnRecorder;
  bill: TurnBill;
}

export interface TurnRunnerDependencies {
  agents: Pick<Agents, 'prompt'>;
  needsYou: Pick<NeedsYouDesk, 'askPermission' | 'askQuestion'>;
  bus: EventBus;
  clock: Clock;
  makeId: MakeId;
  maxSizeBytes: number;
  history(sessionId: string, turnId: string): Promise<{ role: 'user' | 'agent'; text: string }[]>;
  /** Makes the end of a turn durable. */
  finish(end: TurnEnd): Promise<void>;
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

  /** What the agent tells of a session counts for the turn that runs in it. */
  tell(sessionId: string, told: SessionTold): void {
    const meter = this.#live.get(sessionId)?.meter;
    if (meter === undefined) return;
    const model = modelOf(told);
    if (model !== undefined) meter.tellModel(model);
    if (told.cost !== undefined) meter.tellCost(told.cost);
  }

  /** Asks the agent, and lets the account pay. The turn must be durable already. */
  run(session: Session, turn: Turn, prompt: Prompt, account: SessionAccount): void {
    const { bus, clock, makeId } = this.#dependencies;
    const abort = new AbortController();
    let ending: Ending | undefined;
    const end = (asked: Ending) => {
      ending ??= asked;
      abort.abort(new TurnOver(asked.state));
    };
    const recorder = new TurnRecorder({
      turn,
      bus,
      clock,
      makeId,
      onFailure: (error) => end({ state: 'failed', error: toTurnError(error) }),
    });
    const meter = account.begin(turn, (notice) =>
      end({ state: 'cancelled', error: { code: 'budget.exhausted', message: describeNotice(notice) } }),
    );
    const model = modelOf(session.agent);
    if (model !== undefined) meter.tellModel(model);
    const ended = this.#ask(session, turn, prompt, { recorder, meter, abort, end })
      .then(async ({ usage, ...outcome }) => {
        // Taken before the last usage is told: that a budget is used up by it does not undo what is done.
        const asked = ending;
        if (usage !== undefined) meter.tellUsage(usage);
        const bill = await meter.close();
        const over: Turn = {
          ...turn,
          ...outcome,
          ...(bill.usage === undefined ? {} : { usage: bill.usage }),
          ...asked,
          endedAt: clock.now(),
        };
        await this.#dependencies.finish({ turn: over, agentId: session.agentId, recorder, bill });
        return over;
      })
      .finally(() => this.#live.delete(session.id));
    ended.catch((error: unknown) => this.#dependencies.onFinishFailed(turn, error));
    this.#live.set(session.id, { recorder, meter, end, ended });
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
    { text, attachments }: Prompt,
    live: Pick<LiveTurn, 'recorder' | 'meter' | 'end'> & { abort: AbortController },
  ): Promise<Outcome> {
    const { agents, needsYou, history, maxSizeBytes } = this.#dependencies;
    const asking: Asking = { agentId: session.agentId, turn };
    const grace = this.#graceAfter(live.abort.signal);
    try {
      const answered = agents.prompt({
        agentId: session.agentId,
        sessionId: session.id,
        turnId: turn.id,
        correlationId: turn.correlationId,
        text,
        attachments: attachments.map(({ name, mimeType, bytes }) => ({ name, mimeType, bytes })),
        history: () => history(session.id, turn.id),
        signal: live.abort.signal,
        onOpened: (knownBy) => live.meter.tellOpened(knownBy),
        onUpdate: (update) => {
          const written = live.recorder.update(update);
          const sizeBytes = session.sizeBytes + live.recorder.sizeBytes;
          if (sizeBytes > maxSizeBytes) {
            live.end({ state: 'failed', error: toTurnError(tooLarge(session.id, sizeBytes, maxSizeBytes)) });
          }
          return written;
        },
        onUsage: (usage) => live.meter.tellUsage(usage),
        onPermission: (request, signal) =>
          this.#askUser(live, signal, undefined, (either) => needsYou.askPermission(asking, request, either)),
        onQuestion: (request, signal) =>
          this.#askUser(live, signal, { action: 'cancel' as const }, (either) =>
            needsYou.askQuestion(asking, request, either),
          ),
      });
      return outcomeOf(await Promise.race([answered, grace.over]), live.abort.signal.aborted);
    } catch (error) {
      return { state: endsInMidTurn(error) ? 'interrupted' : 'failed', error: toTurnError(error) };
    } finally {
      grace.end();
    }
  }

  /**
   * Waits for the user; meanwhile the minutes of the turn do not count. `either` aborts with the agent's signal and with
   * the turn, whichever is first. A question that cannot be stored ends the turn: nobody would ever see it.
   */
  async #askUser<T>(
    live: Pick<LiveTurn, 'meter' | 'end'> & { abort: AbortController },
    signal: AbortSignal,
    otherwise: T,
    ask: (either: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const pause = live.meter.pause();
    try {
      return await ask(AbortSignal.any([signal, live.abort.signal]));
    } catch (error) {
      live.end({ state: 'failed', error: toTurnError(error) });
      return otherwise;
    } finally {
      pause.resume();
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

type Outcome = Pick<Turn, 'state' | 'stopReason' | 'usage' | 'knownBy' | 'error'>;

/** The model that answers in a session, where the agent offers the choice of one. */
function modelOf(agent: SessionAgent | undefined): string | undefined {
  const value = agent?.options?.find(({ category }) => category === 'model')?.value;
  return typeof value === 'string' ? value : undefined;
}

/**
 * What the agent's answer makes of the turn; no answer within the grace is a cancelled turn, too. `isAborted`: its end was
 * asked for. One that an agent cancels unasked was interrupted: its process is being stopped or replaced.
 */
function outcomeOf(result: PromptResult | undefined, isAborted: boolean): Outcome {
  if (result === undefined) return { state: 'cancelled' };
  const { stopReason, usage, knownBy } = result;
  return {
    ...endOf(stopReason, isAborted),
    stopReason,
    ...(usage === undefined ? {} : { usage }),
    ...(knownBy === undefined ? {} : { knownBy }),
  };
}

function endOf(stopReason: string, isAborted: boolean): Ending {
  if (stopReason !== 'cancelled') return { state: 'completed' };
  if (isAborted) return { state: 'cancelled' };
  const message = 'The agent was stopped or replaced while it was answering.';
  return { state: 'interrupted', error: { code: 'agent.stopped', message } };
}
