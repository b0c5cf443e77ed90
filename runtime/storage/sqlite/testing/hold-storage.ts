/** A program that opens the storage in the folder that it is given, writes to it, and keeps it until it is killed. */
import { writeSync } from 'node:fs';
import { SqliteStorage } from '../sqlite-storage.ts';

const storage = new SqliteStorage({ folder: process.argv[2] ?? '' });
await storage.open();
await storage.commit([{ kind: 'put', collection: 'sessions', id: 'held', value: 'by the other' }]);
writeSync(1, 'open\n');
setInterval(() => undefined, 60_000);
