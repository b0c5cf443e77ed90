/** What the runtime and a warm spare say to each other before the spare is an agent and speaks its protocol. */

/** The spare, when it has loaded what it needs. */
export const READY = 'ready\n';
/** The spare, when it has heard what it is to become. */
export const BECOMING = 'becoming\n';

/** The runtime, once, as a line of JSON. */
export interface BecomeRequest {
  program: 'echo' | 'chat';
  args: string[];
  /** The whole environment. */
  env: Record<string, string>;
  cwd: string;
}
