import { type ApiError, UNEXPECTED_ANSWER, UNREACHABLE } from './api-error.ts';

/** What to do about a failure, by its code, or by the family of it (`agent.`); the exact code wins. */
const ADVICE: Readonly<Record<string, string>> = {
  [UNREACHABLE]:
    'The console keeps trying. If this stays, start SmallTalk Console again; nothing that was acknowledged is lost.',
  [UNEXPECTED_ANSWER]:
    'Another program may be listening on this address. Check the address, then reload the page.',
  'auth.': 'Open the address with the token that the runtime printed when it started.',
  'request.invalid': 'Correct what was entered and try again.',
  'request.too_large': 'Send less at once.',
  'request.rate_limited': 'Wait a moment, then try again.',
  'route.not_found': 'Console and runtime may be of different versions. Reload the page.',
  'session.not_found': 'It may have been deleted, or it is in a backup. Go back to the list.',
  'session.busy': 'Wait for the answer, or cancel it.',
  'session.archived': 'Take it out of the archive first.',
  'session.limit_reached': 'Archive sessions that you do not need, or raise MAX_CONCURRENT_SESSIONS.',
  'session.too_large': 'Go on in a new session, or raise MAX_SESSION_SIZE.',
  'session.attachment_unsupported': 'Take the file out of the message, or talk with another agent.',
  'session.attachment_not_found': 'It may have been deleted with its session.',
  'session.nothing_to_resend': 'Write the message again.',
  'needs_you.': 'There is nothing left to do: the list shows what still waits.',
  'needs_you.unknown_option': 'Reload the page, then answer again.',
  'budget.exhausted': 'Raise the limit where it waits in “Needs you”, or in Settings, then send again.',
  'agent.not_found': 'It may have been removed. Choose another agent.',
  'agent.name_taken': 'Choose another name.',
  'agent.in_use': 'Wait until it has answered, or cancel the turn.',
  'agent.stopped': 'Start the agent, then try again.',
  'agent.not_ready': 'It is starting. Try again in a moment.',
  'agent.crash_loop': 'Look at its last exits, correct the cause, then restart it.',
  'agent.command_not_found': 'Check the spelling, or give the absolute path of the program.',
  'agent.command_not_executable':
    'Make the file executable, or give the program that runs it as the command.',
  'agent.working_directory_missing': 'Create the folder, or give another one.',
  'agent.secret_missing': 'Set the secret of that name, or choose another one in the configuration.',
  'agent.login_needed': 'Log in to the agent; its details say how.',
  'agent.auth_method_unknown': 'Restart the agent: it may offer other ways to log in by now.',
  'agent.start_refused': 'The machine is short of memory or of processes. Close something, then try again.',
  'agent.drill_unsupported': 'Choose a drill that the agent offers.',
  'agent.drill_running': 'Wait until that one is over.',
  'secret.unreadable':
    'Put secrets.json in the data folder right, or move it away and set the secrets again.',
  'agent.protocol_error': 'Check that the command speaks ACP on its standard input and output.',
  'agent.': 'Look at the agent: its exits and last lines of output say more.',
  'provider.key_missing': 'Set the key that the message names, then restart the agent.',
  'provider.key_refused': 'Check the key of the provider, then restart the agent.',
  'provider.': 'Look at the message of the provider. Trying again may help.',
  'backup.archive_': 'Choose another archive. Your data has not been touched.',
  'backup.not_found': 'It may have been deleted from the backup folder. Reload the list.',
  'job.conflict': 'Wait until the running job is done.',
  'storage.full': 'Free some disk space. Nothing that was acknowledged is lost.',
  'storage.read_only': 'Make the data folder writable, then try again.',
  'storage.version_conflict': 'Look at what changed, then try again.',
  'storage.not_known_now':
    'It is there again as soon as the storage can be reached. Nothing that was acknowledged is lost.',
  'storage.conflict_not_found': 'Somebody has chosen already. Reload the list.',
  'storage.unreachable': 'Check that the server runs, the address, and that no firewall is in between.',
  'storage.access_denied': 'Check user and password, and the rights of the user on the server.',
  'storage.tls_failed': 'Check whether the server speaks TLS, and whether its certificate is trusted here.',
  'storage.unsupported_server': 'Choose another server, or bring this one up to date.',
  'storage.locked': 'Stop the other process that uses the same data, then try again.',
  'storage.pinned':
    'Take the settings that are named out of the environment, and start SmallTalk Console again.',
  'storage.same': 'Choose another storage.',
  'storage.changed_meanwhile': 'Stop the other instances, then move again. Your data has not been touched.',
  'storage.': 'Look at the log of the runtime. What was acknowledged is on the disk.',
  'maintenance.active': 'Wait until the restore is done, then try again.',
  'runtime.stopped': 'Start SmallTalk Console again.',
  'console.failed': 'Reload the page. If it happens again, the code and the message help to find the cause.',
};

const FALLBACK = 'Try again. If it stays, look for the correlation id in the log of the runtime.';

/** One sentence or two on what the user can do. */
export function adviceFor(error: ApiError): string {
  const exact = ADVICE[error.code];
  if (exact !== undefined) return exact;
  const family = Object.keys(ADVICE).find((key) => /[._]$/.test(key) && error.code.startsWith(key));
  return (family !== undefined && ADVICE[family]) || FALLBACK;
}
