/** A module of this folder's own packages. `Module` is the little of it that the caller uses: they may not be installed. */
export async function loadPeer<Module>(name: string): Promise<Module> {
  return (await import(name)) as Module;
}
