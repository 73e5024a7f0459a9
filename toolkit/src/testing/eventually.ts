/** Waits until `check` answers something other than undefined or false; fails with its last answer after `deadlineMs`. */
export const eventually = async <T>(
  check: () => Promise<T | undefined | false> | T | undefined | false,
  what: string,
  deadlineMs = 15_000,
): Promise<T> => {
  const until = Date.now() + deadlineMs
  for (;;) {
    const found = await check()
    if (found !== undefined && found !== false) return found as T
    if (Date.now() > until) throw new Error(`${what} did not happen within ${deadlineMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
