import { CodedError } from '../base/errors.ts';

/**
 * Every error code that leaves the runtime, in the API, in the log and in the console, with its HTTP status and its
 * title. Codes are stable: a script may rely on them. The `message` of the {@link CodedError} says the particulars.
 */
export const ERROR_CODES = {
  // what the caller sent
  'request.invalid': { status: 400, title: 'The request is not valid' },
  'request.malformed_json': { status: 400, title: 'The body is not valid JSON' },
  'request.unsupported_media_type': { status: 415, title: 'The body must be JSON' },
  'request.too_large': { status: 413, title: 'The request is too large' },
  'request.timeout': { status: 408, title: 'The request did not arrive in time' },
  'request.rate_limited': { status: 429, title: 'Too many requests' },
  'request.cancelled': { status: 499, title: 'The caller went away' },
  'route.not_found': { status: 404, title: 'There is no such route' },
  'route.method_not_allowed': { status: 405, title: 'The route does not take this method' },
  // who the caller is
  'auth.required': { status: 401, title: 'A token is needed' },
  'auth.wrong_token': { status: 401, title: 'The token is wrong' },
  'auth.foreign_host': { status: 403, title: 'The Host header is not one of ours' },
  'auth.foreign_origin': { status: 403, title: 'The request comes from a foreign web page' },
  // sessions
  'session.not_found': { status: 404, title: 'There is no such session' },
  'session.busy': { status: 409, title: 'The session is answering another prompt' },
  'session.not_running': { status: 409, title: 'The session has no running turn' },
  'session.archived': { status: 409, title: 'The session is archived' },
  'session.too_large': { status: 413, title: 'The session has reached its maximum size' },
  'session.nothing_to_resend': { status: 409, title: 'There is no prompt to be sent again' },
  'session.attachment_unsupported': { status: 422, title: 'The agent does not take this kind of attachment' },
  'session.attachment_not_found': { status: 404, title: 'There is no such attachment' },
  'session.mode_unknown': { status: 422, title: 'The agent does not offer this' },
  'session.limit_reached': { status: 429, title: 'Too many active sessions' },
  // agents
  'agent.not_found': { status: 404, title: 'There is no such agent' },
  'agent.name_taken': { status: 409, title: 'Another agent has this name' },
  'agent.in_use': { status: 409, title: 'The agent is answering a prompt' },
  'agent.stopped': { status: 409, title: 'The agent is stopped' },
  'agent.not_ready': { status: 503, title: 'The agent is not ready' },
  'agent.crashed': { status: 502, title: 'The agent process ended' },
  'agent.unresponsive': { status: 504, title: 'The agent does not answer' },
  'agent.crash_loop': { status: 503, title: 'The agent keeps crashing' },
  'agent.command_not_found': { status: 422, title: 'The agent command does not exist' },
  'agent.command_not_executable': { status: 422, title: 'The agent command cannot be executed' },
  'agent.protocol_error': { status: 502, title: 'The agent does not speak ACP as expected' },
  'agent.failed': { status: 502, title: 'The agent reported an error' },
  'agent.drill_running': { status: 409, title: 'Another drill of this agent is not over yet' },
  'agent.drill_unsupported': { status: 422, title: 'This agent does not offer that drill' },
  'agent.login_needed': { status: 422, title: 'The agent needs a login' },
  'agent.working_directory_missing': { status: 422, title: 'The working directory does not exist' },
  'agent.secret_missing': { status: 422, title: 'A secret of the configuration is not known' },
  'agent.start_refused': { status: 503, title: 'The system could not start the process' },
  'agent.auth_method_unknown': { status: 422, title: 'The agent does not offer this way to log in' },
  // what waits for the user
  'needs_you.not_found': { status: 404, title: 'There is no such item' },
  'needs_you.already_answered': { status: 409, title: 'This was answered already' },
  'needs_you.withdrawn': { status: 410, title: 'Nobody waits for this answer any more' },
  'needs_you.unknown_option': { status: 422, title: 'This is none of the possible answers' },
  'budget.exhausted': { status: 402, title: 'The budget is used up' },
  'secret.not_found': { status: 404, title: 'There is no such secret' },
  'secret.unreadable': { status: 500, title: 'The secrets cannot be read' },
  // model providers, told by the built-in chat agent
  'provider.key_missing': { status: 422, title: 'No API key is set for the model provider' },
  'provider.key_refused': { status: 422, title: 'The model provider refused the API key' },
  'provider.rate_limited': { status: 429, title: 'The model provider is limiting requests' },
  'provider.quota_exceeded': { status: 402, title: 'The quota at the model provider is used up' },
  'provider.model_not_found': { status: 422, title: 'The model provider does not know the model' },
  'provider.context_too_long': { status: 422, title: 'The conversation is too long for the model' },
  'provider.content_refused': { status: 422, title: 'The model provider refused the content' },
  'provider.unreachable': { status: 502, title: 'The model provider cannot be reached' },
  'provider.failed': { status: 502, title: 'The model provider failed' },
  // events
  'event.invalid_topic': { status: 400, title: 'The topic pattern is not valid' },
  'event.not_found': { status: 404, title: 'There is no such event' },
  // backups
  'backup.not_found': { status: 404, title: 'There is no such backup' },
  'backup.archive_foreign': { status: 422, title: 'The file is not a SmallTalk Console archive' },
  'backup.archive_damaged': { status: 422, title: 'The archive is damaged' },
  'backup.archive_too_new': { status: 422, title: 'The archive was made by a newer version' },
  'backup.archive_too_large': { status: 413, title: 'The archive is larger than what is accepted' },
  'backup.nothing_to_undo': { status: 409, title: 'There is no restore to undo' },
  // jobs
  'job.not_found': { status: 404, title: 'There is no such job' },
  'job.not_cancellable': { status: 409, title: 'The job can no longer be cancelled' },
  'job.conflict': { status: 409, title: 'Another job is in the way' },
  'job.cancelled': { status: 409, title: 'The job was cancelled' },
  // storage
  'storage.version_conflict': { status: 409, title: 'Somebody else changed it meanwhile' },
  'storage.corrupt_record': { status: 500, title: 'A stored record is damaged' },
  'storage.corrupt': { status: 500, title: 'The data file is damaged' },
  'storage.full': { status: 507, title: 'The disk is full' },
  'storage.read_only': { status: 507, title: 'The data folder cannot be written to' },
  'storage.newer_version': { status: 500, title: 'The data was written by a newer version' },
  'storage.locked': { status: 500, title: 'Another process uses the data' },
  'storage.closed': { status: 503, title: 'The storage is closed' },
  'storage.failed': { status: 503, title: 'The storage failed' },
  'storage.invalid': { status: 500, title: 'The storage was asked for something that it cannot hold' },
  'storage.unreachable': { status: 503, title: 'The storage cannot be reached' },
  'storage.access_denied': { status: 500, title: 'The storage server refuses the user or the password' },
  'storage.tls_failed': { status: 500, title: 'The storage server cannot be spoken to over TLS' },
  'storage.unsupported_server': { status: 500, title: 'The storage server is not one that can be used' },
  'storage.not_known_now': { status: 503, title: 'The storage is away, and this is not known without it' },
  'storage.changed_meanwhile': { status: 409, title: 'Somebody else writes to the storage' },
  'storage.pinned': { status: 409, title: 'The storage is set by the environment' },
  'storage.same': { status: 409, title: 'The data is there already' },
  'storage.conflict_not_found': { status: 404, title: 'There is no such conflict' },
  'storage.unsupported_type': { status: 500, title: 'This storage type is not available' },
  // settings and start
  'settings.invalid': { status: 500, title: 'A setting is not valid' },
  'listen.port_taken': { status: 500, title: 'The port is taken' },
  'listen.port_forbidden': { status: 500, title: 'The port may not be opened' },
  'listen.address_unavailable': { status: 500, title: 'The address is not one of this machine' },
  'assets.missing': { status: 500, title: 'The console has not been built' },
  'maintenance.active': { status: 503, title: 'The data is being restored' },
  'runtime.stopped': { status: 503, title: 'The runtime is shutting down' },
  'runtime.failed': { status: 500, title: 'Something went wrong inside' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Makes a {@link CodedError} whose code is in the table. */
export function fault(
  code: ErrorCode,
  message: string,
  data?: Record<string, unknown>,
  options?: ErrorOptions,
): CodedError {
  return new CodedError(code, message, data, options);
}

/** The body of every error answer: RFC 9457 `application/problem+json`, with the code and the correlation id. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  correlationId?: string;
  data?: Record<string, unknown>;
}

/** True when `code` is in the table. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
