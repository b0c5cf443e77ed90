import type { LiveEvents, Message, RuntimeEvent, Session, SessionDetail, Turn } from '#contract';

export type MessageDelta = LiveEvents['session.message.delta'];

export interface FoldedTranscript {
  detail: SessionDetail;
  /** Deltas that lie beyond the end of their message: text between was missed. Hand them in again with the next events. */
  held: MessageDelta[];
}

/**
 * Folds live events into a session that was read before. Idempotent and monotonic: a repetition changes nothing, a
 * complete message is never made incomplete, an ended turn never runs again. So events that arrived while the session
 * was being read can be folded into what was read, whichever of the two is newer.
 */
export function foldTranscript(
  detail: SessionDetail,
  events: readonly RuntimeEvent[],
  held: readonly MessageDelta[] = [],
  now: () => number = Date.now,
): FoldedTranscript {
  const draft = new TranscriptDraft(detail, now);
  for (const delta of held) draft.delta(delta);
  for (const event of events) draft.apply(event);
  return draft.finish();
}

/** Collects the changes of one batch, so that a batch of many deltas copies each message and the list once. */
class TranscriptDraft {
  readonly #now: () => number;
  #detail: SessionDetail;
  #messages: Message[] | undefined;
  #positions: Map<string, number> | undefined;
  #held: MessageDelta[] = [];

  constructor(detail: SessionDetail, now: () => number) {
    this.#detail = detail;
    this.#now = now;
  }

  apply(event: RuntimeEvent): void {
    switch (event.type) {
      case 'session.changed':
        this.#session(event.data as Session);
        return;
      case 'session.turn.changed':
        this.#turn(event.data as Turn);
        return;
      case 'session.message.delta':
        this.delta(event.data as MessageDelta);
        return;
      case 'session.message.changed':
      case 'session.message.completed': {
        const { sessionId, message } = event.data as LiveEvents['session.message.completed'];
        if (sessionId === this.#detail.id) this.#put(message);
      }
    }
  }

  delta(delta: MessageDelta): void {
    if (delta.sessionId !== this.#detail.id) return;
    if (!this.#extend(delta)) {
      this.#held.push(delta);
      return;
    }
    const waiting = this.#held.filter((other) => other.messageId === delta.messageId);
    if (waiting.length === 0) return;
    // What was held may follow on now. In the order of their offsets one pass takes all that can be taken.
    const later = waiting.toSorted((a, b) => a.offset - b.offset).filter((other) => !this.#extend(other));
    this.#held = [...this.#held.filter((other) => other.messageId !== delta.messageId), ...later];
  }

  finish(): FoldedTranscript {
    const detail =
      this.#messages === undefined ? this.#detail : { ...this.#detail, messages: this.#messages };
    const complete = (id: string) => {
      const position = this.#position(id);
      return position !== undefined && this.#read(position)?.complete === true;
    };
    return { detail, held: this.#held.filter((delta) => !complete(delta.messageId)) };
  }

  #session(session: Session): void {
    if (session.id !== this.#detail.id || session.version < this.#detail.version) return;
    this.#detail = { ...this.#detail, ...session };
  }

  #turn(turn: Turn): void {
    if (turn.sessionId !== this.#detail.id) return;
    const { turns } = this.#detail;
    const position = turns.findIndex((known) => known.id === turn.id);
    const known = turns[position];
    if (known === undefined) this.#detail = { ...this.#detail, turns: [...turns, turn] };
    else if (known.state === 'running' || turn.state !== 'running')
      this.#detail = { ...this.#detail, turns: turns.with(position, turn) };
  }

  #put(message: Message): void {
    const position = this.#position(message.id);
    if (position === undefined) this.#append(message);
    else if (message.complete || this.#read(position)?.complete === false) this.#replace(position, message);
  }

  /** Adds what is new in the delta to its message; false when text before it is missing. */
  #extend(delta: MessageDelta): boolean {
    const position = this.#position(delta.messageId);
    const known = position === undefined ? undefined : this.#read(position);
    if (known?.complete) return true;
    const length = known?.text.length ?? 0;
    if (delta.offset > length) return false;
    if (known === undefined || position === undefined) {
      this.#append({
        id: delta.messageId,
        turnId: delta.turnId,
        role: delta.role,
        kind: delta.kind,
        text: delta.text,
        createdAt: this.#now(),
        complete: false,
      });
    } else if (delta.offset + delta.text.length > length) {
      // Offsets count UTF-16 units, and so does `slice`: a pair that was cut in two is whole again once both are there.
      this.#replace(position, { ...known, text: known.text + delta.text.slice(length - delta.offset) });
    }
    return true;
  }

  #read(position: number): Message | undefined {
    return (this.#messages ?? this.#detail.messages)[position];
  }

  #position(id: string): number | undefined {
    this.#positions ??= new Map(this.#detail.messages.map((message, index) => [message.id, index]));
    return this.#positions.get(id);
  }

  #replace(position: number, message: Message): void {
    this.#messages ??= [...this.#detail.messages];
    this.#messages[position] = message;
  }

  #append(message: Message): void {
    this.#position(message.id);
    this.#messages ??= [...this.#detail.messages];
    this.#positions?.set(message.id, this.#messages.length);
    this.#messages.push(message);
  }
}
