/** Waits for an answer, and gives the last one when it does not come. */
export const until = async <T>(
  ask: () => Promise<T>,
  wanted: (answer: T) => boolean,
): Promise<T> => {
  for (const deadline = performance.now() + 15_000; ;) {
    const answer = await ask()
    if (wanted(answer) || performance.now() > deadline) return answer
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
