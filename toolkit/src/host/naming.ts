import { failure, ServalError } from '../base/failure.ts'

/** Adds to what went wrong by which setting it is put right. */
export const naming = <T>(setting: string | undefined, listening: Promise<T>): Promise<T> =>
  listening.catch((error: unknown) => {
    if (setting === undefined || !(error instanceof ServalError)) throw error
    throw failure('cannot-start', `${error.message} (${setting})`, { cause: error })
  })
