/**
 * A built-in agent that waits to be told which one: with Node.js started and all loaded that they have in common, which
 * takes most of the time of a start. It says {@link READY} on stdout, then reads one line of JSON from stdin, {@link BecomeRequest}, answers
 * {@link BECOMING}, and is that agent from then on. Keys come in that line and not in its environment.
 */
import './acp-server.ts';
import './echo-commands.ts';
import './echo-session.ts';
import './echo-turn.ts';
import './serve-stdio.ts';
import '../protocol/extensions.ts';
import { BECOMING, type BecomeRequest, READY } from '../processes/spare-words.ts';

const NEWLINE = 0x0a;

/** The first line of stdin; what came behind it is still to be read. */
function firstLine(): Promise<string> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const onReadable = () => {
      for (let chunk = process.stdin.read(); chunk !== null; chunk = process.stdin.read()) {
        bytes = Buffer.concat([bytes, chunk]);
        const end = bytes.indexOf(NEWLINE);
        if (end === -1) continue;
        process.stdin.off('readable', onReadable).off('end', onEnd);
        if (end + 1 < bytes.length) process.stdin.unshift(bytes.subarray(end + 1));
        return resolve(bytes.subarray(0, end).toString());
      }
    };
    // The console is gone.
    const onEnd = () => process.exit(0);
    process.stdin.on('readable', onReadable).on('end', onEnd);
  });
}

process.stdout.write(READY);
const { program, args, env, cwd } = JSON.parse(await firstLine()) as BecomeRequest;
process.chdir(cwd);
process.argv.splice(2, process.argv.length, ...args);
for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
Object.assign(process.env, env);
process.stdout.write(BECOMING);
await (program === 'chat' ? import('./chat.ts') : import('./echo.ts'));
