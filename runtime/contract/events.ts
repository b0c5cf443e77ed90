import { oc } from '@orpc/contract';
import * as z from 'zod';
import { id, MAX_SEARCH_LENGTH, page, pageQuery } from './common.ts';

/** A topic: 1 to 8 dotted tokens, such as `agent.state.changed`. */
export const topic = z
  .string()
  .max(200)
  .regex(/^[a-z0-9_-]+(\.[a-z0-9_-]+){0,7}$/);

/** A pattern over topics as in NATS: `*` matches one token, `>` (last) one or more. */
export const topicPattern = z
  .string()
  .max(200)
  .regex(
    /^(?:[a-z0-9_-]+|\*)(?:\.(?:[a-z0-9_-]+|\*)){0,7}(?:\.>)?$|^>$/,
    'a dotted topic; `*` for one token, `>` for the rest',
  );

export const priority = z.enum(['low', 'normal', 'high', 'critical']);
export type Priority = z.infer<typeof priority>;

/** An event as CloudEvents 1.0, with the extensions `sequence`, `priority`, `correlationid` and `causationid`. */
export const event = z.object({
  specversion: z.literal('1.0'),
  id,
  source: z.string(),
  type: topic.describe('the topic'),
  subject: z.string().optional().describe('the id of what it is about'),
  time: z.string().describe('RFC 3339'),
  datacontenttype: z.literal('application/json'),
  data: z.unknown(),
  sequence: z.int().nonnegative().describe('its place in the log; 0 for an event that is only told live'),
  priority,
  correlationid: z.string(),
  causationid: z.string().optional().describe('the id of the event that caused it'),
});
export type RuntimeEvent = z.infer<typeof event>;

/** Patterns, separated by commas. */
export const topicsQuery = z
  .string()
  .max(2000)
  .transform((text) => text.split(',').map((part) => part.trim()))
  .pipe(z.array(topicPattern).min(1).max(50));

export const eventListQuery = pageQuery.extend({
  topics: topicsQuery.optional(),
  search: z
    .string()
    .trim()
    .max(MAX_SEARCH_LENGTH)
    .optional()
    .describe('text anywhere in the event, without regard to case'),
  subject: z.string().max(128).optional(),
  correlationId: z.string().max(128).optional(),
  since: z.coerce.number().int().nonnegative().optional().describe('milliseconds since the Unix epoch'),
});

export const eventRoutes = {
  list: oc
    .route({
      method: 'GET',
      path: '/events',
      tags: ['events'],
      summary: 'Events of the log, the newest first',
    })
    .input(eventListQuery)
    .output(page(event)),
  get: oc
    .route({ method: 'GET', path: '/events/{sequence}', tags: ['events'], summary: 'One event of the log' })
    .input(z.object({ sequence: z.coerce.number().int().positive() }))
    .output(event),
};

/** Where the event stream lives; server-sent events, outside the contract because it is not one answer. */
export const EVENT_STREAM_PATH = '/api/events/stream';
