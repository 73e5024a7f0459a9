// Which tests run once more with each service in a host of its own, and how: see CONTRIBUTING.md.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Frames between hosts, each message delivered twice, each caller's first reply of each operation lost. */
export const placement = 'wire+twice+lost'

const memory = 'asks what one host holds in its memory; there are two of each'
const hosts = 'starts more than one host of a service itself'
const added = 'asks who added what was missing; a repeat finds it there'
const repeats =
  'counts how often a mail was sent; a repeated delivery sends it again, under its Message-ID'
const time = 'moves its clock faster than hosts hear of each other'

/** Files, or tests by their titles, that are about one host or about what is done once, and why. */
const exclusions = {
  'shop/guarantees/placement.test.ts': 'places its services itself',
  'shop/guarantees/crash-points.test.ts': 'lets a process die, and all hosts are in one',
  'shop/orders/interruptions.test.ts': 'stops hosts, and says itself how they are placed',
  'shop/guarantees/concurrency.test.ts': hosts,
  'shop/accounts/concurrency.test.ts': hosts,
  'shop/catalog/concurrency.test.ts': hosts,
  'shop/inventory/round-trips.test.ts': 'counts the statements of a call',
  'shop/catalog/quotes.test.ts': memory,
  'shop/orders/quoting.test.ts': memory,
  'shop/accounts/profile/profile.test.ts': {
    'is read from memory until it changes, and a change shows in the next read': memory,
  },
  'shop/accounts/sign-in/sign-in.test.ts': {
    'is provided once, and hashes nothing when it is there': added,
  },
  'shop/inventory/service.test.ts': { 'is provided once and keeps what was counted': added },
  'shop/notifications/notifications.test.ts': {
    'a mail whose answer was lost is sent again under its Message-ID: one mail, one notification':
      repeats,
    'while the mail server or accounts are away, mails wait': repeats,
    'the audit counts notifications by kind, and the mailbox’s mails and repeats': repeats,
  },
  'shop/notifications/account-mails.test.ts': {
    'before or after any write of a mail’s way sends one mail, with one token':
      'lets a process die, and all hosts are in one',
  },
  'shop/acquirer/acquirer.test.ts': {
    'tok_flaky fails twice per reference, then works':
      'gives its calls too little time for a way between hosts',
  },
  'shop/orders/service.test.ts': {
    'a slow card: confirmed after its three seconds': time,
    'a flaky card: confirmed after some tries, charged once': time,
    'a card that never answers: cancelled after ten seconds, the goods are free again': time,
    'the customer cancels while the card hangs: cancelled, and nothing is charged': time,
  },
  'shop/orders/following.test.ts': {
    'every change, in order, through either host': hosts,
  },
}
const entries = Object.entries(exclusions).flatMap(([file, why]) =>
  typeof why === 'string' ? [{ file }] : Object.keys(why).map((title) => ({ file, title })),
)
export const excluded = {
  files: entries.flatMap(({ file, title }) => (title ? [] : [file])),
  tests: entries.filter(({ title }) => title),
}

/** The shop's test files that start services, themselves or by a suite that they import. */
export function serviceTests(root, files) {
  const known = new Map()
  const starts = (file) => {
    if (known.has(file)) return known.get(file)
    known.set(file, false)
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const suites = [...text.matchAll(/from '(\.[^']*\.suite\.ts)'/g)]
    const found =
      text.includes('startTestServices(') ||
      suites.some(([, suite]) => starts(join(dirname(file), suite)))
    known.set(file, found)
    return found
  }
  return files.filter(
    (file) =>
      file.startsWith('shop/') && !excluded.files.includes(file) && starts(join(root, file)),
  )
}

const escaped = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** For the runners' option -t: every title but those that are excluded. */
export const titles = `^(?!.*(?:${excluded.tests.map(({ title }) => escaped(title)).join('|')}))`

/** The exclusion of a test, if there is one. */
export const exclusionOf = (file, name) =>
  excluded.tests.find((one) => one.file === file && name.includes(one.title))
