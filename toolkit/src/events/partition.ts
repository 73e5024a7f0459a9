export const partitionCount = 16

/** FNV-1a, 32 bits: spreads short keys well, and is the same on every runtime (Fowler, Noll, Vo). */
const fnv1a = (text: string): number => {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** The partition of a key, 0 to 15. It must never change: it decides where a key's order is kept. */
export const partitionOf = (key: string): number => {
  const hash = fnv1a(key)
  return (hash ^ (hash >>> 16)) & (partitionCount - 1)
}

/**
 * Which host works on a partition: the one with the highest hash of both (rendezvous hashing, Thaler and Ravishankar 1996), so that a host that
 * comes or goes moves only its own share. Two hosts that disagree for a moment do work twice; the guards keep the effect single.
 */
export const ownerOf = (hosts: readonly string[], work: string): string | undefined => {
  const known = owners.get(hosts) ?? new Map<string, string | undefined>()
  if (known.size === 0) owners.set(hosts, known)
  if (!known.has(work)) known.set(work, bestOf(hosts, work))
  return known.get(work)
}

/** By list of hosts: each message asks for its owner, and a heartbeat makes a new list. */
const owners = new WeakMap<readonly string[], Map<string, string | undefined>>()

const bestOf = (hosts: readonly string[], work: string): string | undefined => {
  let best: string | undefined
  let bestHash = -1
  for (const host of hosts) {
    const hash = fnv1a(`${work}@${host}`)
    if (hash > bestHash) [best, bestHash] = [host, hash]
  }
  return best
}
