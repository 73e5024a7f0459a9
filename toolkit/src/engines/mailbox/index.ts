import { rfc3339, systemEnv, type Env } from '../../base/env.ts'
import { fileJournal, memoryJournal, type Journal, type Place } from './journal.ts'

export interface MailboxOptions {
  /** JSON lines, appended to, by several processes if need be; in memory, for as long as this process lives, when it is left out. */
  readonly file?: string | undefined
  /** Mails that can be read and are known when they come again: the newest so many, default 10,000. The file keeps all. */
  readonly recent?: number
  readonly env?: Env
}

export interface MailboxMail {
  readonly messageId: string
  readonly to: string
  readonly subject: string
  readonly text: string
}

export interface MailboxItem extends MailboxMail {
  /** When it arrived first, RFC 3339. */
  readonly at: string
  /** How often it came again. */
  readonly repeats: number
}

/** The reading side. */
export interface Mailbox {
  /** At most `limit` mails, newest first; `to` only one recipient's. */
  newest(options: {
    readonly limit: number
    readonly to?: string | undefined
  }): readonly MailboxItem[]
  /** Mails that came, and repeats that were dropped. */
  count(): { readonly mails: number; readonly repeats: number }
}

export interface MailboxMailer {
  /** Resolves when the mail is kept. A mail whose Message-ID is among the recent ones is counted and dropped. */
  send(mail: MailboxMail): Promise<void>
  readonly mailbox: Mailbox
  /** Reads what the file holds; rejects the start of a host when it cannot. Done by the first use otherwise. */
  open(): void
  close(): void
}

type Entry = (MailboxMail & { readonly at: string }) | { readonly repeated: string }

const entryOf = (text: string): Entry => {
  // Our own file: what is a JSON object with one of our keys was written by the code below.
  const entry = JSON.parse(text) as Partial<MailboxItem> & { readonly repeated?: string }
  if (entry.messageId === undefined && entry.repeated === undefined)
    throw new Error('neither a mail nor a repeat')
  return entry as Entry
}

interface Slot {
  readonly place: Place
  readonly to: string
  repeats: number
}

/** What is kept in memory: where each recent mail lies, in the order of arrival. */
class Index {
  readonly #recent: number
  readonly #slots = new Map<string, Slot>()
  #mails = 0
  #repeats = 0

  constructor(recent: number) {
    this.#recent = recent
  }

  /** Answers a place that it will not ask for again. */
  take(entry: Entry, place: Place): Place | undefined {
    const messageId = 'repeated' in entry ? entry.repeated : entry.messageId
    const known = this.#slots.get(messageId)
    // Two processes that send one mail at the same time both write it.
    if ('repeated' in entry || known !== undefined) {
      this.#repeats += 1
      if (known !== undefined) known.repeats += 1
      return place
    }
    this.#mails += 1
    this.#slots.set(messageId, { place, to: entry.to, repeats: 0 })
    if (this.#slots.size <= this.#recent) return undefined
    const [[oldestId, oldest] = []] = this.#slots
    if (oldestId !== undefined) this.#slots.delete(oldestId)
    return oldest?.place
  }

  has(messageId: string): boolean {
    return this.#slots.has(messageId)
  }

  newest(limit: number, to: string | undefined): Slot[] {
    const all = [...this.#slots.values()]
    const wanted = to === undefined ? all : all.filter((slot) => slot.to === to)
    return wanted.slice(-limit).reverse()
  }

  count() {
    return { mails: this.#mails, repeats: this.#repeats }
  }
}

/** Mail without a server, for development: a mailbox that takes everything and can be read. */
export const mailbox = ({
  file,
  recent = 10_000,
  env = systemEnv(),
}: MailboxOptions = {}): MailboxMailer => {
  let opened: { readonly index: Index; readonly journal: Journal<Entry> } | undefined
  const open = () => {
    if (opened !== undefined) return opened
    const index = new Index(recent)
    const take = (entry: Entry, place: Place) => index.take(entry, place)
    const journal = file === undefined ? memoryJournal(take) : fileJournal(file, entryOf, take)
    return (opened = { index, journal })
  }
  /** With what other processes have added. */
  const now = () => {
    const { index, journal } = open()
    journal.catchUp()
    return { index, journal }
  }
  return {
    open: () => void open(),
    send: async ({ messageId, to, subject, text }) => {
      const { index, journal } = now()
      journal.append(
        index.has(messageId)
          ? { repeated: messageId }
          : { messageId, to, subject, text, at: rfc3339(env.now()) },
      )
    },
    mailbox: {
      newest: ({ limit, to }) => {
        const { index, journal } = now()
        return index.newest(limit, to).flatMap(({ place, repeats }) => {
          const entry = journal.read(place)
          return 'repeated' in entry ? [] : [{ ...entry, repeats }]
        })
      },
      count: () => now().index.count(),
    },
    close: () => {
      opened?.journal.close()
      opened = undefined
    },
  }
}
