import type { FileKeeper } from './file-keeper.ts';
import type { KeeperCall, KeeperCalls, KeeperLink } from './keeper-calls.ts';

type Handlers = {
  [Name in KeeperCall]: (
    keeper: FileKeeper,
    input: KeeperCalls[Name]['input'],
  ) => KeeperCalls[Name]['output'] | Promise<KeeperCalls[Name]['output']>;
};

const HANDLERS: Handlers = {
  open: (keeper, input) => keeper.open(input),
  recover: (keeper) => keeper.recover(),
  carryOut: (keeper, input) => keeper.carryOut(input),
  setDocumentAside: (keeper, input) => keeper.setDocumentAside(input),
  mendLog: (keeper, input) => keeper.mendLog(input),
  releaseKept: (keeper) => keeper.releaseKept(),
  'generation.list': (keeper) => keeper.listGenerations(),
  'generation.scan': (keeper, input) => keeper.scan(input),
  'generation.create': (keeper, input) => keeper.createGeneration(input),
  'generation.write': (keeper, input) => keeper.writeGeneration(input),
  'generation.seal': (keeper, input) => keeper.sealGeneration(input),
  'generation.discard': (keeper, input) => keeper.discardGeneration(input),
  'generation.activate': (keeper, input) => keeper.activateGeneration(input),
  'generation.drop': (keeper, input) => keeper.dropGeneration(input),
  close: (keeper) => keeper.close(),
};

/** Does what is asked of a keeper, one thing after the other, in this thread. */
export class KeeperDispatch implements KeeperLink {
  readonly #keeper: FileKeeper;
  #last: Promise<unknown> = Promise.resolve();

  constructor(keeper: FileKeeper) {
    this.#keeper = keeper;
  }

  call<Name extends KeeperCall>(
    name: Name,
    input: KeeperCalls[Name]['input'],
  ): Promise<KeeperCalls[Name]['output']> {
    const handle: Handlers[Name] = HANDLERS[name];
    const done = this.#last.then(() => handle(this.#keeper, input));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async end(): Promise<void> {
    await this.#last;
    this.#keeper.close();
  }
}
