/**
 * Tells which partitions of a log grew by this process's steps, at once, and once for all that committed together: each telling has readers look. What other
 * processes publish readers find by themselves.
 */
export const growth = (tell: (partitions: readonly number[]) => void) => {
  const grown = new Set<number>()
  return (partitions: readonly number[]): void => {
    if (grown.size === 0)
      queueMicrotask(() => {
        const told = [...grown]
        grown.clear()
        tell(told)
      })
    for (const partition of partitions) grown.add(partition)
  }
}
