/**
 * Tells hosts, and resolves when they have answered or failed. One that failed is told again the next time, but nobody waits for it until it has
 * answered: what hangs would hold up every change.
 */
export const telling = <Host extends object, What>(
  tell: (host: Host, what: What) => Promise<unknown>,
): ((hosts: readonly Host[], what: What) => Promise<unknown>) => {
  const failed = new WeakSet<Host>()
  return (hosts, what) =>
    Promise.all(
      hosts.map((host) => {
        const awaited = !failed.has(host)
        const told = tell(host, what).then(
          () => failed.delete(host),
          () => failed.add(host),
        )
        return awaited ? told : Promise.resolve()
      }),
    )
}
