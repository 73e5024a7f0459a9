/** A value of JSON (RFC 8259); a member that is undefined is not there. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [member: string]: Json | undefined }

type JsonObject = Extract<Json, { readonly [member: string]: unknown }>

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Applies a JSON Merge Patch (RFC 7396): members of objects are merged at every depth, null removes a
 * member, and anything else, arrays too, replaces what was there. Neither value is changed.
 */
export const mergePatch = (target: Json | undefined, patch: Json): Json => {
  if (!isObject(patch)) return patch
  const members = new Map(Object.entries(isObject(target) ? target : {}))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name)
    else if (value !== undefined) members.set(name, mergePatch(members.get(name), value))
  }
  return Object.fromEntries(members)
}
