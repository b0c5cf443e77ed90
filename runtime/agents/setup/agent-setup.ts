/** What helps to bring an agent of one's own: finding the well-known ones, and trying one out before it is added. */
import type * as z from 'zod';
import type { Clock } from '../../base/clock.ts';
import { type CodedError, isCoded, messageOf } from '../../base/errors.ts';
import type { MakeId } from '../../base/ids.ts';
import type { Logger } from '../../base/logger.ts';
import {
  type AgentConfig,
  type AgentDetection,
  type AgentLaunch,
  type AgentTestResult,
  type agentRoutes,
  type DetectedAgent,
  fault,
} from '../../contract/index.ts';
import { createRedactor } from '../../settings/redact.ts';
import type { Settings } from '../../settings/settings.ts';
import type { AgentProcesses } from '../processes/agent-processes.ts';
import { AgentConnection } from '../protocol/agent-connection.ts';
import { type LaunchCommand, type LaunchContext, resolveLaunch } from './agent-launch.ts';
import { findExecutable } from './executables.ts';
import { type AgentRecipe, RECIPES, type RecipeCommand, recipeOfLaunch } from './recipes.ts';
import type { SearchPaths } from './search-path.ts';

type TestInput = z.infer<NonNullable<(typeof agentRoutes.test)['~orpc']['inputSchema']>>;

export interface AgentSetup {
  /** The well-known agents, those that were found first. `configured`: the agents that there are already. */
  detect(configured: readonly AgentConfig[], signal: AbortSignal): Promise<AgentDetection>;
  /**
   * Starts a process of this configuration, sees what it says to `initialize` and to a probe, and ends it. Resolves also
   * when that fails: `error` says why. Rejects only when it was aborted; the process is then ended at once.
   */
  test(input: TestInput, signal: AbortSignal): Promise<AgentTestResult>;
}

export function createAgentSetup(
  dependencies: LaunchContext & {
    settings: Pick<Settings, 'livenessProbeTimeoutMs'>;
    searchPaths: SearchPaths;
    processes: Pick<AgentProcesses, 'launch'>;
    clock: Clock;
    logger: Logger;
    makeId: MakeId;
    clientInfo: { name: string; version: string };
  },
): AgentSetup {
  const { searchPaths, processes, clock, logger, makeId, clientInfo, settings } = dependencies;

  return {
    async detect(configured, signal) {
      const { folders, from } = await untilAborted(searchPaths.refresh(), signal);
      const items: DetectedAgent[] = [];
      for (const recipe of RECIPES) {
        signal.throwIfAborted();
        items.push(detected(recipe, await firstThere(recipe, folders), configured));
      }
      return {
        items: items.toSorted((a, b) => Number(b.found) - Number(a.found)),
        path: folders,
        pathFrom: from,
      };
    },

    async test(input, signal) {
      const startedAt = clock.monotonic();
      const found: AgentTestResult = {
        ok: false,
        durationMs: 0,
        command: nameOf(input.launch),
        authMethods: [],
        stderr: '',
      };
      try {
        const command = await untilAborted(resolveLaunch(input, dependencies), signal);
        found.command = command.command;
        await tryOut(command, found, signal);
        found.ok = true;
      } catch (error) {
        signal.throwIfAborted();
        const { code, message } = isCoded(error) ? error : fault('agent.failed', messageOf(error));
        found.error = { code, message };
      }
      found.durationMs = Math.round(clock.monotonic() - startedAt);
      return found;
    },
  };

  /** Fills `found` with what the process tells. However this ends, the process has ended then. */
  async function tryOut(command: LaunchCommand, found: AgentTestResult, signal: AbortSignal): Promise<void> {
    const redact = createRedactor(command.secrets);
    const agent = { id: `test-${makeId(20)}`, generation: 1 };
    const process = await processes.launch({ agentId: agent.id, generation: 1, command, redact });
    const broken = Promise.withResolvers<never>();
    broken.promise.catch(() => undefined);
    const connection = new AgentConnection({
      agent,
      process,
      command,
      cwd: command.cwd,
      clock,
      logger,
      redact,
      onBroken: (reason: CodedError) => broken.reject(reason),
      ...(command.initializeTimeoutMs === undefined
        ? {}
        : { initializeTimeoutMs: command.initializeTimeoutMs }),
    });
    let isOrderly = false;
    try {
      await untilAborted(Promise.race([connection.initialize(clientInfo), broken.promise]), signal);
      found.isProbed = await untilAborted(answersProbe(connection), signal);
      isOrderly = true;
    } finally {
      const { protocolVersion, agentInfo, capabilities, authMethods } = connection;
      if (protocolVersion !== undefined) found.protocolVersion = protocolVersion;
      if (agentInfo !== undefined) found.agentInfo = agentInfo;
      if (capabilities !== undefined) found.capabilities = capabilities;
      found.authMethods = authMethods;
      const end = await connection.end(fault('agent.stopped', 'The test is over.'), { force: !isOrderly });
      found.stderr = end.stderr;
    }
  }

  /** False when it did not answer in time. Rejects when the connection closed. */
  async function answersProbe(connection: AgentConnection): Promise<boolean> {
    const late = Promise.withResolvers<false>();
    const timer = clock.after(settings.livenessProbeTimeoutMs, () => late.resolve(false));
    try {
      return await Promise.race([connection.ping().then(() => true), late.promise]);
    } finally {
      timer.cancel();
    }
  }
}

/** The first way of a recipe of which everything is on this machine. Starts nothing. */
async function firstThere(recipe: AgentRecipe, folders: string[]): Promise<RecipeCommand | undefined> {
  const isThere = async (name: string) => (await findExecutable(name, folders)) !== undefined;
  for (const way of recipe.commands) {
    if ((await isThere(way.command)) && (way.with === undefined || (await isThere(way.with)))) return way;
  }
  return undefined;
}

function detected(
  recipe: AgentRecipe,
  way: RecipeCommand | undefined,
  configured: readonly AgentConfig[],
): DetectedAgent {
  const { id, name, description, website, source, install, login } = recipe;
  const agent = configured.find(
    ({ launch }) => launch.kind === 'command' && recipeOfLaunch(launch)?.id === id,
  );
  return {
    recipe: id,
    name,
    description,
    website,
    source,
    install,
    login,
    found: way !== undefined,
    // By its name, not by its path: a version manager moves the path with every update.
    ...(way === undefined ? {} : { launch: launchOf(way) }),
    ...(agent === undefined ? {} : { agentId: agent.id }),
  };
}

function launchOf({ command, args, env = {} }: RecipeCommand): AgentLaunch {
  return { kind: 'command', command, args: [...args], env: { ...env } };
}

function nameOf(launch: AgentLaunch): string {
  return launch.kind === 'builtin' ? launch.program : launch.command;
}

/** Rejects with the reason of the signal as soon as it is aborted, whatever becomes of `work`. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
