import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { type MakeId, timeOrderedId } from '../../base/ids.ts';
import type { Logger } from '../../base/logger.ts';
import { type AgentConfig, agentConfig, fault } from '../../contract/index.ts';
import type { AgentChange, NewAgent } from '../agents.ts';
import type { AgentRegistry, StoredAgent } from '../setup/agent-registry.ts';
import { DEMO_FLEET, FIRST_AGENT, type FleetMember } from '../setup/builtin-fleet.ts';
import type { AgentRecord, AgentRecords } from './agent-record.ts';
import { Serial } from './serial.ts';
import type { SupervisedAgent } from './supervised-agent.ts';

const ID_LENGTH = 20;

export interface AgentRosterDependencies {
  registry: AgentRegistry;
  records: AgentRecords;
  clock: Clock;
  makeId: MakeId;
  logger: Logger;
  supervise: (stored: StoredAgent, record: AgentRecord) => SupervisedAgent;
  /** Rejects when nothing could be started by this configuration as things are. */
  checkLaunch: (config: AgentConfig) => Promise<void>;
}

/** Which agents there are, and the changes to that: one after the other, so that a name is checked and taken in one step. */
export class AgentRoster {
  readonly #dependencies: AgentRosterDependencies;
  /** In the order of the list: the oldest first. */
  readonly #agents = new Map<string, SupervisedAgent>();
  #restartsOfGone = 0;
  readonly #changes = new Serial();
  /** Why the list may not be changed at the moment. */
  #paused: string | undefined;

  constructor(dependencies: AgentRosterDependencies) {
    this.#dependencies = dependencies;
  }

  list(): SupervisedAgent[] {
    return [...this.#agents.values()];
  }

  /** Throws `agent.not_found`. */
  find(id: string): SupervisedAgent {
    const agent = this.#agents.get(id);
    if (agent === undefined) throw fault('agent.not_found', `There is no agent ${id}.`, { id });
    return agent;
  }

  /** Recoveries since the app started, those of agents that are gone included. */
  get restarts(): number {
    return this.list().reduce((sum, agent) => sum + agent.restarts, this.#restartsOfGone);
  }

  /** The app starts: reads the agents, and starts in the background those that are to run. */
  async begin(): Promise<void> {
    this.#paused = undefined;
    for (const stored of await this.#load()) await this.#add(stored);
    for (const agent of this.list()) this.#inBackground(agent, 'started', agent.begin());
  }

  /** The app ends: ends all of them at once. Changes that have not begun are refused. */
  async shutDown(): Promise<void> {
    this.#paused = 'SmallTalk Console is being closed';
    await this.#changes.settled();
    await Promise.all(this.list().map((agent) => agent.shutDown('SmallTalk Console was closed')));
    this.#agents.clear();
  }

  create(input: NewAgent): Promise<SupervisedAgent> {
    return this.#change(async () => {
      this.#checkName(input.name);
      const { registry, makeId, checkLaunch } = this.#dependencies;
      const config = agentConfig.parse({ ...input, id: makeId(ID_LENGTH), createdAt: this.#nextCreatedAt() });
      await checkLaunch(config);
      const [stored] = await registry.add([config], this.#correlationId());
      const agent = await this.#add(stored as StoredAgent);
      // It was looked at just now; should it not start all the same, its state says so.
      if (config.autostart)
        await agent.start().catch((error: unknown) => this.#warn(agent, 'started', error));
      return agent;
    });
  }

  createDemoFleet(): Promise<SupervisedAgent[]> {
    return this.#change(async () => {
      const missing = DEMO_FLEET.filter(({ id, name }) => !this.#agents.has(id) && !this.#isNameTaken(name));
      const createdAt = this.#nextCreatedAt();
      const added = await this.#dependencies.registry.add(
        missing.map((member, index) => configOf(member, createdAt + index)),
        this.#correlationId(),
      );
      for (const stored of added) await this.#add(stored);
      const fleet = DEMO_FLEET.flatMap(({ id }) => this.#agents.get(id) ?? []);
      for (const agent of fleet) this.#inBackground(agent, 'started', agent.start());
      return fleet;
    });
  }

  update({ id, expectedVersion, ...change }: AgentChange): Promise<SupervisedAgent> {
    return this.#change(async () => {
      const agent = this.find(id);
      const { registry, checkLaunch } = this.#dependencies;
      const config = agentConfig.parse({ ...agent.config, ...change });
      if (config.name.toLowerCase() !== agent.config.name.toLowerCase()) this.#checkName(config.name);
      if (change.launch !== undefined || change.mcpServers !== undefined) await checkLaunch(config);
      const stored = await registry.update(
        config,
        expectedVersion ?? agent.view().version,
        this.#correlationId(),
      );
      // That it cannot be started with it shows in its state; the change is made.
      await agent.reconfigure(stored).catch((error: unknown) => this.#warn(agent, 'started', error));
      return agent;
    });
  }

  remove(id: string): Promise<void> {
    return this.#change(async () => {
      const agent = this.find(id);
      if (agent.runningTurns > 0) {
        throw fault('agent.in_use', `${agent.config.name} is answering a prompt. Cancel it first.`, { id });
      }
      const { registry, records } = this.#dependencies;
      // First what may fail: an agent that could not be deleted goes on as it was.
      await registry.remove(agent.config, this.#correlationId());
      this.#forget(agent);
      await agent.shutDown('It was deleted');
      await records.remove(id).catch((error: unknown) => this.#warn(agent, 'forgotten', error));
    });
  }

  /** The data set is about to be switched: every change is refused with `maintenance.active` until `reload`. */
  pause(reason: string): Promise<void> {
    return this.#changes.run(async () => {
      this.#paused = reason;
    });
  }

  /** The active data set has changed: ends agents that are gone, starts new ones, and re-reads the others. */
  reload(): Promise<void> {
    return this.#changes.run(async () => {
      this.#paused = undefined;
      const all = await this.#load();
      const ids = new Set(all.map(({ config }) => config.id));
      const known = new Map(this.#agents);
      const gone = this.list().filter(({ config }) => !ids.has(config.id));
      // Whatever may fail comes before this; and nobody sees the list half read.
      const added = await this.#superviseAll(all.filter(({ config }) => !known.has(config.id)));
      this.#agents.clear();
      for (const { config } of all) {
        const agent = known.get(config.id) ?? added.get(config.id);
        if (agent !== undefined) this.#agents.set(config.id, agent);
      }
      for (const agent of added.values()) this.#inBackground(agent, 'started', agent.begin());
      const settled = await Promise.allSettled([
        ...gone.map((agent) => agent.shutDown('It is not in the data that is active now')),
        ...all.flatMap((stored) => this.#follow(stored, known.get(stored.config.id)) ?? []),
      ]);
      for (const agent of gone) {
        this.#forget(agent);
        await this.#dependencies.records
          .remove(agent.config.id)
          .catch((error: unknown) => this.#warn(agent, 'forgotten', error));
      }
      for (const result of settled) {
        if (result.status === 'rejected') {
          this.#dependencies.logger.error('An agent did not follow the change of the data', {
            error: messageOf(result.reason),
          });
        }
      }
    });
  }

  #follow(stored: StoredAgent, agent: SupervisedAgent | undefined): Promise<void> | undefined {
    // What it knows of its sessions may be ahead of the data that is active now.
    agent?.forgetAllSessions();
    return agent?.reconfigure(stored);
  }

  async #load(): Promise<StoredAgent[]> {
    const { registry, clock } = this.#dependencies;
    const stored = await registry.load();
    if (stored.length > 0 || !(await registry.isFresh())) return stored;
    return registry.add([configOf(FIRST_AGENT, clock.now())], this.#correlationId());
  }

  async #add(stored: StoredAgent): Promise<SupervisedAgent> {
    const agent = await this.#supervise(stored);
    this.#agents.set(stored.config.id, agent);
    return agent;
  }

  async #superviseAll(all: StoredAgent[]): Promise<Map<string, SupervisedAgent>> {
    const agents = new Map<string, SupervisedAgent>();
    for (const stored of all) agents.set(stored.config.id, await this.#supervise(stored));
    return agents;
  }

  async #supervise(stored: StoredAgent): Promise<SupervisedAgent> {
    const { records, supervise } = this.#dependencies;
    return supervise(stored, await records.load(stored.config.id));
  }

  #forget(agent: SupervisedAgent): void {
    this.#agents.delete(agent.config.id);
    this.#restartsOfGone += agent.restarts;
  }

  /** A change that somebody asked for: refused while the data set is being switched, because it would be left behind. */
  #change<T>(work: () => Promise<T>): Promise<T> {
    return this.#changes.run(async () => {
      if (this.#paused !== undefined) {
        throw fault(
          'maintenance.active',
          `Agents cannot be added, changed or removed at the moment: ${this.#paused}.`,
        );
      }
      return work();
    });
  }

  #inBackground(agent: SupervisedAgent, done: string, work: Promise<void>): void {
    work.catch((error: unknown) => this.#warn(agent, done, error));
  }

  #warn(agent: SupervisedAgent, done: string, error: unknown): void {
    this.#dependencies.logger.warn(`An agent could not be ${done}`, {
      agentId: agent.config.id,
      error: messageOf(error),
    });
  }

  /** Throws `agent.name_taken`. */
  #checkName(name: string): void {
    if (!this.#isNameTaken(name)) return;
    throw fault('agent.name_taken', `There is an agent named ${name} already.`, { name });
  }

  #isNameTaken(name: string): boolean {
    return this.list().some(({ config }) => config.name.toLowerCase() === name.toLowerCase());
  }

  /** Creation times are made to differ, because they are the order of the list. */
  #nextCreatedAt(): number {
    const { clock } = this.#dependencies;
    return Math.max(clock.now(), ...this.list().map(({ config }) => config.createdAt + 1));
  }

  #correlationId(): string {
    const { clock, makeId } = this.#dependencies;
    return timeOrderedId(clock.now(), makeId);
  }
}

function configOf(member: FleetMember, createdAt: number): AgentConfig {
  return agentConfig.parse({ ...member, autostart: true, createdAt });
}
