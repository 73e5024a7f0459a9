import { z } from 'zod'
import type { Contract } from './contract.ts'
import type { PublishedEvent } from './event.ts'
import type { JsonSchema } from './json-schema.ts'

export interface AsyncApiOptions {
  readonly title: string
  readonly version: string
  readonly contracts: readonly Contract[]
}

/**
 * An event's data in the JSON Schema that AsyncAPI has by default (draft 7). What is not named may come all the same: within
 * a version, optional fields are added.
 */
const dataSchema = (data: z.ZodType): JsonSchema => {
  const { $schema: _, ...schema } = z.toJSONSchema(data, {
    target: 'draft-7',
    io: 'output',
    unrepresentable: 'any',
    reused: 'inline',
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
    },
  })
  return schema
}

const text = (description: string) => ({ type: 'string', minLength: 1, description })
const count = (description: string, minimum: number) => ({ type: 'integer', minimum, description })

/** CloudEvents 1.0 in JSON (structured mode): the attributes of every event, and the place in its publisher's log. */
const envelope: JsonSchema = {
  type: 'object',
  required: [
    ...['specversion', 'id', 'source', 'type', 'subject', 'time', 'data'],
    ...['correlationid', 'partition', 'position'],
  ],
  properties: {
    specversion: { const: '1.0' },
    id: text('Together with source, unique: what comes twice has the same'),
    source: text('The contract that published it'),
    type: text('The event’s name and version'),
    subject: text('The key: events of one subject are handled in order'),
    time: { type: 'string', format: 'date-time', description: 'RFC 3339, UTC' },
    data: { type: 'object' },
    correlationid: text('The request that led to it'),
    partition: count('Of the publisher’s log', 0),
    position: count('Counted without gaps in each partition', 1),
  },
}

const messageOf = (event: PublishedEvent) => ({
  name: event.type,
  title: `${event.name}, version ${event.version}`,
  contentType: 'application/cloudevents+json',
  tags: [{ name: event.source }],
  correlationId: { location: '$message.payload#/correlationid' },
  payload: {
    allOf: [
      { $ref: '#/components/schemas/CloudEvent' },
      {
        type: 'object',
        properties: {
          source: { const: event.source },
          type: { const: event.type },
          subject: { type: 'string', description: `Its ${event.key}` },
          data: dataSchema(event.data),
        },
      },
    ],
  },
})

/**
 * The AsyncAPI 3.0 document of what contracts publish: a channel for each event type, with one message. It is made from the
 * contracts, so that it cannot say anything else.
 */
export const asyncApi = ({ title, version, contracts }: AsyncApiOptions): JsonSchema => {
  const published = contracts.flatMap((contract) =>
    Object.values(contract.events).map((event) => ({ id: `${event.source}.${event.type}`, event })),
  )
  const byId = <T>(make: (one: (typeof published)[number]) => T) =>
    Object.fromEntries(published.map((one) => [one.id, make(one)]))
  return {
    asyncapi: '3.0.0',
    info: { title, version },
    defaultContentType: 'application/cloudevents+json',
    channels: byId(({ id, event }) => ({
      address: id,
      messages: { [event.type]: { $ref: `#/components/messages/${id}` } },
    })),
    operations: byId(({ id, event }) => ({
      action: 'send',
      channel: { $ref: `#/channels/${id}` },
      messages: [{ $ref: `#/channels/${id}/messages/${event.type}` }],
    })),
    components: {
      messages: byId(({ event }) => messageOf(event)),
      schemas: { CloudEvent: envelope },
    },
  }
}
