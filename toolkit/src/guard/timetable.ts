import type { Env } from '../base/env.ts'

/** Something that is to happen at a time, unless it is taken from its timetable first. */
export abstract class Due {
  at = 0
  before: Due | undefined = undefined
  after: Due | undefined = undefined
  abstract expire(): void
}

/**
 * Many deadlines on one timer. Hardly any deadline is met by its time, so adding and removing one touches no timer: it waits for the
 * earliest that it was set for, looks then which are due, and is set anew for the earliest of the rest. With nothing to wait for there is no timer.
 */
export class Timetable {
  readonly #env: Env
  #first: Due | undefined = undefined
  #set = Infinity
  #seen = -Infinity
  #forget: (() => void) | undefined = undefined

  constructor(env: Env) {
    this.#env = env
  }

  add(due: Due, at: number, now: number): void {
    this.#look(now)
    due.at = at
    due.before = undefined
    due.after = this.#first
    if (this.#first !== undefined) this.#first.before = due
    this.#first = due
    if (at < this.#set || this.#forget === undefined) this.#wait(at, now)
  }

  /** Does nothing to what is not in it any more. */
  remove(due: Due): void {
    if (due.before !== undefined) due.before.after = due.after
    else if (this.#first === due) this.#first = due.after
    if (due.after !== undefined) due.after.before = due.before
    due.before = due.after = undefined
    if (this.#first === undefined) this.#stop()
  }

  /** A clock that was set back must not make anything wait longer. */
  #look(now: number): void {
    if (now < this.#seen) {
      const back = this.#seen - now
      for (let due = this.#first; due !== undefined; due = due.after) due.at -= back
      this.#set -= back
    }
    this.#seen = now
  }

  #wait(at: number, now: number): void {
    this.#forget?.()
    this.#set = at
    this.#forget = this.#env.after(at - now, () => this.#ring())
  }

  #stop(): void {
    this.#forget?.()
    this.#forget = undefined
    this.#set = Infinity
  }

  #ring(): void {
    this.#forget = undefined
    const now = this.#env.now()
    this.#seen = Math.max(this.#seen, this.#set)
    this.#look(now)
    const passed: Due[] = []
    let next = Infinity
    for (let due = this.#first; due !== undefined; due = due.after)
      if (due.at <= now) passed.push(due)
      else if (due.at < next) next = due.at
    for (const due of passed) this.remove(due)
    if (this.#first !== undefined) this.#wait(next, now)
    // What was added first is told first.
    for (const due of passed.reverse()) due.expire()
  }
}
