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
  /** It serves. Not `isProbed`: it answered `initialize`, but no probe, and is not probed any more. */
  onReady: (isProbed: boolean) => void;
  onProbe: (result: ProbeResult) => void;
  /** It runs, but does not speak the protocol, or has been silent for too long. */
  onUseless: (reason: CodedError) => void;
}

/** One generation of an agent, from its process on: it comes up, proves that it is ready, and is probed from then on. */
export class AgentGeneration {
  /** 1 for the first since the app started. */
  readonly number: number;
  readonly connection: AgentConnection;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly #options: AgentGenerationOptions;
  #probe: LivenessProbe | undefined;
  #hasEnded = false;

  constructor(number: number, connection: AgentConnection, options: AgentGenerationOptions) {
    this.number = number;
    this.connection = connection;
    this.startedAt = options.clock.now();
    this.#options = options;
  }

  /** Brings it up in the background; how that goes is told. */
  start(): void {
    void this.#bringUp();
  }

  /** The process has ended: nothing is told any more. */
  end(): void {
    this.#hasEnded = true;
    this.#probe?.end();
  }

  async #bringUp(): Promise<void> {
    const { clock, clientInfo, onReady, onProbe, onUseless } = this.#options;
    try {
      await this.connection.initialize(clientInfo);
      const sentAt = clock.monotonic();
      const isProbed = await this.#answersProbe();
      if (this.#hasEnded) return;
      onReady(isProbed);
      if (!isProbed) return;
      onProbe({ kind: 'answered', latencyMs: clock.monotonic() - sentAt });
      this.#watch();
    } catch (error) {
      // When the process has ended its exit says what is to be done.
      if (this.#hasEnded || isCoded(error, 'agent.crashed')) return;
      onUseless(isCoded(error) ? error : fault('agent.failed', messageOf(error)));
    }
  }

  /** Whether the first probe was answered in time. Rejects when the connection closed. */
  async #answersProbe(): Promise<boolean> {
    const { clock, settings } = this.#options;
    const late = Promise.withResolvers<false>();
    const timer = clock.after(settings.livenessProbeTimeoutMs, () => late.resolve(false));
    try {
      return await Promise.race([this.connection.ping().then(() => true), late.promise]);
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
