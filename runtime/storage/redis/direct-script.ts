import type { RedisScript } from './redis-connection.ts';
import { WrittenWords } from './written-words.ts';

/**
 * Scripts that carry out commands if nothing was changed since the caller last heard of it. The key `:owner` says who that is: the
 * text of whoever wrote last, which is another one after each group, so that a group is not carried out either when the one
 * before it was not. Everything that changes what an owner believes to be there takes the key away from it. All is worked out
 * beforehand, because Lua takes twenty times as long for it, and holds everybody up meanwhile.
 *
 * KEYS: the owner. ARGV: its text as it must be, and as it is to be; then the commands. Answers 1; or 0, having written nothing.
 */
const GUARD = `local call, unpack, A = redis.call, unpack, ARGV
local before = call('SET', KEYS[1], A[2], 'GET')
if before ~= A[1] then
  if before then call('SET', KEYS[1], before) else call('DEL', KEYS[1]) end
  return 0
end
`;

/** Takes any commands: of each the count of its words, its name, and the other words. */
const ANY: RedisScript = {
  lua: `${GUARD}local at, last = 3, #A
while at < last do
  local to = at + A[at]
  call(unpack(A, at + 1, to))
  at = to + 1
end
return 1`,
};

/** How much a script of its own may do, and how many of them there may be: the server keeps each until it is restarted. */
const MOST_COMMANDS = 8;
const MOST_WORDS = 60;
const MOST_SHAPES = 64;

/** By names and counts of words of the commands: scripts that take those, and only their other words. */
const shapes = new Map<string, RedisScript>();

interface DirectCommand {
  readonly name: 'HSET' | 'RPUSH' | 'INCRBY' | 'ZADD' | 'ZREM';
  readonly key: WrittenWords;
  /** It has the key of the command before it. */
  readonly sharesKey: boolean;
  /** Those behind the key. */
  readonly words: WrittenWords;
  /** The same with a score before each, for one that puts members of an index in. */
  readonly scored?: WrittenWords;
}

/** Members of an index, whose scores are all 0. */
class IndexMembers {
  readonly words = new WrittenWords();
  readonly scored = new WrittenWords();

  add(member: string): void {
    const bytes = Buffer.byteLength(member);
    this.words.add(member, bytes);
    this.scored.addAscii('0');
    this.scored.add(member, bytes);
  }
}

/** What is to be carried out directly. */
export class DirectRequest {
  readonly #commands: DirectCommand[] = [];

  /** Begins a command; answers where its words go, all but the key. */
  command(name: DirectCommand['name'], key: string): WrittenWords {
    const words = new WrittenWords();
    this.#commands.push({ name, key: oneWord(key), sharesKey: false, words });
    return words;
  }

  /** Changes an index; answers where the members go that are taken out, and those that are put in, of which there must be some. */
  index(key: string): { gone: WrittenWords; come: IndexMembers } {
    const gone = this.command('ZREM', key);
    const come = new IndexMembers();
    const { words, scored } = come;
    this.#commands.push({ name: 'ZADD', key: oneWord(key), sharesKey: true, words, scored });
    return { gone, come };
  }

  /**
   * The script, with its arguments, that makes `next` the owner after `owner`. A few commands have one that was made for their
   * like, in which is what is always the same: with the 15 words that are left of 27 for a put and an append the server needs an
   * eighth less time, and the table in which Lua has them is half as large with 16 as with 17.
   */
  toScript(owner: string, next: string): { script: RedisScript; args: WrittenWords } {
    const args = new WrittenWords();
    args.addAscii(owner);
    args.addAscii(next);
    const script = this.#shaped();
    for (const { name, key, sharesKey, words, scored = words } of this.#commands) {
      if (script === undefined) {
        args.addAscii(String(2 + scored.count));
        args.addAscii(name);
        args.addAll(key);
        args.addAll(scored);
      } else {
        if (!sharesKey) args.addAll(key);
        args.addAll(words);
      }
    }
    return { script: script ?? ANY, args };
  }

  #shaped(): RedisScript | undefined {
    const commands = this.#commands;
    if (commands.length > MOST_COMMANDS) return undefined;
    let shape = '';
    let count = 0;
    for (const { name, words, scored } of commands) {
      count += words.count;
      shape += scored === undefined ? name + words.count : `index${words.count}`;
    }
    const known = shapes.get(shape);
    if (known !== undefined || count > MOST_WORDS || shapes.size === MOST_SHAPES) return known;
    const made = scriptOf(commands);
    shapes.set(shape, made);
    return made;
  }
}

function oneWord(text: string): WrittenWords {
  const word = new WrittenWords();
  word.add(text);
  return word;
}

function scriptOf(commands: readonly DirectCommand[]): RedisScript {
  let at = 2;
  const next = () => {
    at += 1;
    return `A[${at}]`;
  };
  let key = '';
  let lua = GUARD;
  for (const { name, sharesKey, words, scored } of commands) {
    if (!sharesKey) key = next();
    const own = Array.from({ length: words.count }, () => (scored === undefined ? next() : `'0', ${next()}`));
    lua += `call('${name}', ${[key, ...own].join(', ')})\n`;
  }
  return { lua: `${lua}return 1` };
}
