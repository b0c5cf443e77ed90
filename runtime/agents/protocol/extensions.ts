/**
 * What we say over ACP beyond its specification, by the rules of its extensibility: methods that begin with an
 * underscore, and keys of our own in `_meta`. An agent that does not know them loses nothing but the feature.
 */
export const EXTENSION_METHODS = {
  /** Request to the agent, any answer will do: is the protocol alive? */
  ping: '_smalltalk/ping',
  /** Request to the agent, `{kind}`: rehearse a failure that only the agent itself can. */
  drill: '_smalltalk/drill',
  /** Notification from the agent during the drill `flood`: to be ignored. */
  flood: '_smalltalk/flood',
} as const;

export const META = {
  /**
   * In `agentCapabilities`, true: the agent takes the kept turns with `session/new`. In `session/new`: those turns,
   * `{role: 'user' | 'agent', text}[]`.
   */
  history: 'smalltalk/history',
  /** In `agentCapabilities`: which drills it knows. */
  drills: 'smalltalk/drills',
  /** In the answer to `session/prompt`: `{inputTokens, outputTokens}` of this turn. */
  usage: 'smalltalk/usage',
  /** In `session/new` and `session/prompt`: what caused it. */
  correlationId: 'smalltalk/correlationId',
  turnId: 'smalltalk/turnId',
} as const;
