import {
  appendFileSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { failure } from '../../base/failure.ts'

/** Where an entry lies. */
export interface Place {
  readonly at: number
  readonly bytes: number
}

/** Entries that are only ever added. */
export interface Journal<Entry> {
  /** When it returns, the entry outlives this process. */
  append(entry: Entry): Place
  read(place: Place): Entry
  /** It will not be read again: a journal in memory lets it go. */
  forget(place: Place): void
  close(): void
}

/** A journal for as long as this process lives. */
export const memoryJournal = <Entry>(): Journal<Entry> => {
  const entries = new Map<number, Entry>()
  let count = 0
  return {
    append: (entry) => {
      entries.set((count += 1), entry)
      return { at: count, bytes: 0 }
    },
    read: ({ at }) => {
      const entry = entries.get(at)
      if (entry === undefined) throw failure('internal', `a journal has no entry ${at}`)
      return entry
    },
    forget: ({ at }) => void entries.delete(at),
    close: () => undefined,
  }
}

const newline = 10

/** Calls `take` with each whole line of the file; answers where the last one ends. */
const eachLine = (file: number, take: (line: string, place: Place) => void): number => {
  const block = Buffer.alloc(64 * 1024)
  let rest: Buffer = Buffer.alloc(0)
  let at = 0
  for (let from = 0; ;) {
    const count = readSync(file, block, 0, block.length, from)
    if (count === 0) return at
    from += count
    rest = Buffer.concat([rest, block.subarray(0, count)])
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      take(rest.toString('utf8', 0, end), { at, bytes: end })
      at += end + 1
      rest = rest.subarray(end + 1)
    }
  }
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

/**
 * A file of JSON lines, for one process at a time. An entry is written by one call into the system before `append` returns:
 * the death of the process loses nothing that was appended, a power cut may. A last line that is not whole was never
 * answered for: it is cut off. `take` is given what is there already.
 */
export const fileJournal = <Entry>(
  path: string,
  parse: (text: string) => Entry,
  take: (entry: Entry, place: Place) => void,
): Journal<Entry> => {
  const file = opened(path)
  let line = 0
  let end = eachLine(file, (text, place) => {
    line += 1
    let entry: Entry
    try {
      entry = parse(text)
    } catch (cause) {
      closeSync(file)
      throw failure(
        'cannot-start',
        `${path}, line ${line}, is not an entry: correct the line, restore the file from a backup, or move it away to start empty`,
        { cause },
      )
    }
    take(entry, place)
  })
  if (fstatSync(file).size > end) ftruncateSync(file, end)
  return {
    append: (entry) => {
      const bytes = Buffer.from(`${JSON.stringify(entry)}\n`)
      try {
        appendFileSync(file, bytes)
      } catch (cause) {
        // Half a line would spoil the next one.
        ftruncateSync(file, end)
        throw failure('unavailable', `${path} cannot be written`, { cause })
      }
      const place = { at: end, bytes: bytes.length - 1 }
      end += bytes.length
      return place
    },
    read: ({ at, bytes }) => {
      const buffer = Buffer.alloc(bytes)
      readSync(file, buffer, 0, bytes, at)
      return parse(buffer.toString('utf8'))
    },
    forget: () => undefined,
    close: () => closeSync(file),
  }
}
