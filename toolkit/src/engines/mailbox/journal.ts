import { appendFileSync, closeSync, mkdirSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { failure } from '../../base/failure.ts'

/** Where an entry lies. */
export interface Place {
  readonly at: number
  readonly bytes: number
}

/** Is told of each entry, in order, once it is kept; answers the place of one that will not be read again. */
export type Take<Entry> = (entry: Entry, place: Place) => Place | undefined

/** Entries that are only ever added. */
export interface Journal<Entry> {
  /** When it returns, the entry outlives this process. */
  append(entry: Entry): void
  read(place: Place): Entry
  /** Takes what other processes have added. */
  catchUp(): void
  close(): void
}

/** A journal for as long as this process lives. */
export const memoryJournal = <Entry>(take: Take<Entry>): Journal<Entry> => {
  const entries = new Map<number, Entry>()
  let count = 0
  return {
    append: (entry) => {
      entries.set((count += 1), entry)
      const forgotten = take(entry, { at: count, bytes: 0 })
      if (forgotten !== undefined) entries.delete(forgotten.at)
    },
    read: ({ at }) => {
      const entry = entries.get(at)
      if (entry === undefined) throw failure('internal', `a journal has no entry ${at}`)
      return entry
    },
    catchUp: () => undefined,
    close: () => undefined,
  }
}

const newline = 10

/**
 * Reads the file block by block from `start` on and calls `take` with each line, the last one also when it is not ended; answers where the last
 * ended one ends.
 */
const eachLine = (
  file: number,
  block: Buffer,
  start: number,
  take: (line: string, place: Place, ended: boolean) => void,
): number => {
  let rest: Buffer = Buffer.alloc(0)
  let at = start
  for (let from = start; ;) {
    const count = readSync(file, block, 0, block.length, from)
    if (count === 0) break
    from += count
    const read = block.subarray(0, count)
    rest = rest.length === 0 ? Buffer.from(read) : Buffer.concat([rest, read])
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      take(rest.toString('utf8', 0, end), { at, bytes: end }, true)
      at += end + 1
      rest = rest.subarray(end + 1)
    }
  }
  if (rest.length > 0) take(rest.toString('utf8'), { at, bytes: rest.length }, false)
  return at
}

const opened = (path: string): number => {
  try {
    mkdirSync(dirname(path), { recursive: true })
    return openSync(path, 'a+', 0o600)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw failure(
      'cannot-start',
      `${path} cannot be opened for reading and writing (${reason}): choose another file, or give this user the right to`,
      { cause },
    )
  }
}

/** Ends a line that a process began and died in, which was never answered for (CAN of ASCII; JSON has none). */
const cancelled = '\u0018'

/**
 * A file of JSON lines; several processes may add to it at the same time. An entry is written by one call into the system before `append`
 * returns: the death of the process loses nothing that was appended, a power cut may. `take` is given what is there already.
 */
export const fileJournal = <Entry>(
  path: string,
  parse: (text: string) => Entry,
  take: Take<Entry>,
): Journal<Entry> => {
  const file = opened(path)
  const block = Buffer.alloc(64 * 1024)
  let line = 0
  let end = 0
  /** The last line has no end: a process died in it, or is writing it. */
  let open = false

  const catchUp = () => {
    open = false
    end = eachLine(file, block, end, (text, place, ended) => {
      if (!ended) return void (open = true)
      line += 1
      if (text.endsWith(cancelled)) return
      let entry: Entry
      try {
        entry = parse(text)
      } catch (cause) {
        throw failure(
          'cannot-start',
          `${path}, line ${line}, is not an entry: correct the line, restore the file from a backup, or move it away to start empty`,
          { cause },
        )
      }
      take(entry, place)
    })
  }

  try {
    catchUp()
  } catch (error) {
    closeSync(file)
    throw error
  }
  return {
    append: (entry) => {
      try {
        appendFileSync(file, `${open ? `${cancelled}\n` : ''}${JSON.stringify(entry)}\n`)
      } catch (cause) {
        throw failure('unavailable', `${path} cannot be written`, { cause })
      } finally {
        catchUp()
      }
    },
    read: ({ at, bytes }) => {
      const buffer = Buffer.alloc(bytes)
      readSync(file, buffer, 0, bytes, at)
      return parse(buffer.toString('utf8'))
    },
    catchUp,
    close: () => closeSync(file),
  }
}
