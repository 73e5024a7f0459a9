/** Others' work is seen within a second. */
const longestMs = 800

/** How long to wait before the next look, in milliseconds: twice as long each time that a look finds nothing. */
export const quiet = (firstMs: number): ((found: boolean) => number) => {
  let next = firstMs
  return (found) => {
    const wait = found ? firstMs : next
    next = Math.max(firstMs, Math.min(2 * wait, longestMs))
    return wait
  }
}
