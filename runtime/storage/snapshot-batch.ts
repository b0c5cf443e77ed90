/** Most records in one batch of a snapshot. */
export const SNAPSHOT_BATCH_RECORDS = 500;

/**
 * About the most characters of values in one batch of a snapshot; a single larger record is a batch of its own. Several are on
 * their way at a time, in several copies: with 1 MiB, streaming 1 GB takes 120 MiB more memory, and no less time.
 */
export const SNAPSHOT_BATCH_BYTES = 64 * 1024;
