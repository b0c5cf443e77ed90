import type { AgentUpdate } from '../agents/agents.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { type MakeId, timeOrderedId } from '../base/ids.ts';
import type { Message, Turn } from '../contract/index.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Batch } from './session-store.ts';
import { type StoredMessage, type TranscriptEntry, transcriptLog } from './transcript.ts';

/** Streamed text is told at once, and made durable this often: what a power cut can take of an unfinished answer. */
const FLUSH_INTERVAL_MS = 250;
/** … or as soon as this much is waiting, in UTF-16 units. */
const FLUSH_LENGTH = 64 * 1024;
/** When so much, or so many updates, are not durable yet, the agent is to wait until they are. */
const MAX_UNWRITTEN: Amount = { length: 4 * 1024 * 1024, updates: 10_000 };

/** UTF-16 units of text, or of JSON, and the updates that brought them. */
interface Amount {
  length: number;
  updates: number;
}

const NOTHING: Amount = { length: 0, updates: 0 };

type MessageContent = Pick<StoredMessage, 'kind' | 'text' | 'toolCall' | 'plan' | 'content' | 'raw'>;

/**
 * Records what an agent does in one turn. Text is told to the live subscribers as it comes and appended to the transcript
 * in batches; tool calls, plans and unknown updates are appended as they stand when a batch is written. Holds the agent's
 * messages of the turn in memory, so that a reader sees what is not durable yet, too.
 */
export class TurnRecorder {
  readonly #turn: Turn;
  readonly #bus: EventBus;
  readonly #clock: Clock;
  readonly #makeId: MakeId;
  readonly #onFailure: (error: unknown) => void;
  readonly #messages = new Map<string, StoredMessage>();
  /** Length of the text that is appended or on its way, by message; none for a message that was never written. */
  readonly #written = new Map<string, number>();
  /** What is to be written, and whether it will change no more. */
  #waiting = new Map<string, { complete: boolean }>();
  /** The ids of messages that stand for something the agent changes under an id of its own. */
  readonly #replaceable = new Map<string, string>();
  /** The text message that the agent is adding to. */
  #streaming: StoredMessage | undefined;
  /** How much waits, and how much is being written. */
  #waitingAmount = NOTHING;
  #writingAmount = NOTHING;
  /** What those wait for who brought too much. */
  #held: PromiseWithResolvers<void> | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;
  #hasFailed = false;
  #sizeBytes = 0;

  constructor(options: {
    turn: Turn;
    bus: EventBus;
    clock: Clock;
    makeId: MakeId;
    /** Told when a batch could not be written: the turn cannot go on. */
    onFailure: (error: unknown) => void;
  }) {
    this.#turn = options.turn;
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.#makeId = options.makeId;
    this.#onFailure = options.onFailure;
  }

  /** The agent's messages so far. */
  get messages(): Message[] {
    return [...this.#messages.values()].map((message) => ({
      ...message,
      complete: message !== this.#streaming,
    }));
  }

  get messageCount(): number {
    return this.#messages.size;
  }

  /** Bytes of UTF-8 that the turn has added to the transcript. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** With a promise, no more is to be brought until it has resolved; it never rejects. */
  update(update: AgentUpdate): Promise<void> | undefined {
    if (this.#closed) return undefined;
    this.#take(update);
    // Once the storage has failed the turn is at its end: what still comes is little, and nothing may hold that up.
    if (this.#hasFailed || !this.#isFull()) return undefined;
    this.#held ??= Promise.withResolvers();
    return this.#held.promise;
  }

  /** Ignores updates from now on, and hands back what is not written yet, to be committed with the end of the turn. */
  async close(): Promise<Batch> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#release();
    this.#endStreaming();
    await this.#writing;
    return this.#takeBatch();
  }

  #take(update: AgentUpdate): void {
    switch (update.kind) {
      case 'text':
      case 'thought':
        this.#append(update.kind, update.text);
        break;
      case 'tool_call':
        this.#put(`tool ${update.toolCall.toolCallId}`, {
          kind: 'tool_call',
          text: update.toolCall.title,
          toolCall: update.toolCall,
        });
        break;
      case 'plan':
        this.#put('plan', { kind: 'plan', text: update.text, plan: update.plan });
        break;
      case 'content':
        this.#put(undefined, { kind: 'content', text: update.text, content: update.content });
        break;
      case 'raw':
        this.#put(undefined, { kind: 'raw', text: '', raw: update.raw });
    }
  }

  #append(kind: 'text' | 'thought', text: string): void {
    if (text === '') return;
    if (this.#streaming?.kind !== kind) this.#endStreaming();
    this.#streaming ??= this.#add({ kind, text: '' });
    const message = this.#streaming;
    this.#bus.tell({
      topic: 'session.message.delta',
      subject: this.#turn.sessionId,
      correlationId: this.#turn.correlationId,
      priority: 'low',
      data: {
        sessionId: this.#turn.sessionId,
        turnId: this.#turn.id,
        messageId: message.id,
        role: 'agent',
        kind,
        offset: message.text.length,
        text,
      },
    });
    message.text += text;
    this.#sizeBytes += Buffer.byteLength(text);
    this.#wait(message, false, { length: text.length, updates: 1 });
  }

  #endStreaming(): void {
    if (this.#streaming === undefined) return;
    this.#wait(this.#streaming, true, NOTHING);
    this.#streaming = undefined;
  }

  #put(key: string | undefined, content: MessageContent): void {
    this.#endStreaming();
    const known = key === undefined ? undefined : this.#messages.get(this.#replaceable.get(key) ?? '');
    const message = known ?? this.#add(content);
    if (known !== undefined) Object.assign(known, content);
    if (key !== undefined) this.#replaceable.set(key, message.id);
    const length = JSON.stringify(content).length;
    this.#sizeBytes += length;
    this.#wait(message, true, { length, updates: 1 });
  }

  #add(content: MessageContent): StoredMessage {
    const now = this.#clock.now();
    const message: StoredMessage = {
      id: timeOrderedId(now, this.#makeId),
      turnId: this.#turn.id,
      role: 'agent',
      createdAt: now,
      ...content,
    };
    this.#messages.set(message.id, message);
    return message;
  }

  #wait(message: StoredMessage, complete: boolean, added: Amount): void {
    this.#waiting.set(message.id, { complete });
    this.#waitingAmount = sum(this.#waitingAmount, added);
    if (!this.#closed && this.#writing === undefined) this.#flushSoon();
  }

  #flushSoon(): void {
    const { length, updates } = this.#waitingAmount;
    if (length >= FLUSH_LENGTH || updates >= MAX_UNWRITTEN.updates) this.#flush();
    else this.#timer ??= this.#clock.after(FLUSH_INTERVAL_MS, () => this.#flush());
  }

  #isFull(): boolean {
    const { length, updates } = sum(this.#waitingAmount, this.#writingAmount);
    return length >= MAX_UNWRITTEN.length || updates >= MAX_UNWRITTEN.updates;
  }

  #release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const taken = new Map(this.#waiting);
    const amount = this.#waitingAmount;
    const batch = this.#takeBatch();
    if (batch.operations.length === 0) return;
    this.#writingAmount = amount;
    this.#writing = this.#bus
      .commit(batch.operations, batch.drafts)
      .catch((error: unknown) => {
        this.#hasFailed = true;
        this.#putBack(taken);
        this.#onFailure(error);
      })
      .then(() => {
        this.#writing = undefined;
        this.#writingAmount = NOTHING;
        if (this.#hasFailed || !this.#isFull()) this.#release();
        if (this.#waiting.size > 0 && !this.#closed) this.#flushSoon();
      });
  }

  /**
   * A batch failed: its messages are to be written once more, before what came since. As wholes, which take the place of
   * whatever is there: whether a failed commit was carried out is not known.
   */
  #putBack(taken: ReadonlyMap<string, { complete: boolean }>): void {
    const waiting = new Map(taken);
    for (const [id, { complete }] of this.#waiting) {
      waiting.set(id, { complete: complete || waiting.get(id)?.complete === true });
    }
    this.#waiting = waiting;
    for (const id of taken.keys()) this.#written.delete(id);
  }

  #takeBatch(): Batch {
    const { sessionId, correlationId } = this.#turn;
    const batch: Batch = { operations: [], drafts: [] };
    for (const [id, { complete }] of this.#waiting) {
      const message = this.#messages.get(id);
      if (message === undefined) continue;
      const isText = message.kind === 'text' || message.kind === 'thought';
      const written = this.#written.get(id);
      const entry: TranscriptEntry =
        isText && written !== undefined
          ? { type: 'part', messageId: id, text: message.text.slice(written) }
          : { type: 'message', message: { ...message } };
      this.#written.set(id, message.text.length);
      if (entry.type === 'message' || entry.text !== '') {
        batch.operations.push({ kind: 'append', log: transcriptLog(sessionId), value: entry });
      }
      if (!complete) continue;
      batch.drafts.push({
        topic: isText ? 'session.message.completed' : 'session.message.changed',
        subject: sessionId,
        correlationId,
        data: { sessionId, message: { ...message, complete: true } },
      });
    }
    this.#waiting.clear();
    this.#waitingAmount = NOTHING;
    return batch;
  }
}

function sum(a: Amount, b: Amount): Amount {
  return { length: a.length + b.length, updates: a.updates + b.updates };
}
