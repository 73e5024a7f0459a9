import { z } from 'zod'
import { command, contract, event } from '../contract/index.ts'
import { service } from '../service/index.ts'

/* A service that publishes what it is told, and keeps nothing. */

export const Note = z.object({ key: z.string(), n: z.int() })
export type Note = z.output<typeof Note>

export const notes = contract('notes', {
  operations: {
    write: command({
      summary: 'Publishes',
      access: 'internal',
      repeat: 'never',
      input: Note,
      output: z.object({}),
    }),
  },
  events: { written: event('note.written', { version: 1, key: 'key', data: Note }) },
})

export const notesService = service(notes, {
  operations: {
    write: (note, { step }) => step(async (s) => (s.emit(notes.events.written, note), {})),
  },
})
