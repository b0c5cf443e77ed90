import type { Clock } from '../../base/clock.ts';
import { type CodedError, isCoded, messageOf } from '../../base/errors.ts';
import { fault } from '../../contract/index.ts';
import type { Settings } from '../../settings/settings.ts';
import type { AgentConnection } from '../protocol/agent-connection.ts';
import { LivenessProbe } from './liveness-probe.ts';

export type ProbeResult =
  | { kind: 'answered'; latencyMs: number }
  /** For so long by now. */
  | { kind: 'silent'; silentMs: number };

export interface AgentGenerationOptions {
  clock: Clock;
  clientInfo: { name: string; version: string };
  settings: Pick<Settings, 'heartbeatIntervalMs' | 'livenessProbeTimeoutMs' | 'agentHeartbeatTimeoutSeconds'>;
  /** An earlier process of the same configuration has answered probes: one that answers none is not up. */
  answersProbes: boolean;
  /** It serves. Not `isProbed`: it answered `initialize`, but no probe so far. */
  onReady: (isProbed: boolean) => void;
  onProbe: (result: ProbeResult) => void;
  /** It runs, but does not speak the protocol, or has been silent for too long. */
  onUseless: (reason: CodedError) => void;
}

/** One generation of an agent, from its process on: it comes up, proves that it is ready, and is probed from then on. */
export class AgentGeneration {
  /** Never used twice for one agent, over restarts of the app, too. */
  readonly number: number;
  readonly connection: AgentConnection;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** On the monotonic clock. */
  readonly #startedAt: number;
  readonly #options: AgentGenerationOptions;
  #probe: LivenessProbe | undefined;
  #isReady = false;
  #hasEnded = false;

  constructor(number: number, connection: AgentConnection, options: AgentGenerationOptions) {
    this.number = number;
    this.connection = connection;
    this.startedAt = options.clock.now();
    this.#startedAt = options.clock.monotonic();
    this.#options = options;
  }

  get isRunning(): boolean {
    return !this.#hasEnded;
  }

  /** Milliseconds, whatever was done to the time of day meanwhile. */
  get uptimeMs(): number {
    return Math.round(this.#options.clock.monotonic() - this.#startedAt);
  }

  /** It has answered `initialize`, and a probe or none in time. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** It has answered a probe, so its silence means something. */
  get isProbed(): boolean {
    return this.#probe !== undefined;
  }

  /** Brings it up in the background; how that goes is told. */
  start(): void {
    void this.#bringUp();
  }

  /** Probes at once, out of turn; nothing happens when a probe is under way, or when it answers none. */
  probeNow(): void {
    this.#probe?.now();
  }

  /** The process has ended: nothing is told any more. */
  end(): void {
    this.#hasEnded = true;
    this.#probe?.end();
  }

  async #bringUp(): Promise<void> {
    const { clock, clientInfo, answersProbes, onReady, onUseless } = this.#options;
    try {
      await this.connection.initialize(clientInfo);
      const sentAt = clock.monotonic();
      const answered = this.connection.ping().then(() => clock.monotonic() - sentAt);
      const latencyMs = await this.#firstLatency(answered);
      if (this.#hasEnded) return;
      if (latencyMs === undefined && answersProbes) {
        throw fault('agent.unresponsive', 'It answered initialize, but no probe');
      }
      this.#isReady = true;
      if (latencyMs === undefined) {
        onReady(false);
        // One that was only slow to come up is watched as soon as it shows that it can be.
        answered.then(
          (late) => {
            if (this.#hasEnded) return;
            this.#watch();
            this.#options.onProbe({ kind: 'answered', latencyMs: late });
          },
          () => undefined,
        );
        return;
      }
      this.#watch();
      onReady(true);
      this.#options.onProbe({ kind: 'answered', latencyMs });
    } catch (error) {
      // When the process has ended its exit says what is to be done.
      if (this.#hasEnded || isCoded(error, 'agent.crashed')) return;
      onUseless(isCoded(error) ? error : fault('agent.failed', messageOf(error)));
    }
  }

  /** The latency of the first probe; undefined when it was not answered in time. Rejects when the connection closed. */
  async #firstLatency(answered: Promise<number>): Promise<number | undefined> {
    const { clock, settings, answersProbes } = this.#options;
    const limitMs = answersProbes
      ? settings.agentHeartbeatTimeoutSeconds * 1000
      : settings.livenessProbeTimeoutMs;
    const late = Promise.withResolvers<undefined>();
    const timer = clock.after(limitMs, () => late.resolve(undefined));
    try {
      return await Promise.race([answered, late.promise]);
    } finally {
      timer.cancel();
    }
  }

  #watch(): void {
    const { clock, settings, onProbe, onUseless } = this.#options;
    this.#probe = new LivenessProbe({
      ping: () => this.connection.ping(),
      clock,
      intervalMs: settings.heartbeatIntervalMs,
      timeoutMs: settings.livenessProbeTimeoutMs,
      limitMs: settings.agentHeartbeatTimeoutSeconds * 1000,
      lastActivityAt: () => this.connection.lastActivityAt,
      onAnswer: (latencyMs) => onProbe({ kind: 'answered', latencyMs }),
      onSilent: (silentMs) => onProbe({ kind: 'silent', silentMs }),
      onGivenUp: (silentMs) =>
        onUseless(
          fault(
            'agent.unresponsive',
            `No sign of life for ${Math.round(silentMs / 1000)} s, the limit of AGENT_HEARTBEAT_TIMEOUT`,
          ),
        ),
    });
  }
}
